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
mod deployment;
mod error;
mod json;
mod node;
mod policy;
mod secrets;
mod terraform;
mod unknown;
mod yaml;

pub use error::TemplateError;

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
        Self { finding, without_function: false }
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
/// written out is another one.
///
/// # Errors
///
/// [`TemplateError`] for text that is neither; it says what is wrong, and where. What is wrong with a part of it is in
/// the report.
pub fn judge(text: &str, context: &Context) -> Result<Report, TemplateError> {
    let template = if text.trim_start().starts_with('{') {
        // A mapping of YAML may begin like this too.
        json::read(text).or_else(|error| yaml::read(text).map_err(|_| error))?
    } else {
        yaml::read(text)?
    };
    let account = context.account.or_else(|| unknown::OWN_ACCOUNT.parse().ok());
    let judged_in = Context { account, ..context.clone() };
    let none = Map::new();
    let resources = match template.get("Resources") {
        // A macro or an include may bring all of them.
        None if ["Transform", "Fn::Transform"].iter().any(|key| template.get(key).is_some()) => Some(&none),
        resources => resources.and_then(Value::as_object),
    };
    let mut report = if let Some(resources) = resources {
        cloudformation::judge(&template, resources, &judged_in)?
    } else if let Some(values) = template.get("planned_values").or_else(|| template.get("values")) {
        {
            let deployment = terraform::deployment(&template, values, &judged_in)?;
            deployment::judge(&deployment, &judged_in, &mut Judged::default())
        }
    } else {
        return Err(TemplateError::Neither);
    };
    for found in report.findings.iter_mut().filter(|found| found.without_function) {
        found.finding.message.push_str("; no function of the template has the role, and Lambda may not assume it");
    }
    for text in report.texts() {
        *text = unknown::shown(text, context.account.is_none());
    }
    Ok(report)
}

impl Report {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let findings = self.findings.iter_mut().map(|found| &mut found.finding);
        let notes = self.not_judged.iter_mut().chain(&mut self.errors);
        let findings = findings.flat_map(|finding| [&mut finding.at, &mut finding.message]);
        findings.chain(notes.flat_map(|note| [&mut note.at, &mut note.why]))
    }
}
