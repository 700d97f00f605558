//! Managed policies of Warden's own: what may stay of a policy that has no room among the role's own ones.

use crate::home::{
    Home, attach, attachment, everything, inline, long_orders, managed, open, opt_in, orders, policy, policy_resource,
    queue, role, write_version, written,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::Step,
    model::{content::Content, surface::Resource},
    name::iam::PolicyArn,
    run::undo::UndoRefusal,
};
use warden_testing::{Fault, Port};

/// `pay` has a policy that others have as well, and no room among its own ones.
async fn full() -> Home {
    full_with(&[]).await
}

async fn full_with(variables: &[(&str, &str)]) -> Home {
    let home = open(variables);
    home.write(&role("pay"), &inline("long"), &written(&policy(&[long_orders(9_000)])));
    write_version(&home, &managed("data"), &policy(&[long_orders(5_000)]));
    attach(&home, &role("pay"), &managed("data"));
    attach(&home, &role("other"), &managed("data"));
    opt_in(home).await
}

fn copy() -> PolicyArn {
    let Resource::Role(pay) = role("pay") else { panic!("a role") };
    managed("data").copy_for(&pay).policy().clone()
}

async fn version(home: &Home, policy_arn: &PolicyArn, statements: &[Value]) {
    write_version(home, policy_arn, &policy(statements));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": policy_arn}))).await;
}

/// The role has the copy, with what may stay, and not what that was made of.
#[track_caller]
fn is_contained(home: &Home) {
    let kept = Content::new(policy(&[long_orders(5_000)]));
    assert_eq!(home.content(&role("pay"), &attachment(&copy())), Content::of_policy(&copy(), &kept));
    assert_eq!(home.content(&role("pay"), &attachment(&managed("data"))), Content::ABSENT.with_copy(&kept));
}

#[tokio::test]
async fn a_copy_is_an_attached_policy_like_any_other_and_settles() {
    let home = full().await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    is_contained(&home);
    let story = home.log(&role("pay"));
    home.pass(SignedDuration::from_mins(2)).await;
    home.sweep_all().await;
    assert_eq!(home.log(&role("pay")), story);
    is_contained(&home);
}

/// Somebody rewrites the copy before the guard has ever looked at it: what it said comes back all the same.
#[tokio::test]
async fn a_copy_that_somebody_rewrote_is_put_right_and_not_lost() {
    for looked_at in [false, true] {
        let home = full().await;
        version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
        home.pass(SignedDuration::from_mins(2)).await;
        if looked_at {
            home.sweep(&role("pay")).await;
        }
        version(&home, &copy(), &[everything()]).await;
        assert!(home.content(&role("pay"), &attachment(&copy())).policy().is_none(), "{:?}", home.log(&role("pay")));
        let Resource::Role(pay) = role("pay") else { panic!("a role") };
        let second = copy().copy_for(&pay).policy().clone();
        let kept = home.content(&role("pay"), &attachment(&second)).policy_document();
        assert_eq!(kept, Content::new(policy(&[long_orders(5_000)])));
    }
}

/// No tag on it makes a policy below Warden's path one that is put right itself: on the role it is.
#[tokio::test]
async fn a_tag_on_a_copy_keeps_nobody_from_putting_it_right() {
    let home = full().await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    home.pass(SignedDuration::from_mins(2)).await;
    write_version(&home, &copy(), &policy(&[long_orders(5_000)]));
    home.tag(&policy_resource(&copy()), "warden", "enforce");
    home.sweep_all().await;
    version(&home, &copy(), &[long_orders(5_000), everything()]).await;
    assert!(home.content(&role("pay"), &attachment(&copy())).policy().is_none(), "{:?}", home.log(&role("pay")));
    assert_eq!(home.withheld(&policy_resource(&copy()), "never-touch").len(), 1);
}

#[tokio::test]
async fn attached_again_the_policy_goes_and_the_copy_stays_as_it_is() {
    let home = full().await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    home.pass(SignedDuration::from_mins(2)).await;
    home.sweep(&role("pay")).await;
    attach(&home, &role("pay"), &managed("data"));
    home.deliver(&home.event("AttachRolePolicy", json!({"roleName": "pay", "policyArn": managed("data")}))).await;
    is_contained(&home);
}

/// Attached again, it had become harmless and was seen so: what may stay of its next bad version is another than
/// before.
#[tokio::test]
async fn a_copy_that_is_there_is_given_a_version_and_undone_back_to_what_it_said() {
    let home = full().await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    home.pass(SignedDuration::from_mins(2)).await;
    write_version(&home, &managed("data"), &policy(&[long_orders(4_000)]));
    attach(&home, &role("pay"), &managed("data"));
    home.sweep_all().await;
    home.pass(SignedDuration::from_mins(2)).await;
    let before = home.content(&role("pay"), &attachment(&copy()));
    version(&home, &managed("data"), &[long_orders(4_000), everything()]).await;
    let kept = home.content(&role("pay"), &attachment(&copy())).policy_document();
    assert_eq!(kept, Content::new(policy(&[long_orders(4_000)])));
    let last = home.of_step(&role("pay"), Step::Applied).pop().expect("a remediation");
    home.undo(&last).await.unwrap();
    assert_eq!(home.content(&role("pay"), &attachment(&copy())), before);
}

