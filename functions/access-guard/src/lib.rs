//! access-guard: who may invoke a function, through its policies and URLs, and who may use a layer version.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide, `context` is what they need to
//! know beside policies and URLs. Everything else is the engine's.

mod context;
mod fetch;
mod judge;
mod permission;
mod remedy;
mod requests;

pub use context::Context;

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

/// What the guard sees of a function or of a layer version.
pub type Facts = warden_engine::guard::Facts<Context>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct AccessGuard;

impl Guard for AccessGuard {
    const KIND: GuardKind = GuardKind::Access;
    type Context = Context;

    const EVENTS: &'static [Events] = &[Events {
        service: "lambda",
        names: &[
            Exact("CreateFunction"),
            Prefix("AddLayerVersionPermission"),
            Prefix("AddPermission"),
            Prefix("CreateAlias"),
            Prefix("CreateFunction20"),
            Prefix("CreateFunctionUrlConfig"),
            Prefix("DeleteFunctionUrlConfig"),
            Prefix("DeleteResourcePolicy"),
            Prefix("PublishVersion"),
            Prefix("PutResourcePolicy"),
            Prefix("RemoveLayerVersionPermission"),
            Prefix("RemovePermission"),
            Prefix("TagResource"),
            Prefix("UntagResource"),
            Prefix("UpdateFunctionCode"),
            Prefix("UpdateFunctionUrlConfig"),
        ],
    }];

    const CALLS: &'static [&'static str] = &[
        "lambda:DeleteResourcePolicy",
        "lambda:GetFunction",
        "lambda:GetFunctionUrlConfig",
        "lambda:GetLayerVersionPolicy",
        "lambda:GetPolicy",
        "lambda:GetResourcePolicy",
        "lambda:ListAliases",
        "lambda:ListFunctionUrlConfigs",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
        "lambda:PutResourcePolicy",
        "lambda:RemoveLayerVersionPermission",
        "lambda:RemovePermission",
        "lambda:UpdateFunctionUrlConfig",
    ];

    const NOTHING_FOUND: &'static str = "nothing is wrong with who may invoke it";

    fn owns(surface: &Surface) -> bool {
        matches!(surface, Surface::FunctionUrl(_) | Surface::ResourcePolicy(_) | Surface::LayerPolicy(_))
    }

    fn requests(&self, event: &CloudTrailEvent, settings: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event, settings).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    /// Of a URL that cannot be read the worst is assumed, which is nobody's new rule.
    fn is_judged_by_content(&self, facts: &Facts, _: &Surface) -> bool {
        facts.context.unread.is_empty()
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

    fn add_history(&self, request: &ReconcileRequest, facts: &mut Facts, _: &History) {
        context::add_event(request, &mut facts.context);
    }

    fn unread(&self, facts: &Facts) -> BTreeMap<Surface, String> {
        facts.context.unread.clone()
    }

    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Some(requests::together(surface))
    }
}

impl Fetch<AccessGuard> for Aws {
    async fn fetch(
        &self,
        _: &AccessGuard,
        request: &ReconcileRequest,
        settings: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        fetch::fetch(self, request, settings).await
    }
}

impl Survey<AccessGuard> for Aws {
    async fn survey(
        &self,
        _: &AccessGuard,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
        _: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        let Resource::Function(function) = resource else { return Ok(None) };
        let (surfaces, context) = fetch::surfaces(self, function).await?;
        Ok(Some(Facts { scope: Scope::Tags(tags.clone()), surfaces, context }))
    }
}
