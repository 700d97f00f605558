//! A guard that is killed before and after each of its calls, and delivered its event again: the right end state, one remediation, a
//! chain that holds. One test for each remediation.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::json;
use std::time::Duration;
use warden_engine::record::Step;
use warden_sandbox::{ACCOUNT, CallMatch, Fault};
use warden_tests::{Account, arn, environment::variables};

/// A remediation to interrupt: on one subject, how it is provoked and how the account looks once it is done.
trait Remediation {
    /// Makes the subject of one round, opted in and clean; returns its ARN.
    async fn prepare(&self, account: &Account, name: &str) -> String;
    /// The change that is to be put right.
    async fn provoke(&self, account: &Account, name: &str);
    /// Whether it is put right, and nothing else changed.
    async fn is_right(&self, account: &Account, name: &str) -> bool;
    /// How many surfaces are put right.
    const SURFACES: usize = 1;
    /// The role of the guard that is interrupted.
    const GUARD: &str = "warden-access-guard";

    /// An account to do it in.
    async fn account(&self) -> Account {
        Account::with(&[("LeaseSeconds", "1"), ("AccountCap", "1000")]).await
    }

    /// Looks on while the guard works, and panics where something is not as it must always be.
    async fn watch(&self, _: &Account, _: &str) {
        std::future::pending().await
    }
}

/// Goes through every call of the guard, with a death before it and a death after it.
async fn interrupt<R: Remediation>(remediation: R) {
    let account = remediation.account().await;
    let trail = account.sandbox.trail();
    let subject = remediation.prepare(&account, "shop-0").await;
    account.settle().await;
    let before = trail.calls().len();
    provoke_and_check(&remediation, &account, "shop-0", &subject, "without a fault").await;
    let calls = trail.calls().into_iter().skip(before).filter(|call| call.by_role(R::GUARD)).count();
    assert!(calls >= 6, "reads, an intent, a change, an outcome: {calls}");

    let mut round = 0;
    for nth in 1..=calls {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            round += 1;
            let name = format!("shop-{round}");
            let subject = remediation.prepare(&account, &name).await;
            account.settle().await;
            let what = format!("{fault:?}, call {nth} of {calls}");
            trail.faults().inject(CallMatch::any().by(R::GUARD), nth, fault);
            provoke_and_check(&remediation, &account, &name, &subject, &what).await;
            // An invocation may make fewer calls where another was quicker; the fault must not reach the next round.
            trail.faults().clear();
        }
    }
}

async fn provoke_and_check(remediation: &impl Remediation, account: &Account, name: &str, subject: &str, what: &str) {
    remediation.provoke(account, name).await;
    tokio::select! {
        () = account.settle() => {}
        () = remediation.watch(account, name) => {}
    }
    let story = account.story_of(subject).await;
    assert!(
        remediation.is_right(account, name).await,
        "{what}: {story:?}\n{:#?}",
        account.sandbox.trail().deliveries()
    );
    let records = account.records(subject).await;
    for step in [Step::Planned, Step::Applied] {
        let count = records.iter().filter(|record| record.entry.step == step).count();
        assert_eq!(count, surfaces(remediation), "{step} after {what}: {:?}", account.story_of(subject).await);
    }
    assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}");
}

fn surfaces<R: Remediation>(_: &R) -> usize {
    R::SURFACES
}

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

struct Statement;

impl Remediation for Statement {
    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        account.grant_properly(name, "orders").await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        account.grant(name, None, "open", "*").await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.sids(name, None).await == ["orders"]
    }
}

#[tokio::test]
async fn while_it_removes_a_statement() {
    interrupt(Statement).await;
}

struct WholePolicy;

impl Remediation for WholePolicy {
    async fn prepare(&self, account: &Account, name: &str) -> String {
        Statement.prepare(account, name).await
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let open = json!([{"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": arn(name)}]);
        account.put_policy(name, open).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.sids(name, None).await == ["orders"]
    }
}

#[tokio::test]
async fn while_it_replaces_a_policy() {
    interrupt(WholePolicy).await;
}

struct EmptiedPolicy;

impl Remediation for EmptiedPolicy {
    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let open = |sid| json!({"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn(name)});
        account.put_policy(name, json!([open("one"), open("two")])).await;
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.policy(name, None).await.is_none()
    }
}

#[tokio::test]
async fn while_it_deletes_a_policy() {
    interrupt(EmptiedPolicy).await;
}

struct Url;

impl Remediation for Url {
    const SURFACES: usize = 2;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        let url = account.lambda.create_function_url_config().function_name(name);
        url.auth_type(FunctionUrlAuthType::None).send().await.expect("a URL");
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let add = account
            .lambda
            .add_permission()
            .function_name(name)
            .statement_id("FunctionURLAllowPublicAccess")
            .principal("*");
        let add = add.action("lambda:InvokeFunctionUrl").function_url_auth_type(FunctionUrlAuthType::None);
        add.send().await.expect("a statement");
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        account.policy(name, None).await.is_none() && account.url_auth(name, None).await.as_deref() == Some("AWS_IAM")
    }
}

#[tokio::test]
async fn while_it_closes_a_url() {
    interrupt(Url).await;
}

struct Layer;

impl Remediation for Layer {
    async fn prepare(&self, account: &Account, name: &str) -> String {
        let version = account.layer(name).await;
        // Known before it is opened; its own account may use it.
        let add = account.lambda.add_layer_version_permission().layer_name(name).version_number(version);
        let add = add.statement_id("own").principal(ACCOUNT).action("lambda:GetLayerVersion");
        add.send().await.expect("a statement");
        format!("arn:aws:lambda:us-east-1:{ACCOUNT}:layer:{name}:{version}")
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let trail = account.sandbox.trail();
        // Two statements in one event's sight: the second removal has to wait for the first.
        trail.faults().hold_deliveries();
        for sid in ["one", "two"] {
            let add = account.lambda.add_layer_version_permission().layer_name(name).version_number(1);
            let add = add.statement_id(sid).principal("*").action("lambda:GetLayerVersion");
            add.send().await.expect("a statement");
        }
        trail.release(warden_sandbox::Order::Happened);
    }

    async fn is_right(&self, account: &Account, name: &str) -> bool {
        let policy = account.lambda.get_layer_version_policy().layer_name(name).version_number(1).send().await;
        let policy = policy.ok().and_then(|policy| policy.policy).unwrap_or_default();
        policy.contains("\"own\"") && !policy.contains("\"one\"") && !policy.contains("\"two\"")
    }
}

#[tokio::test]
async fn while_it_closes_a_layer_version() {
    interrupt(Layer).await;
}
