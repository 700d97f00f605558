//! The switch: `warden pause` and `warden resume`.

use crate::{
    call_error::CallError,
    ledger::{
        record::{Draft, Record, Step},
        state::{History, Pause},
    },
    model::{cloudtrail::Cause, surface::Resource},
    name::lambda::{AccountArn, Home},
    ports::World,
    run::{
        commit::{Entry, commit_until_it_fits},
        patience::Patience,
        proof::pause_message,
        reconcile::ReconcileError,
    },
};
use jiff::Timestamp;
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
    let mut history = world.history(&resource, world.now()).await?;
    let turned = |_: &History, _| {
        let draft = Draft { severity: Some(Severity::High), note: Some(note.clone()), ..Draft::new(step) };
        Some(Entry { drafts: vec![draft], pause: Some(pause.clone()), ..Entry::default() })
    };
    let records = commit_until_it_fits(world, &Patience::ENDLESS, &resource, cause, &mut history, turned).await?;
    let records = records.ok_or_else(|| ReconcileError::Busy(resource.clone()))?;
    world.announce(&records).await.map_err(ReconcileError::NotAnnounced)?;
    records.into_iter().next().ok_or_else(|| {
        let message = "nothing was sealed".to_owned();
        ReconcileError::Call(CallError {
            kind: crate::call_error::ErrorKind::Bug,
            operation: "pause",
            target: resource.to_string(),
            message,
        })
    })
}
