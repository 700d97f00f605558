//! What can go wrong with an AWS call, classified once.

/// What the caller of AWS can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Throttled, unreachable, or an error of AWS's own: the same call may succeed later.
    Retry,
    /// The lock is no longer current (412): read and decide again.
    Stale,
    /// Another update is under way (409): wait.
    Busy,
    /// What the call is about is not there (404).
    Gone,
    /// IAM or an SCP does not allow it. A permission or a tag that was given a moment ago may not be known everywhere
    /// yet, so the same call may succeed seconds later; otherwise somebody has to allow it.
    Denied,
    /// The Region does not have the operation. AWS says so now and then of one that it has.
    NotOffered,
    /// A limit, or the state of something, refuses it: somebody has to change that.
    Refused,
    /// AWS takes no policy that lets the public in (`PublicPolicyException`): another change has to do.
    PublicPolicy,
    /// Lambda keeps some of the account's concurrency for functions that reserve none, and the call would take of that:
    /// another change has to do.
    UnreservedConcurrency,
    /// AWS finds the request wrong: a mistake of ours.
    Bug,
}

impl ErrorKind {
    /// Whether AWS refuses the call for good, as far as the caller can tell, and for a reason that is not the content.
    pub const fn is_refusal(self) -> bool {
        matches!(self, ErrorKind::Denied | ErrorKind::NotOffered | ErrorKind::Refused)
    }
}

/// An AWS call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} on {target}: {message}")]
pub struct CallError {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// The operation's name.
    pub operation: &'static str,
    /// What it was called on.
    pub target: String,
    /// AWS's code and message, and what the reader can do.
    pub message: String,
}
