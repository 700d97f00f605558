//! Opting in and out by tags: spellings that AWS takes, and the service control policy that reserves the keys.

use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::{
    Client,
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warden_engine::{
    ledger::record::Step,
    model::tags::{GuardKind, TAG_KEYS},
};
use warden_sandbox::workspace;
use warden_tests::{Account, arn, lambda_trust, policy, role_arn, tag};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A role's tag keys are the same in any letters, and a new spelling takes the place of the old one (IAM user guide,
/// "Tags for IAM resources").
#[tokio::test]
async fn a_role_is_opted_in_and_out_by_a_key_in_any_letters() {
    let account = Account::guarded().await;
    account.role("pay", &[("Warden", "enforce")]).await;
    account.settle().await;
    account.attach("pay", ADMINISTRATOR).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, Vec::<String>::new());

    account.iam.tag_role().role_name("pay").tags(tag("WARDEN", "off")).send().await.expect("tagged");
    account.settle().await;
    account.attach("pay", ADMINISTRATOR).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, [ADMINISTRATOR]);
    let story = account.story_of(&role_arn("pay")).await;
    assert_eq!((story[0].as_str(), story.last().map(String::as_str)), ("opted-in", Some("opted-out")), "{story:?}");
}

#[tokio::test]
async fn a_value_with_a_space_behind_it_is_reported_and_changes_nothing() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce ").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["open"]);
    let observed = account.steps("pay", Step::Observed).await;
    let notes: BTreeSet<&str> = observed.iter().filter_map(|record| record.entry.note.as_deref()).collect();
    assert_eq!(notes, BTreeSet::from(["tag `warden` = `enforce `: use off, observe or enforce; treated as observe"]));
    assert_eq!(
        account.story_by(GuardKind::Access, &arn("pay")).await,
        ["opted-in", "observed", "observed resource-policy public-invoke"]
    );
}

fn service_control_policy() -> Value {
    let path = workspace().join("infra/service-control-policy.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the policy")).expect("JSON")
}

#[test]
fn the_service_control_policy_reserves_every_tag_and_fits() {
    let document = service_control_policy();
    let keys = |sid: &str| -> BTreeSet<String> {
        let statements = document["Statement"].as_array().expect("statements");
        let statement = statements.iter().find(|statement| statement["Sid"] == sid).expect("the statement");
        let keys = &statement["Condition"]["ForAnyValue:StringEqualsIgnoreCase"]["aws:TagKeys"];
        keys.as_array().expect("keys").iter().map(|key| key.as_str().expect("a key").to_owned()).collect()
    };
    let all: BTreeSet<String> = TAG_KEYS.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(keys("ReserveWardensTags"), all);
    let others = keys("CreateWithNoOtherTagOfWardens");
    assert_eq!(others.union(&keys("CreateEnforcedOrUntagged")).cloned().collect::<BTreeSet<_>>(), all);
    // AWS Organizations user guide, "Quotas and service limits": a service control policy has 5,120 bytes at most.
    assert!(document.to_string().len() <= 5120);
}

/// Somebody with every permission, under the service control policy.
struct Bound {
    lambda: Client,
    iam: aws_sdk_iam::Client,
}

impl Bound {
    /// A session of a new role of that name. The local account has no organisation: the policy stands in the role
    /// itself, where a Deny works in the same way.
    async fn new(account: &Account, role: &str) -> Bound {
        account.role(role, &[]).await;
        account.attach(role, ADMINISTRATOR).await;
        account.put_role_policy(role, "service-control-policy", &service_control_policy()).await;
        let session = account.sandbox.session(&role_arn(role), "mallory").await.expect("a session");
        let config = account.sandbox.config_as(session, "us-east-1");
        Bound { lambda: Client::new(&config), iam: aws_sdk_iam::Client::new(&config) }
    }

    async fn tag_function(&self, name: &str, key: &str, value: &str) -> bool {
        refused(self.lambda.tag_resource().resource(arn(name)).tags(key, value).send().await)
    }

