//! The one loop: fetch, decide, record the intent, apply, record the outcome. A CloudTrail event, a tag and `warden
//! apply` all enter here.

use crate::{
    call_error::{CallError, ErrorKind},
    decide::{
        decide,
        gone::{Gone, cleanup, gone},
        in_force::let_pass,
        intent::Remediation,
        outcome::{Ending, conclude, learnt},
    },
    guard::{Facts, Fetch, Guard, ReconcileRequest, SurfaceSnapshot},
    ledger::{
        record::{Draft, Record, Step},
        state::{Counted, History, Intent, SurfaceState},
    },
    model::{
        settings::Settings,
        surface::{Resource, Surface},
        tags::Mode,
    },
    plan::RevisionId,
    ports::World,
    run::{
        carry_out::carry_out,
        commit::{Entry, Pass, Unwritable, WriteError, commit, commit_until_it_fits, until_it_fits},
        delay::{DelayedLook, Wait, WaitReason},
        lookup,
        patience::Patience,
        proof::strike_forged,
    },
};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

/// Facts and history are read at once, to save a round trip. Where a surface was reverted less than this ago, the facts
/// may be older than that: they are read again, or another run's revert would be made twice. It covers the run's own
/// reads and what the clocks of two Lambda environments differ by.
const RECENT: SignedDuration = SignedDuration::from_secs(10);

/// How long a change is put off that AWS does not make, before the event is left to whoever is told of failures.
const LONGEST_BUSY: SignedDuration = SignedDuration::from_mins(10);

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The resource's mode; none where it is gone.
    pub mode: Option<Mode>,
    /// The records that were written.
    pub records: Vec<Record>,
    /// What is to be looked at next because of what was seen.
    pub follows: Vec<ReconcileRequest>,
    /// What waits now, and comes back by the delay queue.
    pub waits: BTreeMap<Surface, Wait>,
}

/// Why a run did not come to an end. The event is to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// AWS did not do what was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Another run holds a surface for too long.
    #[error("another run works on {0}; delivered again, this one will find its work done or resume it")]
    Busy(Resource),
    /// A record cannot be written as JSON.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// Everything was done and recorded, but the event that says so could not be sent.
    #[error("everything is done and in the ledger, but the audit event was not sent: {0}")]
    NotAnnounced(CallError),
}

impl From<WriteError> for ReconcileError {
    fn from(error: WriteError) -> ReconcileError {
        match error {
            WriteError::Call(error) => error.into(),
            WriteError::Unwritable(error) => error.into(),
        }
    }
}

/// Looks at one resource and puts right what is to be put right; for a command, which waits by itself for whatever has
/// to be waited for. A guard's invocation does not: see [`crate::run::delay`].
///
/// # Errors
/// See [`ReconcileError`]; whatever was begun is in the ledger, and the next run for the resource resumes it.
pub async fn reconcile<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    request: &ReconcileRequest,
) -> Result<Report, ReconcileError> {
    look(guard, world, settings, request, &Patience::ENDLESS, None).await
}

/// The same for a guard's invocation, whose sleeps are limited by `patience`; `delayed` is the look that came by the delay
/// queue, where one did.
pub(crate) async fn look<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    request: &ReconcileRequest,
    patience: &Patience,
    delayed: Option<&DelayedLook>,
) -> Result<Report, ReconcileError> {
    let began = world.now();
    let (counted, waits) = (BTreeSet::new(), BTreeMap::new());
    let (is_due, asks) = (false, false);
    let mut run = Run { guard, world, settings, request, patience, delayed, is_due, began, counted, waits, asks };
    let mut written = Vec::new();
    let done = until_it_fits(world, patience, async || run.pass(&mut written).await).await?;
    let waits = mem::take(&mut run.waits);
    if run.asks {
        lookup::ask_later::<G, W>(world, request).await?;
    }
    if let Some((mode, follows)) = done {
        return Ok(Report { mode, records: written, follows, waits });
    }
    // Others write all the time. Nothing says so in the ledger, since that would have to be written too.
    let anew = DelayedLook {
        guard: G::KIND,
        request: request.clone(),
        surface: None,
        until: world.now(),
        attempt: delayed.map_or(0, |delayed| delayed.attempt),
        asking: None,
    };
    let put_off = anew.put_off().filter(|_| !patience.is_endless());
    let (later, pause) = put_off.ok_or_else(|| ReconcileError::Busy(request.resource.clone()))?;
    let until = later.until.saturating_add(pause).unwrap_or(later.until);
    world.look_later(&DelayedLook { until, ..later }, pause).await?;
    Ok(Report { mode: None, records: written, follows: Vec::new(), waits })
}

