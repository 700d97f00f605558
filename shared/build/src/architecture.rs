//! The processors that Lambda has.

use std::{fmt, str::FromStr};

/// What a function's code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel's and AMD's.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// The Rust target.
    pub const fn target(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Where glibc's dynamic loader is, which starts a program (`shlib-versions` and `sysdeps` of glibc; the ABI of
    /// each architecture fixes the path).
    pub const fn loader(self) -> &'static str {
        match self {
            Architecture::X86_64 => "/lib64/ld-linux-x86-64.so.2",
            Architecture::Arm64 => "/lib/ld-linux-aarch64.so.1",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        })
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "x86_64" => Ok(Architecture::X86_64),
            "arm64" => Ok(Architecture::Arm64),
            other => Err(format!("Lambda has no architecture {other:?}: say x86_64 or arm64")),
        }
    }
}
