//! The least change to a policy with principals that closes what a judge found.

use crate::{
    Context, Document, DocumentError, Kind, Statement,
    breadth::Scratch,
    principal::PrincipalPlace,
    rewrite::{DenialsBack, Narrowed, Outcome, Rewriting, Rewritten, Unfixable, rename},
    together::{Beside, Together},
    violation::{Part, Violation},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use warden_finding::{Finding, FindingId};

/// What differs between a function's resource policy and a role's trust policy.
pub(crate) struct PrincipalPolicy<'r> {
    pub(crate) kind: Kind,
    /// What is open about a document.
    pub(crate) judge: &'r dyn Fn(&Document<'_>) -> Vec<Finding>,
    pub(crate) context: &'r Context,
    /// An action of the service of what the policy is on that nobody could have thought of.
    pub(crate) unguessable: &'static str,
    /// What is open about one statement of a document, with what bears on it.
    pub(crate) violations: &'r dyn Fn(usize, &Statement<'_>, &Document<'_>, &Beside<'_>) -> Vec<Violation>,
    /// Whether a finding that is to be closed is one that was found.
    pub(crate) is_same: fn(&Finding, &Finding) -> bool,
    /// The rule that a condition can put right.
    pub(crate) bound: FindingId,
    /// The condition for a service, or advice where none is known.
    pub(crate) binding: &'r dyn Fn(&str) -> Result<Binding, String>,
}

impl PrincipalPolicy<'_> {
    pub(crate) fn narrow(
        &self,
        document: &str,
        findings: &[Finding],
        baseline: Option<&str>,
    ) -> Result<Narrowed, DocumentError> {
        let judge = |text: &str| Document::parse(text, self.kind).map(|document| (self.judge)(&document));
        match DenialsBack::of(document, findings, baseline, self.kind, judge, self.is_same)? {
            None => self.narrow_statements(document, findings, baseline),
            Some(back) => {
                let narrowed = self.narrow_statements(&back.document, &back.left, baseline)?;
                back.and(narrowed)
            }
        }
    }

    fn narrow_statements(
        &self,
        document: &str,
        findings: &[Finding],
        baseline: Option<&str>,
    ) -> Result<Narrowed, DocumentError> {
        let alone = Beside::default();
        let whole = Document::parse(document, self.kind)?;
        let together = Together::read_denies(&whole, self.context, self.unguessable);
        let mut scratch = Scratch::default();
        let besides: Vec<Beside<'_>> =
            whole.statements.iter().map(|statement| together.beside(statement, &mut scratch)).collect();
        let rewrite = |index: usize, statement: &Statement<'_>, text: &Value, parsed: &Document<'_>| {
            let beside = besides.get(index).unwrap_or(&alone);
            let (addressed, tolerated): (Vec<_>, Vec<_>) = (self.violations)(index, statement, parsed, beside)
                .into_iter()
                .partition(|violation| findings.iter().any(|finding| (self.is_same)(finding, &violation.finding)));
            if addressed.is_empty() {
                Rewritten::kept()
            } else {
                StatementRewriter { rules: self, parsed, statement, text }.rewritten(addressed, tolerated)
            }
        };
        Rewriting { kind: self.kind, rewrite: &rewrite }.apply(document, baseline)
    }
}

/// One statement with something to be closed.
struct StatementRewriter<'d> {
    rules: &'d PrincipalPolicy<'d>,
    parsed: &'d Document<'d>,
    statement: &'d Statement<'d>,
    text: &'d Value,
}

