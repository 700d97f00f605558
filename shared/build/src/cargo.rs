//! The workspace's binaries for this machine, and what every call of cargo from here has in common.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde::Deserialize;

use crate::BuildError;

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
/// [`BuildError::Cargo`] with what cargo printed.
pub fn build_guards(workspace: &Path, names: &[&str], progress: &dyn Fn(&str)) -> Result<Vec<PathBuf>, BuildError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["build", "--workspace"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for name in names {
        command.args(["--bin", name]);
    }
    run(&mut command, names, progress)
}

/// Runs a build by cargo, or by what passes its arguments on to cargo, and returns where the binaries of those names
/// are, in their order.
pub(crate) fn run(command: &mut Command, names: &[&str], progress: &dyn Fn(&str)) -> Result<Vec<PathBuf>, BuildError> {
    let failed =
        |detail: String| BuildError::Cargo { names: names.iter().map(|name| (*name).to_owned()).collect(), detail };
    let program = PathBuf::from(command.get_program());
    let running = BuildError::io("running", &program);
    let mut build = outside_cargo(command)
        .arg("--message-format=json-render-diagnostics")
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
    let built = build.wait().map_err(BuildError::io("waiting for", program))?;
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

/// Takes from a command what cargo says to a test about its package. It would be news to build scripts that watch
/// these, ring's for one: they would run again here, and again in the next build outside, with everything above them.
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
