use std::{io, path::PathBuf, time::Duration};

/// What can go wrong with a sandbox, and what the reader can do about it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No `python3` on the PATH.
    #[error(
        "the sandbox needs Python 3.10 or later, and there is no `python3` on the PATH: install it (Debian: apt install python3 python3-venv; macOS: brew install python)"
    )]
    NoPython,
    /// A Python that MiniStack does not run on.
    #[error(
        "the sandbox needs Python 3.10 or later, and `python3` is {found}: install a later one and put it first on the PATH"
    )]
    OldPython {
        /// What `python3 --version` says.
        found: String,
    },
    /// `python3 -m venv` failed, usually because the distribution keeps `ensurepip` in a package of its own.
    #[error("`python3 -m venv` failed: install Python's venv module (Debian: apt install python3-venv)\n{detail}")]
    NoVenv {
        /// The command's own words.
        detail: String,
    },
    /// pip could not install something.
    #[error(
        "{what} could not be installed from PyPI: check the network, or PIP_INDEX_URL for a mirror, and run again\n{detail}"
    )]
    Install {
        /// What.
        what: &'static str,
        /// The last lines pip printed.
        detail: String,
    },
    /// Something that comes as sources could not be compiled.
    #[error("{what} could not be compiled: it needs a C++ compiler and make (Debian: apt install g++ make)\n{detail}")]
    Compile {
        /// What.
        what: &'static str,
        /// The last lines that were printed.
        detail: String,
    },
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
        /// Which request.
        what: String,
        /// Its answer.
        detail: String,
    },
    /// `cargo build` of the guards failed.
    #[error("the guards {names:?} could not be built:\n{detail}")]
    Build {
        /// The binaries asked for.
        names: Vec<String>,
        /// What cargo printed.
        detail: String,
    },
    /// A function on a managed runtime did not start, or ended.
    #[error("the function {function} does not run: {problem}\n{log}")]
    FunctionStart {
        /// Its name.
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
