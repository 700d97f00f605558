//! secret-guard, interrupted.

use crate::{Remediation, by_operator, cut_off, every_end, interrupt};
use std::time::Duration;
use warden_engine::{ledger::record::Step, run::undo::UndoRefusal, secret::rotate::RotateRefusal};
use warden_sandbox::ApiCall;
use warden_tests::{Account, arn, environment::variables};

struct Secret;

impl Secret {
    const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";
}

impl Remediation for Secret {
    const GUARD: &str = "warden-secret-guard";

    async fn account(&self) -> Account {
        Account::with_secrets_guarded(&[("LeaseSeconds", "130"), ("AccountCap", "1000")]).await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.python(name, &[("warden:secrets", "enforce")], &variables(&[("STAGE", "test")])).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.deploy_environment(name, &variables(&[("STAGE", "test"), ("DB_PASSWORD", Self::VALUE)])).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let seen = account.seen_by_code(name).await;
        let stripped = account.referred(name, "DB_PASSWORD").await.is_some();
        stripped && seen == variables(&[("STAGE", "test"), ("DB_PASSWORD", Self::VALUE)])
    }

    /// At no moment is the secret gone from the environment without being in Secrets Manager.
    async fn watch(&self, account: &Account, name: &str) {
        loop {
            assert_eq!(account.seen_by_code(name).await["DB_PASSWORD"], Self::VALUE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn while_it_takes_a_secret_out_of_an_environment() {
    interrupt(Secret).await;
}

/// A secret that is taken out once the deployment that has brought it is over: by the delay queue.
struct Deployed;

impl Remediation for Deployed {
    const GUARD: &str = Secret::GUARD;

    async fn account(&self) -> Account {
        let parameters = [("LeaseSeconds", "130"), ("AccountCap", "1000"), ("SettleSeconds", "1")];
        Account::with_secrets_guarded(&parameters).await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        Secret.prepare(account, name).await
    }

    async fn provoke(&self, account: &Account, name: &str) {
        Secret.provoke(account, name).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let queued = |call: &ApiCall| call.by_role(Self::GUARD) && call.operation == "SendMessage";
        assert!(account.sandbox.trail().calls().iter().any(queued), "it comes back by the queue");
        Secret.is_right(account, name).await
    }

    async fn watch(&self, account: &Account, name: &str) {
        Secret.watch(account, name).await;
    }
}

#[tokio::test]
async fn while_it_waits_in_its_delay_queue_for_a_deployment_to_be_over() {
    interrupt(Deployed).await;
}

/// The secret of a function that is deleted.
struct RetainedSecrets;

impl Remediation for RetainedSecrets {
    const GUARD: &str = "warden-secret-guard";
    /// With the one that put a secret there.
    const SURFACES: usize = 2;

    async fn account(&self) -> Account {
        Secret.account().await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.guarded_python(name).await;
        account.deploy_environment(name, &variables(&[("DB_PASSWORD", Secret::VALUE)])).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.lambda.delete_function().function_name(name).send().await.expect("deleted");
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let listed = account.secrets.list_secrets().include_planned_deletion(true).send().await.expect("secrets");
        let prefix = format!("warden/{name}/");
        let own =
            listed.secret_list().iter().filter(|secret| secret.name().is_some_and(|name| name.starts_with(&prefix)));
        let deleted: Vec<bool> = own.map(|secret| secret.deleted_date().is_some()).collect();
        deleted == [true]
    }
}

#[tokio::test]
async fn while_it_puts_away_the_secret_of_a_function_that_is_gone() {
    interrupt(RetainedSecrets).await;
}

/// A value that was replaced in its secret, set again by a deployment.
struct Stale;

impl Stale {
    const NEWER: &str = "Zq81xB0vK2mXp7TwLr5n";
}

impl Remediation for Stale {
    const GUARD: &str = "warden-secret-guard";
    /// With the one that put the first value there.
    const SURFACES: usize = 2;

    async fn account(&self) -> Account {
        Secret.account().await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.guarded_python(name).await;
        account.deploy_and_settle(name, &variables(&[("DB_PASSWORD", Secret::VALUE)])).await;
        let secret = account.referred(name, "DB_PASSWORD").await.expect("a reference");
        let newer = format!("{{\"DB_PASSWORD\":\"{}\"}}", Self::NEWER);
        account.secrets.put_secret_value().secret_id(&secret).secret_string(newer).send().await.expect("rotated");
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.deploy_environment(name, &variables(&[("DB_PASSWORD", Secret::VALUE)])).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let stripped = account.referred(name, "DB_PASSWORD").await.is_some();
        stripped && account.seen_by_code(name).await == variables(&[("DB_PASSWORD", Self::NEWER)])
    }
}

#[tokio::test]
async fn while_it_takes_out_a_value_that_was_replaced() {
    interrupt(Stale).await;
}

/// A value that stood there before the first one was stored, set again: it is nowhere yet, and is kept for an undo.
struct Superseded;

impl Remediation for Superseded {
    const GUARD: &str = Stale::GUARD;
    const SURFACES: usize = Stale::SURFACES;

    async fn account(&self) -> Account {
        Secret.account().await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.python(name, &[], &variables(&[("DB_PASSWORD", Secret::VALUE)])).await;
        account.settle().await;
        account.tag(name, &[("warden:secrets", "enforce")]).await;
        account.settle().await;
        account.deploy_and_settle(name, &variables(&[("DB_PASSWORD", Stale::NEWER)])).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        Stale.provoke(account, name).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        Stale.is_right(account, name).await
    }
}

#[tokio::test]
async fn while_it_takes_out_a_value_that_was_never_stored() {
    interrupt(Superseded).await;
}

/// A function whose secret was taken out; the secret.
async fn stripped(account: &Account, name: &str) -> String {
    account.guarded_python(name).await;
    account.deploy_and_settle(name, &variables(&[("DB_PASSWORD", Secret::VALUE)])).await;
    account.referred(name, "DB_PASSWORD").await.expect("a reference")
}

/// An operator's command that ends before and after each of its calls: the secret holds the one value or the other, the
/// same command once more makes it the new one, and the records say one rotation that was done.
#[tokio::test]
async fn while_an_operator_rotates_a_secret() {
    let account = Secret.account().await;
    stripped(&account, "shop-0").await;
    account.rotate("shop-0", "DB_PASSWORD", Stale::NEWER).await.expect("rotated");
    let made = by_operator(&account);
    assert!(made.iter().any(|call| call.operation == "PutSecretValue"), "{made:?}");
    for (round, end) in every_end(&made).into_iter().enumerate() {
        let name = format!("shop-{}", round + 1);
        let what = format!("{:?} at {}", end.1, made[end.0 - 1].operation);
        let secret = stripped(&account, &name).await;
        cut_off(&account, &end, account.rotate(&name, "DB_PASSWORD", Stale::NEWER)).await;
        let held = account.secret(&secret).await.remove("DB_PASSWORD").expect("a value");
        assert!(held == Secret::VALUE || held == Stale::NEWER, "{what}");
        match account.rotate(&name, "DB_PASSWORD", Stale::NEWER).await {
            Ok(_) | Err(RotateRefusal::SameValue(_)) => {}
            Err(other) => panic!("{what}: {other:?}"),
        }
        assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", Stale::NEWER)]), "{what}");
        // How it ended is written down with the next event at the latest.
        Stale.provoke(&account, &name).await;
        account.settle().await;
        assert!(Stale.is_right(&account, &name).await, "{what}: {:?}", account.secret_story(&name).await);
        assert_eq!(
            account.steps(&name, Step::Rotated).await.len(),
            1,
            "{what}: {:?}",
            account.secret_story(&name).await
        );
        assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}");
    }
}

#[tokio::test]
async fn while_an_operator_takes_a_rotation_back() {
    let account = Secret.account().await;
    let rotated = async |name: &str| {
        let secret = stripped(&account, name).await;
        let records = account.rotate(name, "DB_PASSWORD", Stale::NEWER).await.expect("rotated");
        (secret, records.into_iter().next_back().expect("the outcome"))
    };
    let (_, record) = rotated("shop-0").await;
    let before = by_operator(&account).len();
    account.undo(record).await.expect("undone");
    let made = by_operator(&account).split_off(before);
    for (round, end) in every_end(&made).into_iter().enumerate() {
        let name = format!("shop-{}", round + 1);
        let what = format!("{:?} at {}", end.1, made[end.0 - 1].operation);
        let (secret, record) = rotated(&name).await;
        cut_off(&account, &end, account.undo(record.clone())).await;
        match account.undo(record).await {
            Ok(_) | Err(UndoRefusal::AlreadyRestored(_)) => {}
            Err(other) => panic!("{what}: {other:?}"),
        }
        assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", Secret::VALUE)]), "{what}");
        assert_eq!(
            account.steps(&name, Step::Undone).await.len(),
            1,
            "{what}: {:?}",
            account.secret_story(&name).await
        );
        assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}");
    }
}
