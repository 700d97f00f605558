//! Which events concern role-guard, and where each says to look.

use crate::Facts;
use jiff::{Timestamp, tz::TimeZone};
use std::collections::BTreeSet;
use warden_engine::{
    arn::Home,
    guard::{Introduced, Look},
    iam::{CustomerPolicyArn, PolicyArn, RoleArn},
    settings::Settings,
    surface::{Subject, Surface},
    tags::{GuardKind, Mode},
    trigger::Trigger,
};

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn looks(trigger: &Trigger) -> Option<Look> {
    match trigger.cause.event_name.as_str() {
        "PutRolePolicy" => {
            let name = trigger.parameter("policyName")?.parse().ok()?;
            role(trigger, Some(Surface::InlinePolicy(name)))
        }
        "AttachRolePolicy" => role(trigger, Some(Surface::Attachment(policy(trigger)?))),
        "UpdateAssumeRolePolicy" => role(trigger, Some(Surface::Trust)),
        "PutRolePermissionsBoundary" | "DeleteRolePermissionsBoundary" => role(trigger, Some(Surface::Boundary)),
        // What only takes something away brings nothing new; but what was there before is looked at without it.
        "DeleteRolePolicy" | "DetachRolePolicy" => role(trigger, None),
        // Everything about a new role is new.
        "CreateRole" => {
            let look = role(trigger, None)?;
            Some(Look { introduced: vec![Introduced { surface: None, sid: None }], ..look })
        }
        // A new role too, made from a template: only the answer says what it is called (botocore's model). That the event is named like
        // the operation, as all of IAM's are, is unconfirmed (?).
        "AcquireRole" => {
            let role = RoleArn::named(trigger.results.get("role")?.get("roleName")?.as_str()?, &trigger.home).ok()?;
            let introduced = vec![Introduced { surface: None, sid: None }];
            Some(Look { introduced, ..Look::at(Subject::Role(role), trigger.cause.clone()) })
        }
        "TagRole" | "UntagRole" if trigger.is_about_our_tags() => role(trigger, None),
        "CreatePolicyVersion" | "SetDefaultPolicyVersion" => {
            let policy = customer_policy(trigger)?;
            let introduced = Introduced { surface: Some(Surface::ManagedPolicy(policy.policy().clone())), sid: None };
            let look = Look::at(Subject::Policy(policy), trigger.cause.clone());
            Some(Look { introduced: vec![introduced], ..look })
        }
        "TagPolicy" | "UntagPolicy" if trigger.is_about_our_tags() => {
            Some(Look::at(Subject::Policy(customer_policy(trigger)?), trigger.cause.clone()))
        }
        // A version that is published along with it too.
        "CreateFunction" => {
            let new = [Introduced { surface: None, sid: None }];
            function(trigger, "functionName", new.into_iter().chain(published(trigger)).collect())
        }
        // UploadFunction is of the API of 2014, which botocore still has.
        "UpdateFunctionConfiguration" | "UploadFunction" => {
            function(trigger, "functionName", vec![Introduced { surface: Some(Surface::Role(None)), sid: None }])
        }
        // The role of the moment, kept for ever. UpdateFunctionCode publishes a version where it is asked to.
        "PublishVersion" | "UpdateFunctionCode" => function(trigger, "functionName", vec![published(trigger)?]),
        "TagResource" | "UntagResource" if trigger.is_about_our_tags() => function(trigger, "resource", Vec::new()),
        _ => None,
    }
}

fn role(trigger: &Trigger, introduced: Option<Surface>) -> Option<Look> {
    let role = RoleArn::named(trigger.parameter("roleName")?, &trigger.home).ok()?;
    let introduced = introduced.map(|surface| Introduced { surface: Some(surface), sid: None });
    Some(Look { introduced: introduced.into_iter().collect(), ..Look::at(Subject::Role(role), trigger.cause.clone()) })
}

fn policy(trigger: &Trigger) -> Option<PolicyArn> {
    trigger.parameter("policyArn")?.parse().ok()
}

/// AWS's own policies are AWS's to change, and another account's cannot be.
fn customer_policy(trigger: &Trigger) -> Option<CustomerPolicyArn> {
    let policy: CustomerPolicyArn = policy(trigger)?.try_into().ok()?;
    (*policy.account() == trigger.home.account).then_some(policy)
}

/// The role of the version that the call published, where it did.
fn published(trigger: &Trigger) -> Option<Introduced> {
    let version = trigger.published_version()?;
    Some(Introduced { surface: Some(Surface::Role(Some(version))), sid: None })
}

fn function(trigger: &Trigger, parameter: &str, introduced: Vec<Introduced>) -> Option<Look> {
    let (function, _) = trigger.function(parameter)?;
    Some(Look { introduced, ..Look::at(Subject::Function(function), trigger.cause.clone()) })
}

/// What else is to be looked at: an opted-in function's role, the roles that have a managed policy.
pub(crate) fn follows(look: &Look, facts: &Facts, settings: &Settings) -> Vec<Look> {
    match &look.subject {
        Subject::Function(function) => {
            let today = look.cause.time.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).date();
            if facts.scope.opt_in(GuardKind::Role, today).mode == Mode::Off {
                return Vec::new();
            }
            // What was published may have another one than what is changed.
            let roles = facts.surfaces.iter().filter(|(surface, _)| matches!(surface, Surface::Role(_)));
            let roles = roles.filter_map(|(_, sighting)| role_of(&sighting.content)?.parse().ok());
            let look = |role| Look {
                through: Some(function.clone()),
                by_operator: look.by_operator,
                ..Look::at(Subject::Role(role), look.cause.clone())
            };
            roles.collect::<BTreeSet<RoleArn>>().into_iter().map(look).collect()
        }
        Subject::Policy(policy) => {
            let users = facts.context.policies.get(policy.policy()).and_then(|known| known.users.as_ref());
            let home = home(settings, policy);
            let roles = users.into_iter().flat_map(|users| &users.roles);
            let introduced = look
                .introduced
                .iter()
                .map(|_| Introduced { surface: Some(Surface::Attachment(policy.policy().clone())), sid: None });
            let introduced: Vec<Introduced> = introduced.collect();
            let look =
                |role| Look { introduced: introduced.clone(), ..Look::at(Subject::Role(role), look.cause.clone()) };
            roles.filter_map(|name| RoleArn::named(name, &home).ok()).map(look).collect()
        }
        // IAM may take a name in other letters than it keeps it in. One role is one subject.
        Subject::Role(role) => {
            let arn = facts.context.arn.as_ref();
            let kept = arn.and_then(|arn| arn.parse::<RoleArn>().ok()).filter(|kept| kept != role);
            kept.map(|kept| Look { subject: Subject::Role(kept), ..look.clone() }).into_iter().collect()
        }
        Subject::LayerVersion(_) | Subject::Account(_) => Vec::new(),
    }
}

fn home(settings: &Settings, policy: &CustomerPolicyArn) -> Home {
    Home { account: *policy.account(), ..settings.home.clone() }
}

/// The ARN of the role that a function has.
pub(crate) fn role_of(content: &warden_engine::content::Content) -> Option<&str> {
    content.document()?.get("Role")?.as_str()
}
