//! The commands against a local account with the real guard deployed, as a person runs them.

mod place;
mod profile;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::{
    operation::create_function::builders::CreateFunctionFluentBuilder,
    primitives::Blob,
    types::{
        CapacityProviderConfig, Environment, FunctionCode, FunctionVersionLatestPublished,
        LambdaManagedInstancesCapacityProviderConfig, Runtime,
    },
};
use serde_json::Value;
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};
use warden_sandbox::{CallMatch, Fault, Options, Sandbox, Stack, build_guards, workspace};

const SHOP: &str = "arn:aws:lambda:us-east-1:111122223333:function:shop";

/// The trust policy of a function's role.
const TRUST: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    ]
}"#;

/// What a command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// `warden` with nothing of the environment of whoever runs the tests, and no profile.
fn warden(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warden"));
    command.args(arguments).env_clear().envs([("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    command
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// What a command says when it is run.
    fn by(mut command: Command) -> Said {
        command.stdout(Stdio::piped());
        Said::by_pipes(command)
    }

    /// The same, where the standard output goes somewhere already.
    fn by_pipes(mut command: Command) -> Said {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        // Its own end of a pipe would stay open here.
        drop(command);
        child.wait_with_output().expect("it ends").into()
    }

    /// Asserts the exit code and that each text stands in what was printed.
    #[track_caller]
    fn check(self, code: i32, texts: &[&str]) -> Said {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "`{text}` is missing: {self:?}");
        }
        self
    }

    /// The JSON lines that were printed.
    #[track_caller]
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// The call that makes a function.
fn new_function(lambda: &aws_sdk_lambda::Client, name: &str) -> CreateFunctionFluentBuilder {
    // The end-of-directory record alone: the smallest zip there is.
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(22, 0);
    let function = lambda.create_function().function_name(name).runtime(Runtime::Providedal2023);
    let function = function.handler("bootstrap").code(FunctionCode::builder().zip_file(Blob::new(zip)).build());
    function.role("arn:aws:iam::111122223333:role/shop")
}

/// The same on Lambda Managed Instances, published at once.
fn on_managed_instances(function: CreateFunctionFluentBuilder) -> CreateFunctionFluentBuilder {
    let provider = "arn:aws:lambda:us-east-1:111122223333:capacity-provider:fleet";
    let instances = LambdaManagedInstancesCapacityProviderConfig::builder().capacity_provider_arn(provider).build();
    let provider = CapacityProviderConfig::builder()
        .lambda_managed_instances_capacity_provider_config(instances.expect("the configuration of instances"));
    let function = function.capacity_provider_config(provider.build());
    function.publish_to(FunctionVersionLatestPublished::LatestPublished)
}

/// A local account with a function `shop`.
struct Account {
    sandbox: Sandbox,
    lambda: aws_sdk_lambda::Client,
}

impl Account {
    /// Without Warden.
    async fn bare() -> Account {
        let options = Options { retry_delay: Duration::from_millis(5), ..Options::default() };
        let sandbox = Sandbox::start(options).await.expect("a sandbox");
        let lambda = aws_sdk_lambda::Client::new(&sandbox.config());
        let account = Account { sandbox, lambda };
        let role = aws_sdk_iam::Client::new(&account.sandbox.config()).create_role().role_name("shop");
        role.assume_role_policy_document(TRUST).send().await.expect("a role");
        account.create_function("shop").await;
        account
    }

    /// With the stack and its guard.
    async fn guarded() -> Account {
        Account::with(&["access-guard", "role-guard"]).await
    }

    async fn with(guards: &[&str]) -> Account {
        let account = Account::bare().await;
        account.deploy(guards, "on").await;
        account
    }

    /// Deploys the stack, or deploys it again, with the ledger's deletion protection on or off.
    async fn deploy(&self, guards: &[&str], protect: &str) {
        let root = workspace();
        let all: Vec<&str> = guards.iter().copied().chain(["secret-env"]).collect();
        let binaries = build_guards(&root, &all, &|_| {}).expect("the guards");
        let template = root.join("infra/warden.yaml");
        let secrets = if guards.contains(&"secret-guard") { "on" } else { "off" };
        let concurrency = if guards.contains(&"concurrency-guard") { "on" } else { "off" };
        let parameters = [
            ("LeaseSeconds", "2"),
            ("GuardConcurrency", concurrency),
            ("GuardSecrets", secrets),
            ("ProtectLedger", protect),
        ];
        let guards: Vec<_> = guards.iter().copied().zip(binaries.iter().map(PathBuf::as_path)).collect();
        let stack = Stack {
            name: "lambda-warden",
            template: &template,
            parameters: &parameters,
            guards: &guards,
            layer: binaries.last().map(PathBuf::as_path),
        };
        self.sandbox.deploy(&stack).await.expect("the stack");
    }

    async fn create_function(&self, name: &str) {
        self.create_function_by(&self.lambda, name).await;
    }

    async fn create_function_by(&self, lambda: &aws_sdk_lambda::Client, name: &str) {
        new_function(lambda, name).send().await.expect("a function");
        let region = lambda.config().region().expect("a Region").as_ref();
        self.sandbox.ready_in(region, name).await.expect("it is there");
    }

    /// Runs `warden` as the administrator.
    fn warden(&self, arguments: &[&str]) -> Said {
        let keys = self.sandbox.administrator();
        let pairs = [("AWS_ACCESS_KEY_ID", keys.access_key_id()), ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key())];
        self.warden_as(&pairs, arguments)
    }

    /// Runs `warden` with these variables.
    fn warden_as(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
        Said::by(self.command(variables, arguments))
    }

    /// The same with something on the standard input.
    fn warden_given(&self, variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(variables, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // It need not read it.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        child.wait_with_output().expect("it ends").into()
    }

    fn command(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
        let mut command = warden(arguments);
        command
            .envs([("AWS_ENDPOINT_URL", self.sandbox.endpoint()), ("AWS_REGION", self.sandbox.region())])
            .envs(variables.iter().copied());
        command
    }

    /// Adds a trigger that any account's bucket can pull and takes the narrowed one away again, until the breaker
    /// leaves it.
    async fn fight(&self, function: &str) {
        for revert in 0..4 {
            let add = self.lambda.add_permission().function_name(function).statement_id("bucket");
            add.principal("s3.amazonaws.com").action("lambda:InvokeFunction").send().await.expect("a statement");
            self.settle().await;
            let policy = self.policy_of(function).await.expect("a policy");
            let narrowed = policy["Statement"][0]["Condition"].is_object();
            assert_eq!(narrowed, revert < 3);
            if narrowed {
                let remove = self.lambda.remove_permission().function_name(function).statement_id("bucket");
                remove.send().await.expect("removed");
            }
        }
    }

    /// Lets anybody invoke `shop`, and waits until the guard has seen it.
    async fn open(&self, sid: &str) {
        let add = self.lambda.add_permission().function_name("shop").statement_id(sid).principal("*");
        add.action("lambda:InvokeFunction").send().await.expect("a statement");
        self.settle().await;
    }

    async fn settle(&self) {
        self.sandbox.settle().await.expect("settled");
    }

    /// The policy of `shop`, if there is one.
    async fn policy(&self) -> Option<Value> {
        self.policy_of("shop").await
    }

    async fn policy_of(&self, function: &str) -> Option<Value> {
        let got = self.lambda.get_policy().function_name(function).send().await.ok()?;
        serde_json::from_str(&got.policy.unwrap_or_default()).ok()
    }

    async fn tag(&self, key: &str) -> Option<String> {
        let tags = self.lambda.list_tags().resource(SHOP).send().await.expect("tags").tags.unwrap_or_default();
        tags.get(key).cloned()
    }

    /// The ids of the records of a step, newest first.
    #[track_caller]
    fn ids(&self, step: &str) -> Vec<String> {
        let listed = self.warden(&["audit", "--step", step, "--output", "jsonl"]).check(0, &[]);
        listed.lines().iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect()
    }
}

#[tokio::test]
async fn a_remediation_is_listed_shown_and_taken_back() {
    let account = Account::guarded().await;
    let refused = account.warden(&["opt-in", "shop"]);
    refused.check(2, &["nothing is wrong with who may invoke it", "say --yes"]);
    assert_eq!(account.tag("warden").await, None);
    account.warden(&["opt-in", "shop", "--yes", "--owner", "team shop"]).check(0, &["shop: opted in."]);
    assert_eq!(account.tag("warden:owner").await.as_deref(), Some("team shop"));
    account.settle().await;
    account.open("everyone").await;
    assert_eq!(account.policy().await, None);

    let table = account.warden(&["audit", "--output", "table"]);
    table.check(0, &["applied", "public-invoke", "critical", "administrator", "resource-policy"]);
    let [applied] = account.ids("applied").try_into().expect("one remediation");
    assert_eq!(account.warden(&["audit", "list", "--function", "other"]).check(0, &[]).out, "");
    assert_eq!(account.warden(&["audit", "list", "--finding", "public-url"]).check(0, &[]).out, "");
    assert_eq!(account.warden(&["audit", "list", "--function", SHOP, "--finding", "public-invoke"]).lines().len(), 2);

    let shown = account.warden(&["audit", "show", &applied[..20].to_lowercase()]);
    let shown = shown
        .check(0, &["arn:aws:iam::111122223333:user/administrator", "AddPermission (reported by event)", "team shop"]);
    shown.check(
        0,
        &[
            "--- before",
            "+++ after (nothing)",
            "RemovePermission(shop, Sid everyone)",
            "AddPermission(shop, Sid everyone)",
            "planned",
        ],
    );
    let json = account.warden(&["audit", "show", &applied, "--output", "json"]).check(0, &[]);
    assert_eq!(serde_json::from_str::<Value>(&json.out).expect("JSON")["step"], "applied");

    account.warden(&["undo", &applied, "--accept-for", "91d", "--yes"]).check(1, &["90 days at most"]);
    account.warden(&["undo", &applied]).check(2, &["AddPermission(shop, Sid everyone)", "say --yes"]);
    assert_eq!(account.policy().await, None);
    account.warden(&["undo", &applied, "--yes"]).check(0, &["undone", "Restored."]);
    account.settle().await;
    let policy = account.policy().await.expect("the policy is back");
    assert_eq!(policy["Statement"][0]["Sid"], "everyone");
    // The guard saw the undo, and leaves it alone.
    assert_eq!(account.ids("applied").len(), 1);
    let [accepted] = account.ids("accepted").try_into().expect("one acceptance");
    account.warden(&["audit", "show", &accepted]).check(0, &["decided by administrator", "warden undo"]);
    account
        .warden(&["apply", "--function", "shop", "--yes"])
        .check(1, &["accepted by administrator", "nothing to change"]);

    account.warden(&["undo", &applied, "--yes"]).check(1, &["already holds what it held before"]);
    account.warden(&["undo", &accepted, "--yes"]).check(1, &["only an `applied` or a `rotated` one can be undone"]);
    let add = account.lambda.add_permission().function_name("shop").statement_id("ours").principal("111122223333");
    add.action("lambda:InvokeFunction").send().await.expect("a statement that is nothing bad");
    account.settle().await;
    let changed = account.warden(&["undo", &applied, "--yes"]);
    changed.check(1, &["somebody has changed it since", "what Warden left", "what is there now"]);
    account.warden(&["audit", "verify"]).check(0, &[]);
}

#[tokio::test]
async fn what_was_there_before_the_opt_in_is_left_until_it_is_applied() {
    let account = Account::guarded().await;
    account.open("old").await;
    let opted = account.warden(&["opt-in", "shop", "--mode", "observe", "--guard", "access", "--yes"]);
    opted.check(0, &["tag `warden:access` = `observe` (was not set)", "public-invoke", "nothing is changed"]);
    account.settle().await;
    account.warden(&["apply", "--function", "shop", "--yes"]).check(1, &["opted in to observe", "nothing to change"]);
    account.warden(&["opt-in", "shop", "--guard", "access", "--yes"]).check(0, &["`warden apply --function shop`"]);
    account.settle().await;
    let [standing] = account.ids("withheld").try_into().expect("one withheld");
    account.warden(&["audit", "show", &standing]).check(0, &["withheld (pre-existing)", "warden apply"]);
    account.warden(&["undo", &standing, "--yes"]).check(1, &["only an `applied` or a `rotated` one can be undone"]);

    account.warden(&["apply", &standing]).check(2, &["RemovePermission(shop, Sid old)", "say --yes"]);
    assert!(account.policy().await.is_some());
    account.warden(&["apply", &standing, "--yes"]).check(0, &["applied"]);
    assert_eq!(account.policy().await, None);
    let [applied] = account.ids("applied").try_into().expect("one remediation");
    account.warden(&["apply", &applied, "--yes"]).check(1, &["only a `withheld` or `failed` one"]);
    account.warden(&["apply", &standing, "--yes"]).check(0, &["nothing to change"]);
    account.warden(&["audit", "verify", "--output", "table"]).check(0, &["every chain holds"]);
}

#[tokio::test]
async fn opting_in_says_which_secrets_stand_and_shows_none() {
    const CANARY: &str = "Kx9vQ7mZ2pLtR4wN";
    let account = Account::with(&["access-guard", "role-guard", "secret-guard"]).await;
    let variables = [("DB_PASSWORD", CANARY), ("WEB_PASSWORD", "Sunfl0wer!77"), ("STAGE", "test")];
    let environment =
        variables.into_iter().fold(Environment::builder(), |all, (name, value)| all.variables(name, value));
    let update = account.lambda.update_function_configuration().function_name("shop").environment(environment.build());
    update.send().await.expect("updated");
    account.settle().await;

    let opted = account.warden(&["opt-in", "shop", "--yes"]);
    let opted =
        opted.check(0, &["secret-guard: enforce", "DB_PASSWORD looks like a secret (password)", "WEB_PASSWORD"]);
    let opted = opted.check(0, &["left as it is until `warden apply --function shop`", "shop: opted in."]);
    assert!(
        !opted.out.contains(CANARY) && !opted.out.contains("Sunfl0wer") && !opted.out.contains("STAGE"),
        "{opted:?}"
    );
    account.settle().await;
    // And so it is.
    let [standing] = account.ids("withheld").try_into().expect("one withheld");
    account.warden(&["audit", "show", &standing]).check(0, &["withheld (pre-existing)", "secret-guard", "DB_PASSWORD"]);
    let found = account.lambda.get_function_configuration().function_name("shop").send().await.expect("it is there");
    let environment = found.environment.and_then(|it| it.variables).unwrap_or_default();
    assert_eq!(environment["DB_PASSWORD"], CANARY);

    let alone = account.warden(&["opt-in", "shop", "--guard", "access", "--yes"]).check(0, &["access-guard: enforce"]);
    assert!(!alone.out.contains("secret-guard"), "{alone:?}");
    let alone = account.warden(&["opt-in", "shop", "--guard", "secrets", "--yes"]).check(0, &["secret-guard: enforce"]);
    assert!(!alone.out.contains("access-guard"), "{alone:?}");
    account
        .warden(&["opt-in", "shop", "--guard", "secrets", "--mode", "strip", "--yes"])
        .check(0, &["tag `warden:secrets` = `strip` (was `enforce`)", "secret-guard: enforce, without the layer"]);
    assert_eq!(account.tag("warden:secrets").await.as_deref(), Some("strip"));
}

#[tokio::test]
async fn a_secret_is_rotated_from_a_pipe_and_its_value_is_shown_nowhere() {
    const FIRST: &str = "Kx9vQ7mZ2pLtR4wN";
    const SECOND: &str = "Zq81xB0vK2mXp7TwLr5n";
    const THIRD: &str = "Hw3kPz8sVn5rTq1yJd7b";
    let account = Account::with(&["access-guard", "role-guard", "secret-guard"]).await;
    let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
    let held = async || {
        let listed = secrets.list_secrets().send().await.expect("secrets");
        let mut secrets_of_shop = listed
            .secret_list()
            .iter()
            .filter(|secret| secret.name().is_some_and(|name| name.starts_with("warden/shop/")));
        let (Some(secret), None) = (secrets_of_shop.next(), secrets_of_shop.next()) else {
            panic!("one secret: {listed:?}")
        };
        let found = secrets.get_secret_value().secret_id(secret.name().expect("a name")).send().await;
        serde_json::from_str::<Value>(found.expect("the secret").secret_string().expect("text")).expect("JSON")
    };
    let deploy = async |value: &str| {
        let environment = Environment::builder().variables("DB_PASSWORD", value).variables("STAGE", "test").build();
        account.sandbox.ready("shop").await.expect("it is there");
        let update = account.lambda.update_function_configuration().function_name("shop").environment(environment);
        update.send().await.expect("updated");
        account.settle().await;
    };
    let tag = account.lambda.tag_resource().resource(SHOP).tags("warden:secrets", "strip");
    tag.send().await.expect("tagged");
    account.settle().await;
    deploy(FIRST).await;
    assert_eq!(held().await, serde_json::json!({"DB_PASSWORD": FIRST}));

    let keys = account.sandbox.administrator();
    let pairs = [("AWS_ACCESS_KEY_ID", keys.access_key_id()), ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key())];
    let rotate = |variable: &str, more: &[&str], input: &[u8]| {
        let arguments: Vec<&str> = ["rotate", "shop", variable].iter().chain(more).copied().collect();
        let said = account.warden_given(&pairs, &arguments, input);
        assert!(!said.out.contains(SECOND) && !said.err.contains(SECOND), "{said:?}");
        said
    };
    let (new, line) = (SECOND.as_bytes(), format!("{SECOND}\n"));
    rotate("STAGE", &["--yes"], new).check(1, &["STAGE of shop cannot be rotated", "stands in the environment itself"]);
    rotate("NOT_THERE", &["--yes"], new).check(1, &["no variable of this name"]);
    for empty in [b"".as_slice(), b"\n"] {
        rotate("DB_PASSWORD", &["--yes"], empty).check(2, &["the value is empty"]);
    }
    rotate("DB_PASSWORD", &["--yes"], &[new, b"\xff"].concat()).check(2, &["no UTF-8 text"]);
    rotate("DB_PASSWORD", &["--yes"], &[b'x'; 65_537]).check(2, &["longer than the 65536 bytes"]);
    // Nearly as long: with the name beside it, the secret has no room for it.
    rotate("DB_PASSWORD", &["--yes"], &[b'x'; 65_530]).check(1, &["more than the 65536 bytes that a secret holds"]);
    let place = "This changes account 111122223333, Region us-east-1, as";
    rotate("DB_PASSWORD", &[], new)
        .check(2, &["DB_PASSWORD of shop", "PutSecretValue(warden/shop/", place, "say --yes"]);
    assert_eq!(held().await["DB_PASSWORD"], FIRST);
    // An argument would stand in the shell's history.
    rotate("DB_PASSWORD", &["--yes", "hunter2"], b"").check(2, &["unexpected argument"]);
    // What it is not replaced in is said before anything is changed, and what is not known afterwards.
    let old = Environment::builder().variables("BACKUP_PASSWORD", FIRST).variables("STAGE", "test").build();
    new_function(&account.lambda, "ship").environment(old).send().await.expect("a function");
    account.settle().await;
    let faults = account.sandbox.trail().faults();
    faults.inject_next(CallMatch::operation("PutSecretValue"), 1000, Fault::ServerError);
    rotate("DB_PASSWORD", &["--yes"], line.as_bytes()).check(
        2,
        &[
            "BACKUP_PASSWORD of ship holds the earlier value in plaintext",
            "whether DB_PASSWORD of shop has the new value is not known",
            "run the same command with the same value again",
        ],
    );
    faults.clear();
    // The lease of the run that was cut off.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let rotated = rotate("DB_PASSWORD", &["--yes"], line.as_bytes());
    rotated.check(
        0,
        &[
            "rotated",
            "until they start again",
            place,
            "aws lambda update-function-configuration --cli-input-json \"file://$was\"",
        ],
    );
    assert_eq!(held().await, serde_json::json!({"DB_PASSWORD": SECOND}));
    rotate("DB_PASSWORD", &["--yes"], new)
        .check(0, &["holds this value already", "until they start again", "aws lambda update-function-configuration"]);

    // What runs on Managed Instances has to be published to start anew.
    let fleet = on_managed_instances(new_function(&account.lambda, "fleet")).tags("warden:secrets", "strip");
    fleet.send().await.expect("a function");
    account.sandbox.ready("fleet").await.expect("it is there");
    account.settle().await;
    let environment = Environment::builder().variables("DB_PASSWORD", THIRD).build();
    let update = account.lambda.update_function_configuration().function_name("fleet").environment(environment);
    update.send().await.expect("updated");
    account.settle().await;
    let rotated = account.warden_given(&pairs, &["rotate", "fleet", "DB_PASSWORD", "--yes"], new);
    let publish = "aws lambda publish-version --cli-input-json \"file://$was\" --publish-to LATEST_PUBLISHED";
    rotated.check(0, &["rotated", "runs on Lambda Managed Instances", publish]);

    let [_, id] = account.ids("rotated").try_into().expect("two rotations");
    let shown = account.warden(&["audit", "show", &id]);
    shown.check(0, &["rotated by administrator", "secret/DB_PASSWORD", "PutSecretValue(warden/shop/"]);
    deploy(FIRST).await;
    assert_eq!(held().await["DB_PASSWORD"], SECOND, "what is stale is not stored");
    account.warden(&["undo", &id, "--yes"]).check(0, &["Restored.", "until they start again"]);
    assert_eq!(held().await["DB_PASSWORD"], FIRST);
    let exported = account.warden(&["audit", "--output", "jsonl"]);
    assert!(!exported.out.contains(SECOND) && !exported.out.contains(FIRST));
    account.warden(&["audit", "verify", "--output", "table"]).check(0, &["every chain holds"]);
}

#[tokio::test]
async fn while_paused_nothing_is_changed() {
    let account = Account::guarded().await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    account.warden(&["resume", "--yes"]).check(0, &["not paused"]);
    account.warden(&["pause", "--for", "2h"]).check(2, &["say --yes"]);
    account.warden(&["pause", "--for", "2h", "--reason", "release \u{1b}[2J", "--yes"]).check(0, &["Paused."]);
    account.settle().await;
    account.open("everyone").await;
    assert!(account.policy().await.is_some());
    let listed = account.warden(&["audit", "--output", "table"]);
    let listed = listed.check(0, &["PAUSED by administrator until", "release \\u{1b}", "withheld (paused)"]);
    assert!(!listed.out.contains('\u{1b}'));
    account.warden(&["apply", "--function", "shop", "--yes"]).check(1, &["guards were paused"]);
    account.warden(&["resume", "--yes"]).check(0, &["paused, by administrator", "Resumed."]);
    account.warden(&["apply", "--function", "shop", "--yes"]).check(0, &["applied"]);
    assert_eq!(account.policy().await, None);
}

#[tokio::test]
async fn a_fight_stands_on_top_of_the_list() {
    let account = Account::guarded().await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    account.settle().await;
    account.fight("shop").await;
    let listed = account.warden(&["audit", "--output", "table"]);
    listed.check(0, &["BREAKER shop resource-policy: reverted 3 times", "user/administrator", "withheld (breaker)"]);
    account.warden(&["apply", "--function", "shop", "--yes"]).check(0, &["open-service-principal", "applied"]);
    assert!(account.policy().await.expect("a policy")["Statement"][0]["Condition"].is_object());
    let listed = account.warden(&["audit", "--output", "table"]).check(0, &["withheld (breaker)"]);
    assert!(!listed.out.contains("BREAKER"), "it is put right: {listed:?}");
}

#[tokio::test]
async fn a_fight_is_over_when_its_function_is_opted_out_or_gone() {
    let account = Account::guarded().await;
    account.create_function("stock").await;
    account.warden(&["opt-in", "shop", "stock", "--yes"]).check(0, &[]);
    account.settle().await;
    account.fight("shop").await;
    account.fight("stock").await;
    account.warden(&["audit", "--output", "table"]).check(0, &["BREAKER shop", "BREAKER stock"]);

    account.lambda.untag_resource().resource(SHOP).tag_keys("warden").send().await.expect("untagged");
    account.settle().await;
    let listed = account.warden(&["audit", "--output", "table"]).check(0, &["withheld (breaker)", "BREAKER stock"]);
    assert!(!listed.out.contains("BREAKER shop"), "{listed:?}");

    account.lambda.delete_function().function_name("stock").send().await.expect("deleted");
    account.settle().await;
    let listed = account.warden(&["audit", "--output", "table"]).check(0, &["withheld (breaker)"]);
    assert!(!listed.out.contains("BREAKER"), "{listed:?}");
}

#[tokio::test]
async fn what_is_not_there_is_one_error_and_not_applied() {
    let account = Account::guarded().await;
    let said = account.warden(&["apply", "--function", "nosuch", "--yes"]);
    let said = said.check(2, &["there is no function `nosuch` in us-east-1"]);
    assert_eq!((said.out.lines().count(), said.err.lines().count()), (0, 1), "{said:?}");
    let said = account.warden(&["apply", "--role", "nosuch", "--yes"]).check(2, &["there is no role `nosuch`"]);
    assert_eq!((said.out.lines().count(), said.err.lines().count()), (0, 1), "{said:?}");
    let said = account.warden(&["apply", "--function", "shop", "--yes"]).check(1, &["nothing to change"]);
    assert_eq!(said.out.matches("shop").count(), 1, "said once for all guards: {said:?}");

    account.open("old").await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    account.settle().await;
    let [standing] = account.ids("withheld").try_into().expect("one withheld");
    account.lambda.delete_function().function_name("shop").send().await.expect("deleted");
    account.settle().await;
    let said = account.warden(&["apply", &standing, "--yes"]).check(1, &["shop is gone.", "nothing to change"]);
    assert_eq!(said.out.matches("gone").count(), 1, "{said:?}");
}

#[tokio::test]
async fn an_exemption_is_a_tag_that_the_guard_follows() {
    let account = Account::guarded().await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    let tag = account
        .lambda
        .tag_resource()
        .resource(SHOP)
        .tags("warden:exempt", "public-url@2020-01-01 open-service-principal@2020-01-02");
    tag.send().await.expect("tagged");
    account
        .warden(&["exempt", "shop", "public-invoke", "--until", "9999-12-31", "--yes"])
        .check(2, &["90 days at most"]);
    account
        .warden(&["exempt", "shop", "public-invoke", "--until", "2020-01-01", "--yes"])
        .check(2, &["this day is past"]);
    account.warden(&["exempt", "shop", "everything", "--for", "7d", "--yes"]).check(2, &["everything"]);
    account.warden(&["exempt", "shop", "public-invoke", "--for", "30d"]).check(2, &["say --yes"]);
    account
        .warden(&["exempt", "nowhere", "public-invoke", "--for", "30d", "--yes"])
        .check(2, &["no function `nowhere`"]);
    account.warden(&["exempt", "shop", "public-invoke", "--for", "30d", "--yes"]).check(0, &["Set."]);
    account.warden(&["exempt", "shop", "public-url", "--for", "1d", "--yes"]).check(0, &["Set."]);
    let tag = account.tag("warden:exempt").await.expect("the tag");
    let ids: Vec<&str> = tag.split(' ').filter_map(|word| Some(word.split_once('@')?.0)).collect();
    assert_eq!(ids, ["public-invoke", "public-url"]);
    account.settle().await;
    account.open("everyone").await;
    assert!(account.policy().await.is_some());
    account.warden(&["audit", "--output", "table"]).check(0, &["withheld (exempt)"]);
    account.warden(&["apply", "--function", "shop", "--yes"]).check(1, &["`warden:exempt` lets it pass"]);
}

#[tokio::test]
async fn a_ledger_that_was_edited_is_found_out() {
    let account = Account::guarded().await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    account.settle().await;
    account.open("everyone").await;
    // The function, and the role that it has.
    account.warden(&["audit", "verify", "--output", "table"]).check(0, &["2 resources", "every chain holds"]);
    let [applied] = account.ids("applied").try_into().expect("one remediation");

    let table = aws_sdk_dynamodb::Client::new(&account.sandbox.config());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let get =
        table.get_item().table_name("warden-ledger").key("pk", text(SHOP)).key("sk", text(&format!("rec#{applied}")));
    let mut item = get.send().await.expect("an answer").item.expect("the record");
    let record = item["record"].as_s().expect("text").replace("user/administrator", "user/mallory");
    item.insert("record".into(), text(&record));
    table.put_item().table_name("warden-ledger").set_item(Some(item.clone())).send().await.expect("edited");
    let verified = account.warden(&["audit", "verify", "--output", "table"]);
    let (id, changed) = (format!("rec#{applied}"), "it was changed after it was written");
    verified.check(1, &["BROKEN", SHOP, &id, changed]);
    account.warden(&["audit"]).check(1, &[&id, changed]);
    account.warden(&["audit", "show", &applied]).check(2, &[&id, changed]);
    account.warden(&["undo", &applied, "--yes"]).check(2, &[&id, changed]);

    // Nobody can pause the guards by writing to the table, and what is cut off is on top of the list.
    let pause = [
        ("pk", "account"),
        ("sk", "pause"),
        ("pause", r#"{"until":null,"by":"mallory","reason":null,"proof":"AAAA"}"#),
    ];
    let pause = pause.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    table.put_item().table_name("warden-ledger").set_item(Some(pause)).send().await.expect("put in");
    let cut =
        table.update_item().table_name("warden-ledger").key("pk", text(SHOP)).key("sk", text("state#resource-policy"));
    let cut = cut.update_expression("SET #open = :open").expression_attribute_names("#open", "open");
    cut.expression_attribute_values(":open", text("intent")).send().await.expect("written");
    let listed = account.warden(&["audit", "--output", "table"]);
    let listed = listed.check(1, &["FORGED", "is not the last that was written", "OPEN shop resource-policy"]);
    assert!(!listed.out.contains("PAUSED"));

    // Damage on one resource hides nothing of another.
    let other = "arn:aws:lambda:us-east-1:111122223333:function:other";
    item.insert("pk".into(), text(other));
    table.put_item().table_name("warden-ledger").set_item(Some(item)).send().await.expect("put in");
    let verified = account.warden(&["audit", "verify"]).check(1, &[other, changed]);
    let verdicts = verified.lines();
    assert_eq!(verdicts.iter().filter(|verdict| verdict.get("problem").is_some()).count(), 2, "{verdicts:?}");
    assert!(account.warden(&["audit"]).check(1, &["cannot be read"]).lines().len() > 2);
}

/// Whoever brings every item of a resource back to what it was breaks no seal and no chain.
#[tokio::test]
async fn a_ledger_that_was_rolled_back_or_erased_is_found_against_the_audit_log() {
    let account = Account::guarded().await;
    account.warden(&["opt-in", "shop", "--yes"]).check(0, &[]);
    account.settle().await;
    let table = aws_sdk_dynamodb::Client::new(&account.sandbox.config());
    let items = async || {
        let query = table.query().table_name("warden-ledger").key_condition_expression("pk = :pk");
        let query = query.expression_attribute_values(":pk", AttributeValue::S(SHOP.to_owned()));
        query.send().await.expect("an answer").items.unwrap_or_default()
    };
    let erase = async || {
        for mut item in items().await {
            item.retain(|name, _| name == "pk" || name == "sk");
            table.delete_item().table_name("warden-ledger").set_key(Some(item)).send().await.expect("erased");
        }
    };
    let before = items().await;
    account.open("everyone").await;
    account.warden(&["audit", "verify", "--output", "table"]).check(0, &["every chain holds"]);
    let [applied] = account.ids("applied").try_into().expect("one remediation");

    // Nobody else puts a record on the bus, whatever IAM allows them.
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().event_bus_name("warden").source("warden");
    let entry = entry.detail_type("Warden record").detail("{}").build();
    let told = aws_sdk_eventbridge::Client::new(&account.sandbox.config()).put_events().entries(entry).send().await;
    let told = told.expect_err("refused").into_service_error();
    assert_eq!(told.meta().code(), Some("AccessDeniedException"));

    erase().await;
    for item in before {
        table.put_item().table_name("warden-ledger").set_item(Some(item)).send().await.expect("put back");
    }
    account.warden(&["audit", "verify", "--without-copy"]).check(0, &[]);
    let found = account.warden(&["audit", "verify", "--output", "table"]);
    found.check(1, &["BROKEN", SHOP, "2 records that the audit log group has are gone from the ledger", &applied]);
    erase().await;
    account.warden(&["audit", "verify", "--without-copy"]).check(0, &[]);
    account.warden(&["audit", "verify"]).check(1, &[SHOP, "4 records that the audit log group has are gone"]);
    account.warden(&["audit", "verify", "--audit-log", "/none"]).check(1, &["/none", "could not be read"]);
}

#[tokio::test]
async fn a_ledger_that_can_be_deleted_is_reported_with_what_to_do_about_it() {
    let account = Account::bare().await;
    let guards = ["access-guard", "role-guard"];
    account.deploy(&guards, "off").await;
    let advice = ["UNPROTECTED", "ProtectLedger=on", "update-table --table-name warden-ledger"];
    account.warden(&["audit", "verify"]).check(1, &advice);
    let listed = account.warden(&["audit", "--output", "table"]).check(0, &advice);
    assert!(listed.out.starts_with("UNPROTECTED"), "{listed:?}");
    account.deploy(&guards, "on").await;
    account.warden(&["audit", "verify"]).check(0, &[]);
    let listed = account.warden(&["audit", "--output", "table"]).check(0, &[]);
    assert!(!listed.out.contains("UNPROTECTED"), "{listed:?}");
}

/// The operator's role may read the stack's settings in the stack's Region alone, so that AWS refuses elsewhere.
#[tokio::test]
async fn a_region_without_a_stack_is_told_by_every_command() {
    let account = Account::guarded().await;
    let id = "01KAJC2A00000000000000000A";
    for command in [
        &["audit"][..],
        &["audit", "show", id],
        &["audit", "verify"],
        &["undo", id, "--yes"],
        &["apply", "--function", "shop", "--yes"],
        &["opt-in", "shop", "--yes"],
        &["rotate", "shop", "DB_PASSWORD", "--yes"],
        &["pause", "--yes"],
        &["resume", "--yes"],
    ] {
        let said = account.warden(&[command, &["--region", "eu-west-1"]].concat());
        said.check(2, &["no Warden stack seen in eu-west-1: use --region or AWS_REGION"]);
    }
    let said = account.warden(&["audit", "--region", "us-east-1"]);
    said.check(0, &[]);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let account = Account::bare().await;
    account.warden(&["audit"]).check(2, &["warden-operator", "not deployed", "sts:AssumeRole"]);
    account.warden(&["audit", "show", "short"]).check(2, &["26 letters"]);
    account.warden(&["audit", "--since", "yesterday"]).check(2, &["such as 12h or 7d"]);
    account
        .warden(&["opt-in", "shop", "--mode", "observe"])
        .check(2, &["sts:AssumeRole", &format!("aws lambda tag-resource --resource {SHOP} --tags 'warden=observe' ")]);
    account.warden(&["apply"]).check(2, &["--function"]);
    account.warden(&["opt-in", "shop:live"]).check(2, &["without a version or an alias"]);
    account.warden(&["opt-in", "arn:aws:lambda:us-east-1:999999999999:function:shop"]).check(2, &["another account"]);
    account.warden_as(&[], &["audit"]).check(2, &["no AWS credentials", "aws sso login"]);
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "canary-7d1f")];
    let said = account.warden_as(&wrong, &["audit"]).check(2, &["whose credentials these are"]);
    assert!(!format!("{said:?}").contains("canary-7d1f"));
    let keys = account.sandbox.administrator();
    let nowhere = [
        ("AWS_ACCESS_KEY_ID", keys.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key()),
        ("AWS_REGION", ""),
    ];
    account.warden_as(&nowhere, &["audit"]).check(2, &["no Region", "AWS_REGION"]);
}

