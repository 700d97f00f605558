//! JSON text straight to the borrowed types, with serde_json's line and column in every error.

use crate::display::quoted;
use crate::document::{
    Condition, Document, DocumentError, Effect, Kind, PrincipalType, Principals, Selection, Statement, Values, Version,
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, collections::HashSet, fmt};
use strum::VariantArray;

pub(crate) fn document(text: &str, kind: Kind) -> Result<Document<'_>, DocumentError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let document = DocumentSeed(kind).deserialize(&mut json).map_err(malformed)?;
    json.end().map_err(malformed)?;
    Ok(document)
}

/// serde_json echoes the value it did not expect: a hostile one must not become a message of 100 KB.
const LONGEST_MESSAGE: usize = 300;

fn malformed(error: serde_json::Error) -> DocumentError {
    let (line, column) = (error.line(), error.column());
    let mut message = error.to_string();
    if message.chars().count() > LONGEST_MESSAGE {
        let start: String = message.chars().take(LONGEST_MESSAGE).collect();
        message = format!("{start}... at line {line} column {column}");
    }
    DocumentError::Malformed { message, line, column }
}

fn duplicate<E: Error>(key: impl fmt::Display) -> E {
    E::custom(format_args!("duplicate key `{key}`"))
}

/// Refuses a key before its value is read, so that the error's column is the key's.
fn still_free<T, E: Error>(slot: &Option<T>, key: &str) -> Result<(), E> {
    if slot.is_none() { Ok(()) } else { Err(duplicate(key)) }
}

/// Text, borrowed unless it has escapes.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A member of a condition's list: IAM takes `true` for `"true"` and `3600` for `"3600"`.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a boolean")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }
}

/// Text or a list of texts.
struct TextOrList;

impl<'de> DeserializeSeed<'de> for TextOrList {
    type Value = Values<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextOrList {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a list of texts")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Values::One(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Values::One(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        // Most lists are longer than the four that a vector starts with.
        let mut values = Vec::with_capacity(8);
        while let Some(text) = list.next_element_seed(Text)? {
            values.push(text);
        }
        Ok(Values::Many(values))
    }
}

/// A scalar or a list of scalars.
struct ScalarOrList;

impl<'de> DeserializeSeed<'de> for ScalarOrList {
    type Value = Values<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarOrList {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean or a list of them")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Scalar.visit_borrowed_str(text).map(Values::One)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Scalar.visit_str(text).map(Values::One)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Scalar.visit_bool(value).map(Values::One)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Scalar.visit_u64(value).map(Values::One)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Scalar.visit_i64(value).map(Values::One)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Scalar.visit_f64(value).map(Values::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(scalar) = list.next_element_seed(Scalar)? {
            values.push(scalar);
        }
        Ok(Values::Many(values))
    }
}

struct DocumentSeed(Kind);

impl<'de> DeserializeSeed<'de> for DocumentSeed {
    type Value = Document<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy document: an object with `Statement`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut version, mut id, mut statements) = (None, None, None);
        while let Some(key) = map.next_key_seed(Text)? {
            match key.as_ref() {
                "Version" => {
                    still_free(&version, "Version")?;
                    version = Some(match map.next_value_seed(Text)?.as_ref() {
                        "2012-10-17" => Version::V2012,
                        "2008-10-17" => Version::V2008,
                        other => {
                            let other = quoted(other);
                            return Err(A::Error::custom(format_args!(
                                "unknown Version `{other}`, expected `2012-10-17` or `2008-10-17`"
                            )));
                        }
                    });
                }
                "Id" => {
                    still_free(&id, "Id")?;
                    id = Some(map.next_value_seed(Text)?);
                }
                "Statement" => {
                    still_free(&statements, "Statement")?;
                    statements = Some(map.next_value_seed(StatementsSeed(self.0))?);
                }
                other => {
                    return Err(unknown_key(other, &["Version", "Id", "Statement"], "a policy document"));
                }
            }
        }
        Ok(Document {
            version: version.unwrap_or(Version::V2008),
            id,
            statements: statements.ok_or_else(|| A::Error::custom("the document has no `Statement`"))?,
        })
    }
}

