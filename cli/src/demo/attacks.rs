//! What is done to the shop, one scene after another.

use super::{
    fixtures::Shop,
    harness::{Harness, say},
};
use anyhow::Context;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use jiff::SignedDuration;
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::Step,
    model::{cloudtrail::Cause, surface::Surface},
    run::undo::Undo,
};

/// Plays every scene; returns whether each ended as it should.
pub(crate) async fn all(harness: &Harness, shop: &Shop) -> anyhow::Result<bool> {
    let mut well = true;

    let scene = harness.scene("Someone lets the whole world invoke payment-gateway")?;
    open(harness, "payment-gateway").await?;
    well &= scene.ends(&shop.payment, &[Step::Applied]).await?;

    let scene = harness.scene("Someone gives order-processing a public URL")?;
    // As the console does it: the URL and its two permissions within a moment. The trail holds the events back until
    // all are made, so that this shows one remediation of both surfaces.
    let trail = harness.sandbox.trail();
    trail.faults().hold_deliveries();
    public_url(harness, "order-processing").await?;
    trail.release(warden_sandbox::Order::Happened);
    well &= scene.ends(&shop.orders, &[Step::Applied, Step::Applied]).await?;

    let scene = harness.scene("Someone shares the shop's layer with every AWS account")?;
    let share = harness.lambda.add_layer_version_permission().layer_name("sentishop-common").version_number(1);
    share.statement_id("share").principal("*").action("lambda:GetLayerVersion").send().await?;
    // Nobody had looked at it before, so that CloudTrail is asked first whether the event happened.
    well &= scene.ends(&shop.layer, &[Step::Withheld, Step::Applied]).await?;

    let scene = harness.scene("A script replaces the whole policy of refunds by Principal \"*\"")?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "everything", "Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": shop.refunds
    }]});
    harness
        .lambda
        .put_resource_policy()
        .resource_arn(shop.refunds.to_string())
        .policy(policy.to_string())
        .send()
        .await?;
    well &= scene.ends(&shop.refunds, &[Step::Applied]).await?;
    say(&format!(
        "    the permission for the shop's API, which the script had wiped out, is back: {}",
        sids(harness, "refunds").await?.dimmed()
    ))?;

    let scene = harness.scene("A pipeline lets S3, any account's S3, invoke thumbnails")?;
    let grant = harness.lambda.add_permission().function_name("thumbnails").statement_id("uploads");
    grant.principal("s3.amazonaws.com").action("lambda:InvokeFunction").send().await?;
    well &= scene.ends(&shop.thumbnails, &[Step::Applied]).await?;
    say(&format!(
        "    the trigger stays alive, tied to this account: {}",
        sids(harness, "thumbnails").await?.dimmed()
    ))?;

    let scene = harness.scene("The same public grant on catalog, which is opted in to observe")?;
    open(harness, "catalog").await?;
    well &= scene.ends(&shop.catalog, &[Step::Observed]).await?;

    let scene = harness.scene("And on legacy-report, which carries no tag")?;
    open(harness, "legacy-report").await?;
    well &= scene.ends(&shop.legacy, &[]).await?;

    audit(harness, shop).await?;
    well &= undo(harness, shop).await?;
    Ok(well)
}

async fn open(harness: &Harness, function: &str) -> anyhow::Result<()> {
    let grant = harness.lambda.add_permission().function_name(function).statement_id("backdoor");
    grant.principal("*").action("lambda:InvokeFunction").send().await?;
    Ok(())
}

async fn public_url(harness: &Harness, function: &str) -> anyhow::Result<()> {
    let none = FunctionUrlAuthType::None;
    harness.lambda.create_function_url_config().function_name(function).auth_type(none.clone()).send().await?;
    let grant = harness
        .lambda
        .add_permission()
        .function_name(function)
        .statement_id("FunctionURLAllowPublicAccess")
        .principal("*");
    grant.action("lambda:InvokeFunctionUrl").function_url_auth_type(none).send().await?;
    let grant = harness
        .lambda
        .add_permission()
        .function_name(function)
        .statement_id("FunctionURLInvokeAllowPublicAccess")
        .principal("*");
    grant.action("lambda:InvokeFunction").invoked_via_function_url(true).send().await?;
    Ok(())
}

async fn policy(harness: &Harness, function: &str) -> anyhow::Result<Value> {
    let answer = harness.lambda.get_policy().function_name(function).send().await?;
    Ok(serde_json::from_str(answer.policy().context("no policy")?)?)
}

async fn sids(harness: &Harness, function: &str) -> anyhow::Result<String> {
    let policy = policy(harness, function).await?;
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = statements.iter().filter_map(|statement| {
        let condition = statement.get("Condition").map(Value::to_string).unwrap_or_default();
        Some(format!("{} {condition}", statement.get("Sid")?.as_str()?))
    });
    Ok(names.collect::<Vec<_>>().join(", "))
}

/// The ledger as `warden audit` shows it.
async fn audit(harness: &Harness, shop: &Shop) -> anyhow::Result<()> {
    say(&format!("\n{} {}", "▶".blue().bold(), "The ledger".bold()))?;
    let mut records = Vec::new();
    let checkout = harness.function("checkout")?;
    let functions = [&shop.payment, &shop.orders, &shop.refunds, &shop.thumbnails, &shop.catalog, &checkout];
    for resource in functions.into_iter().chain([&shop.layer, &shop.role, &shop.data]) {
        records.extend(harness.records(resource).await?);
    }
    records.sort_by_key(|record| record.id);
    records.reverse();
    crate::audit::list::table(&records, &mut anstream::stdout())?;
    Ok(())
}

/// Takes the first remediation back, and shows that the guard leaves the restored policy alone.
async fn undo(harness: &Harness, shop: &Shop) -> anyhow::Result<bool> {
    let records = harness.records(&shop.thumbnails).await?;
    let narrowed = records
        .into_iter()
        .rfind(|record| {
            record.entry.step == Step::Applied && record.entry.surface == Some(Surface::ResourcePolicy(None))
        })
        .context("no remediation to undo")?;
    say(&format!(
        "\n{} {}",
        "▶".blue().bold(),
        format!("The owner wants the pipeline's grant after all: warden undo {}", narrowed.id).bold()
    ))?;
    let before = narrowed.entry.diff.as_ref().and_then(|diff| diff.before.document()).cloned();
    let undo = Undo {
        record: narrowed,
        accept_for: SignedDuration::from_hours(7 * 24),
        by: "demo".to_owned(),
        cause: Cause { actor: Some("demo".to_owned()), ..Cause::by_hand("warden undo") },
        findings: Vec::new(),
        although: None,
    };
    let written = undo.carry_out(&harness.operator, &harness.settings).await?;
    harness.settle().await?;
    let now = policy(harness, "thumbnails").await?;
    let restored = Some(&now) == before.as_ref();
    let after = harness.records(&shop.thumbnails).await?;
    // Nothing came after the undo's own records.
    let left_alone = after.last().map(|record| record.id) == written.last().map(|record| record.id);
    match restored {
        true => say(&format!("  {} the policy is exactly what it was before", "✓".green().bold()))?,
        false => say(&format!("  {} the policy is not what it was before", "✗".red().bold()))?,
    }
    match left_alone {
        true => say(&format!("  {} the guard saw it again and leaves it alone for seven days", "✓".green().bold()))?,
        false => say(&format!("  {} the guard did not leave it alone", "✗".red().bold()))?,
    }
    Ok(restored && left_alone)
}
