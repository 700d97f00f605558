//! Plans of Terraform: `terraform show -json PLAN` (<https://developer.hashicorp.com/terraform/internals/json-format>).
//!
//! What is "known after apply" is absent from the planned values and marked in `after_unknown`; what it refers to
//! stands in the configuration, and links a policy to its role.

mod addresses;
mod concurrency;
mod configuration;
mod documents;
mod doors;
mod environments;
mod roles;

use crate::{
    NotJudged, TemplateError,
    deployment::Deployment,
    exempt::{self, EXEMPT_TAG},
    unknown,
};
use addresses::Address;
use configuration::Configuration;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use warden_policy::Context;

/// One planned resource, or a data source that is read only after apply.
struct Resource<'p> {
    address: &'p str,
    place: Address,
    kind: &'p str,
    values: &'p Value,
    /// What is known only after apply.
    unknown: Option<&'p Value>,
    /// The expressions it is configured by.
    expressions: Option<&'p Map<String, Value>>,
}

/// What the plan says of roles and functions.
pub(crate) fn deployment(plan: &Value, values: &Value, context: &Context) -> Result<Deployment, TemplateError> {
    let root = values.get("root_module").ok_or_else(|| TemplateError::Malformed {
        at: "planned_values".to_owned(),
        message: "there is no `root_module`".to_owned(),
    })?;
    let configuration = Configuration::of(plan);
    let mut deployment = Deployment::default();
    let mut changes = BTreeMap::new();
    let mut given = HashSet::new();
    let mut resources = Vec::new();
    for planned in list(plan, "resource_changes") {
        let (Some(address), Some(change)) = (text(planned, "address"), planned.get("change")) else { continue };
        let kind = text(planned, "type").unwrap_or_default();
        // What Terraform only forgets stays as it is.
        let is_forgotten = list(change, "actions").any(|action| action == "forget");
        let before = change.get("before").filter(|_| !is_forgotten);
        given.extend(before.into_iter().flat_map(|before| roles::given(kind, before)));
        // An object that was replaced and is still to be deleted has the address of the new one.
        if planned.get("deposed").is_some() {
            continue;
        }
        changes.insert(address, change);
        if let (documents::KIND, Some(values)) = (kind, change.get("after")) {
            resources.extend(Resource::new(address, kind, values, Some(change), &configuration));
        }
    }
    let mut modules = vec![root];
    while let Some(module) = modules.pop() {
        modules.extend(list(module, "child_modules"));
        for resource in list(module, "resources") {
            let (Some(address), Some(kind)) = (text(resource, "address"), text(resource, "type")) else { continue };
            if text(resource, "mode") == Some("data") {
                continue;
            }
            if let Some(why) = unread(kind) {
                deployment.not_judged.push(NotJudged { at: address.to_owned(), why: why.to_owned() });
            } else if kind.starts_with("aws_") {
                // There are none where nothing is known.
                let values = resource.get("values").unwrap_or(&Value::Null);
                let change = changes.get(address).copied();
                resources.extend(Resource::new(address, kind, values, change, &configuration));
            }
        }
    }
    resources.sort_by_key(|resource| resource.address);
    deployment.not_judged.extend(unplanned(plan));
    deployment.not_judged.sort();
    given.extend(resources.iter().flat_map(|resource| roles::given(resource.kind, resource.values)));
    Plan::new(&resources, &configuration, given).read(&mut deployment, context);
    Ok(deployment)
}

/// What brings roles or functions, and is not read.
fn unread(kind: &str) -> Option<&'static str> {
    match kind {
        "aws_cloudcontrolapi_resource" => Some("what Cloud Control makes is not read"),
        "aws_cloudformation_stack" | "aws_serverlessapplicationrepository_cloudformation_stack" => {
            Some("the template of the stack is not read")
        }
        "aws_cloudformation_stack_set" => Some("the template of the stack set is not read"),
        kind if ["awscc_iam_", "awscc_lambda_"].iter().any(|of| kind.starts_with(of)) => {
            Some("resources of the provider awscc are not read")
        }
        _ => None,
    }
}

