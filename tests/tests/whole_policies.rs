//! Policies that are replaced as a whole: their lock, patterns over versions and aliases, and what happens where Lambda
//! takes no policy that lets the public in.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::{Record, Step},
    run::undo::UndoRefusal,
};
use warden_tests::{Account, arn};

fn allow(sid: &str, principal: Value, resource: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction",
        "Resource": resource})
}

async fn let_any_bucket_in(account: &Account, name: &str) {
    let add = account.lambda.add_permission().function_name(name).statement_id("bucket").principal("s3.amazonaws.com");
    add.action("lambda:InvokeFunction").source_arn("arn:aws:s3:::orders-*").send().await.expect("a statement");
}

async fn applied(account: &Account, name: &str) -> Vec<Record> {
    account.steps(name, Step::Applied).await
}

fn calls(records: &[Record]) -> Vec<String> {
    let changes = records.iter().flat_map(|record| &record.entry.changes);
    changes.map(|change| change.call().to_string()).collect()
}

/// PutResourcePolicy takes the revision that GetResourcePolicy gives, which is not GetPolicy's.
#[tokio::test]
async fn a_whole_policy_is_replaced_and_put_back_by_the_lock_of_its_own_api() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let_any_bucket_in(&account, "pay").await;
    account.settle().await;
    let records = applied(&account, "pay").await;
    assert_eq!(calls(&records), ["PutResourcePolicy(pay)"]);
    let policy = account.policy("pay", None).await.expect("a policy");
    assert_eq!(policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"], "111122223333");

    account.undo(records[0].clone()).await.expect("undone");
    let policy = account.policy("pay", None).await.expect("a policy");
    assert_eq!(policy["Statement"][0]["Condition"].get("StringEquals"), None);
}

#[tokio::test]
async fn an_undo_that_would_let_the_public_in_says_plainly_that_aws_refuses_it() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    account.sandbox.refuse_public_policies(true).await.expect("a switch");

    let refusal = account.undo(applied(&account, "pay").await.remove(0)).await.expect_err("refused");
    let UndoRefusal::Failed(why) = &refusal else { panic!("{refusal:?}") };
    assert!(
        why.contains("PublicPolicyException") && why.contains("AWS refuses a policy that lets the public in"),
        "{why}"
    );
    assert!(why.contains("Name the accounts, organisation or services that are meant instead"), "{why}");
    assert_eq!(account.sids("pay", None).await, Vec::<String>::new());
    assert_eq!(account.steps("pay", Step::Failed).await.len(), 1);
    assert_eq!(account.steps("pay", Step::Accepted).await.len(), 0);
    account.settle().await;

    // Nothing of it is accepted: the same statement is taken out again.
    account.sandbox.refuse_public_policies(false).await.expect("a switch");
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, Vec::<String>::new());
}

/// What stood there before the opt-in lets the public in, and stays. So Lambda takes no other whole policy, however
/// narrow.
#[tokio::test]
async fn a_narrowing_that_aws_refuses_falls_back_on_remove_permission() {
    let account = Account::guarded().await;
    account.function("pay", &[]).await;
    account.grant("pay", None, "old", "*").await;
    account.settle().await;
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    account.sandbox.refuse_public_policies(true).await.expect("a switch");
    let_any_bucket_in(&account, "pay").await;
    account.settle().await;

    assert_eq!(account.sids("pay", None).await, ["old"]);
    let records = applied(&account, "pay").await;
    assert_eq!(calls(&records), ["RemovePermission(pay, Sid bucket)"]);
    let note = records[0].entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("bucket was narrowed") && note.contains("it went as a whole"), "{note}");
    assert_eq!(
        account.story("pay").await,
        [
            "opted-in",
            "withheld resource-policy public-invoke (pre-existing) alert",
            "planned resource-policy open-service-principal",
            "failed resource-policy open-service-principal",
            "planned resource-policy open-service-principal",
            "applied resource-policy open-service-principal",
        ]
    );
}

/// The lock of PutResourcePolicy is GetResourcePolicy's answer. Who may not ask for it, or is in a Region that has
/// neither yet, may still take out the statement that was added.
#[tokio::test]
async fn a_narrowing_whose_lock_is_refused_falls_back_on_remove_permission() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let deny = |actions: &[&str]| {
        json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": actions, "Resource": "*"}]})
    };
    let guard = "warden-access-guard";
    let remove = ["PutResourcePolicy(pay)", "RemovePermission(pay, Sid bucket)"];
    for actions in [&["lambda:GetResourcePolicy"][..], &["lambda:PutResourcePolicy"]] {
        account.put_role_policy(guard, "no-whole-policies", &deny(actions)).await;
        let seen = account.records(&arn("pay")).await.len();
        let_any_bucket_in(&account, "pay").await;
        account.settle().await;
        assert_eq!(account.sids("pay", None).await, ["orders"]);
        let records = account.records(&arn("pay")).await.split_off(seen);
        assert_eq!(calls(&records.into_iter().filter(|it| it.entry.step == Step::Planned).collect::<Vec<_>>()), remove);
    }
    // A whole policy that goes, too.
    account.put_role_policy(guard, "no-whole-policies", &deny(&["lambda:GetResourcePolicy"])).await;
    account.opted_in("cart", "enforce").await;
    let everybody = ["a", "b"].map(|sid| allow(sid, json!("*"), &arn("cart")));
    account.put_policy("cart", json!(everybody)).await;
    account.settle().await;
    assert_eq!(account.policy("cart", None).await, None);
}

/// A statement of the function's own policy may be about its aliases too: it opens their URLs.
#[tokio::test]
async fn a_statement_about_all_aliases_is_judged_with_the_url_of_each() {
    let account = Account::guarded().await;
    account.function("pay", &[]).await;
    let version = account.lambda.publish_version().function_name("pay").send().await.expect("a version");
    let version = version.version().expect("its number").to_owned();
    let create = account.lambda.create_alias().function_name("pay").name("live");
    create.function_version(&version).send().await.expect("an alias");
    let everybody = json!({"Sid": "url", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
        "Resource": format!("{}:*", arn("pay")),
            "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}});
    let own = allow("own", json!({"AWS": "111122223333"}), &arn("pay"));
    account.put_policy("pay", json!([own, everybody])).await;
    account.settle().await;
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    // It stood there before the opt-in, when no alias had a URL: reported, and left to a person.
    assert_eq!(account.sids("pay", None).await, ["own", "url"]);

    let url = account.lambda.create_function_url_config().function_name("pay").qualifier("live");
    url.auth_type(FunctionUrlAuthType::None).send().await.expect("a URL");
    account.settle().await;
    assert_eq!(account.url_auth("pay", Some("live")).await.as_deref(), Some("AWS_IAM"));
    let story = account.story("pay").await;
    assert!(story.iter().any(|line| line == "applied function-url:live public-url"), "{story:?}");
}

#[tokio::test]
async fn a_new_statement_about_all_aliases_goes() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let own = allow("own", json!({"AWS": "111122223333"}), &arn("pay"));
    let everybody = allow("everybody", json!("*"), &format!("{}:*", arn("pay")));
    account.put_policy("pay", json!([own, everybody])).await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["own"]);
}
