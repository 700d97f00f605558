//! Reading an environment. This is the one place where values are looked at: each goes to the detector, and what comes back holds
//! nothing of it.

use crate::{
    Boundary, Context, Facts, KnownValue, Suspect,
    boundary::boundary,
    unmistakable::{is_unmistakable, may_name_a_secret},
};
use futures::future;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Aws, HashKey, Reading};
use warden_engine::{
    Severity,
    arn::{FunctionArn, Qualifier},
    call_error::{CallError, ErrorKind},
    environment::{Held, KeyedHash, StoredNow, VersionFacts},
    guard::{Look, Scope, Sighting},
    ports::Clock,
    reference::SecretName,
    surface::{Subject, Surface},
    tags::{GuardKind, Mode},
};
use warden_secrets::Confidence;

/// What the detector says of one variable, without its value. `known` is what the account is to know it by, if it may.
pub fn suspect(name: &str, value: &str, hash: KeyedHash, known: Option<KeyedHash>) -> Option<Suspect> {
    let verdict = warden_secrets::judge(name, value)?;
    let severity = match verdict.confidence {
        Confidence::High => Severity::High,
        Confidence::Medium => Severity::Medium,
    };
    let known = known.filter(|_| severity == Severity::High);
    Some(Suspect { name: name.to_owned(), hash, kind: verdict.kind.to_string(), severity, known })
}

/// Reads what `look` asks for; `None` where the function is gone.
pub(crate) async fn observe(aws: &Aws, look: &Look) -> Result<Option<Facts>, CallError> {
    let Subject::Function(function) = &look.subject else { return Ok(None) };
    let versions: BTreeSet<Qualifier> = look
        .surfaces
        .iter()
        .flatten()
        .filter_map(|surface| match surface {
            Surface::Environment(version) => version.clone(),
            Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Trust
            | Surface::Boundary
            | Surface::Attachment(_)
            | Surface::InlinePolicy(_)
            | Surface::ManagedPolicy(_)
            | Surface::Role => None,
        })
        .collect();
    let wants_itself = look.surfaces.as_ref().is_none_or(|surfaces| surfaces.contains(&Surface::Environment(None)));
    let published = future::try_join_all(versions.into_iter().map(|version| async {
        let reading = aws.reading(function, Some(&version)).await?;
        Ok::<_, CallError>(reading.map(|reading| (version, reading)))
    }));
    // The tags stand with the function itself. The key takes a call once in a process.
    let (itself, published, key) = future::try_join3(aws.reading(function, None), published, aws.hash_key()).await?;
    let Some(itself) = itself else { return Ok(None) };
    let scope = Scope::Tags(itself.tags.clone());
    let mode = scope.opt_in(GuardKind::Secrets, aws.now().to_zoned(TimeZone::UTC).date()).mode;
    let mut seen = Seen { key, suspects: Vec::new(), candidates: Vec::new() };
    let mut surfaces: BTreeMap<Surface, Sighting> = BTreeMap::new();
    for (version, reading) in published.into_iter().flatten() {
        seen.look_at(&reading, mode);
        surfaces.insert(Surface::Environment(Some(version)), reading.sighting(key, BTreeSet::new()));
    }
    if !wants_itself || mode == Mode::Off {
        if wants_itself {
            surfaces.insert(Surface::Environment(None), itself.sighting(key, BTreeSet::new()));
        }
        let around = Around { known: seen.known(aws).await?, ..Around::default() };
        let facts = seen.facts(function, &itself, around)?;
        return Ok(Some(Facts { scope, surfaces, context: Some(facts) }));
    }
    seen.look_at(&itself, mode);
    let secret = key.secret(function)?;
    let (readers, around) = around(aws, function, &itself, &secret, &seen).await?;
    surfaces.insert(Surface::Environment(None), itself.sighting(key, readers));
    let facts = seen.facts(function, &itself, around)?;
    Ok(Some(Facts { scope, surfaces, context: Some(facts) }))
}

/// What the detector found, and what the account is asked about.
struct Seen<'a> {
    key: &'a HashKey,
    suspects: Vec<Suspect>,
    candidates: Vec<Candidate>,
}

/// A variable whose value could be one that was taken out elsewhere.
struct Candidate {
    name: String,
    hash: KeyedHash,
    known: KeyedHash,
}

