//! New code: the versions that are published with it, and the architecture that it may bring. And the roles that a
//! function and its versions were given when they were clean.

use aws_sdk_lambda::{
    primitives::Blob,
    types::{Architecture, LayerVersionContentInput},
};
use serde_json::json;
use warden_engine::{Severity, ledger::record::Step, model::tags::GuardKind};
use warden_sandbox::package_text;
use warden_tests::{Account, arn, environment::variables, policy, role_arn};

const CODE: &str = "def handler(event, context):\n    return 1\n";

fn code() -> Blob {
    Blob::new(package_text("app.py", CODE).expect("a package"))
}

#[tokio::test]
async fn a_version_that_is_published_with_new_code_is_looked_at() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    // deploy_environment releases what is held; here the code follows first.
    let update = account.lambda.update_function_configuration().function_name("pay");
    let set = [("DB_PASSWORD".to_owned(), "Kx9-canary-vQ7mZ2pL".to_owned())].into_iter().collect();
    let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(set)).build();
    update.environment(environment).send().await.expect("updated");
    account.ready("pay").await;
    let update = account.lambda.update_function_code().function_name("pay").zip_file(code()).publish(true);
    assert_eq!(update.send().await.expect("updated").version.as_deref(), Some("1"));
    account.ready("pay").await;
    trail.release(warden_sandbox::Order::Happened);
    account.settle().await;

    assert!(account.referred("pay", "DB_PASSWORD").await.is_some());
    let story = account.secret_story("pay").await;
    // Known by then, if the function's own was stripped first.
    assert!(story.iter().any(|line| line.starts_with("withheld environment:1 ")), "{story:?}");
}

/// The stack has the layer for one architecture; here its settings name one for the other as well.
async fn with_a_layer_for_both(account: &Account) -> String {
    let content = LayerVersionContentInput::builder().zip_file(code()).build();
    let publish = account.lambda.publish_layer_version().layer_name("warden-secret-env-arm64").content(content);
    let layer = publish.compatible_architectures(Architecture::Arm64).send().await.expect("a layer");
    let layer = layer.layer_version_arn.expect("its ARN");
    let guard = "warden-secret-guard";
    let mut settings = account.environment(guard).await;
    settings.insert("WARDEN_SECRET_LAYERS".into(), format!("x86_64={},arm64={layer}", account.secret_layer()));
    account.deploy_environment(guard, &settings).await;
    account.settle().await;
    layer
}

async fn turned_to_arm64(account: &Account) {
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", "Kx9-canary-vQ7mZ2pL")])).await;
    assert_eq!(account.layers("pay").await, [account.secret_layer()]);
    account.ready("pay").await;
    account.sandbox.trail().faults().hold_deliveries();
    let update = account.lambda.update_function_code().function_name("pay").zip_file(code());
    update.architectures(Architecture::Arm64).send().await.expect("updated");
    account.ready("pay").await;
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;
}

#[tokio::test]
async fn new_code_for_another_architecture_gets_the_layer_of_that_architecture() {
    let account = Account::with_secrets_guarded(&[]).await;
    let arm64 = with_a_layer_for_both(&account).await;
    turned_to_arm64(&account).await;
    assert_eq!(account.layers("pay").await, [arm64]);
    let story = account.secret_story("pay").await;
    assert_eq!(story.last().map(String::as_str), Some("applied environment secret-out-of-reach"), "{story:?}");
}

#[tokio::test]
async fn new_code_for_an_architecture_without_a_layer_is_reported_with_what_to_do() {
    let account = Account::with_secrets_guarded(&[]).await;
    turned_to_arm64(&account).await;
    assert_eq!(account.layers("pay").await, [account.secret_layer()]);
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("a record");
    let note = withheld.entry.note.unwrap_or_default();
    assert!(note.contains("not deployed for arm64") && note.contains("go back to the architecture"), "{note}");
}

