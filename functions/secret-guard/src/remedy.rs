//! The least change that takes secrets out of an environment and leaves the function working.

use crate::{
    Context, Facts,
    context::Stale,
    extension_variables,
    judge::{is_ours, is_strip, lacking, own_tags, serves, start_up_layer},
    preflight::preflight,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId,
    guard::Remedy,
    model::{
        managed_instances::{not_in_service, publish_again},
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::{
        fingerprint::Fingerprint,
        lambda::{FunctionArn, Qualifier},
    },
    plan::{Call, Plan},
    secret::{
        environment::{
            EnvironmentDigest, EnvironmentUpdate, Grant, Held, KeyedHash, OddText, Replaced, Stored, StoredNow,
            WHEN_IT_STARTS,
        },
        values::Place,
    },
    secret_ref::{READ_BEFORE, Reference, SecretName, WRAPPER, WRAPPER_VARIABLE},
};

/// All variables together, as JSON (Lambda developer guide, "Lambda quotas").
const MOST_BYTES: u64 = 4096;

const NO_LABELS: &str = "it is a value that was replaced since, and is kept nowhere for an undo: the function's \
                         secrets have no room for it, since AWS allows a secret 20 labels. Set the reference or the \
                         current value where it is deployed from, or remove the labels warden-... of remediations that \
                         nobody will undo (UpdateSecretVersionStage with RemoveFromVersionId)";

/// Plans how to put `findings` on `surface` right.
pub(crate) fn remedy(
    resource: &Resource,
    facts: &Facts,
    surface: &Surface,
    findings: &[Finding],
    settings: &Settings,
) -> Remedy {
    let (Resource::Function(function), Surface::Environment(version), Some(known), Some(snapshot)) =
        (resource, surface, &facts.context, facts.surfaces.get(surface))
    else {
        return Remedy::default();
    };
    if let Some(version) = version {
        return published(function, version, findings);
    }
    let Ok(digest) = EnvironmentDigest::of(&snapshot.content) else { return Remedy::default() };
    let planner = RemedyPlanner { function, facts, known, digest: &digest, settings, strip: is_strip(facts) };
    let mut unfixable = Vec::new();
    let secrets = planner.secrets(findings, &mut unfixable);
    let repair = planner.repairs(findings, &mut unfixable);
    if secrets.is_empty() && !repair {
        return Remedy { unfixable, ..Remedy::default() };
    }
    match planner.updates(&secrets) {
        Ok((there, back)) => {
            let after = there.on(&digest).content();
            let note = planner.note(&secrets, &there);
            let (there, back) = (Call::UpdateEnvironment(Box::new(there)), Call::UpdateEnvironment(Box::new(back)));
            let plan = Plan::new(surface.clone(), snapshot.content.clone()).then(there, back, after);
            let plan = match note.is_empty() {
                true => plan,
                false => plan.noting(note.join("\n")),
            };
            Remedy { plan: Some(plan), unfixable, ..Remedy::default() }
        }
        Err(why) => {
            let left = findings.iter().filter(|finding| !unfixable.iter().any(|(known, _)| known == *finding));
            let left: Vec<_> = left.map(|finding| (finding.clone(), why.clone())).collect();
            Remedy { unfixable: unfixable.into_iter().chain(left).collect(), ..Remedy::default() }
        }
    }
}

fn published(function: &FunctionArn, version: &Qualifier, findings: &[Finding]) -> Remedy {
    let advice = |finding: &Finding| {
        if !version.is_latest_published() {
            return format!(
                "version {version} keeps its environment for ever: rotate the secret, and delete the version once no \
                 alias and no caller needs it"
            );
        }
        let again = publish_again(function, "environment and the layers");
        if finding.id == FindingId::SecretOutOfReach { again } else { format!("{again}; and rotate {}", finding.at) }
    };
    Remedy {
        unfixable: findings.iter().map(|finding| (finding.clone(), advice(finding))).collect(),
        ..Remedy::default()
    }
}

struct RemedyPlanner<'a> {
    function: &'a FunctionArn,
    facts: &'a Facts,
    known: &'a Context,
    digest: &'a EnvironmentDigest,
    settings: &'a Settings,
    strip: bool,
}

