//! The least change that closes what the judge found, on the JSON itself so that the rest stays word for word.

use super::{
    Offence, Part, UrlAuth,
    event_source::{self, Sent},
    offences,
};
use crate::{AccountId, Context, Document, DocumentError, Kind, Statement, principal::PrincipalPlace};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashSet};
use warden_finding::{Finding, FindingId, Severity};

/// A policy with the findings taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Narrowed {
    /// The document that is left, or none when no statement is.
    pub document: Option<Value>,
    /// What became of which statement, in the order of the old document. Statements that are not named stay as they were.
    pub edits: Vec<Edit>,
    /// Nothing legitimate was left, so the document is the whole baseline.
    pub baseline_restored: bool,
    /// Findings for which there is no safe change. Their statements stay as they were.
    pub unfixable: Vec<Unfixable>,
}

impl Narrowed {
    /// The Sids to remove, when removing whole statements with a Sid is all that happens: then RemovePermission does.
    pub fn removed_sids(&self) -> Option<Vec<&str>> {
        if self.baseline_restored {
            return None;
        }
        self.edits
            .iter()
            .map(|edit| match edit.kind {
                EditKind::Removed => edit.sid.as_deref(),
                EditKind::Replaced | EditKind::Restored => None,
            })
            .collect()
    }
}

/// What became of one statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Its index in the old document.
    pub index: usize,
    /// Its Sid.
    pub sid: Option<String>,
    /// What happened to it.
    pub kind: EditKind,
}

/// What happened to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// It is gone.
    Removed,
    /// It lost a principal or an action, or gained a condition.
    Replaced,
    /// The baseline's statement of the same Sid, or at the same index where it has none, stands in its place.
    Restored,
}

/// A finding that no change can put right without breaking a trigger that may be legitimate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfixable {
    /// The finding.
    pub finding: Finding,
    /// What a person can do about it.
    pub advice: String,
}

/// Takes the named findings out of a function's resource policy and changes nothing else.
///
/// Of a list of principals only the offending ones go; `lambda:*` becomes `lambda:InvokeFunction`, or goes when other
/// actions remain; an open service principal gets `aws:SourceAccount` or an `aws:SourceArn` of the own and the trusted
/// accounts where the service is documented to send it. Otherwise the statement goes. Where the baseline had a compliant
/// statement in its place, that one comes back; when nothing of the document is left, the whole baseline does.
///
/// Findings that are not those of [`super::judge`] on this document are left out of account.
///
/// # Errors
///
/// [`DocumentError`] when the document or the baseline does not parse: then nothing may be changed.
pub fn narrow(
    document: &str,
    findings: &[Finding],
    baseline: Option<&str>,
    context: &Context,
) -> Result<Narrowed, DocumentError> {
    let parsed = Document::parse(document, Kind::Resource)?;
    let baseline = baseline.map(|text| Baseline::read(text, context)).transpose()?;
    let mut json = value_of(document)?;
    let texts = statements_of(&json);
    let sids: HashSet<&str> = parsed.statements.iter().filter_map(|statement| statement.sid.as_deref()).collect();

    let mut left = Vec::new();
    let mut edits = Vec::new();
    let mut unfixable = Vec::new();
    let mut survivors = false;
    for (index, (statement, text)) in parsed.statements.iter().zip(&texts).enumerate() {
        let (addressed, tolerated): (Vec<Offence>, Vec<Offence>) =
            offences(index, statement, &parsed, context, UrlAuth::Unknown)
                .into_iter()
                .partition(|offence| findings.iter().any(|finding| is_same(finding, &offence.finding)));
        if addressed.is_empty() {
            survivors = true;
            left.push(text.clone());
            continue;
        }
        let (replaced, impossible) =
            Narrowing { parsed: &parsed, statement, text, context, sids: &sids, tolerated }.of(addressed);
        let before = baseline.as_ref().and_then(|baseline| baseline.in_place_of(index, statement, text, &texts));
        let sid = statement.sid.as_deref().map(str::to_owned);
        let kind = match (replaced, before) {
            (Outcome::Removed, None) => EditKind::Removed,
            (Outcome::Removed | Outcome::Impossible, Some(before)) => {
                left.push(before.clone());
                EditKind::Restored
            }
            // What has to stay of the statement makes the whole old one the better choice.
            (Outcome::Narrowed(_), Some(before)) if !impossible.is_empty() => {
                left.push(before.clone());
                survivors = true;
                EditKind::Restored
            }
            // The same principals as before, only no longer bound to a source: the old binding is the better one.
            (Outcome::Bound(_), Some(before)) if before.get("Principal") == text.get("Principal") => {
                left.push(before.clone());
                survivors = true;
                EditKind::Restored
            }
            (Outcome::Narrowed(now) | Outcome::Bound(now), Some(_) | None) => {
                left.extend(now);
                unfixable.extend(impossible);
                survivors = true;
                EditKind::Replaced
            }
            (Outcome::Impossible, None) => {
                unfixable.extend(impossible);
                left.push(text.clone());
                survivors = true;
                continue;
            }
        };
        edits.push(Edit { index, sid, kind });
    }

    let whole = baseline.filter(|baseline| !survivors && !edits.is_empty() && baseline.is_compliant());
    if let Some(baseline) = whole {
        for edit in &mut edits {
            edit.kind = EditKind::Removed;
        }
        return Ok(Narrowed { document: Some(baseline.json), edits, baseline_restored: true, unfixable });
    }
    let nothing_left = left.is_empty();
    if let (Some(statements), false) = (json.get_mut("Statement"), edits.is_empty()) {
        // One statement as an object stays an object.
        *statements = match (statements.is_array(), left.pop()) {
            (false, Some(only)) if left.is_empty() => only,
            (_, last) => left.into_iter().chain(last).collect(),
        };
    }
    let document = (!nothing_left || edits.is_empty()).then_some(json);
    Ok(Narrowed { document, edits, baseline_restored: false, unfixable })
}

