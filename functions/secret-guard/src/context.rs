//! What has to be known of a function beside its environment.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
pub use warden_engine::secret::environment::{CodeSigning, Package, StoredNow};
use warden_engine::{
    Severity,
    guard::Deployment,
    name::fingerprint::Fingerprint,
    secret::{
        environment::{EnvironmentDigest, KeyedHash, OddText, VersionFacts},
        known_secret::Known,
        values::{KnownHash, Place, Values},
    },
    secret_ref::SecretName,
};

/// What a role's permissions boundary says to reading a secret of Warden's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// It allows it, or there is none.
    Allows,
    /// It does not, or nobody can be sure that it does.
    Lacks,
}

/// Who may assume a role, as far as it matters to whoever is to read a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trust {
    /// The trust policy.
    pub policy: Fingerprint,
    /// Whether it lets in nobody but Lambda.
    pub lambda_alone: bool,
}

/// A variable whose value looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The variable.
    pub name: String,
    /// Its value.
    pub hash: KeyedHash,
    /// What kind of secret it looks like.
    pub kind: String,
    /// How sure that is.
    pub severity: Severity,
    /// What the whole account is to know the value by once it is taken out; none where it could be mistaken for
    /// something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KeyedHash>,
}

/// A variable whose value no other one has by chance, under whatever name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    /// The variable.
    pub name: String,
    /// Its value.
    pub hash: KeyedHash,
}

/// A variable that holds what was taken out of an environment before, this function's or another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownValue {
    /// The variable.
    pub name: String,
    /// Its value.
    pub hash: KeyedHash,
    /// Where it was taken out.
    pub known: Known,
    /// Whether it stood here, without being a secret to anybody, before the account knew it.
    #[serde(default)]
    pub was_there: bool,
}

/// The version `$LATEST.PUBLISHED` of a function on Lambda Managed Instances: what runs there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// `x86_64` or `arm64`, as it was published.
    pub architecture: String,
}

/// What one needs to know of a function to take secrets out of its environment and leave it working.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The runtime's identifier; none for an image.
    pub runtime: Option<String>,
    /// How the code is delivered.
    pub package: Package,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The execution role's ARN.
    pub role: String,
    /// Whether it runs in a VPC of the account.
    pub in_vpc: bool,
    /// On Lambda Managed Instances what runs, which what is changed does not until it is published again; none where
    /// nothing was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Its last update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
    /// By version of the start-up layer that no setting names: the architectures that it is for, where it says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layer_architectures: BTreeMap<String, BTreeSet<String>>,
    /// Whether a code-signing configuration takes signed layers only.
    pub code_signing: CodeSigning,
    /// Code and layers as far as AWS says their size, zipped: what is unzipped is never less.
    pub zipped_bytes: u64,
    /// The environment as JSON, which is how Lambda measures it.
    pub environment_bytes: u64,
    /// By variable, the length of the value as JSON.
    pub value_bytes: BTreeMap<String, u64>,
    /// What the role's boundary says.
    pub boundary: Boundary,
    /// By layer that is not Warden's own, the names of the extensions that it brings; none where nobody could look into
    /// it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Option<BTreeSet<String>>>,
    /// The variables that look like secrets, in all environments that were read.
    pub suspects: Vec<Suspect>,
    /// The variables whose values could be no chance, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub random: Vec<Random>,
    /// The variables whose values the account knows, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownValue>,
    /// The secret that takes what is taken out of this function's environment next.
    pub secret: SecretName,
    /// What that holds now; none where there is no such secret yet.
    pub stored: Option<StoredNow>,
    /// The function's other secrets: those that have no room for a further version, and those that its environment
    /// refers to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<SecretName, Option<StoredNow>>,
    /// The roles that may read all of those that its environment refers to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub readers: BTreeSet<String>,
    /// By role, who may assume it: of the function's own role, and of those of published versions that refer to a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusts: BTreeMap<String, Trust>,
    /// From the ledger: the roles that were let in before, and what the trust policy of each said then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known_readers: BTreeMap<String, Fingerprint>,
    /// By role that was never let in: what role-guard has against it, where it guards the function.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub against: BTreeMap<String, String>,
    /// Those of all of them that are to be deleted, because the function was gone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub deleted: BTreeSet<SecretName>,
    /// The variables that refer to a secret of the function's own which holds nothing for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lacking: BTreeSet<String>,
    /// Published versions, by number; `$LATEST.PUBLISHED` is one of them.
    pub versions: BTreeMap<String, VersionFacts>,
    /// From the ledger: what is known of the values that the function's variables held.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
}

/// A value that was replaced in Secrets Manager, set again in plaintext.
#[derive(Debug)]
pub(crate) struct Stale<'a> {
    /// The secret that the variable's value is in.
    pub(crate) secret: &'a SecretName,
    /// Where the replaced value is still kept.
    pub(crate) place: Option<&'a Place>,
    /// Whether the secret can be read, so that the variable has its newer value from there.
    pub(crate) has_newer: bool,
}

