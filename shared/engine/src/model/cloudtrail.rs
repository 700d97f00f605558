//! What sets a guard off. An event says where to look, never what is true: of its content only the place, the time and
//! the actor are used.

use crate::{
    model::tags::is_tag_key,
    name::lambda::{FunctionArn, Home, Qualifier},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use warden_policy::AccountId;

/// What set off a run, as it stands in records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The event's id: CloudTrail's where there is one.
    pub event_id: Option<String>,
    /// The API operation without its date (`AddPermission`), or `warden undo`.
    pub event_name: String,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Who did it.
    pub actor: Option<String>,
    /// From where.
    pub source_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// Whether it came in the form that only EventBridge can deliver (`source` `aws.*`, the own account); PutEvents
    /// refuses to forge that.
    pub verified: bool,
}

impl Cause {
    /// Something a person does with the command line: `name` is the command.
    pub fn by_hand(name: &str) -> Cause {
        Cause {
            event_id: None,
            event_name: name.to_owned(),
            time: None,
            actor: None,
            source_address: None,
            user_agent: None,
            verified: false,
        }
    }
}

/// An API call that CloudTrail reported through EventBridge.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTrailEvent {
    /// What stands in the records.
    pub cause: Cause,
    /// When the call was made.
    pub time: Timestamp,
    /// Where names in the parameters are at home.
    pub home: Home,
    /// `requestParameters`: hints of where to look.
    pub parameters: Value,
    /// `responseElements`: hints as well.
    pub results: Value,
}

/// An event that says nothing a guard can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventParseError {
    /// The call was refused or failed: it changed nothing.
    #[error("the call failed with {0}: it changed nothing")]
    FailedCall(String),
    /// The event is of another account.
    #[error("the event is of account {0}, which is not guarded here")]
    OtherAccount(AccountId),
    /// The event does not have the form of a CloudTrail event.
    #[error("not a CloudTrail event: {field} is missing or of the wrong type")]
    Malformed {
        /// The field that is missing or of the wrong type.
        field: &'static str,
    },
}

