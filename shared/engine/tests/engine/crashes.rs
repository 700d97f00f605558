//! A run that is cut off before or after any of its calls, and answers that do not come.

use crate::toy::{Stage, bad, good, policy, policy_of};
use jiff::SignedDuration;
use warden_engine::{
    HandlerError, call_error::ErrorKind, ledger::record::Step, model::surface::Surface, ports::Clock,
    run::delay::WaitReason,
};
use warden_testing::{Fault, Port};

/// A remediation of two surfaces, `fault` at its `nth` call, and the event delivered again after the lease. Returns
/// whether the fault came to pass.
async fn cut_off(nth: usize, fault: Fault) -> bool {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical"), bad("ajar", "high")]));
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
    let events = ["pay", "pay:live"].map(|target| stage.event("AddPermission", target, None));
    let before = stage.world.calls();
    stage.world.fault(nth, fault);
    for event in &events {
        drop(stage.world.run(stage.try_deliver(event)).await);
    }
    let happened = stage.world.calls() > before + nth;
    stage.world.heal();
    stage.world.pass(SignedDuration::from_mins(5)).await;
    for event in &events {
        stage.deliver(event).await;
    }
    stage.check(&[good("shop")]);
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
    for surface in ["", "live"].map(policy_of) {
        let ours = |step| {
            let records = stage.world.of_step(&stage.pay, step).into_iter();
            records.filter(|record| record.entry.surface.as_ref() == Some(&surface)).count()
        };
        assert_eq!((ours(Step::Planned), ours(Step::Applied), ours(Step::Failed)), (1, 1, 0), "{nth} {fault:?}");
        assert_eq!(stage.world.state(&stage.pay, &surface).intent, None);
    }
    happened
}

/// `fault` at each call in turn; at least this many calls are made.
async fn at_every_call(fault: Fault, calls: usize) {
    let mut nth = 0;
    while cut_off(nth, fault).await {
        nth += 1;
    }
    assert!(nth >= calls, "only {nth} calls");
}

#[tokio::test]
async fn a_run_that_is_cut_off_before_any_call_is_resumed() {
    at_every_call(Fault::CrashBefore, 14).await;
}

#[tokio::test]
async fn a_run_that_is_cut_off_after_any_call_is_resumed() {
    at_every_call(Fault::CrashAfter, 14).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    at_every_call(Fault::Lost, 14).await;
}

#[tokio::test]
async fn a_call_that_is_throttled_is_made_later() {
    at_every_call(Fault::Refused(ErrorKind::Retry), 14).await;
}

/// A remediation, with this in the way of its change; how it ended, and how often the change was tried.
async fn hindered(faults: &[Fault]) -> (Stage, Result<(), HandlerError>, usize) {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    for (nth, fault) in faults.iter().enumerate() {
        stage.world.fault_at(Port::Call, nth, *fault);
    }
    let before = stage.world.calls_at(Port::Call);
    let handled = stage.try_deliver(&event).await.map(drop);
    let tries = stage.world.calls_at(Port::Call) - before;
    (stage, handled, tries)
}

#[tokio::test]
async fn another_update_under_way_is_waited_for() {
    let (stage, handled, tries) = hindered(&[Fault::Refused(ErrorKind::Busy); 3]).await;
    assert_eq!((handled, tries), (Ok(()), 4));
    stage.check(&[good("shop")]);
    stage.check_log(&["opted-in", "planned resource-policy", "applied resource-policy"]);
}

#[tokio::test]
async fn another_update_that_does_not_end_soon_is_waited_for_by_the_queue() {
    let (stage, handled, tries) = hindered(&[Fault::Refused(ErrorKind::Busy); 7]).await;
    assert_eq!(handled, Ok(()));
    assert!(tries < 7, "{tries}");
    let state = stage.world.state(&stage.pay, &policy_of(""));
    assert!(state.intent.is_some_and(|intent| intent.lease <= stage.world.now()), "nobody holds it");
    let [message] = stage.world.messages().try_into().unwrap();
    let wait = state.wait.unwrap();
    assert_eq!((wait.reason, wait.until <= message.due), (WaitReason::Busy, true));
    stage.work_off(10).await;
    stage.check(&[good("shop")]);
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).wait, None);
    stage.check_log(&["opted-in", "planned resource-policy", "applied resource-policy"]);
}

/// From then on another run may take the work over: two at once could leave what neither wants.
#[tokio::test]
async fn a_run_makes_no_call_once_its_lease_is_over() {
    let stage = Stage::set(&[("WARDEN_LEASE_SECONDS", "1")]).enforce().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    for nth in 0..7 {
        stage.world.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::Busy));
    }
    let pay = stage.pay.clone();
    for _ in 0..7 {
        let pay = pay.clone();
        stage.world.meanwhile(Port::Call, move |world| {
            let intent = world.state(&pay, &policy_of("")).intent.unwrap();
            assert!(world.now() < intent.lease, "a call after the lease");
        });
    }
    let handled = stage.try_deliver(&event).await.map(drop);
    assert_eq!(handled, Ok(()));
    // Another run goes on where it was left.
    assert!(stage.world.state(&stage.pay, &policy_of("")).intent.is_some());
    stage.world.heal();
    stage.work_off(10).await;
    stage.check(&[good("shop")]);
    stage.check_log(&["opted-in", "planned resource-policy", "applied resource-policy"]);
}

