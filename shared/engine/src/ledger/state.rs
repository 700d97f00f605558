//! The small mutable items beside a resource's records: what a guard needs to know of the past, so that it never reads
//! all of it.

use crate::{
    ledger::record::RecordId,
    model::{
        content::{self, Content, FindingKey},
        surface::Surface,
        tags::{GuardKind, Mode},
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    plan::Plan,
    secret::values::Values,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warden_finding::Finding;

/// Where a resource's chain of records ends, and what each guard knew of the resource last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The optimistic lock: one more with every commit, and 0 where there is no item yet.
    #[serde(skip)]
    pub version: u64,
    /// Set where the item in the table is not the one that was written.
    #[serde(skip)]
    pub damage: Option<Damage>,
    /// The last record.
    pub last: Option<RecordId>,
    /// The hash of the last record.
    pub hash: Option<Fingerprint>,
    /// How many records there are.
    pub records: u64,
    /// The version of each surface's state, so that one from an earlier time shows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<Surface, u64>,
    /// Whether records were lost: for a guard that knows nothing of the resource, no look is a first one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// How the resource was opted in with each guard when it was last looked at.
    #[serde(default)]
    pub guards: BTreeMap<GuardKind, Enrolment>,
}

/// An item in the ledger's table that is not the one that was written. The next commit writes it anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// The seal that the item shows, which is its optimistic lock now; none where it shows nothing of a seal's length.
    pub seal: Option<String>,
    /// Whether the item is none that Warden knows of: it is written over where there is something to write, and is let be
    /// otherwise.
    pub is_foreign: bool,
}

/// What is known of a resource whose items in the table are not those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tampered {
    /// Whether the sealed records tell all that the damaged items told of what stood. Otherwise what no event names is
    /// left as it is until a person decides.
    pub is_all_known: bool,
}

/// The version of an item after the next commit. Of a damaged item `version` is what the head says of it, never what the
/// item itself shows.
pub fn next_version(version: u64, damage: Option<&Damage>, now: Timestamp) -> u64 {
    match damage {
        None => version.saturating_add(1),
        // Later than any number that the item ever had, so that none of its earlier forms fits the head again.
        Some(Damage { .. }) => u64::try_from(now.as_microsecond()).unwrap_or_default().max(version.saturating_add(1)),
    }
}

/// How a resource was opted in with one guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The mode that it has.
    pub mode: Mode,
    /// Since when it has this mode, by the time of the event that showed it.
    pub since: Timestamp,
    /// Whether the whole resource was looked at since then. If so, a surface without a state was not there, and
    /// whatever it holds later is new.
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
    /// The optimistic lock: one more with every commit, and 0 where there is no item yet, because the surface was never
    /// looked at.
    #[serde(skip)]
    pub version: u64,
    /// Set where the item in the table is not the one that was written: what stands here was built anew from the
    /// records.
    #[serde(skip)]
    pub damage: Option<Damage>,
    /// The content that was in force at the last clear look, at which nothing was found at or above the threshold but what
    /// stood before the opt-in, what was accepted and what was exempt. A revert may restore it.
    #[serde(default, with = "content::known", skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Content>,
    /// Parts of the baseline, or of what is there now, whose findings do not stand: they are let pass for a time, they
    /// have become worse, or they were taken out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lapsed: BTreeSet<Fingerprint>,
    /// Without a baseline, what the records tell of the surface with what stood on it: enough to see what has become
    /// worse, and too old to be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Content>,
    /// What the surface held when its resource was opted in to `enforce`, where the guard keeps that for good
    /// ([`crate::guard::Guard::keeps_first`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Content>,
    /// A remediation or an undo under way.
    pub intent: Option<Intent>,
    /// When this surface was reverted, within the breaker's window.
    #[serde(default)]
    pub reverts: Vec<Timestamp>,
    /// How many remediations there were.
    #[serde(default)]
    pub occurrences: u64,
    /// The findings that somebody decided to leave as they are.
    #[serde(default)]
    pub acceptances: Vec<Acceptance>,
    /// Findings that were there before the resource was opted in to `enforce`, and when that was written down.
    #[serde(default)]
    pub pre_existing: BTreeMap<FindingKey, Timestamp>,
    /// For an environment: what is known of the values that its variables held.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
    /// What `observed` and `withheld` records already say of the present content. Each is written once for a content
    /// and a reason.
    #[serde(default)]
    pub reported: Vec<Fingerprint>,
    /// What AWS did not take, so that something else is done instead for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal>,
}

