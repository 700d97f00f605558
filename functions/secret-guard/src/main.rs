//! The Lambda function `warden-secret-guard`: CloudTrail events in, plaintext secrets out of environments.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use secret_guard::SecretGuard;
use serde_json::Value;
use std::env;
use warden_aws::{Aws, Deployment, config};
use warden_engine::{Handled, arn::FunctionArn, on_event, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let variable = |name: &str| env::var(name).ok();
    let aws = Aws::new(config::lambda()?, Deployment::read(variable)?);

    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Handled, Error> {
        // The account and the partition stand in the ARN that this function was invoked by.
        let this: FunctionArn = event.context.invoked_function_arn.parse()?;
        let settings = Settings::read(this.home(), variable)?;
        let guard = SecretGuard::new(&aws);
        Ok(Box::pin(on_event(&guard, &aws, &settings, &event.payload)).await?)
    }))
    .await
}
