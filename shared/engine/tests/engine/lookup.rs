//! What an event alone says is new waits for CloudTrail's own record.

use crate::toy::{Stage, Toy, bad, good, policy, policy_of};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warden_engine::{
    Severity,
    call_error::ErrorKind,
    decide::{Decision, decide},
    guard::{Facts, Guard, Scope, SurfaceSnapshot},
    ledger::{
        record::{Reason, Step},
        state::{Enrolment, Head, History, SurfaceState, Tampered},
    },
    model::{
        cloudtrail::{Cause, CloudTrailEvent},
        tags::{GuardKind, Mode},
    },
};
use warden_testing::{Fault, Port};

const INNOCENT: &str = "arn:aws:iam::111122223333:user/innocent";

/// The event of somebody who may invoke the guard, in the name of somebody else.
fn made_up(stage: &Stage, name: &str, target: &str, sid: Option<&str>) -> Value {
    let mut event = stage.made_up(name, target, sid);
    event["detail"]["userIdentity"] = json!({"principalId": "AIDACKCEVSQ6C2EXAMPLE", "arn": INNOCENT});
    event
}

async fn standing() -> Stage {
    standing_with(&[]).await
}

async fn standing_with(variables: &[(&str, &str)]) -> Stage {
    let stage = Stage::set(variables);
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
    stage.world.tag(&stage.pay, "warden", "enforce");
    let opted_in = stage.event("TagResource", "pay", None);
    // Read a while after the opt-in: what came in between is new.
    stage.world.pass(SignedDuration::from_secs(5)).await;
    stage.deliver(&opted_in).await;
    stage
}

/// At a time between the opt-in and the look that wrote down what stood.
fn in_between(stage: &Stage, mut event: Value) -> Value {
    let written = *stage.world.state(&stage.pay, &policy_of("")).pre_existing.values().next().unwrap();
    let between = written - SignedDuration::from_secs(2);
    event["detail"]["eventTime"] = between.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    event
}

/// Nothing is said of the innocent that CloudTrail does not say.
fn nobody_is_accused(stage: &Stage) {
    for record in stage.world.records(&stage.pay) {
        assert!(!record.cause.verified, "{record:?}");
    }
}

fn asked(stage: &Stage) -> usize {
    stage.world.calls_at(Port::Record)
}

#[tokio::test]
async fn an_event_that_somebody_made_up_ends_nothing_that_stood() {
    let stage = standing().await;
    let event = in_between(&stage, made_up(&stage, "AddPermission", "pay", Some("old")));
    stage.try_deliver(&event).await.unwrap();
    stage.work_off(29).await;
    stage.check(&[bad("old", "critical")]);
    stage.check_log(&["opted-in", "withheld pre-existing resource-policy"]);
    stage.work_off(5).await;
    stage.check(&[bad("old", "critical")]);
    stage.check_log(&["opted-in", "withheld pre-existing resource-policy", "withheld unconfirmed resource-policy"]);
    let said = stage.last(Step::Withheld);
    assert_eq!((said.entry.severity, said.cause.actor.as_deref()), (Some(Severity::Critical), Some(INNOCENT)));
    let note = said.entry.note.unwrap();
    assert!(note.contains("CloudTrail knows no such event") && note.contains(INNOCENT), "{note}");
    nobody_is_accused(&stage);
    assert_eq!(stage.world.messages(), []);
    assert!((10..40).contains(&asked(&stage)), "{}", asked(&stage));
}

#[tokio::test]
async fn a_made_up_event_ends_nothing_at_the_first_look() {
    for (name, sid) in [("AddPermission", Some("old")), ("AddPermission", None), ("CreateFunction", None)] {
        let stage = Stage::new();
        stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
        stage.world.tag(&stage.pay, "warden", "enforce");
        stage.deliver(&made_up(&stage, name, "pay", sid)).await;
        stage.work_off(40).await;
        stage.check(&[bad("old", "critical")]);
        stage.check_log(&["opted-in", "withheld pre-existing resource-policy", "withheld unconfirmed resource-policy"]);
        nobody_is_accused(&stage);
    }
}

/// A function that is said to have been created is not taken to have been looked at.
#[tokio::test]
async fn a_made_up_creation_makes_nothing_new_elsewhere() {
    let stage = Stage::new();
    stage.world.tag(&stage.pay, "warden", "enforce");
    stage.world.put(&stage.pay, &policy_of("live"), policy(&[bad("old", "critical")]));
    stage.deliver(&made_up(&stage, "CreateFunction", "pay", None)).await;
    stage.deliver(&made_up(&stage, "RemovePermission", "pay:live", None)).await;
    assert_eq!(stage.world.content(&stage.pay, &policy_of("live")), policy(&[bad("old", "critical")]));
}

