//! Changes, one after the other, each only on the content that it expects.

use crate::{
    call_error::{CallError, ErrorKind},
    decide::outcome::Ending,
    ledger::state::Intent,
    model::surface::{Resource, Surface},
    name::fingerprint::Fingerprint,
    plan::{Change, RevisionId},
    ports::{Clock, World},
    run::patience::Patience,
};
use futures::future::{self, Either};
use jiff::SignedDuration;
use std::pin::pin;

/// How often one change is tried again when AWS answers 409, 412 or with an error of its own, beyond the SDK's own
/// retries.
const TRIES: u32 = 6;

/// How often a call is tried again that is not allowed or not offered, before that is believed.
const DOUBTS: u32 = 2;

/// A wait for another update to end begins this many steps further on: at 200 to 400 ms.
const SETTLING: u32 = 2;

/// A growing wait with jitter: 50 to 100 ms at first, doubled with every attempt up to 3.2 s.
pub(crate) fn jittered(clock: &impl Clock, attempt: u32) -> SignedDuration {
    let full: i64 = 100 << attempt.min(5);
    let part = i64::try_from(clock.entropy() % 1000).unwrap_or_default();
    SignedDuration::from_millis(full / 2 + full * part / 2000)
}

/// Makes the `changes` that are left of `intent` in order, each only on the content that it expects. `lock` is what
/// [`Account::lock`](crate::ports::Account::lock) said of the first change, where it was asked already.
///
/// When the intent's lease ends, this ends too, wherever it is: from then on another run may take the intent over, and
/// two that change one surface at once could leave what neither of them wants. It sleeps no longer than `patience` says.
///
/// # Errors
/// AWS did not answer, another update of the function is still under way, or the lease is over. The changes are to be
/// resumed later.
pub(crate) async fn carry_out<W: World>(
    world: &W,
    patience: &Patience,
    resource: &Resource,
    intent: &Intent,
    changes: &[Change],
    revision: Option<RevisionId>,
    lock: Option<Result<Option<RevisionId>, CallError>>,
) -> Result<Ending, CallError> {
    let over = || CallError {
        kind: ErrorKind::Retry,
        operation: changes.first().map_or("nothing", |change| change.call().operation()),
        target: resource.to_string(),
        message: "the time for which the ledger reserves this work is over; whatever is left of it is resumed".into(),
    };
    // A computer that slept may have counted less time than went by: each call looks at the clock as well.
    let in_time = || if world.now() < intent.lease { Ok(()) } else { Err(over()) };
    let work = pin!(make(world, patience, resource, intent.plan.surface(), changes, revision, lock, in_time));
    let end = pin!(world.sleep(intent.lease.duration_since(world.now())));
    match future::select(work, end).await {
        Either::Left((made, _)) => made,
        Either::Right(((), _)) => Err(over()),
    }
}

