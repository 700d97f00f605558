//! Functions: who may invoke them, their URLs, and what their environments give away.

use super::{Resource, Scope, parameters::Parameter, unread};
use crate::{
    NotJudged,
    concurrency::{Amount, CAP_TAG},
    deployment::{Deployment, Door, Environment, Permission, Setting, Url},
    node::Node,
    policy::Policy,
    secrets, unknown,
};
use serde_json::{Value, json};
use warden_policy::Kind;

/// A function: its environment, and how much of it may run at once.
pub(super) fn function(scope: &Scope<'_>, resource: &Resource<'_>, deployment: &mut Deployment) {
    let at = format!("{}.Environment", resource.id);
    environment(scope, &resource.reference, at, resource.written.get("Environment"), deployment);
    concurrency(resource, deployment);
}

/// How much of a function may run at once.
fn concurrency(resource: &Resource<'_>, deployment: &mut Deployment) {
    let properties = &resource.properties;
    let cap = resource.tag(|key| key == CAP_TAG);
    let amount = |text: Option<&str>| text.map(Amount::of).unwrap_or_default();
    let place = |key: &str| format!("{}.{key}", resource.id);
    let reserved = properties.text_of("ReservedConcurrentExecutions");
    let recursive_loop = properties.text_of("RecursiveLoop");
    let function = deployment.concurrency.entry(resource.reference.clone()).or_default();
    function.at = place("ReservedConcurrentExecutions");
    function.cap = amount(cap);
    // What is not read may bring it.
    let is_silent = reserved.is_none() && resource.is_partly_unread;
    function.reserved = if is_silent { Amount::Later } else { amount(reserved) };
    function.on_managed_instances = properties.get("CapacityProviderConfig").is_some();
    function.recursive_loop = recursive_loop.map(|setting| (place("RecursiveLoop"), setting.to_owned()));
    function.provisioned.extend(of_version(resource));
}

/// What a version, an alias, or SAM's alias of a function has provisioned.
fn of_version(resource: &Resource<'_>) -> Option<(String, Amount)> {
    let config = resource.properties.get("ProvisionedConcurrencyConfig")?;
    let provisioned = config.text_of("ProvisionedConcurrentExecutions")?;
    Some((format!("{}.ProvisionedConcurrencyConfig", resource.id), Amount::of(provisioned)))
}

