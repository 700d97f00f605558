//! Keeps an empty account running until it is killed, and prints its directory: for the tests that kill it, and for
//! those of the installation. Its argument is the target directory to install under.

use std::process::ExitCode;

use warden_sandbox::{Options, Sandbox};

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::default();
    if let Some(target) = std::env::args_os().nth(1) {
        options.target = target.into();
    }
    match Sandbox::start(options).await {
        Ok(sandbox) => {
            println!("{}", sandbox.directory().display());
            std::future::pending::<ExitCode>().await
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
