//! What can go wrong with a build.

use crate::Unfit;
use std::{io, path::PathBuf};

/// What can go wrong with a build, and what the reader can do about it.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No `python3` on the PATH.
    #[error(
        "Python 3.10 or later is needed, and there is no `python3` on the PATH: install it (Debian: apt install \
         python3 python3-venv; macOS: brew install python)"
    )]
    NoPython,
    /// A Python that is too old.
    #[error(
        "Python 3.10 or later is needed, and `python3` is {found}: install a later one and put it first on the PATH"
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
        "{what} could not be installed from PyPI: check the network, or PIP_INDEX_URL for a mirror, and run \
         again\n{detail}"
    )]
    Install {
        /// What could not be installed.
        what: &'static str,
        /// The last lines pip printed.
        detail: String,
    },
    /// Something that comes as sources could not be compiled.
    #[error("{what} could not be compiled: it needs a C++ compiler and make (Debian: apt install g++ make)\n{detail}")]
    Compile {
        /// What could not be compiled.
        what: &'static str,
        /// The last lines that were printed.
        detail: String,
    },
    /// Cargo failed.
    #[error("{} could not be built:\n{detail}", names.join(", "))]
    Cargo {
        /// The binaries asked for.
        names: Vec<String>,
        /// What cargo printed.
        detail: String,
    },
    /// The system that this runs on cannot link for Lambda.
    #[error(
        "packages for Lambda are built on Linux, or on macOS, where nobody here has tried it; on Windows, build them \
         in the Windows Subsystem for Linux"
    )]
    System,
    /// Rust's standard library for the target is not there.
    #[error("Rust's standard library for {target} is not installed: run `rustup target add {target}` in this folder")]
    NoTarget {
        /// The target that rustup lacks.
        target: &'static str,
    },
    /// What was built would not start, or cannot be deployed.
    #[error("{name} must not be deployed: {why}")]
    Unfit {
        /// The binary that would not start.
        name: String,
        /// What is wrong with it.
        why: Unfit,
    },
    /// A package that is larger than it may be.
    #[error(
        "{name} has {bytes} bytes, and may have {most}: a guard's start is paid by the byte. See what has come into \
         its dependencies"
    )]
    Large {
        /// The package that is too large.
        name: String,
        /// The package's size, in bytes.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
    /// A file or a process.
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

impl BuildError {
    /// An error of the system's, for `map_err`: what was being done, and to which file.
    pub fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
