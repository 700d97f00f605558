//! The least change that takes secrets out of an environment and leaves the function working.

use crate::{
    Context, Facts, extension,
    judge::{is_ours, is_strip, own_tags},
    obstacle::obstacle,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId,
    arn::{FunctionArn, Qualifier},
    content::Fingerprint,
    environment::{EnvironmentUpdate, Grant, Held, KeyedHash, Portrait, Stored, StoredNow, VersionFacts},
    guard::Remedy,
    plan::{Call, Plan},
    reference::{READ_BEFORE, Reference, SecretName, WRAPPER, WRAPPER_VARIABLE},
    settings::Settings,
    surface::{Subject, Surface},
};

/// All variables together, as JSON (Lambda developer guide, "Lambda quotas").
const MOST_BYTES: u64 = 4096;

/// Plans how to put `findings` on `surface` right.
pub(crate) fn remedy(
    subject: &Subject,
    facts: &Facts,
    surface: &Surface,
    findings: &[Finding],
    settings: &Settings,
) -> Remedy {
    let (Subject::Function(function), Surface::Environment(version), Some(known), Some(sighting)) =
        (subject, surface, &facts.context, facts.surfaces.get(surface))
    else {
        return Remedy::default();
    };
    if let Some(version) = version {
        return published(version, findings);
    }
    let Ok(portrait) = Portrait::of(&sighting.content) else { return Remedy::default() };
    let thinking = Thinking { function, facts, known, portrait: &portrait, settings, strip: is_strip(facts) };
    let mut unfixable = Vec::new();
    let secrets = thinking.secrets(findings, &mut unfixable);
    let repair = findings.iter().any(|finding| finding.id == FindingId::SecretOutOfReach);
    if secrets.is_empty() && !repair {
        return Remedy { unfixable, ..Remedy::default() };
    }
    match thinking.updates(&secrets) {
        Ok((there, back)) => {
            let after = there.on(&portrait).content();
            let stored = there.store.as_ref().map(|stored| stored.secret.clone());
            let (there, back) = (Call::UpdateEnvironment(Box::new(there)), Call::UpdateEnvironment(Box::new(back)));
            let plan = Plan::new(surface.clone(), sighting.content.clone()).then(there, back, after);
            let plan = match thinking.note(&secrets, stored.as_ref()) {
                Some(note) => plan.noting(note),
                None => plan,
            };
            Remedy { plan: Some(plan), unfixable }
        }
        Err(why) => {
            let left = findings.iter().filter(|finding| !unfixable.iter().any(|(known, _)| known == *finding));
            let left: Vec<_> = left.map(|finding| (finding.clone(), why.clone())).collect();
            Remedy { unfixable: unfixable.into_iter().chain(left).collect(), ..Remedy::default() }
        }
    }
}

fn published(version: &Qualifier, findings: &[Finding]) -> Remedy {
    let advice = format!(
        "version {version} keeps its environment for ever: rotate the secret, and delete the version once no alias and no caller needs it"
    );
    Remedy {
        unfixable: findings.iter().map(|finding| (finding.clone(), advice.clone())).collect(),
        ..Remedy::default()
    }
}

struct Thinking<'a> {
    function: &'a FunctionArn,
    facts: &'a Facts,
    known: &'a Context,
    portrait: &'a Portrait,
    settings: &'a Settings,
    strip: bool,
}

