//! The start-up layer in front of AWS's own runtime clients: what a stripped function sees, and what its log says when
//! it cannot start.

use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{Environment, FunctionCode, LayerVersionContentInput, Runtime, SnapStart, SnapStartApplyOn},
};
use serde_json::{Value, json};
use std::collections::HashMap;
use warden_sandbox::{
    ACCOUNT, ApiCall, CallMatch, Fault, ManagedFunction, Options, Reply, Sandbox, SandboxError, build_guards,
    package_layer, package_text, workspace,
};
use warden_secret_ref::{WRAPPER, WRAPPER_VARIABLE};

/// No value may be seen anywhere but in Secrets Manager and in the function.
const CANARY: &str = "canary-5b1f0c9d-correct-horse";

const PYTHON: &str = r#"
import os
def handle(event, context):
    if "raise" in event:
        raise RuntimeError(event["raise"])
    return {name: os.environ.get(name) for name in event["names"]}
"#;

const NODE: &str = r#"
exports.handle = async (event) =>
    Object.fromEntries(event.names.map((name) => [name, process.env[name] ?? null]));
"#;

/// An account with the layer in it and functions whose secrets were taken out.
struct Shop {
    sandbox: Sandbox,
    lambda: Client,
    secrets: aws_sdk_secretsmanager::Client,
    layer: String,
}

impl Shop {
    async fn open() -> Shop {
        let binaries = build_guards(&workspace(), &["secret-env"], &|_| {}).expect("the layer's binary");
        let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
        let lambda = warden_tests::patient_lambda(&sandbox.config());
        let zip = package_layer(&binaries[0]).expect("the layer's package");
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip)).build();
        let layer = lambda.publish_layer_version().layer_name("warden-secret-env").content(content).send().await;
        let layer = layer.expect("the layer").layer_version_arn.expect("its ARN");
        let secrets = aws_sdk_secretsmanager::Client::new(&sandbox.config());
        let shop = Shop { sandbox, lambda, secrets, layer };
        shop.role(&["secretsmanager:GetSecretValue"]).await;
        shop
    }

    /// The functions' role, which may do that.
    async fn role(&self, actions: &[&str]) {
        let iam = aws_sdk_iam::Client::new(&self.sandbox.config());
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]});
        // It is there the second time.
        let _ = iam.create_role().role_name("shop").assume_role_policy_document(trust.to_string()).send().await;
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions,
                "Resource": format!("arn:aws:secretsmanager:*:{ACCOUNT}:secret:warden/*")}
        ]});
        let put = iam.put_role_policy().role_name("shop").policy_name("shop").policy_document(policy.to_string());
        put.send().await.expect("the role's policy");
    }

    async fn secret(&self, name: &str, values: &Value) {
        let create = self.secrets.create_secret().name(name).secret_string(values.to_string());
        create.send().await.expect("the secret");
    }

    /// Makes a Python function with these variables, the layer and the wrapper variable.
    async fn function(&self, name: &str, variables: &[(&str, &str)]) {
        self.function_in(Runtime::Python312, ("index.py", PYTHON), name, variables).await;
    }

    /// The same in another language.
    async fn function_in(&self, runtime: Runtime, code: (&str, &str), name: &str, variables: &[(&str, &str)]) {
        let code = package_text(code.0, code.1).expect("the function's package");
        let mut all: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
        let create = self.lambda.create_function().function_name(name).runtime(runtime);
        let create = create.handler("index.handle").role(format!("arn:aws:iam::{ACCOUNT}:role/shop"));
        let create = create.code(FunctionCode::builder().zip_file(Blob::new(code)).build()).layers(&self.layer);
        let create = create.environment(Environment::builder().set_variables(Some(all)).build());
        create.send().await.expect("the function");
    }

    async fn start(&self, name: &str) -> Result<ManagedFunction, SandboxError> {
        self.sandbox.start_function(name, None).await
    }

    /// The calls that the functions' role made.
    fn calls(&self) -> Vec<ApiCall> {
        self.sandbox.trail().calls().into_iter().filter(|call| call.by_role("shop")).collect()
    }
}

