//! What sets a guard off. An event says where to look, never what is true: of its content only the place, the time and
//! the actor are used, and what rests on these alone waits for CloudTrail's own record.

use crate::{
    model::tags::is_tag_key,
    name::lambda::{FunctionArn, Home, Qualifier},
};
use aws_lambda_events::eventbridge::EventBridgeEvent;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use warden_policy::AccountId;

/// What set off a run, as it stands in records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The event's id: CloudTrail's where there is one.
    pub event_id: Option<String>,
    /// The API operation without its date (`AddPermission`), or `warden undo`.
    pub event_name: String,
    /// When it happened; none where the event does not say.
    pub time: Option<Timestamp>,
    /// The Region that the call was made in, whose event history has the event (? event-history).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The ARN of whoever made the call, or the AWS service that made it. Of a session it is the ARN of the role, or of
    /// the user, that the session is of.
    pub actor: Option<String>,
    /// The actor's unique id, such as `AROAEXAMPLE`, which is never given out again when a role is made anew under the
    /// same name
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
    pub principal_id: Option<String>,
    /// The name of the session, which the caller has chosen.
    pub session_name: Option<String>,
    /// The session's source identity, which the caller has chosen, too, unless the role's trust policy says which it may
    /// be.
    pub source_identity: Option<String>,
    /// The address that the call came from.
    pub source_address: Option<String>,
    /// The program that made the call.
    pub user_agent: Option<String>,
    /// Whether it is CloudTrail's own record that says so. What an event says is not: whoever may invoke a guard can make
    /// one up.
    pub verified: bool,
}

impl Cause {
    /// Something a person does with the command line: `name` is the command.
    pub fn by_hand(name: &str) -> Cause {
        Cause {
            event_id: None,
            event_name: name.to_owned(),
            time: None,
            region: None,
            actor: None,
            principal_id: None,
            session_name: None,
            source_identity: None,
            source_address: None,
            user_agent: None,
            verified: false,
        }
    }
}

/// An EventBridge event with a CloudTrail record in it, as it is delivered to a guard.
pub type Envelope = EventBridgeEvent<ApiCallRecord>;

/// The `detail` of an [`Envelope`], and what LookupEvents gives as `CloudTrailEvent`: of CloudTrail's record what a guard
/// uses.
///
/// The user guide calls most of these fields always present, and some optional, such as `userAgent` and
/// `responseElements`
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>). A
/// field that is too long is cut, or replaced by an object that says so. So a field that is absent, or not a text, is
/// `None` here, and only what a guard cannot do without makes an event malformed ([`CloudTrailEvent::from_event`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiCallRecord {
    /// The code of the error that the call ended with; null where it succeeded.
    pub error_code: Value,
    /// The API operation, with the API's date where the service has it so.
    #[serde(deserialize_with = "only_text")]
    pub event_name: Option<String>,
    /// The Region that the call was made in.
    #[serde(deserialize_with = "only_text")]
    pub aws_region: Option<String>,
    /// When the call was made, in RFC 3339.
    #[serde(deserialize_with = "only_text")]
    pub event_time: Option<String>,
    /// The record's own id.
    #[serde(rename = "eventID", deserialize_with = "only_text")]
    pub event_id: Option<String>,
    /// The address that the call came from, or the name of an AWS service.
    #[serde(rename = "sourceIPAddress", deserialize_with = "only_text")]
    pub source_ip_address: Option<String>,
    /// The program that made the call.
    #[serde(deserialize_with = "only_text")]
    pub user_agent: Option<String>,
    /// Who made the call.
    pub user_identity: Value,
    /// The call's parameters.
    pub request_parameters: Value,
    /// The call's answer.
    pub response_elements: Value,
}

/// A text; none where the value is anything else.
fn only_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

/// An API call that CloudTrail reported through EventBridge.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTrailEvent {
    /// What the records say of the event.
    pub cause: Cause,
    /// When the call was made.
    pub time: Timestamp,
    /// The account and Region in which names in the parameters are looked up.
    pub home: Home,
    /// The role whose session made the call: its ARN, path and all; none where no role did.
    pub role: Option<String>,
    /// `requestParameters`. They only hint at where to look.
    pub parameters: Value,
    /// `responseElements`. They only hint at where to look, too.
    pub results: Value,
}