    async fn untag_function(&self, name: &str, key: &str) -> bool {
        refused(self.lambda.untag_resource().resource(arn(name)).tag_keys(key).send().await)
    }

    async fn create_function(&self, name: &str, tags: &[(&str, &str)]) -> bool {
        let mut zip = b"PK\x05\x06".to_vec();
        zip.resize(22, 0);
        let create = self.lambda.create_function().function_name(name).runtime(Runtime::Providedal2023);
        let create = create.handler("bootstrap").code(FunctionCode::builder().zip_file(Blob::new(zip)).build());
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        refused(create.role(role_arn("shop")).set_tags(Some(tags)).send().await)
    }

    async fn delete_function(&self, name: &str) -> bool {
        refused(self.lambda.delete_function().function_name(name).send().await)
    }

    async fn create_role(&self, name: &str, tags: &[Tag]) -> bool {
        let create = self.iam.create_role().role_name(name).assume_role_policy_document(lambda_trust().to_string());
        refused(create.set_tags(Some(tags.to_vec())).send().await)
    }
}

/// Whether IAM refused it. Anything else that goes wrong fails the test.
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, E>) -> bool {
    match answer {
        Ok(_) => false,
        Err(error) => {
            let code = error.code().unwrap_or_default().to_owned();
            assert!(code.starts_with("AccessDenied"), "{error:?}");
            true
        }
    }
}

#[tokio::test]
async fn under_the_service_control_policy_nobody_but_the_platform_takes_a_function_out_of_guard() {
    let account = Account::guarded().await;
    let developer = Bound::new(&account, "developer").await;
    let platform = Bound::new(&account, "platform-admin").await;
    let pipeline = Bound::new(&account, "deploy-shop").await;
    account.opted_in("pay", "enforce").await;
    account.function("cart", &[("warden:access", "enforce")]).await;
    account.function("other", &[]).await;
    account.role("guarded-role", &[("Warden", "enforce")]).await;

    for key in ["warden", "Warden", "WARDEN:Access", "warden:exempt"] {
        assert!(developer.tag_function("pay", key, "off").await, "{key}");
        assert!(developer.untag_function("pay", key).await, "{key}");
        let role = developer.iam.tag_role().role_name("guarded-role").tags(tag(key, "off"));
        assert!(refused(role.send().await), "{key}");
        let role = developer.iam.untag_role().role_name("guarded-role").tag_keys(key);
        assert!(refused(role.send().await), "{key}");
    }
    assert!(!developer.tag_function("pay", "team", "pay").await);
    assert!(!platform.tag_function("pay", "warden", "observe").await);

    // Deleted and made again without its tag.
    for name in ["pay", "cart"] {
        assert!(developer.delete_function(name).await, "{name}");
    }
    assert!(refused(developer.iam.delete_role().role_name("guarded-role").send().await));
    assert!(!developer.delete_function("other").await);
    assert!(!pipeline.delete_function("pay").await);
    assert!(!platform.delete_function("cart").await);
    assert!(pipeline.create_function("guarded-pay", &[]).await);
    assert!(pipeline.create_function("guarded-pay", &[("warden", "observe")]).await);
    assert!(pipeline.create_function("guarded-pay", &[("warden", "enforce"), ("Warden:Access", "off")]).await);
    assert!(!pipeline.create_function("guarded-pay", &[("warden", "enforce")]).await);
    assert!(developer.create_role("guarded-other", &[]).await);
    assert!(developer.create_role("guarded-other", &[tag("WARDEN", "off")]).await);
    assert!(!developer.create_role("guarded-other", &[tag("Warden", "enforce")]).await);
    let document = policy(&[json!({"Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"})]);
    let create = developer.iam.create_policy().policy_name("orders").policy_document(document.to_string());
    assert!(refused(create.tags(tag("warden", "off")).send().await));
}
