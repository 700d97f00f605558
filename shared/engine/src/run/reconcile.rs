//! The one loop: fetch, decide, record the intent, apply, record the outcome. A CloudTrail event, a tag and `warden
//! apply` all enter here.

use crate::{
    call_error::CallError,
    decide::{
        Hold, compliant, decide,
        gone::{Gone, cleanup, gone},
        intent::Remediation,
        outcome::{Ending, conclude, learnt},
    },
    guard::{Facts, Fetch, Guard, ReconcileRequest, SurfaceSnapshot},
    ledger::{
        chain::seal,
        record::{Draft, Record, Step},
        state::{Head, History, SurfaceState},
    },
    model::{
        settings::Settings,
        surface::{Resource, Surface},
        tags::Mode,
    },
    name::fingerprint::Fingerprint,
    plan::RevisionId,
    ports::{Commit, CommitError, World},
    run::{
        carry_out::{Carried, carry_out, jittered},
        proof::strike_forged,
    },
};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How often a run looks again, after a conflict or while another run holds a surface.
pub(crate) const MAX_PASSES: u32 = 12;
/// How many commits a run makes for one resource with many surfaces: a stop that no function of AWS reaches.
const COMMITS: u32 = 200;
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
    /// A record could not be serialised.
    #[error("a record of {resource} could not be written as JSON: {message}")]
    Unwritable {
        /// The resource whose record it is.
        resource: Resource,
        /// What serde says.
        message: String,
    },
    /// Everything was done and recorded, but the event that says so could not be sent.
    #[error("everything is done and in the ledger, but the audit event was not sent: {0}")]
    NotAnnounced(CallError),
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
    let mut run = Run { guard, world, settings, request, began: world.now(), refused: Vec::new() };
    let mut written = Vec::new();
    let (mut attempt, mut commits) = (0, 0);
    while attempt < MAX_PASSES && commits < COMMITS {
        match run.pass(&mut written).await? {
            Pass::Done { mode, follows } => return Ok(Report { mode, records: written, follows }),
            Pass::More => commits += 1,
            Pass::Again(wait) => {
                tracing::debug!(resource = %request.resource, attempt, ?wait, "looking again");
                world.sleep(wait.unwrap_or_else(|| jittered(world, attempt))).await;
                attempt += 1;
            }
        }
    }
    Err(ReconcileError::Busy(request.resource.clone()))
}

enum Pass {
    Done {
        mode: Option<Mode>,
        follows: Vec<ReconcileRequest>,
    },
    /// A part is done: look again for the rest.
    More,
    /// ReconcileRequest again, after this time or after a short one.
    Again(Option<SignedDuration>),
}

/// What came of a commit and of the changes that it announced.
enum Written {
    /// Everything is done.
    Done,
    /// Somebody wrote in between: nothing was done.
    Conflict,
    /// Somebody changed something in between: to be looked at again.
    Overtaken,
}

struct Run<'a, G, W> {
    guard: &'a G,
    world: &'a W,
    settings: &'a Settings,
    request: &'a ReconcileRequest,
    began: Timestamp,
    /// Plans that AWS refused to this run, instead of which something else is to be done. The next run tries them again:
    /// a permission may have been given back.
    refused: Vec<Fingerprint>,
}

