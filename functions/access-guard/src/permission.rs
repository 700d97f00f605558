//! Statements that AddPermission can make: what a statement that was taken out is put back with, without touching the
//! others.

use serde_json::{Map, Value, json};
use warden_engine::{
    name::lambda::{FunctionArn, Qualifier},
    plan::{Call, Permission, UrlAuthType},
};

/// The call that makes exactly this statement of the function's policy, if there is one. AddPermission makes no other
/// than those of [`written`]; what is written in any other way is left to PutResourcePolicy.
pub(crate) fn add_permission(function: &FunctionArn, qualifier: &Option<Qualifier>, statement: &Value) -> Option<Call> {
    let sid = statement.get("Sid")?.as_str()?.to_owned();
    let permission = read(statement)?;
    let resource = function.qualified(qualifier.as_ref());
    let exact = written(&resource, function.partition(), &sid, &permission) == *statement;
    exact.then(|| Call::AddPermission {
        function: function.clone(),
        qualifier: qualifier.clone(),
        sid,
        permission: Box::new(permission),
    })
}

/// The parameters that a statement may have come from.
fn read(statement: &Value) -> Option<Permission> {
    let principal = statement.get("Principal")?;
    let principal = match principal.as_str() {
        Some(everybody) => everybody,
        None => principal.get("AWS").or_else(|| principal.get("Service"))?.as_str()?,
    };
    // An account's root is named by the account's id; where it was named by its ARN, that says the same.
    let root = principal.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next());
    let said = |operator: &str, key: &str| {
        let value = statement.get("Condition")?.get(operator)?.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let auth_type = said("StringEquals", URL_AUTH_TYPE);
    Some(Permission {
        principal: root.unwrap_or(principal).to_owned(),
        action: statement.get("Action")?.as_str()?.to_owned(),
        source_arn: said("ArnLike", SOURCE_ARN),
        source_account: said("StringEquals", SOURCE_ACCOUNT),
        principal_org_id: said("StringEquals", ORGANIZATION),
        event_source_token: said("StringEquals", TOKEN),
        function_url_auth_type: [UrlAuthType::AwsIam, UrlAuthType::None]
            .into_iter()
            .find(|known| Some(known.as_str()) == auth_type.as_deref()),
        invoked_via_function_url: said("Bool", VIA_URL).and_then(|via| via.parse().ok()),
    })
}

const SOURCE_ARN: &str = "AWS:SourceArn";
const SOURCE_ACCOUNT: &str = "AWS:SourceAccount";
const ORGANIZATION: &str = "aws:PrincipalOrgID";
const TOKEN: &str = "lambda:EventSourceToken";
const URL_AUTH_TYPE: &str = "lambda:FunctionUrlAuthType";
const VIA_URL: &str = "lambda:InvokedViaFunctionUrl";

/// The statement that AddPermission makes of its parameters, as the examples of the Lambda developer guide show them
/// ("Viewing resource-based IAM policies in Lambda", "Control access to Lambda function URLs"). That of
/// `EventSourceToken` is shown nowhere (? event-source-token).
fn written(resource: &str, partition: &str, sid: &str, permission: &Permission) -> Value {
    let who = permission.principal.as_str();
    let principal = if who == "*" {
        json!("*")
    } else if who.len() == 12 && who.bytes().all(|byte| byte.is_ascii_digit()) {
        json!({"AWS": format!("arn:{partition}:iam::{who}:root")})
    } else if who.starts_with("arn:") {
        json!({"AWS": who})
    } else {
        json!({"Service": who})
    };
    let equals = [
        (SOURCE_ACCOUNT, permission.source_account.clone()),
        (ORGANIZATION, permission.principal_org_id.clone()),
        (TOKEN, permission.event_source_token.clone()),
        (URL_AUTH_TYPE, permission.function_url_auth_type.map(|auth_type| auth_type.as_str().to_owned())),
    ];
    let operators = [
        ("StringEquals", object(equals)),
        ("ArnLike", object([(SOURCE_ARN, permission.source_arn.clone())])),
        ("Bool", object([(VIA_URL, permission.invoked_via_function_url.map(|via| via.to_string()))])),
    ];
    let condition: Map<String, Value> = operators
        .into_iter()
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(name, keys)| (name.into(), keys.into()))
        .collect();
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": permission.action,
        "Resource": resource});
    if let Value::Object(statement) = &mut statement
        && !condition.is_empty()
    {
        statement.insert("Condition".into(), condition.into());
    }
    statement
}

fn object<const N: usize>(keys: [(&str, Option<String>); N]) -> Map<String, Value> {
    keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use warden_engine::model::content::Content;
    use warden_testing::lambda::apply;

    const PAY: &str = "arn:aws:lambda:us-east-1:111122223333:function:pay";

    fn call(statement: &Value) -> Option<Call> {
        add_permission(&PAY.parse().unwrap(), &None, statement)
    }

    fn allow(principal: Value, more: Value) -> Value {
        let mut statement = json!({"Sid": "one", "Effect": "Allow", "Principal": principal,
            "Action": "lambda:InvokeFunction", "Resource": PAY});
        for (key, value) in more.as_object().unwrap() {
            statement[key] = value.clone();
        }
        statement
    }

    #[test]
    fn what_add_permission_made_is_made_again_to_the_letter() {
        let s3 = json!({"Service": "s3.amazonaws.com"});
        for statement in [
            allow(json!("*"), json!({})),
            allow(json!({"AWS": "arn:aws:iam::999988887777:root"}), json!({})),
            allow(json!({"AWS": "arn:aws:iam::999988887777:role/deploy"}), json!({})),
            allow(json!("*"), json!({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}})),
            allow(
                s3,
                json!({"Condition": {"StringEquals": {"AWS:SourceAccount": "111122223333"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::orders"}}}),
            ),
            allow(
                json!("*"),
                json!({"Action": "lambda:InvokeFunctionUrl",
                "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}}),
            ),
            allow(json!("*"), json!({"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}})),
        ] {
            let call = call(&statement).unwrap_or_else(|| panic!("{statement}"));
            let after = apply(&Content::ABSENT, &call).unwrap();
            assert_eq!(after.document().unwrap()["Statement"][0], statement);
        }
    }

    #[test]
    fn what_add_permission_cannot_say_it_is_not_asked_to() {
        for statement in [
            allow(json!({"AWS": "*"}), json!({})),
            allow(json!({"AWS": ["999988887777"]}), json!({})),
            allow(json!({"AWS": "999988887777"}), json!({})),
            allow(json!("*"), json!({"Effect": "Deny"})),
            allow(json!("*"), json!({"Action": ["lambda:InvokeFunction"]})),
            allow(json!("*"), json!({"Resource": format!("{PAY}:*")})),
            allow(json!("*"), json!({"Sid": null})),
            allow(json!("*"), json!({"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}})),
            allow(json!("*"), json!({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}})),
            allow(json!("*"), json!({"Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "OTHER"}}})),
        ] {
            assert_eq!(call(&statement), None, "{statement}");
        }
    }
}
