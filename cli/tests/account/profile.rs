//! Whose credentials a command uses.

use super::{Account, Said, warden};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};
use tempfile::TempDir;

/// A home directory with these files of the AWS configuration.
fn home(config: &str, credentials: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join(".aws")).expect("a directory");
    fs::write(home.path().join(".aws/config"), config).expect("written");
    fs::write(home.path().join(".aws/credentials"), credentials).expect("written");
    home
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Keys as the environment has them.
const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
];

#[track_caller]
fn check(home: &Path, variables: &[(&str, &str)], arguments: &[&str], texts: &[&str]) -> Said {
    let mut command = warden(arguments);
    // Where nothing listens: whoever comes so far has not refused.
    command.envs([("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "1")]);
    Said::by({
        command.env("HOME", home).envs(variables.iter().copied());
        command
    })
    .check(2, texts)
}

#[test]
fn a_profile_that_is_not_there_is_an_error_whatever_else_there_is() {
    let home = home("[profile prod]\nregion = eu-west-1\n[prod2]\n", "[dev]\naws_access_key_id = AKIDDEV\n");
    let home = home.path();
    let (config, credentials) = (home.join(".aws/config"), home.join(".aws/credentials"));
    let looked = [text(&config), text(&credentials), "the profiles there are dev, prod\n"];
    let with = |first: &'static str| [&[first][..], &looked].concat();
    for command in [&["pause", "--yes"][..], &["undo", "01KAJC2A00000000000000000A", "--yes"], &["audit"]] {
        let arguments = [command, &["--profile", "prod2"]].concat();
        check(home, &KEYS, &arguments, &with("there is no profile `prod2` (--profile): "));
    }
    let named = ("AWS_PROFILE", "nosuch");
    check(home, &[named], &["pause", "--yes"], &with("there is no profile `nosuch` (AWS_PROFILE): "));
    // As the AWS CLI does, whose keys go before AWS_PROFILE.
    check(home, &[KEYS[0], KEYS[1], named], &["pause", "--yes"], &with("there is no profile `nosuch` (AWS_PROFILE): "));
    let default = ("AWS_DEFAULT_PROFILE", "nosuch");
    check(home, &[default], &["pause", "--yes"], &with("there is no profile `nosuch` (AWS_DEFAULT_PROFILE): "));
    check(home, &[("AWS_PROFILE", "")], &["pause", "--yes"], &["AWS_PROFILE is empty"]);
    check(home, &KEYS, &["pause", "--yes", "--profile", ""], &["--profile is empty"]);
    // What the option says goes before the variable.
    let said = check(home, &[named], &["pause", "--yes", "--profile", "prod2"], &["`prod2` (--profile)"]);
    assert!(!said.err.contains("nosuch"), "{said:?}");
}

#[test]
fn where_there_is_no_configuration_that_is_said() {
    let home = tempfile::tempdir().expect("a directory");
    let texts = ["config (No such file", "credentials (No such file", "no profile is there"];
    check(home.path(), &KEYS, &["pause", "--yes", "--profile", "prod"], &texts);
    let elsewhere = [("AWS_CONFIG_FILE", "~/there"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")];
    let there = home.path().join("there");
    let texts = [text(&there), "/nowhere/credentials (No such file"];
    check(home.path(), &elsewhere, &["pause", "--yes", "--profile", "prod"], &texts);
}

#[test]
fn a_profile_without_credentials_of_its_own_is_not_filled_up_from_elsewhere() {
    let home = home(
        "[profile region]\nregion = eu-west-1\n[profile role]\nrole_arn = \
         arn:aws:iam::111122223333:role/x\nsource_profile = gone\n",
        "",
    );
    let texts = ["the profile `region` (--profile) gives no credentials"];
    check(home.path(), &KEYS, &["pause", "--yes", "--profile", "region"], &texts);
    let texts =
        ["the profile `role` takes its credentials from the profile `gone`, which is not there", "region, role"];
    check(home.path(), &KEYS, &["pause", "--yes", "--profile", "role"], &texts);
    check(home.path(), &[("AWS_PROFILE", "role")], &["pause", "--yes"], &texts);
}

/// What is wrong with it, which profile it is, and what to do; none of the SDK's own layers, and no secret.
#[test]
fn a_profile_that_gives_no_credentials_is_told_what_to_do() {
    const CANARY: &str = "canary-7d1f";
    let program = "credential_process = /bin/sh -c 'echo canary-7d1f; echo canary-7d1f >&2; exit 3'";
    let config = format!(
        "[profile empty]\n[profile half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n[profile program]\n{program}\n\
         [profile login]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n\
         sso_account_id = 111122223333\nsso_role_name = admin\n\
         [profile chained]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = login\n"
    );
    let home = home(&config, "");
    for (profile, texts) in [
        ("empty", &["gives no credentials: it has neither keys nor a role", "aws configure sso"][..]),
        ("half", &["profile missing aws_secret_access_key"]),
        ("program", &["exit status: 3; run its `credential_process` by itself"]),
        ("login", &["log in again: aws sso login --profile login"]),
        ("chained", &["log in again: aws sso login --profile login"]),
    ] {
        let named = format!("the profile `{profile}` (--profile) gives no credentials: ");
        let said = check(home.path(), &KEYS, &["pause", "--profile", profile], &[&[named.as_str()], texts].concat());
        let named = format!("the profile `{profile}` (AWS_PROFILE) gives no credentials: ");
        let by_variable =
            check(home.path(), &[("AWS_PROFILE", profile)], &["pause"], &[&[named.as_str()], texts].concat());
        for said in [said, by_variable] {
            let text = said.err;
            assert!(!text.contains(CANARY) && !text.contains("an error occurred") && !text.contains(" { "), "{text}");
        }
    }
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_in_awss_own_words() {
    let account = Account::bare().await;
    let keys = account.sandbox.administrator();
    let home = home(
        "[profile ops]\n[profile deploy]\nrole_arn = arn:aws:iam::111122223333:role/shop\nsource_profile = ops\n",
        &format!(
            "[ops]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys.access_key_id(),
            keys.secret_access_key()
        ),
    );
    let variables = [("HOME", text(home.path()))];
    let said = account.warden_as(&variables, &["pause", "--profile", "deploy"]);
    let said = said.check(
        2,
        &[
            "the profile `deploy` (--profile) gives no credentials: AccessDenied: ",
            "it assumes arn:aws:iam::111122223333:role/shop",
            "trust policy",
            "sts:AssumeRole",
        ],
    );
    assert!(!said.err.contains(" { ") && !said.err.contains("unhandled"), "{said:?}");
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "canary-7d1f")];
    let said = account.warden_as(&wrong, &["pause"]);
    said.check(2, &["in us-east-1", "whose credentials these are", "the keys in the environment and the Region"]);
}

#[tokio::test]
async fn the_profile_that_is_named_goes_before_keys_and_keys_go_before_aws_profile() {
    let account = Account::guarded().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    iam.create_user().user_name("other").send().await.expect("a user");
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    iam.attach_user_policy().user_name("other").policy_arn(all).send().await.expect("attached");
    let key = iam.create_access_key().user_name("other").send().await.expect("an answer").access_key.expect("a key");
    let others = [("AWS_ACCESS_KEY_ID", key.access_key_id()), ("AWS_SECRET_ACCESS_KEY", key.secret_access_key())];
    let trust = r#"{
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}]
    }"#;
    iam.create_role().role_name("deploy").assume_role_policy_document(trust).send().await.expect("a role");
    iam.attach_role_policy().role_name("deploy").policy_arn(all).send().await.expect("attached");

    let keys = account.sandbox.administrator();
    let home = home(
        "[profile ops]\nregion = us-east-1\n[profile deploy]\nrole_arn = \
         arn:aws:iam::111122223333:role/deploy\nsource_profile = ops\n",
        &format!(
            "[ops]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys.access_key_id(),
            keys.secret_access_key()
        ),
    );
    let home = ("HOME", text(home.path()));
    let check = |variables: &[(&str, &str)], profile: &[&str], who: &str| {
        let variables = [&[home][..], variables].concat();
        let said = account.warden_as(&variables, &[&["pause"], profile].concat());
        said.check(2, &[&format!("account 111122223333, Region us-east-1, as arn:aws:{who}"), "say --yes"]);
    };
    check(&others, &["--profile", "ops"], "iam::111122223333:user/administrator");
    check(&others, &["--profile", "deploy"], "sts::111122223333:assumed-role/deploy/");
    check(&others, &[], "iam::111122223333:user/other");
    let named = ("AWS_PROFILE", "ops");
    check(&[named], &[], "iam::111122223333:user/administrator");
    check(&[named, others[0], others[1]], &[], "iam::111122223333:user/other");
    check(&[("AWS_DEFAULT_PROFILE", "ops")], &[], "iam::111122223333:user/administrator");
    check(&[("AWS_DEFAULT_PROFILE", "deploy"), named], &[], "iam::111122223333:user/administrator");
    check(&[named, others[0], others[1]], &["--profile", "deploy"], "sts::111122223333:assumed-role/deploy/");
}

/// The last place that is looked in is the metadata of an EC2 instance, and where there is none a proxy may answer. Its
/// words alone help nobody.
#[test]
fn where_nothing_gives_credentials_it_is_said_what_does() {
    let home = tempfile::tempdir().expect("a directory");
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", proxy.local_addr().expect("its address"));
    // It ends with the test's process.
    thread::spawn(move || {
        for connection in proxy.incoming() {
            let mut connection = connection.expect("a connection");
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let metadata = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str())];
    let texts = ["no AWS credentials can be used: set AWS_PROFILE", "aws sso login", "What was tried last: "];
    check(home.path(), &metadata, &["audit"], &texts);
}
