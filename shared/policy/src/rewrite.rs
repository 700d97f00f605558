//! Changing a policy statement by statement, on the JSON itself so that what is not changed stays word for word.

use crate::{Document, DocumentError, Kind, Statement};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use warden_finding::Finding;

/// A policy with the findings taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Narrowed {
    /// The document that is left, or none when no statement is.
    pub document: Option<Value>,
    /// What became of which statement, in the order of the old document. Statements that are not named stay as they
    /// were.
    pub edits: Vec<Edit>,
    /// Nothing legitimate was left, so the document is the whole of what was in force.
    pub baseline_restored: bool,
    /// Findings for which there is no safe change. Their statements stay as they were.
    pub unfixable: Vec<Unfixable>,
}

impl Narrowed {
    /// There was nothing to change.
    pub(crate) const fn nothing() -> Self {
        Self { document: None, edits: Vec::new(), baseline_restored: false, unfixable: Vec::new() }
    }

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
    /// The baseline's statement of the same Sid, or at the same index where it has none, stands in its place; or a Deny
    /// of the baseline's is back that held it down.
    Restored,
}

/// A finding that no change can put right without breaking a trigger that may be legitimate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfixable {
    /// The finding that stays.
    pub finding: Finding,
    /// What a person can do about it.
    pub advice: String,
}

/// What can be done about one statement.
pub(crate) enum Outcome {
    /// It stays as it is.
    Kept,
    /// Nothing of it may stay.
    Removed,
    /// These take its place: what is left after principals, actions or resources went.
    Narrowed(Vec<Value>),
    /// These take its place: the same with conditions added. The baseline's conditions are better where it had them.
    Bound(Vec<Value>),
}

/// How one statement changes, and what about it cannot be helped.
pub(crate) struct Rewritten {
    pub(crate) outcome: Outcome,
    pub(crate) unfixable: Vec<Unfixable>,
}

impl Rewritten {
    /// It stays as it is.
    pub(crate) const fn kept() -> Self {
        Self { outcome: Outcome::Kept, unfixable: Vec::new() }
    }
}

/// How one kind of policy is changed.
pub(crate) struct Rewriting<'r> {
    pub(crate) kind: Kind,
    /// What becomes of a statement of the document.
    pub(crate) rewrite: &'r dyn Fn(usize, &Statement<'_>, &Value, &Document<'_>) -> Rewritten,
}

