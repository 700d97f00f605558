//! What somebody who may invoke a guard can do with events of their own making, and what CloudTrail says of them.

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use warden_engine::{Severity, ledger::record::Step};
use warden_sandbox::{ACCOUNT, Order};
use warden_tests::{Account, arn};

const STANDS: &str = "withheld resource-policy public-invoke (pre-existing) alert";
const UNCONFIRMED: &str = "withheld resource-policy public-invoke (unconfirmed) alert";

/// An account in which a statement `old` of `pay` stood before the opt-in, and CloudTrail is asked for seconds.
async fn standing() -> Account {
    let account = Account::with(&[("LookupSeconds", "5")]).await;
    account.open_before_the_opt_in("pay").await;
    assert_eq!(account.story("pay").await, ["opted-in", STANDS]);
    account
}

fn innocent() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/innocent")
}

/// The last event of that name.
fn last(account: &Account, name: &str) -> Value {
    let is_it = |event: &Value| event["detail"]["eventName"].as_str().is_some_and(|it| it.starts_with(name));
    account.sandbox.trail().events().into_iter().rfind(is_it).expect("an event")
}

/// An event in an innocent's name, as if `old` had been put in between the opt-in and the guard's first look.
fn made_up(account: &Account, id: &str) -> Value {
    let mut event = last(account, "AddPermission");
    event["detail"]["eventTime"] = last(account, "TagResource")["detail"]["eventTime"].clone();
    event["detail"]["requestParameters"]["statementId"] = "old".into();
    event["detail"]["userIdentity"] = json!({"principalId": "AIDACKCEVSQ6C2EXAMPLE", "arn": innocent()});
    event["detail"]["eventID"] = id.into();
    event
}

/// Sends an event to the guard itself.
async fn invoke(account: &Account, event: &Value) {
    let invoke = account.lambda.invoke().function_name("warden-access-guard");
    let answer = invoke.payload(Blob::new(event.to_string())).send().await.expect("an answer");
    assert_eq!(answer.function_error(), None);
}

/// How often a guard asked CloudTrail.
fn asked(account: &Account) -> usize {
    let calls = account.sandbox.trail().calls();
    calls.iter().filter(|call| call.by_role("warden-access-guard") && call.operation == "LookupEvents").count()
}

/// The statement stands, and nothing is said of the innocent as if CloudTrail said it. The last record says what happened.
async fn nothing_is_gained(account: &Account, words: &str) {
    assert_eq!(account.sids("pay", None).await.first().map(String::as_str), Some("old"));
    let records = account.records(&arn("pay")).await;
    assert!(records.iter().all(|record| !record.cause.verified), "{records:#?}");
    let said = records.last().expect("a record");
    assert_eq!((said.entry.step, said.entry.severity), (Step::Withheld, Some(Severity::Critical)));
    let note = said.entry.note.clone().expect("a note");
    assert!(note.contains(words) && note.contains(&innocent()), "{note}");
    assert!(asked(account) > 0);
}

#[tokio::test]
async fn an_event_made_up_by_somebody_who_may_invoke_the_guard_removes_no_standing_statement_in_an_innocents_name() {
    let account = standing().await;
    invoke(&account, &made_up(&account, "5f0c8c1a-0000-4000-8000-000000000002")).await;
    account.settle().await;
    assert_eq!(account.story("pay").await, ["opted-in", STANDS, UNCONFIRMED]);
    nothing_is_gained(&account, "CloudTrail knows no such event").await;
}

#[tokio::test]
async fn the_id_of_another_call_that_happened_removes_no_standing_statement() {
    let account = standing().await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let other = last(&account, "AddPermission");
    invoke(&account, &made_up(&account, other["detail"]["eventID"].as_str().expect("an id"))).await;
    account.settle().await;
    assert_eq!(account.story("pay").await, ["opted-in", STANDS, UNCONFIRMED]);
    nothing_is_gained(&account, "by CloudTrail's own record of that event").await;
}

/// CloudTrail shows an event some minutes after the call: nobody waits for it but what it is asked for.
#[tokio::test]
async fn what_came_between_the_opt_in_and_the_first_look_is_put_right_once_cloudtrail_says_so() {
    let account = Account::with(&[]).await;
    account.function("pay", &[]).await;
    account.grant("pay", None, "old", "*").await;
    account.settle().await;
    let trail = account.sandbox.trail();
    trail.hide_events(true);
    trail.faults().hold_deliveries();
    account.tag("pay", &[("warden", "enforce")]).await;
    account.grant("pay", None, "open", "*").await;
    trail.release(Order::Happened);
    while asked(&account) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(account.sids("pay", None).await, ["old", "open"]);
    account.grant("pay", None, "new", "*").await;
    while account.sids("pay", None).await.len() > 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    trail.hide_events(false);
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["old"]);
    let applied = account.steps("pay", Step::Applied).await;
    let verified: Vec<bool> = applied.iter().map(|record| record.cause.verified).collect();
    assert_eq!(verified, [false, true], "the new one at once, as it was reported by the event");
}
