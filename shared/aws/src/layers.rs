//! Which extensions a function's layers bring. AWS names a function's layers and says nothing of what is in them.
//!
//! Lambda unpacks a layer under `/opt` and starts every file in `/opt/extensions` ("Configuring Lambda extensions" in
//! the Lambda developer guide), so the names of the files in a layer's archive tell. They stand at the archive's end,
//! of which some kilobytes are read from the address that GetLayerVersion gives out. A version of a layer never
//! changes: each is looked into once in a process.

use crate::{Aws, config::connector, error::classify, lambda::none_if_gone};
use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use futures::future;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Seek, SeekFrom},
    sync::PoisonError,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    name::lambda::{FunctionArn, LayerVersionArn},
};
use zip::ZipArchive;

/// How much of an archive's end is read at first, in bytes. It holds the names of some hundred files, and surely the
/// place that says where they begin.
const TAIL: u64 = 128 * 1024;
/// The most of an archive's end that is read, in bytes: more than the names of all files in a layer take, and little
/// beside the guard's memory.
const MOST: u64 = 4 * 1024 * 1024;
/// How often the end of one archive is read: once, or again from where its names begin.
const READINGS: usize = 3;
/// How many layers are remembered.
const REMEMBERED: usize = 256;

/// The names of the extensions that a layer brings; none where nobody can be sure.
type Brought = Option<BTreeSet<String>>;

impl Aws {
    /// By layer, the names of the extensions that it brings; none where that cannot be seen: the layer is gone, or is
    /// not for everybody to read, or its archive is none that is understood here.
    ///
    /// # Errors
    /// The call that failed and may succeed later.
    pub async fn extensions(
        &self,
        function: &FunctionArn,
        layers: impl IntoIterator<Item = &String>,
    ) -> Result<BTreeMap<String, Option<BTreeSet<String>>>, CallError> {
        let seen = layers.into_iter().map(async |layer| {
            let known = self.layers.lock().unwrap_or_else(PoisonError::into_inner).get(layer).cloned();
            let brought = match known {
                Some(brought) => Some(brought),
                None => self.look_into(function, layer).await?,
            };
            if let Some(brought) = &brought {
                let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
                if layers.len() < REMEMBERED {
                    layers.insert(layer.clone(), brought.clone());
                }
            }
            Ok((layer.clone(), brought))
        });
        future::try_join_all(seen).await.map(|seen| seen.into_iter().collect())
    }

    async fn look_into(&self, function: &FunctionArn, layer: &str) -> Result<Brought, CallError> {
        if layer.parse::<LayerVersionArn>().is_err() {
            return Ok(None);
        }
        let request = self.lambda(function.region()).get_layer_version_by_arn().arn(layer);
        let found = match request.send().await {
            Ok(answer) => answer.content.and_then(|content| content.location),
            Err(error) => match classify("GetLayerVersion", layer, error) {
                error if error.kind == ErrorKind::Bug || error.kind.is_refusal() => None,
                error => none_if_gone(error)?,
            },
        };
        // The address is presigned: it is used here and goes nowhere else.
        let Some(address) = found else { return Ok(None) };
        let Some(connector) = self.connector.get_or_init(|| connector().ok()) else { return Ok(None) };
        Ok(files(async |wanted| tail(connector, &address, wanted).await).await)
    }
}

/// Reads the end of an archive until it has the names of all its files; returns the extensions among them.
async fn files(read: impl AsyncFn(u64) -> Option<Tail>) -> Brought {
    let mut wanted = TAIL;
    for _ in 0..READINGS {
        let mut tail = read(wanted).await?;
        if let Ok(archive) = ZipArchive::new(&mut tail) {
            return Some(extensions(archive.file_names()));
        }
        wanted = tail.length.checked_sub(tail.missing?)?;
        if wanted > MOST {
            return None;
        }
    }
    None
}

/// The names of the extensions among an archive's files.
fn extensions<'a>(files: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let name = |file: &'a str| {
        let parts: Vec<&str> = file.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
        match parts.as_slice() {
            // A link in the directory's place leads anywhere, and so does a way up.
            ["extensions"] if file.ends_with("extensions") => Some("extensions"),
            ["extensions", name, ..] => Some(*name),
            parts if parts.contains(&"..") => Some(".."),
            _ => None,
        }
    };
    files.filter_map(name).map(|name| name.chars().filter(char::is_ascii_graphic).take(64).collect()).collect()
}

/// The last bytes of an archive.
struct Tail {
    bytes: Vec<u8>,
    /// How long the whole archive is.
    length: u64,
    position: u64,
    /// The position at which something was looked for, where that lies before these bytes.
    missing: Option<u64>,
}

impl Tail {
    fn new(bytes: Vec<u8>, length: u64) -> Tail {
        Tail { bytes, length, position: 0, missing: None }
    }

