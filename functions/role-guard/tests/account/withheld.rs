//! What is reported and not changed, and why; and what is changed no further than it must be.

use crate::home::{
    Home, admin, attach, everything, inline, lambda_trust, make_role, managed, open, opt_in, orders, policy,
    policy_resource, queue, role, shop, write_version, written,
};
use jiff::SignedDuration;
use role_guard::{Context, Facts, RoleGuard};
use serde_json::{Value, json};
use warden_engine::{
    guard::{Guard, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::record::{Record, Step},
    model::{
        cloudtrail::Cause,
        concurrency,
        content::Content,
        surface::{Resource, Surface},
        tags::Mode,
    },
    ports::Clock,
};

use warden_testing::Port;

async fn guarded() -> Home {
    opt_in(open(&[])).await
}

async fn put(home: &Home, name: &str, document: &Value) {
    home.write(&role("pay"), &inline(name), &written(document));
    home.deliver(&home.event("PutRolePolicy", json!({"roleName": "pay", "policyName": name}))).await;
}

/// The one record of a resource that was withheld for this reason, and says this.
#[track_caller]
fn withheld(home: &Home, resource: &Resource, reason: &str, words: &str) -> Record {
    let [record] = home.withheld(resource, reason).try_into().expect("one record");
    assert!(record.entry.note.clone().unwrap_or_default().contains(words), "{:?}", record.entry.note);
    assert_eq!(home.of_step(resource, Step::Applied), vec![]);
    record
}

#[tokio::test]
async fn a_role_that_serves_others_than_lambda_is_not_changed() {
    let home = open(&[]);
    let mut trust = lambda_trust();
    trust["Statement"][0]["Principal"]["Service"] = json!(["lambda.amazonaws.com", "ec2.amazonaws.com"]);
    home.write(&role("pay"), &Surface::Trust, &written(&trust));
    let home = opt_in(home).await;
    put(&home, "all", &policy(&[everything()])).await;
    withheld(&home, &role("pay"), "no-safe-change", "ec2.amazonaws.com");
}

#[tokio::test]
async fn a_role_whose_trust_was_opened_before_it_was_ever_seen_serves_lambda_all_the_same() {
    let home = open(&[("WARDEN_PRE_EXISTING", "act")]);
    let anybody = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"});
    home.write(&role("pay"), &Surface::Trust, &written(&policy(&[anybody])));
    let home = opt_in(home).await;
    assert_eq!(home.content(&role("pay"), &Surface::Trust), Content::new(lambda_trust()));
}

#[tokio::test]
async fn what_bootstrap_tools_live_by_is_never_touched() {
    for name in ["cdk-hnb659fds-deploy-role", "stacksets-exec-1", "OrganizationAccountAccessRole", "spared"] {
        let home = open(&[("WARDEN_NEVER_TOUCH", "arn:aws:iam::*:role/spared")]);
        make_role(&home, name);
        home.tag(&role(name), "warden", "enforce");
        let home = opt_in(home).await;
        home.sweep(&role(name)).await;
        home.write(&role(name), &inline("all"), &written(&policy(&[everything()])));
        home.deliver(&home.event("PutRolePolicy", json!({"roleName": name, "policyName": "all"}))).await;
        withheld(&home, &role(name), "never-touch", "");
    }
}

#[tokio::test]
async fn a_policy_that_bounds_somebody_who_is_not_opted_in_stays_when_it_is_widened() {
    let home = open(&[]);
    home.put(&role("other"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    home.tag(&policy_resource(&managed("bound")), "warden", "enforce");
    let home = opt_in(home).await;
    write_version(&home, &managed("bound"), &policy(&[everything()]));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("bound")}))).await;
    withheld(&home, &policy_resource(&managed("bound")), "no-safe-change", "not opted in: other");
}

#[tokio::test]
async fn a_policy_that_bounds_only_who_is_opted_in_goes_back_to_what_it_said_and_is_not_narrowed() {
    let home = open(&[]);
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    home.tag(&policy_resource(&managed("bound")), "warden", "enforce");
    let home = opt_in(home).await;
    write_version(&home, &managed("bound"), &policy(&[everything()]));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("bound")}))).await;
    assert_eq!(home.calls_made(), ["SetDefaultPolicyVersion(bound, v1)"]);
    // Without that version nothing is made of it.
    write_version(&home, &managed("bound"), &policy(&[queue(), everything()]));
    home.world.managed(&managed("bound"), |bound| bound.versions.retain(|version| version.id != "v1"));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("bound")}))).await;
    assert_eq!(home.calls_made(), ["SetDefaultPolicyVersion(bound, v1)"]);
    let [record] = home.withheld(&policy_resource(&managed("bound")), "no-safe-change").try_into().expect("one record");
    assert!(record.entry.note.is_some_and(|note| note.contains("no version of bound")));
}

