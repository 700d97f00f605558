//! The tag `warden:exempt`, by which a finding is let pass for some time.

use warden_finding::FindingId;

/// The tag's key. On functions keys are case-sensitive, on roles they are not.
pub(crate) const EXEMPT_TAG: &str = "warden:exempt";

/// One word of the tag: the finding, and the last day on which it is let pass (`YYYY-MM-DD`), or why it is not.
pub type Word = (FindingId, Result<String, &'static str>);

/// Reads the tag's value on the day of the judgement.
pub type ReadTag<'r> = dyn Fn(&str) -> Vec<Word> + 'r;

/// Whether a role's tag is this one.
pub(crate) fn is_of_role(key: &str) -> bool {
    key.eq_ignore_ascii_case(EXEMPT_TAG)
}
