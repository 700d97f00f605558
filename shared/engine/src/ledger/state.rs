//! The small mutable items beside a resource's records: what a guard needs to know of the past, so that it never reads
//! all of it.

use crate::{
    ledger::record::RecordId,
    model::{
        cloudtrail::Cause,
        content::{self, Content, FindingKey},
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    plan::{Call, Plan},
    run::delay::Wait,
    secret::{environment::Grant, values::Values},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_finding::{Finding, Severity};

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
    /// Of the account: which pause is the last one, so that one from an earlier time shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Fingerprint>,
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
    /// The opted-in functions that use it: where its own tags do not have it looked at, it is for their sake.
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
    /// Parts of what is there now that an event says are new, each until when CloudTrail may take to say so too. Whatever
    /// sets off a look meanwhile, what has them becomes no baseline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub questioned: BTreeMap<Fingerprint, Timestamp>,
    /// Without a baseline, what the records tell of the surface with what stood on it: enough to see what has become
    /// worse, and too old to be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Content>,
    /// What the surface held when its resource was opted in to `enforce`, where the guard keeps that for good
    /// ([`crate::guard::Guard::keeps_first`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Content>,
    /// The baselines before this one, the last first, where the guard keeps them
    /// ([`crate::guard::Guard::keeps_earlier`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Content>,
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
    /// The acceptances, on another surface, of what a guard has moved here from there ([`crate::guard::Guard::moved`]).
    /// They stay with that surface, where they may be taken back, so they are not kept here.
    #[serde(skip)]
    pub elsewhere: Vec<Acceptance>,
    /// Findings that were there before the resource was opted in to `enforce`, and when that was written down.
    #[serde(default)]
    pub pre_existing: BTreeMap<FindingKey, Timestamp>,
    /// For an environment: what is known of the values that its variables held.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
    /// For an environment: the roles that were let into the function's secrets, and what the trust policy of each said
    /// then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readers: BTreeMap<String, Fingerprint>,
    /// What `observed` and `withheld` records already say of the present content. Each is written once for a content
    /// and a reason.
    #[serde(default)]
    pub reported: Vec<Fingerprint>,
    /// What AWS did not take, so that something else is done instead for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal>,
    /// What it waits for, and until when: it comes back by the delay queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// What Warden's last revert replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
}

/// Content that a revert replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The fingerprint of the content.
    pub content: Fingerprint,
    /// When it was replaced.
    pub at: Timestamp,
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
    /// What AWS said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
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
    /// How many earlier baselines a surface's state keeps.
    const EARLIER: usize = 8;

    /// Keeps what is in force, and the baseline that the surface had before. What comes back was never left: what came
    /// after it is forgotten.
    pub(crate) fn succeed_baseline(&mut self, content: &Content, passing: BTreeSet<Fingerprint>) {
        if self.baseline.as_ref() != Some(content) && !self.go_back_to(content) {
            let before = self.baseline.take();
            self.earlier.splice(0..0, before);
            // The first of all stays, however often somebody makes others.
            if self.earlier.len() > SurfaceState::EARLIER {
                self.earlier.remove(SurfaceState::EARLIER - 1);
            }
        }
        self.keep(content, passing);
    }

    /// Forgets what came after an earlier baseline; says whether the content is one.
    pub(crate) fn go_back_to(&mut self, content: &Content) -> bool {
        let at = self.earlier.iter().position(|earlier| earlier == content);
        self.earlier.drain(..at.map_or(0, |at| at + 1));
        at.is_some()
    }

    /// Remembers a refusal in the place of an earlier one of the same.
    pub(crate) fn remember_refusal(&mut self, refusal: Refusal) {
        self.refused.retain(|known| (&known.operation, known.plan) != (&refusal.operation, refusal.plan));
        self.refused.push(refusal);
        let surplus = self.refused.len().saturating_sub(Refusal::KEPT);
        self.refused.drain(..surplus);
    }

    /// Notes who was let into the function's secrets by changes that were made.
    pub(crate) fn learn_readers(&mut self, made: &Plan) {
        for change in made.changes() {
            if let Call::UpdateEnvironment(update) = change.call()
                && let Some(Grant { readers, trusts, .. }) = &update.grant
            {
                self.readers.retain(|role, _| readers.contains(role));
                self.readers.extend(trusts.clone());
            }
        }
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

    /// Lets be here what is let be in the state `from` of the surface that a guard has moved `part` from.
    pub(crate) fn inherit(&mut self, from: &SurfaceState, part: &Content) {
        let there = part.fragments();
        if self.baseline.as_ref() != Some(part) {
            self.keep(part, from.lapsed.intersection(&there).copied().collect());
        }
        for (key, written) in from.pre_existing.iter().filter(|(key, _)| there.contains(&key.fragment)) {
            self.pre_existing.entry(*key).or_insert(*written);
        }
        let is_here = |acceptance: &&Acceptance| acceptance.findings.iter().any(|key| there.contains(&key.fragment));
        self.elsewhere = from.acceptances.iter().filter(is_here).cloned().collect();
    }

    /// The acceptance that covers a finding, whose place in the content `key` is, with the same `behind` it.
    pub fn acceptance(&self, finding: &Finding, key: &FindingKey, behind: Option<Fingerprint>) -> Option<&Acceptance> {
        self.acceptances.iter().chain(&self.elsewhere).find(|acceptance| acceptance.covers(finding, key, behind))
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
        self.questioned.retain(|fragment, _| there.contains(fragment));
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

/// A decision of an operator to leave findings as they are: what was seen of them, and no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The very statements or settings that are left as they are.
    pub findings: BTreeSet<FindingKey>,
    /// The worst that was seen of them. Whatever makes them worse is new.
    pub severity: Severity,
    /// What stood behind a content that only names it ([`crate::guard::Guard::behind`]). Something else is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Fingerprint>,
    /// Until when they are left; none is until they change.
    pub until: Option<Timestamp>,
    /// The operator who decided it.
    pub by: String,
    /// The reason that the operator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Proof that the decision came through the operator role: see [`crate::run::proof`].
    pub proof: String,
}

impl Acceptance {
    /// Whether it covers a finding, whose place in the content `key` is: the same statement or setting, no worse than
    /// it was seen, with the same `behind` it. Which rule it breaks can depend on a setting elsewhere, such as a URL's.
    pub fn covers(&self, finding: &Finding, key: &FindingKey, behind: Option<Fingerprint>) -> bool {
        self.findings.iter().any(|accepted| accepted.fragment == key.fragment)
            && finding.severity <= self.severity
            && (self.behind.is_none() || self.behind == behind)
    }

    /// For how long it is in force, in words.
    pub fn how_long(&self) -> String {
        match self.until {
            Some(until) => format!("until {until} or until it changes"),
            None => "until it changes".into(),
        }
    }

    /// Whether it is in force.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
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

impl Pause {
    /// What the account's head knows it by.
    pub fn fingerprint(&self) -> Fingerprint {
        let Pause { until, by, reason, proof } = self;
        Fingerprint::of(&json!({"until": until, "by": by, "reason": reason, "proof": proof}))
    }
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
    /// The same, of each resource and of each actor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<Share, HourlyChanges>,
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

    /// Forgets what AWS had not taken so long ago that it counts no more.
    pub fn forget_past_refusals(&mut self, now: Timestamp) {
        for state in self.surfaces.values_mut() {
            state.refused.retain(|refusal| refusal.counts(now));
        }
    }

    /// Whether the guards are paused at `now`.
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }
}

/// Who shares in the account's cap: a resource, or an actor. It is known by a hash, so that nobody chooses the names that
/// are counted by, nor how long they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share(String);

impl Share {
    /// The length of its text.
    pub const LENGTH: usize = 32;

    /// A resource's share.
    pub fn of_resource(resource: &Resource) -> Share {
        Share::of(&json!(["resource", resource.to_string()]))
    }

    /// The share of whoever made the change, by the unique id, which no caller chooses; by the name where there is no id,
    /// as for an AWS service. All whom no event names have one together.
    pub fn of_actor(cause: &Cause) -> Share {
        Share::of(&json!(["actor", cause.principal_id.as_ref().or(cause.actor.as_ref())]))
    }

    fn of(what: &Value) -> Share {
        Share(Fingerprint::of(what).to_string().chars().take(Share::LENGTH).collect())
    }

    /// Reads its text.
    pub fn read(text: &str) -> Option<Share> {
        let is_hash = text.len() == Share::LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Share(text.to_owned()))
    }

    /// Its text: hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a commit counts against the account's cap, in this clock hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many surfaces.
    pub changes: u32,
    /// The account's cap.
    pub cap: u32,
    /// Whose shares they come out of, and the cap of each.
    pub shares: BTreeMap<Share, u32>,
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

    /// When there is room under `cap` again, if nothing else is counted meanwhile: a time after `now`.
    pub fn room_at(self, cap: u32, now: Timestamp) -> Timestamp {
        let hour = now.as_second() - now.as_second().rem_euclid(3600);
        // In the next hour this one is the one before.
        let (hour, this, previous) =
            if self.this < cap { (hour, self.this, self.previous) } else { (hour.saturating_add(3600), 0, self.this) };
        let free = u64::from(cap.saturating_sub(this)) * 3600 / u64::from(previous.max(1));
        let into = i64::try_from(3600_u64.saturating_sub(free.min(3600))).unwrap_or(3600).saturating_add(1);
        let room = Timestamp::from_second(hour.saturating_add(into)).unwrap_or(Timestamp::MAX);
        room.max(now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_chooses_gives_no_share_of_its_own() {
        let of = |id: Option<&str>, actor: Option<&str>, session: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let (principal_id, actor, session_name) = (text(id), text(actor), text(session));
            Share::of_actor(&Cause { principal_id, actor, session_name, ..Cause::by_hand("a call") })
        };
        let deploy = |session| of(Some("AROA1"), Some("arn:aws:iam::111122223333:role/deploy"), Some(session));
        assert_eq!(deploy("ci"), deploy("ci-2"));
        assert_ne!(deploy("ci"), of(Some("AROA2"), Some("arn:aws:iam::111122223333:role/deploy"), Some("ci")));
        let service = of(None, Some("cloudformation.amazonaws.com"), None);
        assert_ne!(service, of(None, None, None));
        assert_eq!(Share::read(service.as_str()), Some(service));
        assert_eq!(Share::read("changes"), None);
    }

    #[test]
    fn there_is_room_when_the_sixty_minutes_reach_over_less() {
        #[track_caller]
        fn check(time: &str, (this, previous): (u32, u32), expected: &str) {
            let changes = HourlyChanges { this, previous };
            let now: Timestamp = time.parse().unwrap();
            let room = changes.room_at(20, now);
            assert_eq!(room, expected.parse().unwrap());
            let into_next = room.as_second() / 3600 > now.as_second() / 3600;
            let then = if into_next { HourlyChanges { this: 0, previous: this } } else { changes };
            assert!(then.in_last_hour(room) < 20, "{then:?}");
        }
        check("2026-11-21T10:10:00Z", (20, 0), "2026-11-21T11:00:01Z");
        check("2026-11-21T10:10:00Z", (40, 0), "2026-11-21T11:30:01Z");
        check("2026-11-21T10:10:00Z", (10, 20), "2026-11-21T10:30:01Z");
        check("2026-11-21T10:40:00Z", (10, 20), "2026-11-21T10:40:01Z");
    }

    #[test]
    fn the_first_of_all_earlier_baselines_stays_and_what_came_after_one_that_comes_back_is_forgotten() {
        let content = |number: usize| Content::new(number.into());
        let mut state = SurfaceState::default();
        for number in 0..20 {
            state.succeed_baseline(&content(number), BTreeSet::new());
            state.succeed_baseline(&content(number), BTreeSet::new());
        }
        let kept: Vec<Content> = [18, 17, 16, 15, 14, 13, 12, 0].map(content).into();
        assert_eq!((state.baseline.clone(), &state.earlier), (Some(content(19)), &kept));
        state.succeed_baseline(&content(12), BTreeSet::new());
        assert_eq!((state.baseline.clone(), &state.earlier), (Some(content(12)), &vec![content(0)]));
        state.succeed_baseline(&content(0), BTreeSet::new());
        assert_eq!((state.baseline, state.earlier), (Some(content(0)), vec![]));
    }

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
