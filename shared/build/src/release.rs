//! The guards and the start-up layer as they are deployed: linked for Amazon Linux, whatever this machine runs.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Architecture, BuildError, GlibcVersion,
    cargo::{outside_cargo, run},
    check,
    environment::ZIG,
};

/// The guards, each a package with a binary of its name: the folders of `functions` that say what the stack has for
/// them. In the order of the alphabet.
///
/// # Errors
/// A folder that cannot be read.
pub fn guards(workspace: &Path) -> Result<Vec<String>, BuildError> {
    let folder = workspace.join("functions");
    let mut guards = Vec::new();
    for entry in fs::read_dir(&folder).map_err(BuildError::io("reading", &folder))? {
        let entry = entry.map_err(BuildError::io("reading", &folder))?;
        if entry.path().join("infra.yaml").is_file() {
            guards.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    guards.sort();
    Ok(guards)
}

/// The start-up layer, likewise.
pub const LAYER: &str = "secret-env";

/// What a binary is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Under the oldest managed runtimes: what is in a layer has to start there too.
    AmazonLinux2,
    /// Under provided.al2023, which the guards have.
    AmazonLinux2023,
}

impl System {
    /// The glibc to link for: no newer than what is there. On Amazon Linux 2 that is 2.26, and the oldest that Rust
    /// supports is 2.17 (<https://doc.rust-lang.org/rustc/platform-support.html>).
    const fn glibc(self) -> GlibcVersion {
        match self {
            System::AmazonLinux2 => GlibcVersion(2, 17),
            System::AmazonLinux2023 => GlibcVersion::AMAZON_LINUX_2023,
        }
    }
}

/// What of the environment would change a binary, with every name that goes on with a `_` behind one of these: the same
/// sources are to give the same binary, by the compiler that `rust-toolchain.toml` names.
const CHANGES_A_BINARY: [&str; 16] = [
    "AR",
    "CARGO_BUILD",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE",
    "CARGO_TARGET",
    "CC",
    "CFLAGS",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "RUSTC",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "TARGET",
];

/// The time that programs are told which would write the present one into a file: 1 January 1980, as in the packages.
const TIME: &str = "315532800";

/// Links the guards for Lambda; returns where they are, in the order of [`guards`]. Blocks, for minutes where there is
/// something to compile.
///
/// # Errors
/// As [`link`].
pub fn link_guards(
    workspace: &Path,
    target: &Path,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<Vec<PathBuf>, BuildError> {
    let guards = guards(workspace)?;
    let names: Vec<&str> = guards.iter().map(String::as_str).collect();
    link(workspace, target, &names, System::AmazonLinux2023, architecture, progress)
}

/// Links the start-up layer's binary for every managed runtime; returns where it is. Blocks: a minute the first time.
///
/// # Errors
/// As [`link`].
pub fn link_layer(
    workspace: &Path,
    target: &Path,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<PathBuf, BuildError> {
    // Apart from the guards: together, cargo would give each the features that the other's libraries need.
    let built = link(workspace, target, &[LAYER], System::AmazonLinux2, architecture, progress)?;
    built.into_iter().next().ok_or_else(|| BuildError::Cargo { names: vec![LAYER.to_owned()], detail: String::new() })
}

/// Builds the binaries of packages in the release profile, with Zig as the linker, and checks each; returns where they
/// are, in the order of the packages. Zig is installed under `target` the first time.
///
/// The same sources give the same bytes, in whatever folder they are: no path of this machine gets into a binary, and
/// nothing of the environment that would change it reaches the compilers. What is built lies under `target/lambda`,
/// apart from other builds.
///
/// # Errors
/// What is missing, what cargo printed, or why a binary would not start where it is deployed.
pub fn link(
    workspace: &Path,
    target: &Path,
    packages: &[&str],
    system: System,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<Vec<PathBuf>, BuildError> {
    linkable(workspace, architecture)?;
    // As the compilers are told, so that they see what is to be named anew.
    let (workspace, target) = (&absolute(workspace)?, &absolute(target)?);
    let zig = ZIG.install(target, progress)?;
    let glibc = system.glibc();
    let own_target = target.join("lambda").join(format!("glibc-{glibc}"));
    progress("fetching the sources of the libraries");
    fetch(workspace, packages, architecture)?;

    let mut command = pinned(&zig.join("bin/cargo-zigbuild"), workspace);
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(zig.join("bin")).chain(env::split_paths(&path));
    command
        .args(["zigbuild", "--release", "--locked", "--bins"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .args(["--target", &format!("{}.{glibc}", architecture.target())])
        .arg("--target-dir")
        .arg(&own_target)
        .env("PATH", env::join_paths(paths).unwrap_or_else(|_| OsString::from(zig.join("bin"))))
        // Both would keep their files in the home directory.
        .env("CARGO_ZIGBUILD_CACHE_DIR", own_target.join("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", own_target.join("zig"))
        .env("CARGO_ENCODED_RUSTFLAGS", remaps(workspace, &own_target)?.join(OsStr::new("\u{1f}")))
        .env("SOURCE_DATE_EPOCH", TIME);
    let binaries = run(&mut command, packages, progress)?;
    for (name, binary) in packages.iter().zip(&binaries) {
        let bytes = fs::read(binary).map_err(BuildError::io("reading", binary))?;
        check(&bytes, architecture, glibc).map_err(|why| BuildError::Unfit { name: (*name).to_owned(), why })?;
    }
    Ok(binaries)
}

/// Whether this machine can link for that architecture.
///
/// # Errors
/// What to install, or where to build instead.
pub fn linkable(workspace: &Path, architecture: Architecture) -> Result<(), BuildError> {
    if cfg!(not(unix)) {
        return Err(BuildError::System);
    }
    let target = architecture.target();
    let libraries = rustc(workspace, &["--print", "target-libdir", "--target", target])?;
    let found = fs::read_dir(libraries).is_ok_and(|files| {
        files.filter_map(Result::ok).any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
    });
    if found { Ok(()) } else { Err(BuildError::NoTarget { target }) }
}

/// A command in the workspace whose outcome hangs on nothing of this machine's environment but what is installed.
fn pinned(program: &Path, workspace: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(changes_a_binary) {
            command.env_remove(name);
        }
    }
    // The cargo that runs this may be another one than the workspace asks for.
    outside_cargo(&mut command).env_remove("CARGO").current_dir(workspace);
    command
}

fn changes_a_binary(variable: &str) -> bool {
    CHANGES_A_BINARY
        .iter()
        .filter_map(|which| variable.strip_prefix(which))
        .any(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Where cargo keeps the sources is known once they are there.
fn fetch(workspace: &Path, packages: &[&str], architecture: Architecture) -> Result<(), BuildError> {
    let mut command = pinned(Path::new("cargo"), workspace);
    command.args(["fetch", "--locked", "--target", architecture.target()]);
    let fetched = command.stdin(Stdio::null()).output();
    let fetched = fetched.map_err(BuildError::io("running", "cargo"))?;
    if fetched.status.success() {
        return Ok(());
    }
    let detail = String::from_utf8_lossy(&fetched.stderr).trim().to_owned();
    Err(BuildError::Cargo { names: packages.iter().map(|name| (*name).to_owned()).collect(), detail })
}

/// Flags that give the places of sources on this machine names that are the same on every other.
fn remaps(workspace: &Path, target: &Path) -> Result<Vec<OsString>, BuildError> {
    let sources = rustc(workspace, &["--print", "sysroot"])?.join("lib/rustlib/src/rust");
    let version = rustc(workspace, &["--version", "--verbose"])?;
    let version = version.to_string_lossy();
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or_default();
    // Of several that fit, rustc takes the last.
    let mut places =
        vec![(absolute(workspace)?, "/warden".to_owned()), (absolute(target)?, "/warden/target".to_owned())];
    let registries = cargo_home().join("registry/src");
    // The folder of each registry is named after where the registry is.
    let registries = fs::read_dir(registries).into_iter().flatten().filter_map(Result::ok);
    places.extend(registries.map(|registry| (registry.path(), "/cargo".to_owned())));
    // The standard library's own name for itself, where its sources are installed.
    places.push((sources, format!("/rustc/{commit}")));
    Ok(places
        .into_iter()
        .map(|(from, to)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(from);
            flag.push("=");
            flag.push(to);
            flag
        })
        .collect())
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    fs::create_dir_all(path).map_err(BuildError::io("creating", path))?;
    path.canonicalize().map_err(BuildError::io("looking for", path))
}

/// Where cargo keeps its files (<https://doc.rust-lang.org/cargo/guide/cargo-home.html>).
fn cargo_home() -> PathBuf {
    let home = || env::home_dir().unwrap_or_default().join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// What the compiler says that the workspace is built with.
fn rustc(workspace: &Path, arguments: &[&str]) -> Result<PathBuf, BuildError> {
    let said = pinned(Path::new("rustc"), workspace).args(arguments).stdin(Stdio::null()).output();
    let said = said.map_err(BuildError::io("running", "rustc"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_binary_does_not_reach_the_compilers() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CC",
            "CC_x86_64-unknown-linux-gnu",
            "CFLAGS_x86_64_unknown_linux_gnu",
            "RUSTC_WRAPPER",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(changes_a_binary(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_HOME", "CARGO_HTTP_PROXY", "CCACHE_DIR", "RUSTUP_HOME", "ARCH", "TMPDIR"] {
            assert!(!changes_a_binary(name), "{name}");
        }
    }
}
