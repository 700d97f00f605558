//! What was there before a resource was opted in, and what came with the opt-in.

use crate::toy::{Stage, bad, good, policy, policy_of};
use jiff::SignedDuration;
use serde_json::Value;
use warden_engine::{Severity, ledger::record::Step, model::tags::Mode};

async fn opted_in_with(statements: &[Value]) -> Stage {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(statements));
    stage.opt_in("enforce").await;
    stage
}

#[tokio::test]
async fn what_was_there_before_is_withheld_until_an_operator_says_so() {
    let stage = opted_in_with(&[bad("old", "critical")]).await;
    stage.look(false).await;
    stage.check(&[bad("old", "critical")]);
    stage.check_log(&["opted-in", "withheld pre-existing resource-policy"]);
    stage.look(true).await;
    stage.check(&[]);
    // Put back by hand, it is new.
    stage.add(&[bad("old", "critical")]).await;
    stage.check(&[]);
}

#[tokio::test]
async fn what_is_added_beside_it_is_new() {
    let stage = opted_in_with(&[bad("old", "critical")]).await;
    stage.add(&[bad("old", "critical"), good("till")]).await;
    stage.check(&[bad("old", "critical"), good("till")]);
    stage.add(&[bad("old", "critical"), good("till"), bad("open", "high")]).await;
    stage.check(&[bad("old", "critical"), good("till")]);
    // Made worse, it is not what was there before.
    stage.add(&[good("till"), serde_json::json!({"Sid": "old", "Bad": "critical", "Action": "*"})]).await;
    stage.check(&[good("till")]);
}

#[tokio::test]
async fn what_stands_moves_within_the_policy_and_still_stands() {
    let stage = opted_in_with(&[bad("old", "critical"), good("shop")]).await;
    stage.add(&[good("first"), good("shop"), bad("old", "critical")]).await;
    stage.check(&[good("first"), good("shop"), bad("old", "critical")]);
}

#[tokio::test]
async fn what_went_away_and_comes_back_is_new() {
    let stage = opted_in_with(&[bad("old", "critical"), good("shop")]).await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop")]));
    stage.deliver(&stage.event("RemovePermission", "pay", Some("old"))).await;
    stage.add(&[good("shop"), bad("old", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn the_account_can_have_it_acted_on() {
    let stage = Stage::set(&[("WARDEN_PRE_EXISTING", "act")]);
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "high")]));
    stage.opt_in("enforce").await;
    stage.check(&[]);
}

/// Opted in, then changed within the same moments; the events are read in either order.
async fn raced(opt_in_first: bool) -> Stage {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
    stage.world.tag(&stage.pay, "warden", "enforce");
    let opt_in = stage.event("TagResource", "pay", None);
    stage.world.pass(SignedDuration::from_secs(1)).await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical"), bad("open", "high")]));
    let change = stage.event("AddPermission", "pay", Some("open"));
    stage.world.pass(SignedDuration::from_secs(1)).await;
    let events = if opt_in_first { [opt_in, change] } else { [change, opt_in] };
    for event in &events {
        stage.deliver(event).await;
    }
    stage
}

#[tokio::test]
async fn an_opt_in_and_a_change_may_be_read_in_either_order() {
    for opt_in_first in [true, false] {
        let stage = raced(opt_in_first).await;
        stage.check(&[bad("old", "critical")]);
        assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 1, "{opt_in_first}");
    }
}

#[tokio::test]
async fn an_event_from_before_the_opt_in_does_not_make_it_new() {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
    let late = stage.event("AddPermission", "pay", Some("old"));
    stage.world.pass(SignedDuration::from_hours(2)).await;
    stage.opt_in("enforce").await;
    stage.deliver(&late).await;
    stage.check(&[bad("old", "critical")]);
}

