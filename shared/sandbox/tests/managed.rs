//! Functions on managed runtimes, under AWS's own runtime client.

use std::collections::HashMap;

use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{Environment, FunctionCode, LayerVersionContentInput, Runtime},
};
use serde_json::{Value, json};
use warden_sandbox::{ACCOUNT, Options, Reply, Sandbox, SandboxError, package_text};

const SHOP: &str = r#"
import os, sys, time
import prices

def handle(event, context):
    if event.get("slow"):
        time.sleep(30)
    print("sold", event["item"])
    return {
        "price": prices.of(event["item"]), "stage": os.environ["STAGE"], "region": os.environ["AWS_REGION"],
        "function": context.function_name, "arn": context.invoked_function_arn, "opt": os.environ["WHERE"],
    }
"#;

struct Account {
    sandbox: Sandbox,
    lambda: Client,
}

impl Account {
    async fn open() -> Account {
        let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]});
        let iam = aws_sdk_iam::Client::new(&sandbox.config());
        let role = iam.create_role().role_name("shop").assume_role_policy_document(trust.to_string());
        role.send().await.expect("a role");
        let lambda = Client::new(&sandbox.config());
        Account { sandbox, lambda }
    }

    async fn function(&self, name: &str, code: &str, variables: &[(&str, &str)], layers: &[String]) {
        let code = FunctionCode::builder().zip_file(Blob::new(package_text("index.py", code).expect("a zip"))).build();
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let create = self.lambda.create_function().function_name(name).runtime(Runtime::Python312).code(code);
        let create = create.handler("index.handle").role(format!("arn:aws:iam::{ACCOUNT}:role/shop")).timeout(2);
        let create = create.set_layers(Some(layers.to_vec()));
        let create = create.environment(Environment::builder().set_variables(Some(variables)).build());
        create.send().await.expect("a function");
    }

    async fn layer(&self, file: &str, text: &str) -> String {
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(package_text(file, text).expect("a zip")));
        let layer = self.lambda.publish_layer_version().layer_name("shop").content(content.build()).send().await;
        layer.expect("a layer").layer_version_arn.expect("its ARN")
    }
}

#[tokio::test]
async fn a_function_has_its_code_its_layers_and_its_environment_and_the_wrapper_stands_in_front() {
    let account = Account::open().await;
    let prices = account.layer("python/prices.py", "def of(item): return len(item)").await;
    let wrapper = account.layer("wrapper", "#!/bin/sh\nexport WHERE=\"$AWS_LAMBDA_EXEC_WRAPPER\"\nexec \"$@\"\n").await;
    let variables = [("STAGE", "prod"), ("AWS_REGION", "nowhere"), ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper")];
    account.function("shop", SHOP, &variables, &[prices, wrapper]).await;

    let mut function = account.sandbox.start_function("shop", None).await.expect("it starts");
    for item in ["tea", "coffee"] {
        let reply = function.invoke(&json!({"item": item})).await.expect("a reply");
        let expected = json!({
            "price": item.len(), "stage": "prod", "region": "us-east-1", "function": "shop",
            "arn": format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:shop"), "opt": "/opt/wrapper",
        });
        assert_eq!(reply, Reply::Returned(expected));
    }
    assert!(function.log().contains("sold tea\nsold coffee\n"), "{}", function.log());
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let account = Account::open().await;
    let prices = account.layer("python/prices.py", "def of(item): return {}[item]").await;
    let variables = [("STAGE", "prod"), ("WHERE", "")];
    account.function("shop", SHOP, &variables, &[prices]).await;
    let mut function = account.sandbox.start_function("shop", None).await.expect("it starts");
    // Its handler fails: an answer like any other.
    match function.invoke(&json!({"item": "tea"})).await.expect("a reply") {
        Reply::Failed(error) => assert_eq!(error["errorType"], Value::from("KeyError")),
        Reply::Returned(value) => panic!("{value}"),
    }
    // It takes too long, which ends it.
    let late = function.invoke(&json!({"item": "tea", "slow": true})).await;
    assert!(
        matches!(&late, Err(SandboxError::FunctionStart { problem, .. }) if problem.contains("no answer")),
        "{late:?}"
    );

    #[track_caller]
    fn check(started: Result<warden_sandbox::ManagedFunction, SandboxError>, expected: &str) {
        match started {
            Err(SandboxError::FunctionStart { problem, .. }) => assert!(problem.contains(expected), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
    // Its code cannot be loaded, its wrapper is not there, its wrapper gives up.
    account.function("broken", "import nothing_of_that_name", &[], &[]).await;
    check(account.sandbox.start_function("broken", None).await, "Runtime.ImportModuleError");
    account.function("bare", SHOP, &[("AWS_LAMBDA_EXEC_WRAPPER", "/opt/gone")], &[]).await;
    check(account.sandbox.start_function("bare", None).await, "No such file or directory");
    account.function("stopped", SHOP, &[("AWS_LAMBDA_EXEC_WRAPPER", "/bin/false")], &[]).await;
    check(account.sandbox.start_function("stopped", None).await, "exit status: 1");
}
