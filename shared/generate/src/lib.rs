//! What is generated from the guards' own words: the stack's template, and two documents.
//!
//! | file | comes from |
//! |---|---|
//! | `infra/warden.yaml` | `infra/warden.yaml.j2`, and of each guard its `infra.yaml` and its events |
//! | `docs/permissions.md` | the template |
//! | `docs/findings.md` | the findings and their explanations in `warden-finding` |
//!
//! The files are committed, since people read them where they are; a test says when one is not what comes out here.

mod findings;
mod permissions;
mod template;
pub mod yaml;

pub use template::id;

use std::path::{Path, PathBuf};

/// Makes a file's text.
pub type Make = fn() -> anyhow::Result<String>;

/// Every file that is generated, by its path in the repository.
pub const FILES: [(&str, Make); 3] = [
    ("infra/warden.yaml", template::text),
    ("docs/permissions.md", permissions::text),
    ("docs/findings.md", findings::text),
];

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
