//! CloudFormation's YAML, as the JSON that it stands for: `!Sub x` is `{"Fn::Sub": "x"}`.
//!
//! Read by a port of libyaml, since what people deploy was tried with what is built on it (cfn-lint, the AWS CLI, SAM):
//! a reader of YAML 1.2 refuses closing brackets and quotes at the parent's indentation, and tabs.
//!
//! Numbers stay the text they are written as: CloudFormation takes either, and an account id may begin with a zero.
//! Aliases and merge keys are no part of CloudFormation's YAML
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>). They are read all the
//! same: the AWS CLI and SAM carry them out before a template is sent, and `aws cloudformation package` writes aliases.

use crate::error::{TemplateError, shortened};
use libyaml_safer::{Event, EventData, Mark, Parser, ScalarStyle};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::HashMap};

/// As deep as serde_json reads.
const DEEPEST: usize = 128;

/// How many values aliases may stand for, all in all: as many as cfn-lint takes, and more than fit into a template.
const MOST_ALIASED: usize = 250_000;

const YAMLS_OWN: &str = "tag:yaml.org,2002:";
const MERGE: &str = "<<";

pub(crate) fn read(text: &str) -> Result<Value, TemplateError> {
    let text = readable(text);
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut reader = Reader::default();
    for event in parser {
        let event = event.map_err(|error| {
            let context = error.context().map(|context| format!(" {context}")).unwrap_or_default();
            failed(&error.problem_mark().unwrap_or_default(), format!("{}{context}", error.problem()))
        })?;
        reader.take(event)?;
    }
    reader.document.ok_or_else(|| failed(&Mark::default(), "there is no document".to_owned()))
}

fn failed(place: &Mark, message: String) -> TemplateError {
    let number = |from_zero: u64| usize::try_from(from_zero).unwrap_or(usize::MAX).saturating_add(1);
    TemplateError::Yaml { message, line: number(place.line), column: number(place.column) }
}

/// The text as the parser can take it. It fails on a text that ends within its last line, and on a tag that a comma
/// follows at once, `[!Ref,x]`; a space between them says the same.
fn readable(text: &str) -> Cow<'_, str> {
    let mut spaced = String::new();
    let mut copied = 0;
    let mut tag = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '!' => tag = true,
            ',' if tag => {
                spaced.push_str(text.get(copied..at).unwrap_or_default());
                spaced.push(' ');
                copied = at;
                tag = false;
            }
            letter if letter.is_whitespace() => tag = false,
            _ => {}
        }
    }
    if copied == 0 && text.ends_with('\n') {
        return Cow::Borrowed(text);
    }
    spaced.push_str(text.get(copied..).unwrap_or_default());
    if !spaced.ends_with('\n') {
        spaced.push('\n');
    }
    Cow::Owned(spaced)
}

/// A list or mapping that has begun.
struct Open {
    /// The function that its tag stands for.
    function: Option<String>,
    anchor: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Mapping(Mapping),
}

#[derive(Default)]
struct Mapping {
    read: Map<String, Value>,
    /// The key whose value comes next.
    pending: Option<Key>,
    /// The mappings that are merged into it, in their order.
    merged: Vec<Map<String, Value>>,
}

enum Key {
    Text(String),
    /// `<<`, written without quotes.
    Merge,
}

impl Mapping {
    /// What is written out goes before what is merged, and the first merged before the others
    /// (<https://yaml.org/type/merge.html>).
    fn whole(self) -> Map<String, Value> {
        let mut whole = self.read;
        for (key, value) in self.merged.into_iter().flatten() {
            whole.entry(key).or_insert(value);
        }
        whole
    }
}

/// A value that aliases may stand for.
struct Anchored {
    value: Value,
    values: usize,
    depth: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    document: Option<Value>,
    anchored: HashMap<String, Anchored>,
    /// How many values aliases stood for so far.
    aliased: usize,
}

