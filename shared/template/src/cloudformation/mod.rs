//! CloudFormation templates, and the functions of AWS SAM.

mod arns;
mod conditions;
mod functions;
mod intrinsics;
mod parameters;
mod roles;
mod serverless;
mod unread;
mod variants;

use crate::{
    NotJudged, ReadTag, Report, TemplateError, deployment,
    deployment::{Deployment, Judged},
    exempt::{self, EXEMPT_TAG},
    node::Node,
    unknown,
};
use intrinsics::Effort;
use roles::Roles;
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};
use variants::Variant;
use warden_finding::FindingId;
use warden_policy::Context;

/// What CloudFormation takes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MOST_RESOURCES: usize = 500;

/// Judges a template as it is deployed with the defaults of its parameters, and in every other shape that its
/// conditions and mappings can give it. The account of the context is a stand-in where nobody has said which it is.
pub(crate) fn judge(
    template: &Value,
    resources: &Map<String, Value>,
    context: &Context,
    is_account_open: bool,
    read_tag: &ReadTag<'_>,
) -> Result<Report, TemplateError> {
    if resources.len() > MOST_RESOURCES {
        let message = format!("{} resources: CloudFormation takes at most {MOST_RESOURCES}", resources.len());
        return Err(TemplateError::Malformed { at: "Resources".to_owned(), message });
    }
    let effort = Effort::default();
    let (variants, shortened) =
        variants::of(&variants::Judged::of(template, resources, is_account_open), |variant, compared| {
            Scope::new(template, resources, context, variant, &effort).is_same(compared)
        });
    let mut report = Report { not_judged: unread::of(template, resources), ..Report::default() };
    let mut judged = Judged::default();
    let mut seen: HashMap<(String, FindingId), usize> = HashMap::new();
    let mut noted: HashSet<NotJudged> = HashSet::new();
    for variant in &variants {
        let context = &Context { account: variant.account().or(context.account), ..context.clone() };
        let deployment = Scope::new(template, resources, context, variant, &effort).deployment();
        let found = deployment::judge(&deployment, context, read_tag, &mut judged);
        if effort.is_spent() {
            let message = "its functions put together more text than any template needs".to_owned();
            return Err(TemplateError::Malformed { at: "Resources".to_owned(), message });
        }
        for mut found in found.findings {
            let key = (found.finding.at.clone(), found.finding.id);
            let known = seen.get(&key).and_then(|index| report.findings.get_mut(*index));
            // Of several that are told of at once, each has to be let pass.
            let exempt_until = match &known {
                Some(known) => known.exempt_until.clone().min(found.exempt_until.clone()),
                None => found.exempt_until.clone(),
            };
            found.exempt_until.clone_from(&exempt_until);
            match known {
                Some(known) if known.finding.severity >= found.finding.severity => {
                    known.without_function &= found.without_function;
                    known.exempt_until = exempt_until;
                }
                known => {
                    found.finding.message.push_str(&variant.shown());
                    match known {
                        Some(known) => {
                            found.without_function &= known.without_function;
                            *known = found;
                        }
                        None => {
                            seen.insert(key, report.findings.len());
                            report.findings.push(found);
                        }
                    }
                }
            }
        }
        for (notes, known) in [(found.not_judged, &mut report.not_judged), (found.errors, &mut report.errors)] {
            for note in notes {
                if noted.insert(note.clone()) {
                    known.push(note);
                }
            }
        }
    }
    report.not_judged.extend(shortened);
    Ok(report)
}

/// A resource's type, such as `AWS::IAM::Role`.
fn kind(resource: &Value) -> Option<&str> {
    resource.get("Type").and_then(Value::as_str)
}

