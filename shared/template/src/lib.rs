//! What a guard would say of a deployment before it happens: reads a whole CloudFormation template (YAML or JSON, also
//! the functions of AWS SAM) or a plan of `terraform show -json`, and judges its roles, functions and permissions by
//! the same rules that the guards use.
//!
//! Roles are judged whole: what stands in them, the managed policies that the template defines for them, and their
//! boundary.
//!
//! A value that is known only at deployment stands for one value that nobody could have guessed: neither a wildcard nor
//! anybody's account. What cannot be judged without it is listed beside the findings, so that silence means "fine".
//!
//! Everything here is a plain function of its arguments: no I/O, no clock, no AWS SDK.

mod aws_managed;
mod cloudformation;
mod concurrency;
mod deployment;
mod error;
mod exempt;
mod json;
mod node;
mod policy;
mod secrets;
mod terraform;
mod unknown;
mod yaml;

pub use error::TemplateError;
pub use exempt::{ReadTag, Word};

use deployment::Judged;
use serde::Serialize;
use serde_json::{Map, Value};
use warden_finding::{Finding, Severity};
use warden_policy::Context;

/// What there is to say about a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The rules that it breaks. A finding's place begins with the resource: `PaymentsRole.Policies[0].Statement[1]`.
    pub findings: Vec<Found>,
    /// What could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<NotJudged>,
    /// Parts that AWS would not accept. Everything else is judged without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<NotJudged>,
}

/// A finding of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The rule that is broken, and where.
    #[serde(flatten)]
    pub finding: Finding,
    /// It is about a role that no function of the template has and that Lambda may not assume, so no guard would act on
    /// it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_function: bool,
    /// The last day on which the tag `warden:exempt` of the function or role lets it pass, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempt_until: Option<String>,
}

impl Found {
    /// The severity that a pipeline goes by: medium at most where no guard would act on it.
    #[must_use]
    pub fn counts_as(&self) -> Severity {
        if self.without_function { self.finding.severity.min(Severity::Medium) } else { self.finding.severity }
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self { finding, without_function: false, exempt_until: None }
    }
}

/// Something that the template alone does not tell, or that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NotJudged {
    /// The place, like a finding's.
    pub at: String,
    /// One sentence for a person.
    pub why: String,
}

/// Judges a template or a plan.
///
/// Without an account in the context, the account that the template is deployed to is a stand-in: any account that is
/// written out is another one. `read_tag` reads the tags `warden:exempt` of functions and roles as the guards do.
///
/// # Errors
///
/// [`TemplateError`] for text that is neither; it says what is wrong, and where. What is wrong with a part of it is in
/// the report.
pub fn judge(text: &str, context: &Context, read_tag: &ReadTag<'_>) -> Result<Report, TemplateError> {
    let of_terraform = || is_terraform(text).then_some(CONFIGURATION);
    let template = read(text).and_then(shown).map_err(|error| of_terraform().unwrap_or(error))?;
    let account = context.account.or_else(|| unknown::OWN_ACCOUNT.parse().ok());
    let judged_in = Context { account, ..context.clone() };
    let none = Map::new();
    let what = what(&template, &none);
    let mut report = match what.map_err(|error| of_terraform().unwrap_or(error))? {
        What::Template(resources) => {
            cloudformation::judge(&template, resources, &judged_in, context.account.is_none(), read_tag)?
        }
        What::Plan(values) => {
            let deployment = terraform::deployment(&template, values, &judged_in)?;
            deployment::judge(&deployment, &judged_in, read_tag, &mut Judged::default())
        }
    };
    for found in report.findings.iter_mut().filter(|found| found.without_function) {
        found.finding.message.push_str("; no function of the template has the role, and Lambda may not assume it");
    }
    for text in report.texts() {
        *text = unknown::shown(text, context.account.is_none());
    }
    Ok(report)
}

fn read(text: &str) -> Result<Value, TemplateError> {
    if !text.trim_start().starts_with('{') {
        return yaml::read(text);
    }
    // A mapping of YAML may begin like this too.
    json::read(text).or_else(|error| {
        let is_message = text.lines().next().and_then(|line| json::read(line).ok()?.get("@level").cloned()).is_some();
        yaml::read(text).map_err(|_| if is_message { MESSAGES } else { error })
    })
}

/// The template that `aws cloudformation get-template` shows, or the document itself.
fn shown(mut document: Value) -> Result<Value, TemplateError> {
    let is_shown = document.get("Resources").is_none();
    match document.as_object_mut().filter(|_| is_shown).and_then(|shown| shown.remove("TemplateBody")) {
        Some(Value::String(text)) => read(&text),
        Some(template) => Ok(template),
        None => Ok(document),
    }
}

const MESSAGES: TemplateError = TemplateError::Source {
    what: "messages of `terraform plan -json`, and not the plan itself",
    instead: "what `terraform show -json PLAN` says",
};

const CONFIGURATION: TemplateError = TemplateError::Source {
    what: "Terraform's configuration",
    instead: "what `terraform show -json PLAN` says of a plan",
};

