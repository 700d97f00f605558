//! The shapes of a template: its conditions and mappings ask for parameters, and each answer is another template.

use super::{
    intrinsics::{is_call, length},
    kind,
    parameters::{Parameter, text},
    relevant,
};
use crate::{NotJudged, concurrency::CAP_TAG, exempt::EXEMPT_TAG, unknown};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use warden_policy::AccountId;

/// How many shapes are judged with everything varied together. Nine conditions on different parameters have no more.
const MOST: usize = 512;

/// How many are judged where each parameter is varied by itself. A template has at most 200 parameters
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MOST_SINGLE: usize = 1_024;

/// How much text is judged in all shapes together, in bytes: what is read within a second. A template of 125 KB has its
/// 512 shapes; a longer one has fewer.
const MOST_TEXT: usize = 64 * 1024 * 1024;

const ACCOUNT: &str = "AWS::AccountId";
const RESERVED: &str = "ReservedConcurrentExecutions";

/// The answers to what a template asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Variant {
    /// The values of parameters.
    pub(super) chosen: BTreeMap<String, String>,
    /// Whether what Fn::Equals compares is the same, by its arguments, where no value of one parameter decides that.
    pub(super) decided: BTreeMap<String, bool>,
    /// What differs from the first variant, for a person.
    differs: Vec<String>,
}

impl Variant {
    /// ` (when Stage is "prod")`; nothing for the first.
    pub(super) fn shown(&self) -> String {
        if self.differs.is_empty() { String::new() } else { format!(" (when {})", self.differs.join(" and ")) }
    }

    /// The account that it is deployed to in this shape, where the template names one.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.chosen.get(ACCOUNT)?.parse().ok()
    }

    fn choose(&mut self, name: &str, value: &str) {
        self.chosen.insert(name.to_owned(), value.to_owned());
        self.differs.push(match unknown::name(value) {
            Some(_) => format!("{name} is another value"),
            None => format!("{name} is \"{value}\""),
        });
    }

    fn decide(&mut self, compared: &str, same: bool) {
        self.decided.insert(compared.to_owned(), same);
        self.differs.push(format!("{compared} are {}equal", if same { "" } else { "not " }));
    }
}

/// What of a template counts for its shapes: a template may have many more conditions, of its outputs and of resources
/// and properties that nobody judges.
pub(super) struct Judged<'t> {
    template: &'t Value,
    /// The properties that are judged.
    properties: Vec<&'t Value>,
    /// Environments, of which only the conditions count.
    environments: Vec<&'t Value>,
    /// The conditions that resources name.
    conditions: Vec<&'t str>,
    /// Nobody has said which account it is deployed to.
    is_account_open: bool,
}

/// Whether it is a version or an alias for which nothing is provisioned.
fn is_bare_version(resource: &Value) -> bool {
    let is_version = matches!(kind(resource), Some("AWS::Lambda::Alias" | "AWS::Lambda::Version"));
    is_version && resource.get("Properties").and_then(|it| it.get("ProvisionedConcurrencyConfig")).is_none()
}

/// Those of a function's tags that are judged: many functions have others that depend on conditions.
fn cap_tags(tags: &Value) -> Vec<&Value> {
    tags_with(tags, |text| text.contains(CAP_TAG))
}

/// The tags that say something of what is judged, in whatever case.
fn judged_tags(tags: &Value) -> Vec<&Value> {
    tags_with(tags, |text| {
        let text = text.to_ascii_lowercase();
        [CAP_TAG, EXEMPT_TAG].iter().any(|key| text.contains(key))
    })
}

fn tags_with(tags: &Value, has: impl Fn(&str) -> bool) -> Vec<&Value> {
    let is_it = |tag: &&Value| has(&tag.to_string());
    match tags {
        Value::Array(tags) => tags.iter().filter(is_it).collect(),
        Value::Object(map) if !is_call(map) => map.iter().filter(|(key, _)| has(key)).map(|(_, value)| value).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(tags).filter(is_it).into_iter().collect()
        }
    }
}

impl<'t> Judged<'t> {
    pub(super) fn of(template: &'t Value, resources: &'t Map<String, Value>, is_account_open: bool) -> Self {
        let (properties, environments, conditions) = Default::default();
        let mut judged = Self { template, properties, environments, conditions, is_account_open };
        let of_all_functions = template.get("Globals").and_then(|globals| globals.get("Function"));
        let tags_of_all = of_all_functions.and_then(|all| all.get("Tags"));
        for resource in resources.values() {
            let Some(relevant) = kind(resource).and_then(relevant).filter(|_| !is_bare_version(resource)) else {
                continue;
            };
            judged.conditions.extend(resource.get("Condition").and_then(Value::as_str));
            // A reservation is judged by the function's cap alone.
            let tags = resource.get("Properties").and_then(|properties| properties.get("Tags"));
            let has_cap = tags_of_all.is_some_and(|tags| !cap_tags(tags).is_empty())
                || tags.is_some_and(|tags| !cap_tags(tags).is_empty());
            match resource.get("Properties") {
                Some(Value::Object(properties)) => {
                    for (key, value) in properties {
                        match key.as_str() {
                            "Environment" => judged.environments.push(value),
                            "Tags" if relevant.contains(&"Tags") => judged.properties.extend(judged_tags(value)),
                            RESERVED if !has_cap => {}
                            key if relevant.is_empty() || relevant.contains(&key) || key.starts_with("Fn::") => {
                                judged.properties.push(value);
                            }
                            _ => {}
                        }
                    }
                }
                Some(other) => judged.properties.push(other),
                None => {}
            }
        }
        judged.properties.extend(of_all_functions);
        judged
    }