/// The same place and rule. Whether a public grant is called `public-url` hangs on the URL, which is not asked here.
fn is_same(named: &Finding, found: &Finding) -> bool {
    let public = |id| matches!(id, FindingId::PublicUrl | FindingId::PublicInvoke);
    named.at == found.at && (named.id == found.id || (public(named.id) && public(found.id)))
}

/// The document as untyped JSON. It parsed strictly before, so this does not fail.
fn value_of(text: &str) -> Result<Value, DocumentError> {
    serde_json::from_str(text).map_err(|error| DocumentError::Malformed {
        message: error.to_string(),
        line: error.line(),
        column: error.column(),
    })
}

fn statements_of(json: &Value) -> Vec<Value> {
    match json.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
}

/// The last compliant content, by statement.
struct Baseline {
    json: Value,
    /// Each statement, and whether it has no finding of medium or above.
    statements: Vec<(Value, bool)>,
}

impl Baseline {
    fn read(text: &str, context: &Context) -> Result<Self, DocumentError> {
        let parsed = Document::parse(text, Kind::Resource)?;
        let json = value_of(text)?;
        let compliant = |(index, statement)| {
            offences(index, statement, &parsed, context, UrlAuth::Unknown)
                .iter()
                .all(|offence| offence.finding.severity < Severity::Medium)
        };
        let statements =
            statements_of(&json).into_iter().zip(parsed.statements.iter().enumerate().map(compliant)).collect();
        Ok(Self { json, statements })
    }

    /// It holds something, and nothing that would be found again.
    fn is_compliant(&self) -> bool {
        !self.statements.is_empty() && self.statements.iter().all(|(_, compliant)| *compliant)
    }

