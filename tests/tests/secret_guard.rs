//! secret-guard in an account: what it takes out of environments, what it leaves alone, what it writes down.

use secret_guard::SecretGuard;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    ledger::record::Step,
    model::{cloudtrail::Cause, tags::GuardKind},
    reconcile,
    run::undo::UndoRefusal,
    secret_ref::{WRAPPER, WRAPPER_VARIABLE},
};
use warden_sandbox::{ACCOUNT, CallMatch, Fault, Order, round_trips};
use warden_tests::{
    Account, arn,
    environment::{Variables, variables},
};

/// Found nowhere but where it must be.
const CANARY: &str = "Kx9-canary-vQ7mZ2pL";

/// A shop's settings: two secrets among what only looks like one.
fn shop() -> Variables {
    variables(&[
        ("DB_PASSWORD", CANARY),
        ("DATABASE_URL", "postgres://shop:Kx9-canary-vQ7mZ2pL-2@db.internal:5432/orders"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("TOKEN_URL", "https://auth.example.com/token"),
        ("TABLE_NAME", "orders"),
        ("GREETING", "Grüß Gott, \"Freund\"\n\t\\ \u{1F600}"),
        ("EMPTY_LIST", "[]"),
    ])
}

#[tokio::test]
async fn secrets_go_to_secrets_manager_and_the_function_sees_what_it_saw() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &shop()).await;

    assert_eq!(account.seen_by_code("pay").await, shop());
    // Its role has no policy at all: the secret's own lets it read.
    assert_eq!(account.told_by_code("pay", &shop()).await, shop());
    let environment = account.environment("pay").await;
    for (name, value) in &environment {
        assert!(!value.contains("canary"), "{name} is still in plaintext");
    }
    assert_eq!(environment[WRAPPER_VARIABLE], WRAPPER);
    assert_eq!(account.layers("pay").await, [account.secret_layer()]);
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    assert_eq!(account.secret(&secret).await.len(), 2);

    // Exactly the function's role may read it.
    let policy = account.secrets.get_resource_policy().secret_id(&secret).send().await.expect("a policy");
    let policy: Value = serde_json::from_str(policy.resource_policy().expect("a policy")).expect("JSON");
    assert_eq!(policy["Statement"][0]["Principal"], json!({"AWS": [format!("arn:aws:iam::{ACCOUNT}:role/shop")]}));
    let described = account.secrets.describe_secret().secret_id(&secret).send().await.expect("the secret");
    let tags: Vec<_> =
        described.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())).collect();
    assert_eq!(tags, [("application", "lambda-warden"), ("warden:function", arn("pay").as_str())]);

    assert_eq!(
        account.secret_story("pay").await,
        ["opted-in", "planned environment plaintext-secret", "applied environment plaintext-secret",]
    );
    let applied = &account.steps("pay", Step::Applied).await[0];
    let note = applied.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("rotate DATABASE_URL, DB_PASSWORD"), "{note}");
}

#[tokio::test]
async fn the_plaintext_is_nowhere_but_in_secrets_manager() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.make_the_guard_talk().await;
    account.guarded_python("pay").await;
    let trail = account.sandbox.trail();
    // How many calls one remediation takes, and then a fault at each of them in turn.
    let since = trail.calls().len();
    account.deploy_and_settle("pay", &shop()).await;
    let calls = trail.calls().split_off(since).into_iter().filter(|call| call.by_role("warden-secret-guard")).count();
    assert!(calls >= 12, "{calls}");
    let odd = Fault::Answer { status: 400, code: "InvalidParameterValueException".into() };
    let mut round = 0;
    for nth in 1..=calls {
        for fault in [Fault::LoseAnswer, odd.clone()] {
            round += 1;
            let name = format!("pay-{round}");
            account.guarded_python(&name).await;
            trail.faults().inject(CallMatch::any().by("warden-secret-guard"), nth, fault.clone());
            account.deploy_environment(&name, &shop()).await;
            account.settle().await;
            trail.faults().clear();
            assert_eq!(account.seen_by_code(&name).await, shop(), "{fault:?} at call {nth}");
        }
    }
    let names = (1..=round).map(|round| format!("pay-{round}"));
    assert_found_only_where_it_must_be(&account, names.chain(["pay".to_owned()])).await;
}