    /// Whether a name is a parameter whose value is not known. Which partition and domain it is has been said.
    fn is_asked(&self, name: &str) -> bool {
        match name {
            ACCOUNT => self.is_account_open,
            "AWS::NoValue" | "AWS::Partition" | "AWS::URLSuffix" => false,
            name => name.starts_with("AWS::") || Parameter::find(self.template, name).is_some(),
        }
    }

    /// How much text is judged in each shape, in bytes.
    fn length(&self) -> usize {
        self.properties.iter().chain(&self.environments).map(|value| length(value)).fold(0, usize::saturating_add)
    }

    /// The conditions that the resources ask for, and those that these ask for.
    fn conditions(&self) -> Vec<&'t Value> {
        let by_name = |name: &str| self.template.get("Conditions")?.get(name);
        let mut named = BTreeSet::new();
        let mut asked = Vec::new();
        let mut names = self.conditions.clone();
        let mut unread: Vec<&Value> = self.properties.iter().chain(&self.environments).copied().collect();
        loop {
            for condition in names.drain(..).filter(|name| named.insert(*name)).filter_map(by_name) {
                asked.push(condition);
                unread.push(condition);
            }
            let Some(part) = unread.pop() else { return asked };
            each_call(part, "Condition", &mut |name| names.extend(name.as_str()));
            each_call(part, "Fn::If", &mut |arguments| names.extend(arguments.get(0).and_then(Value::as_str)));
        }
    }
}

/// All shapes that the resources can have, the one by defaults first. With too many, each parameter is varied by
/// itself, which is said. `is_same` says of two compared values whether they are the same in a shape.
pub(super) fn of(judged: &Judged<'_>, is_same: impl Fn(&Variant, &Value) -> bool) -> (Vec<Variant>, Option<NotJudged>) {
    let (choices, comparisons) = asked(judged);
    let mut first = Variant::default();
    for (name, values) in &choices {
        first.chosen.extend(values.first().map(|value| (name.clone(), value.clone())));
    }
    let product = choices.values().map(Vec::len).chain(comparisons.iter().map(|_| 2));
    let product = product.into_iter().try_fold(1usize, |product, values| product.checked_mul(values.max(1)));
    let affordable = MOST_TEXT / judged.length().max(1);
    let (most, most_single) = (MOST.min(affordable), MOST_SINGLE.min(affordable));
    let all = product.is_some_and(|product| product <= most);
    let mut variants = vec![first.clone()];
    let vary = |variants: &[Variant], change: &dyn Fn(&mut Variant)| {
        let mut more = if all { variants.to_vec() } else { vec![first.clone()] };
        more.iter_mut().for_each(change);
        more
    };
    let mut left_out = 0;
    for (name, values) in &choices {
        let room = if all { usize::MAX } else { most_single.saturating_sub(variants.len()) };
        left_out += values.len().saturating_sub(1).saturating_sub(room);
        let others = values.iter().skip(1).take(room);
        let more: Vec<Variant> =
            others.flat_map(|value| vary(&variants, &|variant| variant.choose(name, value))).collect();
        variants.extend(more);
    }
    for (compared, arguments) in &comparisons {
        if !all && variants.len() >= most_single {
            left_out += 1;
            continue;
        }
        let same = is_same(&first, arguments);
        let more = vary(&variants, &|variant| variant.decide(compared, !same));
        variants.extend(more);
    }
    let mut shortened = (!all).then(|| NotJudged {
        at: "Conditions".to_owned(),
        why: format!("more than {most} shapes of the template: each parameter was varied by itself, not all together"),
    });
    if let (Some(note), true) = (&mut shortened, left_out > 0) {
        note.why.push_str(&format!("; {left_out} of these are not judged either"));
    }
    (variants, shortened)
}

/// What is asked about one parameter.
#[derive(Default)]
struct Question {
    /// The values that it is compared with.
    compared: Vec<String>,
    /// Every value that it may have counts.
    all: bool,
}

