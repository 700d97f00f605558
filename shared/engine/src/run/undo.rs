//! Undo: a first-class change, made by a person through the operator role.

use crate::{
    call_error::CallError,
    decide::{
        outcome::Ending,
        report::{noted, worst},
    },
    ledger::{
        record::{Draft, Record, RecordId, Step},
        state::{Acceptance, Intent, Purpose},
    },
    model::{
        cloudtrail::Cause,
        content::{Content, Diff},
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::fingerprint::Fingerprint,
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
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_finding::{Finding, Severity};
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
    /// What would come back is not what was taken away.
    #[error("what would come back on {surface} is not what was taken away: {}", what.join("; "))]
    Different {
        /// The surface.
        surface: Surface,
        /// What is not as it was, each in a sentence.
        what: Vec<String>,
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

/// What an undo would really do: what a call brings back by its name may say something else by now.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// The calls, and what the surface will hold.
    pub plan: Plan,
    /// What stands behind what the surface will hold, where that is only a name.
    pub behind: Option<Fingerprint>,
    /// Where it is not what was taken away.
    pub differences: Vec<Difference>,
}

/// Something that comes back otherwise than it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What is not as it was, in words.
    pub what: String,
    /// What it said when it was taken away, if the record has that.
    pub then: Option<Content>,
    /// What it says now.
    pub now: Content,
}

impl Foreseen {
    /// By what it is recognised that nothing has changed since it was shown.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&json!([self.plan.after().fingerprint(), self.behind]))
    }

    fn refusal(&self) -> UndoRefusal {
        let what = self.differences.iter().map(|difference| difference.what.clone()).collect();
        UndoRefusal::Different { surface: self.plan.surface().clone(), what }
    }
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
    /// What the guard says today of the content that comes back, as the operator was shown it.
    pub findings: Vec<Finding>,
    /// Where the operator wants back also what is not what was taken away: what they were shown of it
    /// ([`Foreseen::fingerprint`]).
    pub although: Option<Fingerprint>,
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

    /// What would really be done, with what the calls bring back as it is now.
    ///
    /// # Errors
    /// The record is not one that can be undone, or [`UndoRefusal::Call`].
    pub async fn foresee<W: World>(&self, world: &W) -> Result<Foreseen, UndoRefusal> {
        let plan = self.plan()?;
        let mut foreseen = Foreseen { plan: plan.clone(), behind: None, differences: Vec::new() };
        for change in plan.changes() {
            let Some(now) = world.behind(change.call()).await? else { continue };
            if let Call::AttachRolePolicy { policy, .. } | Call::PutRolePermissionsBoundary { policy, .. } =
                change.call()
            {
                let then = plan.after().policy_document();
                if now != then {
                    let what = match now.is_absent() {
                        true => format!("the policy {} is gone", policy.name()),
                        false => format!("the policy {} does not say any more what it said", policy.name()),
                    };
                    foreseen.plan = foreseen.plan.saying(policy, &now);
                    foreseen.differences.push(Difference { what, then: Some(then), now });
                }
            } else if let Call::UpdateFunctionRole { role, said, .. } = change.call() {
                let fingerprint = now.fingerprint();
                foreseen.behind = Some(fingerprint);
                let what = match said {
                    _ if now.is_absent() => Some(format!("the role {role} is gone")),
                    Some(said) if *said == fingerprint => None,
                    Some(_) => Some(format!("the role {role} does not say any more what it said")),
                    None => Some(format!("what the role {role} said then was not recorded")),
                };
                foreseen.differences.extend(what.map(|what| Difference { what, then: None, now }));
            }
        }
        Ok(self.weighed(foreseen))
    }

    /// The same, with [`Undo::findings`] against those that it was taken away for: what stands elsewhere may have made
    /// it worse.
    pub fn weighed(&self, mut foreseen: Foreseen) -> Foreseen {
        if worst(&self.findings) > worst(&self.record.entry.findings) && foreseen.differences.is_empty() {
            let found: Vec<&str> = self.findings.iter().map(|finding| finding.id.as_str()).collect();
            let what = format!("it is worse today than when it was taken away ({})", found.join(", "));
            let now = foreseen.plan.after().clone();
            foreseen.differences.push(Difference { what, then: Some(now.clone()), now });
        }
        foreseen
    }

    /// The findings that are accepted with what comes back.
    fn accepted(&self, foreseen: &Foreseen) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        // Where the document is another one, the record's findings point at nothing that comes back.
        if foreseen.plan.after() == &self.restored() {
            let news = self.record.entry.findings.iter().filter(|known| {
                !self.findings.iter().any(|finding| (finding.id, &finding.at) == (known.id, &known.at))
            });
            findings.extend(news.cloned());
        }
        findings
    }

    /// What the record says stood before.
    fn restored(&self) -> Content {
        self.record.entry.diff.as_ref().map(|diff| diff.before.clone()).unwrap_or_default()
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
        let surface = self.plan()?.surface().clone();
        if self.accept_for > LONGEST_ACCEPTANCE {
            return Err(UndoRefusal::TooLong);
        }
        let busy = || UndoRefusal::Busy(surface.clone());
        let begun = until_it_fits(world, &Patience::ENDLESS, async || self.begin(world, settings).await).await?;
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
        settings: &Settings,
    ) -> Result<Pass<(Begun<'a, W>, Vec<Change>, Option<RevisionId>)>, UndoRefusal> {
        let resource = &self.record.resource;
        let foreseen = self.foresee(world).await?;
        let plan = &foreseen.plan;
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

        if !foreseen.differences.is_empty() && self.although != Some(foreseen.fingerprint()) {
            return Err(foreseen.refusal());
        }
        let findings = self.accepted(&foreseen);
        let replaced = Undo::replaced_note(&self.replaced_since(world, plan).await?);
        let noting = replaced.map(|note| plan.clone().noting(&note));
        let plan = noting.as_ref().unwrap_or(plan);
        // What was put away after a resource that is gone had no finding.
        if !findings.is_empty() {
            let acceptance = self.acceptance(world, plan, &findings, foreseen.behind, now).await?;
            state.acceptances.retain(|other| other.findings != acceptance.findings);
            state.acceptances.push(acceptance);
        }
        let intent = Intent {
            purpose: ours,
            remediation: self.record.entry.remediation.clone().unwrap_or_else(|| self.record.id.to_string()),
            findings,
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
            severity: worst(&intent.findings),
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
        findings: &[Finding],
        behind: Option<Fingerprint>,
        now: Timestamp,
    ) -> Result<Acceptance, UndoRefusal> {
        let mut acceptance = Acceptance {
            findings: findings.iter().map(|finding| plan.after().finding_key(finding)).collect(),
            severity: worst(findings).unwrap_or(Severity::Info),
            behind,
            until: Some(now.saturating_add(self.accept_for).unwrap_or(now)),
            by: self.by.clone(),
            reason: None,
            proof: String::new(),
        };
        let message = acceptance_message(&self.record.resource, plan.surface(), &acceptance);
        acceptance.proof = world.sign(&message).await?;
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
