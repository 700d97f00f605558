//! What is known of the values that a function's variables held: which one is the current one in Secrets Manager, and
//! which ones were before.
//!
//! Only hashes and places; a value that was replaced stays replaced by them. They stand in the state of the surface
//! `environment`, beside the function's records, so that they outlive the versions of its secrets, and no call is made
//! for them.

use crate::{
    plan::{Call, Change},
    secret::environment::{KeyedHash, Stored},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warden_secret_ref::SecretName;

/// How many earlier values of one variable are remembered. They are the latest ones.
const EARLIER: usize = 64;
/// How many values of one variable are remembered that nobody has stored.
const SEEN: usize = 4;
/// How many values of all variables together are remembered: they stand in one item of the ledger's table, of which
/// DynamoDB takes no more than 400 KB ("Constraints in Amazon DynamoDB" in its developer guide), at 200 bytes or so each.
const ALL: usize = 1000;

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
    /// What the variable's secret held when it was last looked at, which is what the function reads at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<KnownHash>,
    /// The values that were replaced, the latest at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<KnownHash>,
    /// Values that stood in the environment and were not stored. They count as replaced once another value is stored.
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

    /// What is known of one variable.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name)
    }

    /// The variables of which something is known.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.0.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// Notes that a value is the variable's current one. The one before it, and those that nobody stored, count as
    /// replaced.
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

    /// A value is in a version of a secret that is not the current one: it is replaced, whoever did that.
    pub fn replaced(&mut self, name: &str, hash: KeyedHash, place: Place) {
        let Some(variable) = self.0.get_mut(name).filter(|variable| !variable.is_current(hash)) else { return };
        let is_known = variable.earlier.iter().any(|known| known.hash == hash && known.place.is_some());
        if variable.current.is_some() && !is_known {
            variable.seen.retain(|seen| *seen != hash);
            variable.replace(KnownHash { hash, place: Some(place) });
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

    /// Forgets variables that are gone and of which no value was ever stored. Where more is known than there is room
    /// for, also the oldest values, those of variables that are gone first.
    pub fn forget(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|name, variable| variable.current.is_some() || is_there(name));
        let mut surplus = self.0.values().map(Variable::len).sum::<usize>().saturating_sub(ALL);
        for only_gone in [true, false] {
            while surplus > 0 {
                let variables = self.0.iter_mut().filter(|(name, _)| !(only_gone && is_there(name)));
                let most = variables.max_by_key(|(_, variable)| variable.earlier.len());
                let Some((_, variable)) = most.filter(|(_, variable)| !variable.earlier.is_empty()) else { break };
                variable.earlier.remove(0);
                surplus -= 1;
            }
            let gone: Vec<String> = self.0.keys().filter(|name| only_gone && !is_there(name)).cloned().collect();
            for name in gone {
                if surplus > 0 {
                    surplus = surplus.saturating_sub(self.0.remove(&name).map_or(0, |variable| variable.len()));
                }
            }
        }
    }

    /// Learns from changes that were made.
    pub(crate) fn learn(&mut self, changes: &[Change]) {
        for change in changes {
            if let Call::UpdateEnvironment(update) = change.call()
                && let Some(Stored { secret, version, values, .. }) = &update.store
            {
                let place = Place { secret: secret.clone(), version: version.clone() };
                values.iter().for_each(|(name, hash)| self.set(name, *hash, place.clone()));
            }
            if let Call::UpdateEnvironment(update) = change.call()
                && let Some(Stored { secret, version, values, .. }) = &update.aside
            {
                let place = Place { secret: secret.clone(), version: version.clone() };
                values.iter().for_each(|(name, hash)| self.replaced(name, *hash, place.clone()));
            }
            // What it replaces first: nobody may have looked since that was put there.
            if let Call::RotateSecret(before) = change.undo()
                && let Some(hash) = before.value
                && !self.get(before.variable.as_str()).is_some_and(|variable| variable.is_current(hash))
            {
                let version = before.from.as_ref().unwrap_or(&before.version).clone();
                self.set(before.variable.as_str(), hash, Place { secret: before.secret.clone(), version });
            }
            if let Call::RotateSecret(rotation) = change.call()
                && let Some(hash) = rotation.value
            {
                // The id of the version that an undo makes depends on what is there then; the value is in this one too.
                let version = rotation.from.as_ref().unwrap_or(&rotation.version).clone();
                self.set(rotation.variable.as_str(), hash, Place { secret: rotation.secret.clone(), version });
            }
        }
    }
}

impl Variable {
    fn len(&self) -> usize {
        usize::from(self.current.is_some()) + self.earlier.len() + self.seen.len()
    }

    fn is_current(&self, hash: KeyedHash) -> bool {
        self.current.as_ref().is_some_and(|current| current.hash == hash)
    }

