//! role-guard: what a function's role may do, who may assume it, and which role the function has.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide, `context` is what they need to
//! know beside documents. Everything else is the engine's.
//!
//! A role is looked at as a whole, because its policies are judged together. It is changed only with a tag of its own;
//! an opted-in function's role without one is judged and reported.

mod context;
mod fetch;
mod judge;
mod newcomers;
mod protection;
mod remedy;
mod requests;

pub use context::{Context, PolicyFacts, PolicyUsers};

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    guard::{
        Deployment,
        EventName::{Exact, Prefix},
        Events, Fetch, Guard, Judgement, ReconcileRequest, Remedy, Scope, Survey,
    },
    ledger::state::History,
    model::{
        cloudtrail::CloudTrailEvent,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::{fingerprint::Fingerprint, iam::RoleArn, lambda::FunctionArn},
};

/// What the guard sees of a role, a managed policy or a function.
pub type Facts = warden_engine::guard::Facts<Context>;

/// What the guard has against a role that a function is to work with: the worst rule that it breaks, by the account's
/// threshold. Nothing where the role is gone.
///
/// # Errors
/// The call that failed.
pub async fn objection(aws: &Aws, role: &RoleArn, settings: &Settings) -> Result<Option<String>, CallError> {
    let Some(facts) = fetch::survey(aws, role).await? else { return Ok(None) };
    let judged = judge::whole_role(&facts, settings);
    let serious = judged.findings.iter().filter(|finding| finding.severity >= settings.threshold);
    let worst = serious.max_by_key(|finding| finding.severity);
    Ok(worst.map(|worst| format!("it breaks {}: {}", worst.id, worst.message)).or(judged.unclear))
}

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct RoleGuard;

impl Guard for RoleGuard {
    const KIND: GuardKind = GuardKind::Role;
    type Context = Context;