#[tokio::test]
async fn a_version_that_was_planted_and_never_in_force_is_not_set() {
    let home = open(&[]);
    home.tag(&policy_resource(&managed("data")), "warden", "enforce");
    attach(&home, &role("pay"), &managed("data"));
    let home = opt_in(home).await;
    // It complies, but grants something that nobody ever wanted the role to have.
    let mut planted = orders();
    planted["Resource"] = "arn:aws:dynamodb:us-east-1:111122223333:table/salaries".into();
    home.world.managed(&managed("data"), |data| data.add(&written(&policy(&[planted])), false)).unwrap();
    write_version(&home, &managed("data"), &policy(&[queue(), everything()]));
    home.world.managed(&managed("data"), |data| data.versions.retain(|version| version.id != "v1"));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("data")}))).await;
    assert_eq!(home.calls_made(), ["CreatePolicyVersion(data)"]);
    let surface = Surface::ManagedPolicy(managed("data"));
    assert_eq!(home.content(&policy_resource(&managed("data")), &surface), Content::new(policy(&[queue()])));
}

#[tokio::test]
async fn a_policy_that_carries_the_tag_and_that_others_have_is_kept_away_from_the_opted_in_role_alone() {
    let home = open(&[]);
    home.tag(&policy_resource(&managed("data")), "warden", "enforce");
    for name in ["pay", "other"] {
        attach(&home, &role(name), &managed("data"));
    }
    let home = opt_in(home).await;
    write_version(&home, &managed("data"), &policy(&[orders(), everything()]));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("data")}))).await;
    withheld(&home, &policy_resource(&managed("data")), "no-safe-change", "(other)");
    assert_eq!(home.calls_made().len(), 2);
    let stand_in = Surface::InlinePolicy(managed("data").stand_in());
    assert_eq!(home.content(&role("pay"), &stand_in), Content::new(policy(&[orders()])));
    assert!(home.content(&role("other"), &Surface::Attachment(managed("data"))).policy().is_some());
}

#[tokio::test]
async fn a_boundary_whose_policy_was_widened_itself_is_for_a_person() {
    let home = open(&[]);
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    let home = opt_in(home).await;
    write_version(&home, &managed("bound"), &policy(&[everything()]));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("bound")}))).await;
    home.sweep(&role("pay")).await;
    withheld(&home, &role("pay"), "no-safe-change", "goes back to what it said only where it");
}

/// The policies within a boundary are not at fault for its removal.
#[tokio::test]
async fn a_boundary_comes_back_and_the_policies_within_it_stay_as_they_are() {
    let home = open(&[]);
    home.write(&role("pay"), &inline("orders"), &written(&policy(&[everything()])));
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    let home = opt_in(home).await;
    home.put(&role("pay"), &Surface::Boundary, Content::ABSENT);
    home.deliver(&home.event("DeleteRolePermissionsBoundary", json!({"roleName": "pay"}))).await;
    assert_eq!(home.calls_made(), ["PutRolePermissionsBoundary(pay, bound)"]);
}

#[tokio::test]
async fn the_half_of_an_escalation_that_was_there_stays_and_the_one_that_came_goes() {
    let home = open(&[]);
    let on_all = |action: &str| policy(&[json!({"Effect": "Allow", "Action": action, "Resource": "*"})]);
    home.write(&role("pay"), &inline("orders"), &written(&on_all("codedeploy:CreateDeployment")));
    let home = opt_in(home).await;
    put(&home, "look", &on_all("codedeploy:RegisterApplicationRevision")).await;
    assert_eq!(home.calls_made(), ["DeleteRolePolicy(pay, look)"]);
    home.pass(jiff::SignedDuration::from_mins(1)).await;
    home.sweep_all().await;
    assert_eq!(home.steps(Step::Planned).len(), 1);
}

#[tokio::test]
async fn a_new_function_with_a_strong_role_has_none_to_go_back_to() {
    let home = guarded().await;
    let new: Resource = "arn:aws:lambda:us-east-1:111122223333:function:new".parse().unwrap();
    home.put(&new, &Surface::Role(None), Content::new(json!({"Role": role("strong")})));
    home.tag(&new, "warden", "enforce");
    home.deliver(&home.event("CreateFunction", json!({"functionName": "new"}))).await;
    let record = withheld(&home, &new, "no-safe-change", "no role is known");
    assert_eq!(record.entry.severity, Some(warden_engine::Severity::Critical));
}

