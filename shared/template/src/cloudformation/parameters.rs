//! What a template's parameters say.

use serde_json::Value;

/// One parameter of a template.
#[derive(Clone, Copy)]
pub(super) struct Parameter<'t>(&'t Value);

impl<'t> Parameter<'t> {
    pub(super) fn find(template: &'t Value, name: &str) -> Option<Self> {
        template.get("Parameters")?.get(name).map(Self)
    }

    /// Its default, as text. Neither that of a parameter whose value is kept elsewhere (the default is the name of an
    /// SSM parameter), nor one that the template calls secret.
    pub(super) fn default(self) -> Option<String> {
        if self.kind().starts_with("AWS::SSM::Parameter") || self.is_secret() {
            return None;
        }
        text(self.0.get("Default")?)
    }

    /// The values that it may have, where that is laid down.
    pub(super) fn allowed(self) -> Vec<String> {
        if self.kind().starts_with("AWS::SSM::Parameter") {
            return Vec::new();
        }
        let allowed = self.0.get("AllowedValues").and_then(Value::as_array);
        allowed.into_iter().flatten().filter_map(text).collect()
    }

    /// Whether CloudFormation hides its value.
    pub(super) fn is_secret(self) -> bool {
        self.0.get("NoEcho").and_then(text).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether its value is whatever text somebody passes, and not a name that its default shows to be a reference.
    pub(super) fn is_free_text(self) -> bool {
        let is_text = matches!(self.kind(), "String" | "AWS::SSM::Parameter::Value<String>");
        let default = self.default().unwrap_or_default();
        let is_reference = ["arn:", "/", "{{resolve:"].iter().any(|start| default.starts_with(start));
        is_text && !is_reference && self.allowed().is_empty()
    }

    /// Whether its value is a list.
    pub(super) fn is_list(self) -> bool {
        let kind = self.kind();
        kind == "CommaDelimitedList" || kind.starts_with("List<")
    }

    fn kind(self) -> &'t str {
        self.0.get("Type").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A scalar as CloudFormation passes it on.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
