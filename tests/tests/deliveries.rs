//! Events that come twice, late, in the wrong order, all at once, or not in a form to be used; and what the guard costs
//! in calls.

use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::{Value, json};
use warden_engine::ledger::record::Step;
use warden_sandbox::{ApiCall, Order, Outcome, round_trips};
use warden_tests::{Account, arn, policy, role_arn};

/// A guard's calls since the `since`th, one list for each invocation, up to the commit of its outcome: what it tells
/// others afterwards does not count.
fn runs(account: &Account, guard: &str, since: usize) -> Vec<Vec<ApiCall>> {
    let trail = account.sandbox.trail();
    let calls = trail.calls().split_off(since);
    let mut runs: Vec<Vec<ApiCall>> = Vec::new();
    for call in calls.into_iter().filter(|call| call.by_role(guard)) {
        match runs.iter_mut().find(|run| run[0].invocation == call.invocation) {
            Some(run) => run.push(call),
            None => runs.push(vec![call]),
        }
    }
    for run in &mut runs {
        if let Some(last) = run.iter().rposition(|call| call.operation == "TransactWriteItems") {
            run.truncate(last + 1);
        }
    }
    runs
}

/// There was one invocation of the guard since then, and it took so many round trips in sequence.
#[track_caller]
fn check_round_trips(account: &Account, guard: &str, since: usize, expected: usize) {
    let runs = runs(account, guard, since);
    let [run] = runs.as_slice() else { panic!("one run: {runs:?}") };
    let operations: Vec<_> = run.iter().map(|call| &call.operation).collect();
    assert_eq!(round_trips(run), expected, "{operations:?}");
}

#[tokio::test]
async fn a_violating_function_takes_four_round_trips_and_one_that_is_not_opted_in_takes_one() {
    let account = Account::guarded().await;
    account.function("free", &[]).await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.opted_in("shop", "enforce").await;
    account.opted_in("stock", "enforce").await;
    account.grant_properly("stock", "orders").await;
    account.settle().await;
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);

    let check = |account: &Account, since, expected| check_round_trips(account, "warden-access-guard", since, expected);
    let since = trail.calls().len();
    account.grant("free", None, "open", "*").await;
    account.settle().await;
    check(&account, since, 1);

    let since = trail.calls().len();
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    check(&account, since, 4);

    let since = trail.calls().len();
    let open = json!([{"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": arn("stock")}]);
    account.put_policy("stock", open).await;
    account.settle().await;
    check(&account, since, 4);

    // What was reverted a moment ago is read again after the ledger, so that facts from before the revert are not acted
    // on.
    let since = trail.calls().len();
    account.grant("pay", None, "again", "*").await;
    account.settle().await;
    check(&account, since, 5);

    // A URL that was there before opens nothing without the statement, which alone goes.
    let url = account.lambda.create_function_url_config().function_name("shop");
    url.auth_type(FunctionUrlAuthType::None).send().await.expect("a URL");
    account.settle().await;
    let since = trail.calls().len();
    let add = account
        .lambda
        .add_permission()
        .function_name("shop")
        .statement_id("FunctionURLAllowPublicAccess")
        .principal("*");
    let add = add.action("lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None);
    add.send().await.expect("a statement");
    account.settle().await;
    check(&account, since, 4);
}

#[tokio::test]
async fn a_cap_takes_four_round_trips_and_a_function_that_is_not_opted_in_one() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.function("free", &[]).await;
    account.capped("pay", "10", Some(5)).await;
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);
    for (name, expected) in [("free", 1), ("pay", 4)] {
        let since = trail.calls().len();
        account.reserve(name, Some(50)).await;
        account.settle().await;
        check_round_trips(&account, "warden-concurrency-guard", since, expected);
    }
    assert_eq!(account.reserved("pay").await, Some(5));
}

#[tokio::test]
async fn a_violating_role_takes_six_round_trips_or_five_without_managed_policies_and_one_out_of_scope_takes_one() {
    let account = Account::guarded().await;
    let reads = policy(&[json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*"})]);
    let bad = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]);
    let managed = account.managed_policy("shop-data", &reads, &[]).await;
    for (name, tags) in
        [("free", [].as_slice()), ("pay", &[("warden", "enforce")]), ("stock", &[("warden", "enforce")])]
    {
        account.role(name, tags).await;
        account.put_role_policy(name, "own", &reads).await;
        account.attach(name, &managed).await;
    }
    account.iam.detach_role_policy().role_name("pay").policy_arn(&managed).send().await.expect("detached");
    account.settle().await;
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);
    for (name, expected) in [("free", 1), ("pay", 5), ("stock", 6)] {
        let since = trail.calls().len();
        account.put_role_policy(name, "all", &bad).await;
        account.settle().await;
        check_round_trips(&account, "warden-role-guard", since, expected);
        assert_eq!(account.role_policy(name, "all").await.is_some(), name == "free");
    }
}

