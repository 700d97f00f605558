//! Leases of runs that are dead: a test ends them, so that it neither waits for that nor depends on how long a run that
//! is alive takes for its work.

use crate::Account;
use jiff::Timestamp;
use std::{collections::HashSet, time::Duration};
use warden_engine::{
    ledger::state::{SurfaceState, next_version},
    model::surface::{Resource, Surface},
    ports::{Commit, CommitError, Ledger},
};
use warden_sandbox::Invocation;

impl Account {
    /// Ends the leases of guards that were killed, for as long as this is waited for.
    pub async fn end_leases_of_the_killed(&self) {
        let trail = self.sandbox.trail();
        loop {
            let calls = trail.calls();
            let dead: HashSet<&Invocation> =
                calls.iter().filter(|call| call.status.is_none()).filter_map(|call| call.invocation.as_ref()).collect();
            let commits: HashSet<u64> =
                calls.iter().filter(|it| it.operation == "TransactWriteItems").map(|it| it.sequence).collect();
            // Whose an intent is, the first request tells that had its lease in it.
            let by_the_dead = |state: &SurfaceState| {
                let lease = state.intent.as_ref().map(|intent| intent.lease.to_string()).unwrap_or_default();
                let writer = trail
                    .find_in(&lease, |call| commits.contains(&call))
                    .into_iter()
                    .filter(|sighting| sighting.in_request)
                    .min_by_key(|it| it.call);
                let writer = writer.and_then(|writer| calls.iter().find(|call| call.sequence == writer.call));
                writer.and_then(|writer| writer.invocation.as_ref()).is_some_and(|writer| dead.contains(writer))
            };
            if !dead.is_empty() {
                self.end_leases(by_the_dead).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends all leases: nobody is at work.
    pub async fn end_all_leases(&self) {
        self.end_leases(|_| true).await;
    }

    async fn end_leases(&self, ends: impl Fn(&SurfaceState) -> bool) {
        let now = Timestamp::now();
        for (resource, surface, state) in self.ledger.open_intents().await.expect("the index") {
            let lease = state.intent.as_ref().map(|intent| intent.lease);
            if lease.is_some_and(|lease| lease > now) && ends(&state) {
                self.end_lease(&resource, &surface, lease).await;
            }
        }
    }

    async fn end_lease(&self, resource: &Resource, surface: &Surface, lease: Option<Timestamp>) {
        loop {
            let now = Timestamp::now();
            let history = self.ledger.history(resource, now).await.expect("the history");
            let mut state = history.surfaces.get(surface).cloned().unwrap_or_default();
            let Some(intent) = state.intent.as_mut().filter(|intent| Some(intent.lease) == lease) else { return };
            intent.lease = now;
            let mut head = history.head;
            head.states.insert(surface.clone(), next_version(state.version, state.damage.as_ref(), now));
            let commit = Commit {
                resource: resource.clone(),
                head,
                records: Vec::new(),
                surfaces: vec![(surface.clone(), state)],
                counted: None,
                pause: None,
                known: Default::default(),
                now,
            };
            match self.ledger.commit(&commit).await {
                Ok(()) => return,
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => panic!("{error}"),
            }
        }
    }
}
