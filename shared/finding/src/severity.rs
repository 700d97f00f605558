//! How bad a finding is.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

/// How bad a finding is, in rising order. The default threshold for acting is [`Severity::High`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Display, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = UnknownSeverity, parse_err_fn = unknown)]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Info,
    /// Reported, never acted on.
    Low,
    /// Reported by default; content with such a finding never becomes a baseline.
    Medium,
    /// Acted on by default.
    High,
    /// Acted on even when the breaker or the account cap holds back the rest.
    Critical,
}

impl Severity {
    /// The word used in tags, records, events and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Not one of `info`, `low`, `medium`, `high`, `critical`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a severity: use info, low, medium, high or critical")]
pub struct UnknownSeverity(pub String);

fn unknown(word: &str) -> UnknownSeverity {
    UnknownSeverity(word.to_owned())
}
