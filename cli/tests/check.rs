//! `warden check` as other programs use it: bytes in, lines out, an exit code.

mod process;

use process::{run, start};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};

const PUBLIC: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":"*","#,
    r#""Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:111122223333:function:pay"}]}"#
);
const HARMLESS: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;
const OUTSIDE: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"999999999999"},"#,
    r#""Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:111122223333:function:pay"}]}"#
);

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Runs `warden check function-policy --jsonl` over the input and compares all of the output and the exit code.
#[track_caller]
fn check(input: impl Into<Vec<u8>>, expected: &[&str], code: i32) {
    let output = run(&["check", "function-policy", "--jsonl"], input);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines, expected);
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(text(&output.stderr), "");
}

fn public(line: usize) -> String {
    let message = "anybody with an AWS account has `lambda:InvokeFunction` on the function";
    let finding = r#""id":"public-invoke","severity":"critical","at":"Statement[0]""#;
    format!(r#"{{"line":{line},"findings":[{{{finding},"message":"{message}"}}]}}"#)
}

#[test]
fn each_line_is_answered_by_the_line_of_its_number() {
    let input = format!("{PUBLIC}\n{HARMLESS}\n{PUBLIC}\n");
    check(input, &[&public(1), r#"{"line":2,"findings":[]}"#, &public(3)], 1);
}

#[test]
fn nothing_found_is_fine() {
    check(format!("{HARMLESS}\n"), &[r#"{"line":1,"findings":[]}"#], 0);
}

#[test]
fn a_bad_line_is_an_error_and_the_rest_goes_on() {
    let twice = r#"{"Statement":[{"Effect":"Allow","Action":"a","Action":"b"}]}"#;
    check(
        format!("{twice}\n{PUBLIC}\n"),
        &[r#"{"line":1,"error":"duplicate key `Action` at line 1 column 53"}"#, &public(2)],
        2,
    );
}

#[test]
fn an_empty_line_keeps_its_number() {
    let nothing = |line: usize| format!(r#"{{"line":{line},"error":"there is no document"}}"#);
    check(format!("\n \t\r\n{PUBLIC}\n"), &[&nothing(1), &nothing(2), &public(3)], 2);
}

#[test]
fn line_ends_and_marks_of_other_systems_are_no_part_of_a_document() {
    check(format!("\u{feff}{PUBLIC}\r\n{HARMLESS}\r\n"), &[&public(1), r#"{"line":2,"findings":[]}"#], 1);
}

#[test]
fn the_last_line_needs_no_end() {
    check(format!("{HARMLESS}\n{PUBLIC}"), &[r#"{"line":1,"findings":[]}"#, &public(2)], 1);
}

#[test]
fn bytes_that_are_no_text_are_an_error_of_their_line() {
    let mut input = b"{\"Version\":\"\xff\xfe\"}\n".to_vec();
    input.extend_from_slice(PUBLIC.as_bytes());
    let error = r#"{"line":1,"error":"not UTF-8: the byte at column 13 begins no character"}"#;
    check(input, &[error, &public(2)], 2);
}

#[test]
fn a_long_line_is_an_error_however_long_it_is() {
    let mebibyte = 1 << 20;
    for length in [300_000, mebibyte - 1, mebibyte, mebibyte + 1, 5 * mebibyte] {
        let padding = " ".repeat(length - HARMLESS.len());
        let output = run(&["check", "function-policy", "--jsonl"], format!("{padding}{HARMLESS}\n{PUBLIC}\n"));
        let (first, rest) = text(&output.stdout).split_once('\n').expect("two lines");
        assert!(first.starts_with(r#"{"line":1,"error":""#), "{length}: {first}");
        assert_eq!(rest.trim_end(), public(2), "{length}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn hostile_json_is_an_error_and_no_crash() {
    let deep = "[".repeat(200_000);
    let hostile =
        [deep.as_str(), "null", "7", "[]", "\"\"", "{}", r#"{"Statement":"\ud800"}"#, "{\"Statement\":[{}]}", "\u{0}"];
    let output = run(&["check", "layer-policy", "--jsonl"], hostile.join("\n"));
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), hostile.len());
    for (index, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!(r#"{{"line":{},"error":""#, index + 1)), "{line}");
        assert!(line.len() < 1_000, "an answer is not as long as the attack: {}", line.len());
    }
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_program_that_waits_for_each_answer_gets_it() {
    let mut child = start(&["check", "function-policy", "--jsonl"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
    for line in 1..=3 {
        writeln!(stdin, "{PUBLIC}").expect("it reads");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("it answers");
        assert_eq!(answer.trim_end(), public(line));
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut child = start(&["check", "function-policy", "--jsonl"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let mebibyte = vec![b'x'; 1 << 20];
    for _ in 0..128 {
        stdin.write_all(&mebibyte).expect("it reads");
    }
    stdin.write_all(b"\n").expect("it reads");
    let mut answer = String::new();
    answers.read_line(&mut answer).expect("it answers");
    assert_eq!(answer.trim_end(), r#"{"line":1,"error":"longer than 1 MiB, which no policy is"}"#);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it still waits");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak memory");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 64 * 1024, "{kilobytes} kB at the peak");
    drop(stdin);
    child.wait().expect("it ends");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = start(&["check", "function-policy", "--jsonl"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    // It may stop reading before all is written.
    while writeln!(stdin, "{PUBLIC}").is_ok() {}
    let mut complaints = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut complaints).expect("UTF-8");
    assert_eq!(complaints, "");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_context_decides_what_is_outside() {
    let severity = |arguments: &[&str]| {
        let all = [&["check", "function-policy", "--jsonl"], arguments].concat();
        let output = run(&all, OUTSIDE);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer["findings"][0]["severity"].as_str().map(str::to_owned)
    };
    assert_eq!(severity(&[]).as_deref(), Some("medium"));
    assert_eq!(severity(&["--trusted-account", "444455556666"]).as_deref(), Some("high"));
    assert_eq!(severity(&["--trusted-account", "444455556666,999999999999"]), None);
    assert_eq!(severity(&["--account", "999999999999"]), None);
}

#[test]
fn a_network_is_the_own_one_when_it_is_said_to_be() {
    let office = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:111122223333:function:pay",
        "Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.7/32"}},
    }]});
    let found = |arguments: &[&str]| {
        let arguments = [&["check", "function-policy", "-", "--output", "json"], arguments].concat();
        let output = run(&arguments, office.to_string());
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer[0]["findings"][0]["id"].as_str().map(str::to_owned)
    };
    assert_eq!(found(&[]).as_deref(), Some("external-invoke"));
    assert_eq!(found(&["--trusted-source", "vpc-0a1b2c3d,198.51.100.0/24"]), None);
    let refused = run(&["check", "function-policy", "-", "--trusted-source", "office"], "");
    assert!(text(&refused.stderr).contains("`office` is no source to trust"), "{}", text(&refused.stderr));
}

/// A role that only Lambda assumes has no tags but its own.
#[test]
fn who_assumes_a_role_decides_what_its_own_tag_limits() {
    let permissions = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/till": "${aws:PrincipalTag/till}"}},
    }]});
    let severity = |principal: serde_json::Value| {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
        let role = json!({"policies": [permissions], "trust": trust}).to_string();
        let output = run(&["check", "role", "-", "--account", "111122223333", "--output", "json"], role);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        answer[0]["findings"][0]["severity"].as_str().map(str::to_owned)
    };
    assert_eq!(severity(json!({"Service": "lambda.amazonaws.com"})).as_deref(), Some("medium"));
    let also_people = json!({"Service": "lambda.amazonaws.com", "AWS": "111122223333"});
    assert_eq!(severity(also_people).as_deref(), Some("high"));
}

#[test]
fn a_layer_is_judged_as_a_layer() {
    let layer = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "a",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": "arn:aws:lambda:us-east-1:111122223333:layer:tools:1",
    }]});
    let output = run(&["check", "layer-policy", "-", "--output", "json"], layer.to_string());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer[0]["file"], "standard input");
    assert_eq!(answer[0]["findings"][0]["id"], "public-layer");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn files_are_judged_each_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (open, closed, broken) = (file("open.json", PUBLIC), file("closed.json", HARMLESS), file("broken.json", "{"));
    let missing = folder.path().join("missing.json").to_str().expect("UTF-8").to_owned();

    let output = run(&["check", "function-policy", &closed], "");
    assert_eq!(output.status.code(), Some(0));

    let output = run(&["check", "function-policy", &closed, &open, "--output", "table"], "");
    assert!(text(&output.stdout).contains("public-invoke"));
    assert!(text(&output.stdout).contains("1 finding in 2 documents."));
    assert_eq!(output.status.code(), Some(1));

    let output = run(&["check", "function-policy", &broken, &missing, &open, "--output", "table"], "");
    assert!(text(&output.stdout).contains("1 finding in 1 document."));
    assert!(text(&output.stderr).contains("broken.json: EOF while parsing"));
    assert!(text(&output.stderr).contains("missing.json: opening"));
    assert_eq!(output.status.code(), Some(2));

    // Lines are numbered through all files, as if they were one.
    let output = run(&["check", "function-policy", "--jsonl", &closed, &open], "");
    assert_eq!(text(&output.stdout), format!("{{\"line\":1,\"findings\":[]}}\n{}\n", public(2)));
}

#[test]
fn a_policy_gives_no_orders_to_the_terminal() {
    let hostile = PUBLIC.replace("lambda:InvokeFunction", "lambda:Invoke\\u001b[2J\\u202eFunction");
    let output = run(&["check", "function-policy", "--output", "table"], hostile);
    assert!(text(&output.stdout).contains("public-invoke"));
    assert!(!text(&output.stdout).contains(['\u{1b}', '\u{202e}']), "{}", text(&output.stdout));
}

#[test]
fn wrong_usage_is_told_from_findings() {
    for arguments in [
        &["check"] as &[&str],
        &["check", "policy"],
        &["check", "function-policy", "--account", "1234"],
        &["check", "function-policy", "--jsonl", "--output", "table"],
        &["check", "function-policy", "--jsonl", "/nowhere/at/all"],
        &["explain", "public-everything"],
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

#[test]
fn every_finding_that_check_can_make_is_explained() {
    let listed = run(&["explain", "--output", "json"], "");
    let rules: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let ids: Vec<&str> = rules.as_array().expect("a list").iter().filter_map(|rule| rule["id"].as_str()).collect();
    let judged =
        ["public-invoke", "public-url", "public-layer", "wildcard-admin", "privilege-escalation", "trust-oidc-open"];
    assert!(judged.iter().all(|id| ids.contains(id)), "{ids:?}");
    for id in ids {
        let page = run(&["explain", id], "");
        for title in ["What it means", "The attack", "What Warden does", "What to do instead"] {
            assert!(text(&page.stdout).contains(title), "{id}: {title}");
        }
        assert_eq!(page.status.code(), Some(0));
    }
}

#[test]
fn an_exemption_is_explained_where_it_does_something() {
    // Lines are broken for reading.
    let page = |id: &str| {
        let page = run(&["explain", id], "");
        text(&page.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for id in ["public-invoke", "role-broadened"] {
        assert!(page(id).contains("tag the function `warden:exempt`"), "{id}");
    }
    for id in ["wildcard-admin", "boundary-removed", "trust-public"] {
        assert!(
            page(id).contains("tag the role, or the customer managed policy that it is found on, `warden:exempt`"),
            "{id}"
        );
    }
    for id in ["public-layer", "external-layer", "shared-role"] {
        assert!(!page(id).contains("warden:exempt"), "{id}");
    }
}

#[test]
fn nobody_is_let_exempt_a_function_from_what_is_no_finding_on_it() {
    for (id, why) in [
        ("wildcard-admin", "aws iam tag-role"),
        ("public-layer", "layers have no tags"),
        ("external-layer", "layers have no tags"),
        ("shared-role", "nothing to exempt"),
    ] {
        let refused = run(&["exempt", "pay", id, "--for", "7d", "--yes"], "");
        let said = text(&refused.stderr);
        assert!(said.contains(why) && said.contains("public-invoke") && !said.contains("trust-public"), "{id}: {said}");
        assert_eq!(refused.status.code(), Some(2), "{id}");
    }
}

/// An id may be kept for a rule that no judge knows yet. Nobody is offered it.
#[test]
fn the_ids_that_are_offered_are_those_of_what_is_found() {
    let listed = run(&["explain", "--output", "json"], "");
    let rules: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let ids: Vec<&str> = rules.as_array().expect("a list").iter().filter_map(|rule| rule["id"].as_str()).collect();
    for arguments in [&["explain", "opted-out"][..], &["exempt", "pay", "runaway-concurrency", "--for", "7d"]] {
        let refused = run(arguments, "");
        let said = text(&refused.stderr);
        let (_, offered) = said.split_once("[possible values: ").expect("the ids");
        let (offered, _) = offered.split_once(']').expect("their end");
        assert_eq!(offered.split(", ").collect::<Vec<_>>(), ids);
        assert_eq!(refused.status.code(), Some(2));
    }
}

#[test]
fn whoever_names_nothing_to_opt_in_is_told_what_can_be() {
    let refused = run(&["opt-in"], "");
    let said = text(&refused.stderr);
    assert!(said.contains("warden opt-in [OPTIONS] <FUNCTION>...") && said.contains("--role <ROLE>"), "{said}");
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn nobody_is_let_opt_in_to_a_guard_that_does_not_look_there() {
    for (arguments, why) in [
        (&["opt-in", "pay", "--guard", "urls"][..], "role, access, secrets, concurrency"),
        (&["opt-in", "--role", "pay", "--guard", "access"], "access-guard looks at no role"),
        (&["opt-in", "pay", "--mode", "strip"], "say `--guard secrets --mode strip`"),
        (&["opt-in", "pay", "--mode", "strip", "--guard", "access"], "say `--guard secrets --mode strip`"),
    ] {
        let refused = run(arguments, "");
        let said = text(&refused.stderr);
        assert!(said.contains(why), "{said}");
        assert_eq!(refused.status.code(), Some(2));
    }
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], "");
        assert!(text(&script.stdout).contains("check"), "{shell}");
        assert_eq!(script.status.code(), Some(0));
    }
}

#[test]
fn the_help_offers_the_demo_only_where_it_is_built_in() {
    let help = run(&["--help"], "");
    assert!(text(&help.stdout).contains("\n  check "));
    assert_eq!(text(&help.stdout).contains("demo"), cfg!(feature = "demo"));
    let refused = run(&["demo", "--no-such-option"], "");
    assert_eq!(text(&refused.stderr).contains("unrecognized subcommand"), !cfg!(feature = "demo"));
}