/// Whether it is the text of Terraform's configuration, by a line that begins one of its blocks
/// (<https://developer.hashicorp.com/terraform/language/syntax/configuration>).
fn is_terraform(text: &str) -> bool {
    let begins_block = |line: &str| {
        let Some(head) = line.trim_end().strip_suffix('{') else { return false };
        let mut words = head.split_whitespace();
        let labels = match words.next() {
            Some("terraform" | "locals") => 0,
            Some("module" | "output" | "provider" | "variable") => 1,
            Some("data" | "resource") => 2,
            Some(_) | None => return false,
        };
        let is_label = |word: &str| word.len() > 2 && word.starts_with('"') && word.ends_with('"');
        words.clone().count() == labels && words.all(is_label)
    };
    text.lines().any(begins_block)
}

/// What people take for a template or a plan, with keys that it is known by.
const SOURCES: [(&[&str], TemplateError); 4] = [
    (
        &["lineage", "serial"],
        TemplateError::Source {
            what: "a file of Terraform's state",
            instead: "what `terraform show -json` says of it",
        },
    ),
    (
        &["format_version"],
        TemplateError::Source {
            what: "a state of Terraform in which there is nothing",
            instead: "a plan, which `terraform show -json PLAN` says",
        },
    ),
    (
        &["service", "provider"],
        TemplateError::Source {
            what: "a file of the Serverless Framework",
            instead: "the template that `serverless package` writes into `.serverless`",
        },
    ),
    (
        &["artifacts", "version"],
        TemplateError::Source { what: "the AWS CDK's list of stacks", instead: "`cdk.out/*.template.json`" },
    ),
];

enum What<'t> {
    /// A template with its resources.
    Template(&'t Map<String, Value>),
    /// A plan or a state with its values.
    Plan(&'t Value),
}

/// What a document is. A template without resources has `none`.
fn what<'t>(document: &'t Value, none: &'t Map<String, Value>) -> Result<What<'t>, TemplateError> {
    match document.get("Resources") {
        Some(Value::Object(resources)) if resources.is_empty() && !may_be_empty(document) => return Err(no_resources()),
        Some(Value::Object(resources)) => return Ok(What::Template(resources)),
        Some(_) => {
            let message = "not a mapping of resources by their logical ids".to_owned();
            return Err(TemplateError::Malformed { at: "Resources".to_owned(), message });
        }
        None if is_without_resources(document) && may_be_empty(document) => return Ok(What::Template(none)),
        None if is_without_resources(document) || document.get("AWSTemplateFormatVersion").is_some() => {
            return Err(no_resources());
        }
        None => {}
    }
    match document.get("planned_values").or_else(|| document.get("values")) {
        Some(values) => Ok(What::Plan(values)),
        None => {
            let is_it = |keys: &[&str]| keys.iter().all(|key| document.get(key).is_some());
            let source = SOURCES.into_iter().find(|(keys, _)| is_it(keys));
            Err(source.map_or(TemplateError::Neither, |(_, source)| source))
        }
    }
}

/// CloudFormation asks for at least one
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html>).
fn no_resources() -> TemplateError {
    let message = "there is none, and CloudFormation takes no template without".to_owned();
    TemplateError::Malformed { at: "Resources".to_owned(), message }
}

/// Whether a template may have no resources: a macro or an include may bring all of them, and the AWS CDK writes stacks
/// without any, which it does not deploy
/// (<https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html> has the parameter).
fn may_be_empty(document: &Value) -> bool {
    let parameter = |name: &str| document.get("Parameters").and_then(|parameters| parameters.get(name));
    ["Transform", "Fn::Transform"].iter().any(|name| document.get(*name).is_some())
        || parameter("BootstrapVersion").is_some()
}

/// Whether it is a template without resources.
fn is_without_resources(document: &Value) -> bool {
    let Some(sections) = document.as_object() else { return false };
    // A file of parameters has their values.
    let has_values = |parameters: &Map<String, Value>| parameters.values().any(|parameter| !parameter.is_object());
    let is_of_parameters = sections.get("Parameters").and_then(Value::as_object).is_some_and(has_values);
    // Many documents have these.
    let is_plain = |name: &str| !["Description", "Metadata"].contains(&name);
    let of_a_template = |name: &String| SECTIONS.contains(&name.as_str());
    ["Transform", "Fn::Transform"].iter().any(|name| sections.contains_key(*name))
        || (sections.keys().all(of_a_template) && sections.keys().any(|name| is_plain(name)) && !is_of_parameters)
}

/// Sections of a template beside its resources
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>).
const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Rules",
];

impl Report {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let findings = self.findings.iter_mut().map(|found| &mut found.finding);
        let notes = self.not_judged.iter_mut().chain(&mut self.errors);
        let findings = findings.flat_map(|finding| [&mut finding.at, &mut finding.message]);
        findings.chain(notes.flat_map(|note| [&mut note.at, &mut note.why]))
    }
}