#[tokio::test]
async fn a_version_that_was_published_with_a_swapped_role_is_not_forgotten_when_the_role_is_back() {
    let account = Account::guarded().await;
    account.role("strong", &[]).await;
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    account.put_role_policy("strong", "all", &policy(&[everything])).await;
    account.function("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    account.sandbox.trail().faults().hold_deliveries();
    let swap = account.lambda.update_function_configuration().function_name("pay").role(role_arn("strong"));
    swap.send().await.expect("swapped");
    account.ready("pay").await;
    let update = account.lambda.update_function_code().function_name("pay").zip_file(code()).publish(true);
    update.send().await.expect("updated");
    account.ready("pay").await;
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;

    let found = account.lambda.get_function_configuration().function_name("pay").send().await.expect("the function");
    assert_eq!(found.role, Some(role_arn("shop")));
    let story = account.story_by(GuardKind::Role, &arn("pay")).await;
    assert!(story.contains(&"withheld role:1 role-broadened (no-safe-change) alert".to_owned()), "{story:?}");
}

async fn swapped(account: &Account, function: &str, role: &str) {
    let swap = account.lambda.update_function_configuration().function_name(function).role(role_arn(role));
    swap.send().await.expect("swapped");
    account.ready(function).await;
    account.settle().await;
}

async fn role_of(account: &Account, function: &str) -> Option<String> {
    account.lambda.get_function_configuration().function_name(function).send().await.expect("the function").role
}

fn everything() -> serde_json::Value {
    json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
}

#[tokio::test]
async fn a_function_that_was_given_a_clean_role_which_is_widened_afterwards_gets_its_own_back() {
    let account = Account::guarded().await;
    // The tag of the role's own keeps nobody from seeing it.
    account.role("clean", &[]).await;
    account.role("other", &[("warden", "off")]).await;
    account.function("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    for role in ["clean", "other"] {
        swapped(&account, "pay", role).await;
        assert_eq!(role_of(&account, "pay").await, Some(role_arn(role)), "nothing is wrong with it yet");
    }
    // Through a managed policy, which leads to the role, and that to the function.
    let queue = json!({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"});
    let data = account.managed_policy("data", &policy(&[queue]), &[]).await;
    account.attach("other", &data).await;
    account.put_role_policy("clean", "all", &policy(&[everything()])).await;
    account.settle().await;
    account.version(&data, &[everything()], true).await;
    account.settle().await;

    assert_eq!(role_of(&account, "pay").await, Some(role_arn("shop")), "the last one that breaks no rule");
    let story = account.story_by(GuardKind::Role, &arn("pay")).await;
    assert_eq!(story, ["opted-in", "planned role role-broadened", "applied role role-broadened"]);
    // Nobody changes a role without the tag.
    assert_eq!(account.attached("other").await, [data]);
    assert!(account.role_policy("clean", "all").await.is_some());
}

/// What a deployment brings is in force also where a part of it is medium.
#[tokio::test]
async fn a_function_gets_the_role_of_the_last_deployment_back_though_that_has_a_medium_finding() {
    let account = Account::guarded().await;
    let ajar = json!({"Effect": "Allow", "Action": "sns:AddPermission", "Resource": "*"});
    for (role, statement) in [("ajar", ajar), ("strong", everything())] {
        account.role(role, &[]).await;
        account.put_role_policy(role, "own", &policy(&[statement])).await;
    }
    account.function("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    swapped(&account, "pay", "ajar").await;
    assert_eq!(role_of(&account, "pay").await, Some(role_arn("ajar")));
    swapped(&account, "pay", "strong").await;
    assert_eq!(role_of(&account, "pay").await, Some(role_arn("ajar")));
}

#[tokio::test]
async fn a_role_that_loses_its_tag_and_is_widened_does_not_stay_with_the_function_that_was_given_it() {
    let account = Account::guarded().await;
    account.role("clean", &[("warden", "enforce")]).await;
    account.function("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    swapped(&account, "pay", "clean").await;
    account.iam.untag_role().role_name("clean").tag_keys("warden").send().await.expect("untagged");
    account.put_role_policy("clean", "all", &policy(&[everything()])).await;
    account.settle().await;
    assert_eq!(role_of(&account, "pay").await, Some(role_arn("shop")));
}

#[tokio::test]
async fn a_version_keeps_a_role_that_is_widened_afterwards_and_is_reported_with_its_alias() {
    let account = Account::guarded().await;
    account.role("clean", &[]).await;
    account.function("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    swapped(&account, "pay", "clean").await;
    let publish = account.lambda.publish_version().function_name("pay").send().await.expect("published");
    assert_eq!(publish.version.as_deref(), Some("1"));
    account.lambda.create_alias().function_name("pay").name("live").function_version("1").send().await.expect("live");
    account.settle().await;
    // Nothing of it is to be seen on the function any more.
    swapped(&account, "pay", "shop").await;
    account.put_role_policy("clean", "all", &policy(&[everything()])).await;
    account.settle().await;

    assert_eq!(role_of(&account, "pay").await, Some(role_arn("shop")));
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("a record");
    assert_eq!(withheld.entry.surface.as_ref().map(ToString::to_string).as_deref(), Some("role:1"));
    assert_eq!(withheld.entry.severity, Some(Severity::Critical));
    let note = withheld.entry.note.unwrap_or_default();
    assert!(note.contains("version 1 keeps this role") && note.contains("aliases lead to it: live"), "{note}");
}