#[tokio::test]
async fn the_id_of_another_event_proves_nothing() {
    let stage = standing().await;
    let other = stage.by("mallory", stage.event("AddPermission", "pay", Some("till")));
    let mut event = in_between(&stage, made_up(&stage, "AddPermission", "pay", Some("old")));
    event["detail"]["eventID"] = other["detail"]["eventID"].clone();
    stage.deliver(&event).await;
    stage.check(&[bad("old", "critical")]);
    let [said] = stage.world.withheld(&stage.pay, "unconfirmed").try_into().unwrap();
    let note = said.entry.note.unwrap();
    let expected =
        "by CloudTrail's own record of that event arn:aws:iam::111122223333:user/mallory called AddPermission";
    assert!(note.contains(expected), "{note}");
    nobody_is_accused(&stage);
}

/// What CloudTrail says of the time counts.
#[tokio::test]
async fn a_true_event_of_before_the_opt_in_with_another_time_ends_nothing() {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
    let added = stage.event("AddPermission", "pay", Some("old"));
    stage.world.pass(SignedDuration::from_hours(2)).await;
    stage.world.tag(&stage.pay, "warden", "enforce");
    // Whoever comes before the guard's first look makes up when the opt-in was, too.
    let mut first = made_up(&stage, "TagResource", "pay", None);
    first["detail"]["eventTime"] = "2001-01-01T00:00:00Z".into();
    stage.deliver(&first).await;
    let later = in_between(&stage, added.clone());
    for event in [added, later] {
        stage.deliver(&event).await;
        stage.work_off(40).await;
        stage.check(&[bad("old", "critical")]);
    }
    assert_eq!(stage.world.withheld(&stage.pay, "unconfirmed").len(), 1);
}

#[tokio::test]
async fn a_failed_call_ends_nothing() {
    let stage = standing().await;
    let event = in_between(&stage, stage.made_up("AddPermission", "pay", Some("old")));
    let mut failed = event.clone();
    failed["detail"]["errorCode"] = "AccessDenied".into();
    stage.in_history(failed);
    stage.deliver(&event).await;
    stage.check(&[bad("old", "critical")]);
    let [said] = stage.world.withheld(&stage.pay, "unconfirmed").try_into().unwrap();
    let note = said.entry.note.unwrap();
    assert!(note.contains("by CloudTrail's own record the call failed with AccessDenied"), "{note}");
}

/// Or the attack would be what was last in force once CloudTrail has told of it.
#[tokio::test]
async fn what_cloudtrail_is_asked_about_is_not_kept_by_another_look_meanwhile() {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical")]));
    stage.world.tag(&stage.pay, "warden", "enforce");
    stage.try_deliver(&stage.event("CreateFunction", "pay", None)).await.unwrap();
    stage.try_deliver(&stage.event("TagResource", "pay", None)).await.unwrap();
    let state = stage.world.state(&stage.pay, &policy_of(""));
    assert_eq!((state.baseline, state.questioned.len()), (None, 1));
    stage.work_off(10).await;
    stage.check(&[]);
    assert!(stage.last(Step::Applied).cause.verified);
}

#[tokio::test]
async fn what_cloudtrail_bears_out_is_put_right_and_verified() {
    let stage = standing().await;
    let event = stage.in_history(in_between(&stage, stage.made_up("AddPermission", "pay", Some("old"))));
    stage.try_deliver(&event).await.unwrap();
    stage.work_off(2).await;
    stage.check(&[bad("old", "critical")]);
    stage.work_off(5).await;
    stage.check(&[]);
    let [planned, applied] = [Step::Planned, Step::Applied].map(|step| stage.last(step));
    assert!(planned.cause.verified && applied.cause.verified);
    assert_eq!(stage.world.withheld(&stage.pay, "unconfirmed"), []);
    assert_eq!(stage.world.messages(), []);
}

#[tokio::test]
async fn a_made_up_event_does_not_hide_a_true_one() {
    let stage = standing().await;
    for _ in 0..3 {
        let event = in_between(&stage, made_up(&stage, "AddPermission", "pay", Some("old")));
        stage.try_deliver(&event).await.unwrap();
    }
    let event = stage.in_history(in_between(&stage, stage.made_up("AddPermission", "pay", Some("old"))));
    stage.try_deliver(&event).await.unwrap();
    stage.work_off(10).await;
    stage.check(&[]);
}

