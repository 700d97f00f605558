//! What an operator's command does to one surface: the intent is written down, the change is made, the outcome is
//! written down.

use crate::{
    call_error::CallError,
    decide::outcome::{Ending, conclude, learnt},
    ledger::{
        chain::seal,
        record::{Draft, Record},
        state::{History, Intent, SurfaceState},
    },
    model::{
        cloudtrail::Cause,
        surface::{Resource, Surface},
    },
    plan::{Change, RevisionId},
    ports::{Commit, CommitError, World},
    run::{
        carry_out::{Carried, carry_out, jittered},
        reconcile::MAX_PASSES,
    },
    secret::{environment::KeyedHash, known_secret::Known},
};
use std::collections::BTreeMap;

/// One change of one surface.
pub(crate) struct Operation<'a, W> {
    pub(crate) world: &'a W,
    pub(crate) resource: &'a Resource,
    pub(crate) cause: &'a Cause,
    pub(crate) intent: &'a Intent,
    /// What its records have in common.
    pub(crate) template: &'a Draft,
}

/// Why it did not come to its end.
pub(crate) enum Stopped {
    /// Another run writes.
    Busy,
    /// AWS did not do what was asked.
    Call(CallError),
    /// A record could not be serialised.
    Unwritable(String),
}

/// How far it came.
pub(crate) struct Begun {
    history: History,
    records: Vec<Record>,
}

impl<W: World> Operation<'_, W> {
    fn surface(&self) -> &Surface {
        self.intent.plan.surface()
    }

    /// Writes the intent into the surface's `state`, together with records and with what else is known of others.
    pub(crate) async fn begin(
        &self,
        history: History,
        state: SurfaceState,
        others: Option<(Surface, SurfaceState)>,
        drafts: Vec<Draft>,
        known: BTreeMap<KeyedHash, Known>,
    ) -> Result<Begun, Stopped> {
        let mut begun = Begun { history, records: Vec::new() };
        let state = SurfaceState { intent: Some(self.intent.clone()), ..state };
        let states = [(self.surface().clone(), state)].into_iter().chain(others).collect();
        if self.commit(&mut begun, drafts, states, known).await? { Ok(begun) } else { Err(Stopped::Busy) }
    }

    /// Makes the changes.
    pub(crate) async fn change(&self, changes: &[Change], revision: Option<RevisionId>) -> Result<Ending, CallError> {
        Ok(match carry_out(self.world, self.resource, self.surface(), changes, revision, None).await? {
            Carried::Done => Ending::Done,
            Carried::Failed(why) | Carried::WholeRefused(why) => Ending::Failed(why),
            Carried::Public(why) => Ending::Public(why),
            Carried::Overtaken => Ending::Failed("somebody changed the content in the meantime".into()),
        })
    }

    /// Writes down how it ended, tells of it, and returns all records.
    pub(crate) async fn end(&self, mut begun: Begun, ending: &Ending) -> Result<Vec<Record>, Stopped> {
        for attempt in 0.. {
            let state = begun.history.surfaces.get(self.surface()).cloned().unwrap_or_default();
            // A guard has recorded the outcome after the lease ended.
            if state.intent.as_ref() != Some(self.intent) {
                break;
            }
            let (drafts, concluded) = conclude(self.intent, ending, &state, false, self.template, self.world.now());
            let mut states = vec![(self.surface().clone(), concluded)];
            if *ending == Ending::Done && matches!(self.surface(), Surface::Secret(_)) {
                states.push(values_after(&begun.history, self.intent));
            }
            if self.commit(&mut begun, drafts, states, learnt(self.intent, ending)).await? {
                break;
            }
            if attempt == MAX_PASSES {
                return Err(Stopped::Busy);
            }
            // Another surface of the resource was written in between.
            self.world.sleep(jittered(self.world, attempt)).await;
            begun.history = self.world.history(self.resource, self.world.now()).await.map_err(Stopped::Call)?;
        }
        if let Err(error) = self.world.announce(&begun.records).await {
            tracing::warn!(%error, "the ledger has the records, but their events were not sent");
        }
        Ok(begun.records)
    }

    /// Commits, and moves the versions on. Returns false where somebody else wrote in between.
    async fn commit(
        &self,
        begun: &mut Begun,
        drafts: Vec<Draft>,
        states: Vec<(Surface, SurfaceState)>,
        known: BTreeMap<KeyedHash, Known>,
    ) -> Result<bool, Stopped> {
        let now = self.world.now();
        let (records, head) =
            seal(self.resource, self.cause, drafts, &begun.history.head, now, || self.world.entropy())
                .map_err(|error| Stopped::Unwritable(error.to_string()))?;
        let commit = Commit {
            resource: self.resource.clone(),
            head,
            records,
            surfaces: states,
            counted: None,
            pause: None,
            known,
            now,
        };
        match self.world.commit(&commit).await {
            Ok(()) => {
                begun.history.head = commit.head;
                begun.history.head.version += 1;
                for (surface, mut state) in commit.surfaces {
                    state.version += 1;
                    begun.history.surfaces.insert(surface, state);
                }
                begun.records.extend(commit.records);
                Ok(true)
            }
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Failed(error)) => Err(Stopped::Call(error)),
        }
    }
}

/// What is known of a function's values, which stands in the state of its environment, once a rotation is done.
pub(crate) fn values_after(history: &History, rotation: &Intent) -> (Surface, SurfaceState) {
    let environment = Surface::Environment(None);
    let mut state = history.surfaces.get(&environment).cloned().unwrap_or_default();
    state.values.learn(rotation.plan.changes());
    (environment, state)
}