/// The operation's name without the API date that Lambda's events carry: `AddPermission20150331v2` is `AddPermission`.
fn operation(event_name: &str) -> &str {
    let without_version = match event_name.rsplit_once('v') {
        Some((name, version)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => event_name,
    };
    let name = without_version.trim_end_matches(|c: char| c.is_ascii_digit());
    // The date has eight digits; what has fewer is part of the name.
    if without_version.len() - name.len() == 8 { name } else { event_name }
}

impl CloudTrailEvent {
    /// Reads an EventBridge event with a CloudTrail record in it. `home` is the guard's own account and partition.
    ///
    /// # Errors
    /// Whatever makes the event nothing to act on.
    pub fn from_event(event: &Value, home: &Home) -> Result<CloudTrailEvent, EventParseError> {
        let malformed = |field| EventParseError::Malformed { field };
        let detail = event.get("detail").filter(|detail| detail.is_object()).ok_or(malformed("detail"))?;
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(|text| short(text, 1024));
        if let Some(error) = detail.get("errorCode").filter(|code| !code.is_null()) {
            return Err(EventParseError::FailedCall(short(error.as_str().unwrap_or("an error"), 128)));
        }
        let account: AccountId =
            text(event, "account").and_then(|account| account.parse().ok()).ok_or(malformed("account"))?;
        if account != home.account {
            return Err(EventParseError::OtherAccount(account));
        }
        let name = text(detail, "eventName").ok_or(malformed("detail.eventName"))?;
        let region = text(detail, "awsRegion").ok_or(malformed("detail.awsRegion"))?;
        let time = text(detail, "eventTime").and_then(|time| time.parse().ok()).ok_or(malformed("detail.eventTime"))?;
        let parameters = detail.get("requestParameters").cloned().unwrap_or_default();
        let identity = detail.get("userIdentity").cloned().unwrap_or_default();
        let from_aws = |field, prefix: &str| text(event, field).is_some_and(|value| value.starts_with(prefix));
        Ok(CloudTrailEvent {
            cause: Cause {
                event_id: text(detail, "eventID").or_else(|| text(event, "id")),
                event_name: operation(&name).to_owned(),
                time: Some(time),
                // Calls of AWS services on somebody's behalf carry no ARN.
                actor: text(&identity, "arn").or_else(|| text(&identity, "invokedBy")),
                source_address: text(detail, "sourceIPAddress"),
                user_agent: text(detail, "userAgent"),
                verified: from_aws("source", "aws.") && from_aws("detail-type", "AWS API Call via CloudTrail"),
            },
            time,
            home: Home { region, ..home.clone() },
            parameters,
            results: detail.get("responseElements").cloned().unwrap_or_default(),
        })
    }

    /// A text parameter of the call.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// The function that a parameter names, and the version or alias in that name; none where it is another account's,
    /// which cannot be changed from here.
    pub fn function(&self, parameter: &str) -> Option<(FunctionArn, Option<Qualifier>)> {
        let (function, qualifier) = FunctionArn::resolve(self.parameter(parameter)?, &self.home).ok()?;
        (*function.account() == self.home.account).then_some((function, qualifier))
    }

    /// Whether the call sets or removes a tag of Warden's, in whatever case its key is written. IAM's tag events carry
    /// a list of keys and values, Lambda's an object; untagging carries keys.
    pub fn touches_warden_tags(&self) -> bool {
        let keys = self.parameters.get("tagKeys").and_then(Value::as_array);
        let named = keys.into_iter().flatten().filter_map(Value::as_str).any(is_tag_key);
        named
            || match self.parameters.get("tags") {
                Some(Value::Object(tags)) => tags.keys().any(|key| is_tag_key(key)),
                Some(Value::Array(tags)) => tags.iter().filter_map(|tag| tag.get("key")?.as_str()).any(is_tag_key),
                Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
            }
    }

    /// The version that the call published, by its answer: its number, or `$LATEST.PUBLISHED`; none where it published
    /// none. PublishVersion always publishes one, CreateFunction and UpdateFunctionCode where `Publish` or `PublishTo`
    /// is sent; otherwise the answer is that of `$LATEST` (seen on live AWS:
    /// <https://github.com/floci-io/floci/issues/2820>).
    pub fn published_version(&self) -> Option<Qualifier> {
        self.result("version")?.parse().ok().filter(Qualifier::is_version)
    }

    /// A text element of the answer.
    pub fn result(&self, name: &str) -> Option<&str> {
        self.results.get(name).and_then(Value::as_str)
    }
}

/// Hostile input: what is copied into records is cut and has no control characters.
fn short(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn home() -> Home {
        Home { partition: "aws".parse().unwrap(), region: "us-east-1".into(), account: "111122223333".parse().unwrap() }
    }

    fn event() -> Value {
        json!({
            "id": "1b7c0f6e-0000-4000-8000-000000000001",
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333",
            "detail": {
                "eventName": "AddPermission20150331v2",
                "eventTime": "2026-11-21T10:00:00Z",
                "awsRegion": "eu-west-1",
                "eventID": "5f0c8c1a-0000-4000-8000-000000000002",
                "sourceIPAddress": "203.0.113.7",
                "userAgent": "aws-cli/2.31",
                "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory"},
                "requestParameters": {"functionName": "pay", "statementId": "open"}
            }
        })
    }

    #[test]
    fn a_cloudtrail_event_says_where_to_look_and_who_it_was() {
        let event = CloudTrailEvent::from_event(&event(), &home()).unwrap();
        assert_eq!(event.cause.event_name, "AddPermission");
        assert_eq!(event.cause.actor.as_deref(), Some("arn:aws:iam::111122223333:user/mallory"));
        assert_eq!((event.home.region.as_str(), event.parameter("functionName")), ("eu-west-1", Some("pay")));
        assert!(event.cause.verified);
    }

    #[test]
    fn the_answer_says_which_version_was_published() {
        #[track_caller]
        fn check(version: &str, expected: Option<&str>) {
            let mut event = event();
            event["detail"]["responseElements"] = json!({ "version": version });
            let published = CloudTrailEvent::from_event(&event, &home()).unwrap().published_version();
            assert_eq!(published.as_ref().map(Qualifier::as_str), expected);
        }
        check("3", Some("3"));
        check("$LATEST.PUBLISHED", Some("$LATEST.PUBLISHED"));
        check("$LATEST", None);
        check("live", None);
        check("", None);
    }

    #[test]
    fn what_did_not_come_from_aws_is_marked() {
        let mut forged = event();
        forged["source"] = "shop".into();
        assert!(!CloudTrailEvent::from_event(&forged, &home()).unwrap().cause.verified);
    }

    #[test]
    fn an_operations_name_loses_its_date() {
        for (name, expected) in [
            ("AddPermission20150331v2", "AddPermission"),
            ("AddPermission20150331", "AddPermission"),
            ("UpdateFunctionConfiguration20150331v2", "UpdateFunctionConfiguration"),
            ("AddLayerVersionPermission20181031", "AddLayerVersionPermission"),
            ("AddLayerVersionPermission", "AddLayerVersionPermission"),
            ("PutRolePolicy", "PutRolePolicy"),
            ("Route53", "Route53"),
            ("v2", "v2"),
            ("", ""),
        ] {
            assert_eq!(operation(name), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        #[track_caller]
        fn check(change: impl Fn(&mut Value), expected: &str) {
            let mut event = event();
            change(&mut event);
            assert_eq!(CloudTrailEvent::from_event(&event, &home()).unwrap_err().to_string(), expected);
        }
        check(
            |e| e["detail"]["errorCode"] = "AccessDenied".into(),
            "the call failed with AccessDenied: it changed nothing",
        );
        check(
            |e| e["account"] = "444455556666".into(),
            "the event is of account 444455556666, which is not guarded here",
        );
        check(|e| *e = Value::Null, "not a CloudTrail event: detail is missing or of the wrong type");
        check(|e| e["detail"] = "text".into(), "not a CloudTrail event: detail is missing or of the wrong type");
        check(
            |e| e["detail"]["eventName"] = 7.into(),
            "not a CloudTrail event: detail.eventName is missing or of the wrong type",
        );
        check(
            |e| e["detail"]["eventTime"] = "now".into(),
            "not a CloudTrail event: detail.eventTime is missing or of the wrong type",
        );
    }

    #[test]
    fn a_tag_of_wardens_is_seen_in_any_letters() {
        #[track_caller]
        fn check(parameters: Value, expected: bool) {
            let mut event = event();
            event["detail"]["requestParameters"] = parameters;
            assert_eq!(CloudTrailEvent::from_event(&event, &home()).unwrap().touches_warden_tags(), expected);
        }
        check(json!({"tags": {"Warden:Access": "off"}}), true);
        check(json!({"tags": [{"key": "WARDEN", "value": "off"}]}), true);
        check(json!({"tagKeys": ["team", "Warden"]}), true);
        check(json!({"tagKeys": ["wardens", "ward", "wärden"]}), false);
        check(json!({"tags": "warden"}), false);
    }

    #[test]
    fn hostile_text_is_cut_before_it_reaches_a_record() {
        let mut event = event();
        event["detail"]["userAgent"] = "\u{1b}[2J".repeat(100_000).into();
        let agent = CloudTrailEvent::from_event(&event, &home()).unwrap().cause.user_agent.unwrap();
        assert!(agent.len() <= 1024 && !agent.contains('\u{1b}'));
    }
}
