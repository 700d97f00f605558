//! CloudFormation's functions
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>).

use super::{
    Scope,
    parameters::{Parameter, text},
};
use crate::{node::Node, unknown};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value};
use std::{cell::Cell, collections::HashMap};

/// The longest text that is put together, in bytes: as long as the longest policy that is read.
const LONGEST: usize = 256 * 1024;

/// Texts that are shorter are not counted: how many there can be is bounded by the length of the template.
const SHORT: usize = 1024;

/// How much text functions may put together before the template is refused, in bytes.
const MOST_TEXT: usize = 64 * 1024 * 1024;

/// What functions may still put together: a small template can ask for a lot.
pub(super) struct Effort(Cell<usize>);

impl Default for Effort {
    fn default() -> Self {
        Self(Cell::new(MOST_TEXT))
    }
}

impl Effort {
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    /// Whether a text of this length may be put together.
    fn spend(&self, length: usize) -> bool {
        if length > SHORT {
            self.0.set(self.0.get().saturating_sub(length));
        }
        !self.is_spent()
    }
}

/// Whether it is a function of CloudFormation and its argument.
pub(super) fn is_call(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// The length of all texts in a value, in bytes.
pub(super) fn length(value: &Value) -> usize {
    const ANY: usize = 16;
    match value {
        Value::String(text) => ANY + text.len(),
        Value::Array(items) => items.iter().map(length).fold(ANY, usize::saturating_add),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + length(value)).fold(ANY, usize::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) => ANY,
    }
}

