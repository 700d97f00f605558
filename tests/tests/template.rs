//! What `infra/warden.yaml` must say, read from the file itself: a local account ignores some of these settings in
//! silence (recovery, encryption, retries), so a deployment there proves nothing about them.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Deployment, permissions};
use warden_engine::model::{settings::Settings, tags::GuardKind};
use warden_generate::id;
use warden_guards::{AnyGuard, GUARDS, names};
use warden_tests::template::{TEMPLATE, Template, actions, list, text, verb};

/// What a guard's role is called in the template.
fn role(guard: &dyn AnyGuard) -> String {
    format!("{}Role", id(guard.kind().name()))
}

/// What Lambda itself does with a guard's role: logs, and the on-failure destination.
const PLATFORM_CALLS: &[&str] = &[
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

#[test]
fn the_ledger_outlives_the_stack_and_its_mistakes() {
    let template = Template::read();
    let table = &template.resource("Ledger")["Properties"];
    // Off while the stack is created: a rollback could not delete the table.
    assert_eq!(table["DeletionProtectionEnabled"], json!({"Fn::If": ["ProtectsLedger", true, false]}));
    assert_eq!(template.section("Parameters")["ProtectLedger"]["Default"], "off");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table.get("TimeToLiveSpecification"), None, "a record never expires");
}

/// `Retain` alone would hold in a rollback too, and the next try would find the names taken.
#[test]
fn what_outlives_the_stack_does_not_outlive_a_creation_that_failed() {
    let template = Template::read();
    let mut retained = BTreeSet::new();
    for (name, resource) in template.section("Resources") {
        let policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"));
        if policies == (Some(&json!("RetainExceptOnCreate")), Some(&json!("Retain"))) {
            retained.insert(name.as_str());
        } else {
            let goes = |policy: Option<&Value>| policy.is_none_or(|policy| policy == "Delete");
            assert!(goes(policies.0) && goes(policies.1), "{name}: {policies:?}");
        }
    }
    // The layer: a function whose layer version is deleted goes on, but can be given no other configuration with it.
    assert_eq!(retained, BTreeSet::from(["AuditLog", "HashKey", "Ledger", "ProofKey", "SealKey", "SecretEnvLayer"]));
}

/// Each is a name of the template's own, or what everything in the ledger was made with.
const TAKEN_OVER: [(&str, &str, &str); 5] = [
    ("Ledger", "MakesTable", "ExistingTable"),
    ("ProofKey", "MakesProofKey", "ExistingProofKey"),
    ("HashKey", "MakesHashKey", "ExistingHashKey"),
    ("SealKey", "MakesSealKey", "ExistingSealKey"),
    ("AuditLog", "MakesAuditLog", "ExistingAuditLog"),
];

#[test]
fn what_a_stack_before_it_has_left_takes_the_place_of_its_own_everywhere() {
    let template = Template::read();
    for (resource, condition, parameter) in TAKEN_OVER {
        assert_eq!(template.resource(resource)["Condition"], condition);
        assert_eq!(template.section("Conditions")[condition], json!({"Fn::Equals": [{"Ref": parameter}, ""]}));
        let mut choices = 0;
        for section in ["Resources", "Outputs"] {
            for (name, node) in template.section(section) {
                choices += choices_between(node, resource, condition, parameter, name);
            }
        }
        assert!(choices > 3, "{resource} is referred to {choices} times");
    }
}