/// What is provisioned for a version or an alias of a function.
pub(super) fn provisioned(resources: &[Resource<'_>], resource: &Resource<'_>, deployment: &mut Deployment) {
    let Some(provisioned) = of_version(resource) else { return };
    let named = resource.properties.text_of("FunctionName").unwrap_or_default();
    let (name, _) = function_named(resources, named);
    deployment.concurrency.entry(name).or_default().provisioned.push(provisioned);
}

/// A statement of a function's resource policy.
pub(super) fn permission(
    scope: &Scope<'_>,
    resources: &[Resource<'_>],
    resource: &Resource<'_>,
    deployment: &mut Deployment,
) {
    let properties = &resource.properties;
    let Some((action, principal)) = whom(resource, deployment) else { return };
    let permission = Permission {
        action,
        principal,
        source_arn: properties.text_of("SourceArn"),
        source_account: properties.text_of("SourceAccount"),
        organization: properties.text_of("PrincipalOrgID"),
        url_auth: properties.text_of("FunctionUrlAuthType"),
        event_source_token: properties.text_of("EventSourceToken"),
        through_url: properties.get("InvokedViaFunctionUrl").is_some_and(is_true),
    };
    let door = door(deployment, resources, properties.text_of("FunctionName"), None);
    door.statements.push((resource.id.to_owned(), permission.statement(scope.context)));
}

/// The whole resource policy of a function, version or alias
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-resourcepolicy.html>).
pub(super) fn resource_policy(
    scope: &Scope<'_>,
    resources: &[Resource<'_>],
    resource: &Resource<'_>,
    deployment: &mut Deployment,
) {
    let Some(document) = resource.required("PolicyDocument", &mut deployment.errors) else { return };
    let at = format!("{}.PolicyDocument", resource.id);
    let Some(policy) = Policy::of_node(&at, document, scope.context.account, &mut deployment.not_judged) else {
        return;
    };
    let accepted = match policy.parse(Kind::Resource) {
        Ok(_) => Some(&policy),
        Err(error) => {
            deployment.errors.push(error);
            policy.accepted(Kind::Resource)
        }
    };
    let door = door(deployment, resources, resource.properties.text_of("ResourceArn"), None);
    door.statements.extend(accepted.map(Policy::statements).unwrap_or_default());
}

/// A function's URL.
pub(super) fn function_url(resources: &[Resource<'_>], resource: &Resource<'_>, deployment: &mut Deployment) {
    let properties = &resource.properties;
    let (function, qualifier) = (properties.text_of("TargetFunctionArn"), properties.text_of("Qualifier"));
    note_auth(resource.id, properties, deployment);
    let door = door(deployment, resources, function, qualifier);
    door.url = Some(url(resource.id.to_owned(), properties));
}

/// A statement of a layer version's policy.
pub(super) fn layer_permission(scope: &Scope<'_>, resource: &Resource<'_>, deployment: &mut Deployment) {
    let properties = &resource.properties;
    let Some((action, principal)) = whom(resource, deployment) else { return };
    let permission =
        Permission { action, principal, organization: properties.text_of("OrganizationId"), ..Permission::default() };
    let document = json!({"Version": "2012-10-17", "Statement": permission.statement(scope.context)});
    deployment.layers.push(Policy::of_statement(resource.id, &document));
}

/// The action and the principal that a permission grants it to; an error when one of them is missing, unless something
/// that is not read may bring it.
fn whom<'r>(resource: &'r Resource<'_>, deployment: &mut Deployment) -> Option<(&'r str, &'r str)> {
    let properties = &resource.properties;
    let at = resource.id.to_owned();
    let is_missing = |key: &&str| properties.get(key).is_none();
    if let Some(key) = ["Action", "Principal"].into_iter().find(is_missing) {
        resource.required(key, &mut deployment.errors);
        return None;
    }
    let both = properties.text_of("Action").zip(properties.text_of("Principal"));
    if both.is_none() && !resource.is_partly_unread {
        let why = "whom it lets in, and to what, is known only at deployment".to_owned();
        deployment.not_judged.push(NotJudged { at, why });
    }
    both
}

/// The door of a function, version or alias, which may be named in many ways.
pub(super) fn door<'s>(
    deployment: &'s mut Deployment,
    resources: &[Resource<'_>],
    function: Option<&str>,
    qualifier: Option<&str>,
) -> &'s mut Door {
    let (name, own_qualifier) = function_named(resources, function.unwrap_or_default());
    let qualifier = qualifier.or(own_qualifier).unwrap_or_default().to_owned();
    deployment.doors.entry((name, qualifier)).or_default()
}

/// What a function goes by here, which may be named in many ways, and the qualifier in its name.
fn function_named<'n>(resources: &[Resource<'_>], function: &'n str) -> (String, Option<&'n str>) {
    let function = function.rsplit_once(":function:").map_or(function, |(_, name)| name);
    // A name that is known only at deployment may have colons in what stands for it.
    let known = function.rfind(unknown::END).map_or(0, |end| end + unknown::END.len_utf8());
    let colon = function.get(known..).and_then(|rest| rest.find(':')).map(|at| known + at);
    let (name, own_qualifier) = match colon.and_then(|colon| function.split_at_checked(colon)) {
        Some((name, qualifier)) => (name, qualifier.strip_prefix(':')),
        None => (function, None),
    };
    // A function that the template defines goes by its logical id.
    let defined = resources
        .iter()
        .find(|resource| resource.is_function() && resource.properties.text_of("FunctionName") == Some(name));
    (defined.map_or_else(|| name.to_owned(), |resource| resource.reference.clone()), own_qualifier)
}

/// Says that it is not known whether a URL asks for credentials.
pub(super) fn note_auth(at: &str, properties: &Node, deployment: &mut Deployment) {
    if properties.text_of("AuthType").is_some_and(unknown::is_in) {
        let why = "known only at deployment".to_owned();
        deployment.not_judged.push(NotJudged { at: format!("{at}.AuthType"), why });
    }
}

/// A URL as its properties have it.
pub(super) fn url(at: String, properties: &Node) -> Url {
    let cors = properties.get("Cors").map(|cors| {
        let origins = cors.get("AllowOrigins").map(Node::items).unwrap_or_default();
        let credentials = cors.get("AllowCredentials").is_some_and(is_true);
        (origins.into_iter().filter_map(|(_, origin)| origin.text()).collect(), credentials)
    });
    Url::new(at, properties.text_of("AuthType"), cors)
}

