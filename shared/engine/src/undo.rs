//! Undo: a first-class change, made by a person through the operator role.

use crate::{
    call_error::CallError,
    decide::{Ending, conclude, learnt},
    environment::{KeyedHash, Remains},
    known::{self, Known, Withdrawal},
    plan::{Change, Plan},
    ports::{Commit, CommitError, World},
    proof::acceptance_message,
    reconcile::{Carried, LOOKS, carry_out, jittered},
    record::{Diff, Draft, Record, RecordId, Step, seal},
    settings::Settings,
    state::{Acceptance, Head, Intent, Purpose, SurfaceState},
    surface::{Subject, Surface},
    trigger::Cause,
};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The longest time for which a finding can be accepted.
pub const LONGEST_ACCEPTANCE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Why a remediation was not taken back. Nothing was changed, except where it says so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UndoRefusal {
    /// Only what was applied can be taken back.
    #[error("record {id} is `{step}`: only an `applied` one can be undone")]
    NotApplied {
        /// The record.
        id: RecordId,
        /// Its step.
        step: Step,
    },
    /// The subject is gone.
    #[error("{0} is gone: there is nothing to restore it on")]
    Gone(Subject),
    /// Somebody else has changed the surface since.
    #[error("{surface} is not what Warden left: somebody has changed it since, and an undo would overwrite that")]
    Changed {
        /// The surface.
        surface: Surface,
        /// What Warden left, and what is there now.
        diff: Box<Diff>,
    },
    /// It was undone before, or restored by hand.
    #[error("{0} already holds what it held before the remediation")]
    AlreadyRestored(Surface),
    /// A remediation of the same surface is under way.
    #[error("another run works on {0}: try again in a minute")]
    Busy(Surface),
    /// Acceptances end.
    #[error("a finding can be accepted for 90 days at most")]
    TooLong,
    /// AWS did not do what was asked. An intent that was recorded stays open; the same command resumes it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// AWS refused the change; that is recorded.
    #[error("not undone: {0}")]
    Failed(String),
    /// The record cannot be used.
    #[error("record {id} cannot be used: {problem}")]
    Unusable {
        /// The record.
        id: RecordId,
        /// What is wrong with it.
        problem: String,
    },
}

/// A remediation that can be taken back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// The `applied` record.
    pub record: Record,
    /// For how long the guards leave the restored content alone.
    pub accept_for: SignedDuration,
    /// Who wants it: the session's source identity.
    pub by: String,
    /// What stands in the records.
    pub cause: Cause,
}

impl Undo {
    /// What would be done: the calls that restore the content from before.
    ///
    /// # Errors
    /// The record is not one that can be undone.
    pub fn plan(&self) -> Result<Plan, UndoRefusal> {
        let Record { id, entry, .. } = &self.record;
        if entry.step != Step::Applied {
            return Err(UndoRefusal::NotApplied { id: *id, step: entry.step });
        }
        match (&entry.surface, &entry.diff) {
            (Some(surface), Some(diff)) => {
                Ok(Plan::recorded(surface.clone(), diff.clone(), entry.changes.clone()).reversed())
            }
            (None, _) | (_, None) => {
                Err(UndoRefusal::Unusable { id: *id, problem: "it names no surface or no content".into() })
            }
        }
    }

