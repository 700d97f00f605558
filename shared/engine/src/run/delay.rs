//! The delay queue: what has to wait longer than a guard may sleep, and how it comes back.
//!
//! A [`Wait`] stands in the sealed state of a surface, and a sealed message with the same time is in the guard's own
//! queue. The wait is written first, in the same commit as everything else, and the message is sent beside what comes
//! after. A run that dies between the two is delivered its event again: it finds the wait that its own event has asked
//! for, and sends the message again. Two messages for one wait do no harm, since the first of them ends it.

use crate::{
    call_error::ErrorKind,
    guard::{Fetch, Guard, Introduced, ReconcileRequest},
    model::{settings::Settings, surface::Surface, tags::GuardKind},
    ports::World,
    run::{
        handler::{Handled, HandlerError, lead_on, look_around, tell},
        lookup::{self, Answer, Asking},
        patience::Patience,
        reconcile::{ReconcileError, Report, look},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The first pause of one that grows: it doubles each time.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(2);
/// How often a message is put off because its run did not come to an end, before it is left to the queue: which keeps it
/// where somebody is told of it.
const MOST_ATTEMPTS: u32 = 8;

/// A pause that grows with each attempt: 2 seconds at first, doubled each time, and never longer than `longest`.
pub(crate) fn growing(attempt: u32, longest: SignedDuration) -> SignedDuration {
    FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(longest)
}

/// Why a surface is looked at again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// Another run is at work on it.
    Lease,
    /// AWS did not make a change now: another update is under way, or it has other trouble. The intent stays open.
    Busy,
    /// It reads as it did before Warden's last change, which IAM may not show yet.
    Unseen,
    /// A critical finding on it comes again and again.
    Fight,
    /// The account's changes for this hour are used up.
    Cap,
    /// The deployment that has changed it is still under way.
    Deployment,
}

impl WaitReason {
    /// What is said of it to a person.
    pub const fn text(self) -> &'static str {
        match self {
            WaitReason::Lease => "another run works on it",
            WaitReason::Busy => "AWS did not make the change yet, because another update is under way",
            WaitReason::Unseen => "IAM may not show Warden's last change yet",
            WaitReason::Fight => "it was put right too often",
            WaitReason::Cap => "the changes for this hour are used up",
            WaitReason::Deployment => "the deployment that has changed it is still under way",
        }
    }

    /// The longest of its growing pauses.
    const fn longest(self) -> SignedDuration {
        match self {
            WaitReason::Lease => SignedDuration::from_secs(60),
            WaitReason::Busy | WaitReason::Unseen | WaitReason::Fight | WaitReason::Cap | WaitReason::Deployment => {
                SignedDuration::from_secs(10)
            }
        }
    }
}

/// What one surface waits for. It stands in the surface's state; another surface never waits for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// When it is looked at again. A message with another time is not this one's, and does nothing.
    pub until: Timestamp,
    /// When the waiting for this reason began.
    pub since: Timestamp,
    /// Why it waits.
    pub reason: WaitReason,
    /// How often it has waited for this reason before.
    pub attempt: u32,
    /// The event that asked for it: delivered again, it asks again.
    pub event: Option<String>,
}

impl Wait {
    /// The wait that comes after an `earlier` one: the same, if that is for the same reason and not over. `until` is a
    /// time that is known beforehand; otherwise the pauses grow.
    pub(crate) fn after(
        earlier: Option<&Wait>,
        reason: WaitReason,
        until: Option<Timestamp>,
        event: Option<&String>,
        now: Timestamp,
    ) -> Wait {
        let earlier = earlier.filter(|earlier| earlier.reason == reason);
        if let Some(wait) = earlier.filter(|earlier| earlier.until > now) {
            return wait.clone();
        }
        let attempt = earlier.map_or(0, |earlier| earlier.attempt.saturating_add(1));
        let pause = growing(attempt, reason.longest());
        Wait {
            until: until.unwrap_or_else(|| now.saturating_add(pause).unwrap_or(Timestamp::MAX)),
            since: earlier.map_or(now, |earlier| earlier.since),
            reason,
            attempt,
            event: event.cloned(),
        }
    }
}

/// A look that comes back by the queue: where, why, and not before when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DelayedLook {
    /// The guard that looks.
    pub guard: GuardKind,
    /// What it looks at, with the cause of the run that asked for it.
    pub request: ReconcileRequest,
    /// The surface whose wait ends with it; none where a run had no turn among others, and wrote nothing.
    pub surface: Option<Surface>,
    /// Not before this time. It is the wait's.
    pub until: Timestamp,
    /// How often it was put off because its run did not come to an end.
    pub attempt: u32,
    /// Set where CloudTrail is asked first whether the event happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<Asking>,
}