/// What comes in between does not have the role taken for the one that the function always had.
#[tokio::test]
async fn a_call_while_cloudtrail_is_asked_does_not_keep_a_strong_role_from_being_reported() {
    let home = guarded().await;
    let new: Resource = "arn:aws:lambda:us-east-1:111122223333:function:new".parse().unwrap();
    home.put(&new, &Surface::Role(None), Content::new(json!({"Role": role("strong")})));
    home.tag(&new, "warden", "enforce");
    home.try_deliver(&home.event("CreateFunction", json!({"functionName": "new"}))).await.unwrap();
    for name in ["TagResource", "UpdateFunctionConfiguration"] {
        let tagged = json!({"functionName": "new", "resource": new.to_string(), "tags": {"warden": "enforce"}});
        home.try_deliver(&home.event(name, tagged)).await.unwrap();
    }
    home.pass(jiff::SignedDuration::from_mins(1)).await;
    home.sweep(&new).await;
    home.deliver(&home.event("UpdateFunctionConfiguration", json!({"functionName": "new"}))).await;
    withheld(&home, &new, "no-safe-change", "no role is known");
}

#[tokio::test]
async fn a_role_that_broke_a_rule_meanwhile_is_not_given_back() {
    let home = guarded().await;
    home.write(&role("shop"), &inline("all"), &written(&policy(&[everything()])));
    home.put(&shop(), &Surface::Role(None), Content::new(json!({"Role": role("strong")})));
    home.deliver(&home.event("UpdateFunctionConfiguration", json!({"functionName": "shop"}))).await;
    withheld(&home, &shop(), "no-safe-change", "breaks a rule itself");
}

#[tokio::test]
async fn an_opted_in_functions_role_is_judged_and_never_changed_and_no_longer_when_the_function_goes() {
    let home = guarded().await;
    let all = || home.event("PutRolePolicy", json!({"roleName": "shop", "policyName": "all"}));
    home.write(&role("shop"), &inline("all"), &written(&policy(&[everything()])));
    home.deliver(&all()).await;
    assert_eq!(home.log(&role("shop")), ["opted-in", "observed inline-policy/all"]);
    assert_eq!(home.calls_made(), Vec::<String>::new());
    home.tag(&shop(), "warden", "off");
    home.deliver(&all()).await;
    assert_eq!(home.log(&role("shop")), ["opted-in", "observed inline-policy/all", "opted-out"]);
    // A role that nobody opted in leaves no trace.
    home.write(&role("other"), &inline("all"), &written(&policy(&[everything()])));
    home.deliver(&home.event("PutRolePolicy", json!({"roleName": "other", "policyName": "all"}))).await;
    assert_eq!(home.records(&role("other")), vec![]);
}

#[tokio::test]
async fn what_was_there_before_the_opt_in_is_left_until_somebody_applies_it() {
    let home = open(&[]);
    attach(&home, &role("pay"), &admin());
    home.write(&role("pay"), &inline("all"), &written(&policy(&[orders(), everything()])));
    let home = opt_in(home).await;
    assert_eq!(home.withheld(&role("pay"), "pre-existing").len(), 2);
    assert_eq!(home.calls_made(), Vec::<String>::new());
    let request =
        ReconcileRequest { by_operator: true, ..ReconcileRequest::at(role("pay"), Cause::by_hand("warden apply")) };
    warden_engine::reconcile(&home.guard, &home.world, &home.settings, &request).await.unwrap();
    assert_eq!(home.calls_made(), ["DetachRolePolicy(pay, AdministratorAccess)", "PutRolePolicy(pay, all)"]);
    assert_eq!(home.content(&role("pay"), &inline("all")), Content::new(policy(&[orders()])));
}

#[tokio::test]
async fn a_document_that_does_not_parse_is_reported_and_the_others_are_judged() {
    let home = guarded().await;
    let twice = r#"{"Statement": [], "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    home.put(&role("pay"), &inline("twice"), Content::new(twice.into()));
    put(&home, "all", &policy(&[everything()])).await;
    assert_eq!(home.calls_made(), ["DeleteRolePolicy(pay, all)"]);
    let observed = home.of_step(&role("pay"), Step::Observed);
    assert!(observed.iter().any(|record| record.entry.note.clone().unwrap_or_default().contains("duplicate key")));
}

