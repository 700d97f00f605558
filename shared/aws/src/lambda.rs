//! Reading functions and layers.

use crate::{
    Aws,
    error::{classify, classify_redacted, unless_said_again},
};
use aws_sdk_lambda::types::{Cors, FunctionConfiguration, FunctionUrlAuthType, LastUpdateStatus, State};
use futures::future;
use jiff::fmt::strtime;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::{Deployment, SurfaceSnapshot},
    model::content::Content,
    name::lambda::{FunctionArn, LayerVersionArn, Qualifier},
    plan::{RevisionId, UrlAuthType},
    secret::environment::KEY_RIGHTS,
};
use warden_policy::{Document, Kind};

/// A function, as far as guards look at it.
#[derive(Clone, Debug)]
pub struct Function {
    /// The function's tags.
    pub tags: BTreeMap<String, String>,
    /// Which role it has (`{"Role": "arn:..."}`), with the lock on its configuration.
    pub role: Option<SurfaceSnapshot>,
    /// Whether it runs on Lambda Managed Instances, where `$LATEST.PUBLISHED` runs instead of what is changed.
    pub on_managed_instances: bool,
    /// The customer's KMS key that its environment is encrypted with, where the caller may not use that.
    pub foreign_key: Option<String>,
    /// Its last update.
    pub deployment: Option<Deployment>,
}

