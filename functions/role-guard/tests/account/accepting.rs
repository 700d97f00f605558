//! What an operator lets be: by an undo, and by `warden accept`. It is what they saw, and no more.

use crate::home::{
    Home, attach, attachment, everything, inline, lambda_trust, managed, open, opt_in, orders, policy, role, shop,
    write_version, written,
};
use jiff::{SignedDuration, Timestamp};
use role_guard::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warden_engine::{
    Finding,
    guard::{Facts, Guard, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::record::{Record, Step},
    model::{
        cloudtrail::Cause,
        content::Content,
        surface::Surface,
        tags::{GuardKind, Mode},
    },
    ports::Clock,
    run::{
        accept::{Accept, AcceptRefusal, Withdraw},
        undo::UndoRefusal,
    },
};

async fn guarded() -> Home {
    opt_in(open(&[])).await
}

/// Something that may be called anywhere, which is wrong, and less than everything.
fn passing() -> Value {
    json!({"Sid": "Pass", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"})
}

fn facts() -> Facts<Context> {
    Facts { scope: Scope::Setting(Mode::Enforce), surfaces: BTreeMap::new(), context: Context::default() }
}

fn is_different(outcome: Result<Vec<Record>, UndoRefusal>) -> bool {
    matches!(outcome, Err(UndoRefusal::Different { .. }))
}

/// Takes `data` from the role, which has been made an administrator's before it is given back.
async fn detached(home: &Home) -> Record {
    write_version(home, &managed("tools"), &policy(&[passing()]));
    attach(home, &role("pay"), &managed("tools"));
    let parameters = json!({"roleName": "pay", "policyArn": managed("tools")});
    home.deliver(&home.event("AttachRolePolicy", parameters)).await;
    assert!(home.content(&role("pay"), &attachment(&managed("tools"))).is_absent());
    home.steps(Step::Applied).pop().expect("a remediation")
}

#[tokio::test]
async fn an_undo_does_not_attach_a_policy_that_says_something_else_by_now() {
    let home = guarded().await;
    let applied = detached(&home).await;
    write_version(&home, &managed("tools"), &policy(&[everything()]));
    assert!(is_different(home.undo(&applied).await));
    assert!(home.content(&role("pay"), &attachment(&managed("tools"))).is_absent());
    // Said as it was, it comes back.
    write_version(&home, &managed("tools"), &policy(&[passing()]));
    home.undo(&applied).await.unwrap();
    home.sweep_all().await;
    assert!(!home.content(&role("pay"), &attachment(&managed("tools"))).is_absent());
}

#[tokio::test]
async fn an_undo_that_is_wanted_all_the_same_accepts_what_was_shown_and_no_more() {
    let home = guarded().await;
    let applied = detached(&home).await;
    write_version(&home, &managed("tools"), &policy(&[passing(), orders()]));
    let mut undo = home.undo_of(&applied);
    let foreseen = undo.foresee(&home.world).await.unwrap();
    assert_eq!(foreseen.differences.len(), 1);
    undo.although = Some(foreseen.fingerprint());
    // What an operator was shown is another thing by the time that they say yes.
    write_version(&home, &managed("tools"), &policy(&[everything()]));
    assert!(is_different(undo.carry_out(&home.world, &home.settings).await));
    write_version(&home, &managed("tools"), &policy(&[passing(), orders()]));
    undo.findings = foreseen_findings(&home, foreseen.plan.surface(), foreseen.plan.after());
    undo.carry_out(&home.world, &home.settings).await.unwrap();
    home.sweep_all().await;
    assert!(!home.content(&role("pay"), &attachment(&managed("tools"))).is_absent());
    // Widened once more, it is a new finding. What was accepted stays by itself, and for as long as it was accepted.
    write_version(&home, &managed("tools"), &policy(&[everything()]));
    home.sweep_all().await;
    assert_eq!(home.content(&role("pay"), &attachment(&managed("tools"))).policy(), None);
    let own = inline(managed("tools").stand_in().as_str());
    home.sweep_all().await;
    assert_eq!(home.content(&role("pay"), &own), Content::new(policy(&[passing(), orders()])));
    home.pass(SignedDuration::from_hours(25)).await;
    home.sweep_all().await;
    assert_eq!(home.content(&role("pay"), &own), Content::new(policy(&[orders()])));
}

/// What the guard says of one surface of `pay` with such content, by itself.
fn foreseen_findings(home: &Home, surface: &Surface, content: &Content) -> Vec<Finding> {
    let snapshot = |content: &Content| SurfaceSnapshot { content: content.clone(), revision: None };
    let trust = home.content(&role("pay"), &Surface::Trust);
    let surfaces = [(Surface::Trust, snapshot(&trust)), (surface.clone(), snapshot(content))];
    let facts = Facts { surfaces: surfaces.into(), ..facts() };
    home.guard.judge(&facts, surface, &home.settings).findings
}

#[tokio::test]
async fn an_undo_does_not_give_back_a_boundary_that_says_something_else_by_now() {
    let home = open(&[]);
    write_version(&home, &managed("wide"), &policy(&[orders(), passing()]));
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    let home = opt_in(home).await;
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("wide"), &Content::ABSENT));
    let parameters = json!({"roleName": "pay", "permissionsBoundary": managed("wide")});
    home.deliver(&home.event("PutRolePermissionsBoundary", parameters)).await;
    let [applied] = home.steps(Step::Applied).try_into().expect("one remediation");
    write_version(&home, &managed("wide"), &policy(&[everything()]));
    assert!(is_different(home.undo(&applied).await));
    assert_eq!(home.content(&role("pay"), &Surface::Boundary).policy(), Some(managed("bound")));
}

fn has_role(name: &str) -> Content {
    Content::new(json!({"Role": role(name)}))
}

/// Gives `shop` a role that passes any other, and lets the guard give its own back.
async fn swapped() -> (Home, Record) {
    let home = guarded().await;
    home.write(&role("other"), &inline("pass"), &written(&policy(&[passing()])));
    home.put(&shop(), &Surface::Role(None), has_role("other"));
    home.deliver(&home.event("UpdateFunctionConfiguration20150331v2", json!({"functionName": "shop"}))).await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has_role("shop"));
    let applied = home.steps(Step::Applied).pop().expect("a remediation");
    (home, applied)
}