impl Thinking<'_> {
    /// The variables to strip, with the hashes of their values.
    fn secrets(&self, findings: &[Finding], unfixable: &mut Vec<(Finding, String)>) -> BTreeMap<String, KeyedHash> {
        let mut secrets = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.id != FindingId::SecretOutOfReach) {
            let Some(Held::Value(hash)) = self.portrait.variables.get(&finding.at) else { continue };
            if let Some(advice) = extension::may_read(&finding.at, self.known, own_tags(self.facts)) {
                unfixable.push((finding.clone(), advice));
            } else if READ_BEFORE.contains(&finding.at.as_str()) {
                let advice = format!(
                    "{} is read before anything could be fetched, since the way to Secrets Manager leads through it: take the user and the \
                     password out of it (a proxy can know the function by its address), or set it in the code",
                    finding.at
                );
                unfixable.push((finding.clone(), advice));
            } else {
                secrets.insert(finding.at.clone(), *hash);
            }
        }
        secrets
    }

    /// The change and what takes it back, or why there is none.
    fn updates(&self, secrets: &BTreeMap<String, KeyedHash>) -> Result<(EnvironmentUpdate, EnvironmentUpdate), String> {
        let (known, portrait) = (self.known, self.portrait);
        let mut there = EnvironmentUpdate::new(self.function.clone());
        let mut back = EnvironmentUpdate::new(self.function.clone());
        let mut referred: BTreeSet<SecretName> =
            portrait.references().map(|(_, secret)| secret).filter(|secret| known.owns(secret)).cloned().collect();
        if !secrets.is_empty() {
            let stored = self.stored(secrets);
            let reference = Reference(stored.secret.clone()).to_string();
            referred.insert(stored.secret.clone());
            there.set = secrets.keys().map(|name| (name.clone(), reference.clone())).collect();
            there.store = Some(stored.clone());
            back.restore = Some(Stored { known: BTreeMap::new(), ..stored });
        }
        self.starting(!referred.is_empty(), &mut there, &mut back)?;
        there.revive = referred.intersection(&known.deleted).cloned().collect();
        if !referred.is_empty() {
            let readers = self.readers();
            let is_new =
                there.store.as_ref().is_some_and(|stored| portrait.references().all(|(_, it)| *it != stored.secret));
            if is_new || known.readers != readers {
                let grant = |readers| Grant { secrets: referred.clone(), readers, role: known.role.clone() };
                // Without a reference nobody is granted anything any more that it could use.
                back.grant = portrait.refers().then(|| grant(known.readers.clone()));
                there.grant = Some(grant(readers));
            }
        }
        let bytes = self.bytes_after(&there);
        if bytes > MOST_BYTES {
            return Err(format!(
                "with the references the environment would have {bytes} bytes, and Lambda allows {MOST_BYTES}: take other variables out, or \
                 fetch the secret in the code"
            ));
        }
        Ok((there, back))
    }

    /// The layer and its wrapper, where something is to be fetched at the start.
    fn starting(
        &self,
        refers: bool,
        there: &mut EnvironmentUpdate,
        back: &mut EnvironmentUpdate,
    ) -> Result<(), String> {
        let portrait = self.portrait;
        let wrapped = portrait.is_wrapped();
        if wrapped && !refers {
            // Left behind by whoever took the references away.
            there.remove.insert(WRAPPER_VARIABLE.to_owned());
            back.set.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
            return Ok(());
        }
        if !refers || (self.strip && !wrapped) {
            return Ok(());
        }
        if let Some(why) = obstacle(self.function, self.facts, self.known, portrait, self.settings) {
            return Err(why);
        }
        if !wrapped {
            there.set.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
            back.remove.insert(WRAPPER_VARIABLE.to_owned());
        }
        let layer = self.settings.secret_layers.get(&self.known.architecture);
        if let Some(layer) = layer.filter(|_| !portrait.layers.iter().any(|layer| is_ours(layer, self.settings))) {
            there.layers = Some(portrait.layers.iter().cloned().chain([layer.to_string()]).collect());
            back.layers = Some(portrait.layers.clone());
        }
        Ok(())
    }

    /// Which version of which secret will hold the values, beside those that it holds now.
    fn stored(&self, secrets: &BTreeMap<String, KeyedHash>) -> Stored {
        let known = self.known;
        let suspects = known.suspects.iter().filter(|suspect| secrets.get(&suspect.name) == Some(&suspect.hash));
        let learnt = suspects.filter_map(|suspect| Some((suspect.name.clone(), suspect.known?))).collect();
        let stored = |secret: &SecretName, version: &str, label: String| Stored {
            secret: secret.clone(),
            version: version.to_owned(),
            label,
            values: secrets.clone(),
            known: learnt,
        };
        // One holds them already, kept by a label: no further version, of which a secret can keep no more than 20.
        let holds = |now: &StoredNow| secrets.iter().all(|(name, hash)| now.values.get(name) == Some(hash));
        let labelled =
            known.holding().find_map(|(secret, now)| Some((secret, now, now.label.clone()?)).filter(|_| holds(now)));
        if let Some((secret, now, label)) = labelled {
            return stored(secret, &now.version, label);
        }
        let now = known.stored.as_ref();
        let mut all = now.map(|now| now.values.clone()).unwrap_or_default();
        all.extend(secrets.iter().map(|(name, hash)| (name.clone(), *hash)));
        let version = Fingerprint::of(&json!([known.secret, now.map(|now| &now.version), all])).to_string();
        stored(&known.secret, &version, format!("warden-{version:.16}"))
    }

    /// The roles that need to read the secret: the function's, and those of published versions that refer to it.
    fn readers(&self) -> BTreeSet<String> {
        let refers = |version: &&VersionFacts| version.refers.iter().any(|secret| self.known.owns(secret));
        let versions = self.known.versions.values().filter(refers);
        versions.map(|version| version.role.clone()).chain([self.known.role.clone()]).collect()
    }

    fn bytes_after(&self, there: &EnvironmentUpdate) -> u64 {
        let length = |text: &str| u64::try_from(json!(text).to_string().len()).unwrap_or(u64::MAX);
        let mut bytes = self.known.environment_bytes;
        for (name, text) in &there.set {
            // A variable that is new brings its name, a colon and a comma.
            bytes = match self.known.value_bytes.get(name) {
                Some(before) => bytes.saturating_sub(*before),
                None => bytes.saturating_add(length(name) + 2),
            };
            bytes = bytes.saturating_add(length(text));
        }
        bytes
    }

    /// What the owner has to know and do.
    fn note(&self, secrets: &BTreeMap<String, KeyedHash>, stored: Option<&SecretName>) -> Option<String> {
        let (known, secret) = (self.known, stored?);
        let names = secrets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut note = vec![format!(
            "rotate {names}: whoever could read the function's configuration may know what it held; put the new value into {secret}, and the \
             function has it from its next start"
        )];
        if self.strip {
            note.push(format!(
                "the code has to fetch {names} from {secret} (a JSON object by variable) with secretsmanager:GetSecretValue: \
                 warden:secrets=strip asks for no layer"
            ));
        }
        let again = known.holding().flat_map(|(_, now)| now.values.keys()).any(|name| secrets.contains_key(name));
        if again {
            note.push(format!(
                "it was stripped before, so a deployment sets it again: in the template, set it to the text {} and keep {WRAPPER_VARIABLE} \
                 and the layer (CloudFormation turns a dynamic reference to Secrets Manager into plaintext)",
                Reference(secret.clone())
            ));
        }
        let elsewhere = known.known.iter().filter(|value| secrets.get(&value.name) == Some(&value.hash));
        let elsewhere: Vec<String> = elsewhere
            .filter(|value| value.known.function != *self.function)
            .map(|value| format!("{} of {}", value.known.variable, value.known.function.name()))
            .collect();
        if !again && !elsewhere.is_empty() {
            note.push(format!(
                "it is the value of {}, so a template or a pipeline holds it, and would set it again: in the template, set {names} to the text \
                 {} and keep {WRAPPER_VARIABLE} and the layer (CloudFormation turns a dynamic reference to Secrets Manager into plaintext); \
                 once rotated, both functions need the new value",
                elsewhere.join(", "),
                Reference(secret.clone())
            ));
        }
        let holds = |values: &BTreeSet<KeyedHash>| secrets.values().any(|hash| values.contains(hash));
        let versions: Vec<&str> = known
            .versions
            .iter()
            .filter(|(_, version)| holds(&version.values))
            .map(|(number, _)| number.as_str())
            .collect();
        if !versions.is_empty() {
            note.push(format!(
                "published versions keep it for ever: {}; delete them once no alias and no caller needs them",
                versions.join(", ")
            ));
        }
        Some(note.join("\n"))
    }
}
