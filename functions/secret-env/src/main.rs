//! The start-up layer: gives a function the secrets that Warden took out of its environment.
//!
//! Lambda runs this in front of a managed runtime (`AWS_LAMBDA_EXEC_WRAPPER=/opt/warden/secret-env`) with the runtime's command line as
//! arguments. Every variable that holds a reference of Warden's gets its value, all of them from one call of GetSecretValue, and the runtime
//! takes this process's place. Without a reference nothing is called. Either all references are resolved or the start fails, with one line
//! on standard error that says why; no value is ever printed.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod credentials;
mod endpoint;
mod failure;
mod references;
mod secrets_manager;
mod web;

use failure::Failure;
use references::References;
use secrecy::ExposeSecret;
use secrets_manager::SecretsManager;
use std::{convert::Infallible, env, os::unix::process::CommandExt, process::Command, process::ExitCode};

fn main() -> ExitCode {
    match start() {
        Ok(never) => match never {},
        Err(failure) => {
            eprintln!("warden secret-env: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Becomes the runtime.
fn start() -> Result<Infallible, Failure> {
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or(Failure::NoRuntime)?;
    let mut runtime = Command::new(&program);
    runtime.args(arguments);

    let references = References::among(env::vars_os());
    if !references.is_empty() {
        for (name, value) in references.resolve(&SecretsManager::of_this_function()?)? {
            runtime.env(name, value.expose_secret());
        }
    }
    // Returns only where there was no such program to become.
    Err(Failure::Exec { program, problem: runtime.exec() })
}
