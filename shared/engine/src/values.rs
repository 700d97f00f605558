//! What is known of the values that a function's variables held: which one is the current one in Secrets Manager, and which ones were before.
//!
//! Only hashes and places; a value that was replaced stays replaced by them. They stand in the state of the surface `environment`, beside the
//! function's records, so that they outlive the versions of its secrets, and no call is made for them.

use crate::{
    environment::{KeyedHash, Stored},
    plan::{Call, Change},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warden_reference::SecretName;

/// How many earlier values of one variable are remembered, the latest ones.
const EARLIER: usize = 64;
/// How many values of one variable are remembered that nobody has stored.
const SEEN: usize = 4;

/// A version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The secret.
    pub secret: SecretName,
    /// The version's id.
    pub version: String,
}

/// A value that a variable held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHash {
    /// Its hash.
    pub hash: KeyedHash,
    /// Where it is in Secrets Manager; none where it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// The values of one variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// What its secret held when it was last looked at: what the function reads at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<KnownHash>,
    /// What was replaced, the latest at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<KnownHash>,
    /// What stood in the environment and was not stored: it is replaced once something else is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<KeyedHash>,
}

/// The values of a function's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, Variable>);

impl Values {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The variables of which something is known.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.0.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// A variable's value is the current one: the one before it, and what nobody stored, are replaced.
    pub fn set(&mut self, name: &str, hash: KeyedHash, place: Place) {
        let variable = self.0.entry(name.to_owned()).or_default();
        let now = KnownHash { hash, place: Some(place) };
        match variable.current.replace(now) {
            Some(before) if before.hash == hash => {}
            before => {
                let seen = variable.seen.drain(..).map(|hash| KnownHash { hash, place: None });
                let replaced: Vec<KnownHash> = seen.chain(before).collect();
                replaced.into_iter().for_each(|replaced| variable.replace(replaced));
                variable.earlier.retain(|earlier| earlier.hash != hash);
            }
        }
    }

    /// A value stands in the environment.
    pub fn see(&mut self, name: &str, hash: KeyedHash) {
        let variable = self.0.entry(name.to_owned()).or_default();
        let known = variable.current.iter().chain(&variable.earlier).any(|known| known.hash == hash);
        if !known && !variable.seen.contains(&hash) {
            let surplus = (variable.seen.len() + 1).saturating_sub(SEEN);
            variable.seen.drain(..surplus);
            variable.seen.push(hash);
        }
    }

    /// Forgets what is known of variables that nobody stored a value of and that are not there any more.
    pub fn forget(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|name, variable| variable.current.is_some() || is_there(name));
    }

    /// Learns from changes that were made.
    pub(crate) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            match change.call() {
                Call::UpdateEnvironment(update) => {
                    for Stored { secret, version, values, .. } in &update.store {
                        let place = Place { secret: secret.clone(), version: version.clone() };
                        values.iter().for_each(|(name, hash)| self.set(name, *hash, place.clone()));
                    }
                }
                Call::RotateSecret(rotation) => {
                    let place = Place { secret: rotation.secret.clone(), version: rotation.version.clone() };
                    self.set(&rotation.variable, rotation.hash, place);
                }
                _ => {}
            }
        }
    }
}

impl Variable {
    fn replace(&mut self, replaced: KnownHash) {
        // One that was stored is rather known than one that was only seen.
        let place = self.earlier.iter().find(|known| known.hash == replaced.hash).and_then(|known| known.place.clone());
        self.earlier.retain(|known| known.hash != replaced.hash);
        let surplus = (self.earlier.len() + 1).saturating_sub(EARLIER);
        self.earlier.drain(..surplus);
        self.earlier.push(KnownHash { place: replaced.place.or(place), ..replaced });
    }

    /// The values that were replaced, where `current` is the current one now.
    pub fn replaced(&self, current: KeyedHash) -> BTreeMap<KeyedHash, Option<Place>> {
        let before = self.current.iter().chain(&self.earlier).filter(|known| known.hash != current);
        before.map(|known| (known.hash, known.place.clone())).collect()
    }
}
