//! Undo: exact, refused where it would overwrite somebody's work, and accepted by the guards afterwards.

use crate::toy::{Stage, bad, good, policy, policy_of};
use futures::future;
use jiff::SignedDuration;
use warden_engine::{
    call_error::ErrorKind,
    ledger::record::{Record, Step},
    run::undo::UndoRefusal,
};
use warden_testing::{Fault, Port};

/// A remediation of `pay`, and its `applied` record.
async fn remediated() -> (Stage, Record) {
    let stage = Stage::enforced().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
    let applied = stage.last(Step::Applied);
    (stage, applied)
}

const UNDONE: [&str; 6] = [
    "opted-in",
    "planned resource-policy",
    "applied resource-policy",
    "planned resource-policy",
    "undone resource-policy",
    "accepted resource-policy",
];

#[tokio::test]
async fn an_undo_restores_exactly_and_the_guard_leaves_it_alone() {
    let (stage, applied) = remediated().await;
    let records = stage.undo(&applied).await.unwrap();
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.check_log(&UNDONE);
    assert!(records.iter().all(|record| record.entry.undoes == Some(applied.id)));
    assert!(records[2].entry.note.as_ref().unwrap().ends_with("decided by alice"));
    // Its own event, the sweep, and other changes beside it.
    stage.deliver(&stage.event("AddPermission", "pay", Some("open"))).await;
    stage.look(false).await;
    stage.add(&[good("till"), good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("till"), good("shop"), bad("open", "critical")]);
    stage.check_log(&UNDONE);
}

#[tokio::test]
async fn what_was_accepted_is_reverted_once_it_changes() {
    let (stage, applied) = remediated().await;
    stage.undo(&applied).await.unwrap();
    stage.add(&[good("shop"), serde_json::json!({"Sid": "open", "Bad": "critical", "Action": "*"})]).await;
    stage.check(&[good("shop")]);
    // Nor does the acceptance outlive it: the same statement comes back.
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_was_accepted_is_reverted_once_the_acceptance_expires() {
    let (stage, applied) = remediated().await;
    stage.undo(&applied).await.unwrap();
    stage.world.pass(SignedDuration::from_hours(23)).await;
    stage.look(false).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.world.pass(SignedDuration::from_hours(2)).await;
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn an_undo_never_overwrites_what_somebody_changed_since() {
    let (stage, applied) = remediated().await;
    let theirs = [good("shop"), good("till")];
    stage.world.put(&stage.pay, &policy_of(""), policy(&theirs));
    let Err(UndoRefusal::Changed { diff, .. }) = stage.undo(&applied).await else { panic!("not refused") };
    assert_eq!((diff.before, diff.after), (policy(&[good("shop")]), policy(&theirs)));
    stage.check(&theirs);
    stage.check_log(&UNDONE[..3]);
}

#[tokio::test]
async fn an_undo_is_refused_where_there_is_nothing_to_undo() {
    let (stage, applied) = remediated().await;
    let planned = stage.last(Step::Planned);
    assert!(matches!(stage.undo(&planned).await, Err(UndoRefusal::NotApplied { step: Step::Planned, .. })));
    stage.undo(&applied).await.unwrap();
    assert!(matches!(stage.undo(&applied).await, Err(UndoRefusal::AlreadyRestored(_))));
    let mut undo = stage.undo_of(&applied);
    undo.accept_for = SignedDuration::from_hours(90 * 24 + 1);
    assert_eq!(undo.carry_out(&stage.world, &stage.settings).await, Err(UndoRefusal::TooLong));
    stage.check_log(&UNDONE);
}

#[tokio::test]
async fn an_undo_that_is_refused_by_aws_is_a_failed_one_and_accepts_nothing() {
    let (stage, applied) = remediated().await;
    stage.world.fault_at(Port::Call, 0, Fault::Refused(ErrorKind::Refused));
    assert!(matches!(stage.undo(&applied).await, Err(UndoRefusal::Failed(_))));
    stage.check(&[good("shop")]);
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).acceptances, []);
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
}

/// Cuts an undo off at its `nth` call, and lets `then` go on after the lease. Returns whether the fault came to pass.
async fn cut_off(nth: usize, fault: Fault, then: impl AsyncFnOnce(&Stage, &Record)) -> bool {
    let (stage, applied) = remediated().await;
    let before = stage.world.calls();
    stage.world.fault(nth, fault);
    drop(stage.world.run(stage.undo(&applied)).await);
    let happened = stage.world.calls() > before + nth;
    stage.world.heal();
    stage.world.pass(SignedDuration::from_mins(5)).await;
    then(&stage, &applied).await;
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).intent, None);
    happened
}

#[tokio::test]
async fn an_undo_that_is_cut_off_is_resumed_by_the_same_command() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost, Fault::Refused(ErrorKind::Retry)] {
        let mut nth = 0;
        let resume = async |stage: &Stage, applied: &Record| {
            match stage.undo(applied).await {
                Ok(_) | Err(UndoRefusal::AlreadyRestored(_)) => {}
                Err(other) => panic!("{other}"),
            }
            stage.check(&[good("shop"), bad("open", "critical")]);
            stage.check_log(&UNDONE);
            stage.look(false).await;
            stage.check_log(&UNDONE);
        };
        while cut_off(nth, fault, resume).await {
            nth += 1;
        }
        assert!(nth >= 7, "only {nth} calls");
    }
}

#[tokio::test]
async fn an_undo_that_is_cut_off_is_concluded_by_the_guard() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost] {
        let mut nth = 0;
        let guard = async |stage: &Stage, _: &Record| {
            stage.look(false).await;
            stage.look(false).await;
            let restored = !stage.world.content(&stage.pay, &policy_of("")).eq(&policy(&[good("shop")]));
            let log = stage.world.log(&stage.pay);
            let steps: Vec<&str> = log.iter().skip(3).filter_map(|line| line.split(' ').next()).collect();
            match steps.as_slice() {
                // Cut off before anything was written, or before it was changed.
                [] | ["planned", "failed"] => assert!(!restored),
                ["planned", "undone", "accepted"] => assert!(restored),
                other => panic!("{other:?}"),
            }
            let acceptances = stage.world.state(&stage.pay, &policy_of("")).acceptances.len();
            assert_eq!(acceptances, usize::from(restored));
        };
        while cut_off(nth, fault, guard).await {
            nth += 1;
        }
        assert!(nth >= 7, "only {nth} calls");
    }
}

#[tokio::test]
async fn an_undo_and_a_guard_at_once_do_not_disturb_each_other() {
    for seed in 0..40 {
        let (stage, applied) = remediated().await;
        stage.world.seed(seed);
        // The guard is busy with another surface of the same function.
        stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
        let event = stage.event("AddPermission", "pay:live", Some("open"));
        let same = stage.event("AddPermission", "pay", Some("open"));
        let (undone, _, _) = future::join3(stage.undo(&applied), stage.deliver(&event), stage.deliver(&same)).await;
        // Where the guard writes first, the undo looks again.
        undone.unwrap();
        stage.check(&[good("shop"), bad("open", "critical")]);
        assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
        assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 2);
    }
}

#[tokio::test]
async fn an_undo_waits_for_a_remediation_under_way() {
    let (stage, applied) = remediated().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("more", "high")]));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    let event = stage.event("AddPermission", "pay", Some("more"));
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    assert!(matches!(stage.undo(&applied).await, Err(UndoRefusal::Busy(_))));
}
