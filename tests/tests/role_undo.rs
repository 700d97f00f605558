//! Undo of role-guard's remediations: what was there before the remediation comes back exactly, and the guard leaves it
//! alone.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use warden_engine::ledger::record::{Record, Step};
use warden_sandbox::{CallMatch, Fault, Order};
use warden_tests::{Account, arn, lambda_trust, policy, role_arn, tag};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn read_orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// Everything of the role `pay`, its managed policy and the function `shop` that role-guard may change.
async fn state(account: &Account, managed: &str) -> BTreeMap<&'static str, Value> {
    let function =
        account.lambda.get_function_configuration().function_name("shop").send().await.expect("the function");
    let mut attached = account.attached("pay").await;
    attached.sort();
    BTreeMap::from([
        ("own", json!(account.own_policies("pay").await)),
        ("attached", json!(attached)),
        ("trust", account.trust("pay").await),
        ("boundary", json!(account.boundary("pay").await)),
        ("managed policy", account.all_versions(managed).await),
        ("role of shop", json!(function.role())),
        ("copies", json!(account.copies().await)),
    ])
}

/// Attacks, sees it put right, takes that back, and compares with what was there after the attack.
async fn check(attack: impl AsyncFn(&Account, &str)) {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.put_role_policy("pay", "orders", &policy(&[read_orders()])).await;
    let managed = account.managed_policy("shop-data", &policy(&[read_orders()]), &[("warden", "enforce")]).await;
    account.attach("pay", &managed).await;
    let bound = account.managed_policy("bound", &policy(&[read_orders(), everything()]), &[]).await;
    let bounded = account.iam.put_role_permissions_boundary().role_name("pay").permissions_boundary(&bound);
    bounded.send().await.expect("bounded");
    account.opted_in("shop", "enforce").await;
    let before = state(&account, &managed).await;

    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    attack(&account, &managed).await;
    let attacked = state(&account, &managed).await;
    assert_ne!(attacked, before, "the attack changes something");
    trail.release(Order::Happened);
    account.settle().await;
    assert_ne!(state(&account, &managed).await, attacked, "it was put right");

    let mut applied: Vec<Record> = Vec::new();
    for resource in [role_arn("pay"), managed.clone(), arn("shop")] {
        applied
            .extend(account.records(&resource).await.into_iter().filter(|record| record.entry.step == Step::Applied));
    }
    assert!(!applied.is_empty());
    applied.sort_by_key(|record| std::cmp::Reverse(record.id));
    let count = applied.len();
    for record in applied {
        account.undo(record).await.expect("taken back");
    }
    account.settle().await;
    assert_eq!(trail.faults().pending(), [], "what was to go wrong did");
    assert_eq!(state(&account, &managed).await, attacked, "exactly what was there before the remediation");
    let mut after = 0;
    for resource in [role_arn("pay"), managed.clone(), arn("shop")] {
        after += account.records(&resource).await.iter().filter(|record| record.entry.step == Step::Applied).count();
    }
    assert_eq!(after, count, "and the guard leaves it alone");
}

#[tokio::test]
async fn of_a_narrowed_policy_in_the_role() {
    check(async |account, _| account.put_role_policy("pay", "orders", &policy(&[read_orders(), everything()])).await)
        .await;
}

#[tokio::test]
async fn of_a_policy_in_the_role_that_went_as_a_whole() {
    check(async |account, _| account.put_role_policy("pay", "debug", &policy(&[everything()])).await).await;
}

#[tokio::test]
async fn of_a_detached_policy() {
    check(async |account, _| account.attach("pay", ADMINISTRATOR).await).await;
}

#[tokio::test]
async fn of_a_version_that_was_set_back() {
    check(async |account, managed| account.version(managed, &[everything()], true).await).await;
}

/// What made room comes back too, under another id.
#[tokio::test]
async fn of_a_version_that_was_written_where_there_were_five() {
    check(async |account, managed| {
        for _ in 2..=4 {
            account.version(managed, &[everything()], false).await;
        }
        account.version(managed, &[read_orders(), everything()], true).await;
        account.iam.delete_policy_version().policy_arn(managed).version_id("v1").send().await.expect("deleted");
        account.version(managed, &[read_orders()], false).await;
    })
    .await;
}

#[tokio::test]
async fn of_a_policy_that_others_have_too() {
    check(async |account, managed| {
        account.role("other", &[]).await;
        account.attach("other", managed).await;
        account.version(managed, &[read_orders(), everything()], true).await;
    })
    .await;
}

/// A new version has no room in the role, and others have the policy as well.
async fn fill(account: &Account, managed: &str) {
    let tables: Vec<String> =
        (0..90).map(|nth| format!("arn:aws:dynamodb:us-east-1:111122223333:table/orders-{nth:03}")).collect();
    let long = |sid: &str| json!({"Sid": sid, "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": tables});
    account.put_role_policy("pay", "long", &policy(&[long("Long")])).await;
    account.role("other", &[]).await;
    account.attach("other", managed).await;
    account.version(managed, &[long("More"), everything()], true).await;
}

/// What stood in for it as a policy of Warden's own is gone from the account.
#[tokio::test]
async fn of_a_policy_that_had_no_room_in_the_role() {
    check(fill).await;
}

/// IAM is eventually consistent: it may not know yet what it was just told.
#[tokio::test]
async fn while_iam_has_not_caught_up() {
    check(async |account, managed| {
        let refuse = |operation: &str, by: &str, status, code: &str| {
            let calls = CallMatch::operation(operation).by(by);
            account.sandbox.trail().faults().inject(calls, 1, Fault::Answer { status, code: code.to_owned() });
        };
        refuse("AttachRolePolicy", "warden-role-guard", 404, "NoSuchEntity");
        refuse("DeletePolicy", "warden-operator", 409, "DeleteConflict");
        fill(account, managed).await;
    })
    .await;
    check(async |account, managed| {
        let calls = CallMatch::operation("DeletePolicyVersion").by("warden-operator");
        let fault = Fault::Answer { status: 409, code: "DeleteConflict".to_owned() };
        account.sandbox.trail().faults().inject(calls, 1, fault);
        account.version(managed, &[read_orders(), everything()], true).await;
        account.iam.delete_policy_version().policy_arn(managed).version_id("v1").send().await.expect("deleted");
    })
    .await;
}

#[tokio::test]
async fn of_a_closed_trust_policy() {
    check(async |account, _| {
        let mut open = lambda_trust();
        let anybody = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
        open["Statement"].as_array_mut().expect("statements").push(anybody);
        let update = account.iam.update_assume_role_policy().role_name("pay").policy_document(open.to_string());
        update.send().await.expect("opened");
    })
    .await;
}

#[tokio::test]
async fn of_a_boundary_that_was_given_back() {
    check(async |account, _| {
        account.iam.delete_role_permissions_boundary().role_name("pay").send().await.expect("removed");
    })
    .await;
}

#[tokio::test]
async fn of_a_role_that_a_function_was_given_back() {
    check(async |account, _| {
        let create = account.iam.create_role().role_name("admin").tags(tag("team", "shop"));
        create.assume_role_policy_document(lambda_trust().to_string()).send().await.expect("a role");
        account.put_role_policy("admin", "all", &policy(&[everything()])).await;
        let update = account.lambda.update_function_configuration().function_name("shop").role(role_arn("admin"));
        update.send().await.expect("swapped");
    })
    .await;
}
