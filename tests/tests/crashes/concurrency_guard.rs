//! concurrency-guard, interrupted.

use crate::{Remediation, Undo, interrupt, interrupt_undo};
use aws_sdk_lambda::types::RecursiveLoop;
use serde_json::{Value, json};
use warden_tests::{Account, arn};

/// An account in which no round has to wait for the hour to pass.
async fn account() -> Account {
    Account::with_concurrency_guarded(&[("LeaseSeconds", "130"), ("AccountCap", "1000")]).await
}

struct Cap;

impl Remediation for Cap {
    const GUARD: &str = "warden-concurrency-guard";

    async fn account(&self) -> Account {
        account().await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.capped(name, "10", Some(5)).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.reserve(name, None).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.reserved(name).await == Some(5)
    }
}

impl Undo for Cap {
    async fn state(&self, account: &Account, name: &str) -> Value {
        json!(account.reserved(name).await)
    }
}

#[tokio::test]
async fn while_it_sets_a_cap() {
    interrupt(Cap).await;
}

#[tokio::test]
async fn while_a_cap_is_undone() {
    interrupt_undo(Cap).await;
}

struct Recursion;

impl Remediation for Recursion {
    const GUARD: &str = "warden-concurrency-guard";

    async fn account(&self) -> Account {
        account().await
    }

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.set_recursion(name, RecursiveLoop::Allow).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.recursion(name).await == Some(RecursiveLoop::Terminate)
    }
}

#[tokio::test]
async fn while_it_ends_recursion() {
    interrupt(Recursion).await;
}
