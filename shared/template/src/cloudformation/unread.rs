//! What a template says that this reader does not carry out. It is listed, so that silence means "fine".

use super::{kind, relevant};
use crate::NotJudged;
use serde_json::{Map, Value};

/// Transforms of AWS that are carried out here, or that change nothing that is judged
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-reference.html>).
const HARMLESS_TRANSFORMS: [&str; 6] = [
    "AWS::CodeDeployBlueGreen",
    "AWS::LanguageExtensions",
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
    "AWS::Serverless-2016-10-31",
    "AWS::ServiceCatalog",
];

const CONNECTOR: &str = "the policies that a connector makes are not read";

/// Types of Lambda and SAM that have neither a role nor an environment, and let in nobody but API Gateway for the own
/// API (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html>,
/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-resources-and-properties.html>).
const WITHOUT_POLICIES: [&str; 14] = [
    "AWS::Lambda::Alias",
    "AWS::Lambda::CapacityProvider",
    "AWS::Lambda::CodeSigningConfig",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::Serverless::Api",
    "AWS::Serverless::CapacityProvider",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::LayerVersion",
    "AWS::Serverless::NetworkConnector",
    "AWS::Serverless::SimpleTable",
    "AWS::Serverless::WebSocketApi",
];

/// All of it.
pub(super) fn of(template: &Value, resources: &Map<String, Value>) -> Vec<NotJudged> {
    let mut notes = Vec::new();
    let mut note = |at: &str, why: String| notes.push(NotJudged { at: at.to_owned(), why });
    let transforms = match template.get("Transform") {
        Some(Value::Array(transforms)) => transforms.iter().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    };
    for transform in transforms.into_iter().chain(template.get("Fn::Transform")) {
        let name = transform.as_str().or_else(|| transform.get("Name")?.as_str()).unwrap_or("a transform");
        if !HARMLESS_TRANSFORMS.contains(&name) {
            note("Transform", format!("what `{name}` makes of the template is not read"));
        }
    }
    for section in ["Conditions", "Globals", "Mappings", "Parameters"] {
        let keys = template.get(section).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        for (key, what) in keys.filter_map(|key| Some((key, unread_key(key)?))) {
            note(&format!("{section}.{key}"), format!("what {what} is not read"));
        }
    }
    for (id, resource) in resources {
        if let Some(what) = unread_key(id) {
            note(id, format!("the resources that {what} are not read"));
            continue;
        }
        for (key, what) in
            resource.as_object().into_iter().flatten().filter_map(|(key, _)| Some((key, unread_key(key)?)))
        {
            note(&format!("{id}.{key}"), format!("what {what} of the resource is not read"));
        }
        // A connector may stand within the resource that it begins at
        // (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/managing-permissions-connectors.html>).
        for (name, _) in resource.get("Connectors").and_then(Value::as_object).into_iter().flatten() {
            note(&format!("{id}.Connectors.{name}"), CONNECTOR.to_owned());
        }
        let Some(kind) = kind(resource) else { continue };
        if let Some(what) = unread_kind(kind) {
            note(id, what.to_owned());
        }
        let Some(relevant) = relevant(kind) else { continue };
        for (key, value) in resource.get("Properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(what) = unread_key(key) {
                note(&format!("{id}.{key}"), format!("the properties that {what} are not read"));
            } else if relevant.is_empty() || relevant.contains(&key.as_str()) {
                within(value, &mut format!("{id}.{key}"), &mut note);
            }
        }
    }
    notes
}

/// Whether something that is not read may bring parts of a resource, or of its properties.
pub(super) fn is_partly_unread(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().any(|key| is_unread_key(key)))
}

fn within(value: &Value, at: &mut String, note: &mut impl FnMut(&str, String)) {
    let length = at.len();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                at.push('.');
                at.push_str(key);
                match unread_key(key) {
                    Some(what) => note(at, format!("what {what} is not read")),
                    None => within(value, at, note),
                }
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push_str(&format!("[{index}]"));
                within(item, at, note);
                at.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a key stands for what something that is not read brings.
pub(super) fn is_unread_key(key: &str) -> bool {
    unread_key(key).is_some()
}

/// `Fn::Transform` is AWS::Include or a macro of somebody's own.
fn unread_key(key: &str) -> Option<&'static str> {
    match key {
        "Fn::Transform" => Some("`Fn::Transform` brings"),
        key if key.starts_with("Fn::ForEach") => Some("`Fn::ForEach` makes"),
        _ => None,
    }
}

/// Resources that bring others, whose content is elsewhere.
fn unread_kind(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::CloudFormation::Stack" | "AWS::Serverless::Application" => {
            Some("the template of the nested stack is not read")
        }
        "AWS::CloudFormation::StackSet" => Some("the template of the stack set is not read"),
        "AWS::Serverless::Connector" => Some(CONNECTOR),
        kind if kind.ends_with("::MODULE") => Some("what the module brings is not read"),
        kind if relevant(kind).is_some() || WITHOUT_POLICIES.contains(&kind) => None,
        kind if kind.starts_with("AWS::Lambda::") || kind.starts_with("AWS::Serverless::") => {
            Some("resources of this type are not read")
        }
        _ => None,
    }
}
