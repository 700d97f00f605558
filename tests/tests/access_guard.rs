//! access-guard in an account: what it puts right, what it leaves alone, what it writes down. Each test looks at what
//! the account holds afterwards and at the ledger.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::json;
use warden_engine::{
    Severity,
    guard::ReconcileRequest,
    ledger::record::Step,
    model::{cloudtrail::Cause, tags::GuardKind},
};
use warden_guards::guard;
use warden_sandbox::{CallMatch, Fault};
use warden_tests::{Account, arn};

#[tokio::test]
async fn a_public_statement_goes_and_the_others_stay() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let before = account.policy("pay", None).await;

    account.grant("pay", None, "open", "*").await;
    account.settle().await;

    assert_eq!(account.policy("pay", None).await, before);
    assert_eq!(
        account.story("pay").await,
        ["opted-in", "planned resource-policy public-invoke", "applied resource-policy public-invoke"]
    );
}

#[tokio::test]
async fn without_the_tag_nothing_happens_and_with_observe_it_is_reported() {
    let account = Account::guarded().await;
    account.function("free", &[]).await;
    account.opted_in("watched", "observe").await;
    for name in ["free", "watched"] {
        account.grant(name, None, "open", "*").await;
    }
    account.settle().await;

    assert_eq!(account.sids("free", None).await, ["open"]);
    assert_eq!(account.story("free").await, Vec::<String>::new());
    assert_eq!(account.sids("watched", None).await, ["open"]);
    assert_eq!(account.story("watched").await, ["opted-in", "observed resource-policy public-invoke"]);
}

/// URLs from before October 2025 have one statement. It goes by RemovePermission, which has its auth type in the context.
#[tokio::test]
async fn the_one_statement_of_an_older_public_url_goes_beside_others() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    account.sandbox.trail().faults().hold_deliveries();
    let url = account.lambda.create_function_url_config().function_name("pay").auth_type(FunctionUrlAuthType::None);
    url.send().await.expect("a URL");
    let add = account.lambda.add_permission().function_name("pay").statement_id("FunctionURLAllowPublicAccess");
    let add = add.principal("*").action("lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None);
    add.send().await.expect("a statement");
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;

    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("AWS_IAM"));
    assert_eq!(account.sids("pay", None).await, ["orders"]);
    let calls = account.sandbox.trail().calls();
    assert!(calls.iter().any(|call| call.operation == "RemovePermission" && call.succeeded()));
}

#[tokio::test]
async fn a_public_url_is_closed_and_keeps_its_address() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.sandbox.trail().faults().hold_deliveries();
    account.publish_url("pay", None).await;
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;

    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("AWS_IAM"));
    assert_eq!(account.sids("pay", None).await, Vec::<String>::new());
    assert_eq!(
        account.story("pay").await,
        [
            "opted-in",
            "planned function-url public-url",
            "planned resource-policy public-url",
            "applied function-url public-url",
            "applied resource-policy public-url",
        ]
    );
}