impl Aws {
    /// A function in one GetFunction call (which has a quota of its own, 100 a second); `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn function(&self, function: &FunctionArn) -> Result<Option<Function>, CallError> {
        let target = function.to_string();
        // The answer holds a presigned URL of the code as well: it is dropped here and never logged.
        match self.lambda(function.region()).get_function().function_name(&target).send().await {
            Ok(answer) => Ok(Some(Function {
                tags: answer.tags.unwrap_or_default().into_iter().collect(),
                on_managed_instances: answer.configuration.as_ref().is_some_and(on_managed_instances),
                foreign_key: answer.configuration.as_ref().and_then(foreign_key),
                deployment: answer.configuration.as_ref().and_then(deployment),
                role: answer.configuration.map(role_sighting),
            })),
            // The answer holds the environment too.
            Err(error) => none_if_gone(classify_redacted("GetFunction", &target, error)),
        }
    }

    /// Which role a version or an alias of a function has; `None` where there is none.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn version_role(
        &self,
        function: &FunctionArn,
        version: &Qualifier,
    ) -> Result<Option<SurfaceSnapshot>, CallError> {
        let target = function.qualified(Some(version));
        let call = self.lambda(function.region()).get_function().function_name(function.to_string());
        match call.qualifier(version.as_str()).send().await {
            Ok(answer) => Ok(answer.configuration.map(role_sighting)),
            Err(error) => none_if_gone(classify_redacted("GetFunction", &target, error)),
        }
    }

    /// By version, the aliases of a function that lead to it, also those that send it a part of the traffic.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn aliases(&self, function: &FunctionArn) -> Result<BTreeMap<String, BTreeSet<String>>, CallError> {
        let target = function.to_string();
        let list = self.lambda(function.region()).list_aliases().function_name(&target);
        let mut pages = list.into_paginator().items().send();
        let mut aliases: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while let Some(alias) = pages.next().await {
            let alias = alias.map_err(|error| classify("ListAliases", &target, error))?;
            let Some(name) = alias.name else { continue };
            let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights);
            let versions = alias.function_version.into_iter().chain(weights.into_iter().flatten().map(|(it, _)| it));
            for version in versions {
                aliases.entry(version).or_default().insert(name.clone());
            }
        }
        Ok(aliases)
    }

    /// A function's resource policy. Lambda answers 404 where there is none.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn resource_policy(
        &self,
        function: &FunctionArn,
        qualifier: Option<&Qualifier>,
    ) -> Result<SurfaceSnapshot, CallError> {
        let call = self.lambda(function.region()).get_policy().function_name(function.to_string());
        match call.set_qualifier(qualifier.map(ToString::to_string)).send().await {
            Ok(answer) => Ok(SurfaceSnapshot {
                content: answer.policy.map_or(Content::ABSENT, |text| policy_content(&text)),
                revision: answer.revision_id.map(RevisionId),
            }),
            Err(error) => absent_if_gone(classify("GetPolicy", &function.qualified(qualifier), error)),
        }
    }

    /// A function's resource policy as the API that replaces whole policies shows it, with the lock that this API
    /// takes.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) async fn whole_policy(
        &self,
        function: &FunctionArn,
        qualifier: Option<&Qualifier>,
    ) -> Result<SurfaceSnapshot, CallError> {
        let target = function.qualified(qualifier);
        match self.lambda(function.region()).get_resource_policy().resource_arn(&target).send().await {
            Ok(answer) => Ok(SurfaceSnapshot {
                content: answer.policy.map_or(Content::ABSENT, |text| policy_content(&text)),
                revision: answer.revision_id.map(RevisionId),
            }),
            Err(error) => absent_if_gone(classify("GetResourcePolicy", &target, error)),
        }
    }

    /// A function URL's settings, as far as they say who may call it.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn function_url(
        &self,
        function: &FunctionArn,
        qualifier: Option<&Qualifier>,
    ) -> Result<SurfaceSnapshot, CallError> {
        let call = self.lambda(function.region()).get_function_url_config().function_name(function.to_string());
        let call = call.set_qualifier(qualifier.map(ToString::to_string));
        let asked = async || {
            let answer = call.clone().send().await;
            answer.map_err(|error| classify("GetFunctionUrlConfig", &function.qualified(qualifier), error))
        };
        match unless_said_again(self, asked).await {
            Ok(answer) => Ok(url_sighting(&answer.auth_type, answer.cors)),
            Err(error) => absent_if_gone(error),
        }
    }

    /// All URLs of a function in one call a page, by the alias that each belongs to.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn function_urls(
        &self,
        function: &FunctionArn,
    ) -> Result<BTreeMap<Option<Qualifier>, SurfaceSnapshot>, CallError> {
        let target = function.to_string();
        let call = self.lambda(function.region()).list_function_url_configs().function_name(&target);
        unless_said_again(self, async || {
            let mut pages = call.clone().into_paginator().items().send();
            let mut urls = BTreeMap::new();
            while let Some(url) = pages.next().await {
                let url = url.map_err(|error| classify("ListFunctionUrlConfigs", &target, error))?;
                if let Ok((_, qualifier)) = FunctionArn::resolve(url.function_arn(), &function.home()) {
                    urls.insert(qualifier, url_sighting(&url.auth_type, url.cors));
                }
            }
            Ok(urls)
        })
        .await
    }

    /// A layer version's policy, its statements in the order of their Sids: Lambda can only add at the end, so that an
    /// order could not be restored.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn layer_policy(&self, layer: &LayerVersionArn) -> Result<SurfaceSnapshot, CallError> {
        let target = layer.to_string();
        let call = self.lambda(layer.region()).get_layer_version_policy();
        match call.layer_name(layer.name()).version_number(version(layer)).send().await {
            Ok(answer) => Ok(SurfaceSnapshot {
                content: answer.policy.map_or(Content::ABSENT, |text| in_order_of_sids(policy_content(&text))),
                revision: answer.revision_id.map(RevisionId),
            }),
            Err(error) => absent_if_gone(classify("GetLayerVersionPolicy", &target, error)),
        }
    }

    /// The architectures that a layer version says it is for (`x86_64`, `arm64`); none where it says nothing, or
    /// nothing can be learnt of it.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn layer_architectures(&self, layer: &LayerVersionArn) -> Result<BTreeSet<String>, CallError> {
        let call = self.lambda(layer.region()).get_layer_version().layer_name(layer.name());
        // The answer holds a presigned URL of the layer's code as well: it is dropped here and never logged.
        match call.version_number(version(layer)).send().await {
            Ok(answer) => Ok(answer.compatible_architectures().iter().map(|it| it.as_str().to_owned()).collect()),
            Err(error) => match classify_redacted("GetLayerVersion", &layer.to_string(), error) {
                error if error.kind == ErrorKind::Gone || error.kind.is_refusal() => Ok(BTreeSet::new()),
                error => Err(error),
            },
        }
    }

    /// Every version and alias of a function that may have a policy or a URL of its own. `None` is the function itself.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn qualifiers(&self, function: &FunctionArn) -> Result<BTreeSet<Option<Qualifier>>, CallError> {
        let target = function.to_string();
        let client = self.lambda(function.region());
        let aliases = async {
            let mut pages = client.list_aliases().function_name(&target).into_paginator().items().send();
            let mut names = Vec::new();
            while let Some(alias) = pages.next().await {
                names.extend(alias.map_err(|error| classify("ListAliases", &target, error))?.name);
            }
            Ok::<_, CallError>(names)
        };
        let versions = async {
            let mut pages = client.list_versions_by_function().function_name(&target).into_paginator().items().send();
            let (mut names, mut managed) = (Vec::new(), false);
            while let Some(version) = pages.next().await {
                let version = version.map_err(|error| classify_redacted("ListVersionsByFunction", &target, error))?;
                managed |= on_managed_instances(&version);
                names.extend(version.version);
            }
            Ok::<_, CallError>((names, managed))
        };
        let (aliases, (versions, managed)) = future::try_join(aliases, versions).await?;
        let mut found = BTreeSet::from([None]);
        // Whether it is listed with the others is documented nowhere (? latest-published).
        found.extend(managed.then(|| Some(Qualifier::latest_published())));
        // `$LATEST` is the function itself and no qualifier here.
        found.extend(aliases.into_iter().chain(versions).filter_map(|name| name.parse().ok()).map(Some));
        Ok(found)
    }
}

