//! Policies of resources: whom they may name, what asks them, and what they refuse.

use serde_json::{Value, json};

use warden_sandbox::Setting;

use crate::{FUNCTION, allow, check, check_as_it_is, code};

const NOBODY: &str = "arn:aws:iam::111122223333:role/nobody";

fn trust(principal: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": principal}}]})
    .to_string()
}

#[tokio::test]
async fn a_trust_policy_names_principals_that_are_there() {
    check(async |account| {
        let iam = &account.iam;
        let create = iam.create_role().role_name("trusting").assume_role_policy_document(trust(NOBODY)).send().await;
        let update = |principal: &str| {
            iam.update_assume_role_policy().role_name("probe").policy_document(trust(principal)).send()
        };
        let refused = [code(&create).to_owned(), code(&update(NOBODY).await).to_owned()];
        update("arn:aws:iam::444455556666:role/elsewhere").await.expect("nobody here knows who is there");
        update("111122223333").await.expect("an account");
        refused == ["MalformedPolicyDocument"; 2]
    })
    .await;
}

#[tokio::test]
async fn a_trust_policy_knows_a_role_that_was_made_anew() {
    check(async |account| {
        let iam = &account.iam;
        account.role("friend", "lambda.amazonaws.com").await;
        let friend = "arn:aws:iam::111122223333:role/friend";
        let update = iam.update_assume_role_policy().role_name("probe").policy_document(trust(friend));
        update.send().await.expect("trusted");
        let trusted = async || {
            let role = iam.get_role().role_name("probe").send().await.expect("the role").role.expect("the role");
            let text = role.assume_role_policy_document.unwrap_or_default();
            let text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
            let policy: Value = serde_json::from_str(&text).expect("a policy");
            policy["Statement"][0]["Principal"]["AWS"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(trusted().await, friend);
        iam.delete_role().role_name("friend").send().await.expect("deleted");
        account.role("friend", "lambda.amazonaws.com").await;
        trusted().await.starts_with("AROA")
    })
    .await;
}

#[tokio::test]
async fn a_policy_of_a_function_names_principals_that_are_there() {
    check(async |account| {
        let lambda = &account.lambda;
        let add = |sid: &str, principal: &str| {
            let add = lambda.add_permission().function_name("shop").statement_id(sid).principal(principal);
            add.action("lambda:InvokeFunction").send()
        };
        let statement = json!({"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": FUNCTION,
            "Principal": {"AWS": NOBODY}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let put = lambda.put_resource_policy().resource_arn(FUNCTION).policy(policy).send().await;
        let refused = [code(&add("one", NOBODY).await).to_owned(), code(&put).to_owned()];
        add("two", "arn:aws:iam::111122223333:role/probe").await.expect("a role that is there");
        refused == ["InvalidParameterValueException"; 2]
    })
    .await;
}

#[tokio::test]
async fn a_policy_of_a_key_names_principals_that_are_there() {
    check(async |account| {
        let kms = aws_sdk_kms::Client::new(&account.sandbox.config());
        let statement = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": NOBODY}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        code(&kms.create_key().policy(policy).send().await) == "MalformedPolicyDocumentException"
    })
    .await;
}

#[tokio::test]
async fn a_secrets_policy_for_the_public_is_refused_where_the_call_asks_for_that() {
    check(async |account| {
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        secrets.create_secret().name("till").secret_string("one").send().await.expect("a secret");
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]})
        .to_string();
        let put = |block: bool| {
            secrets.put_resource_policy().secret_id("till").resource_policy(&policy).block_public_policy(block).send()
        };
        code(&put(true).await) == "PublicPolicyException" && put(false).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_policy_of_a_bus_is_asked() {
    check(async |account| {
        let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
        let deny = json!({"Version": "2012-10-17", "Statement": [{"Sid": "no", "Effect": "Deny", "Principal": "*",
            "Action": "events:PutEvents", "Resource": "*"}]});
        let entry = || {
            let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source("warden");
            events.put_events().entries(entry.detail_type("d").detail("{}").build()).send()
        };
        entry().await.expect("no policy");
        events.put_permission().event_bus_name("default").policy(deny.to_string()).send().await.expect("a policy");
        code(&entry().await) == "AccessDeniedException"
    })
    .await;
}

/// Within one account an Allow in IAM is enough by itself: a Deny has to name all but those who may.
#[tokio::test]
async fn a_stack_says_in_the_policy_of_a_bus_who_may_put_events_on_it() {
    check(async |account| {
        let template = "\
Resources:
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: told}}
  Policy:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Bus
      StatementId: OnlyOne
      Statement:
        {Effect: Deny, Principal: '*', Action: events:PutEvents, Resource: !GetAtt Bus.Arn,
        Condition: {ArnNotEquals: {aws:PrincipalArn: !Sub 'arn:aws:iam::${AWS::AccountId}:role/teller'}}}";
        if account.deploy("told", template).await.is_err() {
            return false;
        }
        let trust = trust("111122223333");
        for name in ["teller", "other"] {
            let role = account.iam.create_role().role_name(name).assume_role_policy_document(&trust);
            role.send().await.expect("a role");
            let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:*",
                "Resource": "*"}]});
            let put = account.iam.put_role_policy().role_name(name).policy_name("all").policy_document(all.to_string());
            put.send().await.expect("a policy");
        }
        let tell = async |name: &str| {
            let session = account.sandbox.session(&format!("arn:aws:iam::111122223333:role/{name}"), "alice").await;
            let config = account.sandbox.config_as(session.expect("a session"), "us-east-1");
            let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source("warden");
            let entry = entry.event_bus_name("told").detail_type("d").detail("{}").build();
            code(&aws_sdk_eventbridge::Client::new(&config).put_events().entries(entry).send().await).to_owned()
        };
        tell("teller").await.is_empty() && tell("other").await == "AccessDeniedException"
    })
    .await;
}

