//! `warden`: the command line of Lambda Warden.
//!
//! One file per command; what all of them share (how a list is shown, what the process answers) is in [`output`] and
//! [`exit`]. A command that needs no account starts no runtime and reads no AWS configuration.

mod check;
mod completions;
mod exit;
mod explain;
mod output;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Guards AWS Lambda functions: puts risky changes right, and writes down what it did.
#[derive(Parser)]
#[command(name = "warden", version, max_term_width = 120, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Explain(explain::Explain),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Completions(command) => command.run::<Cli>(),
    };
    exit::code(done)
}
