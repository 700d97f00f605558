//! What an operator's command does to one surface: the intent is written down, the change is made, the outcome is
//! written down.

use crate::{
    decide::outcome::{Ending, conclude, learnt},
    ledger::{
        record::{Draft, Record},
        state::{History, Intent, SurfaceState},
    },
    model::{
        cloudtrail::Cause,
        surface::{Resource, Surface},
    },
    plan::{Change, RevisionId},
    ports::World,
    run::{
        carry_out::carry_out,
        commit::{Entry, WriteError, commit, commit_until_it_fits},
        patience::Patience,
    },
};

/// One change of one surface.
pub(crate) struct Operation<'a, W> {
    pub(crate) world: &'a W,
    pub(crate) resource: &'a Resource,
    pub(crate) cause: &'a Cause,
    pub(crate) intent: Intent,
    /// What its records have in common.
    pub(crate) template: Draft,
}

/// An operation whose intent is in the ledger.
pub(crate) struct Begun<'a, W> {
    operation: Operation<'a, W>,
    history: History,
    records: Vec<Record>,
}

impl<'a, W: World> Operation<'a, W> {
    fn surface(&self) -> &Surface {
        self.intent.plan.surface()
    }

    /// Writes the intent into the surface's `state`, together with what `entry` has. None where somebody else wrote
    /// since `history` was read.
    pub(crate) async fn begin(
        self,
        mut history: History,
        state: SurfaceState,
        mut entry: Entry,
    ) -> Result<Option<Begun<'a, W>>, WriteError> {
        let state = SurfaceState { intent: Some(self.intent.clone()), ..state };
        entry.surfaces.push((self.surface().clone(), state));
        let records = commit(self.world, self.resource, self.cause, &mut history, entry, self.world.now()).await?;
        Ok(records.map(|records| Begun { operation: self, history, records }))
    }
}

impl<W: World> Begun<'_, W> {
    /// Makes the changes, records how they ended, announces the records, and returns the ending with all of them. None
    /// where others write to the resource all the time.
    pub(crate) async fn finish(
        self,
        changes: &[Change],
        revision: Option<RevisionId>,
    ) -> Result<Option<(Ending, Vec<Record>)>, WriteError> {
        let Begun { operation: Operation { world, resource, cause, intent, template }, mut history, mut records } =
            self;
        let surface = intent.plan.surface();
        let ending = carry_out(world, &Patience::ENDLESS, resource, &intent, changes, revision, None).await?;
        let outcome = |history: &History, now| {
            let state = history.surfaces.get(surface).cloned().unwrap_or_default();
            // Otherwise a guard has recorded the outcome after the lease ended.
            let ours = state.intent.as_ref() == Some(&intent);
            ours.then(|| {
                let (drafts, concluded) = conclude(&intent, &ending, &state, None, &template, now);
                let mut surfaces = vec![(surface.clone(), concluded)];
                if ending == Ending::Done && matches!(surface, Surface::Secret(_)) {
                    surfaces.push(values_after(history, &intent));
                }
                Entry { drafts, surfaces, known: learnt(&intent, &ending), ..Entry::default() }
            })
        };
        let Some(written) =
            commit_until_it_fits(world, &Patience::ENDLESS, resource, cause, &mut history, outcome).await?
        else {
            return Ok(None);
        };
        records.extend(written);
        if let Err(error) = world.announce(&records).await {
            tracing::warn!(%error, "the ledger has the records, but their events were not sent");
        }
        Ok(Some((ending, records)))
    }
}

/// The state of a function's environment with what is known of its values once a rotation is done.
pub(crate) fn values_after(history: &History, rotation: &Intent) -> (Surface, SurfaceState) {
    let environment = Surface::Environment(None);
    let mut state = history.surfaces.get(&environment).cloned().unwrap_or_default();
    state.values.learn(rotation.plan.changes());
    (environment, state)
}