impl StatementRewriter<'_> {
    /// `tolerated` is what else is open about it and was not asked to be closed.
    fn rewritten(&self, addressed: Vec<Violation>, mut tolerated: Vec<Violation>) -> Rewritten {
        let mut gone: BTreeSet<PrincipalPlace> = BTreeSet::new();
        let mut bindings: Vec<(Binding, Vec<PrincipalPlace>)> = Vec::new();
        let mut wildcards = Vec::new();
        let mut unfixable = Vec::new();
        for violation in &addressed {
            match violation.part {
                Part::NotPrincipal => {
                    return Rewritten { outcome: Outcome::Removed, unfixable: Vec::new() };
                }
                Part::Principal(place) if violation.finding.id == self.rules.bound => {
                    match (self.rules.binding)(self.text_of(place)) {
                        Ok(binding) => match bindings.iter_mut().find(|(known, _)| *known == binding) {
                            Some((_, places)) => places.push(place),
                            None => bindings.push((binding, vec![place])),
                        },
                        Err(advice) => {
                            unfixable.push(Unfixable { finding: violation.finding.clone(), advice });
                            tolerated.push(violation.clone());
                        }
                    }
                }
                Part::Principal(place) => {
                    gone.insert(place);
                }
                Part::Action(_) | Part::NotAction => wildcards.push(violation.part),
            }
        }
        if gone.is_empty() && bindings.is_empty() && wildcards.is_empty() {
            return Rewritten { outcome: Outcome::Kept, unfixable };
        }

        let mut base = self.text.clone();
        if wildcards.contains(&Part::NotAction) {
            replace_key(&mut base, "NotAction", "Action", json!(INVOKE));
        }
        narrow_actions(&mut base, &wildcards);
        let mut rest = base.clone();
        remove_principals(&mut rest, |place| {
            gone.contains(&place) || bindings.iter().any(|(_, places)| places.contains(&place))
        });
        let in_place = !has_principals(&rest) && bindings.len() == 1;
        let mut now = Vec::new();
        if has_principals(&rest) {
            now.push(rest);
        }
        for (binding, places) in &bindings {
            let mut bound = base.clone();
            remove_principals(&mut bound, |place| !places.contains(&place));
            binding.add_to(&mut bound);
            if !now.is_empty() {
                rename(&mut bound, self.parsed, &now, "Source");
            }
            now.push(bound);
        }
        now.retain(|statement| self.is_clean(statement, &addressed, &tolerated));
        let outcome = if now.is_empty() {
            Outcome::Removed
        } else if gone.is_empty() && wildcards.is_empty() && in_place {
            Outcome::Bound(now)
        } else {
            Outcome::Narrowed(now)
        };
        Rewritten { outcome, unfixable }
    }

    fn text_of(&self, place: PrincipalPlace) -> &str {
        crate::principal::named(&self.statement.principals)
            .map(crate::principal::each)
            .into_iter()
            .flatten()
            .find_map(|(at, text, _)| (at == place).then_some(text))
            .unwrap_or_default()
    }

    /// Judges a narrowed statement again: none of the rules that were addressed may still be broken.
    fn is_clean(&self, statement: &Value, addressed: &[Violation], tolerated: &[Violation]) -> bool {
        let mut object = Map::new();
        if self.parsed.version == crate::Version::V2012 {
            object.insert("Version".to_owned(), json!("2012-10-17"));
        }
        object.insert("Statement".to_owned(), statement.clone());
        let text = Value::Object(object).to_string();
        let says_the_same = |left: &Violation, before: &Violation| {
            before.finding.id == left.finding.id && before.finding.message == left.finding.message
        };
        let is_closed = |left: &Violation| {
            !addressed.iter().any(|before| before.finding.id == left.finding.id)
                || tolerated.iter().any(|before| says_the_same(left, before))
        };
        Document::parse(&text, self.rules.kind).is_ok_and(|document| {
            let statements = document.statements.iter();
            statements
                .flat_map(|statement| (self.rules.violations)(0, statement, &document, &Beside::default()))
                .all(|left| is_closed(&left))
        })
    }
}

/// A condition that ties a service to accounts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) key: &'static str,
    /// The operator, and another of the same meaning for when the first already has the key: an existing condition that
    /// narrows a little is kept beside the one that limits.
    pub(crate) operators: [&'static str; 2],
    pub(crate) values: Vec<String>,
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