/// Looks for the canary in everything that went through the proxy, in the ledger, in logs and in events.
async fn assert_found_only_where_it_must_be(account: &Account, functions: impl IntoIterator<Item = String>) {
    let trail = account.sandbox.trail();
    let calls = trail.calls();
    let mut seen = BTreeSet::new();
    for snapshot in trail.find("canary-vQ7mZ2pL") {
        let call = calls.iter().find(|call| call.sequence == snapshot.call).expect("the call");
        let by_guard = call.by_role("warden-secret-guard");
        let direction = if snapshot.in_request { "sends" } else { "hears" };
        seen.insert((by_guard, direction, snapshot.operation.clone()));
    }
    // What the guard hears is what it asked for; what it sends is the values' way into the store.
    let allowed: [(&str, &[&str]); 2] = [
        ("hears", &["GetFunction", "GetSecretValue", "ListVersionsByFunction"]),
        ("sends", &["CreateSecret", "PutSecretValue"]),
    ];
    for (by_guard, direction, operation) in &seen {
        let allowed = allowed.iter().any(|(way, names)| way == direction && names.contains(&operation.as_str()));
        assert!(!by_guard || allowed, "the guard {direction} it in {operation}");
    }
    assert!(seen.contains(&(true, "sends", "CreateSecret".into())), "the search finds what is there: {seen:?}");

    let without = |what: &str, text: String| assert!(!text.contains("canary-vQ7mZ2pL"), "{what} holds it: {text}");
    for name in functions {
        for record in account.records(&arn(&name)).await {
            without("a record", serde_json::to_string(&record).expect("JSON"));
            without("a record's print", format!("{record:?}"));
        }
    }
    for event in trail.events() {
        without("an event", event.to_string());
    }
    for group in ["/aws/lambda/warden-secret-guard", "/warden/audit"] {
        let lines = account.sandbox.log_lines(group).await.expect("the log group");
        assert!(!lines.is_empty(), "{group} has lines");
        lines.into_iter().for_each(|line| without(group, line));
    }
    let server = std::fs::read_to_string(account.sandbox.log()).expect("the server's log");
    assert!(!server.contains("canary-vQ7mZ2pL"), "the local account's own log");
}

#[tokio::test]
async fn undo_gives_the_exact_environment_and_layers_back() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &shop()).await;
    let [applied] = account.steps("pay", Step::Applied).await.try_into().expect("one");
    account.ready("pay").await;

    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await, shop());
    assert_eq!(account.layers("pay").await, Vec::<String>::new());
    account.settle().await;
    // It is accepted, so the guard that hears of it leaves it.
    assert_eq!(account.environment("pay").await, shop());
    assert_eq!(
        account.secret_story("pay").await[3..],
        [
            "planned environment plaintext-secret",
            "undone environment plaintext-secret",
            "accepted environment plaintext-secret"
        ]
    );
}

#[tokio::test]
async fn undo_after_somebody_changed_the_environment_is_refused() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &shop()).await;
    let [applied] = account.steps("pay", Step::Applied).await.try_into().expect("one");
    let mut changed = account.environment("pay").await;
    changed.insert("STAGE".into(), "production".into());
    account.deploy_and_settle("pay", &changed).await;

    let refusal = account.undo(applied).await.expect_err("refused");
    assert!(matches!(refusal, UndoRefusal::Changed { .. }), "{refusal}");
    assert_eq!(account.environment("pay").await, changed);
}

#[tokio::test]
async fn what_was_there_before_the_opting_in_stands_until_an_operator_applies_it_beside_the_other_guard() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("pay", &[], &shop()).await;
    account.settle().await;
    // Both guards hear of it at once, and write into one chain.
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    let opted_in = account.steps("pay", Step::OptedIn).await;
    let guards: Vec<_> = opted_in.iter().filter_map(|record| record.entry.guard).collect();
    assert!(guards.contains(&GuardKind::Secrets) && guards.contains(&GuardKind::Access), "{guards:?}");
    let story = account.secret_story("pay").await;
    assert!(story.contains(&"withheld environment plaintext-secret (pre-existing)".to_owned()), "{story:?}");
    assert_eq!(account.environment("pay").await, shop());

    let (aws, settings) = account.operator().await;
    let introduced = vec![Introduced { surface: None, sid: None }];
    let request = ReconcileRequest {
        introduced,
        by_operator: true,
        ..ReconcileRequest::at(arn("pay").parse().expect("a resource"), Cause::by_hand("warden apply"))
    };
    reconcile(&SecretGuard, &aws, &settings, &request).await.expect("applied");
    assert_eq!(account.seen_by_code("pay").await, shop());
    assert!(account.referred("pay", "DB_PASSWORD").await.is_some());
}