/// The role that the function has and the one that it had are read side by side.
#[tokio::test]
async fn a_swapped_role_takes_six_round_trips_or_seven_with_managed_policies() {
    let account = Account::guarded().await;
    let bad = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]);
    let managed = account.managed_policy("admin", &bad, &[]).await;
    for name in ["inline", "attached"] {
        account.role(name, &[]).await;
    }
    account.put_role_policy("inline", "all", &bad).await;
    account.attach("attached", &managed).await;
    for name in ["pay", "stock"] {
        account.function(name, &[("warden", "enforce")]).await;
    }
    account.settle().await;
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);
    for (name, role, expected) in [("pay", "inline", 6), ("stock", "attached", 7)] {
        let since = trail.calls().len();
        account.swap_role(name, role).await;
        account.settle().await;
        check_round_trips(&account, "warden-role-guard", since, expected);
        let function = account.lambda.get_function_configuration().function_name(name).send().await;
        assert_eq!(function.expect("the function").role(), Some(role_arn("shop").as_str()));
    }
}

#[tokio::test]
async fn ten_deliveries_of_one_event_at_once_make_one_remediation() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.sandbox.trail().faults().duplicate_deliveries(10);
    account.grant("pay", None, "open", "*").await;
    account.settle().await;

    let deliveries = account.sandbox.trail().deliveries();
    let of_event = deliveries.iter().filter(|delivery| delivery.event_name.starts_with("AddPermission")).count();
    assert!(of_event >= 10, "{of_event}");
    assert_eq!(
        account.story("pay").await,
        ["opted-in", "planned resource-policy public-invoke", "applied resource-policy public-invoke"]
    );
    assert_eq!(account.policy("pay", None).await, None);
}

#[tokio::test]
async fn events_in_the_wrong_order_end_in_the_same_state() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    account.grant_properly("pay", "orders").await;
    account.grant("pay", None, "open", "*").await;
    account.publish_url("pay", None).await;
    trail.release(Order::Reversed);
    account.settle().await;

    assert_eq!(account.sids("pay", None).await, ["orders"]);
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("AWS_IAM"));
}

#[tokio::test]
async fn the_guards_own_changes_wake_nobody() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    let trail = account.sandbox.trail();
    let removed = trail.events().into_iter().filter(|event| name(event).starts_with("RemovePermission")).count();
    assert_eq!(removed, 1, "the guard's change is in the trail");
    let woken = trail.deliveries().into_iter().filter(|delivery| delivery.event_name.starts_with("RemovePermission"));
    assert_eq!(woken.count(), 0);
}

#[tokio::test]
async fn without_the_filter_in_the_rule_there_is_still_no_second_remediation() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
    let rule = events.describe_rule().name("warden-access-guard").send().await.expect("the rule");
    let mut pattern: Value = serde_json::from_str(rule.event_pattern().expect("a pattern")).expect("JSON");
    pattern["detail"].as_object_mut().expect("detail").remove("$or").expect("the filter");
    let put = events.put_rule().name("warden-access-guard").event_pattern(pattern.to_string());
    put.send().await.expect("the rule is changed");

    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    let deliveries = account.sandbox.trail().deliveries();
    assert!(deliveries.iter().any(|delivery| delivery.event_name.starts_with("RemovePermission")));
    assert_eq!(account.steps("pay", Step::Planned).await.len(), 1);
    assert_eq!(account.steps("pay", Step::Applied).await.len(), 1);
}

fn name(event: &Value) -> &str {
    event["detail"]["eventName"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_event_that_cannot_be_used_changes_nothing_and_is_kept_or_explained() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    let genuine = account.sandbox.trail().events().into_iter().rfind(|event| name(event).starts_with("AddPermission"));
    let genuine = genuine.expect("an event");
    let records = account.records(&arn("pay")).await;
    let trail = account.sandbox.trail();
    let since = trail.deliveries().len();

    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = genuine.clone();
        change(&mut event);
        event
    };
    let long = "\u{202e}\u{0}💥".repeat(100_000);
    // What the rule lets through and the guard has to cope with.
    for event in [
        with(&|event| event["detail"]["requestParameters"] = Value::Null),
        with(&|event| event["detail"]["requestParameters"] = json!([1, 2, 3])),
        with(&|event| event["detail"]["requestParameters"]["functionName"] = json!({"name": "pay"})),
        with(&|event| event["detail"]["requestParameters"]["functionName"] = long.clone().into()),
        with(&|event| event["detail"]["requestParameters"]["functionName"] = "gone".into()),
        with(&|event| event["detail"]["requestParameters"]["qualifier"] = "a b;c".into()),
        with(&|event| event["detail"]["eventTime"] = "yesterday".into()),
        with(&|event| event["detail"]["awsRegion"] = 7.into()),
        with(&|event| event["detail"]["userIdentity"] = "mallory".into()),
        with(&|event| event["detail"]["userAgent"] = long.clone().into()),
        with(&|event| event["detail"]["eventName"] = "AddPermissionAndMore20150331v2".into()),
    ] {
        trail.emit(event);
    }
    account.settle().await;
    let deliveries = trail.deliveries().split_off(since);
    assert!(deliveries.iter().filter(|delivery| delivery.rule == "warden-access-guard").count() >= 11);
    assert_eq!(account.records(&arn("pay")).await, records, "nothing is recorded that did not happen");
    assert_eq!(account.policy("pay", None).await, None);
    // Two have no form that an event can have, and three name nothing: they were tried three times and kept.
    let given_up = deliveries.iter().filter(|delivery| matches!(delivery.outcome, Outcome::GivenUp { .. })).count();
    assert_eq!(given_up, 5, "{deliveries:#?}");
    let kept = account.failures().await;
    let of = |why: &str| kept.iter().filter(|(_, error)| error.contains(why)).count();
    assert_eq!((kept.len(), of("not a CloudTrail event"), of("does not say what it changed")), (5, 2, 3), "{kept:?}");
    assert!(kept.iter().all(|(event, _)| event["source"] == "aws.lambda"), "{kept:?}");
}

