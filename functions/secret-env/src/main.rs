//! The start-up layer: gives a function the secrets that Warden took out of its environment.
//!
//! Lambda runs this in front of a managed runtime (`AWS_LAMBDA_EXEC_WRAPPER=/opt/warden/secret-env`) with the runtime's
//! command line as arguments. Every variable that holds a reference of Warden's gets its value, by one call of
//! GetSecretValue for each secret, and the runtime takes this process's place. Without a reference nothing is called.
//! Either all references are resolved or the start fails, with one line on standard error that says why; no value is
//! ever printed.

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
        let resolved = references.resolve(&SecretsManager::of_this_function()?)?;
        for notice in resolved.notices {
            eprintln!("warden secret-env: {notice}");
        }
        for (name, value) in resolved.values {
            runtime.env(name, value.expose_secret());
        }
    }
    // Returns only where there was no such program to become.
    Err(Failure::Exec { program, problem: runtime.exec() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use warden_secret_ref::READ_BEFORE;

    /// Otherwise a secret could be taken out of a variable that is needed to fetch it.
    #[test]
    fn what_is_read_of_the_environment_holds_no_reference() {
        // Nobody can set these on a function (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
        let reserved =
            ["AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let sources = [
            include_str!("credentials.rs"),
            include_str!("secrets_manager.rs"),
            include_str!("web.rs"),
            include_str!("endpoint.rs"),
        ];
        let quoted = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2));
        let read: BTreeSet<&str> = quoted.filter(|text| text.starts_with("AWS_")).collect();
        assert!(
            read.contains("AWS_REGION") && read.contains("AWS_CA_BUNDLE"),
            "the search finds what is there: {read:?}"
        );
        for name in read {
            assert!(reserved.contains(&name) || READ_BEFORE.contains(&name), "{name}");
        }
    }
}