fn unknown_key<E: Error>(key: &str, known: &[&str], place: &str) -> E {
    let hint = known
        .iter()
        .find(|known| {
            known.eq_ignore_ascii_case(key.trim()) || known.trim_end_matches('s') == key.trim_end_matches('s')
        })
        .map(|known| format!(" (did you mean `{known}`?)"))
        .unwrap_or_default();
    E::custom(format_args!("unknown key `{}` in {place}{hint}", quoted(key)))
}

/// One statement as an object, or a list of them.
struct StatementsSeed(Kind);

impl<'de> DeserializeSeed<'de> for StatementsSeed {
    type Value = Vec<Statement<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StatementsSeed {
    type Value = Vec<Statement<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a statement or a list of statements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut statements = Vec::with_capacity(8);
        while let Some(statement) = list.next_element_seed(StatementSeed(self.0))? {
            statements.push(statement);
        }
        Ok(statements)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(vec![StatementSeed(self.0).visit_map(map)?])
    }
}

struct StatementSeed(Kind);

impl<'de> DeserializeSeed<'de> for StatementSeed {
    type Value = Statement<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

const STATEMENT_KEYS: &[&str] =
    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl<'de> Visitor<'de> for StatementSeed {
    type Value = Statement<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a statement: an object with `Effect` and `Action`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut sid, mut effect, mut conditions) = (None, None, None);
        let (mut principal, mut not_principal) = (None, None);
        let (mut action, mut not_action) = (None, None);
        let (mut resource, mut not_resource) = (None, None);
        while let Some(key) = map.next_key_seed(Text)? {
            let key = key.as_ref();
            match key {
                "Sid" => {
                    still_free(&sid, key)?;
                    sid = Some(map.next_value_seed(Text)?);
                }
                "Effect" => {
                    still_free(&effect, key)?;
                    effect = Some(match map.next_value_seed(Text)?.as_ref() {
                        "Allow" => Effect::Allow,
                        "Deny" => Effect::Deny,
                        other => {
                            let other = quoted(other);
                            return Err(A::Error::custom(format_args!(
                                "unknown Effect `{other}`, expected `Allow` or `Deny`"
                            )));
                        }
                    });
                }
                "Principal" => {
                    still_free(&principal, key)?;
                    principal = Some(map.next_value_seed(PrincipalsSeed)?);
                }
                "NotPrincipal" => {
                    still_free(&not_principal, key)?;
                    not_principal = Some(map.next_value_seed(PrincipalsSeed)?);
                }
                "Action" => {
                    still_free(&action, key)?;
                    action = Some(map.next_value_seed(TextOrList)?);
                }
                "NotAction" => {
                    still_free(&not_action, key)?;
                    not_action = Some(map.next_value_seed(TextOrList)?);
                }
                "Resource" => {
                    still_free(&resource, key)?;
                    resource = Some(map.next_value_seed(TextOrList)?);
                }
                "NotResource" => {
                    still_free(&not_resource, key)?;
                    not_resource = Some(map.next_value_seed(TextOrList)?);
                }
                "Condition" => {
                    still_free(&conditions, key)?;
                    conditions = Some(map.next_value_seed(ConditionsSeed)?);
                }
                other => return Err(unknown_key(other, STATEMENT_KEYS, "a statement")),
            }
        }
        let principals = one_of(principal, not_principal, "Principal", "NotPrincipal")?;
        let resources = one_of(resource, not_resource, "Resource", "NotResource")?;
        match self.0 {
            Kind::Identity if principals.is_some() => {
                return Err(A::Error::custom("a policy of a role, user or group has no `Principal`"));
            }
            Kind::Identity if resources.is_none() => {
                return Err(A::Error::custom("the statement has neither `Resource` nor `NotResource`"));
            }
            Kind::Trust if resources.is_some() => {
                return Err(A::Error::custom("a trust policy has no `Resource`"));
            }
            Kind::Trust | Kind::Resource if principals.is_none() => {
                return Err(A::Error::custom("the statement has neither `Principal` nor `NotPrincipal`"));
            }
            Kind::Identity | Kind::Trust | Kind::Resource => {}
        }
        Ok(Statement {
            sid,
            effect: effect.ok_or_else(|| A::Error::custom("the statement has no `Effect`"))?,
            principals,
            actions: one_of(action, not_action, "Action", "NotAction")?
                .ok_or_else(|| A::Error::custom("the statement has neither `Action` nor `NotAction`"))?,
            resources,
            conditions: conditions.unwrap_or_default(),
        })
    }
}

