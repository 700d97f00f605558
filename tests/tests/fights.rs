//! The same bad change again and again, a decoy, a function that was open before it was opted in.

use std::time::Duration;
use warden_engine::{Severity, ledger::record::Step};
use warden_sandbox::{CallMatch, Fault};
use warden_tests::{Account, arn};

const STRANGER: &str = "999988887777";

#[tokio::test]
async fn after_three_reverts_a_high_finding_is_withheld_with_an_alert_that_names_who_repeats_it() {
    let account = Account::with(&[("TrustedAccounts", "444455556666")]).await;
    account.opted_in("pay", "enforce").await;
    for _ in 0..4 {
        account.grant("pay", None, "partner", STRANGER).await;
        account.settle().await;
    }
    assert_eq!(account.sids("pay", None).await, ["partner"], "left as it is");
    assert_eq!(account.steps("pay", Step::Applied).await.len(), 3);
    let withheld = account.steps("pay", Step::Withheld).await;
    let [alert] = withheld.as_slice() else { panic!("one record: {withheld:?}") };
    assert_eq!(alert.entry.severity, Some(Severity::Critical));
    let note = alert.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("user/administrator") && note.contains("aws-sdk-rust"), "{note}");

    // The fight over one surface leaves the others guarded.
    account.opted_in("shop", "enforce").await;
    account.grant("shop", None, "partner", STRANGER).await;
    account.settle().await;
    assert_eq!(account.policy("shop", None).await, None);
}

#[tokio::test]
async fn a_critical_finding_is_reverted_however_often() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    for _ in 0..5 {
        account.grant("pay", None, "open", "*").await;
        account.settle().await;
        assert_eq!(account.policy("pay", None).await, None);
    }
    assert_eq!(account.steps("pay", Step::Applied).await.len(), 5);
    let repeated = account.steps("pay", Step::Planned).await.into_iter().filter(|record| record.entry.note.is_some());
    assert_eq!(repeated.count(), 2, "from the fourth on the record says so");
}

#[tokio::test]
async fn a_decoy_that_burns_the_accounts_cap_does_not_protect_another_function() {
    let account = Account::with(&[("TrustedAccounts", "444455556666"), ("AccountCap", "2")]).await;
    for name in ["decoy-1", "decoy-2", "decoy-3"] {
        account.opted_in(name, "enforce").await;
        account.grant(name, None, "partner", STRANGER).await;
        account.settle().await;
    }
    assert_eq!(account.sids("decoy-3", None).await, ["partner"]);
    let story = account.story("decoy-3").await;
    assert_eq!(story, ["opted-in", "withheld resource-policy external-invoke (cap) alert"]);

    account.opted_in("pay", "enforce").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.policy("pay", None).await, None, "a critical finding does not count");
}

#[tokio::test]
async fn what_was_open_before_the_opting_in_is_reported_and_left() {
    let account = Account::guarded().await;
    account.function("pay", &[]).await;
    account.publish_url("pay", None).await;
    account.settle().await;
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("NONE"));
    assert_eq!(
        account.story("pay").await,
        [
            "opted-in",
            "withheld function-url public-url (pre-existing) alert",
            "withheld resource-policy public-url (pre-existing) alert",
        ]
    );
    // A later change is put right; what was standing stands.
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    let sids = account.sids("pay", None).await;
    assert_eq!(sids, ["FunctionURLAllowPublicAccess", "FunctionURLInvokeAllowPublicAccess"]);
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("NONE"));
}

#[tokio::test]
async fn losing_the_tag_is_allowed_and_recorded_with_the_actor() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account
        .lambda
        .untag_resource()
        .resource(warden_tests::arn("pay"))
        .tag_keys("warden")
        .send()
        .await
        .expect("untagged");
    account.settle().await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["open"]);
    assert_eq!(account.story("pay").await, ["opted-in", "opted-out"]);
    let out = &account.steps("pay", Step::OptedOut).await[0];
    assert_eq!(out.cause.actor.as_deref(), Some("arn:aws:iam::111122223333:user/administrator"));
}

/// What `warden audit verify` reads while a guard writes: its records arrive late, after the guard's, and the end of
/// the chain early.
#[tokio::test]
async fn a_chain_that_is_read_while_a_guard_writes_it_holds() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.settle().await;
    let pay = arn("pay");
    let before = account.records(&pay).await.len();
    let faults = account.sandbox.trail().faults();
    faults.inject(CallMatch::operation("Query"), 1, Fault::Delay(Duration::from_secs(3)));
    let written = async {
        while !faults.pending().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        account.grant("pay", None, "open", "*").await;
        account.settle().await;
    };
    let (read, ()) = tokio::join!(account.records(&pay), written);
    assert_eq!(read.len(), before + 2, "the plan and its outcome");
}
