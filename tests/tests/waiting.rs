//! What a guard does not wait for itself: it comes back by the guard's delay queue.

use aws_sdk_lambda::{primitives::Blob, types::Environment};
use serde_json::json;
use std::time::Duration;
use warden_engine::ledger::record::Step;
use warden_sandbox::{ApiCall, Setting};
use warden_tests::{Account, arn, policy, role_arn};

const STRANGER: &str = "999988887777";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Waits until it is so.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many messages a guard has sent to its delay queue.
fn sent(account: &Account, guard: &str) -> usize {
    let calls = account.sandbox.trail().calls();
    calls.iter().filter(|call| call.by_role(guard) && call.operation == "SendMessage").count()
}

#[tokio::test]
async fn a_critical_finding_that_is_opened_again_at_once_is_closed_each_time() {
    let account = Account::with(&[("CriticalReverts", "1"), ("BreakerPauseSeconds", "45")]).await;
    account.opted_in("pay", "enforce").await;
    // Each message comes twice more: what is done twice shows.
    account.sandbox.set(Setting::QueueCopies(2)).await.expect("a setting");
    for times in 1..=2 {
        account.grant("pay", None, "open", "*").await;
        account.settle().await;
        assert_eq!(account.policy("pay", None).await, None);
        assert_eq!(account.steps("pay", Step::Applied).await.len(), times);
    }
    assert_eq!(sent(&account, "warden-access-guard"), 1, "beyond the rate it comes back by the queue");
}

#[tokio::test]
async fn a_pause_on_one_surface_does_not_hold_up_administrator_access_on_another() {
    let account = Account::with(&[("CriticalReverts", "1"), ("BreakerPauseSeconds", "60")]).await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    let everything = policy(&[json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})]);
    account.put_role_policy("pay", "debug", &everything).await;
    account.settle().await;
    assert_eq!(account.role_policy("pay", "debug").await, None);
    // Not a second after the first: IAM might not show it yet.
    tokio::time::sleep(Duration::from_secs(1)).await;
    account.put_role_policy("pay", "debug", &everything).await;
    until(async || sent(&account, "warden-role-guard") > 0).await;
    account.iam.attach_role_policy().role_name("pay").policy_arn(ADMINISTRATOR).send().await.expect("attached");
    until(async || account.attached("pay").await.is_empty()).await;
    assert_eq!(account.role_policy("pay", "debug").await, Some(everything), "it waits still");
    account.settle().await;
    assert_eq!(account.role_policy("pay", "debug").await, None);
}

#[tokio::test]
async fn one_function_with_22_aliases_opened_in_ten_seconds_leaves_room_for_the_real_attack() {
    let account = Account::with(&[("TrustedAccounts", "444455556666")]).await;
    account.opted_in("decoy", "enforce").await;
    account.opted_in("pay", "enforce").await;
    account.lambda.publish_version().function_name("decoy").send().await.expect("a version");
    for number in 0..22 {
        let alias = account.lambda.create_alias().function_name("decoy").name(format!("alias-{number}"));
        alias.function_version("1").send().await.expect("an alias");
    }
    account.settle().await;
    for number in 0..22 {
        account.grant("decoy", Some(&format!("alias-{number}")), "partner", STRANGER).await;
    }
    account.settle().await;
    assert_eq!(account.steps("decoy", Step::Applied).await.len(), 5, "a quarter of the cap");
    account.grant("pay", None, "partner", STRANGER).await;
    account.settle().await;
    assert_eq!(account.policy("pay", None).await, None);
    // What is withheld comes back by itself, when there is room.
    let resource = arn("decoy").parse().expect("a resource");
    let history = warden_engine::ports::Ledger::history(&account.ledger, &resource, jiff::Timestamp::now()).await;
    let surfaces = history.expect("the history").surfaces;
    let waiting = surfaces.values().filter(|state| state.wait.as_ref().is_some_and(|wait| wait.until > wait.since));
    assert_eq!(waiting.count(), 17);
}

/// The calls of the administrator that were refused because an update was under way.
fn refused(account: &Account, from: usize) -> Vec<ApiCall> {
    let calls = account.sandbox.trail().calls().into_iter().skip(from);
    calls.filter(|call| call.status == Some(409) && !call.by_role("warden-secret-guard")).collect()
}

/// A pipeline that waits for each of its updates to end, as AWS's tools do, and does not expect those of others.
#[tokio::test]
async fn a_pipeline_that_updates_code_and_configuration_and_publishes_is_not_made_to_fail() {
    let account = Account::with_secrets_guarded(&[("SettleSeconds", "5")]).await;
    account.function("pay", &[("warden:secrets", "strip")]).await;
    account.settle().await;
    let pipeline = aws_sdk_lambda::Client::new(&account.sandbox.config());
    let before = account.sandbox.trail().calls().len();
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(22, 0);
    let secret = Environment::builder().variables("DB_PASSWORD", "kV7#mQ2$zT9!pL4w").build();
    let configuration = pipeline.update_function_configuration().function_name("pay");
    configuration.environment(secret).send().await.expect("the environment");
    account.sandbox.ready("pay").await.expect("ready");
    // The guard hears of it before the pipeline's next call.
    until(async || sent(&account, "warden-secret-guard") > 0).await;
    pipeline.update_function_code().function_name("pay").zip_file(Blob::new(zip)).send().await.expect("the code");
    account.sandbox.ready("pay").await.expect("ready");
    let configuration = pipeline.update_function_configuration().function_name("pay");
    configuration.description("release 2").send().await.expect("the configuration");
    account.sandbox.ready("pay").await.expect("ready");
    pipeline.publish_version().function_name("pay").send().await.expect("a version");
    assert_eq!(refused(&account, before), []);
    account.settle().await;
    assert!(account.referred("pay", "DB_PASSWORD").await.is_some(), "taken out once the deployment is over");
}

#[tokio::test]
async fn whoever_writes_to_the_delay_queue_commands_nobody() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let story = account.story("pay").await;
    let queue = "warden-access-guard-delay";
    let administrator = aws_sdk_sqs::Client::new(&account.sandbox.config());
    let url = administrator.get_queue_url().queue_name(queue).send().await.expect("the queue").queue_url;
    let url = url.expect("its URL");
    let refused = administrator.send_message().queue_url(&url).message_body("{}").send().await;
    assert!(refused.is_err(), "the queue's policy lets the guard alone in");
    // Whoever gets past that has no seal.
    let session = account.sandbox.session(&guard_role(), "mallory").await.expect("a session");
    let guard = aws_sdk_sqs::Client::new(&account.sandbox.config_as(session, "us-east-1"));
    let request = json!({"resource": arn("pay"), "surfaces": null, "introduced": [], "through": null, "cause": {}});
    let look = json!({"guard": "access", "request": request, "surface": null, "until": "2026-01-01T00:00:00Z",
        "attempt": 0});
    let forged = json!({"look": look.to_string(), "seal": "A".repeat(43) + "="}).to_string();
    guard.send_message().queue_url(&url).message_body(&forged).send().await.expect("sent");
    account.settle().await;
    assert_eq!(account.story("pay").await, story);
    assert_eq!(account.sids("pay", None).await, ["orders"]);
    let kept = account.sandbox.messages("warden-failures").await.expect("the queue");
    assert_eq!(kept, [forged], "kept where an alarm tells of it");
}

fn guard_role() -> String {
    role_arn("warden/guard/warden-access-guard")
}
