//! Why a function does not start, in a line that says what to do.

use std::{ffi::OsString, io};
use warden_secret_ref::SecretName;

/// Why the function cannot start, and what to look at. Never with a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "there is no runtime to start: the command line is empty. Set AWS_LAMBDA_EXEC_WRAPPER on functions with a \
         managed runtime only"
    )]
    NoRuntime,
    #[error("the runtime {program:?} cannot be started: {problem}")]
    Exec { program: OsString, problem: io::Error },
    #[error(
        "the environment variable {0} is not set: the function's secrets can be read only where Lambda gives a Region \
         and credentials"
    )]
    NoSetting(&'static str),
    #[error("AWS_CA_BUNDLE names `{path}`, which cannot be used: {problem}")]
    Roots { path: String, problem: String },
    #[error(
        "the secret `{secret}` could not be read in time: {problem}. If the function is in a VPC, it needs a VPC \
         endpoint for Secrets Manager, or a way to the internet, that its security group lets it use"
    )]
    Unreachable { secret: SecretName, problem: String },
    #[error(
        "the function's role may not read the secret `{secret}` ({problem}). Check secretsmanager:GetSecretValue in \
         the role's policies and its boundary, in the secret's resource policy, and in the policy of a VPC endpoint"
    )]
    Refused { secret: SecretName, problem: String },
    #[error(
        "the secret `{secret}` is not there ({problem}). If it was deleted, restore it with `aws secretsmanager \
         restore-secret`, or take the remediation back with `warden undo`"
    )]
    Gone { secret: SecretName, problem: String },
    #[error(
        "the secret `{secret}` was not asked for, because the other end's certificate is not to be trusted \
         ({problem}). Where a proxy of your own opens TLS, name its root in AWS_CA_BUNDLE"
    )]
    Untrusted { secret: SecretName, problem: String },
    #[error("the secret `{secret}` could not be read: {problem}")]
    Answer { secret: SecretName, problem: String },
    #[error(
        "the secret `{secret}` is no JSON object with a text for each variable any more: give each its value again \
         with {}",
        rotations(secret, variables)
    )]
    NotAnObject { secret: SecretName, variables: Vec<String> },
    #[error(
        "the secret `{secret}` has no value for the variable {variable}: set it with `{}`",
        rotation(secret, variable)
    )]
    NoValue { secret: SecretName, variable: String },
    #[error(
        "the value of the variable {variable} in the secret `{secret}` contains a zero byte, which no environment can \
         hold: set another with `{}`",
        rotation(secret, variable)
    )]
    ZeroByte { secret: SecretName, variable: String },
}

/// The command that gives a variable another value.
pub(crate) fn rotation(secret: &SecretName, variable: &str) -> String {
    format!("warden rotate {} {variable}", secret.function().unwrap_or("FUNCTION"))
}

fn rotations(secret: &SecretName, variables: &[String]) -> String {
    let commands: Vec<String> = variables.iter().map(|variable| format!("`{}`", rotation(secret, variable))).collect();
    commands.join(" and ")
}
