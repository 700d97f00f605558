//! `warden check environment`: names and values in, findings out, and never a value.

mod process;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Output, Stdio},
};

/// A password that nobody uses, made of parts so that no scanner takes this file for a leak.
fn canary() -> String {
    ["kT9v!X2m", "Q7zLpR4w", "B8nYc"].concat()
}

fn run(arguments: &[&str], input: impl Into<Vec<u8>>) -> Output {
    process::run(&[&["check", "environment"], arguments].concat(), input)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[track_caller]
fn check(input: impl Into<Vec<u8>>, expected: &[&str], code: i32) {
    let output = run(&["--jsonl"], input);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines, expected);
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(text(&output.stderr), "");
}

/// The answer to a line where one variable holds a password.
fn found(line: usize, severity: &str, name: &str) -> String {
    let finding = format!(r#""id":"plaintext-secret","severity":"{severity}","at":"{name}","kind":"password""#);
    format!(r#"{{"line":{line},"findings":[{{{finding},"confidence":"{severity}"}}]}}"#)
}

#[test]
fn each_environment_is_answered_by_the_line_of_its_number() {
    let password = canary();
    let lines = [
        format!(r#"{{"TABLE":"orders","DB_PASSWORD":"{password}","LOG_LEVEL":"INFO"}}"#),
        r#"{"DB_PASSWORD_ARN":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"}"#.to_owned(),
        r#"{"DB_PASSWORD":"sunflower77"}"#.to_owned(),
        "{}".to_owned(),
    ];
    check(
        lines.join("\n"),
        &[
            &found(1, "high", "DB_PASSWORD"),
            r#"{"line":2,"findings":[]}"#,
            &found(3, "medium", "DB_PASSWORD"),
            r#"{"line":4,"findings":[]}"#,
        ],
        1,
    );
}

#[test]
fn what_lambda_answers_with_is_taken_as_it_is() {
    let password = canary();
    let input = format!(r#"{{"Variables":{{"A":"b","dbPass":"{password}"}}}}"#);
    check(input, &[&found(1, "high", "dbPass")], 1);
    // A variable of that name is one like any other.
    check(r#"{"Variables":"text"}"#, &[r#"{"line":1,"findings":[]}"#], 0);
}

#[test]
fn what_is_no_environment_is_an_error_that_quotes_no_value() {
    let password = canary();
    let twice = format!(r#"{{"A":"{password}","A":"x"}}"#);
    let twice_escaped = format!(r#"{{"A":"{password}","\u0041":"x"}}"#);
    let lines = [
        twice,
        twice_escaped,
        format!(r#"{{"A":["{password}"]}}"#),
        r#"{"A":41975310}"#.to_owned(),
        r#"{"A":null}"#.to_owned(),
        format!(r#"["{password}"]"#),
        format!(r#""{password}""#),
        format!(r#"{{"A":"{password}"#),
        format!(r#"{{"A":"{password}"}} {password}"#),
        format!(r#"{{"A":"\q{password}"}}"#),
        format!(r#"{{"A":"\ud800{password}"}}"#),
        format!(r#"{{A:"{password}"}}"#),
        format!(r#"{{"Variables":{{"A":"{password}"}},"B":"{password}"}}"#),
        format!(r#"{{"Variables":{{"A":{{"{password}":1}}}}}}"#),
        password.clone(),
        String::new(),
    ];
    let output = run(&["--jsonl"], lines.join("\n"));
    let answers: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(answers.len(), lines.len() - 1, "the last line is empty and has no end");
    for answer in &answers {
        assert!(answer.contains(r#""error":""#), "{answer}");
        assert!(!answer.contains(&password[..6]) && !answer.contains("41975310"), "{answer}");
    }
    assert_eq!(output.status.code(), Some(2));
    let error = |line: usize| answers[line - 1].split_once(r#""error":"#).map(|(_, error)| error).expect("an error");
    assert!(error(1).starts_with("\"the name `A` is there twice"), "{}", error(1));
    assert!(error(2).starts_with("\"the name `A` is there twice"), "{}", error(2));
    assert!(error(3).starts_with("\"the value of `A` is not text"), "{}", error(3));
}

#[test]
fn bad_utf8_is_an_error_and_the_rest_goes_on() {
    let mut input = b"{\"A\":\"\xff\xfe\"}\n".to_vec();
    input.extend(b"{\"A\":\"b\"}\n");
    check(
        input,
        &[r#"{"line":1,"error":"not UTF-8: the byte at column 7 begins no character"}"#, r#"{"line":2,"findings":[]}"#],
        2,
    );
}

#[test]
fn a_person_gets_a_table_without_values() {
    let password = canary();
    let output = run(&["--output", "table"], format!(r#"{{"DB_PASSWORD":"{password}","A":"b"}}"#));
    let shown = text(&output.stdout);
    assert!(shown.contains("DB_PASSWORD") && shown.contains("password, high confidence"), "{shown}");
    assert!(shown.contains("1 finding in 1 document.") && shown.contains("warden explain plaintext-secret"), "{shown}");
    assert!(!shown.contains(&password), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}

/// Far more goes through than is ever held.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_takes_constant_memory() {
    const LINES: usize = 1_500;
    let mut child = Command::new(env!("CARGO_BIN_EXE_warden"))
        .args(["check", "environment", "--jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let padding = " ".repeat(100_000);
    let line = format!("{{{padding}\"DB_PASSWORD\":\"sunflower77\",\"TABLE\":\"orders\"}}\n");
    let writer = std::thread::spawn(move || {
        for _ in 0..LINES {
            stdin.write_all(line.as_bytes()).expect("it reads");
        }
        // Not closed yet: the process still waits, and can be looked at.
        stdin
    });
    let mut answer = String::new();
    for number in 1..=LINES {
        answer.clear();
        answers.read_line(&mut answer).expect("it answers");
        assert!(answer.starts_with(&format!(r#"{{"line":{number},"findings":[{{"id":"plaintext-secret""#)), "{answer}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it still waits");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak memory");
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 64 * 1024, "{kilobytes} kB at the peak");
    drop(writer.join().expect("no panic"));
    // A weak password is medium, which is no reason to fail by default.
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
