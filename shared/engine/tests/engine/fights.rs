//! Somebody who makes the same change again and again: the breaker, the rate of critical findings, the account's cap.

use crate::toy::{Stage, bad, function, good, policy, policy_of};
use jiff::SignedDuration;
use warden_engine::{
    Severity,
    decide::report::still_holds,
    ledger::record::{Record, Step},
    ports::{Clock, Ledger},
};

#[tokio::test]
async fn after_three_reverts_a_high_finding_is_left_with_an_alert_that_names_who_it_is() {
    let stage = Stage::enforced().await;
    for _ in 0..3 {
        stage.add(&[good("shop"), bad("open", "high")]).await;
        stage.check(&[good("shop")]);
        stage.world.pass(SignedDuration::from_mins(2)).await;
    }
    for _ in 0..3 {
        stage.add(&[good("shop"), bad("open", "high")]).await;
        stage.check(&[good("shop"), bad("open", "high")]);
    }
    let [alert] = stage.world.withheld(&stage.pay, "breaker").try_into().unwrap();
    assert_eq!(alert.entry.severity, Some(Severity::Critical));
    let note = alert.entry.note.unwrap();
    assert!(note.contains("arn:aws:iam::111122223333:role/deploy with terraform/1.9"), "{note}");
    // Another surface is not part of the fight.
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("open", "high")]));
    stage.deliver(&stage.event("AddPermission", "pay:live", Some("open"))).await;
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
    // An hour after the first revert the window has room again.
    stage.world.pass(SignedDuration::from_mins(60)).await;
    stage.look(false).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn what_the_breaker_withheld_holds_until_it_is_put_right_changed_or_opted_out() {
    async fn holds(stage: &Stage, record: &Record) -> bool {
        let history = stage.world.history(&stage.pay, stage.world.now()).await.unwrap();
        still_holds(record, &history)
    }
    async fn fought() -> (Stage, Record) {
        let stage = Stage::enforced().await;
        for _ in 0..4 {
            stage.add(&[good("shop"), bad("open", "high")]).await;
        }
        let [withheld] = stage.world.withheld(&stage.pay, "breaker").try_into().unwrap();
        assert!(holds(&stage, &withheld).await);
        (stage, withheld)
    }
    let (stage, withheld) = fought().await;
    stage.look(false).await;
    assert!(holds(&stage, &withheld).await, "it was looked at again, and is as it was");
    stage.look(true).await;
    assert!(!holds(&stage, &withheld).await, "an operator has applied it");

    let (stage, withheld) = fought().await;
    stage.add(&[good("shop")]).await;
    assert!(!holds(&stage, &withheld).await, "somebody has put it right");

    let (stage, withheld) = fought().await;
    stage.opt_in("observe").await;
    assert!(!holds(&stage, &withheld).await, "it is only observed");
    stage.opt_in("enforce").await;
    assert!(!holds(&stage, &withheld).await, "it is from before the opt-in now");
}

#[tokio::test]
async fn a_critical_finding_is_reverted_at_once_up_to_a_rate_and_then_some_seconds_apart() {
    let stage = Stage::enforced().await;
    let mut took = Vec::new();
    for _ in 0..9 {
        let began = stage.world.now();
        stage.add(&[good("shop"), bad("open", "critical")]).await;
        stage.check(&[good("shop")]);
        took.push(stage.world.now().duration_since(began).as_secs());
    }
    // The pause begins at the last revert: the looks and calls of a run are part of it.
    assert_eq!(took, [0, 0, 0, 0, 0, 5, 5, 5, 5]);
    let notes: Vec<bool> =
        stage.world.of_step(&stage.pay, Step::Planned).iter().map(|planned| planned.entry.note.is_some()).collect();
    assert_eq!(notes, [false, false, false, true, true, true, true, true, true]);
    let alert = stage.last(Step::Planned);
    assert_eq!(alert.entry.severity, Some(Severity::Critical));
    let note = alert.entry.note.unwrap();
    assert!(
        note.contains("with terraform/1.9: critical, so it is reverted all the same, some seconds after"),
        "{note}"
    );
}

