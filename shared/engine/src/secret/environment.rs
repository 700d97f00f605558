//! A function's environment as far as it may be written down: no value, only what tells one value from another.
//!
//! The values themselves never come here. They are read, compared and written by `warden-aws`, in a type that neither
//! prints nor serialises; facts, plans, records and events hold a [`EnvironmentDigest`].

use crate::{
    model::content::Content,
    name::{NameError, as_text, fingerprint::Fingerprint, lambda::FunctionArn},
    secret::values::KnownHash,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};
use warden_secret_ref::{Reference, SecretName, WRAPPER, WRAPPER_VARIABLE};

/// The first 128 bits of an HMAC-SHA256 of a value. Nobody can try out guesses without the key. With one key, a value
/// has the same hash under every name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash(pub [u8; 16]);

const HASHED: &str = "hmac:";

impl fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASHED}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyedHash {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("(not shown)", "a keyed hash");
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.strip_prefix(HASHED).ok_or_else(bad)?, &mut bytes).map_err(|_| bad())?;
        Ok(KeyedHash(bytes))
    }
}

as_text!(KeyedHash);

/// The name of a variable, as AWS takes it: `[a-zA-Z]([a-zA-Z0-9_])+` (Lambda API reference, Environment).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableName(String);

impl VariableName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for VariableName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text.len() > 1
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits {
            Ok(VariableName(text.to_owned()))
        } else {
            Err(NameError::new(text, "the name of an environment variable (a letter, then letters, digits and `_`)"))
        }
    }
}

as_text!(VariableName);

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A value, by its hash.
    Value(KeyedHash),
    /// A reference that Warden wrote.
    Reference(Reference),
    /// The path of the start-up layer's script, in the variable for it.
    Wrapper,
}

impl Held {
    /// What the variable `name` holds. `hash` is asked where the value is not a text of Warden's own.
    pub fn of(name: &str, value: &str, hash: impl FnOnce(&str) -> KeyedHash) -> Held {
        if let Ok(reference) = value.parse() {
            return Held::Reference(reference);
        }
        if name == WRAPPER_VARIABLE && value == WRAPPER {
            return Held::Wrapper;
        }
        Held::Value(hash(value))
    }

    /// The text that stands for it in content.
    fn text(&self) -> String {
        match self {
            Held::Value(hash) => hash.to_string(),
            Held::Reference(reference) => reference.to_string(),
            Held::Wrapper => WRAPPER.to_owned(),
        }
    }

    fn read(name: &str, text: &str) -> Option<Held> {
        match text.parse() {
            Ok(hash) => Some(Held::Value(hash)),
            Err(_) if name == WRAPPER_VARIABLE && text == WRAPPER => Some(Held::Wrapper),
            Err(_) => text.parse().ok().map(Held::Reference),
        }
    }
}

/// What a customer's KMS key asks of whoever changes a function whose environment it encrypts: Lambda decrypts,
/// encrypts and grants the function's role the use of the key with the caller's own permissions ("Securing Lambda
/// environment variables" in the Lambda developer guide; that an update with the same role needs the grant too is not
/// said there (? key-grant)).
pub const KEY_RIGHTS: &str = "kms:Decrypt, kms:Encrypt and kms:CreateGrant on that key";

/// Keys of the content that no variable can have as its name.
const LAYERS: &str = "$layers";
const READERS: &str = "$readers";
const UNREADABLE: &str = "$unreadable";

/// A function's environment with what decides whether its references can be followed. Content holds it as one flat
/// object: names to texts, `$layers`, and where there is a reference, `$readers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentDigest {
    /// The variables.
    pub variables: BTreeMap<String, Held>,
    /// The ARNs of the function's layers, in their order.
    pub layers: Vec<String>,
    /// The function's own role, where a variable refers to a secret and the secret's policy lets that role read. Who
    /// else may read is no part of an environment: a role of an old version that somebody deletes changes nothing here.
    pub readers: BTreeSet<String>,
}

impl EnvironmentDigest {
    /// The place of findings about layers.
    pub const LAYERS: &str = LAYERS;
    /// The place of findings about who may read the secret.
    pub const READERS: &str = READERS;

    /// As the content of a surface.
    pub fn content(&self) -> Content {
        if self.variables.is_empty() {
            return Content::ABSENT;
        }
        let mut map: Map<String, Value> =
            self.variables.iter().map(|(name, held)| (name.clone(), held.text().into())).collect();
        map.insert(LAYERS.into(), self.layers.clone().into());
        if self.refers() {
            map.insert(READERS.into(), self.readers.iter().cloned().collect::<Vec<_>>().into());
        }
        Content::new(map.into())
    }

