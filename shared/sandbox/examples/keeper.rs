//! Keeps an empty account running until it is killed, and prints its directory: for the test that kills it.

use warden_sandbox::{Options, Sandbox, SandboxError};

#[tokio::main]
async fn main() -> Result<(), SandboxError> {
    let sandbox = Sandbox::start(Options::default()).await?;
    println!("{}", sandbox.directory().display());
    std::future::pending::<()>().await;
    sandbox.stop().await;
    Ok(())
}
