//! Policies that the data source `aws_iam_policy_document` makes after apply, of what is known of them now
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document>).

use super::{AFTER_APPLY, Plan, Resource, later, list, text};
use crate::{NotJudged, json, node::Node, policy::Policy, unknown};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use warden_policy::AccountId;

/// The type of the data source.
pub(super) const KIND: &str = "aws_iam_policy_document";

impl<'r, 'p> Plan<'r, 'p> {
    /// A policy that stands in an attribute; a note when it is not known yet.
    pub(super) fn document(
        &self,
        resource: &Resource<'p>,
        key: &str,
        own: Option<AccountId>,
        not_judged: &mut Vec<NotJudged>,
    ) -> Option<Policy> {
        let at = if key == "policy" { resource.address.to_owned() } else { format!("{}.{key}", resource.address) };
        if let Some(text) = resource.text(key) {
            return Some(Policy::of_text(at, text.to_owned()));
        }
        let made = self.made(resource, resource.expression(key), &at, own, not_judged);
        if made.is_none() {
            not_judged.push(resource.note(key));
        }
        made
    }

    /// The policy that an expression takes from a data source.
    pub(super) fn made(
        &self,
        resource: &Resource<'p>,
        expression: Option<&'p Value>,
        at: &str,
        own: Option<AccountId>,
        not_judged: &mut Vec<NotJudged>,
    ) -> Option<Policy> {
        let data = self.data(resource, expression)?;
        let document = json!({
            "Version": data.text("version").unwrap_or("2012-10-17"),
            "Statement": self.statements(data, &mut HashSet::new(), not_judged),
        });
        Policy::of_node(at, &Node::plain(&document), own, not_judged)
    }

    /// The data source that an expression takes a policy from, when it is one alone.
    fn data(&self, resource: &Resource<'p>, expression: Option<&'p Value>) -> Option<&'r Resource<'p>> {
        super::single(self.referred(resource, expression, KIND))
    }

    /// The statements of a data source: those of its sources, its own, and those that override them. Of several with
    /// the same Sid, the last counts. A data source that was read already says nothing new.
    fn statements(
        &self,
        data: &Resource<'p>,
        read: &mut HashSet<&'p str>,
        not_judged: &mut Vec<NotJudged>,
    ) -> Vec<Value> {
        let mut statements = Vec::new();
        if !read.insert(data.address) {
            return statements;
        }
        self.add_documents(data, "source_policy_documents", read, &mut statements, not_judged);
        let unknown = data.unknown.and_then(|unknown| unknown.get("statement"));
        if unknown == Some(&Value::Bool(true)) {
            not_judged.push(data.note("statement"));
        }
        for (index, values) in list(data.values, "statement").enumerate() {
            let at = format!("{}.statement[{index}]", data.address);
            if values.is_null() {
                not_judged.push(NotJudged { at, why: AFTER_APPLY.to_owned() });
                continue;
            }
            let block = Block { values, unknown: unknown.and_then(|unknown| unknown.get(index)), at };
            let mut statement = block.statement();
            let expression = data.expression("statement").and_then(|blocks| blocks.get(index)?.get("resources"));
            self.name_resources(data, expression, &mut statement);
            add(&mut statements, statement);
        }
        self.add_documents(data, "override_policy_documents", read, &mut statements, not_judged);
        statements
    }

    /// Adds the roles and managed policies of the plan that stand among the resources of a statement, and whose ARNs
    /// are known only after apply.
    fn name_resources(&self, data: &Resource<'p>, expression: Option<&'p Value>, statement: &mut Value) {
        let Some(Value::Array(resources)) = statement.get_mut("Resource") else { return };
        if resources.iter().any(|resource| resource.as_str().is_some_and(unknown::is_in)) {
            let kinds = ["aws_iam_role", "aws_iam_policy"];
            let named = kinds.into_iter().flat_map(|kind| self.referred(data, expression, kind));
            let later = named.filter(|resource| resource.is_unknown("arn")).map(|resource| resource.later("arn"));
            resources.extend(later.map(Value::from));
        }
    }

    fn add_documents(
        &self,
        data: &Resource<'p>,
        key: &str,
        read: &mut HashSet<&'p str>,
        statements: &mut Vec<Value>,
        not_judged: &mut Vec<NotJudged>,
    ) {
        let mut is_known = !data.is_unknown_at(&[key]) && data.later_of(key) == 0;
        for document in list(data.values, key) {
            let document = document.as_str().map(json::read);
            is_known &= matches!(document, Some(Ok(_)));
            let Some(Ok(mut document)) = document else { continue };
            match document.get_mut("Statement").map(Value::take) {
                Some(Value::Array(list)) => list.into_iter().for_each(|statement| add(statements, statement)),
                Some(single) => add(statements, single),
                None => {}
            }
        }
        if is_known {
            return;
        }
        let referred = self.referred(data, data.expression(key), KIND);
        for inner in &referred {
            for statement in self.statements(inner, read, not_judged) {
                add(statements, statement);
            }
        }
        if referred.is_empty() {
            not_judged.push(data.note(key));
        }
    }
}

