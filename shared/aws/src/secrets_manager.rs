//! The secrets that Warden stores: one for each function, a JSON object by variable.

use crate::{Aws, HashKey, error::discreet};
use aws_sdk_secretsmanager::{operation::get_secret_value::GetSecretValueOutput, types::Tag};
use futures::future;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use warden_engine::{
    arn::FunctionArn,
    call_error::{CallError, ErrorKind},
    environment::{Grant, KeyedHash, Stored, StoredNow},
    reference::SecretName,
};
use zeroize::Zeroizing;

/// What Warden's own staging labels begin with.
const LABEL: &str = "warden-";
const CURRENT: &str = "AWSCURRENT";

/// One version of a secret, with its values. Neither prints nor serialises.
pub(crate) struct Version {
    id: String,
    labels: Vec<String>,
    /// None where somebody has put something into the secret that is no JSON object of texts.
    values: Option<BTreeMap<String, SecretString>>,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("id", &self.id).field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Version {
    fn read(answer: GetSecretValueOutput) -> Version {
        let text = Zeroizing::new(answer.secret_string.unwrap_or_default());
        Version {
            id: answer.version_id.unwrap_or_default(),
            labels: answer.version_stages.unwrap_or_default(),
            values: serde_json::from_str(&text).ok(),
        }
    }

    /// The value of a variable, if it is the one with that hash.
    pub(crate) fn value(&self, name: &str, expected: KeyedHash, key: &HashKey) -> Option<&SecretString> {
        let value = self.values.as_ref()?.get(name)?;
        (key.hash(value.expose_secret()) == expected).then_some(value)
    }

    /// Whether it holds all of these.
    fn holds(&self, stored: &Stored, key: &HashKey) -> bool {
        stored.values.iter().all(|(name, hash)| self.value(name, *hash, key).is_some())
    }
}

impl Aws {
    /// What a function's secret holds now, without the values; `None` where there is no such secret, or none that could be used.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn stored_now(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
    ) -> Result<Option<StoredNow>, CallError> {
        let (key, version) = future::try_join(self.hash_key(), self.version(function, secret, CURRENT)).await?;
        Ok(version.and_then(|version| {
            let values = version.values?;
            Some(StoredNow {
                version: version.id,
                label: version.labels.into_iter().find(|label| label.starts_with(LABEL)),
                values: values.into_iter().map(|(name, value)| (name, key.hash(value.expose_secret()))).collect(),
            })
        }))
    }

