//! What holds for every environment: the plan's result needs no further plan, undo gives back what was there, and
//! nothing is touched that was not to be.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use secret_guard::{
    Boundary, CodeSigning, Context, Facts, KnownValue, Package, Random, SecretGuard, StoredNow, Suspect,
};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Severity,
    guard::{Guard, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::state::{History, SurfaceState},
    model::{
        cloudtrail::Cause,
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::lambda::Home,
    plan::Call,
    secret::{
        environment::{EnvironmentDigest, EnvironmentUpdate, Held, KeyedHash, OddText, VersionFacts},
        known_secret::Known,
        values::{Place, Values},
    },
    secret_ref::{Reference, SecretName, WRAPPER, WRAPPER_VARIABLE},
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:pay";
const LAYER: &str = "arn:aws:lambda:us-east-1:111122223333:layer:warden-secret-env:3";
/// The same for the other architecture.
const ARM_LAYER: &str = "arn:aws:lambda:us-east-1:111122223333:layer:warden-secret-env:4";
const OLDER_LAYER: &str = "arn:aws:lambda:us-east-1:111122223333:layer:warden-secret-env:1";
const OTHER_LAYER: &str = "arn:aws:lambda:us-east-1:444455556666:layer:datadog:9";
const SECRET: &str = "warden/pay/1f2e3d4c5b6a";
/// The function's too.
const SECOND: &str = "warden/pay/2f2e3d4c5b6a";
const ROLES: [&str; 3] =
    ["arn:aws:iam::111122223333:role/pay", "arn:aws:iam::111122223333:role/old", "arn:aws:iam::111122223333:role/x/y"];

fn settings() -> Settings {
    let home = Home {
        partition: "aws".parse().unwrap(),
        region: "us-east-1".into(),
        account: "111122223333".parse().unwrap(),
    };
    let layers = format!("x86_64={LAYER},arm64={ARM_LAYER}");
    Settings::read(home, |name| (name == "WARDEN_SECRET_LAYERS").then(|| layers.clone())).unwrap()
}

/// Few, so that the same value comes back.
fn hash() -> impl Strategy<Value = KeyedHash> {
    (0..6_u8).prop_map(|byte| KeyedHash([byte; 16]))
}

fn held() -> impl Strategy<Value = Held> {
    let secret = select(vec![SECRET, SECOND, "warden/bank/aaaaaaaaaaaa"]);
    prop_oneof![
        4 => hash().prop_map(Held::Value),
        1 => secret.prop_map(|secret| Held::Reference(Reference(secret.parse().unwrap()))),
    ]
}

/// Names as people choose them, some of which mean something here.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["DB_PASSWORD", "API_KEY", "TABLE", "STAGE", "DD_API_KEY", "HTTPS_PROXY",
            "A1"]).prop_map(str::to_owned),
        1 => "[a-zA-Z][a-zA-Z0-9_]{1,12}",
    ]
}

/// Environments, each with the roles that may read what it refers to.
fn digests() -> impl Strategy<Value = (EnvironmentDigest, BTreeSet<String>)> {
    let layers = vec(select(vec![LAYER, ARM_LAYER, OLDER_LAYER, OTHER_LAYER, "odd"]), 0..6);
    let wrapper = prop_oneof![
        2 => Just(None),
        2 => Just(Some(Held::Wrapper)),
        1 => hash().prop_map(|hash| Some(Held::Value(hash))),
    ];
    let readers = vec(select(ROLES.to_vec()), 0..3);
    (btree_map(name(), held(), 0..8), wrapper, layers, readers).prop_map(|(mut variables, wrapper, layers, readers)| {
        variables.extend(wrapper.map(|wrapper| (WRAPPER_VARIABLE.to_owned(), wrapper)));
        let layers = if variables.is_empty() { Vec::new() } else { layers.into_iter().map(str::to_owned).collect() };
        let mut digest = EnvironmentDigest { variables, layers, readers: BTreeSet::new() };
        let mut readers: BTreeSet<String> = readers.into_iter().map(str::to_owned).collect();
        if !digest.refers() {
            readers.clear();
        }
        digest.readers = readers.iter().filter(|reader| *reader == ROLES[0]).cloned().collect();
        (digest, readers)
    })
}