#[tokio::test]
async fn what_is_new_beside_it_is_put_right_at_once() {
    let stage = standing().await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical"), bad("open", "critical")]));
    let event = in_between(&stage, made_up(&stage, "AddPermission", "pay", None));
    stage.try_deliver(&event).await.unwrap();
    stage.check(&[bad("old", "critical")]);
}

/// What waits for something else meanwhile comes back often: CloudTrail is asked once about the event.
#[tokio::test]
async fn a_surface_that_waits_does_not_have_cloudtrail_asked_each_time() {
    let stage = standing_with(&[("WARDEN_ACCOUNT_CAP", "0")]).await;
    stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("old", "critical"), bad("open", "high")]));
    let event = in_between(&stage, made_up(&stage, "AddPermission", "pay", None));
    stage.try_deliver(&event).await.unwrap();
    let messages = stage.world.messages();
    let asks = |body: &str| body.contains("asking");
    let mut kinds: Vec<bool> = messages.iter().map(|message| asks(&message.body)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [false, true], "{messages:?}");
    stage.work_off(3 * 60).await;
    let left = stage.world.messages();
    assert!(left.iter().all(|message| !asks(&message.body)), "{left:?}");
    assert!((10..40).contains(&asked(&stage)), "{}", asked(&stage));
}

#[tokio::test]
async fn the_ordinary_case_asks_nobody() {
    let stage = Stage::enforced().await;
    stage.add(&[good("shop"), bad("open", "critical")]).await;
    stage.check(&[good("shop")]);
    assert_eq!((asked(&stage), stage.world.messages()), (0, vec![]));
    assert!(!stage.last(Step::Applied).cause.verified, "reported by event");
}

/// Whoever uses up the account's lookups hides nothing that happened.
#[tokio::test]
async fn cloudtrail_that_does_not_answer_is_asked_on_for_a_day() {
    for (hours, is_right) in [(20, true), (30, false)] {
        let stage = standing().await;
        let event = stage.in_history(in_between(&stage, stage.made_up("AddPermission", "pay", Some("old"))));
        stage.try_deliver(&event).await.unwrap();
        // Once every two minutes.
        for nth in 0..hours * 30 {
            stage.world.fault_at(Port::Record, nth, Fault::Refused(ErrorKind::Retry));
        }
        stage.work_off(31 * 60).await;
        let left = if is_right { vec![] } else { vec![bad("old", "critical")] };
        stage.check(&left);
        let unconfirmed = stage.world.withheld(&stage.pay, "unconfirmed");
        assert_eq!(unconfirmed.len(), usize::from(!is_right));
        for said in unconfirmed {
            let note = said.entry.note.unwrap();
            assert!(note.contains("CloudTrail could not be asked about it"), "{note}");
        }
    }
}

#[tokio::test]
async fn a_run_that_dies_before_it_has_cloudtrail_asked_is_delivered_again() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let stage = standing().await;
        let event = stage.in_history(in_between(&stage, stage.made_up("AddPermission", "pay", Some("old"))));
        stage.world.fault_at(Port::Later, 0, fault);
        assert!(stage.world.run(stage.try_deliver(&event)).await.is_none());
        stage.world.heal();
        stage.deliver(&event).await;
        stage.check(&[]);
        assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 1);
    }
}

/// A look at a statement that stood since 10:00, after the ledger was damaged and built anew from its records.
fn after_tampering(minute: u32, verified: bool, state: &SurfaceState, tampered: bool) -> Decision {
    let stage = Stage::new();
    let now: Timestamp = "2026-11-21T10:30:00Z".parse().unwrap();
    let mut event = stage.made_up("AddPermission", "pay", Some("old"));
    event["detail"]["eventTime"] = format!("2026-11-21T10:{minute:02}:00Z").into();
    let event = CloudTrailEvent::from_event(&serde_json::from_value(event).unwrap(), &crate::toy::home()).unwrap();
    let event = CloudTrailEvent { cause: Cause { verified, ..event.cause.clone() }, ..event };
    let request = Toy.requests(&event, &stage.settings).pop().unwrap();
    let content = policy(&[bad("old", "critical")]);
    let facts = Facts {
        scope: Scope::Tags(BTreeMap::from([("warden".to_owned(), "enforce".to_owned())])),
        surfaces: BTreeMap::from([(policy_of(""), SurfaceSnapshot { content, revision: None })]),
        context: (),
    };
    let enrolment = Enrolment {
        mode: Mode::Enforce,
        since: "2026-11-21T09:00:00Z".parse().unwrap(),
        surveyed: true,
        problems: Vec::new(),
        forged: Vec::new(),
        unread: Default::default(),
        through: Default::default(),
    };
    let history = History {
        head: Head { guards: BTreeMap::from([(GuardKind::Access, enrolment)]), ..Head::default() },
        surfaces: BTreeMap::from([(policy_of(""), state.clone())]),
        tampered: tampered.then_some(Tampered { is_all_known: true }),
        ..History::default()
    };
    decide(&Toy, &request, &facts, &history, &stage.settings, now)
}

