//! What Lambda makes of a call: the content after it, or its error. A plain function.

use serde_json::{Value, json};
use warden_engine::{
    call_error::ErrorKind,
    model::{concurrency, content::Content},
    plan::{Call, Permission, UrlAuthType},
    secret::environment::{EnvironmentDigest, Held, KeptValue},
};

/// The content that `call` leaves where `content` was; a call of IAM's is none of Lambda's.
///
/// # Errors
/// What Lambda answers.
pub fn apply(content: &Content, call: &Call) -> Result<Content, ErrorKind> {
    match call {
        Call::RemovePermission { sid, .. } | Call::RemoveLayerVersionPermission { sid, .. } => without(content, sid),
        Call::AddPermission { function, qualifier, sid, permission } => {
            with(content, sid, added(&function.qualified(qualifier.as_ref()), sid, permission))
        }
        Call::PutResourcePolicy { policy, .. } => {
            let statements = policy.get("Statement").ok_or(ErrorKind::Bug)?;
            if statements.as_array().is_some_and(Vec::is_empty) {
                Err(ErrorKind::Bug)
            } else {
                Ok(Content::new(policy.clone()))
            }
        }
        Call::DeleteResourcePolicy { .. } => {
            if content.is_absent() {
                Err(ErrorKind::Gone)
            } else {
                Ok(Content::ABSENT)
            }
        }
        Call::UpdateFunctionUrlConfig { auth_type, .. } => {
            let mut url = content.document().cloned().ok_or(ErrorKind::Gone)?;
            url["AuthType"] = auth_type.as_str().into();
            Ok(Content::new(url))
        }
        Call::AddLayerVersionPermission { layer, sid, principal, action, organization } => {
            let principal = match principal.as_str() {
                "*" => json!("*"),
                account => json!({"AWS": format!("arn:aws:iam::{account}:root")}),
            };
            let mut statement =
                json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": layer});
            if let Some(organization) = organization {
                statement["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": organization}});
            }
            with(content, sid, statement)
        }
        Call::PutFunctionConcurrency { reserved, .. } => Ok(concurrency::reserved(Some(*reserved))),
        Call::DeleteFunctionConcurrency { .. } => Ok(Content::ABSENT),
        Call::PutFunctionRecursionConfig { recursive_loop, .. } => {
            Ok(concurrency::recursion(Some(recursive_loop.as_str())))
        }
        Call::UpdateFunctionRole { role, .. } => Ok(Content::new(json!({"Role": role}))),
        Call::UpdateAssumeRolePolicy { .. }
        | Call::PutRolePermissionsBoundary { .. }
        | Call::DeleteRolePermissionsBoundary { .. }
        | Call::PutRolePolicy { .. }
        | Call::DeleteRolePolicy { .. }
        | Call::AttachRolePolicy { .. }
        | Call::DetachRolePolicy { .. }
        | Call::AttachGeneratedPolicy { .. }
        | Call::DeleteGeneratedPolicy { .. }
        | Call::CreatePolicyVersion { .. }
        | Call::SetDefaultPolicyVersion { .. }
        | Call::TakeVersionBack { .. }
        | Call::DeleteSecrets { .. }
        | Call::RestoreSecrets { .. } => Err(ErrorKind::Bug),
        Call::RotateSecret(rotation) => Ok(KeptValue::new(rotation.secret.clone(), rotation.value).content()),
        Call::UpdateEnvironment(update) => {
            let digest = EnvironmentDigest::of(content).map_err(|_| ErrorKind::Refused)?;
            let stored = update.store.iter().flat_map(|stored| &stored.values);
            for (name, hash) in stored {
                if digest.variables.get(name) != Some(&Held::Value(*hash)) {
                    return Err(ErrorKind::Stale);
                }
            }
            Ok(update.on(&digest).content())
        }
    }
}

/// The statement that AddPermission makes.
fn added(resource: &str, sid: &str, permission: &Permission) -> Value {
    let who = permission.principal.as_str();
    let principal = match who {
        "*" => json!("*"),
        account if account.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({"AWS": format!("arn:aws:iam::{account}:root")})
        }
        service if service.ends_with(".amazonaws.com") => json!({"Service": service}),
        arn => json!({"AWS": arn}),
    };
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": permission.action,
        "Resource": resource});
    let equals = [
        ("AWS:SourceAccount", permission.source_account.as_deref()),
        ("aws:PrincipalOrgID", permission.principal_org_id.as_deref()),
        ("lambda:EventSourceToken", permission.event_source_token.as_deref()),
        ("lambda:FunctionUrlAuthType", permission.function_url_auth_type.map(UrlAuthType::as_str)),
    ];
    for (key, value) in equals {
        if let Some(value) = value {
            statement["Condition"]["StringEquals"][key] = value.into();
        }
    }
    if let Some(arn) = &permission.source_arn {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = arn.clone().into();
    }
    if let Some(via) = permission.invoked_via_function_url {
        statement["Condition"]["Bool"]["lambda:InvokedViaFunctionUrl"] = via.to_string().into();
    }
    statement
}

/// The policy with one statement more. A Sid that is there already is refused.
fn with(content: &Content, sid: &str, statement: Value) -> Result<Content, ErrorKind> {
    let new = || json!({"Version": "2012-10-17", "Id": "default", "Statement": []});
    let mut policy = content.document().cloned().unwrap_or_else(new);
    let statements = policy["Statement"].as_array_mut().ok_or(ErrorKind::Bug)?;
    if statements.iter().any(|statement| statement["Sid"] == *sid) {
        return Err(ErrorKind::Busy);
    }
    statements.push(statement);
    Ok(Content::new(policy))
}

fn without(content: &Content, sid: &str) -> Result<Content, ErrorKind> {
    let mut policy = content.document().cloned().ok_or(ErrorKind::Gone)?;
    let left: Vec<Value> = match &policy["Statement"] {
        Value::Array(statements) => statements.iter().filter(|statement| statement["Sid"] != sid).cloned().collect(),
        one if one["Sid"] == sid => Vec::new(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(ErrorKind::Gone);
        }
    };
    if Some(left.len()) == policy["Statement"].as_array().map(Vec::len) {
        return Err(ErrorKind::Gone);
    }
    let empty = left.is_empty();
    policy["Statement"] = left.into();
    Ok(if empty { Content::ABSENT } else { Content::new(policy) })
}
