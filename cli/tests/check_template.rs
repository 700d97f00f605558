//! `warden check template`: whole templates and plans, and Warden's own.

mod process;

use serde_json::{Value, json};
use std::process::Output;

const WARDENS_OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/warden.yaml");

fn run(arguments: &[&str], input: &str) -> Output {
    process::run(&[&["check", "template"], arguments].concat(), input)
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

fn permission(principal: &str) -> Value {
    let properties = json!({"FunctionName": "pay", "Action": "lambda:InvokeFunction", "Principal": principal});
    json!({"Resources": {"May": {"Type": "AWS::Lambda::Permission", "Properties": properties}}})
}

/// Invariant 7: Warden's own roles pass its own rules.
#[test]
fn wardens_own_roles_pass_wardens_own_rules() {
    let output = run(&["--output", "jsonl", WARDENS_OWN], "");
    let answer = lines(&output).remove(0);
    let findings = answer["findings"].as_array().expect("findings").iter();
    let acted_on = findings.filter(|finding| finding["severity"] == "critical" || finding["severity"] == "high");
    let acted_on: Vec<String> = acted_on.map(|it| format!("{} {}", it["id"], it["at"])).collect();
    // The operator undoes remediations of functions that may have lost their tag since, which is why no tag can limit
    // it. It is assumed by people, and no function has it.
    assert_eq!(
        acted_on,
        [
            r#""wildcard-permissions" "OperatorRole.Policies[0].Statement[12]""#,
            r#""wildcard-permissions" "OperatorRole.Policies[0].Statement[13]""#,
        ]
    );
    let ids = answer["findings"].as_array().expect("findings").iter().map(|finding| &finding["id"]);
    assert_eq!(ids.filter(|id| *id == "plaintext-secret").count(), 0, "it has no secret");
    assert_eq!(answer.get("not_judged"), None, "all of it was judged");
    // What a person reads agrees with the exit status.
    assert_eq!(output.status.code(), Some(0));
    let table = run(&["--output", "table", WARDENS_OWN], "");
    let table = String::from_utf8(table.stdout).expect("UTF-8");
    assert!(table.contains("No finding is high or above, so none fails a pipeline"), "{table}");
    assert!(!table.contains(" high  "), "{table}");
}

#[test]
fn a_template_is_shown_as_a_table() {
    let template = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: \
                    ['arn:aws:iam::aws:policy/NoSuchAccess']\n      Policies:\n        - PolicyName: own\n          \
                    PolicyDocument: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}\n";
    let output = run(&["--output", "table"], template);
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(table.contains("wildcard-admin") && table.contains("Role.Policies[0].Statement[0]"), "{table}");
    assert!(table.contains("Not judged") && table.contains("Role.ManagedPolicyArns[0]"), "{table}");
    assert!(table.contains("1 finding in 1 document."), "{table}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn templates_are_answered_line_by_line() {
    let yaml = json!(
        "Resources:\n  May: {Type: AWS::Lambda::Permission, Properties: {FunctionName: pay, Action: 'lambda:*', \
         Principal: '*'}}"
    );
    let input = format!("{}\n{}\n{{\"Resources\": 1}}\n{yaml}\n", permission("*"), permission("111122223333"));
    let output = run(&["--jsonl", "--account", "111122223333"], &input);
    let answers = lines(&output);
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0]["findings"][0]["id"], "public-invoke");
    assert_eq!(answers[0]["findings"][0]["at"], "May");
    assert_eq!(answers[1], json!({"line": 2, "findings": []}));
    assert_eq!(answers[2]["error"], "Resources: not a mapping of resources by their logical ids");
    let ids = answers[3]["findings"].as_array().expect("findings").iter().map(|finding| finding["id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), ["public-url", "public-invoke", "wildcard-invoke-action"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_exit_status_says_what_was_found() {
    // Another account, as far as anybody knows: a medium finding.
    let medium = permission("111122223333").to_string();
    for (arguments, code) in [
        (&[] as &[&str], 0),
        (&["--fail-on", "high"], 0),
        (&["--fail-on", "medium"], 1),
        (&["--fail-on", "low"], 1),
        (&["--fail-on", "low", "--account", "111122223333"], 0),
    ] {
        assert_eq!(run(arguments, &medium).status.code(), Some(code), "{arguments:?}");
    }
    assert_eq!(run(&["--fail-on", "critical"], &permission("*").to_string()).status.code(), Some(1));
    let refused = run(&["--fail-on", "info"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("invalid value 'info'"));
    let broken = run(&["--output", "table"], "Resources:\n  A: {Type: x}\n  A: {Type: y}\n");
    assert_eq!(broken.status.code(), Some(2));
    let said = String::from_utf8(broken.stderr).expect("UTF-8");
    assert!(said.contains("standard input: duplicate key `A` at line 3 column 3"), "{said}");
    assert_eq!(run(&["no-such-file.yaml"], "").status.code(), Some(2));
}

#[test]
fn a_role_that_is_for_no_function_counts_as_medium_and_says_so() {
    let role = |service: &str| {
        let admin = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let trust = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}});
        let properties = json!({
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": admin}],
        });
        json!({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}).to_string()
    };
    let build = run(&["--output", "jsonl"], &role("codebuild.amazonaws.com"));
    let finding = &lines(&build)[0]["findings"][0];
    assert_eq!((&finding["severity"], &finding["without_function"]), (&json!("critical"), &json!(true)));
    assert_eq!(build.status.code(), Some(0));
    let table = run(&["--output", "table"], &role("codebuild.amazonaws.com"));
    let table = String::from_utf8(table.stdout).expect("UTF-8");
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("medium wildcard-admin Role.Policies[0].Statement"), "{table}");
    assert!(words.contains("so it counts as medium instead of critical"), "{table}");
    assert!(words.contains("No finding is high or above"), "{table}");
    assert_eq!(run(&["--fail-on", "medium"], &role("codebuild.amazonaws.com")).status.code(), Some(1));
    assert_eq!(run(&[], &role("lambda.amazonaws.com")).status.code(), Some(1));
}

