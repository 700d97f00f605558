//! Reading and changing environments. Values are here alone and in `secrets_manager`, in a type that is overwritten
//! when it goes and that does not print; everybody else sees a digest.

use crate::{
    Aws, HashKey,
    error::{classify, classify_redacted, is_of_blocked_runtime, unless_said_again},
    lambda::{customers_key, deployment, is_under_way, on_managed_instances, with_key_rights},
};
use aws_sdk_lambda::{
    operation::get_function::GetFunctionOutput,
    types::{Environment, PackageType},
};
use futures::future;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt, io, mem,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::{Deployment, SurfaceSnapshot},
    model::content::Content,
    name::lambda::{FunctionArn, Qualifier},
    plan::RevisionId,
    secret::{
        environment::{
            CodeSigning, EnvironmentDigest, EnvironmentUpdate, Grant, Held, KeptValue, KeyedHash, Package,
            RetainedSecrets, SecretState, Stored, VariableName, VersionFacts,
        },
        rotate::{Kept, NotKept},
    },
    secret_ref::{Reference, SecretName},
};

/// A function's configuration with its environment. Its values do not print; whoever may look at them is in
/// [`FunctionConfig::inspect`].
pub struct FunctionConfig {
    /// The function's tags.
    pub tags: BTreeMap<String, String>,
    /// The execution role's ARN.
    pub role: String,
    /// The runtime's identifier.
    pub runtime: Option<String>,
    /// How the code is delivered.
    pub package: Package,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether it runs in a VPC of the account: attached to one, or on Lambda Managed Instances, which are in one
    /// always (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html>).
    pub in_vpc: bool,
    /// Whether it runs on Lambda Managed Instances, where `$LATEST.PUBLISHED` runs instead of what is changed.
    pub on_managed_instances: bool,
    /// The size of the code and the layers, as far as AWS says it.
    pub zipped_bytes: u64,
    /// Whether a key of the customer's encrypts the environment.
    has_customers_key: bool,
    variables: BTreeMap<String, SecretString>,
    /// AWS's error code, where it could not decrypt the environment.
    unreadable: Option<String>,
    layers: Vec<String>,
    revision: Option<RevisionId>,
    /// Its last update.
    pub deployment: Option<Deployment>,
    /// Whether no update is under way.
    settled: bool,
}