    /// The position of the first byte that is here.
    fn start(&self) -> u64 {
        self.length.saturating_sub(self.bytes.len().try_into().unwrap_or(u64::MAX))
    }
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(offset) = self.position.checked_sub(self.start()) else {
            self.missing = Some(self.missing.map_or(self.position, |earlier| earlier.min(self.position)));
            return Err(io::Error::other("this part of the archive was not read"));
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let read = self.bytes.get(offset..).unwrap_or_default().read(into)?;
        self.position = self.position.saturating_add(read.try_into().unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Seek for Tail {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.length.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The last `wanted` bytes of what stands at an address, or all of it.
async fn tail(connector: &impl HttpConnector, address: &str, wanted: u64) -> Option<Tail> {
    // Once more where the connection broke.
    for _ in 0..2 {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(address).ok()?;
        request.headers_mut().insert("range", format!("bytes=-{wanted}"));
        let Ok(answer) = connector.call(request).await else { continue };
        if answer.status().is_server_error() {
            continue;
        }
        let whole = match answer.status().as_u16() {
            200 => None,
            206 => Some(length(answer.headers().get("content-range")?)?),
            _ => return None,
        };
        let Some(bytes) = body(answer).await else { continue };
        let length = whole.unwrap_or(bytes.len().try_into().unwrap_or(u64::MAX));
        return Some(Tail::new(bytes, length));
    }
    None
}

/// The length of the whole in `bytes 500-999/1000`, where the range reaches to its end (RFC 9110, section 14.4).
fn length(content_range: &str) -> Option<u64> {
    let (range, whole) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (_, last) = range.split_once('-')?;
    let (last, whole): (u64, u64) = (last.parse().ok()?, whole.parse().ok()?);
    (last.checked_add(1) == Some(whole)).then_some(whole)
}

async fn body(answer: HttpResponse) -> Option<Vec<u8>> {
    let mut stream = ByteStream::new(answer.into_body());
    let mut bytes = Vec::new();
    while let Some(some) = stream.try_next().await.ok()? {
        if bytes.len() + some.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
            return None;
        }
        bytes.extend_from_slice(&some);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::{ZipWriter, write::SimpleFileOptions};

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// What is seen in an archive of which at first the last bytes are read, and how often it is read.
    async fn seen(archive: &[u8], first: u64) -> (Brought, usize) {
        let readings = std::cell::Cell::new(0);
        let read = async |wanted: u64| {
            readings.set(readings.get() + 1);
            let wanted = if readings.get() == 1 { wanted.min(first) } else { wanted };
            let from = archive.len().saturating_sub(wanted as usize);
            Some(Tail::new(archive[from..].to_vec(), archive.len() as u64))
        };
        (files(read).await, readings.get())
    }

    fn named(names: &[&str]) -> Brought {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[tokio::test]
    async fn extensions_are_told_by_the_names_of_the_files_at_the_archives_end() {
        let libraries =
            archive(&["python/requests/__init__.py", "lib/libfoo.so", "python/extensions/x.py", "extension"]);
        assert_eq!(seen(&libraries, u64::MAX).await, (named(&[]), 1));
        let agent = archive(&["python/datadog/__init__.py", "extensions/datadog-agent", "./extensions/second"]);
        assert_eq!(seen(&agent, u64::MAX).await, (named(&["datadog-agent", "second"]), 1));
        // Read again from where the names begin.
        assert_eq!(seen(&agent, 40).await, (named(&["datadog-agent", "second"]), 2));
        assert_eq!(seen(&archive(&[]), u64::MAX).await, (named(&[]), 1));
    }

    #[tokio::test]
    async fn what_may_lead_to_the_directory_counts_as_an_extension() {
        for (name, seen_as) in [
            ("extensions", "extensions"),
            ("lib/../extensions/x", ".."),
            ("extensions\\agent", "agent"),
            ("//extensions//a", "a"),
        ] {
            assert_eq!(extensions([name].into_iter()), BTreeSet::from([seen_as.to_owned()]), "{name}");
        }
        assert_eq!(extensions(["extensions/", "Extensions/a"].into_iter()), BTreeSet::new());
    }

    #[tokio::test]
    async fn what_is_no_archive_or_too_long_is_not_understood() {
        assert_eq!(seen(b"", u64::MAX).await.0, None);
        assert_eq!(seen(&[7; 4096], u64::MAX).await.0, None);
        assert_eq!(seen(&[7; 4096], 100).await.0, None);
        // Its names begin further ahead than anybody would read.
        let mut far = archive(&["a"]);
        let end = far.len() - 22;
        far[end + 12..end + 16].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
        let read = async |_| Some(Tail::new(far.clone(), u64::from(u32::MAX)));
        assert_eq!(files(read).await, None);
    }

    #[test]
    fn a_range_tells_the_length_of_the_whole() {
        assert_eq!(length("bytes 500-999/1000"), Some(1000));
        for other in
            ["bytes 0-499/1000", "bytes */1000", "bytes 500-999/*", "500-999/1000", "bytes 1-18446744073709551615/0"]
        {
            assert_eq!(length(other), None, "{other}");
        }
    }
}