    /// The content of an environment that AWS could not decrypt; `why` is AWS's code, nothing of the environment.
    pub fn unreadable(why: &str) -> Content {
        let why: String = why.chars().filter(|c| c.is_ascii_alphanumeric()).take(128).collect();
        Content::new(json!({ UNREADABLE: why }))
    }

    /// Reads content back.
    ///
    /// # Errors
    /// Why nothing can be said of it.
    pub fn of(content: &Content) -> Result<EnvironmentDigest, String> {
        let Some(document) = content.document() else { return Ok(EnvironmentDigest::default()) };
        let Some(map) = document.as_object() else { return Err("the environment has an unknown form".into()) };
        if let Some(why) = map.get(UNREADABLE) {
            let why = why.as_str().unwrap_or_default();
            return Err(format!(
                "the environment cannot be decrypted ({why}): Lambda may not use its KMS key, or Warden may not; where \
                 the key is one of yours, let the roles of secret-guard and of the operator use it through Lambda \
                 ({KEY_RIGHTS}), in the key's policy"
            ));
        }
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let mut digest = EnvironmentDigest::default();
        for (name, value) in map {
            let bad = || format!("`{name}` of the environment has an unknown form");
            match name.as_str() {
                LAYERS => digest.layers = texts(value).ok_or_else(bad)?,
                READERS => digest.readers = texts(value).ok_or_else(bad)?.into_iter().collect(),
                _ => {
                    let held = value.as_str().and_then(|text| Held::read(name, text)).ok_or_else(bad)?;
                    digest.variables.insert(name.clone(), held);
                }
            }
        }
        Ok(digest)
    }

    /// The variables that refer to a secret of Warden's, each with the secret.
    pub fn references(&self) -> impl Iterator<Item = (&str, &SecretName)> {
        self.variables.iter().filter_map(|(name, held)| match held {
            Held::Reference(Reference(secret)) => Some((name.as_str(), secret)),
            Held::Value(_) | Held::Wrapper => None,
        })
    }

    /// Whether any variable refers to a secret of Warden's.
    pub fn refers(&self) -> bool {
        self.references().next().is_some()
    }

    /// Whether Lambda starts the layer's script.
    pub fn is_wrapped(&self) -> bool {
        self.variables.get(WRAPPER_VARIABLE) == Some(&Held::Wrapper)
    }
}

/// What Warden keeps of a function that is gone. It is the content of its environment then:
/// `{"$stored": {"warden/pay/1f2e": "kept"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedSecrets {
    /// The secrets, and what becomes of each.
    #[serde(rename = "$stored")]
    pub secrets: BTreeMap<SecretName, SecretState>,
    /// Other functions, by name, whose environments refer to them.
    #[serde(rename = "$users", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<String>,
}

/// What becomes of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// The secret stays.
    Kept,
    /// It is deleted once AWS's recovery window is over. Nobody can read it until it is restored.
    ToBeDeleted,
}

impl RetainedSecrets {
    /// As the content of a surface.
    pub fn content(&self) -> Content {
        serde_json::to_value(self).map(Content::new).unwrap_or_default()
    }

    /// Reads content back; `None` where it is that of an environment.
    pub fn of(content: &Content) -> Option<RetainedSecrets> {
        content.document().and_then(|document| serde_json::from_value(document.clone()).ok())
    }
}

/// How a function's code is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// The code is in a zip file.
    Zip,
    /// The code is a container image.
    Image,
    /// The code is delivered in a way that AWS has added since.
    Unknown(String),
}

/// Whether a function takes signed code only, which a layer of Warden's is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeSigning {
    /// It has no code-signing configuration.
    #[default]
    None,
    /// It has one.
    Configured,
    /// Nobody could find out: AWS's answer instead.
    Unknown(String),
}

/// What the function's secret holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredNow {
    /// The id of the current version.
    pub version: String,
    /// The label that Warden gave to it, if any.
    pub label: Option<String>,
    /// The hash of each variable's value.
    pub values: BTreeMap<String, KeyedHash>,
    /// What stands there where its text is not a JSON object by variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd: Option<OddText>,
    /// What it held before that (AWSPREVIOUS): somebody may have replaced it by hand between two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<StoredNow>>,
    /// Whether it has no room for a further version with a label.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What somebody has put into a secret in the place of the JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OddText {
    /// A text that may be the one value of the one variable that refers to it: see [`warden_secret_ref::plain`].
    Plain(KeyedHash),
    /// Anything else, which no variable can be served from.
    Unusable,
}

/// A published version, which keeps its environment for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionFacts {
    /// The role that it runs with.
    pub role: String,
    /// The values in its environment.
    pub values: BTreeSet<KeyedHash>,
    /// The secrets that it refers to.
    pub refers: BTreeSet<SecretName>,
}

