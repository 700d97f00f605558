//! An event's way through a guard.

use crate::{
    guard::{Fetch, Guard, ReconcileRequest},
    model::{
        cloudtrail::{CloudTrailEvent, Envelope, EventParseError},
        settings::Settings,
    },
    ports::World,
    run::reconcile::{ReconcileError, Report, reconcile},
    shown::Shown,
};
use serde::Serialize;
use std::collections::VecDeque;

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
    let mut waiting: VecDeque<(ReconcileRequest, bool)> = requests.into_iter().map(|request| (request, true)).collect();
    while let Some((request, leads_on)) = waiting.pop_front() {
        match reconcile(guard, world, settings, &request).await {
            Ok(mut report) => {
                let follows = std::mem::take(&mut report.follows);
                if leads_on {
                    waiting.extend(follows.into_iter().map(|request| (request, false)));
                }
                for record in &report.records {
                    tracing::info!(
                        resource = %record.resource,
                        record = %record.id,
                        step = %record.entry.step,
                        surface = record.entry.surface.as_ref().map(|surface| Shown::new(&surface.to_string()).to_string()),
                        "recorded"
                    );
                }
                reports.push(report);
            }
            Err(error) => {
                let said = error.to_string();
                tracing::error!(resource = %request.resource, error = %Shown::new(&said), "not brought to an end");
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(Handled::Looked(reports)),
    }
}
