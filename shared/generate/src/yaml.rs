//! YAML as JSON, with CloudFormation's short tags in their long form: `!Ref X` is `{"Ref": "X"}`.

use anyhow::{Context, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// Reads one document.
///
/// # Errors
/// Text that is no YAML, or YAML that CloudFormation does not take.
pub fn read(text: &str) -> anyhow::Result<Value> {
    let documents = Yaml::load_from_str(text)?;
    long_form(documents.first().context("a document")?)
}

fn long_form(node: &Yaml<'_>) -> anyhow::Result<Value> {
    Ok(match node {
        Yaml::Tagged(tag, inner) => {
            let function = match tag.suffix.as_str() {
                word @ ("Ref" | "Condition") => word.to_owned(),
                word => format!("Fn::{word}"),
            };
            Value::Object(Map::from_iter([(function, long_form(inner)?)]))
        }
        Yaml::Mapping(mapping) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                Ok((key.as_str().context("a key is text")?.to_owned(), long_form(value)?))
            };
            Value::Object(mapping.iter().map(entry).collect::<anyhow::Result<_>>()?)
        }
        Yaml::Sequence(items) => Value::Array(items.iter().map(long_form).collect::<anyhow::Result<_>>()?),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => bail!("CloudFormation does not take {node:?}"),
    })
}
