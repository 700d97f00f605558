//! The guards as Lambda takes them: built by cargo, zipped with their binary as `bootstrap`.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Cursor, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde::Deserialize;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::SandboxError;

#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds binaries of the workspace in the profile this crate was built in and returns where they are, in the order
/// of the names. Blocks: quick when they are up to date, minutes when the AWS SDK is to be compiled; `progress` is told
/// each crate as cargo comes to it.
///
/// The whole workspace is selected and the binaries picked from it: with a single package selected, cargo would unify
/// features differently and compile the AWS SDK a second time.
///
/// # Errors
/// [`SandboxError::Build`] with what cargo printed.
pub fn build_guards(workspace: &Path, names: &[&str], progress: &dyn Fn(&str)) -> Result<Vec<PathBuf>, SandboxError> {
    build(workspace, names, !cfg!(debug_assertions), progress)
}

/// The same in the release profile: the binaries as they are deployed.
///
/// # Errors
/// [`SandboxError::Build`] with what cargo printed.
pub fn build_released_guards(
    workspace: &Path,
    names: &[&str],
    progress: &dyn Fn(&str),
) -> Result<Vec<PathBuf>, SandboxError> {
    build(workspace, names, true, progress)
}

fn build(
    workspace: &Path,
    names: &[&str],
    release: bool,
    progress: &dyn Fn(&str),
) -> Result<Vec<PathBuf>, SandboxError> {
    let failed =
        |detail: String| SandboxError::Build { names: names.iter().map(|name| (*name).to_owned()).collect(), detail };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&cargo);
    command.current_dir(workspace).args(["build", "--workspace", "--message-format=json-render-diagnostics"]);
    if release {
        command.arg("--release");
    }
    for name in names {
        command.args(["--bin", name]);
    }
    let running = SandboxError::io("running", PathBuf::from(&cargo));
    let mut build = outside_cargo(&mut command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(running)?;
    // Read beside standard error, so that neither pipe fills up.
    let messages = build.stdout.take().map(|pipe| thread::spawn(move || executables(pipe)));
    let mut printed = Vec::new();
    for line in build.stderr.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
        if let Some(name) = line.trim_start().strip_prefix("Compiling ") {
            progress(&format!("compiling {name}"));
        }
        printed.push(line);
    }
    let built = build.wait().map_err(SandboxError::io("waiting for", PathBuf::from(&cargo)))?;
    let executables = messages.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !built.success() {
        return Err(failed(printed.join("\n")));
    }
    names
        .iter()
        .map(|name| {
            let found = executables.iter().find(|(built, _)| built == name);
            found.map(|(_, path)| path.clone()).ok_or_else(|| failed(format!("cargo built no binary named {name}")))
        })
        .collect()
}

/// Takes from a command what cargo says to a test about its package. It would be news to build scripts that watch these, ring's for one:
/// they would run again here, and again in the next build outside, with everything above them.
pub(crate) fn outside_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Names and places of the binaries that cargo's messages tell of.
fn executables(messages: impl Read) -> Vec<(String, PathBuf)> {
    BufReader::new(messages)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Message>(&line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

/// A function's package: the binary as an executable `bootstrap`. Stored, not compressed: it stays on this machine.
///
/// # Errors
/// [`SandboxError::Io`] when the binary cannot be read.
pub fn package(binary: &Path) -> Result<Vec<u8>, SandboxError> {
    let code = fs::read(binary).map_err(SandboxError::io("reading", binary))?;
    zipped("bootstrap", &code, CompressionMethod::Stored)
}

/// The package of a function in an interpreted language: one file.
///
/// # Errors
/// [`SandboxError::Io`] when it cannot be zipped.
pub fn package_text(name: &str, text: &str) -> Result<Vec<u8>, SandboxError> {
    zipped(name, text.as_bytes(), CompressionMethod::Stored)
}

/// An archive of one executable file, with no time in it.
pub(crate) fn zipped(name: &str, content: &[u8], method: CompressionMethod) -> Result<Vec<u8>, SandboxError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(content.len() + 256)));
    let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o755);
    zip.start_file(name, options)
        .map_err(std::io::Error::from)
        .and_then(|()| zip.write_all(content))
        .and_then(|()| zip.finish().map_err(std::io::Error::from))
        .map(Cursor::into_inner)
        .map_err(SandboxError::io("zipping", Path::new(name)))
}
