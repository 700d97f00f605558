//! The audit log's records and the hash chain that each resource's records form.

use crate::{
    arn::{NameError, as_text},
    cloudtrail::Cause,
    content::{Content, Fingerprint},
    plan::Change,
    state::Head,
    surface::{Resource, Surface},
    tags::{GuardKind, Mode},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize, de};
use std::{fmt, str::FromStr};
use ulid::Ulid;
use warden_finding::{Finding, Severity};
use warden_policy::AccountId;

/// A record's id: a ULID. Within one resource the ids rise in the order of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Ulid);

impl RecordId {
    /// A fresh id after `last`, for the time `now`; `entropy` makes it unique.
    fn after(last: Option<RecordId>, now: Timestamp, entropy: u128) -> RecordId {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A finding was seen; nothing was to be done.
    Observed,
    /// A finding was to be acted on, and was not, for the reason given.
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
    /// Content with findings is let be until a time.
    Accepted,
    /// A resource came into scope.
    OptedIn,
    /// A resource went out of scope.
    OptedOut,
    /// Everything was stopped by the switch.
    Paused,
    /// The switch was turned back.
    Resumed,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 12] = [
        Step::Observed,
        Step::Withheld,
        Step::Planned,
        Step::Applied,
        Step::Failed,
        Step::Undone,
        Step::Rotated,
        Step::Accepted,
        Step::OptedIn,
        Step::OptedOut,
        Step::Paused,
        Step::Resumed,
    ];

    /// The word in records and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Observed => "observed",
            Step::Withheld => "withheld",
            Step::Planned => "planned",
            Step::Applied => "applied",
            Step::Failed => "failed",
            Step::Undone => "undone",
            Step::Rotated => "rotated",
            Step::Accepted => "accepted",
            Step::OptedIn => "opted-in",
            Step::OptedOut => "opted-out",
            Step::Paused => "paused",
            Step::Resumed => "resumed",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Step {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let found = Step::ALL.into_iter().find(|step| step.as_str() == text);
        found.ok_or_else(|| NameError::new(text, "a step: observed, withheld, planned, applied, failed, undone, rotated, accepted, opted-in, opted-out, paused or resumed"))
    }
}

/// Why a plan that was right was not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// The finding was there before the resource was opted in; `warden apply` acts on it.
    PreExisting,
    /// `warden:exempt` lets it pass until the date.
    Exempt {
        /// The last day, UTC.
        until: Date,
    },
    /// The resource is on the never-touch list.
    NeverTouch,
    /// `warden pause` is on.
    Paused,
    /// Too many reverts of this surface: somebody, a pipeline usually, makes the same change again and again.
    Breaker {
        /// Reverts within the window.
        reverts: u32,
    },
    /// The account's changes for this hour are used up: left until `warden apply`, or a later look when there is room.
    Cap {
        /// Changes allowed in an hour.
        cap: u32,
    },
    /// There is no change that would be safe.
    NoSafeChange,
}

impl Reason {
    /// The word in records and on the command line.
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::PreExisting => "pre-existing",
            Reason::Exempt { .. } => "exempt",
            Reason::NeverTouch => "never-touch",
            Reason::Paused => "paused",
            Reason::Breaker { .. } => "breaker",
            Reason::Cap { .. } => "cap",
            Reason::NoSafeChange => "no-safe-change",
        }
    }
}

/// What a surface held and holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// Content before.
    pub before: Content,
    /// Content after; for a plan, what it will be.
    pub after: Content,
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
    /// What it is about.
    pub findings: Vec<Finding>,
    /// How loud to be: the worst finding's severity, or higher for an alert.
    pub severity: Option<Severity>,
    /// The resource's mode at the time.
    pub mode: Option<Mode>,
    /// `warden:owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What one remediation's records have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
    /// For `undone` and `accepted`: the record that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<RecordId>,
    /// For `withheld`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// For a person: advice, errors, what an alert is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// The calls, each with its undo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// For outcomes: milliseconds from the event's arrival to the last call's answer.
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

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format of this document.
    pub schema: u32,
    /// The record's own id.
    pub id: RecordId,
    /// When it was written, UTC.
    pub time: Timestamp,
    /// The account.
    pub account: AccountId,
    /// The resource's Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What it is about.
    pub resource: Resource,
    /// What set it off.
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

/// Gives drafts their places at the end of a resource's chain; returns the records and the head that follows.
///
/// # Errors
/// As [`Record::hash`].
pub fn seal(
    resource: &Resource,
    cause: &Cause,
    drafts: Vec<Draft>,
    head: &Head,
    now: Timestamp,
    mut entropy: impl FnMut() -> u128,
) -> Result<(Vec<Record>, Head), serde_json::Error> {
    let mut head = head.clone();
    let mut records = Vec::with_capacity(drafts.len());
    for entry in drafts {
        let record = Record {
            schema: 1,
            id: RecordId::after(head.last, now, entropy()),
            time: now,
            account: *resource.account(),
            region: resource.region().map(str::to_owned),
            resource: resource.clone(),
            cause: cause.clone(),
            entry,
            previous: head.hash,
        };
        head.hash = Some(record.hash()?);
        head.last = Some(record.id);
        head.records += 1;
        records.push(record);
    }
    Ok((records, head))
}

