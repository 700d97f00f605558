//! What CloudTrail says of changes in IAM: names, the one Region, parameters and answers, in the shapes of recorded
//! events.

use aws_lambda_events::{cloudwatch_events::cloudtrail::AWSAPICall, eventbridge::EventBridgeEvent};
use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};
use warden_sandbox::{Options, Sandbox};

const POLICY: &str = "arn:aws:iam::111122223333:policy/shop";

fn allow(action: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}).to_string()
}

fn tag() -> Tag {
    Tag::builder().key("warden").value("enforce").build().expect("a tag")
}

struct Account {
    sandbox: Sandbox,
    iam: aws_sdk_iam::Client,
}

impl Account {
    /// The last event, which is of this name and exists in us-east-1 alone.
    #[track_caller]
    fn last(&self, name: &str) -> Value {
        let event = self.sandbox.trail().events().pop().expect("an event");
        assert_eq!((&event["source"], &event["region"]), (&json!("aws.iam"), &json!("us-east-1")));
        let detail = event["detail"].clone();
        serde_json::from_value::<EventBridgeEvent<AWSAPICall>>(event).expect("all that AWS always sends");
        assert_eq!((&detail["eventName"], &detail["eventSource"]), (&json!(name), &json!("iam.amazonaws.com")));
        assert_eq!(detail.get("errorCode"), None);
        detail
    }

    /// The last event has these parameters, and an answer only where IAM's has something to say.
    #[track_caller]
    fn check(&self, name: &str, parameters: Value) {
        let detail = self.last(name);
        assert_eq!(detail["requestParameters"], parameters, "{name}");
        assert_eq!(detail["responseElements"], Value::Null, "{name}");
    }
}

#[tokio::test]
async fn every_change_to_a_role_or_a_policy_is_an_event() {
    let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
    // Wherever the caller is.
    let elsewhere = sandbox.config().into_builder().region(aws_types::region::Region::new("eu-west-1")).build();
    let iam = aws_sdk_iam::Client::new(&elsewhere);
    let account = Account { sandbox, iam };
    let iam = &account.iam;

    let trust = allow("sts:AssumeRole");
    iam.create_role()
        .role_name("pay")
        .path("/shop/")
        .assume_role_policy_document(&trust)
        .tags(tag())
        .send()
        .await
        .expect("a role");
    let created = account.last("CreateRole");
    let tags = json!([{"key": "warden", "value": "enforce"}]);
    assert_eq!(
        created["requestParameters"],
        json!({"roleName": "pay", "path": "/shop/", "assumeRolePolicyDocument": trust, "tags": tags})
    );
    let role = &created["responseElements"]["role"];
    assert_eq!((&role["arn"], &role["tags"]), (&json!("arn:aws:iam::111122223333:role/shop/pay"), &tags));
    assert!(role["assumeRolePolicyDocument"].as_str().is_some_and(|text| text.starts_with("%7B")), "{role}");

    iam.update_assume_role_policy().role_name("pay").policy_document(&trust).send().await.expect("updated");
    account.check("UpdateAssumeRolePolicy", json!({"roleName": "pay", "policyDocument": trust}));
    let document = allow("s3:GetObject");
    iam.put_role_policy().role_name("pay").policy_name("p").policy_document(&document).send().await.expect("put");
    account.check("PutRolePolicy", json!({"roleName": "pay", "policyName": "p", "policyDocument": document}));
    iam.delete_role_policy().role_name("pay").policy_name("p").send().await.expect("deleted");
    account.check("DeleteRolePolicy", json!({"roleName": "pay", "policyName": "p"}));

    iam.create_policy().policy_name("shop").policy_document(&document).send().await.expect("a policy");
    let created = account.last("CreatePolicy");
    assert_eq!(created["requestParameters"], json!({"policyName": "shop", "policyDocument": document}));
    let policy = &created["responseElements"]["policy"];
    assert_eq!((&policy["arn"], &policy["defaultVersionId"]), (&json!(POLICY), &json!("v1")));
    assert_eq!((&policy["attachmentCount"], &policy["isAttachable"]), (&json!(0), &json!(true)));
    let version = iam.create_policy_version().policy_arn(POLICY).policy_document(&document).set_as_default(true);
    version.send().await.expect("a version");
    let created = account.last("CreatePolicyVersion");
    let parameters = json!({"policyArn": POLICY, "policyDocument": document, "setAsDefault": true});
    assert_eq!(created["requestParameters"], parameters);
    let version = &created["responseElements"]["policyVersion"];
    assert_eq!((&version["versionId"], &version["isDefaultVersion"]), (&json!("v2"), &json!(true)));
    iam.set_default_policy_version().policy_arn(POLICY).version_id("v1").send().await.expect("set");
    account.check("SetDefaultPolicyVersion", json!({"policyArn": POLICY, "versionId": "v1"}));
    iam.delete_policy_version().policy_arn(POLICY).version_id("v2").send().await.expect("deleted");
    account.check("DeletePolicyVersion", json!({"policyArn": POLICY, "versionId": "v2"}));

    iam.attach_role_policy().role_name("pay").policy_arn(POLICY).send().await.expect("attached");
    account.check("AttachRolePolicy", json!({"roleName": "pay", "policyArn": POLICY}));
    iam.detach_role_policy().role_name("pay").policy_arn(POLICY).send().await.expect("detached");
    account.check("DetachRolePolicy", json!({"roleName": "pay", "policyArn": POLICY}));
    iam.put_role_permissions_boundary().role_name("pay").permissions_boundary(POLICY).send().await.expect("bound");
    account.check("PutRolePermissionsBoundary", json!({"roleName": "pay", "permissionsBoundary": POLICY}));
    iam.delete_role_permissions_boundary().role_name("pay").send().await.expect("unbound");
    account.check("DeleteRolePermissionsBoundary", json!({"roleName": "pay"}));

    iam.tag_role().role_name("pay").tags(tag()).send().await.expect("tagged");
    account.check("TagRole", json!({"roleName": "pay", "tags": tags}));
    iam.untag_role().role_name("pay").tag_keys("warden").send().await.expect("untagged");
    account.check("UntagRole", json!({"roleName": "pay", "tagKeys": ["warden"]}));
    iam.tag_policy().policy_arn(POLICY).tags(tag()).send().await.expect("tagged");
    account.check("TagPolicy", json!({"policyArn": POLICY, "tags": tags}));
    iam.untag_policy().policy_arn(POLICY).tag_keys("warden").send().await.expect("untagged");
    account.check("UntagPolicy", json!({"policyArn": POLICY, "tagKeys": ["warden"]}));

    let before = account.sandbox.trail().events().len();
    iam.get_role().role_name("pay").send().await.expect("read");
    iam.list_entities_for_policy().policy_arn(POLICY).send().await.expect("read");
    assert_eq!(account.sandbox.trail().events().len(), before, "what only reads is no event");
}
