//! `warden check` of roles: their policies, their trust, and both together.

mod process;

use process::run;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";

/// Judges documents, one to a line, and gives the answers back.
fn answers(kind: &str, documents: &[Value]) -> Vec<Value> {
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    let output = run(&["check", kind, "--jsonl", "--account", ACCOUNT], lines);
    let answers: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers.len(), documents.len(), "one answer to each line");
    answers
}

/// Judges one document and compares what was found and where, or the error.
#[track_caller]
fn check(kind: &str, document: Value, expected: &[&str]) {
    let answer = answers(kind, &[document]).remove(0);
    if let Some(error) = answer["error"].as_str() {
        return assert_eq!(vec![error], expected);
    }
    let word = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let findings = answer["findings"].as_array().expect("findings or an error").iter();
    let findings = findings.map(|it| format!("{} {} at {}", word(it, "severity"), word(it, "id"), word(it, "at")));
    assert_eq!(findings.collect::<Vec<_>>(), expected);
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})
}

fn trust(principal: Value) -> Value {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn url_encoded(document: &Value) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    document.to_string().bytes().map(encode).collect()
}

#[test]
fn a_role_policy_is_judged_by_itself() {
    check("role-policy", allow(&["*"], "*"), &["critical wildcard-admin at Statement[0]"]);
    check("role-policy", allow(&["secretsmanager:GetSecretValue"], "*"), &["high wildcard-data-read at Statement[0]"]);
    check("role-policy", allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*"), &[]);
    check(
        "role-policy",
        trust(json!("*")),
        &["a policy of a role, user or group has no `Principal` at line 1 column 97"],
    );
}

#[test]
fn a_trust_policy_is_judged_in_its_account() {
    check("trust-policy", trust(json!("*")), &["critical trust-public at Statement[0]"]);
    check("trust-policy", trust(json!({"Service": "lambda.amazonaws.com"})), &[]);
    check("trust-policy", trust(json!({"AWS": ACCOUNT})), &[]);
    check("trust-policy", trust(json!({"AWS": "999999999999"})), &["high trust-external-account at Statement[0]"]);
}

#[test]
fn a_finding_in_a_role_names_its_document() {
    let role = json!({
        "policies": [allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*"), allow(&["*"], "*")],
        "trust": trust(json!({"AWS": [ACCOUNT, "999999999999"]})),
    });
    check(
        "role",
        role,
        &[
            "critical wildcard-admin at policies[1].Statement[0]",
            "high trust-external-account at trust.Statement[0].Principal.AWS[1]",
        ],
    );
}

#[test]
fn policies_that_are_harmless_apart_may_not_be_so_together() {
    let pass = allow(&["iam:PassRole"], "*");
    let create = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*");
    let is_escalation = |finding: &Value| finding["id"] == "privilege-escalation";
    let escalations = |kind: &str, document: Value| -> Vec<Value> {
        let answer = answers(kind, &[document]).remove(0);
        answer["findings"].as_array().expect("findings").iter().filter(|it| is_escalation(it)).cloned().collect()
    };
    assert!(escalations("role-policy", pass.clone()).is_empty());
    assert!(escalations("role-policy", create.clone()).is_empty());
    let together = escalations("role", json!({"policies": [create, pass]}));
    assert_eq!(together.len(), 1);
    assert_eq!(together[0]["at"], "policies[1].Statement[0]");
}

#[test]
fn a_boundary_takes_away_what_it_does_not_allow() {
    let boundary = allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*");
    check("role", json!({"policies": [allow(&["*"], "*")], "boundary": boundary}), &[]);
    check(
        "role",
        json!({"policies": [allow(&["*"], "*")], "boundary": null, "trust": null}),
        &["critical wildcard-admin at policies[0].Statement[0]"],
    );
}

#[test]
fn a_role_without_policies_is_fine_and_a_role_without_the_list_is_none() {
    check("role", json!({"policies": []}), &[]);
    check("role", json!({"trust": trust(json!("*"))}), &["missing field `policies` at line 1 column 109"]);
}

#[test]
fn documents_come_as_objects_or_as_text() {
    let admin = allow(&["*"], "*");
    for document in [json!(admin.to_string()), json!(url_encoded(&admin))] {
        check("role-policy", document.clone(), &["critical wildcard-admin at Statement[0]"]);
        check(
            "role",
            json!({"policies": [{"Statement": []}, document.clone()]}),
            &["critical wildcard-admin at policies[1].Statement[0]"],
        );
        check(
            "role",
            json!({"policies": [admin], "boundary": document}),
            &["critical wildcard-admin at policies[0].Statement[0]"],
        );
    }
    let open = trust(json!("*"));
    check(
        "role",
        json!({"policies": [], "trust": url_encoded(&open)}),
        &["critical trust-public at trust.Statement[0]"],
    );
    // As it comes from a file, without quotes.
    let output = run(&["check", "role-policy", "--output", "jsonl"], url_encoded(&admin));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["findings"][0]["id"], "wildcard-admin");
}

#[test]
fn an_error_in_a_role_names_its_document() {
    let good = allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*");
    check(
        "role",
        json!({"policies": [good, {"Statements": []}]}),
        &["policies[1]: unknown key `Statements` in a policy document (did you mean `Statement`?) at line 1 column 13"],
    );
    check(
        "role",
        json!({"policies": [], "trust": good}),
        &["trust: a trust policy has no `Resource` at line 1 column 118"],
    );
    check(
        "role",
        json!({"policies": [], "boundary": "%FF"}),
        &["boundary: the document is not UTF-8 after URL decoding"],
    );
    check(
        "role",
        json!({"policies": ["no policy"]}),
        &["policies[0]: this is not JSON: a policy is an object, which begins with `{`"],
    );
}

#[test]
fn what_is_said_twice_or_misspelt_is_refused() {
    let error = |line: &str| {
        let output = run(&["check", "role", "--jsonl"], line.to_owned());
        assert_eq!(output.status.code(), Some(2));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("one answer");
        answer["error"].as_str().expect("an error").to_owned()
    };
    assert!(error(r#"{"policies":[],"policies":[]}"#).starts_with("duplicate field `policies`"));
    assert!(error(r#"{"policies":[],"Trust":{}}"#).starts_with("unknown field `Trust`"));
    let twice = r#"{"policies":[{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}]}"#;
    assert!(error(twice).starts_with("policies[0]: duplicate key `Effect`"));
    let long = error(&format!(r#"{{"policies":[],"{}":1}}"#, "é".repeat(100_000)));
    assert!(long.len() < 1_000, "an answer is not as long as the attack: {}", long.len());
}

#[test]
fn hostile_json_is_an_error_and_the_rest_goes_on() {
    let deep = "[".repeat(200_000);
    let within = format!(r#"{{"policies":[{}{}]}}"#, deep, "]".repeat(200_000));
    for kind in ["role-policy", "trust-policy", "role"] {
        let hostile = [deep.as_str(), &within, "null", "7", "[]", "\"\"", "{}", r#""\ud800""#, "\"%7B", "%", "\u{0}"];
        let output = run(&["check", kind, "--jsonl"], hostile.join("\n"));
        let lines: Vec<Value> = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), hostile.len());
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(line["line"], index + 1);
            assert!(line["error"].as_str().is_some_and(|error| error.len() < 1_000), "{kind}: {line}");
        }
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_role_is_shown_as_a_table_too() {
    let role = json!({"policies": [allow(&["*"], "*")], "trust": trust(json!("*"))});
    let output = run(&["check", "role", "--output", "table"], format!("{role:#}"));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(table.contains("policies[0].Statement[0]") && table.contains("trust.Statement[0]"), "{table}");
    assert!(table.contains("2 findings in 1 document."), "{table}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_role_that_has_a_name_is_answered_by_it() {
    let named = json!({"name": "pay", "policies": [allow(&["*"], "*")]});
    let refused = json!({"name": "shop", "policies": [{"Version": "2012-10-17"}]});
    let found = answers("role", &[named.clone(), refused, json!({"policies": []})]);
    assert_eq!(
        (&found[0]["name"], &found[0]["findings"][0]["at"]),
        (&json!("pay"), &json!("policies[0].Statement[0]"))
    );
    assert!(found[1]["error"].as_str().expect("an error").starts_with("shop: policies[0]: "), "{}", found[1]);
    assert_eq!(found[2], json!({"line": 3, "findings": []}));
    let table = run(&["check", "role", "--output", "table"], named.to_string());
    let table = String::from_utf8(table.stdout).expect("UTF-8");
    assert!(table.contains("pay: policies[0].Statement[0]"), "{table}");
    check(
        "role",
        json!({"name": "a".repeat(2049), "policies": []}),
        &["`name` is longer than 2048 characters, which no name or ARN of a role is"],
    );
}