prop_compose! {
    fn facts()(
        (mut digest, mut readers) in digests(),
        stored in option::of((btree_map(name(), hash(), 0..4), any::<bool>())),
        second in option::of((btree_map(name(), hash(), 0..4), any::<bool>())),
        deleted in prop::sample::subsequence(vec![SECRET, SECOND], 0..=2),
        versions in btree_map("[1-9]", (select(ROLES.to_vec()), hash(), any::<bool>()), 0..3),
        tag in select(vec![("warden", "enforce"), ("warden:secrets", "enforce"), ("warden:secrets", "strip")]),
        runtime in select(vec!["python3.13", "nodejs22.x", "provided.al2023"]),
        image in prop::bool::weighted(0.1),
        architecture in select(vec!["x86_64", "arm64"]),
        older in prop::sample::subsequence(vec!["x86_64", "arm64"], 0..=2),
        in_vpc in prop::bool::weighted(0.2),
        bounded in prop::bool::weighted(0.1),
        suspicious in vec(0..6_u8, 0..4),
        unequalled in vec(0..6_u8, 0..4),
        elsewhere in 0..12_u8,
        was_there in any::<bool>(),
        environment_bytes in 0..4200_u64,
        past in btree_map(name(), vec((hash(), option::of(select(vec![SECRET, SECOND]))), 0..5), 0..6),
        odd in option::weighted(0.2, option::of(hash())),
        extension in option::weighted(0.2, option::of(select(vec!["datadog-agent", "agent"]))),
    ) -> (EnvironmentDigest, Facts) {
        // Nobody can read what is to be deleted.
        let deleted: BTreeSet<SecretName> = deleted.into_iter().map(|name| name.parse().unwrap()).collect();
        if digest.references().any(|(_, secret)| deleted.contains(secret)) {
            digest.readers.clear();
            readers.clear();
        }
        let now = |stored: Option<(BTreeMap<String, KeyedHash>, bool)>| {
            stored.map(|(values, labelled)| StoredNow {
                version: "v".repeat(32),
                label: labelled.then(|| "warden-x".into()),
                values,
                odd: None,
                previous: None,
                full: false,
            })
        };
        let mut stored = now(stored);
        if let (Some(stored), Some(odd)) = (&mut stored, odd) {
            stored.values.clear();
            stored.odd = Some(odd.map_or(OddText::Unusable, OddText::Plain));
        }
        let suspects = digest.variables.iter().filter_map(|(name, held)| match held {
            Held::Value(hash) if suspicious.contains(&hash.0[0]) => {
                Some(Suspect { name: name.clone(), hash: *hash, kind: "password".into(), severity: Severity::High,
                    known: None })
            }
            Held::Value(_) | Held::Reference(_) | Held::Wrapper => None,
        });
        let random = digest.variables.iter().filter_map(|(name, held)| match held {
            Held::Value(hash) if unequalled.contains(&hash.0[0]) => Some(Random { name: name.clone(), hash: *hash }),
            Held::Value(_) | Held::Reference(_) | Held::Wrapper => None,
        });
        let known = digest.variables.iter().filter_map(|(name, held)| match held {
            Held::Value(hash) if hash.0[0] == elsewhere => {
                let known = Known {
                    secret: "warden/bank/aaaaaaaaaaaa".parse().unwrap(),
                    function: "arn:aws:lambda:us-east-1:111122223333:function:bank".parse().unwrap(),
                    variable: "IBAN_KEY".into(),
                    withdrawn: None,
                };
                Some(KnownValue { name: name.clone(), hash: *hash, known, was_there })
            }
            Held::Value(_) | Held::Reference(_) | Held::Wrapper => None,
        });
        let versions = versions.into_iter().map(|(number, (role, hash, refers))| {
            let refers = if refers { BTreeSet::from([SECRET.parse().unwrap()]) } else { BTreeSet::new() };
            (number, VersionFacts { role: role.into(), values: BTreeSet::from([hash]), refers })
        });
        let context = Context {
            runtime: Some(runtime.into()),
            package: if image { Package::Image } else { Package::Zip },
            architecture: architecture.into(),
            role: ROLES[0].into(),
            in_vpc,
            published: None,
            deployment: None,
            layer_architectures: BTreeMap::from([(
                OLDER_LAYER.to_owned(),
                older.into_iter().map(str::to_owned).collect(),
            )]),
            random: random.collect(),
            code_signing: CodeSigning::None,
            zipped_bytes: 1000,
            environment_bytes,
            value_bytes: digest.variables.keys().map(|name| (name.clone(), 20)).collect(),
            boundary: if bounded { Boundary::Lacks } else { Boundary::Allows },
            extensions: extension.map(|brought| {
                let brought = brought.map(|name| BTreeSet::from([name.to_owned()]));
                (OTHER_LAYER.to_owned(), brought)
            }).into_iter().collect(),
            suspects: suspects.collect(),
            known: known.collect(),
            secret: SECRET.parse().unwrap(),
            stored,
            others: BTreeMap::from([(SECOND.parse().unwrap(), now(second))]),
            trusts: BTreeMap::new(),
            known_readers: BTreeMap::new(),
            against: BTreeMap::new(),
            readers,
            deleted,
            lacking: BTreeSet::new(),
            versions: versions.collect(),
            values: Values::default(),
        };
        let surface = Surface::Environment(None);
        let snapshot = SurfaceSnapshot { content: digest.content(), revision: None };
        let surfaces = BTreeMap::from([(surface.clone(), snapshot)]);
        let scope = Scope::Tags(BTreeMap::from([(tag.0.to_owned(), tag.1.to_owned())]));
        let mut facts = Facts { scope, surfaces, context: Some(context) };
        let mut state = SurfaceState::default();
        for (name, values) in past {
            for (value, secret) in values {
                match secret {
                    Some(secret) => {
                        let place = Place { secret: secret.parse().unwrap(), version: "w".repeat(32) };
                        state.values.set(&name, value, place);
                    }
                    None => state.values.see(&name, value),
                }
            }
        }
        let history = History { surfaces: BTreeMap::from([(surface, state)]), ..History::default() };
        let request = ReconcileRequest::at(FUNCTION.parse().unwrap(), Cause::by_hand("a law"));
        SecretGuard.add_history(&request, &mut facts, &history);
        (digest, facts)
    }
}