/// The properties of a resource that are judged, all of them where the list is empty; none for a type of which nothing
/// is.
fn relevant(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "AWS::IAM::Role" => &[
            "AssumeRolePolicyDocument",
            "ManagedPolicyArns",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        ],
        "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy" | "AWS::IAM::RolePolicy" => &[],
        "AWS::Lambda::Alias" | "AWS::Lambda::Version" => &["FunctionName", "Name", "ProvisionedConcurrencyConfig"],
        "AWS::Lambda::Function" => &[
            "CapacityProviderConfig",
            "Environment",
            "FunctionName",
            "RecursiveLoop",
            "ReservedConcurrentExecutions",
            "Role",
            "Tags",
        ],
        "AWS::Lambda::LayerVersionPermission"
        | "AWS::Lambda::Permission"
        | "AWS::Lambda::ResourcePolicy"
        | "AWS::Lambda::Url" => &[],
        "AWS::Serverless::Function" => &[
            "AssumeRolePolicyDocument",
            "AutoPublishAlias",
            "CapacityProviderConfig",
            "Environment",
            "Events",
            "FunctionName",
            "FunctionUrlConfig",
            "PermissionsBoundary",
            "Policies",
            "ProvisionedConcurrencyConfig",
            "RecursiveLoop",
            "ReservedConcurrentExecutions",
            "Role",
            "RolePath",
            "Tags",
        ],
        "AWS::Serverless::StateMachine" => &["PermissionsBoundary", "Policies", "Role", "RolePath"],
        _ => return None,
    })
}

/// What is said of a part without something that AWS asks for.
fn missing(at: String, key: &str) -> NotJudged {
    NotJudged { at, why: format!("there is no `{key}`") }
}

/// A template in one of its shapes.
struct Scope<'t> {
    template: &'t Value,
    resources: &'t Map<String, Value>,
    context: &'t Context,
    variant: &'t Variant,
    /// What the functions may still put together, in all shapes.
    effort: &'t Effort,
    /// Those that were evaluated.
    conditions: RefCell<BTreeMap<String, bool>>,
    /// Those that were asked for, and that the template does not have.
    no_conditions: RefCell<BTreeSet<String>>,
    /// Every parameter is known only at deployment, whatever its default.
    is_open: Cell<bool>,
    /// The address of an OpenID provider is being put together.
    in_provider: Cell<bool>,
}

/// A resource that is there in this shape.
struct Resource<'t> {
    id: &'t str,
    kind: &'t str,
    properties: Node,
    /// The properties as they are written, with what `Globals` adds.
    written: Cow<'t, Value>,
    /// The resource by its logical id, as `Ref` gives it.
    reference: String,
    /// Something that is not read may bring further properties.
    is_partly_unread: bool,
}

impl Resource<'_> {
    fn is_function(&self) -> bool {
        matches!(self.kind, "AWS::Lambda::Function" | "AWS::Serverless::Function")
    }

    /// A property without which AWS would not accept the resource, unless something that is not read may bring it.
    fn required(&self, key: &str, errors: &mut Vec<NotJudged>) -> Option<&Node> {
        let property = self.properties.get(key);
        if property.is_none() && !self.is_partly_unread {
            errors.push(missing(self.id.to_owned(), key));
        }
        property
    }

    /// The value of a tag, by its key. AWS SAM writes tags as a mapping, CloudFormation as a list.
    fn tag(&self, is_it: impl Fn(&str) -> bool) -> Option<&str> {
        let tags = self.properties.get("Tags")?;
        let listed = tags.items().into_iter().map(|(_, tag)| tag);
        let mut listed = listed.filter(|tag| tag.text_of("Key").is_some_and(&is_it));
        let mapped = tags.entries().iter().find(|(key, _)| is_it(key)).and_then(|(_, value)| value.text());
        mapped.or_else(|| listed.find_map(|tag| tag.text_of("Value")))
    }

    /// The role that a function is given, by its name or ARN.
    fn role(&self) -> Option<&str> {
        self.properties.text_of("Role").filter(|_| self.is_function())
    }
}

impl<'t> Scope<'t> {
    fn new(
        template: &'t Value,
        resources: &'t Map<String, Value>,
        context: &'t Context,
        variant: &'t Variant,
        effort: &'t Effort,
    ) -> Self {
        let (conditions, no_conditions, is_open, in_provider) = Default::default();
        Self { template, resources, context, variant, effort, conditions, no_conditions, is_open, in_provider }
    }

