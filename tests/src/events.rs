//! Events as EventBridge brings them from CloudTrail.

use aws_lambda_events::{cloudwatch_events::cloudtrail::AWSAPICall, eventbridge::EventBridgeEvent};
use serde_json::{Value, json};
use warden_sandbox::ACCOUNT;

/// The event of a call that an IAM user made. The shapes are those of the CloudTrail user guide ("CloudTrail record
/// contents") and of the EventBridge user guide ("AWS service events delivered via CloudTrail").
pub fn event(service: &str, name: &str, parameters: &Value, answer: &Value) -> Value {
    json!({
        "version": "0",
        "id": "1b7c0f6e-0000-4000-8000-000000000001",
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{service}"),
        "account": ACCOUNT,
        "time": "2026-11-21T10:00:03Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory"),
                "accountId": ACCOUNT,
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "userName": "mallory",
            },
            "eventTime": "2026-11-21T10:00:00Z",
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.31",
            "requestParameters": parameters,
            "responseElements": answer,
            "requestID": "3d2f0f6e-0000-4000-8000-000000000003",
            "eventID": "5f0c8c1a-0000-4000-8000-000000000002",
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        },
    })
}

/// Fails where `event` lacks a field that AWS always sends, or has one in another type. `aws_lambda_events` says which:
/// its type refuses such an event, which the guards' own does not.
///
/// # Panics
/// With `what` and the field.
#[track_caller]
pub fn assert_complete(event: &Value, what: &str) {
    if let Err(error) = serde_json::from_value::<EventBridgeEvent<AWSAPICall>>(event.clone()) {
        panic!("{what}: {error}: {event:#}");
    }
}
