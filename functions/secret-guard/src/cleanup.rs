//! What becomes of the secrets of a function that is gone.

use std::collections::BTreeSet;
use warden_engine::{
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
    plan::{Call, Plan},
    secret::environment::{RetainedSecrets, SecretState},
    secret_ref::SecretName,
};

/// They are deleted once the undo window is over, which is how long AWS keeps what is to be deleted: until then an
/// undo, or the function made anew, has them back. None where nothing is left to be done.
pub(crate) fn cleanup(resource: &Resource, surface: &Surface, kept: &Content) -> Option<Result<Plan, String>> {
    let Resource::Function(function) = resource else { return None };
    let mut retained = RetainedSecrets::of(kept)?;
    let secrets: BTreeSet<SecretName> = retained
        .secrets
        .iter()
        .filter(|(_, state)| **state == SecretState::Kept)
        .map(|(name, _)| name.clone())
        .collect();
    if secrets.is_empty() {
        return None;
    }
    if !retained.users.is_empty() {
        let users = retained.users.into_iter().collect::<Vec<_>>().join(", ");
        return Some(Err(format!(
            "the function is gone, and others refer to its secret: {users}. It stays; set the values there themselves, \
             and delete the secret once nothing refers to it"
        )));
    }
    retained.secrets.values_mut().for_each(|state| *state = SecretState::ToBeDeleted);
    let call = Call::DeleteSecrets { function: function.clone(), secrets: secrets.clone() };
    let undo = Call::RestoreSecrets { function: function.clone(), secrets };
    let note = "the function is gone: its secrets are deleted in 30 days. Until then `warden undo` keeps them, and so \
                does making the function anew";
    Some(Ok(Plan::new(surface.clone(), kept.clone()).then(call, undo, retained.content()).noting(note)))
}
