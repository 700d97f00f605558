//! Requests that AWS would refuse are refused here: `mutate.py` makes up a request for every operation that any code of
//! this workspace calls, breaks one constraint of AWS's own definition after the other, and asks the account.

use serde::Deserialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};
use warden_aws::permissions;
use warden_guards::GUARDS;
use warden_sandbox::{Options, Sandbox, python, workspace};

#[derive(Debug, Deserialize)]
struct Tried {
    /// `iam:CreateRole`.
    operations: BTreeSet<String>,
    /// How many faults of each kind were refused.
    refused: BTreeMap<String, usize>,
    /// The faults that were not.
    taken: Vec<String>,
    /// Patterns that every text fits.
    unbreakable: Vec<String>,
}

/// What a role allows and no operation is called by: what is asked for beside another action.
const NO_OPERATIONS: [&str; 1] = ["iam:PassRole"];

#[tokio::test]
async fn every_constraint_of_every_call_is_held() {
    let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
    let administrator = sandbox.administrator();
    let asked = json!({
        "endpoint": sandbox.endpoint(),
        "key": administrator.access_key_id(),
        "secret": administrator.secret_access_key(),
        // Nothing here speaks CBOR yet: one operation of CloudWatch shows that it is read.
        "services": services().into_iter().chain(["cloudwatch".to_owned()]).collect::<Vec<_>>(),
        "methods": methods().into_iter().chain(["set_alarm_state".to_owned()]).collect::<Vec<_>>(),
    });
    let tried = tokio::task::spawn_blocking(move || mutate(&asked.to_string())).await.expect("the faults");

    let calls = GUARDS.iter().flat_map(|guard| guard.calls()).chain(permissions::OPERATOR.iter().copied());
    let untried: Vec<&str> =
        calls.filter(|call| !tried.operations.contains(*call) && !NO_OPERATIONS.contains(call)).collect();
    assert!(untried.is_empty(), "{untried:?}");
    assert!(tried.taken.is_empty(), "{:#?}", tried.taken);
    assert_eq!(tried.unbreakable, Vec::<String>::new(), "a pattern that breaks by nothing holds nothing");
    for what in ["required members left out", "patterns broken", "enums misspelt"] {
        assert!(tried.refused.contains_key(what), "{what}: none was tried");
    }
    let count: usize = tried.refused.values().sum();
    println!("{count} faults in {} operations were refused: {:#?}", tried.operations.len(), tried.refused);
}

fn mutate(asked: &str) -> Tried {
    let python = python(&Options::default().target).expect("MiniStack's Python");
    let mut command = Command::new(python);
    command.args(["-I", "-c", include_str!("mutate.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("Python");
    child.stdin.take().expect("its input").write_all(asked.as_bytes()).expect("what is asked");
    let ended = child.wait_with_output().expect("its end");
    assert!(ended.status.success());
    serde_json::from_slice(&ended.stdout).expect("the faults")
}

/// The SDK's crates that the workspace depends on, without `aws-sdk-`.
fn services() -> Vec<String> {
    let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).expect("the workspace");
    let names = manifest.lines().filter_map(|line| line.strip_prefix("aws-sdk-")?.split([' ', '.']).next());
    names.map(str::to_owned).collect()
}

/// Every method without arguments that is called anywhere in the sources: the SDK's operations are among them.
fn methods() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in ["cli", "functions", "shared", "tests"] {
        collect(&workspace().join(directory), &mut found);
    }
    found
}

fn collect(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let called = text.split("()").filter_map(|before| before.rsplit_once('.').map(|(_, name)| name));
            found
                .extend(called.filter(|name| name.chars().all(|c| c == '_' || c.is_alphanumeric())).map(str::to_owned));
        }
    }
}
