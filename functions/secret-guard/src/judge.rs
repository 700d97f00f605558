//! What is wrong with an environment. What looks like a secret was found when it was read, since the values are not
//! here.

use crate::{Context, Facts, KnownValue, context::Stale};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId, Severity,
    guard::{Judgement, Scope},
    model::{settings::Settings, surface::Surface},
    name::lambda::LayerVersionArn,
    secret::environment::{EnvironmentDigest, Held, KeyedHash},
    secret_ref::SecretName,
};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let (Surface::Environment(version), Some(snapshot), Some(function)) =
        (surface, facts.surfaces.get(surface), &facts.context)
    else {
        return Judgement::default();
    };
    let digest = match EnvironmentDigest::of(&snapshot.content) {
        Ok(digest) => digest,
        Err(why) => return Judgement { findings: Vec::new(), unclear: Some(why) },
    };
    let values = digest.variables.iter().filter_map(|(name, held)| match held {
        Held::Value(hash) => value(function, &digest, name, *hash),
        Held::Reference(_) | Held::Wrapper => None,
    });
    let mut findings: Vec<Finding> = values.collect();
    let twins: Vec<Finding> = twins(function, &digest, &findings).collect();
    findings.extend(twins);
    findings.sort_by(|one, other| one.at.cmp(&other.at));
    // A published version cannot be changed any more: what it needs is granted through the function itself. But one of
    // them is what runs on Managed Instances.
    let architecture = match version {
        None => Some(&function.architecture),
        Some(version) if version.is_latest_published() => function.published.as_ref().map(|it| &it.architecture),
        Some(_) => None,
    };
    if let Some(architecture) = architecture {
        let starting = Starting { digest: &digest, function, architecture, strip: is_strip(facts), settings };
        let itself = version.is_none().then_some(&starting);
        findings.extend(itself.into_iter().flat_map(Starting::foreign));
        findings.extend(starting.broken());
        findings.extend(itself.into_iter().flat_map(|_| lacking(&digest, function)));
        findings.extend(itself.and_then(Starting::unreadable));
    }
    Judgement { findings, unclear: None }
}

/// Whether `warden:secrets=strip` leaves it to the code to fetch what is stripped.
pub(crate) fn is_strip(facts: &Facts) -> bool {
    own_tag(facts) == Some("strip")
}

/// What the function's own tag for this guard says.
pub(crate) fn own_tag(facts: &Facts) -> Option<&str> {
    own_tags(facts)?.get("warden:secrets").map(String::as_str)
}

/// The function's own tags.
pub(crate) fn own_tags(facts: &Facts) -> Option<&BTreeMap<String, String>> {
    match &facts.scope {
        Scope::Tags(tags) => Some(tags),
        Scope::Setting(_) | Scope::Through(_) => None,
    }
}