/// A call that AWS did not take from a guard which has something else to do instead.
///
/// That it is taken again is told nobody: a permission is given back, a Region gets the operation. So a refusal counts
/// for [`Refusal::COUNTS_FOR`], or until the call is made all the same; an operator who says `warden apply` has the
/// guard try again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The operation's name in the API.
    pub operation: String,
    /// The plan, where AWS refuses what it would leave; that is another one once the surface's content is another. None
    /// where the operation is not allowed or not offered, whatever the content is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Fingerprint>,
    /// When AWS refused it.
    pub at: Timestamp,
}

impl Refusal {
    /// For how long a refusal counts: repeated events cost one try in an hour, as the account's cap is for an hour.
    pub const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(1);

    /// How many refusals a surface's state keeps.
    const KEPT: usize = 16;

    /// Whether it still counts.
    pub(crate) fn counts(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < Refusal::COUNTS_FOR
    }

    /// Whether the plan would meet it again.
    pub(crate) fn covers(&self, plan: &Plan) -> bool {
        match self.plan {
            Some(refused) => refused == plan.fingerprint(),
            None => self.is_of(plan),
        }
    }

    /// Whether the plan makes such a call.
    fn is_of(&self, plan: &Plan) -> bool {
        plan.changes().iter().any(|change| change.call().operation() == self.operation)
    }
}

impl SurfaceState {
    /// Remembers a refusal in the place of an earlier one of the same.
    pub(crate) fn remember_refusal(&mut self, refusal: Refusal) {
        self.refused.retain(|known| (&known.operation, known.plan) != (&refusal.operation, refusal.plan));
        self.refused.push(refusal);
        let surplus = self.refused.len().saturating_sub(Refusal::KEPT);
        self.refused.drain(..surplus);
    }

    /// Forgets the refusals of calls that were made after all.
    pub(crate) fn forget_refusals_of(&mut self, made: &Plan) {
        self.refused.retain(|refusal| !refusal.is_of(made));
    }
}

impl SurfaceState {
    /// Keeps what is in force; the findings of `passing` parts of it are let pass for a time.
    pub(crate) fn keep(&mut self, content: &Content, passing: BTreeSet<Fingerprint>) {
        (self.baseline, self.lapsed, self.told) = (Some(content.clone()), passing, None);
    }

    /// What of the baseline is not `there` any more does not stand by having been in force: put back by somebody, it is
    /// new.
    pub(crate) fn let_lapse(&mut self, there: &BTreeSet<Fingerprint>) {
        let gone = self.baseline.iter().flat_map(Content::fragments).filter(|fragment| !there.contains(fragment));
        self.lapsed.extend(gone);
        self.pre_existing.retain(|key, _| there.contains(&key.fragment));
    }

    /// Forgets what was let be and is not there any more, neither now nor in the baseline, which may come back.
    pub(crate) fn forget_what_is_gone(&mut self, content: &Content) {
        let mut there = content.fragments();
        there.extend(self.baseline.iter().flat_map(Content::fragments));
        self.acceptances.retain(|acceptance| acceptance.findings.iter().any(|key| there.contains(&key.fragment)));
        // What was there before the opt-in stands as long as it is there, also while it happens to break no rule.
        self.pre_existing.retain(|key, _| there.contains(&key.fragment));
        self.lapsed.retain(|fragment| there.contains(fragment));
    }

    /// Whether it was built anew in the place of a damaged item, and is to be written.
    pub(crate) fn is_to_be_mended(&self) -> bool {
        self.damage.as_ref().is_some_and(|damage| !damage.is_foreign)
    }
}