#[tokio::test]
async fn a_refused_change_is_a_failed_one() {
    let (stage, handled, tries) = hindered(&[Fault::Refused(ErrorKind::Refused)]).await;
    assert_eq!((handled, tries), (Ok(()), 1));
    stage.check(&[good("shop"), bad("open", "high")]);
    stage.check_log(&["opted-in", "planned resource-policy", "failed resource-policy"]);
    let why = stage.last(Step::Failed).entry.note.unwrap();
    assert!(why.contains("Refused, says the test"), "{why}");
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).reverts, []);
    // The permission is given back: the sweep finds the statement again.
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

/// Somebody else changes the policy to these statements just before the guard's change.
async fn overtaken(statements: &'static [(&'static str, &'static str)]) -> Stage {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    let pay = stage.pay.clone();
    stage.world.meanwhile(Port::Call, move |world| {
        let statements: Vec<_> =
            statements.iter().map(|(sid, how)| if how.is_empty() { good(sid) } else { bad(sid, how) }).collect();
        world.put(&pay, &policy_of(""), policy(&statements));
    });
    stage.deliver(&event).await;
    stage
}

#[tokio::test]
async fn a_lock_that_moved_without_the_content_is_taken_anew() {
    let stage = overtaken(&[("shop", ""), ("open", "high")]).await;
    stage.check(&[good("shop")]);
    stage.check_log(&["opted-in", "planned resource-policy", "applied resource-policy"]);
}

#[tokio::test]
async fn a_benign_change_in_between_stays() {
    let stage = overtaken(&[("shop", ""), ("open", "high"), ("till", "")]).await;
    stage.check(&[good("shop"), good("till")]);
    stage.check_log(&[
        "opted-in",
        "planned resource-policy",
        "failed resource-policy",
        "planned resource-policy",
        "applied resource-policy",
    ]);
}

#[tokio::test]
async fn a_malign_change_in_between_is_reverted_as_well() {
    let stage = overtaken(&[("shop", ""), ("open", "high"), ("back", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn whoever_puts_it_right_first_is_not_overruled() {
    let stage = overtaken(&[("shop", "")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn a_resource_that_is_gone_before_its_run_is_resumed_gets_an_outcome() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    stage.world.delete(&stage.pay);
    stage.world.pass(SignedDuration::from_mins(3)).await;
    stage.deliver(&event).await;
    stage.check_log(&["opted-in", "planned resource-policy", "failed resource-policy"]);
    assert!(stage.last(Step::Failed).entry.note.unwrap().ends_with("its resource is gone"));
}

#[tokio::test]
async fn what_was_begun_is_not_resumed_once_the_resource_is_opted_out() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    stage.world.tag(&stage.pay, "warden", "off");
    stage.world.pass(SignedDuration::from_mins(3)).await;
    stage.deliver(&event).await;
    stage.check(&[bad("open", "high")]);
    stage.check_log(&["opted-in", "planned resource-policy", "opted-out", "failed resource-policy"]);
}

#[tokio::test]
async fn a_run_under_way_is_left_alone_until_its_lease_ends() {
    let stage = Stage::enforced().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    // Delivered again at once: it waits a moment, and then by the queue.
    let began = stage.world.now();
    stage.try_deliver(&event).await.unwrap();
    assert!(stage.world.now().duration_since(began) < SignedDuration::from_secs(2));
    stage.check(&[bad("open", "high")]);
    assert_eq!(stage.world.messages().len(), 1);
    let lease = stage.world.state(&stage.pay, &policy_of("")).intent.unwrap().lease;
    while stage.world.now() < lease {
        stage.check(&[bad("open", "high")]);
        stage.world.pass(SignedDuration::from_secs(10)).await;
        stage.work_off(0).await;
    }
    stage.work_off(2).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn a_look_at_a_surface_is_not_held_up_by_a_lease_on_another() {
    let stage = Stage::enforced().await;
    let live = |sid| (policy_of("live"), policy(&[bad(sid, "high")]));
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
    stage.world.fault_at(Port::Call, 0, Fault::CrashBefore);
    let event = stage.event("AddPermission", "pay", Some("open"));
    assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
    stage.world.heal();
    let (surface, content): (Surface, _) = live("open");
    stage.world.put(&stage.pay, &surface, content);
    stage.deliver(&stage.event("AddPermission", "pay:live", Some("open"))).await;
    assert!(stage.world.content(&stage.pay, &surface).is_absent());
}