fn value(function: &Context, digest: &EnvironmentDigest, name: &str, hash: KeyedHash) -> Option<Finding> {
    if let Some(Stale { secret, .. }) = function.stale(name, hash) {
        return Some(Finding {
            id: FindingId::KnownSecret,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!(
                "{name} holds in plaintext a value of its own that was replaced since: {secret} has a newer one, and \
                 everybody who may read the configuration can read this one"
            ),
        });
    }
    let own = function.holding().find_map(|(secret, now)| {
        let same = now.values.iter().filter(|(_, stored)| **stored == hash).map(|(stored, _)| stored);
        // Short and plain values (`12`, `production`) are equal by chance.
        let its = same.filter(|stored| name == *stored || function.is_no_chance(name, hash));
        let mut its = its.filter(|stored| function.keeps(digest, secret, stored));
        Some((secret, its.next()?))
    });
    if let Some((secret, stored)) = own {
        return Some(Finding {
            id: FindingId::KnownSecret,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!(
                "{name} holds in plaintext what Warden stored in {secret} as {stored}: everybody who may read the \
                 configuration can read it"
            ),
        });
    }
    if let Some(other) = function.earlier_of(name, hash) {
        return Some(Finding {
            id: FindingId::KnownSecret,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!(
                "{name} holds in plaintext a value of {other} that Warden took out, or that was replaced since: everybody \
                 who may read the configuration can read it"
            ),
        });
    }
    let suspect = function.suspects.iter().find(|suspect| suspect.name == name && suspect.hash == hash);
    let known = function.known.iter().find(|value| value.name == name && value.hash == hash);
    if let Some(KnownValue { known, was_there, .. }) = known
        && !(*was_there && suspect.is_some())
    {
        let (whose, stored) = (known.function.name(), &known.variable);
        let message = format!(
            "{name} holds in plaintext what Warden keeps for {stored} of {whose} in {}: everybody who may read the \
             configuration can read it",
            known.secret
        );
        let (severity, then) =
            if *was_there { (Severity::Medium, "; it stood here before that") } else { (Severity::High, "") };
        let message = message + then;
        return Some(Finding { id: FindingId::KnownSecret, severity, at: name.to_owned(), message });
    }
    let suspect = suspect?;
    Some(Finding {
        id: FindingId::PlaintextSecret,
        severity: suspect.severity,
        at: name.to_owned(),
        message: format!(
            "{name} looks like a secret ({}): everybody who may read the function's configuration can read it",
            suspect.kind
        ),
    })
}

/// What holds the value of a variable with a finding under a name that says nothing of it: taken out of the one, the
/// value would still be there to be read.
fn twins<'a>(
    function: &'a Context,
    digest: &'a EnvironmentDigest,
    findings: &'a [Finding],
) -> impl Iterator<Item = Finding> + 'a {
    let held = |name: &str| match digest.variables.get(name) {
        Some(Held::Value(hash)) => Some(*hash),
        Some(Held::Reference(_) | Held::Wrapper) | None => None,
    };
    let others = digest.variables.keys().filter(|name| findings.iter().all(|finding| finding.at != **name));
    others.filter_map(move |name| {
        let hash = held(name).filter(|hash| function.is_no_chance(name, *hash))?;
        let first = findings.iter().find(|finding| held(&finding.at) == Some(hash))?;
        let message = format!(
            "{name} holds the same value as {}, which is a secret: everybody who may read the configuration can read it",
            first.at
        );
        Some(Finding { id: FindingId::PlaintextSecret, severity: first.severity, at: name.clone(), message })
    })
}

/// An environment as a function starts with it.
struct Starting<'a> {
    digest: &'a EnvironmentDigest,
    function: &'a Context,
    architecture: &'a str,
    strip: bool,
    settings: &'a Settings,
}

