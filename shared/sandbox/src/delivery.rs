//! EventBridge: which rules take an event, and bringing it to their targets.

use std::time::Duration;

use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{SandboxError, call::Invocation, event::Event, trail::Inner, upstream::Upstream};

/// How often a target that cannot be reached is tried before the event goes to the dead-letter queue, and a function that
/// cannot be run before the event is too old. EventBridge tries for a day and Lambda for six hours; a test need not.
const TARGET_ATTEMPTS: u32 = 3;

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Outcome {
    /// The target took it; a function returned without an error.
    Done,
    /// The function answered with an error: Lambda tries again.
    FunctionError(String),
    /// Lambda took the event and could not run the function, for want of concurrency or through a fault of its own: it
    /// tries again until the event is too old.
    NotRun(String),
    /// EventBridge could not hand it over: it tries again, unless a permission or the target is missing.
    NotDelivered(String),
    /// It went where failures go: an on-failure destination or a dead-letter queue, by ARN. Where a function has both,
    /// there is one of these for each.
    GivenUp {
        /// Where it went; none when nobody asked for failures, or nobody took this one.
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

/// Where an attempt failed.
enum Failed {
    /// EventBridge may try the target again.
    Target(String),
    /// A permission or the target is missing: EventBridge gives up at once
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>).
    ForGood(String),
    /// The function ran and failed; its answer.
    Function(Value),
    /// Lambda did not run the function.
    NotRun(String),
}

/// Why Lambda gives an event up, in the words of its invocation record.
#[derive(Clone, Copy)]
enum Condition {
    /// The function failed as often as it may.
    RetriesExhausted,
    /// The function could not be run for too long.
    EventAgeExceeded,
    /// The function is given no concurrency at all, for which Lambda waits not at all
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>; the name is LocalStack's, whose tests are
    /// validated against AWS).
    ZeroReservedConcurrency,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Condition::RetriesExhausted => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
            Condition::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

impl Inner {
    /// Brings a parcel to its target, trying again as EventBridge and Lambda do.
    pub(crate) async fn deliver(&self, parcel: Parcel) {
        let mut attempt = 0;
        let mut unreached = 0;
        let mut not_run = 0;
        let mut failed = 0;
        loop {
            attempt += 1;
            let started = self.clock();
            let invocation = (parcel.service() == "lambda").then(Invocation::new);
            let ended = self.hand_over(&parcel, invocation.as_ref()).await;
            let outcome = match &ended {
                Ok(()) => Outcome::Done,
                Err(Failed::Target(reason) | Failed::ForGood(reason)) => Outcome::NotDelivered(reason.clone()),
                Err(Failed::Function(answer)) => Outcome::FunctionError(answer.to_string()),
                Err(Failed::NotRun(reason)) => Outcome::NotRun(reason.clone()),
            };
            self.note(&parcel, attempt, outcome, invocation, started);
            let given_up = match ended {
                Ok(()) => return,
                Err(Failed::ForGood(reason)) => Some(self.dead_letter(&parcel, &reason).await),
                Err(Failed::Target(reason)) => {
                    unreached += 1;
                    let most = parcel.target["RetryPolicy"]["MaximumRetryAttempts"].as_u64().unwrap_or(185);
                    match unreached < TARGET_ATTEMPTS && u64::from(unreached) <= most {
                        true => None,
                        false => Some(self.dead_letter(&parcel, &reason).await),
                    }
                }
                Err(Failed::Function(answer)) => {
                    failed += 1;
                    match failed <= self.retries(&parcel).await {
                        true => None,
                        false => Some(self.given_up(&parcel, Condition::RetriesExhausted, failed, answer).await),
                    }
                }
                Err(Failed::NotRun(_)) if self.has_no_concurrency(&parcel).await => {
                    Some(self.given_up(&parcel, Condition::ZeroReservedConcurrency, failed, Value::Null).await)
                }
                Err(Failed::NotRun(_)) => {
                    not_run += 1;
                    match not_run < TARGET_ATTEMPTS {
                        true => None,
                        false => {
                            let count = failed + u64::from(not_run);
                            Some(self.given_up(&parcel, Condition::EventAgeExceeded, count, Value::Null).await)
                        }
                    }
                }
            };
            if let Some(places) = given_up {
                let places = if places.is_empty() { vec![None] } else { places.into_iter().map(Some).collect() };
                for to in places {
                    let started = self.clock();
                    self.note(&parcel, attempt, Outcome::GivenUp { to }, None, started);
                }
                return;
            }
            tokio::time::sleep(self.retry_delay).await;
        }
    }

    async fn hand_over(&self, parcel: &Parcel, invocation: Option<&Invocation>) -> Result<(), Failed> {
        let (arn, payload) = (parcel.arn(), parcel.payload().to_string());
        let failed = |error: SandboxError| Failed::Target(error.to_string());
        match (parcel.service(), invocation) {
            ("lambda", Some(invocation)) => {
                self.admitted(parcel, arn, "lambda:InvokeFunction").await?;
                let answer = self.upstream.invoke(arn, invocation, payload).await.map_err(failed)?;
                let error = answer.headers().contains_key("x-amz-function-error");
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                match (answer.status().as_u16(), error) {
                    (200, false) => Ok(()),
                    (200, true) => Err(Failed::Function(serde_json::from_str(&text).unwrap_or_else(|_| text.into()))),
                    (404, _) => Err(Failed::ForGood(text)),
                    // EventBridge hands the event to Lambda's own queue, which takes it all the same.
                    (429 | 500.., _) => Err(Failed::NotRun(format!("{} {text}", answer.status()))),
                    _ => Err(Failed::Target(format!("{} {text}", answer.status()))),
                }
            }
            ("sqs", _) => {
                self.admitted(parcel, arn, "sqs:SendMessage").await?;
                self.upstream.enqueue(arn, &payload, &[]).await.map_err(failed)
            }
            ("sns", _) => {
                self.admitted(parcel, arn, "sns:Publish").await?;
                self.upstream.publish(arn, &payload).await.map_err(failed)
            }
            ("logs", _) => {
                self.admitted(parcel, arn, "logs:PutLogEvents").await?;
                self.upstream.write_log(arn, &payload).await.map_err(failed)
            }
            _ => Err(Failed::ForGood(format!("the sandbox does not deliver to {arn}"))),
        }
    }

    /// Refuses what the resource's own policy does not let EventBridge do for the rule.
    async fn admitted(&self, parcel: &Parcel, resource: &str, action: &str) -> Result<(), Failed> {
        let input = [("resource", resource), ("action", action), ("source", parcel.rule_arn.as_str())];
        match self.upstream.control("admits", &input).await {
            Ok(admits) if admits == true => Ok(()),
            Ok(_) => Err(Failed::ForGood(format!(
                "no statement of {resource} lets events.amazonaws.com do {action} for {}",
                parcel.rule_arn
            ))),
            Err(error) => Err(Failed::Target(error.to_string())),
        }
    }

    /// A setting of the function that a parcel goes to; null where there is none.
    async fn setting(&self, parcel: &Parcel, date: &str, name: &str) -> Value {
        let path = format!("/{date}/functions/{}/{name}", parcel.arn());
        let scope = ("lambda", parcel.event.region.as_str());
        match self.upstream.root(Method::GET, scope, &path, &[], "").await {
            Ok(answer) if answer.status().is_success() => serde_json::from_slice(answer.body()).unwrap_or_default(),
            _ => Value::Null,
        }
    }

    /// How often Lambda tries a function again that fails.
    async fn retries(&self, parcel: &Parcel) -> u64 {
        self.setting(parcel, "2019-09-25", "event-invoke-config").await["MaximumRetryAttempts"].as_u64().unwrap_or(2)
    }

    async fn has_no_concurrency(&self, parcel: &Parcel) -> bool {
        self.setting(parcel, "2019-09-30", "concurrency").await["ReservedConcurrentExecutions"] == 0
    }

    /// Sends an event that Lambda gives up where the function has its failures sent: who took it.
    async fn given_up(&self, parcel: &Parcel, condition: Condition, count: u64, response: Value) -> Vec<String> {
        let input = json!({
            "function": parcel.arn(),
            "event": parcel.payload(),
            "condition": condition.name(),
            "count": count,
            "response": response,
        });
        let sent = self.upstream.tell("given_up", &input).await.unwrap_or_default();
        serde_json::from_value(sent).unwrap_or_default()
    }

    /// Sends an event that EventBridge gives up to the dead-letter queue of the rule's target: the queue that took it.
    async fn dead_letter(&self, parcel: &Parcel, reason: &str) -> Vec<String> {
        let Some(queue) = parcel.target["DeadLetterConfig"]["Arn"].as_str() else { return Vec::new() };
        let attributes = [
            ("RULE_ARN", parcel.rule_arn.as_str()),
            ("TARGET_ARN", parcel.arn()),
            ("ERROR_CODE", "SDK_CLIENT_ERROR"),
            ("ERROR_MESSAGE", reason),
        ];
        if self.admitted(parcel, queue, "sqs:SendMessage").await.is_err() {
            return Vec::new();
        }
        let sent = self.upstream.enqueue(queue, &parcel.event.body.to_string(), &attributes).await;
        sent.is_ok().then(|| queue.to_owned()).into_iter().collect()
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
