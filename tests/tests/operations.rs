//! Every operation of Lambda and IAM that changes something is classified in `infra/OPERATIONS.md`, and the
//! classification holds: against AWS's own models, the rules in `infra/warden.yaml`, and the guards.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    model::{cloudtrail::CloudTrailEvent, settings::Settings},
    name::lambda::Home,
};
use warden_generate::id;
use warden_guards::{AnyGuard, GUARDS, names};
use warden_sandbox::{ACCOUNT, Options, models};
use warden_tests::{
    events::{self, assert_complete},
    template::Template,
};

const TABLE: &str = include_str!("../../infra/OPERATIONS.md");

/// The services, as their heading in the table, their source in events, and their name in botocore.
const SERVICES: [(&str, &str); 2] = [("Lambda", "lambda"), ("IAM", "iam")];

/// What begins with one of these changes nothing.
const READS: [&str; 4] = ["Get", "List", "Simulate", "Generate"];

#[derive(Debug)]
enum Class {
    Watched(BTreeSet<&'static str>),
    Harmless,
    Unknown,
}

#[derive(Debug)]
struct Row {
    /// What CloudTrail calls it.
    event: String,
    class: Class,
}

/// A service's part of the table, by operation.
fn table(heading: &str) -> BTreeMap<String, Row> {
    let (_, part) = TABLE.split_once(&format!("\n## {heading}\n")).expect("the service's heading");
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let mut rows = BTreeMap::new();
    let mut before = String::new();
    for line in part.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [operation, event, class, why] = cells.as_slice() else { panic!("four cells: {line}") };
        assert!(why.len() > 5 && why.ends_with(['.', ')']), "a reason in a sentence: {line}");
        let class = match (*class, class.strip_prefix("watched: ")) {
            (_, Some(guards)) => Class::Watched(guards.split(", ").map(guard).collect()),
            ("harmless", _) => Class::Harmless,
            ("unknown", _) => Class::Unknown,
            _ => panic!("no class: {line}"),
        };
        let operation = operation.trim_matches('`').to_owned();
        let event = event.trim_end_matches(" (? event-names)").trim_matches('`').to_owned();
        assert!(event.starts_with(&operation), "{line}");
        assert!(before < operation, "in the order of the alphabet: {operation} after {before}");
        before.clone_from(&operation);
        rows.insert(operation, Row { event, class });
    }
    rows
}

/// The name of a guard that there is.
fn guard(name: &str) -> &'static str {
    names().into_iter().find(|known| *known == name).unwrap_or_else(|| panic!("no guard is called {name}"))
}

/// An operation that changes something.
struct Write {
    /// The members of its request, and of its answer, each with those of its own where it is a structure.
    request: Value,
    answer: Value,
}

/// What changes something in any version of a service's API, by AWS's own models.
fn writes(service: &str) -> BTreeMap<String, Write> {
    let models = models(&Options::default().target, service).expect("botocore's models");
    assert!(!models.is_empty());
    let mut writes = BTreeMap::new();
    for model in &models {
        for (name, operation) in model["operations"].as_object().expect("operations") {
            if operation["readonly"] == true || READS.iter().any(|verb| name.starts_with(verb)) {
                continue;
            }
            let members = |side: &str| members(model, operation[side]["shape"].as_str().unwrap_or_default());
            // The latest version has the word.
            writes.insert(name.clone(), Write { request: members("input"), answer: members("output") });
        }
    }
    writes
}

/// A structure's members as CloudTrail spells them, and their own one step further down.
fn members(model: &Value, shape: &str) -> Value {
    let of = |shape: &str| model["shapes"][shape]["members"].as_object().cloned().unwrap_or_default();
    let spelled = |name: &str| format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    let inner = |member: &Value| -> Value {
        of(member["shape"].as_str().unwrap_or_default())
            .keys()
            .map(|name| (spelled(name), json!({})))
            .collect::<Map<_, _>>()
            .into()
    };
    of(shape).iter().map(|(name, member)| (spelled(name), inner(member))).collect::<Map<_, _>>().into()
}

/// What is there to be known of a call, so far as the operation has such a member.
fn only(members: &Value, all: &Value) -> Value {
    let kept = members.as_object().into_iter().flatten().filter_map(|(name, inner)| {
        let value = all.get(name)?;
        let inner = inner.as_object().filter(|inner| !inner.is_empty() && value.is_object() && name != "tags");
        Some((name.clone(), inner.map_or_else(|| value.clone(), |inner| only(&Value::Object(inner.clone()), value))))
    });
    kept.collect::<Map<_, _>>().into()
}

