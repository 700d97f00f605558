//! A guard as a Lambda function: CloudTrail events and messages of its delay queue in, what became of them out.

mod log;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use std::env;
use warden_aws::{Aws, Deployment, config};
use warden_engine::{
    Handled,
    guard::{Fetch, Guard},
    model::{cloudtrail::Envelope, settings::Settings},
    name::lambda::FunctionArn,
    on_event, on_message,
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

    run(service_fn(async |event: LambdaEvent<Value>| -> Result<Handled, Error> {
        // The account and the partition stand in the ARN that this function was invoked by.
        let this: FunctionArn = event.context.invoked_function_arn.parse()?;
        let settings = Settings::read(this.home(), variable)?;
        if event.payload.get("Records").is_none() {
            let event: Envelope = serde_json::from_value(event.payload)?;
            return Ok(Box::pin(on_event(&guard, &aws, &settings, &event)).await?);
        }
        // One at a time, says the mapping: what fails is delivered again by itself.
        let mut reports = Vec::new();
        for message in serde_json::from_value::<SqsEvent>(event.payload)?.records {
            let body = message.body.unwrap_or_default();
            if let Handled::Looked(more) = Box::pin(on_message(&guard, &aws, &settings, &body)).await? {
                reports.extend(more);
            }
        }
        Ok(Handled::Looked(reports))
    }))
    .await
}
