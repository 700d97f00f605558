//! An event's way through a guard.

use crate::{
    guard::{Fetch, Guard, ReconcileRequest},
    model::{
        cloudtrail::{CloudTrailEvent, Envelope, EventParseError},
        settings::Settings,
    },
    ports::World,
    run::reconcile::{ReconcileError, Report, reconcile},
};
use serde::Serialize;
use std::collections::VecDeque;

/// An event leads so far at most: from a managed policy to the roles that have it, and from those to the functions that
/// use them.
const STEPS: u8 = 2;

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
    let requests = guard.requests(&event, settings);
    if requests.is_empty() {
        return Ok(Handled::NotOurs(format!("{} changes nothing that this guard watches", event.cause.event_name)));
    }
    let mut reports = Vec::new();
    let mut failed = None;
    let mut waiting: VecDeque<(ReconcileRequest, u8)> = requests.into_iter().map(|request| (request, 0)).collect();
    while let Some((request, steps)) = waiting.pop_front() {
        match reconcile(guard, world, settings, &request).await {
            Ok(mut report) => {
                let follows = std::mem::take(&mut report.follows);
                // What is left of a long list takes its turn behind everything else.
                let (rest, follows): (Vec<_>, Vec<_>) =
                    follows.into_iter().partition(|request| request.after.is_some());
                if steps < STEPS {
                    waiting.extend(follows.into_iter().map(|request| (request, steps + 1)));
                    waiting.extend(rest.into_iter().map(|request| (request, steps)));
                }
                for record in &report.records {
                    tracing::info!(
                        resource = %record.resource,
                        record = %record.id,
                        step = %record.entry.step,
                        surface = record.entry.surface.as_ref().map(tracing::field::display),
                        "recorded"
                    );
                }
                reports.push(report);
            }
            Err(error) => {
                tracing::error!(resource = %request.resource, %error, "not brought to an end");
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(Handled::Looked(reports)),
    }
}
