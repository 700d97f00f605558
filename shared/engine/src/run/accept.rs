//! `warden accept`: an operator lets findings be that a guard reports, for good or until a time, and takes that back.

use crate::{
    call_error::CallError,
    decide::{fits, report::worst},
    ledger::{
        record::{Draft, Record, RecordId, Step},
        state::{Acceptance, SurfaceState},
    },
    model::{
        cloudtrail::Cause,
        content::{Content, Diff, FindingKey},
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::fingerprint::Fingerprint,
    ports::World,
    run::{
        commit::{Entry, Pass, Unwritable, WriteError, commit, until_it_fits},
        patience::Patience,
        proof::acceptance_message,
    },
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use warden_finding::{Finding, Severity};

/// Why nothing was accepted, or taken back. Nothing was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AcceptRefusal {
    /// The resource is gone.
    #[error("{0} is gone")]
    Gone(Resource),
    /// No guard has ever looked at the surface.
    #[error("no guard has looked at {0} yet, so there is nothing to accept")]
    Unknown(Surface),
    /// The content is not what the operator was shown.
    #[error("{0} was changed since it was shown: look at it again")]
    Changed(Surface),
    /// A remediation of the surface is under way, or others write all the time.
    #[error("another run works on {0}: try again in a minute")]
    Busy(Surface),
    /// There is no such acceptance in force.
    #[error(
        "what record {0} accepted is not accepted any more: it has changed, its time is over, or it was taken back"
    )]
    NotInForce(RecordId),
    /// The record cannot be used.
    #[error("record {0} accepts nothing")]
    NoAcceptance(RecordId),
    /// AWS did not do what was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A record cannot be written as JSON.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

impl From<WriteError> for AcceptRefusal {
    fn from(error: WriteError) -> AcceptRefusal {
        match error {
            WriteError::Call(error) => error.into(),
            WriteError::Unwritable(error) => error.into(),
        }
    }
}

/// What an operator accepts: findings as they were shown.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The resource.
    pub resource: Resource,
    /// The surface that the findings are on.
    pub surface: Surface,
    /// The guard whose findings they are.
    pub guard: GuardKind,
    /// The resource's owner.
    pub owner: Option<String>,
    /// What the surface held when the operator was shown it.
    pub content: Content,
    /// What stood behind it ([`crate::guard::Guard::behind`]).
    pub behind: Option<Fingerprint>,
    /// The findings.
    pub findings: Vec<Finding>,
    /// Until when; none is until they change.
    pub until: Option<Timestamp>,
    /// The operator: the session's source identity.
    pub by: String,
    /// The reason that they give.
    pub reason: Option<String>,
    /// What the record says of who asked.
    pub cause: Cause,
}

impl Accept {
    /// Writes the acceptance and its record, if the surface still holds what was shown.
    ///
    /// # Errors
    /// See [`AcceptRefusal`].
    pub async fn carry_out<W: World>(&self, world: &W) -> Result<Vec<Record>, AcceptRefusal> {
        let mut acceptance = Acceptance {
            findings: self.findings.iter().map(|finding| self.content.finding_key(finding)).collect(),
            severity: worst(&self.findings).unwrap_or(Severity::Info),
            behind: self.behind,
            until: self.until,
            by: self.by.clone(),
            reason: self.reason.clone(),
            proof: String::new(),
        };
        acceptance.proof = world.sign(&acceptance_message(&self.resource, &self.surface, &acceptance)).await?;
        let decided = format!("left alone {}; decided by {}", acceptance.how_long(), acceptance.by);
        let note = match &acceptance.reason {
            None => decided,
            Some(reason) => format!("{decided}: {reason}"),
        };
        let here = fits(&self.content).then(|| Diff { before: self.content.clone(), after: self.content.clone() });
        let draft = Draft {
            guard: Some(self.guard),
            surface: Some(self.surface.clone()),
            severity: worst(&self.findings),
            findings: self.findings.clone(),
            owner: self.owner.clone(),
            note: Some(note),
            diff: here,
            ..Draft::new(Step::Accepted)
        };
        let change = |state: &mut SurfaceState| {
            state.acceptances.retain(|other| other.findings != acceptance.findings);
            state.acceptances.push(acceptance.clone());
            true
        };
        let at = (&self.resource, &self.surface);
        let records = write(world, at, Some(&self.content), &self.cause, draft, change).await?;
        records.ok_or_else(|| AcceptRefusal::Unknown(self.surface.clone()))
    }
}

