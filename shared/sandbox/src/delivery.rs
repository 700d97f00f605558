//! EventBridge: which rules take an event, and bringing it to their targets.

use std::time::Duration;

use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    SandboxError,
    call::Invocation,
    event::{Event, uuid},
    trail::Inner,
    upstream::{Answer, Upstream},
};

/// How often a target that cannot be reached is tried before the event goes to the dead-letter queue. EventBridge
/// tries for a day; a test need not.
const TARGET_ATTEMPTS: u32 = 3;

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Outcome {
    /// The target took it; a function returned without an error.
    Done,
    /// The function answered with an error: Lambda tries again.
    FunctionError(String),
    /// EventBridge could not hand it over: it tries again.
    NotDelivered(String),
    /// It went where failures go: an on-failure destination or a dead-letter queue, by ARN.
    GivenUp {
        /// Where it went; none when nobody asked for failures.
        to: Option<String>,
    },
}

/// One attempt to bring an event to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The event's `id`.
    pub event: String,
    /// The event's name, such as `AddPermission20150331v2`; the detail type for events from PutEvents.
    pub event_name: String,
    /// The rule's name.
    pub rule: String,
    /// The target's ARN.
    pub target: String,
    /// From 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The function's invocation, by which its calls are found.
    pub invocation: Option<Invocation>,
    /// When the attempt began, from the sandbox's start.
    pub started: Duration,
    /// When it ended, from the sandbox's start.
    pub ended: Duration,
}

/// An event and a target of a rule that takes it.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) event: Event,
    rule: String,
    rule_arn: String,
    target: Value,
}

impl Parcel {
    fn arn(&self) -> &str {
        self.target["Arn"].as_str().unwrap_or_default()
    }

    /// The service that takes it: `lambda`, `sqs`, `sns`, `logs`.
    pub(crate) fn service(&self) -> &str {
        self.arn().split(':').nth(2).unwrap_or_default()
    }

    pub(crate) fn label(&self) -> String {
        format!("{} by {} to {}", self.event.name, self.rule, self.arn())
    }

    fn payload(&self) -> Value {
        let input = self.target["Input"].as_str().and_then(|text| serde_json::from_str(text).ok());
        input.unwrap_or_else(|| self.event.body.clone())
    }
}

/// The targets of the enabled rules on a bus that take the event, as they are deployed at this moment.
pub(crate) async fn parcels(upstream: &Upstream, bus: &str, event: &Event) -> Result<Vec<Parcel>, SandboxError> {
    let scope = ("events", event.region.as_str());
    let mut found = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({ "EventBusName": bus });
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = upstream.json(scope, "AWSEvents.ListRules", &input).await?;
        for rule in page["Rules"].as_array().into_iter().flatten() {
            let (Some(name), Some(pattern)) = (rule["Name"].as_str(), rule["EventPattern"].as_str()) else {
                continue;
            };
            if rule["State"] != "ENABLED" {
                continue;
            }
            let test = json!({ "EventPattern": pattern, "Event": event.body.to_string() });
            if upstream.json(scope, "AWSEvents.TestEventPattern", &test).await?["Result"] != true {
                continue;
            }
            let input = json!({ "Rule": name, "EventBusName": bus });
            let targets = upstream.json(scope, "AWSEvents.ListTargetsByRule", &input).await?;
            found.extend(targets["Targets"].as_array().into_iter().flatten().map(|target| Parcel {
                event: event.clone(),
                rule: name.to_owned(),
                rule_arn: rule["Arn"].as_str().unwrap_or_default().to_owned(),
                target: target.clone(),
            }));
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            return Ok(found);
        }
    }
}

impl Inner {
    /// Brings a parcel to its target, trying again as EventBridge and Lambda do.
    pub(crate) async fn deliver(&self, parcel: Parcel) {
        let mut attempt = 0;
        let mut unreached = 0;
        let mut failed = 0;
        loop {
            attempt += 1;
            let started = self.clock();
            let invocation = (parcel.service() == "lambda").then(Invocation::new);
            let (outcome, answer) = match self.hand_over(&parcel, invocation.as_ref()).await {
                Ok((outcome, answer)) => (outcome, answer),
                Err(error) => (Outcome::NotDelivered(error.to_string()), None),
            };
            self.note(&parcel, attempt, outcome.clone(), invocation, started);
            let given_up = match outcome {
                Outcome::Done | Outcome::GivenUp { .. } => return,
                Outcome::FunctionError(_) => {
                    failed += 1;
                    self.after_function_error(&parcel, failed, answer).await
                }
                Outcome::NotDelivered(reason) => {
                    unreached += 1;
                    let most = parcel.target["RetryPolicy"]["MaximumRetryAttempts"].as_u64().unwrap_or(185);
                    if unreached < TARGET_ATTEMPTS && u64::from(unreached) <= most {
                        None
                    } else {
                        Some(self.dead_letter(&parcel, &reason).await)
                    }
                }
            };
            if let Some(to) = given_up {
                let started = self.clock();
                self.note(&parcel, attempt, Outcome::GivenUp { to }, None, started);
                return;
            }
            tokio::time::sleep(self.retry_delay).await;
        }
    }