#[tokio::test]
async fn a_whole_policy_replaced_by_an_open_one_is_restored() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let before = account.policy("pay", None).await;

    let open =
        json!([{"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn("pay")}]);
    account.put_policy("pay", open).await;
    account.settle().await;
    assert_eq!(account.policy("pay", None).await, before);
}

/// Another account is medium where none is on a list.
#[tokio::test]
async fn a_whole_policy_with_a_partners_statement_is_restored_when_an_open_one_replaces_it() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    account.grant("pay", None, "partner", "444455556666").await;
    account.settle().await;
    let before = account.policy("pay", None).await;

    let open =
        json!([{"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn("pay")}]);
    account.put_policy("pay", open).await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["orders", "partner"]);
    assert_eq!(account.policy("pay", None).await, before);
}

#[tokio::test]
async fn a_deny_that_held_a_standing_grant_back_comes_back() {
    let account = Account::guarded().await;
    account.function("pay", &[]).await;
    account.grant("pay", None, "old", "*").await;
    account.settle().await;
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    let statement = |sid: &str, effect: &str| {
        json!({"Sid": sid, "Effect": effect, "Principal": "*", "Action": "lambda:InvokeFunction",
            "Resource": arn("pay")})
    };
    account.put_policy("pay", json!([statement("old", "Allow"), statement("no", "Deny")])).await;
    account.settle().await;
    let before = account.policy("pay", None).await;

    let remove = account.lambda.remove_permission().function_name("pay").statement_id("no");
    remove.send().await.expect("removed");
    account.settle().await;
    assert_eq!(account.policy("pay", None).await, before);
}

#[tokio::test]
async fn an_alias_has_a_policy_of_its_own() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let version = account.lambda.publish_version().function_name("pay").send().await.expect("a version");
    let version = version.version().expect("its number").to_owned();
    let alias = account.lambda.create_alias().function_name("pay").name("live").function_version(&version);
    alias.send().await.expect("an alias");
    account.grant("pay", Some("live"), "open", "*").await;
    account.grant("pay", Some(&version), "open", "*").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;

    assert_eq!(account.sids("pay", Some("live")).await, Vec::<String>::new());
    assert_eq!(account.sids("pay", Some(&version)).await, Vec::<String>::new());
    assert_eq!(account.sids("pay", None).await, ["orders"]);
}

#[tokio::test]
async fn a_public_layer_version_is_closed_and_other_layers_are_not_looked_at() {
    let account = Account::guarded().await;
    for name in ["shop-prices", "elsewhere"] {
        let version = account.layer(name).await;
        let add = account.lambda.add_layer_version_permission().layer_name(name).version_number(version);
        let add = add.statement_id("all").principal("*").action("lambda:GetLayerVersion");
        add.send().await.expect("a statement");
    }
    account.settle().await;
    let policy =
        |name: &'static str| account.lambda.get_layer_version_policy().layer_name(name).version_number(1).send();
    assert!(policy("shop-prices").await.is_err());
    assert!(policy("elsewhere").await.is_ok());
    let layer = format!("arn:aws:lambda:us-east-1:{}:layer:shop-prices:1", warden_sandbox::ACCOUNT);
    assert_eq!(
        account.story_of(&layer).await,
        [
            "opted-in",
            "withheld layer-policy/1 public-layer (pre-existing)",
            "planned layer-policy/1 public-layer",
            "applied layer-policy/1 public-layer"
        ]
    );
}

#[tokio::test]
async fn an_open_trigger_is_tied_to_the_account_and_never_cut() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let add = account.lambda.add_permission().function_name("pay").statement_id("uploads");
    add.principal("s3.amazonaws.com").action("lambda:InvokeFunction").send().await.expect("a statement");
    account.settle().await;
    let policy = account.policy("pay", None).await.expect("the trigger's permission");
    assert_eq!(policy["Statement"][0]["Sid"], "uploads");
    assert_eq!(policy["Statement"][0]["Principal"], json!({"Service": "s3.amazonaws.com"}));
    assert_eq!(policy["Statement"][0]["Condition"], json!({"StringEquals": {"aws:SourceAccount": "111122223333"}}));
    let calls = account.sandbox.trail().calls();
    let made: Vec<_> =
        calls.iter().filter(|call| call.by_role("warden-access-guard") && call.service == "lambda").collect();
    assert!(made.iter().all(|call| call.operation != "RemovePermission"), "one atomic replacement");
}

#[tokio::test]
async fn the_role_itself_cannot_change_what_is_not_opted_in() {
    let account = Account::guarded().await;
    account.function("free", &[]).await;
    account.function("watched", &[("warden", "observe")]).await;
    account.opted_in("pay", "enforce").await;
    let role = format!("arn:aws:iam::{}:role/warden/guard/warden-access-guard", warden_sandbox::ACCOUNT);
    let credentials = account.sandbox.session(&role, "test").await.expect("a session");
    let guard = aws_sdk_lambda::Client::new(&account.sandbox.config_as(credentials, "us-east-1"));
    for name in ["free", "watched", "pay"] {
        account
            .lambda
            .create_function_url_config()
            .function_name(name)
            .auth_type("AWS_IAM".into())
            .send()
            .await
            .expect("a URL");
    }
    let set = |name: &'static str, auth: &'static str| {
        guard.update_function_url_config().function_name(name).auth_type(auth.into()).send()
    };
    assert!(set("free", "AWS_IAM").await.is_err());
    assert!(set("watched", "AWS_IAM").await.is_err());
    assert!(set("pay", "NONE").await.is_err(), "a guard can close a URL and never open one");
    set("pay", "AWS_IAM").await.expect("opted in");
}

/// China, GovCloud and a dozen newer Regions have no function URLs: Lambda refuses to say what URL a function has.
#[tokio::test]
async fn policies_are_put_right_in_a_region_without_function_urls() {
    let account = Account::guarded().await;
    account.sandbox.trail().faults().without_function_urls();
    let (aws, settings) = account.operator().await;
    let administrator = account.sandbox.administrator().clone();
    let there = Account {
        lambda: warden_tests::patient_lambda(&account.sandbox.config_as(administrator, "eu-central-2")),
        ..account
    };
    let function = "arn:aws:lambda:eu-central-2:111122223333:function:pay";
    there.function("pay", &[("warden", "enforce")]).await;
    let look = async || {
        let request = ReconcileRequest::at(function.parse().expect("a function"), Cause::by_hand("a test"));
        guard(GuardKind::Access).expect("the guard").reconcile(&aws, &request, &settings).await.expect("looked at")
    };
    look().await;
    there.grant("pay", None, "open", "*").await;
    // Open all the same to whoever signs, once there are URLs; but no URL is open.
    let url = there.lambda.add_permission().function_name("pay").statement_id("visit").principal("*");
    let url = url.action("lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None);
    url.send().await.expect("a statement");
    look().await;
    assert_eq!(there.sids("pay", None).await, Vec::<String>::new());
    let remedied = ["planned resource-policy public-invoke", "applied resource-policy public-invoke"];
    assert_eq!(there.story_of(function).await, [&["opted-in"], &remedied[..]].concat());
}

/// Lambda says so now and then of an operation that is there. A URL that is not seen is not taken for none.
#[tokio::test]
async fn a_region_that_has_function_urls_is_not_believed_to_have_none() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let faults = account.sandbox.trail().faults();
    let stray = || CallMatch::operation("GetFunctionUrlConfig").by("warden-access-guard");
    faults.inject_next(stray(), 2, Fault::NotOffered);
    account.publish_url("pay", None).await;
    account.settle().await;
    assert!(faults.pending().is_empty());
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("AWS_IAM"), "asked again, it was seen");
    assert_eq!(account.steps("pay", Step::Observed).await.len(), 0);

    // Said again and again, it is told, and the statement is judged as one that may open a URL.
    account.lambda.delete_function_url_config().function_name("pay").send().await.expect("gone");
    account.settle().await;
    faults.inject_next(stray(), usize::MAX, Fault::NotOffered);
    account.publish_url("pay", None).await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, Vec::<String>::new());
    let observed = account.steps("pay", Step::Observed).await;
    let [blind] = observed.as_slice() else { panic!("{:?}", account.story("pay").await) };
    let note = blind.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("could not be read") && note.contains("does not offer this operation"), "{note}");
}

