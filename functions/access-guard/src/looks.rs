//! Which events concern access-guard, and where each says to look.

use std::collections::BTreeSet;
use warden_engine::{
    arn::{FunctionArn, LayerVersionArn, Qualifier},
    guard::{Introduced, Look},
    settings::Settings,
    surface::{Subject, Surface},
    tags::Mode,
    trigger::Trigger,
};

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn looks(trigger: &Trigger, settings: &Settings) -> Option<Look> {
    match trigger.cause.event_name.as_str() {
        "AddPermission" | "RemovePermission" => {
            let (function, qualifier) = function(trigger, "functionName")?;
            Some(access(trigger, function, qualifier, true, trigger.parameter("statementId")))
        }
        // The event names of this API are unconfirmed: they follow the operations' names.
        "PutResourcePolicy" | "DeleteResourcePolicy" => {
            let (function, qualifier) = function(trigger, "resourceArn")?;
            Some(access(trigger, function, qualifier, true, None))
        }
        "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig" => {
            let (function, qualifier) = function(trigger, "functionName")?;
            Some(access(trigger, function, qualifier, false, None))
        }
        // A new qualifier has neither policy nor URL: seen now, whatever it is given later is new.
        "CreateAlias" | "PublishVersion" => {
            let (function, _) = function(trigger, "functionName")?;
            let name = trigger.parameter("name").or_else(|| trigger.result("version"))?;
            Some(access(trigger, function, Some(name.parse().ok()?), true, None))
        }
        // Everything about a new function is new.
        "CreateFunction" => {
            let (function, _) = function(trigger, "functionName")?;
            let introduced = vec![Introduced { surface: None, sid: None }];
            Some(Look { introduced, ..access(trigger, function, None, true, None) })
        }
        // Opting in or out: everything that the function has, and nothing of it is new.
        "TagResource" | "UntagResource" if tags_of_warden(trigger) => {
            let (function, _) = function(trigger, "resource")?;
            Some(Look { surfaces: None, introduced: Vec::new(), ..access(trigger, function, None, false, None) })
        }
        "AddLayerVersionPermission" | "RemoveLayerVersionPermission" => layer(trigger, settings),
        _ => None,
    }
}

fn function(trigger: &Trigger, parameter: &str) -> Option<(FunctionArn, Option<Qualifier>)> {
    let (function, qualifier) = FunctionArn::resolve(trigger.parameter(parameter)?, &trigger.home).ok()?;
    // Another account's function cannot be changed from here.
    (*function.account() == trigger.home.account).then_some(())?;
    let given = match trigger.parameter("qualifier") {
        None | Some("$LATEST") => None,
        Some(given) => Some(given.parse().ok()?),
    };
    Some((function, given.or(qualifier)))
}

/// A policy and a URL of the same qualifier are judged together: either can open the other.
fn access(
    trigger: &Trigger,
    function: FunctionArn,
    qualifier: Option<Qualifier>,
    policy_changed: bool,
    sid: Option<&str>,
) -> Look {
    let policy = Surface::ResourcePolicy(qualifier.clone());
    // A version has no URL: only the function itself and its aliases have.
    if qualifier.as_ref().is_some_and(Qualifier::is_version) {
        return Look {
            subject: Subject::Function(function),
            surfaces: Some(BTreeSet::from([policy.clone()])),
            introduced: vec![Introduced { surface: Some(policy), sid: sid.map(str::to_owned) }],
            by_operator: false,
            cause: trigger.cause.clone(),
        };
    }
    let url = Surface::FunctionUrl(qualifier);
    // A new statement makes a URL public that was not before, so that the URL's finding is new as well.
    let mut introduced = vec![Introduced { surface: Some(url.clone()), sid: None }];
    if policy_changed {
        introduced.push(Introduced { surface: Some(policy.clone()), sid: sid.map(str::to_owned) });
    }
    Look {
        subject: Subject::Function(function),
        surfaces: Some(BTreeSet::from([policy, url])),
        introduced,
        by_operator: false,
        cause: trigger.cause.clone(),
    }
}

/// TagResource carries `tags`, UntagResource `tagKeys`.
fn tags_of_warden(trigger: &Trigger) -> bool {
    let ours = |key: &str| key == "warden" || key.starts_with("warden:");
    let tags = trigger.parameters.get("tags").and_then(|tags| tags.as_object());
    let keys = trigger.parameters.get("tagKeys").and_then(|keys| keys.as_array());
    tags.is_some_and(|tags| tags.keys().any(|key| ours(key)))
        || keys.is_some_and(|keys| keys.iter().filter_map(|key| key.as_str()).any(ours))
}

/// Layers cannot be tagged: the account's settings say which are guarded, so that the others cost no call.
fn layer(trigger: &Trigger, settings: &Settings) -> Option<Look> {
    let version = trigger.parameters.get("versionNumber")?;
    let version = version.as_u64().or_else(|| version.as_str()?.parse().ok())?;
    let layer = LayerVersionArn::resolve(trigger.parameter("layerName")?, version, &trigger.home).ok()?;
    let guarded = settings.layers.mode != Mode::Off
        && settings.layers.names.iter().any(|pattern| pattern.matches(layer.name()))
        && *layer.account() == trigger.home.account;
    guarded.then(|| {
        let surface = Surface::LayerPolicy(layer.version());
        Look {
            subject: Subject::LayerVersion(layer),
            surfaces: Some(BTreeSet::from([surface.clone()])),
            introduced: vec![Introduced {
                surface: Some(surface),
                sid: trigger.parameter("statementId").map(str::to_owned),
            }],
            by_operator: false,
            cause: trigger.cause.clone(),
        }
    })
}
