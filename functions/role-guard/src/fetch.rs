//! Reading roles, managed policies, and which role a function has. What does not hang on each other is read at once.

use crate::{
    Facts,
    context::{Context, PolicyFacts, PolicyUsers, add_history},
    judge::{self, judge, judge_all, said, whole_role},
    requests::{leads_to_functions, role_of},
};
use futures::{
    future,
    stream::{self, StreamExt, TryStreamExt},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Aws, ListedRole, Users};
use warden_engine::{
    call_error::CallError,
    guard::{Introduced, Judgement, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::state::History,
    model::{
        cloudtrail::CloudTrailEvent,
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

/// A role used by more opted-in functions than this leads to so many of them.
const FUNCTIONS: usize = 200;
/// GetFunction has a quota of 100 a second: of a role's functions so many are read at once.
const FUNCTIONS_AT_ONCE: usize = 20;
/// IAM's rate limits are unpublished: of a policy's roles so many are read at once.
const ROLES_AT_ONCE: usize = 8;
/// So many roles of a policy are looked at in any order: to ask first which of them are opted in would take as long.
const UNORDERED: usize = 2;
/// The calls that take documents of more than 100 KB, with white space in them, so that CloudTrail leaves out which role
/// or policy they changed.
const PADDED: [&str; 4] = ["CreatePolicyVersion", "CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy"];
/// A role that was made so long before or after an event is the one that the event reports. Both times are IAM's own.
const CREATED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

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
    let mut context = Context { arn: Some(found.arn), created: found.created, ..Context::default() };
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
    let mode = facts.scope.opt_in(GuardKind::Role, today(aws)).mode;
    let known = history.head.guards.get(&GuardKind::Role).into_iter().flat_map(|known| &known.through);
    let through: BTreeSet<FunctionArn> = request.through.iter().chain(known).take(FUNCTIONS).cloned().collect();
    if mode == Mode::Off && through.is_empty() {
        facts.surfaces.clear();
        return Ok(());
    }
    let functions = async {
        match mode {
            // It is put right itself. Who uses it is asked when that ends.
            Mode::Enforce => Ok(through.into_iter().map(|function| (function, BTreeSet::new())).collect()),
            Mode::Off | Mode::Observe => users(aws, role, through).await,
        }
    };
    let (functions, ()) = future::try_join(functions, read_documents(aws, role, facts)).await?;
    // A role's own tag has the word, but for this: whatever it says, opted-in functions keep their role in sight.
    if mode == Mode::Off {
        if functions.is_empty() {
            facts.surfaces.clear();
        }
        facts.scope = Scope::Through(functions.keys().cloned().collect());
    }
    facts.context.functions = functions;
    add_history(request, facts, history);
    let boundary = read_earlier_boundary(aws, facts, history, settings);
    if let Some((policy, known)) = boundary.await? {
        // The same as far as both were read, and more of it.
        facts.context.policies.insert(policy, known);
    }
    read_who_shares(aws, facts, settings).await?;
    read_versions_of_functions(aws, role, facts, settings).await
}

/// Of a role that breaks a rule, and that its functions were given when it was clean: the versions that have it too.
async fn read_versions_of_functions(
    aws: &Aws,
    role: &RoleArn,
    facts: &mut Facts,
    settings: &Settings,
) -> Result<(), CallError> {
    if !leads_to_functions(&Resource::Role(role.clone()), facts, today(aws), settings) {
        return Ok(());
    }
    let functions =
        facts.context.functions.keys().map(|function| async {
            Ok::<_, CallError>((function.clone(), versions_with(aws, function, role).await?))
        });
    facts.context.functions = future::try_join_all(functions).await?.into_iter().collect();
    Ok(())
}

/// Which of these functions are opted in and have the role, or a published version that has it.
async fn users(
    aws: &Aws,
    role: &RoleArn,
    functions: BTreeSet<FunctionArn>,
) -> Result<BTreeMap<FunctionArn, BTreeSet<Qualifier>>, CallError> {
    let today = today(aws);
    let seen = stream::iter(functions).map(|function| async {
        let Some(found) = aws.function(&function).await? else { return Ok(None) };
        if OptIn::from_tags(&found.tags, GuardKind::Role, today).mode == Mode::Off {
            return Ok(None);
        }
        let is_it = |snapshot: &SurfaceSnapshot| has(&snapshot.content, role);
        let uses = match found.role.as_ref().is_some_and(is_it) {
            false if found.on_managed_instances => {
                let running = aws.version_role(&function, &Qualifier::latest_published()).await?;
                running.as_ref().is_some_and(is_it)
            }
            uses => uses,
        };
        let versions = if uses { BTreeSet::new() } else { versions_with(aws, &function, role).await? };
        Ok::<_, CallError>((uses || !versions.is_empty()).then_some((function, versions)))
    });
    let seen: Vec<Option<_>> = seen.buffered(FUNCTIONS_AT_ONCE).try_collect().await?;
    Ok(seen.into_iter().flatten().collect())
}

fn has(content: &Content, role: &RoleArn) -> bool {
    role_of(content).and_then(|its| its.parse::<RoleArn>().ok()).as_ref() == Some(role)
}

/// The published versions of a function that have the role, of those that the ledger knows.
async fn versions_with(aws: &Aws, function: &FunctionArn, role: &RoleArn) -> Result<BTreeSet<Qualifier>, CallError> {
    let history = aws.history(&Resource::Function(function.clone()), aws.now()).await?;
    let known = history.surfaces.iter().filter_map(|(surface, state)| {
        let Surface::Role(Some(version)) = surface else { return None };
        state.baseline.as_ref().is_some_and(|baseline| has(baseline, role)).then(|| version.clone())
    });
    let there = future::try_join_all(known.map(|version| async {
        let found = aws.version_role(function, &version).await?;
        Ok::<_, CallError>(found.map(|_| version))
    }));
    Ok(there.await?.into_iter().flatten().collect())
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
        read_versions_and_strangers(aws, &customer, &mut known, None, settings).await?;
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
    let attached = known.users.as_ref().map(|users| users.roles.clone()).unwrap_or_default();
    let count = attached.len().saturating_add(usize::try_from(known.bounds).unwrap_or(usize::MAX));
    let tags = async {
        match is_whole && count > UNORDERED {
            true => Ok(Some(tags_of(aws, &home_of(policy, settings), attached, count).await?)),
            false => Ok(None),
        }
    };
    let (users, bounded, document, tags) = future::try_join4(users, bounded, document, tags).await?;
    known.users = users.or(known.users.take());
    known.bounded = bounded;
    if let Some(tags) = &tags {
        known.enforced = in_order(aws, &home_of(policy, settings), known, tags).await?;
    }
    let Some(document) = document else { return Ok(()) };
    known.document = document.content();
    let surface = Surface::ManagedPolicy(policy.policy().clone());
    facts.surfaces.insert(surface.clone(), snapshot(document.content()));
    add_history(request, facts, history);
    if !breaks_a_rule(&judge(facts, &surface, settings), settings) {
        return Ok(());
    }
    let Some(known) = facts.context.policies.get_mut(policy.policy()) else { return Ok(()) };
    read_versions_and_strangers(aws, policy, known, tags.as_ref(), settings).await
}

/// The looks at all opted-in roles, for an event that does not say which it changed. A role that was made at the time of
/// the event is new, if that is what the event reports.
pub(crate) async fn anywhere(
    aws: &Aws,
    event: &CloudTrailEvent,
    settings: &Settings,
) -> Result<Option<Vec<ReconcileRequest>>, CallError> {
    // Of the calls that this guard watches, only IAM's take so much.
    if !PADDED.contains(&event.cause.event_name.as_str()) {
        return Ok(None);
    }
    let request = |(name, role): (String, ListedRole)| {
        let is_opted_in = OptIn::from_tags(&role.tags, GuardKind::Role, today(aws)).mode != Mode::Off;
        let resource = Resource::Role(RoleArn::named(&name, &settings.home).ok().filter(|_| is_opted_in)?);
        let is_recent = role.created.is_some_and(|created| {
            created.duration_since(event.time).abs() < CREATED_WITHIN && event.cause.event_name == "CreateRole"
        });
        let introduced = is_recent.then_some(Introduced { surface: None, sid: None }).into_iter().collect();
        Some(ReconcileRequest { introduced, ..ReconcileRequest::at(resource, event.cause.clone()) })
    };
    Ok(Some(aws.all_roles().await?.into_iter().filter_map(request).collect()))
}

/// Tags by the name of the role.
type TagsOfRoles = BTreeMap<String, BTreeMap<String, String>>;

fn is_enforced(aws: &Aws, tags: &BTreeMap<String, String>) -> bool {
    OptIn::from_tags(tags, GuardKind::Role, today(aws)).mode == Mode::Enforce
}

/// The tags of the roles that have a policy: of few each is asked, of many the account is.
async fn tags_of(aws: &Aws, home: &Home, attached: BTreeSet<String>, count: usize) -> Result<TagsOfRoles, CallError> {
    if count > ROLES_AT_ONCE || count > attached.len() {
        return Ok(aws.all_roles().await?.into_iter().map(|(name, role)| (name, role.tags)).collect());
    }
    let found = attached.into_iter().map(|name| async {
        let Ok(role) = RoleArn::named(&name, home) else { return Ok(None) };
        Ok::<_, CallError>(aws.role(&role).await?.map(|found| (name, found.tags)))
    });
    Ok(future::try_join_all(found).await?.into_iter().flatten().collect())
}

/// Those of a policy's roles that are opted in to `enforce`, and since when.
async fn in_order(
    aws: &Aws,
    home: &Home,
    known: &PolicyFacts,
    tags: &TagsOfRoles,
) -> Result<BTreeMap<String, Option<Timestamp>>, CallError> {
    let users = known.users.iter().chain(&known.bounded).flat_map(|users| &users.roles);
    let enforced = users.filter(|name| tags.get(*name).is_some_and(|tags| is_enforced(aws, tags)));
    let enforced: BTreeMap<String, Resource> =
        enforced.filter_map(|name| Some((name.clone(), Resource::Role(RoleArn::named(name, home).ok()?)))).collect();
    // Of few the order is no matter.
    if enforced.len() <= UNORDERED {
        return Ok(enforced.into_keys().map(|name| (name, None)).collect());
    }
    let resources: Vec<Resource> = enforced.values().cloned().collect();
    let since = aws.enrolled_since(GuardKind::Role, &resources).await?;
    Ok(enforced.into_iter().map(|(name, role)| (name, since.get(&role).copied())).collect())
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
    tags: Option<&TagsOfRoles>,
    settings: &Settings,
) -> Result<(), CallError> {
    let home = home_of(policy, settings);
    let roles: BTreeSet<String> = known.roles().into_values().cloned().collect();
    let asked = async {
        match tags {
            // One that is not among all roles is gone.
            Some(tags) => {
                let opted_in = |name: &String| tags.get(name).is_none_or(|tags| is_enforced(aws, tags));
                Ok(roles.iter().filter(|name| !opted_in(name)).cloned().collect())
            }
            None => strangers(aws, &home, &roles).await,
        }
    };
    let (versions, strangers) = future::try_join(aws.policy_versions(policy.policy()), asked).await?;
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
    add_history(request, facts, history);
    let baseline = |surface| facts.context.baselines.get(surface);
    // A role that the function was given is judged for as long as the function has it; and that of a version too that
    // an event names, where it is not the function's own.
    let swapped = !facts.context.earlier.is_empty();
    let to_judge = facts.surfaces.iter().filter(|(surface, snapshot)| {
        let is_own = baseline(&Surface::Role(None)) == Some(&snapshot.content);
        let is_known = baseline(surface) == Some(&snapshot.content);
        !is_known || swapped && is_own || !is_own && request.introduces(surface, None)
    });
    let contents = to_judge.flat_map(|(surface, snapshot)| [Some(&snapshot.content), baseline(surface)]);
    let roles: BTreeSet<String> = contents.flatten().filter_map(role_of).map(str::to_owned).collect();
    add_roles(aws, facts, roles, settings).await?;
    let judged: BTreeMap<Surface, Judgement> = judge_all(facts, settings);
    let is_bad = |surface: &Surface| judged.get(surface).is_some_and(judge::is_at_fault);
    if is_bad(&Surface::Role(None)) {
        let earlier = facts.context.earlier.iter().filter_map(role_of).map(str::to_owned);
        let earlier = earlier.filter(|role| !facts.context.roles.contains_key(role)).collect();
        add_roles(aws, facts, earlier, settings).await?;
    }
    let is_bad_version = |surface: &Surface| matches!(surface, Surface::Role(Some(_))) && is_bad(surface);
    if facts.surfaces.keys().any(is_bad_version) {
        facts.context.aliases = aws.aliases(function).await?;
    }
    Ok(())
}

/// Adds what each of these roles says and what is wrong with it, by ARN; one that is gone is left out.
async fn add_roles(
    aws: &Aws,
    facts: &mut Facts,
    roles: BTreeSet<String>,
    settings: &Settings,
) -> Result<(), CallError> {
    let judged = roles.into_iter().map(|arn| async move {
        let Ok(role) = arn.parse::<RoleArn>() else { return Ok(None) };
        let facts = survey(aws, &role).await?;
        Ok::<_, CallError>(facts.map(|facts| (arn, whole_role(&facts, settings), said(&facts))))
    });
    for (arn, judged, said) in future::try_join_all(judged).await?.into_iter().flatten() {
        facts.context.said.insert(arn.clone(), said);
        facts.context.roles.insert(arn, judged);
    }
    Ok(())
}
