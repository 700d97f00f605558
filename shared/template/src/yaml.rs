//! CloudFormation's YAML, as the JSON that it stands for: `!Sub x` is `{"Fn::Sub": "x"}`.
//!
//! Numbers stay the text they are written as: CloudFormation takes either, and an account id may begin with a zero.
//! Aliases and merge keys are no part of it
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>).

use crate::error::{TemplateError, shortened};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

/// As deep as serde_json reads.
const DEEPEST: usize = 128;

pub(crate) fn read(text: &str) -> Result<Value, TemplateError> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| failed(error.marker(), shortened(error.info())))?;
        reader.take(event, &span.start)?;
    }
    reader.document.ok_or_else(|| failed(&Marker::new(0, 1, 0), "there is no document".to_owned()))
}

fn failed(place: &Marker, message: String) -> TemplateError {
    TemplateError::Yaml { message, line: place.line(), column: place.col() + 1 }
}

/// A list or mapping that has begun.
struct Open {
    /// The function that its tag stands for.
    function: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Mapping(Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    document: Option<Value>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, place: &Marker) -> Result<(), TemplateError> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(failed(place, "a template is one document, and here begins another".to_owned()))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => Err(failed(place, "CloudFormation takes no aliases".to_owned())),
            Event::SequenceStart(_, tag) => self.begin(tag.as_deref(), Content::List(Vec::new()), place),
            Event::MappingStart(_, tag) => self.begin(tag.as_deref(), Content::Mapping(Map::new(), None), place),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { function, content }) => {
                    let value = match content {
                        Content::List(items) => Value::Array(items),
                        Content::Mapping(mapping, _) => Value::Object(mapping),
                    };
                    self.add(called(function, value), place)
                }
                None => Ok(()),
            },
            Event::Scalar(text, style, _, tag) => {
                let function = tag.as_deref().and_then(function);
                let is_key = matches!(self.open.last(), Some(Open { content: Content::Mapping(_, None), .. }));
                let is_plain = style == ScalarStyle::Plain && tag.is_none() && !is_key;
                let value = match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if is_plain => Value::Null,
                    "true" | "True" | "TRUE" if is_plain => Value::Bool(true),
                    "false" | "False" | "FALSE" if is_plain => Value::Bool(false),
                    text => Value::String(text.to_owned()),
                };
                self.add(called(function, value), place)
            }
        }
    }

    fn begin(&mut self, tag: Option<&Tag>, content: Content, place: &Marker) -> Result<(), TemplateError> {
        if self.open.len() >= DEEPEST {
            return Err(failed(place, format!("more than {DEEPEST} levels")));
        }
        self.open.push(Open { function: tag.and_then(function), content });
        Ok(())
    }

    fn add(&mut self, value: Value, place: &Marker) -> Result<(), TemplateError> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.document = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Mapping(mapping, pending)) => match (pending.take(), value) {
                (Some(key), value) => {
                    mapping.insert(key, value);
                }
                (None, Value::String(key)) if key == "<<" => {
                    return Err(failed(place, "CloudFormation takes no merge keys".to_owned()));
                }
                (None, Value::String(key)) if mapping.contains_key(&key) => {
                    return Err(failed(place, format!("duplicate key `{}`", shortened(&key))));
                }
                (None, Value::String(key)) => *pending = Some(key),
                (None, _) => return Err(failed(place, "a key must be text".to_owned())),
            },
        }
        Ok(())
    }
}

/// The long form of a short tag; none for YAML's own, such as `!!str`.
fn function(tag: &Tag) -> Option<String> {
    if tag.is_yaml_core_schema() {
        return None;
    }
    Some(match tag.suffix.as_str() {
        word @ ("Ref" | "Condition") => word.to_owned(),
        word => format!("Fn::{word}"),
    })
}

fn called(function: Option<String>, value: Value) -> Value {
    match function {
        Some(function) => Value::Object(Map::from_iter([(function, value)])),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn short_tags_are_functions() {
        check("a: !Ref B", json!({"a": {"Ref": "B"}}));
        check("a: !GetAtt B.Arn", json!({"a": {"Fn::GetAtt": "B.Arn"}}));
        check(
            "- !If [C, !Sub \"${D}/*\", !Ref AWS::NoValue]",
            json!([
                {"Fn::If": ["C", {"Fn::Sub": "${D}/*"}, {"Ref": "AWS::NoValue"}]}
            ]),
        );
        check(
            "a: !Sub\n  - ${B}\n  - { B: !ImportValue x }",
            json!({
                "a": {"Fn::Sub": ["${B}", {"B": {"Fn::ImportValue": "x"}}]}
            }),
        );
        check("a: !Equals [!Condition B, \"\"]", json!({"a": {"Fn::Equals": [{"Condition": "B"}, ""]}}));
    }

    #[test]
    fn scalars_are_what_cloudformation_makes_of_them() {
        check("Version: 2012-10-17", json!({"Version": "2012-10-17"}));
        check("a: 012345678901", json!({"a": "012345678901"}));
        check("a: [true, 'true', !!str true, null, 1.50]", json!({"a": [true, "true", "true", null, "1.50"]}));
        check("a: >-\n  one\n  two", json!({"a": "one two"}));
        check("null: 1\ntrue: 2", json!({"null": "1", "true": "2"}));
    }

    #[test]
    fn what_is_ambiguous_is_refused_where_it_stands() {
        refused("a: 1\nb:\n  c: 1\n  c: 2", "duplicate key `c` at line 4 column 3");
        refused("a: &x 1\nb: *x", "CloudFormation takes no aliases at line 2 column 4");
        refused("a:\n  <<: {b: 1}", "CloudFormation takes no merge keys at line 2 column 3");
        refused("a: 1\n---\nb: 2", "a template is one document, and here begins another at line 2 column 1");
        refused("[a, b]: 1", "a key must be text at line 1 column 6");
        refused("", "there is no document at line 1 column 1");
    }

    #[test]
    fn hostile_text_is_an_error() {
        for text in ["[".repeat(200_000), "- ".repeat(200_000), "{a: ".repeat(200_000)] {
            assert!(read(&text).is_err());
        }
    }
}
