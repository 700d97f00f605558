//! A value that was taken out of one function's environment, set again in another's.

use warden_engine::{
    FindingId, Severity,
    ledger::record::{Record, Step},
    model::surface::Resource,
    ports::{Commit, Ledger},
    secret::{
        environment::KeyedHash,
        known_secret::{Known, Withdrawal},
    },
};
use warden_tests::{Account, arn, environment::variables};

/// Nobody has it without having the secret.
const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";

/// What `pay`'s remediation taught the account.
fn learnt(applied: &Record) -> (KeyedHash, Known) {
    let call = serde_json::to_value(applied.entry.changes[0].call()).expect("JSON");
    let hash = call["store"]["known"]["DB_PASSWORD"].as_str().expect("a hash").parse().expect("a hash");
    let secret = call["store"]["secret"].as_str().expect("a name").parse().expect("a name");
    let function = arn("pay").parse().expect("an ARN");
    (hash, Known { secret, function, variable: "DB_PASSWORD".into(), withdrawn: None })
}

#[tokio::test]
async fn is_known_under_any_name_and_stripped_there_too() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    account.guarded_python("ship").await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    let deployed = variables(&[("LEGACY", VALUE), ("STAGE", "test")]);
    account.deploy_and_settle("ship", &deployed).await;

    assert_eq!(
        account.secret_story("ship").await,
        ["opted-in", "planned environment known-secret", "applied environment known-secret"]
    );
    assert_eq!(account.seen_by_code("ship").await, deployed);
    // Its own secret: nobody lets it read another's.
    let secret = account.referred("ship", "LEGACY").await.expect("a reference");
    assert!(secret.starts_with("warden/ship/"), "{secret}");
    let [applied] = account.steps("ship", Step::Applied).await.try_into().expect("one");
    let message = &applied.entry.findings[0].message;
    assert!(message.contains("keeps for DB_PASSWORD of pay"), "{message}");
    let note = applied.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains(&format!("in the template, set LEGACY to the text warden-secret:{secret}")), "{note}");
    assert!(!serde_json::to_string(&applied).expect("JSON").contains(VALUE));
}

/// Mallory may set the environment of her own function, and can read pay's.
#[tokio::test]
async fn nobody_makes_another_functions_harmless_values_known() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    account.guarded_python("mallory").await;
    let mut harmless = variables(&[
        ("BUILD", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("TENANT", "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b"),
        ("POOL", "us-east-1_Ab1Cd2Ef3"),
        ("TABLE", "shop-prod-OrdersTable-1ABCDEF2GHIJ3"),
        ("STAGE", "production"),
        ("AUTH_CLIENT_ID", "Zq81xB0vK2mXp7TwLr5nYc3sDf6GjA1e"),
        ("LEGACY", "Hw3kPz8sVn5rTq1yJd7b"),
    ]);
    account.deploy_and_settle("pay", &harmless).await;
    let names =
        ["ADMIN_PASSWORD", "API_TOKEN", "JWT_SECRET", "DB_PASSWORD", "OTHER_PASSWORD", "CLIENT_SECRET", "KEY_PASSWORD"];
    let copied = names.iter().zip(harmless.values()).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    account.deploy_and_settle("mallory", &copied).await;
    let [applied] = account.steps("mallory", Step::Applied).await.try_into().expect("one");
    assert!(applied.entry.findings.len() >= 4, "they do look like secrets there: {:?}", applied.entry.findings);

    harmless.insert("STAGE".into(), "test".into());
    account.deploy_and_settle("pay", &harmless).await;
    assert_eq!(account.environment("pay").await, harmless);
    // A random value under a name that leaves it open is the only one that is mentioned: it was there before.
    assert_eq!(account.secret_story("pay").await, ["opted-in", "observed environment known-secret"]);
    let [observed] = account.steps("pay", Step::Observed).await.try_into().expect("one");
    let found: Vec<_> =
        observed.entry.findings.iter().map(|found| (found.id, found.severity, found.at.as_str())).collect();
    assert_eq!(found, [(FindingId::KnownSecret, Severity::Medium, "LEGACY")]);
}

#[tokio::test]
async fn is_known_no_more_once_an_operator_undid_it_and_nobody_else_can_say_so() {
    let account = Account::with_secrets_guarded(&[]).await;
    for name in ["pay", "ship", "store"] {
        account.guarded_python(name).await;
    }
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    let [applied] = account.steps("pay", Step::Applied).await.try_into().expect("one");

    // Somebody who may merely write to the table.
    let (hash, known) = learnt(&applied);
    let forged = Withdrawal { by: "mallory".into(), proof: "Zm9yZ2Vk".into() };
    write(&account, hash, Known { withdrawn: Some(forged), ..known }).await;
    account.deploy_and_settle("ship", &variables(&[("LEGACY", VALUE)])).await;
    assert!(
        account.referred("ship", "LEGACY").await.is_some(),
        "a withdrawal that no operator made counts for nothing"
    );

    account.ready("pay").await;
    let records = account.undo(applied).await.expect("undone");
    account.settle().await;
    let undone = records.iter().find(|record| record.entry.step == Step::Undone).expect("undone");
    let note = undone.entry.note.as_deref().unwrap_or_default();
    assert!(note.contains("what DB_PASSWORD held is no known secret any more"), "{note}");
    let deployed = variables(&[("LEGACY", VALUE)]);
    account.deploy_and_settle("store", &deployed).await;
    assert_eq!(account.environment("store").await, deployed);
    assert_eq!(account.secret_story("store").await, ["opted-in"]);
}

/// Writes what the account knows of a value, past Warden.
async fn write(account: &Account, hash: KeyedHash, known: Known) {
    let resource: Resource = arn("pay").parse().expect("a resource");
    let now = jiff::Timestamp::now();
    let head = account.ledger.history(&resource, now).await.expect("the history").head;
    let commit = Commit {
        resource,
        head,
        records: Vec::new(),
        surfaces: Vec::new(),
        counted: None,
        pause: None,
        known: [(hash, known)].into(),
        now,
    };
    account.ledger.commit(&commit).await.expect("written");
}