#[tokio::test]
async fn what_is_taken_back_on_managed_instances_is_not_said_to_run() {
    let account = Account::guarded().await;
    let fleet = on_managed_instances(new_function(&account.lambda, "fleet"));
    fleet.tags("warden", "enforce").send().await.expect("a function");
    account.sandbox.ready("fleet").await.expect("it is there");
    account.settle().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let strong = iam.create_role().role_name("strong").assume_role_policy_document(TRUST).send().await;
    let strong = strong.expect("a role").role.expect("a role").arn;
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = iam.put_role_policy().role_name("strong").policy_name("all").policy_document(everything);
    put.send().await.expect("a policy");
    let swap = account.lambda.update_function_configuration().function_name("fleet").role(strong);
    swap.send().await.expect("swapped");
    account.settle().await;

    let listed = account.warden(&["audit", "--step", "applied", "--finding", "role-broadened", "--output", "jsonl"]);
    let [applied] = listed.check(0, &[]).lines().try_into().expect("one remediation");
    let id = applied["id"].as_str().expect("an id");
    let shown = account.warden(&["audit", "show", id]);
    shown.check(0, &["this is not in service yet"]);
    let undone = account.warden(&["undo", id, "--yes"]);
    undone.check(0, &["Restored.", "this is not in service yet", "lambda publish-version --function-name fleet"]);
}