    fn deployment(&self) -> Deployment {
        let mut deployment = Deployment::default();
        let resources = self.present(&mut deployment.errors);
        let mut roles = Roles::read(self, &resources, &mut deployment);
        for resource in &resources {
            if let Some(role) = serverless::role(self, &roles.defined, resource, &mut deployment) {
                roles.add(resource, role);
            } else if let Some(named) = resource.role() {
                roles.give(named, resource, &mut deployment);
            }
        }
        roles.attach(self, &mut deployment);
        roles.put_into(self, &mut deployment);
        // SAM tags the role that it makes for a function as it tags the function (`_construct_role` in
        // <https://github.com/aws/serverless-application-model/blob/develop/samtranslator/model/sam_resources.py>).
        for resource in &resources {
            let of_role = resource.tag(exempt::is_of_role).map(|tag| (resource.id.to_owned(), tag));
            let of_function = resource.tag(|key| key == EXEMPT_TAG).map(|tag| (resource.reference.clone(), tag));
            let of_function = of_function.filter(|_| resource.is_function());
            let said = of_role.into_iter().chain(of_function).map(|(subject, tag)| (subject, tag.to_owned()));
            deployment.exempt.extend(said);
        }
        for resource in &resources {
            match resource.kind {
                "AWS::Lambda::Function" => functions::function(self, resource, &mut deployment),
                "AWS::Serverless::Function" => serverless::function(self, resource, &mut deployment),
                "AWS::Lambda::Alias" | "AWS::Lambda::Version" => {
                    functions::provisioned(&resources, resource, &mut deployment);
                }
                "AWS::Lambda::Permission" => functions::permission(self, &resources, resource, &mut deployment),
                "AWS::Lambda::ResourcePolicy" => {
                    functions::resource_policy(self, &resources, resource, &mut deployment)
                }
                "AWS::Lambda::Url" => functions::function_url(&resources, resource, &mut deployment),
                "AWS::Lambda::LayerVersionPermission" => {
                    functions::layer_permission(self, resource, &mut deployment);
                }
                _ => {}
            }
        }
        for name in self.no_conditions.borrow().iter() {
            let why = "there is no such condition, so what asks for it is judged as if it did not hold".to_owned();
            deployment.not_judged.push(NotJudged { at: format!("Conditions.{name}"), why });
        }
        deployment
    }

    /// The resources that matter here and that no condition leaves out.
    fn present(&self, errors: &mut Vec<NotJudged>) -> Vec<Resource<'t>> {
        let mut present = Vec::new();
        for (id, resource) in self.resources {
            let mut malformed = |why: &str| errors.push(NotJudged { at: id.clone(), why: why.to_owned() });
            if id.starts_with("Fn::") {
                continue;
            }
            let Some(kind) = kind(resource) else {
                if !unread::is_partly_unread(resource) {
                    malformed("a resource has a `Type`, which is text");
                }
                continue;
            };
            let is_absent = resource.get("Condition").and_then(Value::as_str).is_some_and(|name| !self.condition(name));
            let Some(relevant) = relevant(kind).filter(|_| !is_absent) else { continue };
            let written = match resource.get("Properties") {
                None | Some(Value::Null) => Cow::Owned(Value::Object(Map::new())),
                Some(properties @ Value::Object(_)) => Cow::Borrowed(properties),
                Some(_) => {
                    malformed("`Properties` is a mapping");
                    continue;
                }
            };
            let written = serverless::with_globals(self.template, resource, written);
            let properties = self.relevant_properties(&written, relevant);
            let is_partly_unread = [resource, &*written].into_iter().any(unread::is_partly_unread);
            let reference = unknown::value(id);
            present.push(Resource { id, kind, properties, written, reference, is_partly_unread });
        }
        present
    }

    /// The properties that are judged, with their functions carried out.
    fn relevant_properties(&self, written: &Value, relevant: &[&str]) -> Node {
        let Some(map) = written.as_object().filter(|map| !intrinsics::is_call(map)) else {
            return self.resolve(written).unwrap_or_else(|| Node::Map(Vec::new()));
        };
        let judged = map.iter().filter(|(key, _)| relevant.is_empty() || relevant.contains(&key.as_str()));
        Node::Map(judged.filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?))).collect())
    }
}
