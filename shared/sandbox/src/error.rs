//! What can go wrong with a sandbox.

use std::{io, path::PathBuf, time::Duration};
use warden_build::BuildError;

/// What can go wrong with a sandbox, and what the reader can do about it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// What the sandbox needs could not be built or installed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The server process ended or did not answer in time.
    #[error("the local account did not start: {problem}\n{log}")]
    Start {
        /// What was seen.
        problem: String,
        /// The end of the server's log.
        log: String,
    },
    /// A request of the sandbox's own to the local account failed.
    #[error("the local account refused {what}: {detail}")]
    Account {
        /// The request that was refused.
        what: String,
        /// What the account answered.
        detail: String,
    },
    /// A function on a managed runtime did not start, or ended.
    #[error("the function {function} does not run: {problem}\n{log}")]
    FunctionStart {
        /// The function's name.
        function: String,
        /// What was seen.
        problem: String,
        /// All that it wrote to its log.
        log: String,
    },
    /// The stack did not come up.
    #[error("the stack {stack} failed ({status}):\n{events}")]
    Deploy {
        /// The stack's name.
        stack: String,
        /// Its last status, or the error of the call.
        status: String,
        /// The events of the resources that failed, one a line.
        events: String,
    },
    /// Deliveries were still under way when the time was up.
    #[error("not settled after {after:?}; still under way: {}", under_way.join(", "))]
    NotSettled {
        /// How long was waited.
        after: Duration,
        /// What is under way, each as event, rule and target.
        under_way: Vec<String>,
    },
    /// A file or a process of the sandbox.
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SandboxError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
