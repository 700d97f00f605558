//! Plans of Terraform: `terraform show -json PLAN` (<https://developer.hashicorp.com/terraform/internals/json-format>).
//!
//! What is "known after apply" is absent from the planned values and marked in `after_unknown`; what it refers to
//! stands in the configuration, and links a policy to its role.

use crate::{
    NotJudged, TemplateError, aws_managed,
    deployment::{Deployment, Environment, Permission, Role, Setting, Url, absent},
    policy::Policy,
    secrets, unknown,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use warden_policy::Context;

/// One planned resource.
struct Resource<'p> {
    address: &'p str,
    /// The address without indexes, as the configuration has it.
    block: String,
    kind: &'p str,
    values: &'p Value,
    /// What is known only after apply.
    unknown: Option<&'p Value>,
    /// The expressions it is configured by.
    expressions: Option<&'p Map<String, Value>>,
    /// The module it is in, with its dot: `module.shop.`, or nothing.
    module: &'p str,
}

/// What the plan says of roles and functions.
pub(crate) fn deployment(plan: &Value, values: &Value, context: &Context) -> Result<Deployment, TemplateError> {
    let root = values.get("root_module").ok_or_else(|| TemplateError::Malformed {
        at: "planned_values".to_owned(),
        message: "there is no `root_module`".to_owned(),
    })?;
    let mut changes = BTreeMap::new();
    for change in plan.get("resource_changes").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(address), Some(change)) = (change.get("address").and_then(Value::as_str), change.get("change")) {
            changes.insert(address, change);
        }
    }
    let mut configuration = Configuration::default();
    if let Some(root) = plan.pointer("/configuration/root_module") {
        configuration.read(root, "");
    }
    let mut deployment = Deployment::default();
    let mut resources = Vec::new();
    let mut modules = vec![root];
    while let Some(module) = modules.pop() {
        modules.extend(module.get("child_modules").and_then(Value::as_array).into_iter().flatten());
        for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| resource.get(key).and_then(Value::as_str);
            let (Some(address), Some(kind), Some(values)) = (text("address"), text("type"), resource.get("values"))
            else {
                continue;
            };
            if text("mode") == Some("data") || !kind.starts_with("aws_") {
                if ["awscc_iam_", "awscc_lambda_"].iter().any(|of| kind.starts_with(of)) {
                    let why = "resources of the provider awscc are not read".to_owned();
                    deployment.not_judged.push(NotJudged { at: address.to_owned(), why });
                }
                continue;
            }
            let block = without_indexes(address);
            let at = address.rfind(kind).filter(|at| *at > 0 && address.starts_with("module."));
            resources.push(Resource {
                address,
                kind,
                values,
                unknown: changes.get(address).and_then(|change| change.get("after_unknown")),
                expressions: configuration.expressions.get(&block).copied(),
                block,
                module: at.and_then(|at| address.get(..at)).unwrap_or_default(),
            });
        }
    }
    resources.sort_by_key(|resource| resource.address);
    deployment.not_judged.sort();
    Plan::new(&resources, &configuration).read(&mut deployment, context);
    Ok(deployment)
}

/// What expressions refer to.
#[derive(Default)]
struct Configuration<'p> {
    /// The expressions of every resource, by its address without indexes.
    expressions: HashMap<String, &'p Map<String, Value>>,
    /// What each module is called with, by the module: `module.shop.`.
    calls: HashMap<String, &'p Map<String, Value>>,
    /// What each module gives back, by the module.
    outputs: HashMap<String, &'p Map<String, Value>>,
}

impl<'p> Configuration<'p> {
    /// How many references are followed from one expression.
    const MOST: usize = 256;

