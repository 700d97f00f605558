//! The secrets that Warden stores: one for each function, a JSON object by variable; a further one where that has no
//! room for another version, which takes a label of its own for the undo.

use crate::{Aws, HashKey, error::classify_redacted};
use aws_sdk_secretsmanager::{operation::get_secret_value::GetSecretValueOutput, types::Tag};
use futures::future;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    ports::{Clock, Ledger},
    secret::{
        environment::{
            EnvironmentDigest, Grant, Held, KeptValue, KeyedHash, OddText, Replaced, Rotation, SecretState, Stored,
            StoredNow, VariableName,
        },
        rotate::{Kept, NotKept, Others},
        values::{KnownHash, Place},
    },
    secret_ref::{Reference, SecretName, plain},
};
use zeroize::Zeroizing;

/// What Warden's own staging labels begin with.
const LABEL: &str = "warden-";
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// How many labels all versions of a secret can have together (Secrets Manager user guide, "Secrets Manager quotas").
const MOST_LABELS: usize = 20;
/// How much a version of a secret holds, in bytes (Secrets Manager user guide, "Secrets Manager quotas").
pub const MOST_BYTES: usize = 65_536;
/// The time in which a deletion can be taken back, in days: the longest that AWS gives (API reference, DeleteSecret).
const RECOVERY_DAYS: i64 = 30;

/// One version of a secret, with its values. Neither prints nor serialises.
pub(crate) struct Version {
    id: String,
    labels: Vec<String>,
    text: SecretString,
    /// The values by variable; none where somebody has put something into the secret that is not a JSON object of
    /// texts.
    values: Option<BTreeMap<String, SecretString>>,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("id", &self.id).field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Version {
    fn read(answer: GetSecretValueOutput) -> Version {
        let text = SecretString::from(answer.secret_string.unwrap_or_default());
        Version {
            id: answer.version_id.unwrap_or_default(),
            labels: answer.version_stages.unwrap_or_default(),
            values: serde_json::from_str(text.expose_secret()).ok(),
            text,
        }
    }

    /// The value of a variable, or the whole text where that is not an object, if it has that hash.
    pub(crate) fn value(&self, name: &str, expected: KeyedHash, key: &HashKey) -> Option<SecretString> {
        let value = match &self.values {
            Some(values) => values.get(name)?.clone(),
            None => self.plain()?,
        };
        (key.hash(value.expose_secret()) == expected).then_some(value)
    }

    /// The whole text as one variable's value.
    fn plain(&self) -> Option<SecretString> {
        plain(self.text.expose_secret()).map(SecretString::from)
    }

    /// What the version holds, with hashes in place of the values.
    fn now(&self, key: &HashKey) -> StoredNow {
        let hash = |value: &SecretString| key.hash(value.expose_secret());
        let odd = || self.plain().as_ref().map(hash).map_or(OddText::Unusable, OddText::Plain);
        StoredNow {
            version: self.id.clone(),
            label: self.labels.iter().find(|label| label.starts_with(LABEL)).cloned(),
            values: self.values.iter().flatten().map(|(name, value)| (name.clone(), hash(value))).collect(),
            odd: self.values.is_none().then(odd),
            previous: None,
            full: false,
        }
    }

    /// Whether the version holds all of these values.
    fn holds(&self, stored: &Stored, key: &HashKey) -> bool {
        stored.values.iter().all(|(name, hash)| self.value(name, *hash, key).is_some())
    }
}

/// What a function's secrets hold, without the values, and where the next values go.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The secret that takes the next values: the first with room for a further version.
    pub secret: SecretName,
    /// What that secret holds now; none where there is no such secret yet, or none that could be used.
    pub stored: Option<StoredNow>,
    /// The function's other secrets: those that come before that one, and those that its environment refers to.
    pub others: BTreeMap<SecretName, Option<StoredNow>>,
    /// Those of the function's secrets that are to be deleted, so that nobody can read them.
    pub deleted: BTreeSet<SecretName>,
    /// The roles that may read all of the secrets that the environment refers to.
    pub readers: BTreeSet<String>,
}