#[tokio::test]
async fn an_undo_does_not_give_a_function_a_role_that_has_become_an_administrators() {
    let (home, applied) = swapped().await;
    home.write(&role("other"), &inline("all"), &written(&policy(&[everything()])));
    assert!(is_different(home.undo(&applied).await));
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has_role("shop"));
    home.clear(&role("other"), &inline("all"));
    home.undo(&applied).await.unwrap();
    home.sweep_all().await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has_role("other"));
}

#[tokio::test]
async fn a_role_that_an_undo_gave_back_is_a_new_finding_once_it_is_an_administrators() {
    let (home, applied) = swapped().await;
    home.undo(&applied).await.unwrap();
    home.write(&role("other"), &inline("all"), &written(&policy(&[everything()])));
    home.sweep_all().await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has_role("shop"));
}

const DEPLOYER: &str = "arn:aws:iam::111122223333:role/deployer";

/// `pay`'s trust policy with others let in as well.
fn trust_of(others: &[Value]) -> Value {
    let mut trust = lambda_trust();
    trust["Statement"].as_array_mut().unwrap().extend(others.iter().cloned());
    trust
}

fn lets_in(arn: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})
}

/// Somebody writes `pay`'s trust policy.
async fn trusts(home: &Home, others: &[Value]) {
    let trust = trust_of(others);
    home.write(&role("pay"), &Surface::Trust, &written(&trust));
    let parameters = json!({"roleName": "pay", "policyDocument": trust.to_string()});
    home.deliver(&home.event("UpdateAssumeRolePolicy", parameters)).await;
}

#[track_caller]
fn check_trust(home: &Home, others: &[Value]) {
    assert_eq!(home.content(&role("pay"), &Surface::Trust), Content::new(trust_of(others)));
}

/// What `warden accept` decides about everything that is found on the trust policy of `pay`.
fn acceptance(home: &Home, until: Option<Timestamp>) -> Accept {
    let content = home.content(&role("pay"), &Surface::Trust);
    let first = home.state(&role("pay"), &Surface::Trust).first;
    let mut facts = facts();
    facts.context.first_trust = first;
    facts.surfaces.insert(Surface::Trust, SurfaceSnapshot { content: content.clone(), revision: None });
    Accept {
        resource: role("pay"),
        surface: Surface::Trust,
        guard: GuardKind::Role,
        owner: None,
        findings: home.guard.judge(&facts, &Surface::Trust, &home.settings).findings,
        content,
        behind: None,
        until,
        by: "alice".into(),
        reason: Some("the deployer rotates its keys".into()),
        cause: Cause::by_hand("warden accept"),
    }
}

