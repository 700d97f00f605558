//! Permissions of functions and layer versions, and URLs.

use super::{Plan, Resource};
use crate::{
    NotJudged,
    deployment::{Deployment, Permission, Url},
    policy::Policy,
};
use serde_json::{Value, json};
use warden_policy::Context;

impl<'p> Plan<'_, 'p> {
    /// Permissions of functions and layer versions, and URLs.
    pub(super) fn doors(&self, deployment: &mut Deployment, context: &Context) {
        for resource in self.of_kind("aws_lambda_permission") {
            let text = |key: &str| resource.text_or_unknown(key);
            let Some((action, principal)) = whom(resource, &mut deployment.errors) else { continue };
            let (source_arn, source_account) = (text("source_arn"), text("source_account"));
            let (organization, token) = (text("principal_org_id"), text("event_source_token"));
            let permission = Permission {
                action: &action,
                principal: &principal,
                source_arn: source_arn.as_deref(),
                source_account: source_account.as_deref(),
                organization: organization.as_deref(),
                url_auth: resource.text("function_url_auth_type"),
                event_source_token: token.as_deref(),
                through_url: resource
                    .values
                    .get("invoked_via_function_url")
                    .and_then(Value::as_bool)
                    .unwrap_or_default(),
            };
            let statement = permission.statement(context);
            let door = deployment.doors.entry(self.door(resource)).or_default();
            door.statements.push((resource.address.to_owned(), statement));
        }
        for resource in self.of_kind("aws_lambda_function_url") {
            let cors = resource.blocks("cors").into_iter().next().map(|cors| {
                let origins = cors.get("allow_origins").and_then(Value::as_array).into_iter().flatten();
                let credentials = cors.get("allow_credentials").and_then(Value::as_bool).unwrap_or_default();
                (origins.filter_map(Value::as_str).collect(), credentials)
            });
            let auth = resource.text("authorization_type");
            if auth.is_none() {
                deployment.not_judged.push(resource.note("authorization_type"));
            }
            let door = deployment.doors.entry(self.door(resource)).or_default();
            // For NONE, the provider lets everybody in by itself (`FunctionURLAllowPublicAccess` in
            // <https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/lambda/function_url.go>).
            if auth == Some("NONE") {
                let permission = Permission {
                    action: "lambda:InvokeFunctionUrl",
                    principal: "*",
                    url_auth: auth,
                    ..Permission::default()
                };
                door.statements.push((resource.address.to_owned(), permission.statement(context)));
            }
            door.url = Some(Url::new(resource.address.to_owned(), auth, cors));
        }
        for resource in self.of_kind("aws_lambda_layer_version_permission") {
            let text = |key: &str| resource.text_or_unknown(key);
            let Some((action, principal)) = whom(resource, &mut deployment.errors) else { continue };
            let organization = text("organization_id");
            let permission = Permission {
                action: &action,
                principal: &principal,
                organization: organization.as_deref().filter(|id| !id.is_empty()),
                ..Permission::default()
            };
            let document = json!({"Version": "2012-10-17", "Statement": permission.statement(context)});
            deployment.layers.push(Policy::of_statement(resource.address, &document));
        }
    }

    /// Which function a permission or URL is of, and which qualifier.
    pub(super) fn door(&self, resource: &Resource<'p>) -> (String, String) {
        let function = resource.text("function_name");
        let defined = self.named(resource, "function_name", "aws_lambda_function", function);
        let name = defined.map(|function| function.address).or(function).unwrap_or(resource.address);
        (name.to_owned(), resource.text("qualifier").unwrap_or_default().to_owned())
    }
}

/// The action and the principal that a permission grants it to; an error when one of them is missing.
fn whom(resource: &Resource<'_>, errors: &mut Vec<NotJudged>) -> Option<(String, String)> {
    let mut text = |key: &str| {
        let text = resource.text_or_unknown(key);
        if text.is_none() {
            errors.push(NotJudged { at: resource.address.to_owned(), why: format!("there is no `{key}`") });
        }
        text
    };
    text("action").zip(text("principal"))
}