/// Where a resource's chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// The record's content is not what was hashed when it was written.
    #[error("record {0} was changed after it was written")]
    Changed(RecordId),
    /// The record does not follow the one before it: one in between is missing or was put in.
    #[error("record {0} does not follow the record before it: one is missing, or it was put in later")]
    Unlinked(RecordId),
    /// The end of the chain is missing.
    #[error("the last records are missing: {}, and {}", found_last(*found), expected_last(*expected))]
    Truncated {
        /// The last record found.
        found: Option<RecordId>,
        /// The last record according to the head.
        expected: Option<RecordId>,
    },
}

fn found_last(found: Option<RecordId>) -> String {
    found.map_or_else(|| "there is none".to_owned(), |id| format!("the chain ends at {id}"))
}

fn expected_last(expected: Option<RecordId>) -> String {
    expected.map_or_else(|| "its head knows of none".to_owned(), |id| format!("its head says that {id} is the last"))
}

/// Checks one resource's records, in the order of their ids, each beside the hash stored with it, against its head.
///
/// # Errors
/// The first place that does not fit.
pub fn verify<'a>(
    records: impl IntoIterator<Item = (&'a Record, Fingerprint)>,
    head: &Head,
) -> Result<(), BrokenChain> {
    let mut previous = None;
    let mut last = None;
    for (record, stored) in records {
        match record.hash() {
            Ok(hash) if hash == stored => {}
            Ok(_) | Err(_) => return Err(BrokenChain::Changed(record.id)),
        }
        if record.previous != previous {
            return Err(BrokenChain::Unlinked(record.id));
        }
        previous = Some(stored);
        last = Some(record.id);
    }
    match last {
        _ if (last, previous) == (head.last, head.hash) => Ok(()),
        // With a hash made to fit.
        Some(id) if last == head.last => Err(BrokenChain::Changed(id)),
        Some(_) | None => Err(BrokenChain::Truncated { found: last, expected: head.last }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: usize) -> (Vec<(Record, Fingerprint)>, Head) {
        let resource: Resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let drafts = vec![Draft::new(Step::Observed); length];
        let (records, head) =
            seal(&resource, &Cause::by_hand("test"), drafts, &Head::default(), Timestamp::UNIX_EPOCH, || 7).unwrap();
        (records.into_iter().map(|record| (record.clone(), record.hash().unwrap())).collect(), head)
    }

    #[track_caller]
    fn check(records: &[(Record, Fingerprint)], head: &Head, expected: Result<(), BrokenChain>) {
        assert_eq!(verify(records.iter().map(|(record, hash)| (record, *hash)), head), expected);
    }

    #[test]
    fn a_chain_as_it_was_written_holds_and_its_ids_rise() {
        let (records, head) = chain(5);
        check(&records, &head, Ok(()));
        assert!(records.windows(2).all(|pair| pair[0].0.id < pair[1].0.id));
        check(&[], &Head::default(), Ok(()));
    }

    #[test]
    fn a_record_that_was_edited_is_named() {
        let (mut records, head) = chain(5);
        records[2].0.entry.note = Some("nothing happened".into());
        let id = records[2].0.id;
        check(&records, &head, Err(BrokenChain::Changed(id)));
        // With its hash made to fit, the next record gives it away.
        records[2].1 = records[2].0.hash().unwrap();
        let next = records[3].0.id;
        check(&records, &head, Err(BrokenChain::Unlinked(next)));

        // The head gives the last one away.
        let (mut records, head) = chain(5);
        records[4].0.entry.note = Some("nothing happened".into());
        records[4].1 = records[4].0.hash().unwrap();
        let id = records[4].0.id;
        check(&records, &head, Err(BrokenChain::Changed(id)));
    }

    #[test]
    fn a_record_that_was_taken_out_is_missed() {
        let (mut records, head) = chain(5);
        records.remove(1);
        let id = records[1].0.id;
        check(&records, &head, Err(BrokenChain::Unlinked(id)));

        let (mut records, head) = chain(5);
        records.pop();
        let (found, expected) = (Some(records[3].0.id), head.last);
        check(&records, &head, Err(BrokenChain::Truncated { found, expected }));
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        #[track_caller]
        fn check(found: Option<RecordId>, expected: Option<RecordId>, words: &str) {
            assert_eq!(BrokenChain::Truncated { found, expected }.to_string(), words);
        }
        let id: RecordId = "01KAJC2A00000000000000000A".parse().unwrap();
        let next: RecordId = "01KAJC2A00000000000000000B".parse().unwrap();
        check(
            Some(id),
            Some(next),
            "the last records are missing: the chain ends at 01KAJC2A00000000000000000A, and its head says that \
             01KAJC2A00000000000000000B is the last",
        );
        check(
            None,
            Some(id),
            "the last records are missing: there is none, and its head says that 01KAJC2A00000000000000000A is the last",
        );
        check(
            Some(id),
            None,
            "the last records are missing: the chain ends at 01KAJC2A00000000000000000A, and its head knows of none",
        );
    }

    #[test]
    fn a_record_is_read_back_from_json_with_the_same_hash() {
        let (records, _) = chain(1);
        let text = serde_json::to_string(&records[0].0).unwrap();
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back.hash().unwrap(), records[0].1);
    }
}
