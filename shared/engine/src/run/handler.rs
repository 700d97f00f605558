//! An event's way through a guard.

use crate::{
    guard::{Fetch, Guard, ReconcileRequest},
    model::{
        cloudtrail::{CloudTrailEvent, Envelope, EventParseError},
        settings::Settings,
    },
    ports::World,
    run::{
        delay::DelayedLook,
        patience::Patience,
        reconcile::{ReconcileError, Report, look},
    },
    shown::Shown,
};
use jiff::SignedDuration;
use serde::Serialize;
use std::collections::VecDeque;

/// An event leads so far at most: from a managed policy to the roles that have it, and from those to the functions that
/// use them.
const STEPS: u8 = 2;

/// How many resources one invocation looks at, of those that an event may be about.
const MOST_AT_ONCE: usize = 200;

/// What a guard did with an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Handled {
    /// It is not about anything that this guard watches.
    NotOurs(String),
    /// Its resources were looked at.
    Looked(Vec<Report>),
}

/// A short answer for whoever invoked the guard: the steps and ids of the records that were written.
impl Serialize for Handled {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Handled::NotOurs(why) => serializer.collect_str(why),
            Handled::Looked(reports) => {
                let records = reports.iter().flat_map(|report| &report.records);
                serializer.collect_seq(records.map(|record| format!("{} {}", record.entry.step, record.id)))
            }
        }
    }
}

/// Why an event was not handled. It is to be delivered again, and kept in a queue if that does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// It does not have the form of an event.
    #[error(transparent)]
    Malformed(EventParseError),
    /// A message in the delay queue that nobody of Warden's has sent.
    #[error(
        "a message in the delay queue is not one that this guard has sealed: somebody else may write to the queue. \
         Nothing was done about it"
    )]
    Unsealed,
    /// It does not say what was changed, though it reports a change.
    #[error(
        "{0} does not say what it changed: CloudTrail leaves parameters of more than 100 KB out; look for what the actor \
         changed, and hand the event over again with its name"
    )]
    NoPlace(String),
    /// A resource's run did not come to an end.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// Looks at every resource that `event` concerns, and at what those lead to.
///
/// # Errors
/// See [`HandlerError`]. With several resources the first error is given once all were looked at.
pub async fn on_event<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    event: &Envelope,
) -> Result<Handled, HandlerError> {
    let event = match CloudTrailEvent::from_event(event, &settings.home) {
        Ok(event) => event,
        Err(malformed @ EventParseError::Malformed { .. }) => return Err(HandlerError::Malformed(malformed)),
        Err(other @ (EventParseError::FailedCall(_) | EventParseError::OtherAccount(_))) => {
            return Ok(Handled::NotOurs(other.to_string()));
        }
    };
    let mut requests = guard.requests(&event, settings);
    // Not passed over in silence: whoever pads a policy with white space would have blinded the guard.
    if requests.is_empty() && !event.says_where() {
        let anywhere = world.anywhere(guard, &event, settings).await.map_err(ReconcileError::from)?;
        requests = anywhere.ok_or_else(|| HandlerError::NoPlace(event.cause.event_name.clone()))?;
    }
    if requests.is_empty() {
        return Ok(Handled::NotOurs(format!("{} changes nothing that this guard watches", event.cause.event_name)));
    }
    let patience = Patience::of(settings.patience);
    // The others have their turns in the delay queue.
    for request in requests.split_off(requests.len().min(MOST_AT_ONCE)) {
        look_later::<G, W>(world, request).await?;
    }
    let requests = requests.into_iter().map(|request| (request, 0)).collect();
    match look_around(guard, world, settings, requests, &patience).await {
        (_, Some(error)) => Err(error.into()),
        (reports, None) => Ok(Handled::Looked(reports)),
    }
}

/// Looks at each of these resources, which are so many steps away from what a change has named, and at what those lead to.
/// The first error is given beside what the others came to.
pub(crate) async fn look_around<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    mut waiting: VecDeque<(ReconcileRequest, u8)>,
    patience: &Patience,
) -> (Vec<Report>, Option<ReconcileError>) {
    let mut reports = Vec::new();
    let mut failed = None;
    while let Some((request, steps)) = waiting.pop_front() {
        let looked = look(guard, world, settings, &request, patience, None).await;
        let told = match looked {
            Ok(mut report) => {
                let next = lead_on::<G, W>(world, &mut report, steps).await;
                tell(&report);
                reports.push(report);
                next.map(|next| waiting.extend(next))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            let said = error.to_string();
            tracing::error!(resource = %request.resource, error = %Shown::new(&said), "not brought to an end");
            failed = failed.or(Some(error));
        }
    }
    (reports, failed)
}

/// What a look leads to, each with how many steps it is away. What is left of a long list takes its turn in the delay
/// queue.
pub(crate) async fn lead_on<G: Guard, W: World>(
    world: &W,
    report: &mut Report,
    steps: u8,
) -> Result<VecDeque<(ReconcileRequest, u8)>, ReconcileError> {
    let follows = std::mem::take(&mut report.follows);
    if steps == STEPS {
        return Ok(VecDeque::new());
    }
    let (rest, follows): (Vec<_>, Vec<_>) = follows.into_iter().partition(|request| request.after.is_some());
    for request in rest {
        look_later::<G, W>(world, request).await?;
    }
    Ok(follows.into_iter().map(|request| (request, steps + 1)).collect())
}

/// Sends a look to the delay queue, for a run of its own.
async fn look_later<G: Guard, W: World>(world: &W, request: ReconcileRequest) -> Result<(), ReconcileError> {
    let look = DelayedLook { guard: G::KIND, request, surface: None, until: world.now(), attempt: 0, asking: None };
    Ok(world.look_later(&look, SignedDuration::ZERO).await?)
}

/// Says in the log what a run has recorded.
pub(crate) fn tell(report: &Report) {
    for record in &report.records {
        tracing::info!(
            resource = %record.resource,
            record = %record.id,
            step = %record.entry.step,
            surface = record.entry.surface.as_ref().map(|surface| Shown::new(&surface.to_string()).to_string()),
            "recorded"
        );
    }
    for (surface, wait) in &report.waits {
        let surface = surface.to_string();
        tracing::info!(surface = %Shown::new(&surface), reason = ?wait.reason, until = %wait.until, "looked at again later");
    }
}
