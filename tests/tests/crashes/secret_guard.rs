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
