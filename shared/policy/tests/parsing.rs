//! What a document may look like, and what is said about one that may not.

use proptest::prelude::*;
use warden_policy::{Context, Document, Effect, Kind, Selection, UrlAuth, Version, function_policy, layer_policy};

#[track_caller]
fn check(kind: Kind, text: &str, expected: &str) {
    assert_eq!(Document::parse(text, kind).unwrap_err().to_string(), expected, "{text}");
}

const STATEMENT: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;

#[test]
fn one_statement_as_an_object_is_a_list_of_one() {
    let object = format!(r#"{{"Statement":{STATEMENT}}}"#);
    let list = format!(r#"{{"Statement":[{STATEMENT}]}}"#);
    assert_eq!(Document::parse(&object, Kind::Identity), Document::parse(&list, Kind::Identity));
}

#[test]
fn a_scalar_or_a_list_anywhere() {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":["a"],"Service":"b"},
        "NotAction":["c","d"],"NotResource":"e","Condition":{"Bool":{"k":true},"NumericLessThan":{"n":[3600,-1,1.5,"x"]}}}}"#;
    let document = Document::parse(text, Kind::Resource).unwrap();
    let statement = &document.statements[0];
    assert_eq!(document.version, Version::V2012);
    assert_eq!(statement.effect, Effect::Deny);
    assert!(matches!(&statement.actions, Selection::Except(actions) if actions.iter().eq(["c", "d"])));
    assert!(matches!(&statement.resources, Some(Selection::Except(resources)) if resources.iter().eq(["e"])));
    assert!(statement.conditions[0].values.iter().eq(["true"]));
    assert!(statement.conditions[1].values.iter().eq(["3600", "-1", "1.5", "x"]));
}