#[tokio::test]
async fn what_was_seen_while_observing_stands_under_enforce() {
    let stage = Stage::new();
    stage.opt_in("observe").await;
    stage.add(&[bad("open", "critical")]).await;
    stage.check(&[bad("open", "critical")]);
    stage.opt_in("enforce").await;
    stage.check(&[bad("open", "critical")]);
    stage.check_log(&["opted-in", "observed resource-policy", "opted-in", "withheld pre-existing resource-policy"]);
    stage.add(&[bad("open", "critical"), bad("more", "high")]).await;
    stage.check(&[bad("open", "critical")]);
}

#[tokio::test]
async fn opting_out_and_in_again_makes_everything_stand() {
    let stage = opted_in_with(&[good("shop")]).await;
    stage.opt_in("off").await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.opt_in("enforce").await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.check_log(&["opted-in", "opted-out", "opted-in", "withheld pre-existing resource-policy"]);
    let out = stage.last(Step::OptedOut);
    assert_eq!(out.cause.actor.as_deref(), Some("arn:aws:iam::111122223333:role/deploy"));
}

#[tokio::test]
async fn a_function_that_is_created_with_the_tag_has_nothing_standing() {
    let stage = Stage::new();
    stage.world.tag(&stage.pay, "warden", "enforce");
    let created = stage.event("CreateFunction", "pay", None);
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    stage.deliver(&created).await;
    stage.check(&[]);
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
    stage.look(false).await;
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
}

#[tokio::test]
async fn an_unknown_tag_value_observes_and_is_recorded_once() {
    let stage = Stage::new();
    let report = stage.opt_in("enforced").await;
    assert_eq!(report.mode, Some(Mode::Observe));
    stage.add(&[bad("open", "critical")]).await;
    stage.look(false).await;
    stage.check(&[bad("open", "critical")]);
    stage.check_log(&["opted-in", "observed", "observed resource-policy"]);
    let problem = &stage.world.records(&stage.pay)[1].entry;
    assert_eq!(
        problem.note.as_deref(),
        Some("tag `warden` = `enforced`: use off, observe or enforce; treated as observe")
    );
}

#[tokio::test]
async fn an_exemption_lets_it_pass_until_its_date() {
    let stage = opted_in_with(&[good("shop")]).await;
    stage.world.tag(&stage.pay, "warden:exempt", "public-invoke@2026-11-22");
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.look(false).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.check_log(&["opted-in", "withheld exempt resource-policy"]);
    // To the end of the day, UTC.
    stage.world.pass(SignedDuration::from_hours(37)).await;
    stage.look(false).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.world.pass(SignedDuration::from_hours(1)).await;
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn an_exemption_for_ever_is_none() {
    let stage = opted_in_with(&[good("shop")]).await;
    stage.world.tag(&stage.pay, "warden:exempt", "public-invoke@9999-12-31");
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_is_never_touched_is_reported() {
    let stage = Stage::set(&[("WARDEN_NEVER_TOUCH", "arn:aws:lambda:*:function:pa*")]).enforce().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.look(true).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.check_log(&["opted-in", "withheld never-touch resource-policy"]);
}

#[tokio::test]
async fn below_the_threshold_it_is_observed_once_and_part_of_what_is_in_force() {
    let stage = opted_in_with(&[good("shop")]).await;
    let slack = [good("shop"), bad("ajar", "medium")];
    stage.add(&slack).await;
    for _ in 0..2 {
        stage.add(&[&slack[..], &[bad("open", "high")]].concat()).await;
        stage.check(&slack);
    }
    assert_eq!(stage.world.of_step(&stage.pay, Step::Observed).len(), 1);
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).baseline, Some(policy(&slack)));
    stage.add(&[good("shop"), bad("crack", "low")]).await;
    let state = stage.world.state(&stage.pay, &policy_of(""));
    assert_eq!(state.baseline, Some(policy(&[good("shop"), bad("crack", "low")])));
    // What went away is recorded again when it comes back.
    stage.add(&slack).await;
    let observed = stage.world.of_step(&stage.pay, Step::Observed);
    let severities: Vec<_> = observed.iter().map(|record| record.entry.severity).collect();
    assert_eq!(severities, [Some(Severity::Medium), Some(Severity::Low), Some(Severity::Medium)]);
}
