//! Roles, their policies and boundaries, and the functions that have them.

use super::{AFTER_APPLY, Plan, Resource, list, text};
use crate::{
    NotJudged, aws_managed,
    deployment::{Deployment, Role, absent},
    policy::Policy,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use warden_policy::Context;

/// Resources that attach managed policies, with the attributes that name the roles and the policies.
const ATTACHMENTS: [(&str, &str, &str); 3] = [
    ("aws_iam_role_policy_attachment", "role", "policy_arn"),
    ("aws_iam_policy_attachment", "roles", "policy_arn"),
    ("aws_iam_role_policy_attachments_exclusive", "role_name", "policy_arns"),
];

/// The policies that a resource gives to roles: each role by its name, and each policy by its name or ARN.
pub(super) fn given<'p>(kind: &str, values: &'p Value) -> impl Iterator<Item = (&'p str, &'p str)> {
    let inline = ("aws_iam_role_policy", "role", "name");
    let keys = ATTACHMENTS.into_iter().chain([inline]).find(|(of, ..)| *of == kind);
    let texts = |key: Option<&str>| -> Vec<&'p str> {
        let value = key.and_then(|key| values.get(key));
        value
            .and_then(Value::as_str)
            .into_iter()
            .chain(list(values, key.unwrap_or_default()).filter_map(Value::as_str))
            .collect()
    };
    let (roles, policies) = (texts(keys.map(|(_, roles, _)| roles)), texts(keys.map(|(.., policies)| policies)));
    roles.into_iter().flat_map(move |role| policies.clone().into_iter().map(move |policy| (role, policy)))
}

/// The ARNs by which a document may name a role or a managed policy: the one that it has or will have, and what stands
/// for one that is known only after apply.
fn iam_arns(resource: &Resource<'_>, kind: &str, context: &Context) -> BTreeSet<String> {
    let own = context.account.zip(resource.text("name")).map(|(account, name)| {
        let path = resource.text("path").unwrap_or("/");
        format!("arn:{}:iam::{account}:{kind}{path}{name}", context.partition)
    });
    let known = resource.text("arn").map(str::to_owned);
    [Some(resource.later("arn")), known, own].into_iter().flatten().collect()
}

/// Managed policies of the plan by their address.
type Managed<'p> = BTreeMap<&'p str, Option<Policy>>;

