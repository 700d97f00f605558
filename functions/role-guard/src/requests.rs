//! Which events concern role-guard, and where each says to look.

use crate::{
    Facts, PolicyUsers,
    judge::{is_at_fault, whole_role},
    protection::never_touch,
    remedy::strangers,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    model::{
        cloudtrail::CloudTrailEvent,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::{
        iam::{CustomerPolicyArn, PolicyArn, RoleArn},
        lambda::Home,
    },
};

/// A policy leads to so many roles at a time: as many as one invocation can look at, with each of them to put right.
const MOST_ROLES: usize = 200;

/// When a role has its turn among those that have a policy. A list that is looked at in several parts goes on behind the
/// last turn of one part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Whether it is behind those that are opted in to `enforce`.
    pub(crate) is_late: bool,
    /// Since when it has been opted in; later than any time where nobody knows it.
    pub(crate) since: Timestamp,
    /// The role's name.
    pub(crate) name: String,
}

/// The looks that an event asks for; none where it changes nothing that this guard watches. The last is at what the
/// event names.
pub(crate) fn requests(event: &CloudTrailEvent) -> Vec<ReconcileRequest> {
    // The policy first, so that a role is looked at when what it was given is put right already.
    given(event).into_iter().chain(named(event)).collect()
}

/// The look at the managed policy that the event gives to a role: what it says is new to that role, and nobody may have
/// looked at it yet, because CreatePolicy is no event of any role's. It leads to none of the others that have it.
fn given(event: &CloudTrailEvent) -> Option<ReconcileRequest> {
    let (parameter, becomes) = match event.cause.event_name.as_str() {
        "AttachRolePolicy" => ("policyArn", None),
        "CreateRole" | "PutRolePermissionsBoundary" => ("permissionsBoundary", Some(Surface::Boundary)),
        _ => return None,
    };
    let policy = customer_policy(event, parameter)?;
    let surface = Surface::ManagedPolicy(policy.policy().clone());
    let introduced = Introduced { surface: Some(becomes.unwrap_or_else(|| surface.clone())), sid: None };
    Some(ReconcileRequest {
        surfaces: Some(BTreeSet::from([surface])),
        introduced: vec![introduced],
        is_given: true,
        ..ReconcileRequest::at(Resource::Policy(policy), event.cause.clone())
    })
}

fn named(event: &CloudTrailEvent) -> Option<ReconcileRequest> {
    match event.cause.event_name.as_str() {
        "PutRolePolicy" => {
            let name = event.parameter("policyName")?.parse().ok()?;
            role(event, Some(Surface::InlinePolicy(name)))
        }
        "AttachRolePolicy" => role(event, Some(Surface::Attachment(policy(event, "policyArn")?))),
        "UpdateAssumeRolePolicy" => role(event, Some(Surface::Trust)),
        "PutRolePermissionsBoundary" | "DeleteRolePermissionsBoundary" => role(event, Some(Surface::Boundary)),
        // What only takes something away brings nothing new; but what was there before is looked at without it.
        "DeleteRolePolicy" | "DetachRolePolicy" => role(event, None),
        // Everything about a new role is new.
        "CreateRole" => {
            let request = role(event, None)?;
            Some(ReconcileRequest { introduced: vec![Introduced { surface: None, sid: None }], ..request })
        }
        // A new role too, made from a template: only the answer says what it is called (botocore's model). That the
        // event is named like the operation, as all of IAM's are, is unconfirmed (? event-names).
        "AcquireRole" => {
            let role = RoleArn::named(event.results.get("role")?.get("roleName")?.as_str()?, &event.home).ok()?;
            let introduced = vec![Introduced { surface: None, sid: None }];
            Some(ReconcileRequest { introduced, ..ReconcileRequest::at(Resource::Role(role), event.cause.clone()) })
        }
        "TagRole" | "UntagRole" if event.touches_warden_tags() => role(event, None),
        "CreatePolicyVersion" | "SetDefaultPolicyVersion" => {
            let policy = customer_policy(event, "policyArn")?;
            let introduced = Introduced { surface: Some(Surface::ManagedPolicy(policy.policy().clone())), sid: None };
            let request = ReconcileRequest::at(Resource::Policy(policy), event.cause.clone());
            Some(ReconcileRequest { introduced: vec![introduced], ..request })
        }
        "TagPolicy" | "UntagPolicy" if event.touches_warden_tags() => {
            Some(ReconcileRequest::at(Resource::Policy(customer_policy(event, "policyArn")?), event.cause.clone()))
        }
        // A version that is published along with it too.
        "CreateFunction" => {
            let new = [Introduced { surface: None, sid: None }];
            function(event, "functionName", new.into_iter().chain(published(event)).collect())
        }
        // UploadFunction is of the API of 2014, which botocore still has.
        "UpdateFunctionConfiguration" | "UploadFunction" => {
            function(event, "functionName", vec![Introduced { surface: Some(Surface::Role(None)), sid: None }])
        }
        // The role of the moment, kept for ever. UpdateFunctionCode publishes a version where it is asked to.
        "PublishVersion" | "UpdateFunctionCode" => function(event, "functionName", vec![published(event)?]),
        "TagResource" | "UntagResource" if event.touches_warden_tags() => function(event, "resource", Vec::new()),
        _ => None,
    }
}