/// Undo puts a removed boundary's removal back; the guard leaves it alone.
#[tokio::test]
async fn the_removal_of_a_boundary_can_be_accepted() {
    let home = open(&[]);
    home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&managed("bound"), &Content::ABSENT));
    let home = opt_in(home).await;
    home.put(&role("pay"), &Surface::Boundary, Content::ABSENT);
    home.deliver(&home.event("DeleteRolePermissionsBoundary", json!({"roleName": "pay"}))).await;
    let [applied] = home.steps(Step::Applied).try_into().expect("one remediation");
    home.undo(&applied).await.unwrap();
    home.pass(jiff::SignedDuration::from_mins(1)).await;
    home.sweep_all().await;
    assert!(home.content(&role("pay"), &Surface::Boundary).is_absent());
}

#[test]
fn opting_in_says_which_statements_would_go_and_what_they_are_known_for() {
    let settings = warden_testing::guarded::settings(&[]);
    let tune = json!({"Sid": "Tune", "Effect": "Allow", "Resource": "*", "Action": [
        "lambda:UpdateFunctionConfiguration", "lambda:PublishVersion", "lambda:CreateAlias"
    ]});
    let mixed = json!({"Effect": "Allow", "Resource": "*", "Action": ["iam:PassRole", "logs:PutLogEvents"]});
    let snapshot = |document| SurfaceSnapshot { content: Content::new(document), revision: None };
    let facts = Facts {
        scope: Scope::Setting(Mode::Observe),
        surfaces: [
            (Surface::Trust, snapshot(lambda_trust())),
            (inline("own"), snapshot(policy(&[orders(), tune, mixed]))),
        ]
        .into(),
        context: Context::default(),
    };
    let said = RoleGuard.reservations(&role("pay"), &facts, &settings);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("`Tune` of ") && said[0].contains("Power Tuning"), "{said:?}");
    assert!(
        said[1].starts_with("Statement[2] of ") && said[1].ends_with("would lose what is wrong with it"),
        "{said:?}"
    );
}

/// Reserved concurrency takes no RevisionId and moves the function's: a call that was locked by the earlier one gets 412,
/// and is made again on what is read then.
#[tokio::test]
async fn a_reservation_that_is_made_meanwhile_does_not_keep_a_role_from_being_put_back() {
    let home = guarded().await;
    home.put(&shop(), &Surface::Role(None), Content::new(json!({"Role": role("strong")})));
    home.meanwhile(Port::Call, |world| world.put(&shop(), &Surface::Concurrency, concurrency::reserved(Some(5))));
    let calls = home.calls_at(Port::Call);
    home.deliver(&home.event("UpdateFunctionConfiguration", json!({"functionName": "shop"}))).await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), Content::new(json!({"Role": role("shop")})));
    assert_eq!(home.calls_at(Port::Call) - calls, 2, "refused by 412, and made again");
    assert_eq!(home.steps(Step::Failed), vec![]);
}

/// What an event leads to is believed no sooner than the event itself.
#[tokio::test]
async fn a_version_of_a_policy_that_somebody_made_up_takes_it_from_no_role() {
    let home = open(&[]);
    write_version(&home, &managed("data"), &policy(&[everything()]));
    attach(&home, &role("pay"), &managed("data"));
    let home = opt_in(home).await;
    let surface = Surface::Attachment(managed("data"));
    let written = *home.state(&role("pay"), &surface).pre_existing.values().next().expect("it stands");
    let time = written.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut made_up = home.made_up("CreatePolicyVersion", json!({"policyArn": managed("data")}));
    made_up["detail"]["eventTime"] = time.clone().into();
    home.deliver(&made_up).await;
    home.work_off(&home.guard, &home.settings, SignedDuration::from_mins(40)).await;
    withheld(&home, &role("pay"), "unconfirmed", "CloudTrail knows no such event");
    // The same of another policy proves nothing either.
    let other = home.event("CreatePolicyVersion", json!({"policyArn": managed("bound")}));
    made_up["detail"]["eventID"] = other["detail"]["eventID"].clone();
    home.deliver(&made_up).await;
    assert_eq!(home.calls_made(), Vec::<String>::new());

    let mut event = home.made_up("CreatePolicyVersion", json!({"policyArn": managed("data")}));
    event["detail"]["eventTime"] = time.into();
    home.happened(serde_json::from_value(event["detail"].clone()).expect("a record"), home.now());
    home.deliver(&event).await;
    assert!(home.content(&role("pay"), &surface).is_absent());
    assert!(home.of_step(&role("pay"), Step::Applied).iter().all(|record| record.cause.verified));
}
