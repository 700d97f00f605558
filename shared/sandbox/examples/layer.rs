//! Builds the start-up layer as it is deployed and writes its package:
//!
//!     cargo run --example layer -- secret-env.zip [x86_64|arm64]

use std::{env, fs, process::ExitCode};

use warden_sandbox::{Architecture, Options, build_layer, package_layer, workspace};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().ok_or("say which file to write: secret-env.zip")?;
    let architecture: Architecture = arguments.next().as_deref().unwrap_or("x86_64").parse()?;
    let say = |step: &str| eprintln!("{step}");
    let binary = build_layer(&workspace(), &Options::default().target, architecture, &say);
    let zip = binary.and_then(|binary| package_layer(&binary)).map_err(|error| error.to_string())?;
    fs::write(&file, &zip).map_err(|error| format!("writing {file}: {error}"))?;
    eprintln!("{file}: {} bytes for {architecture}", zip.len());
    Ok(())
}
