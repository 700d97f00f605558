//! What comes back by the delay queue: once, at its time, and from nobody else.

use crate::toy::{Stage, bad, good, policy, policy_of};
use jiff::SignedDuration;
use warden_engine::{call_error::ErrorKind, ledger::record::Step, ports::Clock, run::delay::WaitReason};
use warden_testing::{Fault, Port};

/// A critical finding that was put right as often as the rate allows, and is there again: it waits in the queue.
async fn waiting() -> Stage {
    let stage = Stage::set(&[("WARDEN_CRITICAL_REVERTS", "1")]).enforce().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical")]));
    stage
}

fn again(stage: &Stage) -> serde_json::Value {
    stage.event("AddPermission", "pay", Some("open"))
}

#[tokio::test]
async fn a_message_that_comes_twice_does_nothing_the_second_time() {
    let stage = waiting().await;
    stage.try_deliver(&again(&stage)).await.unwrap();
    stage.world.duplicate_messages();
    stage.work_off(10).await;
    stage.check(&[good("shop")]);
    let (records, commits) = (stage.world.records(&stage.pay), stage.world.calls_at(Port::Commit));
    stage.world.duplicate_messages();
    stage.work_off(10).await;
    assert_eq!((stage.world.records(&stage.pay), stage.world.calls_at(Port::Commit)), (records, commits));
}

#[tokio::test]
async fn a_message_from_an_earlier_wait_does_nothing() {
    let stage = waiting().await;
    stage.try_deliver(&again(&stage)).await.unwrap();
    let [old] = stage.world.messages().try_into().unwrap();
    stage.work_off(10).await;
    // Opened once more: it waits anew, and the old message comes meanwhile.
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical")]));
    stage.try_deliver(&again(&stage)).await.unwrap();
    stage.world.put_message(&old.body);
    stage.work_off(0).await;
    stage.check(&[good("shop"), bad("open", "critical")]);
    stage.work_off(10).await;
    stage.check(&[good("shop")]);
    assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 3);
}

#[tokio::test]
async fn a_message_that_no_guard_has_sealed_changes_nothing_and_is_kept() {
    let stage = waiting().await;
    stage.try_deliver(&again(&stage)).await.unwrap();
    let [sealed] = stage.world.messages().try_into().unwrap();
    let records = stage.world.records(&stage.pay);
    let forged = [sealed.body.trim_start_matches(|c: char| c != '{').to_owned(), "{}".to_owned(), "pay".to_owned()];
    for body in &forged {
        stage.world.put_message(body);
    }
    stage.work_off(0).await;
    assert_eq!(stage.world.records(&stage.pay), records);
    stage.work_off(120).await;
    assert_eq!(stage.world.dead_letters(), forged);
    stage.check(&[good("shop")]);
}

/// Killed anywhere between the event and the end, also between the wait in the ledger and its message: delivered again,
/// it comes back.
#[tokio::test]
async fn a_run_that_dies_between_the_wait_and_its_message_loses_nothing() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost] {
        for nth in 0.. {
            let stage = waiting().await;
            let event = again(&stage);
            let before = stage.world.calls();
            stage.world.fault(nth, fault);
            drop(stage.world.run(stage.try_deliver(&event)).await);
            let happened = stage.world.calls() > before + nth;
            stage.world.heal();
            // Lambda delivers an event again after a minute.
            if happened {
                stage.world.pass(SignedDuration::from_secs(1)).await;
                stage.try_deliver(&event).await.unwrap();
            }
            stage.work_off(10).await;
            stage.check(&[good("shop")]);
            assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 2, "{fault:?} at {nth}");
            if !happened {
                assert!(nth >= 4, "{nth}");
                break;
            }
        }
    }
}

/// The same for a run that a message has started, which the queue delivers again.
#[tokio::test]
async fn a_run_that_a_message_has_started_may_die_anywhere() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost] {
        for nth in 0.. {
            let stage = waiting().await;
            stage.try_deliver(&again(&stage)).await.unwrap();
            // It finds another update under way, so that it waits once more.
            for busy in 0..7 {
                stage.world.fault_at(Port::Call, busy, Fault::Refused(ErrorKind::Busy));
            }
            stage.world.pass(SignedDuration::from_secs(6)).await;
            let before = stage.world.calls();
            stage.world.fault(nth, fault);
            let _ = stage.world.run(stage.work_off(0)).await;
            let happened = stage.world.calls() > before + nth;
            stage.world.heal();
            stage.work_off(60).await;
            stage.check(&[good("shop")]);
            assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 2, "{fault:?} at {nth}");
            assert_eq!(stage.world.messages(), []);
            if !happened {
                assert!(nth >= 8, "{nth}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn whoever_keeps_a_function_busy_does_not_keep_it_open() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    for nth in 0..40 {
        stage.world.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::Busy));
    }
    stage.try_deliver(&stage.event("AddPermission", "pay", Some("open"))).await.unwrap();
    let mut longest = SignedDuration::ZERO;
    while let [message] = stage.world.messages().as_slice() {
        longest = longest.max(message.due.duration_since(stage.world.now()));
        stage.world.pass(message.due.duration_since(stage.world.now())).await;
        stage.work_off(0).await;
    }
    stage.check(&[good("shop")]);
    assert!(longest <= SignedDuration::from_secs(11), "{longest}");
}

#[tokio::test]
async fn whoever_keeps_changing_a_surface_that_waits_has_no_guard_at_work() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    for nth in 0..7 {
        stage.world.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::Busy));
    }
    stage.try_deliver(&stage.event("AddPermission", "pay", Some("open"))).await.unwrap();
    let calls = stage.world.calls_at(Port::Call);
    for _ in 0..25 {
        stage.try_deliver(&stage.event("AddPermission", "pay", Some("open"))).await.unwrap();
    }
    assert_eq!(stage.world.calls_at(Port::Call), calls);
    assert_eq!(stage.world.messages().len(), 1);
    let state = stage.world.state(&stage.pay, &policy_of(""));
    assert_eq!(state.wait.map(|wait| wait.reason), Some(WaitReason::Busy));
}
