//! What the past says of values that the account knows.

use crate::Facts;
use warden_engine::{
    environment::{Held, Portrait},
    state::History,
    surface::Surface,
};

/// Marks the values that stood here, in an environment without a finding, before they became known. What is introduced is acted on,
/// what was there is reported: nobody changes this function by putting its values into another one.
pub(crate) fn recall(facts: &mut Facts, history: &History) {
    let Some(function) = &mut facts.context else { return };
    let baseline = history.surfaces.get(&Surface::Environment(None)).and_then(|state| state.baseline.as_ref());
    let Some(Ok(before)) = baseline.map(Portrait::of) else { return };
    for value in &mut function.known {
        value.was_there = before.variables.get(&value.name) == Some(&Held::Value(value.hash));
    }
}
