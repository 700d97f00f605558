//! The least change that takes secrets out of an environment and leaves the function working.

use crate::{
    Context, Facts, extension,
    judge::{is_ours, is_strip},
    obstacle::obstacle,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId,
    arn::{FunctionArn, Qualifier},
    content::Fingerprint,
    environment::{EnvironmentUpdate, Grant, Held, KeyedHash, Portrait, Stored},
    guard::Remedy,
    plan::{Call, Plan},
    reference::{Reference, WRAPPER, WRAPPER_VARIABLE},
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
            let (there, back) = (Call::UpdateEnvironment(Box::new(there)), Call::UpdateEnvironment(Box::new(back)));
            let plan = Plan::new(surface.clone(), sighting.content.clone()).then(there, back, after);
            let plan = match thinking.note(&secrets) {
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
            if extension::reads(&finding.at) {
                let advice = format!(
                    "{} is read by an extension, which is a process of its own that no wrapper reaches: use the extension's own setting \
                     for a secret's ARN, or give it a key that can do nothing but report",
                    finding.at
                );
                unfixable.push((finding.clone(), advice));
            } else if finding.at == WRAPPER_VARIABLE {
                unfixable.push((finding.clone(), "a wrapper's path cannot be fetched by that wrapper".to_owned()));
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
        let refers = portrait.references().any(|(_, secret)| *secret == known.secret) || !secrets.is_empty();
        if !secrets.is_empty() {
            let stored = self.stored(secrets);
            let reference = Reference(known.secret.clone()).to_string();
            there.set = secrets.keys().map(|name| (name.clone(), reference.clone())).collect();
            there.store = Some(stored.clone());
            back.restore = Some(Stored { known: BTreeMap::new(), ..stored });
        }
        self.starting(refers, &mut there, &mut back)?;
        if refers {
            let readers = self.readers();
            if !portrait.refers() || portrait.readers != readers {
                there.grant = Some(Grant { secret: known.secret.clone(), readers });
                // Without a reference nobody is granted anything any more that it could use.
                back.grant = portrait
                    .refers()
                    .then(|| Grant { secret: known.secret.clone(), readers: portrait.readers.clone() });
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

    /// Which version of the secret will hold the values, beside those that it holds now.
    fn stored(&self, secrets: &BTreeMap<String, KeyedHash>) -> Stored {
        let known = self.known;
        let now = known.stored.as_ref();
        let mut all = now.map(|now| now.values.clone()).unwrap_or_default();
        all.extend(secrets.iter().map(|(name, hash)| (name.clone(), *hash)));
        let suspects = known.suspects.iter().filter(|suspect| secrets.get(&suspect.name) == Some(&suspect.hash));
        let learnt = suspects.filter_map(|suspect| Some((suspect.name.clone(), suspect.known?))).collect();
        // It holds them already, kept by a label: no further version, of which a secret can keep no more than 20.
        if let Some((now, label)) = now.and_then(|now| Some((now, now.label.as_ref()?)))
            && now.values == all
        {
            let (version, label) = (now.version.clone(), label.clone());
            return Stored { secret: known.secret.clone(), version, label, values: secrets.clone(), known: learnt };
        }
        let version = Fingerprint::of(&json!([known.secret, now.map(|now| &now.version), all])).to_string();
        Stored {
            secret: known.secret.clone(),
            label: format!("warden-{version:.16}"),
            version,
            values: secrets.clone(),
            known: learnt,
        }
    }

    /// The roles that need to read the secret: the function's, and those of published versions that refer to it.
    fn readers(&self) -> BTreeSet<String> {
        let versions = self.known.versions.values().filter(|version| version.refers.contains(&self.known.secret));
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
    fn note(&self, secrets: &BTreeMap<String, KeyedHash>) -> Option<String> {
        if secrets.is_empty() {
            return None;
        }
        let known = self.known;
        let names = secrets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut note = vec![format!(
            "rotate {names}: whoever could read the function's configuration may know what it held; put the new value into {}, and the function \
             has it from its next start",
            known.secret
        )];
        if self.strip {
            note.push(format!(
                "the code has to fetch {names} from {} (a JSON object by variable) with secretsmanager:GetSecretValue: warden:secrets=strip \
                 asks for no layer",
                known.secret
            ));
        }
        let again = known.stored.iter().flat_map(|stored| stored.values.keys()).any(|name| secrets.contains_key(name));
        if again {
            note.push(format!(
                "it was stripped before, so a deployment sets it again: in the template, set it to the text {} and keep {WRAPPER_VARIABLE} \
                 and the layer (CloudFormation turns a dynamic reference to Secrets Manager into plaintext)",
                Reference(known.secret.clone())
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
                Reference(known.secret.clone())
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
