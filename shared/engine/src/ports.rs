//! What the engine needs from outside. Each port has two implementations: the real one (`warden-aws`) and a strict
//! fake.

use crate::{
    call_error::CallError,
    guard::SurfaceSnapshot,
    ledger::{
        record::Record,
        state::{Counted, Head, History, Pause, SurfaceState},
    },
    model::{
        cloudtrail::ApiCallRecord,
        content::Content,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    plan::{Call, Change, RevisionId},
    run::delay::DelayedLook,
    secret::{environment::KeyedHash, known_secret::Known},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Everything that one commit writes: all of it or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The resource that the commit belongs to.
    pub resource: Resource,
    /// The head as it will be. Its `version` is the one that was read: the commit fails when another came in between.
    pub head: Head,
    /// New records, each with its hash computed by the ledger's writer.
    pub records: Vec<Record>,
    /// The surfaces' states as they will be, each with the version that was read.
    pub surfaces: Vec<(Surface, SurfaceState)>,
    /// What counts against the account's cap.
    pub counted: Option<Counted>,
    /// The pause, where the commit sets one or ends one.
    pub pause: Option<Pause>,
    /// What the account is to know about values from now on. It replaces what was known before.
    pub known: BTreeMap<KeyedHash, Known>,
    /// The time of writing; its hour is the one that changes are counted in.
    pub now: Timestamp,
}

/// Why a commit was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else wrote in between, or the cap was reached. Read again and decide again.
    #[error("another run wrote to the ledger in between")]
    Conflict,
    /// The ledger could not be written.
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// The ledger.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Ledger {
    /// What is known of `resource` and its account at `now`.
    ///
    /// # Errors
    /// The read that failed.
    async fn history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError>;

    /// Writes a commit.
    ///
    /// # Errors
    /// Nothing was written.
    async fn commit(&self, commit: &Commit) -> Result<(), CommitError>;
}

/// The AWS account, for reading one surface again and for changing it.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Account {
    /// Reads one surface afresh; `None` where its resource is gone.
    ///
    /// # Errors
    /// The read that failed.
    async fn snapshot(&self, resource: &Resource, surface: &Surface) -> Result<Option<SurfaceSnapshot>, CallError>;

    /// What stands behind the name in a call that brings something back by its name alone: the document of a managed
    /// policy, or all that a role says ([`Content::of_role`]), which is nothing where that is gone. None where the call
    /// holds all that it writes.
    ///
    /// # Errors
    /// The read that failed.
    async fn behind(&self, call: &Call) -> Result<Option<Content>, CallError>;

    /// The lock for a change to content that was judged. For most APIs it is the lock that was read with the content,
    /// which is `judged`. An API with locks of its own is asked for its lock, and has to show the content that the
    /// change expects.
    ///
    /// # Errors
    /// What AWS answered; [`Stale`](crate::call_error::ErrorKind::Stale) where the content is not what the change
    /// expects.
    async fn lock(&self, change: &Change, judged: Option<&RevisionId>) -> Result<Option<RevisionId>, CallError>;

    /// Makes one call, locked by `revision` where Lambda takes a lock.
    ///
    /// # Errors
    /// What AWS answered.
    async fn call(&self, call: &Call, revision: Option<&RevisionId>) -> Result<(), CallError>;
}

/// Where new records are announced.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait AuditEvents {
    /// Sends each record out as an event.
    ///
    /// # Errors
    /// What AWS answered; the records are in the ledger all the same.
    async fn announce(&self, records: &[Record]) -> Result<(), CallError>;
}

/// Signs operators' decisions and verifies the signatures. The decisions stand in items of the ledger that can be
/// changed; without a signature, anybody who may write to the table could make one.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Attestor {
    /// Makes the proof of `message`.
    ///
    /// # Errors
    /// What AWS answered: refused to everybody but the operator role.
    async fn sign(&self, message: &[u8]) -> Result<String, CallError>;

    /// Whether `proof` is the proof of `message`.
    ///
    /// # Errors
    /// What AWS answered.
    async fn holds(&self, message: &[u8], proof: &str) -> Result<bool, CallError>;
}

/// A guard's own delay queue. Whoever may write to it commands nobody: a message is sealed, as the ledger's items are.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait DelayQueue {
    /// Sends `look` to the guard itself. It comes back after `delay`, or after the longest time that the queue holds a
    /// message back; at least once, and in any order.
    ///
    /// # Errors
    /// What AWS answered.
    async fn look_later(&self, look: &DelayedLook, delay: SignedDuration) -> Result<(), CallError>;

    /// What a message says; none where it was not sealed for this guard.
    ///
    /// # Errors
    /// The key for seals could not be had.
    async fn opened(&self, guard: GuardKind, message: &str) -> Result<Option<DelayedLook>, CallError>;
}

/// CloudTrail's event history of the account: what has happened, as CloudTrail itself says it.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait EventHistory {
    /// CloudTrail's record of the event with this id (`eventID`), which was made in this Region; none where it has no
    /// such record, or not yet.
    ///
    /// # Errors
    /// What AWS answered.
    async fn record(&self, event_id: &str, region: &str) -> Result<Option<ApiCallRecord>, CallError>;
}

/// Time and chance.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Clock {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// Random bits.
    fn entropy(&self) -> u128;

    /// Waits for so long.
    async fn sleep(&self, duration: SignedDuration);
}

/// Everything that the engine needs from outside.
pub trait World: Ledger + Account + AuditEvents + Attestor + DelayQueue + EventHistory + Clock {}

impl<W: Ledger + Account + AuditEvents + Attestor + DelayQueue + EventHistory + Clock> World for W {}
