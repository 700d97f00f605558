//! The decision: facts, history, settings and the time in; records, states and changes out. Pure: no I/O, no clock,
//! cannot fail.

mod breaker;
pub mod gone;
pub mod in_force;
pub mod intent;
pub mod outcome;
mod pre_existing;
pub mod report;

use self::{
    breaker::Breaker,
    in_force::{Compared, InForce, inherited, is_let_pass, let_pass},
    intent::{Remediation, intend, resume},
    outcome::{Ending, conclude, learnt},
    pre_existing::PreExisting,
    report::{Once, noted, worst},
};
use crate::{
    guard::{Facts, Guard, Judgement, Otherwise, ReconcileRequest, Remedy, SurfaceSnapshot},
    ledger::{
        record::{Draft, Reason, Step},
        state::{
            Acceptance, Enrolment, Head, History, HourlyChanges, Intent, Purpose, Replaced, Share, SurfaceState,
            Tampered,
        },
    },
    model::{
        content::{Content, Diff},
        settings::{PreExistingPolicy, Settings},
        surface::{Resource, Surface},
        tags::{Mode, OptIn},
    },
    name::fingerprint::Fingerprint,
    plan::Plan,
    run::{
        delay::{Wait, WaitReason},
        lookup::LONGEST_UNANSWERED,
    },
    secret::{environment::KeyedHash, known_secret::Known},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};
use warden_finding::{Finding, Severity};

/// A surface whose content is longer than this, as JSON text, is not changed: its records must fit into the ledger (an
/// item holds 400 KB; a record holds the content up to four times, and a finding for every few dozen bytes of it).
/// Lambda's own limit for a policy is 20 KB.
const LARGEST_CONTENT: usize = 32 * 1024;
/// How many records and states a commit may hold before the next surface waits for another: with what one surface can
/// add, the head and the cap's counter they must fit into one transaction of 100 items.
const ITEMS_PER_COMMIT: usize = 72;
/// How many bytes of JSON a commit may hold before the next surface waits for another: a transaction takes 4 MB.
const BYTES_PER_COMMIT: usize = 1024 * 1024;

/// For so long after a revert IAM may still show what was there before ("changes that I make are not always immediately
/// visible", <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>); no time is given there (? iam-delay).
const UNSEEN_FOR: SignedDuration = SignedDuration::from_secs(15);
/// How long a deployment is waited for at most, however often something is changed meanwhile.
const LONGEST_DEPLOYMENT: SignedDuration = SignedDuration::from_secs(60);
/// When an update that is under way is looked at again: a zip's takes a second or two.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(2);
/// What waits for room under the cap does not come all at once, but within so many seconds.
const SPREAD: u64 = 120;
/// The opt-in is taken to be no longer ago than this where an event alone says when it was: events are delivered within
/// minutes, and one that somebody made up must not have all that was done for months count as done since the opt-in.
const OPT_IN_AGO: SignedDuration = SignedDuration::from_hours(1);
/// A resource was made when an event says so if AWS's own time of it is no further away: both are AWS's.
const CREATED_WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// A lease is over for everybody so long after its end: what the clocks of two environments differ by.
const LEASE_OVER: SignedDuration = SignedDuration::from_secs(1);

/// What is to be written and done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The mode that the resource has.
    pub mode: Mode,
    /// The head with what this guard knows now. The new records are not in its chain yet.
    pub head: Head,
    /// Records to write.
    pub drafts: Vec<Draft>,
    /// States that change.
    pub states: BTreeMap<Surface, SurfaceState>,
    /// Changes to make, in order, once all that is written.
    pub remediations: Vec<Remediation>,
    /// How many of the surfaces that are put right count against the account's cap.
    pub counted: u32,
    /// What the account learns about values.
    pub known: BTreeMap<KeyedHash, Known>,
    /// Whether there is more to write than one commit takes: look again after it.
    pub more: bool,
    /// What waits, and what for: the surface is looked at again then. It stands in the surface's state, too.
    pub waits: BTreeMap<Surface, Wait>,
    /// Whether CloudTrail is to be asked about the event, which alone says that something is new: see
    /// [`crate::run::lookup`].
    pub asks: bool,
}

/// Decides what to do about a resource.
pub fn decide<G: Guard>(
    guard: &G,
    request: &ReconcileRequest,
    facts: &Facts<G::Context>,
    history: &History,
    settings: &Settings,
    now: Timestamp,
) -> Decision {
    let (stored, history) = (history, &*inherited(guard, &request.resource, facts, history));
    let opt_in = facts.scope.opt_in(G::KIND, now.to_zoned(TimeZone::UTC).date());
    let known = history.head.guards.get(&G::KIND);
    let lost = (history.head.lost && known.is_none()).then_some(Tampered { is_all_known: false });
    let mut decider = Decider {
        guard,
        request,
        facts,
        history,
        stored,
        settings,
        now,
        known,
        tampered: history.tampered.or(lost),
        since: now,
        reported: Vec::new(),
        judged: None,
        in_force: None,
        waits: false,
        planned: None,
        bytes: 0,
        template: Draft {
            guard: Some(G::KIND),
            mode: Some(opt_in.mode),
            owner: opt_in.owner.clone(),
            ..Draft::new(Step::Observed)
        },
        decision: Decision {
            mode: opt_in.mode,
            head: history.head.clone(),
            drafts: Vec::new(),
            states: BTreeMap::new(),
            remediations: Vec::new(),
            counted: 0,
            known: BTreeMap::new(),
            more: false,
            waits: BTreeMap::new(),
            asks: false,
        },
        opt_in,
    };
    decider.scope();
    for (surface, snapshot) in &facts.surfaces {
        if decider.is_full() {
            decider.decision.more = true;
            break;
        }
        decider.surface(surface, snapshot);
    }
    decider.survey();
    decider.decision
}

