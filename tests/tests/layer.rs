//! The start-up layer as it is deployed.

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Cursor, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
    sync::{Arc, LazyLock},
    thread::{self, JoinHandle},
};
use warden_sandbox::{Architecture, Options, build_layer, package_layer, workspace};
use warden_tests::glibc::{GlibcVersion, glibc_needed};
use zip::ZipArchive;

/// The budget: a function has 250 MB for its code and all its layers.
const LARGEST: usize = 3 * 1024 * 1024;

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    build_layer(&workspace(), &Options::default().target, Architecture::X86_64, &|_| {}).expect("the layer's binary")
});

#[test]
fn it_runs_on_the_oldest_managed_runtimes() {
    let needed = glibc_needed(&fs::read(&*BINARY).unwrap()).unwrap().expect("it uses glibc");
    assert!(needed <= GlibcVersion::AMAZON_LINUX_2, "it needs glibc {needed}");
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

/// An HTTPS server on this machine that answers one request with this JSON; gives its port, its certificate, and then the request.
fn secure_server(answer: Value) -> (u16, String, JoinHandle<String>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        let mut request = Vec::new();
        let mut part = [0; 4096];
        // Its body is one JSON object, the last thing in it.
        while !request.ends_with(b"}") {
            match stream.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(read) => request.extend(&part[..read]),
            }
        }
        let body = answer.to_string();
        // A caller that trusts nobody has gone by now.
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .and_then(|()| stream.flush());
        String::from_utf8(request).unwrap()
    });
    (port, own.cert.pem(), serving)
}

/// What it must be like on AWS: TLS, and the request that Secrets Manager's API reference describes, signed for the function's role.
#[test]
fn it_asks_over_tls_and_signs() {
    let (port, certificate, serving) =
        secure_server(json!({"Name": "warden/pay/1", "SecretString": r#"{"KEY": "the value"}"#}));
    let bundle = tempfile::NamedTempFile::new().unwrap();
    fs::write(bundle.path(), certificate).unwrap();
    let output = run(
        &["/bin/sh", "-c", "printf %s \"$KEY\""],
        &[
            ("KEY", "warden-secret:warden/pay/1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", &format!("https://localhost:{port}")),
            ("AWS_CA_BUNDLE", bundle.path().to_str().unwrap()),
        ],
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the value", "{}", String::from_utf8_lossy(&output.stderr));
    let request = serving.join().unwrap();
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
    let (port, _, serving) = secure_server(json!({"SecretString": r#"{"KEY": "a lie"}"#}));
    let endpoint = format!("https://localhost:{port}");
    let environment = [
        ("KEY", "warden-secret:warden/pay/1"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    check(&["/bin/true"], &environment, "AWS_CA_BUNDLE");
    assert_eq!(serving.join().unwrap(), "", "nothing was asked");
}
