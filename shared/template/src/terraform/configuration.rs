//! What the expressions of a configuration refer to.

use super::addresses::{self, Step};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The configuration of a plan.
#[derive(Default)]
pub(super) struct Configuration<'p> {
    /// The expressions of every resource, by its address without indexes.
    expressions: HashMap<String, &'p Map<String, Value>>,
    /// What each module is called with, by the module: `module.shop.`.
    calls: HashMap<String, &'p Map<String, Value>>,
    /// What each module gives back, by the module.
    outputs: HashMap<String, &'p Map<String, Value>>,
}

impl<'p> Configuration<'p> {
    /// How many references are followed from one expression.
    const MOST: usize = 256;

    pub(super) fn of(plan: &'p Value) -> Self {
        let mut configuration = Self::default();
        if let Some(root) = plan.pointer("/configuration/root_module") {
            configuration.read(root, "");
        }
        configuration
    }

    fn read(&mut self, module: &'p Value, prefix: &str) {
        let object = |value: &'p Value, key: &str| value.get(key).and_then(Value::as_object);
        for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let address = resource.get("address").and_then(Value::as_str);
            if let (Some(address), Some(expressions)) = (address, object(resource, "expressions")) {
                self.expressions.insert(format!("{prefix}{address}"), expressions);
            }
        }
        self.outputs.extend(object(module, "outputs").map(|outputs| (prefix.to_owned(), outputs)));
        for (name, call) in object(module, "module_calls").into_iter().flatten() {
            let inner = format!("{prefix}module.{name}.");
            self.calls.extend(object(call, "expressions").map(|expressions| (inner.clone(), expressions)));
            if let Some(module) = call.get("module") {
                self.read(module, &inner);
            }
        }
    }

    /// The expressions that a resource is configured by, by its address without indexes.
    pub(super) fn expressions(&self, block: &str) -> Option<&'p Map<String, Value>> {
        self.expressions.get(block).copied()
    }

    /// What an expression of a module refers to, through the variables and outputs of modules. Indexes that are not
    /// known are left out.
    pub(super) fn references(&self, expression: &'p Value, module: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut unread = vec![(expression, module.to_owned())];
        let mut steps = 0;
        while let Some((expression, module)) = unread.pop() {
            steps += 1;
            if steps > Self::MOST {
                break;
            }
            let mut references = Vec::new();
            collect(expression, &mut references);
            for reference in longest(references.into_iter().take(Self::MOST)) {
                match self.through(reference, &module) {
                    Some(through) => unread.push(through),
                    None => found.push(format!("{module}{reference}")),
                }
            }
        }
        found
    }

    /// The expression that stands behind a variable or an output, and the module it stands in.
    fn through(&self, reference: &str, module: &str) -> Option<(&'p Value, String)> {
        match addresses::steps(reference).as_slice() {
            [Step { name: "var", .. }, variable, ..] => {
                let passed = self.calls.get(&addresses::without_indexes(module))?.get(variable.name)?;
                Some((passed, addresses::outer(module)))
            }
            [Step { name: "module", .. }, called, output, ..] => {
                let inner = format!("{module}module.{called}.");
                let given = self.outputs.get(&addresses::without_indexes(&inner))?.get(output.name)?;
                Some((given, inner))
            }
            _ => None,
        }
    }
}

/// Of `aws_iam_role.pay[0].arn`, `aws_iam_role.pay[0]` and `aws_iam_role.pay`, which Terraform lists for one reference,
/// the first.
fn longest<'p>(references: impl Iterator<Item = &'p str>) -> Vec<&'p str> {
    let mut longest: Vec<&str> = Vec::new();
    for reference in references {
        let is_part =
            |of: &&str| of.strip_prefix(reference).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if !longest.iter().any(is_part) {
            longest.push(reference);
        }
    }
    longest
}

fn collect<'p>(expression: &'p Value, found: &mut Vec<&'p str>) {
    match expression {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("references", Value::Array(references)) => {
                        found.extend(references.iter().filter_map(Value::as_str));
                    }
                    (_, value) => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