#[tokio::test]
async fn a_log_group_is_searched_page_by_page_and_a_page_may_be_empty() {
    check(async |account| {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&account.sandbox.config());
        logs.create_log_group().log_group_name("g").send().await.expect("a group");
        logs.create_log_stream().log_group_name("g").log_stream_name("s").send().await.expect("a stream");
        let now = jiff::Timestamp::now().as_millisecond();
        let event = |nth: usize| {
            let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder().timestamp(now);
            event.message(format!("event {nth}")).build().expect("an event")
        };
        let put = logs.put_log_events().log_group_name("g").log_stream_name("s");
        put.set_log_events(Some((0..120).map(event).collect())).send().await.expect("events");
        let mut pages = logs.filter_log_events().log_group_name("g").into_paginator().send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            seen.push(page.expect("a page").events().len());
        }
        seen == [0, 50, 50, 20]
    })
    .await;
}

#[tokio::test]
async fn a_rule_with_targets_is_not_deleted() {
    check(async |account| {
        let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
        events.put_rule().name("all").event_pattern(r#"{"source":["warden"]}"#).send().await.expect("a rule");
        let target = aws_sdk_eventbridge::types::Target::builder().id("shop").arn(FUNCTION).build().expect("a target");
        events.put_targets().rule("all").targets(target).send().await.expect("a target");
        let refused = code(&events.delete_rule().name("all").send().await) == "ValidationException";
        events.remove_targets().rule("all").ids("shop").send().await.expect("removed");
        refused && events.delete_rule().name("all").send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn tag_keys_of_roles_have_no_case() {
    check_as_it_is(async |account| {
        let iam = &account.iam;
        let tag =
            |key: &str, value: &str| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag");
        iam.tag_role().role_name("probe").tags(tag("warden", "enforce")).send().await.expect("tagged");
        let both = iam.tag_role().role_name("probe").tags(tag("A", "1")).tags(tag("a", "2")).send().await;
        let client = aws_sdk_iam::Client::new(
            &account
                .session(json!([{"Effect": "Allow", "Action": "iam:DeleteRolePolicy", "Resource": "*",
                    "Condition": {"StringEquals": {"aws:ResourceTag/WARDEN": "enforce"}}}]))
                .await,
        );
        let delete = client.delete_role_policy().role_name("probe").policy_name("none").send().await;
        iam.tag_role().role_name("probe").tags(tag("Warden", "off")).send().await.expect("tagged");
        let tags = iam.list_role_tags().role_name("probe").send().await.expect("tags").tags;
        let tags: Vec<(&str, &str)> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
        // Allowed, and there is nothing to delete.
        code(&both) == "InvalidInput" && code(&delete) == "NoSuchEntity" && tags == [("Warden", "off")]
    })
    .await;
}

#[tokio::test]
async fn a_trust_policy_is_not_longer_than_its_limit() {
    check(async |account| {
        let trust = |sid: usize| {
            let statement = json!({"Sid": "s".repeat(sid), "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"}});
            format!("{:#}{}", json!({"Version": "2012-10-17", "Statement": [statement]}), " ".repeat(3_000))
        };
        let put = async |sid| {
            let update = account.iam.update_assume_role_policy().role_name("probe").policy_document(trust(sid));
            code(&update.send().await).to_owned()
        };
        let create = account.iam.create_role().role_name("long").assume_role_policy_document(trust(2_048));
        let refused = [put(2_048).await, code(&create.send().await).to_owned()];
        put(1_500).await.is_empty() && refused == ["LimitExceeded"; 2]
    })
    .await;
}

#[tokio::test]
async fn lists_of_iam_come_in_pages() {
    check(async |account| {
        account.sandbox.set(Setting::IamPage(2)).await.expect("a setting");
        for name in ["a", "b", "c"] {
            let put = account.iam.put_role_policy().role_name("probe").policy_name(name);
            put.policy_document(allow("s3:GetObject")).send().await.expect("put");
        }
        let list = || account.iam.list_role_policies().role_name("probe");
        let first = list().send().await.expect("a page");
        let second = list().set_marker(first.marker.clone()).send().await.expect("a page");
        first.is_truncated && first.policy_names == ["a", "b"] && second.policy_names == ["c"] && !second.is_truncated
    })
    .await;
}