#[tokio::test]
async fn in_a_fight_the_critical_part_goes_and_the_rest_is_withheld() {
    let stage = Stage::enforced().await;
    for _ in 0..3 {
        stage.add(&[good("shop"), bad("open", "high")]).await;
    }
    stage.add(&[good("shop"), bad("ajar", "high"), bad("open", "critical")]).await;
    stage.check(&[good("shop"), bad("ajar", "high")]);
    assert_eq!(stage.world.withheld(&stage.pay, "breaker").len(), 1);
    stage.look(false).await;
    assert_eq!(stage.world.withheld(&stage.pay, "breaker").len(), 1);
}

#[tokio::test]
async fn an_operator_is_not_held_back_by_the_breaker() {
    let stage = Stage::enforced().await;
    for _ in 0..4 {
        stage.add(&[good("shop"), bad("open", "high")]).await;
    }
    stage.check(&[good("shop"), bad("open", "high")]);
    stage.look(true).await;
    stage.check(&[good("shop")]);
}

/// Somebody else each time puts a bad statement into each of so many functions' policies.
async fn decoys(stage: &Stage, count: usize, severity: &str) {
    for number in 0..count {
        let decoy = format!("decoy-{number}");
        stage.guard(&decoy).await;
        stage.world.put(&function(&decoy), &policy_of(""), policy(&[bad("open", severity)]));
        let event = stage.event("AddPermission", &decoy, Some("open"));
        stage.deliver(&stage.by(&decoy, event)).await;
    }
}

#[tokio::test]
async fn decoys_that_burn_the_cap_do_not_protect_a_critical_finding() {
    let stage = Stage::enforced().await;
    decoys(&stage, 20, "high").await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn beyond_the_cap_a_high_finding_comes_back_when_there_is_room() {
    let stage = Stage::enforced().await;
    decoys(&stage, 20, "high").await;
    for _ in 0..3 {
        stage.add(&[good("shop"), bad("open", "high")]).await;
    }
    stage.check(&[good("shop"), bad("open", "high")]);
    let [withheld] = stage.world.withheld(&stage.pay, "cap").try_into().unwrap();
    assert_eq!(withheld.entry.severity, Some(Severity::Critical));
    let note = withheld.entry.note.unwrap();
    assert!(note.contains("the 20 changes an hour of the account are used up"), "{note}");
    assert_eq!(stage.world.messages().len(), 1, "one wait, however often it was seen");
    // Nobody sets the guard off again, and no message is held back for more than 15 minutes.
    stage.work_off(70).await;
    stage.check(&[good("shop")]);
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).wait, None);
    assert_eq!(stage.world.messages(), []);
}

/// Opens 22 aliases of a function within ten seconds; says which of them are open then.
async fn twenty_two_aliases(stage: &Stage, name: &str) -> Vec<String> {
    stage.guard(name).await;
    let aliases: Vec<String> = (0..22).map(|number| format!("alias-{number}")).collect();
    for alias in &aliases {
        stage.world.put(&function(name), &policy_of(alias), policy(&[bad("open", "high")]));
        stage.deliver(&stage.event("AddPermission", &format!("{name}:{alias}"), Some("open"))).await;
    }
    let is_open = |alias: &String| !stage.world.content(&function(name), &policy_of(alias)).is_absent();
    aliases.into_iter().filter(is_open).collect()
}

#[tokio::test]
async fn one_function_with_22_aliases_opened_in_ten_seconds_leaves_room_for_the_real_attack() {
    let stage = Stage::enforced().await;
    let open = twenty_two_aliases(&stage, "decoy").await;
    assert_eq!(open.len(), 22 - 5, "a quarter of the cap");
    stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
    // The decoys themselves are put right when there is room, by nobody's doing.
    stage.work_off(6 * 60).await;
    for alias in open {
        assert!(stage.world.content(&function("decoy"), &policy_of(&alias)).is_absent(), "{alias}");
    }
}