fn role(event: &CloudTrailEvent, introduced: Option<Surface>) -> Option<ReconcileRequest> {
    let role = RoleArn::named(event.parameter("roleName")?, &event.home).ok()?;
    let introduced = introduced.map(|surface| Introduced { surface: Some(surface), sid: None });
    Some(ReconcileRequest {
        introduced: introduced.into_iter().collect(),
        ..ReconcileRequest::at(Resource::Role(role), event.cause.clone())
    })
}

fn policy(event: &CloudTrailEvent, parameter: &str) -> Option<PolicyArn> {
    event.parameter(parameter)?.parse().ok()
}

/// AWS's own policies are AWS's to change, and another account's cannot be.
fn customer_policy(event: &CloudTrailEvent, parameter: &str) -> Option<CustomerPolicyArn> {
    let policy: CustomerPolicyArn = policy(event, parameter)?.try_into().ok()?;
    (*policy.account() == event.home.account).then_some(policy)
}

/// The role of the version that the call published, where it did.
fn published(event: &CloudTrailEvent) -> Option<Introduced> {
    let version = event.published_version()?;
    Some(Introduced { surface: Some(Surface::Role(Some(version))), sid: None })
}

fn function(event: &CloudTrailEvent, parameter: &str, introduced: Vec<Introduced>) -> Option<ReconcileRequest> {
    let (function, _) = event.function(parameter)?;
    Some(ReconcileRequest { introduced, ..ReconcileRequest::at(Resource::Function(function), event.cause.clone()) })
}

