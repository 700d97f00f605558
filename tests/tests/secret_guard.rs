//! secret-guard in an account: what it takes out of environments, what it leaves alone, what it writes down.

use serde_json::{Value, json};
use warden_engine::{
    record::Step,
    reference::{WRAPPER, WRAPPER_VARIABLE},
};
use warden_sandbox::ACCOUNT;
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
    account.python("pay", &[("warden:secrets", "enforce")], &variables(&[("STAGE", "test")])).await;
    account.settle().await;
    account.deploy_environment("pay", &shop()).await;
    account.settle().await;

    assert_eq!(account.seen_by_code("pay").await, shop());
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
        account.story("pay").await,
        ["opted-in", "planned environment plaintext-secret", "applied environment plaintext-secret",]
    );
    let applied = &account.steps("pay", Step::Applied).await[0];
    let note = applied.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("rotate DATABASE_URL, DB_PASSWORD"), "{note}");
}
