//! What the process answers to the one who started it.

use crate::output::note;
use owo_colors::OwoColorize;
use std::{io, process::ExitCode};

/// The exit codes, for every command's help.
pub(crate) const HELP: &str = "Exit status: 0 fine, 1 findings or refused, 2 wrong usage or failure, 130 interrupted.";

/// How a command ended that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to complain about.
    Fine,
    /// There are findings, or what was asked was refused.
    Findings,
    /// A part failed; it was reported where it occurred.
    Failed,
    /// Ctrl-C.
    #[cfg(feature = "demo")]
    Interrupted,
}

/// The exit code of a command; an error is reported here. A reader that has seen enough (`warden check ... | head`) is none.
pub(crate) fn code(done: anyhow::Result<Exit>) -> ExitCode {
    match done {
        Ok(Exit::Fine) => ExitCode::SUCCESS,
        Ok(Exit::Findings) => ExitCode::from(1),
        Ok(Exit::Failed) => ExitCode::from(2),
        // As a shell says it of a process that SIGINT ended.
        #[cfg(feature = "demo")]
        Ok(Exit::Interrupted) => ExitCode::from(130),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("{} {error:#}", "error:".red().bold()));
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
