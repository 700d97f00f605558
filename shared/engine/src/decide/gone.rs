//! Resources that are gone: the intents that were left on them, and what Warden keeps for them.

use super::{
    ITEMS_PER_COMMIT,
    intent::{Remediation, intend, resume},
    outcome::{Ending, conclude, learnt},
};
use crate::{
    ledger::{
        record::{Draft, Reason, Step},
        state::{History, Purpose, SurfaceState},
    },
    model::{
        content::{Content, Diff},
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::fingerprint::Fingerprint,
    plan::Plan,
    secret::{environment::KeyedHash, known_secret::Known},
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

/// What ends the intents that were left open on a resource that is gone.
pub struct Gone {
    /// Records to write.
    pub drafts: Vec<Draft>,
    /// States that change.
    pub states: Vec<(Surface, SurfaceState)>,
    /// What the account learns about values.
    pub known: BTreeMap<KeyedHash, Known>,
    /// The remediations that are resumed.
    pub remediations: Vec<Remediation>,
}

/// Ends the intents that were left open on a resource that is gone; `kept` is what Warden keeps for it, and on which
/// surface.
pub fn gone(
    history: &History,
    kept: Option<(&Surface, &Content)>,
    template: &Draft,
    settings: &Settings,
    now: Timestamp,
) -> Gone {
    let mut gone = Gone { drafts: Vec::new(), states: Vec::new(), known: BTreeMap::new(), remediations: Vec::new() };
    for (surface, state) in &history.surfaces {
        if let Some(intent) = state.intent.as_ref().filter(|intent| intent.lease <= now) {
            let kept = kept.filter(|(kept, _)| *kept == surface);
            let ending = match kept.and_then(|(_, content)| intent.plan.remaining(content)) {
                Some([]) => Ending::Done,
                Some(changes) if intent.purpose == Purpose::Remedy && !history.is_paused(now) => {
                    let mut state = state.clone();
                    gone.remediations.push(resume(surface, intent, changes, None, &mut state, settings, now));
                    gone.states.push((surface.clone(), state));
                    continue;
                }
                Some(_) | None => {
                    Ending::Failed("the run that began this was cut off, and its resource is gone".into())
                }
            };
            let (outcome, state) = conclude(intent, &ending, state, None, template, now);
            gone.drafts.extend(outcome);
            gone.known.extend(learnt(intent, &ending));
            gone.states.push((surface.clone(), state));
        }
        if gone.states.len() == ITEMS_PER_COMMIT / 2 {
            break;
        }
    }
    gone
}

/// What is to be written and done about what Warden keeps for a resource that is gone: the record, the state of the
/// surface that it is kept on, and the change if it may be made now. `None` where it was reported already that it
/// stays.
pub fn cleanup(
    resource: &Resource,
    (surface, kept): (&Surface, &Content),
    plan: Result<Plan, String>,
    history: &History,
    template: &Draft,
    settings: &Settings,
    now: Timestamp,
) -> Option<(Draft, SurfaceState, Option<Remediation>)> {
    let mut state = history.surfaces.get(surface).cloned().unwrap_or_default();
    let plan = match plan {
        Ok(_) if history.is_paused(now) => Err((Reason::Paused, "it stays while everything is paused".to_owned())),
        Ok(plan) => Ok(plan),
        Err(why) => Err((Reason::NoSafeChange, why)),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err((reason, note)) => {
            let once = Fingerprint::of(&json!([Step::Withheld, reason.code(), kept.fingerprint()]));
            if state.reported.contains(&once) {
                return None;
            }
            state.reported.push(once);
            let draft = Draft {
                step: Step::Withheld,
                surface: Some(surface.clone()),
                reason: Some(reason),
                note: Some(note),
                diff: Some(Diff { before: kept.clone(), after: kept.clone() }),
                ..template.clone()
            };
            return Some((draft, state, None));
        }
    };
    let intent = intend(resource, (plan, false), Vec::new(), &mut state, settings, now);
    let draft = Draft {
        step: Step::Planned,
        surface: Some(surface.clone()),
        remediation: Some(intent.remediation.clone()),
        note: intent.plan.note().map(str::to_owned),
        diff: Some(Diff { before: intent.plan.before().clone(), after: intent.plan.after().clone() }),
        changes: intent.plan.changes().to_vec(),
        ..template.clone()
    };
    let remediation = Remediation {
        surface: surface.clone(),
        changes: intent.plan.changes().to_vec(),
        intent,
        revision: None,
        resumed: false,
    };
    Some((draft, state, Some(remediation)))
}