/// The parameters, pseudo parameters among them, that decide, with the values worth a look, the default first; and what
/// else is compared, by its text.
fn asked<'t>(judged: &Judged<'t>) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, &'t Value>) {
    let template = judged.template;
    let mut questions: BTreeMap<&str, Question> = BTreeMap::new();
    let mut comparisons = BTreeMap::new();
    let conditions = judged.conditions();
    for condition in &conditions {
        each_call(condition, "Fn::Equals", &mut |arguments| {
            let Some([left, right]) = arguments.as_array().map(Vec::as_slice) else { return };
            match (parameter_alone(left), parameter_alone(right), text(left), text(right)) {
                (Some(name), None, _, Some(compared)) | (None, Some(name), Some(compared), _) => {
                    questions.entry(name).or_default().compared.push(compared);
                }
                _ => {
                    let mut names = BTreeSet::new();
                    referenced(left, &mut names);
                    referenced(right, &mut names);
                    let is_open = |name: &&str| judged.is_asked(name) && !has_allowed_values(template, name);
                    if names.iter().any(is_open) {
                        comparisons.insert(arguments.to_string(), arguments);
                    } else {
                        for name in names {
                            questions.entry(name).or_default().all = true;
                        }
                    }
                }
            }
        });
    }
    for part in judged.properties.iter().chain(&judged.environments).chain(&conditions) {
        each_call(part, "Fn::FindInMap", &mut |arguments| {
            let Some([map, first, second, ..]) = arguments.as_array().map(Vec::as_slice) else { return };
            let Some(map) = map.as_str().and_then(|name| template.get("Mappings")?.get(name)?.as_object()) else {
                return;
            };
            if let Some(name) = parameter_alone(first) {
                // Of keys that give the same, one will do.
                let mut given = HashSet::new();
                for (key, inner) in map {
                    let value = second.as_str().map_or(Some(inner), |second| inner.get(second));
                    if given.insert(value.map(Value::to_string)) {
                        questions.entry(name).or_default().compared.push(key.clone());
                    }
                }
            }
            if let Some(name) = parameter_alone(second) {
                let keys: BTreeSet<&String> = map.values().filter_map(Value::as_object).flat_map(Map::keys).collect();
                questions.entry(name).or_default().compared.extend(keys.into_iter().cloned());
            }
        });
    }
    for part in &judged.properties {
        each_call(part, "Ref", &mut |name| {
            if let Some(name) = name.as_str().filter(|name| has_allowed_values(template, name)) {
                questions.entry(name).or_default().all = true;
            }
        });
    }
    let choices = questions
        .into_iter()
        .filter(|(name, _)| judged.is_asked(name))
        .map(|(name, question)| (name.to_owned(), values(template, name, question)))
        .collect();
    (choices, comparisons)
}

fn has_allowed_values(template: &Value, name: &str) -> bool {
    Parameter::find(template, name).is_some_and(|parameter| !parameter.allowed().is_empty())
}

/// The values worth a look: the default, what it is compared with, and one that is none of these.
fn values(template: &Value, name: &str, question: Question) -> Vec<String> {
    let parameter = Parameter::find(template, name);
    let allowed = parameter.map(Parameter::allowed).unwrap_or_default();
    let default = parameter.and_then(Parameter::default);
    let Question { compared, all } = question;
    // The default is another value than those that it is compared with, if it is none of them.
    let needs_other = default.as_ref().is_none_or(|default| compared.contains(default));
    let others = if allowed.is_empty() {
        needs_other.then(|| unknown::value(name)).into_iter().chain(compared).collect()
    } else if all {
        allowed
    } else {
        let is_compared: HashSet<&String> = compared.iter().collect();
        let other = allowed.iter().find(|value| needs_other && !is_compared.contains(value)).cloned();
        let allowed: HashSet<&String> = allowed.iter().collect();
        compared.into_iter().filter(|value| allowed.contains(value)).chain(other).collect::<Vec<_>>()
    };
    let mut known = HashSet::new();
    default.into_iter().chain(others).filter(|value| known.insert(value.clone())).collect()
}

/// The parameter that a value is, and nothing else: `!Ref Stage`, `!Sub ${Stage}`.
fn parameter_alone(value: &Value) -> Option<&str> {
    let reference = value.get("Ref").and_then(Value::as_str);
    let substituted = || value.get("Fn::Sub")?.as_str()?.strip_prefix("${")?.strip_suffix('}');
    reference.or_else(substituted).filter(|name| !name.contains(['$', '{', '}', '!', '.']))
}

/// The parameters that a value is put together of, but those that choose from a mapping by themselves.
fn referenced<'v>(value: &'v Value, names: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("Ref", Value::String(name)) => {
                        names.insert(name);
                    }
                    ("Fn::Sub", Value::String(template)) => names.extend(substituted(template)),
                    ("Fn::Sub", Value::Array(arguments)) => {
                        let template = arguments.first().and_then(Value::as_str).unwrap_or_default();
                        let variables = arguments.get(1);
                        let is_own = |name: &&str| variables.is_some_and(|variables| variables.get(*name).is_some());
                        names.extend(substituted(template).filter(|name| !is_own(name)));
                        arguments.iter().skip(1).for_each(|variables| referenced(variables, names));
                    }
                    ("Fn::FindInMap", Value::Array(arguments)) => {
                        let chosen = arguments.iter().filter(|key| parameter_alone(key).is_none());
                        chosen.for_each(|key| referenced(key, names));
                    }
                    (_, inner) => referenced(inner, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referenced(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn substituted(template: &str) -> impl Iterator<Item = &str> {
    let names = template.split("${").skip(1).filter_map(|part| part.split_once('}'));
    names.map(|(name, _)| name.trim()).filter(|name| !name.starts_with('!') && !name.contains('.'))
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
