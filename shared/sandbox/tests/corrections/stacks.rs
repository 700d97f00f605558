//! Stacks: what CloudFormation refuses, and what it leaves behind.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::types::{FunctionCode, LayerVersionContentInput, Runtime};
use warden_sandbox::{Outcome, SandboxError, Stack};

use crate::{Account, check, check_as_it_is, code};

const TABLE: &str = "Type: AWS::DynamoDB::Table, Properties: {TableName: kept, BillingMode: PAY_PER_REQUEST, \
                     AttributeDefinitions: [{AttributeName: pk, AttributeType: S}], \
                     KeySchema: [{AttributeName: pk, KeyType: HASH}]";

/// What fails on every account, after everything else in the template was made.
const BROKEN: &str = "Broken: {Type: AWS::Lambda::EventInvokeConfig, DependsOn: Kept, \
                      Properties: {FunctionName: none, Qualifier: a}}";

impl Account {
    pub(crate) async fn deploy(&self, name: &str, template: &str) -> Result<Vec<(String, String)>, SandboxError> {
        self.deploy_with(name, template, &[]).await
    }

    async fn deploy_with(
        &self,
        name: &str,
        template: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, SandboxError> {
        let path = self.sandbox.directory().join("template.yaml");
        std::fs::write(&path, template).expect("a template");
        self.sandbox.deploy(&Stack { name, template: &path, parameters, guards: &[], layer: None }).await
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sandbox.config())
    }

    async fn has_the_table(&self) -> bool {
        self.dynamodb().describe_table().table_name("kept").send().await.is_ok()
    }
}

#[tokio::test]
async fn a_parameter_that_the_template_does_not_have_is_refused() {
    check(async |account| {
        let template =
            "Parameters: {Switch: {Type: String, AllowedValues: [a]}}\nResources: {Queue: {Type: AWS::SQS::Queue}}";
        let deploy = async |parameters: &[(&str, &str)]| account.deploy_with("tried", template, parameters).await;
        assert!(deploy(&[("Switch", "b")]).await.is_err_and(|error| error.to_string().contains("ValidationError")));
        let unknown = deploy(&[("Switch", "a"), ("Swich", "a")]).await;
        unknown.is_err_and(|error| error.to_string().contains("[Swich] do not exist"))
            && deploy(&[("Switch", "a")]).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_condition_knows_the_region() {
    check(async |account| {
        let template = "\
Conditions: {Here: !Equals [!Ref AWS::Region, us-east-1], There: !Equals [!Ref AWS::Region, eu-west-1]}
Resources: {Queue: {Type: AWS::SQS::Queue}}
Outputs: {Here: {Condition: Here, Value: a}, There: {Condition: There, Value: a}}
";
        let outputs = account.deploy("tried", template).await.expect("the stack");
        outputs.iter().map(|(name, _)| name.as_str()).eq(["Here"])
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_given_again() {
    check(async |account| {
        let trust =
            "{Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}]}";
        let allow = "{Statement: [{Effect: Allow, Action: s3:GetObject, Resource: '*'}]}";
        let role = "arn:aws:iam::111122223333:role/probe";
        let resources = [
            format!("{TABLE}}}"),
            "Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /kept}".to_owned(),
            "Type: AWS::Logs::ResourcePolicy, Properties: {PolicyName: kept, PolicyDocument: '{}'}".to_owned(),
            "Type: AWS::SQS::Queue, Properties: {QueueName: kept}".to_owned(),
            "Type: AWS::SNS::Topic, Properties: {TopicName: kept}".to_owned(),
            "Type: AWS::Events::EventBus, Properties: {Name: kept}".to_owned(),
            "Type: AWS::Events::Rule, Properties: {Name: kept, EventPattern: {source: [a]}}".to_owned(),
            "Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: kept, Namespace: a, MetricName: b, Period: 60, \
             EvaluationPeriods: 1, Threshold: 0, Statistic: Sum, ComparisonOperator: GreaterThanThreshold}"
                .to_owned(),
            format!("Type: AWS::IAM::Role, Properties: {{RoleName: kept, AssumeRolePolicyDocument: {trust}}}"),
            format!("Type: AWS::IAM::ManagedPolicy, Properties: {{ManagedPolicyName: kept, PolicyDocument: {allow}}}"),
            format!(
                "Type: AWS::Lambda::Function, Properties: {{FunctionName: kept, Role: '{role}', Handler: a.b, \
                 Runtime: python3.13, Code: {{ZipFile: a}}}}"
            ),
        ];
        let mut refused = 0;
        for (nth, resource) in resources.iter().enumerate() {
            let template = format!("Resources: {{Kept: {{{resource}}}}}");
            account.deploy(&format!("first-{nth}"), &template).await.expect("a stack");
            let again = account.deploy(&format!("second-{nth}"), &template).await;
            refused += usize::from(again.is_err_and(|error| error.to_string().contains("already exists")));
        }
        refused == resources.len()
    })
    .await;
}

#[tokio::test]
async fn a_topic_without_a_policy_of_its_own_lets_no_service_in() {
    check(async |account| {
        let template = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: topic}}, \
            Rule: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [warden]}, \
            Targets: [{Id: topic, Arn: !Ref Topic}]}}}";
        account.deploy("tried", template).await.expect("the stack");
        account.put_event("warden").await;
        let ends = account.sandbox.trail().deliveries();
        assert!(!ends.is_empty());
        ends.iter().all(|end| end.outcome != Outcome::Done)
    })
    .await;
}