impl Scope<'_> {
    /// Does something with every parameter known only at deployment, whatever its default.
    pub(super) fn opened<T>(&self, action: impl FnOnce() -> T) -> T {
        let before = self.is_open.replace(true);
        let done = action();
        self.is_open.set(before);
        done
    }

    /// Does something with the parameters' values of this shape.
    pub(super) fn closed<T>(&self, action: impl FnOnce() -> T) -> T {
        let before = self.is_open.replace(false);
        let done = action();
        self.is_open.set(before);
        done
    }

    /// The value with its functions carried out; none for `AWS::NoValue`.
    pub(super) fn resolve(&self, value: &Value) -> Option<Node> {
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((function, argument)) if is_call(map) => self.call(function, argument),
                Some(_) | None => {
                    let entries = map.iter().filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?)));
                    Some(Node::Map(entries.collect()))
                }
            },
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Some(Node::List(items.filter_map(|(index, item)| Some((index, self.resolve(item)?))).collect()))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(Node::plain(value)),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Node> {
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let known = match (function, arguments) {
            ("Ref", _) => return self.reference(argument.as_str()?),
            ("Fn::If", [condition, then, otherwise]) => {
                // `Yes` without quotes is no name, but a truth value.
                let name = condition.as_str().map_or_else(|| condition.to_string(), str::to_owned);
                let holds = self.condition(&name);
                return self.resolve(if holds { then } else { otherwise });
            }
            ("Fn::GetAtt", [id, attribute]) => {
                let attribute = self.resolved_text(attribute);
                id.as_str().zip(attribute).map(|(id, attribute)| Node::Text(self.attribute(id, &attribute)))
            }
            ("Fn::GetAtt", _) => {
                let both = argument.as_str().and_then(|both| both.split_once('.'));
                both.map(|(id, attribute)| Node::Text(self.attribute(id, attribute)))
            }
            ("Fn::Sub", [template, Value::Object(variables)]) => {
                template.as_str().map(|template| Node::Text(self.substituted(template, Some(variables))))
            }
            ("Fn::Sub", _) => argument.as_str().map(|template| Node::Text(self.substituted(template, None))),
            ("Fn::Join", [delimiter, items]) => self.joined(delimiter, items),
            ("Fn::Split", [delimiter, whole]) => self.split(delimiter, whole),
            ("Fn::Select", [index, items]) => self.selected(index, items),
            // With a default where the map has no such key
            // (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-findinmap-enhancements.html>).
            ("Fn::FindInMap", [map, first, second, rest @ ..]) => {
                self.looked_up(map, first, second).or_else(|| self.resolve(rest.first()?.get("DefaultValue")?))
            }
            ("Fn::ToJsonString", _) => {
                let text = self.resolve(argument).and_then(|value| serde_json::to_string(&value).ok());
                text.map(|text| Node::Text(self.capped(text, function)))
            }
            ("Fn::Base64", _) => self.encoded(argument),
            _ => None,
        };
        // Whatever else it may be, it is one value, known at deployment.
        Some(known.unwrap_or_else(|| {
            let of = self.unknown_parts(function, arguments);
            Node::Text(of.unwrap_or_else(|| unknown::value(&named(function, argument))))
        }))
    }

    /// The text in base64. Of what is known only at deployment, the names are kept: it says the same.
    fn encoded(&self, argument: &Value) -> Option<Node> {
        let text = self.resolved_text(argument)?;
        let encoded = if unknown::is_in(&text) { unknown_only(&text) } else { BASE64.encode(text) };
        Some(Node::Text(self.capped(encoded, "Fn::Base64")))
    }

    /// What a part of a value is, that is itself known only at deployment.
    fn unknown_parts(&self, function: &str, arguments: &[Value]) -> Option<String> {
        let whole = match (function, arguments) {
            ("Fn::Join" | "Fn::Select" | "Fn::Split", [_, whole]) => self.resolved_text(whole)?,
            _ => return None,
        };
        Some(unknown_only(&whole)).filter(|names| !names.is_empty())
    }

    pub(super) fn resolved_text(&self, value: &Value) -> Option<String> {
        match self.resolve(value)? {
            Node::Text(text) => Some(text),
            Node::Bool(value) => Some(value.to_string()),
            Node::Null | Node::List(_) | Node::Map(_) => None,
        }
    }

    fn reference(&self, name: &str) -> Option<Node> {
        let parameter = Parameter::find(self.template, name);
        let chosen = self.variant.chosen.get(name).cloned();
        let value = match name {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => self.context.account.map(|account| account.to_string()),
            "AWS::Partition" => Some(self.context.partition.to_string()),
            "AWS::URLSuffix" => Some("amazonaws.com".to_owned()),
            _ if self.is_open.get() && parameter.is_some() => None,
            _ => chosen.or_else(|| match self.resources.get(name) {
                Some(resource) => Some(self.ref_of(name, resource)),
                None => parameter.and_then(Parameter::default),
            }),
        };
        let value = value.filter(|value| self.effort.spend(value.len())).unwrap_or_else(|| unknown::value(name));
        let is_list = parameter.is_some_and(Parameter::is_list) && !unknown::is_in(&value);
        Some(if is_list { list(value.split(',').map(|item| item.trim().to_owned())) } else { Node::Text(value) })
    }

    /// `${Name}`, `${Name.Attribute}`; `${!Name}` is the text `${Name}`.
    fn substituted(&self, template: &str, variables: Option<&Map<String, Value>>) -> String {
        // Each variable is put together once, however often it stands in the text.
        let mut known: HashMap<&str, Option<String>> = HashMap::new();
        let mut parts = template.split("${");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                text.push_str("${");
                text.push_str(part);
                continue;
            };
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(literal);
                text.push('}');
            } else {
                let name = name.trim();
                let value = known.entry(name).or_insert_with(|| {
                    match (variables.and_then(|variables| variables.get(name)), name.split_once('.')) {
                        (Some(value), _) => self.resolved_text(value),
                        (None, Some((id, attribute))) => Some(self.attribute(id, attribute)),
                        (None, None) => self.reference(name).and_then(|node| node.text().map(str::to_owned)),
                    }
                });
                match value {
                    Some(value) => text.push_str(value),
                    None => text.push_str(&unknown::value(name)),
                }
            }
            text.push_str(rest);
            if text.len() > LONGEST {
                break;
            }
        }
        self.capped(text, "Fn::Sub")
    }

    fn joined(&self, delimiter: &Value, items: &Value) -> Option<Node> {
        let Node::List(items) = self.resolve(items)? else { return None };
        let texts: Option<Vec<&str>> = items.iter().map(|(_, item)| item.text()).collect();
        let (texts, delimiter) = (texts?, delimiter.as_str()?);
        let length = texts.iter().map(|text| text.len() + delimiter.len()).fold(0, usize::saturating_add);
        let text = if length > 2 * LONGEST { too_long("Fn::Join") } else { texts.join(delimiter) };
        Some(Node::Text(self.capped(text, "Fn::Join")))
    }

    fn split(&self, delimiter: &Value, whole: &Value) -> Option<Node> {
        let (delimiter, whole) = (delimiter.as_str()?, self.resolved_text(whole)?);
        // What a part of an unknown whole is, is not known either.
        let is_clear = !delimiter.is_empty() && unknown::name(&whole).is_none();
        // Each part is a value of its own, however short.
        let is_clear = is_clear && self.effort.spend(whole.len() * 32);
        is_clear.then(|| list(whole.split(delimiter).map(str::to_owned)))
    }

    fn selected(&self, index: &Value, items: &Value) -> Option<Node> {
        let index: usize = self.resolved_text(index)?.parse().ok()?;
        match self.resolve(items)? {
            Node::List(items) => items.into_iter().nth(index).map(|(_, item)| item),
            Node::Null | Node::Bool(_) | Node::Text(_) | Node::Map(_) => None,
        }
    }

    fn looked_up(&self, map: &Value, first: &Value, second: &Value) -> Option<Node> {
        let map = self.template.get("Mappings")?.get(self.resolved_text(map)?)?;
        let value = map.get(self.resolved_text(first)?)?.get(self.resolved_text(second)?)?;
        self.effort.spend(length(value)).then(|| Node::plain(value))
    }

    fn capped(&self, text: String, function: &str) -> String {
        if text.len() <= LONGEST && self.effort.spend(text.len()) { text } else { too_long(function) }
    }
}

fn list(items: impl Iterator<Item = String>) -> Node {
    Node::List(items.map(Node::Text).enumerate().collect())
}

/// What of a text is known only at deployment.
fn unknown_only(text: &str) -> String {
    unknown::names(text).map(unknown::value).collect()
}

fn too_long(function: &str) -> String {
    unknown::value(&format!("a long {function}"))
}

/// `ImportValue shared-bucket`, for a person.
fn named(function: &str, argument: &Value) -> String {
    let function = function.trim_start_matches("Fn::");
    // What is put together of a name is shown as it is written.
    match text(argument.get("Fn::Sub").unwrap_or(argument)) {
        Some(argument) if argument.len() <= 64 => format!("{function} {argument}"),
        Some(_) | None => function.to_owned(),
    }
}