/// The parameters by which the calls that guards watch name what they change.
const PLACES: [&str; 6] = ["functionName", "layerName", "policyArn", "resource", "resourceArn", "roleName"];

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
    /// What an event says of the call. `home` is the guard's own account and partition.
    ///
    /// # Errors
    /// The event is not one that a guard can act on: see [`EventParseError`].
    pub fn from_event(event: &Envelope, home: &Home) -> Result<CloudTrailEvent, EventParseError> {
        succeeded(&event.detail)?;
        let malformed = EventParseError::Malformed { field: "account" };
        let account: AccountId = text(&event.account).and_then(|account| account.parse().ok()).ok_or(malformed)?;
        if account != home.account {
            return Err(EventParseError::OtherAccount(account));
        }
        let mut read = CloudTrailEvent::read(&event.detail, home)?;
        read.cause.event_id = read.cause.event_id.or_else(|| text(&event.id));
        Ok(read)
    }

    /// What CloudTrail's own record says of the call, which the event history of the guard's own account has.
    ///
    /// # Errors
    /// The record is not one that a guard can act on: see [`EventParseError`].
    pub fn from_history(record: &ApiCallRecord, home: &Home) -> Result<CloudTrailEvent, EventParseError> {
        succeeded(record)?;
        let mut read = CloudTrailEvent::read(record, home)?;
        read.cause.verified = true;
        Ok(read)
    }

    fn read(record: &ApiCallRecord, home: &Home) -> Result<CloudTrailEvent, EventParseError> {
        let malformed = |field| EventParseError::Malformed { field };
        let name = text(&record.event_name).ok_or(malformed("detail.eventName"))?;
        let region = text(&record.aws_region).ok_or(malformed("detail.awsRegion"))?;
        let time = text(&record.event_time).and_then(|time| time.parse().ok()).ok_or(malformed("detail.eventTime"))?;
        // https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
        let at = |pointer| record.user_identity.pointer(pointer).and_then(Value::as_str).map(|text| short(text, 1024));
        let issuer = at("/sessionContext/sessionIssuer/arn");
        // Of a session the unique id stands before the colon, and after it the session's name.
        let (id, session) = match at("/principalId").as_deref().map(|id| id.split_once(':')) {
            Some(Some((id, session))) => (Some(id.to_owned()), Some(session.to_owned())),
            Some(None) => (at("/principalId"), None),
            None => (None, None),
        };
        Ok(CloudTrailEvent {
            cause: Cause {
                event_id: text(&record.event_id),
                event_name: operation(&name).to_owned(),
                time: Some(time),
                region: Some(region.clone()),
                // Calls of AWS services on somebody's behalf carry no ARN.
                actor: issuer.clone().or_else(|| at("/arn")).or_else(|| at("/invokedBy")),
                principal_id: at("/sessionContext/sessionIssuer/principalId").or(id),
                session_name: session,
                source_identity: at("/sessionContext/sourceIdentity"),
                source_address: text(&record.source_ip_address),
                user_agent: text(&record.user_agent),
                verified: false,
            },
            time,
            home: Home { region, ..home.clone() },
            role: issuer,
            parameters: record.request_parameters.clone(),
            results: record.response_elements.clone(),
        })
    }

    /// Whether the event names what the call changed. One whose parameters are longer than 100 KB does not: CloudTrail
    /// leaves them out
    /// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>),
    /// and what it puts there instead is documented nowhere (? omitted-parameters). IAM takes policies of 131,072
    /// characters, of which white space counts in no quota
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>), so that whoever changes a role
    /// can bring that about.
    pub fn says_where(&self) -> bool {
        PLACES.iter().any(|name| self.parameter(name).is_some())
    }

    /// A text parameter of the call.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// The function that a parameter names, and the version or alias that the call is about: the one that its parameter
    /// `qualifier` gives, or else the one in the function's name. None where the function is another account's, which
    /// cannot be changed from here, and where the name or the qualifier is not one that Lambda takes.
    pub fn function(&self, parameter: &str) -> Option<(FunctionArn, Option<Qualifier>)> {
        let (function, in_name) = FunctionArn::resolve(self.parameter(parameter)?, &self.home).ok()?;
        let given = match self.parameter("qualifier") {
            // `$LATEST` is the function itself.
            None | Some("$LATEST") => None,
            Some(given) => Some(given.parse().ok()?),
        };
        (*function.account() == self.home.account).then(|| (function, given.or(in_name)))
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

/// A failed call changed nothing.
fn succeeded(record: &ApiCallRecord) -> Result<(), EventParseError> {
    let code = &record.error_code;
    if code.is_null() {
        return Ok(());
    }
    Err(EventParseError::FailedCall(short(code.as_str().unwrap_or("an error"), 128)))
}

fn text(field: &Option<String>) -> Option<String> {
    field.as_deref().map(|text| short(text, 1024))
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

    fn read(event: &Value) -> Result<CloudTrailEvent, EventParseError> {
        CloudTrailEvent::from_event(&Envelope::deserialize(event).unwrap(), &home())
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
                "userIdentity": {
                    "type": "IAMUser",
                    "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                    "arn": "arn:aws:iam::111122223333:user/mallory"
                },
                "requestParameters": {"functionName": "pay", "statementId": "open"}
            }
        })
    }

    #[test]
    fn a_cloudtrail_event_says_where_to_look_and_who_it_was() {
        let event = read(&event()).unwrap();
        assert_eq!(event.cause.event_name, "AddPermission");
        assert_eq!(event.cause.actor.as_deref(), Some("arn:aws:iam::111122223333:user/mallory"));
        assert_eq!(event.cause.principal_id.as_deref(), Some("AIDACKCEVSQ6C2EXAMPLE"));
        assert_eq!((event.cause.session_name.as_deref(), event.cause.source_identity.as_deref()), (None, None));
        assert_eq!((event.home.region.as_str(), event.parameter("functionName")), ("eu-west-1", Some("pay")));
        assert_eq!(event.cause.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_the_caller_chooses_is_not_the_actor() {
        let mut event = event();
        event["detail"]["userIdentity"] = json!({
            "type": "AssumedRole",
            "principalId": "AROAIDPPEZS35WEXAMPLE:an-innocent",
            "arn": "arn:aws:sts::111122223333:assumed-role/deploy/an-innocent",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAIDPPEZS35WEXAMPLE",
                    "arn": "arn:aws:iam::111122223333:role/ci/deploy"
                },
                "sourceIdentity": "somebody"
            }
        });
        let read = read(&event).unwrap();
        let Cause { actor, principal_id, session_name, source_identity, .. } = read.cause;
        assert_eq!(actor.as_deref(), Some("arn:aws:iam::111122223333:role/ci/deploy"));
        assert_eq!((actor, principal_id.as_deref()), (read.role, Some("AROAIDPPEZS35WEXAMPLE")));
        assert_eq!((session_name.as_deref(), source_identity.as_deref()), (Some("an-innocent"), Some("somebody")));
    }

    #[test]
    fn a_parameter_names_a_function_of_this_account_and_its_version_or_alias() {
        #[track_caller]
        fn check(parameters: Value, expected: Option<(&str, Option<&str>)>) {
            let mut event = event();
            event["detail"]["requestParameters"] = parameters;
            let found = read(&event).unwrap().function("functionName");
            let found = found
                .as_ref()
                .map(|(function, qualifier)| (function.name(), qualifier.as_ref().map(Qualifier::as_str)));
            assert_eq!(found, expected);
        }
        let arn = |account: &str| format!("arn:aws:lambda:eu-west-1:{account}:function:pay:live");
        check(json!({"functionName": "pay"}), Some(("pay", None)));
        check(json!({"functionName": "pay", "qualifier": "3"}), Some(("pay", Some("3"))));
        check(json!({"functionName": "pay", "qualifier": "$LATEST"}), Some(("pay", None)));
        check(json!({"functionName": arn("111122223333")}), Some(("pay", Some("live"))));
        check(json!({"functionName": arn("444455556666")}), None);
        check(json!({"functionName": "pay", "qualifier": "no alias"}), None);
        check(json!({"functionName": 7}), None);
        check(json!({"resource": "pay"}), None);
    }

    #[test]
    fn parameters_that_were_left_out_do_not_say_where() {
        #[track_caller]
        fn check(parameters: Value, expected: bool) {
            let mut event = event();
            event["detail"]["requestParameters"] = parameters;
            assert_eq!(read(&event).unwrap().says_where(), expected);
        }
        check(json!({"roleName": "pay", "policyName": "all"}), true);
        check(json!({"resource": "arn:aws:lambda:eu-west-1:111122223333:function:pay", "tags": {}}), true);
        check(json!({"omitted": true, "originalSize": 120_000, "reason": "too long"}), false);
        check(json!("too long"), false);
        check(Value::Null, false);
    }

    #[test]
    fn the_answer_says_which_version_was_published() {
        #[track_caller]
        fn check(version: &str, expected: Option<&str>) {
            let mut event = event();
            event["detail"]["responseElements"] = json!({ "version": version });
            let published = read(&event).unwrap().published_version();
            assert_eq!(published.as_ref().map(Qualifier::as_str), expected);
        }
        check("3", Some("3"));
        check("$LATEST.PUBLISHED", Some("$LATEST.PUBLISHED"));
        check("$LATEST", None);
        check("live", None);
        check("", None);
    }

    #[test]
    fn only_cloudtrails_own_record_is_verified() {
        let told = read(&event()).unwrap();
        assert!(!told.cause.verified);
        let record = |event: &Value| ApiCallRecord::deserialize(&event["detail"]).unwrap();
        let own = CloudTrailEvent::from_history(&record(&event()), &home()).unwrap();
        assert!(own.cause.verified);
        assert_eq!(CloudTrailEvent { cause: Cause { verified: false, ..own.cause.clone() }, ..own }, told);
        let mut failed = event();
        failed["detail"]["errorCode"] = "AccessDenied".into();
        CloudTrailEvent::from_history(&record(&failed), &home()).unwrap_err();
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
            assert_eq!(read(&event).unwrap_err().to_string(), expected);
        }
        check(
            |e| e["detail"]["errorCode"] = "AccessDenied".into(),
            "the call failed with AccessDenied: it changed nothing",
        );
        check(
            |e| e["account"] = "444455556666".into(),
            "the event is of account 444455556666, which is not guarded here",
        );
        check(|e| e["account"] = Value::Null, "not a CloudTrail event: account is missing or of the wrong type");
        check(|e| e["detail"] = json!({}), "not a CloudTrail event: detail.eventName is missing or of the wrong type");
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
    fn what_is_no_event_is_refused() {
        #[track_caller]
        fn check(change: impl Fn(&mut Value)) {
            let mut event = event();
            change(&mut event);
            Envelope::deserialize(&event).unwrap_err();
        }
        check(|e| *e = Value::Null);
        check(|e| *e = json!({}));
        check(|e| e["detail"] = Value::Null);
        check(|e| e["detail"] = "text".into());
    }

    /// Whatever CloudTrail may leave out, and whatever it may replace because it is too long.
    #[test]
    fn what_a_guard_can_do_without_may_be_missing_or_of_any_type() {
        let complete = read(&event()).unwrap();
        let replaced = json!({"omitted": true, "originalSize": 120_000, "reason": "too long"});
        for replacement in [None, Some(Value::Null), Some(7.into()), Some(replaced)] {
            let mut event = event();
            for field in ["sourceIPAddress", "userAgent", "userIdentity", "eventID", "responseElements"] {
                match &replacement {
                    None => _ = event["detail"].as_object_mut().unwrap().remove(field),
                    Some(replacement) => event["detail"][field] = replacement.clone(),
                }
            }
            let read = read(&event).unwrap();
            assert_eq!((read.parameters, read.time), (complete.parameters.clone(), complete.time));
            let Cause { actor, principal_id, source_address, user_agent, event_id, .. } = read.cause;
            assert_eq!((actor, principal_id, source_address, user_agent), (None, None, None, None));
            assert_eq!(event_id.as_deref(), Some("1b7c0f6e-0000-4000-8000-000000000001"), "EventBridge's own");
        }
    }

    #[test]
    fn a_tag_of_wardens_is_seen_in_any_letters() {
        #[track_caller]
        fn check(parameters: Value, expected: bool) {
            let mut event = event();
            event["detail"]["requestParameters"] = parameters;
            assert_eq!(read(&event).unwrap().touches_warden_tags(), expected);
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
        let agent = read(&event).unwrap().cause.user_agent.unwrap();
        assert!(agent.len() <= 1024 && !agent.contains('\u{1b}'));
    }
}