impl<'p> Plan<'_, 'p> {
    pub(super) fn roles(&self, deployment: &mut Deployment, context: &Context) {
        let own = context.account;
        let mut managed: Managed<'p> = BTreeMap::new();
        for resource in self.of_kind("aws_iam_policy") {
            managed.insert(resource.address, self.document(resource, "policy", own, &mut deployment.not_judged));
        }
        let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
        for resource in self.of_kind("aws_iam_role") {
            roles.insert(resource.address, self.role(resource, &managed, context, &mut deployment.not_judged));
        }
        for resource in self.of_kind("aws_iam_role_policy") {
            let Some(policy) = self.document(resource, "policy", own, &mut deployment.not_judged) else { continue };
            match self
                .named(resource, "role", "aws_iam_role", resource.text("role"))
                .and_then(|role| roles.get_mut(role.address))
            {
                Some(role) => role.attach(policy),
                None => deployment.policies.push(policy),
            }
        }
        for (kind, roles_key, policies_key) in ATTACHMENTS {
            for resource in self.of_kind(kind) {
                for (role, name) in self.holders(resource, roles_key) {
                    match role.and_then(|role| roles.get_mut(role.address)) {
                        Some(role) => {
                            self.attach(resource, policies_key, &managed, role, &mut deployment.not_judged);
                        }
                        None => self.attach_elsewhere(resource, policies_key, name, &managed, deployment),
                    }
                }
            }
        }
        for resource in self.of_kind("aws_iam_role_policies_exclusive") {
            self.inline_elsewhere(resource, &mut deployment.not_judged);
        }
        for resource in self.of_kind("aws_lambda_function") {
            deployment.environments.push(self.environment(resource, &mut deployment.not_judged));
            let named = resource.text("role");
            let role = self.named(resource, "role", "aws_iam_role", named);
            let functions = match (role.and_then(|role| roles.get_mut(role.address)), named) {
                (Some(role), _) => &mut role.functions,
                (None, Some(named)) => deployment.roles_elsewhere.entry(named.to_owned()).or_default(),
                (None, None) => continue,
            };
            functions.push(resource.address.to_owned());
        }
        let attached: HashSet<&str> =
            roles.values().flat_map(|role| role.policies.iter().map(|policy| policy.at.as_str())).collect();
        let alone = managed.into_values().flatten().filter(|policy| !attached.contains(policy.at.as_str()));
        deployment.policies.extend(alone);
        roles.values_mut().for_each(|role| self.name(role, context));
        deployment.roles.extend(roles.into_values());
    }

    /// Says what names a role and its policies in a document.
    fn name(&self, role: &mut Role, context: &Context) {
        let find = |at: &str, kind: &str| self.resources.iter().find(|it| it.address == at && it.kind == kind);
        if let Some(resource) = find(&role.at, "aws_iam_role") {
            role.itself.names = iam_arns(resource, "role", context);
        }
        for policy in role.policies.iter().chain(&role.boundary) {
            if let Some(resource) = find(&policy.at, "aws_iam_policy") {
                role.itself.policies.extend(iam_arns(resource, "policy", context));
            }
        }
    }

    fn role(
        &self,
        resource: &Resource<'p>,
        managed: &Managed<'p>,
        context: &Context,
        not_judged: &mut Vec<NotJudged>,
    ) -> Role {
        let mut role = Role { at: resource.address.to_owned(), ..Role::default() };
        role.trust = self.document(resource, "assume_role_policy", context.account, not_judged);
        let expressions = resource.expression("inline_policy");
        for (index, block) in resource.blocks("inline_policy").into_iter().enumerate() {
            let at = format!("{}.inline_policy[{index}]", resource.address);
            if self.is_read_back(resource, "inline_policy", text(block, "name").unwrap_or_default()) {
                continue;
            }
            match text(block, "policy") {
                // An empty block: no inline policies.
                Some("") => {}
                Some(text) => role.attach(Policy::of_text(at, text.to_owned())),
                None => {
                    let expression = expressions.and_then(|blocks| blocks.get(index)?.get("policy"));
                    let is_unknown = resource.is_unknown_at(&["inline_policy", &index.to_string(), "policy"]);
                    match self.made(resource, expression, &at, context.account, not_judged) {
                        Some(policy) => role.attach(policy),
                        None if is_unknown || text(block, "name").is_some_and(|name| !name.is_empty()) => {
                            not_judged.push(resource.note(&format!("inline_policy[{index}]")));
                        }
                        None => {}
                    }
                }
            }
        }
        if expressions.is_some() && resource.is_unknown_at(&["inline_policy"]) {
            not_judged.push(resource.note("inline_policy"));
        }
        if resource.expression("managed_policy_arns").is_some() || resource.values.get("managed_policy_arns").is_some()
        {
            self.attach(resource, "managed_policy_arns", managed, &mut role, not_judged);
        }
        let boundary = resource.text("permissions_boundary");
        role.itself.boundary = resource.text_or_unknown("permissions_boundary");
        if boundary.is_some() || resource.is_unknown("permissions_boundary") {
            let at = format!("{}.permissions_boundary", resource.address);
            let defined = self.policy(resource, "permissions_boundary", boundary);
            let defined = defined.and_then(|policy| managed.get(policy.address).cloned().flatten());
            role.boundary = defined.or_else(|| aws_managed::policy(&at, boundary?));
            if role.boundary.is_none() {
                let mut note = absent(at, boundary.unwrap_or("the boundary"));
                note.why.push_str(", so the role is judged without its boundary");
                not_judged.push(note);
            }
        }
        role
    }

    /// Whether a policy of a role is one that another resource gives it, or gave it before: what is not configured the
    /// provider reads from the role, as it was before the plan
    /// (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role>).
    fn is_read_back(&self, role: &Resource<'p>, key: &str, policy: &str) -> bool {
        role.kind == "aws_iam_role"
            && role.expression(key).is_none()
            && role.text("name").is_some_and(|name| self.given.contains(&(name, policy)))
    }

    /// The managed policy of the plan that an ARN or an expression names.
    fn policy(&self, by: &Resource<'p>, key: &str, arn: Option<&str>) -> Option<&Resource<'p>> {
        // A managed policy of AWS may have the same name.
        let is_aws = arn.is_some_and(|arn| aws_managed::name(arn).is_some());
        if is_aws { None } else { self.named(by, key, "aws_iam_policy", arn) }
    }

    /// The roles that an attachment names: each as the plan has it, if it has it, and its name, if that is known.
    fn holders(&self, resource: &Resource<'p>, key: &str) -> Vec<(Option<&Resource<'p>>, Option<&'p str>)> {
        let named = |name: &'p str| (self.named(resource, key, "aws_iam_role", Some(name)), Some(name));
        if let Some(name) = resource.text(key) {
            return vec![named(name)];
        }
        let listed = resource.blocks(key);
        let mut holders: Vec<_> = listed.iter().filter_map(|name| name.as_str()).map(named).collect();
        let is_list = resource.values.get(key).is_some_and(Value::is_array);
        // An attachment has a role, whether the plan says which or not.
        let later = if is_list { resource.later_of(key) } else { 1 };
        if later > 0 && (is_list || key != "roles" || resource.is_unknown(key)) {
            let mut referred = self.referred(resource, resource.expression(key), "aws_iam_role");
            referred.retain(|role| {
                !holders.iter().any(|(known, _)| known.is_some_and(|known| known.address == role.address))
            });
            // One role of several is not known.
            if referred.len() > later {
                referred.clear();
            }
            let missing = later.saturating_sub(referred.len()).min(1);
            holders.extend(referred.into_iter().map(|role| (Some(role), None)));
            holders.extend(std::iter::repeat_n((None, None), missing));
        }
        holders
    }

    /// Attaches the managed policies under a key, which is an ARN or a list of them.
    fn attach(
        &self,
        by: &Resource<'p>,
        key: &str,
        managed: &Managed<'p>,
        role: &mut Role,
        not_judged: &mut Vec<NotJudged>,
    ) {
        let at = format!("{}.{key}", by.address);
        let add = |role: &mut Role, policy: &Resource<'p>| {
            managed.get(policy.address).cloned().flatten().into_iter().for_each(|policy| role.attach(policy));
        };
        let listed = by.values.get(key).and_then(Value::as_array);
        let arns: Vec<(String, &str)> = match listed {
            Some(arns) => {
                let arns = arns.iter().enumerate();
                arns.filter_map(|(index, arn)| Some((format!("{at}[{index}]"), arn.as_str()?))).collect()
            }
            None => by.text(key).map(|arn| (at.clone(), arn)).into_iter().collect(),
        };
        let later = if listed.is_some() { by.later_of(key) } else { 1usize.saturating_sub(arns.len()) };
        for (at, arn) in arns {
            match self.policy(by, key, Some(arn)) {
                _ if self.is_read_back(by, key, arn) => {}
                Some(policy) => add(role, policy),
                None => role.attach_aws(at, arn, not_judged),
            }
        }
        if later == 0 {
            return;
        }
        let referred = self.referred(by, by.expression(key), "aws_iam_policy");
        // Of a list, each may be there; one policy of several is not known.
        let attached = if listed.is_some() || referred.len() == 1 { referred } else { Vec::new() };
        attached.iter().for_each(|policy| add(role, policy));
        if attached.len() < later {
            not_judged.push(NotJudged { at, why: AFTER_APPLY.to_owned() });
        }
    }

    /// What is attached to a role that the plan does not have is judged by itself.
    fn attach_elsewhere(
        &self,
        by: &Resource<'p>,
        key: &str,
        name: Option<&str>,
        managed: &Managed<'p>,
        deployment: &mut Deployment,
    ) {
        let whose = name.map_or_else(|| "its role".to_owned(), |name| format!("the role `{name}`"));
        let why = format!("{whose} is not in the plan, so the policy is judged by itself");
        deployment.not_judged.push(NotJudged { at: by.address.to_owned(), why });
        let mut role = Role::default();
        self.attach(by, key, managed, &mut role, &mut deployment.not_judged);
        // A policy of the plan is judged by itself anyway.
        deployment.policies.extend(role.policies.into_iter().filter(Policy::is_of_aws));
    }

    /// Says which inline policies a role keeps that the plan does not have.
    fn inline_elsewhere(&self, resource: &Resource<'p>, not_judged: &mut Vec<NotJudged>) {
        let own = self.of_kind("aws_iam_role_policy").filter_map(|policy| policy.text("name"));
        let within = self.of_kind("aws_iam_role").flat_map(|role| role.blocks("inline_policy"));
        let known: HashSet<&str> = own.chain(within.filter_map(|block| text(block, "name"))).collect();
        let is_referred =
            !self.referred(resource, resource.expression("policy_names"), "aws_iam_role_policy").is_empty();
        for (index, name) in resource.blocks("policy_names").into_iter().enumerate() {
            if let Some(name) = name.as_str().filter(|name| !known.contains(name)) {
                let at = format!("{}.policy_names[{index}]", resource.address);
                not_judged.push(NotJudged { at, why: format!("the inline policy `{name}` is not in the plan") });
            }
        }
        if resource.is_unknown_at(&["policy_names"]) || (resource.later_of("policy_names") > 0 && !is_referred) {
            not_judged.push(resource.note("policy_names"));
        }
    }
}
