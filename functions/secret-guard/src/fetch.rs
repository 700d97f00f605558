//! Reading an environment. This is the one place where values are looked at: each goes to the detector, and what comes
//! back holds nothing of it.

use crate::{
    Boundary, Context, Facts, KnownValue, Published, Random, Suspect, Trust,
    boundary::boundary,
    high_entropy::{is_high_entropy, is_no_chance, may_name_a_secret},
    history::known_readers,
    judge::is_ours,
};
use futures::future;
use jiff::tz::TimeZone;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Aws, FunctionConfig, HashKey, Keeping};
use warden_engine::{
    Severity,
    call_error::{CallError, ErrorKind},
    guard::{ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::state::History,
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::{
        fingerprint::Fingerprint,
        iam::RoleArn,
        lambda::{FunctionArn, LayerVersionArn, Qualifier},
    },
    ports::{Account, Clock},
    secret::{
        environment::{CodeSigning, EnvironmentDigest, Held, KeyedHash, VersionFacts},
        values::Values,
    },
};
use warden_policy::{Document, Kind, trust_policy};
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

/// Reads what `request` asks for; `None` where the function is gone.
pub(crate) async fn fetch(
    aws: &Aws,
    request: &ReconcileRequest,
    settings: &Settings,
) -> Result<Option<Facts>, CallError> {
    let Resource::Function(function) = &request.resource else { return Ok(None) };
    // Where the whole function is looked at, a version that the event has published with it is too.
    let introduced = request.introduced.iter().filter_map(|introduced| introduced.surface.as_ref());
    let versions: BTreeSet<Qualifier> = request
        .surfaces
        .iter()
        .flatten()
        .chain(introduced)
        .filter_map(|surface| if let Surface::Environment(version) = surface { version.clone() } else { None })
        .collect();
    let wants_itself = request.surfaces.as_ref().is_none_or(|surfaces| surfaces.contains(&Surface::Environment(None)));
    read(aws, function, versions, wants_itself, None, settings).await
}

/// Rotations that were begun and not ended, once nobody works on them any more: what their secrets hold tells how they
/// ended.
pub(crate) async fn fetch_more(
    aws: &Aws,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    judge_new_readers(aws, facts, history, settings).await?;
    let now = aws.now();
    let open = history.surfaces.iter().filter(|(surface, state)| {
        matches!(surface, Surface::Secret(_)) && state.intent.as_ref().is_some_and(|intent| intent.lease <= now)
    });
    let seen = open.map(async |(surface, _)| Ok((surface.clone(), aws.snapshot(&request.resource, surface).await?)));
    for (surface, snapshot) in future::try_join_all(seen).await? {
        facts.surfaces.extend(snapshot.map(|snapshot| (surface, snapshot)));
    }
    Ok(())
}

/// Of the roles that are to be let into the function's secrets: who may assume them, and of those that are new what
/// role-guard has against them, where it guards the function.
async fn judge_new_readers(
    aws: &Aws,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    let today = aws.now().to_zoned(TimeZone::UTC).date();
    let is_guarded = facts.scope.opt_in(GuardKind::Role, today).mode == Mode::Enforce;
    // Where nothing may be to do, nothing was read of any role.
    let Some(function) = facts.context.as_mut().filter(|function| !function.trusts.is_empty()) else { return Ok(()) };
    function.known_readers = known_readers(history);
    let needed = function.needs_to_read();
    let others = needed.iter().filter(|role| !function.trusts.contains_key(*role));
    let trusts = future::try_join_all(others.map(|role| async {
        let Ok(name) = role.parse::<RoleArn>() else { return Ok(None) };
        match aws.role(&name).await {
            Ok(found) => Ok(found.map(|found| (role.clone(), trust(found.trust.text())))),
            Err(error) if error.kind.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let trusts = trusts.await?;
    function.trusts.extend(trusts.into_iter().flatten());
    if !is_guarded {
        return Ok(());
    }
    let judged = history.surfaces.get(&Surface::Role(None));
    let is_let_be = |role: &str| {
        let fragments = Content::new(json!({"Role": role})).fragments();
        judged.is_some_and(|state| {
            let accepted = state.acceptances.iter().flat_map(|acceptance| &acceptance.findings);
            // What CloudTrail is asked about has not been let be yet.
            let stood = state.pre_existing.keys().filter(|key| !state.questioned.contains_key(&key.fragment));
            accepted.chain(stood).any(|key| fragments.contains(&key.fragment))
        })
    };
    let new = needed.iter().filter(|role| !function.is_known_reader(role) && !is_let_be(role));
    let against = future::try_join_all(new.map(|role| async {
        let Ok(name) = role.parse::<RoleArn>() else { return Ok(None) };
        Ok::<_, CallError>(role_guard::objection(aws, &name, settings).await?.map(|why| (role.clone(), why)))
    }));
    function.against = against.await?.into_iter().flatten().collect();
    Ok(())
}

fn trust(text: &str) -> Trust {
    let lambda_alone = Document::parse(text, Kind::Trust).is_ok_and(|it| trust_policy::lets_in_lambda_alone(&it));
    Trust { policy: Fingerprint::of(&json!(text)), lambda_alone }
}

/// Reads the function itself as it would be looked at with these tags.
pub(crate) async fn survey(
    aws: &Aws,
    function: &FunctionArn,
    tags: &BTreeMap<String, String>,
    settings: &Settings,
) -> Result<Option<Facts>, CallError> {
    read(aws, function, BTreeSet::new(), true, Some(tags), settings).await
}

/// Reads published versions, and the function itself; `tags` are in the place of its own. On Lambda Managed Instances
/// what runs is read with it.
async fn read(
    aws: &Aws,
    function: &FunctionArn,
    versions: BTreeSet<Qualifier>,
    wants_itself: bool,
    tags: Option<&BTreeMap<String, String>>,
    settings: &Settings,
) -> Result<Option<Facts>, CallError> {
    let published = future::try_join_all(versions.into_iter().map(|version| async {
        let reading = aws.reading(function, Some(&version)).await?;
        Ok::<_, CallError>(reading.map(|reading| (version, reading)))
    }));
    // The tags stand with the function itself. The key takes a call once in a process.
    let (itself, published, key) = future::try_join3(aws.reading(function, None), published, aws.hash_key()).await?;
    let Some(itself) = itself else { return Ok(None) };
    let scope = Scope::Tags(tags.unwrap_or(&itself.tags).clone());
    let mode = scope.opt_in(GuardKind::Secrets, aws.now().to_zoned(TimeZone::UTC).date()).mode;
    let mut versions: BTreeMap<Qualifier, FunctionConfig> = published.into_iter().flatten().collect();
    let running = Qualifier::latest_published();
    if itself.on_managed_instances && wants_itself && mode != Mode::Off && !versions.contains_key(&running) {
        let reading = aws.reading(function, Some(&running)).await?;
        versions.extend(reading.map(|reading| (running.clone(), reading)));
    }
    let mut seen = Seen { key, suspects: Vec::new(), random: Vec::new(), candidates: Vec::new() };
    let mut surfaces: BTreeMap<Surface, SurfaceSnapshot> = BTreeMap::new();
    for (version, reading) in &versions {
        seen.look_at(reading, mode);
        surfaces.insert(Surface::Environment(Some(version.clone())), reading.snapshot(key, BTreeSet::new()));
    }
    let running = versions.get(&running);
    if !wants_itself || mode == Mode::Off {
        if wants_itself {
            surfaces.insert(Surface::Environment(None), itself.snapshot(key, BTreeSet::new()));
        }
        let started: Vec<&FunctionConfig> = running.into_iter().filter(|_| mode != Mode::Off).collect();
        let (known, layers) = future::try_join(seen.known(aws), architectures(aws, started, key, settings)).await?;
        let facts = seen.facts(function, &itself, running, Around { known, layers, ..Around::default() })?;
        return Ok(Some(Facts { scope, surfaces, context: Some(facts) }));
    }
    seen.look_at(&itself, mode);
    let started: Vec<&FunctionConfig> = running.into_iter().chain([&itself]).collect();
    let around = around(aws, function, &itself, &seen, settings);
    let (around, layers) = future::try_join(around, architectures(aws, started, key, settings)).await?;
    let readers = around.keeping.as_ref().map(|keeping| keeping.readers.clone()).unwrap_or_default();
    surfaces.insert(Surface::Environment(None), itself.snapshot(key, readers));
    let facts = seen.facts(function, &itself, running, Around { layers, ..around })?;
    Ok(Some(Facts { scope, surfaces, context: Some(facts) }))
}

/// For which architectures the start-up layers of these functions are, where the settings do not say so and something
/// depends on it.
async fn architectures(
    aws: &Aws,
    functions: Vec<&FunctionConfig>,
    key: &HashKey,
    settings: &Settings,
) -> Result<BTreeMap<String, BTreeSet<String>>, CallError> {
    let digests = functions.into_iter().filter_map(|reading| reading.digest(key).ok());
    let layers: BTreeSet<LayerVersionArn> = digests
        .filter(EnvironmentDigest::is_wrapped)
        .flat_map(|digest| digest.layers)
        .filter(|layer| is_ours(layer, settings))
        .filter_map(|layer| layer.parse().ok())
        .filter(|layer| !settings.secret_layers.values().any(|known| known == layer))
        .collect();
    let read = layers.into_iter().map(|layer| async move {
        let architectures = aws.layer_architectures(&layer).await?;
        Ok::<_, CallError>((layer.to_string(), architectures))
    });
    Ok(future::try_join_all(read).await?.into_iter().collect())
}

/// What the detector found, and what the account is asked about.
struct Seen<'a> {
    key: &'a HashKey,
    suspects: Vec<Suspect>,
    random: Vec<Random>,
    candidates: Vec<Candidate>,
}

/// A variable whose value could be one that was taken out elsewhere.
struct Candidate {
    name: String,
    hash: KeyedHash,
    known: KeyedHash,
}

impl Seen<'_> {
    fn look_at(&mut self, reading: &FunctionConfig, mode: Mode) {
        if mode == Mode::Off {
            return;
        }
        reading.inspect(|name, value| {
            if let Held::Value(hash) = Held::of(name, value, |value| self.key.hash(value)) {
                let known = is_high_entropy(value).then(|| self.key.known(value));
                let suspect = suspect(name, value, hash, known);
                if let Some(known) = known.filter(|_| suspect.is_some() || may_name_a_secret(name)) {
                    self.candidates.push(Candidate { name: name.to_owned(), hash, known });
                }
                if is_no_chance(value) {
                    self.random.push(Random { name: name.to_owned(), hash });
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

    fn facts(
        self,
        function: &FunctionArn,
        reading: &FunctionConfig,
        running: Option<&FunctionConfig>,
        around: Around,
    ) -> Result<Context, CallError> {
        let (environment_bytes, value_bytes) = reading.lengths();
        let keeping = match around.keeping {
            Some(keeping) => keeping,
            None => Keeping::nothing(self.key, function)?,
        };
        let mut versions = around.versions;
        // Whether it is listed with the others is documented nowhere (? latest-published).
        let number = Qualifier::latest_published().to_string();
        versions.extend(running.map(|running| (number, running.version_facts(self.key))));
        let boundary = match around.boundary {
            Bounded::By(document) => boundary(document.as_deref(), function, &keeping.secret),
            Bounded::Unsure => Boundary::Lacks,
        };
        Ok(Context {
            runtime: reading.runtime.clone(),
            package: reading.package.clone(),
            architecture: reading.architecture.clone(),
            role: reading.role.clone(),
            in_vpc: reading.in_vpc,
            published: running.map(|running| Published { architecture: running.architecture.clone() }),
            deployment: reading.deployment,
            layer_architectures: around.layers,
            code_signing: around.code_signing,
            zipped_bytes: reading.zipped_bytes,
            environment_bytes,
            value_bytes,
            boundary,
            extensions: around.extensions,
            suspects: self.suspects,
            random: self.random,
            known: around.known,
            secret: keeping.secret,
            stored: keeping.stored,
            others: keeping.others,
            readers: keeping.readers,
            trusts: around.trust.map(|trust| (reading.role.clone(), trust)).into_iter().collect(),
            known_readers: BTreeMap::new(),
            against: BTreeMap::new(),
            deleted: keeping.deleted,
            lacking: BTreeSet::new(),
            versions,
            values: Values::default(),
        })
    }
}

/// What is read beside the function, and only where something may be to do.
#[derive(Default)]
struct Around {
    keeping: Option<Keeping>,
    known: Vec<KnownValue>,
    code_signing: CodeSigning,
    boundary: Bounded,
    trust: Option<Trust>,
    extensions: BTreeMap<String, Option<BTreeSet<String>>>,
    versions: BTreeMap<String, VersionFacts>,
    layers: BTreeMap<String, BTreeSet<String>>,
}

/// The permissions boundary of a function's role.
enum Bounded {
    /// This document; none where there is no boundary.
    By(Option<String>),
    /// Nobody can be sure: the role is gone, say, or nobody may look at it.
    Unsure,
}

impl Default for Bounded {
    fn default() -> Self {
        Bounded::By(None)
    }
}

async fn around(
    aws: &Aws,
    function: &FunctionArn,
    reading: &FunctionConfig,
    seen: &Seen<'_>,
    settings: &Settings,
) -> Result<Around, CallError> {
    // What cannot be decrypted is reported, and nothing is done about it.
    let Ok(digest) = reading.digest(seen.key) else { return Ok(Around::default()) };
    if digest.variables.is_empty() {
        return Ok(Around::default());
    }
    let others = digest.layers.iter().filter(|layer| !is_ours(layer, settings));
    let details = async {
        let signing = aws.code_signing(function, &reading.package);
        let extensions = aws.extensions(function, others);
        future::try_join4(signing, bounded(aws, &reading.role), aws.versions(function), extensions).await
    };
    let kept = future::try_join(aws.keeping(function, &digest), seen.known(aws));
    let suspicious = !seen.suspects.is_empty() || digest.refers() || digest.is_wrapped();
    let ((keeping, known), details) = if suspicious {
        let (kept, details) = future::try_join(kept, details).await?;
        (kept, Some(details))
    } else {
        let (keeping, known) = kept.await?;
        // A value may be back that the secrets hold, or held: that one the ledger knows, which is read elsewhere.
        let keeps = keeping.stored.is_some() || keeping.others.values().any(Option::is_some);
        let details = if keeps || !known.is_empty() { Some(details.await?) } else { None };
        ((keeping, known), details)
    };
    let around = Around { keeping: Some(keeping), known, ..Around::default() };
    Ok(match details {
        Some((code_signing, (boundary, trust), versions, extensions)) => {
            Around { code_signing, boundary, trust, extensions, versions, ..around }
        }
        None => around,
    })
}

/// The boundary of a function's role, and who may assume the role.
async fn bounded(aws: &Aws, role: &str) -> Result<(Bounded, Option<Trust>), CallError> {
    let unsure = |error: CallError| match error.kind {
        ErrorKind::Gone | ErrorKind::Denied | ErrorKind::NotOffered | ErrorKind::Refused => Ok(Bounded::Unsure),
        ErrorKind::Retry
        | ErrorKind::Stale
        | ErrorKind::Busy
        | ErrorKind::PublicPolicy
        | ErrorKind::UnreservedConcurrency
        | ErrorKind::Bug => Err(error),
    };
    let Ok(name) = role.parse() else { return Ok((Bounded::Unsure, None)) };
    let (policy, trust) = match aws.role(&name).await {
        Ok(Some(role)) => (role.boundary, Some(trust(role.trust.text()))),
        Ok(None) => return Ok((Bounded::Unsure, None)),
        Err(error) => return Ok((unsure(error)?, None)),
    };
    let Some(policy) = policy else { return Ok((Bounded::By(None), trust)) };
    let bounded = match aws.default_version(&policy).await {
        Ok(Some((_, document))) => Bounded::By(Some(document.text().to_owned())),
        Ok(None) => Bounded::Unsure,
        Err(error) => unsure(error)?,
    };
    Ok((bounded, trust))
}
