//! Undo: a first-class change, made by a person through the operator role.

use crate::{
    call_error::CallError,
    decide::{outcome::Ending, report::noted},
    ledger::{
        record::{Draft, Record, RecordId, Step},
        state::{Acceptance, Intent, Purpose},
    },
    model::{
        cloudtrail::Cause,
        content::Diff,
        settings::Settings,
        surface::{Resource, Surface},
    },
    plan::{Call, Change, Plan, RevisionId},
    ports::World,
    run::{
        commit::{Entry, Pass, Unwritable, WriteError, until_it_fits},
        operation::{Begun, Operation},
        patience::Patience,
        proof::acceptance_message,
    },
    secret::{
        environment::{KeptValue, KeyedHash, RetainedSecrets, VariableName},
        known_secret::{self, Known, Withdrawal},
    },
};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use warden_secret_ref::SecretName;

/// The longest time for which a finding can be accepted.
pub const LONGEST_ACCEPTANCE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Why a remediation was not taken back. Nothing was changed, except where it says so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UndoRefusal {
    /// Only what was done can be taken back.
    #[error("record {id} is `{step}`: only an `applied` or a `rotated` one can be undone")]
    NotApplied {
        /// The record that was named.
        id: RecordId,
        /// The record's step.
        step: Step,
    },
    /// The resource is gone.
    #[error("{0} is gone: there is nothing to restore it on")]
    Gone(Resource),
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
    /// The findings would be accepted for longer than is allowed.
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
        /// The record that was named.
        id: RecordId,
        /// What is wrong with it.
        problem: String,
    },
    /// A record cannot be written as JSON.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

impl From<WriteError> for UndoRefusal {
    fn from(error: WriteError) -> UndoRefusal {
        match error {
            WriteError::Call(error) => error.into(),
            WriteError::Unwritable(error) => error.into(),
        }
    }
}

/// Where a newer value of a variable is than the one that an undo brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Newer {
    /// It is in this secret.
    In(SecretName),
    /// One may be in these secrets, which cannot be read.
    MayBeIn(BTreeSet<SecretName>),
}

/// A remediation that can be taken back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// The `applied` or `rotated` record.
    pub record: Record,
    /// For how long the guards leave the restored content alone.
    pub accept_for: SignedDuration,
    /// The operator who asks for it: the session's source identity.
    pub by: String,
    /// What the records say of who asked and why.
    pub cause: Cause,
}

