//! secret-guard, interrupted.

use crate::{Remediation, interrupt};
use std::time::Duration;
use warden_tests::{Account, arn, environment::variables};

struct Secret;

impl Secret {
    const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";
}

impl Remediation for Secret {
    const GUARD: &str = "warden-secret-guard";

    async fn account(&self) -> Account {
        Account::with_secrets_guarded(&[("LeaseSeconds", "1"), ("AccountCap", "1000")]).await
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

/// The secret of a function that is deleted.
struct Remains;

impl Remediation for Remains {
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
    interrupt(Remains).await;
}