/// Ten policies are attached, of which the bad one is one.
async fn ten_attached(variables: &[(&str, &str)]) -> Home {
    let home = full_with(variables).await;
    for nth in 0..9 {
        let more = managed(&format!("more-{nth}"));
        write_version(&home, &more, &policy(&[queue()]));
        attach(&home, &role("pay"), &more);
    }
    home.sweep_all().await;
    home
}

#[tokio::test]
async fn where_nothing_fits_it_is_withheld_if_that_is_asked_for_and_says_what_to_do() {
    let home = ten_attached(&[("WARDEN_CRITICAL_WITHOUT_ROOM", "withhold")]).await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    let [record] = home.withheld(&role("pay"), "no-safe-change").try_into().expect("one record");
    let note = record.entry.note.unwrap_or_default();
    assert!(note.contains("10240") && note.contains("10 managed policies are attached"), "{note}");
    assert!(note.contains("in fewer policies, then detach data"), "{note}");
    assert!(home.content(&role("pay"), &attachment(&managed("data"))).policy().is_some());
}

#[tokio::test]
async fn ten_attachments_shelter_no_administrator() {
    let home = ten_attached(&[]).await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    assert!(home.content(&role("pay"), &attachment(&managed("data"))).policy().is_none());
    let [applied] = home.of_step(&role("pay"), Step::Applied).try_into().expect("one remediation");
    let note = applied.entry.note.clone().unwrap_or_default();
    assert!(note.contains("it went with what had to go: `Orders` (dynamodb:GetItem)"), "{note}");
    home.undo(&applied).await.unwrap();
    assert!(home.content(&role("pay"), &attachment(&managed("data"))).policy().is_some());
    // What is high alone is left, and reported.
    let home = ten_attached(&[]).await;
    let high = json!({"Sid": "High", "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    version(&home, &managed("data"), &[long_orders(5_000), high]).await;
    assert!(home.content(&role("pay"), &attachment(&managed("data"))).policy().is_some());
    assert_eq!(home.withheld(&role("pay"), "no-safe-change").len(), 1);
}

/// Others may have attached the copy meanwhile: undone, it is theirs.
#[tokio::test]
async fn a_copy_that_others_have_too_is_not_deleted() {
    let home = full().await;
    version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
    attach(&home, &role("other"), &copy());
    let [applied] = home.steps(Step::Applied).try_into().expect("one remediation");
    home.undo(&applied).await.unwrap();
    let of = |name: &str| home.content(&role(name), &attachment(&copy())).policy();
    assert_eq!((of("pay"), of("other")), (None, Some(copy())));
    assert_eq!(
        home.content(&role("other"), &attachment(&copy())).policy_document(),
        Content::new(policy(&[long_orders(5_000)]))
    );
}

#[tokio::test]
async fn where_the_role_has_room_there_is_no_copy() {
    let home = open(&[]);
    attach(&home, &role("pay"), &managed("data"));
    attach(&home, &role("other"), &managed("data"));
    let home = opt_in(home).await;
    version(&home, &managed("data"), &[orders(), everything()]).await;
    assert_eq!(home.calls_made(), ["PutRolePolicy(pay, warden-data-fce24bbe)", "DetachRolePolicy(pay, data)"]);
}

/// The guard looks at an undo that was cut off between its calls, once the lease is over: it is left to the person.
#[tokio::test]
async fn an_undo_that_was_cut_off_half_way_is_taken_up_again_after_the_guard_has_looked() {
    for nth in 0.. {
        let home = full().await;
        version(&home, &managed("data"), &[long_orders(5_000), everything()]).await;
        let [applied] = home.steps(Step::Applied).try_into().expect("one remediation");
        let before = home.calls_at(Port::Call);
        home.fault_at(Port::Call, nth, Fault::CrashBefore);
        drop(home.run(home.undo(&applied)).await);
        home.heal();
        let made = home.calls_at(Port::Call) - before;
        home.pass(SignedDuration::from_mins(5)).await;
        home.sweep_all().await;
        match home.undo(&applied).await {
            Ok(_) | Err(UndoRefusal::AlreadyRestored(_)) => {}
            Err(other) => panic!("cut off at call {nth}: {other:#?}"),
        }
        assert!(home.content(&role("pay"), &attachment(&managed("data"))).policy().is_some());
        assert_eq!(home.content(&role("pay"), &attachment(&copy())).policy(), None);
        if made <= nth {
            assert!(nth > 1, "an undo of several calls");
            break;
        }
    }
}
