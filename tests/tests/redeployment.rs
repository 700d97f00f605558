//! Warden's stack over the years: a first deployment that fails, a stack that is removed, and one that is deployed
//! after it.

use warden_engine::ledger::record::Step;
use warden_guards::names;
use warden_sandbox::{Options, Sandbox};
use warden_tests::{Account, STACK, arn, deploy, environment::variables};

const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";

/// The output `TakeOver` as it is written behind `--parameter-overrides`.
fn parameters(take_over: &str) -> Vec<(&str, &str)> {
    take_over.split(' ').map(|pair| pair.split_once('=').expect("a name and a value")).collect()
}

/// What is forgotten here is a zip file: the role of role-guard is there when its function fails, and half of the stack
/// with it.
#[tokio::test]
async fn a_first_deployment_that_failed_is_deleted_and_repeated() {
    let sandbox = Sandbox::start(Options::default()).await.expect("a sandbox");
    let failed = deploy(&sandbox, &["access-guard"], &[]).await.expect_err("a zip file is missing").to_string();
    assert!(failed.contains("ROLLBACK_COMPLETE") && failed.contains("RoleGuard "), "{failed}");
    let still = deploy(&sandbox, &names(), &[]).await.expect_err("the stack has to be deleted").to_string();
    assert!(still.contains("ROLLBACK_COMPLETE"), "{still}");
    sandbox.delete_stack(STACK).await.expect("deleted");

    let outputs = deploy(&sandbox, &names(), &[]).await.expect("it succeeds");
    let account = Account::of(sandbox, outputs).await;
    account.role("shop", &[]).await;
    account.opted_in("shop", "enforce").await;
    account.grant("shop", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.sids("shop", None).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stack_takes_over_what_one_before_it_has_left() {
    let account = Account::with_secrets_guarded(&[]).await;
    // The second deployment that the README asks for.
    let protected = [("ProtectLedger", "on")];
    let outputs = deploy(&account.sandbox, &names(), &protected).await.expect("deployed again");
    assert_eq!(outputs["TakeOver"], account.outputs["TakeOver"]);
    let plain = variables(&[("DB_PASSWORD", VALUE)]);
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &plain).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    let records = account.records(&arn("pay")).await;

    account.sandbox.delete_stack(STACK).await.expect("removed");
    assert_eq!(
        account.told_by_code("pay", &plain).await,
        plain,
        "a function does not need the stack to read its secret"
    );
    let blocked = deploy(&account.sandbox, &names(), &[]).await.expect_err("the names are taken").to_string();
    assert!(blocked.contains("already exists"), "{blocked}");
    account.sandbox.delete_stack(STACK).await.expect("deleted");

    let take_over = account.outputs["TakeOver"].clone();
    let outputs = deploy(&account.sandbox, &names(), &parameters(&take_over)).await.expect("deployed after it");
    assert_eq!(outputs["TakeOver"], take_over);
    let account = Account::of(account.sandbox, outputs).await;
    assert!(account.ledger.ledger_is_protected().await.expect("the table"), "as the stack before it left it");
    assert_eq!(account.records(&arn("pay")).await, records);
    assert_eq!(account.told_by_code("pay", &plain).await, plain);

    // The hashes are the same: the value is known in another function, and stored once more where it was.
    account.guarded_python("web").await;
    account.deploy_and_settle("web", &variables(&[("TOKEN", VALUE)])).await;
    let known = account.secret_story("web").await;
    assert_eq!(known.last().map(String::as_str), Some("applied environment known-secret"), "{known:?}");
    account.deploy_and_settle("pay", &plain).await;
    assert_eq!(account.referred("pay", "DB_PASSWORD").await, Some(secret));
    // Undone is what the guard of the stack before did.
    let applied = records.into_iter().rfind(|record| record.entry.step == Step::Applied).expect("the remediation");
    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await, plain);
    let log = account.sandbox.log_lines(&account.outputs["AuditLog"]).await.expect("the log group");
    let before_and_after = |text: &str| log.iter().any(|line| line.contains(text));
    assert!(before_and_after(&arn("pay")) && before_and_after(&arn("web")), "one log group has both");
}

/// Its hashes and its proofs would be worth nothing.
#[tokio::test]
async fn a_ledger_is_not_taken_over_without_its_keys() {
    let account = Account::guarded().await;
    let key = account.outputs["ProofKey"].as_str();
    for given in
        [vec![], vec![("ExistingProofKey", key)], vec![("ExistingHashKey", key)], vec![("ExistingSealKey", key)]]
    {
        let given = [vec![("ExistingTable", "warden-ledger")], given].concat();
        let refused = deploy(&account.sandbox, &["access-guard", "role-guard"], &given).await;
        let refused = refused.expect_err("a key is missing").to_string();
        assert!(refused.contains("A ledger is taken over with"), "{refused}");
    }
}

#[tokio::test]
async fn the_outputs_say_what_a_stack_does_not_do() {
    for (region, parameters, expected) in [
        ("us-east-1", vec![], "NobodyIsAlerted"),
        ("eu-west-1", vec![("AlertEmail", "security@example.com")], "RolesAreNotGuarded"),
    ] {
        let sandbox = Sandbox::start(Options { region: region.into(), ..Options::default() }).await.expect("a sandbox");
        let outputs = deploy(&sandbox, &["access-guard", "role-guard"], &parameters).await.expect("the stack");
        let said = ["NobodyIsAlerted", "RolesAreNotGuarded"].into_iter().filter(|name| outputs.contains_key(*name));
        assert!(said.eq([expected]), "{region}: {outputs:?}");
    }
}