#[tokio::test]
async fn a_role_is_opted_in_once_it_is_said_who_has_it_and_what_is_wrong_is_applied_on_demand() {
    let account = Account::guarded().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = || iam.put_role_policy().role_name("shop").policy_name("all").policy_document(everything).send();
    put().await.expect("a policy");
    // An event that is still on its way when the role is tagged would count as news.
    account.settle().await;
    let outlook = account.warden(&["opt-in", "--role", "shop"]);
    outlook.check(
        2,
        &["has it: shop", "role-guard: enforce", "wildcard-admin", "`warden apply --role shop`", "say --yes"],
    );
    account.warden(&["opt-in", "--role", "shop", "--yes"]).check(0, &["shop: opted in."]);
    account.settle().await;
    account.warden(&["apply", "--role", "shop", "--yes"]).check(0, &["DeleteRolePolicy(shop, all)", "applied"]);
    assert!(iam.get_role_policy().role_name("shop").policy_name("all").send().await.is_err());
    account.settle().await;

    put().await.expect("a policy");
    account.settle().await;
    assert!(iam.get_role_policy().role_name("shop").policy_name("all").send().await.is_err());
    // What was withheld at the opt-in is one of the records, what was applied two.
    assert_eq!(account.ids("applied").len(), 2);
    let [last, _] = account.ids("applied").try_into().expect("two");
    account.warden(&["undo", &last, "--yes"]).check(0, &["PutRolePolicy(shop, all)"]);
    assert!(iam.get_role_policy().role_name("shop").policy_name("all").send().await.is_ok());
    account.warden(&["opt-in", "--role", "nobody"]).check(2, &["there is no role `nobody`"]);
    // A second function with the same role.
    account.create_function("stock").await;
    let outlook = account.warden(&["opt-in", "--role", "shop"]);
    outlook.check(2, &["low shared-role: 2 functions in this Region have it: shop, stock"]);
}