impl Starting<'_> {
    fn found(at: &str, severity: Severity, message: String) -> Finding {
        Finding { id: FindingId::SecretOutOfReach, severity, at: at.to_owned(), message }
    }

    /// The function's own secrets that its environment refers to, by variable.
    fn own(&self) -> impl Iterator<Item = (&str, &SecretName)> {
        self.digest.references().filter(|(_, secret)| self.function.owns(secret))
    }

    /// References to secrets of others.
    fn foreign(&self) -> impl Iterator<Item = Finding> {
        let others = self.digest.references().filter(|(_, secret)| !self.function.owns(secret));
        others.map(|(name, secret)| {
            let message =
                format!("{name} refers to {secret}, which is another function's: nobody lets this one read it");
            Starting::found(name, Severity::Medium, message)
        })
    }

    /// What keeps the start-up layer from its work.
    fn broken(&self) -> Vec<Finding> {
        let Starting { digest, function, architecture, .. } = self;
        let mut findings = Vec::new();
        if digest.is_wrapped() {
            let message = match start_up_layer(digest, self.settings) {
                None => Some(
                    "AWS_LAMBDA_EXEC_WRAPPER starts what the layer secret-env holds, and the layer is gone: the \
                     function does not start"
                        .to_owned(),
                ),
                Some(layer) => (!serves(layer, architecture, function, self.settings)).then(|| {
                    format!(
                        "AWS_LAMBDA_EXEC_WRAPPER starts what the layer secret-env holds, and {layer} is not for \
                         {architecture}, which the function is: it does not start"
                    )
                }),
            };
            findings.extend(message.map(|message| Starting::found(EnvironmentDigest::LAYERS, Severity::High, message)));
        }
        if !self.strip
            && !digest.is_wrapped()
            // At the first reference: where the wrapper is missing, there is nothing to point at.
            && let Some((at, _)) = self.own().next()
        {
            let message = "nothing fetches the secrets at the function's start: AWS_LAMBDA_EXEC_WRAPPER is not that of \
                           the layer secret-env";
            findings.push(Starting::found(at, Severity::High, message.to_owned()));
        }
        findings
    }

    /// What the secret's policy does not let the function read.
    fn unreadable(&self) -> Option<Finding> {
        let Starting { digest, function, .. } = self;
        let own: BTreeSet<&SecretName> = self.own().map(|(_, secret)| secret).collect();
        if own.is_empty() {
            return None;
        }
        let secrets = own.iter().map(|secret| secret.as_str()).collect::<Vec<_>>().join(" and ");
        let mut severity = Severity::High;
        let message = if digest.readers.is_empty() && own.iter().any(|secret| function.deleted.contains(*secret)) {
            format!("{secrets} is to be deleted, since the function was gone, and nobody can read it until then")
        } else if !self.strip && !digest.readers.contains(&function.role) {
            let kept_out = function.keeps_out(&function.role).map(|why| {
                severity = Severity::Critical;
                format!(", and is not let in: {why}")
            });
            format!("{} may not read {secrets}{}", function.role, kept_out.unwrap_or_default())
        } else {
            return None;
        };
        Some(Starting::found(EnvironmentDigest::READERS, severity, message))
    }
}

/// The start-up layer that a function has. Of two the later one is unpacked over the other
/// (<https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html>).
pub(crate) fn start_up_layer<'a>(digest: &'a EnvironmentDigest, settings: &Settings) -> Option<&'a str> {
    digest.layers.iter().map(String::as_str).rfind(|layer| is_ours(layer, settings))
}

/// Whether a start-up layer holds an executable for the architecture. Of one that no setting names it is known where
/// the layer says so; where it does not, nothing speaks against it.
pub(crate) fn serves(layer: &str, architecture: &str, function: &Context, settings: &Settings) -> bool {
    let named = settings.secret_layers.iter().find(|(_, known)| known.to_string() == layer);
    match (named, function.layer_architectures.get(layer)) {
        (Some((known, _)), _) => known == architecture,
        (None, Some(said)) => said.is_empty() || said.contains(architecture),
        (None, None) => true,
    }
}

/// References to secrets of the function's own that hold nothing for them: nothing that could be changed here brings a
/// value there.
pub(crate) fn lacking(digest: &EnvironmentDigest, function: &Context) -> Vec<Finding> {
    let lacks = digest.references().filter(|(name, _)| function.lacking.contains(*name)).map(|(name, secret)| {
        let unusable = function.stored_in(secret).is_some_and(|stored| stored.odd.is_some());
        let why = if unusable { "its text is no JSON object by variable" } else { "there is no value for it" };
        Finding {
            id: FindingId::SecretOutOfReach,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!("{name} refers to {secret}, and {why}: the function does not start"),
        }
    });
    lacks.collect()
}

/// Whether a layer is some version of the start-up layer.
pub(crate) fn is_ours(layer: &str, settings: &Settings) -> bool {
    let Ok(layer) = layer.parse::<LayerVersionArn>() else { return false };
    let same = |ours: &LayerVersionArn| {
        ours.name() == layer.name() && ours.account() == layer.account() && ours.region() == layer.region()
    };
    settings.secret_layers.values().any(same)
}