impl Seen<'_> {
    fn look_at(&mut self, reading: &Reading, mode: Mode) {
        if mode == Mode::Off {
            return;
        }
        reading.inspect(|name, value| {
            if let Held::Value(hash) = Held::of(name, value, |value| self.key.hash(value)) {
                let known = is_unmistakable(value).then(|| self.key.known(value));
                let suspect = suspect(name, value, hash, known);
                if let Some(known) = known.filter(|_| suspect.is_some() || may_name_a_secret(name)) {
                    self.candidates.push(Candidate { name: name.to_owned(), hash, known });
                }
                self.suspects.extend(suspect);
            }
        });
    }

    /// What the account knows of the candidates.
    async fn known(&self, aws: &Aws) -> Result<Vec<KnownValue>, CallError> {
        if self.candidates.is_empty() {
            return Ok(Vec::new());
        }
        let hashes = self.candidates.iter().map(|candidate| candidate.known).collect();
        let known = aws.known(&hashes).await?;
        let found = self.candidates.iter().filter_map(|candidate| {
            let Candidate { name, hash, known: by } = candidate;
            Some(KnownValue { name: name.clone(), hash: *hash, known: known.get(by)?.clone(), was_there: false })
        });
        Ok(found.collect())
    }

    fn facts(self, function: &FunctionArn, reading: &Reading, around: Around) -> Result<Context, CallError> {
        let (environment_bytes, value_bytes) = reading.lengths();
        Ok(Context {
            runtime: reading.runtime.clone(),
            package: reading.package.clone(),
            architecture: reading.architecture.clone(),
            role: reading.role.clone(),
            in_vpc: reading.in_vpc,
            code_signing: around.code_signing,
            zipped_bytes: reading.zipped_bytes,
            environment_bytes,
            value_bytes,
            boundary: around.boundary,
            suspects: self.suspects,
            known: around.known,
            secret: self.key.secret(function)?,
            stored: around.stored,
            versions: around.versions,
        })
    }
}

/// What is read beside the function, and only where something may be to do.
struct Around {
    stored: Option<StoredNow>,
    known: Vec<KnownValue>,
    code_signing: bool,
    boundary: Boundary,
    versions: BTreeMap<String, VersionFacts>,
}

impl Default for Around {
    fn default() -> Self {
        Around {
            stored: None,
            known: Vec::new(),
            code_signing: false,
            boundary: Boundary::Allows,
            versions: BTreeMap::new(),
        }
    }
}

async fn around(
    aws: &Aws,
    function: &FunctionArn,
    reading: &Reading,
    secret: &SecretName,
    seen: &Seen<'_>,
) -> Result<(BTreeSet<String>, Around), CallError> {
    // What cannot be decrypted is reported, and nothing is done about it.
    let Ok(portrait) = reading.portrait(seen.key) else { return Ok((BTreeSet::new(), Around::default())) };
    if portrait.variables.is_empty() {
        return Ok((BTreeSet::new(), Around::default()));
    }
    let details = async {
        let bounded = bounded(aws, function, &reading.role, secret);
        future::try_join3(aws.has_code_signing(function), bounded, aws.versions(function)).await
    };
    let stored = aws.stored_now(function, secret);
    let readers = aws.readers_of(function, secret, &portrait);
    let known = seen.known(aws);
    let suspicious = !seen.suspects.is_empty() || portrait.refers() || portrait.is_wrapped();
    let (stored, known, readers, details) = if suspicious {
        let (stored, known, readers, details) = future::try_join4(stored, known, readers, details).await?;
        (stored, known, readers, Some(details))
    } else {
        let (stored, known) = future::try_join(stored, known).await?;
        let own = |held: &Held| matches!(held, Held::Value(hash) if stored.iter().any(|stored| stored.values.values().any(|known| known == hash)));
        let is_back = !known.is_empty() || portrait.variables.values().any(own);
        let details = if is_back { Some(details.await?) } else { None };
        (stored, known, BTreeSet::new(), details)
    };
    let around = match details {
        Some((code_signing, boundary, versions)) => Around { stored, known, code_signing, boundary, versions },
        None => Around { stored, known, ..Around::default() },
    };
    Ok((readers, around))
}

/// What the boundary of a function's role says to reading its secret.
async fn bounded(aws: &Aws, function: &FunctionArn, role: &str, secret: &SecretName) -> Result<Boundary, CallError> {
    // A role that is gone, or that nobody may look at: nobody can be sure.
    let unsure = |error: CallError| match error.kind {
        ErrorKind::Gone | ErrorKind::Refused => Ok(Boundary::Lacks),
        ErrorKind::Retry | ErrorKind::Stale | ErrorKind::Busy | ErrorKind::Bug => Err(error),
    };
    let Ok(name) = role.parse() else { return Ok(Boundary::Lacks) };
    let policy = match aws.role(&name).await {
        Ok(Some(role)) => role.boundary,
        Ok(None) => return Ok(Boundary::Lacks),
        Err(error) => return unsure(error),
    };
    let Some(policy) = policy else { return Ok(Boundary::Allows) };
    match aws.default_version(&policy).await {
        Ok(Some((_, document))) => Ok(boundary(Some(document.text()), function, secret)),
        Ok(None) => Ok(Boundary::Lacks),
        Err(error) => unsure(error),
    }
}
