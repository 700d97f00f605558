//! A function's environment: an object of names and values, each pair judged by itself. No value is ever printed, in an
//! error neither.

use super::{answer, not_an_object};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashSet, fmt};
use warden_finding::{Finding, FindingId, Severity};
use warden_secrets::judge as judge_pair;

/// A variable that holds a secret.
#[derive(Debug, Serialize)]
pub(super) struct Variable {
    id: FindingId,
    pub(super) severity: Severity,
    /// The variable's name.
    at: String,
    /// What kind of secret, as `warden-secrets` names it.
    kind: &'static str,
    /// How sure it is that it is one.
    confidence: &'static str,
}

impl Variable {
    /// As a finding like any other, with a sentence for a person.
    pub(super) fn finding(&self) -> Finding {
        let message = format!("{}, {} confidence", self.kind, self.confidence);
        Finding { id: self.id, severity: self.severity, at: self.at.clone(), message }
    }
}

/// The variables of the environment that hold a secret, in its order; or why it is no environment.
///
/// Takes `{"NAME":"value"}`, `{"Variables":{...}}` as Lambda answers with, a whole answer of Lambda about one function,
/// and `null`, which is what `--query Environment` gives for a function without one.
pub(super) fn judge(text: &str) -> Result<Vec<Variable>, String> {
    if text.trim() == "null" {
        return Ok(Vec::new());
    }
    let pairs = match pairs(text) {
        Ok(Pairs::Plain(pairs)) => {
            let may_be_answer = pairs.iter().any(|(name, _)| answer::KEYS_OF_ANSWERS.contains(&name.as_ref()));
            if let Some(why) = may_be_answer.then(|| answer::no_environment(text)).flatten() {
                return Err(why.to_owned());
            }
            pairs
        }
        Ok(Pairs::Wrapped(inside)) => plain(inside.get())?,
        Err(reason) => match answer::environment(text) {
            Some(answer::Environment::Variables(inside)) => plain(inside)?,
            Some(answer::Environment::None) => Vec::new(),
            Some(answer::Environment::Missing(why)) => return Err(why.to_owned()),
            None => return Err(not_an_object(text, "an environment").unwrap_or(reason)),
        },
    };
    Ok(pairs.iter().filter_map(|(name, value)| variable(name, value)).collect())
}

/// What stands under `Variables`.
fn plain(text: &str) -> Result<Vec<NameAndValue<'_>>, String> {
    match pairs(text)? {
        Pairs::Plain(pairs) => Ok(pairs),
        Pairs::Wrapped(_) => Err("the value of `Variables` is not text".to_owned()),
    }
}

fn variable(name: &str, value: &str) -> Option<Variable> {
    let verdict = judge_pair(name, value)?;
    Some(Variable {
        id: FindingId::PlaintextSecret,
        severity: verdict.confidence.severity(),
        at: name.to_owned(),
        kind: verdict.kind.as_str(),
        confidence: verdict.confidence.as_str(),
    })
}

fn pairs(text: &str) -> Result<Pairs<'_>, String> {
    // What serde_json says of a malformed document names a place, and a character at most that it expected.
    serde_json::from_str(text).map_err(|error| error.to_string())
}

type NameAndValue<'a> = (Cow<'a, str>, Cow<'a, str>);

enum Pairs<'a> {
    Plain(Vec<NameAndValue<'a>>),
    /// What stands under `Variables`, which is all there is.
    Wrapped(&'a RawValue),
}

/// A name or a value: borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(D::Error::custom("an environment is an object of names and values"));
        }
        let mut json = serde_json::Deserializer::from_str(raw.get());
        json.deserialize_map(Reader).map_err(D::Error::custom)
    }
}

/// Reads an object strictly: each name once, each value text.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        let mut seen = HashSet::new();
        let mut wrapped = None;
        while let Some(Text(name)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("the name `{}` is there twice", shortened(&name))));
            }
            match serde_json::from_str::<Text<'de>>(value.get()) {
                Ok(Text(value)) => pairs.push((name, value)),
                Err(_) if name == "Variables" && value.get().starts_with('{') => wrapped = Some(value),
                // The reader's own words would quote the value.
                Err(_) => {
                    let not_text = if value.get().starts_with('"') { "is not valid text" } else { "is not text" };
                    return Err(A::Error::custom(format_args!("the value of `{}` {not_text}", shortened(&name))));
                }
            }
        }
        match wrapped {
            Some(inside) if pairs.is_empty() => Ok(Pairs::Wrapped(inside)),
            Some(_) => Err(A::Error::custom("the value of `Variables` is not text")),
            None => Ok(Pairs::Plain(pairs)),
        }
    }
}

/// A hostile name must not become an answer as long as the attack.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 100;
    match name.char_indices().nth(LONGEST).and_then(|(end, _)| name.get(..end)) {
        None => name.to_owned(),
        Some(start) => format!("{start}..."),
    }
}
