//! JSON: each string in it is judged under the name it stands under.

use super::Found;
use crate::{
    classify::{self, Depth},
    name::{Name, Role},
    verdict::{Kind, Verdict, surest},
};
use serde_json::{Map, Value};

/// Deeper than any configuration, and shallow enough for any stack.
const DEEPEST: usize = 32;

pub(super) fn examine(name: &Name, value: &str, depth: Depth) -> Found {
    let bracketed =
        (value.starts_with('{') && value.ends_with('}')) || (value.starts_with('[') && value.ends_with(']'));
    if !bracketed {
        return Found::Nothing;
    }
    let Ok(json) = serde_json::from_str::<Value>(value) else {
        // Python's and JavaScript's notation is near enough to be read as fields.
        return Found::Nothing;
    };
    within(name, &json, depth, DEEPEST).into()
}

fn within(name: &Name, json: &Value, depth: Depth, levels: usize) -> Option<Verdict> {
    let levels = levels.checked_sub(1)?;
    match json {
        Value::String(text) => classify::part(name, text, depth),
        Value::Array(list) if is_key_in_bytes(list) => {
            let of_key =
                name.role == Role::PrivateKey || ["keypair", "wallet", "secret"].iter().any(|word| name.has(word));
            of_key.then_some(Verdict::high(Kind::PRIVATE_KEY))
        }
        Value::Array(list) => surest(list.iter().filter_map(|value| within(name, value, depth, levels))),
        Value::Object(map) if is_private_jwk(map) => Some(Verdict::high(Kind::PRIVATE_KEY)),
        // `{"name": "DB_PASSWORD", "value": "..."}`, as container definitions have it.
        Value::Object(map) => match named(map) {
            Some((name, value)) => classify::part(&Name::read(name), value, depth),
            None => surest(map.iter().filter_map(|(key, value)| {
                // A web page's Firebase configuration is for everybody to see.
                let shown = key == "apiKey" && map.contains_key("authDomain");
                if shown { None } else { within(&Name::read(key).or_of(name), value, depth, levels) }
            })),
        },
        Value::Number(number) => {
            let name_is_of_a_number = matches!(name.role, Role::Password | Role::Pin);
            if name_is_of_a_number { classify::part(name, &number.to_string(), depth) } else { None }
        }
        Value::Null | Value::Bool(_) => None,
    }
}

/// A private key as a list of its bytes, with the public one behind it or not, as Solana's tools write it.
fn is_key_in_bytes(list: &[Value]) -> bool {
    matches!(list.len(), 32 | 64) && list.iter().all(|byte| byte.as_u64().is_some_and(|byte| byte <= 255))
}

/// A key with a private part (RFC 7517, RFC 7518 section 6).
fn is_private_jwk(map: &Map<String, Value>) -> bool {
    let has = |key: &str| map.get(key).and_then(Value::as_str).is_some_and(|text| text.len() >= 16);
    match map.get("kty").and_then(Value::as_str) {
        Some("oct") => has("k"),
        Some("RSA" | "EC" | "OKP") => has("d"),
        _ => false,
    }
}

fn named(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let of = |keys: [&str; 2]| keys.iter().find_map(|key| map.get(*key)).and_then(Value::as_str);
    let (name, value) = (of(["name", "Name"])?, of(["value", "Value"])?);
    (map.len() <= 4).then_some((name, value))
}