impl Reader {
    fn take(&mut self, event: Event) -> Result<(), TemplateError> {
        let place = &event.start_mark;
        match event.data {
            EventData::StreamStart { .. } | EventData::StreamEnd | EventData::DocumentEnd { .. } => Ok(()),
            EventData::DocumentStart { .. } if self.document.is_some() => {
                Err(failed(place, "a template is one document, and here begins another".to_owned()))
            }
            EventData::DocumentStart { .. } => Ok(()),
            EventData::Alias { anchor } => self.alias(&anchor, place),
            EventData::SequenceStart { anchor, tag, .. } => {
                self.begin(anchor, tag.as_deref(), Content::List(Vec::new()), place)
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.begin(anchor, tag.as_deref(), Content::Mapping(Mapping::default()), place)
            }
            EventData::SequenceEnd | EventData::MappingEnd => match self.open.pop() {
                Some(Open { function, anchor, content }) => {
                    let value = match content {
                        Content::List(items) => Value::Array(items),
                        Content::Mapping(mapping) => Value::Object(mapping.whole()),
                    };
                    self.add(anchor, called(function, value), place)
                }
                None => Ok(()),
            },
            EventData::Scalar { anchor, tag, value: text, style, .. } => {
                let function = tag.as_deref().and_then(function);
                let is_key = self.is_at_key();
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let value = match text.as_str() {
                    MERGE if is_plain && is_key => {
                        self.begin_merge();
                        return Ok(());
                    }
                    "" | "~" | "null" | "Null" | "NULL" if is_plain && !is_key => Value::Null,
                    // As YAML 1.1 has them (<https://yaml.org/type/bool.html>).
                    "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if is_plain && !is_key => {
                        Value::Bool(true)
                    }
                    "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if is_plain && !is_key => {
                        Value::Bool(false)
                    }
                    _ => Value::String(text),
                };
                self.add(anchor, called(function, value), place)
            }
        }
    }

    fn is_at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Mapping(Mapping { pending: None, .. }), .. }))
    }

    fn begin(
        &mut self,
        anchor: Option<String>,
        tag: Option<&str>,
        content: Content,
        place: &Mark,
    ) -> Result<(), TemplateError> {
        if self.open.len() >= DEEPEST {
            return Err(failed(place, format!("more than {DEEPEST} levels")));
        }
        self.open.push(Open { function: tag.and_then(function), anchor, content });
        Ok(())
    }

    fn begin_merge(&mut self) {
        if let Some(Open { content: Content::Mapping(mapping), .. }) = self.open.last_mut() {
            mapping.pending = Some(Key::Merge);
        }
    }

    fn alias(&mut self, anchor: &str, place: &Mark) -> Result<(), TemplateError> {
        let Some(anchored) = self.anchored.get(anchor) else {
            let message = format!("there is no anchor `{}` before its alias", shortened(anchor));
            return Err(failed(place, message));
        };
        self.aliased = self.aliased.saturating_add(anchored.values);
        if self.aliased > MOST_ALIASED {
            return Err(failed(place, format!("the aliases stand for more than {MOST_ALIASED} values")));
        }
        if self.open.len() + anchored.depth > DEEPEST {
            return Err(failed(place, format!("more than {DEEPEST} levels")));
        }
        let value = anchored.value.clone();
        self.add(None, value, place)
    }

    fn add(&mut self, anchor: Option<String>, value: Value, place: &Mark) -> Result<(), TemplateError> {
        if let Some(anchor) = anchor {
            let (values, depth) = size(&value);
            self.anchored.insert(anchor, Anchored { value: value.clone(), values, depth });
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.document = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Mapping(mapping)) => {
                match (mapping.pending.take(), value) {
                    (Some(Key::Merge), value) => {
                        mapping.merged.extend(merged(value).ok_or_else(|| {
                            failed(place, "what a merge key stands before must be mappings".to_owned())
                        })?);
                    }
                    (Some(Key::Text(key)), value) => {
                        mapping.read.insert(key, value);
                    }
                    (None, Value::String(key)) if mapping.read.contains_key(&key) => {
                        return Err(failed(place, format!("duplicate key `{}`", shortened(&key))));
                    }
                    (None, Value::String(key)) => mapping.pending = Some(Key::Text(key)),
                    (None, _) => return Err(failed(place, "a key must be text".to_owned())),
                }
            }
        }
        Ok(())
    }
}

/// The mappings that a merge key takes: one, or a list of them.
fn merged(value: Value) -> Option<Vec<Map<String, Value>>> {
    let items = match value {
        Value::Array(items) => items,
        single @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![single]
        }
    };
    let mapping = |item| match item {
        Value::Object(map) => Some(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    };
    items.into_iter().map(mapping).collect()
}

/// How many values there are in it, itself among them, and how many levels.
fn size(value: &Value) -> (usize, usize) {
    let of_all = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
        let (values, depth) = sizes.fold((0, 0), |(values, depth), (more, deep)| (values + more, depth.max(deep)));
        (values + 1, depth + 1)
    };
    match value {
        Value::Array(items) => of_all(&mut items.iter().map(size)),
        Value::Object(map) => of_all(&mut map.values().map(size)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (1, 0),
    }
}