impl Undo {
    /// What would be done: the calls that restore the content from before.
    ///
    /// # Errors
    /// The record is not one that can be undone.
    pub fn plan(&self) -> Result<Plan, UndoRefusal> {
        let Record { id, entry, .. } = &self.record;
        if !matches!(entry.step, Step::Applied | Step::Rotated) {
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

    /// The variables that get a value back which was replaced since in the secret that Warden keeps for them, or of
    /// which nobody can tell.
    ///
    /// # Errors
    /// [`UndoRefusal::Call`].
    pub async fn replaced_since<W: World>(
        &self,
        world: &W,
        plan: &Plan,
    ) -> Result<BTreeMap<VariableName, Newer>, UndoRefusal> {
        let restored = plan.changes().iter().filter_map(|change| {
            if let Call::UpdateEnvironment(update) = change.call() { Some(&update.restore) } else { None }
        });
        let values = restored.flatten().flat_map(|stored| &stored.values);
        let values = values.filter_map(|(name, hash)| Some((name.parse::<VariableName>().ok()?, *hash)));
        let compared = values.map(async |(name, hash)| {
            let surface = Surface::Secret(name.clone());
            let now = world.snapshot(&self.record.resource, &surface).await?;
            let newer = now.and_then(|now| KeptValue::of(&now.content)).and_then(|kept| match kept.value {
                _ if !kept.unread.is_empty() => Some(Newer::MayBeIn(kept.unread)),
                Some(value) if value != hash => Some(Newer::In(kept.secret)),
                Some(_) | None => None,
            });
            Ok::<_, CallError>(newer.map(|newer| (name, newer)))
        });
        Ok(future::try_join_all(compared).await?.into_iter().flatten().collect())
    }

    /// What is to be said of [`Undo::replaced_since`], one line each.
    pub fn replaced_note(replaced: &BTreeMap<VariableName, Newer>) -> Option<String> {
        let line = |(name, newer): (&VariableName, &Newer)| match newer {
            Newer::In(secret) => format!(
                "{name} gets back the value from before the remediation, which was replaced since: the newer one stays \
                 in {secret} and is not used"
            ),
            Newer::MayBeIn(secrets) => format!(
                "{name} gets back the value from before the remediation; whether it was replaced since cannot be told, \
                 since {} cannot be read and is to be deleted",
                secrets.iter().map(SecretName::as_str).collect::<Vec<_>>().join(" and ")
            ),
        };
        let lines: Vec<String> = replaced.iter().map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
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
        let busy = || UndoRefusal::Busy(plan.surface().clone());
        let begun = until_it_fits(world, &Patience::ENDLESS, async || self.begin(world, &plan, settings).await).await?;
        let (begun, changes, revision) = begun.ok_or_else(busy)?;
        match begun.finish(&changes, revision).await?.ok_or_else(busy)? {
            (Ending::Done, records) => Ok(records),
            (ending, _) => Err(UndoRefusal::Failed(ending.why())),
        }
    }

    /// Writes down what is to be done, if it may be, and says which changes are left and the lock on the content.
    async fn begin<'a, W: World>(
        &'a self,
        world: &'a W,
        plan: &Plan,
        settings: &Settings,
    ) -> Result<Pass<(Begun<'a, W>, Vec<Change>, Option<RevisionId>)>, UndoRefusal> {
        let resource = &self.record.resource;
        let surface = plan.surface();
        let now = world.now();
        let history = world.history(resource, now).await?;
        let mut state = history.surfaces.get(surface).cloned().unwrap_or_default();
        let snapshot = world.snapshot(resource, surface).await?.ok_or_else(|| UndoRefusal::Gone(resource.clone()))?;
        if RetainedSecrets::of(&snapshot.content).is_some() && RetainedSecrets::of(plan.before()).is_none() {
            return Err(UndoRefusal::Gone(resource.clone()));
        }
        let ours = Purpose::Undo { record: self.record.id };
        let resumes = match &state.intent {
            None => false,
            Some(intent) if intent.lease <= now && intent.purpose == ours => true,
            Some(_) => return Err(UndoRefusal::Busy(surface.clone())),
        };
        if history.is_held(surface, now).is_some() {
            return Err(UndoRefusal::Busy(surface.clone()));
        }
        let changes: Vec<Change> = match plan.remaining(&snapshot.content) {
            Some(_) if !resumes && snapshot.content == *plan.after() => {
                return Err(UndoRefusal::AlreadyRestored(surface.clone()));
            }
            Some(changes) if resumes || changes.len() == plan.changes().len() => changes.to_vec(),
            Some(_) | None => {
                let diff = Diff { before: plan.before().clone(), after: snapshot.content };
                return Err(UndoRefusal::Changed { surface: surface.clone(), diff: Box::new(diff) });
            }
        };

        let replaced = Undo::replaced_note(&self.replaced_since(world, plan).await?);
        let noting = replaced.map(|note| plan.clone().noting(&note));
        let plan = noting.as_ref().unwrap_or(plan);
        // What was put away after a resource that is gone had no finding.
        if !self.record.entry.findings.is_empty() {
            let acceptance = self.acceptance(world, plan, surface, now).await?;
            state.acceptances.retain(|other| other.findings != acceptance.findings);
            state.acceptances.push(acceptance);
        }
        let intent = Intent {
            purpose: ours,
            remediation: self.record.entry.remediation.clone().unwrap_or_else(|| self.record.id.to_string()),
            findings: self.record.entry.findings.clone(),
            plan: plan.clone(),
            has_otherwise: false,
            lease: now.saturating_add(settings.lease).unwrap_or(Timestamp::MAX),
        };
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
            note: noted(Some(format!("undo of {}", self.record.id)), plan.note()),
            ..template.clone()
        });
        let known = self.withdrawn(world, plan).await?;
        let entry = Entry { drafts: planned.into_iter().collect(), known, ..Entry::default() };
        let operation = Operation { world, resource, cause: &self.cause, intent, template };
        let begun = operation.begin(history, state, entry).await?;
        Ok(begun.map_or(Pass::Again(None), |begun| Pass::Done((begun, changes, snapshot.revision))))
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
        acceptance.proof = world.sign(&acceptance_message(&self.record.resource, surface, &acceptance)).await?;
        Ok(acceptance)
    }

    /// What the remediation taught the account, as known no more.
    async fn withdrawn<W: World>(&self, world: &W, plan: &Plan) -> Result<BTreeMap<KeyedHash, Known>, UndoRefusal> {
        let withdrawals = known_secret::by_undone(plan.changes()).into_iter().map(async |(hash, known)| {
            let proof = world.sign(&Withdrawal::message(hash, &self.by)).await?;
            Ok((hash, Known { withdrawn: Some(Withdrawal { by: self.by.clone(), proof }), ..known }))
        });
        future::try_join_all(withdrawals).await.map(|withdrawn| withdrawn.into_iter().collect())
    }
}