#[tokio::test]
async fn what_a_creation_made_goes_with_it_unless_it_is_retained() {
    check_as_it_is(async |account| {
        let deploy = async |policy: &str| {
            let template = format!("Resources: {{Kept: {{DeletionPolicy: {policy}, {TABLE}}}}}, {BROKEN}}}");
            account.deploy(policy, &template).await.expect_err("it fails");
            account.has_the_table().await
        };
        // The last one leaves the table, so that it comes last.
        !deploy("Delete").await && !deploy("RetainExceptOnCreate").await && deploy("Retain").await
    })
    .await;
}

#[tokio::test]
async fn what_is_retained_outlives_a_stack_that_was_there() {
    check_as_it_is(async |account| {
        let template = format!("Resources: {{Kept: {{DeletionPolicy: RetainExceptOnCreate, {TABLE}}}}}}}");
        account.deploy("tried", &template).await.expect("the stack");
        let put = account.dynamodb().put_item().table_name("kept").item("pk", AttributeValue::S("one".into()));
        put.send().await.expect("an item");
        account.sandbox.delete_stack("tried").await.expect("deleted");
        let items = account.dynamodb().scan().table_name("kept").send().await.expect("the table");
        items.count() == 1 && account.sandbox.delete_stack("tried").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_protected_table_is_deleted_by_no_stack() {
    check(async |account| {
        let template = format!("Resources: {{Kept: {{{TABLE}, DeletionProtectionEnabled: true}}}}, {BROKEN}}}");
        let failed = account.deploy("tried", &template).await.expect_err("it fails").to_string();
        failed.contains("ROLLBACK_FAILED") && account.has_the_table().await
    })
    .await;
}

#[tokio::test]
async fn a_protected_table_is_deleted_by_nobody_until_it_is_protected_no_more() {
    check_as_it_is(async |account| {
        let on = format!("Resources: {{Kept: {{{TABLE}, DeletionProtectionEnabled: true}}}}}}");
        account.deploy("tried", &format!("Resources: {{Kept: {{{TABLE}}}}}}}")).await.expect("created");
        account.deploy("tried", &on).await.expect("protected by an update");
        let dynamodb = account.dynamodb();
        let refused = dynamodb.delete_table().table_name("kept").send().await;
        let update = dynamodb.update_table().table_name("kept").deletion_protection_enabled(false);
        update.send().await.expect("protected no more");
        code(&refused) == "ValidationException" && dynamodb.delete_table().table_name("kept").send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_function_or_a_layer_without_its_code_is_not_made() {
    check(async |account| {
        account
            .deploy("bucket", "Resources: {Code: {Type: AWS::S3::Bucket, Properties: {BucketName: code}}}")
            .await
            .expect("a bucket");
        let function = "Type: AWS::Lambda::Function, Properties: {FunctionName: none, Handler: a, Runtime: python3.13, \
                        Role: 'arn:aws:iam::111122223333:role/probe', Code: {S3Bucket: code, S3Key: none.zip}}";
        let layer = "Type: AWS::Lambda::LayerVersion, Properties: {LayerName: none, Content: {S3Bucket: code, S3Key: \
                     none.zip}}";
        let mut refused = true;
        for (name, resource) in [("function", function), ("layer", layer)] {
            let deployed = account.deploy(name, &format!("Resources: {{None: {{{resource}}}}}")).await;
            refused &= deployed.is_err_and(|error| error.to_string().contains("The specified key does not exist"));
        }
        let code_of = FunctionCode::builder().s3_bucket("code").s3_key("none.zip").build();
        let create = account.lambda.create_function().function_name("none").runtime(Runtime::Python313).handler("a");
        let create = create.role("arn:aws:iam::111122223333:role/probe").code(code_of).send().await;
        let content = LayerVersionContentInput::builder().s3_bucket("code").s3_key("none.zip").build();
        let publish = account.lambda.publish_layer_version().layer_name("none").content(content).send().await;
        refused
            && code(&create) == "InvalidParameterValueException"
            && code(&publish) == "InvalidParameterValueException"
    })
    .await;
}

#[tokio::test]
async fn a_stack_whose_creation_failed_has_to_be_deleted_before_its_name_is_free() {
    check(async |account| {
        let failing = format!("Resources: {{Kept: {{Type: AWS::SQS::Queue}}, {BROKEN}}}");
        let mended = "Resources: {Kept: {Type: AWS::SQS::Queue}}";
        account.deploy("tried", &failing).await.expect_err("it fails");
        let refused = account.deploy("tried", mended).await;
        account.sandbox.delete_stack("tried").await.expect("deleted");
        refused.is_err_and(|error| error.to_string().contains("ROLLBACK_COMPLETE"))
            && account.deploy("tried", mended).await.is_ok()
    })
    .await;
}

/// What no code of MiniStack's looks at is nonsense or left undone; what a test reads from the template is let through.
#[tokio::test]
async fn a_property_that_nothing_is_done_with_is_refused() {
    check(async |account| {
        let queue = |more: &str| format!("Resources: {{Queue: {{Type: AWS::SQS::Queue, Properties: {{{more}}}}}}}");
        let refused = |done: Result<_, SandboxError>| {
            done.is_err_and(|error| error.to_string().contains("has no VisibilityTimeouts"))
        };
        let let_through = format!("Resources: {{Table: {{{TABLE}, SSESpecification: {{SSEEnabled: true}}}}}}}}");
        account.deploy("let-through", &let_through).await.expect("the stack");
        account.deploy("updated", &queue("VisibilityTimeout: 5")).await.expect("the stack");
        refused(account.deploy("made", &queue("VisibilityTimeouts: 5")).await)
            && refused(account.deploy("updated", &queue("VisibilityTimeout: 5, VisibilityTimeouts: 5")).await)
    })
    .await;
}
