//! The switch: `warden pause` and `warden resume`.

use crate::{
    call_error::CallError,
    ledger::{
        chain::seal,
        record::{Draft, Record, Step},
        state::Pause,
    },
    model::{cloudtrail::Cause, surface::Resource},
    name::lambda::{AccountArn, Home},
    ports::{Commit, CommitError, World},
    run::{proof::pause_message, reconcile::ReconcileError},
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use warden_finding::Severity;

/// Stops every guard until `until` (none: until somebody resumes), at once and without a deployment.
///
/// # Errors
/// Nothing was changed.
pub async fn pause<W: World>(
    world: &W,
    home: &Home,
    until: Option<Timestamp>,
    by: &str,
    reason: Option<String>,
    cause: &Cause,
) -> Result<Record, ReconcileError> {
    let mut pause = Pause { until, by: by.to_owned(), reason, proof: String::new() };
    pause.proof = world.sign(&pause_message(home.account.as_str(), &pause)).await?;
    let until = until.map_or_else(|| "somebody resumes".to_owned(), |until| until.to_string());
    let note = match &pause.reason {
        None => format!("paused by {by} until {until}"),
        Some(reason) => format!("paused by {by} until {until}: {reason}"),
    };
    turn(world, home, pause, Step::Paused, note, cause).await
}

/// Lets the guards act again.
///
/// # Errors
/// Nothing was changed.
pub async fn resume<W: World>(world: &W, home: &Home, by: &str, cause: &Cause) -> Result<Record, ReconcileError> {
    // A pause that is over needs no proof.
    let pause = Pause { until: Some(world.now()), by: by.to_owned(), reason: None, proof: String::new() };
    turn(world, home, pause, Step::Resumed, format!("resumed by {by}"), cause).await
}

async fn turn<W: World>(
    world: &W,
    home: &Home,
    pause: Pause,
    step: Step,
    note: String,
    cause: &Cause,
) -> Result<Record, ReconcileError> {
    let resource = Resource::Account(AccountArn::of(home));
    let now = world.now();
    let history = world.history(&resource, now).await?;
    let draft = Draft { severity: Some(Severity::High), note: Some(note), ..Draft::new(step) };
    let (records, head) = seal(&resource, cause, vec![draft], &history.head, now, || world.entropy())
        .map_err(|error| ReconcileError::Unwritable { resource: resource.clone(), message: error.to_string() })?;
    let commit = Commit {
        resource: resource.clone(),
        head,
        records,
        surfaces: Vec::new(),
        counted: None,
        pause: Some(pause),
        known: BTreeMap::new(),
        now,
    };
    match world.commit(&commit).await {
        Ok(()) => {}
        Err(CommitError::Conflict) => return Err(ReconcileError::Busy(resource)),
        Err(CommitError::Failed(error)) => return Err(error.into()),
    }
    world.announce(&commit.records).await.map_err(ReconcileError::NotAnnounced)?;
    let record = commit.records.into_iter().next();
    record.ok_or_else(|| {
        let message = "nothing was sealed".to_owned();
        ReconcileError::Call(CallError {
            kind: crate::call_error::ErrorKind::Bug,
            operation: "pause",
            target: resource.to_string(),
            message,
        })
    })
}
