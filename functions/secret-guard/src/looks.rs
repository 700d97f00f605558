//! Which events concern secret-guard, and where each says to look. CloudTrail leaves environments out of its events, so that none says
//! what was set.

use std::collections::BTreeSet;
use warden_engine::{
    arn::FunctionArn,
    guard::{Introduced, Look},
    surface::{Subject, Surface},
    trigger::Trigger,
};

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn looks(trigger: &Trigger) -> Option<Look> {
    match trigger.cause.event_name.as_str() {
        // Everything about a new function is new.
        "CreateFunction" => {
            let (function, _) = trigger.function("functionName")?;
            Some(look(trigger, function, Surface::Environment(None), vec![Introduced { surface: None, sid: None }]))
        }
        // Layers, role and runtime too decide whether a stripped secret can be reached.
        "UpdateFunctionConfiguration" => {
            let (function, _) = trigger.function("functionName")?;
            let surface = Surface::Environment(None);
            // The environment stands there emptied where it was sent.
            let sent = trigger.parameters.get("environment").is_some_and(|sent| !sent.is_null());
            let introduced = sent.then(|| Introduced { surface: Some(surface.clone()), sid: None });
            Some(look(trigger, function, surface, introduced.into_iter().collect()))
        }
        // Gone, or there again by now. With a qualifier one version was deleted.
        "DeleteFunction" if trigger.parameter("qualifier").is_none() => {
            let (function, _) = trigger.function("functionName")?;
            Some(look(trigger, function, Surface::Environment(None), Vec::new()))
        }
        // The environment of the moment, kept for ever.
        "PublishVersion" => {
            let (function, _) = trigger.function("functionName")?;
            let surface = Surface::Environment(Some(trigger.result("version")?.parse().ok()?));
            let introduced = Introduced { surface: Some(surface.clone()), sid: None };
            Some(look(trigger, function, surface, vec![introduced]))
        }
        // Opting in or out: nothing of it is new.
        "TagResource" | "UntagResource" if trigger.is_about_our_tags() => {
            let (function, _) = trigger.function("resource")?;
            Some(Look { surfaces: None, ..look(trigger, function, Surface::Environment(None), Vec::new()) })
        }
        _ => None,
    }
}

fn look(trigger: &Trigger, function: FunctionArn, surface: Surface, introduced: Vec<Introduced>) -> Look {
    let surfaces = Some(BTreeSet::from([surface]));
    Look { surfaces, introduced, ..Look::at(Subject::Function(function), trigger.cause.clone()) }
}
