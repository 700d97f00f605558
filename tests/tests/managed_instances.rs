//! Functions on Lambda Managed Instances: what is changed does not run there until it is published again, and Warden
//! never says otherwise.

use aws_sdk_lambda::{
    primitives::Blob,
    types::{
        CapacityProviderConfig, Environment, FunctionCode, FunctionVersionLatestPublished,
        LambdaManagedInstancesCapacityProviderConfig, Runtime,
    },
};
use serde_json::json;
use warden_engine::{ledger::record::Step, model::tags::GuardKind};
use warden_sandbox::{Order, Reply};
use warden_tests::{
    Account, arn,
    environment::{Variables, variables},
    role_arn,
};

const PUBLISHED: &str = "$LATEST.PUBLISHED";
const COMMAND: &str = "aws lambda publish-version --function-name pay --publish-to LATEST_PUBLISHED --region us-east-1";

/// A function on Managed Instances, published.
async fn on_managed_instances(account: &Account, tags: &[(&str, &str)], environment: &Variables) {
    let provider = "arn:aws:lambda:us-east-1:111122223333:capacity-provider:fleet";
    let instances = LambdaManagedInstancesCapacityProviderConfig::builder().capacity_provider_arn(provider).build();
    let provider = CapacityProviderConfig::builder()
        .lambda_managed_instances_capacity_provider_config(instances.expect("the configuration of instances"));
    let text = "import os\ndef handler(event, context):\n    return os.environ.get(event['name'])\n";
    let code = warden_sandbox::package_text("app.py", text).expect("a package");
    let create = account.lambda.create_function().function_name("pay").runtime(Runtime::Python313);
    let create = create.handler("app.handler").code(FunctionCode::builder().zip_file(Blob::new(code)).build());
    let create = create.role(role_arn("shop")).capacity_provider_config(provider.build());
    let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let create = create.environment(Environment::builder().set_variables(Some(variables)).build());
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let create = create.set_tags(Some(tags)).publish_to(FunctionVersionLatestPublished::LatestPublished);
    create.send().await.expect("the function");
    account.ready("pay").await;
    account.settle().await;
}

async fn publish(account: &Account) {
    account.ready("pay").await;
    let publish = account.lambda.publish_version().function_name("pay");
    publish.publish_to(FunctionVersionLatestPublished::LatestPublished).send().await.expect("published");
}

/// What a caller of the function meets.
async fn running(account: &Account, name: &str) -> Option<String> {
    let found = account.lambda.get_function_configuration().function_name("pay").qualifier(PUBLISHED);
    let found = found.send().await.expect("what runs");
    found.environment.and_then(|environment| environment.variables)?.remove(name)
}

