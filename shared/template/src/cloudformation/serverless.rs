//! Functions and state machines of AWS SAM, as far as it is plain what they become
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html>).

use super::{Resource, Scope, functions, intrinsics::is_call, kind, roles::Defined};
use crate::{
    NotJudged, aws_managed,
    deployment::{Deployment, Permission, Role, text},
    node::Node,
    policy::Policy,
};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What `Globals` says of functions and is judged here; the environment is judged where it stands.
/// `Role`, `Policies` and `Events` cannot be there
/// (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>).
const GLOBAL: [&str; 9] = [
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "CapacityProviderConfig",
    "FunctionUrlConfig",
    "PermissionsBoundary",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Tags",
];

/// The policy templates of SAM: the names of their parameters, and their statements.
const POLICY_TEMPLATES: &str = include_str!("policy_templates.json");

/// The properties of a resource with what `Globals` adds.
pub(super) fn with_globals<'t>(template: &Value, resource: &Value, properties: Cow<'t, Value>) -> Cow<'t, Value> {
    let globals = template.get("Globals").and_then(|globals| globals.get("Function"));
    let (Some(globals), Some("AWS::Serverless::Function")) = (globals, kind(resource)) else { return properties };
    // `*`, or a list of properties
    // (`get_template_globals` in
    // <https://github.com/aws/serverless-application-model/blob/develop/samtranslator/plugins/globals/globals.py>).
    let is_ignored = |key: &str| match resource.get("IgnoreGlobals") {
        Some(Value::Array(keys)) => keys.iter().any(|ignored| ignored == key),
        ignored => ignored.is_some_and(|ignored| ignored == "*"),
    };
    let mut properties = properties;
    for key in GLOBAL.into_iter().filter(|key| !is_ignored(key)) {
        if let Some(global) = globals.get(key)
            && properties.as_object().is_some_and(|own| !is_call(own))
            && let Value::Object(own) = properties.to_mut()
        {
            let merged = match own.get(key) {
                Some(own) => merged(global, own),
                None => global.clone(),
            };
            own.insert(key.to_owned(), merged);
        }
    }
    properties
}

/// Mappings are merged key by key and lists follow each other; anything else of the resource goes before what is
/// global.
fn merged(global: &Value, own: &Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) if !is_call(global) && !is_call(own) => {
            let mut all = global.clone();
            for (key, own) in own {
                let value = global.get(key).map_or_else(|| own.clone(), |global| merged(global, own));
                all.insert(key.clone(), value);
            }
            Value::Object(all)
        }
        (Value::Array(global), Value::Array(own)) => global.iter().chain(own).cloned().collect(),
        _ => own.clone(),
    }
}

/// The role that SAM makes for a function or a state machine: none where it names one, since then `Policies` does not
/// count.
pub(super) fn role(
    scope: &Scope<'_>,
    defined: &Defined<'_, '_>,
    resource: &Resource<'_>,
    deployment: &mut Deployment,
) -> Option<Role> {
    let is_function = resource.kind == "AWS::Serverless::Function";
    if !(is_function || resource.kind == "AWS::Serverless::StateMachine") || resource.properties.get("Role").is_some() {
        return None;
    }
    let mut role = Role { at: resource.id.to_owned(), ..Role::default() };
    let not_judged = &mut deployment.not_judged;
    let policies = resource.properties.get("Policies").map(Node::items).unwrap_or_default();
    for (index, policy) in policies {
        let at = format!("{}.Policies[{index}]", resource.id);
        if let Some(named) = policy.text() {
            // SAM takes the name of a managed policy of AWS too.
            let of_aws = if named.starts_with("arn:") { None } else { aws_managed::by_name(&at, named) };
            match of_aws {
                Some(policy) => role.policies.push(policy),
                None => defined.attach_managed(at, named, &mut role, not_judged),
            }
        } else if policy.get("Statement").is_some() {
            role.policies.extend(Policy::of_node(&at, policy, scope.context.account, not_judged));
        } else {
            for (name, parameters) in policy.entries() {
                match expanded(scope, name, parameters) {
                    Ok(Some(document)) => {
                        let policy = Policy::of_node(&at, &document, scope.context.account, not_judged);
                        role.policies.extend(policy.map(|policy| policy.of_template(name)));
                    }
                    Ok(None) => {
                        let why = format!("`{name}` is no policy template of SAM that is known here");
                        not_judged.push(NotJudged { at: at.clone(), why });
                    }
                    Err(why) => deployment.errors.push(NotJudged { at: at.clone(), why }),
                }
            }
        }
    }
    defined.read_boundary(resource, &mut role, not_judged);
    let at = format!("{}.AssumeRolePolicyDocument", resource.id);
    if is_function {
        role.functions.push(resource.id.to_owned());
        if let Some(trust) = resource.properties.get("AssumeRolePolicyDocument") {
            role.trust = Policy::of_node(&at, trust, scope.context.account, not_judged);
        }
    } else {
        let trust = json!({"Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"},
        }]});
        role.made_trust = Some(Policy::of_text(at, trust.to_string()));
    }
    Some(role)
}