/// Adds a statement; one with the same Sid gives way to it.
fn add(statements: &mut Vec<Value>, statement: Value) {
    let sid = |statement: &Value| text(statement, "Sid").filter(|sid| !sid.is_empty()).map(str::to_owned);
    let own = sid(&statement);
    match statements.iter_mut().find(|known| own.is_some() && sid(known) == own) {
        Some(known) => *known = statement,
        None => statements.push(statement),
    }
}

/// A block of the data source, with what is known only after apply.
struct Block<'p> {
    values: &'p Value,
    unknown: Option<&'p Value>,
    /// The place of it, which what is not known is named after.
    at: String,
}

impl<'p> Block<'p> {
    fn statement(&self) -> Value {
        let mut statement = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            statement.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("Sid", text(self.values, "sid").filter(|sid| !sid.is_empty()).map(Value::from));
        put("Effect", Some(self.text("effect").unwrap_or_else(|| "Allow".to_owned()).into()));
        let lists = [
            ("Action", "actions"),
            ("NotAction", "not_actions"),
            ("Resource", "resources"),
            ("NotResource", "not_resources"),
        ];
        for (key, list) in lists {
            put(key, Some(self.texts(list)).filter(|texts| !texts.is_empty()).map(Value::from));
        }
        put("Principal", self.principals("principals"));
        put("NotPrincipal", self.principals("not_principals"));
        put("Condition", self.conditions());
        Value::Object(statement)
    }

    fn principals(&self, key: &str) -> Option<Value> {
        let mut principals: Map<String, Value> = Map::new();
        for block in self.blocks(key) {
            let (kind, names) = (block.text("type").unwrap_or_default(), block.texts("identifiers"));
            if kind == "*" && names == ["*"] {
                return Some("*".into());
            }
            append(&mut principals, kind, names);
        }
        (!principals.is_empty()).then_some(Value::Object(principals))
    }

    fn conditions(&self) -> Option<Value> {
        let mut conditions: Map<String, Value> = Map::new();
        for block in self.blocks("condition") {
            let (Some(test), Some(variable)) = (block.text("test"), block.text("variable")) else { continue };
            let keys = conditions.entry(test).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(keys) = keys {
                append(keys, variable, block.texts("values"));
            }
        }
        (!conditions.is_empty()).then_some(Value::Object(conditions))
    }

    fn unknown(&self, key: &str) -> Option<&'p Value> {
        let unknown = self.unknown?;
        if *unknown == Value::Bool(true) { Some(unknown) } else { unknown.get(key) }
    }

    fn blocks(&self, key: &str) -> Vec<Block<'p>> {
        if self.unknown(key) == Some(&Value::Bool(true)) {
            return vec![Block { values: &Value::Null, unknown: self.unknown(key), at: format!("{}.{key}", self.at) }];
        }
        let blocks = list(self.values, key).enumerate();
        let block = |(index, values)| Block {
            values,
            unknown: self.unknown(key).and_then(|unknown| unknown.get(index)),
            at: format!("{}.{key}[{index}]", self.at),
        };
        blocks.map(block).collect()
    }

    /// A text, or what stands for it until it is known.
    fn text(&self, key: &str) -> Option<String> {
        let later = || (self.unknown(key) == Some(&Value::Bool(true))).then(|| self.later(key));
        text(self.values, key).map(str::to_owned).or_else(later)
    }

    /// The texts of a list. Variables of policies are written `&{aws:username}` in Terraform.
    fn texts(&self, key: &str) -> Vec<String> {
        if self.unknown(key) == Some(&Value::Bool(true)) {
            return vec![self.later(key)];
        }
        let known = list(self.values, key).filter_map(|value| value.as_str()).map(|text| text.replace("&{", "${"));
        let later = (0..later(self.values.get(key), self.unknown(key))).map(|nth| self.later(&format!("{key}[{nth}]")));
        known.chain(later).collect()
    }

    fn later(&self, key: &str) -> String {
        unknown::value(&format!("{}.{key}", self.at))
    }
}

/// Adds texts to those under a key.
fn append(map: &mut Map<String, Value>, key: impl Into<String>, texts: Vec<String>) {
    let list = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.extend(texts.into_iter().map(Value::from));
    }
}
