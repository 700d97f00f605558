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

    /// Whether its value is whatever text somebody passes, and not a name that its default or its pattern shows to be a
    /// reference.
    pub(super) fn is_free_text(self) -> bool {
        let is_text = matches!(self.kind(), "String" | "AWS::SSM::Parameter::Value<String>");
        let default = self.default().unwrap_or_default();
        let is_reference = ["arn:", "/", "{{resolve:"].iter().any(|start| default.starts_with(start))
            || self.0.get("AllowedPattern").and_then(Value::as_str).is_some_and(lets_in_references_alone);
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

/// Whether an `AllowedPattern` lets in nothing but ARNs, and perhaps the empty text. It has to match the whole value
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>). A pattern that
/// this does not see through may let in anything.
fn lets_in_references_alone(pattern: &str) -> bool {
    let is_reference = |text: &str| text.is_empty() || text.starts_with("arn:");
    alternatives(pattern).is_some_and(|all| {
        all.into_iter().map(without_anchors).all(|one| {
            // A group that is all there is, and may be left out.
            let group = one.strip_prefix("(?:").or(one.strip_prefix('('));
            let group = group.and_then(|rest| rest.strip_suffix(")?").or(rest.strip_suffix(')')));
            is_reference(one)
                || group
                    .and_then(alternatives)
                    .is_some_and(|all| all.into_iter().map(without_anchors).all(is_reference))
        })
    })
}

fn without_anchors(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    pattern.strip_suffix('$').unwrap_or(pattern)
}

/// The parts of a pattern between the `|` that stand in no group; none where the brackets do not pair up.
fn alternatives(pattern: &str) -> Option<Vec<&str>> {
    let (mut depth, mut is_class, mut is_escaped) = (0_usize, false, false);
    let mut parts = Vec::new();
    let mut begins = 0;
    for (at, letter) in pattern.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' => is_class = false,
            _ if is_class => {}
            '[' => is_class = true,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            '|' if depth == 0 => {
                parts.push(pattern.get(begins..at)?);
                begins = at + 1;
            }
            _ => {}
        }
    }
    parts.push(pattern.get(begins..)?);
    (depth == 0 && !is_class && !is_escaped).then_some(parts)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_shows_that_a_value_is_a_reference_only_where_it_lets_in_nothing_else() {
        for reference in [
            "arn:aws:kms:.*",
            "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$",
            "^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$",
            "^$|^arn:(aws|aws-cn|aws-us-gov):kms:.+$",
            "(|arn:aws:secretsmanager:[^|)]+)",
            "^(?:arn:aws:kms:.*)?$",
        ] {
            assert!(lets_in_references_alone(reference), "{reference}");
        }
        for free in [
            ".+",
            "[A-Za-z0-9]{16,}",
            "arn:.*|[A-Za-z0-9]+",
            "(arn:aws:)?[A-Za-z0-9]+",
            "(arn:)?(.*)?",
            "(arn:.*)?|x+",
            "(arn:.*|x+)?",
            "(arn:.*",
            r"(arn:.*\)",
            "arn:[.*",
        ] {
            assert!(!lets_in_references_alone(free), "{free}");
        }
        let deep = format!("{}arn:{}", "(".repeat(1 << 20), ")".repeat(1 << 20));
        assert!(!lets_in_references_alone(&deep));
    }
}