impl<G: Guard, W: World + Fetch<G>> Run<'_, G, W> {
    async fn pass(&mut self, written: &mut Vec<Record>) -> Result<Pass, ReconcileError> {
        let resource = &self.request.resource;
        let now = self.world.now();
        let (facts, history) = future::try_join(self.fetch(), self.world.history(resource, now)).await?;
        let Some(mut facts) = facts else { return self.gone(history, now, written).await };
        let mut history = history;
        history.refused.clone_from(&self.refused);
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
        if decision.drafts.is_empty() && decision.states.is_empty() && decision.head == history.head {
            return Ok(Pass::Done { mode: Some(mode), follows: self.follows(&facts) });
        }
        let follows = self.follows(&facts);

        let (records, head) = self.seal(std::mem::take(&mut decision.drafts), &decision.head, now)?;
        let commit = Commit {
            resource: resource.clone(),
            head,
            records,
            surfaces: decision.states.iter().map(|(surface, state)| (surface.clone(), state.clone())).collect(),
            counted: (decision.counted > 0).then_some((decision.counted, self.settings.cap)),
            pause: None,
            known: std::mem::take(&mut decision.known),
            now,
        };
        Ok(match (self.write(commit, decision.remediations, Some(facts), written).await?, more) {
            (Written::Conflict, _) => Pass::Again(None),
            (Written::Overtaken, _) => Pass::Again(Some(SignedDuration::ZERO)),
            (Written::Done, true) => Pass::More,
            (Written::Done, false) => Pass::Done { mode: Some(mode), follows },
        })
    }

    async fn fetch(&self) -> Result<Option<Facts<G::Context>>, CallError> {
        self.world.fetch(self.guard, self.request, self.settings).await
    }

    async fn fetch_more(&self, facts: &mut Facts<G::Context>, history: &History) -> Result<(), CallError> {
        self.world.fetch_more(self.guard, self.request, facts, history, self.settings).await?;
        self.guard.add_history(self.request, facts, history);
        Ok(())
    }

    fn follows(&self, facts: &Facts<G::Context>) -> Vec<ReconcileRequest> {
        self.guard.follows(self.request, facts, self.settings)
    }

    /// With a resource that is gone there is nothing to put right: only to say how what was begun on it ended, and to
    /// put away what Warden keeps for it.
    async fn gone(
        &mut self,
        mut history: History,
        now: Timestamp,
        written: &mut Vec<Record>,
    ) -> Result<Pass, ReconcileError> {
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
            return Ok(Pass::Done { mode: None, follows: Vec::new() });
        }
        let more = remediations.is_empty();
        let (records, head) = self.seal(drafts, &history.head, now)?;
        let commit =
            Commit { resource: resource.clone(), head, records, surfaces, counted: None, pause: None, known, now };
        match self.write(commit, remediations, None, written).await? {
            Written::Conflict => Ok(Pass::Again(None)),
            Written::Overtaken => Ok(Pass::Again(Some(SignedDuration::ZERO))),
            Written::Done if more => Ok(Pass::More),
            Written::Done => Ok(Pass::Done { mode: None, follows: Vec::new() }),
        }
    }

    /// Writes a commit, tells of its records, makes the changes that it announces and records how they ended. `facts`
    /// are those that were decided on; none where the resource is gone.
    async fn write(
        &mut self,
        commit: Commit,
        remediations: Vec<Remediation>,
        facts: Option<Facts<G::Context>>,
        written: &mut Vec<Record>,
    ) -> Result<Written, ReconcileError> {
        // The locks are asked for beside the commit: an API that has its own costs no round trip in sequence.
        let locks = remediations.iter().map(async |remediation| match remediation.changes.first() {
            Some(change) => self.world.lock(change, remediation.revision.as_ref()).await,
            None => Ok(None),
        });
        let (committed, locks) = future::join(self.world.commit(&commit), future::join_all(locks)).await;
        match committed {
            Ok(()) => {}
            Err(CommitError::Conflict) => return Ok(Written::Conflict),
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
        written.extend(commit.records.iter().cloned());
        let remediations = remediations.into_iter().zip(locks).collect();
        let (announced, outcome) = future::join(
            self.world.announce(&commit.records),
            self.carry_out_all(remediations, facts, commit.head, written),
        )
        .await;
        let again = outcome?;
        announced.map_err(ReconcileError::NotAnnounced)?;
        Ok(if again { Written::Overtaken } else { Written::Done })
    }

    fn seal(&self, drafts: Vec<Draft>, head: &Head, now: Timestamp) -> Result<(Vec<Record>, Head), ReconcileError> {
        let resource = &self.request.resource;
        seal(resource, &self.request.cause, drafts, head, now, || self.world.entropy())
            .map_err(|error| ReconcileError::Unwritable { resource: resource.clone(), message: error.to_string() })
    }

    /// Makes the changes one surface after another, and records how they ended. Returns whether to look again.
    async fn carry_out_all(
        &mut self,
        remediations: Vec<(Remediation, Result<Option<RevisionId>, CallError>)>,
        mut facts: Option<Facts<G::Context>>,
        head: Head,
        written: &mut Vec<Record>,
    ) -> Result<bool, ReconcileError> {
        if remediations.is_empty() {
            return Ok(false);
        }
        let mut endings = Vec::new();
        let mut again = false;
        let mut unfinished = None;
        for (remediation, lock) in remediations {
            let carried = carry_out(
                self.world,
                &self.request.resource,
                &remediation.surface,
                &remediation.changes,
                remediation.revision.clone(),
                Some(lock),
            );
            match carried.await {
                Ok(Carried::Done) => {
                    let content = remediation.intent.plan.after().clone();
                    if let Some(facts) = &mut facts {
                        facts.surfaces.insert(remediation.surface.clone(), SurfaceSnapshot { content, revision: None });
                    }
                    endings.push((remediation, Ending::Done));
                }
                Ok(Carried::Failed(why)) => endings.push((remediation, Ending::Failed(why))),
                Ok(Carried::WholeRefused(why)) => {
                    if remediation.has_otherwise {
                        again = true;
                        self.refused.push(remediation.intent.plan.fingerprint());
                    }
                    endings.push((remediation, Ending::Failed(why)));
                }
                // Decided on again, with what is left to do then.
                Ok(Carried::Public(why)) => {
                    again = true;
                    endings.push((remediation, Ending::Public(why)));
                }
                Ok(Carried::Overtaken) => {
                    again = true;
                    let why = "somebody changed the content in the meantime; it was read and decided on again";
                    endings.push((remediation, Ending::Failed(why.into())));
                }
                // Its intent stays open: delivered again, the event resumes it.
                Err(error) => unfinished = Some(error),
            }
        }
        let records = self.record_outcomes(&endings, facts.as_ref(), head).await?;
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
        mut head: Head,
    ) -> Result<Vec<Record>, ReconcileError> {
        let resource = &self.request.resource;
        // The commit that wrote the intents has moved every version on by one.
        head.version += 1;
        let mut states: Vec<SurfaceState> = endings
            .iter()
            .map(|(remediation, _)| SurfaceState {
                version: remediation.state.version + 1,
                ..remediation.state.clone()
            })
            .collect();
        for attempt in 0..MAX_PASSES {
            let now = self.world.now();
            let mut drafts = Vec::new();
            let mut surfaces = Vec::new();
            let mut known = BTreeMap::new();
            for ((remediation, ending), state) in endings.iter().zip(&states) {
                // Another run took this over after the lease ended: its outcome is the other's to record.
                if state.intent.as_ref() != Some(&remediation.intent) {
                    continue;
                }
                let judgement = facts.map(|facts| self.guard.judge(facts, &remediation.surface, self.settings));
                let compliant = judgement.is_some_and(|judgement| compliant(&judgement, self.settings));
                let mut template = Draft::new(Step::Failed);
                template.guard = Some(G::KIND);
                template.mode = Some(Mode::Enforce);
                let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
                template.owner = facts.and_then(|facts| facts.scope.opt_in(G::KIND, today).owner);
                template.duration_ms = u64::try_from(now.duration_since(self.began).as_millis()).ok();
                template.note = remediation.resumed.then(|| "resumed after an earlier run was cut off".to_owned());
                let (outcome, state) = conclude(&remediation.intent, ending, state, compliant, &template, now);
                drafts.extend(outcome);
                known.extend(learnt(&remediation.intent, ending));
                surfaces.push((remediation.surface.clone(), state));
            }
            if drafts.is_empty() {
                return Ok(Vec::new());
            }
            let (records, sealed) = self.seal(drafts, &head, now)?;
            let commit = Commit {
                resource: resource.clone(),
                head: sealed,
                records,
                surfaces,
                counted: None,
                pause: None,
                known,
                now,
            };
            match self.world.commit(&commit).await {
                Ok(()) => return Ok(commit.records),
                Err(CommitError::Failed(error)) => return Err(error.into()),
                Err(CommitError::Conflict) => {
                    self.world.sleep(jittered(self.world, attempt)).await;
                    let history = self.world.history(resource, now).await?;
                    head = history.head;
                    states = endings
                        .iter()
                        .map(|(remediation, _)| history.surfaces.get(&remediation.surface).cloned().unwrap_or_default())
                        .collect();
                }
            }
        }
        Err(ReconcileError::Busy(resource.clone()))
    }
}