/// What an infrastructure tool does in one go. CloudTrail shows an environment in the update, whatever was sent, and may be
/// late with the opt-in.
#[tokio::test]
async fn a_memory_size_that_is_set_beside_the_opt_in_strips_nothing_that_stood_there() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("pay", &[], &shop()).await;
    account.settle().await;
    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    account.tag("pay", &[("warden:secrets", "enforce")]).await;
    account.lambda.update_function_configuration().function_name("pay").memory_size(256).send().await.expect("updated");
    account.ready("pay").await;
    trail.release(Order::Reversed);
    account.settle().await;
    assert_eq!(account.environment("pay").await, shop());
    let story = account.secret_story("pay").await;
    assert!(story.contains(&"withheld environment plaintext-secret (pre-existing)".to_owned()), "{story:?}");
}

#[tokio::test]
async fn a_redeployed_secret_is_known_and_stripped_again_within_the_breakers_limit() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    for _ in 0..4 {
        account.deploy_environment("pay", &shop()).await;
        account.settle().await;
    }
    let story = account.secret_story("pay").await;
    assert_eq!(
        story,
        [
            "opted-in",
            "planned environment plaintext-secret",
            "applied environment plaintext-secret",
            "planned environment known-secret",
            "applied environment known-secret",
            "planned environment known-secret",
            "applied environment known-secret",
            "withheld environment known-secret (breaker) alert",
        ]
    );
    let note = account.steps("pay", Step::Applied).await[1].entry.note.clone().unwrap_or_default();
    assert!(note.contains("in the template, set it to the text warden-secret:warden/pay/"), "{note}");
    // The same values need no further version: a secret can keep twenty.
    let name = account.secrets.list_secrets().send().await.expect("secrets").secret_list()[0]
        .name()
        .expect("a name")
        .to_owned();
    let described = account.secrets.describe_secret().secret_id(&name).send().await.expect("the secret");
    assert_eq!(described.version_ids_to_stages().map(|versions| versions.len()), Some(1), "{described:?}");
}

#[tokio::test]
async fn a_second_secret_joins_the_first_and_a_rotated_value_is_kept() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("pay", &[("warden:secrets", "enforce")], &variables(&[("DB_PASSWORD", CANARY)])).await;
    account.settle().await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("stripped at once: it was created with it");
    let rotated = json!({"DB_PASSWORD": "rotated-9f31Lq7Zx2"}).to_string();
    account.secrets.put_secret_value().secret_id(&secret).secret_string(rotated).send().await.expect("rotated");
    let mut next = account.environment("pay").await;
    next.insert("REDIS_PASSWORD".into(), "Zq81xB0vK2mXp7Tw".into());
    account.deploy_and_settle("pay", &next).await;
    let held = account.secret(&secret).await;
    assert_eq!(held["DB_PASSWORD"], "rotated-9f31Lq7Zx2");
    assert_eq!(held["REDIS_PASSWORD"], "Zq81xB0vK2mXp7Tw");
    assert_eq!(account.layers("pay").await.len(), 1, "the layer is there once");
}

#[tokio::test]
async fn what_a_pipeline_took_away_comes_back() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("pay", &[("warden:secrets", "enforce")], &variables(&[("DB_PASSWORD", CANARY)])).await;
    account.settle().await;
    account.ready("pay").await;
    account
        .lambda
        .update_function_configuration()
        .function_name("pay")
        .set_layers(Some(vec![]))
        .send()
        .await
        .expect("updated");
    account.settle().await;
    assert_eq!(account.layers("pay").await, [account.secret_layer()]);
    account.ready("pay").await;

    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]});
    iam.create_role().role_name("new").assume_role_policy_document(trust.to_string()).send().await.expect("a role");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/new");
    account.ready("pay").await;
    account.lambda.update_function_configuration().function_name("pay").role(&role).send().await.expect("updated");
    account.settle().await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    let policy = account.secrets.get_resource_policy().secret_id(&secret).send().await.expect("a policy");
    assert!(policy.resource_policy().is_some_and(|policy| policy.contains(&role)), "{policy:?}");
    assert_eq!(account.seen_by_code("pay").await["DB_PASSWORD"], CANARY);
}

