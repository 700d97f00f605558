//! Stacks in the local account: created, updated, large, and refused with the reason.

use std::{fs, path::PathBuf};

use warden_sandbox::{Options, Sandbox, SandboxError, Stack};

struct Account {
    sandbox: Sandbox,
    template: PathBuf,
}

impl Account {
    async fn new() -> Self {
        let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
        let template = sandbox.directory().join("template.yaml");
        Self { sandbox, template }
    }

    async fn deploy(&self, template: &str, parameters: &[(&str, &str)]) -> Result<Vec<(String, String)>, SandboxError> {
        fs::write(&self.template, template).expect("a template");
        let stack = Stack { name: "tried", template: &self.template, parameters, guards: &[], layer: None };
        self.sandbox.deploy(&stack).await
    }
}

const QUEUE: &str = "\
Parameters:
  Name: {Type: String}
  CodeBucket: {Type: String}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}
Outputs:
  Name: {Value: !GetAtt Queue.QueueName}
";

#[tokio::test]
async fn a_stack_is_created_and_then_updated() {
    let account = Account::new().await;
    let output = |name: &str| vec![("Name".to_owned(), name.to_owned())];
    assert_eq!(account.deploy(QUEUE, &[("Name", "one")]).await.expect("created"), output("one"));
    assert_eq!(account.deploy(QUEUE, &[("Name", "two")]).await.expect("updated"), output("two"));
    assert_eq!(account.deploy(QUEUE, &[("Name", "two")]).await.expect("left as it is"), output("two"));
    assert_eq!(account.sandbox.messages("two").await.expect("the queue"), Vec::<String>::new());
}

#[tokio::test]
async fn a_template_too_large_for_a_request_is_read_from_a_bucket() {
    let account = Account::new().await;
    let large = format!("{QUEUE}# {}\n", "x".repeat(51_200));
    account.deploy(&large, &[("Name", "one")]).await.expect("created");
    assert_eq!(account.sandbox.messages("one").await.expect("the queue"), Vec::<String>::new());
}

#[tokio::test]
async fn a_stack_that_fails_says_which_resource_and_why() {
    let account = Account::new().await;
    let refused = "Resources: {Broken: {Type: AWS::CloudTrail::Trail, Properties: {IsLogging: true}}}";
    let error = account.deploy(refused, &[]).await.expect_err("refused").to_string();
    assert!(error.contains("tried") && error.contains("AWS::CloudTrail::Trail"), "{error}");
    let failing =
        "Resources: {Broken: {Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: none, Qualifier: a}}}";
    let error = Account::new().await.deploy(failing, &[]).await.expect_err("failed").to_string();
    assert!(error.contains("Broken (AWS::Lambda::EventInvokeConfig)"), "{error}");
}
