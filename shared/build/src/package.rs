//! Zip archives as Lambda takes them. The same content gives the same bytes.

use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
};

use warden_secret_ref::WRAPPER;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::BuildError;

/// A function's package for the local account: the binary as an executable `bootstrap`. Stored, not compressed: it
/// stays on this machine.
///
/// # Errors
/// [`BuildError::Io`] when the binary cannot be read.
pub fn package(binary: &Path) -> Result<Vec<u8>, BuildError> {
    zipped("bootstrap", &read(binary)?, CompressionMethod::Stored)
}

/// A guard's package as it is deployed: the binary as an executable `bootstrap`, compressed.
///
/// # Errors
/// [`BuildError::Io`] when the binary cannot be read.
pub fn package_guard(binary: &Path) -> Result<Vec<u8>, BuildError> {
    zipped("bootstrap", &read(binary)?, CompressionMethod::Deflated)
}

/// The layer's package: the binary where functions look for it, executable, compressed.
///
/// # Errors
/// [`BuildError::Io`] when the binary cannot be read.
pub fn package_layer(binary: &Path) -> Result<Vec<u8>, BuildError> {
    let inside = WRAPPER.strip_prefix("/opt/").unwrap_or(WRAPPER);
    zipped(inside, &read(binary)?, CompressionMethod::Deflated)
}

/// The package of a function in an interpreted language: one file.
///
/// # Errors
/// [`BuildError::Io`] when it cannot be zipped.
pub fn package_text(name: &str, text: &str) -> Result<Vec<u8>, BuildError> {
    zipped(name, text.as_bytes(), CompressionMethod::Stored)
}

fn read(binary: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(binary).map_err(BuildError::io("reading", binary))
}

/// An archive of one executable file. Its time is the earliest that a zip archive can hold, whatever the clock says.
fn zipped(name: &str, content: &[u8], method: CompressionMethod) -> Result<Vec<u8>, BuildError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(content.len() + 256)));
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .unix_permissions(0o755)
        .last_modified_time(DateTime::default());
    zip.start_file(name, options)
        .map_err(std::io::Error::from)
        .and_then(|()| zip.write_all(content))
        .and_then(|()| zip.finish().map_err(std::io::Error::from))
        .map(Cursor::into_inner)
        .map_err(BuildError::io("zipping", Path::new(name)))
}