/// Whether a function with this configuration runs on Lambda Managed Instances. It was made that way and stays so:
/// Lambda refuses to turn the one kind into the other (<https://github.com/localstack/localstack>, whose tests are
/// validated against AWS).
pub(crate) fn on_managed_instances(configuration: &FunctionConfiguration) -> bool {
    configuration.capacity_provider_config.is_some()
}

/// The customer's key that keeps the caller from the environment. Lambda decrypts it with the caller's own permissions
/// ("Securing Lambda environment variables" in the Lambda developer guide), and says in the environment's place that it
/// could not.
fn foreign_key(configuration: &FunctionConfiguration) -> Option<String> {
    let refused = configuration.environment.as_ref().is_some_and(|environment| environment.error.is_some());
    customers_key(configuration).filter(|_| refused)
}

/// The customer's key that a function's environment is encrypted with; none where it is AWS's.
pub(crate) fn customers_key(configuration: &FunctionConfiguration) -> Option<String> {
    configuration.kms_key_arn.clone().filter(|key| !key.is_empty())
}

/// A refusal that is about the customer's key, with what its caller needs.
pub(crate) fn with_key_rights(error: CallError) -> CallError {
    let message = format!(
        "{}; the function's environment is encrypted with a KMS key of the customer's, and whoever changes the \
         function needs {KEY_RIGHTS}: give them to the role of the guard and of the operator in the key's policy, or \
         make the change yourself",
        error.message
    );
    CallError { message, ..error }
}

/// A function's last update; none where Lambda does not say when that was. `LastModified` is "in ISO-8601 format", with an
/// offset without a colon (`2026-11-30T16:00:00.000+0000`; Lambda API reference, FunctionConfiguration).
pub(crate) fn deployment(configuration: &FunctionConfiguration) -> Option<Deployment> {
    let changed = strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", configuration.last_modified.as_ref()?).ok()?;
    Some(Deployment { changed: changed.to_timestamp().ok()?, is_under_way: is_under_way(configuration) })
}

