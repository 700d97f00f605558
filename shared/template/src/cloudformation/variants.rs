//! The shapes of a template: its conditions and mappings ask for parameters, and each answer is another template.

use super::parameters::{Parameter, text};
use crate::{NotJudged, unknown};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many shapes are judged. Eight conditions on different parameters have no more.
const MOST: usize = 256;

/// The values of the parameters that a template asks about.
#[derive(Clone, Debug, Default)]
pub(super) struct Variant {
    pub(super) chosen: BTreeMap<String, String>,
    /// Those that differ from the first variant.
    differs: Vec<String>,
}

impl Variant {
    /// ` (when Stage is "prod")`; nothing for the first.
    pub(super) fn shown(&self) -> String {
        if self.differs.is_empty() {
            return String::new();
        }
        let value = |name: &String| match self.chosen.get(name) {
            Some(value) if unknown::name(value).is_some() => format!("{name} is another value"),
            Some(value) => format!("{name} is \"{value}\""),
            None => name.clone(),
        };
        format!(" (when {})", self.differs.iter().map(value).collect::<Vec<_>>().join(" and "))
    }
}

/// All shapes that the resources can have, the one by defaults first. With too many, each parameter is varied by
/// itself, which is said.
///
/// Only what these resources ask about counts: a template may have many more conditions, of its outputs and of
/// resources that nobody judges.
pub(super) fn of<'t>(template: &'t Value, resources: &[&'t Value]) -> (Vec<Variant>, Option<NotJudged>) {
    let choices = choices(template, resources);
    let first = Variant {
        chosen: choices.iter().filter_map(|(name, values)| Some((name.clone(), values.first()?.clone()))).collect(),
        differs: Vec::new(),
    };
    let product = choices.values().try_fold(1usize, |product, values| product.checked_mul(values.len().max(1)));
    let all = product.is_some_and(|product| product <= MOST);
    let mut variants = vec![first.clone()];
    for (name, values) in &choices {
        let bases = if all { variants.clone() } else { vec![first.clone()] };
        for value in values.iter().skip(1) {
            variants.extend(bases.iter().map(|base| {
                let mut variant = base.clone();
                variant.chosen.insert(name.clone(), value.clone());
                variant.differs.push(name.clone());
                variant
            }));
        }
    }
    let shortened = (!all).then(|| NotJudged {
        at: "Conditions".to_owned(),
        why: format!("more than {MOST} shapes of the template: each parameter was varied by itself, not all together"),
    });
    variants.truncate(MOST);
    (variants, shortened)
}

/// The parameters, pseudo parameters among them, that conditions compare and that choose from mappings, with the values
/// worth a look; the default first.
fn choices<'t>(template: &'t Value, resources: &[&'t Value]) -> BTreeMap<String, Vec<String>> {
    let mut choices = BTreeMap::new();
    let conditions = conditions(template, resources);
    for condition in &conditions {
        each_call(condition, "Fn::Equals", &mut |arguments| {
            let Some([left, right]) = arguments.as_array().map(Vec::as_slice) else { return };
            for (one, other) in [(left, right), (right, left)] {
                if let Some(name) = reference(one) {
                    add(&mut choices, template, name, text(other));
                }
            }
        });
    }
    let keys_of = |map: &Value| -> Vec<String> {
        let map = map.as_str().and_then(|name| template.get("Mappings")?.get(name)).and_then(Value::as_object);
        map.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    };
    for part in resources.iter().chain(&conditions) {
        each_call(part, "Fn::FindInMap", &mut |arguments| {
            let Some([map, first, ..]) = arguments.as_array().map(Vec::as_slice) else { return };
            if let Some(name) = reference(first) {
                for key in keys_of(map) {
                    add(&mut choices, template, name, Some(key));
                }
            }
        });
    }
    choices
}

/// The conditions that the resources ask for, and those that these ask for.
fn conditions<'t>(template: &'t Value, resources: &[&'t Value]) -> Vec<&'t Value> {
    let by_name = |name: &str| template.get("Conditions")?.get(name);
    let mut named = BTreeSet::new();
    let mut asked = Vec::new();
    let mut unread = resources.to_vec();
    while let Some(part) = unread.pop() {
        let mut names = Vec::new();
        each_call(part, "Condition", &mut |name| names.extend(name.as_str()));
        each_call(part, "Fn::If", &mut |arguments| names.extend(arguments.get(0).and_then(Value::as_str)));
        for condition in names.into_iter().filter(|name| named.insert(*name)).filter_map(by_name) {
            asked.push(condition);
            unread.push(condition);
        }
    }
    asked
}

fn add(choices: &mut BTreeMap<String, Vec<String>>, template: &Value, name: &str, compared: Option<String>) {
    let parameter = Parameter::find(template, name);
    // Which account and partition it is has been said.
    if parameter.is_none() && !matches!(name, "AWS::Region" | "AWS::StackName") {
        return;
    }
    let allowed = parameter.map(Parameter::allowed).unwrap_or_default();
    let values = choices.entry(name.to_owned()).or_insert_with(|| {
        let default = parameter.and_then(Parameter::default);
        let other = allowed.is_empty().then(|| unknown::value(name));
        let mut values: Vec<String> = default.into_iter().chain(other).collect();
        values.extend(allowed.iter().filter(|value| !values.contains(value)).cloned().collect::<Vec<_>>());
        values
    });
    if let Some(compared) = compared.filter(|value| allowed.is_empty() && !values.contains(value)) {
        values.push(compared);
    }
}

fn reference(value: &Value) -> Option<&str> {
    value.get("Ref")?.as_str()
}

/// Calls back with the argument of every call of a function: a list of them, for most.
fn each_call<'v>(value: &'v Value, function: &str, found: &mut impl FnMut(&'v Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == function {
                    found(value);
                }
                each_call(value, function, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_call(item, function, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
