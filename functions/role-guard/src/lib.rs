//! role-guard: what a function's role may do, who may assume it, and which role the function has.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide, `context` is what they need to know beside
//! documents. Everything else is the engine's.
//!
//! A role is looked at as a whole, because its policies are judged together. It is changed only with a tag of its own; an opted-in
//! function's role without one is judged and reported.

mod context;
mod fetch;
mod judge;
mod protection;
mod remedy;
mod requests;

pub use context::{Context, PolicyFacts, PolicyUsers};

use std::collections::BTreeSet;
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    guard::{Fetch, Guard, Judgement, ReconcileRequest, Remedy},
    ledger::state::History,
    model::{
        cloudtrail::CloudTrailEvent,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::iam::RoleArn,
};

/// What the guard sees of a role, a managed policy or a function.
pub type Facts = warden_engine::guard::Facts<Context>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct RoleGuard;

impl RoleGuard {
    /// Everything that the guard watches on a role, also on one that is not opted in: to say beforehand what it would find. `None`
    /// where there is no such role.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn survey(aws: &Aws, role: &RoleArn) -> Result<Option<Facts>, CallError> {
        fetch::survey(aws, role).await
    }

    /// Whom beside Lambda a role serves, in words: with them it is never changed.
    pub fn strangers(facts: &Facts, settings: &Settings) -> Option<String> {
        remedy::strangers(facts, settings)
    }
}

impl Guard for RoleGuard {
    const KIND: GuardKind = GuardKind::Role;
    type Context = Context;

    fn requests(&self, event: &CloudTrailEvent, _: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event).into_iter().collect()
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

    fn add_history(&self, request: &ReconcileRequest, facts: &mut Facts, history: &History) {
        context::add_history(request, facts, history);
    }

    /// A role's policies are judged together; a function has one surface here, and so has a managed policy.
    fn together(&self, _: &Surface) -> Option<BTreeSet<Surface>> {
        None
    }

    fn follows(&self, request: &ReconcileRequest, facts: &Facts, settings: &Settings) -> Vec<ReconcileRequest> {
        requests::follows(request, facts, settings)
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
}
