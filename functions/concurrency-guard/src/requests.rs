//! Which events concern concurrency-guard, and where each says to look.

use crate::{Facts, judge};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeSet;
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    model::{
        cloudtrail::CloudTrailEvent,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::lambda::{AccountArn, FunctionArn},
};

/// The role that Application Auto Scaling moves provisioned concurrency with. It is linked to the service: nobody else
/// can assume it, and nobody can make another in its path ("Service-linked roles for Application Auto Scaling" in its
/// user guide).
const AUTO_SCALING: &str = ":role/aws-service-role/lambda.application-autoscaling.amazonaws.com/";

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn requests(event: &CloudTrailEvent) -> Option<ReconcileRequest> {
    match event.cause.event_name.as_str() {
        // That the reservation is gone is new as well.
        "PutFunctionConcurrency" | "DeleteFunctionConcurrency" => {
            Some(look(event, event.function("functionName")?.0, Surface::Concurrency, true))
        }
        "PutFunctionRecursionConfig" => Some(look(event, event.function("functionName")?.0, Surface::Recursion, true)),
        // All day long, and nobody's change.
        "PutProvisionedConcurrencyConfig" | "DeleteProvisionedConcurrencyConfig" if is_by_auto_scaling(event) => None,
        "PutProvisionedConcurrencyConfig" | "DeleteProvisionedConcurrencyConfig" => {
            let (function, qualifier) = event.function("functionName")?;
            // The API has none without a qualifier; should an event have none, all of the function is looked at.
            Some(match qualifier {
                Some(qualifier) => look(event, function, Surface::ProvisionedConcurrency(qualifier), true),
                None => ReconcileRequest::at(Resource::Function(function), event.cause.clone()),
            })
        }
        // Of Managed Instances alone, which are recognised at the look.
        "PutFunctionScalingConfig" => Some(look(event, event.function("functionName")?.0, Surface::Concurrency, false)),
        // Everything about a new function is new, and all of it is looked at: that it is new is what the event says.
        "CreateFunction" => {
            let (function, _) = event.function("functionName")?;
            Some(ReconcileRequest {
                introduced: vec![Introduced { surface: None, sid: None }],
                ..ReconcileRequest::at(Resource::Function(function), event.cause.clone())
            })
        }
        // Opting in or out: nothing of what the function has is new. But who sets a cap asks for it now.
        "TagResource" | "UntagResource" if event.touches_warden_tags() => {
            let (function, _) = event.function("resource")?;
            let capped = sets_cap(event).then_some(Introduced { surface: Some(Surface::Concurrency), sid: None });
            Some(ReconcileRequest {
                introduced: capped.into_iter().collect(),
                ..ReconcileRequest::at(Resource::Function(function), event.cause.clone())
            })
        }
        _ => None,
    }
}

/// Less provisioned concurrency makes room for a cap that was withheld for it.
pub(crate) fn together(surface: &Surface) -> BTreeSet<Surface> {
    let concurrency = matches!(surface, Surface::ProvisionedConcurrency(_)).then_some(Surface::Concurrency);
    [surface.clone()].into_iter().chain(concurrency).collect()
}

/// A look at the account where nothing can be reserved in it, for the sake of a function that is to have a cap.
pub(crate) fn account(request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Option<ReconcileRequest> {
    let Resource::Function(function) = &request.resource else { return None };
    let is_of_home = function.region() == settings.home.region;
    let nothing = facts.context.account.is_some_and(|account| judge::is_nothing_to_reserve(account.limit));
    let is_off = facts.scope.opt_in(GuardKind::Concurrency, Date::MIN).mode == Mode::Off;
    let asked = judge::judge(facts, &Surface::Concurrency, settings);
    (is_of_home && nothing && !is_off && !asked.findings.is_empty()).then(|| {
        let account = AccountArn::of(&settings.home);
        ReconcileRequest {
            surfaces: Some(BTreeSet::from([Surface::Concurrency])),
            ..ReconcileRequest::at(Resource::Account(account), request.cause.clone())
        }
    })
}

fn look(event: &CloudTrailEvent, function: FunctionArn, surface: Surface, is_new: bool) -> ReconcileRequest {
    let introduced = is_new.then(|| Introduced { surface: Some(surface.clone()), sid: None });
    ReconcileRequest {
        surfaces: Some(together(&surface)),
        introduced: introduced.into_iter().collect(),
        ..ReconcileRequest::at(Resource::Function(function), event.cause.clone())
    }
}

fn is_by_auto_scaling(event: &CloudTrailEvent) -> bool {
    event.role.as_deref().is_some_and(|role| role.contains(AUTO_SCALING))
}

fn sets_cap(event: &CloudTrailEvent) -> bool {
    event
        .parameters
        .get("tags")
        .and_then(Value::as_object)
        .is_some_and(|tags| tags.contains_key("warden:max-concurrency"))
}