/// Values in Secrets Manager: which version of which secret, and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The secret that holds them.
    pub secret: SecretName,
    /// The version's id, chosen before it is made, so that making it twice makes it once.
    pub version: String,
    /// The staging label that keeps the version for the undo.
    pub label: String,
    /// The hash of each variable's value.
    pub values: BTreeMap<String, KeyedHash>,
    /// The hashes by which the account is to know those of the values that are too random to be anything else, by
    /// variable: see [`crate::secret::known_secret`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<String, KeyedHash>,
    /// Where somebody has put a text into the secret that is not a JSON object: what that text becomes in the new
    /// object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<Replaced>,
}

/// A secret's text that is no JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replaced {
    /// The value of this variable.
    ValueOf(String),
    /// Nothing that any variable refers to.
    Nothing,
}

/// Who may read a function's secrets, by their resource policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The secrets.
    pub secrets: BTreeSet<SecretName>,
    /// The ARNs of the roles that may read; nobody else may. Published versions name their roles for ever. Roles that
    /// do not exist any more are left out when the policy is written, since Secrets Manager refuses a policy that names
    /// one.
    pub readers: BTreeSet<String>,
    /// The function's own role: whether it may read is part of the environment's content.
    pub role: String,
    /// What the trust policies of the readers said when that was decided, as far as they were read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusts: BTreeMap<String, Fingerprint>,
}

impl Grant {
    /// Of the readers, those that the content of an environment names.
    fn own(&self) -> BTreeSet<String> {
        self.readers.get(&self.role).cloned().into_iter().collect()
    }
}

/// One change of a function's environment, with what has to be true in Secrets Manager before it. What it does not name
/// stays byte for byte as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentUpdate {
    /// The function whose environment is changed.
    pub function: FunctionArn,
    /// Secrets that were scheduled for deletion and are restored before anything else, because the function is there
    /// again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub revive: BTreeSet<SecretName>,
    /// Values that are stored, and read back, before the environment changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Stored>,
    /// Values that are kept for an undo alone, in a version of their own that no function reads. They were replaced
    /// before, and are nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Stored>,
    /// Who may read the values. That is so before the environment changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Values that come back from Secrets Manager, each from the version that holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restore: Vec<Stored>,
    /// Variables that get a text of Warden's own: references and the wrapper's path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Variables that are removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<String>,
    /// The layers, where they change: all of them, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<String>>,
}

impl EnvironmentUpdate {
    /// An update that changes nothing yet.
    pub fn new(function: FunctionArn) -> EnvironmentUpdate {
        EnvironmentUpdate {
            function,
            revive: BTreeSet::new(),
            store: None,
            aside: None,
            grant: None,
            restore: Vec::new(),
            set: BTreeMap::new(),
            remove: BTreeSet::new(),
            layers: None,
        }
    }

    /// Whether the function's configuration changes, and not only what is in Secrets Manager.
    pub fn changes_configuration(&self) -> bool {
        !self.restore.is_empty() || !self.set.is_empty() || !self.remove.is_empty() || self.layers.is_some()
    }

    /// What the update makes of an environment.
    #[must_use]
    pub fn on(&self, digest: &EnvironmentDigest) -> EnvironmentDigest {
        let mut after = digest.clone();
        let own = self.set.iter().filter_map(|(name, text)| Some((name, Held::read(name, text)?)));
        let back = self.restore.iter().flat_map(|stored| &stored.values);
        after.variables.extend(own.map(|(name, held)| (name.clone(), held)));
        after.variables.extend(back.map(|(name, hash)| (name.clone(), Held::Value(*hash))));
        after.variables.retain(|name, _| !self.remove.contains(name));
        if let Some(layers) = &self.layers {
            after.layers.clone_from(layers);
        }
        match &self.grant {
            _ if !after.refers() => after.readers.clear(),
            Some(grant) => after.readers = grant.own(),
            None => {}
        }
        after
    }
}

/// One variable's value as Warden keeps it: the content of the surface `secret/VARIABLE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeptValue {
    /// The secret that the variable refers to.
    pub secret: SecretName,
    /// The hash of the value that the secret holds for the variable; none where it holds none for it.
    pub value: Option<KeyedHash>,
    /// Later secrets of the function that cannot be read, since they are to be deleted: one may hold a newer value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<SecretName>,
}

impl KeptValue {
    /// What is kept in a secret that can be read, as all others can.
    pub fn new(secret: SecretName, value: Option<KeyedHash>) -> KeptValue {
        KeptValue { secret, value, unread: BTreeSet::new() }
    }

    /// Reads content back; `None` where nothing is kept.
    pub fn of(content: &Content) -> Option<KeptValue> {
        content.document().and_then(|document| serde_json::from_value(document.clone()).ok())
    }

    /// As the content of a surface.
    pub fn content(&self) -> Content {
        serde_json::to_value(self).map(Content::new).unwrap_or_default()
    }
}