#[test]
fn after_tampering_too_an_event_alone_ends_nothing_that_stood() {
    let written = "2026-11-21T10:00:00Z".parse().unwrap();
    let finding = Toy.judge(
        &Facts {
            scope: Scope::Setting(Mode::Enforce),
            surfaces: BTreeMap::from([(
                policy_of(""),
                SurfaceSnapshot { content: policy(&[bad("old", "critical")]), revision: None },
            )]),
            context: (),
        },
        &policy_of(""),
        &crate::toy::settings(&[]),
    );
    let key = policy(&[bad("old", "critical")]).finding_key(&finding.findings[0]);
    let stood = SurfaceState { version: 3, pre_existing: BTreeMap::from([(key, written)]), ..SurfaceState::default() };
    // From before it was written down, it says nothing new.
    let decided = after_tampering(0, false, &stood, true);
    assert!(!decided.asks && decided.remediations.is_empty());
    // What nobody could have made up is new at once.
    assert_eq!(after_tampering(20, true, &stood, true).remediations.len(), 1);
    let decided = after_tampering(20, false, &stood, true);
    assert!(decided.asks && decided.remediations.is_empty());
    let withheld = decided.drafts.iter().filter(|draft| draft.step == Step::Withheld);
    assert!(withheld.clone().all(|draft| draft.reason == Some(Reason::PreExisting)), "{withheld:?}");
    // CloudTrail bears it out: by then the state is whole again.
    let state = decided.states[&policy_of("")].clone();
    assert_eq!(after_tampering(20, true, &state, false).remediations.len(), 1);
}

/// What a shorter list of trusted accounts finds stood before: no event of when it came ends that.
#[tokio::test]
async fn a_replayed_event_does_not_end_what_a_new_rule_has_left() {
    for name in ["AddPermission", "CreateFunction"] {
        let mut stage = Stage::set(&[("WARDEN_TRUSTED_ACCOUNTS", "444455556666")]);
        let partner = json!({"Sid": "partner", "Bad": "critical", "Trusts": "444455556666"});
        stage.world.tag(&stage.pay, "warden", "enforce");
        if name == "AddPermission" {
            stage.deliver(&stage.event("TagResource", "pay", None)).await;
            stage.world.pass(SignedDuration::from_hours(1)).await;
        }
        stage.world.put(&stage.pay, &policy_of(""), policy(std::slice::from_ref(&partner)));
        let came = stage.event(name, "pay", Some("partner").filter(|_| name == "AddPermission"));
        stage.deliver(&came).await;
        stage.world.pass(SignedDuration::from_hours(24)).await;
        stage.settings = crate::toy::settings(&[]);
        stage.look(false).await;
        stage.check(std::slice::from_ref(&partner));
        // Handed over again by whoever may invoke the guard, or from an archive.
        stage.deliver(&came).await;
        stage.check(&[partner]);
    }
}

/// EventBridge keeps no order: whoever calls again at once may have the later event delivered first.
#[tokio::test]
async fn a_later_event_that_comes_first_does_not_hide_what_was_created() {
    for (seconds, is_new) in [(2, true), (50, true), (70, false)] {
        let stage = Stage::new();
        stage.world.put(&stage.pay, &policy_of(""), policy(&[bad("open", "critical"), good("till")]));
        stage.world.tag(&stage.pay, "warden", "enforce");
        let created = stage.event("CreateFunction", "pay", None);
        stage.world.pass(SignedDuration::from_secs(seconds)).await;
        let later = stage.event("AddPermission", "pay", Some("till"));
        stage.try_deliver(&later).await.unwrap();
        stage.try_deliver(&created).await.unwrap();
        stage.check(&[bad("open", "critical"), good("till")]);
        stage.work_off(40).await;
        let left = if is_new { vec![good("till")] } else { vec![bad("open", "critical"), good("till")] };
        stage.check(&left);
    }
}
