//! A value of a template whose functions have been carried out, that still knows where its parts stood.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Text(String),
    /// Each with its index in the template: an item that a condition leaves out has one too.
    List(Vec<(usize, Node)>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// A value in which there is nothing to carry out.
    pub(crate) fn plain(value: &Value) -> Self {
        match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(number) => Node::Text(number.to_string()),
            Value::String(text) => Node::Text(text.clone()),
            Value::Array(items) => Node::List(items.iter().map(Node::plain).enumerate().collect()),
            Value::Object(map) => Node::Map(map.iter().map(|(key, value)| (key.clone(), Node::plain(value))).collect()),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(map) => map.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Node::Null | Node::Bool(_) | Node::Text(_) | Node::List(_) => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match self {
            Node::Map(map) => map.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            Node::Null | Node::Bool(_) | Node::Text(_) | Node::List(_) => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// The text under a key.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The items of a list with their indexes; a value that is no list is its only item. Nothing is none.
    pub(crate) fn items(&self) -> Vec<(usize, &Node)> {
        match self {
            Node::Null => Vec::new(),
            Node::List(items) => items.iter().map(|(index, item)| (*index, item)).collect(),
            Node::Bool(_) | Node::Text(_) | Node::Map(_) => vec![(0, self)],
        }
    }

    /// The same, to change them.
    pub(crate) fn items_mut(&mut self) -> Vec<(usize, &mut Node)> {
        match self {
            Node::Null => Vec::new(),
            Node::List(items) => items.iter_mut().map(|(index, item)| (*index, item)).collect(),
            single @ (Node::Bool(_) | Node::Text(_) | Node::Map(_)) => vec![(0, single)],
        }
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match self {
            Node::Map(map) => map,
            Node::Null | Node::Bool(_) | Node::Text(_) | Node::List(_) => &[],
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Text(text) => Value::String(text.clone()),
            Node::List(items) => items.iter().map(|(_, item)| item.to_json()).collect(),
            Node::Map(map) => {
                Value::Object(Map::from_iter(map.iter().map(|(key, node)| (key.clone(), node.to_json()))))
            }
        }
    }

    /// A place in the value, such as `Statement[1].Principal.AWS[0]`, with the indexes that the template has.
    pub(crate) fn place(&self, path: &str) -> String {
        let mut here = Some(self);
        let mut place = Vec::new();
        for step in path.split('.') {
            let (key, index) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
                Some((key, index)) => (key, index.parse::<usize>().ok()),
                None => (step, None),
            };
            here = here.and_then(|node| node.get(key));
            match (index, here) {
                (Some(index), Some(Node::List(items))) if index < items.len() => {
                    let item = items.get(index);
                    place.push(format!("{key}[{}]", item.map_or(index, |(source, _)| *source)));
                    here = item.map(|(_, item)| item);
                }
                (Some(_) | None, Some(_) | None) => place.push(step.to_owned()),
            }
        }
        place.join(".")
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(items) => serializer.collect_seq(items.iter().map(|(_, item)| item)),
            Node::Map(map) => serializer.collect_map(map.iter().map(|(key, value)| (key, value))),
        }
    }
}