/// Takes back what an `accepted` record says, so that the guards act on it again.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// The `accepted` record.
    pub record: Record,
    /// The operator: the session's source identity.
    pub by: String,
    /// The reason that they give.
    pub reason: Option<String>,
    /// What the record says of who asked.
    pub cause: Cause,
}

impl Withdraw {
    /// Writes that it is taken back.
    ///
    /// # Errors
    /// See [`AcceptRefusal`].
    pub async fn carry_out<W: World>(&self, world: &W) -> Result<Vec<Record>, AcceptRefusal> {
        let Record { id, resource, entry, .. } = &self.record;
        let (Step::Accepted, Some(surface)) = (entry.step, &entry.surface) else {
            return Err(AcceptRefusal::NoAcceptance(*id));
        };
        let keys = accepted_by(&self.record).ok_or(AcceptRefusal::NoAcceptance(*id))?;
        let decided = format!("taken back by {}", self.by);
        let note = match &self.reason {
            None => decided,
            Some(reason) => format!("{decided}: {reason}"),
        };
        let draft = Draft { step: Step::Withdrawn, undoes: Some(*id), note: Some(note), ..entry.clone() };
        let change = |state: &mut SurfaceState| {
            let before = state.acceptances.len();
            state.acceptances.retain(|acceptance| acceptance.findings != keys);
            state.acceptances.len() < before
        };
        let records = write(world, (resource, surface), None, &self.cause, draft, change).await?;
        records.ok_or(AcceptRefusal::NotInForce(*id))
    }
}

/// What an `accepted` record's acceptance is known by.
pub(crate) fn accepted_by(record: &Record) -> Option<BTreeSet<FindingKey>> {
    let diff = record.entry.diff.as_ref()?;
    Some(record.entry.findings.iter().map(|finding| diff.after.finding_key(finding)).collect())
}

/// Changes the state of a surface and writes a record of it. None where there is no state, or nothing to change.
async fn write<W: World>(
    world: &W,
    (resource, surface): (&Resource, &Surface),
    expected: Option<&Content>,
    cause: &Cause,
    draft: Draft,
    change: impl Fn(&mut SurfaceState) -> bool,
) -> Result<Option<Vec<Record>>, AcceptRefusal> {
    let pass = async || {
        let now = world.now();
        let mut history = world.history(resource, now).await?;
        if let Some(expected) = expected {
            let snapshot = world.snapshot(resource, surface).await?;
            let snapshot = snapshot.ok_or_else(|| AcceptRefusal::Gone(resource.clone()))?;
            if snapshot.content != *expected {
                return Err(AcceptRefusal::Changed(surface.clone()));
            }
        }
        let Some(mut state) = history.surfaces.get(surface).cloned() else { return Ok(Pass::Done(None)) };
        if state.intent.is_some() {
            return Err(AcceptRefusal::Busy(surface.clone()));
        }
        if !change(&mut state) {
            return Ok(Pass::Done(None));
        }
        let mode = draft.guard.and_then(|guard| history.head.guards.get(&guard)).map(|known| known.mode);
        let drafts = vec![Draft { mode, ..draft.clone() }];
        let entry = Entry { drafts, surfaces: vec![(surface.clone(), state)], ..Entry::default() };
        let records = commit(world, resource, cause, &mut history, entry, now).await?;
        Ok(records.map_or(Pass::Again(None), |records| Pass::Done(Some(records))))
    };
    let done =
        until_it_fits(world, &Patience::ENDLESS, pass).await?.ok_or_else(|| AcceptRefusal::Busy(surface.clone()))?;
    if let Some(records) = &done
        && let Err(error) = world.announce(records).await
    {
        tracing::warn!(%error, "the ledger has the records, but their events were not sent");
    }
    Ok(done)
}
