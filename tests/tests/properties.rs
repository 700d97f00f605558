//! Every property of every resource in `infra/warden.yaml`, and what holds it: a test in which the local account acts on
//! it, a test that reads it from the template, or its value here. The account keeps many settings and does nothing with
//! them (it deletes no log, encrypts no table, sends no mail), so a deployment proves nothing about those.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_sandbox::{DROPPED_PROPERTIES, workspace};
use warden_tests::template::{Template, text};

/// What holds a property.
enum Held {
    /// A test of that name: the file and the function.
    By(&'static str, &'static str),
    /// It has this value on every resource of the type.
    As(Value),
    /// Words for a reader, which AWS does nothing with.
    Words,
}
use Held::{As, By, Words};

const TEMPLATE: &str = "tests/tests/template.rs";
const DELIVERIES: &str = "tests/tests/deliveries.rs";

/// A guard is invoked by its rule, runs its code as its role with its settings, and reaches ledger and bus by their names.
const GUARD_RUNS: Held = By("tests/tests/access_guard.rs", "a_public_statement_goes_and_the_others_stay");
const ROLE_BINDS: Held = By("tests/tests/access_guard.rs", "the_role_itself_cannot_change_what_is_not_opted_in");
const NOTHING_LOST: Held = By(TEMPLATE, "no_event_is_lost_without_a_trace");
const RECORDS_ARRIVE: Held = By(DELIVERIES, "every_record_reaches_the_audit_log_and_a_critical_one_the_alerts_topic");
const LEDGER_LASTS: Held = By(TEMPLATE, "the_ledger_outlives_the_stack_and_its_mistakes");
const LEDGER_IS_FOUND: Held = By(TEMPLATE, "the_ledger_has_the_keys_and_indexes_that_the_code_queries");
const COMES_BACK: Held =
    By("tests/tests/waiting.rs", "a_critical_finding_that_is_opened_again_at_once_is_closed_each_time");
const TAGGED: Held = By(TEMPLATE, "everything_that_can_be_tagged_is");
const NAME_IS_TAKEN: Held = By("tests/tests/redeployment.rs", "a_first_deployment_that_failed_is_deleted_and_repeated");
const LAYER_RUNS: Held =
    By("tests/tests/secret_guard.rs", "secrets_go_to_secrets_manager_and_the_function_sees_what_it_saw");

