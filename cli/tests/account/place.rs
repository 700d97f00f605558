//! Every command that changes something says where, to somebody who can read it.

use super::{Account, SHOP, Said};
use std::{
    fs::File,
    io::{BufRead, BufReader, pipe},
    process::Stdio,
};

const PLACE: &str =
    "This changes account 111122223333, Region us-east-1, as arn:aws:iam::111122223333:user/administrator.";

#[tokio::test]
async fn each_command_names_the_account_and_the_region_before_it_changes_anything() {
    let account = Account::guarded().await;
    let asks = |arguments: &[&str]| account.warden(arguments).check(2, &[PLACE, "say --yes"]);
    let does = |arguments: &[&str]| {
        let said = account.warden(&[arguments, &["--yes"]].concat()).check(0, &[PLACE]);
        let last = said.out.lines().last().unwrap_or_default();
        assert_ne!(last, PLACE, "what was done is said after it: {said:?}");
    };
    account.open("old").await;
    for arguments in
        [&["opt-in", "shop"][..], &["opt-in", "--role", "shop"], &["exempt", "shop", "public-url", "--for", "7d"]]
    {
        asks(arguments);
        does(arguments);
    }
    account.settle().await;
    asks(&["pause"]);
    does(&["pause"]);
    asks(&["resume"]);
    does(&["resume"]);
    asks(&["apply", "--function", "shop"]);
    does(&["apply", "--function", "shop"]);
    let [applied] = account.ids("applied").try_into().expect("one remediation");
    asks(&["undo", &applied]);
    does(&["undo", &applied]);

    // A function elsewhere is none of this stack's, however it is named.
    let there =
        aws_sdk_lambda::Client::new(&account.sandbox.config_as(account.sandbox.administrator().clone(), "eu-west-1"));
    account.create_function_by(&there, "branch").await;
    let branch = "arn:aws:lambda:eu-west-1:111122223333:function:branch";
    for arguments in [
        &["exempt", branch, "public-url", "--for", "7d", "--yes"][..],
        &["opt-in", branch, "--yes"],
        &["opt-in", SHOP, branch, "--yes"],
        &["opt-in", "eu-west-1:111122223333:branch", "--yes"],
    ] {
        let said = account.warden(arguments);
        said.check(2, &["is in eu-west-1, and Warden's stack is looked for in us-east-1", "Use --region eu-west-1"]);
    }
    let tags = there.list_tags().resource(branch).send().await.expect("tags").tags.unwrap_or_default();
    assert!(tags.is_empty(), "{tags:?}");
    account
        .warden(&["exempt", branch, "public-url", "--for", "7d", "--region", "eu-west-1", "--yes"])
        .check(0, &["Set."]);
}

#[tokio::test]
async fn nothing_is_changed_that_nobody_can_read_of() {
    let account = Account::guarded().await;
    let keys = account.sandbox.administrator();
    let keys = [("AWS_ACCESS_KEY_ID", keys.access_key_id()), ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key())];
    let into_nothing = |arguments: &[&str]| {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let mut command = account.command(&keys, arguments);
        command.stdout(writer);
        Said::by_pipes(command)
    };
    for arguments in [
        &["pause", "--yes"][..],
        &["opt-in", "shop", "--yes"],
        &["exempt", "shop", "public-url", "--for", "7d", "--yes"],
    ] {
        into_nothing(arguments).check(2, &["nothing was changed", "cannot be written"]);
    }
    if cfg!(target_os = "linux") {
        let mut command = account.command(&keys, &["pause", "--yes"]);
        command.stdout(File::create("/dev/full").expect("a device"));
        Said::by_pipes(command).check(2, &["nothing was changed", "No space left on device"]);
    }
    account.warden(&["resume", "--yes"]).check(0, &["not paused"]);
    assert_eq!(account.tag("warden").await, None);
    assert_eq!(account.tag("warden:exempt").await, None);
    // What only lists ends where its reader has seen enough.
    into_nothing(&["audit"]).check(0, &[]);
    into_nothing(&["resume", "--yes"]).check(0, &[]);

    // Once it is read, it is done, whether or not what follows is read.
    let mut command = account.command(&keys, &["pause", "--yes"]);
    let mut pausing = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(pausing.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.expect("a line") == PLACE));
    drop(lines);
    assert_eq!(pausing.wait().expect("it ends").code(), Some(0));
    account.warden(&["resume", "--yes"]).check(0, &["Resumed."]);
}