#[test]
fn no_version_is_the_old_one() {
    let version = |text: &str| Document::parse(text, Kind::Identity).unwrap().version;
    assert_eq!(version(r#"{"Statement":[]}"#), Version::V2008);
    assert_eq!(version(r#"{"Version":"2008-10-17","Statement":[]}"#), Version::V2008);
    check(
        Kind::Identity,
        r#"{"Version":"2012-10-18","Statement":[]}"#,
        "unknown Version `2012-10-18`, expected `2012-10-17` or `2008-10-17` at line 1 column 23",
    );
}

#[test]
fn a_duplicate_key_is_refused_at_its_place() {
    check(
        Kind::Identity,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Action":"s3:GetObject"}]}"#,
        "duplicate key `Action` at line 1 column 91",
    );
    check(Kind::Identity, "{\"Statement\":[],\n \"Statement\":[]}", "duplicate key `Statement` at line 2 column 12");
    check(
        Kind::Resource,
        r#"{"Statement":{"Principal":{"AWS":"a","AWS":"b"}}}"#,
        "duplicate key `AWS` at line 1 column 42",
    );
    check(
        Kind::Resource,
        r#"{"Statement":{"Condition":{"Bool":{"a":"1"},"Bool":{"a":"2"}}}}"#,
        "duplicate key `Bool` at line 1 column 50",
    );
    // Escapes and case do not hide it: condition keys have no case.
    check(
        Kind::Resource,
        r#"{"Statement":{"Condition":{"StringEquals":{"aws:SourceArn":"1","AWS:sourcearn":"2"}}}}"#,
        "duplicate key `AWS:sourcearn` at line 1 column 78",
    );
    check(
        Kind::Resource,
        r#"{"Statement":{"Effect":"Allow","\u0045ffect":"Deny"}}"#,
        "duplicate key `Effect` at line 1 column 44",
    );
}

#[test]
fn an_unknown_or_misspelled_key_is_refused() {
    check(
        Kind::Identity,
        r#"{"Statement":[{"Effect":"Allow","Actions":"*","Resource":"*"}]}"#,
        "unknown key `Actions` in a statement (did you mean `Action`?) at line 1 column 41",
    );
    check(
        Kind::Identity,
        r#"{"statement":[]}"#,
        "unknown key `statement` in a policy document (did you mean `Statement`?) at line 1 column 12",
    );
    check(
        Kind::Resource,
        r#"{"Statement":{"Principal":{"aws":"*"}}}"#,
        "unknown key `aws` in a principal (did you mean `AWS`?) at line 1 column 32",
    );
}

#[test]
fn a_statement_has_what_its_kind_of_policy_needs() {
    let one = |statement: &str| format!(r#"{{"Statement":{statement}}}"#);
    #[track_caller]
    fn check_start(kind: Kind, text: &str, expected: &str) {
        let message = Document::parse(text, kind).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
        assert!(message.contains(" at line 1 column "), "{message}");
    }
    check_start(Kind::Identity, "{}", "the document has no `Statement`");
    check_start(Kind::Identity, &one(r#"{"Action":"*","Resource":"*"}"#), "the statement has no `Effect`");
    check_start(
        Kind::Identity,
        &one(r#"{"Effect":"allow","Action":"*","Resource":"*"}"#),
        "unknown Effect `allow`, expected `Allow` or `Deny`",
    );
    check_start(
        Kind::Identity,
        &one(r#"{"Effect":"Allow","Resource":"*"}"#),
        "the statement has neither `Action` nor `NotAction`",
    );
    check_start(
        Kind::Identity,
        &one(r#"{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}"#),
        "the statement has both `Action` and `NotAction`",
    );
    check_start(
        Kind::Identity,
        &one(r#"{"Effect":"Allow","Action":"*"}"#),
        "the statement has neither `Resource` nor `NotResource`",
    );
    check_start(
        Kind::Identity,
        &one(r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#),
        "a policy of a role, user or group has no `Principal`",
    );
    check_start(Kind::Resource, &one(STATEMENT), "the statement has neither `Principal` nor `NotPrincipal`");
    check_start(
        Kind::Trust,
        &one(r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#),
        "a trust policy has no `Resource`",
    );
}

#[test]
fn what_is_no_policy_is_refused_with_its_place() {
    for (text, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "invalid type: sequence, expected a policy document: an object with `Statement` at line 1 column 0"),
        (r#"{"Statement":[]}x"#, "trailing characters at line 1 column 17"),
        (
            r#"{"Statement":[null]}"#,
            "invalid type: null, expected a statement: an object with `Effect` and `Action` at line 1 column 18",
        ),
        (
            r#"{"Statement":{"Action":5}}"#,
            "invalid type: integer `5`, expected text or a list of texts at line 1 column 24",
        ),
        (r#"{"Statement":{"Action":["a",["b"]]}}"#, "invalid type: sequence, expected text at line 1 column 28"),
        (r#"{"Id":"\ud800"}"#, "unexpected end of hex escape at line 1 column 14"),
        (r#"{"Statement":["#, "EOF while parsing a list at line 1 column 14"),
    ] {
        check(Kind::Identity, text, expected);
    }
}

#[test]
fn a_hostile_document_gets_a_short_answer() {
    let long = "x".repeat(100_000);
    for text in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"Statement":"{long}"}}"#),
        format!(r#"{{"Statement":{{"Effect":"{long}"}}}}"#),
        "[".repeat(200_000),
        format!(r#"{{"Statement":{}"#, "[".repeat(100_000)),
    ] {
        let message = Document::parse(&text, Kind::Identity).unwrap_err().to_string();
        assert!(message.len() < 500, "{}", message.len());
        assert!(message.contains(" at line 1 column "), "{message}");
    }
    let too_long = Document::parse(&" ".repeat(300_000), Kind::Identity).unwrap_err().to_string();
    assert_eq!(too_long, "the document has 300000 bytes: a policy has at most 262144");
}

/// Pieces of policies, so that random text gets past the first brace.
fn policy_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"Statement\":",
        "\"Effect\":\"Allow\"",
        "\"Action\":",
        "\"*\"",
        "\"Principal\":",
        "\"AWS\":",
        "\"Condition\":",
        "\"StringLike\":",
        "\"aws:SourceArn\":",
        "\"${\"",
        "\\u0000",
        "\\ud83d",
        "\u{202e}",
        "é",
        "null",
        "1e999",
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:*\"}}",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_anything_panic(text in prop_oneof![".*", policy_like()]) {
        let _ = warden_policy::decode_iam_document(&text);
        for kind in [Kind::Identity, Kind::Trust, Kind::Resource] {
            let _ = Document::parse(&text, kind);
        }
    }

    #[test]
    fn no_value_makes_a_judge_panic(
        principal in ".*", action in ".*", resource in ".*", operator in "(StringLike|ArnLike|IpAddress|.*)",
        key in "(aws:SourceArn|aws:SourceIp|aws:PrincipalOrgPaths|lambda:FunctionUrlAuthType|.*)",
            value in "(arn:.*|[0-9./:]*|.*)",
    ) {
        let text = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": principal, "Service": principal}, "Action": action,
                "Resource": resource,
            "Condition": {operator: {key: value}},
        }}).to_string();
        let document = Document::parse(&text, Kind::Resource).unwrap();
        let context = Context::of_account("111122223333".parse().unwrap());
        let findings = function_policy::judge(&document, &context, UrlAuth::Unknown);
        function_policy::narrow(&text, &findings, Some(&text), &context).unwrap();
        layer_policy::narrow(&text, &layer_policy::judge(&document, &context), &context).unwrap();
    }
}