/// What the plan says that it does not plan.
fn unplanned(plan: &Value) -> Vec<NotJudged> {
    let is = |key: &str, value: bool| plan.get(key).and_then(Value::as_bool) == Some(value);
    let mut notes = Vec::new();
    let mut note = |at: &str, why: &str| notes.push(NotJudged { at: at.to_owned(), why: why.to_owned() });
    for deferred in list(plan, "deferred_changes") {
        let change = deferred.get("resource_change");
        let address = change.and_then(|change| text(change, "address")).unwrap_or("deferred_changes");
        note(address, "Terraform plans it only after the rest is applied");
    }
    // A plan of some targets says that it is not complete too.
    if is("errored", true) {
        note("planned_values", "planning ended with an error, so that parts may be missing");
    } else if is("complete", false) {
        note("planned_values", "the plan is not complete, so that parts are missing");
    }
    notes
}

/// How many values of a list are known only after apply: Terraform before 1.0 leaves them out, and later versions have
/// nulls in their places.
fn later(listed: Option<&Value>, unknown: Option<&Value>) -> usize {
    let count = |list: Option<&Value>, what: &Value| {
        list.and_then(Value::as_array).into_iter().flatten().filter(|value| *value == what).count()
    };
    count(listed, &Value::Null).max(count(unknown, &Value::Bool(true)))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

impl<'p> Resource<'p> {
    fn new(
        address: &'p str,
        kind: &'p str,
        values: &'p Value,
        change: Option<&'p Value>,
        configuration: &Configuration<'p>,
    ) -> Option<Self> {
        let place = Address::of(address)?;
        let expressions = configuration.expressions(&place.block);
        let unknown = change.and_then(|change| change.get("after_unknown"));
        Some(Self { address, place, kind, values, unknown, expressions })
    }

    fn text(&self, key: &str) -> Option<&'p str> {
        text(self.values, key)
    }

    fn is_unknown(&self, key: &str) -> bool {
        self.unknown.and_then(|unknown| unknown.get(key)).is_some_and(|value| *value != Value::Bool(false))
    }

    /// Whether nothing is known of what stands at a path.
    fn is_unknown_at(&self, path: &[&str]) -> bool {
        let step = |unknown: &'p Value, step: &&str| match step.parse::<usize>() {
            Ok(index) => unknown.get(index),
            Err(_) => unknown.get(*step),
        };
        self.unknown.and_then(|unknown| path.iter().try_fold(unknown, step)) == Some(&Value::Bool(true))
    }

    /// A text, or what stands for it until it is known.
    fn text_or_unknown(&self, key: &str) -> Option<String> {
        let placeholder = || self.is_unknown(key).then(|| self.later(key));
        self.text(key).map(str::to_owned).or_else(placeholder)
    }

    /// What stands for an attribute that is known only after apply.
    fn later(&self, key: &str) -> String {
        unknown::value(&format!("{}.{key}", self.address))
    }

    /// How many values of a list are known only after apply.
    fn later_of(&self, key: &str) -> usize {
        later(self.values.get(key), self.unknown.and_then(|unknown| unknown.get(key)))
    }

    /// The list of blocks under a key.
    fn blocks(&self, key: &str) -> Vec<&'p Value> {
        list(self.values, key).collect()
    }

    fn expression(&self, key: &str) -> Option<&'p Value> {
        self.expressions?.get(key)
    }

    fn note(&self, key: &str) -> NotJudged {
        NotJudged { at: format!("{}.{key}", self.address), why: AFTER_APPLY.to_owned() }
    }
}

const AFTER_APPLY: &str = "known only after apply";

struct Plan<'r, 'p> {
    resources: &'r [Resource<'p>],
    configuration: &'r Configuration<'p>,
    /// Resources by their kind and what names them.
    by_name: HashMap<(&'p str, &'p str), Vec<&'r Resource<'p>>>,
    /// Resources by their kind and block.
    by_block: HashMap<(&'p str, &'r str), Vec<&'r Resource<'p>>>,
    /// The same, by each of their indexes too: what `for_each` makes of one mapping belongs together.
    by_index: HashMap<(&'p str, &'r str, &'r str), Vec<&'r Resource<'p>>>,
    /// Roles and policies that resources give them, or gave them before.
    given: HashSet<(&'p str, &'p str)>,
}

