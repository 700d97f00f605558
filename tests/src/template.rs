//! The template `infra/warden.yaml`, read from the file itself.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The template, as it is written.
pub const TEMPLATE: &str = include_str!("../../infra/warden.yaml");

/// The template as JSON, with CloudFormation's short tags in their long form: `!Ref X` is `{"Ref": "X"}`.
pub struct Template(Value);

impl Template {
    /// Reads the template.
    pub fn read() -> Self {
        Self(warden_generate::yaml::read(TEMPLATE).expect("the template is YAML"))
    }

    /// A section of it.
    pub fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().expect("a section of the template")
    }

    /// One of its resources.
    #[track_caller]
    pub fn resource(&self, name: &str) -> &Value {
        self.section("Resources").get(name).unwrap_or_else(|| panic!("the template has no {name}"))
    }

    /// Its resources of one type, by name.
    pub fn of_type(&self, kind: &str) -> Vec<(&str, &Value)> {
        let all = self.section("Resources").iter();
        all.filter(|(_, resource)| resource["Type"] == kind).map(|(name, resource)| (name.as_str(), resource)).collect()
    }

    /// Every statement that the stack's identity policies may have, with the resource it stands in. One that depends on
    /// a condition of the template carries that condition's name as `Only if`.
    pub fn statements(&self) -> Vec<(&str, Value)> {
        let mut found = Vec::new();
        for (name, resource) in self.section("Resources") {
            let properties = &resource["Properties"];
            let documents: Vec<&Value> = match text(&resource["Type"]) {
                "AWS::IAM::ManagedPolicy" => vec![&properties["PolicyDocument"]],
                "AWS::IAM::Role" => properties["Policies"]
                    .as_array()
                    .map(|policies| policies.iter().map(|policy| &policy["PolicyDocument"]).collect())
                    .unwrap_or_default(),
                _ => continue,
            };
            for statement in documents.iter().flat_map(|document| list(&document["Statement"])) {
                let statement = match statement.get("Fn::If") {
                    Some(branches) => {
                        assert_eq!(branches[2], json!({"Ref": "AWS::NoValue"}), "{name}: a statement or nothing");
                        let mut conditional = branches[1].clone();
                        conditional["Only if"] = branches[0].clone();
                        conditional
                    }
                    None => statement,
                };
                found.push((name.as_str(), statement));
            }
        }
        found
    }

    /// All actions that these roles and policies may allow.
    pub fn actions(&self, names: &[&str]) -> BTreeSet<String> {
        let statements = self.statements().into_iter();
        statements.filter(|(name, _)| names.contains(name)).flat_map(|(_, statement)| actions(&statement)).collect()
    }
}

/// The actions of a statement.
pub fn actions(statement: &Value) -> Vec<String> {
    list(&statement["Action"]).iter().map(|action| text(action).to_owned()).collect()
}

/// The first word of an action's name: `Get` of `lambda:GetPolicy`.
pub fn verb(action: &str) -> &str {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let end =
        name.char_indices().skip(1).find(|(_, letter)| letter.is_ascii_uppercase()).map_or(name.len(), |(at, _)| at);
    &name[..end]
}

/// A list, or a single item as one.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// What has to be text.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text expected: {value}"))
}
