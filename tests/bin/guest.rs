//! A small guard for the sandbox's own tests: takes back every statement that somebody adds to a function's policy.

use aws_sdk_lambda::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = |name: &str| std::env::var(name);
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(env("AWS_REGION")?))
        .endpoint_url(env("AWS_ENDPOINT_URL")?)
        .credentials_provider(Credentials::new(
            env("AWS_ACCESS_KEY_ID")?,
            env("AWS_SECRET_ACCESS_KEY")?,
            env("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        ))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = Client::from_conf(config);
    lambda_runtime::run(service_fn(|event| take_back(&client, event))).await
}

async fn take_back(client: &Client, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let asked = &event.payload["detail"]["requestParameters"];
    let (Some(function), Some(sid)) = (asked["functionName"].as_str(), asked["statementId"].as_str()) else {
        return Ok(Value::Null);
    };
    let policy = match client.get_policy().function_name(function).send().await {
        Ok(policy) => policy,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
            return Ok(Value::Null);
        }
        Err(error) => return Err(Box::new(error)),
    };
    let remove = client.remove_permission().function_name(function).statement_id(sid);
    match remove.set_revision_id(policy.revision_id).send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(error) => return Err(Box::new(error)),
    }
    // What this process was given, by name, for the test of the environment.
    Ok(std::env::vars().map(|(name, _)| name).collect::<Vec<_>>().into())
}
