//! Guards and start-up layer as Lambda takes them, and the programs from PyPI that this and the sandbox need.
//!
//! `cargo run -p warden-build` makes the packages that are deployed: [`link_guards`] and [`link_layer`] link for Amazon
//! Linux whatever the machine's own C library is, [`check`] says whether a binary starts there, [`package_guard`] and
//! [`package_layer`] pack it. The same sources give the same bytes in any folder. [`build_guards`] builds for this
//! machine, for the local account.

mod architecture;
mod cargo;
mod elf;
mod environment;
mod error;
mod package;
mod release;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use architecture::Architecture;
pub use cargo::build_guards;
pub use elf::{GlibcVersion, Unfit, check};
pub use environment::{Environment, Finish};
pub use error::BuildError;
pub use package::{package, package_guard, package_layer, package_text};
pub use release::{LAYER, System, guards, link, link_guards, link_layer, linkable};

/// The workspace this crate was built in.
pub fn workspace() -> PathBuf {
    // This crate is in `shared/build`.
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

/// Where a workspace is built: CARGO_TARGET_DIR, or `target` in it.
pub fn target(workspace: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    workspace.join(target)
}