/// Whoever takes the guard's right to look at URLs away does not keep it from the policies, nor is a URL that it may
/// not see taken for none.
#[tokio::test]
async fn a_url_that_the_guard_may_not_look_at_is_reported_once_and_the_policy_put_right() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Resource": "*",
        "Action": ["lambda:GetFunctionUrlConfig", "lambda:ListFunctionUrlConfigs"]}]});
    let guard = "warden-access-guard";
    account.put_role_policy(guard, "blind", &deny).await;
    for sid in ["open", "more"] {
        account.publish_url("pay", None).await;
        account.grant("pay", None, sid, "*").await;
        account.settle().await;
        assert_eq!(account.sids("pay", None).await, Vec::<String>::new());
        account.lambda.delete_function_url_config().function_name("pay").send().await.expect("gone");
    }
    account.settle().await;
    let observed = account.steps("pay", Step::Observed).await;
    let [blind] = observed.as_slice() else { panic!("{:?}", account.story("pay").await) };
    assert_eq!(blind.entry.surface.as_ref().map(ToString::to_string).as_deref(), Some("function-url"));
    assert_eq!(blind.entry.severity, Some(Severity::Critical));
    let note = blind.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("could not be read") && note.contains("lambda:GetFunctionUrlConfig"), "{note}");

    // Seen again, it is closed, and the next time that it is not seen that is said again.
    account.iam.delete_role_policy().role_name(guard).policy_name("blind").send().await.expect("deleted");
    account.publish_url("pay", None).await;
    account.settle().await;
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("AWS_IAM"));
    account.put_role_policy(guard, "blind", &deny).await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.steps("pay", Step::Observed).await.len(), 2);
}
