//! Events twice, late, out of order, and ten at once: one remediation.

use crate::toy::{Stage, bad, function, good, policy, policy_of};
use futures::future;
use jiff::SignedDuration;
use warden_engine::ledger::record::Step;
use warden_testing::Port;

const ONE_REMEDIATION: [&str; 3] = ["opted-in", "planned resource-policy", "applied resource-policy"];

#[tokio::test]
async fn a_change_is_put_right_and_the_rest_stays() {
    let stage = Stage::enforced().await;
    let report = stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
    stage.check_log(&ONE_REMEDIATION);
    assert_eq!(report.records.len(), 2);
    let applied = stage.last(Step::Applied);
    assert_eq!(applied.cause.actor.as_deref(), Some("arn:aws:iam::111122223333:role/deploy"));
    assert_eq!(applied.entry.diff.unwrap().before, policy(&[good("shop"), bad("open", "high")]));
    assert_eq!(stage.world.announced(), stage.world.records(&stage.pay));
}

#[tokio::test]
async fn ten_deliveries_at_once_make_one_remediation() {
    for seed in 0..40 {
        let stage = Stage::enforced().await;
        stage.world.seed(seed);
        stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical")]));
        let event = stage.event("AddPermission", "pay", Some("open"));
        future::join_all((0..10).map(|_| stage.deliver(&event))).await;
        stage.check(&[good("shop")]);
        stage.check_log(&ONE_REMEDIATION);
        assert_eq!(stage.world.calls_at(Port::Call), 1);
    }
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    for _ in 0..3 {
        stage.deliver(&event).await;
        stage.world.pass(SignedDuration::from_hours(5)).await;
    }
    stage.check_log(&ONE_REMEDIATION);
}

#[tokio::test]
async fn events_out_of_order_end_in_the_same_state() {
    let stage = Stage::enforced().await;
    let first = stage.event("AddPermission", "pay", Some("one"));
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("one", "high")]));
    stage.world.pass(SignedDuration::from_secs(2)).await;
    let second = stage.event("AddPermission", "pay", Some("two"));
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("one", "high"), bad("two", "high")]));
    stage.deliver(&second).await;
    stage.deliver(&first).await;
    stage.check(&[good("shop")]);
    stage.check_log(&ONE_REMEDIATION);
}

#[tokio::test]
async fn a_new_qualifier_is_guarded_from_its_first_event() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
    stage.deliver(&stage.event("AddPermission", "pay:live", Some("open"))).await;
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
    stage.check_log(&["opted-in", "planned resource-policy:live", "applied resource-policy:live"]);
}

#[tokio::test]
async fn what_an_event_lost_is_found_by_the_sweep() {
    let stage = Stage::enforced().await;
    // A surface that was not there when the function was opted in, and whose event never came.
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
    stage.look(false).await;
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
}

#[tokio::test]
async fn what_is_not_opted_in_costs_a_look_and_leaves_no_trace() {
    let stage = Stage::new();
    stage.add(&[bad("open", "critical")]).await;
    stage.check(&[bad("open", "critical")]);
    stage.check_log(&[]);
    assert_eq!(stage.world.calls(), 2);
}

#[tokio::test]
async fn a_function_that_is_gone_is_nothing_to_do() {
    let stage = Stage::enforced().await;
    stage.world.delete(&stage.pay);
    let report = stage.deliver(&stage.event("AddPermission", "pay", Some("open"))).await;
    assert_eq!((report.mode, report.records), (None, vec![]));
}

#[tokio::test]
async fn two_functions_do_not_hold_each_other_up() {
    let stage = Stage::enforced().await;
    let shop = function("shop");
    stage.guard("shop").await;
    stage.world.put(&shop, &policy_of(""), policy(&[bad("open", "high")]));
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    let events = ["pay", "shop"].map(|name| stage.event("AddPermission", name, Some("open")));
    future::join_all(events.iter().map(|event| stage.deliver(event))).await;
    assert!(stage.world.content(&shop, &policy_of("")).is_absent());
    stage.check(&[good("shop")]);
}