/// Another value for one variable, in the secret that its reference names. It is a new version, with the other
/// variables' values as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The function that the variable belongs to.
    pub function: FunctionArn,
    /// The variable that gets another value.
    pub variable: VariableName,
    /// The secret that holds them.
    pub secret: SecretName,
    /// The hash of the value that becomes the current one; none removes the value.
    pub value: Option<KeyedHash>,
    /// The id of the new version, chosen before it is made, so that making it twice makes it once. For an undo, what the
    /// id is made of, together with that of the version which is the current one then: see [`Rotation::version_on`].
    pub version: String,
    /// The version that was the current one when this was planned, and is still to be; none for an undo, which leaves
    /// the other values as they are then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onto: Option<String>,
    /// The version that holds the value already; none where only the operator who sets it has it. Where no value is to
    /// come back, and the text of that version is no JSON object, that text comes back as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The hash by which the account is to know the value, where it is too random to be anything else: see
    /// [`crate::secret::known_secret`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KeyedHash>,
    /// The other values, and where each is, for a secret whose text holds none of them any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, KnownHash>,
}

impl Rotation {
    /// The id of the version that is made of the one with the id `current`. A version never changes, so that two with
    /// one id hold the same.
    pub fn version_on(&self, current: &str) -> String {
        match self.onto {
            Some(_) => self.version.clone(),
            None => Fingerprint::of(&json!([self.version, current])).to_string(),
        }
    }
}

/// When another value reaches a function, for every record and every command that says so. An update of the
/// configuration brings new environments (Lambda API reference, UpdateFunctionConfiguration: Lambda "provisions an
/// instance of the function"). How long those of before go on is not said there (? old-environments), so nothing is
/// promised of them.
pub const WHEN_IT_STARTS: &str = "environments that run now keep the value that they started with until they start \
                                  again: any update of the function's configuration does that, and a newly published \
                                  version where an alias, provisioned concurrency or SnapStart is in use";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_from_content() {
        let mut digest = EnvironmentDigest { layers: vec!["arn:layer:1".into()], ..EnvironmentDigest::default() };
        digest.variables.insert("A".into(), Held::Value(KeyedHash([7; 16])));
        assert_eq!(EnvironmentDigest::of(&digest.content()).unwrap(), digest);
        digest.variables.insert("B".into(), Held::Reference("warden-secret:warden/pay/1".parse().unwrap()));
        digest.variables.insert(WRAPPER_VARIABLE.into(), Held::Wrapper);
        digest.readers.insert("arn:role".into());
        assert_eq!(EnvironmentDigest::of(&digest.content()).unwrap(), digest);
        assert!(digest.refers() && digest.is_wrapped());
        assert_eq!(EnvironmentDigest::of(&Content::ABSENT).unwrap(), EnvironmentDigest::default());
    }

    #[test]
    fn only_warden_s_own_texts_are_written_down() {
        let hash = |_: &str| KeyedHash([1; 16]);
        let held = |name, value| Held::of(name, value, hash);
        assert_eq!(held("A", "hunter2"), Held::Value(KeyedHash([1; 16])));
        // A value in the form of a hash is a value like any other.
        assert_eq!(held("A", "hmac:00000000000000000000000000000000"), Held::Value(KeyedHash([1; 16])));
        assert_eq!(held("A", WRAPPER), Held::Value(KeyedHash([1; 16])));
        assert_eq!(held(WRAPPER_VARIABLE, WRAPPER), Held::Wrapper);
        assert_eq!(held(WRAPPER_VARIABLE, "/opt/other"), Held::Value(KeyedHash([1; 16])));
        assert!(matches!(held("A", "warden-secret:warden/pay/1"), Held::Reference(_)));
    }

    #[test]
    fn what_is_kept_of_a_function_that_is_gone_is_no_environment() {
        let secrets = BTreeMap::from([("warden/pay/1".parse().unwrap(), SecretState::Kept)]);
        let retained = RetainedSecrets { secrets, users: BTreeSet::from(["ship".to_owned()]) };
        assert_eq!(RetainedSecrets::of(&retained.content()), Some(retained.clone()));
        assert!(EnvironmentDigest::of(&retained.content()).is_err());
        assert_eq!(RetainedSecrets::of(&Content::ABSENT), None);
        assert_eq!(
            RetainedSecrets::of(
                &EnvironmentDigest { layers: vec!["a".into()], ..EnvironmentDigest::default() }.content()
            ),
            None
        );
    }

    #[test]
    fn what_could_not_be_decrypted_has_no_digest() {
        let why = EnvironmentDigest::of(&EnvironmentDigest::unreadable("KMSAccessDeniedException")).unwrap_err();
        assert!(why.contains("KMSAccessDeniedException"), "{why}");
    }
}