fn is_true(node: &Node) -> bool {
    match node {
        Node::Bool(value) => *value,
        Node::Text(text) => text.eq_ignore_ascii_case("true"),
        Node::Null | Node::List(_) | Node::Map(_) => false,
    }
}

/// Adds the variables of an environment. What the template itself calls secret ends up readable all the same.
pub(super) fn environment(
    scope: &Scope<'_>,
    function: &str,
    at: String,
    written: Option<&Value>,
    deployment: &mut Deployment,
) {
    let Some(written) = written else { return };
    let Some(environment) = scope.resolve(written) else { return };
    let opened = scope.opened(|| scope.resolve(written));
    let opened = opened.as_ref().and_then(|environment| environment.get("Variables"));
    let mut variables = Vec::new();
    match (&environment, environment.get("Variables")) {
        (_, Some(Node::Map(map))) => {
            for (name, value) in map {
                let Some(text) = value.text() else {
                    if matches!(value, Node::List(_) | Node::Map(_)) && !unread::is_unread_key(name) {
                        let why = "the value of a variable is text".to_owned();
                        deployment.errors.push(NotJudged { at: format!("{at}.{name}"), why });
                    }
                    continue;
                };
                let opened = opened.and_then(|variables| variables.text_of(name)).unwrap_or(text);
                variables.push((name.clone(), setting(scope, name, text, opened)));
            }
        }
        (Node::Map(_), None) | (Node::Null, _) | (_, Some(Node::Null)) => {}
        // It is listed as that.
        _ if [Some(written), written.get("Variables")].into_iter().flatten().any(unread::is_partly_unread) => {}
        (whole, part) => {
            let is_later = part.unwrap_or(whole).text().is_some_and(unknown::is_in);
            let (why, notes) = if is_later {
                ("the variables are known only at deployment", &mut deployment.not_judged)
            } else {
                ("variables are a mapping", &mut deployment.errors)
            };
            notes.push(NotJudged { at: at.clone(), why: why.to_owned() });
        }
    }
    deployment.environments.push(Environment { function: function.to_owned(), at, variables });
}

/// Where a variable's value comes from; `opened` is the value with every parameter known only at deployment.
fn setting(scope: &Scope<'_>, name: &str, value: &str, opened: &str) -> Setting {
    if secrets::in_references(value) {
        return Setting::Resolved;
    }
    let parameter = |name: &str| Parameter::find(scope.template, name);
    let is_secret = |name: &&str| parameter(name).is_some_and(Parameter::is_secret);
    if let Some(name) = unknown::names(opened).find(is_secret) {
        return Setting::NoEcho(name.to_owned());
    }
    if let Some(attribute) = unknown::names(value).find(|source| scope.is_secret_attribute(source)) {
        return Setting::Made(attribute.to_owned());
    }
    if value.contains("{{resolve:ssm-secure:") {
        return Setting::Refused;
    }
    let shown = unknown::shown(value, false);
    if secrets::is_found(name, &shown) {
        return Setting::Plain(shown);
    }
    // A parameter's value is whatever somebody passes, unless the template lays it down, or its default is a reference.
    let is_free = |name: &str| parameter(name).is_some_and(Parameter::is_free_text);
    let elsewhere = |source: &str| match source {
        source if is_free(source) => Some(format!("the parameter `{source}`")),
        source if source.starts_with(IMPORTED) => Some("another stack".to_owned()),
        source => scope.is_of_unknown_kind(source).then(|| format!("`{source}`")),
    };
    let source = match unknown::name(opened) {
        Some(source) if secrets::is_name_of_one(name) => elsewhere(source),
        None if value.contains("{{resolve:ssm:") && secrets::is_name_of_one(name) => {
            Some("a parameter of Systems Manager".to_owned())
        }
        Some(_) | None => {
            unknown::names(opened).filter(|source| secrets::is_name_of_one(own_name(source))).find_map(elsewhere)
        }
    };
    source.map_or(Setting::Plain(shown), Setting::Elsewhere)
}

/// What a value of another stack is called here: `ImportValue pay-bucket`.
const IMPORTED: &str = "ImportValue";

/// What the source of a value calls it: `Password` for `Stack.Outputs.Password`.
fn own_name(source: &str) -> &str {
    let source = source.strip_prefix(IMPORTED).map_or(source, str::trim_start);
    source.rsplit(['.', ':']).next().unwrap_or_default()
}
