//! The trail with a real bootstrap: events reach it, its calls are attributed, and what goes wrong goes wrong as on
//! AWS.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use aws_credential_types::Credentials;
use aws_lambda_events::{cloudwatch_events::cloudtrail::AWSAPICall, eventbridge::EventBridgeEvent};
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_lambda::{
    config::retry::RetryConfig,
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{
        DeadLetterConfig, DestinationConfig, Environment, FunctionCode, FunctionUrlAuthType, InvocationType, OnFailure,
        Runtime,
    },
};
use aws_types::region::Region;
use serde_json::{Value, json};
use warden_sandbox::{
    ACCOUNT, CallMatch, Fault, Options, Order, Outcome, Sandbox, SandboxError, Setting, Stack, build_guards,
    round_trips, workspace,
};

/// An account with the guest deployed as a guard is, and a function `shop` that it watches.
struct Account {
    sandbox: Sandbox,
    lambda: aws_sdk_lambda::Client,
}

impl Account {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(parameters: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(Options { retry_delay: Duration::from_millis(5), ..Options::default() }).await;
        let sandbox = sandbox.expect("a sandbox");
        let template = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/guest.yaml");
        let stack = Stack { name: "guest", template: &template, parameters, guards: &[("guest", &GUEST)], layer: None };
        let outputs = sandbox.deploy(&stack).await.expect("the stack");
        assert_eq!(outputs, [("Guest".to_owned(), "arn:aws:lambda:us-east-1:111122223333:function:guest".to_owned())]);
        sandbox.set(Setting::UpdateLooks(0)).await.expect("a setting");
        let lambda = aws_sdk_lambda::Client::new(&sandbox.config());
        // The end-of-directory record alone: the smallest zip there is.
        let mut zip = b"PK\x05\x06".to_vec();
        zip.resize(22, 0);
        let function = lambda.create_function().function_name("shop").runtime(Runtime::Providedal2023);
        let function = function.handler("bootstrap").code(FunctionCode::builder().zip_file(Blob::new(zip)).build());
        let environment = Environment::builder().variables("DB_PASSWORD", "canary-7d1f/=+").build();
        let function = function.role("arn:aws:iam::111122223333:role/warden/guard/guest").environment(environment);
        function.send().await.expect("the function shop");
        Self { sandbox, lambda }
    }

    async fn open(&self, sid: &str) {
        let add = self.lambda.add_permission().function_name("shop").statement_id(sid).principal("*");
        add.action("lambda:InvokeFunction").send().await.expect("a statement");
    }

    /// Takes away the statement that lets EventBridge invoke the guest.
    async fn take_the_guests_permission(&self) {
        let policy = self.lambda.get_policy().function_name("guest").send().await.expect("the guest's policy");
        let policy: Value = serde_json::from_str(&policy.policy.unwrap_or_default()).expect("a policy");
        let sid = policy["Statement"][0]["Sid"].as_str().expect("a Sid");
        self.lambda.remove_permission().function_name("guest").statement_id(sid).send().await.expect("removed");
    }

    async fn is_open(&self) -> bool {
        self.lambda.get_policy().function_name("shop").send().await.is_ok()
    }

    /// Where an event of that source on the bus `warden` ended: each topic, and how.
    async fn ends_of(&self, source: &str) -> Vec<(String, Outcome)> {
        let events = aws_sdk_eventbridge::Client::new(&self.sandbox.config());
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().event_bus_name("warden");
        let entry = entry.source(source).detail_type("d").detail("{}").build();
        events.put_events().entries(entry).send().await.expect("put");
        self.sandbox.settle().await.expect("settled");
        let topic = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        let mut ends: Vec<(String, Outcome)> =
            self.sandbox.trail().deliveries().into_iter().map(|end| (topic(&end.target), end.outcome)).collect();
        ends.retain(|(_, outcome)| !matches!(outcome, Outcome::NotDelivered(_)));
        ends.sort_by(|a, b| a.0.cmp(&b.0));
        ends
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.sandbox.trail().deliveries().into_iter().map(|delivery| delivery.outcome).collect()
    }