    /// The roles that a secret's resource policy lets read; empty where there is no secret.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn readers(&self, function: &FunctionArn, secret: &SecretName) -> Result<BTreeSet<String>, CallError> {
        let request = self.secrets(function.region()).get_resource_policy().secret_id(secret.as_str());
        match request.send().await {
            Ok(answer) => Ok(answer.resource_policy.map(|policy| principals(&policy)).unwrap_or_default()),
            Err(error) => match discreet("GetResourcePolicy", secret.as_str(), error) {
                error if error.kind == ErrorKind::Gone || is_unusable(&error) => Ok(BTreeSet::new()),
                error => Err(error),
            },
        }
    }

    /// One version of a secret by its staging label; `None` where there is none.
    pub(crate) async fn version(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
        label: &str,
    ) -> Result<Option<Version>, CallError> {
        let request =
            self.secrets(function.region()).get_secret_value().secret_id(secret.as_str()).version_stage(label);
        match request.send().await {
            Ok(answer) => Ok(Some(Version::read(answer))),
            Err(error) => match discreet("GetSecretValue", secret.as_str(), error) {
                error if error.kind == ErrorKind::Gone || is_unusable(&error) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The current version, which is what a function reads at its start.
    pub(crate) async fn current(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
    ) -> Result<Option<Version>, CallError> {
        self.version(function, secret, CURRENT).await
    }

    /// Puts values into a function's secret beside those that it holds, lets the roles read it, and reads the values back. Done
    /// again after an interruption it does nothing twice: the version's id was chosen beforehand.
    pub(crate) async fn store(
        &self,
        function: &FunctionArn,
        stored: &Stored,
        grant: Option<&Grant>,
        values: BTreeMap<&str, &SecretString>,
        current: Option<Version>,
        key: &HashKey,
    ) -> Result<(), CallError> {
        let Stored { secret, version, label, .. } = stored;
        let refused = |message: &str| CallError {
            kind: ErrorKind::Refused,
            operation: "PutSecretValue",
            target: secret.to_string(),
            message: message.to_owned(),
        };
        let client = self.secrets(function.region());
        let labelled = match &current {
            Some(current) if current.id == *version => current.labels.contains(label),
            Some(current) => {
                let before = current.values.as_ref().ok_or_else(|| {
                    refused("the secret does not hold a JSON object of texts any more; put that right, or delete the secret")
                })?;
                let mut all: BTreeMap<&str, &SecretString> =
                    before.iter().map(|(name, value)| (name.as_str(), value)).collect();
                all.extend(values);
                self.put(function, stored, &all).await?;
                true
            }
            None => {
                let request = client.create_secret().name(secret.as_str()).client_request_token(version);
                let request = request
                    .description(format!("Taken out of the environment of {function} by Lambda Warden."))
                    .tags(tag("application", "lambda-warden"))
                    .tags(tag("warden:function", &function.to_string()));
                match request.secret_string(json_of(&values)?.as_str()).send().await {
                    Ok(_) => false,
                    // Made by a run that was cut off before it had a value.
                    Err(error)
                        if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) =>
                    {
                        self.put(function, stored, &values).await?;
                        true
                    }
                    Err(error) => return Err(discreet("CreateSecret", secret.as_str(), error)),
                }
            }
        };
        let labelling = async {
            if labelled {
                return Ok(());
            }
            let request = client.update_secret_version_stage().secret_id(secret.as_str()).version_stage(label);
            let answer = request.move_to_version_id(version).send().await;
            answer.map(drop).map_err(|error| discreet("UpdateSecretVersionStage", secret.as_str(), error))
        };
        let granting = async {
            match grant {
                Some(grant) => self.grant(function, grant).await,
                None => Ok(()),
            }
        };
        let (back, (), ()) = future::try_join3(self.current(function, secret), labelling, granting).await?;
        match back {
            Some(back) if back.holds(stored, key) => Ok(()),
            Some(_) | None => {
                Err(refused("what was stored was not what was read back; nothing was taken out of the environment"))
            }
        }
    }

    /// Adds a version with its label to a secret that is there.
    async fn put(
        &self,
        function: &FunctionArn,
        stored: &Stored,
        values: &BTreeMap<&str, &SecretString>,
    ) -> Result<(), CallError> {
        let request = self.secrets(function.region()).put_secret_value().secret_id(stored.secret.as_str());
        let request = request.client_request_token(&stored.version).secret_string(json_of(values)?.as_str());
        match request.version_stages(CURRENT).version_stages(&stored.label).send().await {
            Ok(_) => Ok(()),
            // The version is there with other values beside ours: what is read back decides.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => Ok(()),
            Err(error) => Err(limited(discreet("PutSecretValue", stored.secret.as_str(), error))),
        }
    }

    /// Lets exactly these roles read a secret.
    pub(crate) async fn grant(&self, function: &FunctionArn, grant: &Grant) -> Result<(), CallError> {
        let client = self.secrets(function.region());
        let secret = grant.secret.as_str();
        let request = client.put_resource_policy().secret_id(secret).block_public_policy(true);
        let answer = request.resource_policy(policy(&grant.readers).to_string()).send().await;
        answer.map(drop).map_err(|error| discreet("PutResourcePolicy", secret, error))
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// What to do about a secret whose labels are used up. AWS allows 20, one for each remediation that can be undone.
fn limited(error: CallError) -> CallError {
    if !error.message.starts_with("LimitExceededException") {
        return error;
    }
    let advice = "LimitExceededException: the secret has the 20 labels that AWS allows. Remove the labels warden-... of remediations that \
                  nobody will undo (UpdateSecretVersionStage with RemoveFromVersionId), and find out what sets new secrets again and again";
    CallError { message: advice.to_owned(), ..error }
}

/// A secret that is marked for deletion.
fn is_unusable(error: &CallError) -> bool {
    error.message.starts_with("InvalidRequestException")
}

fn json_of(values: &BTreeMap<&str, &SecretString>) -> Result<Zeroizing<String>, CallError> {
    let plain: BTreeMap<&str, &str> = values.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
    serde_json::to_string(&plain).map(Zeroizing::new).map_err(|_| CallError {
        kind: ErrorKind::Bug,
        operation: "PutSecretValue",
        target: "values".into(),
        message: "the values could not be written as JSON".into(),
    })
}

/// The policy that lets exactly these roles read. An implicit deny of a role's boundary still holds.
fn policy(readers: &BTreeSet<String>) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "FunctionsThatReferToIt",
        "Effect": "Allow",
        "Principal": {"AWS": readers},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }]})
}

/// Whom a secret's policy lets read. A role that was deleted, and made again under its name, stands there as an id and is nobody.
fn principals(policy: &str) -> BTreeSet<String> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return BTreeSet::new() };
    let list = |value: &Value| -> Vec<Value> { value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]) };
    let statements = list(policy.get("Statement").unwrap_or(&Value::Null)).into_iter();
    let allowing = statements.filter(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && statement.get("Condition").is_none()
            && list(statement.get("Action").unwrap_or(&Value::Null))
                .iter()
                .any(|action| action == "secretsmanager:GetSecretValue")
    });
    let readers = allowing.flat_map(|statement| list(statement.pointer("/Principal/AWS").unwrap_or(&Value::Null)));
    readers.filter_map(|reader| reader.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_of_the_policy_that_is_written_are_read_back() {
        let roles = BTreeSet::from([
            "arn:aws:iam::111122223333:role/pay".to_owned(),
            "arn:aws:iam::111122223333:role/old".into(),
        ]);
        assert_eq!(principals(&policy(&roles).to_string()), roles);
        // One principal, as AWS writes it.
        let one = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLE"},"Action":["secretsmanager:GetSecretValue"],"Resource":"*"}}"#;
        assert_eq!(principals(one), BTreeSet::from(["AROAEXAMPLE".to_owned()]));
        let denied = r#"{"Statement":[{"Effect":"Deny","Principal":{"AWS":"a"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
        assert!(principals(denied).is_empty() && principals("not JSON").is_empty());
    }

    #[test]
    fn a_version_does_not_print_its_values() {
        let answer = GetSecretValueOutput::builder().version_id("v").secret_string(r#"{"A":"canary"}"#).build();
        let version = Version::read(answer);
        assert!(version.values.is_some() && !format!("{version:?}").contains("canary"));
        let odd = GetSecretValueOutput::builder().secret_string("canary").build();
        assert!(Version::read(odd).values.is_none());
    }

    #[test]
    fn labels_that_are_used_up_are_told_from_other_limits() {
        let error = |message: &str| CallError {
            kind: ErrorKind::Refused,
            operation: "PutSecretValue",
            target: "warden/pay/1".into(),
            message: message.into(),
        };
        assert!(limited(error("LimitExceededException (advice)")).message.contains("RemoveFromVersionId"));
        assert_eq!(limited(error("AccessDeniedException")), error("AccessDeniedException"));
    }
}
