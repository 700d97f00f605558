//! The shapes of a template: its conditions and mappings ask for parameters, and each answer is another template.

use super::parameters::{Parameter, text};
use crate::{NotJudged, unknown};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many shapes are judged. Four conditions on different parameters and a mapping by environment have fewer.
const MOST: usize = 64;

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

/// All shapes, the one by defaults first. With too many, each parameter is varied by itself, which is said.
pub(super) fn of(template: &Value) -> (Vec<Variant>, Option<NotJudged>) {
    let choices = choices(template);
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
    variants.truncate(4 * MOST);
    (variants, shortened)
}

/// The parameters, pseudo parameters among them, that conditions compare and that choose from mappings, with the values worth
/// a look; the default first.
fn choices(template: &Value) -> BTreeMap<String, Vec<String>> {
    let mut choices = BTreeMap::new();
    if let Some(conditions) = template.get("Conditions") {
        each_call(conditions, "Fn::Equals", &mut |arguments| {
            let [left, right] = arguments else { return };
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
    each_call(template, "Fn::FindInMap", &mut |arguments| {
        let [map, first, ..] = arguments else { return };
        if let Some(name) = reference(first) {
            for key in keys_of(map) {
                add(&mut choices, template, name, Some(key));
            }
        }
    });
    choices
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

/// Calls back with the arguments of every call of a function.
fn each_call<'v>(value: &'v Value, function: &str, found: &mut impl FnMut(&'v [Value])) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let (true, Some(arguments)) = (key == function, value.as_array()) {
                    found(arguments);
                }
                each_call(value, function, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_call(item, function, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
