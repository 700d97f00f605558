//! A guard as a Lambda function: CloudTrail events in, what became of them out.

mod log;

use lambda_runtime::{LambdaEvent, run, service_fn};
use std::env;
use warden_aws::{Aws, Deployment, config};
use warden_engine::{
    Handled,
    guard::{Fetch, Guard},
    model::{cloudtrail::Envelope, settings::Settings},
    name::lambda::FunctionArn,
    on_event,
};

pub use lambda_runtime::Error;

/// Serves events to `guard` until Lambda ends the process.
///
/// # Errors
/// Lambda's environment lacks something that the template sets, or the runtime ended.
pub async fn serve<G: Guard>(guard: G) -> Result<(), Error>
where
    Aws: Fetch<G>,
{
    log::start();
    let variable = |name: &str| env::var(name).ok();
    let aws = Aws::new(config::lambda()?, Deployment::read(variable)?);

    run(service_fn(async |event: LambdaEvent<Envelope>| -> Result<Handled, Error> {
        // The account and the partition stand in the ARN that this function was invoked by.
        let this: FunctionArn = event.context.invoked_function_arn.parse()?;
        let settings = Settings::read(this.home(), variable)?;
        Ok(Box::pin(on_event(&guard, &aws, &settings, &event.payload)).await?)
    }))
    .await
}