    /// The compliant statement that an offending one took the place of: the one of the same Sid, or, where neither has
    /// a Sid, the one at the same index. One that the document still has did not lose its place.
    fn in_place_of(&self, index: usize, statement: &Statement<'_>, text: &Value, now: &[Value]) -> Option<&Value> {
        let sid_of = |value: &Value| value.get("Sid").and_then(Value::as_str).map(str::to_owned);
        let (before, compliant) = match statement.sid.as_deref() {
            Some(sid) => self.statements.iter().find(|(value, _)| sid_of(value).as_deref() == Some(sid))?,
            None => self.statements.get(index).filter(|(value, _)| sid_of(value).is_none())?,
        };
        (*compliant && before != text && !now.contains(before)).then_some(before)
    }
}

/// What can be done about one statement.
enum Outcome {
    /// Nothing of it may stay.
    Removed,
    /// It lost principals or actions.
    Narrowed(Vec<Value>),
    /// All it needed were conditions that bind a service to its source.
    Bound(Vec<Value>),
    /// It has to stay as it is.
    Impossible,
}

struct Narrowing<'d> {
    parsed: &'d Document<'d>,
    statement: &'d Statement<'d>,
    text: &'d Value,
    context: &'d Context,
    sids: &'d HashSet<&'d str>,
    /// What else is open about the statement and was not asked to be closed.
    tolerated: Vec<Offence>,
}