/// The long form of a short tag; none for YAML's own, such as `!!str`.
fn function(tag: &str) -> Option<String> {
    if tag.starts_with(YAMLS_OWN) {
        return None;
    }
    Some(match tag.trim_start_matches('!') {
        word @ ("Ref" | "Condition") => word.to_owned(),
        "" => return None,
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
        check("null: 1\ntrue: 2\non: 3", json!({"null": "1", "true": "2", "on": "3"}));
        check("[yes, No, on, 'yes', y, !!str off]", json!([true, false, true, "yes", "y", "off"]));
    }

    #[test]
    fn what_is_ambiguous_is_refused_where_it_stands() {
        refused("a: 1\nb:\n  c: 1\n  c: 2", "duplicate key `c` at line 4 column 3");
        refused("a: *x\nb: &x 1", "there is no anchor `x` before its alias at line 1 column 4");
        refused("a: &x\n  b: *x", "there is no anchor `x` before its alias at line 2 column 6");
        refused("a:\n  <<: b", "what a merge key stands before must be mappings at line 2 column 7");
        refused("a: 1\n---\nb: 2", "a template is one document, and here begins another at line 2 column 1");
        refused("[a, b]: 1", "a key must be text at line 1 column 6");
        refused("", "there is no document at line 1 column 1");
    }

    #[test]
    fn what_libyaml_takes_is_taken() {
        let of = |value: Value| json!({"a": {"b": value}, "c": "d"});
        for flow in ["[x,\n    y\n  ]", "[\n    x,\n    y\n]", "[\nx,\ny\n  ]", "[\n\tx,\n\ty\n  ]", "[x,#one\n y]"] {
            check(&format!("a:\n  b: {flow}\nc: d\n"), of(json!(["x", "y"])));
        }
        check("a:\n  b: {\n    x: y\n}\nc: d", of(json!({"x": "y"})));
        for quoted in ["\"x\n  y\"", "\"x\ny\"", "'x\n  y'", "'x\ny'", "\"x\n    y\n  \""] {
            let ends_with_space = quoted.ends_with(" \"");
            check(&format!("a:\n  b: {quoted}\nc: d"), of(json!(if ends_with_space { "x y " } else { "x y" })));
        }
        check("a:\tb\nc: d\t", json!({"a": "b", "c": "d"}));
        check("a:\t\n  b: \"c\"#d", json!({"a": {"b": "c"}}));
        for directive in ["%YAML 1.1\n---\n", "%YAML 1.2\n--- # x\n", "# x\n---\n"] {
            check(&format!("{directive}a: b\n...\n"), json!({"a": "b"}));
        }
        check("a: |\n  b", json!({"a": "b\n"}));
        check("a: [!Ref B,!Ref C ,d]", json!({"a": [{"Ref": "B"}, {"Ref": "C"}, "d"]}));
        check("a: [!X,b]", json!({"a": [{"Fn::X": ""}, "b"]}));
        check("a: ! 'b'", json!({"a": "b"}));
    }

    #[test]
    fn aliases_and_merge_keys_are_carried_out() {
        check("a: &x {b: [1]}\nc: *x\nd: [*x]", json!({"a": {"b": ["1"]}, "c": {"b": ["1"]}, "d": [{"b": ["1"]}]}));
        check(
            "a: &x !Ref B\nb: *x\nc: &x !Sub\n  - d\n  - {}\ne: *x",
            json!({
                "a": {"Ref": "B"}, "b": {"Ref": "B"}, "c": {"Fn::Sub": ["d", {}]}, "e": {"Fn::Sub": ["d", {}]},
            }),
        );
        check("a: &x b\n*x : c", json!({"a": "b", "b": "c"}));
        check("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", json!({"a": {"b": "1", "c": "2"}, "d": {"b": "3", "c": "2"}}));
        check(
            "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne:\n  <<: [*x, *y]",
            json!({"a": {"b": "1"}, "c": {"b": "2", "d": "3"}, "e": {"b": "1", "d": "3"}}),
        );
        // Quoted, it is a key like any other.
        check("'<<': 1", json!({"<<": "1"}));
    }

    #[test]
    fn hostile_text_is_an_error() {
        for text in ["[".repeat(200_000), "- ".repeat(200_000), "{a: ".repeat(200_000)] {
            assert!(read(&text).is_err());
        }
        for text in ["a: \"\\", "a: |\n  !", "a: >\n", "[!x,", "!a!%41,", "a: '", "%YAML", "\u{feff}", "a: \"\\x", "\0"]
        {
            let _either = read(text);
        }
        let doubled: String = (1..40).map(|nth| format!("a{nth}: &a{nth} [*a{0}, *a{0}]\n", nth - 1)).collect();
        refused(
            &format!("a0: &a0 [x]\n{doubled}"),
            "the aliases stand for more than 250000 values at line 17 column 12",
        );
        let nested: String = (1..200).map(|nth| format!("a{nth}: &a{nth} [*a{}]\n", nth - 1)).collect();
        refused(&format!("a0: &a0 [x]\n{nested}"), "more than 128 levels at line 128 column 14");
    }
}
