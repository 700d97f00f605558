//! What a guard can say about a resource: the closed list of finding ids, the severities, and the finding itself.
//!
//! Every judge (`warden-policy` and the others) speaks these words, the engine acts on them and the ledger keeps
//! them, so they stand in a crate of their own that depends on nothing but serde.

mod explanation;
mod id;
mod severity;

pub use explanation::Explanation;
pub use id::{ExemptedBy, FindingId, UnknownFindingId};
pub use severity::{Severity, UnknownSeverity};

use serde::{Deserialize, Serialize};

/// A rule that the facts break.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that is broken.
    pub id: FindingId,
    /// The rule's severity, lowered where a condition or a known-good shape truly limits it.
    pub severity: Severity,
    /// The exact place within the surface: `Statement[0]`, `Statement[2].Principal`, `AuthType`, `DB_PASSWORD`.
    pub at: String,
    /// One sentence for a person: what is open, to whom. Redacted: never a secret's value.
    pub message: String,
}

impl Finding {
    /// The index of the statement that it is about, where it is about one.
    pub fn statement(&self) -> Option<usize> {
        self.at.strip_prefix("Statement[")?.split(']').next()?.parse().ok()
    }
}
