//! A role as one document: its policies, who may assume it, and what bounds it.

use super::{Verdict, answer, findings, json_text, not_an_object, report};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use warden_finding::Finding;
use warden_policy::{Context, Document, Kind, role_policy, trust_policy};

/// `{"name":"...","policies":[...],"trust":{...},"boundary":{...}}`. The documents are kept as they stand, because the strict reader
/// wants their text: it refuses what a JSON value has long forgotten, such as a key that is there twice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Role<'a> {
    /// What the answer repeats, so that whoever judges many roles sees which is meant.
    name: Option<String>,
    /// All that are attached to it or stand in it.
    #[serde(borrow)]
    policies: Vec<&'a RawValue>,
    /// Its trust policy.
    #[serde(borrow)]
    trust: Option<&'a RawValue>,
    /// Its permissions boundary.
    #[serde(borrow)]
    boundary: Option<&'a RawValue>,
}

/// What is open about the role. A finding's place begins with the document it is in: `policies[1].Statement[0]`.
///
/// An error names its document too; line and column are those within that document.
pub(super) fn judge(text: &str, context: &Context) -> Result<Verdict, String> {
    let role: Role<'_> = serde_json::from_str(text).map_err(|error| {
        let why = answer::no_whole_role(text).or_else(|| not_an_object(text, "a role"));
        why.unwrap_or_else(|| shortened(&error))
    })?;
    // What is no document by itself may be an answer of AWS that holds one.
    if role.name.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
        return Err(format!("`name` is longer than {LONGEST_NAME} characters, which no name or ARN of a role is"));
    }
    let found = role.judge(context, |text, _| Ok(text)).or_else(|_| role.judge(context, taken_out));
    match (role.name, found) {
        (Some(name), Ok(found)) => Ok(Verdict::Named { name, report: report(found) }),
        (Some(name), Err(reason)) => Err(format!("{name}: {reason}")),
        (None, found) => found.map(findings),
    }
}

/// The longest ARN (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>).
const LONGEST_NAME: usize = 2048;

impl<'a> Role<'a> {
    fn judge(&self, context: &Context, read: Read) -> Result<Vec<Finding>, String> {
        let within = |place: &str, document: &'a RawValue, kind| {
            json_text(document.get()).and_then(|text| read(text, kind)).map_err(|reason| format!("{place}: {reason}"))
        };
        let policy_place = |index: usize| format!("policies[{index}]");
        let texts = self.policies.iter().enumerate();
        let texts = texts.map(|(index, policy)| within(&policy_place(index), policy, Kind::Identity));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let policies = texts.iter().enumerate().map(|(index, text)| parsed(&policy_place(index), text, Kind::Identity));
        let policies = policies.collect::<Result<Vec<_>, _>>()?;
        let boundary_text = self.boundary.map(|boundary| within("boundary", boundary, Kind::Identity)).transpose()?;
        let boundary = boundary_text.as_deref().map(|text| parsed("boundary", text, Kind::Identity)).transpose()?;
        let trust_text = self.trust.map(|trust| within("trust", trust, Kind::Trust)).transpose()?;
        let trust = trust_text.as_deref().map(|text| parsed("trust", text, Kind::Trust)).transpose()?;

        let lambda_alone_assumes = trust.as_ref().is_some_and(trust_policy::lets_in_lambda_alone);
        let of_role = Context { lambda_alone_assumes, ..context.clone() };
        let permissions = role_policy::judge_role(&policies.iter().collect::<Vec<_>>(), boundary.as_ref(), &of_role);
        let permissions = permissions.into_iter().map(|found| placed(&policy_place(found.policy), found.finding));
        let trusted = trust.iter().flat_map(|trust| trust_policy::judge(trust, context));
        Ok(permissions.chain(trusted.map(|finding| placed("trust", finding))).collect())
    }
}

/// How a document is made of a part's text.
type Read = for<'t> fn(Cow<'t, str>, Kind) -> Result<Cow<'t, str>, String>;

/// The document in an answer of AWS; the text itself where it is none.
fn taken_out(text: Cow<'_, str>, kind: Kind) -> Result<Cow<'_, str>, String> {
    let part = answer::policy(&text, kind).transpose()?;
    let document = part.map(|part| json_text(part.json).map(Cow::into_owned)).transpose()?;
    Ok(document.map_or(text, Cow::Owned))
}

fn parsed<'a>(place: &str, text: &'a str, kind: Kind) -> Result<Document<'a>, String> {
    Document::parse(text, kind)
        .map_err(|error| format!("{place}: {}", not_an_object(text, "a policy").unwrap_or_else(|| error.to_string())))
}

fn placed(place: &str, finding: Finding) -> Finding {
    Finding { at: format!("{place}.{}", finding.at), ..finding }
}

/// serde_json echoes a key that it does not know: a hostile one must not become an answer as long as the attack.
fn shortened(error: &serde_json::Error) -> String {
    const LONGEST: usize = 300;
    let message = error.to_string();
    match message.char_indices().nth(LONGEST).and_then(|(end, _)| message.get(..end)) {
        None => message,
        Some(start) => format!("{start}... at line {} column {}", error.line(), error.column()),
    }
}
