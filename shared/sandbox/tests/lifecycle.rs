//! The account starts empty, listens nowhere but on 127.0.0.1, and leaves nothing behind. What is looked up in /proc
//! is looked up on Linux alone.
#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use warden_sandbox::{Options, Sandbox, build_guards, workspace};

/// The processes whose working directory is in a sandbox's directory, by id.
fn processes_in(directory: &Path) -> BTreeSet<u32> {
    let inside =
        |process: &fs::DirEntry| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
    let all = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    all.filter(inside).filter_map(|process| process.file_name().to_str()?.parse().ok()).collect()
}

/// The addresses, in the kernel's hexadecimal, on which processes listen.
fn listening(processes: &BTreeSet<u32>) -> Vec<String> {
    let sockets: BTreeSet<String> = processes
        .iter()
        .flat_map(|process| fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok))
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let lines =
        ["tcp", "tcp6", "udp", "udp6"].map(|kind| fs::read_to_string(format!("/proc/net/{kind}")).unwrap_or_default());
    let fields =
        lines.iter().flat_map(|table| table.lines().skip(1)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    // TCP in state LISTEN, or UDP that is bound to no peer.
    let open = fields.filter(|fields| matches!(fields[3], "0A" | "07") && sockets.contains(fields[9]));
    open.map(|fields| fields[1].split(':').next().unwrap_or_default().to_owned()).collect()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn two_accounts_know_nothing_of_each_other() {
    let one = Sandbox::start(Options::default()).await.expect("a sandbox");
    let two = Sandbox::start(Options::default()).await.expect("another");
    let iam = |sandbox: &Sandbox| aws_sdk_iam::Client::new(&sandbox.config());
    iam(&one).create_user().user_name("only-here").send().await.expect("a user");
    let users = |listed: aws_sdk_iam::operation::list_users::ListUsersOutput| {
        listed.users.into_iter().map(|user| user.user_name).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        users(iam(&one).list_users().send().await.expect("users")),
        BTreeSet::from(["administrator".into(), "only-here".into()])
    );
    assert_eq!(users(iam(&two).list_users().send().await.expect("users")), BTreeSet::from(["administrator".into()]));
    iam(&two).list_users().send().await.expect("the other's key is not refused here");
    let foreign = aws_sdk_iam::Client::new(&two.config_as(one.administrator().clone(), "us-east-1"));
    foreign.list_users().send().await.expect_err("a key of another account");
}

#[tokio::test]
async fn nothing_listens_outside_the_machine() {
    let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
    let processes = processes_in(sandbox.directory());
    let addresses = listening(&processes);
    // 127.0.0.1 in the byte order of /proc/net/tcp.
    assert!(!addresses.is_empty() && addresses.iter().all(|address| address == "0100007F"), "{addresses:?}");
}

#[tokio::test]
async fn stopping_leaves_nothing() {
    let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
    let directory = sandbox.directory().to_owned();
    assert!(!processes_in(&directory).is_empty());
    sandbox.stop().await;
    assert_eq!(processes_in(&directory), BTreeSet::new());
    assert!(!directory.exists());
}

/// Ctrl-C in the demo's first second panicked: a runtime was dropped where waiting is not allowed.
#[tokio::test]
async fn a_start_may_be_cut_off() {
    let started = tokio::time::timeout(Duration::ZERO, Sandbox::start(Options::default())).await;
    assert!(started.is_err(), "it takes longer than that");
}

#[test]
fn killing_the_parent_leaves_nothing() {
    let keeper = build_guards(&workspace(), &["keeper"], &|_| {}).expect("the keeper").remove(0);
    let mut keeper = Command::new(keeper).stdout(Stdio::piped()).spawn().expect("the keeper");
    let mut directory = String::new();
    BufReader::new(keeper.stdout.take().expect("its output")).read_line(&mut directory).expect("a line");
    let directory = Path::new(directory.trim()).to_owned();
    assert!(!processes_in(&directory).is_empty());
    keeper.kill().expect("SIGKILL");
    keeper.wait().expect("its end");
    wait_until("the account's processes are gone", || processes_in(&directory).is_empty());
    wait_until("the account's directory is gone", || !directory.exists());
}