    fn read(&mut self, module: &'p Value, prefix: &str) {
        let object = |value: &'p Value, key: &str| value.get(key).and_then(Value::as_object);
        for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let address = resource.get("address").and_then(Value::as_str);
            if let (Some(address), Some(expressions)) = (address, object(resource, "expressions")) {
                self.expressions.insert(format!("{prefix}{address}"), expressions);
            }
        }
        self.outputs.extend(object(module, "outputs").map(|outputs| (prefix.to_owned(), outputs)));
        for (name, call) in object(module, "module_calls").into_iter().flatten() {
            let inner = format!("{prefix}module.{name}.");
            self.calls.extend(object(call, "expressions").map(|expressions| (inner.clone(), expressions)));
            if let Some(module) = call.get("module") {
                self.read(module, &inner);
            }
        }
    }

    /// What an expression of a module refers to, without indexes, through the variables and outputs of modules.
    fn references(&self, expression: &'p Value, module: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut unread = vec![(expression, module.to_owned())];
        let mut steps = 0;
        while let Some((expression, module)) = unread.pop() {
            steps += 1;
            if steps > Self::MOST {
                break;
            }
            let mut references = Vec::new();
            collect_references(expression, &mut references);
            for reference in references.into_iter().take(Self::MOST) {
                let reference = without_indexes(reference);
                let mut words = reference.split('.');
                let through = match (words.next(), words.next(), words.next()) {
                    (Some("var"), Some(name), _) => {
                        self.calls.get(&module).and_then(|call| call.get(name)).map(|passed| {
                            let outer = module.strip_suffix('.').and_then(|inner| inner.rfind("module."));
                            (passed, module.get(..outer.unwrap_or_default()).unwrap_or_default().to_owned())
                        })
                    }
                    (Some("module"), Some(name), Some(output)) => {
                        let inner = format!("{module}module.{name}.");
                        self.outputs.get(&inner).and_then(|outputs| outputs.get(output)).map(|given| (given, inner))
                    }
                    _ => None,
                };
                match through {
                    Some(through) => unread.push(through),
                    None => found.push(format!("{module}{reference}")),
                }
            }
        }
        found
    }
}

/// `module.a["x"].aws_iam_role.pay[0]` is `module.a.aws_iam_role.pay` in the configuration.
fn without_indexes(address: &str) -> String {
    let mut plain = String::with_capacity(address.len());
    let mut parts = address.split('[');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.rsplit_once(']').map_or("", |(_, rest)| rest));
    }
    plain
}

impl<'p> Resource<'p> {
    fn text(&self, key: &str) -> Option<&'p str> {
        self.values.get(key).and_then(Value::as_str)
    }

    fn is_unknown(&self, key: &str) -> bool {
        self.unknown.and_then(|unknown| unknown.get(key)).is_some_and(|value| *value != Value::Bool(false))
    }

    /// A text, or what stands for it until it is known.
    fn text_or_unknown(&self, key: &str) -> Option<String> {
        let placeholder = || self.is_unknown(key).then(|| unknown::value(&format!("{}.{key}", self.address)));
        self.text(key).map(str::to_owned).or_else(placeholder)
    }

    /// The list of blocks under a key.
    fn blocks(&self, key: &str) -> Vec<&'p Value> {
        self.values.get(key).and_then(Value::as_array).into_iter().flatten().collect()
    }

    fn note(&self, key: &str) -> NotJudged {
        NotJudged { at: format!("{}.{key}", self.address), why: "known only after apply".to_owned() }
    }
}

fn collect_references<'p>(expression: &'p Value, found: &mut Vec<&'p str>) {
    match expression {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("references", Value::Array(references)) => {
                        found.extend(references.iter().filter_map(Value::as_str));
                    }
                    (_, value) => collect_references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

struct Plan<'r, 'p> {
    resources: &'r [Resource<'p>],
    configuration: &'r Configuration<'p>,
    /// Resources by their kind and what names them.
    by_name: HashMap<(&'p str, &'p str), &'r Resource<'p>>,
    /// Resources by their kind and block.
    by_block: HashMap<(&'p str, &'r str), Vec<&'r Resource<'p>>>,
}