impl<'r, 'p> Plan<'r, 'p> {
    fn new(
        resources: &'r [Resource<'p>],
        configuration: &'r Configuration<'p>,
        given: HashSet<(&'p str, &'p str)>,
    ) -> Self {
        let (mut by_name, mut by_block) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        let mut by_index = HashMap::<_, Vec<_>>::new();
        for resource in resources {
            let mut names: Vec<&str> =
                ["arn", "name", "id", "function_name"].into_iter().filter_map(|key| resource.text(key)).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                by_name.entry((resource.kind, name)).or_default().push(resource);
            }
            let block = resource.place.block.as_str();
            by_block.entry((resource.kind, block)).or_default().push(resource);
            for index in resource.place.indexes() {
                by_index.entry((resource.kind, block, index)).or_default().push(resource);
            }
        }
        Self { resources, configuration, by_name, by_block, by_index, given }
    }

    fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'r Resource<'p>> {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    /// What an expression of a resource refers to.
    fn references(&self, by: &Resource<'p>, expression: Option<&'p Value>) -> Vec<Address> {
        let references = expression.map(|expression| self.configuration.references(expression, &by.place.module));
        references.unwrap_or_default().iter().filter_map(|reference| Address::of(reference)).collect()
    }

    /// The resources of a kind that an expression refers to. Of several that one block makes, those that have an index
    /// in common with the resource, if there are any.
    fn referred(&self, by: &Resource<'p>, expression: Option<&'p Value>, kind: &'static str) -> Vec<&'r Resource<'p>> {
        let mut referred: Vec<&Resource<'p>> = Vec::new();
        for reference in self.references(by, expression) {
            let block = reference.block.as_str();
            let meant = |resources: Option<&Vec<&'r Resource<'p>>>| -> Vec<&'r Resource<'p>> {
                let resources = resources.into_iter().flatten();
                resources.filter(|resource| reference.may_be(&resource.place)).copied().collect()
            };
            let index = by.place.own_index();
            let mut chosen = meant(index.and_then(|index| self.by_index.get(&(kind, block, index))));
            if chosen.is_empty() {
                chosen = meant(self.by_block.get(&(kind, block)));
            }
            let is_new = |resource: &&Resource<'p>| !referred.iter().any(|known| known.address == resource.address);
            let new: Vec<&Resource<'p>> = chosen.into_iter().filter(is_new).collect();
            referred.extend(new);
        }
        referred
    }

    /// The resource of a kind that a value names, or that the expression under a key refers to, and no other.
    fn named(&self, by: &Resource<'p>, key: &str, kind: &'static str, value: Option<&str>) -> Option<&'r Resource<'p>> {
        let names = value.into_iter().chain(value.and_then(last));
        let of_value = names.into_iter().find_map(|name| self.by_name.get(&(kind, name)));
        if let Some([only]) = of_value.map(Vec::as_slice) {
            return Some(only);
        }
        let referred = self.referred(by, by.expression(key), kind);
        let Some(several) = of_value else { return single(referred) };
        // A name is one only within a Region, and one account.
        let is_referred = |resource: &&&Resource<'p>| referred.iter().any(|known| known.address == resource.address);
        let is_near = |resource: &&&Resource<'p>| {
            resource.place.module == by.place.module && resource.text("region") == by.text("region")
        };
        let found = several.iter().find(is_referred).or_else(|| several.iter().find(is_near));
        found.or(several.first()).copied()
    }

    fn read(&self, deployment: &mut Deployment, context: &Context) {
        self.roles(deployment, context);
        self.doors(deployment, context);
        self.concurrency(deployment);
        for resource in self.resources {
            let is_it: fn(&str) -> bool = match resource.kind {
                "aws_lambda_function" | "aws_iam_policy" => |key| key == EXEMPT_TAG,
                "aws_iam_role" => exempt::is_of_role,
                _ => continue,
            };
            let all = ["tags_all", "tags"].into_iter().filter_map(|key| resource.values.get(key)?.as_object());
            let tag = all.flatten().find(|(key, _)| is_it(key)).and_then(|(_, value)| value.as_str());
            deployment.exempt.extend(tag.map(|tag| (resource.address.to_owned(), tag.to_owned())));
        }
    }
}

/// The only one of a list.
fn single<T>(list: Vec<T>) -> Option<T> {
    let mut list = list.into_iter();
    list.next().filter(|_| list.next().is_none())
}

/// The name that an ARN of IAM or Lambda ends in.
fn last(arn: &str) -> Option<&str> {
    let arn = arn.strip_prefix("arn:")?;
    match arn.split_once(":function:") {
        Some((_, name)) => name.split(':').next(),
        None => arn.rsplit('/').next(),
    }
}
