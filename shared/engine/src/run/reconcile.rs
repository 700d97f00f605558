//! The one loop: fetch, decide, record the intent, apply, record the outcome. A CloudTrail event, a tag and `warden
//! apply` all enter here.

use crate::{
    call_error::CallError,
    decide::{
        Hold, decide,
        gone::{Gone, cleanup, gone},
        in_force::let_pass,
        intent::Remediation,
        outcome::{Ending, conclude, learnt},
    },
    guard::{Facts, Fetch, Guard, ReconcileRequest, SurfaceSnapshot},
    ledger::{
        record::{Draft, Record, Step},
        state::{History, SurfaceState},
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
        proof::strike_forged,
    },
};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Facts and history are read at once, to save a round trip. Where a surface was reverted less than this ago, the facts
/// may be older than that: they are read again, or another run's revert would be made twice. It covers the run's own
/// reads and what the clocks of two Lambda environments differ by.
const RECENT: SignedDuration = SignedDuration::from_secs(10);

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The resource's mode; none where it is gone.
    pub mode: Option<Mode>,
    /// The records that were written.
    pub records: Vec<Record>,
    /// What is to be looked at next because of what was seen.
    pub follows: Vec<ReconcileRequest>,
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

/// Looks at one resource and puts right what is to be put right.
///
/// # Errors
/// See [`ReconcileError`]; whatever was begun is in the ledger, and the next run for the resource resumes it.
pub async fn reconcile<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    request: &ReconcileRequest,
) -> Result<Report, ReconcileError> {
    let mut run = Run { guard, world, settings, request, began: world.now(), counted: BTreeSet::new() };
    let mut written = Vec::new();
    let done = until_it_fits(world, async || run.pass(&mut written).await).await?;
    let (mode, follows) = done.ok_or_else(|| ReconcileError::Busy(request.resource.clone()))?;
    Ok(Report { mode, records: written, follows })
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
    began: Timestamp,
    /// The surfaces that it has begun to put right, which are counted against the account's cap.
    counted: BTreeSet<Surface>,
}