    const EVENTS: &'static [Events] = &[
        Events {
            service: "iam",
            names: &[
                Exact("AcquireRole"),
                Exact("AttachRolePolicy"),
                Exact("CreatePolicyVersion"),
                Exact("CreateRole"),
                Exact("DeleteRolePermissionsBoundary"),
                Exact("DeleteRolePolicy"),
                Exact("DetachRolePolicy"),
                Exact("PutRolePermissionsBoundary"),
                Exact("PutRolePolicy"),
                Exact("SetDefaultPolicyVersion"),
                Exact("TagPolicy"),
                Exact("TagRole"),
                Exact("UntagPolicy"),
                Exact("UntagRole"),
                Exact("UpdateAssumeRolePolicy"),
            ],
        },
        Events {
            service: "lambda",
            names: &[
                Exact("CreateFunction"),
                Prefix("CreateFunction20"),
                Prefix("PublishVersion"),
                Prefix("TagResource"),
                Prefix("UntagResource"),
                Prefix("UpdateFunctionCode"),
                Prefix("UpdateFunctionConfiguration"),
                Prefix("UploadFunction"),
            ],
        },
    ];

    /// UpdateFunctionConfiguration with a role asks for `iam:PassRole`.
    const CALLS: &'static [&'static str] = &[
        "iam:AttachRolePolicy",
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetAccountAuthorizationDetails",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListEntitiesForPolicy",
        "iam:ListPolicyVersions",
        "iam:ListRolePolicies",
        "iam:PassRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateAssumeRolePolicy",
        "lambda:GetFunction",
        "lambda:ListAliases",
        "lambda:ListTags",
        "lambda:UpdateFunctionConfiguration",
    ];

    const NOTHING_FOUND: &'static str = "nothing is wrong with what it may do and who may assume it";

    fn owns(surface: &Surface) -> bool {
        matches!(
            surface,
            Surface::Trust
                | Surface::Boundary
                | Surface::Attachment(_)
                | Surface::InlinePolicy(_)
                | Surface::ManagedPolicy(_)
                | Surface::Role(_)
        )
    }

    fn requests(&self, event: &CloudTrailEvent, _: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event)
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    fn judge_all(&self, facts: &Facts, settings: &Settings) -> BTreeMap<Surface, Judgement> {
        judge::judge_all(facts, settings)
    }

    /// The role that a function was given, and a boundary, are compared with the one before; so is what a policy says
    /// that bounds somebody.
    fn is_judged_by_content(&self, facts: &Facts, surface: &Surface) -> bool {
        match surface {
            Surface::Role(_) | Surface::Boundary => false,
            Surface::ManagedPolicy(policy) => {
                facts.context.policies.get(policy).is_none_or(|known| !known.is_boundary())
            }
            Surface::Trust
            | Surface::Attachment(_)
            | Surface::InlinePolicy(_)
            | Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Environment(_)
            | Surface::Secret(_)
            | Surface::Concurrency
            | Surface::ProvisionedConcurrency(_)
            | Surface::Recursion => true,
        }
    }

    /// What may stay of a managed policy stands on the role by itself.
    fn moved(&self, resource: &Resource, surface: &Surface, in_force: &Content) -> Vec<(Surface, Content)> {
        match (resource, surface.attached()) {
            (Resource::Role(role), Some(policy)) => context::moved(role, policy, in_force),
            (_, _) => Vec::new(),
        }
    }

    fn complete(&self, facts: &mut Facts) {
        context::complete(facts);
    }

    fn grants_more(
        &self,
        now: &Facts,
        then: &Facts,
        surface: &Surface,
        finding: &Finding,
        settings: &Settings,
    ) -> bool {
        let is_of_a_role = matches!(surface, Surface::Attachment(_) | Surface::InlinePolicy(_));
        is_of_a_role
            && finding.severity >= settings.threshold
            && judge::Policies::of(now, settings).grants_more(&judge::Policies::of(then, settings), surface, finding)
    }

    fn remedy(
        &self,
        resource: &Resource,
        facts: &Facts,
        surface: &Surface,
        findings: &[Finding],
        baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy {
        remedy::remedy(resource, facts, surface, findings, baseline, settings)
    }

    fn add_history(&self, request: &ReconcileRequest, facts: &mut Facts, history: &History) {
        context::add_history(request, facts, history);
    }

    fn behind(&self, facts: &Facts, surface: &Surface) -> Option<Fingerprint> {
        let Surface::Role(_) = surface else { return None };
        let role = requests::role_of(&facts.surfaces.get(surface)?.content)?;
        facts.context.said.get(role).copied()
    }

    fn keeps_first(&self, surface: &Surface) -> bool {
        matches!(surface, Surface::Trust)
    }

    /// Which roles a function had.
    fn keeps_earlier(&self, surface: &Surface) -> bool {
        matches!(surface, Surface::Role(None))
    }

    fn functions(&self, facts: &Facts) -> BTreeSet<FunctionArn> {
        match &facts.scope {
            Scope::Through(functions) => functions.clone(),
            Scope::Tags(_) | Scope::Setting(_) => facts.context.functions.keys().cloned().collect(),
        }
    }

    fn first_note(&self, content: &Content, _: &Settings) -> Option<String> {
        let known = newcomers::newcomers(content.document()?, None);
        let names: BTreeSet<&str> = known.iter().map(|newcomer| newcomer.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            let names: Vec<&str> = names.into_iter().collect();
            format!(
                "beside Lambda these may assume it and are let be, and nobody who comes later is: {}",
                names.join(", ")
            )
        })
    }

    fn deployment(&self, facts: &Facts) -> Option<Deployment> {
        facts.context.deployment
    }

    /// A role's policies are judged together; a function has one surface here, and so has a managed policy.
    fn together(&self, _: &Surface) -> Option<BTreeSet<Surface>> {
        None
    }

    fn follows(&self, request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Vec<ReconcileRequest> {
        requests::follows(request, facts, settings)
    }

    fn reservations(&self, resource: &Resource, facts: &Facts, settings: &Settings) -> Vec<String> {
        let strangers = matches!(resource, Resource::Role(_)).then(|| remedy::strangers(facts, settings)).flatten();
        let strangers = strangers.map(|strangers| {
            format!("others than Lambda may assume it, so it is judged and never changed: {strangers}")
        });
        let never = self.never_touch(resource, facts, settings);
        let never = never.then(|| "it is one that no guard ever changes".to_owned());
        let kept: Vec<String> = strangers.into_iter().chain(never).collect();
        // Where somebody acts on what is there already, this is what stops.
        let is_changed = kept.is_empty() && matches!(resource, Resource::Role(_));
        if is_changed { judge::Policies::of(facts, settings).would_go(settings) } else { kept }
    }

    fn created(&self, facts: &Facts) -> Option<Timestamp> {
        // A function that was changed since it was made has a later time, so that its creation is no recent one.
        facts.context.created.or_else(|| Some(facts.context.deployment?.changed))
    }

    fn never_touch(&self, resource: &Resource, facts: &Facts, settings: &Settings) -> bool {
        protection::never_touch(resource, facts, settings)
    }
}

impl Fetch<RoleGuard> for Aws {
    async fn fetch(&self, _: &RoleGuard, request: &ReconcileRequest, _: &Settings) -> Result<Option<Facts>, CallError> {
        fetch::fetch(self, request).await
    }

    async fn fetch_more(
        &self,
        _: &RoleGuard,
        request: &ReconcileRequest,
        facts: &mut Facts,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        fetch::fetch_more(self, request, facts, history, settings).await
    }

    async fn anywhere(
        &self,
        _: &RoleGuard,
        event: &CloudTrailEvent,
        settings: &Settings,
    ) -> Result<Option<Vec<ReconcileRequest>>, CallError> {
        fetch::anywhere(self, event, settings).await
    }
}

impl Survey<RoleGuard> for Aws {
    async fn survey(
        &self,
        _: &RoleGuard,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
        _: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        let Resource::Role(role) = resource else { return Ok(None) };
        let facts = fetch::survey(self, role).await?;
        Ok(facts.map(|facts| Facts { scope: Scope::Tags(tags.clone()), ..facts }))
    }
}
