//! CloudTrail's own word for what an event says.
//!
//! Whoever may invoke a guard can hand it an event of their own making. Where such an event alone would make new what may
//! have stood before the opt-in, it stays as it is, and CloudTrail is asked whether the event happened. It shows an event
//! some minutes after the call (? event-history), so that it is asked by the delay queue, and nothing else waits for the
//! answer. What is believed then is CloudTrail's record and not the event: it is read as an event is, and asks for the
//! look that it asks for.
//!
//! Each event has messages of its own. A wait in the surface's state would be one for all of them, so that an event that
//! somebody made up could stand in the way of a true one.

use crate::{
    call_error::CallError,
    guard::{Guard, ReconcileRequest},
    model::{
        cloudtrail::{Cause, CloudTrailEvent},
        settings::Settings,
    },
    ports::World,
    run::delay::{DelayedLook, growing},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest of the pauses. A policy may lead to 200 roles, and each asks for itself: with a pause of two minutes that
/// is less than the two lookups a second that an account has in a Region
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>).
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(2);
/// For how long CloudTrail is asked that does not answer: somebody may use up the account's lookups, and that must not
/// hide an event that happened.
pub(crate) const LONGEST_UNANSWERED: SignedDuration = SignedDuration::from_hours(24);

/// CloudTrail is asked about the event of a delayed look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Since when.
    pub since: Timestamp,
    /// How often it was asked.
    pub attempt: u32,
}

/// What CloudTrail's answer leads to.
pub(crate) enum Answer {
    /// It is asked again after a pause.
    Later(Box<DelayedLook>, SignedDuration),
    /// It has answered, or will not: these looks are due.
    Given(Vec<ReconcileRequest>),
}

/// Has CloudTrail asked about the event of `request`.
pub(crate) async fn ask_later<G: Guard, W: World>(world: &W, request: &ReconcileRequest) -> Result<(), CallError> {
    let asking = Asking { since: world.now(), attempt: 0 };
    let (guard, request) = (G::KIND, request.clone());
    let look = DelayedLook { guard, request, surface: None, until: asking.since, attempt: 0, asking: Some(asking) };
    let (look, pause) = look.asked_again(asking);
    world.look_later(&look, pause).await
}

impl DelayedLook {
    /// The same look, for which CloudTrail is asked after a pause that grows.
    fn asked_again(&self, asking: Asking) -> (DelayedLook, SignedDuration) {
        let pause = growing(asking.attempt, LONGEST_PAUSE);
        let until = self.until.saturating_add(pause).unwrap_or(self.until);
        let asking = Asking { attempt: asking.attempt.saturating_add(1), ..asking };
        (DelayedLook { until, asking: Some(asking), ..self.clone() }, pause)
    }
}

/// Asks CloudTrail about the event of a delayed look.
pub(crate) async fn ask<G: Guard, W: World>(
    guard: &G,
    world: &W,
    settings: &Settings,
    look: &DelayedLook,
    asking: Asking,
) -> Answer {
    let request = &look.request;
    let said = format!("an event says that {}", told(&request.cause));
    let unconfirmed = |why: String| Answer::Given(vec![not_borne_out(request, why)]);
    let (Some(id), Some(region)) = (&request.cause.event_id, &request.cause.region) else {
        return unconfirmed(format!("{said}, and the event has no id that CloudTrail could be asked for. {MADE_UP}"));
    };
    let now = world.now();
    let later = || {
        let (look, pause) = DelayedLook { until: now, ..look.clone() }.asked_again(asking);
        Answer::Later(Box::new(look), pause)
    };
    let waited = now.duration_since(asking.since);
    let record = match world.record(id, region).await {
        Ok(Some(record)) => record,
        Ok(None) if waited < settings.lookup => return later(),
        Ok(None) => return unconfirmed(format!("{said}, and CloudTrail knows no such event. {MADE_UP}")),
        Err(error) if waited < LONGEST_UNANSWERED => {
            tracing::warn!(%error, "CloudTrail is asked again");
            return later();
        }
        Err(error) => return unconfirmed(format!("{said}, and CloudTrail could not be asked about it: {error}")),
    };
    let event = match CloudTrailEvent::from_history(&record, &settings.home) {
        Ok(event) => event,
        Err(error) => return unconfirmed(format!("{said}; by CloudTrail's own record {error}. {MADE_UP}")),
    };
    let known = borne_out(request, &event.cause, guard.requests(&event, settings));
    let is_all = known.as_ref().is_some_and(|known| {
        let cause = Cause { verified: request.cause.verified, ..known.cause.clone() };
        known.introduced == request.introduced && cause == request.cause
    });
    let rest = (!is_all).then(|| {
        let is = told(&event.cause);
        not_borne_out(request, format!("{said}; by CloudTrail's own record of that event {is}. {MADE_UP}"))
    });
    Answer::Given(known.into_iter().chain(rest).collect())
}

/// What somebody should do about an event that CloudTrail does not bear out.
const MADE_UP: &str = "Nothing was changed because of it. Find out who may invoke the guard and made the event up";

/// What an event says.
fn told(cause: &Cause) -> String {
    format!(
        "{} called {} at {}",
        cause.actor.as_deref().unwrap_or("somebody"),
        cause.event_name,
        cause.time.map_or_else(|| "no time".to_owned(), |time| time.to_string()),
    )
}

/// The look that CloudTrail's record, which asks for `requests`, bears out; none where it is about something else.
fn borne_out(request: &ReconcileRequest, cause: &Cause, requests: Vec<ReconcileRequest>) -> Option<ReconcileRequest> {
    let origin = request.origin();
    let named = requests.into_iter().find(|named| named.resource == origin.resource)?;
    if request.origin.is_none() {
        return Some(named);
    }
    // What the event led to is the guard's own finding, if the event has named what led there.
    let is_named = origin.introduced.iter().all(|introduced| named.introduced.contains(introduced));
    is_named.then(|| ReconcileRequest { cause: cause.clone(), ..request.clone() })
}

fn not_borne_out(request: &ReconcileRequest, why: String) -> ReconcileRequest {
    ReconcileRequest { unconfirmed: Some(why), ..request.clone() }
}