/// Whether an update of the function, or its making, is under way.
pub(crate) fn is_under_way(configuration: &FunctionConfiguration) -> bool {
    configuration.state == Some(State::Pending)
        || configuration.last_update_status == Some(LastUpdateStatus::InProgress)
}

fn role_sighting(configuration: FunctionConfiguration) -> SurfaceSnapshot {
    let content = configuration.role.map_or(Content::ABSENT, |role| Content::new(json!({"Role": role})));
    SurfaceSnapshot { content, revision: configuration.revision_id.map(RevisionId) }
}

/// Who may call a URL, and from which web origins.
fn url_sighting(auth_type: &FunctionUrlAuthType, cors: Option<Cors>) -> SurfaceSnapshot {
    let mut url = Map::new();
    url.insert("AuthType".into(), auth_type.as_str().into());
    if let Some(cors) = cors {
        let mut settings = Map::new();
        settings.insert("AllowOrigins".into(), cors.allow_origins.unwrap_or_default().into());
        settings.insert("AllowCredentials".into(), cors.allow_credentials.unwrap_or_default().into());
        url.insert("Cors".into(), settings.into());
    }
    SurfaceSnapshot { content: Content::new(url.into()), revision: None }
}

/// The policy as content. What does not parse strictly (a duplicate key, say) is kept as text, which no judge takes for
/// a policy.
fn policy_content(text: &str) -> Content {
    let strictly = Document::parse(text, Kind::Resource).is_ok();
    match serde_json::from_str(text) {
        Ok(value) if strictly => Content::new(value),
        Ok(_) | Err(_) => Content::new(Value::String(text.to_owned())),
    }
}

fn in_order_of_sids(content: Content) -> Content {
    let Some(document) = content.document() else { return content };
    let mut document = document.clone();
    if let Some(Value::Array(statements)) = document.get_mut("Statement") {
        statements.sort_by_key(|statement| statement.get("Sid").and_then(Value::as_str).map(str::to_owned));
        if statements.is_empty() {
            return Content::ABSENT;
        }
    }
    Content::new(document)
}

pub(crate) fn none_if_gone<T>(error: CallError) -> Result<Option<T>, CallError> {
    if error.kind == ErrorKind::Gone { Ok(None) } else { Err(error) }
}

pub(crate) fn absent_if_gone(error: CallError) -> Result<SurfaceSnapshot, CallError> {
    none_if_gone(error).map(|snapshot| snapshot.unwrap_or(SurfaceSnapshot { content: Content::ABSENT, revision: None }))
}

/// The layer version's number as the SDK takes it.
pub(crate) fn version(layer: &LayerVersionArn) -> i64 {
    i64::try_from(layer.version()).unwrap_or(i64::MAX)
}

/// The setting as the SDK takes it.
pub(crate) fn auth(auth_type: UrlAuthType) -> FunctionUrlAuthType {
    match auth_type {
        UrlAuthType::AwsIam => FunctionUrlAuthType::AwsIam,
        UrlAuthType::None => FunctionUrlAuthType::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_a_duplicate_key_is_no_policy() {
        let content = policy_content(r#"{"Version":"2012-10-17","Statement":[],"Statement":[]}"#);
        assert!(content.document().is_some_and(Value::is_string));
    }

    #[test]
    fn a_layers_statements_stand_in_the_order_of_their_sids() {
        let content = in_order_of_sids(Content::new(json!({"Statement": [{"Sid": "b"}, {"Sid": "a"}]})));
        assert_eq!(content, Content::new(json!({"Statement": [{"Sid": "a"}, {"Sid": "b"}]})));
        assert!(in_order_of_sids(Content::new(json!({"Statement": []}))).is_absent());
    }
}