struct Decider<'a, G: Guard> {
    guard: &'a G,
    request: &'a ReconcileRequest,
    facts: &'a Facts<G::Context>,
    history: &'a History,
    /// The same as it stands in the ledger, where what was moved is not let be yet.
    stored: &'a History,
    settings: &'a Settings,
    now: Timestamp,
    opt_in: OptIn,
    /// What this guard knew of the resource.
    known: Option<&'a Enrolment>,
    /// Set where this guard's knowledge of the resource was damaged.
    tampered: Option<Tampered>,
    /// Since when the resource has its mode.
    since: Timestamp,
    /// What was reported of the surface at hand before this look.
    reported: Vec<Fingerprint>,
    /// What is wrong with each surface, once that was asked for.
    judged: Option<BTreeMap<Surface, Judgement>>,
    /// What was last in force, once that was asked for.
    in_force: Option<InForce<G::Context>>,
    /// Whether something of the surface at hand has to go, and not now, though it has no wait of its own.
    waits: bool,
    /// The facts, for judging what they would be after a plan.
    planned: Option<Facts<G::Context>>,
    /// What is to be written so far, as JSON.
    bytes: usize,
    /// What all records of this decision have in common.
    template: Draft,
    decision: Decision,
}

impl<G: Guard> Decider<'_, G> {
    fn resource(&self) -> &Resource {
        &self.request.resource
    }

    /// Records that the resource came into or went out of scope, and tags that cannot be followed.
    fn scope(&mut self) {
        let mode = self.opt_in.mode;
        let was = self.known.map_or(Mode::Off, |known| known.mode);
        let problems_known = self.known.map(|known| known.problems.as_slice()).unwrap_or_default();
        if mode == Mode::Off && self.known.is_none() {
            return;
        }
        let step = match (was, mode) {
            (Mode::Off, Mode::Observe | Mode::Enforce) => Some(Step::OptedIn),
            (Mode::Observe | Mode::Enforce, Mode::Off) => Some(Step::OptedOut),
            (Mode::Observe, Mode::Enforce) => Some(Step::OptedIn),
            (Mode::Enforce, Mode::Observe) => Some(Step::OptedOut),
            (Mode::Off, Mode::Off) | (Mode::Observe, Mode::Observe) | (Mode::Enforce, Mode::Enforce) => None,
        };
        if let Some(step) = step {
            let note = Some(format!("{} guard: {was} to {mode}", G::KIND));
            self.decision.drafts.push(Draft { step, note, ..self.template.clone() });
        }
        if !self.opt_in.problems.is_empty() && self.opt_in.problems != problems_known {
            let note = Some(self.opt_in.problems.join("\n"));
            self.decision.drafts.push(Draft { severity: Some(Severity::Low), note, ..self.template.clone() });
        }
        let forged = &self.history.forged;
        if !forged.is_empty() && self.known.is_none_or(|known| known.forged != *forged) {
            let note = Some(forged.join("\n"));
            self.decision.drafts.push(Draft { severity: Some(Severity::Critical), note, ..self.template.clone() });
        }
        let (since, surveyed) = match self.known {
            Some(known) if known.mode == mode => (known.since, known.surveyed),
            Some(_) | None => (self.happened().max(self.long_ago()), self.tampered.is_some()),
        };
        self.since = since;
        let (problems, forged) = (self.opt_in.problems.clone(), forged.clone());
        let unread = self.unread();
        let through = self.guard.functions(self.facts);
        self.decision
            .head
            .guards
            .insert(G::KIND, Enrolment { mode, since, surveyed, problems, forged, unread, through });
    }

    /// Reports the surfaces that could not be read, each once until it was read again. Whoever keeps a guard from
    /// looking may have something to hide, so that somebody is alerted.
    fn unread(&mut self) -> BTreeSet<Surface> {
        if self.opt_in.mode == Mode::Off {
            return BTreeSet::new();
        }
        let mut unread = self.known.map(|known| known.unread.clone()).unwrap_or_default();
        unread.retain(|surface| self.request.surfaces.is_some() && !self.facts.surfaces.contains_key(surface));
        for (surface, why) in self.guard.unread(self.facts) {
            let news = self.known.is_none_or(|known| !known.unread.contains(&surface));
            if news {
                let note = Some(format!("could not be read, so it is neither judged nor changed: {why}"));
                let (surface, severity) = (Some(surface.clone()), Some(Severity::Critical));
                self.decision.drafts.push(Draft { surface, severity, note, ..self.template.clone() });
            }
            unread.insert(surface);
        }
        unread
    }

    /// When the event happened. An event from the future is one that somebody made up.
    fn happened(&self) -> Timestamp {
        self.request.cause.time.unwrap_or(self.now).min(self.now)
    }

    /// The longest ago that an opt-in is taken to be.
    fn long_ago(&self) -> Timestamp {
        self.now.saturating_sub(OPT_IN_AGO).unwrap_or(Timestamp::MIN)
    }

    /// Whether the event reports the resource's creation, which AWS itself says to have been then and not long ago, or
    /// gives it to something.
    fn is_created(&self) -> bool {
        let created = self.guard.created(self.facts).filter(|created| *created >= self.long_ago());
        let is_then = |created: Timestamp| created.duration_since(self.happened()).abs() < CREATED_WITHIN;
        self.request.is_given || self.request.created() && created.is_some_and(is_then)
    }

    /// Remembers that the whole resource has been looked at.
    fn survey(&mut self) {
        if self.request.surfaces.is_none()
            && !self.decision.more
            && self.guard.unread(self.facts).is_empty()
            && let Some(enrolment) = self.decision.head.guards.get_mut(&G::KIND)
            && enrolment.mode != Mode::Off
        {
            enrolment.surveyed = true;
        }
    }

    /// Whether the next surface has to wait for another commit.
    fn is_full(&self) -> bool {
        self.decision.drafts.len() + self.decision.states.len() >= ITEMS_PER_COMMIT || self.bytes >= BYTES_PER_COMMIT
    }

    fn surface(&mut self, surface: &Surface, snapshot: &SurfaceSnapshot) {
        let drafts_before = self.decision.drafts.len();
        self.settle_and_weigh(surface, snapshot);
        let drafts = self.decision.drafts.iter().skip(drafts_before).map(length).sum::<usize>();
        self.bytes += drafts + self.decision.states.get(surface).map_or(0, length);
    }

    fn settle_and_weigh(&mut self, surface: &Surface, snapshot: &SurfaceSnapshot) {
        let fresh = SurfaceState::default();
        let mut state = self.history.surfaces.get(surface).unwrap_or(&fresh).clone();
        if self.opt_in.mode == Mode::Off && state.intent.is_none() {
            return;
        }
        // An intent that AWS does not carry out now is left alone until then, whoever sets the guard off.
        if let Some(wait) = state.wait.as_ref().filter(|wait| wait.reason == WaitReason::Busy && wait.until > self.now)
            && !self.request.by_operator
        {
            self.decision.waits.insert(surface.clone(), wait.clone());
            return;
        }
        if let Some(until) = self.history.is_held(surface, self.now) {
            self.wait_for_lease(surface, state, until);
            return;
        }
        let judgement = self.judged().get(surface).cloned().unwrap_or_default();
        if !self.settle_intent(surface, snapshot, &judgement, &mut state) {
            return;
        }
        if self.opt_in.mode != Mode::Off {
            self.housekeeping(&snapshot.content, &mut state);
            self.guard.remember(self.facts, surface, &mut state.values);
            self.guard.remember_readers(self.facts, surface, &mut state.readers);
            if judgement.unclear.is_none() {
                self.keep_first(surface, &snapshot.content, &mut state);
            }
            self.waits = false;
            self.weigh(surface, snapshot, judgement, &mut state);
            self.let_lapse(surface, &snapshot.content, &mut state);
        }
        // While a change is made it stays: a run that dies meanwhile is started again by the same message.
        if !self.decision.waits.contains_key(surface) && state.intent.is_none() {
            state.wait = None;
        }
        // What did not change need not be written, nor that a surface which was never there is still not there. But
        // where the event names it (it was just created with its resource), it is known from now on: what comes later
        // is new.
        state.elsewhere.clear();
        let known = self.stored.surfaces.get(surface);
        let there = !snapshot.content.is_absent() || state.intent.is_some() || self.request.introduces(surface, None);
        let news = known != Some(&state) && (known.is_some() || there);
        if news {
            self.decision.states.insert(surface.clone(), state);
        }
    }

    fn judged(&mut self) -> &BTreeMap<Surface, Judgement> {
        self.judged.get_or_insert_with(|| self.guard.judge_all(self.facts, self.settings))
    }

    /// What was last in force on the resource's surfaces.
    fn in_force(&mut self) -> &InForce<G::Context> {
        let judged = self.judged.get_or_insert_with(|| self.guard.judge_all(self.facts, self.settings));
        let was_looked_at = self.known.is_some_and(|known| known.surveyed);
        self.in_force.get_or_insert_with(|| {
            InForce::read(self.guard, self.facts, judged, self.history, was_looked_at, self.settings)
        })
    }

    /// What is found on a surface, each beside how it compares with what was in force.
    fn compared(&mut self, surface: &Surface, findings: Vec<Finding>) -> Vec<(Finding, Compared)> {
        // What nothing is done about needs no comparison.
        let is_serious = findings.iter().any(|finding| finding.severity >= self.settings.threshold);
        let compared = match is_serious && self.opt_in.mode == Mode::Enforce {
            false => vec![Compared::Unknown; findings.len()],
            true => {
                self.in_force();
                let (Some(in_force), Some(judged)) = (&self.in_force, &self.judged) else { return Vec::new() };
                in_force.compare(self.guard, self.facts, judged, surface, self.settings)
            }
        };
        findings.into_iter().zip(compared).collect()
    }

    /// Where nothing is put right now, and nothing waits for it, what is gone does not come back by a guard's hand: if
    /// somebody else puts it back, it is new.
    fn let_lapse(&self, surface: &Surface, content: &Content, state: &mut SurfaceState) {
        if state.intent.is_none() && !self.waits && !self.decision.waits.contains_key(surface) {
            let there = content.fragments();
            state.let_lapse(&there);
            state.acceptances.retain(|it| it.findings.iter().any(|key| there.contains(&key.fragment)));
        }
    }

    /// Keeps what a surface held at the opt-in, and says it once, so that the records tell it too. Tagging again keeps
    /// nothing anew.
    fn keep_first(&mut self, surface: &Surface, content: &Content, state: &mut SurfaceState) {
        // Of a resource that was made anew under the same name it is kept anew.
        let is_kept = state.first.is_some() && !self.request.created();
        // Where records were lost, nobody knows what was there.
        let is_known = self.tampered.is_none() && !self.history.head.lost;
        let is_due = self.opt_in.mode == Mode::Enforce && !is_kept && is_known;
        if !is_due || !self.guard.keeps_first(surface) || !fits(content) {
            return;
        }
        // What an event has just changed was not there at the opt-in, if it is known what was.
        let changed = self.request.introduces(surface, None);
        let first = state.baseline.as_ref().filter(|_| changed).unwrap_or(content).clone();
        if let Some(note) = self.guard.first_note(&first, self.settings) {
            self.decision.drafts.push(Draft {
                step: Step::OptedIn,
                surface: Some(surface.clone()),
                note: Some(note),
                diff: Some(Diff { before: first.clone(), after: first.clone() }),
                ..self.template.clone()
            });
        }
        state.first = Some(first);
    }

    /// Forgets what is past its time, and what was accepted and has changed since.
    fn housekeeping(&self, content: &Content, state: &mut SurfaceState) {
        let horizon = self.now.saturating_sub(self.settings.breaker.window).unwrap_or(Timestamp::MIN);
        state.reverts.retain(|revert| *revert > horizon);
        state.acceptances.retain(|acceptance| acceptance.is_in_force(self.now));
        state.elsewhere.retain(|acceptance| acceptance.is_in_force(self.now));
        state.questioned.retain(|_, until| *until > self.now);
        state.forget_what_is_gone(content);
    }

    /// Deals with an intent that another run left open. Returns whether the surface can be decided on now.
    fn settle_intent(
        &mut self,
        surface: &Surface,
        snapshot: &SurfaceSnapshot,
        judgement: &Judgement,
        state: &mut SurfaceState,
    ) -> bool {
        let Some(intent) = state.intent.clone() else { return true };
        if intent.lease > self.now {
            self.wait_for_lease(surface, state.clone(), intent.lease);
            return false;
        }
        let remaining = intent.plan.remaining(&snapshot.content);
        let ending = match remaining {
            Some([]) => Ending::Done,
            // An undo of which the content does not tell whether it is done: the person who wanted it takes it up
            // again, and the content that it restored is accepted meanwhile.
            Some(_)
                if matches!(intent.purpose, Purpose::Undo { .. })
                    && snapshot.content == *intent.plan.after()
                    && self.is_accepted(&intent, state) =>
            {
                return false;
            }
            Some(changes)
                if intent.purpose == Purpose::Remedy && self.opt_in.mode == Mode::Enforce && !self.paused() =>
            {
                let revision = snapshot.revision.clone();
                let resumed = resume(surface, &intent, changes, revision, state, self.settings, self.now);
                self.decision.remediations.push(resumed);
                self.decision.states.insert(surface.clone(), state.clone());
                return false;
            }
            Some(_) => Ending::Failed("the run that began this was cut off, and it may not be resumed now".into()),
            None => {
                Ending::Failed("the run that began this was cut off, and somebody changed the content since".into())
            }
        };
        let clear = let_pass(self.guard, self.facts, surface, judgement, state, &self.opt_in, self.settings);
        let (drafts, concluded) = conclude(&intent, &ending, state, clear, &self.template, self.now);
        self.decision.drafts.extend(drafts);
        self.decision.known.extend(learnt(&intent, &ending));
        *state = concluded;
        true
    }

    /// Whether what an undo restores is still accepted.
    fn is_accepted(&self, intent: &Intent, state: &SurfaceState) -> bool {
        let restored = intent.restored();
        let is_it = |acceptance: &Acceptance| acceptance.findings == restored && acceptance.is_in_force(self.now);
        state.acceptances.iter().any(is_it)
    }

    /// Lets `surface` wait, until a time or for a pause that grows with each attempt.
    fn wait(&mut self, surface: &Surface, state: &mut SurfaceState, reason: WaitReason, until: Option<Timestamp>) {
        let event = self.request.cause.event_id.as_ref();
        let wait = Wait::after(state.wait.as_ref(), reason, until, event, self.now);
        state.wait = Some(wait.clone());
        self.decision.waits.insert(surface.clone(), wait);
    }

    /// Lets `surface` wait for another run, which mostly is done long before its lease ends.
    fn wait_for_lease(&mut self, surface: &Surface, mut state: SurfaceState, lease: Timestamp) {
        let before = state.wait.clone();
        self.wait(surface, &mut state, WaitReason::Lease, None);
        if state.wait == before {
            return;
        }
        if let Some(wait) = &mut state.wait {
            wait.until = wait.until.min(lease.saturating_add(LEASE_OVER).unwrap_or(lease));
            self.decision.waits.insert(surface.clone(), wait.clone());
        }
        self.decision.states.insert(surface.clone(), state);
    }

    /// Whether the content is what Warden's last revert replaced, and IAM may merely not show the revert yet. An event
    /// from after the revert tells of somebody who has done the same again.
    fn is_unseen(&self, surface: &Surface, content: &Content, state: &SurfaceState) -> bool {
        let Some(Replaced { content: replaced, at }) = &state.replaced else { return false };
        surface.is_of_iam()
            && *replaced == content.fingerprint()
            && self.now.duration_since(*at) < UNSEEN_FOR
            && self.request.cause.time.is_none_or(|happened| happened <= *at)
            && !self.request.by_operator
    }

    fn paused(&self) -> bool {
        self.history.is_paused(self.now)
    }

    /// Sorts the findings of one surface by what is to be done about each.
    fn weigh(&mut self, surface: &Surface, snapshot: &SurfaceSnapshot, judgement: Judgement, state: &mut SurfaceState) {
        let content = &snapshot.content;
        // What does not hold any more is forgotten, so that it is reported again when it comes back.
        self.reported = mem::take(&mut state.reported);
        if let Some(why) = &judgement.unclear {
            let note = format!("not judged, and not changed: {why}");
            self.report(surface, content, state, Step::Observed, &judgement.findings, None, Some(note), None);
            return;
        }
        let asked = PreExisting {
            known: self.known,
            request: self.request,
            mode: self.opt_in.mode,
            policy: self.settings.pre_existing,
            happened: self.happened(),
            now: self.now,
            tampered: self.tampered,
            is_created: self.is_created(),
        };
        let stood: BTreeSet<Fingerprint> = state.pre_existing.keys().map(|key| key.fragment).collect();
        let by_content = self.guard.is_judged_by_content(self.facts, surface);
        let compared = self.compared(surface, judgement.findings.clone());
        let pre_existing = asked.among(surface, content, &compared, by_content, state);
        if self.request.unconfirmed.is_none() {
            let longest = self.settings.lookup.saturating_add(LONGEST_UNANSWERED);
            let until = self.now.saturating_add(longest).unwrap_or(Timestamp::MAX);
            state.questioned.extend(pre_existing.claimed.iter().map(|key| (key.fragment, until)));
        }
        let mut asks = false;
        let mut observed = Vec::new();
        let mut withheld: Vec<(Reason, Finding)> = Vec::new();
        let mut addressed = Vec::new();
        let behind = self.guard.behind(self.facts, surface);
        let clear = let_pass(self.guard, self.facts, surface, &judgement, state, &self.opt_in, self.settings);
        for finding in judgement.findings {
            let key = content.finding_key(&finding);
            let exemption = self.opt_in.exemptions.iter().find(|exemption| exemption.finding == finding.id);
            let accepted = state.acceptance(&finding, &key, behind).is_some();
            if finding.severity < self.settings.threshold {
                if finding.severity > Severity::Info {
                    observed.push(finding);
                }
            } else if let Some(exemption) = exemption {
                withheld.push((Reason::Exempt { until: exemption.until }, finding));
            } else if accepted {
                // The `accepted` record says so already.
            } else if self.opt_in.mode == Mode::Observe {
                observed.push(finding);
            } else if pre_existing.all.contains(&key) {
                match pre_existing.claimed.contains(&key) {
                    true if self.request.unconfirmed.is_some() => withheld.push((Reason::Unconfirmed, finding.clone())),
                    is_claimed => asks |= is_claimed,
                }
                // What the records tell of stood before; of the rest nobody knows.
                let known = self.tampered.is_none() || stood.contains(&key.fragment);
                withheld.push((if known { Reason::PreExisting } else { Reason::LedgerTampered }, finding));
            } else if self.never_touch() {
                withheld.push((Reason::NeverTouch, finding));
            } else if self.paused() {
                withheld.push((Reason::Paused, finding));
            } else {
                addressed.push(finding);
            }
        }
        let is_known = withheld.iter().all(|(reason, _)| *reason != Reason::LedgerTampered);
        // While it is only observed, everything counts as having been there; but not for good.
        let is_watched = self.opt_in.mode == Mode::Observe
            && observed.iter().any(|finding| finding.severity >= self.settings.threshold);
        if let Some(passing) = clear.filter(|_| is_known && !is_watched && addressed.is_empty()) {
            match self.guard.keeps_earlier(surface) {
                true => state.succeed_baseline(content, passing),
                false => state.keep(content, passing),
            }
        }
        self.waits = withheld.iter().any(|(reason, _)| *reason == Reason::Paused);
        if !observed.is_empty() {
            self.report(surface, content, state, Step::Observed, &observed, None, None, None);
        }
        let addressed = if !addressed.is_empty() && self.is_unseen(surface, content, state) {
            self.wait(surface, state, WaitReason::Unseen, None);
            Vec::new()
        } else {
            self.fight(surface, content, state, addressed)
        };
        self.decision.asks |= asks;
        self.withhold(surface, content, state, withheld, asks);
        if !addressed.is_empty() {
            self.remedy(surface, snapshot, state, addressed);
        }
    }

    fn never_touch(&self) -> bool {
        self.guard.never_touch(self.resource(), self.facts, self.settings)
    }

    /// What the breaker lets through now.
    fn fight(
        &mut self,
        surface: &Surface,
        content: &Content,
        state: &mut SurfaceState,
        addressed: Vec<Finding>,
    ) -> Vec<Finding> {
        let Breaker { reverts, is_open, until } = Breaker::read(&state.reverts, &self.settings.breaker);
        if self.request.by_operator || addressed.is_empty() {
            return addressed;
        }
        let (acted_on, rest): (Vec<_>, Vec<_>) =
            addressed.into_iter().partition(|finding| !is_open || finding.severity == Severity::Critical);
        self.waits |= !rest.is_empty();
        if !rest.is_empty() {
            let note = Some(self.fight_note(
                reverts,
                "it is left as it is; stop whoever repeats it and say `warden apply`, or exempt it",
            ));
            let reason = Some(Reason::Breaker { reverts });
            self.report(surface, content, state, Step::Withheld, &rest, reason, note, Some(Severity::Critical));
        }
        match until.filter(|until| self.now < *until) {
            Some(until) if acted_on.iter().any(|finding| finding.severity == Severity::Critical) => {
                self.wait(surface, state, WaitReason::Fight, Some(until));
                Vec::new()
            }
            Some(_) | None => acted_on,
        }
    }

    fn fight_note(&self, reverts: u32, what: &str) -> String {
        let cause = &self.request.cause;
        format!(
            "reverted {reverts} times within {} minutes, and changed again by {} with {}: {what}",
            self.settings.breaker.window.as_mins(),
            cause.actor.as_deref().unwrap_or("an actor that the event does not name"),
            cause.user_agent.as_deref().unwrap_or("a program that the event does not name"),
        )
    }

    fn withhold(
        &mut self,
        surface: &Surface,
        content: &Content,
        state: &mut SurfaceState,
        withheld: Vec<(Reason, Finding)>,
        asks: bool,
    ) {
        let mut by_reason: Vec<(Reason, Vec<Finding>)> = Vec::new();
        for (reason, finding) in withheld {
            match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, findings)) => findings.push(finding),
                None => by_reason.push((reason, vec![finding])),
            }
        }
        for (reason, findings) in by_reason {
            let (note, alert) = match reason {
                Reason::LedgerTampered => {
                    let note = "the ledger's items for this resource were damaged, and nothing tells whether this stood \
                                before: it is left as it is until somebody looks at it and says `warden apply`";
                    (Some(note.to_owned()), Some(Severity::Critical))
                }
                Reason::Unconfirmed => (self.request.unconfirmed.clone(), Some(Severity::Critical)),
                Reason::PreExisting if asks => {
                    let note = "an event says that this is new: it is put right once CloudTrail says so too, which takes \
                                some minutes";
                    (Some(note.to_owned()), None)
                }
                Reason::PreExisting
                | Reason::Exempt { .. }
                | Reason::NeverTouch
                | Reason::Paused
                | Reason::Breaker { .. }
                | Reason::Cap { .. }
                | Reason::NoSafeChange => (None, None),
            };
            self.report(surface, content, state, Step::Withheld, &findings, Some(reason), note, alert);
        }
    }

    /// Plans the change, checks it, and writes the intent.
    fn remedy(
        &mut self,
        surface: &Surface,
        snapshot: &SurfaceSnapshot,
        state: &mut SurfaceState,
        findings: Vec<Finding>,
    ) {
        let content = &snapshot.content;
        let remedy = self.planned(surface, content, state, &findings);
        let plan = remedy.plan.filter(|plan| !plan.changes().is_empty());
        // What AWS has not taken a while ago is not tried again where something else may be done.
        let is_refused = |plan: &Plan| state.refused.iter().any(|refusal| refusal.covers(plan));
        let (plan, unfixable, has_otherwise) = match (plan, remedy.otherwise) {
            (Some(plan), Some(Otherwise { plan: instead, unfixable })) if is_refused(&plan) => {
                (instead.filter(|plan| !plan.changes().is_empty()), unfixable, false)
            }
            (plan, otherwise) => (plan, remedy.unfixable, otherwise.is_some()),
        };
        let (mut unfixable, mut advice): (Vec<Finding>, Vec<String>) = unfixable.into_iter().unzip();
        let (left, fixed): (Vec<Finding>, Vec<Finding>) =
            findings.into_iter().partition(|finding| plan.is_none() || unfixable.contains(finding));
        if left.iter().any(|finding| !unfixable.contains(finding)) {
            advice.push("no change is known that would put this right: look at it yourself".into());
            unfixable = left;
        }
        if !unfixable.is_empty() {
            advice.dedup();
            let (reason, note) = (Some(Reason::NoSafeChange), Some(advice.join("\n")));
            self.report(surface, content, state, Step::Withheld, &unfixable, reason, note, None);
        }
        let Some(plan) = plan.filter(|_| !fixed.is_empty()) else { return };
        match self.unsound(surface, &plan, content, state, &fixed) {
            Ok(stands) => state.lapsed.retain(|fragment| !stands.contains(fragment)),
            Err(why) => {
                let (reason, note) = (Some(Reason::NoSafeChange), Some(why));
                self.report(surface, content, state, Step::Withheld, &fixed, reason, note, None);
                return;
            }
        }
        if let Some(until) = self.settles(&plan, state) {
            self.wait(surface, state, WaitReason::Deployment, Some(until));
            return;
        }
        let critical = worst(&fixed) == Some(Severity::Critical);
        if !critical && !self.request.by_operator && !self.history.counted.contains(surface) {
            // A surface counts once, however many calls it takes: many small findings must not outgrow the cap
            // together.
            if let Some((whose, cap, room)) = self.used_up() {
                let reason = Some(Reason::Cap { cap });
                let note = format!(
                    "the {cap} changes an hour of {whose} are used up, so it is left as it is until there is room \
                     again, which is within the next hours; `warden apply` does it now"
                );
                let (note, alert) = (Some(note), Some(Severity::Critical));
                self.report(surface, content, state, Step::Withheld, &fixed, reason, note, alert);
                self.wait(surface, state, WaitReason::Cap, Some(spread(surface, room)));
                return;
            }
            self.decision.counted += 1;
        }
        let planned = (plan.clone(), has_otherwise);
        let intent = intend(self.resource(), planned, fixed.clone(), state, self.settings, self.now);
        let remediation = intent.remediation.clone();
        let breaker = Breaker::read(&state.reverts, &self.settings.breaker);
        let repeated = Some(breaker).filter(|breaker| breaker.is_open && !self.request.by_operator);
        self.decision.drafts.push(Draft {
            step: Step::Planned,
            surface: Some(surface.clone()),
            severity: worst(&fixed),
            findings: fixed,
            remediation: Some(remediation),
            note: noted(
                repeated.map(|Breaker { reverts, until, .. }| {
                    let what = match until {
                        None => "critical, so it is reverted all the same",
                        Some(_) => "critical, so it is reverted all the same, some seconds after the last time",
                    };
                    self.fight_note(reverts, what)
                }),
                plan.note(),
            ),
            diff: Some(Diff { before: plan.before().clone(), after: plan.after().clone() }),
            changes: plan.changes().to_vec(),
            ..self.template.clone()
        });
        self.decision.remediations.push(Remediation {
            surface: surface.clone(),
            intent,
            changes: plan.changes().to_vec(),
            revision: snapshot.revision.clone(),
            resumed: false,
        });
    }

    /// Whose changes for this hour are used up, how many they may be, and when there is room again.
    fn used_up(&self) -> Option<(&'static str, u32, Timestamp)> {
        let full = |changes: HourlyChanges, cap: u32| {
            let used = changes.in_last_hour(self.now).saturating_add(self.decision.counted);
            let counted = HourlyChanges { this: changes.this.saturating_add(self.decision.counted), ..changes };
            (used >= cap).then(|| counted.room_at(cap, self.now))
        };
        if let Some(room) = full(self.history.changes, self.settings.cap) {
            return Some(("the account", self.settings.cap, room));
        }
        let own = Share::of_resource(self.resource());
        self.request.shares(self.settings).into_iter().find_map(|(share, cap)| {
            let room = full(self.history.shares.get(&share).copied().unwrap_or_default(), cap)?;
            let whose = if share == own { "one resource" } else { "changes by one actor" };
            Some((whose, cap, room))
        })
    }

    /// When the deployment is over that may have brought what `plan` takes back, if its change could get in the way of
    /// the deployment's next. Whoever keeps changing the function is not waited for longer than for any deployment.
    fn settles(&self, plan: &Plan, state: &SurfaceState) -> Option<Timestamp> {
        let deployment = self.guard.deployment(self.facts)?;
        if self.request.by_operator || !plan.changes().iter().any(|change| change.call().updates_function()) {
            return None;
        }
        let waits = state.wait.as_ref().filter(|wait| wait.reason == WaitReason::Deployment);
        if waits.is_some_and(|wait| self.now.duration_since(wait.since) > LONGEST_DEPLOYMENT) {
            return None;
        }
        let last = deployment.changed.max(self.request.cause.time.unwrap_or(Timestamp::MIN)).min(self.now);
        let over = last.saturating_add(self.settings.settle).unwrap_or(last);
        let soon = self.now.saturating_add(UNDER_WAY).unwrap_or(self.now);
        let over = if deployment.is_under_way { over.max(soon) } else { over };
        (over > self.now).then_some(over)
    }

    /// What a guard would do: with what may come back of what was in force, or without it where that does not do.
    fn planned(&mut self, surface: &Surface, content: &Content, state: &SurfaceState, findings: &[Finding]) -> Remedy {
        let restorable = self.restorable(surface, state);
        let first =
            self.guard.remedy(self.resource(), self.facts, surface, findings, restorable.as_ref(), self.settings);
        let Some(plan) = first.plan.as_ref().filter(|_| restorable.is_some()) else { return first };
        let is_fixed = |finding: &&Finding| first.unfixable.iter().all(|(unfixable, _)| unfixable != *finding);
        let fixed: Vec<Finding> = findings.iter().filter(is_fixed).cloned().collect();
        match self.unsound(surface, plan, content, state, &fixed) {
            Ok(_) => first,
            Err(_) => self.guard.remedy(self.resource(), self.facts, surface, findings, None, self.settings),
        }
    }

    /// What of the baseline may come back: nothing that today's rules find in it, unless it stood before or is let pass.
    fn restorable(&mut self, surface: &Surface, state: &SurfaceState) -> Option<Content> {
        let baseline = state.baseline.clone()?;
        self.in_force();
        let in_force = self.in_force.as_ref()?;
        let Judgement { findings, unclear } = in_force.judged.get(surface).cloned().unwrap_or_default();
        let by_content = self.guard.is_judged_by_content(&in_force.facts, surface);
        let behind = self.guard.behind(&in_force.facts, surface);
        let may_not = |finding: &Finding| {
            let key = baseline.finding_key(finding);
            let stood = self.leaves_what_stood()
                && (state.pre_existing.keys().any(|known| known.fragment == key.fragment)
                    || by_content && !state.lapsed.contains(&key.fragment));
            finding.severity >= self.settings.threshold
                && !stood
                && !is_let_pass(finding, &key, behind, state, &self.opt_in)
        };
        let barred: Vec<Finding> = findings.into_iter().filter(may_not).collect();
        if unclear.is_some() {
            return None;
        }
        if barred.is_empty() {
            return Some(baseline);
        }
        // What was in force is put right itself first.
        let remedy = self.guard.remedy(self.resource(), &in_force.facts, surface, &barred, None, self.settings);
        remedy.plan.filter(|_| remedy.unfixable.is_empty()).map(|plan| plan.after().clone())
    }

    /// Whether what stood before the opt-in is left as it is.
    fn leaves_what_stood(&self) -> bool {
        !self.request.by_operator && self.settings.pre_existing == PreExistingPolicy::Withhold
    }

    /// Why a plan must not be carried out, or what of the findings is back to what it was when it was let be. The plan's
    /// result is judged again before anything is written.
    fn unsound(
        &mut self,
        surface: &Surface,
        plan: &Plan,
        content: &Content,
        state: &SurfaceState,
        fixed: &[Finding],
    ) -> Result<BTreeSet<Fingerprint>, String> {
        if !fits(plan.before()) || !fits(plan.after()) {
            return Err("the content is too large for the ledger to keep, so that it could not be restored".into());
        }
        if plan.surface() != surface || plan.before() != content {
            return Err("the plan is for other content than was read; please report this as a defect".into());
        }
        self.in_force();
        let leaves_what_stood = self.leaves_what_stood();
        // One copy of the facts serves all plans of this decision: a function may have hundreds of surfaces.
        let planned = self.planned.get_or_insert_with(|| self.facts.clone());
        let now =
            planned.surfaces.insert(surface.clone(), SurfaceSnapshot { content: plan.after().clone(), revision: None });
        let after = self.guard.judge(planned, surface, self.settings);
        let behind = self.guard.behind(planned, surface);
        let judged = BTreeMap::from([(surface.clone(), after.clone())]);
        let in_force = self.in_force.as_ref();
        let worse: Vec<Finding> = in_force
            .map(|in_force| in_force.worse(self.guard, planned, &judged, surface, self.settings))
            .unwrap_or_default()
            .into_iter()
            .cloned()
            .collect();
        planned.surfaces.extend(now.map(|now| (surface.clone(), now)));
        let mut stand = BTreeSet::new();
        for left in &after.findings {
            let key = plan.after().finding_key(left);
            let stood = leaves_what_stood
                && state.pre_existing.keys().any(|known| known.fragment == key.fragment)
                && !worse.contains(left);
            if stood {
                stand.insert(key.fragment);
            } else if fixed.iter().any(|finding| content.finding_key(finding) == key) {
                return Err(format!("the planned content would still break {}", left.id));
            }
        }
        let there = content.fragments();
        let before = state.baseline.as_ref().map(Content::fragments).unwrap_or_default();
        let comes_back = after.findings.iter().find(|left| {
            let key = plan.after().finding_key(left);
            left.severity >= self.settings.threshold
                && before.contains(&key.fragment)
                && !there.contains(&key.fragment)
                && !stand.contains(&key.fragment)
                && !is_let_pass(left, &key, behind, state, &self.opt_in)
        });
        match (after.unclear, comes_back) {
            (Some(why), _) => Err(format!("the planned content cannot be judged: {why}")),
            (None, Some(back)) => Err(format!("the planned content would bring back {}", back.id)),
            (None, None) => Ok(stand),
        }
    }

    /// Writes an `observed` or `withheld` record of those findings for which there is no such record with the same
    /// reason yet.
    #[allow(clippy::too_many_arguments, reason = "one place builds these records, from everything they say")]
    fn report(
        &mut self,
        surface: &Surface,
        content: &Content,
        state: &mut SurfaceState,
        step: Step,
        findings: &[Finding],
        reason: Option<Reason>,
        note: Option<String>,
        alert: Option<Severity>,
    ) {
        let once = Once { step, reason: reason.as_ref(), since: self.since };
        let Some(news) = once.news(content, findings, &self.reported, &mut state.reported) else { return };
        self.decision.drafts.push(Draft {
            step,
            surface: Some(surface.clone()),
            severity: worst(&news).max(alert),
            findings: news,
            reason,
            note,
            // Content that no record can hold is left out; its findings say where to look.
            diff: fits(content).then(|| Diff { before: content.clone(), after: content.clone() }),
            ..self.template.clone()
        });
    }
}

/// A time from `room` on that is the surface's own.
fn spread(surface: &Surface, room: Timestamp) -> Timestamp {
    let own = Fingerprint::of(&json!(surface)).to_string();
    let part = own.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default() % SPREAD;
    room.saturating_add(SignedDuration::from_secs(i64::try_from(part).unwrap_or_default())).unwrap_or(room)
}

/// Whether the ledger can hold such content.
pub(crate) fn fits(content: &Content) -> bool {
    content.document().is_none_or(|document| document.to_string().len() <= LARGEST_CONTENT)
}

/// How long something is as JSON.
fn length(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}