    /// Restores the content from before exactly, if the surface holds what Warden left, and accepts it.
    ///
    /// # Errors
    /// See [`UndoRefusal`].
    pub async fn carry_out<W: World>(&self, world: &W, settings: &Settings) -> Result<Vec<Record>, UndoRefusal> {
        let plan = self.plan()?;
        if self.accept_for > LONGEST_ACCEPTANCE {
            return Err(UndoRefusal::TooLong);
        }
        let subject = &self.record.subject;
        let surface = plan.surface().clone();
        let now = world.now();
        let history = world.history(subject, now).await?;
        let mut state = history.surfaces.get(&surface).cloned().unwrap_or_default();
        let sighting = world.sight(subject, &surface).await?.ok_or_else(|| UndoRefusal::Gone(subject.clone()))?;
        if Remains::of(&sighting.content).is_some() && Remains::of(plan.before()).is_none() {
            return Err(UndoRefusal::Gone(subject.clone()));
        }
        let ours = Purpose::Undo { record: self.record.id };
        let resumes = match &state.intent {
            None => false,
            Some(intent) if intent.lease <= now && intent.purpose == ours => true,
            Some(_) => return Err(UndoRefusal::Busy(surface)),
        };
        let changes: Vec<Change> = match plan.remaining(&sighting.content) {
            Some(_) if !resumes && sighting.content == *plan.after() => {
                return Err(UndoRefusal::AlreadyRestored(surface));
            }
            Some(changes) if resumes || changes.len() == plan.changes().len() => changes.to_vec(),
            Some(_) | None => {
                let diff = Diff { before: plan.before().clone(), after: sighting.content };
                return Err(UndoRefusal::Changed { surface, diff: Box::new(diff) });
            }
        };

        // What was put away after a subject that is gone had no finding.
        if !self.record.entry.findings.is_empty() {
            let acceptance = self.acceptance(world, &plan, &surface, now).await?;
            state.acceptances.retain(|other| other.findings != acceptance.findings);
            state.acceptances.push(acceptance);
        }
        let intent = Intent {
            purpose: ours,
            remediation: self.record.entry.remediation.clone().unwrap_or_else(|| self.record.id.to_string()),
            findings: self.record.entry.findings.clone(),
            plan: plan.clone(),
            lease: now.saturating_add(settings.lease).unwrap_or(Timestamp::MAX),
        };
        state.intent = Some(intent.clone());
        let mut template = Draft::new(Step::Planned);
        template.guard = self.record.entry.guard;
        template.owner = self.record.entry.owner.clone();
        // Resumed: it was announced already.
        let planned = (!resumes).then(|| Draft {
            surface: Some(surface.clone()),
            findings: intent.findings.clone(),
            severity: self.record.entry.severity,
            remediation: Some(intent.remediation.clone()),
            undoes: Some(self.record.id),
            diff: Some(Diff { before: plan.before().clone(), after: plan.after().clone() }),
            changes: plan.changes().to_vec(),
            note: Some(format!("undo of {}", self.record.id)),
            ..template.clone()
        });
        let mut records = Vec::new();
        let mut head = history.head;
        let planned = planned.into_iter().collect();
        let known = self.withdrawn(world, &plan).await?;
        if !self.commit(world, &mut head, &mut state, (planned, known), &surface, &mut records).await? {
            return Err(UndoRefusal::Busy(surface));
        }

        let ending = match carry_out(world, subject, &surface, &changes, sighting.revision, None).await? {
            Carried::Done => Ending::Done,
            Carried::Failed(why) => Ending::Failed(why),
            Carried::Public(why) => Ending::Public(why),
            Carried::Overtaken => Ending::Failed("somebody changed the content in the meantime".into()),
        };
        for attempt in 0.. {
            // A guard has recorded the outcome after the lease ended.
            if state.intent.as_ref() != Some(&intent) {
                break;
            }
            let (outcome, mut concluded) = conclude(&intent, &ending, &state, false, &template, world.now());
            let outcome = (outcome, learnt(&intent, &ending));
            if self.commit(world, &mut head, &mut concluded, outcome, &surface, &mut records).await? {
                break;
            }
            if attempt == LOOKS {
                return Err(UndoRefusal::Busy(surface));
            }
            // Another surface of the subject was written in between.
            world.sleep(jittered(world, attempt)).await;
            let history = world.history(subject, world.now()).await?;
            head = history.head;
            state = history.surfaces.get(&surface).cloned().unwrap_or_default();
        }
        if let Err(error) = world.announce(&records).await {
            tracing::warn!(%error, "the ledger has the records, but their events were not sent");
        }
        match ending {
            Ending::Done => Ok(records),
            Ending::Failed(why) | Ending::Public(why) => Err(UndoRefusal::Failed(why)),
        }
    }

    async fn acceptance<W: World>(
        &self,
        world: &W,
        plan: &Plan,
        surface: &Surface,
        now: Timestamp,
    ) -> Result<Acceptance, UndoRefusal> {
        let findings = self.record.entry.findings.iter().map(|finding| plan.after().finding_key(finding)).collect();
        let mut acceptance = Acceptance {
            findings,
            until: now.saturating_add(self.accept_for).unwrap_or(now),
            by: self.by.clone(),
            proof: String::new(),
        };
        acceptance.proof = world.vouch(&acceptance_message(&self.record.subject, surface, &acceptance)).await?;
        Ok(acceptance)
    }

    /// What the remediation taught the account, as known no more.
    async fn withdrawn<W: World>(&self, world: &W, plan: &Plan) -> Result<BTreeMap<KeyedHash, Known>, UndoRefusal> {
        let withdrawals = known::by_undone(plan.changes()).into_iter().map(async |(hash, known)| {
            let proof = world.vouch(&Withdrawal::message(hash, &self.by)).await?;
            Ok((hash, Known { withdrawn: Some(Withdrawal { by: self.by.clone(), proof }), ..known }))
        });
        future::try_join_all(withdrawals).await.map(|withdrawn| withdrawn.into_iter().collect())
    }

    /// Commits, and moves the versions on. Returns false where somebody else wrote in between.
    async fn commit<W: World>(
        &self,
        world: &W,
        head: &mut Head,
        state: &mut SurfaceState,
        (drafts, known): (Vec<Draft>, BTreeMap<KeyedHash, Known>),
        surface: &Surface,
        written: &mut Vec<Record>,
    ) -> Result<bool, UndoRefusal> {
        let subject = &self.record.subject;
        let now = world.now();
        let (records, sealed) = seal(subject, &self.cause, drafts, head, now, || world.entropy())
            .map_err(|error| UndoRefusal::Unusable { id: self.record.id, problem: error.to_string() })?;
        let commit = Commit {
            subject: subject.clone(),
            head: sealed,
            records,
            surfaces: vec![(surface.clone(), state.clone())],
            counted: None,
            pause: None,
            known,
            now,
        };
        match world.commit(&commit).await {
            Ok(()) => {
                *head = commit.head;
                head.version += 1;
                state.version += 1;
                written.extend(commit.records);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Failed(error)) => Err(error.into()),
        }
    }
}