fn properties(kind: &str) -> Vec<(&'static str, Held)> {
    let conditional =
        |condition: &str, parameter: &str| json!({"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]});
    match kind {
        "AWS::DynamoDB::Table" => vec![
            ("TableName", GUARD_RUNS),
            ("BillingMode", LEDGER_LASTS),
            ("DeletionProtectionEnabled", LEDGER_LASTS),
            ("PointInTimeRecoverySpecification", LEDGER_LASTS),
            ("SSESpecification", LEDGER_LASTS),
            ("KeySchema", LEDGER_IS_FOUND),
            ("GlobalSecondaryIndexes", LEDGER_IS_FOUND),
            (
                "AttributeDefinitions",
                As(["pk", "sk", "day", "open"]
                    .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
                    .to_vec()
                    .into()),
            ),
            ("Tags", TAGGED),
        ],
        "AWS::KMS::Key" => vec![
            ("Description", Words),
            ("KeySpec", As(json!("HMAC_256"))),
            ("KeyUsage", As(json!("GENERATE_VERIFY_MAC"))),
            ("KeyPolicy", By(TEMPLATE, "keys_are_for_exact_roles")),
            ("Tags", TAGGED),
        ],
        "AWS::Events::EventBus" => vec![("Name", RECORDS_ARRIVE), ("Tags", TAGGED)],
        "AWS::Events::EventBusPolicy" => {
            let only_warden = || By(TEMPLATE, "nobody_but_the_guards_and_the_operator_puts_events_on_wardens_bus");
            vec![("EventBusName", only_warden()), ("StatementId", Words), ("Statement", only_warden())]
        }
        "AWS::Logs::LogGroup" => vec![
            ("LogGroupName", NAME_IS_TAKEN),
            ("RetentionInDays", By("tests/tests/properties.rs", "logs_are_kept_as_long_as_the_parameters_say")),
            ("Tags", TAGGED),
        ],
        "AWS::Logs::ResourcePolicy" => vec![("PolicyName", NAME_IS_TAKEN), ("PolicyDocument", RECORDS_ARRIVE)],
        "AWS::Events::Rule" => vec![
            ("Name", NAME_IS_TAKEN),
            ("Description", Words),
            ("EventBusName", RECORDS_ARRIVE),
            ("EventPattern", By(DELIVERIES, "the_guards_own_changes_wake_nobody")),
            ("Targets", NOTHING_LOST),
            ("Tags", TAGGED),
        ],
        "AWS::SNS::Topic" => vec![
            ("TopicName", NAME_IS_TAKEN),
            ("DisplayName", Words),
            ("KmsMasterKeyId", As(conditional("HasAlertKey", "AlertKeyArn"))),
            ("Tags", TAGGED),
        ],
        "AWS::SNS::TopicPolicy" => vec![
            ("Topics", RECORDS_ARRIVE),
            ("PolicyDocument", By(TEMPLATE, "the_alerts_topic_takes_records_without_a_condition_and_alarms_with_one")),
        ],
        "AWS::SNS::Subscription" => vec![
            ("TopicArn", As(json!({"Ref": "Alerts"}))),
            ("Protocol", As(json!("email"))),
            ("Endpoint", As(json!({"Ref": "AlertEmail"}))),
        ],
        "AWS::SQS::Queue" => vec![
            ("QueueName", NAME_IS_TAKEN),
            ("MessageRetentionPeriod", NOTHING_LOST),
            ("VisibilityTimeout", NOTHING_LOST),
            ("RedrivePolicy", NOTHING_LOST),
            ("SqsManagedSseEnabled", NOTHING_LOST),
            ("Tags", TAGGED),
        ],
        "AWS::SQS::QueuePolicy" => vec![
            ("Queues", By(TEMPLATE, "nobody_but_the_guard_uses_its_delay_queue")),
            ("PolicyDocument", By("tests/tests/properties.rs", "every_rule_may_leave_what_it_cannot_deliver")),
        ],
        "AWS::CloudWatch::Alarm" => vec![
            ("AlarmName", NAME_IS_TAKEN),
            ("AlarmDescription", Words),
            ("Namespace", As(json!("AWS/SQS"))),
            ("MetricName", NOTHING_LOST),
            ("Dimensions", NOTHING_LOST),
            // One message in one minute raises it, and a queue that nobody writes to is no news.
            ("Statistic", As(json!("Maximum"))),
            ("Period", As(json!(60))),
            ("EvaluationPeriods", As(json!(1))),
            ("ComparisonOperator", NOTHING_LOST),
            ("Threshold", NOTHING_LOST),
            ("TreatMissingData", As(json!("notBreaching"))),
            ("AlarmActions", NOTHING_LOST),
            ("Tags", TAGGED),
        ],
        "AWS::IAM::ManagedPolicy" => vec![
            ("ManagedPolicyName", NAME_IS_TAKEN),
            ("Path", As(json!("/warden/"))),
            ("Description", Words),
            ("PolicyDocument", By(TEMPLATE, "what_the_code_calls_is_what_the_roles_allow")),
        ],
        "AWS::IAM::Role" => vec![
            ("RoleName", NAME_IS_TAKEN),
            ("Path", By(TEMPLATE, "keys_are_for_exact_roles")),
            ("Description", Words),
            ("AssumeRolePolicyDocument", By("tests/tests/properties.rs", "a_guards_role_is_lambdas_alone")),
            ("ManagedPolicyArns", GUARD_RUNS),
            ("Policies", ROLE_BINDS),
            ("Tags", TAGGED),
        ],
        "AWS::Lambda::Function" => vec![
            ("FunctionName", NAME_IS_TAKEN),
            ("Description", Words),
            ("Runtime", As(json!("provided.al2023"))),
            ("Handler", As(json!("bootstrap"))),
            ("Architectures", As(json!([{"Ref": "Architecture"}]))),
            ("MemorySize", As(json!(128))),
            ("Timeout", As(json!(120))),
            ("ReservedConcurrentExecutions", As(conditional("ReservesConcurrency", "ReservedConcurrency"))),
            ("Role", ROLE_BINDS),
            ("Code", GUARD_RUNS),
            ("LoggingConfig", By("tests/tests/properties.rs", "a_guard_logs_into_its_own_group")),
            ("Environment", By(TEMPLATE, "every_setting_reaches_every_guard")),
            ("Tags", TAGGED),
        ],
        "AWS::Lambda::EventSourceMapping" => vec![
            ("EventSourceArn", COMES_BACK),
            ("FunctionName", COMES_BACK),
            ("BatchSize", As(json!(1))),
            ("Tags", TAGGED),
        ],
        "AWS::Lambda::EventInvokeConfig" => vec![
            ("FunctionName", NOTHING_LOST),
            ("Qualifier", NOTHING_LOST),
            ("MaximumRetryAttempts", NOTHING_LOST),
            ("MaximumEventAgeInSeconds", NOTHING_LOST),
            ("DestinationConfig", NOTHING_LOST),
        ],
        "AWS::Lambda::Permission" => {
            let held = || By(TEMPLATE, "only_warden_s_own_rule_invokes_a_guard");
            vec![
                ("FunctionName", GUARD_RUNS),
                ("Action", As(json!("lambda:InvokeFunction"))),
                ("Principal", held()),
                ("SourceArn", held()),
            ]
        }
        "AWS::Lambda::LayerVersion" => vec![
            ("LayerName", LAYER_RUNS),
            ("Description", Words),
            ("LicenseInfo", Words),
            ("CompatibleArchitectures", By(TEMPLATE, "the_layer_is_for_the_architecture_of_the_guards")),
            ("Content", LAYER_RUNS),
        ],
        _ => panic!("{kind}: say what holds each of its properties"),
    }
}

#[test]
fn every_property_is_held_by_a_test() {
    let template = Template::read();
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, resource) in template.section("Resources") {
        let kind = text(&resource["Type"]);
        let held: BTreeMap<&str, Held> = properties(kind).into_iter().collect();
        for (property, value) in resource["Properties"].as_object().expect("properties") {
            seen.entry(kind).or_default().insert(property);
            match held.get(property.as_str()) {
                Some(As(expected)) => assert_eq!(value, expected, "{name}: {property}"),
                Some(Words) => assert!(value.as_str().is_some_and(|words| !words.is_empty()), "{name}: {property}"),
                Some(By(file, test)) => {
                    let source = std::fs::read_to_string(workspace().join(file)).expect("the test's file");
                    assert!(source.contains(&format!("fn {test}() {{")), "{file} has no test {test}");
                }
                None => panic!("{name}: what holds {property}?"),
            }
        }
    }
    for (kind, used) in seen {
        let unused: Vec<&str> =
            properties(kind).iter().map(|(name, _)| *name).filter(|name| !used.contains(name)).collect();
        assert!(unused.is_empty(), "{kind}: the template has no {unused:?}");
    }
}

/// What the account does not even keep cannot be held by a test of the account.
#[test]
fn what_the_account_drops_is_read_from_the_template() {
    let dropped: BTreeMap<String, Vec<String>> = serde_json::from_str(DROPPED_PROPERTIES).expect("the list");
    for (kind, names) in dropped {
        let held: BTreeMap<&str, Held> = properties(&kind).into_iter().collect();
        for name in names {
            let read = match held.get(name.as_str()) {
                Some(By(file, _)) => *file == TEMPLATE,
                Some(As(_)) => true,
                Some(Words) | None => false,
            };
            assert!(read, "{kind}: {name}");
        }
    }
}

#[test]
fn logs_are_kept_as_long_as_the_parameters_say() {
    let template = Template::read();
    for (name, group) in template.of_type("AWS::Logs::LogGroup") {
        let parameter = if name == "AuditLog" { "AuditRetentionDays" } else { "LogRetentionDays" };
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": parameter}), "{name}");
    }
    // Ten years of records; what a guard prints is for the one who looks into a failure.
    for (parameter, days) in [("AuditRetentionDays", 3653), ("LogRetentionDays", 30)] {
        assert_eq!(template.section("Parameters")[parameter]["Default"], days, "{parameter}");
    }
}

#[test]
fn every_rule_may_leave_what_it_cannot_deliver() {
    let template = Template::read();
    let statement = &template.resource("UndeliveredPolicy")["Properties"]["PolicyDocument"]["Statement"];
    let expected = |key: &str, value: Value| assert_eq!(statement[0][key], value, "{key}");
    expected("Effect", json!("Allow"));
    expected("Principal", json!({"Service": "events.amazonaws.com"}));
    expected("Action", json!("sqs:SendMessage"));
    expected("Resource", json!({"Fn::GetAtt": "Undelivered.Arn"}));
    let sources = statement[0]["Condition"]["ArnLike"]["aws:SourceArn"].to_string();
    for (name, rule) in template.of_type("AWS::Events::Rule") {
        // A rule of the default bus has no bus in its ARN.
        let on_bus = if rule["Properties"].get("EventBusName").is_some() {
            "rule/${Prefix}/${Prefix}-*"
        } else {
            "rule/${Prefix}-*"
        };
        assert!(sources.contains(on_bus), "{name}: {sources}");
        assert!(text(&rule["Properties"]["Name"]["Fn::Sub"]).starts_with("${Prefix}-"), "{name}");
    }
}

#[test]
fn a_guards_role_is_lambdas_alone() {
    let template = Template::read();
    let lambda =
        json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let operator = name == "OperatorRole";
        let statements = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        // Who may become the operator: `an_operator_must_say_who_they_are`.
        assert_eq!(statements == &lambda, !operator, "{name}");
    }
}

/// Lambda would make a group of its own otherwise, whose logs are kept for ever.
#[test]
fn a_guard_logs_into_its_own_group() {
    let template = Template::read();
    for (name, function) in template.of_type("AWS::Lambda::Function") {
        let group = json!({"Ref": format!("{name}Log")});
        let logging =
            json!({"LogGroup": group, "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN"});
        assert_eq!(function["Properties"]["LoggingConfig"], logging, "{name}");
    }
}