/// What else is to be looked at: an opted-in function's role, the roles that have a managed policy.
pub(crate) fn follows(request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Vec<ReconcileRequest> {
    match &request.resource {
        Resource::Function(function) => {
            if facts.scope.opt_in(GuardKind::Role, day(request)).mode == Mode::Off {
                return Vec::new();
            }
            // What was published may have another one than what is changed.
            let roles = facts.surfaces.iter().filter(|(surface, _)| matches!(surface, Surface::Role(_)));
            let roles = roles.filter_map(|(_, snapshot)| role_of(&snapshot.content)?.parse().ok());
            let request = |role| ReconcileRequest {
                through: Some(function.clone()),
                by_operator: request.by_operator,
                ..ReconcileRequest::at(Resource::Role(role), request.cause.clone())
            };
            roles.collect::<BTreeSet<RoleArn>>().into_iter().map(request).collect()
        }
        // Where only the policy itself was to be looked at, its role is looked at by the same event.
        Resource::Policy(_) if request.surfaces.is_some() => Vec::new(),
        Resource::Policy(policy) => {
            let Some(known) = facts.context.policies.get(policy.policy()) else { return Vec::new() };
            let home = home(settings, policy);
            let has = |users: &Option<PolicyUsers>, name: &String| {
                users.as_ref().is_some_and(|users| users.roles.contains(name))
            };
            let to_look_at = |name: &String| {
                let attached = has(&known.users, name).then(|| Surface::Attachment(policy.policy().clone()));
                let surfaces = attached.into_iter().chain(has(&known.bounded, name).then_some(Surface::Boundary));
                let introduced = surfaces.map(|surface| Introduced { surface: Some(surface), sid: None });
                let introduced = introduced.filter(|_| !request.introduced.is_empty()).collect();
                let role = RoleArn::named(name, &home).ok()?;
                Some(ReconcileRequest {
                    introduced,
                    ..ReconcileRequest::at(Resource::Role(role), request.cause.clone())
                })
            };
            let roles = known.roles();
            let after = request.after.as_deref().and_then(|after| serde_json::from_str::<Turn>(after).ok());
            let left = roles.iter().filter(|(turn, _)| after.as_ref().is_none_or(|after| *turn > after));
            let (turns, names): (Vec<&Turn>, Vec<&String>) = left.take(MOST_ROLES).unzip();
            let last = turns.last().copied();
            let is_all = last.is_none_or(|last| roles.keys().next_back() == Some(last));
            // The others come when these were looked at.
            let rest = last.filter(|_| !is_all).and_then(|last| serde_json::to_string(last).ok());
            let rest = rest.map(|after| ReconcileRequest { after: Some(after), ..request.clone() });
            names.into_iter().filter_map(to_look_at).chain(rest).collect()
        }
        // IAM may take a name in other letters than it keeps it in. One role is one resource.
        Resource::Role(role) => {
            let arn = facts.context.arn.as_ref();
            let kept = arn.and_then(|arn| arn.parse::<RoleArn>().ok()).filter(|kept| kept != role);
            let kept = kept.map(|kept| ReconcileRequest { resource: Resource::Role(kept), ..request.clone() });
            kept.into_iter().chain(users(request, facts, settings)).collect()
        }
        Resource::LayerVersion(_) | Resource::Account(_) => Vec::new(),
    }
}

/// Whether a role leads to the functions that use it: it breaks a rule and is not put right itself, and they may have
/// been given it when it was clean.
pub(crate) fn leads_to_functions(resource: &Resource, facts: &Facts, today: Date, settings: &Settings) -> bool {
    let is_changed = facts.scope.opt_in(GuardKind::Role, today).mode == Mode::Enforce
        && strangers(facts, settings).is_none()
        && !never_touch(resource, facts, settings);
    !facts.context.functions.is_empty() && !is_changed && is_at_fault(&whole_role(facts, settings))
}

fn users(request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Vec<ReconcileRequest> {
    if !leads_to_functions(&request.resource, facts, day(request), settings) {
        return Vec::new();
    }
    let functions = facts.context.functions.iter().map(|(function, versions)| {
        let introduced = versions
            .iter()
            .map(|version| Introduced { surface: Some(Surface::Role(Some(version.clone()))), sid: None });
        let request = ReconcileRequest::at(Resource::Function(function.clone()), request.cause.clone());
        ReconcileRequest { introduced: introduced.collect(), ..request }
    });
    functions.collect()
}

/// The day of the event, UTC.
fn day(request: &ReconcileRequest) -> Date {
    request.cause.time.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).date()
}

fn home(settings: &Settings, policy: &CustomerPolicyArn) -> Home {
    Home { account: *policy.account(), ..settings.home.clone() }
}

/// The ARN of the role that a function has.
pub(crate) fn role_of(content: &warden_engine::model::content::Content) -> Option<&str> {
    content.document()?.get("Role")?.as_str()
}
