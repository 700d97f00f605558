//! What is wrong with an environment. What looks like a secret was found when it was read, since the values are not here.

use crate::{Context, Facts, KnownValue, context::Stale};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId, Severity,
    arn::LayerVersionArn,
    environment::{Held, KeyedHash, Portrait},
    guard::{Judgement, Scope},
    reference::WRAPPER_VARIABLE,
    settings::Settings,
    surface::Surface,
};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let (Surface::Environment(version), Some(sighting), Some(function)) =
        (surface, facts.surfaces.get(surface), &facts.context)
    else {
        return Judgement::default();
    };
    let portrait = match Portrait::of(&sighting.content) {
        Ok(portrait) => portrait,
        Err(why) => return Judgement { findings: Vec::new(), unclear: Some(why) },
    };
    let values = portrait.variables.iter().filter_map(|(name, held)| match held {
        Held::Value(hash) => value(function, name, *hash),
        Held::Reference(_) | Held::Wrapper => None,
    });
    let mut findings: Vec<Finding> = values.collect();
    // A published version cannot be changed any more: what it needs is granted through the function itself.
    if version.is_none() {
        findings.extend(out_of_reach(&portrait, function, is_strip(facts), settings));
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

fn value(function: &Context, name: &str, hash: KeyedHash) -> Option<Finding> {
    if let Some(Stale { secret, .. }) = function.stale(name, hash) {
        return Some(Finding {
            id: FindingId::KnownSecret,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!(
                "{name} holds in plaintext a value of its own that was replaced since: {secret} has a newer one, and everybody who may read the \
                 configuration can read this one"
            ),
        });
    }
    let own = function.holding().find_map(|(secret, now)| {
        let (stored, _) = now.values.iter().find(|(_, stored)| **stored == hash)?;
        Some((secret, stored))
    });
    if let Some((secret, stored)) = own {
        return Some(Finding {
            id: FindingId::KnownSecret,
            severity: Severity::High,
            at: name.to_owned(),
            message: format!(
                "{name} holds in plaintext what Warden stored in {secret} as {stored}: everybody who may read the configuration can read it"
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

/// References that cannot be followed at the function's start.
fn out_of_reach(portrait: &Portrait, function: &Context, strip: bool, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |at: &str, severity, message: String| {
        findings.push(Finding { id: FindingId::SecretOutOfReach, severity, at: at.to_owned(), message });
    };
    let layered = portrait.layers.iter().any(|layer| is_ours(layer, settings));
    let (own, others): (Vec<_>, Vec<_>) = portrait.references().partition(|(_, secret)| function.owns(secret));
    for (name, secret) in &others {
        found(
            name,
            Severity::Medium,
            format!("{name} refers to {secret}, which is another function's: nobody lets this one read it"),
        );
    }
    if portrait.is_wrapped() && !layered {
        let message = "AWS_LAMBDA_EXEC_WRAPPER starts what the layer secret-env holds, and the layer is gone: the function does not start";
        found(Portrait::LAYERS, Severity::High, message.to_owned());
    }
    if own.is_empty() {
        return findings;
    }
    if !strip && !portrait.is_wrapped() {
        // At the first reference: where the wrapper is missing, there is nothing to point at.
        let at = own.first().map_or(WRAPPER_VARIABLE, |(name, _)| name);
        let message = "nothing fetches the secrets at the function's start: AWS_LAMBDA_EXEC_WRAPPER is not that of the layer secret-env";
        found(at, Severity::High, message.to_owned());
    }
    findings.extend(lacking(portrait, function));
    let mut found = |at: &str, severity, message: String| {
        findings.push(Finding { id: FindingId::SecretOutOfReach, severity, at: at.to_owned(), message });
    };
    let secrets: BTreeSet<&str> = own.iter().map(|(_, secret)| secret.as_str()).collect();
    let secrets = secrets.into_iter().collect::<Vec<_>>().join(" and ");
    if portrait.readers.is_empty() && own.iter().any(|(_, secret)| function.deleted.contains(*secret)) {
        let message =
            format!("{secrets} is to be deleted, since the function was gone, and nobody can read it until then");
        found(Portrait::READERS, Severity::High, message);
    } else if !strip && !portrait.readers.contains(&function.role) {
        found(Portrait::READERS, Severity::High, format!("{} may not read {secrets}", function.role));
    }
    findings
}

/// References to secrets of the function's own that hold nothing for them: nothing that could be changed here brings a value there.
pub(crate) fn lacking(portrait: &Portrait, function: &Context) -> Vec<Finding> {
    let lacks = portrait.references().filter(|(name, _)| function.lacking.contains(*name)).map(|(name, secret)| {
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
