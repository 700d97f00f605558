//! `warden`: the command line of Lambda Warden.
//!
//! One file per command; what all of them share (how a list is shown, what the process answers) is in [`output`] and
//! [`exit`]. A command that needs no account starts no runtime and reads no AWS configuration.

mod accept;
mod account;
mod apply;
mod audit;
mod check;
mod completions;
mod consent;
#[cfg(feature = "demo")]
mod demo;
mod diff;
mod exempt;
mod exit;
mod explain;
mod opt_in;
mod output;
mod pause;
mod rotate;
mod span;
mod tags;
mod undo;

use anyhow::Context;
use clap::{Parser, Subcommand};
use exit::Exit;
use std::{io, process::ExitCode};
use tracing_subscriber::{Layer, filter, layer::SubscriberExt, util::SubscriberInitExt};

/// Guards AWS Lambda functions: puts risky changes right, and writes down what it did.
#[derive(Parser)]
#[command(name = "warden", version, max_term_width = 120, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    Audit(audit::Audit),
    Undo(undo::Undo),
    Accept(accept::Accept),
    Apply(apply::Apply),
    Rotate(rotate::Rotate),
    Pause(pause::Pause),
    Resume(pause::Resume),
    OptIn(opt_in::OptIn),
    Exempt(exempt::Exempt),
    Check(check::Check),
    Explain(explain::Explain),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        #[cfg(feature = "demo")]
        Command::Demo(command) => command.run(),
        Command::Audit(command) => in_account(command.run()),
        Command::Undo(command) => in_account(command.run()),
        Command::Accept(command) => in_account(command.run()),
        Command::Apply(command) => in_account(command.run()),
        Command::Rotate(command) => in_account(command.run()),
        Command::Pause(command) => in_account(command.run()),
        Command::Resume(command) => in_account(command.run()),
        Command::OptIn(command) => in_account(command.run()),
        Command::Exempt(command) => in_account(command.run()),
        Command::Check(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Completions(command) => command.run::<Cli>(),
    };
    exit::code(done)
}

/// Runs a command that reaches an account. The engine's warnings go to the standard error; the SDK's own log is left
/// out.
fn in_account(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let ours = filter::Targets::new().with_target("warden_engine", tracing::Level::WARN);
    // Where nobody reads them, that is no trouble worth a panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).without_time().with_target(false);
    let lines = lines.log_internal_errors(false);
    // Set already only where a second command runs in the same process, which none does.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(command)
}