    /// The bodies of the messages in a queue.
    async fn messages(&self, queue: &str) -> Vec<Value> {
        self.sandbox
            .messages(queue)
            .await
            .expect("the queue")
            .iter()
            .map(|body| serde_json::from_str(body).expect("JSON"))
            .collect()
    }
}

/// The small guard of `tests/bin`.
static GUEST: LazyLock<PathBuf> =
    LazyLock::new(|| build_guards(&workspace(), &["guest"], &|_| {}).expect("the guest").remove(0));

#[tokio::test]
async fn a_change_is_put_right_by_a_function_that_an_event_woke() {
    let account = Account::new().await;
    let trail = account.sandbox.trail();
    trail.in_lockstep(true);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert!(!account.is_open().await);

    let deliveries = trail.deliveries();
    let [delivery] = deliveries.as_slice() else {
        panic!("one delivery, for the guard's own change is filtered: {deliveries:?}")
    };
    assert_eq!((delivery.event_name.as_str(), delivery.rule.as_str()), ("AddPermission20150331v2", "guest"));
    assert_eq!((&delivery.outcome, delivery.attempt), (&Outcome::Done, 1));
    let calls = trail.calls_of(delivery.invocation.as_ref().expect("an invocation"));
    let names: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(names, ["GetPolicy", "RemovePermission"]);
    assert!(calls.iter().all(|call| call.by_role("guest") && call.succeeded()), "{calls:?}");
    assert_eq!(round_trips(&calls), 2);
}

/// Asks CloudTrail for an event, again where the account's two lookups a second are used up; says what it answers, or the
/// error's code.
async fn looked_up(history: &aws_sdk_cloudtrail::Client, id: &str) -> Result<Vec<Value>, String> {
    loop {
        let wanted = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventId).attribute_value(id);
        let answer = history.lookup_events().lookup_attributes(wanted.build().expect("an attribute")).send().await;
        match answer.map_err(|error| error.code().unwrap_or_default().to_owned()) {
            Err(code) if code == "ThrottlingException" => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(code) => return Err(code),
            Ok(answer) => {
                let events = answer.events().iter().filter_map(|event| event.cloud_trail_event());
                return Ok(events.map(|event| serde_json::from_str(event).expect("JSON")).collect());
            }
        }
    }
}

#[tokio::test]
async fn cloudtrails_history_has_an_event_once_it_was_asked_for_and_nobody_may_rely_on_its_being_quick() {
    let account = Account::new().await;
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let trail = account.sandbox.trail();
    let added = |event: &Value| event["detail"]["eventName"] == "AddPermission20150331v2";
    let event = trail.events().into_iter().find(added).expect("the event");
    let id = event["detail"]["eventID"].as_str().expect("an id");
    let client = |region: &str, credentials: Option<Credentials>| {
        let config = match credentials {
            Some(credentials) => account.sandbox.config_as(credentials, region),
            None => account.sandbox.config().into_builder().region(Region::new(region.to_owned())).build(),
        };
        aws_sdk_cloudtrail::Client::new(&config.into_builder().retry_config(RetryConfig::disabled()).build())
    };
    let history = client("us-east-1", None);

    assert_eq!(looked_up(&history, id).await, Ok(vec![]));
    assert_eq!(looked_up(&history, id).await, Ok(vec![event["detail"].clone()]));
    for _ in 0..2 {
        assert_eq!(looked_up(&client("eu-west-1", None), id).await, Ok(vec![]), "it happened elsewhere");
        assert_eq!(looked_up(&history, "5f0c8c1a-0000-4000-8000-000000000002").await, Ok(vec![]), "it never happened");
    }
    trail.hide_events(true);
    assert_eq!(looked_up(&history, id).await, Ok(vec![]));
    trail.hide_events(false);
    assert_eq!(looked_up(&history, id).await, Ok(vec![event["detail"].clone()]));

    let guest = account.sandbox.session("arn:aws:iam::111122223333:role/warden/guard/guest", "guest").await;
    let guest = client("us-east-1", Some(guest.expect("a session")));
    assert_eq!(looked_up(&guest, id).await, Err("AccessDeniedException".to_owned()));
    assert_eq!(looked_up(&history, "").await, Err("ValidationException".to_owned()));
    assert_eq!(
        history.lookup_events().send().await.expect_err("refused").code(),
        Some("InvalidLookupAttributesException")
    );
}