/// A newcomer that was taken out, and that an operator lets in for good.
async fn accepted(until: Option<SignedDuration>) -> Home {
    let home = guarded().await;
    trusts(&home, &[lets_in(DEPLOYER)]).await;
    check_trust(&home, &[]);
    let applied = home.steps(Step::Applied).pop().expect("a remediation");
    home.undo(&applied).await.unwrap();
    let until = until.map(|length| home.world.now() + length);
    acceptance(&home, until).carry_out(&home.world).await.unwrap();
    home
}

#[tokio::test]
async fn a_newcomer_that_an_operator_accepts_is_let_in_for_good() {
    let home = accepted(None).await;
    home.pass(SignedDuration::from_hours(24 * 400)).await;
    home.sweep_all().await;
    check_trust(&home, &[lets_in(DEPLOYER)]);
    // Another one goes, and the role is one that serves somebody else: the accepted one stays.
    trusts(&home, &[lets_in(DEPLOYER), lets_in("arn:aws:iam::111122223333:root")]).await;
    check_trust(&home, &[lets_in(DEPLOYER)]);
    let [record] = home.steps(Step::Accepted).into_iter().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let note = record.entry.note.unwrap();
    assert!(note.ends_with("decided by alice: the deployer rotates its keys"), "{note}");
}

#[tokio::test]
async fn an_accepted_newcomer_that_changes_is_a_newcomer_again() {
    let home = accepted(None).await;
    let mut more = lets_in(DEPLOYER);
    more["Action"] = json!(["sts:AssumeRole", "sts:TagSession"]);
    trusts(&home, &[more]).await;
    check_trust(&home, &[]);
}

#[tokio::test]
async fn an_acceptance_ends_on_its_day_or_once_it_is_taken_back() {
    let home = accepted(Some(SignedDuration::from_hours(24))).await;
    home.pass(SignedDuration::from_hours(25)).await;
    home.sweep_all().await;
    check_trust(&home, &[]);

    let home = accepted(None).await;
    let record = home.steps(Step::Accepted).pop().unwrap();
    let cause = Cause::by_hand("warden accept");
    let withdraw = Withdraw { record: record.clone(), by: "alice".into(), reason: None, cause };
    let [withdrawn] = withdraw.carry_out(&home.world).await.unwrap().try_into().unwrap();
    assert_eq!((withdrawn.entry.step, withdrawn.entry.undoes), (Step::Withdrawn, Some(record.id)));
    assert_eq!(withdraw.carry_out(&home.world).await, Err(AcceptRefusal::NotInForce(record.id)));
    home.sweep_all().await;
    check_trust(&home, &[]);
}

#[tokio::test]
async fn nothing_is_accepted_that_was_changed_since_it_was_shown() {
    let home = accepted(None).await;
    let accept = acceptance(&home, None);
    home.write(&role("pay"), &Surface::Trust, &written(&trust_of(&[lets_in("*")])));
    assert_eq!(accept.carry_out(&home.world).await, Err(AcceptRefusal::Changed(Surface::Trust)));
    let never = Accept { resource: role("never-seen"), content: Content::ABSENT, ..accept };
    assert_eq!(never.carry_out(&home.world).await, Err(AcceptRefusal::Unknown(Surface::Trust)));
}

/// Half of an escalation is accepted; the other half, put in elsewhere, makes it worse.
#[tokio::test]
async fn what_an_operator_accepted_is_a_new_finding_once_something_elsewhere_makes_it_worse() {
    let home = guarded().await;
    let half = policy(&[passing()]);
    home.write(&role("pay"), &inline("pass"), &written(&half));
    home.deliver(&home.event("PutRolePolicy", json!({"roleName": "pay", "policyName": "pass"}))).await;
    let applied = home.steps(Step::Applied).pop().expect("a remediation");
    let then = applied.entry.severity;
    home.undo(&applied).await.unwrap();
    let create =
        json!({"Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:InvokeFunction"], "Resource": "*"});
    home.write(&role("pay"), &inline("create"), &written(&policy(&[create])));
    let request = ReconcileRequest::at(role("pay"), Cause::by_hand("sweep"));
    warden_engine::reconcile(&home.guard, &home.world, &home.settings, &request).await.unwrap();
    let worst = home.steps(Step::Applied).iter().filter_map(|record| record.entry.severity).max();
    assert!(worst > then, "{:?}", home.story());
}