impl<'r, 'p> Plan<'r, 'p> {
    fn new(resources: &'r [Resource<'p>], configuration: &'r Configuration<'p>) -> Self {
        let (mut by_name, mut by_block) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        for resource in resources {
            for name in ["arn", "name", "id", "function_name"].into_iter().filter_map(|key| resource.text(key)) {
                by_name.entry((resource.kind, name)).or_insert(resource);
            }
            by_block.entry((resource.kind, resource.block.as_str())).or_default().push(resource);
        }
        Self { resources, configuration, by_name, by_block }
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'r Resource<'p>> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// The resource of a kind that a value names, or that its expression refers to.
    fn named(&self, by: &Resource<'_>, key: &str, kind: &'static str, value: Option<&str>) -> Option<&'r Resource<'p>> {
        if let Some(found) = value.and_then(|value| self.by_name.get(&(kind, value))) {
            return Some(found);
        }
        let expression = by.expressions.and_then(|expressions| expressions.get(key))?;
        let references = self.configuration.references(expression, &without_indexes(by.module));
        let candidates: Vec<&Resource<'p>> = references
            .iter()
            .filter_map(|block| self.by_block.get(&(kind, block.as_str())))
            .flatten()
            .copied()
            .collect();
        // Of several made by one block, the one with the same index.
        let index = |address: &'p str| address.rfind('[').and_then(|at| address.get(at..));
        let own = by.address.rfind('[').and_then(|at| by.address.get(at..));
        let same = candidates.iter().find(|resource| own.is_some() && index(resource.address) == own);
        same.or(candidates.first()).copied()
    }

    fn read(&self, deployment: &mut Deployment, context: &Context) {
        let mut managed: BTreeMap<&str, Option<Policy>> = BTreeMap::new();
        for resource in self.of_kind("aws_iam_policy") {
            managed.insert(resource.address, document(resource, "policy", &mut deployment.not_judged));
        }
        let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
        for resource in self.of_kind("aws_iam_role") {
            roles.insert(resource.address, self.role(resource, &managed, &mut deployment.not_judged));
        }
        for resource in self.of_kind("aws_iam_role_policy") {
            let Some(policy) = document(resource, "policy", &mut deployment.not_judged) else { continue };
            match self
                .named(resource, "role", "aws_iam_role", resource.text("role"))
                .and_then(|role| roles.get_mut(role.address))
            {
                Some(role) => role.policies.push(policy),
                None => deployment.policies.push(policy),
            }
        }
        for (kind, key) in [("aws_iam_role_policy_attachment", "role"), ("aws_iam_policy_attachment", "roles")] {
            for resource in self.of_kind(kind) {
                self.attach(resource, key, &managed, &mut roles, deployment);
            }
        }
        for resource in self.of_kind("aws_lambda_function") {
            deployment.environments.push(environment(resource, &mut deployment.not_judged));
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
        deployment.roles.extend(roles.into_values());
        self.doors(deployment, context);
    }

    fn role(
        &self,
        resource: &Resource<'_>,
        managed: &BTreeMap<&str, Option<Policy>>,
        not_judged: &mut Vec<NotJudged>,
    ) -> Role {
        let mut role = Role { at: resource.address.to_owned(), ..Role::default() };
        role.trust = document(resource, "assume_role_policy", not_judged);
        for (index, block) in resource.blocks("inline_policy").into_iter().enumerate() {
            let at = format!("{}.inline_policy[{index}]", resource.address);
            let name = block.get("name").and_then(Value::as_str).unwrap_or_default();
            match block.get("policy").and_then(Value::as_str) {
                // An empty block: no inline policies.
                Some("") => {}
                Some(text) => role.policies.push(Policy::of_text(at, text.to_owned())),
                None if !name.is_empty() => not_judged.push(resource.note(&format!("inline_policy[{index}]"))),
                None => {}
            }
        }
        for (index, arn) in resource.blocks("managed_policy_arns").into_iter().enumerate() {
            let at = format!("{}.managed_policy_arns[{index}]", resource.address);
            match arn.as_str() {
                Some(arn) => {
                    self.attach_managed(resource, "managed_policy_arns", at, Some(arn), managed, &mut role, not_judged)
                }
                None => not_judged.push(NotJudged { at, why: "known only after apply".to_owned() }),
            }
        }
        let boundary = resource.text("permissions_boundary");
        if boundary.is_some() || resource.is_unknown("permissions_boundary") {
            let at = format!("{}.permissions_boundary", resource.address);
            let defined = self.named(resource, "permissions_boundary", "aws_iam_policy", boundary);
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

    fn attach(
        &self,
        resource: &Resource<'_>,
        key: &str,
        managed: &BTreeMap<&str, Option<Policy>>,
        roles: &mut BTreeMap<&str, Role>,
        deployment: &mut Deployment,
    ) {
        let listed = resource.blocks(key).into_iter().filter_map(Value::as_str).map(Some);
        let named: Vec<Option<&str>> = match resource.text(key) {
            Some(name) => vec![Some(name)],
            // An attachment has a role, whether the plan says which or not.
            None => listed.chain((key == "role" || resource.is_unknown(key)).then_some(None)).collect(),
        };
        for name in named {
            let role = self.named(resource, key, "aws_iam_role", name).and_then(|role| roles.get_mut(role.address));
            let at = format!("{}.policy_arn", resource.address);
            let arn = resource.text("policy_arn");
            match role {
                Some(role) => {
                    self.attach_managed(resource, "policy_arn", at, arn, managed, role, &mut deployment.not_judged);
                }
                None => {
                    let whose = name.map_or_else(|| "its role".to_owned(), |name| format!("the role `{name}`"));
                    let why = format!("{whose} is not in the plan, so the policy is judged by itself");
                    deployment.not_judged.push(NotJudged { at: resource.address.to_owned(), why });
                    match arn.map(|arn| (arn, aws_managed::policy(&at, arn))) {
                        Some((_, Some(policy))) => deployment.policies.push(policy),
                        // A policy of the plan is judged by itself anyway.
                        Some((arn, None))
                            if self.named(resource, "policy_arn", "aws_iam_policy", Some(arn)).is_none() =>
                        {
                            deployment.not_judged.push(absent(at, arn));
                        }
                        Some((_, None)) | None => {}
                    }
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an attachment is what it is: by whom, where, what, to whom")]
    fn attach_managed(
        &self,
        by: &Resource<'_>,
        key: &str,
        at: String,
        arn: Option<&str>,
        managed: &BTreeMap<&str, Option<Policy>>,
        role: &mut Role,
        not_judged: &mut Vec<NotJudged>,
    ) {
        let is_aws = arn.is_some_and(|arn| aws_managed::name(arn).is_some());
        let defined = if is_aws { None } else { self.named(by, key, "aws_iam_policy", arn) };
        match (defined, arn) {
            (Some(policy), _) => role.policies.extend(managed.get(policy.address).cloned().flatten()),
            (None, Some(arn)) => role.attach_aws(at, arn, not_judged),
            (None, None) => not_judged.push(NotJudged { at, why: "known only after apply".to_owned() }),
        }
    }

    /// Permissions of functions and layer versions, and URLs.
    fn doors(&self, deployment: &mut Deployment, context: &Context) {
        for resource in self.of_kind("aws_lambda_permission") {
            let text = |key: &str| resource.text_or_unknown(key);
            let Some((action, principal)) = whom(resource, &mut deployment.errors) else { continue };
            let (source_arn, source_account) = (text("source_arn"), text("source_account"));
            let (organization, token) = (text("principal_org_id"), text("event_source_token"));
            let permission = Permission {
                action: &action,
                principal: &principal,
                source_arn: source_arn.as_deref(),
                source_account: source_account.as_deref(),
                organization: organization.as_deref(),
                url_auth: resource.text("function_url_auth_type"),
                event_source_token: token.as_deref(),
                through_url: resource
                    .values
                    .get("invoked_via_function_url")
                    .and_then(Value::as_bool)
                    .unwrap_or_default(),
            };
            let statement = permission.statement(context);
            let door = deployment.doors.entry(self.door(resource)).or_default();
            door.statements.push((resource.address.to_owned(), statement));
        }
        for resource in self.of_kind("aws_lambda_function_url") {
            let cors = resource.blocks("cors").into_iter().next().map(|cors| {
                let origins = cors.get("allow_origins").and_then(Value::as_array).into_iter().flatten();
                let credentials = cors.get("allow_credentials").and_then(Value::as_bool).unwrap_or_default();
                (origins.filter_map(Value::as_str).collect(), credentials)
            });
            let auth = resource.text("authorization_type");
            if auth.is_none() {
                deployment.not_judged.push(resource.note("authorization_type"));
            }
            let door = deployment.doors.entry(self.door(resource)).or_default();
            // For NONE, the provider lets everybody in by itself (`FunctionURLAllowPublicAccess` in
            // <https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/lambda/function_url.go>).
            if auth == Some("NONE") {
                let permission = Permission {
                    action: "lambda:InvokeFunctionUrl",
                    principal: "*",
                    url_auth: auth,
                    ..Permission::default()
                };
                door.statements.push((resource.address.to_owned(), permission.statement(context)));
            }
            door.url = Some(Url::new(resource.address.to_owned(), auth, cors));
        }
        for resource in self.of_kind("aws_lambda_layer_version_permission") {
            let text = |key: &str| resource.text_or_unknown(key);
            let Some((action, principal)) = whom(resource, &mut deployment.errors) else { continue };
            let organization = text("organization_id");
            let permission = Permission {
                action: &action,
                principal: &principal,
                organization: organization.as_deref().filter(|id| !id.is_empty()),
                ..Permission::default()
            };
            let document = json!({"Version": "2012-10-17", "Statement": permission.statement(context)});
            deployment.layers.push(Policy::of_statement(resource.address, &document));
        }
    }

    /// Which function a permission or URL is of, and which qualifier.
    fn door(&self, resource: &Resource<'_>) -> (String, String) {
        let function = resource.text("function_name");
        let defined = self.named(resource, "function_name", "aws_lambda_function", function);
        let name = defined.map(|function| function.address).or(function).unwrap_or(resource.address);
        (name.to_owned(), resource.text("qualifier").unwrap_or_default().to_owned())
    }
}

/// The action and the principal that a permission grants it to; an error when one of them is missing.
fn whom(resource: &Resource<'_>, errors: &mut Vec<NotJudged>) -> Option<(String, String)> {
    let mut text = |key: &str| {
        let text = resource.text_or_unknown(key);
        if text.is_none() {
            errors.push(NotJudged { at: resource.address.to_owned(), why: format!("there is no `{key}`") });
        }
        text
    };
    text("action").zip(text("principal"))
}

/// A function's environment; a note when its variables are not known yet.
fn environment(resource: &Resource<'_>, not_judged: &mut Vec<NotJudged>) -> Environment {
    let block = resource.blocks("environment").into_iter().next();
    let variables = block.and_then(|block| block.get("variables")?.as_object()).into_iter().flatten();
    let known = variables.filter_map(|(name, value)| Some((name.clone(), Setting::Plain(value.as_str()?.to_owned()))));
    let mut variables: Vec<(String, Setting)> = known.collect();
    let unknown = resource.unknown.and_then(|unknown| unknown.get("environment"));
    match unknown.and_then(|blocks| blocks.get(0)?.get("variables")).or(unknown) {
        Some(Value::Bool(true)) => not_judged.push(resource.note("environment.variables")),
        Some(Value::Object(names)) => {
            let later =
                names.iter().filter(|(name, later)| **later == Value::Bool(true) && secrets::is_name_of_one(name));
            let source = "a value that is known only after apply";
            variables.extend(later.map(|(name, _)| (name.clone(), Setting::Elsewhere(source.to_owned()))));
        }
        Some(_) | None => {}
    }
    Environment { at: format!("{}.environment", resource.address), variables }
}

/// A policy that stands in an attribute; a note when it is not known yet.
fn document(resource: &Resource<'_>, key: &str, not_judged: &mut Vec<NotJudged>) -> Option<Policy> {
    let at = if key == "policy" { resource.address.to_owned() } else { format!("{}.{key}", resource.address) };
    match resource.text(key) {
        Some(text) => Some(Policy::of_text(at, text.to_owned())),
        None => {
            not_judged.push(resource.note(key));
            None
        }
    }
}
