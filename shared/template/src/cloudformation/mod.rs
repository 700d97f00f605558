//! CloudFormation templates, and the functions of AWS SAM.

mod arns;
mod conditions;
mod functions;
mod intrinsics;
mod parameters;
mod roles;
mod serverless;
mod variants;

use crate::{NotJudged, Report, TemplateError, deployment, deployment::Deployment, node::Node};
use roles::Roles;
use serde_json::{Map, Value};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};
use variants::Variant;
use warden_finding::FindingId;
use warden_policy::Context;

/// What CloudFormation takes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MOST_RESOURCES: usize = 500;

/// Judges a template as it is deployed with the defaults of its parameters, and in every other shape that its
/// conditions and mappings can give it.
pub(crate) fn judge(
    template: &Value,
    resources: &Map<String, Value>,
    context: &Context,
) -> Result<Report, TemplateError> {
    if resources.len() > MOST_RESOURCES {
        let message = format!("{} resources: CloudFormation takes at most {MOST_RESOURCES}", resources.len());
        return Err(TemplateError::Malformed { at: "Resources".to_owned(), message });
    }
    let judged: Vec<&Value> = resources.values().filter(|resource| kind(resource).is_some_and(matters)).collect();
    let (variants, shortened) = variants::of(template, &judged);
    let mut report = Report::default();
    let mut seen: HashMap<(String, FindingId), usize> = HashMap::new();
    for variant in &variants {
        let scope = Scope { template, resources, context, variant, conditions: RefCell::default() };
        let found = deployment::judge(&scope.deployment()?, context)?;
        for mut finding in found.findings {
            let known = seen.get(&(finding.at.clone(), finding.id)).and_then(|index| report.findings.get_mut(*index));
            match known {
                Some(known) if known.severity >= finding.severity => {}
                known => {
                    finding.message.push_str(&variant.shown());
                    match known {
                        Some(known) => *known = finding,
                        None => {
                            seen.insert((finding.at.clone(), finding.id), report.findings.len());
                            report.findings.push(finding);
                        }
                    }
                }
            }
        }
        for note in found.not_judged {
            if !report.not_judged.contains(&note) {
                report.not_judged.push(note);
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

/// Whether a resource of this type has anything to be judged.
fn matters(kind: &str) -> bool {
    ["AWS::IAM::", "AWS::Lambda::", "AWS::Serverless::"].iter().any(|of| kind.starts_with(of))
}

/// A template in one of its shapes.
struct Scope<'t> {
    template: &'t Value,
    resources: &'t Map<String, Value>,
    context: &'t Context,
    variant: &'t Variant,
    /// Those that were evaluated.
    conditions: RefCell<BTreeMap<String, bool>>,
}

/// A resource that is there in this shape.
struct Resource<'t> {
    id: &'t str,
    kind: &'t str,
    properties: Node,
}

impl Resource<'_> {
    fn is_function(&self) -> bool {
        matches!(self.kind, "AWS::Lambda::Function" | "AWS::Serverless::Function")
    }

    /// The role that a function is given, by its name or ARN.
    fn role(&self) -> Option<&str> {
        self.properties.text_of("Role").filter(|_| self.is_function())
    }
}

impl<'t> Scope<'t> {
    fn deployment(&self) -> Result<Deployment, TemplateError> {
        let resources = self.present()?;
        let mut deployment = Deployment::default();
        deployment.not_judged.extend(self.unread());
        let mut roles = Roles::read(self, &resources, &mut deployment);
        for resource in &resources {
            if let Some(role) = serverless::role(self, &roles.defined, resource, &mut deployment.not_judged) {
                roles.add(resource, role);
            } else if let Some(named) = resource.role() {
                roles.give(named, resource, &mut deployment);
            }
        }
        roles.put_into(&mut deployment);
        for resource in &resources {
            match resource.kind {
                "AWS::Lambda::Function" => functions::function(self, resource, &mut deployment),
                "AWS::Serverless::Function" => serverless::function(self, resource, &mut deployment),
                "AWS::Lambda::Permission" => functions::permission(self, &resources, resource, &mut deployment),
                "AWS::Lambda::Url" => functions::function_url(&resources, resource, &mut deployment),
                "AWS::Lambda::LayerVersionPermission" => {
                    functions::layer_permission(self, resource, &mut deployment);
                }
                _ => {}
            }
        }
        Ok(deployment)
    }

    /// The resources that matter here and that no condition leaves out.
    fn present(&self) -> Result<Vec<Resource<'t>>, TemplateError> {
        let mut present = Vec::new();
        for (id, resource) in self.resources {
            let malformed = |message: &str| TemplateError::Malformed { at: id.clone(), message: message.to_owned() };
            if id.starts_with("Fn::ForEach") {
                continue;
            }
            let kind = kind(resource).ok_or_else(|| malformed("a resource has a `Type`, which is text"))?;
            let is_absent = resource.get("Condition").and_then(Value::as_str).is_some_and(|name| !self.condition(name));
            if is_absent || !matters(kind) {
                continue;
            }
            let properties = match resource.get("Properties") {
                None | Some(Value::Null) => Node::Map(Vec::new()),
                Some(properties @ Value::Object(_)) => {
                    self.resolve(properties).unwrap_or_else(|| Node::Map(Vec::new()))
                }
                Some(_) => return Err(malformed("`Properties` is a mapping")),
            };
            present.push(Resource { id, kind, properties });
        }
        Ok(present)
    }

    /// What the template says that this reader does not carry out.
    fn unread(&self) -> impl Iterator<Item = NotJudged> {
        self.resources
            .keys()
            .filter(|id| id.starts_with("Fn::ForEach"))
            .map(|id| NotJudged { at: id.clone(), why: "resources that Fn::ForEach makes are not read".to_owned() })
    }
}
