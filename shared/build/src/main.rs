//! Builds what is deployed: see `--help`.

use std::{fmt::Write as _, fs, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use sha2::{Digest, Sha256};
use warden_build::{
    Architecture, BuildError, LAYER, guards, link_guards, link_layer, linkable, package_guard, package_layer, target,
    workspace,
};

/// The largest package, in bytes.
const LARGEST: usize = 5_000_000;
/// The list of the packages' hashes, as `sha256sum --check` reads it.
const SUMS: &str = "SHA256SUMS";

/// Build the packages that Warden's stack is deployed from: the guards and the start-up layer
///
/// Links for Amazon Linux with Zig, which is installed under `target` from PyPI, whatever this machine's own C library
/// is, and checks that each binary will start. The same sources give the same bytes in any folder. Needs Rust, a C
/// compiler, and Python 3.10 or later with venv; runs on Linux. Nobody here has tried it on macOS; on Windows it runs
/// in the Windows Subsystem for Linux alone.
#[derive(Parser)]
#[command(name = "warden-build", version, max_term_width = 120)]
struct Arguments {
    /// Where the packages are put [default: packages, in the target directory]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,

    /// What the functions run on: x86_64, or arm64, which nobody here has tried [the stack's parameter Architecture]
    #[arg(long, value_name = "ARCHITECTURE", default_value_t = Architecture::X86_64)]
    architecture: Architecture,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), BuildError> {
    let (workspace, architecture) = (workspace(), arguments.architecture);
    let target = target(&workspace);
    let folder = arguments.folder.clone().unwrap_or_else(|| target.join("packages"));
    linkable(&workspace, architecture)?;
    fs::create_dir_all(&folder).map_err(BuildError::io("creating", &folder))?;
    // What an earlier build left is not to be taken for this one's where this one fails.
    let names = guards(&workspace)?;
    for name in names.iter().map(String::as_str).chain([LAYER]).map(file).chain([SUMS.to_owned()]) {
        let path = folder.join(name);
        if path.exists() {
            fs::remove_file(&path).map_err(BuildError::io("removing", &path))?;
        }
    }

    let say = |step: &str| eprintln!("{step}");
    let binaries = link_guards(&workspace, &target, architecture, &say)?;
    let layer = link_layer(&workspace, &target, architecture, &say)?;
    let mut packages = Vec::new();
    for (name, binary) in names.iter().zip(&binaries) {
        packages.push((file(name), package_guard(binary)?));
    }
    packages.push((file(LAYER), package_layer(&layer)?));
    if let Some((name, package)) = packages.iter().find(|(_, package)| package.len() > LARGEST) {
        return Err(BuildError::Large { name: name.clone(), bytes: package.len(), most: LARGEST });
    }

    let mut sums = String::new();
    let mut lines = format!("{:<18}{:>12}  SHA-256\n", architecture.to_string(), "bytes");
    for (name, package) in &packages {
        let path = folder.join(name);
        fs::write(&path, package).map_err(BuildError::io("writing", &path))?;
        let sum: String = Sha256::digest(package).iter().map(|byte| format!("{byte:02x}")).collect();
        // A String takes everything.
        let _ = writeln!(sums, "{sum}  {name}");
        let _ = writeln!(lines, "{name:<18}{:>12}  {sum}", package.len());
    }
    let path = folder.join(SUMS);
    fs::write(&path, sums).map_err(BuildError::io("writing", path))?;
    let untried = match architecture {
        Architecture::X86_64 => "",
        Architecture::Arm64 => "Nobody here has run these on Graviton yet.\n",
    };
    let written = writeln!(std::io::stdout(), "{lines}{untried}{}", folder.display());
    written.map_err(BuildError::io("writing to", "the standard output"))
}

/// The package's file, as the stack's template names it.
fn file(name: &str) -> String {
    format!("{name}.zip")
}
