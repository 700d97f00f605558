//! `infra/warden.yaml`: the shared part, and a block for each guard from its `infra.yaml` and its events.

use crate::{root, yaml};
use anyhow::Context;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use warden_engine::guard::EventName;
use warden_guards::{AnyGuard, GUARDS};

/// What a guard's block is made of.
#[derive(Serialize)]
struct Block {
    /// `access-guard`
    name: &'static str,
    /// `AccessGuard`, which its resources' names begin with.
    id: String,
    guards: String,
    description: String,
    output: String,
    rule: String,
    /// Lines of a comment.
    rule_note: Vec<String>,
    condition: Option<String>,
    /// As they are written in the guard's file, so that comments stay.
    statements: String,
    parameters: String,
    parameter_names: Vec<String>,
    conditions: String,
    /// Tests of names, in the order of the alphabet.
    events: Vec<String>,
    sources: String,
    event_sources: String,
}

/// The template.
pub(crate) fn text() -> anyhow::Result<String> {
    let shared = root().join("infra/warden.yaml.j2");
    let shared = fs::read_to_string(&shared).with_context(|| format!("reading {}", shared.display()))?;
    let blocks: Vec<Block> = in_order().into_iter().map(block).collect::<anyhow::Result<_>>()?;
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let context = minijinja::context! { guards => blocks };
    environment.render_str(&shared, context).context("infra/warden.yaml.j2")
}

/// By their names.
fn in_order() -> Vec<&'static dyn AnyGuard> {
    let mut guards = GUARDS.to_vec();
    guards.sort_by_key(|guard| guard.kind().name());
    guards
}

fn block(guard: &'static dyn AnyGuard) -> anyhow::Result<Block> {
    let name = guard.kind().name();
    let path = format!("functions/{name}/infra.yaml");
    let text = fs::read_to_string(root().join(&path)).with_context(|| format!("reading {path}"))?;
    let read = yaml::read(&text).with_context(|| path.clone())?;
    let said = |key: &str| read.get(key).and_then(Value::as_str).map(str::to_owned);
    let must = |key: &str| said(key).with_context(|| format!("{path} does not say `{key}`"));
    let parameters = read.get("Parameters").and_then(Value::as_object);
    let services = || guard.events().iter().map(|events| events.service);
    let mut events: Vec<&EventName> = guard.events().iter().flat_map(|events| events.names).collect();
    events.sort_by_key(|event| match event {
        EventName::Exact(name) => (0, *name),
        EventName::Prefix(name) => (1, *name),
    });
    events.dedup();
    Ok(Block {
        name,
        id: id(name),
        guards: must("Guards")?,
        description: must("Description")?,
        output: must("Output")?,
        rule: must("Rule")?,
        rule_note: said("RuleNote").iter().flat_map(|note| note.lines()).map(str::to_owned).collect(),
        condition: said("Condition"),
        statements: section(&text, "Statements"),
        parameters: section(&text, "Parameters"),
        parameter_names: parameters.into_iter().flat_map(|them| them.keys().cloned()).collect(),
        conditions: section(&text, "Conditions"),
        events: events
            .into_iter()
            .map(|event| match event {
                EventName::Exact(name) => (*name).to_owned(),
                EventName::Prefix(name) => format!("prefix: {name}"),
            })
            .collect(),
        sources: services().map(|service| format!("aws.{service}")).collect::<Vec<_>>().join(", "),
        event_sources: services().map(|service| format!("{service}.amazonaws.com")).collect::<Vec<_>>().join(", "),
    })
}

/// What the names of a guard's resources in the template begin with: `AccessGuard` of `access-guard`.
pub fn id(name: &str) -> String {
    name.split('-').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// What stands below a key at the left margin, word for word and without its indentation; nothing where the key is not
/// there.
fn section(text: &str, key: &str) -> String {
    let below = text.lines().skip_while(|line| *line != format!("{key}:")).skip(1);
    let lines = below.take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.map(|line| line.strip_prefix("  ").unwrap_or(line)).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
