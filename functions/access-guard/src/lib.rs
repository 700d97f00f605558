//! access-guard: who may invoke a function, through its policies and URLs, and who may use a layer version.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide. Everything else is the engine's.

mod fetch;
mod judge;
mod remedy;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    guard::{Facts, Fetch, Guard, Judgement, ReconcileRequest, Remedy, SurfaceSnapshot},
    model::{
        cloudtrail::CloudTrailEvent,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::lambda::FunctionArn,
};

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct AccessGuard;

impl AccessGuard {
    /// Everything that the guard watches on a function, also on one that is not opted in: to say beforehand what it would find.
    ///
    /// # Errors
    /// The call that failed; the function must be there.
    pub async fn survey(aws: &Aws, function: &FunctionArn) -> Result<BTreeMap<Surface, SurfaceSnapshot>, CallError> {
        fetch::surfaces(aws, function).await
    }
}

impl Guard for AccessGuard {
    const KIND: GuardKind = GuardKind::Access;
    type Context = ();

    fn requests(&self, event: &CloudTrailEvent, settings: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event, settings).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
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
