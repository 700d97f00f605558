//! What the past says of an environment's values, and what is to be remembered of them.

use crate::{Context, Facts, StoredNow};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};
use warden_engine::{
    Severity,
    ledger::state::History,
    model::surface::Surface,
    name::fingerprint::Fingerprint,
    secret::{
        environment::{EnvironmentDigest, Held, OddText},
        values::{Place, Values},
    },
    secret_ref::SecretName,
};

/// Adds what the ledger knows. Values that stood here, in an environment without a finding, before they became known to
/// the account are marked: what is introduced is acted on, what was there is reported; nobody changes this function by
/// putting its values into another one.
pub(crate) fn add_history(facts: &mut Facts, history: &History) {
    let surface = Surface::Environment(None);
    let now = facts.surfaces.get(&surface).and_then(|snapshot| EnvironmentDigest::of(&snapshot.content).ok());
    let Some(function) = &mut facts.context else { return };
    let state = history.surfaces.get(&surface);
    function.values = state.map(|state| state.values.clone()).unwrap_or_default();
    function.known_readers = known_readers(history);
    let now = now.unwrap_or_default();
    read_odd_texts(function, &now);
    let mut values = mem::take(&mut function.values);
    learn_replaced(function, &mut values);
    function.values = values;
    let lacks = now.references().filter(|(name, secret)| {
        // What is to be deleted is seen once it is restored.
        let held = function.stored_in(secret).filter(|_| !function.deleted.contains(*secret));
        held.is_some_and(|held| !held.values.contains_key(*name))
    });
    function.lacking = lacks.map(|(name, _)| name.to_owned()).collect();
    let Some((state, baseline)) = state.and_then(|state| Some((state, state.baseline.as_ref()?))) else { return };
    let Ok(before) = EnvironmentDigest::of(baseline) else { return };
    // What stood there with a finding is no harmless value.
    let stood: BTreeSet<Fingerprint> = state.pre_existing.keys().map(|key| key.fragment).collect();
    let Context { known, suspects, .. } = function;
    for value in known {
        let is_suspect = suspects.iter().any(|suspect| {
            suspect.severity >= Severity::Medium && (&suspect.name, suspect.hash) == (&value.name, value.hash)
        });
        let fragment = baseline.fragment(&value.name).map(Fingerprint::of);
        let is_harmless = !is_suspect && fragment.is_some_and(|fragment| !stood.contains(&fragment));
        value.was_there = is_harmless && before.variables.get(&value.name) == Some(&Held::Value(value.hash));
    }
}

/// The roles that were let in before, and what the trust policy of each said then.
pub(crate) fn known_readers(history: &History) -> BTreeMap<String, Fingerprint> {
    history.surfaces.get(&Surface::Environment(None)).map(|state| state.readers.clone()).unwrap_or_default()
}

/// Remembers who is let in, and what the trust policy of each says.
pub(crate) fn remember_readers(facts: &Facts, surface: &Surface, readers: &mut BTreeMap<String, Fingerprint>) {
    let (Surface::Environment(None), Some(function)) = (surface, &facts.context) else { return };
    let is_in = |role: &String| function.readers.contains(role) && function.keeps_out(role).is_none();
    let seen = function.trusts.iter().filter(|(role, _)| is_in(role));
    readers.extend(seen.map(|(role, trust)| (role.clone(), trust.policy)));
}

/// A text that is no JSON object is the value of the one variable that refers to its secret, or did so last; of several
/// it is nobody's.
fn read_odd_texts(function: &mut Context, digest: &EnvironmentDigest) {
    let values = function.values.clone();
    let own = function.secret.clone();
    let first = function.stored.iter_mut().map(|stored| (&own, stored));
    let others = function.others.iter_mut().filter_map(|(name, stored)| Some((name, stored.as_mut()?)));
    for (secret, stored) in first.chain(others) {
        let names = users(secret, digest, &values);
        stored.previous.as_deref_mut().into_iter().for_each(|previous| read_odd_text(previous, &names));
        read_odd_text(stored, &names);
    }
}

fn read_odd_text(stored: &mut StoredNow, users: &BTreeSet<&str>) {
    let Some(OddText::Plain(hash)) = stored.odd else { return };
    match users.first() {
        Some(name) if users.len() == 1 => drop(stored.values.insert((*name).to_owned(), hash)),
        Some(_) | None => stored.odd = Some(OddText::Unusable),
    }
}

/// Takes what the function's secrets held before as replaced, where somebody did that by hand between two looks.
fn learn_replaced(function: &Context, values: &mut Values) {
    for (secret, now) in function.holding().filter(|(secret, _)| !function.deleted.contains(*secret)) {
        let Some(previous) = &now.previous else { continue };
        for (name, hash) in &previous.values {
            let last = values.get(name).and_then(|variable| variable.current.as_ref()?.place.as_ref());
            let is_kept_here = last.is_some_and(|place| place.secret == *secret);
            if is_kept_here && now.values.get(name).is_some_and(|current| current != hash) {
                values.replaced(name, *hash, Place { secret: secret.clone(), version: previous.version.clone() });
            }
        }
    }
}

/// The variables whose values are in a secret.
fn users<'a>(secret: &SecretName, digest: &'a EnvironmentDigest, values: &'a Values) -> BTreeSet<&'a str> {
    let referring = digest.references().filter(|(_, referred)| *referred == secret).map(|(name, _)| name);
    let kept = values.iter().filter(|(name, variable)| {
        // What is not there any more refers to nothing.
        let last = variable.current.as_ref().and_then(|current| current.place.as_ref());
        digest.variables.contains_key(*name) && last.is_some_and(|place| place.secret == *secret)
    });
    referring.chain(kept.map(|(name, _)| name)).collect()
}

/// Remembers what the function's secrets hold now, and what stands in the environment in plaintext.
pub(crate) fn remember(facts: &Facts, surface: &Surface, values: &mut Values) {
    let (Surface::Environment(None), Some(function)) = (surface, &facts.context) else { return };
    let Some(snapshot) = facts.surfaces.get(surface) else { return };
    let Ok(digest) = EnvironmentDigest::of(&snapshot.content) else { return };
    for (secret, now) in function.holding().filter(|(secret, _)| !function.deleted.contains(*secret)) {
        for (name, hash) in &now.values {
            let last = values.get(name).and_then(|variable| variable.current.as_ref());
            let referred = digest.references().find(|(referring, _)| referring == name).map(|(_, secret)| secret);
            let its = referred.or_else(|| last.and_then(|last| last.place.as_ref()).map(|place| &place.secret));
            // A version with a label of Warden's outlives the others.
            let is_news = last.is_none_or(|last| last.hash != *hash || now.label.is_some());
            // What no variable refers to, or did so last, is somebody else's.
            if its == Some(secret) && is_news {
                values.set(name, *hash, Place { secret: secret.clone(), version: now.version.clone() });
            }
        }
    }
    learn_replaced(function, values);
    let suspects = function.suspects.iter().map(|suspect| (&suspect.name, suspect.hash));
    for (name, hash) in suspects.chain(function.known.iter().map(|known| (&known.name, known.hash))) {
        if digest.variables.get(name) == Some(&Held::Value(hash)) {
            values.see(name, hash);
        }
    }
    values.forget(|name| digest.variables.contains_key(name));
}
