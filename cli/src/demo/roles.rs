//! What is done to the shop's role.

use super::{
    fixtures::{self, ROLE, Shop, orders, policy},
    harness::{Harness, say},
};
use anyhow::Context;
use aws_sdk_iam::types::Tag;
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    ledger::record::Step,
    model::{cloudtrail::Cause, tags::GuardKind},
};
use warden_guards::guard;
use warden_policy::decode_iam_document;
use warden_sandbox::ACCOUNT;

/// Plays every scene; returns whether each ended as it should.
pub(crate) async fn attacks(harness: &Harness, shop: &Shop) -> anyhow::Result<bool> {
    let mut well = true;

    let scene = harness.scene("Someone attaches AdministratorAccess to the role")?;
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    harness.iam.attach_role_policy().role_name(ROLE).policy_arn(administrator).send().await?;
    well &= scene.ends(&shop.role, &[Step::Applied]).await?;

    let scene = harness.scene("A deployment lets the role write to a queue, and everything else while it is at it")?;
    let queue = json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:sentishop-orders")});
    fixtures::put_policy(
        harness,
        &[orders(), queue, json!({"Sid": "Todo", "Effect": "Allow", "Action": "*", "Resource": "*"})],
    )
    .await?;
    well &= scene.ends(&shop.role, &[Step::Applied]).await?;
    say(&format!("    what it is allowed now: {}", allowed(harness).await?.dimmed()))?;

    let scene = harness
        .scene("Someone puts a version of the managed policy sentishop-data into force that allows everything")?;
    let all = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]);
    let version = harness.iam.create_policy_version().policy_arn(shop.data.to_string()).set_as_default(true);
    version.policy_document(all.to_string()).send().await?;
    well &= scene.ends(&shop.data, &[Step::Applied]).await?;

    let scene = harness.scene("Someone lets every AWS account assume the role")?;
    let anybody = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
    let open = harness.iam.update_assume_role_policy().role_name(ROLE);
    open.policy_document(fixtures::trust(&[anybody]).to_string()).send().await?;
    well &= scene.ends(&shop.role, &[Step::Applied]).await?;

    let scene = harness.scene("Someone gives refunds the administrator's role")?;
    let swap = harness.lambda.update_function_configuration().function_name("refunds");
    swap.role(format!("arn:aws:iam::{ACCOUNT}:role/sentishop-admin")).send().await?;
    well &= scene.ends(&shop.refunds, &[Step::Applied]).await?;
    Ok(well)
}

/// Opts the role in. What was too wide before that stays until somebody says so.
pub(crate) async fn opt_in(harness: &Harness, shop: &Shop) -> anyhow::Result<bool> {
    let scene = harness
        .scene("SentiShop's functions share one role, which may do anything with every bucket. Its owner opts it in")?;
    let tag = Tag::builder().key("warden").value("enforce").build()?;
    harness.iam.tag_policy().policy_arn(shop.data.to_string()).tags(tag.clone()).send().await?;
    harness.iam.tag_role().role_name(ROLE).tags(tag).send().await?;
    let withheld = scene.ends(&shop.role, &[Step::Withheld]).await?;

    let scene = harness.scene("It was there before the opt-in, so Warden waits for the owner: warden apply")?;
    let request = ReconcileRequest {
        introduced: vec![Introduced { surface: None, sid: None }],
        by_operator: true,
        ..ReconcileRequest::at(
            shop.role.clone(),
            Cause { actor: Some("demo".to_owned()), ..Cause::by_hand("warden apply") },
        )
    };
    let role_guard = guard(GuardKind::Role).context("role-guard")?;
    role_guard.reconcile(&harness.operator, &request, &harness.settings).await?;
    let applied = scene.ends(&shop.role, &[Step::Applied]).await?;
    say(&format!("    what it is allowed now: {}", allowed(harness).await?.dimmed()))?;
    Ok(withheld && applied)
}

/// The role's own statements by their Sids.
async fn allowed(harness: &Harness) -> anyhow::Result<String> {
    let answer = harness.iam.get_role_policy().role_name(ROLE).policy_name("shop").send().await?;
    let document: Value = serde_json::from_str(&decode_iam_document(answer.policy_document())?)?;
    let statements = document.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = statements.iter().filter_map(|statement| statement.get("Sid")?.as_str());
    Ok(names.collect::<Vec<_>>().join(", "))
}
