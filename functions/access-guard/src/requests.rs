//! Which events concern access-guard, and where each says to look.

use std::collections::BTreeSet;
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    model::{
        cloudtrail::CloudTrailEvent,
        settings::Settings,
        surface::{Resource, Surface},
        tags::Mode,
    },
    name::lambda::{FunctionArn, LayerVersionArn, Qualifier},
};

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn requests(event: &CloudTrailEvent, settings: &Settings) -> Option<ReconcileRequest> {
    match event.cause.event_name.as_str() {
        "AddPermission" => {
            let (function, qualifier) = event.function("functionName")?;
            let sid = event.parameter("statementId").map(str::to_owned);
            let introduced = Introduced { surface: Some(Surface::ResourcePolicy(qualifier.clone())), sid };
            Some(access(event, function, qualifier, vec![introduced]))
        }
        // What only takes something away brings nothing new; but what was there before is looked at without it.
        "RemovePermission" | "DeleteFunctionUrlConfig" => {
            let (function, qualifier) = event.function("functionName")?;
            Some(access(event, function, qualifier, Vec::new()))
        }
        // The event names of this API are unconfirmed (? event-names): they follow the operations' names.
        "PutResourcePolicy" => {
            let (function, qualifier) = event.function("resourceArn")?;
            let introduced = Introduced { surface: Some(Surface::ResourcePolicy(qualifier.clone())), sid: None };
            Some(access(event, function, qualifier, vec![introduced]))
        }
        "DeleteResourcePolicy" => {
            let (function, qualifier) = event.function("resourceArn")?;
            Some(access(event, function, qualifier, Vec::new()))
        }
        "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig" => {
            let (function, qualifier) = event.function("functionName")?;
            let introduced = Introduced { surface: Some(Surface::FunctionUrl(qualifier.clone())), sid: None };
            Some(access(event, function, qualifier, vec![introduced]))
        }
        // A new qualifier has neither policy nor URL: seen now, whatever it is given later is new.
        "CreateAlias" => {
            let (function, _) = event.function("functionName")?;
            Some(new_qualifier(event, function, event.parameter("name")?.parse().ok()?))
        }
        // UpdateFunctionCode publishes a version where it is asked to.
        "PublishVersion" | "UpdateFunctionCode" => {
            let (function, _) = event.function("functionName")?;
            Some(new_qualifier(event, function, event.published_version()?))
        }
        // Everything about a new function is new, and all of it is looked at: that it is new is what the event says.
        "CreateFunction" => {
            let (function, _) = event.function("functionName")?;
            let introduced = vec![Introduced { surface: None, sid: None }];
            Some(ReconcileRequest { surfaces: None, ..access(event, function, None, introduced) })
        }
        // Opting in or out: everything that the function has, and nothing of it is new.
        "TagResource" | "UntagResource" if event.touches_warden_tags() => {
            let (function, _) = event.function("resource")?;
            Some(ReconcileRequest { surfaces: None, ..access(event, function, None, Vec::new()) })
        }
        "AddLayerVersionPermission" | "RemoveLayerVersionPermission" => layer(event, settings),
        _ => None,
    }
}

/// A policy and a URL of the same qualifier are judged together: either can open the other. So can the function's own
/// policy, whose statements may be about its aliases too.
pub(crate) fn together(surface: &Surface) -> BTreeSet<Surface> {
    if let Surface::ResourcePolicy(qualifier) | Surface::FunctionUrl(qualifier) = surface {
        with_url(qualifier.clone())
    } else {
        BTreeSet::from([surface.clone()])
    }
}

fn access(
    event: &CloudTrailEvent,
    function: FunctionArn,
    qualifier: Option<Qualifier>,
    introduced: Vec<Introduced>,
) -> ReconcileRequest {
    let surfaces = Some(with_url(qualifier));
    ReconcileRequest { surfaces, introduced, ..ReconcileRequest::at(Resource::Function(function), event.cause.clone()) }
}

fn new_qualifier(event: &CloudTrailEvent, function: FunctionArn, qualifier: Qualifier) -> ReconcileRequest {
    // What is published again may have had its policy for long.
    let is_new = !qualifier.is_latest_published();
    let introduced = [Surface::ResourcePolicy(Some(qualifier.clone())), Surface::FunctionUrl(Some(qualifier.clone()))]
        .map(|surface| Introduced { surface: Some(surface), sid: None });
    let introduced = introduced.into_iter().filter(|_| is_new).collect();
    access(event, function, Some(qualifier), introduced)
}

fn with_url(qualifier: Option<Qualifier>) -> BTreeSet<Surface> {
    let policy = Surface::ResourcePolicy(qualifier.clone());
    let url = match qualifier {
        // The function's own URL runs this version; whether Lambda then asks the version's policy as well is documented
        // nowhere (? published-url).
        Some(version) if version.is_latest_published() => None,
        // A version has no URL: only the function itself and its aliases have.
        Some(version) if version.is_version() => return BTreeSet::from([policy]),
        qualifier => qualifier,
    };
    BTreeSet::from([policy, Surface::ResourcePolicy(None), Surface::FunctionUrl(url)])
}

/// Layers cannot be tagged: the account's settings say which are guarded, so that the others cost no call.
fn layer(event: &CloudTrailEvent, settings: &Settings) -> Option<ReconcileRequest> {
    let version = event.parameters.get("versionNumber")?;
    let version = version.as_u64().or_else(|| version.as_str()?.parse().ok())?;
    let layer = LayerVersionArn::resolve(event.parameter("layerName")?, version, &event.home).ok()?;
    let guarded = settings.layers.mode != Mode::Off
        && settings.layers.names.iter().any(|pattern| pattern.matches(layer.name()))
        && *layer.account() == event.home.account;
    guarded.then(|| {
        let surface = Surface::LayerPolicy(layer.version());
        ReconcileRequest {
            surfaces: Some(BTreeSet::from([surface.clone()])),
            introduced: match event.cause.event_name.as_str() {
                "AddLayerVersionPermission" => {
                    let sid = event.parameter("statementId").map(str::to_owned);
                    vec![Introduced { surface: Some(surface), sid }]
                }
                _ => Vec::new(),
            },
            ..ReconcileRequest::at(Resource::LayerVersion(layer), event.cause.clone())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_looked_at_with_the_url_that_it_opens() {
        #[track_caller]
        fn check(surface: &str, expected: &[&str]) {
            let surfaces: BTreeSet<String> =
                together(&surface.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(surfaces, expected.iter().map(|text| (*text).to_owned()).collect());
        }
        check("resource-policy", &["resource-policy", "function-url"]);
        check("function-url:live", &["resource-policy:live", "resource-policy", "function-url:live"]);
        // A version has no URL.
        check("resource-policy:3", &["resource-policy:3"]);
        // The function's own URL runs this one, where there is it.
        check(
            "resource-policy:$LATEST.PUBLISHED",
            &["resource-policy", "resource-policy:$LATEST.PUBLISHED", "function-url"],
        );
        check("layer-policy/1", &["layer-policy/1"]);
    }
}