impl Context {
    /// For tests: of a Python function without any secret.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Context {
        Context {
            runtime: Some("python3.13".into()),
            package: Package::Zip,
            architecture: "x86_64".into(),
            role: "arn:aws:iam::111122223333:role/pay".into(),
            in_vpc: false,
            code_signing: CodeSigning::None,
            zipped_bytes: 0,
            environment_bytes: 0,
            value_bytes: BTreeMap::new(),
            boundary: Boundary::Allows,
            published: None,
            deployment: None,
            layer_architectures: BTreeMap::new(),
            extensions: BTreeMap::new(),
            suspects: Vec::new(),
            random: Vec::new(),
            known: Vec::new(),
            secret: "warden/pay/1f2e3d4c5b6a".parse().unwrap(),
            stored: None,
            others: BTreeMap::new(),
            readers: BTreeSet::new(),
            trusts: BTreeMap::new(),
            known_readers: BTreeMap::new(),
            against: BTreeMap::new(),
            deleted: BTreeSet::new(),
            lacking: BTreeSet::new(),
            versions: BTreeMap::new(),
            values: Values::default(),
        }
    }

    /// The roles that need to read the secrets: the function's, and those of published versions that refer to one.
    pub(crate) fn needs_to_read(&self) -> BTreeSet<String> {
        let refers = |version: &&VersionFacts| version.refers.iter().any(|secret| self.owns(secret));
        let versions = self.versions.values().filter(refers);
        versions.map(|version| version.role.clone()).chain([self.role.clone()]).collect()
    }

    /// Whether a role was let in before, and may be assumed by whom it might be then. Whoever runs the function when its
    /// first secret is taken out has that already.
    pub(crate) fn is_known_reader(&self, role: &str) -> bool {
        match (self.known_readers.get(role), self.trusts.get(role)) {
            (Some(then), Some(now)) => *then == now.policy,
            (Some(_), None) => true,
            // What it said when it was let in was not kept yet.
            (None, _) if self.readers.contains(role) => true,
            (None, _) => self.known_readers.is_empty() && self.readers.is_empty() && self.holding().next().is_none(),
        }
    }

    /// Why a role is not let into the function's secrets; nothing where it is.
    pub(crate) fn keeps_out(&self, role: &str) -> Option<String> {
        if self.is_known_reader(role) {
            return None;
        }
        match self.trusts.get(role) {
            None => Some("who may assume it could not be read".to_owned()),
            Some(trust) if !trust.lambda_alone => Some("others than Lambda may assume it".to_owned()),
            Some(_) => self.against.get(role).cloned(),
        }
    }

    /// What one of the function's secrets holds.
    pub(crate) fn stored_in(&self, secret: &SecretName) -> Option<&StoredNow> {
        let stored = if *secret == self.secret { self.stored.as_ref() } else { self.others.get(secret)?.as_ref() };
        stored.filter(|stored| !matches!(stored.odd, Some(OddText::Plain(_))) || !stored.values.is_empty())
    }

    /// Whether a variable's value was replaced before, so that it is not to be stored again. Once its secret is gone,
    /// nothing is newer.
    pub(crate) fn stale(&self, name: &str, hash: KeyedHash) -> Option<Stale<'_>> {
        let variable = self.values.get(name)?;
        let last = variable.current.as_ref()?;
        let secret = &last.place.as_ref()?.secret;
        let stored = self.stored_in(secret)?;
        let (current, has_newer) = if self.deleted.contains(secret) {
            // What it holds is seen once it is restored.
            (last.hash, true)
        } else if stored.odd == Some(OddText::Unusable) {
            (last.hash, false)
        } else {
            (*stored.values.get(name)?, true)
        };
        if current == hash {
            return None;
        }
        let replaced = variable.replaced().find(|known| known.hash == hash)?;
        Some(Stale { secret, place: replaced.place.as_ref(), has_newer })
    }

    /// Whether a value in a secret is one of the function's: a variable refers to it, or the ledger knows it. What else
    /// somebody keeps beside it (`port`, `username`) is nothing of Warden's.
    pub(crate) fn keeps(&self, digest: &EnvironmentDigest, secret: &SecretName, name: &str) -> bool {
        let last = self.values.get(name).and_then(|variable| variable.current.as_ref()?.place.as_ref());
        last.is_some_and(|place| place.secret == *secret) || digest.references().any(|it| it == (name, secret))
    }

    /// The variable of the function, another one, that had this value before it was replaced.
    pub(crate) fn earlier_of(&self, name: &str, hash: KeyedHash) -> Option<&str> {
        let had = |known: &KnownHash| known.hash == hash && known.place.is_some();
        let others = self.values.iter().filter(|(other, variable)| *other != name && variable.replaced().any(had));
        others.map(|(other, _)| other).next().filter(|_| self.is_no_chance(name, hash))
    }

    /// Whether a variable's value is one that no other has by chance.
    pub(crate) fn is_no_chance(&self, name: &str, hash: KeyedHash) -> bool {
        self.suspects.iter().any(|suspect| suspect.name == name && suspect.hash == hash)
            || self.random.iter().any(|random| random.name == name && random.hash == hash)
    }

    /// Whether a secret is this function's.
    pub(crate) fn owns(&self, secret: &SecretName) -> bool {
        *secret == self.secret || self.others.contains_key(secret)
    }

    /// The function's secrets that hold something, the one that takes the next values first.
    pub fn holding(&self) -> impl Iterator<Item = (&SecretName, &StoredNow)> {
        let first = self.stored.iter().map(|stored| (&self.secret, stored));
        first.chain(self.others.iter().filter_map(|(name, stored)| Some((name, stored.as_ref()?))))
    }
}
