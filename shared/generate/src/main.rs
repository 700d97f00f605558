//! Writes what is generated: see [`warden_generate`].

use anyhow::Context;
use std::{fs, process::ExitCode};
use warden_generate::{FILES, root};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    for (path, text) in FILES {
        let (path, text) = (root().join(path), text()?);
        if fs::read_to_string(&path).is_ok_and(|present| present == text) {
            continue;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("{} is new", path.display());
    }
    Ok(())
}