/// IAM counts no white space, and CloudTrail leaves out parameters of more than 100 KB: with them goes the role's name.
#[tokio::test]
async fn a_policy_that_is_padded_until_cloudtrail_leaves_the_roles_name_out_is_put_right() {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.role("untagged", &[]).await;
    account.settle().await;
    let bad = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]);
    let padded = format!("{bad}{}", " ".repeat(110_000));
    for role in ["pay", "untagged"] {
        let put = account.iam.put_role_policy().role_name(role).policy_name("all").policy_document(&padded);
        put.send().await.expect("a policy");
    }
    account.settle().await;
    assert_eq!(account.role_policy("pay", "all").await, None);
    assert_eq!(account.role_policy("untagged", "all").await, Some(bad));
    assert_eq!(account.failures().await, []);
}

#[tokio::test]
async fn a_role_that_is_created_with_a_padded_trust_policy_is_put_right() {
    let account = Account::guarded().await;
    let trust = policy(&[json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})]);
    // A trust policy has 2,048 characters at most, of which white space counts in none.
    let padded = format!("{trust}{}", " ".repeat(110_000));
    let create = account.iam.create_role().role_name("pay").assume_role_policy_document(padded);
    let tag = Tag::builder().key("warden").value("enforce").build().expect("a tag");
    create.tags(tag).send().await.expect("a role");
    account.settle().await;
    let records = account.records(&role_arn("pay")).await;
    let applied = records.iter().filter(|record| record.entry.step == Step::Applied);
    assert_eq!(applied.count(), 1, "{:?}", account.story_of(&role_arn("pay")).await);
}

#[tokio::test]
async fn an_event_that_does_not_say_where_it_was_is_kept_where_somebody_is_told() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let created =
        |event: &Value| event["detail"]["eventName"].as_str().is_some_and(|name| name.starts_with("CreateFunction"));
    let mut event = account.sandbox.trail().events().into_iter().find(created).expect("an event");
    event["detail"]["requestParameters"] = json!({"omitted": true});
    account.sandbox.trail().emit(event);
    account.settle().await;
    let failures = account.failures().await;
    assert!(failures.iter().all(|(_, error)| error.contains("CreateFunction does not say what it changed")));
    assert!(!failures.is_empty());
}

#[tokio::test]
async fn a_policy_that_cannot_be_judged_is_reported_and_left_alone() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    // An effect that does not exist: the sandbox takes it as it stands.
    let odd = json!([{"Sid": "odd", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
        "Resource": arn("pay"), "Elements": "unknown"}]);
    let policy = json!({"Version": "2012-10-17", "Statement": odd});
    let put = account.lambda.put_resource_policy().resource_arn(arn("pay")).policy(policy.to_string()).send().await;
    account.settle().await;
    if put.is_err() {
        // Refused already, as AWS would: nothing came into force.
        assert_eq!(account.story("pay").await, ["opted-in"]);
        return;
    }
    assert_eq!(account.story("pay").await, ["opted-in", "observed resource-policy"]);
    assert_eq!(account.sids("pay", None).await, ["odd"]);
}

#[tokio::test]
async fn every_record_reaches_the_audit_log_and_a_critical_one_the_alerts_topic() {
    let account = Account::guarded().await;
    account.opted_in("shop", "enforce").await;
    account.grant("shop", None, "open", "*").await;
    account.settle().await;
    // Of the function, and of the role that it has.
    let records = account.records(&arn("shop")).await.len() + account.records(&role_arn("shop")).await.len();
    let ends = |rule: &str| -> Vec<Outcome> {
        let deliveries = account.sandbox.trail().deliveries().into_iter();
        deliveries.filter(|delivery| delivery.rule == rule).map(|delivery| delivery.outcome).collect()
    };
    assert_eq!(ends("warden-audit"), vec![Outcome::Done; records]);
    let alerts = ends("warden-alerts");
    assert!(!alerts.is_empty() && alerts.len() < records, "{alerts:?}");
    assert!(alerts.iter().all(|outcome| *outcome == Outcome::Done), "{alerts:?}");
}
