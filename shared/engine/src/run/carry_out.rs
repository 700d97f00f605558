//! Changes, one after the other, each only on the content that it expects.

use crate::{
    call_error::{CallError, ErrorKind},
    model::surface::{Resource, Surface},
    plan::{Change, RevisionId},
    ports::{Clock, World},
};
use jiff::SignedDuration;

/// How often one change is tried again when AWS answers 409, 412 or with an error of its own, beyond the SDK's own
/// retries.
const TRIES: u32 = 6;

/// A wait for another update to end begins this many steps further on: at 200 to 400 ms.
const SETTLING: u32 = 2;

/// A growing wait with jitter: 50 to 100 ms at first, doubled with every attempt up to 3.2 s.
pub(crate) fn jittered(clock: &impl Clock, attempt: u32) -> SignedDuration {
    let full: i64 = 100 << attempt.min(5);
    let part = i64::try_from(clock.entropy() % 1000).unwrap_or_default();
    SignedDuration::from_millis(full / 2 + full * part / 2000)
}

/// How far the changes of one surface came.
#[derive(Debug)]
pub(crate) enum Carried {
    /// All of them were made.
    Done,
    /// AWS refused one for good, for the reason given.
    Failed(String),
    /// AWS takes no policy that lets the public in, and this one would.
    Public(String),
    /// The policy may not be replaced as a whole; taking out single statements may do.
    WholeRefused(String),
    /// The content is not what the changes were planned for.
    Overtaken,
}

/// Makes `changes` in order, each only on the content that it expects. `lock` is what
/// [`Account::lock`](crate::ports::Account::lock) said of the first change, where it was asked already.
///
/// # Errors
/// AWS did not answer, or another update of the function is still under way. The changes are to be resumed later.
pub(crate) async fn carry_out<W: World>(
    world: &W,
    resource: &Resource,
    surface: &Surface,
    changes: &[Change],
    mut revision: Option<RevisionId>,
    mut lock: Option<Result<Option<RevisionId>, CallError>>,
) -> Result<Carried, CallError> {
    for (index, change) in changes.iter().enumerate() {
        if index > 0 {
            // The change before moved the lock on.
            match snapshot(world, resource, surface, change).await? {
                Seen::Before(fresh) => revision = fresh,
                Seen::After if change.call().goes_on_unseen() => {}
                Seen::After => continue,
                Seen::Other => return Ok(Carried::Overtaken),
            }
        }
        let mut tries = 0;
        loop {
            let lock = match lock.take() {
                Some(lock) => lock,
                None => world.lock(change, revision.as_ref()).await,
            };
            let made = match lock {
                Ok(lock) => world.call(change.call(), lock.as_ref()).await,
                Err(error) => Err(error),
            };
            let Err(error) = made else { break };
            match error.kind {
                // The call, or its lock.
                ErrorKind::Refused if change.call().is_of_a_whole_policy() => {
                    return Ok(Carried::WholeRefused(error.to_string()));
                }
                ErrorKind::Refused | ErrorKind::Bug => return Ok(Carried::Failed(error.to_string())),
                ErrorKind::PublicPolicy => return Ok(Carried::Public(error.to_string())),
                ErrorKind::Retry | ErrorKind::Stale | ErrorKind::Busy | ErrorKind::Gone => {}
            }
            // AWS did nothing, because another update is under way: a new function's takes a second or more. Where
            // there is a lock, it says whether that changes the content; until it moves, each look is one call on the
            // same quota as everybody's.
            if error.kind == ErrorKind::Busy {
                world.sleep(jittered(world, tries + SETTLING)).await;
                if revision.is_some() && tries < TRIES {
                    tries += 1;
                    continue;
                }
            } else if error.kind == ErrorKind::Retry {
                world.sleep(jittered(world, tries)).await;
            }
            // The answer may have been lost, or the lock moved without the content: what the surface holds now decides.
            match snapshot(world, resource, surface, change).await? {
                Seen::After if !change.call().goes_on_unseen() => break,
                Seen::Other => return Ok(Carried::Overtaken),
                Seen::Before(_) | Seen::After if error.kind == ErrorKind::Gone => {
                    return Ok(Carried::Failed(error.to_string()));
                }
                Seen::Before(_) | Seen::After if tries == TRIES => return Err(error),
                Seen::Before(fresh) => revision = fresh,
                // The rest of it does nothing twice.
                Seen::After => {}
            }
            tries += 1;
        }
    }
    Ok(Carried::Done)
}

enum Seen {
    Before(Option<RevisionId>),
    After,
    Other,
}

async fn snapshot<W: World>(
    world: &W,
    resource: &Resource,
    surface: &Surface,
    change: &Change,
) -> Result<Seen, CallError> {
    let Some(snapshot) = world.snapshot(resource, surface).await? else { return Ok(Seen::Other) };
    let now = snapshot.content.fingerprint();
    Ok(if now == change.leaves() {
        Seen::After
    } else if now == change.expects() {
        Seen::Before(snapshot.revision)
    } else {
        Seen::Other
    })
}
