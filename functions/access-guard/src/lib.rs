//! access-guard: who may invoke a function, through its policies and URLs, and who may use a layer version.
//!
//! `looks` says which events concern it, `observe` reads, `judge` and `remedy` decide. Everything else is the engine's.

mod judge;
mod looks;
mod observe;
mod remedy;

use std::collections::{BTreeMap, BTreeSet};
use warden_aws::Aws;
use warden_engine::{
    Finding,
    arn::FunctionArn,
    call_error::CallError,
    content::Content,
    guard::{Facts, Guard, Judgement, Look, Observe, Remedy, Sighting},
    settings::Settings,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
};

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct AccessGuard;

impl AccessGuard {
    /// Everything that the guard watches on a function, also on one that is not opted in: to say beforehand what it would find.
    ///
    /// # Errors
    /// The call that failed; the function must be there.
    pub async fn survey(aws: &Aws, function: &FunctionArn) -> Result<BTreeMap<Surface, Sighting>, CallError> {
        observe::surfaces(aws, function).await
    }
}

impl Guard for AccessGuard {
    const KIND: GuardKind = GuardKind::Access;
    type Context = ();

    fn looks(&self, trigger: &Trigger, settings: &Settings) -> Vec<Look> {
        looks::looks(trigger, settings).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    fn remedy(
        &self,
        subject: &Subject,
        facts: &Facts,
        surface: &Surface,
        findings: &[Finding],
        baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy {
        remedy::remedy(subject, facts, surface, findings, baseline, settings)
    }

    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Some(looks::together(surface))
    }
}

impl Observe<AccessGuard> for Aws {
    async fn observe(&self, _: &AccessGuard, look: &Look, settings: &Settings) -> Result<Option<Facts>, CallError> {
        observe::observe(self, look, settings).await
    }
}