/// However slow the machine is, some three of many come within a second.
#[tokio::test]
async fn more_than_two_lookups_a_second_are_refused() {
    let account = Account::new().await;
    let config = account.sandbox.config().into_builder().retry_config(RetryConfig::disabled()).build();
    let history = aws_sdk_cloudtrail::Client::new(&config);
    loop {
        let wanted = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventId).attribute_value("a");
        let ask = history.lookup_events().lookup_attributes(wanted.build().expect("an attribute"));
        if let Err(error) = ask.send().await {
            assert_eq!(error.code(), Some("ThrottlingException"));
            return;
        }
    }
}

#[tokio::test]
async fn events_have_the_shape_that_cloudtrail_gives_them() {
    let account = Account::new().await;
    account.open("everyone").await;
    account
        .lambda
        .tag_resource()
        .resource("arn:aws:lambda:us-east-1:111122223333:function:shop")
        .tags("warden", "enforce")
        .send()
        .await
        .expect("tagged");
    account.sandbox.settle().await.expect("settled");
    let events = account.sandbox.trail().events();
    let of = |name: &str| {
        events.iter().find(|event| event["detail"]["eventName"] == name).unwrap_or_else(|| panic!("{name}"))
    };

    let created = &of("CreateFunction20150331")["detail"];
    assert_eq!(created["requestParameters"]["environment"], json!({}));
    assert_eq!(created["requestParameters"]["code"], json!({}));
    assert_eq!(created["responseElements"]["environment"], json!({}));
    assert_eq!(created["userIdentity"]["type"], "IAMUser");
    assert_eq!(created["userIdentity"]["userName"], "administrator");
    assert_eq!(created["userIdentity"]["sessionContext"], Value::Null);

    let added = of("AddPermission20150331v2");
    assert_eq!(
        (&added["source"], &added["detail-type"]),
        (&json!("aws.lambda"), &json!("AWS API Call via CloudTrail"))
    );
    assert_eq!((&added["account"], &added["region"]), (&json!("111122223333"), &json!("us-east-1")));
    assert_eq!(
        added["detail"]["requestParameters"],
        json!({"functionName": "shop", "statementId": "everyone",
        "principal": "*", "action": "lambda:InvokeFunction"})
    );
    let statement = added["detail"]["responseElements"]["statement"].as_str().expect("a statement");
    assert_eq!(serde_json::from_str::<Value>(statement).expect("JSON")["Sid"], "everyone");

    let removed = &of("RemovePermission20150331v2")["detail"];
    assert_eq!(removed["requestParameters"]["statementId"], "everyone");
    assert_eq!(removed["responseElements"], Value::Null);
    assert_eq!(removed["userIdentity"]["type"], "AssumedRole");
    assert_eq!(removed["userIdentity"]["arn"], "arn:aws:sts::111122223333:assumed-role/guest/guest");
    let issuer = &removed["userIdentity"]["sessionContext"]["sessionIssuer"];
    assert_eq!(issuer["arn"], "arn:aws:iam::111122223333:role/warden/guard/guest");

    let tagged = &of("TagResource20170331v2")["detail"]["requestParameters"];
    assert_eq!(
        tagged,
        &json!({"resource": "arn:aws:lambda:us-east-1:111122223333:function:shop", "tags": {"warden": "enforce"}})
    );

    // Denied: an event that says so and nothing of what was asked.
    let session =
        account.sandbox.session("arn:aws:iam::111122223333:role/warden/guard/guest", "s").await.expect("a session");
    let lambda = aws_sdk_lambda::Client::new(&account.sandbox.config_as(session, "us-east-1"));
    lambda.publish_version().function_name("shop").send().await.expect_err("denied");
    let events = account.sandbox.trail().events();
    let denied = &events.last().expect("an event")["detail"];
    assert_eq!((&denied["errorCode"], &denied["requestParameters"]), (&json!("AccessDenied"), &Value::Null));

    for event in &events {
        let complete = serde_json::from_value::<EventBridgeEvent<AWSAPICall>>(event.clone());
        complete.unwrap_or_else(|error| panic!("what AWS always sends is missing: {error}: {event:#}"));
    }
}

