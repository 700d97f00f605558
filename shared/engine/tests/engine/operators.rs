//! The switch, and decisions that no operator made.

use crate::toy::{Stage, bad, good, home, policy_of};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use warden_engine::{
    HandlerError, ReconcileError, Severity,
    call_error::ErrorKind,
    ledger::{
        record::Step,
        state::{Acceptance, Pause},
    },
    model::cloudtrail::Cause,
    ports::Clock,
    run::pause::{pause, resume},
};
use warden_testing::{Fault, Port};

async fn paused(until: Option<Timestamp>) -> Stage {
    let stage = Stage::enforced().await;
    let cause = Cause::by_hand("warden pause");
    pause(&stage.world, &home(), until, "alice", Some("release".into()), &cause).await.unwrap();
    stage
}

#[tokio::test]
async fn a_pause_stops_everything_until_somebody_resumes() {
    let stage = paused(None).await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.look(true).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.check_log(&["opted-in", "withheld paused resource-policy"]);
    resume(&stage.world, &home(), "alice", &Cause::by_hand("warden resume")).await.unwrap();
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn pauses_at_once_are_both_recorded() {
    for seed in 0..20 {
        let stage = Stage::enforced().await;
        stage.world.seed(seed);
        let cause = Cause::by_hand("warden pause");
        let (world, home) = (&stage.world, home());
        let by = |name| pause(world, &home, None, name, None, &cause);
        let (alice, bob) = future::join(by("alice"), by("bob")).await;
        let (alice, bob) = (alice.unwrap(), bob.unwrap());
        assert!(alice.previous == bob.hash().ok() || bob.previous == alice.hash().ok(), "{alice:?} {bob:?}");
    }
}

#[tokio::test]
async fn a_pause_ends_by_itself() {
    let stage = paused(Some("2026-11-21T11:00:00Z".parse().unwrap())).await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.world.pass(SignedDuration::from_hours(2)).await;
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_was_begun_is_not_resumed_while_paused() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), crate::toy::policy(&[bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    pause(&stage.world, &home(), None, "alice", None, &Cause::by_hand("warden pause")).await.unwrap();
    stage.world.pass(SignedDuration::from_mins(3)).await;
    stage.deliver(&event).await;
    stage.check(&[bad("open", "high")]);
    stage.check_log(&[
        "opted-in",
        "planned resource-policy",
        "failed resource-policy",
        "withheld paused resource-policy",
    ]);
}

#[tokio::test]
async fn a_pause_that_no_operator_made_is_ignored_and_recorded_once() {
    let stage = Stage::enforced().await;
    stage.world.forge_pause(&Pause { until: None, by: "mallory".into(), reason: None, proof: "trust me".into() });
    stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
    stage.look(false).await;
    stage.check_log(&["opted-in", "observed", "planned resource-policy", "applied resource-policy"]);
    let [forged] = stage.world.of_step(&stage.pay, Step::Observed).try_into().unwrap();
    assert_eq!(forged.entry.severity, Some(Severity::Critical));
    assert!(
        forged.entry.note.unwrap().contains("the pause in the ledger's table does not come from the operator role")
    );
}

#[tokio::test]
async fn the_proof_of_another_pause_does_not_hold() {
    let stage = paused(Some("2026-11-21T10:00:30Z".parse().unwrap())).await;
    stage.world.pass(SignedDuration::from_mins(1)).await;
    // The real pause, made longer.
    let mut longer: Pause = stage.world.pause().unwrap();
    longer.until = None;
    stage.world.forge_pause(&longer);
    stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn an_acceptance_that_no_operator_made_is_ignored_and_recorded_once() {
    let stage = Stage::enforced().await;
    stage.add(&[good("shop"), bad("open", "high")]).await;
    let applied = stage.last(Step::Applied);
    let diff = applied.entry.diff.clone().unwrap();
    let forged = Acceptance {
        findings: applied
            .entry
            .findings
            .iter()
            .map(|finding| diff.before.finding_key(finding))
            .collect::<BTreeSet<_>>(),
        severity: Severity::High,
        behind: None,
        until: Some(stage.world.now() + SignedDuration::from_hours(24)),
        by: "alice".into(),
        reason: None,
        proof: String::new(),
    };
    stage.world.forge_state(&stage.pay, &policy_of(""), |state| state.acceptances.push(forged));
    stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
    stage.look(false).await;
    stage.look(false).await;
    let [record] = stage.world.of_step(&stage.pay, Step::Observed).try_into().unwrap();
    assert!(record.entry.note.unwrap().starts_with("an acceptance on resource-policy in the ledger's table does not"));
}

#[tokio::test]
async fn an_operators_decision_is_not_overruled_because_its_proof_cannot_be_checked_now() {
    let stage = paused(None).await;
    stage.world.put(&stage.pay, &policy_of(""), crate::toy::policy(&[good("shop"), bad("open", "critical")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.world.fault_at(Port::Holds, 0, Fault::Refused(ErrorKind::Retry));
    let error = stage.try_deliver(&event).await.unwrap_err();
    assert!(matches!(error, HandlerError::Reconcile(ReconcileError::Call(_))));
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.deliver(&event).await;
    stage.check_log(&["opted-in", "withheld paused resource-policy"]);
}