/// The variables to strip.
#[derive(Default)]
struct Secrets<'a> {
    /// Those whose values are to be stored.
    new: BTreeMap<String, KeyedHash>,
    /// Those whose values were replaced before: what the variable refers to is there already.
    stale: BTreeMap<String, (KeyedHash, Stale<'a>)>,
}

impl Secrets<'_> {
    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.stale.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.new.keys().chain(self.stale.keys()).map(String::as_str)
    }
}

impl<'a> RemedyPlanner<'a> {
    /// What to strip.
    fn secrets(&self, findings: &[Finding], unfixable: &mut Vec<(Finding, String)>) -> Secrets<'a> {
        let mut secrets = Secrets::default();
        for finding in findings.iter().filter(|finding| finding.id != FindingId::SecretOutOfReach) {
            let Some(Held::Value(hash)) = self.digest.variables.get(&finding.at) else { continue };
            if let Some(advice) = extension_variables::may_read(&finding.at, self.known, own_tags(self.facts)) {
                unfixable.push((finding.clone(), advice));
            } else if READ_BEFORE.contains(&finding.at.as_str()) {
                let advice = format!(
                    "{} is read before anything could be fetched, since the way to Secrets Manager leads through it: \
                     take the user and the password out of it (a proxy can know the function by its address), or set \
                     it in the code",
                    finding.at
                );
                unfixable.push((finding.clone(), advice));
            } else {
                match self.known.stale(&finding.at, *hash) {
                    Some(Stale { secret, has_newer: false, .. }) => {
                        let first = format!(
                            "set {} to the text {} where it is deployed from",
                            finding.at,
                            Reference(secret.clone())
                        );
                        unfixable
                            .push((finding.clone(), format!("{first}, then: {}", self.unusable(secret, &finding.at))));
                    }
                    Some(stale) if stale.place.is_none() && self.aside(stale.secret).is_none() => {
                        unfixable.push((finding.clone(), NO_LABELS.to_owned()));
                    }
                    Some(stale) => drop(secrets.stale.insert(finding.at.clone(), (*hash, stale))),
                    None => drop(secrets.new.insert(finding.at.clone(), *hash)),
                }
            }
        }
        secrets
    }

    /// Whether something that the function needs at its start can be put back.
    fn repairs(&self, findings: &[Finding], unfixable: &mut Vec<(Finding, String)>) -> bool {
        let lacking = lacking(self.digest, self.known);
        let mut repairs = false;
        for finding in findings.iter().filter(|finding| finding.id == FindingId::SecretOutOfReach) {
            let secret = self.digest.references().find(|(name, _)| *name == finding.at).map(|(_, secret)| secret);
            match secret.filter(|_| lacking.contains(finding)) {
                Some(secret) => unfixable.push((finding.clone(), self.unusable(secret, &finding.at))),
                None => repairs = true,
            }
        }
        repairs
    }

    /// What to do about a secret that holds no value for a variable.
    fn unusable(&self, secret: &SecretName, name: &str) -> String {
        let function = self.function.name();
        format!(
            "{secret} does not hold what it has to, a JSON object with a text for each variable: `warden rotate \
             {function} {name}` gives {name} its value and puts that right; so for each variable that refers to it"
        )
    }

    /// The change and what takes it back, or why there is none.
    fn updates(&self, secrets: &Secrets<'_>) -> Result<(EnvironmentUpdate, EnvironmentUpdate), String> {
        let (known, digest) = (self.known, self.digest);
        let mut there = EnvironmentUpdate::new(self.function.clone());
        let mut back = EnvironmentUpdate::new(self.function.clone());
        let mut referred: BTreeSet<SecretName> =
            digest.references().map(|(_, secret)| secret).filter(|secret| known.owns(secret)).cloned().collect();
        if !secrets.new.is_empty() {
            let stored = self.stored(&secrets.new)?;
            let reference = Reference(stored.secret.clone()).to_string();
            referred.insert(stored.secret.clone());
            there.set = secrets.new.keys().map(|name| (name.clone(), reference.clone())).collect();
            there.store = Some(stored.clone());
            back.restore.push(Stored { known: BTreeMap::new(), in_place_of: None, ..stored });
        }
        for (name, (_, Stale { secret, .. })) in &secrets.stale {
            referred.insert((*secret).clone());
            there.set.insert(name.clone(), Reference((*secret).clone()).to_string());
        }
        let (aside, restored) = self.replaced(secrets);
        back.restore.extend(restored.into_iter().chain(aside.clone()));
        there.aside = aside;
        if !referred.is_empty()
            && let Some(why) = known.keeps_out(&known.role)
        {
            return Err(self.kept_out(&known.role, &why));
        }
        self.starting(!referred.is_empty(), &mut there, &mut back)?;
        there.revive = referred.intersection(&known.deleted).cloned().collect();
        if !referred.is_empty() {
            let readers = self.readers();
            let is_new = referred.iter().any(|secret| digest.references().all(|(_, it)| it != secret));
            if is_new || known.readers != readers {
                let grant = |readers: BTreeSet<String>| {
                    let trusts = known.trusts.iter().filter(|(role, _)| readers.contains(*role));
                    let trusts = trusts.map(|(role, trust)| (role.clone(), trust.policy)).collect();
                    Grant { secrets: referred.clone(), readers, role: known.role.clone(), trusts }
                };
                // Without a reference nobody is granted anything any more that it could use.
                back.grant = digest.refers().then(|| grant(known.readers.clone()));
                there.grant = Some(grant(readers));
            }
        }
        let bytes = self.bytes_after(&there);
        if bytes > MOST_BYTES {
            return Err(format!(
                "with the references the environment would have {bytes} bytes, and Lambda allows {MOST_BYTES}: take \
                 other variables out, or fetch the secret in the code"
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
        let digest = self.digest;
        let wrapped = digest.is_wrapped();
        if wrapped && !refers {
            // Left behind by whoever took the references away.
            there.remove.insert(WRAPPER_VARIABLE.to_owned());
            back.set.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
            return Ok(());
        }
        if !refers || (self.strip && !wrapped) {
            return Ok(());
        }
        if let Some(why) = preflight(self.function, self.facts, self.known, digest, self.settings) {
            return Err(why);
        }
        if !wrapped {
            there.set.insert(WRAPPER_VARIABLE.to_owned(), WRAPPER.to_owned());
            back.remove.insert(WRAPPER_VARIABLE.to_owned());
        }
        let right = self.settings.secret_layers.get(&self.known.architecture);
        let there_is = start_up_layer(digest, self.settings)
            .filter(|layer| serves(layer, &self.known.architecture, self.known, self.settings));
        if let Some(right) = right.filter(|_| there_is.is_none()) {
            there.layers = Some(self.layers_with(&right.to_string()));
            back.layers = Some(digest.layers.clone());
        }
        Ok(())
    }

    /// The layers with this start-up layer: in the place of the one that is there, or else the last.
    fn layers_with(&self, right: &str) -> Vec<String> {
        let layers = &self.digest.layers;
        let is_other = |layer: &String| !is_ours(layer, self.settings);
        let place = layers.iter().rposition(|layer| !is_other(layer)).unwrap_or(layers.len());
        let (before, after) = layers.split_at_checked(place).unwrap_or_default();
        let others = |layers: &[String]| layers.iter().filter(|layer| is_other(layer)).cloned().collect::<Vec<_>>();
        others(before).into_iter().chain([right.to_owned()]).chain(others(after)).collect()
    }

    /// Where the replaced values are found by an undo: the version that is made for those that are nowhere yet, and the
    /// versions that hold the others.
    fn replaced(&self, secrets: &Secrets<'_>) -> (Option<Stored>, Vec<Stored>) {
        let in_version = |secret: &SecretName, version: &str, label: String| Stored {
            secret: secret.clone(),
            version: version.to_owned(),
            label,
            values: BTreeMap::new(),
            known: BTreeMap::new(),
            in_place_of: None,
        };
        let mut kept: BTreeMap<(&SecretName, &str), Stored> = BTreeMap::new();
        let mut nowhere: BTreeMap<String, KeyedHash> = BTreeMap::new();
        for (name, (hash, stale)) in &secrets.stale {
            match stale.place {
                Some(Place { secret, version }) => {
                    let stored = kept
                        .entry((secret, version.as_str()))
                        .or_insert_with(|| in_version(secret, version, String::new()));
                    stored.values.insert(name.clone(), *hash);
                }
                None => drop(nowhere.insert(name.clone(), *hash)),
            }
        }
        let first = nowhere.keys().next().and_then(|name| secrets.stale.get(name)).map(|(_, stale)| stale.secret);
        let aside = first.and_then(|secret| self.aside(secret)).map(|secret| {
            let version = Fingerprint::of(&json!(["aside", secret, nowhere])).to_string();
            Stored { values: nowhere, ..in_version(secret, &version, format!("warden-{version:.16}")) }
        });
        (aside, kept.into_values().collect())
    }

    /// The secret that takes what is set aside: the one that the variable's value is in, or the next one, if it is
    /// there and has room.
    fn aside<'b>(&'b self, secret: &'b SecretName) -> Option<&'b SecretName> {
        let known = self.known;
        let has_room = |secret: &SecretName| {
            let stored =
                if *secret == known.secret { known.stored.as_ref() } else { known.others.get(secret)?.as_ref() };
            stored.map(|stored| !stored.full)
        };
        [secret, &known.secret].into_iter().find(|secret| has_room(secret) == Some(true))
    }

    /// Which version of which secret will hold the values, beside those that it holds now.
    fn stored(&self, secrets: &BTreeMap<String, KeyedHash>) -> Result<Stored, String> {
        let known = self.known;
        let suspects = known.suspects.iter().filter(|suspect| secrets.get(&suspect.name) == Some(&suspect.hash));
        let learnt = suspects.filter_map(|suspect| Some((suspect.name.clone(), suspect.known?))).collect();
        let stored = |secret: &SecretName, version: &str, label: String| Stored {
            secret: secret.clone(),
            version: version.to_owned(),
            label,
            values: secrets.clone(),
            known: learnt,
            in_place_of: None,
        };
        // One holds them already, kept by a label: no further version, of which a secret can keep no more than 20.
        let holds = |now: &StoredNow| secrets.iter().all(|(name, hash)| now.values.get(name) == Some(hash));
        let labelled =
            known.holding().find_map(|(secret, now)| Some((secret, now, now.label.clone()?)).filter(|_| holds(now)));
        if let Some((secret, now, label)) = labelled {
            return Ok(stored(secret, &now.version, label));
        }
        let now = known.stored.as_ref();
        let in_place_of = match now.and_then(|now| Some((now.odd.as_ref()?, now))) {
            None => None,
            Some((OddText::Plain(_), now)) => now.values.keys().next().cloned().map(Replaced::ValueOf),
            Some((OddText::Unusable, _)) => {
                match self.digest.references().find(|(_, secret)| **secret == known.secret) {
                    Some((user, _)) => return Err(self.unusable(&known.secret, user)),
                    None => Some(Replaced::Nothing),
                }
            }
        };
        let mut all = now.map(|now| now.values.clone()).unwrap_or_default();
        all.extend(secrets.iter().map(|(name, hash)| (name.clone(), *hash)));
        let version = Fingerprint::of(&json!([known.secret, now.map(|now| &now.version), all])).to_string();
        Ok(Stored { in_place_of, ..stored(&known.secret, &version, format!("warden-{version:.16}")) })
    }

    /// The roles that need to read the secret and are let in.
    fn readers(&self) -> BTreeSet<String> {
        let needed = self.known.needs_to_read().into_iter();
        needed.filter(|role| self.known.keeps_out(role).is_none()).collect()
    }

    /// What is to be done about a role that is not let in.
    fn kept_out(&self, role: &str, why: &str) -> String {
        format!(
            "{role} is new to the function's secrets and is not let in: {why}; let Lambda alone assume it and put right \
             what role-guard finds, or give the function its role back, then say `warden apply {}`",
            self.function.name()
        )
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
    fn note(&self, secrets: &Secrets<'_>, update: &EnvironmentUpdate) -> Vec<String> {
        let known = self.known;
        let function = self.function.name();
        let mut note = Vec::new();
        if known.published.is_some() && update.changes_configuration() {
            note.push(not_in_service(self.function, "environment and the layers"));
        }
        for (name, (_, Stale { secret, .. })) in &secrets.stale {
            note.push(format!(
                "{name} was set to a value that was replaced before: that is not stored again, and the function reads \
                 the newer one from {secret}; to go back to it on purpose, `warden rotate {function} {name}`"
            ));
        }
        for (name, other) in secrets.new.iter().filter_map(|(name, hash)| Some((name, known.earlier_of(name, *hash)?)))
        {
            note.push(format!(
                "{name} was set to an earlier value of {other}, and keeps it: if that was replaced since, give {name} the \
                 value that is right with `warden rotate {function} {name}`"
            ));
        }
        let stored: BTreeSet<&SecretName> = update.store.iter().map(|stored| &stored.secret).collect();
        let names = secrets.new.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        for secret in &stored {
            let name = if secrets.new.len() == 1 { names.as_str() } else { "VARIABLE" };
            note.push(format!(
                "rotate {names}: whoever could read the function's configuration may know what it held; `warden rotate \
                 {function} {name}` takes the new value and puts it into {secret}"
            ));
        }
        if update.grant.is_some() {
            let needed = known.needs_to_read();
            let kept_out = needed.iter().filter_map(|role| Some(self.kept_out(role, &known.keeps_out(role)?)));
            note.extend(kept_out.map(|why| format!("of a published version: {why}")));
        }
        if secrets.is_empty() {
            return note;
        }
        note.push(WHEN_IT_STARTS.to_owned());
        let all = secrets.names().collect::<Vec<_>>().join(", ");
        let references: BTreeSet<&str> =
            secrets.names().filter_map(|name| update.set.get(name)).map(String::as_str).collect();
        let references = references.into_iter().collect::<Vec<_>>().join(" or ");
        if self.strip {
            note.push(format!(
                "the code has to fetch {all} from Secrets Manager (a JSON object by variable, in the secret that the \
                 variable names after its colon) with secretsmanager:GetSecretValue: warden:secrets=strip asks for no \
                 layer"
            ));
        }
        let in_template = |what: &str| {
            format!(
                "in the template, set {what} to the text {references} and keep {WRAPPER_VARIABLE} and the layer \
                 (CloudFormation turns a dynamic reference to Secrets Manager into plaintext)"
            )
        };
        let again =
            known.holding().flat_map(|(_, now)| now.values.keys()).any(|name| secrets.names().any(|it| it == name));
        if again {
            note.push(format!("it was stripped before, so a deployment sets it again: {}", in_template("it")));
        }
        let elsewhere = known.known.iter().filter(|value| secrets.new.get(&value.name) == Some(&value.hash));
        let elsewhere: Vec<String> = elsewhere
            .filter(|value| value.known.function != *self.function)
            .map(|value| format!("{} of {}", value.known.variable, value.known.function.name()))
            .collect();
        if !again && !elsewhere.is_empty() {
            note.push(format!(
                "it is the value of {}, so a template or a pipeline holds it, and would set it again: {}; once \
                 rotated, both functions need the new value",
                elsewhere.join(", "),
                in_template(&names)
            ));
        }
        let hashes = || secrets.new.values().chain(secrets.stale.values().map(|(hash, _)| hash));
        let versions: Vec<&str> = known
            .versions
            .iter()
            // What becomes of that one is said where it is judged.
            .filter(|(number, version)| {
                **number != Qualifier::latest_published().as_str() && hashes().any(|hash| version.values.contains(hash))
            })
            .map(|(number, _)| number.as_str())
            .collect();
        if !versions.is_empty() {
            note.push(format!(
                "published versions keep it for ever: {}; delete them once no alias and no caller needs them",
                versions.join(", ")
            ));
        }
        note
    }
}