#[tokio::test]
async fn a_secret_is_found_where_it_crosses_and_only_there() {
    let account = Account::new().await;
    let sightings = account.sandbox.trail().find("canary-7d1f/=+");
    let places: Vec<(&str, bool)> = sightings.iter().map(|s| (s.operation.as_str(), s.in_request)).collect();
    assert_eq!(places, [("CreateFunction", true), ("CreateFunction", false)]);
    assert_eq!(account.sandbox.trail().find("canary-7d1f/=+x"), []);
}

#[tokio::test]
async fn a_function_that_dies_is_invoked_again() {
    let account = Account::new().await;
    let guest = CallMatch::operation("RemovePermission").by("/guest/");
    account.sandbox.trail().faults().inject(guest.clone(), 1, Fault::KillBefore);
    account.sandbox.trail().faults().inject(guest, 2, Fault::KillAfter);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert!(!account.is_open().await);
    let outcomes = account.outcomes();
    assert!(
        matches!(outcomes.as_slice(), [Outcome::FunctionError(_), Outcome::FunctionError(_), Outcome::Done]),
        "{outcomes:?}"
    );
    assert_eq!(account.sandbox.trail().faults().pending(), []);
}

#[tokio::test]
async fn a_function_that_keeps_failing_ends_in_its_destination() {
    let account = Account::new().await;
    let deny = Fault::Answer { status: 403, code: "AccessDeniedException".to_owned() };
    account.sandbox.trail().faults().inject_next(CallMatch::operation("RemovePermission"), 3, deny);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let failures = "arn:aws:sqs:us-east-1:111122223333:failures".to_owned();
    assert_eq!(account.outcomes().last(), Some(&Outcome::GivenUp { to: Some(failures) }));
    let messages = account.messages("failures").await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(messages[0]["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(messages[0]["requestPayload"]["detail"]["eventName"], "AddPermission20150331v2");
}

/// Lets the guest's role send to a queue, and the guest have its failures sent there.
async fn with_dead_letters(account: &Account, queue: &str) {
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}");
    let statement = json!({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let update = |arn: &str| {
        let config = DeadLetterConfig::builder().target_arn(arn).build();
        account.lambda.update_function_configuration().function_name("guest").dead_letter_config(config).send()
    };
    let refused = update(&arn).await.expect_err("the role may not send there");
    assert_eq!(refused.code(), Some("InvalidParameterValueException"));
    let put = iam.put_role_policy().role_name("guest").policy_name("dead-letters").policy_document(policy);
    put.send().await.expect("a policy");
    update(&arn).await.expect("a dead-letter queue");
}

#[tokio::test]
async fn a_function_that_keeps_failing_sends_the_event_itself_to_its_dead_letter_queue() {
    let account = Account::new().await;
    with_dead_letters(&account, "closed").await;
    let deny = Fault::Answer { status: 403, code: "AccessDeniedException".to_owned() };
    account.sandbox.trail().faults().inject_next(CallMatch::operation("RemovePermission"), 3, deny);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let given_up = |queue: &str| Outcome::GivenUp { to: Some(format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}")) };
    let outcomes = account.outcomes();
    assert_eq!(outcomes[3..], [given_up("failures"), given_up("closed")], "{outcomes:?}");
    let (record, event) = (account.messages("failures").await.remove(0), account.messages("closed").await.remove(0));
    assert_eq!(record["requestPayload"], event);
    assert_eq!(event["detail"]["eventName"], "AddPermission20150331v2");
}

#[tokio::test]
async fn a_function_without_concurrency_runs_never_and_its_events_go_where_failures_go() {
    let account = Account::new().await;
    let put = account.lambda.put_function_concurrency().function_name("guest").reserved_concurrent_executions(0);
    put.send().await.expect("no concurrency");
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let failures = "arn:aws:sqs:us-east-1:111122223333:failures".to_owned();
    let outcomes = account.outcomes();
    assert!(
        matches!(outcomes.as_slice(), [Outcome::NotRun(_), Outcome::GivenUp { to: Some(to) }] if *to == failures),
        "{outcomes:?}"
    );
    let record = account.messages("failures").await.remove(0);
    assert_eq!(record["requestContext"]["condition"], "ZeroReservedConcurrency");
    assert_eq!(record["requestPayload"]["detail"]["eventName"], "AddPermission20150331v2");
    assert_eq!(account.messages("undelivered").await, Vec::<Value>::new());
}

/// An asynchronous Invoke of somebody's, without EventBridge.
#[tokio::test]
async fn what_a_function_fails_on_goes_the_same_way_whoever_invoked_it() {
    let account = Account::new().await;
    with_dead_letters(&account, "closed").await;
    let config = account.lambda.put_function_event_invoke_config().function_name("guest").maximum_retry_attempts(0);
    let failures = "arn:aws:sqs:us-east-1:111122223333:failures";
    let destination = OnFailure::builder().destination(failures).build();
    let config = config.destination_config(DestinationConfig::builder().on_failure(destination).build());
    config.send().await.expect("no retries");
    let event = json!({"detail": {"requestParameters": {"functionName": "no name", "statementId": "everyone"}}});
    let invoke = account.lambda.invoke().function_name("guest").invocation_type(InvocationType::Event);
    invoke.payload(Blob::new(event.to_string())).send().await.expect("invoked");
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.messages("closed").await, std::slice::from_ref(&event));
    assert_eq!(account.messages("failures").await[0]["requestPayload"], event);
}

#[tokio::test]
async fn what_is_not_permitted_is_not_tried_again() {
    let account = Account::new().await;
    account.take_the_guests_permission().await;
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let outcomes = account.outcomes();
    assert!(matches!(outcomes.as_slice(), [Outcome::NotDelivered(_), Outcome::GivenUp { .. }]), "{outcomes:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_ends_in_the_dead_letter_queue() {
    let account = Account::new().await;
    account.take_the_guests_permission().await;
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert!(account.is_open().await);
    let undelivered = "arn:aws:sqs:us-east-1:111122223333:undelivered".to_owned();
    assert_eq!(account.outcomes().last(), Some(&Outcome::GivenUp { to: Some(undelivered) }));
    assert_eq!(account.messages("undelivered").await[0]["detail"]["eventName"], "AddPermission20150331v2");
}

#[tokio::test]
async fn eventbridge_names_the_rule_and_no_account_to_a_function() {
    let account = Account::new().await;
    account.take_the_guests_permission().await;
    let add = account.lambda.add_permission().function_name("guest").statement_id("bound").source_account(ACCOUNT);
    let add = add.principal("events.amazonaws.com").action("lambda:InvokeFunction");
    add.source_arn("arn:aws:events:us-east-1:111122223333:rule/guest").send().await.expect("a statement");
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert!(account.is_open().await);
    assert!(matches!(account.outcomes().first(), Some(Outcome::NotDelivered(_))), "{:?}", account.outcomes());
}

#[tokio::test]
async fn eventbridge_names_nothing_to_a_topic() {
    let account = Account::new().await;
    assert_eq!(
        account.ends_of("alert").await,
        [("bound".to_owned(), Outcome::GivenUp { to: None }), ("open".to_owned(), Outcome::Done)]
    );
}

#[tokio::test]
async fn the_key_of_a_topic_lets_eventbridge_use_it_or_nothing_arrives() {
    let account = Account::new().await;
    assert_eq!(
        account.ends_of("sealed").await,
        [("keyed".to_owned(), Outcome::Done), ("locked".to_owned(), Outcome::GivenUp { to: None })]
    );
}

#[tokio::test]
async fn lost_answers_and_throttles_are_met_by_the_sdk() {
    let account = Account::new().await;
    let faults = account.sandbox.trail().faults();
    faults.inject(CallMatch::operation("GetPolicy").by("/guest/"), 1, Fault::Throttle);
    faults.inject(CallMatch::operation("GetPolicy").by("/guest/"), 1, Fault::ServerError);
    faults.inject(CallMatch::operation("RemovePermission").by("/guest/"), 1, Fault::LoseAnswer);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert!(!account.is_open().await);
    let calls = account.sandbox.trail().calls();
    let seen: Vec<(&str, Option<u16>)> =
        calls.iter().filter(|call| call.by_role("guest")).map(|call| (call.operation.as_str(), call.status)).collect();
    assert_eq!(seen.first(), Some(&("GetPolicy", Some(429))));
    assert!(seen.contains(&("GetPolicy", Some(500))) && seen.contains(&("RemovePermission", None)), "{seen:?}");
    assert_eq!(faults.pending(), []);
}

#[tokio::test]
async fn a_region_without_function_urls_does_not_know_their_operations() {
    let account = Account::new().await;
    let faults = account.sandbox.trail().faults();
    faults.without_function_urls();
    let create = account.lambda.create_function_url_config().function_name("shop");
    let refused = create.auth_type(FunctionUrlAuthType::AwsIam).send().await.expect_err("refused to the administrator");
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    assert_eq!(refused.message(), Some("Unable to determine service/operation name to be authorized"));
    assert!(account.lambda.list_function_url_configs().function_name("shop").send().await.is_err());
    account.lambda.list_aliases().function_name("shop").send().await.expect("known");
    faults.clear();
    let urls = account.lambda.list_function_url_configs().function_name("shop").send().await.expect("known again");
    assert!(urls.function_url_configs().is_empty());
}

#[tokio::test]
async fn held_events_come_late_twice_and_in_reverse() {
    let account = Account::new().await;
    let faults = account.sandbox.trail().faults();
    faults.hold_deliveries();
    account.open("first").await;
    account.sandbox.settle().await.expect("settled");
    account.open("second").await;
    account.sandbox.settle().await.expect("settled");
    assert!(account.is_open().await);
    account.sandbox.trail().release(Order::Reversed);
    account.sandbox.settle().await.expect("settled");
    assert!(!account.is_open().await);
    let removed: Vec<Value> = account
        .sandbox
        .trail()
        .events()
        .into_iter()
        .filter(|event| event["detail"]["eventName"] == "RemovePermission20150331v2")
        .map(|event| event["detail"]["requestParameters"]["statementId"].clone())
        .collect();
    assert_eq!(removed, ["second", "first"]);

    let before = account.outcomes().len();
    account.sandbox.trail().faults().duplicate_deliveries(1);
    account.open("third").await;
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.outcomes().len() - before, 2);
    assert!(!account.is_open().await);
}

#[tokio::test]
async fn rules_are_followed_as_they_change() {
    let account = Account::new().await;
    let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
    events.disable_rule().name("guest").send().await.expect("disabled");
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.outcomes(), []);
    events.enable_rule().name("guest").send().await.expect("enabled");
    account.open("again").await;
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.outcomes(), [Outcome::Done]);
}

#[tokio::test]
async fn settling_says_what_it_waits_for() {
    let account = Account::new().await;
    let faults = account.sandbox.trail().faults();
    faults.inject(CallMatch::operation("GetPolicy").by("/guest/"), 1, Fault::Delay(Duration::from_secs(600)));
    account.open("everyone").await;
    // Long enough for the event to be on its way, whatever the machine: it never ends by itself.
    while !account.sandbox.trail().faults().pending().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = account.sandbox.trail().settle(Duration::from_millis(10)).await.expect_err("not settled");
    let SandboxError::NotSettled { under_way, .. } = error else { panic!("{error}") };
    let waiting = "AddPermission20150331v2 by guest to arn:aws:lambda:us-east-1:111122223333:function:guest";
    assert_eq!(under_way, [waiting]);
}

#[tokio::test]
async fn records_on_a_bus_reach_its_targets() {
    let account = Account::new().await;
    let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
    let entry = |source: &str| {
        let entry =
            aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().event_bus_name("warden").source(source);
        entry.detail_type("Remediation Activity").detail(r#"{"severity_id":5}"#).build()
    };
    events.put_events().entries(entry("warden")).entries(entry("other")).send().await.expect("put");
    account.sandbox.settle().await.expect("settled");
    let lines = account.sandbox.log_lines("/warden/audit").await.expect("the log group");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(account.sandbox.log_lines("/sealed").await.expect("the log group"), Vec::<String>::new());
    let record: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!((&record["source"], &record["detail"]["severity_id"]), (&json!("warden"), &json!(5)));
    // The queue whose policy admits EventBridge has it once; for the other one it went to the dead letters.
    assert_eq!(account.messages("records").await, std::slice::from_ref(&record));
    assert_eq!(account.messages("closed").await, Vec::<Value>::new());
    assert_eq!(account.messages("undelivered").await, [record]);
}

#[tokio::test]
async fn a_failure_is_parked_only_if_the_functions_role_may() {
    let account = Account::new().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    iam.delete_role_policy().role_name("guest").policy_name("least").send().await.expect("deleted");
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.outcomes().last(), Some(&Outcome::GivenUp { to: None }));
    assert_eq!(account.messages("failures").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_failure_is_parked_only_if_the_queue_does_not_refuse_the_functions_role() {
    let account = Account::with(&[("Denied", "arn:aws:iam::111122223333:role/warden/guard/guest")]).await;
    let deny = Fault::Answer { status: 403, code: "AccessDeniedException".to_owned() };
    account.sandbox.trail().faults().inject_next(CallMatch::operation("RemovePermission"), 3, deny);
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    assert_eq!(account.outcomes().last(), Some(&Outcome::GivenUp { to: None }));
}

#[tokio::test]
async fn what_a_function_calls_says_which_function_it_is() {
    let account = Account::new().await;
    let iam = aws_sdk_iam::Client::new(&account.sandbox.config());
    let only = async |function: &str| {
        let arn = format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}");
        let statement = json!({"Effect": "Allow", "Action": "lambda:*", "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": arn}}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let put = iam.put_role_policy().role_name("guest").policy_name("least").policy_document(policy);
        put.send().await.expect("a policy");
    };
    only("shop").await;
    account.open("first").await;
    account.sandbox.settle().await.expect("settled");
    assert!(account.is_open().await);
    only("guest").await;
    account.open("second").await;
    account.sandbox.settle().await.expect("settled");
    let left = account.lambda.get_policy().function_name("shop").send().await.expect("a policy").policy;
    assert!(!left.unwrap_or_default().contains("second"));
}

#[tokio::test]
async fn bootstraps_see_what_lambda_shows_them_and_no_more() {
    let account = Account::new().await;
    account.open("everyone").await;
    account.sandbox.settle().await.expect("settled");
    let payload = json!({"detail": {"requestParameters": {"functionName": "shop", "statementId": "again"}}});
    account.sandbox.trail().faults().hold_deliveries();
    account.open("again").await;
    let answer = account.lambda.invoke().function_name("guest").payload(Blob::new(payload.to_string())).send().await;
    let names: Vec<String> =
        serde_json::from_slice(answer.expect("invoked").payload.expect("names").as_ref()).expect("JSON");
    let foreign = ["GATEWAY_PORT", "AUTH", "MINISTACK_ACCOUNT_ID", "S3_DATA_DIR", "BIND_HOST"];
    assert!(!names.iter().any(|name| foreign.contains(&name.as_str())), "{names:?}");
    assert!(names.iter().any(|name| name == "AWS_LAMBDA_FUNCTION_NAME"), "{names:?}");
}