impl DelayedLook {
    /// The look that ends the wait of one surface, which was asked for while `request` was dealt with; `together` are
    /// the surfaces that have to be looked at for it.
    pub(crate) fn ending(
        guard: GuardKind,
        request: &ReconcileRequest,
        surface: &Surface,
        together: Option<BTreeSet<Surface>>,
        until: Timestamp,
    ) -> DelayedLook {
        // What was created then is created no more: the surface alone is what the event has brought.
        let concerns = |introduced: &&Introduced| introduced.surface.as_ref().is_none_or(|named| named == surface);
        let introduced = request.introduced.iter().filter(concerns);
        let introduced = introduced.map(|it| Introduced { surface: Some(surface.clone()), sid: it.sid.clone() });
        // A guard that judges a resource as a whole looks at what it looked at then.
        let surfaces = together.or_else(|| request.surfaces.clone());
        let request = ReconcileRequest { surfaces, introduced: introduced.collect(), ..request.clone() };
        DelayedLook { guard, request, surface: Some(surface.clone()), until, attempt: 0, asking: None }
    }

    /// The same look, put off once more; none where that was done too often.
    pub(crate) fn put_off(&self) -> Option<(DelayedLook, SignedDuration)> {
        let pause = growing(self.attempt, SignedDuration::from_secs(60));
        let attempt = self.attempt + 1;
        (attempt <= MOST_ATTEMPTS).then(|| (DelayedLook { attempt, ..self.clone() }, pause))
    }
}

/// Looks where a message of the guard's own delay queue says.
///
/// # Errors
/// See [`HandlerError`]. The queue delivers the message again, and keeps it in another queue if that does not help.
pub async fn on_message<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    message: &str,
) -> Result<Handled, HandlerError> {
    let Some(look) = world.opened(G::KIND, message).await.map_err(ReconcileError::from)? else {
        return Err(HandlerError::Unsealed);
    };
    let left = look.until.duration_since(world.now());
    if left > SignedDuration::ZERO {
        // Longer than the queue holds a message back.
        world.look_later(&look, left).await.map_err(ReconcileError::from)?;
        return Ok(Handled::Looked(Vec::new()));
    }
    let patience = Patience::of(settings.patience);
    match look_again(guard, world, settings, &look, &patience).await {
        Ok(reports) => Ok(Handled::Looked(reports)),
        Err(ReconcileError::Call(error))
            if matches!(error.kind, ErrorKind::Retry | ErrorKind::Busy | ErrorKind::Stale) =>
        {
            // The queue itself would take minutes.
            let Some((later, pause)) = look.put_off() else { return Err(ReconcileError::Call(error).into()) };
            tracing::warn!(resource = %look.request.resource, %error, "put off");
            world.look_later(&later, pause).await.map_err(ReconcileError::from)?;
            Ok(Handled::Looked(Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks where a delayed look says, and at what that leads to where nobody has looked there yet.
async fn look_again<G: Guard, W: World + Fetch<G>>(
    guard: &G,
    world: &W,
    settings: &Settings,
    delayed: &DelayedLook,
    patience: &Patience,
) -> Result<Vec<Report>, ReconcileError> {
    if let Some(asking) = delayed.asking {
        return match lookup::ask(guard, world, settings, delayed, asking).await {
            Answer::Later(look, pause) => Ok(world.look_later(&look, pause).await.map(|()| Vec::new())?),
            Answer::Given(requests) => {
                let mut reports = Vec::new();
                for request in &requests {
                    // Where it leads to was looked at when the event came.
                    let report = look(guard, world, settings, request, patience, None).await?;
                    tell(&report);
                    reports.push(report);
                }
                Ok(reports)
            }
        };
    }
    let mut report = look(guard, world, settings, &delayed.request, patience, Some(delayed)).await?;
    if delayed.surface.is_some() {
        report.follows.clear();
    }
    let next = lead_on::<G, W>(world, &mut report, 0).await?;
    tell(&report);
    match look_around(guard, world, settings, next, patience).await {
        (_, Some(error)) => Err(error),
        (reports, None) => Ok(std::iter::once(report).chain(reports).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_not_over_stays_and_the_next_one_is_longer() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let first = Wait::after(None, WaitReason::Lease, None, None, at(100));
        assert_eq!((first.until, first.since, first.attempt), (at(102), at(100), 0));
        assert_eq!(Wait::after(Some(&first), WaitReason::Lease, None, None, at(101)), first);
        let second = Wait::after(Some(&first), WaitReason::Lease, None, None, at(102));
        assert_eq!((second.until, second.since, second.attempt), (at(106), at(100), 1));
        let other = Wait::after(Some(&second), WaitReason::Busy, None, None, at(103));
        assert_eq!((other.until, other.since, other.attempt), (at(105), at(103), 0));
        assert_eq!(growing(40, SignedDuration::from_secs(60)), SignedDuration::from_secs(60));
    }
}