#[tokio::test]
async fn without_the_tag_nothing_happens_with_observe_it_is_reported_and_where_it_would_break_it_is_withheld() {
    let account = Account::with_secrets_guarded(&[]).await;
    let secret = variables(&[("DB_PASSWORD", CANARY)]);
    account.python("free", &[], &secret).await;
    account.python("watched", &[("warden:secrets", "observe")], &secret).await;
    account
        .python(
            "wrapped",
            &[("warden:secrets", "enforce")],
            &variables(&[("DB_PASSWORD", CANARY), (WRAPPER_VARIABLE, "/opt/tracing")]),
        )
        .await;
    // What the layer would reach Secrets Manager through.
    let proxy = variables(&[("HTTPS_PROXY", "http://shop:Kx9vQ7mZ2pLtR4wN@proxy.internal:3128")]);
    account.python("proxied", &[("warden:secrets", "enforce")], &proxy).await;
    account.settle().await;
    assert_eq!(account.environment("proxied").await, proxy);
    let created = ["opted-in", "withheld environment plaintext-secret (no-safe-change)"];
    assert_eq!(account.secret_story("proxied").await, created);
    for name in ["free", "watched", "wrapped"] {
        assert_eq!(account.environment(name).await["DB_PASSWORD"], CANARY);
    }
    assert_eq!(account.secret_story("free").await, Vec::<String>::new());
    assert_eq!(account.secret_story("watched").await, ["opted-in", "observed environment plaintext-secret"]);
    assert_eq!(account.secret_story("wrapped").await, created);
    assert!(account.secrets.list_secrets().send().await.expect("secrets").secret_list().is_empty());
}

#[tokio::test]
async fn a_version_that_keeps_the_secret_is_named() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("pay", &[("warden:secrets", "off")], &variables(&[("DB_PASSWORD", CANARY)])).await;
    account.ready("pay").await;
    account.lambda.publish_version().function_name("pay").send().await.expect("a version");
    account.settle().await;
    account.tag("pay", &[("warden:secrets", "enforce")]).await;
    account.settle().await;
    account.ready("pay").await;
    account.lambda.publish_version().function_name("pay").description("again").send().await.expect("a version");
    account.settle().await;
    account
        .deploy_environment(
            "pay",
            &variables(&[("DB_PASSWORD", CANARY), ("STAGE", "test"), ("API_TOKEN", "Tk-7fQ2mVx9LpZr4Ws8")]),
        )
        .await;
    account.settle().await;
    let story = account.secret_story("pay").await;
    assert!(story.contains(&"withheld environment plaintext-secret (pre-existing)".to_owned()), "{story:?}");
}

#[tokio::test]
async fn a_violating_function_takes_eight_round_trips_and_one_that_is_not_opted_in_takes_one() {
    // What looks like no secret, and is known, takes one more: what stands in the way of a strip is read only once that
    // is seen.
    let deployed = [("free", "DB_PASSWORD"), ("pay", "DB_PASSWORD"), ("ship", "DB_PASSWORD"), ("store", "LEGACY")];
    let account = Account::with_secrets_guarded(&[]).await;
    account.python("free", &[], &variables(&[("STAGE", "test")])).await;
    for name in ["pay", "ship", "store"] {
        account.guarded_python(name).await;
    }
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);
    let mut trips = Vec::new();
    for (name, variable) in deployed {
        let since = trail.calls().len();
        account.deploy_and_settle(name, &variables(&[(variable, "Kx9vQ7mZ2pLtR4wN")])).await;
        let mut run: Vec<_> =
            trail.calls().split_off(since).into_iter().filter(|call| call.by_role("warden-secret-guard")).collect();
        if let Some(last) = run.iter().rposition(|call| call.operation == "TransactWriteItems") {
            run.truncate(last + 1);
        }
        let operations: Vec<_> = run.iter().map(|call| call.operation.clone()).collect();
        trips.push((round_trips(&run), operations));
    }
    assert_eq!(trips.iter().map(|(trips, _)| *trips).collect::<Vec<_>>(), [1, 8, 8, 9], "{trips:#?}");
}
