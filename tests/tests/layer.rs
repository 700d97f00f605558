//! The start-up layer as it is deployed.

use serde_json::json;
use std::{
    fs,
    io::Cursor,
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};
use warden_build::{Architecture, GlibcVersion, check as check_binary, link_layer, package_layer, target, workspace};
use warden_tests::secure_server::SecureServer;
use zip::ZipArchive;

/// The budget: a function has 250 MB for its code and all its layers.
const LARGEST: usize = 3 * 1024 * 1024;

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    link_layer(&workspace(), &target(&workspace()), Architecture::X86_64, &|_| {}).expect("the layer's binary")
});

#[test]
fn it_runs_on_the_oldest_managed_runtimes() {
    check_binary(&fs::read(&*BINARY).unwrap(), Architecture::X86_64, GlibcVersion::AMAZON_LINUX_2).expect("it starts");
}

#[test]
fn it_is_small_and_executable_where_functions_look_for_it() {
    let zip = package_layer(&BINARY).unwrap();
    assert_eq!(zip, package_layer(&BINARY).unwrap(), "the same binary gives the same bytes");
    let mut archive = ZipArchive::new(Cursor::new(&zip)).unwrap();
    assert_eq!(archive.len(), 1);
    let entry = archive.by_index(0).unwrap();
    assert_eq!((entry.name(), entry.unix_mode()), ("warden/secret-env", Some(0o100_755)));
    let unpacked = usize::try_from(entry.size()).unwrap();
    assert!(zip.len() + unpacked <= LARGEST, "{} and {unpacked} bytes", zip.len());
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let environment = environment.iter().copied();
    Command::new(&*BINARY).args(arguments).env_clear().envs(environment).output().expect("it runs")
}

#[test]
fn it_becomes_what_follows_it_with_every_argument_as_it_was() {
    let output =
        run(&["/bin/sh", "-c", "printf '%s|' \"$@\" \"$STAGE\"; exit 7", "sh", "a b", "", "$c"], &[("STAGE", "prod ")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b||$c|prod |");
    assert_eq!(output.status.code(), Some(7));
}

#[track_caller]
fn check(arguments: &[&str], environment: &[(&str, &str)], line: &str) {
    let output = run(arguments, environment);
    let seen = String::from_utf8_lossy(&output.stderr);
    assert!(seen.starts_with("warden secret-env: ") && seen.contains(line) && seen.lines().count() == 1, "{seen}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}

#[test]
fn it_says_what_is_missing() {
    let reference = ("KEY", "warden-secret:warden/pay/1");
    let region = ("AWS_REGION", "us-east-1");
    check(&[], &[], "no runtime to start");
    check(&["/nowhere/python"], &[], "\"/nowhere/python\" cannot be started");
    check(&["/bin/true"], &[reference], "AWS_REGION is not set");
    check(&["/bin/true"], &[reference, region], "AWS_ACCESS_KEY_ID is not set");
    check(&["/bin/true"], &[reference, region, ("AWS_CA_BUNDLE", "/nowhere.pem")], "/nowhere.pem");
    check(&["/bin/true"], &[reference, region, ("AWS_CA_BUNDLE", "/dev/null")], "no certificate in it");
}

/// What it must be like on AWS: TLS, and the request that Secrets Manager's API reference describes, signed for the
/// function's role.
#[test]
fn it_asks_over_tls_and_signs() {
    let server = SecureServer::start(1, &json!({"Name": "warden/pay/1", "SecretString": r#"{"KEY": "the value"}"#}));
    let bundle = tempfile::NamedTempFile::new().unwrap();
    fs::write(bundle.path(), &server.certificate).unwrap();
    let output = run(
        &["/bin/sh", "-c", "printf %s \"$KEY\""],
        &[
            ("KEY", "warden-secret:warden/pay/1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", &server.url),
            ("AWS_CA_BUNDLE", bundle.path().to_str().unwrap()),
        ],
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the value", "{}", String::from_utf8_lossy(&output.stderr));
    let request = server.requests().remove(0);
    let lines: Vec<String> = request.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(lines.first().map(String::as_str), Some("post / http/1.1"));
    let header = |start: &str| assert!(lines.iter().any(|line| line.starts_with(start)), "no {start} in {request}");
    header("x-amz-target: secretsmanager.getsecretvalue");
    header("content-type: application/x-amz-json-1.1");
    header("x-amz-security-token: token");
    header("authorization: aws4-hmac-sha256 credential=akidexample/");
    assert!(request.contains("/eu-central-1/secretsmanager/aws4_request"), "{request}");
    assert!(request.ends_with(r#"{"SecretId":"warden/pay/1"}"#), "{request}");
}

#[test]
fn it_tells_nobody_whose_certificate_it_does_not_know() {
    let server = SecureServer::start(1, &json!({"SecretString": r#"{"KEY": "a lie"}"#}));
    let environment = [
        ("KEY", "warden-secret:warden/pay/1"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_ENDPOINT_URL", &server.url),
    ];
    check(&["/bin/true"], &environment, "AWS_CA_BUNDLE");
    assert_eq!(server.requests(), [""], "nothing was asked");
}