impl fmt::Debug for FunctionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionConfig")
            .field("role", &self.role)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl FunctionConfig {
    fn of(answer: GetFunctionOutput) -> Option<FunctionConfig> {
        let configuration = answer.configuration?;
        let on_managed_instances = on_managed_instances(&configuration);
        let has_customers_key = customers_key(&configuration).is_some();
        let (deployment, under_way) = (deployment(&configuration), is_under_way(&configuration));
        let environment = configuration.environment;
        let (variables, error) = environment.map(|it| (it.variables, it.error)).unwrap_or_default();
        let layers = configuration.layers.unwrap_or_default();
        let zipped = configuration.code_size + layers.iter().map(|layer| layer.code_size).sum::<i64>();
        Some(FunctionConfig {
            tags: answer.tags.unwrap_or_default().into_iter().collect(),
            role: configuration.role.unwrap_or_default(),
            runtime: configuration.runtime.map(|runtime| runtime.as_str().to_owned()),
            package: match configuration.package_type {
                None | Some(PackageType::Zip) => Package::Zip,
                Some(PackageType::Image) => Package::Image,
                Some(other) => Package::Unknown(other.as_str().to_owned()),
            },
            architecture: configuration
                .architectures
                .unwrap_or_default()
                .first()
                .map_or_else(|| "x86_64".to_owned(), |architecture| architecture.as_str().to_owned()),
            in_vpc: on_managed_instances
                || configuration.vpc_config.is_some_and(|vpc| !vpc.subnet_ids.unwrap_or_default().is_empty()),
            on_managed_instances,
            zipped_bytes: u64::try_from(zipped).unwrap_or_default(),
            has_customers_key,
            variables: concealed(variables.unwrap_or_default()),
            unreadable: error.map(|error| error.error_code.unwrap_or_else(|| "no reason given".into())),
            layers: layers.into_iter().filter_map(|layer| layer.arn).collect(),
            revision: configuration.revision_id.map(RevisionId),
            settled: !under_way,
            deployment,
        })
    }

    /// Shows each variable with its value to `look`, which must not keep it.
    pub fn inspect(&self, mut look: impl FnMut(&str, &str)) {
        for (name, value) in &self.variables {
            look(name, value.expose_secret());
        }
    }

    /// The environment as it may be written down. Who may read the secret that it refers to is asked for elsewhere.
    ///
    /// # Errors
    /// AWS's code where the environment could not be decrypted.
    pub fn digest(&self, key: &HashKey) -> Result<EnvironmentDigest, String> {
        match &self.unreadable {
            Some(why) => Err(why.clone()),
            None => Ok(EnvironmentDigest {
                variables: held(&self.variables, key),
                layers: self.layers.clone(),
                ..EnvironmentDigest::default()
            }),
        }
    }

    /// The surface as it may be written down; `readers` are the roles that may read the secrets that the environment
    /// refers to.
    pub fn snapshot(&self, key: &HashKey, mut readers: BTreeSet<String>) -> SurfaceSnapshot {
        readers.retain(|reader| *reader == self.role);
        let content = match self.digest(key) {
            Ok(digest) => EnvironmentDigest { readers, ..digest }.content(),
            Err(why) => EnvironmentDigest::unreadable(&why),
        };
        SurfaceSnapshot { content, revision: self.revision.clone() }
    }

    /// The version that was read, as one of the function's.
    pub fn version_facts(&self, key: &HashKey) -> VersionFacts {
        version_facts(self.role.clone(), &self.variables, key)
    }

    /// The values that are to be stored, if the environment still holds them.
    fn these<'a>(&'a self, stored: &'a Stored, key: &HashKey) -> Option<BTreeMap<&'a str, &'a SecretString>> {
        let value = |name: &'a String, hash: KeyedHash| {
            let value = self.variables.get(name)?;
            (key.hash(value.expose_secret()) == hash).then_some((name.as_str(), value))
        };
        stored.values.iter().map(|(name, hash)| value(name, *hash)).collect()
    }

    /// How long the environment is as JSON, which is how Lambda measures it, and each value.
    pub fn lengths(&self) -> (u64, BTreeMap<String, u64>) {
        let values: BTreeMap<String, u64> =
            self.variables.iter().map(|(name, value)| (name.clone(), length(value.expose_secret()))).collect();
        // For each variable a colon and a comma or the closing brace, and the opening one.
        let whole = values.iter().map(|(name, bytes)| length(name) + bytes + 2).sum::<u64>() + 1;
        (whole, values)
    }
}

/// Where else a variable's value is than in its secret: rotated there, it goes on in all of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Functions and their variables that hold it in plaintext.
    pub plaintext: BTreeSet<(String, String)>,
    /// Functions and their variables that Warden keeps it for.
    pub kept: BTreeSet<(String, String)>,
    /// Published versions of the function itself, which keep it for ever.
    pub versions: BTreeSet<String>,
    /// Functions whose environment cannot be decrypted, and secrets that cannot be read: what they hold is not known.
    pub unread: BTreeSet<String>,
}

fn held(variables: &BTreeMap<String, SecretString>, key: &HashKey) -> BTreeMap<String, Held> {
    let held = |name: &str, value: &SecretString| Held::of(name, value.expose_secret(), |value| key.hash(value));
    variables.iter().map(|(name, value)| (name.clone(), held(name, value))).collect()
}

fn version_facts(role: String, variables: &BTreeMap<String, SecretString>, key: &HashKey) -> VersionFacts {
    let mut facts = VersionFacts { role, values: BTreeSet::new(), refers: BTreeSet::new() };
    for held in held(variables, key).into_values() {
        match held {
            Held::Value(hash) => drop(facts.values.insert(hash)),
            Held::Reference(reference) => drop(facts.refers.insert(reference.0)),
            Held::Wrapper => {}
        }
    }
    facts
}

