//! The CloudTrail event of a call, as EventBridge delivers it.
//!
//! Shapes: the CloudTrail user guide ("CloudTrail record contents", "userIdentity element") and the EventBridge user
//! guide ("AWS service events delivered via CloudTrail").

use hyper::http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use ulid::Ulid;

use crate::{
    caller::Caller,
    operation::{Operation, form},
};

/// A call and its answer, as the proxy saw them.
pub(crate) struct Exchange<'a> {
    pub(crate) account: &'a str,
    pub(crate) operation: &'a Operation,
    pub(crate) caller: &'a Caller,
    pub(crate) head: &'a Parts,
    pub(crate) request: &'a [u8],
    pub(crate) response: &'a [u8],
    /// Code and message of an error answer.
    pub(crate) error: Option<(String, String)>,
    pub(crate) request_id: Option<String>,
}

/// An event on its way to the default bus of its Region.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) region: String,
    /// The whole envelope.
    pub(crate) body: Value,
}

/// The event of a call that changes something, or tried to. None for services whose trail nobody here needs.
pub(crate) fn of(exchange: &Exchange<'_>) -> Option<Event> {
    let operation = exchange.operation;
    if !operation.is_management_write() {
        return None;
    }
    // IAM is a service of the whole account; its events exist in us-east-1 alone.
    let region = match operation.service.as_str() {
        "lambda" | "events" => operation.region.as_str(),
        "iam" => "us-east-1",
        _ => return None,
    };
    let parameters = match operation.service.as_str() {
        "iam" => from_form(exchange.request),
        _ => from_json(exchange),
    };
    let denied = exchange.error.as_ref().is_some_and(|(code, _)| code.starts_with("AccessDenied"));
    let name = format!("{}{}", operation.name, operation.suffix);
    let id = uuid();
    let now = now();
    let header = |name: &str| exchange.head.headers.get(name).and_then(|value| value.to_str().ok());
    let access_key = operation.access_key.as_deref().unwrap_or_default();
    let mut detail = json!({
        "eventVersion": "1.11",
        "userIdentity": exchange.caller.identity(access_key),
        "eventTime": now,
        "eventSource": format!("{}.amazonaws.com", operation.service),
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": header("user-agent").unwrap_or_default(),
        "requestParameters": if denied || parameters.is_empty() { Value::Null } else { bounded(parameters.clone().into()) },
        "responseElements": if exchange.error.is_some() { Value::Null } else { bounded(elements(exchange)) },
        "requestID": exchange.request_id.clone().unwrap_or_else(uuid),
        "eventID": uuid(),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": exchange.account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": header("host").unwrap_or_default(),
        },
    });
    if let Some((code, message)) = &exchange.error {
        // Lambda's wire name ends in Exception; CloudTrail writes the short one.
        let code = if denied { "AccessDenied" } else { code };
        detail["errorCode"] = json!(code);
        detail["errorMessage"] = json!(message);
    }
    if operation.service == "lambda"
        && let Some(resource) = parameters.get("resource").filter(|_| !denied)
    {
        detail["resources"] = json!([{ "accountId": exchange.account, "type": "function", "ARN": resource }]);
    }
    let body = json!({
        "version": "0",
        "id": id,
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{}", operation.service),
        "account": exchange.account,
        "time": now,
        "region": region,
        "resources": [],
        "detail": detail,
    });
    Some(Event { id, name, region: region.to_owned(), body })
}

/// What is longer than 100 KB is left out ("CloudTrail record contents", `requestParameters` and `responseElements`); what
/// stands there instead is documented nowhere (? omitted-parameters).
fn bounded(field: Value) -> Value {
    match field.to_string().len() {
        0..=102_400 => field,
        size => json!({ "omitted": true, "originalSize": size, "reason": "the field is too long" }),
    }
}