impl Narrowing<'_> {
    /// What can be done about the addressed offences, and those that nothing can be done about: they do not protect the others.
    fn of(mut self, mut addressed: Vec<Offence>) -> (Outcome, Vec<Unfixable>) {
        let mut impossible = Vec::new();
        addressed.retain(|offence| match offence.part {
            Part::Principal(place) if offence.finding.id == FindingId::OpenServicePrincipal => {
                match self.binding(place) {
                    Ok(_) => true,
                    Err(advice) => {
                        impossible.push(Unfixable { finding: offence.finding.clone(), advice });
                        self.tolerated.push(offence.clone());
                        false
                    }
                }
            }
            Part::Principal(_) | Part::NotPrincipal | Part::Action(_) | Part::NotAction => true,
        });
        let outcome = if addressed.is_empty() { Outcome::Impossible } else { self.outcome(&addressed) };
        // A statement that goes as a whole takes along what was impossible.
        let impossible = if matches!(outcome, Outcome::Removed) { Vec::new() } else { impossible };
        (outcome, impossible)
    }

    fn outcome(&self, addressed: &[Offence]) -> Outcome {
        let mut gone: BTreeSet<PrincipalPlace> = BTreeSet::new();
        let mut bindings: Vec<(Binding, Vec<PrincipalPlace>)> = Vec::new();
        let mut wildcards = Vec::new();
        for offence in addressed {
            match offence.part {
                Part::NotPrincipal => return Outcome::Removed,
                Part::Principal(place) if offence.finding.id == FindingId::OpenServicePrincipal => {
                    let Ok(binding) = self.binding(place) else { return Outcome::Impossible };
                    match bindings.iter_mut().find(|(known, _)| *known == binding) {
                        Some((_, places)) => places.push(place),
                        None => bindings.push((binding, vec![place])),
                    }
                }
                Part::Principal(place) => {
                    gone.insert(place);
                }
                Part::Action(_) | Part::NotAction => wildcards.push(offence.part),
            }
        }

        let mut base = self.text.clone();
        for wildcard in &wildcards {
            if let Part::NotAction = wildcard {
                replace_key(&mut base, "NotAction", "Action", json!(INVOKE));
            }
        }
        narrow_actions(&mut base, &wildcards);
        let mut rest = base.clone();
        remove_principals(&mut rest, |place| {
            gone.contains(&place) || bindings.iter().any(|(_, places)| places.contains(&place))
        });
        let mut now = Vec::new();
        let in_place = !has_principals(&rest) && bindings.len() == 1;
        if has_principals(&rest) {
            now.push(rest);
        }
        for (binding, places) in &bindings {
            let mut bound = base.clone();
            remove_principals(&mut bound, |place| !places.contains(&place));
            binding.add_to(&mut bound);
            if !in_place && !now.is_empty() {
                self.rename(&mut bound, &now);
            }
            now.push(bound);
        }
        now.retain(|statement| self.is_clean(statement, addressed));
        if now.is_empty() {
            Outcome::Removed
        } else if gone.is_empty() && wildcards.is_empty() && in_place {
            Outcome::Bound(now)
        } else {
            Outcome::Narrowed(now)
        }
    }

    /// The condition that ties the service at this place to the own and the trusted accounts.
    fn binding(&self, place: PrincipalPlace) -> Result<Binding, String> {
        let service = self.text_of(place);
        let own = self.context.account.ok_or("the own account is not known: say which it is")?;
        let accounts: BTreeSet<AccountId> =
            [own].into_iter().chain(self.context.trusted_accounts.iter().copied()).collect();
        let partition = &self.context.partition;
        match event_source::sent_by(service) {
            Some(Sent::Account) => Ok(Binding {
                key: "aws:SourceAccount",
                operators: ["StringEquals", "StringLike"],
                values: accounts.iter().map(ToString::to_string).collect(),
            }),
            Some(Sent::Arn { service }) => Ok(Binding {
                key: "aws:SourceArn",
                operators: ["ArnLike", "ArnEquals"],
                values: accounts.iter().map(|account| format!("arn:{partition}:{service}:*:{account}:*")).collect(),
            }),
            Some(Sent::Token) => Err(format!(
                "{service} sends no source: add the statement again with the skill's id as EventSourceToken"
            )),
            None => Err(format!(
                "it is not known which source {service} sends: add the statement again with the SourceArn of its resource, or remove it"
            )),
        }
    }

    fn text_of(&self, place: PrincipalPlace) -> &str {
        crate::principal::named(&self.statement.principals)
            .map(crate::principal::each)
            .into_iter()
            .flatten()
            .find_map(|(at, text, _)| (at == place).then_some(text))
            .unwrap_or_default()
    }

    /// A statement that was split needs a Sid of its own, when it has one.
    fn rename(&self, statement: &mut Value, others: &[Value]) {
        let Some(sid) = statement.get("Sid").and_then(Value::as_str).map(str::to_owned) else {
            return;
        };
        let taken = |name: &str| {
            self.sids.contains(name)
                || others.iter().any(|other| other.get("Sid").and_then(Value::as_str) == Some(name))
        };
        let name = (1..).map(|number| format!("{sid}Source{number}")).find(|name| !taken(name));
        if let (Some(object), Some(name)) = (statement.as_object_mut(), name) {
            object.insert("Sid".to_owned(), Value::String(name));
        }
    }

    /// Judges a narrowed statement again: none of the rules that were addressed may still be broken.
    fn is_clean(&self, statement: &Value, addressed: &[Offence]) -> bool {
        let mut object = Map::new();
        if self.parsed.version == crate::Version::V2012 {
            object.insert("Version".to_owned(), json!("2012-10-17"));
        }
        object.insert("Statement".to_owned(), statement.clone());
        let text = Value::Object(object).to_string();
        Document::parse(&text, Kind::Resource).is_ok_and(|document| {
            document
                .statements
                .iter()
                .flat_map(|statement| offences(0, statement, &document, self.context, UrlAuth::Unknown))
                .all(|left| {
                    let says_as_before = |before: &Offence| {
                        before.finding.id == left.finding.id && before.finding.message == left.finding.message
                    };
                    !addressed.iter().any(|before| before.finding.id == left.finding.id)
                        || self.tolerated.iter().any(says_as_before)
                })
        })
    }
}