#[allow(clippy::too_many_arguments, reason = "all that `carry_out` has")]
async fn make<W: World>(
    world: &W,
    patience: &Patience,
    resource: &Resource,
    surface: &Surface,
    changes: &[Change],
    mut revision: Option<RevisionId>,
    mut lock: Option<Result<Option<RevisionId>, CallError>>,
    in_time: impl Fn() -> Result<(), CallError>,
) -> Result<Ending, CallError> {
    for (index, change) in changes.iter().enumerate() {
        if index > 0 {
            // The change before moved the lock on.
            let before = changes.get(..index).unwrap_or_default();
            match shown(world, patience, resource, surface, before, change).await? {
                Seen::Before(fresh) => revision = fresh,
                Seen::After if change.call().goes_on_unseen() => {}
                Seen::After => continue,
                Seen::Other(_) => return Ok(Ending::Overtaken),
            }
        }
        let (mut tries, mut doubts) = (0, 0);
        loop {
            let lock = match lock.take() {
                Some(lock) => lock,
                None => world.lock(change, revision.as_ref()).await,
            };
            in_time()?;
            let made = match lock {
                Ok(lock) => world.call(change.call(), lock.as_ref()).await,
                Err(error) => Err(error),
            };
            let Err(error) = made else { break };
            // The call, or its lock.
            let not_taken = |for_content| {
                let operation = change.call().operation();
                Ok(Ending::NotTaken { operation, for_content, why: error.to_string() })
            };
            match error.kind {
                // AWS did nothing; it may say otherwise in a moment.
                ErrorKind::Denied | ErrorKind::NotOffered if doubts < DOUBTS => {
                    patience.sleep(world, jittered(world, doubts + SETTLING)).await;
                    doubts += 1;
                    continue;
                }
                ErrorKind::Denied | ErrorKind::NotOffered => return not_taken(false),
                ErrorKind::PublicPolicy | ErrorKind::UnreservedConcurrency => return not_taken(true),
                ErrorKind::Refused | ErrorKind::Bug => return Ok(Ending::Failed(error.to_string())),
                ErrorKind::Retry | ErrorKind::Stale | ErrorKind::Busy | ErrorKind::Gone => {}
            }
            // AWS did nothing, because another update is under way: a new function's takes a second or more. Where
            // there is a lock, it says whether that changes the content; until it moves, each look is one call on the
            // same quota as everybody's.
            if matches!(error.kind, ErrorKind::Busy | ErrorKind::Retry) && patience.is_over() {
                return Err(error);
            }
            if error.kind == ErrorKind::Busy {
                patience.sleep(world, jittered(world, tries + SETTLING)).await;
                if revision.is_some() && tries < TRIES {
                    tries += 1;
                    continue;
                }
            } else if error.kind == ErrorKind::Retry {
                patience.sleep(world, jittered(world, tries)).await;
            }
            // The answer may have been lost, or the lock moved without the content: what the surface holds now decides.
            match snapshot(world, resource, surface, change).await? {
                Seen::After if !change.call().goes_on_unseen() => break,
                Seen::Other(_) => return Ok(Ending::Overtaken),
                Seen::Before(_) | Seen::After if error.kind == ErrorKind::Gone => {
                    return Ok(Ending::Failed(error.to_string()));
                }
                Seen::Before(_) | Seen::After if tries == TRIES => return Err(error),
                Seen::Before(fresh) => revision = fresh,
                // The rest of it does nothing twice.
                Seen::After => {}
            }
            tries += 1;
        }
    }
    Ok(Ending::Done)
}

enum Seen {
    Before(Option<RevisionId>),
    After,
    /// Something else, by its fingerprint; none where the resource is gone.
    Other(Option<Fingerprint>),
}

/// What the surface holds once the changes `made` show. IAM may show for a while what was there before one of them:
/// that is waited for, and nobody has overtaken anything.
async fn shown<W: World>(
    world: &W,
    patience: &Patience,
    resource: &Resource,
    surface: &Surface,
    made: &[Change],
    change: &Change,
) -> Result<Seen, CallError> {
    for attempt in 0..TRIES {
        let seen = snapshot(world, resource, surface, change).await?;
        let Seen::Other(Some(now)) = &seen else { return Ok(seen) };
        if !surface.is_of_iam() || made.iter().all(|earlier| earlier.expects() != *now) {
            return Ok(seen);
        }
        if patience.is_over() {
            break;
        }
        patience.sleep(world, jittered(world, attempt + SETTLING)).await;
    }
    Err(CallError {
        kind: ErrorKind::Busy,
        operation: change.call().operation(),
        target: resource.to_string(),
        message: "IAM does not show the change before this one yet; what is left is resumed".into(),
    })
}

async fn snapshot<W: World>(
    world: &W,
    resource: &Resource,
    surface: &Surface,
    change: &Change,
) -> Result<Seen, CallError> {
    let Some(snapshot) = world.snapshot(resource, surface).await? else { return Ok(Seen::Other(None)) };
    let now = snapshot.content.fingerprint();
    Ok(if now == change.leaves() {
        Seen::After
    } else if now == change.expects() {
        Seen::Before(snapshot.revision)
    } else {
        Seen::Other(Some(now))
    })
}
