//! The guards as Lambda takes them: built by cargo, zipped with their binary as `bootstrap`.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    process::Command,
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
/// of the names. Blocks; quick when they are up to date.
///
/// The whole workspace is selected and the binaries picked from it: with a single package selected, cargo would unify
/// features differently and compile the AWS SDK a second time.
///
/// # Errors
/// [`SandboxError::Build`] with what cargo printed.
pub fn build_guards(workspace: &Path, names: &[&str]) -> Result<Vec<PathBuf>, SandboxError> {
    let failed =
        |detail: String| SandboxError::Build { names: names.iter().map(|name| (*name).to_owned()).collect(), detail };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&cargo);
    command.current_dir(workspace).args(["build", "--workspace", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for name in names {
        command.args(["--bin", name]);
    }
    let built = command.output().map_err(SandboxError::io("running", PathBuf::from(cargo)))?;
    if !built.status.success() {
        return Err(failed(String::from_utf8_lossy(&built.stderr).into_owned()));
    }
    let executables: Vec<(String, PathBuf)> = String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect();
    names
        .iter()
        .map(|name| {
            let found = executables.iter().find(|(built, _)| built == name);
            found.map(|(_, path)| path.clone()).ok_or_else(|| failed(format!("cargo built no binary named {name}")))
        })
        .collect()
}

/// A function's package: the binary as an executable `bootstrap`. Stored, not compressed: it stays on this machine.
///
/// # Errors
/// [`SandboxError::Io`] when the binary cannot be read.
pub fn package(binary: &Path) -> Result<Vec<u8>, SandboxError> {
    let code = fs::read(binary).map_err(SandboxError::io("reading", binary))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(code.len() + 256)));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
    zip.start_file("bootstrap", options)
        .map_err(std::io::Error::from)
        .and_then(|()| zip.write_all(&code))
        .and_then(|()| zip.finish().map_err(std::io::Error::from))
        .map(Cursor::into_inner)
        .map_err(SandboxError::io("zipping", binary))
}