/// What an intent is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Purpose {
    /// A guard puts a surface right.
    Remedy,
    /// A person gives a variable another value. Nobody resumes this, since nobody else has the value.
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
    /// What the changes are for.
    pub purpose: Purpose,
    /// The remediation's key: resource, surface, fingerprint of the bad content, occurrence.
    pub remediation: String,
    /// The findings that are put right.
    pub findings: Vec<Finding>,
    /// The changes.
    pub plan: Plan,
    /// Whether something else may be done where AWS does not take them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_otherwise: bool,
    /// The run that wrote the intent works on it until then. Afterwards another run takes it over.
    pub lease: Timestamp,
}

impl Intent {
    /// The findings of the content that an undo restores: what its acceptance names.
    pub(crate) fn restored(&self) -> BTreeSet<FindingKey> {
        self.findings.iter().map(|finding| self.plan.after().finding_key(finding)).collect()
    }
}

/// A decision of an operator to leave findings as they are, until a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The very statements or settings that are left as they are.
    pub findings: BTreeSet<FindingKey>,
    /// Until when they are left.
    pub until: Timestamp,
    /// The operator who decided it.
    pub by: String,
    /// Proof that the decision came through the operator role: see [`crate::run::proof`].
    pub proof: String,
}

impl Acceptance {
    /// Whether it covers the statement or setting of `key`, whichever rule that breaks. Which rule it is can depend on
    /// a setting elsewhere, such as a URL's.
    pub fn covers(&self, key: &FindingKey) -> bool {
        self.findings.iter().any(|accepted| accepted.fragment == key.fragment)
    }
}

/// A pause: while it lasts, no guard changes anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Until when it lasts; none is until `warden resume`.
    pub until: Option<Timestamp>,
    /// The operator who paused the guards.
    pub by: String,
    /// The reason that the operator gave.
    pub reason: Option<String>,
    /// Proof that the decision came through the operator role: see [`crate::run::proof`].
    pub proof: String,
}

/// What is known of one resource and its account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Where the chain ends.
    pub head: Head,
    /// What is known of each surface.
    pub surfaces: BTreeMap<Surface, SurfaceState>,
    /// The last pause, if there ever was one.
    pub pause: Option<Pause>,
    /// Items of the table that nobody of Warden's wrote, and pauses and acceptances that no operator decided; a sentence
    /// each. None of them counts: see [`crate::ledger::rebuild`] and [`crate::run::proof`].
    #[serde(skip)]
    pub forged: Vec<String>,
    /// Set where the resource's own items were damaged.
    #[serde(skip)]
    pub tampered: Option<Tampered>,
    /// The surfaces that the run which asks has counted against the account's cap already: each counts once, whatever
    /// else is done about it in the end.
    #[serde(skip)]
    pub counted: BTreeSet<Surface>,
    /// How many surfaces were put right in this clock hour and in the one before. Those with critical findings do not
    /// count.
    pub changes: HourlyChanges,
}

impl History {
    /// Until when a change of `surface` has to wait for another surface of the resource. A secret's next version is
    /// made from the one that was read, so two changes at once could undo each other.
    pub(crate) fn is_held(&self, surface: &Surface, now: Timestamp) -> Option<Timestamp> {
        let others = self
            .surfaces
            .iter()
            .filter(|(other, _)| *other != surface && surface.is_about_secrets() && other.is_about_secrets());
        let leases = others.filter_map(|(_, state)| Some(state.intent.as_ref()?.lease));
        leases.filter(|lease| *lease > now).max()
    }

    /// Lets everything be tried again that AWS had not taken before `since`: an operator asks for it, who may have
    /// settled what stood in the way.
    pub fn forget_refusals(&mut self, since: Timestamp) {
        for state in self.surfaces.values_mut() {
            state.refused.retain(|refusal| refusal.at >= since);
        }
    }

    /// Whether the guards are paused at `now`.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }
}

/// Surfaces put right, counted by the clock hour, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourlyChanges {
    /// How many in the hour that `now` lies in.
    pub this: u32,
    /// How many in the hour before.
    pub previous: u32,
}

impl HourlyChanges {
    /// About how many changes there were in the last 60 minutes. The previous hour counts in proportion to the part of
    /// it that they cover.
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