/// The event of a call about a function, a role, a policy or a layer, as it stands in CloudTrail.
fn event(service: &str, name: &str, write: &Write, version: &str) -> Value {
    let pay = format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:pay");
    let tags = if service == "iam" { json!([{"key": "warden", "value": "off"}]) } else { json!({"warden": "off"}) };
    let request = json!({
        "functionName": "pay", "resource": pay, "resourceArn": pay, "statementId": "open", "name": "live",
            "layerName": "tools",
        "versionNumber": 1, "roleName": "pay", "policyName": "more",
            "policyArn": format!("arn:aws:iam::{ACCOUNT}:policy/pay"),
        "tags": tags, "tagKeys": ["warden"], "templateArn": "arn:aws:iam::aws:role-template/x",
            "role": format!("arn:aws:iam::{ACCOUNT}:role/pay"),
    });
    let answer = json!({"version": version, "role": {"roleName": "pay"}, "functionName": "pay"});
    events::event(service, name, &only(&write.request, &request), &only(&write.answer, &answer))
}

fn home() -> Home {
    Home { partition: "aws".parse().unwrap(), region: "us-east-1".into(), account: ACCOUNT.parse().unwrap() }
}

/// Whether a guard looks anywhere when it is given the event.
fn is_concerned(guard: &dyn AnyGuard, event: &Value) -> bool {
    let setting = |name: &str| match name {
        "WARDEN_LAYER_MODE" => Some("enforce".to_owned()),
        "WARDEN_LAYER_NAMES" => Some("tools".to_owned()),
        _ => None,
    };
    let settings = Settings::read(home(), setting).expect("settings");
    assert_complete(event, guard.kind().name());
    let envelope = serde_json::from_value(event.clone()).expect("an event");
    let event = CloudTrailEvent::from_event(&envelope, &home()).expect("an event");
    !guard.requests(&event, &settings).is_empty()
}

/// The guards whose rules deliver an event of this name.
fn delivered(template: &Template, service: &str, name: &str) -> BTreeSet<&'static str> {
    let delivers = |guard: &&&dyn AnyGuard| {
        let pattern = &template.resource(&format!("{}Rule", id(guard.kind().name())))["Properties"]["EventPattern"];
        let from = |list: &Value, text: &str| list.as_array().expect("a list").contains(&json!(text));
        let names = pattern["detail"]["eventName"].as_array().expect("names").clone();
        from(&pattern["source"], &format!("aws.{service}"))
            && from(&pattern["detail"]["eventSource"], &format!("{service}.amazonaws.com"))
            && names.iter().any(|test| match test.as_str() {
                Some(exact) => exact == name,
                None => name.starts_with(test["prefix"].as_str().expect("a name, or a prefix")),
            })
    };
    GUARDS.iter().filter(delivers).map(|guard| guard.kind().name()).collect()
}

#[test]
fn every_operation_that_changes_something_is_classified() {
    for (heading, service) in SERVICES {
        let (known, there) = (table(heading), writes(service));
        let known: BTreeSet<&String> = known.keys().collect();
        let there: BTreeSet<&String> = there.keys().collect();
        let new: Vec<_> = there.difference(&known).collect();
        assert!(new.is_empty(), "{heading} has operations that infra/OPERATIONS.md does not classify: {new:?}");
        let gone: Vec<_> = known.difference(&there).collect();
        assert!(
            gone.is_empty(),
            "infra/OPERATIONS.md classifies what {heading} does not have, or what changes nothing: {gone:?}"
        );
    }
}

#[test]
fn what_is_watched_reaches_its_guards_and_makes_each_of_them_look() {
    let template = Template::read();
    for (heading, service) in SERVICES {
        let writes = writes(service);
        for (operation, row) in table(heading) {
            let expected = match &row.class {
                Class::Watched(guards) => guards.clone(),
                Class::Harmless | Class::Unknown => BTreeSet::new(),
            };
            let write = writes.get(&operation).unwrap_or_else(|| panic!("{heading} has no {operation}"));
            // With its date and without: sources differ, and nobody here has seen them all.
            for name in [&row.event, &operation] {
                assert_eq!(delivered(&template, service, name), expected, "the rules that deliver {name}");
            }
            for guard in GUARDS {
                // What runs on Managed Instances is a version too.
                let versions = ["7", "$LATEST.PUBLISHED"].map(|version| event(service, &row.event, write, version));
                let looked = versions.iter().any(|event| is_concerned(*guard, event));
                let guard = guard.kind().name();
                assert_eq!(looked, expected.contains(guard), "whether {guard} looks for {}", row.event);
            }
        }
    }
}

/// So that nothing in a guard's events stands for an operation that no table and no model has.
#[test]
fn every_event_of_a_guard_is_that_of_an_operation() {
    for guard in GUARDS {
        let name = guard.kind().name();
        for events in guard.events() {
            let (heading, _) = SERVICES.iter().find(|(_, service)| *service == events.service).expect("a service");
            let rows = table(heading);
            for event in events.names {
                let stands_for = |(operation, row): (&String, &Row)| {
                    matches!(&row.class, Class::Watched(guards) if guards.contains(name))
                        && (event.matches(&row.event) || event.matches(operation))
                };
                assert!(rows.iter().any(stands_for), "{name}: nothing that it watches has an event {event:?}");
            }
        }
    }
}
