//! What the whole account knows of a value that was taken out of one environment: that it is a secret, wherever it is
//! set again.
//!
//! The hash of such a value is made for this alone. Digests have another one, so that nobody who reads digests in the
//! ledger, and may write to its table, can make a harmless value known.

use crate::{
    name::{fingerprint::canonical, lambda::FunctionArn},
    plan::{Call, Change},
    secret::environment::KeyedHash,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use warden_secret_ref::SecretName;

/// Where a value was taken out, and where it is now. It holds nothing of the value itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The secret that holds it.
    pub secret: SecretName,
    /// The function whose environment it was taken out of.
    pub function: FunctionArn,
    /// The name of the variable that it was taken out of.
    pub variable: String,
    /// An operator's decision that the value may be in plaintext after all, so that it is known no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawal>,
}

/// An operator's decision that a value is known no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The operator who decided it.
    pub by: String,
    /// Proof that the decision came through the operator role: see [`crate::run::proof`].
    pub proof: String,
}

impl Withdrawal {
    /// The message that its proof is made of.
    pub fn message(hash: KeyedHash, by: &str) -> Vec<u8> {
        canonical(&json!({"known-secret": {"hash": hash, "withdrawn-by": by}})).into_bytes()
    }
}

/// What `changes` teach the account, once they are made.
pub(crate) fn by(changes: &[Change]) -> BTreeMap<KeyedHash, Known> {
    changes.iter().flat_map(|change| of(change.call())).collect()
}

/// What the account was taught by the changes that `changes` take back.
pub(crate) fn by_undone(changes: &[Change]) -> BTreeMap<KeyedHash, Known> {
    changes.iter().flat_map(|change| of(change.undo())).collect()
}

fn of(call: &Call) -> Vec<(KeyedHash, Known)> {
    if let Call::RotateSecret(rotation) = call {
        let known = || Known {
            secret: rotation.secret.clone(),
            function: rotation.function.clone(),
            variable: rotation.variable.to_string(),
            withdrawn: None,
        };
        return rotation.known.map(|hash| (hash, known())).into_iter().collect();
    }
    let Call::UpdateEnvironment(update) = call else { return Vec::new() };
    let stored = update.store.iter().flat_map(|stored| stored.known.iter().map(move |known| (stored, known)));
    let known = |variable: &String, secret: &SecretName| Known {
        secret: secret.clone(),
        function: update.function.clone(),
        variable: variable.clone(),
        withdrawn: None,
    };
    stored.map(|(stored, (variable, hash))| (*hash, known(variable, &stored.secret))).collect()
}
