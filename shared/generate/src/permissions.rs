//! `docs/permissions.md`: what each role of the stack may do, read from the template.

use crate::{template, yaml};
use anyhow::Context;
use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "\
# Permissions

Every call that Warden may make in your account, by role, as `infra/warden.yaml` grants it.
A guard's calls are those that its code makes, and no others: a test holds both to one list.

This file is written by `cargo run -p warden-generate`; do not edit it.

In the tables `ACCOUNT` is your account, `REGION` the stack's Region, and `PREFIX` the stack's parameter.
A `*` in the place of the Region or of a name is any.
";

/// The document.
pub(crate) fn text() -> anyhow::Result<String> {
    let template = yaml::read(&template::text()?)?;
    let resources = template["Resources"].as_object().context("resources")?;
    let mut text = HEAD.to_owned();
    for (name, resource) in resources {
        let properties = &resource["Properties"];
        let documents: Vec<&Value> = match resource["Type"].as_str() {
            Some("AWS::IAM::ManagedPolicy") => vec![&properties["PolicyDocument"]],
            Some("AWS::IAM::Role") => properties["Policies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|policy| &policy["PolicyDocument"])
                .collect(),
            _ => continue,
        };
        let description = properties["Description"].as_str().unwrap_or_default();
        let only = resource["Condition"].as_str().map(|condition| format!(" Where `{condition}`.")).unwrap_or_default();
        write!(text, "\n## {name}\n\n{description}{only}\n\n| for | actions | on | where |\n|---|---|---|---|\n")?;
        for statement in documents.iter().flat_map(|document| list(&document["Statement"])) {
            let (statement, only) = match statement.get("Fn::If") {
                Some(branches) => (&branches[1], Some(shown(&branches[0]))),
                None => (statement, None),
            };
            let actions: Vec<String> = list(&statement["Action"]).iter().map(|action| shown(action)).collect();
            let on: Vec<String> = list(&statement["Resource"]).iter().map(|resource| shown(resource)).collect();
            let mut on: Vec<String> = on.into_iter().map(|resource| format!("`{resource}`")).collect();
            on.dedup();
            let mut conditions: Vec<String> = only.map(|condition| format!("`{condition}`")).into_iter().collect();
            for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
                for (key, value) in keys.as_object().into_iter().flatten() {
                    let values: Vec<String> = list(value).iter().map(|value| shown(value)).collect();
                    conditions.push(format!("`{operator} {key}: {}`", values.join(", ")));
                }
            }
            let sid = words(statement["Sid"].as_str().unwrap_or_default());
            let actions = actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(" ");
            writeln!(text, "| {sid} | {actions} | {} | {} |", on.join(" "), conditions.join(" and "))?;
        }
    }
    Ok(text)
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

/// `ChangeFunctionsOptedInToThisGuard` as words.
fn words(sid: &str) -> String {
    let mut words = String::new();
    for letter in sid.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// A value, with the template's own parameters and functions in words.
fn shown(value: &Value) -> String {
    let inner = |function: &str| value.get(function);
    if let Some(text) = value.as_str() {
        return text
            .replace("${AWS::Partition}", "aws")
            .replace("${AWS::AccountId}", "ACCOUNT")
            .replace("${AWS::Region}", "REGION")
            .replace("${Prefix}", "PREFIX");
    }
    if let Some(branches) = inner("Fn::If") {
        return shown(&branches[1]);
    }
    match (inner("Fn::Sub"), inner("Fn::GetAtt"), inner("Ref"), inner("Fn::Select")) {
        (Some(Value::Array(parts)), ..) => {
            let names = parts.get(1).and_then(Value::as_object).into_iter().flatten();
            names.fold(parts.first().map(shown).unwrap_or_default(), |text, (name, value)| {
                text.replace(&format!("${{{name}}}"), &shown(value))
            })
        }
        (Some(text), ..) => shown(text),
        (_, Some(attribute), ..) => shown(attribute),
        (_, _, Some(name), _) => shown(name),
        // One of the names in a parameter's list.
        (_, _, _, Some(of)) => list_parameter(of).unwrap_or_else(|| value.to_string()),
        _ => value.to_string(),
    }
}

fn list_parameter(select: &Value) -> Option<String> {
    let text = select.get(1)?.get("Fn::Split")?.get(1)?.get("Fn::Sub")?.as_str()?;
    let name = text.strip_prefix("${")?.split('}').next()?;
    Some(format!("each of {name}"))
}
