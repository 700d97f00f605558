//! SentiShop: the shop that is attacked. Order processing, a payment gateway, one shared role.

use super::harness::{Harness, say};
use anyhow::Context;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, LayerVersionContentInput, Runtime},
};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use warden_engine::{model::surface::Resource, name::lambda::LayerVersionArn};
use warden_sandbox::{ACCOUNT, package_text};

/// What the attacks aim at.
pub(crate) struct Shop {
    /// Opted in to `enforce`.
    pub(crate) payment: Resource,
    /// Opted in to `enforce`.
    pub(crate) orders: Resource,
    /// Opted in to `enforce`.
    pub(crate) refunds: Resource,
    /// Opted in to `enforce`.
    pub(crate) thumbnails: Resource,
    /// Opted in to `observe`.
    pub(crate) catalog: Resource,
    /// Not opted in.
    pub(crate) legacy: Resource,
    /// A layer version in scope by the account's setting.
    pub(crate) layer: Resource,
    /// The one role of all functions.
    pub(crate) role: Resource,
    /// A managed policy of the role's.
    pub(crate) data: Resource,
}

/// Builds the shop.
pub(crate) async fn open(harness: &Harness) -> anyhow::Result<Shop> {
    let role = role(harness).await?;
    let data = data(harness).await?;

    let handler = "def handler(event, context):\n    return {\"statusCode\": 200}\n";
    let code = package_text("app.py", handler)?;
    for name in ["order-processing", "payment-gateway", "refunds", "thumbnails", "catalog", "legacy-report"] {
        let code = FunctionCode::builder().zip_file(Blob::new(code.clone())).build();
        let create = harness.lambda.create_function().function_name(name).runtime(Runtime::Python312);
        create.handler("app.handler").role(&role).code(code).send().await?;
        harness.sandbox.ready(name).await?;
    }
    let content =
        LayerVersionContentInput::builder().zip_file(Blob::new(package_text("shop.py", "RATE = 0.19\n")?)).build();
    harness.lambda.publish_layer_version().layer_name("sentishop-common").content(content).send().await?;

    // What the shop needs: its bucket may send orders, its API may take payments.
    let grant = harness.lambda.add_permission().function_name("order-processing").statement_id("new-orders");
    let grant = grant.principal("s3.amazonaws.com").action("lambda:InvokeFunction");
    grant.source_arn("arn:aws:s3:::sentishop-orders").source_account(ACCOUNT).send().await?;
    for (name, path) in [("payment-gateway", "pay"), ("refunds", "refund")] {
        let grant = harness.lambda.add_permission().function_name(name).statement_id("shop-api");
        let grant = grant.principal("apigateway.amazonaws.com").action("lambda:InvokeFunction");
        grant.source_arn(format!("arn:aws:execute-api:us-east-1:{ACCOUNT}:shop/*/POST/{path}")).send().await?;
    }

    harness.settle().await?;
    say(&format!("{} SentiShop is open: six functions, a layer, one role for all.", "✓".green().bold()))?;
    Ok(Shop {
        payment: harness.function("payment-gateway")?,
        orders: harness.function("order-processing")?,
        refunds: harness.function("refunds")?,
        thumbnails: harness.function("thumbnails")?,
        catalog: harness.function("catalog")?,
        legacy: harness.function("legacy-report")?,
        layer: Resource::LayerVersion(LayerVersionArn::resolve("sentishop-common", 1, &harness.settings.home)?),
        role: role.parse()?,
        data: data.parse()?,
    })
}

/// Opts the functions in.
pub(crate) async fn opt_in(harness: &Harness) -> anyhow::Result<()> {
    let tagged = [
        ("order-processing", "enforce"),
        ("payment-gateway", "enforce"),
        ("refunds", "enforce"),
        ("thumbnails", "enforce"),
        ("catalog", "observe"),
    ];
    for (name, mode) in tagged {
        let arn = harness.function(name)?.to_string();
        harness
            .lambda
            .tag_resource()
            .resource(arn)
            .tags("warden", mode)
            .tags("warden:owner", "shop team")
            .send()
            .await?;
    }
    harness.settle().await?;
    say(&format!("\n{} The functions are opted in by a tag:", "✓".green().bold()))?;
    for (name, mode) in tagged {
        say(&format!("    {name:<18}{}", format!("warden = {mode}").dimmed()))?;
    }
    say(&format!("    {:<18}{}", "legacy-report", "no tag".dimmed()))?;
    say(&format!(
        "    {:<18}{}",
        "sentishop-common",
        "a layer, in scope by the stack's parameter LayerNames".dimmed()
    ))?;
    Ok(())
}

/// One role for all, and it may do more than any of them needs.
async fn role(harness: &Harness) -> anyhow::Result<String> {
    let create = harness.iam.create_role().role_name(ROLE).assume_role_policy_document(trust(&[]).to_string());
    let role = create.send().await?.role.context("IAM made no role")?;
    put_policy(harness, &[orders(), json!({"Sid": "Files", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})])
        .await?;
    // The next to the highest role of the shop, which nobody needs but its administrator.
    let admin =
        harness.iam.create_role().role_name("sentishop-admin").assume_role_policy_document(trust(&[]).to_string());
    admin.send().await?;
    let all = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]);
    let put = harness.iam.put_role_policy().role_name("sentishop-admin").policy_name("all");
    put.policy_document(all.to_string()).send().await?;
    Ok(role.arn)
}

/// A managed policy of the role's, opted in by its own tag.
async fn data(harness: &Harness) -> anyhow::Result<String> {
    let reads = policy(&[json!({"Sid": "Prices", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": format!("arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/sentishop-prices")})]);
    let create = harness.iam.create_policy().policy_name("sentishop-data").policy_document(reads.to_string());
    let data = create.send().await?.policy.and_then(|policy| policy.arn).context("IAM made no policy")?;
    harness.iam.attach_role_policy().role_name(ROLE).policy_arn(&data).send().await?;
    Ok(data)
}

/// The role's name.
pub(crate) const ROLE: &str = "sentishop";

/// What the shop's functions need.
pub(crate) fn orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "Resource": format!("arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/sentishop-orders")})
}

/// Writes the role's own policy.
pub(crate) async fn put_policy(harness: &Harness, statements: &[Value]) -> anyhow::Result<()> {
    let put = harness.iam.put_role_policy().role_name(ROLE).policy_name("shop");
    put.policy_document(policy(statements).to_string()).send().await?;
    Ok(())
}

pub(crate) fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Trust in Lambda, and in whom else these statements name.
pub(crate) fn trust(others: &[Value]) -> Value {
    let lambda =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    policy(&[&[lambda], others].concat())
}