/// Lets the deployer in beside Lambda.
const TRUST_WITH_DEPLOYER: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111122223333:role/deployer"}}
    ]
}"#;

#[tokio::test]
async fn a_newcomer_is_accepted_for_good_and_taken_back() {
    let account = Account::guarded().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let deployer = iam.create_role().role_name("deployer").assume_role_policy_document(TRUST);
    deployer.send().await.expect("a role");
    let tag = aws_sdk_iam::types::Tag::builder().key("warden").value("enforce").build().expect("a tag");
    iam.tag_role().role_name("shop").tags(tag).send().await.expect("tagged");
    account.settle().await;
    let trusts = async || {
        let role = iam.get_role().role_name("shop").send().await.expect("the role").role.expect("a role");
        role.assume_role_policy_document.expect("its trust").contains("deployer")
    };
    let let_in = async || {
        let update = iam.update_assume_role_policy().role_name("shop").policy_document(TRUST_WITH_DEPLOYER);
        update.send().await.expect("let in");
        account.settle().await;
    };
    let_in().await;
    assert!(!trusts().await);
    let [applied] = account.ids("applied").try_into().expect("one remediation");
    account.warden(&["accept", &applied, "--yes"]).check(1, &["is not there any more", "warden undo"]);
    account.warden(&["undo", &applied, "--yes"]).check(0, &["trust-newcomer", "Restored."]);
    account.settle().await;

    let accept = ["accept", &applied, "--reason", "it deploys the shop"];
    account.warden(&accept).check(2, &["trust-newcomer", "deployer", "until it changes", "say --yes"]);
    account.warden(&["accept", &applied, "--until", "2020-01-01", "--yes"]).check(2, &["this day is past"]);
    account.warden(&[&accept[..], &["--yes"]].concat()).check(0, &["accepted", "until it changes or gets worse"]);
    let list = account.warden(&["accept", "--list", "--output", "jsonl"]).check(0, &["it deploys the shop"]);
    let [listed] = list.lines().try_into().expect("one acceptance");
    assert_eq!((&listed["until"], &listed["by"]), (&Value::Null, &Value::from("administrator")));
    account.warden(&["accept", "--list", "--output", "table"]).check(0, &["trust-newcomer", "it changes"]);
    let accepted = account.ids("accepted").remove(0);
    account.warden(&["audit", "show", &accepted]).check(0, &["decided by administrator: it deploys the shop"]);
    let_in().await;
    assert!(trusts().await);
    account.warden(&["accept", &accepted, "--finding", "trust-public", "--yes"]).check(1, &["not there any more"]);

    account.warden(&["accept", "--withdraw", &applied, "--yes"]).check(1, &["accepts nothing"]);
    account.warden(&["accept", "--withdraw", &accepted, "--yes"]).check(0, &["withdrawn", "accepted no more"]);
    account.warden(&["accept", "--withdraw", &accepted, "--yes"]).check(1, &["is not accepted any more"]);
    account.warden(&["accept", "--list", "--output", "table"]).check(0, &["Nothing is accepted."]);
    let_in().await;
    assert!(!trusts().await);
    account.warden(&["audit", "verify"]).check(0, &[]);
}

