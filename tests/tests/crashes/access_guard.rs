//! access-guard, interrupted.

use crate::{Remediation, interrupt};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::json;
use warden_sandbox::ACCOUNT;
use warden_tests::{Account, arn};

struct Statement;

impl Remediation for Statement {
    const GUARD: &str = "warden-access-guard";
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
    const GUARD: &str = "warden-access-guard";
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
    const GUARD: &str = "warden-access-guard";
    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        let open = |sid| {
            json!({"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
            "Resource": arn(name)})
        };
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
    const GUARD: &str = "warden-access-guard";
    const SURFACES: usize = 2;

    async fn prepare(&self, account: &Account, name: &str) -> String {
        account.function(name, &[("warden", "enforce")]).await;
        arn(name)
    }

    async fn provoke(&self, account: &Account, name: &str) {
        // Both in one event's sight: a URL that was there before would be let be without the statement.
        let url = account.lambda.create_function_url_config().function_name(name);
        url.auth_type(FunctionUrlAuthType::None).send().await.expect("a URL");
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
    const GUARD: &str = "warden-access-guard";
    async fn prepare(&self, account: &Account, name: &str) -> String {
        let version = account.layer(name).await;
        // Known before it is opened; its own account may use it.
        let add = account.lambda.add_layer_version_permission().layer_name(name).version_number(version);
        let add = add.statement_id("own").principal(ACCOUNT).action("lambda:GetLayerVersion");
        add.send().await.expect("a statement");
        format!("arn:aws:lambda:us-east-1:{ACCOUNT}:layer:{name}:{version}")
    }

    async fn provoke(&self, account: &Account, name: &str) {
        // Two statements in one event's sight: the second removal has to wait for the first.
        for sid in ["one", "two"] {
            let add = account.lambda.add_layer_version_permission().layer_name(name).version_number(1);
            let add = add.statement_id(sid).principal("*").action("lambda:GetLayerVersion");
            add.send().await.expect("a statement");
        }
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
