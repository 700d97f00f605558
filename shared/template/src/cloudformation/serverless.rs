//! Functions of AWS SAM, as far as it is plain what they become
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html>).

use super::{Resource, Scope, functions, roles::Defined};
use crate::{
    NotJudged,
    aws_managed::{self, AwsManaged},
    deployment::{Deployment, Permission, Role},
    node::Node,
    policy::Policy,
    unknown,
};

/// The role that SAM makes for a function: none where the function names one, since then `Policies` does not count.
pub(super) fn role(
    scope: &Scope<'_>,
    defined: &Defined<'_, '_>,
    resource: &Resource<'_>,
    not_judged: &mut Vec<NotJudged>,
) -> Option<Role> {
    if resource.kind != "AWS::Serverless::Function" || resource.properties.get("Role").is_some() {
        return None;
    }
    let mut role = Role { at: resource.id.to_owned(), ..Role::default() };
    let policies = resource.properties.get("Policies").map(Node::items).unwrap_or_default();
    for (index, policy) in policies {
        let at = format!("{}.Policies[{index}]", resource.id);
        if let Some(named) = policy.text() {
            match aws_managed::by_name(named) {
                AwsManaged::Document(name, document) if !named.starts_with("arn:") => {
                    role.policies.push(Policy::of_aws(at, name, document));
                }
                AwsManaged::Harmless if !named.starts_with("arn:") => {}
                AwsManaged::Document(..) | AwsManaged::Harmless | AwsManaged::Unknown(_) => {
                    defined.attach_managed(at, named, &mut role, not_judged);
                }
            }
        } else if policy.get("Statement").is_some() {
            role.policies.extend(Policy::of_node(&at, policy, scope.context.account, not_judged));
        } else {
            let template = policy.entries().first().map_or("", |(name, _)| name);
            let why = format!("`{template}` is a policy template of SAM: its document is not in the template");
            not_judged.push(NotJudged { at, why });
        }
    }
    defined.read_boundary(resource, &mut role, not_judged);
    if let Some(trust) = resource.properties.get("AssumeRolePolicyDocument") {
        let at = format!("{}.AssumeRolePolicyDocument", resource.id);
        role.trust = Policy::of_node(&at, trust, scope.context.account, not_judged);
    }
    Some(role)
}

/// A function's environment and URL. What `Globals` says of them counts too.
pub(super) fn function(scope: &Scope<'_>, resource: &Resource<'_>, deployment: &mut Deployment) {
    let globals = scope.template.get("Globals").and_then(|globals| globals.get("Function"));
    let global = |key: &str| globals.and_then(|globals| scope.resolve(globals.get(key)?));
    let own = |key: &str| resource.properties.get(key);
    let environment = global("Environment");
    deployment.environments.extend(functions::environment(
        scope,
        "Globals.Function.Environment".to_owned(),
        environment.as_ref(),
    ));
    let at = format!("{}.Environment", resource.id);
    deployment.environments.extend(functions::environment(scope, at, own("Environment")));
    if let Some(config) = own("FunctionUrlConfig") {
        let at = format!("{}.FunctionUrlConfig", resource.id);
        let door = functions::door(deployment, &[], Some(&unknown::value(resource.id)), None);
        // For AuthType NONE, SAM lets everybody in.
        if config.text_of("AuthType") == Some("NONE") {
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
}