#[tokio::test]
async fn an_undo_asks_for_more_than_a_yes_where_what_comes_back_is_not_what_was_taken_away() {
    let account = Account::guarded().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let tag = aws_sdk_iam::types::Tag::builder().key("warden").value("enforce").build().expect("a tag");
    iam.tag_role().role_name("shop").tags(tag).send().await.expect("tagged");
    account.settle().await;
    let document = |action: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}]}}"#
        )
    };
    let tools = iam.create_policy().policy_name("tools").policy_document(document("iam:PassRole"));
    let tools = tools.send().await.expect("a policy").policy.and_then(|policy| policy.arn).expect("its ARN");
    iam.attach_role_policy().role_name("shop").policy_arn(&tools).send().await.expect("attached");
    account.settle().await;
    let attached = async || {
        let listed = iam.list_attached_role_policies().role_name("shop").send().await.expect("the policies");
        listed.attached_policies().len()
    };
    assert_eq!(attached().await, 0);
    let widened = iam.create_policy_version().policy_arn(&tools).policy_document(document("*")).set_as_default(true);
    widened.send().await.expect("an administrator's");

    let [applied] = account.ids("applied").try_into().expect("one remediation");
    let refused = account.warden(&["undo", &applied, "--yes"]);
    refused.check(
        1,
        &[
            "NOT WHAT WAS TAKEN AWAY: the policy tools does not say any more what it said",
            "comes back: critical wildcard-admin",
            "--although-changed",
        ],
    );
    assert_eq!(attached().await, 0);
    account.warden(&["undo", &applied, "--although-changed"]).check(2, &["say --yes"]);
    account.warden(&["undo", &applied, "--although-changed", "--yes"]).check(0, &["Restored."]);
    account.settle().await;
    assert_eq!(attached().await, 1);
    account.warden(&["audit", "verify"]).check(0, &[]);
}

#[tokio::test]
async fn whoever_opts_a_function_in_with_concurrency_guard_is_told_what_is_set_and_what_would_be() {
    let account = Account::with(&["access-guard", "role-guard", "concurrency-guard"]).await;
    let opt_in = ["opt-in", "shop", "--guard", "concurrency"];
    account.warden(&opt_in).check(2, &["no concurrency is reserved for it, and it has no cap: set one with the tag"]);
    let tag = account.lambda.tag_resource().resource("arn:aws:lambda:us-east-1:111122223333:function:shop");
    tag.tags("warden:max-concurrency", "10").send().await.expect("tagged");
    account.warden(&opt_in).check(
        2,
        &["its cap is 10, by the tag `warden:max-concurrency`; it would be set to 10", "unbounded-concurrency"],
    );
    let put = account.lambda.put_function_concurrency().function_name("shop").reserved_concurrent_executions(5);
    put.send().await.expect("reserved");
    account
        .warden(&["opt-in", "shop", "--guard", "concurrency", "--yes"])
        .check(0, &["its reserved concurrency is 5, and its cap is 10", "shop: opted in."]);
}
