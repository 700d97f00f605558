//! The start-up layer `secret-env` as Lambda takes it.

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

use warden_reference::WRAPPER;

use crate::{
    SandboxError,
    install::ZIG,
    package::{outside_cargo, zipped},
};
use zip::CompressionMethod;

/// What a function's code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel's and AMD's.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// The Rust target with a C library that every managed runtime has: the oldest run on Amazon Linux 2, whose glibc is 2.26, and the
    /// oldest that Rust supports is 2.17.
    fn target(self) -> (&'static str, &'static str) {
        match self {
            Architecture::X86_64 => ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu.2.17"),
            Architecture::Arm64 => ("aarch64-unknown-linux-gnu", "aarch64-unknown-linux-gnu.2.17"),
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

/// Builds the layer's binary in the release profile for the C library of Amazon Linux 2, with Zig as the linker, and returns where it is.
/// Blocks: a minute the first time, when Zig is installed under `<target>/sandbox` too.
///
/// It has a target directory of its own, so that it does not get in the way of other builds.
///
/// # Errors
/// [`SandboxError::Build`] with what cargo printed: for another architecture than this machine's, `rustup target add` must come first.
pub fn build_layer(
    workspace: &Path,
    target: &Path,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<PathBuf, SandboxError> {
    let zig = ZIG.install(target, progress)?;
    let (triple, with_glibc) = architecture.target();
    let own_target = target.join("secret-env");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(zig.join("bin")).chain(env::split_paths(&path));
    let path = env::join_paths(paths).unwrap_or_else(|_| OsString::from(zig.join("bin")));
    let program = zig.join("bin/cargo-zigbuild");

    progress("compiling secret-env");
    let mut command = Command::new(&program);
    command
        .current_dir(workspace)
        .args(["zigbuild", "--release", "--locked", "--package", "secret-env", "--target", with_glibc, "--target-dir"])
        .arg(&own_target)
        .env("PATH", path)
        // Both would keep their files in the home directory.
        .env("CARGO_ZIGBUILD_CACHE_DIR", own_target.join("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", own_target.join("zig"));
    let built = outside_cargo(&mut command).stdin(Stdio::null()).output();
    let built = built.map_err(SandboxError::io("running", &program))?;
    if !built.status.success() {
        let detail = String::from_utf8_lossy(&built.stderr).trim().to_owned();
        return Err(SandboxError::Build { names: vec!["secret-env".to_owned()], detail });
    }
    Ok(own_target.join(triple).join("release/secret-env"))
}

/// The layer's package: the binary where functions look for it, executable. The same binary gives the same bytes.
///
/// # Errors
/// [`SandboxError::Io`] when the binary cannot be read.
pub fn package_layer(binary: &Path) -> Result<Vec<u8>, SandboxError> {
    let code = fs::read(binary).map_err(SandboxError::io("reading", binary))?;
    let inside = WRAPPER.strip_prefix("/opt/").unwrap_or(WRAPPER);
    zipped(inside, &code, CompressionMethod::Deflated)
}