impl Rewriting<'_> {
    pub(crate) fn apply(&self, document: &str, baseline: Option<&str>) -> Result<Narrowed, DocumentError> {
        let parsed = Document::parse(document, self.kind)?;
        let baseline = baseline.map(|text| self.baseline(text)).transpose()?;
        let mut json = value_of(document)?;
        let texts = statements_of(&json);

        let mut left = Vec::new();
        let mut edits = Vec::new();
        let mut unfixable = Vec::new();
        let mut survivors = false;
        for (index, (statement, text)) in parsed.statements.iter().zip(&texts).enumerate() {
            let rewritten = (self.rewrite)(index, statement, text, &parsed);
            let helpless = !rewritten.unfixable.is_empty();
            let before = baseline.as_ref().and_then(|baseline| baseline.in_place_of(index, statement, text, &texts));
            // Without a Sid it may be another statement that moved up to this index: one that has to stay is not
            // replaced by it.
            let surely = |before: &&Value| {
                !helpless || statement.sid.is_some() || before.get("Principal") == text.get("Principal")
            };
            let before = before.filter(surely);
            let kind = match (rewritten.outcome, before) {
                // What cannot be put right by a change may still be by going back.
                (Outcome::Kept, Some(before)) if helpless => {
                    left.push(before.clone());
                    EditKind::Restored
                }
                // At once, that is: the next look would go back all the same.
                (Outcome::Narrowed(_) | Outcome::Bound(_), Some(before)) if helpless => {
                    survivors = true;
                    left.push(before.clone());
                    EditKind::Restored
                }
                (Outcome::Kept, Some(_) | None) => {
                    survivors = true;
                    left.push(text.clone());
                    unfixable.extend(rewritten.unfixable);
                    continue;
                }
                (Outcome::Removed, None) => EditKind::Removed,
                (Outcome::Removed, Some(before)) => {
                    left.push(before.clone());
                    EditKind::Restored
                }
                // The same principals as before, only no longer bound to a source.
                (Outcome::Bound(_), Some(before)) if before.get("Principal") == text.get("Principal") => {
                    survivors = true;
                    left.push(before.clone());
                    EditKind::Restored
                }
                (Outcome::Narrowed(now) | Outcome::Bound(now), Some(_) | None) => {
                    survivors = true;
                    left.extend(now);
                    unfixable.extend(rewritten.unfixable);
                    EditKind::Replaced
                }
            };
            edits.push(Edit { index, sid: statement.sid.as_deref().map(str::to_owned), kind });
        }

        let whole = baseline.filter(|baseline| !survivors && !edits.is_empty() && !baseline.statements.is_empty());
        if let Some(baseline) = whole {
            edits.iter_mut().for_each(|edit| edit.kind = EditKind::Removed);
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

    fn baseline(&self, text: &str) -> Result<Baseline, DocumentError> {
        Document::parse(text, self.kind)?;
        let json = value_of(text)?;
        let statements = statements_of(&json);
        Ok(Baseline { json, statements })
    }
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

/// A Sid for a statement that was split off another, when that has one.
pub(crate) fn rename(statement: &mut Value, parsed: &Document<'_>, others: &[Value], ending: &str) {
    let Some(sid) = statement.get("Sid").and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    let taken = |name: &str| {
        parsed.statements.iter().any(|statement| statement.sid.as_deref() == Some(name))
            || others.iter().any(|other| other.get("Sid").and_then(Value::as_str) == Some(name))
    };
    let name = (1..).map(|number| format!("{sid}{ending}{number}")).find(|name| !taken(name));
    if let (Some(object), Some(name)) = (statement.as_object_mut(), name) {
        object.insert("Sid".to_owned(), Value::String(name));
    }
}

/// What was in force and may come back, by statement.
struct Baseline {
    json: Value,
    statements: Vec<Value>,
}

impl Baseline {
    /// The statement that an offending one took the place of: the one of the same Sid, or, where neither has a Sid, one
    /// with the same principals, or the one at the same index. One that the document still has did not lose its place.
    fn in_place_of(&self, index: usize, statement: &Statement<'_>, text: &Value, now: &[Value]) -> Option<&Value> {
        let before = match statement.sid.as_deref() {
            Some(sid) => self.statements.iter().find(|value| sid_of(value) == Some(sid))?,
            None => {
                let nameless = |value: &&Value| sid_of(value).is_none();
                let principal = text.get("Principal");
                let of_same = |value: &&Value| principal.is_some() && value.get("Principal") == principal;
                let at_index = self.statements.get(index).filter(nameless);
                let elsewhere = || self.statements.iter().filter(nameless).find(of_same);
                at_index.filter(of_same).or_else(elsewhere).or(at_index)?
            }
        };
        (before != text && !now.contains(before)).then_some(before)
    }
}

fn sid_of(statement: &Value) -> Option<&str> {
    statement.get("Sid").and_then(Value::as_str)
}

/// The document with the Denies that a baseline has and it has not: each in the place of the Deny of its Sid, or at the
/// end, so that the statements keep their indexes. None where it lacks none of them.
///
/// # Errors
///
/// [`DocumentError`] when one of them does not parse.
pub fn with_lost_denials(document: &str, baseline: &str, kind: Kind) -> Result<Option<String>, DocumentError> {
    let parsed = Document::parse(document, kind)?;
    Document::parse(baseline, kind)?;
    let denies = |statement: &&Value| statement.get("Effect").and_then(Value::as_str) == Some("Deny");
    let mut json = value_of(document)?;
    let mut statements = statements_of(&json);
    let before = statements_of(&value_of(baseline)?);
    let lost: Vec<&Value> = before.iter().filter(denies).filter(|statement| !statements.contains(statement)).collect();
    if lost.is_empty() {
        return Ok(None);
    }
    for deny in lost {
        let sid = sid_of(deny);
        let of_sid = statements.iter().position(|statement| sid.is_some() && sid_of(statement) == sid);
        match of_sid.and_then(|at| statements.get_mut(at)).filter(|statement| denies(&&**statement)) {
            Some(loosened) => *loosened = deny.clone(),
            None => {
                let mut deny = deny.clone();
                if of_sid.is_some() {
                    rename(&mut deny, &parsed, &statements, "Before");
                }
                statements.push(deny);
            }
        }
    }
    if let Some(slot) = json.get_mut("Statement") {
        *slot = statements.into();
    }
    Ok(Some(json.to_string()))
}

/// What a document's lost Denies do about its findings.
pub(crate) struct DenialsBack {
    /// The document with them.
    pub(crate) document: String,
    /// The findings that are there all the same, and were not in force.
    pub(crate) left: Vec<Finding>,
    /// What became of the statements of the other findings.
    edits: Vec<Edit>,
}

impl DenialsBack {
    /// Puts the Denies back that were lost, where that closes some of the findings or brings them back to what they were
    /// in force. `judge` finds what is open about a document, `is_same` tells whether it is what was named.
    pub(crate) fn of(
        document: &str,
        findings: &[Finding],
        baseline: Option<&str>,
        kind: Kind,
        judge: impl Fn(&str) -> Result<Vec<Finding>, DocumentError>,
        is_same: fn(&Finding, &Finding) -> bool,
    ) -> Result<Option<DenialsBack>, DocumentError> {
        let Some(baseline) = baseline else { return Ok(None) };
        let Some(candidate) = with_lost_denials(document, baseline, kind)? else { return Ok(None) };
        let now = statements_of(&value_of(document)?);
        let found = judge(&candidate)?;
        let in_force = InForce { statements: statements_of(&value_of(baseline)?), found: judge(baseline)? };
        let is_left = |named: &&Finding| {
            let mut alike = found.iter().filter(|found| is_same(named, found));
            alike.any(|found| !in_force.has(found, &now))
        };
        let left: Vec<Finding> = findings.iter().filter(is_left).cloned().collect();
        if left.len() == findings.len() {
            return Ok(None);
        }
        let edit = |index: usize| {
            let sid = now.get(index).and_then(sid_of).map(str::to_owned);
            Edit { index, sid, kind: EditKind::Restored }
        };
        let closed = findings.iter().filter(|finding| !left.contains(finding));
        let mut indexes: Vec<usize> = closed.filter_map(Finding::statement).collect();
        indexes.dedup();
        Ok(Some(DenialsBack { document: candidate, left, edits: indexes.into_iter().map(edit).collect() }))
    }

    /// With what was done about the findings that were left.
    pub(crate) fn and(self, narrowed: Narrowed) -> Result<Narrowed, DocumentError> {
        let document = if narrowed.edits.is_empty() { Some(value_of(&self.document)?) } else { narrowed.document };
        let mut edits = narrowed.edits;
        for edit in self.edits {
            if edits.iter().all(|other| other.index != edit.index) {
                edits.push(edit);
            }
        }
        edits.sort_by_key(|edit| edit.index);
        Ok(Narrowed { document, edits, ..narrowed })
    }
}

/// What was in force, and what is open about it.
#[derive(Default)]
struct InForce {
    statements: Vec<Value>,
    found: Vec<Finding>,
}

impl InForce {
    /// Whether the finding's statement, one of `now`, was in force word for word and was open no less.
    fn has(&self, finding: &Finding, now: &[Value]) -> bool {
        let statement_of =
            |finding: &Finding, among: &[Value]| finding.statement().and_then(|index| among.get(index)).cloned();
        let Some(statement) = statement_of(finding, now) else { return false };
        self.found.iter().any(|other| {
            other.id == finding.id
                && other.severity >= finding.severity
                && statement_of(other, &self.statements).as_ref() == Some(&statement)
        })
    }
}

/// What may come back of a baseline into a document that has lost it.
#[derive(Default)]
pub(crate) struct Restored {
    in_force: InForce,
    now: Vec<Value>,
}

impl Restored {
    /// `found` is what is open about the baseline.
    pub(crate) fn read(document: &str, baseline: &str, found: Vec<Finding>) -> Result<Restored, DocumentError> {
        let in_force = InForce { statements: statements_of(&value_of(baseline)?), found };
        Ok(Restored { in_force, now: statements_of(&value_of(document)?) })
    }

    /// Whether a finding in what became of the document came back with its statement.
    pub(crate) fn explains(&self, narrowed: &Value, finding: &Finding) -> bool {
        let left = statements_of(narrowed);
        let statement = finding.statement().and_then(|index| left.get(index));
        statement.is_some_and(|statement| !self.now.contains(statement)) && self.in_force.has(finding, &left)
    }
}
