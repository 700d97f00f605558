//! role-guard, interrupted.

use crate::{Remediation, Undo, interrupt, interrupt_undo};
use serde_json::{Value, json};
use warden_sandbox::ACCOUNT;
use warden_tests::{Account, arn, policy, role_arn};

const GUARD: &str = "warden-role-guard";

fn read_orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

fn managed(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

struct OwnPolicy;

impl Remediation for OwnPolicy {
    const GUARD: &str = GUARD;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.role(name, &[("warden", "enforce")]).await;
        account.put_role_policy(name, "orders", &policy(&[read_orders()])).await;
        role_arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.put_role_policy(name, "orders", &policy(&[read_orders(), everything()])).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.role_policy(name, "orders").await == Some(policy(&[read_orders()]))
    }
}

#[tokio::test]
async fn while_it_narrows_a_policy_of_the_role() {
    interrupt(OwnPolicy).await;
}

/// A managed policy that others have as well: what may stay is put into the role, then the policy is detached.
struct StandIn;

impl Remediation for StandIn {
    const GUARD: &str = GUARD;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.role(name, &[("warden", "enforce")]).await;
        let arn = account.managed_policy(name, &policy(&[read_orders()]), &[]).await;
        account.attach(name, &arn).await;
        let other = format!("{name}-other");
        account.role(&other, &[]).await;
        account.attach(&other, &arn).await;
        role_arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.version(&managed(name), &[read_orders(), everything()], true).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let own: Vec<Value> = account.own_policies(name).await.into_values().collect();
        account.attached(name).await.is_empty() && own == [policy(&[read_orders()])]
    }
}

#[tokio::test]
async fn while_it_puts_what_may_stay_of_a_shared_policy_into_the_role() {
    interrupt(StandIn).await;
}

/// The same, but the role has no room: a managed policy of Warden's own takes its place.
struct Copy;

fn long(characters: usize) -> Value {
    let table = |nth: usize| format!("arn:aws:dynamodb:us-east-1:111122223333:table/orders-{nth:03}");
    let tables: Vec<String> = (0..characters / table(0).len()).map(table).collect();
    json!({"Sid": "Long", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": tables})
}

impl Remediation for Copy {
    const GUARD: &str = GUARD;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.role(name, &[("warden", "enforce")]).await;
        account.put_role_policy(name, "own", &policy(&[long(7_000)])).await;
        let arn = account.managed_policy(name, &policy(&[long(5_000)]), &[]).await;
        account.attach(name, &arn).await;
        let other = format!("{name}-other");
        account.role(&other, &[]).await;
        account.attach(&other, &arn).await;
        role_arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.version(&managed(name), &[long(5_000), everything()], true).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let attached = account.attached(name).await;
        let [copy] = attached.as_slice() else { return false };
        copy.contains("policy/warden/copy/")
            && account.default_version(copy).await == ("v1".to_owned(), policy(&[long(5_000)]))
            && account.own_policies(name).await.len() == 1
    }
}

#[tokio::test]
async fn while_it_puts_what_may_stay_into_a_policy_of_its_own() {
    interrupt(Copy).await;
}

impl Undo for Copy {
    async fn state(&self, account: &Account, name: &str) -> Value {
        let copies: Vec<String> =
            account.copies().await.into_iter().filter(|copy| copy.contains(&format!("/{name}-"))).collect();
        json!([account.attached(name).await, account.own_policies(name).await, copies])
    }
}

#[tokio::test]
async fn while_what_stands_in_for_a_policy_is_taken_away_again() {
    interrupt_undo(Copy).await;
}

/// The version before is gone and there are five: the oldest makes room for what may stay.
struct FifthVersion;

impl Remediation for FifthVersion {
    const GUARD: &str = GUARD;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.role(name, &[("warden", "enforce")]).await;
        let arn = account.managed_policy(name, &policy(&[read_orders()]), &[("warden", "enforce")]).await;
        account.attach(name, &arn).await;
        arn
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let arn = managed(name);
        for _ in 2..=4 {
            account.version(&arn, &[everything()], false).await;
        }
        account.version(&arn, &[read_orders(), everything()], true).await;
        account.iam.delete_policy_version().policy_arn(&arn).version_id("v1").send().await.expect("deleted");
        account.version(&arn, &[everything()], false).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let versions = account.iam.list_policy_versions().policy_arn(managed(name)).send().await;
        account.default_version(&managed(name)).await.1 == policy(&[read_orders()])
            && versions.is_ok_and(|versions| versions.versions().len() == 5)
    }
}

#[tokio::test]
async fn while_it_makes_room_for_a_version() {
    interrupt(FifthVersion).await;
}

impl Undo for FifthVersion {
    async fn state(&self, account: &Account, name: &str) -> Value {
        account.all_versions(&managed(name)).await
    }
}

#[tokio::test]
async fn while_what_made_room_for_a_version_is_given_back() {
    interrupt_undo(FifthVersion).await;
}

struct Swap;

impl Remediation for Swap {
    const GUARD: &str = GUARD;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        if account.iam.get_role().role_name("admin").send().await.is_err() {
            account.role("admin", &[]).await;
            account.put_role_policy("admin", "all", &policy(&[everything()])).await;
        }
        account.function(name, &[("warden", "enforce")]).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let update = account.lambda.update_function_configuration().function_name(name).role(role_arn("admin"));
        update.send().await.expect("swapped");
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let function = account.lambda.get_function_configuration().function_name(name).send().await;
        function.is_ok_and(|function| function.role() == Some(role_arn("shop").as_str()))
    }
}

#[tokio::test]
async fn while_it_gives_a_function_its_role_back() {
    interrupt(Swap).await;
}
