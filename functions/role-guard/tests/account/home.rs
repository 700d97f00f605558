//! An account with a guarded role `pay`, another role `other`, a guarded function `shop` with a role of its own, and
//! managed policies.

use jiff::{SignedDuration, tz::TimeZone};
use role_guard::{Context, Facts, PolicyFacts, PolicyUsers, RoleGuard};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    guard::{Deployment, Guard, Judgement, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::state::History,
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::{iam::PolicyArn, lambda::FunctionArn},
    ports::Clock,
};
use warden_testing::{
    World,
    guarded::{Guarded, may_be_in_force, surface},
};

/// The tag that tells this world when a function was updated last.
pub(crate) const DEPLOYED: &str = "deployed";

pub(crate) type Home = Guarded<RoleGuard>;

pub(crate) fn role(name: &str) -> Resource {
    format!("arn:aws:iam::111122223333:role/{name}").parse().unwrap()
}

pub(crate) fn shop() -> Resource {
    "arn:aws:lambda:us-east-1:111122223333:function:shop".parse().unwrap()
}

pub(crate) fn managed(name: &str) -> PolicyArn {
    format!("arn:aws:iam::111122223333:policy/{name}").parse().unwrap()
}

pub(crate) fn admin() -> PolicyArn {
    "arn:aws:iam::aws:policy/AdministratorAccess".parse().unwrap()
}

pub(crate) fn attachment(policy: &PolicyArn) -> Surface {
    Surface::Attachment(policy.clone())
}

pub(crate) fn inline(name: &str) -> Surface {
    surface(&format!("inline-policy/{name}"))
}

pub(crate) fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub(crate) fn orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

/// A statement of about that many characters, about nothing that matters.
pub(crate) fn long_orders(characters: usize) -> Value {
    let table = |nth: usize| format!("arn:aws:dynamodb:us-east-1:111122223333:table/orders-{nth:03}");
    let mut statement = orders();
    statement["Resource"] = (0..characters / table(0).len()).map(table).collect();
    statement
}

pub(crate) fn queue() -> Value {
    json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"})
}

pub(crate) fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

pub(crate) fn lambda_trust() -> Value {
    policy(&[json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})])
}