/// The resource's mode, and what is to be looked at next.
type Looked = (Option<Mode>, Vec<ReconcileRequest>);

/// How a commit ended, and the changes that it announced.
enum Written {
    /// Everything is done.
    Done,
    /// Somebody wrote in between, and nothing was done.
    Conflict,
    /// Somebody changed something in between, so that it has to be looked at again.
    Overtaken,
}

struct Run<'a, G, W> {
    guard: &'a G,
    world: &'a W,
    settings: &'a Settings,
    request: &'a ReconcileRequest,
    patience: &'a Patience,
    delayed: Option<&'a DelayedLook>,
    /// Whether the wait that `delayed` ends was found to be the one in the ledger.
    is_due: bool,
    began: Timestamp,
    /// The surfaces that it has begun to put right, which are counted against the account's cap.
    counted: BTreeSet<Surface>,
    /// What waits because of this run.
    waits: BTreeMap<Surface, Wait>,
    /// Whether CloudTrail is to be asked about the event.
    asks: bool,
}

impl<G: Guard, W: World + Fetch<G>> Run<'_, G, W> {
    async fn pass(&mut self, written: &mut Vec<Record>) -> Result<Pass<Looked>, ReconcileError> {
        let resource = &self.request.resource;
        let now = self.world.now();
        let (facts, history) = future::try_join(self.fetch(), self.world.history(resource, now)).await?;
        if !self.is_awaited(&history, now).await? {
            return Ok(Pass::Done((None, Vec::new())));
        }
        let Some(mut facts) = facts else { return self.gone(history, now, written).await };
        let mut history = history;
        history.counted.clone_from(&self.counted);
        history.forget_past_refusals(now);
        if self.request.by_operator {
            history.forget_refusals(self.began);
        }
        strike_forged(self.world, resource, &mut history, now).await?;
        self.fetch_more(&mut facts, &history).await?;

        let mut decision = decide(self.guard, self.request, &facts, &history, self.settings, now);
        let recent = |surface: &Surface| {
            let reverts = history.surfaces.get(surface).map(|state| state.reverts.as_slice()).unwrap_or_default();
            reverts.iter().any(|revert| now.duration_since(*revert) < RECENT)
        };
        if decision.states.keys().any(recent) {
            let Some(fresh) = self.fetch().await? else { return Ok(Pass::Again(None)) };
            facts = fresh;
            self.fetch_more(&mut facts, &history).await?;
            decision = decide(self.guard, self.request, &facts, &history, self.settings, now);
        }
        self.asks |= decision.asks && !self.request.asked;
        let waits = mem::take(&mut decision.waits);
        let later = self.to_send(&history, &waits);
        if let Some(wait) = self.waits_here(&waits, &later, &decision.remediations, now) {
            return Ok(Pass::Again(wait));
        }
        self.waits = waits;
        let (mode, more) = (decision.mode, decision.more);
        let is_damaged = history.head.damage.is_some() || history.surfaces.values().any(SurfaceState::is_to_be_mended);
        // Nobody's head is mended: of what was never opted in nothing is known.
        let is_mended = is_damaged && !decision.head.guards.is_empty();
        if !is_mended && decision.drafts.is_empty() && decision.states.is_empty() && decision.head == history.head {
            self.send(later).await?;
            return Ok(Pass::Done((Some(mode), self.follows(&facts))));
        }
        let follows = self.follows(&facts);

        history.head = decision.head;
        let entry = Entry {
            drafts: decision.drafts,
            surfaces: decision.states.into_iter().collect(),
            counted: (decision.counted > 0).then(|| Counted {
                changes: decision.counted,
                cap: self.settings.cap,
                shares: self.request.shares(self.settings),
            }),
            known: decision.known,
            ..Entry::default()
        };
        let written = self.write(history, entry, now, (decision.remediations, later), Some(facts), written).await?;
        Ok(match (written, more) {
            (Written::Conflict, _) => Pass::Again(None),
            (Written::Overtaken, _) => Pass::Again(Some(SignedDuration::ZERO)),
            (Written::Done, true) => Pass::More,
            (Written::Done, false) => Pass::Done((Some(mode), follows)),
        })
    }

    async fn fetch(&self) -> Result<Option<Facts<G::Context>>, CallError> {
        // On the heap, as what is carried out is: the calls of AWS's SDK make large futures.
        Box::pin(self.world.fetch(self.guard, self.request, self.settings)).await
    }

    async fn fetch_more(&self, facts: &mut Facts<G::Context>, history: &History) -> Result<(), CallError> {
        Box::pin(self.world.fetch_more(self.guard, self.request, facts, history, self.settings)).await?;
        self.guard.add_history(self.request, facts, history);
        Ok(())
    }

    fn follows(&self, facts: &Facts<G::Context>) -> Vec<ReconcileRequest> {
        let follows = self.guard.follows(self.request, facts, self.settings);
        follows.into_iter().map(|next| ReconcileRequest { origin: Some(self.request.origin()), ..next }).collect()
    }

    /// A resource that is gone has nothing to put right. What was begun on it is concluded, and what Warden keeps for
    /// it is removed.
    async fn gone(
        &mut self,
        mut history: History,
        now: Timestamp,
        written: &mut Vec<Record>,
    ) -> Result<Pass<Looked>, ReconcileError> {
        let resource = &self.request.resource;
        let mode = history.head.guards.get(&G::KIND).map(|known| known.mode);
        let template = Draft { guard: Some(G::KIND), mode, ..Draft::new(Step::Failed) };
        // Where no environment was ever looked at, say, nothing is kept.
        let surface = self.guard.retains(resource).filter(|surface| history.surfaces.contains_key(surface));
        let intent = surface.as_ref().and_then(|surface| history.surfaces.get(surface)?.intent.as_ref());
        if intent.is_some_and(|intent| intent.lease > now) {
            return Ok(Pass::Again(None));
        }
        let kept = match &surface {
            Some(surface) => self.world.snapshot(resource, surface).await?.map(|snapshot| (surface, snapshot.content)),
            None => None,
        };
        strike_forged(self.world, resource, &mut history, now).await?;
        let content = kept.as_ref().map(|(surface, content)| (*surface, content));
        let Gone { mut drafts, states: mut surfaces, known, mut remediations } =
            gone(&history, content, &template, self.settings, now);
        if surfaces.is_empty()
            && let Some((surface, content)) = &kept
            && let Some(plan) = self.guard.cleanup(resource, surface, content)
        {
            let put = cleanup(resource, (surface, content), plan, &history, &template, self.settings, now);
            if let Some((draft, state, then)) = put {
                drafts.push(draft);
                surfaces.push(((*surface).clone(), state));
                remediations.extend(then);
            }
        }
        if surfaces.is_empty() {
            return Ok(Pass::Done((None, Vec::new())));
        }
        let more = remediations.is_empty();
        let entry = Entry { drafts, surfaces, known, ..Entry::default() };
        match self.write(history, entry, now, (remediations, BTreeMap::new()), None, written).await? {
            Written::Conflict => Ok(Pass::Again(None)),
            Written::Overtaken => Ok(Pass::Again(Some(SignedDuration::ZERO))),
            Written::Done if more => Ok(Pass::More),
            Written::Done => Ok(Pass::Done((None, Vec::new()))),
        }
    }

    /// Commits `entry`, announces its records, makes the changes and records how they ended, and sends what waits to the
    /// delay queue meanwhile. `facts` are those that were decided on; none where the resource is gone.
    async fn write(
        &mut self,
        mut history: History,
        entry: Entry,
        now: Timestamp,
        (remediations, later): (Vec<Remediation>, BTreeMap<Surface, Wait>),
        facts: Option<Facts<G::Context>>,
        written: &mut Vec<Record>,
    ) -> Result<Written, ReconcileError> {
        let world = self.world;
        // The locks are asked for beside the commit: an API that has its own costs no round trip in sequence.
        let locks = remediations.iter().map(async |remediation| match remediation.changes.first() {
            Some(change) => world.lock(change, remediation.revision.as_ref()).await,
            None => Ok(None),
        });
        let committed = commit(world, &self.request.resource, &self.request.cause, &mut history, entry, now);
        let (committed, locks) = future::join(committed, future::join_all(locks)).await;
        let Some(records) = committed? else { return Ok(Written::Conflict) };
        written.extend(records.iter().cloned());
        self.counted.extend(remediations.iter().map(|remediation| remediation.surface.clone()));
        let remediations = remediations.into_iter().zip(locks).collect();
        let request = self.request_of_later();
        let sent = send(self.guard, world, &request, later);
        let carried_out = self.carry_out_all(remediations, facts, history, written);
        let (announced, sent, outcome) = future::join3(world.announce(&records), sent, carried_out).await;
        let again = outcome?;
        sent?;
        announced.map_err(ReconcileError::NotAnnounced)?;
        Ok(if again { Written::Overtaken } else { Written::Done })
    }

    /// Makes the changes one surface after another, and records how they ended. Returns whether to look again.
    async fn carry_out_all(
        &mut self,
        remediations: Vec<(Remediation, Result<Option<RevisionId>, CallError>)>,
        mut facts: Option<Facts<G::Context>>,
        history: History,
        written: &mut Vec<Record>,
    ) -> Result<bool, ReconcileError> {
        if remediations.is_empty() {
            return Ok(false);
        }
        let mut endings = Vec::new();
        let mut again = false;
        let (mut put_off, mut unfinished) = (Vec::new(), None);
        for (remediation, lock) in remediations {
            let Remediation { surface, intent, changes, revision, .. } = &remediation;
            let (resource, revision) = (&self.request.resource, revision.clone());
            let carried = carry_out(self.world, self.patience, resource, intent, changes, revision, Some(lock));
            match Box::pin(carried).await {
                Ok(ending) => {
                    again |= ending.is_decided_again(intent);
                    if let (Ending::Done, Some(facts)) = (&ending, &mut facts) {
                        let content = intent.plan.after().clone();
                        facts.surfaces.insert(surface.clone(), SurfaceSnapshot { content, revision: None });
                    }
                    endings.push((remediation, ending));
                }
                Err(error) if self.may_be_put_off(&error) => put_off.push((remediation, error)),
                // Its intent stays open: delivered again, the event resumes it.
                Err(error) => unfinished = Some(error),
            }
        }
        let (records, later) =
            self.record_outcomes(&endings, put_off, &mut unfinished, facts.as_ref(), history).await?;
        self.waits.extend(later.clone());
        written.extend(records.iter().cloned());
        let (announced, sent) = future::join(self.world.announce(&records), self.send(later)).await;
        sent?;
        announced.map_err(ReconcileError::NotAnnounced)?;
        match unfinished {
            Some(error) => Err(error.into()),
            None => Ok(again),
        }
    }

    /// Whether a change that was not made may be tried again by the delay queue.
    fn may_be_put_off(&self, error: &CallError) -> bool {
        !self.patience.is_endless() && matches!(error.kind, ErrorKind::Busy | ErrorKind::Retry | ErrorKind::Stale)
    }

    /// Writes down how changes ended, and gives those back that were `put_off`: their intents stay open, without a
    /// lease. What has been put off for too long is `unfinished`. Returns the records, and what waits anew.
    async fn record_outcomes(
        &self,
        endings: &[(Remediation, Ending)],
        put_off: Vec<(Remediation, CallError)>,
        unfinished: &mut Option<CallError>,
        facts: Option<&Facts<G::Context>>,
        mut history: History,
    ) -> Result<(Vec<Record>, BTreeMap<Surface, Wait>), ReconcileError> {
        let Run { guard, world, settings, request, patience, began, .. } = self;
        let judged = facts.map(|facts| guard.judge_all(facts, settings)).unwrap_or_default();
        let mut later = BTreeMap::new();
        let outcomes = |history: &History, now: Timestamp| {
            let mut entry = Entry::default();
            // Another run took a remediation over after the lease ended: its outcome is the other's to record.
            let is_ours = |state: &SurfaceState, intent| state.intent.as_ref() == Some(intent);
            for (remediation, ending) in endings {
                let state = history.surfaces.get(&remediation.surface).cloned().unwrap_or_default();
                if !is_ours(&state, &remediation.intent) {
                    continue;
                }
                let surface = &remediation.surface;
                let mut template = Draft::new(Step::Failed);
                template.guard = Some(G::KIND);
                template.mode = Some(Mode::Enforce);
                let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
                let opt_in = facts.map(|facts| facts.scope.opt_in(G::KIND, today));
                let clear =
                    judged.get(surface).zip(facts).zip(opt_in.as_ref()).and_then(|((judgement, facts), opt_in)| {
                        let_pass(*guard, facts, surface, judgement, &state, opt_in, settings)
                    });
                template.owner = opt_in.and_then(|opt_in| opt_in.owner);
                template.duration_ms = u64::try_from(now.duration_since(*began).as_millis()).ok();
                template.note = remediation.resumed.then(|| "resumed after an earlier run was cut off".to_owned());
                let (outcome, state) = conclude(&remediation.intent, ending, &state, clear, &template, now);
                entry.drafts.extend(outcome);
                entry.known.extend(learnt(&remediation.intent, ending));
                entry.surfaces.push((surface.clone(), state));
            }
            later.clear();
            for (remediation, error) in &put_off {
                let mut state = history.surfaces.get(&remediation.surface).cloned().unwrap_or_default();
                if !is_ours(&state, &remediation.intent) {
                    continue;
                }
                let ahead = state.wait.as_ref().filter(|wait| wait.until > now);
                if ahead.is_none() {
                    let event = request.cause.event_id.as_ref();
                    let wait = Wait::after(state.wait.as_ref(), WaitReason::Busy, None, event, now);
                    if now.duration_since(wait.since) > LONGEST_BUSY {
                        *unfinished = Some(error.clone());
                        continue;
                    }
                    later.insert(remediation.surface.clone(), wait.clone());
                    state.wait = Some(wait);
                }
                state.intent = state.intent.map(|intent| Intent { lease: now, ..intent });
                entry.surfaces.push((remediation.surface.clone(), state));
            }
            (!entry.surfaces.is_empty()).then_some(entry)
        };
        let (resource, cause) = (&request.resource, &request.cause);
        let records = commit_until_it_fits(*world, patience, resource, cause, &mut history, outcomes).await?;
        Ok((records.ok_or_else(|| ReconcileError::Busy(resource.clone()))?, later))
    }
}

