//! A document that was written to be slow gets an answer, and nothing open about it is hidden by the effort.

use warden_finding::{Finding, Severity};
use warden_policy::{Context, Document, Kind, UrlAuth, function_policy, role_policy, trust_policy};

#[path = "../hostile/documents.rs"]
mod documents;

/// What is open, unless the document is refused.
fn findings(hostile: &documents::Hostile) -> Option<Vec<Finding>> {
    let context = Context::of_account("111122223333".parse().unwrap());
    let document = Document::parse(&hostile.text, hostile.kind).ok()?;
    Some(match hostile.kind {
        Kind::Identity => role_policy::judge(&document, &context),
        Kind::Trust => trust_policy::judge(&document, &context),
        Kind::Resource => function_policy::judge(&document, &context, UrlAuth::Unknown),
    })
}

#[test]
fn nothing_hides_behind_effort() {
    // Refused, or open to nothing that is known.
    let harmless = [
        "actions_that_are_unknown",
        "escapes",
        "nested_lists",
        "nested_objects",
        "one_long_action",
        "one_long_resource",
        "one_resource_of_question_marks",
        "principals_and_accounts",
        "statements_with_patterns",
        "variables",
        "whitespace",
    ];
    for bytes in [1_000, 30_000] {
        for hostile in documents::documents(bytes) {
            if !harmless.contains(&hostile.name) {
                let worst = findings(&hostile).unwrap_or_default().iter().map(|finding| finding.severity).max();
                assert!(worst >= Some(Severity::High), "{} of {bytes} bytes", hostile.name);
            }
        }
    }
}

#[test]
fn a_message_is_short() {
    for hostile in documents::documents(2_000) {
        let findings = findings(&hostile).unwrap_or_default();
        assert!(findings.iter().all(|finding| finding.message.len() < 1_000), "{}", hostile.name);
    }
}