impl Keeping {
    /// What is kept for a function where nothing was stored, or nobody has asked.
    ///
    /// # Errors
    /// Never for a function's name.
    pub fn nothing(key: &HashKey, function: &FunctionArn) -> Result<Keeping, CallError> {
        let secret = key.secrets(function)?.into_iter().next().ok_or_else(|| no_name(function))?;
        Ok(Keeping {
            secret,
            stored: None,
            others: BTreeMap::new(),
            deleted: BTreeSet::new(),
            readers: BTreeSet::new(),
        })
    }
}

/// One of a function's secrets.
struct One {
    stored: Option<StoredNow>,
    has_room: bool,
    is_deleted: bool,
    /// The roles that may read it; asked for only where the environment refers to it.
    readers: Option<BTreeSet<String>>,
}

/// How a version came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// It holds what was asked.
    AsAsked,
    /// It was there, with other values beside the ones that were asked. What is read back decides.
    BesideOthers,
}

/// What is known of a secret that need not be readable.
struct Described {
    /// The id of the current version.
    current: String,
    labels: usize,
    is_deleted: bool,
}

impl Aws {
    /// What Warden keeps for a function whose environment is `digest`.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn keeping(&self, function: &FunctionArn, digest: &EnvironmentDigest) -> Result<Keeping, CallError> {
        let key = self.hash_key().await?;
        let names = key.secrets(function)?;
        let referred = |name: &SecretName| digest.references().any(|(_, named)| named == name);
        let first = names.iter().enumerate().filter(|(number, name)| *number == 0 || referred(name));
        let first = first.map(async |(_, name)| Ok((name.clone(), self.one(function, name, referred(name)).await?)));
        let mut found: BTreeMap<SecretName, One> = future::try_join_all(first).await?.into_iter().collect();
        let mut next = None;
        for name in &names {
            if !found.contains_key(name) {
                found.insert(name.clone(), self.one(function, name, false).await?);
            }
            next = Some(name);
            if found.get(name).is_some_and(|one| one.has_room) {
                break;
            }
        }
        let next = next.cloned().ok_or_else(|| no_name(function))?;
        let readers = found.values().filter_map(|one| one.readers.clone());
        let readers = readers.reduce(|some, others| some.intersection(&others).cloned().collect()).unwrap_or_default();
        let deleted = found.iter().filter(|(_, one)| one.is_deleted).map(|(name, _)| name.clone()).collect();
        let stored = found.remove(&next).and_then(|one| one.stored);
        let others = found.into_iter().map(|(name, one)| (name, one.stored)).collect();
        Ok(Keeping { secret: next, stored, others, deleted, readers })
    }

    async fn one(&self, function: &FunctionArn, name: &SecretName, is_referred: bool) -> Result<One, CallError> {
        let readers = async { if is_referred { self.readers(function, name).await.map(Some) } else { Ok(None) } };
        let (current, previous) = (self.version(function, name, CURRENT), self.version(function, name, PREVIOUS));
        let described = self.described(function, name);
        let (version, previous, described, readers) = future::try_join4(current, previous, described, readers).await?;
        let key = self.hash_key().await?;
        let is_deleted = described.as_ref().is_some_and(|described| described.is_deleted);
        // A further version takes a label, and AWSPREVIOUS with the second one; one is left for a rotation
        // (AWSPENDING).
        let has_room = described.as_ref().is_none_or(|described| described.labels + 2 <= MOST_LABELS);
        let stored = match version {
            Some(version) => Some(StoredNow {
                previous: previous.map(|previous| Box::new(previous.now(key))),
                full: !has_room,
                ..version.now(key)
            }),
            // What it holds is seen once it is restored.
            None if is_deleted => described.as_ref().map(|described| StoredNow {
                version: described.current.clone(),
                label: None,
                values: BTreeMap::new(),
                odd: None,
                previous: None,
                full: !has_room,
            }),
            None => None,
        };
        let readers = readers.map(|readers| if is_deleted { BTreeSet::new() } else { readers });
        Ok(One { stored, has_room, is_deleted, readers })
    }

    /// A secret without its values; `None` where there is none.
    async fn described(&self, function: &FunctionArn, name: &SecretName) -> Result<Option<Described>, CallError> {
        let request = self.secrets(function.region()).describe_secret().secret_id(name.as_str());
        match request.send().await {
            Ok(answer) => {
                let versions = answer.version_ids_to_stages.unwrap_or_default();
                let current = versions.iter().find(|(_, labels)| labels.iter().any(|label| label == CURRENT));
                Ok(Some(Described {
                    current: current.map(|(id, _)| id.clone()).unwrap_or_default(),
                    labels: versions.values().map(Vec::len).sum(),
                    is_deleted: answer.deleted_date.is_some(),
                }))
            }
            Err(error) => match classify_redacted("DescribeSecret", name.as_str(), error) {
                error if error.kind == ErrorKind::Gone => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The roles that may read all of the function's own secrets that its environment refers to.
    pub(crate) async fn readers_of(
        &self,
        function: &FunctionArn,
        digest: &EnvironmentDigest,
    ) -> Result<BTreeSet<String>, CallError> {
        let own: BTreeSet<SecretName> = self.hash_key().await?.secrets(function)?.into_iter().collect();
        let referred: BTreeSet<&SecretName> =
            digest.references().map(|(_, name)| name).filter(|name| own.contains(name)).collect();
        let readers = referred.into_iter().map(async |name| {
            let (readers, described) =
                future::try_join(self.readers(function, name), self.described(function, name)).await?;
            let is_deleted = described.is_some_and(|described| described.is_deleted);
            Ok(if is_deleted { BTreeSet::new() } else { readers })
        });
        let readers = future::try_join_all(readers).await?.into_iter();
        Ok(readers.reduce(|some, others| some.intersection(&others).cloned().collect()).unwrap_or_default())
    }

    /// What becomes of the secrets of a function that is gone; empty where there are none.
    pub(crate) async fn secret_states(
        &self,
        function: &FunctionArn,
    ) -> Result<BTreeMap<SecretName, SecretState>, CallError> {
        let mut secret_states = BTreeMap::new();
        for name in self.hash_key().await?.secrets(function)? {
            // Somebody may have deleted one for good; the others are there.
            let Some(described) = self.described(function, &name).await? else { continue };
            secret_states.insert(name, if described.is_deleted { SecretState::ToBeDeleted } else { SecretState::Kept });
        }
        Ok(secret_states)
    }

    /// Schedules secrets for deletion once the recovery window is over. One that is scheduled already, or gone, is left
    /// as it is.
    pub(crate) async fn delete_secrets(
        &self,
        function: &FunctionArn,
        secrets: &BTreeSet<SecretName>,
    ) -> Result<(), CallError> {
        let client = self.secrets(function.region());
        let deletions = secrets.iter().map(async |secret| {
            let request = client.delete_secret().secret_id(secret.as_str()).recovery_window_in_days(RECOVERY_DAYS);
            match request.send().await.map_err(|error| classify_redacted("DeleteSecret", secret.as_str(), error)) {
                Err(error) if error.kind != ErrorKind::Gone && !is_unusable(&error) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            }
        });
        future::try_join_all(deletions).await.map(drop)
    }

    /// Restores secrets that are scheduled for deletion. Others are left as they are.
    pub(crate) async fn restore_secrets(
        &self,
        function: &FunctionArn,
        secrets: &BTreeSet<SecretName>,
    ) -> Result<(), CallError> {
        let client = self.secrets(function.region());
        let restorations = secrets.iter().map(async |secret| {
            let answer = client.restore_secret().secret_id(secret.as_str()).send().await;
            match answer.map_err(|error| classify_redacted("RestoreSecret", secret.as_str(), error)) {
                Err(error) if !is_unusable(&error) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            }
        });
        future::try_join_all(restorations).await.map(drop)
    }

    /// The roles that a secret's resource policy lets read; empty where there is no secret.
    async fn readers(&self, function: &FunctionArn, secret: &SecretName) -> Result<BTreeSet<String>, CallError> {
        let request = self.secrets(function.region()).get_resource_policy().secret_id(secret.as_str());
        match request.send().await {
            Ok(answer) => Ok(answer.resource_policy.map(|policy| principals(&policy)).unwrap_or_default()),
            Err(error) => match classify_redacted("GetResourcePolicy", secret.as_str(), error) {
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
            Err(error) => match classify_redacted("GetSecretValue", secret.as_str(), error) {
                error if error.kind == ErrorKind::Gone || is_unusable(&error) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// One version of a secret by its id, whether it has a label or not; `None` where there is none.
    pub(crate) async fn version_by_id(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
        id: &str,
    ) -> Result<Option<Version>, CallError> {
        let request = self.secrets(function.region()).get_secret_value().secret_id(secret.as_str()).version_id(id);
        match request.send().await {
            Ok(answer) => Ok(Some(Version::read(answer))),
            Err(error) => match classify_redacted("GetSecretValue", secret.as_str(), error) {
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

    /// Puts values into a function's secret beside those that it holds, lets the roles read it, and reads the values
    /// back. Done again after an interruption it does nothing twice: the version's id was chosen beforehand.
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
        let refused = |message| refused(secret, message);
        let client = self.secrets(function.region());
        let labelled = match &current {
            Some(current) if current.id == *version => current.labels.contains(label),
            Some(current) => {
                let alone = match &stored.in_place_of {
                    Some(Replaced::ValueOf(name)) => current.plain().map(|value| (name.clone(), value)),
                    Some(Replaced::Nothing) | None => None,
                };
                let alone = alone.into_iter().collect();
                let before = match (&current.values, &stored.in_place_of) {
                    (Some(before), _) => before,
                    (None, Some(_)) => &alone,
                    (None, None) => return Err(refused(NO_OBJECT)),
                };
                let mut all: BTreeMap<&str, &SecretString> =
                    before.iter().map(|(name, value)| (name.as_str(), value)).collect();
                all.extend(values);
                if self.put(function, stored, &all).await? == Put::BesideOthers {
                    // Made by a run that was cut off, on what was there then: it is kept for the undo, and the values
                    // go beside those that are there now. Neither version ever changes.
                    let next = Fingerprint::of(&json!([version, current.id])).to_string();
                    self.put_version(function, secret, &next, &json_of(&all)?, &[CURRENT]).await?;
                }
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
                    Err(error) => return Err(classify_redacted("CreateSecret", secret.as_str(), error)),
                }
            }
        };
        let labelling = async {
            if labelled {
                return Ok(());
            }
            let request = client.update_secret_version_stage().secret_id(secret.as_str()).version_stage(label);
            let answer = request.move_to_version_id(version).send().await;
            answer.map(drop).map_err(|error| classify_redacted("UpdateSecretVersionStage", secret.as_str(), error))
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
            Some(_) | None => Err(refused(NOT_READ_BACK)),
        }
    }

    /// Puts values into a version of their own that is not the current one, for an undo alone, and reads them back.
    /// Done again after an interruption it does nothing twice.
    pub(crate) async fn set_aside(
        &self,
        function: &FunctionArn,
        stored: &Stored,
        values: BTreeMap<&str, &SecretString>,
        key: &HashKey,
    ) -> Result<(), CallError> {
        let Stored { secret, version, label, .. } = stored;
        self.put_version(function, secret, version, &json_of(&values)?, &[label]).await?;
        match self.version_by_id(function, &stored.secret, &stored.version).await? {
            Some(back) if back.holds(stored, key) => Ok(()),
            Some(_) | None => Err(refused(&stored.secret, NOT_READ_BACK)),
        }
    }

    /// What Warden keeps for a variable, or why it keeps nothing; `None` where the function is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn kept(
        &self,
        function: &FunctionArn,
        variable: &VariableName,
    ) -> Result<Option<Result<Kept, NotKept>>, CallError> {
        let (reading, key) = future::try_join(self.reading(function, None), self.hash_key()).await?;
        let Some(reading) = reading else { return Ok(None) };
        let digest = match reading.digest(key) {
            Ok(digest) => digest,
            Err(why) => return Ok(Some(Err(NotKept::Unreadable(why)))),
        };
        let secret = match digest.variables.get(variable.as_str()) {
            None => return Ok(Some(Err(NotKept::NotSet))),
            Some(Held::Value(_) | Held::Wrapper) => return Ok(Some(Err(NotKept::NoReference))),
            Some(Held::Reference(Reference(secret))) => secret,
        };
        if !key.secrets(function)?.contains(secret) {
            return Ok(Some(Err(NotKept::Foreign(secret.clone()))));
        }
        let Some(current) = self.current(function, secret).await? else {
            return Ok(Some(Err(NotKept::Gone(secret.clone()))));
        };
        let others = match current.values {
            Some(_) => Others::default(),
            None => self.others(function, secret, variable, key).await?,
        };
        let now = current.now(key);
        let alone = digest.references().filter(|(_, referred)| *referred == secret).count() == 1;
        let value = match now.odd {
            None => now.values.get(variable.as_str()).copied(),
            Some(OddText::Plain(hash)) if alone => Some(hash),
            Some(OddText::Plain(_) | OddText::Unusable) => None,
        };
        Ok(Some(Ok(Kept { secret: secret.clone(), version: now.version, value, others })))
    }

    /// The values beside a variable's in a secret whose text is no JSON object: the ones that the ledger knows, from
    /// the versions that it knows them in or from the version before, and what else that one holds.
    async fn others(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
        variable: &VariableName,
        key: &HashKey,
    ) -> Result<Others, CallError> {
        let resource = Resource::Function(function.clone());
        let (previous, history) =
            future::try_join(self.version(function, secret, PREVIOUS), self.history(&resource, self.now())).await?;
        let mut others = Others::default();
        let before = previous.as_ref().map(|previous| previous.now(key).values).unwrap_or_default();
        let in_previous = |hash| {
            let version = previous.as_ref()?.id.clone();
            Some(KnownHash { hash, place: Some(Place { secret: secret.clone(), version }) })
        };
        let state = history.surfaces.get(&Surface::Environment(None));
        for (name, known) in state.iter().flat_map(|state| state.values.iter()) {
            let Some((known, place)) = known.current.as_ref().and_then(|known| Some((known, known.place.as_ref()?)))
            else {
                continue;
            };
            if name == variable.as_str() || place.secret != *secret {
                continue;
            }
            if before.get(name).is_some_and(|before| *before != known.hash) {
                others.disputed.insert(name.to_owned());
            }
            let held = self.version_by_id(function, secret, &place.version).await?;
            let known = match held.filter(|held| held.value(name, known.hash, key).is_some()) {
                Some(_) => Some(known.clone()),
                None if before.get(name) == Some(&known.hash) => in_previous(known.hash),
                None => None,
            };
            match known {
                Some(known) => drop(others.found.insert(name.to_owned(), known)),
                None => drop(others.lost.insert(name.to_owned())),
            }
        }
        // What somebody else keeps there (`port`, `username`) is nothing that the ledger knows.
        let unknown = before.iter().filter(|(name, _)| {
            *name != variable.as_str() && !others.found.contains_key(*name) && !others.lost.contains(*name)
        });
        let unknown: Vec<_> = unknown.filter_map(|(name, hash)| Some((name.clone(), in_previous(*hash)?))).collect();
        others.found.extend(unknown);
        others.disputed.retain(|name| !others.lost.contains(name));
        Ok(others)
    }

    /// What the function's secrets hold for a variable, the one that was filled last. One that is gone or to be deleted
    /// hides none of the others.
    pub(crate) async fn stored_for(
        &self,
        function: &FunctionArn,
        variable: &VariableName,
    ) -> Result<Content, CallError> {
        let key = self.hash_key().await?;
        let mut kept = None;
        let mut unread = BTreeSet::new();
        for secret in key.secrets(function)? {
            let (current, described) =
                future::try_join(self.current(function, &secret), self.described(function, &secret)).await?;
            match current.map(|current| current.now(key).values.get(variable.as_str()).copied()) {
                Some(Some(value)) => {
                    unread.clear();
                    kept = Some(KeptValue::new(secret, Some(value)));
                }
                Some(None) => {}
                None if described.is_some() => drop(unread.insert(secret)),
                None => {}
            }
        }
        let first = unread.first().map(|secret| KeptValue::new(secret.clone(), None));
        Ok(kept.or(first).map(|kept| KeptValue { unread, ..kept }.content()).unwrap_or_default())
    }

    /// Makes the version that a rotation, or its undo, asks for the current one: the other variables' values stay. Done
    /// again after an interruption it does nothing twice.
    pub(crate) async fn rotate(&self, rotation: &Rotation) -> Result<(), CallError> {
        let Rotation { function, secret, variable, onto, from, value, others, .. } = rotation;
        let refused = |message| refused(secret, message);
        let source = async {
            match from {
                Some(from) => self.version_by_id(function, secret, from).await,
                None => Ok(None),
            }
        };
        let (current, source, key) = future::try_join3(self.current(function, secret), source, self.hash_key()).await?;
        let current = current.ok_or_else(|| refused("the secret is gone, or is to be deleted"))?;
        let whole = source.as_ref().filter(|source| value.is_none() && source.values.is_none());
        let is_made = |now: &Version| match (value, whole) {
            _ if onto.is_some() => now.id == rotation.version,
            (Some(hash), _) => now.value(variable.as_str(), *hash, key).is_some(),
            (None, Some(whole)) => now.text.expose_secret() == whole.text.expose_secret(),
            (None, None) => now.values.as_ref().is_some_and(|values| !values.contains_key(variable.as_str())),
        };
        if !is_made(&current) {
            if onto.as_ref().is_some_and(|onto| *onto != current.id) {
                return Err(refused(CHANGED));
            }
            let elsewhere = match current.values {
                Some(_) => BTreeMap::new(),
                None => self.wherever_they_are(function, secret, others, key).await?,
            };
            let mut all: BTreeMap<&str, &SecretString> = elsewhere
                .iter()
                .chain(current.values.iter().flatten())
                .map(|(name, value)| (name.as_str(), value))
                .collect();
            let found;
            match value {
                Some(hash) => {
                    found = match from {
                        Some(_) => source.as_ref().and_then(|source| source.value(variable.as_str(), *hash, key)),
                        None => self.given.clone().filter(|given| key.hash(given.expose_secret()) == *hash),
                    };
                    let value = found.as_ref().ok_or_else(|| {
                        refused(match from {
                            Some(_) => "the value of then is not in Secrets Manager any more; nothing was changed",
                            None => "only the command that was given the value has it; nothing was changed",
                        })
                    })?;
                    all.insert(variable.as_str(), value);
                }
                None => drop(all.remove(variable.as_str())),
            }
            let text = match whole {
                Some(whole) => Zeroizing::new(whole.text.expose_secret().to_owned()),
                None => json_of(&all)?,
            };
            let version = rotation.version_on(&current.id);
            self.put_version(function, secret, &version, &text, &[CURRENT]).await?;
        }
        match self.current(function, secret).await? {
            Some(back) if is_made(&back) => Ok(()),
            Some(_) | None => Err(refused(NOT_READ_BACK)),
        }
    }

    /// Values from the versions that are known to have held them.
    async fn wherever_they_are(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
        known: &BTreeMap<String, KnownHash>,
        key: &HashKey,
    ) -> Result<BTreeMap<String, SecretString>, CallError> {
        let found = known.iter().map(async |(name, known)| {
            let version = match &known.place {
                Some(Place { secret, version }) => self.version_by_id(function, secret, version).await?,
                None => None,
            };
            let value = version.and_then(|version| version.value(name, known.hash, key));
            let value = value.ok_or_else(|| refused(secret, CHANGED))?;
            Ok::<_, CallError>((name.clone(), value))
        });
        Ok(future::try_join_all(found).await?.into_iter().collect())
    }

    /// Adds a version with its label to a secret that is there.
    async fn put(
        &self,
        function: &FunctionArn,
        stored: &Stored,
        values: &BTreeMap<&str, &SecretString>,
    ) -> Result<Put, CallError> {
        let Stored { secret, version, label, .. } = stored;
        self.put_version(function, secret, version, &json_of(values)?, &[CURRENT, label]).await
    }

    async fn put_version(
        &self,
        function: &FunctionArn,
        secret: &SecretName,
        version: &str,
        text: &str,
        labels: &[&str],
    ) -> Result<Put, CallError> {
        // In plain words, and nothing is sent that AWS would quote.
        if text.len() > MOST_BYTES {
            return Err(refused(secret, TOO_LONG));
        }
        let request = self.secrets(function.region()).put_secret_value().secret_id(secret.as_str());
        let request = request.client_request_token(version).secret_string(text);
        let list = labels.iter().map(|label| (*label).to_owned()).collect();
        match request.set_version_stages(Some(list)).send().await {
            // It was there with just this, and whoever has gone back to an earlier one since has its label moved again.
            Ok(answer)
                if labels.contains(&CURRENT) && !answer.version_stages().iter().any(|label| label == CURRENT) =>
            {
                self.make_current(function, secret, version).await.map(|()| Put::AsAsked)
            }
            Ok(_) => Ok(Put::AsAsked),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
                Ok(Put::BesideOthers)
            }
            Err(error) => Err(limited(classify_redacted("PutSecretValue", secret.as_str(), error))),
        }
    }

    /// Moves AWSCURRENT to a version. It has to be said where it is now (API reference, UpdateSecretVersionStage).
    async fn make_current(&self, function: &FunctionArn, secret: &SecretName, version: &str) -> Result<(), CallError> {
        let from = self.current(function, secret).await?.map(|current| current.id);
        let request = self.secrets(function.region()).update_secret_version_stage().secret_id(secret.as_str());
        let request = request.version_stage(CURRENT).move_to_version_id(version).set_remove_from_version_id(from);
        let answer = request.send().await;
        answer.map(drop).map_err(|error| classify_redacted("UpdateSecretVersionStage", secret.as_str(), error))
    }

    /// The same grant without the roles that IAM does not know any more, or knows as another one's. One that nobody may
    /// look at stays. IAM may not know everywhere yet what was made a moment ago: whoever needs a role looks whether it
    /// is still there.
    pub(crate) async fn as_far_as_they_exist(&self, grant: &Grant) -> Result<Grant, CallError> {
        let seen = grant.readers.iter().map(async |reader| {
            let Ok(role) = reader.parse() else { return Ok(None) };
            match self.role(&role).await {
                Ok(found) => Ok(found.map(|found| found.arn).filter(|arn| arn == reader)),
                Err(error) if error.kind.is_refusal() => Ok(Some(reader.clone())),
                Err(error) => Err(error),
            }
        });
        let readers = future::try_join_all(seen).await?.into_iter().flatten().collect();
        Ok(Grant { readers, ..grant.clone() })
    }

    /// Lets exactly these roles read the secrets.
    pub(crate) async fn grant(&self, function: &FunctionArn, grant: &Grant) -> Result<(), CallError> {
        let client = self.secrets(function.region());
        let grants = grant.secrets.iter().map(async |secret| {
            let request = client.put_resource_policy().secret_id(secret.as_str()).block_public_policy(true);
            let answer = request.resource_policy(policy(function, &grant.readers).to_string()).send().await;
            answer.map(drop).map_err(|error| unsettled(classify_redacted("PutResourcePolicy", secret.as_str(), error)))
        });
        future::try_join_all(grants).await.map(drop)
    }
}

const NO_OBJECT: &str = "the secret does not hold a JSON object of texts any more: give each variable that refers to \
                         it its value again with `warden rotate`";
const TOO_LONG: &str = "all values together are more than the 65536 bytes that a secret holds; nothing was changed";
const CHANGED: &str = "the secret was changed since it was read, and nothing was changed now: do the same once more";
const NOT_READ_BACK: &str = "what was stored was not what was read back; nothing else was changed";

fn refused(secret: &SecretName, message: &str) -> CallError {
    CallError {
        kind: ErrorKind::Refused,
        operation: "PutSecretValue",
        target: secret.to_string(),
        message: message.to_owned(),
    }
}

pub(crate) fn no_name(function: &FunctionArn) -> CallError {
    CallError {
        kind: ErrorKind::Bug,
        operation: "CreateSecret",
        target: function.to_string(),
        message: "no secret can be named after this function".into(),
    }
}

/// Roles that IAM knows and Secrets Manager does not: one was made or deleted a moment ago, and IAM takes seconds to
/// tell everybody.
fn unsettled(error: CallError) -> CallError {
    if error.message.starts_with("MalformedPolicyDocumentException") {
        let message = "MalformedPolicyDocumentException: a role that may read the secret is not known to Secrets \
                       Manager yet, or not any more";
        return CallError { kind: ErrorKind::Retry, message: message.to_owned(), ..error };
    }
    error
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// What to do about a secret whose labels are used up. AWS allows 20, one for each remediation that can be undone.
fn limited(error: CallError) -> CallError {
    if !error.message.starts_with("LimitExceededException") {
        return error;
    }
    let advice = "LimitExceededException: the secret has the 20 labels that AWS allows, and the function no room for a \
                  further secret. Remove the labels warden-... of remediations that nobody will undo \
                  (UpdateSecretVersionStage with RemoveFromVersionId), and find out what sets new secrets again and \
                  again";
    CallError { message: advice.to_owned(), ..error }
}

/// The error where a secret is scheduled for deletion, or is not where it has to be.
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
fn policy(function: &FunctionArn, readers: &BTreeSet<String>) -> Value {
    let home = function.home();
    // A statement needs a principal. The account as such adds nobody to those whom their own policies let.
    let nobody = format!("arn:{}:iam::{}:root", home.partition.as_str(), home.account);
    let principals = if readers.is_empty() { json!(nobody) } else { json!(readers) };
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "FunctionsThatReferToIt",
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }]})
}

/// Whom a secret's policy lets read. A role that was deleted stands there as an id, also once another is made under its
/// name, and is nobody (IAM user guide, "AWS JSON policy elements: Principal").
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
    let roles = readers.filter_map(|reader| reader.as_str().map(str::to_owned));
    roles.filter(|reader| reader.starts_with("arn:") && reader.contains(":role/")).collect()
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
        let function = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        assert_eq!(principals(&policy(&function, &roles).to_string()), roles);
        let nobody = policy(&function, &BTreeSet::new());
        assert_eq!(nobody["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
        assert_eq!(principals(&nobody.to_string()), BTreeSet::new());
        // One principal, as AWS writes it.
        let one = |who: &str| {
            format!(
                r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":["secretsmanager:GetSecretValue"],"Resource":"*"}}}}"#
            )
        };
        let pay = "arn:aws:iam::111122223333:role/pay".to_owned();
        assert_eq!(principals(&one(&pay)), BTreeSet::from([pay]));
        assert_eq!(principals(&one("AROAEXAMPLE")), BTreeSet::new());
        let denied = r#"{"Statement":[{"Effect":"Deny","Principal":{"AWS":"a"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
        assert!(principals(denied).is_empty() && principals("not JSON").is_empty());
    }

    #[test]
    fn a_version_does_not_print_its_values() {
        let answer = GetSecretValueOutput::builder().version_id("v").secret_string(r#"{"A":"canary"}"#).build();
        let version = Version::read(answer);
        assert!(version.values.is_some() && !format!("{version:?}").contains("canary"));
        let odd = Version::read(GetSecretValueOutput::builder().secret_string("canary").build());
        assert!(odd.values.is_none() && !format!("{odd:?}").contains("canary"));
    }

    #[test]
    fn a_text_that_is_no_object_is_one_value_or_none() {
        let key = crate::hash::tests::key();
        let now = |text: &str| Version::read(GetSecretValueOutput::builder().secret_string(text).build()).now(&key);
        let hash = key.hash("hunter2");
        assert_eq!(now(r#"{"A":"hunter2"}"#).values, BTreeMap::from([("A".to_owned(), hash)]));
        assert_eq!(now(r#"{"A":"hunter2"}"#).odd, None);
        assert_eq!(now("hunter2\n").odd, Some(OddText::Plain(hash)));
        for broken in [r#"{"A":"hunter2""#, r#"{"A":7}"#, r#""hunter2""#, "[]"] {
            assert_eq!(now(broken).odd, Some(OddText::Unusable), "{broken}");
        }
        let bytes = GetSecretValueOutput::builder().version_id("v").build();
        assert_eq!(Version::read(bytes).now(&key).odd, Some(OddText::Unusable));
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
