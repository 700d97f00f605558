//! The small mutable items beside a resource's records: what a guard needs to know of the past, so that it never reads
//! all of it.

use crate::{
    ledger::record::RecordId,
    model::{
        content::{Content, FindingKey},
        surface::Surface,
        tags::{GuardKind, Mode},
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    plan::Plan,
    secret::values::Values,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warden_finding::Finding;

/// Where a resource's chain of records ends, and what each guard knew of the resource last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Optimistic lock: one more with every commit; 0 where there is no item yet.
    #[serde(skip)]
    pub version: u64,
    /// The last record.
    pub last: Option<RecordId>,
    /// Its hash.
    pub hash: Option<Fingerprint>,
    /// How many records there are.
    pub records: u64,
    /// By guard, how the resource was opted in when last looked at.
    #[serde(default)]
    pub guards: BTreeMap<GuardKind, Enrolment>,
}

/// How a resource was opted in with one guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The mode.
    pub mode: Mode,
    /// Since when it has this mode, by the time of the event that showed it.
    pub since: Timestamp,
    /// Whether the whole resource was looked at since then: a surface without a state was not there, so that whatever
    /// it holds later is new.
    #[serde(default)]
    pub surveyed: bool,
    /// The problems in its tags that were reported already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// The forged decisions in the ledger's table that were reported already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forged: Vec<String>,
    /// The surfaces that could not be read, as was reported already.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<Surface>,
    /// The opted-in functions for whose sake it is looked at, where it has no tag of its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub through: BTreeSet<FunctionArn>,
}

/// What is known of one surface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurfaceState {
    /// Optimistic lock: one more with every commit; 0 where there is no item yet, so that the surface was never looked
    /// at.
    #[serde(skip)]
    pub version: u64,
    /// The last content without a finding of medium or above that was seen in force; what a revert restores.
    pub baseline: Option<Content>,
    /// A remediation or an undo under way.
    pub intent: Option<Intent>,
    /// When this surface was reverted, within the breaker's window.
    #[serde(default)]
    pub reverts: Vec<Timestamp>,
    /// How many remediations there were.
    #[serde(default)]
    pub occurrences: u64,
    /// Findings that are let be.
    #[serde(default)]
    pub acceptances: Vec<Acceptance>,
    /// Findings that were there before the resource was opted in to `enforce`, and when that was written down.
    #[serde(default)]
    pub pre_existing: BTreeMap<FindingKey, Timestamp>,
    /// Of an environment: what is known of the values that its variables held.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
    /// What `observed` and `withheld` records say of the content as it is now: each is written once per content and
    /// reason.
    #[serde(default)]
    pub reported: Vec<Fingerprint>,
    /// Plans for the content as it is now that AWS refused, because what they leave would let the public in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Fingerprint>,
}

/// What an intent is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Purpose {
    /// A guard puts a surface right.
    Remedy,
    /// A person gives a variable another value. Nobody else has it, so that nobody resumes it.
    Rotate,
    /// A person takes a remediation back. Only a person resumes it.
    Undo {
        /// The record that is taken back.
        record: RecordId,
    },
}

/// Changes that were announced in the ledger and whose outcome is not there yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What for.
    pub purpose: Purpose,
    /// The remediation's key: resource, surface, fingerprint of the bad content, occurrence.
    pub remediation: String,
    /// The findings that are put right.
    pub findings: Vec<Finding>,
    /// The changes.
    pub plan: Plan,
    /// Until then the run that wrote this works on it; afterwards another takes it over.
    pub lease: Timestamp,
}

impl Intent {
    /// The findings of the content that an undo restores: what its acceptance names.
    pub(crate) fn restored(&self) -> BTreeSet<FindingKey> {
        self.findings.iter().map(|finding| self.plan.after().finding_key(finding)).collect()
    }
}

/// Findings that somebody decided to let be, until a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The very statements or settings that are let be.
    pub findings: BTreeSet<FindingKey>,
    /// Until when.
    pub until: Timestamp,
    /// Who decided it.
    pub by: String,
    /// Proof that the decision came through the operator role: see [`crate::proof`].
    pub proof: String,
}

impl Acceptance {
    /// Whether it lets the statement or setting of `key` be, whichever rule that breaks: which one it is can hang on a
    /// setting elsewhere (a URL's, say).
    pub fn covers(&self, key: &FindingKey) -> bool {
        self.findings.iter().any(|accepted| accepted.fragment == key.fragment)
    }
}

/// The switch that stops everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Until when; none is until `warden resume`.
    pub until: Option<Timestamp>,
    /// Who stopped it.
    pub by: String,
    /// The reason that they gave.
    pub reason: Option<String>,
    /// Proof that the decision came through the operator role: see [`crate::proof`].
    pub proof: String,
}

/// What is known of one resource and its account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Where the chain ends.
    pub head: Head,
    /// What is known of each surface.
    pub surfaces: BTreeMap<Surface, SurfaceState>,
    /// The switch, if it was ever used.
    pub pause: Option<Pause>,
    /// Pauses and acceptances that were struck out because no operator made them, a sentence each: see
    /// [`crate::proof`].
    #[serde(skip)]
    pub forged: Vec<String>,
    /// Plans that AWS refused to the run that asks.
    #[serde(skip)]
    pub refused: Vec<Fingerprint>,
    /// Surfaces put right in this clock hour and the one before, those for critical findings left out.
    pub changes: HourlyChanges,
}

impl History {
    /// Until when another surface of the resource keeps a change of `surface` waiting: a secret's next version is made
    /// from the one that is read, so that two changes at once could take from each other.
    pub(crate) fn is_held(&self, surface: &Surface, now: Timestamp) -> Option<Timestamp> {
        let others = self
            .surfaces
            .iter()
            .filter(|(other, _)| *other != surface && surface.is_about_secrets() && other.is_about_secrets());
        let leases = others.filter_map(|(_, state)| Some(state.intent.as_ref()?.lease));
        leases.filter(|lease| *lease > now).max()
    }

    /// Whether the switch is on.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }
}

/// Surfaces put right, counted by the clock hour, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourlyChanges {
    /// In the hour that `now` lies in.
    pub this: u32,
    /// In the one before.
    pub previous: u32,
}

impl HourlyChanges {
    /// About how many changes the last 60 minutes saw: the part of the previous hour that they reach into counts in
    /// proportion.
    pub fn in_last_hour(self, now: Timestamp) -> u32 {
        let into_hour = now.as_second().rem_euclid(3600);
        let reach = u64::try_from(3600 - into_hour).unwrap_or_default();
        let earlier = u64::from(self.previous) * reach / 3600;
        self.this.saturating_add(u32::try_from(earlier).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_previous_hour_counts_as_far_as_sixty_minutes_reach_into_it() {
        #[track_caller]
        fn check(time: &str, expected: u32) {
            let changes = HourlyChanges { this: 3, previous: 20 };
            assert_eq!(changes.in_last_hour(time.parse().unwrap()), expected);
        }
        check("2026-11-21T10:00:00Z", 23);
        check("2026-11-21T10:30:00Z", 13);
        check("2026-11-21T10:59:59Z", 3);
    }
}