    fn replace(&mut self, replaced: KnownHash) {
        // One that was stored is rather known than one that was only seen.
        let place = self.earlier.iter().find(|known| known.hash == replaced.hash).and_then(|known| known.place.clone());
        self.earlier.retain(|known| known.hash != replaced.hash);
        let surplus = (self.earlier.len() + 1).saturating_sub(EARLIER);
        self.earlier.drain(..surplus);
        self.earlier.push(KnownHash { place: replaced.place.or(place), ..replaced });
    }

    /// The values that the variable had in its secret, including the last one that is known.
    pub fn replaced(&self) -> impl Iterator<Item = &KnownHash> {
        self.current.iter().chain(&self.earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> KeyedHash {
        KeyedHash([byte; 16])
    }

    fn place(version: &str) -> Place {
        Place { secret: "warden/pay/1".parse().unwrap(), version: version.into() }
    }

    /// The values that were replaced, oldest first, each with its version.
    #[track_caller]
    fn check(values: &Values, expected: &[(u8, &str)]) {
        let variable = values.get("A1").unwrap();
        let version = |known: &KnownHash| known.place.as_ref().map_or(String::new(), |place| place.version.clone());
        let earlier: Vec<_> = variable.earlier.iter().map(|known| (known.hash, version(known))).collect();
        let expected: Vec<_> = expected.iter().map(|(byte, version)| (hash(*byte), (*version).to_owned())).collect();
        assert_eq!(earlier, expected);
    }

    #[test]
    fn what_was_the_current_value_or_stood_there_unstored_is_replaced_by_the_next() {
        let mut values = Values::default();
        values.see("A1", hash(9));
        values.set("A1", hash(1), place("one"));
        check(&values, &[(9, "")]);
        values.set("A1", hash(2), place("two"));
        check(&values, &[(9, ""), (1, "one")]);
        // Set again it is no news, and what comes back is replaced no more.
        values.set("A1", hash(2), place("three"));
        values.see("A1", hash(2));
        values.see("A1", hash(1));
        values.set("A1", hash(1), place("four"));
        check(&values, &[(9, ""), (2, "three")]);
    }

    #[test]
    fn a_place_that_is_known_is_not_forgotten_for_one_that_is_not() {
        let mut values = Values::default();
        for (byte, version) in [(1, "one"), (2, "two"), (3, "three")] {
            values.set("A1", hash(byte), place(version));
        }
        values.see("A1", hash(1));
        values.set("A1", hash(4), place("four"));
        check(&values, &[(1, "one"), (2, "two"), (3, "three")]);
    }

    #[test]
    fn what_is_found_in_an_older_version_is_replaced_unless_it_is_the_current_one() {
        let mut values = Values::default();
        values.replaced("A1", hash(1), place("nobody knows the variable"));
        values.see("A1", hash(9));
        values.set("A1", hash(3), place("three"));
        check(&values, &[(9, "")]);
        values.replaced("A1", hash(2), place("two"));
        values.replaced("A1", hash(2), place("again"));
        values.replaced("A1", hash(3), place("also there"));
        check(&values, &[(9, ""), (2, "two")]);
        // What was only seen has a place now.
        values.replaced("A1", hash(9), place("aside"));
        check(&values, &[(2, "two"), (9, "aside")]);
    }

    #[test]
    fn no_more_is_remembered_than_has_room() {
        let mut values = Values::default();
        for round in 0..200 {
            values.see("A1", hash(250 - round % 5));
            values.see("GONE", hash(round));
            values.set("A1", hash(round), place("some"));
        }
        let variable = values.get("A1").unwrap();
        assert!(variable.earlier.len() <= EARLIER && variable.seen.len() <= SEEN);
        assert!(variable.earlier.iter().any(|known| known.hash == hash(198)), "the latest are kept");
        assert!(values.get("GONE").unwrap().seen.len() <= SEEN);
        values.forget(|name| name == "A1");
        assert!(values.get("GONE").is_none() && values.get("A1").is_some());
    }

    #[test]
    fn names_that_come_and_go_fill_nothing_and_cost_what_is_there_nothing() {
        let mut values = Values::default();
        for round in 0..200 {
            values.set("A1", hash(round), place("some"));
        }
        let before = values.get("A1").unwrap().clone();
        for number in 0..3000 {
            let name = format!("GONE_{number}");
            values.set(&name, hash(1), place("one"));
            values.set(&name, hash(2), place("two"));
            values.forget(|other| other == "A1" || other == name);
        }
        assert!(values.iter().map(|(_, variable)| variable.len()).sum::<usize>() <= ALL);
        assert_eq!(values.get("A1"), Some(&before));
        // Nor do variables that all stay.
        let mut values = Values::default();
        for number in 0..100 {
            for round in 0..70 {
                values.set(&format!("HERE_{number}"), hash(round), place("some"));
            }
        }
        values.forget(|_| true);
        assert!(values.iter().map(|(_, variable)| variable.len()).sum::<usize>() <= ALL);
        assert!((0..100).all(|number| values.get(&format!("HERE_{number}")).unwrap().is_current(hash(69))));
    }
}