fn from_json(exchange: &Exchange<'_>) -> Map<String, Value> {
    let mut parameters = match serde_json::from_slice(exchange.request) {
        Ok(Value::Object(body)) => spelled(body),
        _ => Map::new(),
    };
    for (name, value) in &exchange.operation.path {
        parameters.insert((*name).to_owned(), json!(value));
    }
    let query = exchange.head.uri.query().unwrap_or_default();
    for (name, value) in form(query.as_bytes()) {
        let name = lower_first(&name);
        if name == "tagKeys" {
            let keys = parameters.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(keys) = keys {
                keys.push(json!(value));
            }
        } else {
            parameters.insert(name, json!(value));
        }
    }
    // Emptied, and there also where none was sent (? sent-environment).
    if exchange.operation.name == "UpdateFunctionConfiguration" {
        parameters.entry("environment").or_insert_with(|| json!({}));
    }
    parameters
}

fn elements(exchange: &Exchange<'_>) -> Value {
    if exchange.operation.service == "iam" {
        return std::str::from_utf8(exchange.response).ok().and_then(from_xml).unwrap_or_default();
    }
    match serde_json::from_slice(exchange.response) {
        Ok(Value::Object(body)) if !body.is_empty() => Value::Object(spelled(body)),
        _ => Value::Null,
    }
}

/// An object as CloudTrail spells it, and without what it leaves out: the values of the environment and the code.
fn spelled(object: Map<String, Value>) -> Map<String, Value> {
    object
        .into_iter()
        .filter(|(name, _)| name != "ZipFile")
        .map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("Environment" | "Code", Value::Object(_)) => json!({}),
                // The keys of these are the user's own.
                ("Tags", value) => value,
                (_, value) => within(value),
            };
            (lower_first(&name), value)
        })
        .collect()
}

fn within(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(spelled(object)),
        Value::Array(items) => items.into_iter().map(within).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The parameters of a query-protocol request: `Tags.member.1.Key=a` becomes `{"tags":[{"key":"a"}]}`.
fn from_form(body: &[u8]) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in form(body) {
        if name == "Action" || name == "Version" {
            continue;
        }
        let Some((list, rest)) = name.split_once(".member.") else {
            parameters.insert(lower_first(&name), scalar(&name, &value));
            continue;
        };
        let list = parameters.entry(lower_first(list)).or_insert_with(|| json!([]));
        let Value::Array(items) = list else { continue };
        let (index, field) = rest.split_once('.').map_or((rest, None), |(index, field)| (index, Some(field)));
        let index = index.parse::<usize>().unwrap_or(1).saturating_sub(1);
        match (field, items.get_mut(index)) {
            (None, _) => items.push(json!(value)),
            (Some(field), Some(Value::Object(item))) => {
                item.insert(lower_first(field), json!(value));
            }
            (Some(field), _) => items.push(json!({ lower_first(field): value })),
        }
    }
    parameters
}

/// The result of a query-protocol answer, `<CreateRoleResult><Role>...</Role></CreateRoleResult>`; none where there is
/// none.
fn from_xml(text: &str) -> Option<Value> {
    let document = roxmltree::Document::parse(text).ok()?;
    let mut parts = document.root_element().children().filter(roxmltree::Node::is_element);
    let result = parts.find(|part| part.tag_name().name().ends_with("Result"))?;
    Some(element(result)).filter(Value::is_object)
}

fn element(node: roxmltree::Node<'_, '_>) -> Value {
    let parts: Vec<_> = node.children().filter(roxmltree::Node::is_element).collect();
    let name = node.tag_name().name();
    match parts.first().map(|part| part.tag_name().name()) {
        None => scalar(name, node.text().unwrap_or_default()),
        Some("member") => parts.into_iter().map(element).collect(),
        Some(_) => {
            // CloudTrail's role has no such field.
            let kept = parts.into_iter().filter(|part| part.tag_name().name() != "MaxSessionDuration");
            Value::Object(kept.map(|part| (lower_first(part.tag_name().name()), element(part))).collect())
        }
    }
}

