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
mod terraform;
mod unknown;
mod yaml;

pub use error::TemplateError;

use serde::Serialize;
use serde_json::Value;
use warden_finding::Finding;
use warden_policy::Context;

/// What there is to say about a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The rules that it breaks. A finding's place begins with the resource: `PaymentsRole.Policies[0].Statement[1]`.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<NotJudged>,
}

/// Something that the template alone does not tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
/// [`TemplateError`] for text that is neither, and for a policy that AWS would not accept; it says what is wrong, and
/// where.
pub fn judge(text: &str, context: &Context) -> Result<Report, TemplateError> {
    let template = if text.trim_start().starts_with('{') { json::read(text)? } else { yaml::read(text)? };
    let account = context.account.or_else(|| unknown::OWN_ACCOUNT.parse().ok());
    let judged_in = Context { account, ..context.clone() };
    let mut report = if let Some(resources) = template.get("Resources").and_then(Value::as_object) {
        cloudformation::judge(&template, resources, &judged_in)?
    } else if let Some(values) = template.get("planned_values").or_else(|| template.get("values")) {
        deployment::judge(&terraform::deployment(&template, values, &judged_in)?, &judged_in)?
    } else {
        return Err(TemplateError::Neither);
    };
    for text in report.texts() {
        *text = unknown::shown(text, context.account.is_none());
    }
    Ok(report)
}

impl Report {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let findings = self.findings.iter_mut().flat_map(|finding| [&mut finding.at, &mut finding.message]);
        findings.chain(self.not_judged.iter_mut().flat_map(|note| [&mut note.at, &mut note.why]))
    }
}
