//! Reading roles, managed policies, and which role a function has. What does not hang on each other is read at once.

use crate::{
    Facts,
    context::{Context, PolicyFacts, PolicyUsers, add_history},
    judge::{judge, judge_all, said, whole_role},
    requests::role_of,
};
use futures::{
    future,
    stream::{self, StreamExt, TryStreamExt},
};
use jiff::{civil::Date, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Aws, Users};
use warden_engine::{
    call_error::CallError,
    guard::{Judgement, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::state::History,
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::{
        iam::{CustomerPolicyArn, PolicyArn, RoleArn},
        lambda::{FunctionArn, Home, Qualifier},
    },
    ports::{Clock, Ledger},
};

/// A role used by more opted-in functions than this is kept in scope by so many of them.
const FUNCTIONS: usize = 20;
/// IAM's rate limits are unpublished: of a policy's roles so many are read at once.
const ROLES_AT_ONCE: usize = 8;

fn snapshot(content: Content) -> SurfaceSnapshot {
    SurfaceSnapshot { content, revision: None }
}

fn today(aws: &Aws) -> Date {
    aws.now().to_zoned(TimeZone::UTC).date()
}

/// The first reads: what says whether the resource is in scope, and what there is to read of it.
pub(crate) async fn fetch(aws: &Aws, request: &ReconcileRequest) -> Result<Option<Facts>, CallError> {
    match &request.resource {
        Resource::Role(role) => observe_role(aws, role).await,
        Resource::Policy(policy) => {
            let is_whole = request.surfaces.is_none();
            let users = async { if is_whole { aws.policy_users(policy).await.map(Some) } else { Ok(None) } };
            let open = async { if is_whole { aws.open_intents().await } else { Ok(Vec::new()) } };
            let (managed, users, open) = future::try_join3(aws.managed_policy(policy.policy()), users, open).await?;
            // A run that was cut off may have detached it already: what it began is brought to an end there.
            let attachment = Surface::Attachment(policy.policy().clone());
            let begun = open.iter().filter(|(_, surface, _)| *surface == attachment);
            let users = users.map(|mut users| {
                users.roles.extend(begun.map(|(role, ..)| role.name()));
                all_of(users)
            });
            Ok(managed.map(|managed| {
                let known = PolicyFacts {
                    version: managed.version,
                    tags: managed.tags.clone(),
                    bounds: managed.bounds,
                    users,
                    ..PolicyFacts::default()
                };
                let policies = BTreeMap::from([(policy.policy().clone(), known)]);
                let context = Context { policies, ..Context::default() };
                Facts { scope: Scope::Tags(managed.tags), surfaces: BTreeMap::new(), context }
            }))
        }
        Resource::Function(function) => Ok(aws.function(function).await?.map(|function| Facts {
            scope: Scope::Tags(function.tags),
            surfaces: function.role.map(|role| (Surface::Role(None), role)).into_iter().collect(),
            context: Context {
                on_managed_instances: function.on_managed_instances,
                foreign_key: function.foreign_key,
                deployment: function.deployment,
                ..Context::default()
            },
        })),
        Resource::LayerVersion(_) | Resource::Account(_) => Ok(None),
    }
}

async fn observe_role(aws: &Aws, role: &RoleArn) -> Result<Option<Facts>, CallError> {
    let (found, inline, attached) =
        future::try_join3(aws.role(role), aws.inline_policies(role), aws.attached_policies(role)).await?;
    let Some(found) = found else { return Ok(None) };
    let mut context = Context { arn: Some(found.arn), ..Context::default() };
    if found.name != role.name() {
        // Another spelling of the name: the role is looked at under its own.
        let scope = Scope::Through(BTreeSet::new());
        return Ok(Some(Facts { scope, surfaces: BTreeMap::new(), context }));
    }
    context.texts.insert(Surface::Trust, found.trust.text().to_owned());
    context.inline = inline;
    context.attached = attached;
    context.boundary = found.boundary;
    let surfaces = BTreeMap::from([(Surface::Trust, snapshot(found.trust.content()))]);
    Ok(Some(Facts { scope: Scope::Tags(found.tags), surfaces, context }))
}

/// A whole role, whether it is in scope or not.
pub(crate) async fn survey(aws: &Aws, role: &RoleArn) -> Result<Option<Facts>, CallError> {
    let Some(mut facts) = observe_role(aws, role).await? else { return Ok(None) };
    read_documents(aws, role, &mut facts).await?;
    Ok(Some(facts))
}

/// Everything else, of a resource that is in scope.
pub(crate) async fn fetch_more(
    aws: &Aws,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    match &request.resource {
        Resource::Role(role) => complete_role(aws, role, request, facts, history, settings).await,
        Resource::Policy(policy) => complete_policy(aws, policy, request, facts, history, settings).await,
        Resource::Function(function) => complete_function(aws, function, request, facts, history, settings).await,
        Resource::LayerVersion(_) | Resource::Account(_) => Ok(()),
    }
}

async fn complete_role(
    aws: &Aws,
    role: &RoleArn,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    // A role's own tag has the word; without one, the opted-in functions that use it keep it in scope.
    let untagged = match &facts.scope {
        Scope::Tags(tags) => !tags.contains_key("warden") && !tags.contains_key("warden:role"),
        Scope::Setting(_) | Scope::Through(_) => false,
    };
    let through: BTreeSet<FunctionArn> = match untagged {
        false => BTreeSet::new(),
        true => {
            let known = history.head.guards.get(&GuardKind::Role).into_iter().flat_map(|known| &known.through);
            request.through.iter().chain(known).take(FUNCTIONS).cloned().collect()
        }
    };
    if facts.scope.opt_in(GuardKind::Role, today(aws)).mode == Mode::Off && through.is_empty() {
        facts.surfaces.clear();
        return Ok(());
    }
    let (users, ()) = future::try_join(users(aws, role, through), read_documents(aws, role, facts)).await?;
    if untagged {
        if users.is_empty() {
            facts.surfaces.clear();
        }
        facts.scope = Scope::Through(users);
    }
    add_history(request, facts, history);
    let boundary = read_earlier_boundary(aws, facts, history, settings);
    if let Some((policy, known)) = boundary.await? {
        // The same as far as both were read, and more of it.
        facts.context.policies.insert(policy, known);
    }
    read_who_shares(aws, facts, settings).await
}

/// Which of these functions are opted in and have the role.
async fn users(
    aws: &Aws,
    role: &RoleArn,
    functions: BTreeSet<FunctionArn>,
) -> Result<BTreeSet<FunctionArn>, CallError> {
    let today = today(aws);
    let seen = functions.into_iter().map(|function| async {
        let Some(found) = aws.function(&function).await? else { return Ok(None) };
        if OptIn::from_tags(&found.tags, GuardKind::Role, today).mode == Mode::Off {
            return Ok(None);
        }
        let is_it = |snapshot: &SurfaceSnapshot| {
            role_of(&snapshot.content).and_then(|its| its.parse::<RoleArn>().ok()).as_ref() == Some(role)
        };
        let uses = match found.role.as_ref().is_some_and(is_it) {
            false if found.on_managed_instances => {
                let running = aws.version_role(&function, &Qualifier::latest_published()).await?;
                running.as_ref().is_some_and(is_it)
            }
            uses => uses,
        };
        Ok::<_, CallError>(uses.then_some(function))
    });
    Ok(future::try_join_all(seen).await?.into_iter().flatten().collect())
}

/// All documents of a role, and its boundary's.
async fn read_documents(aws: &Aws, role: &RoleArn, facts: &mut Facts) -> Result<(), CallError> {
    let context = &mut facts.context;
    let inline = context.inline.iter().map(|name| async {
        let document = aws.inline_policy(role, name).await?;
        Ok::<_, CallError>((name.clone(), document))
    });
    let managed: BTreeSet<PolicyArn> = context.attached.iter().chain(&context.boundary).cloned().collect();
    let managed = managed.into_iter().map(|policy| async {
        let found = aws.default_version(&policy).await?;
        Ok::<_, CallError>((policy, found))
    });
    let (inline, managed) = future::try_join(future::try_join_all(inline), future::try_join_all(managed)).await?;
    for (name, document) in inline {
        let Some(document) = document else { continue };
        let surface = Surface::InlinePolicy(name);
        context.texts.insert(surface.clone(), document.text().to_owned());
        facts.surfaces.insert(surface, snapshot(document.content()));
    }
    for (policy, found) in managed {
        let Some((managed, document)) = found else { continue };
        let known = PolicyFacts {
            document: document.content(),
            version: managed.version,
            tags: managed.tags,
            bounds: managed.bounds,
            ..PolicyFacts::default()
        };
        context.policies.insert(policy, known);
    }
    let said =
        |policy: &PolicyArn| context.policies.get(policy).map(|known| known.document.clone()).unwrap_or_default();
    let boundary = context.boundary.as_ref().map(|policy| Content::of_policy(policy, &said(policy)));
    facts.surfaces.insert(Surface::Boundary, snapshot(boundary.unwrap_or_default()));
    for policy in &context.attached {
        // One that was deleted in between is detached.
        if context.policies.contains_key(policy) {
            let stand_in = facts.surfaces.get(&Surface::InlinePolicy(policy.stand_in()));
            let stand_in = stand_in.map(|snapshot| snapshot.content.clone()).unwrap_or_default();
            let copy = policy.copy_for(role);
            let copied = context.attached.get(copy.policy()).map(said).unwrap_or_default();
            let content = Content::of_policy(policy, &said(policy)).with_stand_in(&stand_in).with_copy(&copied);
            facts.surfaces.insert(Surface::Attachment(policy.clone()), snapshot(content));
        }
    }
    Ok(())
}

/// The boundary that a role had, where it has lost it: what it says today. Where it has it still, and a new version made
/// it wider: whether it goes back to what it said.
async fn read_earlier_boundary(
    aws: &Aws,
    facts: &Facts,
    history: &History,
    settings: &Settings,
) -> Result<Option<(PolicyArn, PolicyFacts)>, CallError> {
    if judge(facts, &Surface::Boundary, settings).findings.is_empty() {
        return Ok(None);
    }
    let baseline = history.surfaces.get(&Surface::Boundary).and_then(|state| state.baseline.as_ref());
    let Some(policy) = baseline.and_then(Content::policy) else { return Ok(None) };
    if facts.context.boundary.as_ref() == Some(&policy) {
        let (Some(known), Ok(customer)) = (facts.context.policies.get(&policy), policy.clone().try_into()) else {
            return Ok(None);
        };
        let (users, bounded) = future::try_join(aws.policy_users(&customer), aws.policy_bounds(&customer)).await?;
        let (users, bounded) = (Some(all_of(users)), Some(all_of(bounded)));
        let mut known = PolicyFacts { users, bounded, ..known.clone() };
        read_versions_and_strangers(aws, &customer, &mut known, settings).await?;
        return Ok(Some((policy, known)));
    }
    if facts.context.policies.contains_key(&policy) {
        return Ok(None);
    }
    let found = aws.default_version(&policy).await?;
    Ok(found.map(|(managed, document)| {
        let known = PolicyFacts { document: document.content(), version: managed.version, ..PolicyFacts::default() };
        (policy, known)
    }))
}

/// Of each attached policy that carries the tag and breaks a rule: who else has it.
async fn read_who_shares(aws: &Aws, facts: &mut Facts, settings: &Settings) -> Result<(), CallError> {
    let today = today(aws);
    let tagged = facts.surfaces.keys().filter_map(|surface| {
        let policy = surface.attached()?;
        let known = facts.context.policies.get(policy)?;
        let tagged = OptIn::from_tags(&known.tags, GuardKind::Role, today).mode == Mode::Enforce;
        let customer: CustomerPolicyArn = policy.clone().try_into().ok()?;
        tagged.then(|| (surface.clone(), customer))
    });
    let mut violating: Vec<(Surface, CustomerPolicyArn)> = tagged.collect();
    if violating.is_empty() {
        return Ok(());
    }
    let judged = judge_all(facts, settings);
    violating.retain(|(surface, _)| judged.get(surface).is_some_and(|judged| breaks_a_rule(judged, settings)));
    for (_, policy) in violating {
        let resource = Resource::Policy(policy.clone());
        let (users, history) = future::try_join(aws.policy_users(&policy), aws.history(&resource, aws.now())).await?;
        let state = history.surfaces.get(&Surface::ManagedPolicy(policy.policy().clone()));
        let mut strangers = strangers(aws, &home_of(&policy, settings), &users.roles).await?;
        strangers.extend((users.others > 0).then(|| format!("{} users and groups", users.others)));
        if let Some(known) = facts.context.policies.get_mut(policy.policy()) {
            known.users = Some(PolicyUsers { roles: users.roles, strangers: Some(strangers) });
            known.restorable = state.is_some_and(|state| state.baseline.is_some());
        }
    }
    Ok(())
}

fn breaks_a_rule(judged: &Judgement, settings: &Settings) -> bool {
    judged.findings.iter().any(|finding| finding.severity >= settings.threshold)
}

fn home_of(policy: &CustomerPolicyArn, settings: &Settings) -> Home {
    Home { account: *policy.account(), ..settings.home.clone() }
}

/// Those of the roles that are not opted in to `enforce`.
async fn strangers(aws: &Aws, home: &Home, roles: &BTreeSet<String>) -> Result<Vec<String>, CallError> {
    let today = today(aws);
    let seen = stream::iter(roles).map(|name| async {
        let Ok(role) = RoleArn::named(name, home) else { return Ok(Some(name.clone())) };
        let found = aws.role(&role).await?;
        let opted_in =
            found.is_none_or(|found| OptIn::from_tags(&found.tags, GuardKind::Role, today).mode == Mode::Enforce);
        Ok::<_, CallError>((!opted_in).then(|| name.clone()))
    });
    let seen: Vec<Option<String>> = seen.buffered(ROLES_AT_ONCE).try_collect().await?;
    Ok(seen.into_iter().flatten().collect())
}

async fn complete_policy(
    aws: &Aws,
    policy: &CustomerPolicyArn,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    let is_whole = request.surfaces.is_none();
    let is_off = facts.scope.opt_in(GuardKind::Role, today(aws)).mode == Mode::Off;
    if is_off && !is_whole {
        return Ok(());
    }
    let Some(known) = facts.context.policies.get_mut(policy.policy()) else { return Ok(()) };
    // The count of those whom it bounds may be behind the event.
    let is_new_boundary = request.introduced.iter().any(|introduced| introduced.surface == Some(Surface::Boundary));
    known.bounds = known.bounds.max(u32::from(is_new_boundary));
    let users = async {
        if known.users.is_none() { aws.policy_users(policy).await.map(|users| Some(all_of(users))) } else { Ok(None) }
    };
    let bounded = async {
        if known.is_boundary() { aws.policy_bounds(policy).await.map(|users| Some(all_of(users))) } else { Ok(None) }
    };
    let document = async { if is_off { Ok(None) } else { aws.policy_version(policy.policy(), &known.version).await } };
    let (users, bounded, document) = future::try_join3(users, bounded, document).await?;
    known.users = users.or(known.users.take());
    known.bounded = bounded;
    let Some(document) = document else { return Ok(()) };
    known.document = document.content();
    let surface = Surface::ManagedPolicy(policy.policy().clone());
    facts.surfaces.insert(surface.clone(), snapshot(document.content()));
    add_history(request, facts, history);
    if !breaks_a_rule(&judge(facts, &surface, settings), settings) {
        return Ok(());
    }
    let Some(known) = facts.context.policies.get_mut(policy.policy()) else { return Ok(()) };
    read_versions_and_strangers(aws, policy, known, settings).await
}

/// All users of a policy, of whom nobody has been asked whether they are opted in. Users and groups never are.
fn all_of(users: Users) -> PolicyUsers {
    PolicyUsers {
        roles: users.roles,
        strangers: (users.others > 0).then(|| vec![format!("{} users and groups", users.others)]),
    }
}

/// What has to be known of a policy to change it: its versions, and for whom a change would not be right.
async fn read_versions_and_strangers(
    aws: &Aws,
    policy: &CustomerPolicyArn,
    known: &mut PolicyFacts,
    settings: &Settings,
) -> Result<(), CallError> {
    let home = home_of(policy, settings);
    let roles: BTreeSet<String> =
        known.roles().into_iter().filter(|name| !known.enforced.contains(*name)).cloned().collect();
    let (versions, strangers) =
        future::try_join(aws.policy_versions(policy.policy()), strangers(aws, &home, &roles)).await?;
    known.versions = versions;
    for users in known.users.iter_mut().chain(&mut known.bounded) {
        let its = strangers.iter().filter(|name| users.roles.contains(*name)).cloned();
        users.strangers.get_or_insert_default().extend(its);
    }
    Ok(())
}

/// A function's role, and the one that it had, are judged when they differ; also that of a version that was just
/// published, and on Managed Instances that of what runs.
async fn complete_function(
    aws: &Aws,
    function: &FunctionArn,
    request: &ReconcileRequest,
    facts: &mut Facts,
    history: &History,
    settings: &Settings,
) -> Result<(), CallError> {
    if facts.scope.opt_in(GuardKind::Role, today(aws)).mode == Mode::Off {
        return Ok(());
    }
    let running = facts.context.on_managed_instances.then(Qualifier::latest_published);
    let published = request.introduced.iter().filter_map(|introduced| {
        let Some(Surface::Role(version)) = &introduced.surface else { return None };
        version.clone()
    });
    let versions: BTreeSet<Qualifier> = running.into_iter().chain(published).collect();
    let roles = future::try_join_all(versions.into_iter().map(|version| async {
        let role = aws.version_role(function, &version).await?;
        Ok::<_, CallError>(role.map(|role| (Surface::Role(Some(version)), role)))
    }));
    facts.surfaces.extend(roles.await?.into_iter().flatten());
    let baseline = |surface| history.surfaces.get(surface).and_then(|state| state.baseline.as_ref());
    let differing = facts.surfaces.iter().filter(|(surface, snapshot)| baseline(surface) != Some(&snapshot.content));
    let contents = differing.flat_map(|(surface, snapshot)| [Some(&snapshot.content), baseline(surface)]);
    let roles: BTreeSet<&str> = contents.flatten().filter_map(role_of).collect();
    let judged = roles.into_iter().map(|arn| async move {
        let Ok(role) = arn.parse::<RoleArn>() else { return Ok(None) };
        let facts = survey(aws, &role).await?;
        Ok::<_, CallError>(facts.map(|facts| (arn.to_owned(), whole_role(&facts, settings), said(&facts))))
    });
    for (arn, judged, said) in future::try_join_all(judged).await?.into_iter().flatten() {
        facts.context.said.insert(arn.clone(), said);
        facts.context.roles.insert(arn, judged);
    }
    Ok(())
}
