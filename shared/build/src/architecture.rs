//! The processors that Lambda has.

use strum::{Display, EnumString};

/// What a function's code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumString)]
#[strum(parse_err_ty = String, parse_err_fn = unknown)]
pub enum Architecture {
    /// Intel's and AMD's.
    #[strum(serialize = "x86_64")]
    X86_64,
    /// Graviton.
    #[strum(serialize = "arm64")]
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

fn unknown(text: &str) -> String {
    format!("Lambda has no architecture {text:?}: say x86_64 or arm64")
}