fn update(call: &Call) -> &EnvironmentUpdate {
    let Call::UpdateEnvironment(update) = call else { panic!("secret-guard plans {call}") };
    update
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_enough_can_be_taken_back_and_touches_nothing_else((digest, facts) in facts()) {
        let (settings, surface) = (settings(), Surface::Environment(None));
        let resource: Resource = FUNCTION.parse().unwrap();
        let acted_on = |facts: &Facts| -> Vec<_> {
            let findings = SecretGuard.judge(facts, &surface, &settings).findings;
            findings.into_iter().filter(|finding| finding.severity >= Severity::High).collect()
        };
        let findings = acted_on(&facts);
        let remedy = SecretGuard.remedy(&resource, &facts, &surface, &findings, None, &settings);
        let Some(plan) = remedy.plan else {
            // Nothing is left without a word.
            prop_assert_eq!(remedy.unfixable.len(), findings.len());
            return Ok(());
        };
        let [change] = plan.changes() else { panic!("one change: {plan:?}") };
        let (there, back) = (update(change.call()), update(change.undo()));
        let after = there.on(&digest);
        prop_assert_eq!(plan.after(), &after.content());

        // Undo gives back exactly what was there.
        prop_assert_eq!(back.on(&after), digest.clone());

        // What was to be put right is, and planning again changes nothing.
        let mut then = facts.clone();
        then.surfaces.insert(surface.clone(), SurfaceSnapshot { content: after.content(), revision: None });
        let context = then.context.as_mut().unwrap();
        if let Some(put) = &there.store {
            let now = match put.secret == context.secret {
                true => context.stored.as_mut(),
                false => context.others.get_mut(&put.secret).and_then(Option::as_mut),
            };
            now.into_iter().for_each(|now| now.values.extend(put.values.clone()));
        }
        let left = acted_on(&then);
        for finding in &left {
            // What equals a value that is in the secret now is found as such.
            let is_it = |unfixable: &warden_engine::Finding| unfixable.at == finding.at;
            prop_assert!(remedy.unfixable.iter().any(|(unfixable, _)| is_it(unfixable)), "{:?} is left", finding);
        }
        let again = SecretGuard.remedy(&resource, &then, &surface, &left, None, &settings);
        prop_assert!(again.plan.is_none(), "{:?}", again.plan);

        // A value is replaced by a reference only where a finding says so, and only once it is stored, or was before.
        let restored = back.restore.iter().flat_map(|stored| stored.values.clone());
        let stored: BTreeMap<String, KeyedHash> = restored.collect();
        let function = facts.context.as_ref().unwrap();
        for stored in there.store.iter().chain(&there.aside) {
            prop_assert!(back.restore.iter().any(|kept| kept.version == stored.version && kept.values == stored.values));
        }
        // What was replaced in its variable's secret is not stored again.
        for (name, hash) in there.store.iter().flat_map(|stored| &stored.values) {
            let Some(variable) = function.values.get(name) else { continue };
            let Some(last) = &variable.current else { continue };
            let its = last.place.as_ref().map(|place| &place.secret);
            let Some((secret, now)) = function.holding().find(|(secret, _)| Some(*secret) == its) else { continue };
            let held = if function.deleted.contains(secret) { Some(&last.hash) } else { now.values.get(name) };
            let is_newer = held.is_some_and(|held| held != hash);
            prop_assert!(!is_newer || !variable.replaced().any(|known| known.hash == *hash), "{} is stale", name);
        }
        for (name, held) in &digest.variables {
            if after.variables.get(name) == Some(held) {
                continue;
            }
            if name == WRAPPER_VARIABLE {
                prop_assert_eq!(held, &Held::Wrapper);
                continue;
            }
            prop_assert!(findings.iter().any(|finding| finding.at == *name), "{} was not to be touched", name);
            let Held::Value(hash) = held else { panic!("{name} held a reference") };
            prop_assert_eq!(stored.get(name), Some(hash));
        }
        for name in after.variables.keys().filter(|name| !digest.variables.contains_key(*name)) {
            prop_assert_eq!(name.as_str(), WRAPPER_VARIABLE);
        }
        for text in there.set.values() {
            prop_assert!(text == WRAPPER || text.parse::<Reference>().is_ok(), "no value in a plan");
        }
        let others = |digest: &EnvironmentDigest| -> Vec<String> {
            let is_ours = |layer: &String| [LAYER, ARM_LAYER, OLDER_LAYER].contains(&layer.as_str());
            digest.layers.iter().filter(|layer| !is_ours(layer)).cloned().collect()
        };
        prop_assert_eq!(others(&after), others(&digest));
        if there.layers.is_none() {
            prop_assert_eq!(&after.layers, &digest.layers);
        }
    }
}
