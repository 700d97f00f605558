//! Conditions: which keys a request has, and which of them its principal, its resource and its action decide.

use serde_json::{Value, json};
use warden_sandbox::Stack;

use crate::{Account, FUNCTION, allow, check, check_as_it_is, code, empty_zip};

impl Account {
    /// Whether a role with that statement for PublishVersion may publish a version of the function shop.
    async fn publishes(&self, condition: Value) -> bool {
        let statement = json!({"Effect": "Allow", "Action": "lambda:PublishVersion", "Resource": "*",
            "Condition": condition});
        let role = self.with_policy(json!([statement])).await;
        role.publish_version().function_name("shop").send().await.is_ok()
    }

    /// Puts an event of that source on the default bus, and waits until it is delivered.
    pub(crate) async fn put_event(&self, source: &str) {
        let events = aws_sdk_eventbridge::Client::new(&self.sandbox.config());
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source(source).detail_type("d");
        events.put_events().entries(entry.detail("{}").build()).send().await.expect("put");
        self.sandbox.settle().await.expect("settled");
    }

    async fn resources(&self, name: &str, template: &str) {
        let path = self.sandbox.directory().join("resources.yaml");
        std::fs::write(&path, template).expect("a template");
        let stack = Stack { name, template: &path, parameters: &[], guards: &[], layer: None };
        self.sandbox.deploy(&stack).await.expect("a stack");
    }
}

#[tokio::test]
async fn a_key_that_the_action_does_not_have_is_absent() {
    check_as_it_is(async |account| {
        // PublishVersion has no such key by the service authorization reference, whatever the request says.
        let key = |operator: &str, value: &str| json!({operator: {"lambda:FunctionUrlAuthType": value}});
        !account.publishes(key("StringEquals", "NONE")).await
            && !account.publishes(key("StringLike", "*")).await
            && !account.publishes(key("Null", "false")).await
            && account.publishes(key("StringEqualsIfExists", "NONE")).await
            && account.publishes(key("StringNotEquals", "NONE")).await
            && account.publishes(key("Null", "true")).await
    })
    .await;
}

#[tokio::test]
async fn every_request_says_that_no_service_made_it() {
    check(async |account| {
        account.publishes(json!({"Bool": {"aws:ViaAWSService": "false"}})).await
            && account.publishes(json!({"Bool": {"aws:PrincipalIsAWSService": "false"}})).await
            && account.publishes(json!({"StringLike": {"aws:UserAgent": "*aws-sdk-rust*"}})).await
            && !account.publishes(json!({"StringLike": {"aws:SourceArn": "*"}})).await
            && !account.publishes(json!({"StringLike": {"aws:SourceIdentity": "*"}})).await
            && !account.publishes(json!({"StringLike": {"aws:username": "*"}})).await
    })
    .await;
}

#[tokio::test]
async fn a_tag_in_two_spellings_is_neither() {
    check(async |account| {
        let tagged = || account.publishes(json!({"StringEquals": {"aws:ResourceTag/warden": "enforce"}}));
        let tag = async |key: &str, value: &str| {
            account.lambda.tag_resource().resource(FUNCTION).tags(key, value).send().await.expect("tagged");
        };
        tag("Warden", "enforce").await;
        assert!(tagged().await, "a key of a condition has no case");
        tag("warden", "enforce").await;
        !tagged().await
    })
    .await;
}

#[tokio::test]
async fn the_tags_of_a_role_say_nothing_about_who_may_pass_it() {
    check(async |account| {
        let tag = aws_sdk_iam::types::Tag::builder().key("warden").value("enforce").build().expect("a tag");
        account.iam.tag_role().role_name("probe").tags(tag).send().await.expect("tagged");
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": "lambda:CreateFunction", "Resource": "*"},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/warden": "enforce"}}}]));
        account.create_function(&role.await, "mine", "probe").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn what_a_request_asks_for_can_be_bound() {
    check(async |account| {
        let layer = "arn:aws:lambda:us-east-1:111122223333:layer:own:1";
        let boundary = "arn:aws:iam::111122223333:policy/boundary";
        let session = account.session(json!([
            {"Effect": "Allow", "Action": "lambda:UpdateFunctionConfiguration", "Resource": "*",
                "Condition": {"ForAllValues:StringEquals": {"lambda:Layer": [layer]}, "Null": {"lambda:Layer": "false"}}},
            {"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*",
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}}}]));
        let session = session.await;
        let (lambda, iam) = (aws_sdk_lambda::Client::new(&session), aws_sdk_iam::Client::new(&session));
        let update = |layers: &[&str]| {
            let update = lambda.update_function_configuration().function_name("shop");
            update.set_layers(Some(layers.iter().map(|layer| (*layer).to_owned()).collect())).send()
        };
        let put = || iam.put_role_policy().role_name("probe").policy_name("p").policy_document(allow("s3:GetObject")).send();
        let refused = [code(&update(&[]).await).to_owned(), code(&update(&["arn:aws:lambda:us-east-1:999988887777:layer:o:1"]).await).to_owned(),
            code(&put().await).to_owned()];
        assert_eq!(refused, ["AccessDeniedException", "AccessDeniedException", "AccessDenied"]);
        let content = aws_sdk_lambda::types::LayerVersionContentInput::builder();
        let content = content.zip_file(aws_sdk_lambda::primitives::Blob::new(empty_zip())).build();
        account.lambda.publish_layer_version().layer_name("own").content(content).send().await.expect("a layer");
        let policy = account.iam.create_policy().policy_name("boundary").policy_document(allow("*"));
        policy.send().await.expect("a policy");
        let bind = account.iam.put_role_permissions_boundary().role_name("probe").permissions_boundary(boundary);
        bind.send().await.expect("bound");
        update(&[layer]).await.is_ok() && put().await.is_ok()
    })
    .await;
}

/// A topic that a rule for the source `warden` publishes to, and two queues that are subscribed to it.
const QUEUES: &str = "Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties: {EventPattern: {source: [warden]}, Targets: [{Id: topic, Arn: !Ref Topic}]}
  TopicPolicy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sns:Publish, Resource: !Ref Topic}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: topic}}
  ByArn: {Type: AWS::SQS::Queue, Properties: {QueueName: by-arn}}
  ByAccount: {Type: AWS::SQS::Queue, Properties: {QueueName: by-account}}
  ToArn: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt ByArn.Arn}}
  ToAccount:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt ByAccount.Arn}
  ByArnPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref ByArn]
      PolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage, Resource: '*',
          Condition: {ArnEquals: {aws:SourceArn: !Ref Topic}}}
  ByAccountPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref ByAccount]
      PolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage, Resource: '*',
          Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}}
";

#[tokio::test]
async fn a_service_names_what_its_guide_says_and_no_more() {
    check(async |account| {
        account.resources("queues", QUEUES).await;
        account.put_event("warden").await;
        let messages = async |queue: &str| account.sandbox.messages(queue).await.expect("a queue").len();
        assert_ne!(messages("by-arn").await, 0, "SNS names the topic");
        messages("by-account").await == 0
    })
    .await;
}
