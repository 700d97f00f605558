//! A second opinion, for tests alone: expand everything, match everything, one letter after the other.

use super::{Itself, RoleTexts, grants::Grants, judge, narrow};
use crate::{Context, Document, Effect, Kind, Selection, Values, Version, service_table};
use proptest::prelude::*;
use serde_json::{Value, json};
use warden_finding::Severity;

/// Which lengths of the text the pattern's letters so far fit, one letter after the other.
fn fits_text(pattern: &str, text: &str) -> bool {
    let text = text.as_bytes();
    let mut fitted = vec![false; text.len() + 1];
    fitted[0] = true;
    for letter in pattern.bytes() {
        let mut next = vec![false; text.len() + 1];
        for end in 0..=text.len() {
            next[end] = match letter {
                b'*' => fitted[..=end].contains(&true),
                b'?' => end > 0 && fitted[end - 1],
                letter => end > 0 && fitted[end - 1] && text[end - 1] == letter,
            };
        }
        fitted = next;
    }
    fitted[text.len()]
}

fn takes(selection: &Selection<Values<'_>>, action: &str) -> bool {
    let fits = |patterns: &Values<'_>| {
        patterns.iter().any(|pattern| fits_text(&pattern.to_lowercase(), &action.to_lowercase()))
    };
    match selection {
        Selection::Only(patterns) => fits(patterns),
        Selection::Except(patterns) => !fits(patterns),
    }
}

/// Whether one resource pattern fits a template that is filled with names nobody could have guessed.
fn is_broad(resource: &str, action: usize, context: &Context) -> bool {
    let templates: Vec<String> = service_table::templates(service_table::type_set(action))
        .map(|template| String::from_utf8(service_table::template(template).to_vec()).unwrap())
        .collect();
    if templates.is_empty() {
        return fits_text(resource, "*");
    }
    let fields: Vec<&str> = resource.splitn(6, ':').collect();
    let own = |nth: usize, other: &str| {
        let field = fields.get(nth).filter(|_| fields[0] == "arn").copied().unwrap_or_default();
        let field = field.replace('*', "").replace('?', "x");
        if field.is_empty() { other.to_owned() } else { field }
    };
    let unguessable = "zyxwvutsrqponmlkjihgfedcba-7F3A9C-KXQZJW-XXXXXX";
    is_everything(resource)
        || templates.iter().any(|template| {
            let filled = template
                .replace('\u{1}', &own(1, "aws"))
                .replace('\u{2}', &own(3, unguessable))
                .replace('\u{3}', context.account.unwrap().as_str())
                .replace('\u{4}', unguessable);
            fits_text(resource, &filled)
        })
}

fn is_everything(resource: &str) -> bool {
    !resource.is_empty() && resource.chars().all(|letter| letter == '*')
}

/// Whether some policies grant an action broadly, their Denies taken off.
fn grants(documents: &[&Document<'_>], action: usize, context: &Context) -> bool {
    let name = service_table::name(action);
    let statements = || documents.iter().flat_map(|document| &document.statements);
    let reaches = |resources: &Selection<Values<'_>>| match resources {
        Selection::Only(resources) => resources.iter().any(|resource| is_broad(resource, action, context)),
        Selection::Except(resources) => !resources.iter().any(is_everything),
    };
    let allowed = statements().any(|statement| {
        statement.effect == Effect::Allow
            && takes(&statement.actions, &name)
            && reaches(statement.resources.as_ref().unwrap())
    });
    let denied = statements().any(|statement| {
        statement.effect == Effect::Deny
            && statement.conditions.is_empty()
            && takes(&statement.actions, &name)
            && match statement.resources.as_ref().unwrap() {
                Selection::Only(resources) => resources.iter().any(is_everything),
                Selection::Except(spared) => !spared.iter().any(|spared| is_broad(spared, action, context)),
            }
    });
    allowed && !denied
}