/// A document as somebody may write it: with white space, which an undo brings back.
pub(crate) fn written(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

/// What role-guard reads beside a resource's surfaces, from the world.
fn fetch_more(
    world: &World<Context>,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) {
    match &request.resource {
        Resource::Role(role) => {
            let Scope::Tags(tags) = &facts.scope else { panic!("a role is in scope by its tags") };
            let known = history.head.guards.get(&GuardKind::Role).into_iter().flat_map(|known| &known.through);
            let known: BTreeSet<_> = request.through.iter().chain(known).cloned().collect();
            let its_mode = OptIn::from_tags(tags, GuardKind::Role, world.now().to_zoned(TimeZone::UTC).date()).mode;
            let uses = |function: &FunctionArn| {
                let resource = Resource::Function(function.clone());
                let function = world.fake(&resource);
                let its = function.surfaces.get(&Surface::Role(None)).and_then(|content| content.document().cloned());
                its_mode == Mode::Enforce
                    || mode(world, &resource) != Mode::Off && its == Some(json!({"Role": role.to_string()}))
            };
            let functions: BTreeSet<FunctionArn> = known.into_iter().filter(uses).collect();
            if its_mode == Mode::Off {
                if !functions.is_empty() {
                    facts.surfaces = role_surfaces(world, &request.resource);
                }
                facts.scope = Scope::Through(functions.clone());
            }
            let fake = world.fake(&request.resource);
            facts.context.functions = functions.into_iter().map(|function| (function, BTreeSet::new())).collect();
            facts.context.arn = Some(role.to_string());
            facts.context.texts = fake.texts;
            let said = facts.surfaces.values().filter_map(|snapshot| snapshot.content.policy());
            let earlier = history.surfaces.values().filter_map(|state| state.baseline.as_ref()?.policy());
            let policies: BTreeSet<PolicyArn> = said.chain(earlier).collect();
            let known = policies.into_iter().filter_map(|policy| Some((policy.clone(), policy_facts(world, &policy)?)));
            facts.context.policies = known.collect();
        }
        Resource::Policy(policy) => {
            let policy = policy.policy();
            facts.context.policies.extend(policy_facts(world, policy).map(|known| (policy.clone(), known)));
        }
        Resource::Function(_) => {
            let deployed = world.fake(&request.resource).tags.get(DEPLOYED).map(|time| time.parse().unwrap());
            facts.context.deployment = deployed.map(|changed| Deployment { changed, is_under_way: false });
            let present = facts.surfaces.get(&Surface::Role(None)).map(|snapshot| snapshot.content.clone());
            let state = history.surfaces.get(&Surface::Role(None));
            let baseline = state.and_then(|state| state.baseline.clone());
            let earlier = state.into_iter().flat_map(|state| state.earlier.clone());
            for content in [present, baseline].into_iter().flatten().chain(earlier) {
                let arn = content.document().unwrap()["Role"].as_str().unwrap().to_owned();
                let resource: Resource = arn.parse().unwrap();
                if world.existing().contains(&resource) {
                    let said = role_surfaces(world, &resource);
                    let said = Content::of_role(said.iter().map(|(surface, seen)| (surface, &seen.content)));
                    facts.context.said.insert(arn.clone(), said.fingerprint());
                    facts.context.roles.insert(arn, judged(world, &resource, settings));
                }
            }
        }
        Resource::LayerVersion(_) | Resource::Account(_) => {}
    }
}

/// The mode that a resource's tags ask for.
fn mode(world: &World<Context>, resource: &Resource) -> Mode {
    let today = world.now().to_zoned(TimeZone::UTC).date();
    OptIn::from_tags(&world.fake(resource).tags, GuardKind::Role, today).mode
}

fn role_surfaces(world: &World<Context>, role: &Resource) -> BTreeMap<Surface, SurfaceSnapshot> {
    let snapshot = |surface: &Surface| {
        (surface.clone(), SurfaceSnapshot { content: world.content(role, surface), revision: None })
    };
    world.fake(role).surfaces.keys().map(snapshot).collect()
}

/// What is known of a managed policy.
fn policy_facts(world: &World<Context>, policy: &PolicyArn) -> Option<PolicyFacts> {
    let library = world.managed_policy(policy)?;
    let users = world.existing().into_iter().filter(|resource| {
        let is_begun = world.state(resource, &attachment(policy)).intent.is_some();
        matches!(resource, Resource::Role(_))
            && (is_begun || world.fake(resource).surfaces.contains_key(&attachment(policy)))
    });
    let users: Vec<Resource> = users.collect();
    let resource = policy.clone().try_into().ok().map(Resource::Policy);
    let state = resource.as_ref().map(|resource| world.state(resource, &Surface::ManagedPolicy(policy.clone())));
    let bounded = world.existing().into_iter().filter(|role| {
        world.fake(role).surfaces.get(&Surface::Boundary).and_then(Content::policy).as_ref() == Some(policy)
    });
    let bounded: Vec<Resource> = bounded.collect();
    let enforced = |role: &Resource| mode(world, role) == Mode::Enforce;
    let all_of = |users: &[Resource]| PolicyUsers {
        strangers: Some(users.iter().filter(|role| !enforced(role)).map(Resource::name).collect()),
        roles: users.iter().map(Resource::name).collect(),
    };
    Some(PolicyFacts {
        document: library.content(),
        version: library.default.clone(),
        tags: resource.map(|resource| world.fake(&resource).tags).unwrap_or_default(),
        bounds: bounded.len() as u32,
        versions: library.versions.into_iter().rev().collect(),
        restorable: state.is_some_and(|state| state.baseline.is_some()),
        enforced: users.iter().chain(&bounded).filter(|role| enforced(role)).map(|role| (role.name(), None)).collect(),
        users: Some(all_of(&users)),
        bounded: Some(all_of(&bounded)),
    })
}

/// Everything that is wrong with a role.
fn judged(world: &World<Context>, role: &Resource, settings: &Settings) -> Judgement {
    let facts = Facts {
        scope: Scope::Setting(Mode::Observe),
        surfaces: role_surfaces(world, role),
        context: Context::default(),
    };
    let judged = facts.surfaces.keys().map(|surface| RoleGuard.judge(&facts, surface, settings));
    Judgement { findings: judged.flat_map(|judged| judged.findings).collect(), unclear: None }
}

/// Makes a role that Lambda alone may assume.
pub(crate) fn make_role(home: &Home, name: &str) {
    home.write(&role(name), &Surface::Trust, &written(&lambda_trust()));
    home.put(&role(name), &Surface::Boundary, Content::ABSENT);
}

/// Makes a managed policy, or writes a new version of it and makes that the default.
pub(crate) fn write_version(home: &Home, policy: &PolicyArn, document: &Value) {
    home.world.managed(policy, |managed| managed.add(&written(document), true)).unwrap();
    if let Ok(customer) = policy.clone().try_into() {
        let marker = Content::of_policy(policy, &Content::ABSENT);
        home.put(&Resource::Policy(customer), &Surface::ManagedPolicy(policy.clone()), marker);
    }
}

pub(crate) fn policy_resource(policy: &PolicyArn) -> Resource {
    Resource::Policy(policy.clone().try_into().unwrap())
}

/// Attaches a managed policy.
pub(crate) fn attach(home: &Home, role: &Resource, policy: &PolicyArn) {
    home.put(role, &attachment(policy), Content::of_policy(policy, &Content::ABSENT));
}

/// The account before anything happens, `pay` and `shop` not opted in yet.
pub(crate) fn open(variables: &[(&str, &str)]) -> Home {
    let home = Home::new(RoleGuard, World::new(fetch_more), variables, no_baseline_breaks_a_rule);
    for name in ["pay", "other", "strong", "shop"] {
        make_role(&home, name);
    }
    home.write(&role("pay"), &inline("orders"), &written(&policy(&[orders()])));
    home.write(&role("strong"), &inline("all"), &written(&policy(&[everything()])));
    write_version(&home, &admin(), &policy(&[everything()]));
    write_version(&home, &managed("data"), &policy(&[orders()]));
    write_version(&home, &managed("bound"), &policy(&[orders(), queue()]));
    home.put(&shop(), &Surface::Role(None), Content::new(json!({"Role": role("shop")})));
    home
}

/// Opts `pay`, `shop` and the policies with the tag in, and lets the guard see it.
pub(crate) async fn opt_in(home: Home) -> Home {
    home.tag(&role("pay"), "warden", "enforce");
    home.tag(&shop(), "warden", "enforce");
    let tags = json!([{"key": "warden", "value": "enforce"}]);
    home.deliver(&home.event("TagRole", json!({"roleName": "pay", "tags": tags}))).await;
    home.deliver(&home.event("TagResource", json!({"resource": shop(), "tags": {"warden": "enforce"}}))).await;
    for policy in [managed("data"), managed("bound")] {
        home.deliver(&home.event("TagPolicy", json!({"policyArn": policy, "tags": tags}))).await;
    }
    home.pass(SignedDuration::from_secs(1)).await;
    home
}

/// No baseline ever held what would be acted on. Of a role's policies that is a question of what surrounds them:
/// not asked here.
fn no_baseline_breaks_a_rule(home: &Home) {
    for resource in home.resources() {
        for (surface, state) in home.states(&resource) {
            let (Surface::Trust | Surface::ManagedPolicy(_), Some(baseline)) = (&surface, &state.baseline) else {
                continue;
            };
            let snapshot = SurfaceSnapshot { content: baseline.clone(), revision: None };
            let facts = Facts {
                scope: Scope::Setting(Mode::Observe),
                surfaces: BTreeMap::from([(surface.clone(), snapshot)]),
                context: Context::default(),
            };
            let judged = RoleGuard.judge(&facts, &surface, &home.settings);
            let may_stay =
                judged.findings.iter().all(|finding| may_be_in_force(&state, baseline, finding, &home.settings));
            assert!(may_stay, "{resource} {surface}: {judged:?}");
        }
    }
}