    async fn hand_over(
        &self,
        parcel: &Parcel,
        invocation: Option<&Invocation>,
    ) -> Result<(Outcome, Option<Answer>), SandboxError> {
        let (arn, payload) = (parcel.arn(), parcel.payload().to_string());
        match (parcel.service(), invocation) {
            ("lambda", Some(invocation)) => {
                self.admitted(parcel, arn, "lambda:InvokeFunction").await?;
                let answer = self.upstream.invoke(arn, invocation, payload).await?;
                let error = answer.headers().contains_key("x-amz-function-error");
                let text = || String::from_utf8_lossy(answer.body()).into_owned();
                let outcome = match (answer.status().as_u16(), error) {
                    (200, false) => Outcome::Done,
                    (200, true) => Outcome::FunctionError(text()),
                    _ => Outcome::NotDelivered(format!("{} {}", answer.status(), text())),
                };
                return Ok((outcome, Some(answer)));
            }
            ("sqs", _) => {
                self.admitted(parcel, arn, "sqs:SendMessage").await?;
                self.upstream.enqueue(arn, &payload, &[]).await?;
            }
            ("sns", _) => {
                self.admitted(parcel, arn, "sns:Publish").await?;
                self.upstream.publish(arn, &payload).await?;
            }
            ("logs", _) => {
                self.admitted(parcel, arn, "logs:PutLogEvents").await?;
                self.upstream.write_log(arn, &payload).await?;
            }
            _ => return Ok((Outcome::NotDelivered(format!("the sandbox does not deliver to {arn}")), None)),
        }
        Ok((Outcome::Done, None))
    }

    /// Refuses what the resource's own policy does not let EventBridge do for the rule.
    async fn admitted(&self, parcel: &Parcel, resource: &str, action: &str) -> Result<(), SandboxError> {
        let input = [("resource", resource), ("action", action), ("source", parcel.rule_arn.as_str())];
        if self.upstream.control("admits", &input).await? == true {
            return Ok(());
        }
        let detail = format!("no statement of {resource} lets events.amazonaws.com do that for {}", parcel.rule_arn);
        Err(SandboxError::Account { what: action.to_owned(), detail })
    }

    /// Where a function's event goes after that many errors: nowhere yet (None), or to its destination for failures.
    async fn after_function_error(
        &self,
        parcel: &Parcel,
        failed: u64,
        answer: Option<Answer>,
    ) -> Option<Option<String>> {
        let path = format!("/2019-09-25/functions/{}/event-invoke-config", parcel.arn());
        let scope = ("lambda", parcel.event.region.as_str());
        let config: Value = match self.upstream.root(Method::GET, scope, &path, &[], "").await {
            Ok(answer) if answer.status().is_success() => serde_json::from_slice(answer.body()).unwrap_or_default(),
            _ => Value::Null,
        };
        // Lambda's default: twice more.
        if failed <= config["MaximumRetryAttempts"].as_u64().unwrap_or(2) {
            return None;
        }
        let Some(destination) = config["DestinationConfig"]["OnFailure"]["Destination"].as_str() else {
            return Some(None);
        };
        // The invocation record (Lambda developer guide, "Capturing records of Lambda asynchronous invocations").
        let response = answer.and_then(|answer| serde_json::from_slice::<Value>(answer.body()).ok());
        let record = json!({
            "version": "1.0",
            "timestamp": jiff::Timestamp::now().to_string(),
            "requestContext": {
                "requestId": uuid(),
                "functionArn": format!("{}:$LATEST", parcel.arn()),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": failed,
            },
            "requestPayload": parcel.payload(),
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": response,
        });
        let sent = self.park(parcel.arn(), destination, &record.to_string()).await;
        Some(sent.is_ok().then(|| destination.to_owned()))
    }

    /// Sends the record of a failure where the function's configuration says, if the function's role may.
    async fn park(&self, function: &str, destination: &str, record: &str) -> Result<(), SandboxError> {
        let queue = destination.split(':').nth(2) == Some("sqs");
        let action = if queue { "sqs:SendMessage" } else { "sns:Publish" };
        let input = [("function", function), ("action", action), ("resource", destination)];
        if self.upstream.control("permits", &input).await? != true {
            let detail = format!("the role of {function} may not do that to {destination}");
            return Err(SandboxError::Account { what: action.to_owned(), detail });
        }
        match queue {
            true => self.upstream.enqueue(destination, record, &[]).await,
            false => self.upstream.publish(destination, record).await,
        }
    }

    async fn dead_letter(&self, parcel: &Parcel, reason: &str) -> Option<String> {
        let queue = parcel.target["DeadLetterConfig"]["Arn"].as_str()?;
        let attributes = [
            ("RULE_ARN", parcel.rule_arn.as_str()),
            ("TARGET_ARN", parcel.arn()),
            ("ERROR_CODE", "SDK_CLIENT_ERROR"),
            ("ERROR_MESSAGE", reason),
        ];
        self.admitted(parcel, queue, "sqs:SendMessage").await.ok()?;
        let sent = self.upstream.enqueue(queue, &parcel.event.body.to_string(), &attributes).await;
        sent.is_ok().then(|| queue.to_owned())
    }

    fn note(&self, parcel: &Parcel, attempt: u32, outcome: Outcome, invocation: Option<Invocation>, started: Duration) {
        self.keep_delivery(Delivery {
            event: parcel.event.id.clone(),
            event_name: parcel.event.name.clone(),
            rule: parcel.rule.clone(),
            target: parcel.arn().to_owned(),
            attempt,
            outcome,
            invocation,
            started,
            ended: self.clock(),
        });
    }
}
