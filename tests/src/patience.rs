//! What a pipeline does while Lambda still works on a function: it tries again. Lambda answers 409 then,
//! <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>.

use aws_sdk_lambda::{
    Client,
    config::{
        Builder,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction, RetryConfig},
    },
};
use aws_types::SdkConfig;
use std::time::Duration;

/// A client of Lambda that tries again while an update is under way.
pub fn patient_lambda(config: &SdkConfig) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(20);
    let retries = retries.with_initial_backoff(Duration::from_millis(5)).with_max_backoff(Duration::from_millis(50));
    let builder = Builder::from(config).retry_config(retries);
    Client::from_conf(builder.retry_classifier(UnderWay).build())
}

#[derive(Debug)]
struct UnderWay;

impl ClassifyRetry for UnderWay {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(answer) = context.response().filter(|answer| answer.status().as_u16() == 409) else {
            return RetryAction::NoActionIndicated;
        };
        let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
        match body.contains("The operation cannot be performed at this time") {
            true => RetryAction::transient_error(),
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "an update is under way"
    }
}