#[test]
fn yaml_that_begins_with_a_quoted_key_is_no_text_of_json() {
    let quoted = "\"Resources\":\n  May: {Type: AWS::Lambda::Permission, Properties: {FunctionName: pay, Action: \
                  'lambda:InvokeFunction', Principal: '*'}}\n";
    let output = run(&["--output", "jsonl"], quoted);
    assert_eq!(lines(&output)[0]["findings"][0]["id"], "public-invoke");
}

#[test]
fn a_part_that_aws_refuses_is_named_beside_the_findings() {
    let mut template = permission("*");
    template["Resources"]["A"] = json!({"Kind": "x"});
    let output = run(&["--output", "jsonl"], &template.to_string());
    let answer = lines(&output).remove(0);
    assert_eq!(answer["findings"][0]["id"], "public-invoke");
    assert_eq!(answer["errors"], json!([{"at": "A", "why": "a resource has a `Type`, which is text"}]));
    assert_eq!(output.status.code(), Some(2));
    let table = run(&["--output", "table"], &template.to_string());
    let said = String::from_utf8(table.stderr).expect("UTF-8");
    assert!(said.contains("standard input: A: a resource has a `Type`"), "{said}");
}

#[test]
fn what_is_exempt_is_shown_with_its_date_and_fails_no_pipeline() {
    let day = |days: i64| {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        today.checked_add(jiff::Span::new().days(days)).expect("a day").to_string()
    };
    let template = |tag: &str| {
        format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Hook:\n    Type: AWS::Serverless::Function\n    \
             Properties:\n      FunctionUrlConfig: {{AuthType: NONE}}\n      Tags: {{warden: enforce, 'warden:exempt': \
             '{tag}'}}\n"
        )
    };
    let until = day(30);
    let exempt = template(&format!("public-url@{until}"));
    let output = run(&["--output", "table"], &exempt);
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("critical") && table.contains(&until), "{table}");
    assert!(table.contains("Only what is exempt is high or above, so no finding fails a pipeline"), "{table}");
    let output = run(&["--jsonl"], &format!("{}\n", json!(exempt)));
    assert_eq!(output.status.code(), Some(0));
    let finding = lines(&output)[0]["findings"][0].clone();
    assert_eq!((&finding["severity"], &finding["exempt_until"]), (&json!("critical"), &json!(until)));
    // The guards' own rule about dates: none that is past, none that is more than 90 days ahead.
    for void in [format!("public-url@{}", day(-1)), format!("public-url@{}", day(91)), "public-url".to_owned()] {
        let output = run(&["--jsonl"], &format!("{}\n", json!(template(&void))));
        assert_eq!(output.status.code(), Some(1), "{void}");
        let finding = lines(&output)[0]["findings"][0].clone();
        assert_eq!(finding.get("exempt_until"), None);
        let message = finding["message"].as_str().expect("a message");
        assert!(message.contains("the tag `warden:exempt` does not let it pass: ") && message.ends_with("void"));
    }
    // Another finding of the same function still counts.
    let both = format!("{exempt}      Environment: {{Variables: {{DB_PASSWORD: 'x7!Kp2#vQ9zR4mT8wLb3'}}}}\n");
    assert_eq!(run(&[], &both).status.code(), Some(1));
}

#[test]
fn a_plan_that_is_an_archive_is_known_by_its_first_bytes() {
    for archive in [&b"PK\x03\x04plan"[..], b"PK\x03\x04\x14\x00\xff\xfe"] {
        let output = process::run(&["check", "template", "--output", "table"], archive);
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(error.contains("`terraform show -json FILE | warden check template` judges the plan in it"), "{error}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_file_that_is_no_json_lines_is_refused_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let pretty = serde_json::to_string_pretty(&permission("*")).expect("JSON");
    for (name, text) in [
        ("a.yaml", "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  A: {Type: AWS::S3::Bucket}\n"),
        ("b.yaml", "Transform: AWS::Serverless-2016-10-31\nResources: {}\n"),
        ("c.json", pretty.as_str()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let output = run(&["--jsonl", path.to_str().expect("a path")], "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{name}");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(error.contains("--jsonl takes one JSON document a line, and the first line of"), "{error}");
        assert_eq!(output.status.code(), Some(2));
    }
    // What is JSON lines is judged, whatever is in its lines.
    let path = folder.path().join("d.jsonl");
    std::fs::write(&path, format!("{{\"Resources\": 1}}\nnonsense\n{}\n", permission("*"))).expect("a file");
    let output = run(&["--jsonl", path.to_str().expect("a path")], "");
    assert_eq!(lines(&output).len(), 3);
}
