//! Writing to the ledger while others may: one commit, and the loop that tries again until nobody wrote in between.

use crate::{
    call_error::CallError,
    ledger::{
        chain::append,
        record::{Draft, Record, Step},
        state::{Counted, History, Pause, SurfaceState, next_version},
    },
    model::{
        cloudtrail::Cause,
        surface::{Resource, Surface},
    },
    ports::{Clock, Commit, CommitError, Ledger},
    run::{carry_out::jittered, patience::Patience},
    secret::{environment::KeyedHash, known_secret::Known},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use warden_finding::Severity;

/// How often a run looks again, after a conflict or while another run holds a surface.
const MAX_PASSES: u32 = 12;
/// How many states a commit writes beside damaged ones that it mends: DynamoDB takes 100 items at once.
const MOST_STATES: usize = 40;
/// How many parts a run writes for one resource with many surfaces: a stop that no function of AWS reaches.
const MAX_PARTS: u32 = 200;

/// How a pass of [`until_it_fits`] ended.
pub(crate) enum Pass<T> {
    /// Everything is done.
    Done(T),
    /// A part is done: the next pass does the rest.
    More,
    /// Somebody was quicker, or is at work: the next pass comes after this time, or after a short one.
    Again(Option<SignedDuration>),
}

/// Makes passes, each of which reads what it decides on, until one of them is done. None where others are at work for
/// too long, or for longer than `patience` says.
///
/// # Errors
/// The first error of a pass.
pub(crate) async fn until_it_fits<T, E>(
    clock: &impl Clock,
    patience: &Patience,
    mut pass: impl AsyncFnMut() -> Result<Pass<T>, E>,
) -> Result<Option<T>, E> {
    let (mut attempt, mut parts) = (0, 0);
    while attempt < MAX_PASSES && parts < MAX_PARTS {
        // On the heap: a pass is the largest of the engine's futures, and stands in others.
        match Box::pin(pass()).await? {
            Pass::Done(done) => return Ok(Some(done)),
            Pass::More => parts += 1,
            Pass::Again(wait) => {
                tracing::debug!(attempt, ?wait, "looking again");
                let wait = wait.unwrap_or_else(|| jittered(clock, attempt));
                if wait > SignedDuration::ZERO && patience.is_over() {
                    return Ok(None);
                }
                patience.sleep(clock, wait).await;
                attempt += 1;
            }
        }
    }
    Ok(None)
}

/// What a commit writes at the end of a resource's history.
#[derive(Default)]
pub(crate) struct Entry {
    /// The records.
    pub(crate) drafts: Vec<Draft>,
    /// The states that change.
    pub(crate) surfaces: Vec<(Surface, SurfaceState)>,
    /// Surfaces put right to count against the account's cap.
    pub(crate) counted: Option<Counted>,
    /// The pause, where the commit sets one or ends one.
    pub(crate) pause: Option<Pause>,
    /// What the account learns about values, or unlearns.
    pub(crate) known: BTreeMap<KeyedHash, Known>,
}

/// A record cannot be written as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {resource} could not be written as JSON: {message}")]
pub struct Unwritable {
    /// The resource that the record is about.
    pub resource: Resource,
    /// What serde says.
    pub message: String,
}

/// Why nothing was written.
pub(crate) enum WriteError {
    /// The ledger could not be read or written.
    Call(CallError),
    /// A record cannot be written as JSON.
    Unwritable(Unwritable),
}

impl From<CallError> for WriteError {
    fn from(error: CallError) -> WriteError {
        WriteError::Call(error)
    }
}

/// Commits `entry` and moves `history` on to what the ledger holds then. Returns the records; none where somebody else
/// wrote in between, so that nothing was written.
pub(crate) async fn commit<W: Ledger + Clock>(
    world: &W,
    resource: &Resource,
    cause: &Cause,
    history: &mut History,
    entry: Entry,
    now: Timestamp,
) -> Result<Option<Vec<Record>>, WriteError> {
    let Entry { mut drafts, mut surfaces, counted, pause, known } = entry;
    report_tampering(history, &mut drafts);
    mend(history, &mut surfaces);
    let (records, mut head) =
        append(resource, cause, drafts, &history.head, now, || world.entropy()).map_err(|error| {
            WriteError::Unwritable(Unwritable { resource: resource.clone(), message: error.to_string() })
        })?;
    for (surface, state) in &surfaces {
        head.states.insert(surface.clone(), next_version(state.version, state.damage.as_ref(), now));
    }
    let commit = Commit { resource: resource.clone(), head, records, surfaces, counted, pause, known, now };
    match world.commit(&commit).await {
        Ok(()) => {}
        Err(CommitError::Conflict) => return Ok(None),
        Err(CommitError::Failed(error)) => return Err(WriteError::Call(error)),
    }
    history.head = commit.head;
    history.head.version = next_version(history.head.version, history.head.damage.take().as_ref(), now);
    for (surface, mut state) in commit.surfaces {
        state.version = next_version(state.version, state.damage.take().as_ref(), now);
        history.surfaces.insert(surface, state);
    }
    Ok(Some(commit.records))
}

/// Says once more what is damaged, where a run does that is no look.
fn report_tampering(history: &History, drafts: &mut Vec<Draft>) {
    if history.tampered.is_none() || history.forged.is_empty() {
        return;
    }
    let note = history.forged.join("\n");
    if drafts.iter().all(|draft| draft.note.as_ref() != Some(&note)) {
        drafts.push(Draft { severity: Some(Severity::Critical), note: Some(note), ..Draft::new(Step::Observed) });
    }
}

/// Writes damaged states anew that there is nothing else to say of, or every look would find them damaged.
fn mend(history: &History, surfaces: &mut Vec<(Surface, SurfaceState)>) {
    let damaged = history.surfaces.iter().filter(|(_, state)| state.is_to_be_mended());
    for (surface, state) in damaged {
        if surfaces.len() >= MOST_STATES {
            break;
        }
        if surfaces.iter().all(|(written, _)| written != surface) {
            surfaces.push((surface.clone(), state.clone()));
        }
    }
}

/// Commits what `compose` makes of `history`, which is read again whenever somebody else wrote in between. Returns the
/// records, which are none where `compose` has nothing to write; `None` where others write all the time. Without
/// `patience` it still tries: what was done must be written down.
pub(crate) async fn commit_until_it_fits<W: Ledger + Clock>(
    world: &W,
    patience: &Patience,
    resource: &Resource,
    cause: &Cause,
    history: &mut History,
    mut compose: impl FnMut(&History, Timestamp) -> Option<Entry>,
) -> Result<Option<Vec<Record>>, WriteError> {
    let mut outdated = false;
    let pass = async || {
        let now = world.now();
        if outdated {
            *history = world.history(resource, now).await?;
        }
        let Some(entry) = compose(history, now) else { return Ok(Pass::Done(Vec::new())) };
        let committed = commit(world, resource, cause, history, entry, now).await?;
        outdated = committed.is_none();
        let again = patience.is_over().then_some(SignedDuration::ZERO);
        Ok(committed.map_or(Pass::Again(again), Pass::Done))
    };
    until_it_fits(world, patience, pass).await
}
