//! SentiShop: the shop that is attacked. Order processing, a payment gateway, one shared role.

use super::stage::{Stage, say};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, LayerVersionContentInput, Runtime},
};
use owo_colors::OwoColorize;
use serde_json::json;
use warden_engine::{arn::LayerVersionArn, surface::Subject};
use warden_sandbox::{ACCOUNT, package_text};

/// What the attacks aim at.
pub(crate) struct Shop {
    /// Opted in to `enforce`.
    pub(crate) payment: Subject,
    /// Opted in to `enforce`.
    pub(crate) orders: Subject,
    /// Opted in to `enforce`.
    pub(crate) refunds: Subject,
    /// Opted in to `enforce`.
    pub(crate) thumbnails: Subject,
    /// Opted in to `observe`.
    pub(crate) catalog: Subject,
    /// Not opted in.
    pub(crate) legacy: Subject,
    /// A layer version in scope by the account's setting.
    pub(crate) layer: Subject,
}

/// Builds the shop and opts its functions in.
pub(crate) async fn open(stage: &Stage) -> anyhow::Result<Shop> {
    let iam = aws_sdk_iam::Client::new(&stage.sandbox.config());
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]});
    let role = iam.create_role().role_name("sentishop").assume_role_policy_document(trust.to_string()).send().await?;
    let role = role.role().map(|role| role.arn().to_owned()).unwrap_or_default();

    let handler = "def handler(event, context):\n    return {\"statusCode\": 200}\n";
    let code = package_text("app.py", handler)?;
    for name in ["order-processing", "payment-gateway", "refunds", "thumbnails", "catalog", "legacy-report"] {
        let code = FunctionCode::builder().zip_file(Blob::new(code.clone())).build();
        let create = stage.lambda.create_function().function_name(name).runtime(Runtime::Python312);
        create.handler("app.handler").role(&role).code(code).send().await?;
    }
    let content =
        LayerVersionContentInput::builder().zip_file(Blob::new(package_text("shop.py", "RATE = 0.19\n")?)).build();
    stage.lambda.publish_layer_version().layer_name("sentishop-common").content(content).send().await?;

    // What the shop needs: its bucket may send orders, its API may take payments.
    let grant = stage.lambda.add_permission().function_name("order-processing").statement_id("new-orders");
    let grant = grant.principal("s3.amazonaws.com").action("lambda:InvokeFunction");
    grant.source_arn("arn:aws:s3:::sentishop-orders").source_account(ACCOUNT).send().await?;
    for (name, path) in [("payment-gateway", "pay"), ("refunds", "refund")] {
        let grant = stage.lambda.add_permission().function_name(name).statement_id("shop-api");
        let grant = grant.principal("apigateway.amazonaws.com").action("lambda:InvokeFunction");
        grant.source_arn(format!("arn:aws:execute-api:us-east-1:{ACCOUNT}:shop/*/POST/{path}")).send().await?;
    }

    let tagged = [
        ("order-processing", "enforce"),
        ("payment-gateway", "enforce"),
        ("refunds", "enforce"),
        ("thumbnails", "enforce"),
        ("catalog", "observe"),
    ];
    for (name, mode) in tagged {
        let arn = stage.function(name)?.to_string();
        stage.lambda.tag_resource().resource(arn).tags("warden", mode).tags("warden:owner", "shop team").send().await?;
    }
    stage.settle().await?;
    say(&format!("{} SentiShop is open. Its functions are opted in by a tag:", "✓".green().bold()));
    for (name, mode) in tagged {
        say(&format!("    {name:<18}{}", format!("warden = {mode}").dimmed()));
    }
    say(&format!("    {:<18}{}", "legacy-report", "no tag".dimmed()));
    say(&format!("    {:<18}{}", "sentishop-common", "a layer, in scope by the stack's parameter LayerNames".dimmed()));
    Ok(Shop {
        payment: stage.function("payment-gateway")?,
        orders: stage.function("order-processing")?,
        refunds: stage.function("refunds")?,
        thumbnails: stage.function("thumbnails")?,
        catalog: stage.function("catalog")?,
        legacy: stage.function("legacy-report")?,
        layer: Subject::LayerVersion(LayerVersionArn::resolve("sentishop-common", 1, &stage.settings.home)?),
    })
}