/// A condition that ties a service to accounts.
#[derive(Clone, PartialEq, Eq)]
struct Binding {
    key: &'static str,
    /// The operator, and another of the same meaning for when the first already has the key: an existing condition that
    /// narrows a little is kept beside the one that limits.
    operators: [&'static str; 2],
    values: Vec<String>,
}

impl Binding {
    fn add_to(&self, statement: &mut Value) {
        let Some(object) = statement.as_object_mut() else {
            return;
        };
        let condition = object.entry("Condition").or_insert_with(|| json!({}));
        let Some(condition) = condition.as_object_mut() else {
            return;
        };
        let spelled = |operator: &str, condition: &Map<String, Value>| {
            condition.keys().find(|name| name.eq_ignore_ascii_case(operator)).cloned()
        };
        let has_key = |operator: &str, condition: &Map<String, Value>| {
            spelled(operator, condition)
                .and_then(|name| condition.get(&name))
                .and_then(Value::as_object)
                .is_some_and(|keys| keys.keys().any(|key| key.eq_ignore_ascii_case(self.key)))
        };
        let [first, second] = self.operators;
        let operator = if has_key(first, condition) && !has_key(second, condition) { second } else { first };
        let name = spelled(operator, condition).unwrap_or_else(|| operator.to_owned());
        let Some(keys) = condition.entry(name).or_insert_with(|| json!({})).as_object_mut() else {
            return;
        };
        let key = keys.keys().find(|key| key.eq_ignore_ascii_case(self.key)).cloned();
        let value = match self.values.as_slice() {
            [value] => json!(value),
            values => json!(values),
        };
        keys.insert(key.unwrap_or_else(|| self.key.to_owned()), value);
    }
}

const INVOKE: &str = "lambda:InvokeFunction";

/// Puts another key in the place of one, so that the statement reads as before.
fn replace_key(statement: &mut Value, old: &str, new: &str, value: Value) {
    let Some(object) = statement.as_object_mut() else {
        return;
    };
    *object = std::mem::take(object)
        .into_iter()
        .map(|(key, was)| if key == old { (new.to_owned(), value.clone()) } else { (key, was) })
        .collect();
}

/// Drops the wildcards of a list of actions while others remain; otherwise invoking is what is left.
fn narrow_actions(statement: &mut Value, wildcards: &[Part]) {
    let offends = |nth: usize| wildcards.contains(&Part::Action(Some(nth)));
    match statement.get_mut("Action") {
        Some(Value::Array(actions)) => {
            let kept: Vec<Value> = actions
                .iter()
                .enumerate()
                .filter(|(nth, _)| !offends(*nth))
                .map(|(_, action)| action.clone())
                .collect();
            *actions = if kept.is_empty() { vec![json!(INVOKE)] } else { kept };
        }
        Some(action) if wildcards.contains(&Part::Action(None)) => *action = json!(INVOKE),
        Some(_) | None => {}
    }
}

/// Takes principals out by their place; a type without principals goes as well.
fn remove_principals(statement: &mut Value, gone: impl Fn(PrincipalPlace) -> bool) {
    use crate::PrincipalType;
    let Some(principal) = statement.get_mut("Principal") else {
        return;
    };
    let strip = |kind: Option<PrincipalType>, value: &mut Value| match value {
        Value::Array(list) => {
            *list = std::mem::take(list)
                .into_iter()
                .enumerate()
                .filter(|(index, _)| !gone(PrincipalPlace { kind, index: Some(*index) }))
                .map(|(_, text)| text)
                .collect();
            !list.is_empty()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            !gone(PrincipalPlace { kind, index: None })
        }
    };
    let stays = match principal.as_object_mut() {
        Some(types) => {
            *types = std::mem::take(types)
                .into_iter()
                .filter_map(|(key, mut value)| {
                    let kind = [
                        PrincipalType::Aws,
                        PrincipalType::Service,
                        PrincipalType::Federated,
                        PrincipalType::CanonicalUser,
                    ]
                    .into_iter()
                    .find(|kind| kind.as_str() == key);
                    strip(kind, &mut value).then_some((key, value))
                })
                .collect();
            !types.is_empty()
        }
        None => strip(None, principal),
    };
    if !stays && let Some(object) = statement.as_object_mut() {
        object.shift_remove("Principal");
    }
}

fn has_principals(statement: &Value) -> bool {
    statement.get("Principal").is_some()
}