#[tokio::test]
async fn one_actor_with_many_decoys_leaves_room_for_changes_by_others() {
    let stage = Stage::enforced().await;
    for number in 0..12 {
        let decoy = format!("decoy-{number}");
        stage.guard(&decoy).await;
        stage.world.put(&function(&decoy), &policy_of(""), policy(&[bad("open", "high")]));
        // Under another session's name each time.
        let mut event = stage.event("AddPermission", &decoy, Some("open"));
        event["detail"]["userIdentity"]["principalId"] = format!("AROAIDPPEZS35WEXAMPLE:{number}").into();
        stage.deliver(&event).await;
    }
    let open = (0..12)
        .filter(|number| !stage.world.content(&function(&format!("decoy-{number}")), &policy_of("")).is_absent());
    assert_eq!(open.collect::<Vec<_>>(), [10, 11], "half of the cap");
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "high")]));
    let event = stage.event("AddPermission", "pay", Some("open"));
    stage.deliver(&stage.by("somebody-else", event)).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn a_pause_on_one_surface_does_not_hold_up_another() {
    let stage =
        Stage::set(&[("WARDEN_CRITICAL_REVERTS", "1"), ("WARDEN_BREAKER_PAUSE_SECONDS", "600")]).enforce().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
    let began = stage.world.now();
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical")]));
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("admin", "critical")]));
    for target in ["pay", "pay:live"] {
        stage.try_deliver(&stage.event("AddPermission", target, None)).await.unwrap();
    }
    assert!(stage.world.content(&stage.pay, &policy_of("live")).is_absent());
    stage.check(&[good("shop"), bad("open", "critical")]);
    assert!(stage.world.now().duration_since(began) < SignedDuration::from_secs(2));
    stage.work_off(15).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn twenty_five_events_leave_no_guard_asleep() {
    let stage = Stage::set(&[("WARDEN_CRITICAL_REVERTS", "1")]).enforce().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[good("shop"), bad("open", "critical")]));
    let events: Vec<_> = (0..25).map(|_| stage.event("AddPermission", "pay", Some("open"))).collect();
    let runs = events.iter().map(async |event| {
        let began = stage.world.now();
        stage.try_deliver(event).await.unwrap();
        stage.world.now().duration_since(began)
    });
    let longest = futures::future::join_all(runs).await.into_iter().max().unwrap();
    assert!(longest < SignedDuration::from_secs(3), "{longest}");
    assert_eq!(stage.world.messages().len(), 1, "{:?}", stage.world.messages());
    stage.work_off(1).await;
    stage.check(&[good("shop")]);
    assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 2);
}

#[tokio::test]
async fn critical_findings_do_not_count() {
    let stage = Stage::enforced().await;
    decoys(&stage, 40, "critical").await;
    stage.add(&[good("shop"), bad("open", "high")]).await;
    stage.check(&[good("shop")]);
}

#[tokio::test]
async fn the_cap_holds_across_the_turn_of_the_clock_hour_and_for_runs_at_once() {
    let stage = Stage::enforced().await;
    stage.world.pass(SignedDuration::from_mins(55)).await;
    decoys(&stage, 20, "high").await;
    // Of the twenty, 55 sixtieths count at five past.
    stage.world.pass(SignedDuration::from_mins(10)).await;
    for left in [vec![good("shop")], vec![good("shop")], vec![bad("open", "high")]] {
        stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "high")]));
        stage.try_deliver(&stage.event("AddPermission", "pay", Some("open"))).await.unwrap();
        stage.check(&left);
    }

    let stage = Stage::set(&[("WARDEN_ACCOUNT_CAP", "5")]);
    let names: Vec<String> = (0..12).map(|number| format!("at-once-{number}")).collect();
    for name in &names {
        stage.guard(name).await;
        stage.world.put(&function(name), &policy_of(""), policy(&[bad("open", "high")]));
    }
    let events: Vec<_> = names.iter().map(|name| stage.event("AddPermission", name, Some("open"))).collect();
    let events: Vec<_> = names.iter().zip(events).map(|(name, event)| stage.by(name, event)).collect();
    futures::future::join_all(events.iter().map(|event| stage.deliver(event))).await;
    let steps = |step| {
        let records = names.iter().flat_map(|name| stage.world.of_step(&function(name), step));
        records.collect::<Vec<Record>>().len()
    };
    assert_eq!((steps(Step::Applied), steps(Step::Withheld)), (5, 7));
}