impl<G: Guard, W: World + Fetch<G>> Run<'_, G, W> {
    async fn pass(&mut self, written: &mut Vec<Record>) -> Result<Pass<Looked>, ReconcileError> {
        let resource = &self.request.resource;
        let now = self.world.now();
        let (facts, history) = future::try_join(self.fetch(), self.world.history(resource, now)).await?;
        let Some(mut facts) = facts else { return self.gone(history, now, written).await };
        let mut history = history;
        history.counted.clone_from(&self.counted);
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
        match decision.hold {
            Some(Hold::Lease(_)) => return Ok(Pass::Again(None)),
            Some(Hold::Pause(until)) => return Ok(Pass::Again(Some(until.duration_since(now)))),
            None => {}
        }
        let (mode, more) = (decision.mode, decision.more);
        let is_damaged = history.head.damage.is_some() || history.surfaces.values().any(SurfaceState::is_to_be_mended);
        // Nobody's head is mended: of what was never opted in nothing is known.
        let is_mended = is_damaged && !decision.head.guards.is_empty();
        if !is_mended && decision.drafts.is_empty() && decision.states.is_empty() && decision.head == history.head {
            return Ok(Pass::Done((Some(mode), self.follows(&facts))));
        }
        let follows = self.follows(&facts);

        history.head = decision.head;
        let entry = Entry {
            drafts: decision.drafts,
            surfaces: decision.states.into_iter().collect(),
            counted: (decision.counted > 0).then_some((decision.counted, self.settings.cap)),
            known: decision.known,
            ..Entry::default()
        };
        Ok(match (self.write(history, entry, now, decision.remediations, Some(facts), written).await?, more) {
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
        self.guard.follows(self.request, facts, self.settings)
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
        match self.write(history, entry, now, remediations, None, written).await? {
            Written::Conflict => Ok(Pass::Again(None)),
            Written::Overtaken => Ok(Pass::Again(Some(SignedDuration::ZERO))),
            Written::Done if more => Ok(Pass::More),
            Written::Done => Ok(Pass::Done((None, Vec::new()))),
        }
    }

    /// Commits `entry`, announces its records, makes the changes and records how they ended. `facts` are those that
    /// were decided on; none where the resource is gone.
    async fn write(
        &mut self,
        mut history: History,
        entry: Entry,
        now: Timestamp,
        remediations: Vec<Remediation>,
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
        let (announced, outcome) =
            future::join(world.announce(&records), self.carry_out_all(remediations, facts, history, written)).await;
        let again = outcome?;
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
        let mut unfinished = None;
        for (remediation, lock) in remediations {
            let Remediation { surface, intent, changes, revision, .. } = &remediation;
            let carried = carry_out(self.world, &self.request.resource, intent, changes, revision.clone(), Some(lock));
            match Box::pin(carried).await {
                Ok(ending) => {
                    again |= ending.is_decided_again(intent);
                    if let (Ending::Done, Some(facts)) = (&ending, &mut facts) {
                        let content = intent.plan.after().clone();
                        facts.surfaces.insert(surface.clone(), SurfaceSnapshot { content, revision: None });
                    }
                    endings.push((remediation, ending));
                }
                // Its intent stays open: delivered again, the event resumes it.
                Err(error) => unfinished = Some(error),
            }
        }
        let records = self.record_outcomes(&endings, facts.as_ref(), history).await?;
        written.extend(records.iter().cloned());
        self.world.announce(&records).await.map_err(ReconcileError::NotAnnounced)?;
        match unfinished {
            Some(error) => Err(error.into()),
            None => Ok(again),
        }
    }

    async fn record_outcomes(
        &self,
        endings: &[(Remediation, Ending)],
        facts: Option<&Facts<G::Context>>,
        mut history: History,
    ) -> Result<Vec<Record>, ReconcileError> {
        let Run { guard, world, settings, request, began, counted: _ } = self;
        let judged = facts.map(|facts| guard.judge_all(facts, settings)).unwrap_or_default();
        let outcomes = |history: &History, now: Timestamp| {
            let mut entry = Entry::default();
            for (remediation, ending) in endings {
                let state = history.surfaces.get(&remediation.surface).cloned().unwrap_or_default();
                // Another run took this over after the lease ended: its outcome is the other's to record.
                if state.intent.as_ref() != Some(&remediation.intent) {
                    continue;
                }
                let judgement = judged.get(&remediation.surface);
                let mut template = Draft::new(Step::Failed);
                template.guard = Some(G::KIND);
                template.mode = Some(Mode::Enforce);
                let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
                let opt_in = facts.map(|facts| facts.scope.opt_in(G::KIND, today));
                let clear = judgement.zip(facts).zip(opt_in.as_ref()).and_then(|((judgement, facts), opt_in)| {
                    let by_content = guard.is_judged_by_content(facts, &remediation.surface);
                    let_pass(judgement, remediation.intent.plan.after(), by_content, &state, opt_in, settings)
                });
                template.owner = opt_in.and_then(|opt_in| opt_in.owner);
                template.duration_ms = u64::try_from(now.duration_since(*began).as_millis()).ok();
                template.note = remediation.resumed.then(|| "resumed after an earlier run was cut off".to_owned());
                let (outcome, state) = conclude(&remediation.intent, ending, &state, clear, &template, now);
                entry.drafts.extend(outcome);
                entry.known.extend(learnt(&remediation.intent, ending));
                entry.surfaces.push((remediation.surface.clone(), state));
            }
            (!entry.drafts.is_empty()).then_some(entry)
        };
        let (resource, cause) = (&request.resource, &request.cause);
        let records = commit_until_it_fits(*world, resource, cause, &mut history, outcomes).await?;
        records.ok_or_else(|| ReconcileError::Busy(resource.clone()))
    }
}