/// Moves values into the type that does not print.
fn concealed(variables: HashMap<String, String>) -> BTreeMap<String, SecretString> {
    variables.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect()
}

/// How long a text is as JSON, without writing it anywhere.
fn length(text: &str) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = text.serialize(&mut serde_json::Serializer::new(&mut count));
    count.0
}

/// What stands behind a refusal of which only the code may be told. Functions of a runtime that was blocked for updates
/// are refused so (Lambda developer guide, "Runtime deprecation policy"); the dates are moved often, so no list is kept
/// here.
fn with_runtime(error: CallError, runtime: Option<&str>) -> CallError {
    let Some(runtime) = runtime.filter(|_| error.message.starts_with("InvalidParameterValueException")) else {
        return error;
    };
    let why = if is_of_blocked_runtime(&error) {
        format!("Lambda lets functions of the runtime {runtime} be changed no more")
    } else {
        format!("Lambda may not let functions of the runtime {runtime} be changed any more")
    };
    let message = format!(
        "{}: nothing of the function was changed. {why} (\"Block function update\" in \"Lambda runtimes\" of its \
         developer guide): then its secrets stay in plaintext until it has a newer runtime. Give it one, and set the \
         reference or no secret where it is deployed from; whoever cannot yet, let nobody else read its configuration, \
         and replace what it holds",
        error.message
    );
    CallError { kind: ErrorKind::Refused, message, ..error }
}

/// The variables as `update` leaves them; `None` where one that comes back is not among `back`.
fn updated(
    mut variables: BTreeMap<String, SecretString>,
    update: &EnvironmentUpdate,
    mut back: BTreeMap<String, SecretString>,
) -> Option<BTreeMap<String, SecretString>> {
    for name in update.restore.iter().flat_map(|stored| stored.values.keys()) {
        variables.insert(name.clone(), back.remove(name)?);
    }
    for (name, text) in &update.set {
        variables.insert(name.clone(), SecretString::from(text.as_str()));
    }
    variables.retain(|name, _| !update.remove.contains(name));
    Some(variables)
}

