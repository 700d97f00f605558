//! Secrets in the shop's environments.

use super::harness::{Harness, say};
use anyhow::Context;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, Runtime},
};
use owo_colors::OwoColorize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use warden_engine::ledger::record::Step;
use warden_sandbox::{ACCOUNT, Reply, package_text};

/// A function that says what it finds in its environment.
const CODE: &str = "
import os
def handler(event, context):
    return {name: os.environ.get(name) for name in event}
";

/// What a deployment puts into the environment: secrets, and what only looks like them. The values are made up, in the
/// formats that the providers document; those that scanners of repositories know are put together here.
fn variables() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DATABASE_URL", "postgres://checkout:fR7qLm29xTvB4k@db.sentishop.internal:5432/shop".to_owned()),
        ("REPORTS_SECRET_ACCESS_KEY", "q9Zt2VnLx7Rk+Jw4Hs8Yb1Dm/Gc6Pf3Au0TeNoEi".to_owned()),
        ("STRIPE_KEY", ["sk", "live", "h7Qm2Zx9Lk4Tv8Rw1Yb6Nc3P"].join("_")),
        ("JWT_SECRET", "u3Xk8vQz5Lr1Nw7Tb9Yh2Jm6Pd4Gs0Fa".to_owned()),
        ("STRIPE_PUBLISHABLE_KEY", ["pk", "live", "a1Wd5Fg8Hj2Kl4Zx7Cv9Bn3M"].join("_")),
        ("TOKEN_URL", "https://auth.sentishop.example/oauth2/token".to_owned()),
        ("PASSWORD_MIN_LENGTH", "12".to_owned()),
        ("MAIL_SECRET_ARN", format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:sentishop/mail-Ab12Cd")),
    ])
}

/// Plays the scene; returns whether it ended as it should.
pub(crate) async fn attack(harness: &Harness) -> anyhow::Result<bool> {
    let variables = variables();
    let checkout = harness.function("checkout")?;

    let scene = harness.scene("A new function, checkout, is deployed with its secrets in plain text")?;
    let code = FunctionCode::builder().zip_file(Blob::new(package_text("app.py", CODE)?)).build();
    let create = harness.lambda.create_function().function_name("checkout").runtime(Runtime::Python313);
    let create = create.handler("app.handler").code(code).role(format!("arn:aws:iam::{ACCOUNT}:role/sentishop"));
    let sent: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let environment = Environment::builder().set_variables(Some(sent)).build();
    create.environment(environment).tags("warden", "enforce").send().await?;
    let applied = scene.ends(&checkout, &[Step::Applied]).await?;

    let left = environment_of(harness).await?;
    for (name, value) in &variables {
        let now = left.get(*name).with_context(|| format!("{name} is gone"))?;
        let now = if now == value { "as it was".dimmed().to_string() } else { now.cyan().to_string() };
        say(&format!("    {name:<26}{now}"))?;
    }

    let mut function = harness.sandbox.start_function("checkout", None).await?;
    let names: Vec<&str> = variables.keys().copied().collect();
    let seen = match function.invoke(&serde_json::to_value(names)?).await? {
        Reply::Returned(seen) => seen,
        Reply::Failed(error) => anyhow::bail!("checkout failed: {error}"),
    };
    let expected: Map<String, Value> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let works = seen == Value::Object(expected);
    match works {
        true => say(&format!(
            "  {} started under AWS's Python runtime client, its code sees every value as before",
            "✓".green().bold()
        ))?,
        false => say(&format!("  {} its code does not see what it saw before", "✗".red().bold()))?,
    }
    Ok(applied && works)
}

/// What anybody sees who may read the function's configuration.
async fn environment_of(harness: &Harness) -> anyhow::Result<HashMap<String, String>> {
    let found = harness.lambda.get_function_configuration().function_name("checkout").send().await?;
    found.environment.and_then(|environment| environment.variables).context("it has no environment")
}
