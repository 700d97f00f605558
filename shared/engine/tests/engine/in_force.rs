//! What was in force comes back, and what stood before stands until it gets worse.

use crate::toy::{Stage, bad, good, hold, home, policy, policy_of};
use jiff::SignedDuration;
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::Step,
    model::cloudtrail::Cause,
    run::pause::{pause, resume},
};

/// `pay` with these statements when it is opted in.
async fn opted_in_with(statements: &[Value]) -> Stage {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(statements));
    stage.opt_in("enforce").await;
    stage
}

/// Somebody takes a statement away: the event names nothing that came.
async fn take_away(stage: &Stage, left: &[Value], sid: &str) {
    stage.world.put(&stage.pay, &policy_of(""), policy(left));
    stage.deliver(&stage.event("RemovePermission", "pay", Some(sid))).await;
}

#[tokio::test]
async fn a_policy_that_is_replaced_as_a_whole_comes_back_with_the_medium_finding_of_the_last_deployment() {
    let stage = opted_in_with(&[good("shop")]).await;
    let deployed = [good("shop"), good("till"), bad("ajar", "medium")];
    stage.add(&deployed).await;
    stage.add(&[bad("open", "critical")]).await;
    stage.check(&deployed);
    // Nor does the guard fight with whoever deployed it.
    stage.look(false).await;
    assert_eq!(stage.world.of_step(&stage.pay, Step::Planned).len(), 1);
}

#[tokio::test]
async fn a_policy_that_is_replaced_as_a_whole_comes_back_with_what_stood_before_the_opt_in() {
    let stood = [good("shop"), bad("old", "critical")];
    let stage = opted_in_with(&stood).await;
    stage.add(&[bad("open", "critical")]).await;
    stage.check(&stood);
    stage.look(false).await;
    stage.check(&stood);
    // It still stands, and nothing else does.
    stage.add(&[good("shop"), bad("old", "critical"), bad("open", "critical")]).await;
    stage.check(&stood);
}

#[tokio::test]
async fn what_was_accepted_comes_back_while_it_is_accepted_and_not_afterwards() {
    let stage = Stage::enforced().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.undo(&stage.last(Step::Applied)).await.unwrap();
    stage.look(false).await;
    stage.add(&[bad("other", "critical")]).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.world.pass(SignedDuration::from_hours(25)).await;
    stage.add(&[bad("other", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_an_exemption_let_pass_does_not_come_back_once_it_has_ended() {
    let stage = opted_in_with(&[good("shop")]).await;
    stage.world.tag(&stage.pay, "warden:exempt", "public-invoke@2026-11-22");
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.world.tag(&stage.pay, "warden:exempt", "");
    stage.add(&[bad("other", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_held_a_standing_finding_down_and_was_removed_comes_back() {
    let stood = [good("shop"), bad("old", "critical"), hold("old")];
    // As bad as ever when it was opted in, held down afterwards: it stands all the same.
    let stage = opted_in_with(&[good("shop"), bad("old", "critical")]).await;
    stage.add(&stood).await;
    stage.check(&stood);
    take_away(&stage, &stood[..2], "hold-old").await;
    stage.check(&stood);
    // What a deployment does beside it stays.
    take_away(&stage, &[good("shop"), bad("old", "critical"), good("till")], "hold-old").await;
    stage.check(&[good("shop"), bad("old", "critical"), good("till"), hold("old")]);
}

#[tokio::test]
async fn what_got_worse_waits_for_the_end_of_a_pause_and_is_not_taken_for_what_stood() {
    let stood = [bad("old", "critical"), hold("old")];
    let stage = opted_in_with(&[bad("old", "critical")]).await;
    stage.add(&stood).await;
    pause(&stage.world, &home(), None, "alice", None, &Cause::by_hand("warden pause")).await.unwrap();
    take_away(&stage, &stood[..1], "hold-old").await;
    stage.look(false).await;
    stage.check(&stood[..1]);
    resume(&stage.world, &home(), "alice", &Cause::by_hand("warden resume")).await.unwrap();
    stage.look(false).await;
    stage.check(&stood);
}

#[tokio::test]
async fn what_got_worse_again_at_once_waits_by_the_queue_and_is_not_taken_for_what_stood() {
    let stood = [bad("old", "critical"), hold("old")];
    let stage = Stage::set(&[("WARDEN_CRITICAL_REVERTS", "1"), ("WARDEN_BREAKER_PAUSE_SECONDS", "600")]);
    stage.world.put(&stage.pay, &policy_of(""), policy(&stood[..1]));
    stage.opt_in("enforce").await;
    stage.add(&stood).await;
    take_away(&stage, &stood[..1], "hold-old").await;
    stage.check(&stood);
    stage.world.put(&stage.pay, &policy_of(""), policy(&stood[..1]));
    for _ in 0..2 {
        stage.try_deliver(&stage.event("RemovePermission", "pay", Some("hold-old"))).await.unwrap();
        stage.check(&stood[..1]);
    }
    stage.work_off(15).await;
    stage.check(&stood);
}

#[tokio::test]
async fn a_new_list_of_trusted_accounts_does_not_open_what_stood() {
    let mut partner = bad("partner", "high");
    partner["Trusts"] = json!("444455556666");
    let mut stage = Stage::set(&[("WARDEN_TRUSTED_ACCOUNTS", "444455556666")]).enforce().await;
    stage.add(&[good("shop"), partner.clone()]).await;
    stage.check(&[good("shop"), partner.clone()]);
    stage.settings.trusted_accounts.clear();
    stage.add(&[good("shop"), partner.clone()]).await;
    stage.check(&[good("shop"), partner.clone()]);
    assert_eq!(stage.world.withheld(&stage.pay, "pre-existing").len(), 1);
    // Taken away and put back, it is new; and `warden apply` acts on it.
    take_away(&stage, &[good("shop")], "partner").await;
    stage.add(&[good("shop"), partner.clone()]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_an_operator_had_removed_is_new_again_though_something_beside_it_cannot_be_changed() {
    let mut stuck = bad("stuck", "high");
    stuck["Stuck"] = json!(true);
    let stage = opted_in_with(&[good("shop"), bad("old", "critical")]).await;
    stage.add(&[good("shop"), bad("old", "critical"), stuck.clone()]).await;
    take_away(&stage, &[good("shop"), stuck.clone()], "old").await;
    stage.add(&[good("shop"), stuck.clone(), bad("old", "critical")]).await;
    stage.check(&[good("shop"), stuck]);
}