impl Aws {
    /// A function's configuration, tags and environment in one GetFunction call; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn reading(
        &self,
        function: &FunctionArn,
        version: Option<&Qualifier>,
    ) -> Result<Option<FunctionConfig>, CallError> {
        let request = self.lambda(function.region()).get_function().function_name(function.to_string());
        // The answer holds a presigned URL of the code as well: it is dropped here and never logged.
        match request.set_qualifier(version.map(ToString::to_string)).send().await {
            Ok(answer) => Ok(FunctionConfig::of(answer)),
            Err(error) => match classify_redacted("GetFunction", &function.qualified(version), error) {
                error if error.kind == ErrorKind::Gone => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The surface `environment`. For a function that is gone, it holds what Warden keeps for it.
    pub(crate) async fn environment(
        &self,
        function: &FunctionArn,
        version: Option<&Qualifier>,
    ) -> Result<Option<SurfaceSnapshot>, CallError> {
        let (reading, key) = future::try_join(self.reading(function, version), self.hash_key()).await?;
        let Some(reading) = reading else {
            return if version.is_none() { self.retained_secrets(function).await } else { Ok(None) };
        };
        let readers = match reading.digest(key) {
            Ok(digest) if version.is_none() => self.readers_of(function, &digest).await?,
            Ok(_) | Err(_) => BTreeSet::new(),
        };
        Ok(Some(reading.snapshot(key, readers)))
    }

    /// The surface `secret/VARIABLE`: what is kept for the variable, whether the environment refers to it at the moment
    /// or not.
    pub(crate) async fn kept_value(
        &self,
        function: &FunctionArn,
        variable: &VariableName,
    ) -> Result<Option<SurfaceSnapshot>, CallError> {
        let content = match self.kept(function, variable).await? {
            None => return Ok(None),
            Some(Ok(Kept { secret, value, .. })) => KeptValue::new(secret, value).content(),
            // Somebody has set it in plaintext, or not at all.
            Some(Err(NotKept::NoReference | NotKept::NotSet)) => self.stored_for(function, variable).await?,
            Some(Err(NotKept::Foreign(_) | NotKept::Gone(_) | NotKept::Unreadable(_))) => Content::ABSENT,
        };
        Ok(Some(SurfaceSnapshot { content, revision: None }))
    }

    async fn retained_secrets(&self, function: &FunctionArn) -> Result<Option<SurfaceSnapshot>, CallError> {
        let secrets = self.secret_states(function).await?;
        if secrets.is_empty() {
            return Ok(None);
        }
        // Others have their own secrets; but a function that was made anew under another name, with the same role, may
        // refer to these.
        let users = if secrets.values().all(|state| *state == SecretState::ToBeDeleted) {
            BTreeSet::new()
        } else {
            self.users(function, &secrets).await?
        };
        Ok(Some(SurfaceSnapshot { content: RetainedSecrets { secrets, users }.content(), revision: None }))
    }

    /// The functions of the Region whose environments refer to one of these secrets.
    async fn users(
        &self,
        function: &FunctionArn,
        secrets: &BTreeMap<SecretName, SecretState>,
    ) -> Result<BTreeSet<String>, CallError> {
        let mut pages = self.lambda(function.region()).list_functions().into_paginator().items().send();
        let mut users = BTreeSet::new();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| classify_redacted("ListFunctions", function.region(), error))?;
            let variables = concealed(found.environment.and_then(|it| it.variables).unwrap_or_default());
            let refers = variables.values().any(|value| {
                value.expose_secret().parse().is_ok_and(|Reference(secret)| secrets.contains_key(&secret))
            });
            users.extend(found.function_name.filter(|_| refers));
        }
        Ok(users)
    }

    /// Where else in the function's Region the value stands, or is kept, that is kept for this variable. `is_no_chance`
    /// is asked whether another has it for no chance, and must not keep it; of a value that others have by chance
    /// nothing is said.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn held_elsewhere(
        &self,
        function: &FunctionArn,
        variable: &VariableName,
        kept: &Kept,
        is_no_chance: impl Fn(&str) -> bool,
    ) -> Result<Elsewhere, CallError> {
        let key = self.hash_key().await?;
        let Some(hash) = kept.value else { return Ok(Elsewhere::default()) };
        let value = self.current(function, &kept.secret).await?;
        let value = value.and_then(|current| current.value(variable.as_str(), hash, key));
        if !value.is_some_and(|value| is_no_chance(value.expose_secret())) {
            return Ok(Elsewhere::default());
        }
        let mut elsewhere = Elsewhere::default();
        let mut referring: BTreeMap<SecretName, BTreeSet<(String, String)>> = BTreeMap::new();
        let mut pages = self.lambda(function.region()).list_functions().into_paginator().items().send();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| classify_redacted("ListFunctions", function.region(), error))?;
            let Some(other) = found.function_name else { continue };
            let Some(environment) = found.environment else { continue };
            if environment.error.is_some() {
                elsewhere.unread.insert(other.clone());
            }
            for (name, value) in concealed(environment.variables.unwrap_or_default()) {
                match value.expose_secret().parse() {
                    Ok(Reference(secret)) if other != function.name() || name != variable.as_str() => {
                        referring.entry(secret).or_default().insert((other.clone(), name));
                    }
                    Ok(Reference(_)) => {}
                    Err(_) => {
                        let holds = key.hash(value.expose_secret()) == hash;
                        elsewhere.plaintext.extend(holds.then(|| (other.clone(), name)));
                    }
                }
            }
        }
        for (secret, variables) in referring {
            let Some(current) = self.current(function, &secret).await? else {
                elsewhere.unread.insert(secret.to_string());
                continue;
            };
            let holds = variables.into_iter().filter(|(_, name)| current.value(name, hash, key).is_some());
            elsewhere.kept.extend(holds);
        }
        let versions = self.versions(function).await?;
        let holding = versions.into_iter().filter(|(_, version)| version.values.contains(&hash));
        elsewhere.versions = holding.map(|(number, _)| number).collect();
        Ok(elsewhere)
    }

    /// Has the secrets of a function that is gone deleted.
    pub(crate) async fn delete_retained_secrets(
        &self,
        function: &FunctionArn,
        secrets: &BTreeSet<SecretName>,
    ) -> Result<(), CallError> {
        self.delete_secrets(function, secrets).await?;
        // Made anew in between, with references from its template, it would not start: nobody else may hear of it any
        // more.
        if self.reading(function, None).await?.is_none() {
            return Ok(());
        }
        self.restore_secrets(function, secrets).await?;
        Err(CallError {
            kind: ErrorKind::Stale,
            operation: "DeleteSecret",
            target: function.to_string(),
            message: "the function is there again: its secrets are kept".into(),
        })
    }

    /// The published versions with the values that their environments hold, hashed. They keep them for ever.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn versions(&self, function: &FunctionArn) -> Result<BTreeMap<String, VersionFacts>, CallError> {
        let target = function.to_string();
        let key = self.hash_key().await?;
        let request = self.lambda(function.region()).list_versions_by_function().function_name(&target);
        let mut pages = request.into_paginator().items().send();
        let mut versions = BTreeMap::new();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| classify_redacted("ListVersionsByFunction", &target, error))?;
            let Some(number) = found.version.filter(|number| number != "$LATEST") else { continue };
            let variables = concealed(found.environment.and_then(|it| it.variables).unwrap_or_default());
            versions.insert(number, version_facts(found.role.unwrap_or_default(), &variables, key));
        }
        Ok(versions)
    }

    /// Whether a function takes signed code only. Of a container image nobody is asked: AWS answers 400
    /// InvalidParameterValueException (aws-controllers-k8s/community#1117). Where AWS Signer is not, nobody takes
    /// signed code (aws-controllers-k8s/community#2971, hashicorp/terraform-provider-aws#27986: eu-central-2). An
    /// answer that cannot be used is no error, since what is found has to be reported all the same.
    ///
    /// # Errors
    /// What may go away by itself: throttling, no answer.
    pub async fn code_signing(&self, function: &FunctionArn, package: &Package) -> Result<CodeSigning, CallError> {
        if *package != Package::Zip {
            return Ok(CodeSigning::None);
        }
        let target = function.to_string();
        let request = self.lambda(function.region()).get_function_code_signing_config().function_name(&target);
        // No value of an environment is in this call or its answer.
        let asked = async || {
            let answer = request.clone().send().await;
            answer.map_err(|error| classify("GetFunctionCodeSigningConfig", &target, error))
        };
        match unless_said_again(self, asked).await {
            Ok(answer) if answer.code_signing_config_arn.is_empty() => Ok(CodeSigning::None),
            Ok(_) => Ok(CodeSigning::Configured),
            Err(error) => match error.kind {
                ErrorKind::Gone | ErrorKind::NotOffered => Ok(CodeSigning::None),
                ErrorKind::Retry | ErrorKind::Busy => Err(error),
                ErrorKind::Denied
                | ErrorKind::Refused
                | ErrorKind::Stale
                | ErrorKind::PublicPolicy
                | ErrorKind::UnreservedConcurrency
                | ErrorKind::Bug => Ok(CodeSigning::Unknown(error.message)),
            },
        }
    }

    /// Changes an environment: on the revision that was judged, once everything that goes is in Secrets Manager.
    pub(crate) async fn update_environment(
        &self,
        update: &EnvironmentUpdate,
        revision: Option<&RevisionId>,
    ) -> Result<(), CallError> {
        const OPERATION: &str = "UpdateFunctionConfiguration";
        const CHANGED: &str = "a variable's value changed since it was read";
        let function = &update.function;
        let target = function.to_string();
        let failed = |kind, message: &str| CallError {
            kind,
            operation: OPERATION,
            target: target.clone(),
            message: message.to_owned(),
        };
        if !update.revive.is_empty() {
            self.restore_secrets(function, &update.revive).await?;
        }
        let kept = async {
            match &update.store {
                Some(stored) => self.current(function, &stored.secret).await,
                None => Ok(None),
            }
        };
        let earlier = future::try_join_all(
            update.restore.iter().map(|stored| self.version_by_id(function, &stored.secret, &stored.version)),
        );
        let grant = async {
            match &update.grant {
                Some(grant) => self.as_far_as_they_exist(grant).await.map(Some),
                None => Ok(None),
            }
        };
        let (reading, key, (kept, earlier), grant) =
            future::try_join4(self.reading(function, None), self.hash_key(), future::try_join(kept, earlier), grant)
                .await?;
        let mut reading = reading.ok_or_else(|| failed(ErrorKind::Gone, "the function is gone"))?;
        if !reading.settled {
            return Err(failed(ErrorKind::Busy, "another update of the function is still under way"));
        }
        if reading.unreadable.is_some() {
            return Err(failed(
                ErrorKind::Refused,
                "the environment cannot be decrypted, so that it cannot be written either",
            ));
        }
        // Whoever judged the environment judged this revision of it; values stand in no plan, so it must be this very
        // one.
        if revision.is_some() && reading.revision.as_ref() != revision {
            return Err(failed(ErrorKind::Stale, "the function was changed since it was read"));
        }

        // Left out, the function could not start with the references that are written next.
        let needs = |grant: &Grant| grant.readers.contains(&reading.role);
        if update.restore.is_empty() && update.grant.as_ref().is_some_and(needs) && !grant.as_ref().is_some_and(needs) {
            return Err(CallError {
                kind: ErrorKind::Retry,
                operation: "GetRole",
                target: reading.role.clone(),
                message: "IAM does not know the function's role yet, or not any more; nothing was changed".into(),
            });
        }

        let mut back = BTreeMap::new();
        for (stored, version) in update.restore.iter().zip(&earlier) {
            for (name, hash) in &stored.values {
                let value = version.as_ref().and_then(|version| version.value(name, *hash, key)).ok_or_else(|| {
                    failed(
                        ErrorKind::Refused,
                        "the values of then are not in Secrets Manager any more; nothing was changed",
                    )
                })?;
                back.insert(name.clone(), value);
            }
        }
        let storing = async {
            match (&update.store, &grant) {
                (Some(stored), grant) => {
                    let values = reading.these(stored, key).ok_or_else(|| failed(ErrorKind::Stale, CHANGED))?;
                    self.store(function, stored, grant.as_ref(), values, kept, key).await
                }
                (None, Some(grant)) => self.grant(function, grant).await,
                (None, None) => Ok(()),
            }
        };
        let setting_aside = async {
            match &update.aside {
                Some(stored) => {
                    let values = reading.these(stored, key).ok_or_else(|| failed(ErrorKind::Stale, CHANGED))?;
                    self.set_aside(function, stored, values, key).await
                }
                None => Ok(()),
            }
        };
        future::try_join(storing, setting_aside).await?;
        if !update.changes_configuration() {
            return Ok(());
        }
        let variables = updated(mem::take(&mut reading.variables), update, back)
            .ok_or_else(|| failed(ErrorKind::Bug, "a value to be restored was not read"))?;
        let plain = variables.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
        let request = self.lambda(function.region()).update_function_configuration().function_name(&target);
        let request = request.environment(Environment::builder().set_variables(Some(plain)).build());
        let request = request.set_layers(update.layers.clone()).set_revision_id(reading.revision.map(|it| it.0));
        request.send().await.map(drop).map_err(|error| match classify_redacted(OPERATION, &target, error) {
            error if reading.has_customers_key && (error.kind == ErrorKind::Bug || error.kind.is_refusal()) => {
                with_key_rights(error)
            }
            error => with_runtime(error, reading.runtime.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::tests::key;
    use proptest::{collection::hash_map, prelude::*};
    use warden_engine::secret_ref::{WRAPPER, WRAPPER_VARIABLE};

    /// Whatever somebody may put into an environment: references and hashes of ours, JSON, control characters, nothing
    /// at all.
    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "\\PC{0,64}",
            Just(String::new()),
            Just("warden-secret:warden/pay/1f2e3d4c5b6a".to_owned()),
            Just("hmac:00000000000000000000000000000000".to_owned()),
            Just(WRAPPER.to_owned()),
            Just("\u{0}\"\\\r\n${jndi}$(id)`\u{202e}\u{1f600}".to_owned()),
        ]
    }

    fn environments() -> impl Strategy<Value = HashMap<String, String>> {
        let name = prop_oneof![4 => "[a-zA-Z][a-zA-Z0-9_]{1,8}", 1 => Just(WRAPPER_VARIABLE.to_owned())];
        hash_map(name, hostile(), 0..12)
    }

    fn function() -> FunctionArn {
        "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap()
    }

    fn exposed(variables: &BTreeMap<String, SecretString>) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    }

    proptest! {
        #[test]
        fn what_is_not_named_does_not_change_by_a_byte_and_undo_gives_all_back(
            environment in environments(),
            pick in any::<prop::sample::Index>(),
        ) {
            let before = concealed(environment.clone());
            let names: Vec<&String> = before.keys().filter(|name| *name != WRAPPER_VARIABLE).collect();
            prop_assume!(!names.is_empty());
            let stripped = pick.get(&names).to_string();
            let reference = "warden-secret:warden/pay/1f2e3d4c5b6a".to_owned();
            let values = BTreeMap::from([(stripped.clone(), key().hash(before[&stripped].expose_secret()))]);
            let stored = Stored { secret: "warden/pay/1".parse().unwrap(), version: "v".into(), label: "l".into(),
                values, known: BTreeMap::new(), in_place_of: None };
            let mut there = EnvironmentUpdate::new(function());
            there.store = Some(stored.clone());
            there.set.insert(stripped.clone(), reference.clone());
            let mut back = EnvironmentUpdate::new(function());
            back.restore = vec![stored];
            if !before.contains_key(WRAPPER_VARIABLE) {
                there.set.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
                back.remove.insert(WRAPPER_VARIABLE.to_owned());
            }

            let after = updated(concealed(environment.clone()), &there, BTreeMap::new()).unwrap();
            let mut expected: BTreeMap<String, String> = environment.clone().into_iter().collect();
            expected.insert(stripped.clone(), reference);
            expected.entry(WRAPPER_VARIABLE.to_owned()).or_insert_with(|| WRAPPER.to_owned());
            prop_assert_eq!(exposed(&after), expected);

            // The digest that the plan promised is the one that is seen.
            let digest = |variables| EnvironmentDigest { variables: held(variables, &key()),
                ..EnvironmentDigest::default() };
            prop_assert_eq!(there.on(&digest(&before)), digest(&after));

            let value = SecretString::from(environment[&stripped].as_str());
            let restored = updated(after, &back, BTreeMap::from([(stripped, value)])).unwrap();
            prop_assert_eq!(exposed(&restored), environment.into_iter().collect::<BTreeMap<_, _>>());
        }

        #[test]
        fn the_length_is_that_of_the_json(environment in environments()) {
            prop_assume!(!environment.is_empty());
            let whole = serde_json::to_string(&environment).unwrap().len() as u64;
            let values: u64 = environment.iter().map(|(name, value)| length(name) + length(value) + 2).sum();
            prop_assert_eq!(values + 1, whole);
        }
    }

    #[test]
    fn a_reading_prints_no_value() {
        let environment = HashMap::from([("A".to_owned(), "canary".to_owned())]);
        let configuration = aws_sdk_lambda::types::FunctionConfiguration::builder().environment(
            aws_sdk_lambda::types::EnvironmentResponse::builder().set_variables(Some(environment)).build(),
        );
        let answer = GetFunctionOutput::builder().configuration(configuration.build()).build();
        let reading = FunctionConfig::of(answer).unwrap();
        assert!(!format!("{reading:?}").contains("canary"));
        let digest = reading.digest(&key()).unwrap();
        assert!(!format!("{digest:?}").contains("canary"));
        let mut seen = Vec::new();
        reading.inspect(|name, value| seen.push(format!("{name}={value}")));
        assert_eq!(seen, ["A=canary"]);
    }
}
