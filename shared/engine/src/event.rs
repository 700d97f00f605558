//! An event's way through a guard.

use crate::{
    guard::{Guard, Look, Observe},
    ports::World,
    reconcile::{ReconcileError, Report, reconcile},
    settings::Settings,
    trigger::{NotATrigger, Trigger},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Handled {
    /// It is not about anything that this guard watches.
    NotOurs(String),
    /// Its subjects were looked at.
    Looked(Vec<Report>),
}

/// A short answer for the log of whoever invoked the guard: how many records of which step were written.
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

/// Why an event was not dealt with. It is to be delivered again, and kept if that does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It does not have the form of an event.
    #[error(transparent)]
    Malformed(NotATrigger),
    /// A subject's run did not come to an end.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// Looks at every subject that `event` concerns, and at what those lead to.
///
/// # Errors
/// See [`EventError`]. With several subjects the first error is given once all were looked at.
pub async fn on_event<G: Guard, W: World + Observe<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    event: &Value,
) -> Result<Handled, EventError> {
    let trigger = match Trigger::from_event(event, &settings.home) {
        Ok(trigger) => trigger,
        Err(malformed @ NotATrigger::Malformed { .. }) => return Err(EventError::Malformed(malformed)),
        Err(other @ (NotATrigger::FailedCall(_) | NotATrigger::OtherAccount(_))) => {
            return Ok(Handled::NotOurs(other.to_string()));
        }
    };
    let looks = guard.looks(&trigger, settings);
    if looks.is_empty() {
        return Ok(Handled::NotOurs(format!("{} changes nothing that this guard watches", trigger.cause.event_name)));
    }
    let mut reports = Vec::new();
    let mut failed = None;
    let mut waiting: VecDeque<(Look, bool)> = looks.into_iter().map(|look| (look, true)).collect();
    while let Some((look, leads_on)) = waiting.pop_front() {
        match reconcile(guard, world, settings, &look).await {
            Ok(mut report) => {
                let follows = std::mem::take(&mut report.follows);
                if leads_on {
                    waiting.extend(follows.into_iter().map(|look| (look, false)));
                }
                for record in &report.records {
                    tracing::info!(
                        subject = %record.subject,
                        record = %record.id,
                        step = %record.entry.step,
                        surface = record.entry.surface.as_ref().map(tracing::field::display),
                        "recorded"
                    );
                }
                reports.push(report);
            }
            Err(error) => {
                tracing::error!(subject = %look.subject, %error, "not brought to an end");
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(Handled::Looked(reports)),
    }
}
