//! IAM shows what was written only after a while: role-guard on reads that lag behind its own writes.

use serde_json::{Value, json};
use warden_engine::ledger::record::Step;
use warden_sandbox::{Order, Setting};
use warden_tests::{Account, policy, role_arn};

fn read_orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// A role `pay` that is opted in and known, with a proper policy of its own, and whose next changes wait for
/// [`released`].
async fn held() -> Account {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.put_role_policy("pay", "orders", &policy(&[read_orders()])).await;
    account.settle().await;
    account.sandbox.trail().faults().hold_deliveries();
    account
}

/// Lets the guard hear of the changes, one after the other, while its own writes show only after that many reads; in the
/// end everything shows.
async fn released(account: &Account, lag: u32) {
    account.settle().await;
    account.sandbox.set(Setting::IamLag(lag)).await.expect("a setting");
    account.sandbox.trail().release(Order::Happened);
    account.settle().await;
    account.sandbox.set(Setting::IamLag(0)).await.expect("a setting");
}

/// A guard that is woken twice finds what it has just put right as it was. It looks again later, and does nothing twice.
#[tokio::test]
async fn what_does_not_show_yet_is_not_put_right_a_second_time() {
    let account = held().await;
    account.sandbox.trail().faults().duplicate_deliveries(1);
    account.put_role_policy("pay", "orders", &policy(&[read_orders(), everything()])).await;
    account.put_role_policy("pay", "debug", &policy(&[everything()])).await;
    released(&account, 20).await;
    assert_eq!(account.role_policy("pay", "orders").await, Some(policy(&[read_orders()])));
    assert_eq!(account.role_policy("pay", "debug").await, None);
    let records = account.records(&role_arn("pay")).await;
    let applied = records.iter().filter(|record| record.entry.step == Step::Applied);
    let mut surfaces: Vec<String> =
        applied.filter_map(|record| Some(record.entry.surface.as_ref()?.to_string())).collect();
    surfaces.sort();
    assert_eq!(surfaces, ["inline-policy/debug", "inline-policy/orders"], "each once");
}

/// The administrator's changes lag as well: what a guard reads first is the role before them, and it hears of each.
#[tokio::test]
async fn a_guard_never_undoes_what_it_does_not_see_yet() {
    let account = held().await;
    account.settle().await;
    account.sandbox.set(Setting::IamLag(1)).await.expect("a setting");
    let queue = json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"});
    account.put_role_policy("pay", "orders", &policy(&[read_orders(), queue.clone()])).await;
    account.sandbox.trail().release(Order::Happened);
    account.settle().await;
    account.sandbox.set(Setting::IamLag(0)).await.expect("a setting");
    assert_eq!(account.role_policy("pay", "orders").await, Some(policy(&[read_orders(), queue])));
    assert_eq!(account.story_of(&role_arn("pay")).await, ["opted-in"]);
}