/// How often a node chooses between the resource and the parameter by the condition. It may refer to the resource
/// nowhere else.
fn choices_between(node: &Value, resource: &str, condition: &str, parameter: &str, place: &str) -> usize {
    let text = node.to_string();
    let names = |text: &str, name: &str| {
        [format!(r#""{name}""#), format!(r#""{name}."#), format!("${{{name}}}"), format!("${{{name}.")]
            .iter()
            .any(|reference| text.contains(reference))
    };
    if let Some(branches) = node.get("Fn::If").filter(|branches| branches[0] == condition) {
        let (own, given) = (branches[1].to_string(), branches[2].to_string());
        assert!(names(&own, resource) && names(&given, parameter), "{place}: {text}");
        return 1;
    }
    match node {
        Value::Array(items) => {
            items.iter().map(|item| choices_between(item, resource, condition, parameter, place)).sum()
        }
        Value::Object(fields) => {
            let refers = ["Ref", "Fn::GetAtt"].iter().any(|function| {
                let target = fields.get(*function).and_then(Value::as_str).unwrap_or_default();
                target == resource || target.starts_with(&format!("{resource}."))
            });
            assert!(!refers, "{place}: {text}");
            fields.values().map(|field| choices_between(field, resource, condition, parameter, place)).sum()
        }
        Value::String(text) => {
            assert!(
                !text.contains(&format!("${{{resource}}}")) && !text.contains(&format!("${{{resource}.")),
                "{place}"
            );
            0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[test]
fn an_output_says_with_which_parameters_a_later_stack_takes_over_what_stays() {
    let template = Template::read();
    let value = &template.section("Outputs")["TakeOver"]["Value"]["Fn::Sub"];
    let named: Vec<&str> = text(&value[0]).split(' ').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    let expected: Vec<&str> = TAKEN_OVER.iter().map(|(_, _, parameter)| *parameter).collect();
    assert_eq!(named, [vec!["Prefix"], expected].concat());
    assert!(named.iter().all(|name| template.section("Parameters").contains_key(*name)));
}

/// IAM's events arrive in one Region of each partition (sources beside the condition), and nobody is subscribed by
/// itself.
#[test]
fn outputs_say_what_is_not_guarded_and_that_nobody_is_told() {
    let template = Template::read();
    let outputs = template.section("Outputs");
    let here = |region: &str| json!({"Fn::Equals": [{"Ref": "AWS::Region"}, region]});
    // IAM's signing Region in each partition (botocore 1.43.106, iam/2010-05-08/endpoint-rule-set-1.json).
    let regions = [
        "us-east-1",
        "us-gov-west-1",
        "cn-north-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
    ];
    let outside = json!({"Fn::Not": [{"Fn::Or": regions.map(here)}]});
    assert_eq!(outputs["RolesAreNotGuarded"]["Condition"], "OutsideIamsRegion");
    assert_eq!(template.section("Conditions")["OutsideIamsRegion"], outside);
    let said = outputs["RolesAreNotGuarded"]["Value"]["Fn::Sub"].as_str().expect("text");
    assert!(regions.iter().all(|region| said.contains(region)), "{said}");
    assert_eq!(outputs["NobodyIsAlerted"]["Condition"], "HasNoAlertEmail");
    let empty = json!({"Fn::Equals": [{"Ref": "AlertEmail"}, ""]});
    assert_eq!(template.section("Conditions")["HasNoAlertEmail"], empty);
}

#[test]
fn the_ledger_has_the_keys_and_indexes_that_the_code_queries() {
    let template = Template::read();
    let table = &template.resource("Ledger")["Properties"];
    let keys = |schema: &Value| -> Vec<String> {
        let fields = schema.as_array().expect("a key schema");
        fields.iter().map(|field| format!("{} {}", text(&field["AttributeName"]), text(&field["KeyType"]))).collect()
    };
    assert_eq!(keys(&table["KeySchema"]), ["pk HASH", "sk RANGE"]);
    let indexes = table["GlobalSecondaryIndexes"].as_array().expect("indexes");
    let indexes: Vec<_> = indexes.iter().map(|index| (text(&index["IndexName"]), keys(&index["KeySchema"]))).collect();
    assert_eq!(
        indexes,
        [
            ("by-day", vec!["day HASH".to_owned(), "sk RANGE".to_owned()]),
            ("open-intents", vec!["open HASH".to_owned(), "pk RANGE".to_owned()]),
        ]
    );
}

#[test]
fn no_event_is_lost_without_a_trace() {
    let template = Template::read();
    for (name, rule) in template.of_type("AWS::Events::Rule") {
        for target in rule["Properties"]["Targets"].as_array().expect("targets") {
            assert_eq!(target["DeadLetterConfig"]["Arn"], json!({"Fn::GetAtt": "Undelivered.Arn"}), "{name}");
            let retries = json!({"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185});
            assert_eq!(target["RetryPolicy"], retries, "{name}");
        }
    }
    for (name, _) in template.of_type("AWS::Lambda::Function") {
        let config = &template.resource(&format!("{name}InvokeConfig"))["Properties"];
        assert_eq!(config["FunctionName"], json!({"Ref": name}));
        assert_eq!(config["Qualifier"], "$LATEST");
        assert_eq!(config["MaximumRetryAttempts"], 2);
        assert_eq!(config["MaximumEventAgeInSeconds"], 21_600);
        assert_eq!(config["DestinationConfig"]["OnFailure"]["Destination"], json!({"Fn::GetAtt": "Failures.Arn"}));
        let delay = &template.resource(&format!("{name}Delay"))["Properties"];
        let redrive = json!({"deadLetterTargetArn": {"Fn::GetAtt": "Failures.Arn"}, "maxReceiveCount": 5});
        assert_eq!(delay["RedrivePolicy"], redrive, "{name}");
        assert_eq!(delay["MessageRetentionPeriod"], 14 * 24 * 3600);
        assert_eq!(delay["SqsManagedSseEnabled"], true);
        // Six times the timeout: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        let timeout = template.resource(name)["Properties"]["Timeout"].as_u64().expect("seconds");
        assert_eq!(delay["VisibilityTimeout"], 6 * timeout);
    }
    for queue in ["Undelivered", "Failures"] {
        let alarm = &template.resource(&format!("{queue}Alarm"))["Properties"];
        assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible");
        let attribute = format!("{queue}.QueueName");
        assert_eq!(alarm["Dimensions"], json!([{"Name": "QueueName", "Value": {"Fn::GetAtt": attribute}}]));
        assert_eq!((&alarm["ComparisonOperator"], &alarm["Threshold"]), (&json!("GreaterThanThreshold"), &json!(0)));
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "Alerts"}]));
        assert_eq!(template.resource(queue)["Properties"]["MessageRetentionPeriod"], 14 * 24 * 3600);
        assert_eq!(template.resource(queue)["Properties"]["SqsManagedSseEnabled"], true);
    }
}

#[test]
fn nobody_but_the_guard_uses_its_delay_queue() {
    let template = Template::read();
    for (name, guard) in template.of_type("AWS::Lambda::Function") {
        let queue = json!({"Fn::GetAtt": format!("{name}Delay.Arn")});
        let policy = &template.resource(&format!("{name}DelayPolicy"))["Properties"];
        assert_eq!(policy["Queues"], json!([{"Ref": format!("{name}Delay")}]));
        let [denied] = policy["PolicyDocument"]["Statement"].as_array().expect("statements").as_slice() else {
            panic!("one statement")
        };
        assert_eq!(
            (&denied["Effect"], &denied["Principal"], &denied["Resource"]),
            (&json!("Deny"), &json!("*"), &queue)
        );
        for action in ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"] {
            assert!(actions(denied).iter().any(|denied| denied == action), "{name}: {action}");
        }
        let role = json!({"Fn::GetAtt": format!("{name}Role.Arn")});
        assert_eq!(denied["Condition"], json!({"ArnNotEquals": {"aws:PrincipalArn": role}}));
        assert_eq!(
            guard["Properties"]["Environment"]["Variables"]["WARDEN_QUEUE"],
            json!({"Ref": format!("{name}Delay")})
        );
        // Of the queues, its role sends to this one and to that of failures alone.
        let of_role = |statement: &Value| text(&statement["Sid"]) == "OwnDelayQueue";
        let own = template.statements().into_iter().filter(|(role, _)| *role == format!("{name}Role"));
        let own: Vec<Value> = own.map(|(_, statement)| statement).filter(of_role).collect();
        assert_eq!(own.iter().map(|statement| &statement["Resource"]).collect::<Vec<_>>(), [&queue]);
    }
}

#[test]
fn what_the_code_calls_is_what_the_roles_allow() {
    let template = Template::read();
    let set = |lists: &[&[&str]]| -> BTreeSet<String> {
        lists.iter().flat_map(|list| list.iter()).map(|call| (*call).to_owned()).collect()
    };
    for guard in GUARDS {
        let role = role(*guard);
        let allowed = template.actions(&[&role, "GuardPolicy"]);
        assert_eq!(allowed, set(&[&Vec::from_iter(guard.calls()), PLATFORM_CALLS]), "{role}");
    }
    let operator = template.actions(&["OperatorRole"]);
    // A command has no delay queue and is believed by its proof, and follows no policy to the roles that have it.
    let of_guards_alone = ["cloudtrail:LookupEvents", "iam:GetAccountAuthorizationDetails", "sqs:SendMessage"];
    let guards = GUARDS.iter().flat_map(|guard| guard.calls()).filter(|call| !of_guards_alone.contains(call));
    let guards: Vec<&str> = guards.collect();
    assert_eq!(operator, set(&[&guards, permissions::OPERATOR]));
}

#[test]
fn nobody_in_the_stack_may_delete_from_the_ledger_and_nothing_is_granted_by_wildcard() {
    let template = Template::read();
    for (role, statement) in template.statements() {
        assert_eq!(statement["Effect"], "Allow", "{role}");
        for action in actions(&statement) {
            assert!(!action.contains('*'), "{role} allows {action}");
            assert!(!(action.starts_with("dynamodb:") && action.contains("Delete")), "{role} allows {action}");
        }
        // There is no narrower resource for these (service authorization reference).
        let lists = [
            ["cloudtrail:LookupEvents"],
            ["iam:GetAccountAuthorizationDetails"],
            ["lambda:GetAccountSettings"],
            ["lambda:ListFunctions"],
        ]
        .iter()
        .any(|only| actions(&statement) == *only);
        for resource in list(&statement["Resource"]) {
            assert_eq!(resource == "*", lists, "{role}: {}", statement["Sid"]);
            assert_ne!(resource, Value::Null, "{role}: {}", statement["Sid"]);
        }
    }
}

#[test]
fn a_guard_changes_only_what_is_opted_in() {
    let template = Template::read();
    let writes = |action: &str| {
        ["lambda:", "iam:"].iter().any(|service| action.starts_with(service))
            && !["Get", "List"].contains(&verb(action))
    };
    for guard in GUARDS {
        let (word, guard_role) = (guard.kind().as_str(), role(*guard));
        let enforced = match guard.kind() {
            // `strip` is enforce without the start-up layer.
            GuardKind::Secrets => json!(["enforce", "strip"]),
            GuardKind::Role | GuardKind::Access | GuardKind::Concurrency => json!("enforce"),
        };
        let tag = format!("aws:ResourceTag/warden:{word}");
        let own_tag = json!({tag.as_str(): enforced});
        let general_tag = json!({"aws:ResourceTag/warden": "enforce"});
        let without_own_tag = json!({tag.as_str(): "true"});
        // Each set of actions twice: for those opted in to this guard, and to all.
        let mut pairs: BTreeMap<Vec<String>, Vec<(Value, Value)>> = BTreeMap::new();
        for (role, statement) in template.statements() {
            if role != guard_role || !actions(&statement).iter().any(|action| writes(action)) {
                continue;
            }
            let condition = &statement["Condition"];
            match text(&statement["Sid"]) {
                "ChangeLayers" => {
                    assert_eq!(statement["Only if"], "ChangesLayers", "layers carry no tags, so the names decide");
                    continue;
                }
                "MakeCopies" => {
                    let copies = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/warden/copy/*";
                    assert_eq!(statement["Resource"], json!({"Fn::Sub": copies}), "its own, so that no tag is needed");
                    continue;
                }
                "GiveRolesBack" => {
                    // Passing a role knows no tags, so the names decide.
                    let to_lambda = json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}});
                    assert_eq!((actions(&statement), condition), (vec!["iam:PassRole".to_owned()], &to_lambda));
                    continue;
                }
                _ => {}
            }
            if actions(&statement).contains(&"iam:AttachRolePolicy".to_owned()) {
                let copies = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/warden/copy/*";
                assert_eq!(condition["ArnLike"], json!({"iam:PolicyARN": {"Fn::Sub": copies}}));
                assert_eq!(actions(&statement).len(), 1, "the condition is for this action alone");
            }
            let mut equals = condition["StringEquals"].clone();
            let auth_type = equals.as_object_mut().and_then(|equals| equals.remove("lambda:FunctionUrlAuthType"));
            // RemovePermission and AddPermission have that key too, so that it stands where nothing else is allowed.
            let closes = actions(&statement) == ["lambda:UpdateFunctionUrlConfig"];
            assert_eq!(auth_type, closes.then(|| json!("AWS_IAM")), "{}", statement["Sid"]);
            let known = ["StringEquals", "Null", "ArnLike"];
            assert!(condition.as_object().is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str()))));
            let found = (equals, condition["Null"].clone());
            pairs.entry(actions(&statement)).or_default().push(found);
        }
        let changes = guard.calls().iter().any(|call| writes(call));
        assert_eq!(!pairs.is_empty(), changes, "{guard_role}");
        for (actions, pair) in pairs {
            let expected = [(own_tag.clone(), Value::Null), (general_tag.clone(), without_own_tag.clone())];
            assert_eq!(pair, expected, "{guard_role}: {actions:?}");
        }
    }
}

/// Who may write any role's policies may do anything.
#[test]
fn the_operator_changes_roles_and_policies_only_where_they_carry_the_tag() {
    let template = Template::read();
    let mut seen = 0;
    for (role, statement) in template.statements() {
        let changes = |action: &String| {
            let writes = action.starts_with("iam:") && !["Get", "List"].contains(&verb(action));
            writes || action == "lambda:UpdateFunctionConfiguration"
        };
        if role == "OperatorRole" && actions(&statement).iter().any(changes) {
            if statement["Sid"] == "UndoAndApplyCopies" {
                let copies = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/warden/copy/*";
                assert_eq!(statement["Resource"], json!({"Fn::Sub": copies}));
                continue;
            }
            let modes = ["enforce", "observe", "off"];
            let tagged = |key: &str| json!({"StringEquals": {format!("aws:ResourceTag/{key}"): modes}});
            let to_lambda = json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}});
            let modes = ["enforce", "strip", "observe", "off"];
            let of_secrets = json!({"StringEquals": {"aws:ResourceTag/warden:secrets": modes}});
            let condition = &statement["Condition"];
            let bound = [tagged("warden"), tagged("warden:role"), of_secrets, to_lambda];
            assert!(bound.contains(condition), "{}", statement["Sid"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

#[test]
fn the_changes_of_the_guards_that_there_are_are_left_out_and_nobody_elses() {
    let template = Template::read();
    let guards = template.of_type("AWS::Lambda::Function");
    assert!(!guards.is_empty());
    for (guard, function) in &guards {
        let roles: Vec<Value> = guards
            .iter()
            .map(|(other, of_other)| {
                let role = json!({"Fn::GetAtt": format!("{other}Role.Arn")});
                // A role that is not there is a name that somebody may take.
                match of_other.get("Condition").filter(|condition| function.get("Condition") != Some(condition)) {
                    Some(condition) => json!({"Fn::If": [condition, role, {"Ref": "AWS::NoValue"}]}),
                    None => role,
                }
            })
            .collect();
        let detail = &template.resource(&format!("{guard}Rule"))["Properties"]["EventPattern"]["detail"];
        assert_eq!(detail["errorCode"], json!([{"exists": false}]));
        let issuer = |test: Value| json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": [test]}}}});
        let others = issuer(json!({"anything-but": roles}));
        assert_eq!(detail["$or"], json!([issuer(json!({"exists": false})), others]));
    }
}

/// Whoever may create roles chooses their paths and names: a pattern would let them in.
#[test]
fn keys_are_for_exact_roles() {
    let template = Template::read();
    let mut seen = BTreeMap::new();
    for (name, key) in template.of_type("AWS::KMS::Key") {
        assert_eq!(key["Properties"]["KeySpec"], "HMAC_256", "{name}");
        for statement in key["Properties"]["KeyPolicy"]["Statement"].as_array().expect("statements") {
            if actions(statement).iter().any(|action| action.ends_with("Mac")) {
                let conditions = statement["Condition"].as_object().expect("a condition");
                assert_eq!(conditions.keys().collect::<Vec<_>>(), ["ArnEquals"]);
                for role in list(&conditions["ArnEquals"]["aws:PrincipalArn"]) {
                    let (_, role) = text(&role["Fn::Sub"]).split_once(":role").expect("a role's ARN");
                    seen.entry(name).or_insert_with(Vec::new).extend(
                        actions(statement).iter().map(|action| format!("{} {role}", action.replace("kms:", ""))),
                    );
                }
            }
        }
    }
    for name in names().into_iter().map(id).chain(["Operator".to_owned()]) {
        let role = &template.resource(&format!("{name}Role"))["Properties"];
        let (path, name) = (text(&role["Path"]), text(&role["RoleName"]["Fn::Sub"]));
        for roles in seen.values_mut() {
            for role in roles {
                *role = role.replace(&format!("{path}{name}"), name);
            }
        }
    }
    let operator = "${Prefix}-operator";
    let mut guards = names();
    guards.sort_unstable();
    let verified = guards.iter().map(|name| format!("VerifyMac ${{Prefix}}-{name}"));
    let operators = [format!("GenerateMac {operator}"), format!("VerifyMac {operator}")];
    let proof: Vec<String> = operators.into_iter().chain(verified).collect();
    let hash = vec!["GenerateMac ${Prefix}-secret-guard".to_owned(), format!("GenerateMac {operator}")];
    let seals = guards.iter().map(|name| format!("GenerateMac ${{Prefix}}-{name}"));
    let seal: Vec<String> = seals.chain([format!("GenerateMac {operator}")]).collect();
    assert_eq!(seen, BTreeMap::from([("ProofKey", proof), ("HashKey", hash), ("SealKey", seal)]));
}

/// Within one account an Allow in IAM is enough by itself: only a Deny that names the exact roles keeps others out.
#[test]
fn nobody_but_the_guards_and_the_operator_puts_events_on_wardens_bus() {
    let template = Template::read();
    let policy = &template.resource("BusPolicy")["Properties"];
    let statement = &policy["Statement"];
    assert_eq!(policy["EventBusName"], json!({"Ref": "Bus"}));
    assert_eq!(
        (&statement["Effect"], &statement["Principal"], &statement["Action"]),
        (&json!("Deny"), &json!("*"), &json!("events:PutEvents"))
    );
    let allowed = list(&statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]);
    let allowed: BTreeSet<&str> = allowed.iter().map(|arn| text(&arn["Fn::Sub"])).collect();
    let role = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/warden/";
    let guards = names().into_iter().map(|name| format!("{role}guard/${{Prefix}}-{name}"));
    let expected: BTreeSet<String> = guards.chain([format!("{role}${{Prefix}}-operator")]).collect();
    assert_eq!(allowed, expected.iter().map(String::as_str).collect());
}

/// A topic with a Condition in its statement for EventBridge gets nothing from it.
#[test]
fn the_alerts_topic_takes_records_without_a_condition_and_alarms_with_one() {
    let template = Template::read();
    let policy = &template.resource("AlertsPolicy")["Properties"]["PolicyDocument"]["Statement"];
    let conditions: BTreeMap<&str, bool> = list(policy)
        .iter()
        .map(|statement| (text(&statement["Principal"]["Service"]), statement.get("Condition").is_some()))
        .map(|(service, bound)| (if service.starts_with("events.") { "events" } else { "alarms" }, bound))
        .collect();
    assert_eq!(conditions, BTreeMap::from([("alarms", true), ("events", false)]));
    assert_eq!(list(policy).len(), 2);
}

#[test]
fn an_operator_must_say_who_they_are() {
    let template = Template::read();
    let trust = &template.resource("OperatorRole")["Properties"]["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust[0]["Action"], json!(["sts:AssumeRole", "sts:SetSourceIdentity"]));
    assert_eq!(trust[0]["Condition"], json!({"Null": {"sts:SourceIdentity": "false"}}));
    assert_eq!(trust[1], Value::Null, "one statement, or a second one is the way around it");
}

#[test]
fn every_setting_reaches_every_guard() {
    let template = Template::read();
    for (guard, function) in template.of_type("AWS::Lambda::Function") {
        let variables = function["Properties"]["Environment"]["Variables"].as_object().expect("variables");
        let names: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        let read = Settings::VARIABLES.iter().chain(Deployment::VARIABLES).copied();
        assert_eq!(names, read.collect(), "{guard}");
    }
}

#[test]
fn only_warden_s_own_rule_invokes_a_guard() {
    let template = Template::read();
    for (guard, _) in template.of_type("AWS::Lambda::Function") {
        let permission = &template.resource(&format!("{guard}Permission"))["Properties"];
        assert_eq!(permission["Principal"], "events.amazonaws.com");
        assert_eq!(permission["SourceArn"], json!({"Fn::GetAtt": format!("{guard}Rule.Arn")}));
        // With it EventBridge invokes nothing.
        assert_eq!(permission.get("SourceAccount"), None);
    }
}

#[test]
fn the_template_keeps_the_limits_of_aws() {
    let template = Template::read();
    // From a bucket, which is where `aws cloudformation deploy --s3-bucket` puts what has more than 51,200 bytes.
    assert!(TEMPLATE.len() < 1_000_000, "{} bytes", TEMPLATE.len());
    // GovCloud may not know it (? bus-description).
    assert_eq!(template.resource("Bus")["Properties"].get("Description"), None);
    for (name, rule) in template.of_type("AWS::Events::Rule") {
        // PutRule takes 2,048 characters.
        let mut pattern = rule["Properties"]["EventPattern"].clone();
        references_at_their_longest(&mut pattern);
        assert!(pattern.to_string().len() < 2_048, "{name}: {}", pattern.to_string().len());
    }
}

/// Puts the longest text in the place of each reference in a rule's pattern: the ARN of a role, or an account.
fn references_at_their_longest(node: &mut Value) {
    if node.get("Fn::GetAtt").is_some() || node.get("Fn::If").is_some() {
        let prefix = "x".repeat(24);
        *node = json!(format!("arn:aws-us-gov:iam::111122223333:role/warden/guard/{prefix}-secret-guard"));
        return;
    }
    match node {
        Value::Array(items) => items.iter_mut().for_each(references_at_their_longest),
        Value::Object(fields) => fields.values_mut().for_each(references_at_their_longest),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_layer_is_for_the_architecture_of_the_guards() {
    let template = Template::read();
    let layer = template.resource("SecretEnvLayer");
    assert_eq!(layer["Properties"]["CompatibleArchitectures"], json!([{"Ref": "Architecture"}]));
    assert_eq!(template.section("Outputs")["SecretEnvLayer"]["Value"], json!({"Ref": "SecretEnvLayer"}));
}

#[test]
fn everything_that_can_be_tagged_is() {
    // These take no tags in CloudFormation.
    let untaggable = [
        "AWS::Events::EventBusPolicy",
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Logs::ResourcePolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    ];
    for (name, resource) in Template::read().section("Resources") {
        if !untaggable.contains(&text(&resource["Type"])) {
            let tags = json!([{"Key": "application", "Value": "lambda-warden"}]);
            assert_eq!(resource["Properties"]["Tags"], tags, "{name}");
        }
    }
}

#[test]
fn every_parameter_says_what_it_is_and_refuses_what_it_is_not() {
    for (name, parameter) in Template::read().section("Parameters") {
        assert!(parameter["Description"].is_string(), "{name}");
        let bounded =
            ["AllowedPattern", "AllowedValues", "MinValue"].iter().any(|bound| parameter.get(bound).is_some());
        assert!(bounded, "{name}");
    }
}

#[test]
fn the_template_names_the_release_it_belongs_to() {
    let template = Template::read();
    assert_eq!(template.section("Mappings")["Warden"]["Release"]["Version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn secret_guard_reaches_secrets_of_its_own_alone() {
    let template = Template::read();
    let statements: Vec<Value> = template
        .statements()
        .into_iter()
        .filter_map(|(role, statement)| (role == "SecretGuardRole").then_some(statement))
        .collect();
    for statement in &statements {
        if !actions(statement).iter().any(|action| action.starts_with("secretsmanager:")) {
            continue;
        }
        let own = "arn:${AWS::Partition}:secretsmanager:*:${AWS::AccountId}:secret:warden/*";
        assert_eq!(statement["Resource"], json!({"Fn::Sub": own}));
        let reads = actions(statement).iter().all(|action| ["Get", "Describe"].contains(&verb(action)));
        let tagged = statement["Condition"]["StringEquals"]
            .as_object()
            .is_some_and(|tags| tags.values().all(|tag| tag == "lambda-warden"));
        assert!(reads || tagged, "{statement}");
    }
}

/// A request that forces the deletion names no days.
#[test]
fn nobody_deletes_a_secret_but_with_thirty_days_to_take_it_back() {
    let template = Template::read();
    let mut seen = 0;
    for (role, statement) in template.statements() {
        if actions(&statement).contains(&"secretsmanager:DeleteSecret".to_owned()) {
            assert_eq!(actions(&statement).len(), 1, "{role}");
            let days = json!({"secretsmanager:RecoveryWindowInDays": 30});
            assert_eq!(statement["Condition"]["NumericEquals"], days, "{role}");
            let own = json!({"aws:ResourceTag/application": "lambda-warden"});
            assert_eq!(statement["Condition"]["StringEquals"], own, "{role}");
            seen += 1;
        }
    }
    assert_eq!(seen, 2, "the guard of secrets, and the operator");
}