fn one_of<T, E: Error>(only: Option<T>, except: Option<T>, name: &str, not: &str) -> Result<Option<Selection<T>>, E> {
    match (only, except) {
        (None, None) => Ok(None),
        (Some(only), None) => Ok(Some(Selection::Only(only))),
        (None, Some(except)) => Ok(Some(Selection::Except(except))),
        (Some(_), Some(_)) => Err(E::custom(format_args!("the statement has both `{name}` and `{not}`"))),
    }
}

struct PrincipalsSeed;

impl<'de> DeserializeSeed<'de> for PrincipalsSeed {
    type Value = Principals<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PrincipalsSeed {
    type Value = Principals<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`*` or an object by principal type")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        TextOrList.visit_borrowed_str(text).map(Principals::Untyped)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        TextOrList.visit_str(text).map(Principals::Untyped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        TextOrList.visit_seq(list).map(Principals::Untyped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut principals: Vec<(PrincipalType, Values<'de>)> = Vec::new();
        while let Some(key) = map.next_key_seed(Text)? {
            let Ok(kind) = key.parse::<PrincipalType>() else {
                let known: Vec<&str> = PrincipalType::VARIANTS.iter().map(|kind| kind.as_str()).collect();
                return Err(unknown_key(&key, &known, "a principal"));
            };
            if principals.iter().any(|(seen, _)| *seen == kind) {
                return Err(duplicate(kind));
            }
            principals.push((kind, map.next_value_seed(TextOrList)?));
        }
        Ok(Principals::Typed(principals))
    }
}

/// `{operator: {key: values}}`, flattened.
struct ConditionsSeed;

impl<'de> DeserializeSeed<'de> for ConditionsSeed {
    type Value = Vec<Condition<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ConditionsSeed {
    type Value = Vec<Condition<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of condition operators")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut conditions = Vec::new();
        let mut seen = Seen::default();
        while let Some(operator) = map.next_key_seed(Text)? {
            seen.insert(operator.clone())?;
            map.next_value_seed(KeysSeed { operator, conditions: &mut conditions })?;
        }
        Ok(conditions)
    }
}

struct KeysSeed<'v, 'de> {
    operator: Cow<'de, str>,
    conditions: &'v mut Vec<Condition<'de>>,
}

impl<'de> DeserializeSeed<'de> for KeysSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KeysSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of condition keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = Seen::default();
        while let Some(key) = map.next_key_seed(Text)? {
            seen.insert(key.clone())?;
            let values = map.next_value_seed(ScalarOrList)?;
            self.conditions.push(Condition { operator: self.operator.clone(), key, values });
        }
        Ok(())
    }
}

/// The keys of one object so far. Operators and condition keys are case-insensitive, so `aws:SourceArn` beside
/// `AWS:sourcearn` is a duplicate too: nobody could say which of the two AWS goes by.
#[derive(Default)]
struct Seen<'de> {
    few: Vec<Cow<'de, str>>,
    /// Used once there are more than a person would write, so that the time stays linear.
    many: HashSet<String>,
}

impl<'de> Seen<'de> {
    const FEW: usize = 8;

    fn insert<E: Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        let again = self.few.iter().any(|seen| seen.eq_ignore_ascii_case(&key))
            || (self.few.len() == Self::FEW && !self.many.insert(key.to_ascii_lowercase()));
        if again {
            return Err(duplicate(quoted(&key)));
        }
        if self.few.len() < Self::FEW {
            self.few.push(key);
        }
        Ok(())
    }
}
