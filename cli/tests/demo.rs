//! The demo as a person starts and leaves it.
#![cfg(unix)]

use aws_sdk_lambda::{
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warden"));
    // A group of its own, as a shell gives it: Ctrl-C reaches all of it.
    command.arg("demo").args(arguments).process_group(0).stdin(Stdio::null());
    command
}

/// Ctrl-C in the terminal.
fn interrupt(child: &Child) {
    let group = format!("-{}", child.id());
    let sent = Command::new("kill").args(["-INT", "--", &group]).status().expect("kill runs");
    assert!(sent.success());
}

/// Interrupts it as soon as it says `line`.
#[track_caller]
fn check(line: &str) {
    let mut child = demo(&[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains(line) {
        assert_ne!(errors.read_line(&mut said).expect("a line"), 0, "it ended before: {said}");
    }
    interrupt(&child);
    errors.read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{said}");
    assert!(!said.contains("panicked") && said.ends_with("Interrupted.\n"), "{said}");
}

#[test]
fn ctrl_c_ends_the_demo_at_any_moment() {
    check("Building the guards");
    check("starting the account");
    check("Deploying infra/warden.yaml");
}

#[tokio::test]
async fn the_kept_account_says_what_its_functions_find_and_so_they_do() {
    let mut child = demo(&["--keep"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("a line"));
    let mut said = Vec::new();
    let mut set = BTreeMap::new();
    for line in lines.by_ref() {
        if let Some(exports) = line.trim_start().strip_prefix("export ") {
            let pairs = exports.split(' ').filter_map(|pair| pair.split_once('='));
            set.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let last = line.contains("puts the values back");
        said.push(line);
        if last {
            break;
        }
    }
    let all = said.join("\n");
    assert!(!all.contains('✗') && all.contains("checkout finds references in place of its secrets"), "{all}");

    let keys = Credentials::new(&set["AWS_ACCESS_KEY_ID"], &set["AWS_SECRET_ACCESS_KEY"], None, None, "demo");
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(set["AWS_REGION"].clone()))
        .endpoint_url(&set["AWS_ENDPOINT_URL"])
        .credentials_provider(keys)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let lambda = aws_sdk_lambda::Client::from_conf(config.build());
    let invoke = lambda.invoke().function_name("checkout").payload(Blob::new(r#"["JWT_SECRET"]"#));
    let answer = invoke.send().await.expect("an answer").payload.expect("a payload");
    let answer = String::from_utf8_lossy(answer.as_ref()).into_owned();
    assert!(answer.contains("warden-secret:warden/checkout/"), "{answer}");

    interrupt(&child);
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("Nothing is left running.")), "{rest:?}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