/// The text of a query-protocol request or answer in the type that CloudTrail gives it.
fn scalar(name: &str, text: &str) -> Value {
    match name {
        "SetAsDefault" | "IsDefaultVersion" | "IsAttachable" => json!(text == "true"),
        "AttachmentCount" | "PermissionsBoundaryUsageCount" | "MaxSessionDuration" => {
            text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        _ => json!(text),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// What CloudTrail's event history says of an event that it has, as LookupEvents answers it ("Event", CloudTrail API
/// reference).
pub(crate) fn in_history(event: &Value) -> Value {
    let detail = &event["detail"];
    let time = detail["eventTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok()).unwrap_or_default();
    let identity = &detail["userIdentity"];
    let issuer = &identity["sessionContext"]["sessionIssuer"];
    json!({
        "EventId": detail["eventID"],
        "EventName": detail["eventName"],
        "EventSource": detail["eventSource"],
        "EventTime": time.as_second(),
        "ReadOnly": detail["readOnly"].to_string(),
        "AccessKeyId": identity["accessKeyId"],
        "Username": if identity["userName"].is_string() { &identity["userName"] } else { &issuer["userName"] },
        "Resources": [],
        "CloudTrailEvent": detail.to_string(),
    })
}

/// The time as events carry it: RFC 3339 in UTC, whole seconds.
pub(crate) fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// A random identifier in the form of a UUID.
pub(crate) fn uuid() -> String {
    let bits = Ulid::new().random() as u64;
    let more = Ulid::new().random();
    let text = format!("{bits:016x}{:016x}", more as u64);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), format!("4{}", part(13..16)), format!("a{}", part(17..20)), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_lists_become_arrays() {
        let body = b"Action=CreateRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=b&PolicyArns.member.1=x";
        let expected = json!({"roleName": "r", "tags": [{"key": "a", "value": "b"}], "policyArns": ["x"]});
        assert_eq!(Value::Object(from_form(body)), expected);
    }

    #[test]
    fn what_is_no_text_in_cloudtrail_is_none_here() {
        let body = b"Action=CreatePolicyVersion&PolicyArn=a&SetAsDefault=true&PolicyDocument=%7B%7D";
        let expected = json!({"policyArn": "a", "setAsDefault": true, "policyDocument": "{}"});
        assert_eq!(Value::Object(from_form(body)), expected);
    }

    #[test]
    fn an_answer_in_xml_becomes_an_object() {
        let answer = "<CreateRoleResponse \
            xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateRoleResult><Role><RoleName>r</RoleName><MaxSessionDuration>3600</MaxSessionDuration><Tags><member><Key>a</Key><Value>b</Value></member></Tags></Role></CreateRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></CreateRoleResponse>";
        let expected = json!({"role": {"roleName": "r", "tags": [{"key": "a", "value": "b"}]}});
        assert_eq!(from_xml(answer), Some(expected));
        let version = "<R><CreatePolicyVersionResult><PolicyVersion><VersionId>v2</VersionId>\
            <IsDefaultVersion>true</IsDefaultVersion></PolicyVersion></CreatePolicyVersionResult></R>";
        let expected = json!({"policyVersion": {"versionId": "v2", "isDefaultVersion": true}});
        assert_eq!(from_xml(version), Some(expected));
        let nothing = "<PutRolePolicyResponse><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PutRolePolicyResponse>";
        assert_eq!(from_xml(nothing), None);
        assert_eq!(from_xml("<UpdateRoleResponse><UpdateRoleResult></UpdateRoleResult></UpdateRoleResponse>"), None);
    }

    #[test]
    fn environment_and_code_are_emptied() {
        let body = json!({"FunctionName": "f", "Code": {"ZipFile": "UEs="},
            "Environment": {"Variables": {"A": "secret"}},
            "Tags": {"Warden": "enforce"}, "VpcConfig": {"SubnetIds": ["s"]}});
        let Value::Object(body) = body else { unreachable!("an object literal") };
        let expected = json!({"functionName": "f", "code": {}, "environment": {}, "tags": {"Warden": "enforce"},
            "vpcConfig": {"subnetIds": ["s"]}});
        assert_eq!(Value::Object(spelled(body)), expected);
    }
}
