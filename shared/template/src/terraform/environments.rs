//! The environments of functions.

use super::{Plan, Resource, list};
use crate::{
    NotJudged,
    deployment::{Environment, Setting},
    secrets,
};
use serde_json::Value;

/// Attributes that are a secret themselves
/// (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs>,
/// <https://registry.terraform.io/providers/hashicorp/random/latest/docs/resources/password>,
/// <https://registry.terraform.io/providers/hashicorp/tls/latest/docs/resources/private_key>).
const SECRET_ATTRIBUTES: [(&str, &[&str]); 8] = [
    ("aws_api_gateway_api_key", &["value"]),
    ("aws_appsync_api_key", &["key"]),
    ("aws_cognito_user_pool_client", &["client_secret"]),
    ("aws_db_instance", &["password"]),
    ("aws_iam_access_key", &["secret", "ses_smtp_password_v4"]),
    ("aws_rds_cluster", &["master_password"]),
    ("random_password", &["result"]),
    ("tls_private_key", &["private_key_openssh", "private_key_pem", "private_key_pem_pkcs8"]),
];

impl<'p> Plan<'_, 'p> {
    /// A function's environment; a note when its variables are not known yet.
    pub(super) fn environment(&self, resource: &Resource<'p>, not_judged: &mut Vec<NotJudged>) -> Environment {
        let block = list(resource.values, "environment").next();
        let variables = block.and_then(|block| block.get("variables")?.as_object()).into_iter().flatten();
        let known = variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let known: Vec<(String, String)> = known.collect();
        let unknown = resource.unknown.and_then(|unknown| unknown.get("environment"));
        let mut later = Vec::new();
        let mut is_later = false;
        match unknown.and_then(|blocks| blocks.get(0)?.get("variables")).or(unknown) {
            Some(Value::Bool(true)) => {
                is_later = true;
                not_judged.push(resource.note("environment.variables"));
            }
            Some(Value::Object(names)) => {
                let names = names.iter().filter(|(_, later)| **later == Value::Bool(true));
                is_later = names.clone().next().is_some();
                later.extend(names.map(|(name, _)| name).filter(|name| secrets::is_name_of_one(name)));
            }
            Some(_) | None => {}
        }
        // The configuration does not say which variable has which value.
        let is_said = !later.is_empty() || known.iter().any(|(name, value)| secrets::is_found(name, value));
        let secret = if is_later && !is_said { self.secret_of(resource) } else { None };
        let source = "a value that is known only after apply";
        let variables = known.into_iter().map(|(name, value)| (name, Setting::Plain(value)));
        let later = later.into_iter().map(|name| (name.clone(), Setting::Elsewhere(source.to_owned())));
        let secret = secret.map(|secret| ("variables".to_owned(), secret));
        let variables = variables.chain(later).chain(secret).collect();
        let at = format!("{}.environment", resource.address);
        Environment { function: resource.address.to_owned(), at, variables }
    }

    /// A secret to which the environment of a function refers.
    fn secret_of(&self, resource: &Resource<'p>) -> Option<Setting> {
        let references = self.references(resource, resource.expression("environment"));
        references.into_iter().find_map(|reference| {
            let attribute = reference.attribute.as_deref()?;
            let kind = reference.block.rsplit('.').nth(1)?;
            let source = format!("{}.{attribute}", reference.block);
            let is_secret = |(of, attributes): &(&str, &[&str])| *of == kind && attributes.contains(&attribute);
            match (kind, attribute) {
                // A field of it may be harmless.
                ("aws_secretsmanager_secret_version", "secret_binary" | "secret_string") => {
                    Some(Setting::Elsewhere(format!("`{source}`")))
                }
                _ => SECRET_ATTRIBUTES.iter().any(is_secret).then_some(Setting::Made(source)),
            }
        })
    }
}