/// What waits and comes back.
impl<G: Guard, W: World + Fetch<G>> Run<'_, G, W> {
    /// Whether the ledger knows of the wait that the delayed look ends. One that was ended already, or was replaced,
    /// needs nothing; but the run that wrote the one in its place may have been cut off before it sent its message.
    async fn is_awaited(&mut self, history: &History, now: Timestamp) -> Result<bool, ReconcileError> {
        let Some(DelayedLook { surface: Some(surface), until, .. }) = self.delayed.filter(|_| !self.is_due) else {
            return Ok(true);
        };
        let wait = history.surfaces.get(surface).and_then(|state| state.wait.as_ref());
        let is_own = |wait: &&Wait| wait.event.is_some() && wait.event == self.request.cause.event_id;
        self.is_due = match wait {
            Some(wait) if wait.until == *until => true,
            Some(wait) if is_own(&wait) && wait.until > now => {
                self.send(BTreeMap::from([(surface.clone(), wait.clone())])).await?;
                false
            }
            Some(wait) => is_own(&wait) || history.tampered.is_some(),
            // Whoever damages the state of what waits does not make the guard forget it.
            None => history.tampered.is_some(),
        };
        Ok(self.is_due)
    }

    /// Which of the `waits` are to be sent to the queue: those that are new, and those that this run's own event has
    /// asked for already, since the run that wrote them may have been cut off before it sent them.
    fn to_send(&self, history: &History, waits: &BTreeMap<Surface, Wait>) -> BTreeMap<Surface, Wait> {
        let event = self.request.cause.event_id.as_ref().filter(|_| self.delayed.is_none());
        let is_to_be_sent = |(surface, wait): &(&Surface, &Wait)| {
            let known = history.surfaces.get(*surface).and_then(|state| state.wait.as_ref());
            known != Some(*wait) || event.is_some() && wait.event.as_ref() == event
        };
        waits.iter().filter(is_to_be_sent).map(|(surface, wait)| (surface.clone(), wait.clone())).collect()
    }

    /// For how long to sleep before the next look, where the run waits by itself: a command always does, a guard for
    /// another run that mostly is about to end.
    fn waits_here(
        &self,
        waits: &BTreeMap<Surface, Wait>,
        later: &BTreeMap<Surface, Wait>,
        remediations: &[Remediation],
        now: Timestamp,
    ) -> Option<Option<SignedDuration>> {
        let is_lease = |wait: &Wait| wait.reason == WaitReason::Lease;
        if self.patience.is_endless() {
            let until = waits.values().map(|wait| if is_lease(wait) { None } else { Some(wait.until) }).min()?;
            return Some(until.map(|until| until.duration_since(now)));
        }
        let is_short = remediations.is_empty() && later.values().any(is_lease) && !self.patience.is_over();
        is_short.then_some(None)
    }

    async fn send(&self, later: BTreeMap<Surface, Wait>) -> Result<(), CallError> {
        send(self.guard, self.world, &self.request_of_later(), later).await
    }

    /// The request of what comes back later: CloudTrail need not be asked about its event again.
    fn request_of_later(&self) -> ReconcileRequest {
        ReconcileRequest { asked: self.request.asked || self.asks, ..self.request.clone() }
    }
}

/// Sends what waits to the delay queue.
async fn send<G: Guard, W: World>(
    guard: &G,
    world: &W,
    request: &ReconcileRequest,
    later: BTreeMap<Surface, Wait>,
) -> Result<(), CallError> {
    let now = world.now();
    let sent = later.iter().map(async |(surface, wait)| {
        let look = DelayedLook::ending(G::KIND, request, surface, guard.together(surface), wait.until);
        world.look_later(&look, wait.until.duration_since(now)).await
    });
    future::try_join_all(sent).await.map(drop)
}