fn action() -> impl Strategy<Value = String> {
    let exact = prop::sample::select(vec![
        "iam:PassRole",
        "IAM:passrole",
        "s3:GetObject",
        "s3:ListBucket",
        "sqs:SendMessage",
        "lambda:InvokeFunction",
        "iam:Nothing",
        "nothing:Do",
    ]);
    prop_oneof![
        3 => exact.prop_map(str::to_owned),
        2 => "(iam|s3|sqs|lambda|S3|nothing):[A-Za-z*?]{0,3}[*?][A-Za-z]{0,2}",
        1 => "[*?is]{1,3}:[GLP*?]{0,2}[*?]",
        1 => "[*?ils:]{1,5}",
        1 => Just("*".to_owned()),
    ]
}

fn resource() -> impl Strategy<Value = String> {
    let written = prop::sample::select(vec![
        "*",
        "arn:*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::bucket/*",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::111122223333:*",
        "arn:aws:iam::999999999999:role/*",
        "arn:*:lambda:*:*:function:*",
        "arn:aws:lambda:eu-west-1:111122223333:function:*",
        "arn:aws:lambda:eu-*:*:function:f*",
        "arn:aws:sqs:*:*:*",
    ]);
    prop_oneof![
        3 => written.prop_map(str::to_owned),
        1 => "arn:[a*]{1,2}:(s3|iam|sqs|lambda|[*?])[*:]{1,3}[*?r:/]{0,4}",
        1 => "[*?:a]{1,6}",
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let actions =
        (prop::sample::select(vec!["Action", "Action", "Action", "NotAction"]), prop::collection::vec(action(), 1..4));
    let resources = (
        prop::sample::select(vec!["Resource", "Resource", "Resource", "NotResource"]),
        prop::collection::vec(resource(), 1..3),
    );
    let condition = prop::sample::select(vec![json!({}), json!({}), json!({"Bool": {"aws:SecureTransport": "true"}})]);
    (effect, actions, resources, condition).prop_map(|(effect, (action, actions), (resource, resources), condition)| {
        json!({"Effect": effect, action: actions, resource: resources, "Condition": condition})
    })
}

fn policy() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn grants_are_what_the_reference_says(one in policy(), two in policy(), boundary in prop::option::of(policy())) {
        let context = Context::of_account("111122223333".parse().unwrap());
        let parse = |text: &'_ str| -> Document<'static> {
            // A test may leak: the documents have to outlive the closure.
            Document::parse(Box::leak(text.to_owned().into_boxed_str()), Kind::Identity).unwrap()
        };
        let (one, two) = (parse(&one), parse(&two));
        prop_assert_eq!(one.version, Version::V2012);
        let boundary = boundary.as_deref().map(parse);
        let found = Grants::within(&[&one, &two], boundary.as_ref(), &Itself::default(), &context);
        for service in ["iam", "s3", "sqs"] {
            for action in service_table::actions_of(service_table::service(service).unwrap()) {
                let within = boundary.as_ref().is_none_or(|boundary| grants(&[boundary], action, &context));
                let expected = grants(&[&one, &two], action, &context) && within;
                prop_assert_eq!(found.all.contains(action), expected, "{}", service_table::name(action));
            }
        }
    }

    #[test]
    fn what_is_named_is_gone_after_narrowing(text in policy()) {
        let context = Context::of_account("111122223333".parse().unwrap());
        let mut named = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context);
        named.retain(|finding| finding.severity >= Severity::High);
        let role = RoleTexts { policies: &[&text], boundary: None, itself: None };
        let narrowed = narrow(role, 0, &named, None, &context).unwrap();
        prop_assert_eq!(narrowed.edits.is_empty(), named.is_empty());
        let left = narrowed.document.map(|document| document.to_string());
        let left = left.as_deref().map_or(Vec::new(), |left| {
            judge(&Document::parse(left, Kind::Identity).unwrap(), &context)
        });
        for finding in left {
            prop_assert!(finding.severity < Severity::High, "{} is left of {}", finding.id, text);
        }
    }
}