#[tokio::test]
async fn a_secret_that_was_published_is_not_called_put_right_before_it_is_published_again() {
    let account = Account::with_secrets_guarded(&[]).await;
    on_managed_instances(&account, &[("warden:secrets", "enforce")], &variables(&[("STAGE", "test")])).await;
    let secret = "Kx9-canary-vQ7mZ2pL";
    account.deploy_and_settle("pay", &variables(&[("STAGE", "test"), ("DB_PASSWORD", secret)])).await;
    assert!(account.referred("pay", "DB_PASSWORD").await.is_some());
    assert_eq!(running(&account, "DB_PASSWORD").await, None, "nothing was published yet");

    // A pipeline that sets the secret and publishes at once: what runs has the secret.
    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    let update = account.lambda.update_function_configuration().function_name("pay");
    let again = [("STAGE", "test"), ("DB_PASSWORD", "Kx9-canary-mN4tR8wQ")];
    let again = again.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    update.environment(Environment::builder().set_variables(Some(again)).build()).send().await.expect("updated");
    account.ready("pay").await;
    publish(&account).await;
    trail.release(Order::Happened);
    account.settle().await;

    assert_eq!(running(&account, "DB_PASSWORD").await.as_deref(), Some("Kx9-canary-mN4tR8wQ"));
    let published = format!("withheld environment:{PUBLISHED} plaintext-secret (no-safe-change)");
    let story = account.secret_story("pay").await;
    assert!(story.contains(&published), "{story:?}");
    let last = account.steps("pay", Step::Applied).await.pop().expect("the strip");
    let note = last.entry.note.unwrap_or_default();
    assert!(note.contains("not in service yet") && note.contains(COMMAND), "{note}");
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("what runs");
    let note = withheld.entry.note.unwrap_or_default();
    assert!(note.contains(COMMAND) && note.contains("rotate"), "{note}");

    // Its owner does what the record says.
    let records = account.records(&arn("pay")).await.len();
    publish(&account).await;
    account.settle().await;
    assert_eq!(account.records(&arn("pay")).await.len(), records, "nothing is wrong any more");
    let mut function = account.sandbox.start_function("pay", Some(PUBLISHED)).await.expect("it starts");
    match function.invoke(&json!({"name": "DB_PASSWORD"})).await.expect("a reply") {
        Reply::Returned(seen) => assert_eq!(seen, "Kx9-canary-mN4tR8wQ"),
        Reply::Failed(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_role_that_was_swapped_and_published_is_not_called_put_right_either() {
    let account = Account::guarded().await;
    account.role("strong", &[]).await;
    let everything =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    account.put_role_policy("strong", "all", &everything).await;
    on_managed_instances(&account, &[("warden:role", "enforce")], &variables(&[])).await;
    let trail = account.sandbox.trail();
    trail.faults().hold_deliveries();
    let swap = account.lambda.update_function_configuration().function_name("pay").role(role_arn("strong"));
    swap.send().await.expect("swapped");
    account.ready("pay").await;
    publish(&account).await;
    trail.release(Order::Happened);
    account.settle().await;

    let found = account.lambda.get_function_configuration().function_name("pay").send().await.expect("the function");
    assert_eq!(found.role, Some(role_arn("shop")));
    let story = account.story_by(GuardKind::Role, &arn("pay")).await;
    let published = format!("withheld role:{PUBLISHED} role-broadened (no-safe-change) alert");
    assert!(story.contains(&published), "{story:?}");
    let applied = account.steps("pay", Step::Applied).await.pop().expect("the swap back");
    let note = applied.entry.note.unwrap_or_default();
    assert!(note.contains("not in service yet") && note.contains(COMMAND), "{note}");
    // The role that runs is judged for the function's sake.
    assert!(!account.records(&role_arn("strong")).await.is_empty());
}

#[tokio::test]
async fn an_opt_in_sees_what_runs_too() {
    let account = Account::with_secrets_guarded(&[]).await;
    on_managed_instances(&account, &[], &variables(&[("DB_PASSWORD", "Kx9-canary-vQ7mZ2pL")])).await;
    account.grant("pay", Some(PUBLISHED), "open", "*").await;
    account.settle().await;
    account.tag("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    let story = account.story_of(&arn("pay")).await;
    for standing in [
        "resource-policy:$LATEST.PUBLISHED public-invoke (pre-existing) alert",
        "environment:$LATEST.PUBLISHED plaintext-secret (pre-existing)",
    ] {
        assert!(story.contains(&format!("withheld {standing}")), "{story:?}");
    }
}

#[tokio::test]
async fn what_runs_has_a_policy_of_its_own_and_it_is_guarded() {
    let account = Account::guarded().await;
    on_managed_instances(&account, &[("warden:access", "enforce")], &variables(&[])).await;
    account.grant("pay", Some(PUBLISHED), "open", "*").await;
    account.settle().await;
    assert_eq!(account.policy("pay", Some(PUBLISHED)).await, None);
    let applied = format!("applied resource-policy:{PUBLISHED} public-invoke");
    assert!(account.story("pay").await.contains(&applied), "{:?}", account.story("pay").await);
    // The function's own URL runs it, so that its policy opens that too.
    let url = account.lambda.create_function_url_config().function_name("pay");
    url.auth_type(aws_sdk_lambda::types::FunctionUrlAuthType::None).send().await.expect("a URL");
    account.settle().await;
    let add = account.lambda.add_permission().function_name("pay").qualifier(PUBLISHED).statement_id("web");
    let add = add.principal("*").action("lambda:InvokeFunctionUrl");
    add.function_url_auth_type(aws_sdk_lambda::types::FunctionUrlAuthType::None).send().await.expect("a statement");
    account.settle().await;
    assert_eq!(account.policy("pay", Some(PUBLISHED)).await, None);
    // It was there before, and opens nothing without the statement.
    assert_eq!(account.url_auth("pay", None).await.as_deref(), Some("NONE"));
}
