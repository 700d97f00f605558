//! The ledger's records and the hash chain that each resource's records form.

use crate::{
    model::{
        cloudtrail::Cause,
        content::Diff,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::{NameError, as_text, fingerprint::Fingerprint},
    plan::Change,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use strum::{Display, EnumString, IntoStaticStr};
use ulid::Ulid;
use warden_finding::{Finding, Severity};
use warden_policy::AccountId;

/// A record's id: a ULID. Within one resource the ids rise in the order of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Ulid);

impl RecordId {
    /// A fresh id after `last`, for the time `now`; `entropy` makes it unique.
    pub(super) fn after(last: Option<RecordId>, now: Timestamp, entropy: u128) -> RecordId {
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let fresh = Ulid::from_parts(milliseconds, entropy);
        match last {
            // Another machine's clock may be ahead: the order of ids is the order of the chain all the same.
            Some(RecordId(last)) if fresh <= last => RecordId(last.increment().unwrap_or(fresh)),
            Some(_) | None => RecordId(fresh),
        }
    }
}

impl RecordId {
    /// The time in the id, to the millisecond; a record's own time unless its machine's clock was behind another's.
    pub fn time(self) -> Timestamp {
        i64::try_from(self.0.timestamp_ms())
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecordId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Ulid::from_string(text).map(RecordId).map_err(|_| NameError::new(text, "a record's id (26 letters and digits)"))
    }
}

as_text!(RecordId);

/// What a record says was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", parse_err_ty = NameError, parse_err_fn = no_step)]
pub enum Step {
    /// A finding was seen, and nothing was to be done about it.
    Observed,
    /// A finding was not acted on, for the reason given.
    Withheld,
    /// Intent: about to change something.
    Planned,
    /// The planned changes were made.
    Applied,
    /// The planned changes were not made, or not all of them.
    Failed,
    /// A remediation was taken back.
    Undone,
    /// An operator gave a variable another value, in the secret that Warden keeps for it.
    Rotated,
    /// Content with findings is left as it is, until a time or until it changes.
    Accepted,
    /// An acceptance was taken back.
    Withdrawn,
    /// A resource was opted in, or to a higher mode.
    OptedIn,
    /// A resource was opted out, or to a lower mode.
    OptedOut,
    /// The guards were paused.
    Paused,
    /// The pause was ended.
    Resumed,
}

impl Step {
    /// The word in records and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_step(text: &str) -> NameError {
    NameError::new(
        text,
        "a step: observed, withheld, planned, applied, failed, undone, rotated, accepted, withdrawn, opted-in, \
         opted-out, paused or resumed",
    )
}

/// Why a plan that was right was not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// The finding was there before the resource was opted in; `warden apply` acts on it.
    PreExisting,
    /// An event says that it is new, and CloudTrail does not bear that out: it was there before.
    Unconfirmed,
    /// `warden:exempt` lets it pass until the date.
    Exempt {
        /// The last day, UTC.
        until: Date,
    },
    /// The resource is on the never-touch list.
    NeverTouch,
    /// The guards are paused (`warden pause`).
    Paused,
    /// Too many reverts of this surface: somebody, a pipeline usually, makes the same change again and again.
    Breaker {
        /// How often it was reverted within the window.
        reverts: u32,
    },
    /// The account's changes for this hour are used up. It is left until `warden apply`, or until it is looked at when
    /// there is room again.
    Cap {
        /// How many changes are allowed in an hour.
        cap: u32,
    },
    /// There is no change that would be safe.
    NoSafeChange,
    /// The ledger's items are not those that were written, and nothing tells whether this stood before.
    LedgerTampered,
}

impl Reason {
    /// The word in records and on the command line.
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::PreExisting => "pre-existing",
            Reason::Unconfirmed => "unconfirmed",
            Reason::Exempt { .. } => "exempt",
            Reason::NeverTouch => "never-touch",
            Reason::Paused => "paused",
            Reason::Breaker { .. } => "breaker",
            Reason::Cap { .. } => "cap",
            Reason::NoSafeChange => "no-safe-change",
            Reason::LedgerTampered => "ledger-tampered",
        }
    }
}

/// A record before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The guard that wrote it; none for the account's own records.
    pub guard: Option<GuardKind>,
    /// The surface; none where the whole resource is meant.
    pub surface: Option<Surface>,
    /// What was done.
    pub step: Step,
    /// The findings that it is about.
    pub findings: Vec<Finding>,
    /// The worst finding's severity, or a higher one for an alert.
    pub severity: Option<Severity>,
    /// The resource's mode at the time.
    pub mode: Option<Mode>,
    /// The resource's owner, by its tag `warden:owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The key that all records of one remediation have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
    /// For an `undone`, `accepted` or `withdrawn` record: the record that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RecordId>,
    /// For a `withheld` record: why nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What a person should know: advice, errors, what an alert is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The content before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// The calls, each with its undo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// For an outcome: milliseconds from the event's arrival to the last call's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl Draft {
    /// An empty draft for `step`.
    pub fn new(step: Step) -> Draft {
        Draft {
            guard: None,
            surface: None,
            step,
            findings: Vec::new(),
            severity: None,
            mode: None,
            owner: None,
            remediation: None,
            undoes: None,
            reason: None,
            note: None,
            diff: None,
            changes: Vec::new(),
            duration_ms: None,
        }
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format of this document.
    pub schema: u32,
    /// The record's own id.
    pub id: RecordId,
    /// When it was written, UTC.
    pub time: Timestamp,
    /// The account that the resource is in.
    pub account: AccountId,
    /// The resource's Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The resource that the record is about.
    pub resource: Resource,
    /// The event or command that led to it.
    pub cause: Cause,
    /// What happened.
    #[serde(flatten)]
    pub entry: Draft,
    /// The hash of the resource's previous record.
    pub previous: Option<Fingerprint>,
}

impl Record {
    /// The SHA-256 of the record's canonical JSON (RFC 8785), `previous` included.
    ///
    /// # Errors
    /// Never for a record of this type; serde's signature allows for it.
    pub fn hash(&self) -> Result<Fingerprint, serde_json::Error> {
        serde_json::to_value(self).map(|value| Fingerprint::of(&value))
    }

    /// The day under which the account-wide list keeps it, UTC.
    pub fn day(&self) -> Date {
        self.time.to_zoned(TimeZone::UTC).date()
    }
}