async fn names(function: &mut ManagedFunction, names: &[&str]) -> Value {
    match function.invoke(&json!({ "names": names })).await.expect("a reply") {
        Reply::Returned(value) => value,
        Reply::Failed(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_stripped_function_sees_its_values_after_one_call() {
    let shop = Shop::open().await;
    shop.secret("warden/pay/1f2e3d4c5b6a", &json!({"DB_PASSWORD": CANARY, "KEY": "k=\"1\"\n{}\u{1f511}"})).await;
    let reference = "warden-secret:warden/pay/1f2e3d4c5b6a";
    shop.function("pay", &[("DB_PASSWORD", reference), ("KEY", reference), ("STAGE", "prod")]).await;

    let mut function = shop.start("pay").await.expect("it starts");
    let seen = names(&mut function, &["DB_PASSWORD", "KEY", "STAGE", "AWS_LAMBDA_FUNCTION_NAME", "NOT_THERE"]).await;
    assert_eq!(
        seen,
        json!({"DB_PASSWORD": CANARY, "KEY": "k=\"1\"\n{}\u{1f511}", "STAGE": "prod", "AWS_LAMBDA_FUNCTION_NAME": "pay",
            "NOT_THERE": null})
    );
    // A second event, and one that the handler fails on.
    assert_eq!(names(&mut function, &["STAGE"]).await, json!({"STAGE": "prod"}));
    let failed = function.invoke(&json!({"raise": "no stock"})).await.expect("a reply");
    assert!(matches!(&failed, Reply::Failed(error) if error["errorMessage"] == "no stock"), "{failed:?}");

    let calls: Vec<String> = shop.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetSecretValue"], "one call for all of a function's secrets");
    assert!(!function.log().contains(CANARY), "{}", function.log());
}

#[tokio::test]
async fn a_stripped_node_function_sees_its_values_too() {
    let shop = Shop::open().await;
    shop.secret("warden/cart/1", &json!({"KEY": CANARY})).await;
    let variables = [("KEY", "warden-secret:warden/cart/1"), ("STAGE", "prod")];
    shop.function_in(Runtime::Nodejs22x, ("index.js", NODE), "cart", &variables).await;
    let mut function = shop.start("cart").await.expect("it starts");
    assert_eq!(names(&mut function, &["KEY", "STAGE"]).await, json!({"KEY": CANARY, "STAGE": "prod"}));
    assert_eq!(shop.calls().len(), 1);
    assert!(!function.log().contains(CANARY), "{}", function.log());
}

#[tokio::test]
async fn a_function_without_references_starts_without_a_call() {
    let shop = Shop::open().await;
    shop.function("plain", &[("STAGE", "prod")]).await;
    let mut function = shop.start("plain").await.expect("it starts");
    assert_eq!(names(&mut function, &["STAGE"]).await, json!({"STAGE": "prod"}));
    assert_eq!(shop.calls(), []);
}

/// What the log says of a function that does not start.
async fn refusal(shop: &Shop, name: &str) -> String {
    match shop.start(name).await {
        Err(SandboxError::FunctionStart { problem, log, .. }) => {
            // Lambda calls it Runtime.ExitError; the runtime itself was never there.
            assert_eq!(problem, "the runtime ended: exit status: 1");
            assert_eq!(log.lines().count(), 1, "one line: {log}");
            assert!(!log.contains(CANARY), "{log}");
            log
        }
        other => panic!("{name} started: {other:?}"),
    }
}

#[tokio::test]
async fn a_start_without_its_secrets_fails_with_a_line_that_says_why() {
    let shop = Shop::open().await;
    let closed = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9");
    shop.secret("warden/whole/1", &json!({"KEY": CANARY})).await;
    shop.secret("warden/other-keys/1", &json!({"OTHER": CANARY})).await;
    shop.secret("warden/no-object/1", &json!(CANARY)).await;
    shop.secret("warden/deleted/1", &json!({"KEY": CANARY})).await;
    shop.secrets.delete_secret().secret_id("warden/deleted/1").send().await.expect("deleted");
    for (name, more) in
        [("never-made", None), ("deleted", None), ("other-keys", None), ("no-object", None), ("whole", Some(closed))]
    {
        let reference = format!("warden-secret:warden/{name}/1");
        let variables: Vec<(&str, &str)> = [("KEY", reference.as_str())].into_iter().chain(more).collect();
        shop.function(name, &variables).await;
    }

    let (never_made, deleted, other_keys, no_object, unreachable) = tokio::join!(
        refusal(&shop, "never-made"),
        refusal(&shop, "deleted"),
        refusal(&shop, "other-keys"),
        refusal(&shop, "no-object"),
        refusal(&shop, "whole"),
    );
    #[track_caller]
    fn check(log: &str, expected: &[&str]) {
        assert!(log.starts_with("warden secret-env: "), "{log}");
        assert!(expected.iter().all(|part| log.contains(part)), "{log}");
    }
    check(&never_made, &["`warden/never-made/1` is not there", "ResourceNotFoundException"]);
    check(&deleted, &["`warden/deleted/1` is not there", "InvalidRequestException", "restore-secret"]);
    check(&other_keys, &["`warden/other-keys/1` has no value for the variable KEY"]);
    check(&no_object, &["`warden/no-object/1` is no JSON object", "`warden rotate no-object KEY`"]);
    check(&unreachable, &["could not be read in time", "http://127.0.0.1:9", "VPC endpoint"]);

    shop.role(&["secretsmanager:DescribeSecret"]).await;
    shop.function("refused", &[("KEY", "warden-secret:warden/whole/1")]).await;
    check(&refusal(&shop, "refused").await, &["may not read the secret `warden/whole/1`", "AccessDeniedException"]);
}

#[tokio::test]
async fn trouble_that_passes_only_delays_a_start() {
    let shop = Shop::open().await;
    shop.secret("warden/pay/1", &json!({"KEY": CANARY})).await;
    shop.function("pay", &[("KEY", "warden-secret:warden/pay/1")]).await;
    let faults = shop.sandbox.trail().faults();
    let calls = || CallMatch::operation("GetSecretValue").by("assumed-role/shop/");
    let denied = Fault::Answer { status: 400, code: "AccessDeniedException".into() };
    for fault in [Fault::Throttle, Fault::ServerError, Fault::LoseAnswer, denied] {
        faults.inject_next(calls(), 2, fault);
        let mut function = shop.start("pay").await.expect("it starts");
        assert_eq!(names(&mut function, &["KEY"]).await, json!({"KEY": CANARY}));
        assert_eq!(function.log(), "", "a start that succeeds says nothing");
        assert_eq!(faults.pending(), []);
    }
}

/// SnapStart: such a function has no keys in its environment.
#[tokio::test]
async fn a_function_that_starts_from_a_snapshot_gets_its_credentials_from_lambdas_endpoint() {
    let shop = Shop::open().await;
    shop.secret("warden/pay/1", &json!({"KEY": CANARY})).await;
    shop.function("pay", &[("KEY", "warden-secret:warden/pay/1")]).await;
    let snap = SnapStart::builder().apply_on(SnapStartApplyOn::PublishedVersions).build();
    shop.lambda.update_function_configuration().function_name("pay").snap_start(snap).send().await.expect("SnapStart");
    let published = shop.lambda.publish_version().function_name("pay").send().await.expect("a version");
    let version = published.version.expect("its number");

    let mut function = shop.sandbox.start_function("pay", Some(&version)).await.expect("it starts");
    let seen = names(&mut function, &["KEY", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_ACCESS_KEY_ID"]).await;
    assert_eq!(seen, json!({"KEY": CANARY, "AWS_LAMBDA_FUNCTION_VERSION": version, "AWS_ACCESS_KEY_ID": null}));
    assert_eq!(shop.calls().len(), 1);
}