/// The policy that a policy template becomes; none where no template of that name is known.
fn expanded(scope: &Scope<'_>, name: &str, parameters: &Node) -> Result<Option<Node>, String> {
    let templates: Map<String, Value> = serde_json::from_str(POLICY_TEMPLATES).unwrap_or_default();
    let Some([names, statements]) = templates.get(name).and_then(Value::as_array).map(Vec::as_slice) else {
        return Ok(None);
    };
    let mut given = Map::new();
    for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let value = parameters.get(name).ok_or_else(|| format!("there is no `{name}`"))?;
        given.insert(name.to_owned(), value.to_json());
    }
    let document = json!({"Version": "2012-10-17", "Statement": filled(statements, &given)});
    Ok(scope.resolve(&document))
}

/// The value with the parameters of a policy template put in.
fn filled(value: &Value, given: &Map<String, Value>) -> Value {
    match value {
        Value::Object(map) => match map.get("Ref").and_then(|name| given.get(name.as_str()?)) {
            Some(given) => given.clone(),
            None => map.iter().map(|(key, value)| (key.clone(), filled(value, given))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, given)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A function's environment, its URL, and what its events let in. What `Globals` says of its environment counts too.
pub(super) fn function(scope: &Scope<'_>, resource: &Resource<'_>, deployment: &mut Deployment) {
    let global = scope.template.get("Globals").and_then(|globals| globals.get("Function")?.get("Environment"));
    let at = "Globals.Function.Environment".to_owned();
    functions::environment(scope, &resource.reference, at, global, deployment);
    functions::function(scope, resource, deployment);
    url(scope, resource, deployment);
    for (name, event) in resource.properties.get("Events").map(Node::entries).unwrap_or_default() {
        let Some(permission) = of_event(event) else { continue };
        let door = functions::door(deployment, &[], Some(&resource.reference), None);
        door.statements.push((format!("{}.Events.{name}", resource.id), permission.statement(scope.context)));
    }
}

/// The permission that an event makes, where it may let somebody else in: the others name a resource of the own account
/// as their source
/// (<https://github.com/aws/serverless-application-model/blob/develop/samtranslator/model/eventsources/push.py>).
fn of_event(event: &Node) -> Option<Permission<'_>> {
    let property = |key: &str| event.get("Properties").and_then(|properties| properties.get(key));
    let permission = Permission { action: "lambda:InvokeFunction", ..Permission::default() };
    match event.text_of("Type")? {
        "AlexaSkill" => Some(Permission {
            principal: "alexa-appkit.amazon.com",
            event_source_token: text(property("SkillId")),
            ..permission
        }),
        // With a queue between them, the topic does not call the function.
        "SNS" if property("SqsSubscription").is_none_or(|queue| *queue == Node::Bool(false)) => Some(Permission {
            principal: "sns.amazonaws.com",
            source_arn: Some(text(property("Topic"))?),
            ..permission
        }),
        _ => None,
    }
}

fn url(scope: &Scope<'_>, resource: &Resource<'_>, deployment: &mut Deployment) {
    let Some(config) = resource.properties.get("FunctionUrlConfig") else { return };
    let at = format!("{}.FunctionUrlConfig", resource.id);
    functions::note_auth(&at, config, deployment);
    let qualifier = resource.properties.text_of("AutoPublishAlias");
    let door = functions::door(deployment, &[], Some(&resource.reference), qualifier);
    // For AuthType NONE, SAM lets everybody in; but not where a function of CloudFormation gives it
    // (`_construct_url_permission` in
    // <https://github.com/aws/serverless-application-model/blob/develop/samtranslator/model/sam_resources.py>).
    let written = resource.written.get("FunctionUrlConfig").and_then(|config| config.get("AuthType"));
    if written.and_then(Value::as_str) == Some("NONE") {
        let permission = Permission {
            action: "lambda:InvokeFunctionUrl",
            principal: "*",
            url_auth: Some("NONE"),
            ..Permission::default()
        };
        door.statements.push((at.clone(), permission.statement(scope.context)));
    }
    door.url = Some(functions::url(at, config));
}
