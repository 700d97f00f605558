//! Handing something to a service: the last step of a delivery.

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::{
    SandboxError,
    call::Invocation,
    upstream::{Answer, Upstream},
};

impl Upstream {
    /// Invokes a function (an ARN) as Lambda runs an asynchronous event, and waits for its end.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        invocation: &Invocation,
        payload: String,
    ) -> Result<Answer, SandboxError> {
        let (region, _) = located(function);
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let trace = format!("Root={};Parent=0000000000000001;Sampled=0", invocation.0);
        let headers = [("x-amzn-trace-id", trace.as_str()), ("x-amz-invocation-type", "RequestResponse")];
        self.root(Method::POST, ("lambda", region), &path, &headers, payload).await
    }

    /// Sends a message to a queue (an ARN).
    pub(crate) async fn enqueue(
        &self,
        queue: &str,
        body: &str,
        attributes: &[(&str, &str)],
    ) -> Result<(), SandboxError> {
        let (region, name) = located(queue);
        let scope = ("sqs", region);
        let url = self.json(scope, "AmazonSQS.GetQueueUrl", &json!({ "QueueName": name })).await?;
        let attributes: Map<String, Value> = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({ "DataType": "String", "StringValue": value })))
            .collect();
        let input = json!({ "QueueUrl": url["QueueUrl"], "MessageBody": body, "MessageAttributes": attributes });
        self.json(scope, "AmazonSQS.SendMessage", &input).await.map(drop)
    }

    /// Publishes to a topic (an ARN).
    pub(crate) async fn publish(&self, topic: &str, message: &str) -> Result<(), SandboxError> {
        let (region, _) = located(topic);
        let input = [("TopicArn", topic), ("Message", message)];
        self.query(("sns", region), "Publish", &input).await.map(drop)
    }

    /// Writes an event into a log group (an ARN).
    pub(crate) async fn write_log(&self, group: &str, message: &str) -> Result<(), SandboxError> {
        let (region, _) = located(group);
        let name = group.split(":log-group:").nth(1).unwrap_or_default().trim_end_matches(":*");
        let scope = ("logs", region);
        let stream = json!({ "logGroupName": name, "logStreamName": "eventbridge" });
        // All but the first find it there already; a missing group shows in the next call.
        let _ = self.json(scope, "Logs_20140328.CreateLogStream", &stream).await;
        let now = jiff::Timestamp::now().as_millisecond();
        let input = json!({
            "logGroupName": name,
            "logStreamName": "eventbridge",
            "logEvents": [{ "timestamp": now, "message": message }],
        });
        self.json(scope, "Logs_20140328.PutLogEvents", &input).await.map(drop)
    }
}

/// Region and last part of an ARN.
fn located(arn: &str) -> (&str, &str) {
    (arn.split(':').nth(3).unwrap_or_default(), arn.rsplit(':').next().unwrap_or_default())
}
