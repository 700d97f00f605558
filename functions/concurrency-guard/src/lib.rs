//! concurrency-guard: how much of a function may run at once, and whether it may invoke itself for ever.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide, `desired` is the one place that
//! says what a function should reserve, `context` is what they need to know beside the function's settings. Everything
//! else is the engine's.

mod context;
mod desired;
mod fetch;
mod judge;
mod remedy;
mod requests;

pub use context::Context;
pub use desired::desired;

use std::collections::{BTreeMap, BTreeSet};
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    guard::{
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
};

/// What the guard sees of a function.
pub type Facts = warden_engine::guard::Facts<Context>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrencyGuard;

impl Guard for ConcurrencyGuard {
    const KIND: GuardKind = GuardKind::Concurrency;
    type Context = Context;

    const EVENTS: &'static [Events] = &[Events {
        service: "lambda",
        names: &[
            Exact("CreateFunction"),
            Prefix("CreateFunction20"),
            Prefix("DeleteFunctionConcurrency"),
            Prefix("DeleteProvisionedConcurrencyConfig"),
            Prefix("PutFunctionConcurrency"),
            Prefix("PutFunctionRecursionConfig"),
            Prefix("PutFunctionScalingConfig"),
            Prefix("PutProvisionedConcurrencyConfig"),
            Prefix("TagResource"),
            Prefix("UntagResource"),
        ],
    }];

    const CALLS: &'static [&'static str] = &[
        "lambda:GetAccountSettings",
        "lambda:GetFunction",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionRecursionConfig",
        "lambda:ListProvisionedConcurrencyConfigs",
        "lambda:ListTags",
        "lambda:PutFunctionConcurrency",
        "lambda:PutFunctionRecursionConfig",
    ];

    const NOTHING_FOUND: &'static str = "nothing is wrong with how much of it may run at once";

    fn owns(surface: &Surface) -> bool {
        matches!(surface, Surface::Concurrency | Surface::ProvisionedConcurrency(_) | Surface::Recursion)
    }

    fn requests(&self, event: &CloudTrailEvent, _: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    /// The cap is the owner's tag, and what is provisioned counts for the function as a whole.
    fn is_judged_by_content(&self, _: &Facts, surface: &Surface) -> bool {
        matches!(surface, Surface::Recursion)
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

    fn add_history(&self, _: &ReconcileRequest, facts: &mut Facts, history: &History) {
        context::add_floor(&mut facts.context, history);
    }

    fn unread(&self, facts: &Facts) -> BTreeMap<Surface, String> {
        facts.context.unread.clone()
    }

    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Some(requests::together(surface))
    }

    fn follows(&self, request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Vec<ReconcileRequest> {
        requests::account(request, facts, settings).into_iter().collect()
    }

    fn reservations(&self, resource: &Resource, facts: &Facts, settings: &Settings) -> Vec<String> {
        let mut said: Vec<String> = remedy::outlook(resource, facts, settings).into_iter().collect();
        let unread = facts.context.unread.iter();
        said.extend(unread.map(|(surface, why)| format!("{surface} could not be read: {why}")));
        said.extend(
            self.never_touch(resource, facts, settings).then(|| "it is one that no guard ever changes".to_owned()),
        );
        said
    }
}

impl Fetch<ConcurrencyGuard> for Aws {
    async fn fetch(
        &self,
        _: &ConcurrencyGuard,
        request: &ReconcileRequest,
        settings: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        fetch::fetch(self, request, settings).await
    }
}

impl Survey<ConcurrencyGuard> for Aws {
    async fn survey(
        &self,
        _: &ConcurrencyGuard,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
        _: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        let Resource::Function(function) = resource else { return Ok(None) };
        let Some(found) = self.function(function).await? else { return Ok(None) };
        let (surfaces, mut context) = fetch::surfaces(self, function, None).await?;
        context.on_managed_instances = found.on_managed_instances;
        Ok(Some(Facts { scope: Scope::Tags(tags.clone()), surfaces, context }))
    }
}
