//! access-guard: who may invoke a function, through its policies and URLs, and who may use a layer version.
//!
//! `looks` says which events concern it, `observe` reads, `judge` and `remedy` decide. Everything else is the engine's.

mod judge;
mod looks;
mod observe;
mod remedy;

/// The guard's pure parts: what it thinks, without an AWS account.
pub use crate::{judge::judge, looks::looks, remedy::remedy};

use std::collections::BTreeMap;
use warden_aws::Aws;
use warden_engine::{
    Finding,
    arn::FunctionArn,
    call_error::CallError,
    content::Content,
    guard::{Facts, Guard, Judgement, Look, Remedy, Sighting},
    settings::Settings,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
};

/// The guard, on an AWS account.
#[derive(Debug)]
pub struct AccessGuard<'a> {
    aws: &'a Aws,
    settings: &'a Settings,
}

impl<'a> AccessGuard<'a> {
    /// A guard that reads through `aws`.
    pub fn new(aws: &'a Aws, settings: &'a Settings) -> Self {
        AccessGuard { aws, settings }
    }

    /// Everything that the guard watches on a function, also on one that is not opted in: to say beforehand what it would find.
    ///
    /// # Errors
    /// The call that failed; the function must be there.
    pub async fn survey(&self, function: &FunctionArn) -> Result<BTreeMap<Surface, Sighting>, CallError> {
        observe::surfaces(self.aws, function).await
    }
}

impl Guard for AccessGuard<'_> {
    const KIND: GuardKind = GuardKind::Access;
    type Context = ();

    fn looks(&self, trigger: &Trigger) -> Vec<Look> {
        looks(trigger, self.settings).into_iter().collect()
    }

    async fn observe(&self, look: &Look) -> Result<Option<Facts>, CallError> {
        observe::observe(self.aws, look, self.settings).await
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge(facts, surface, settings)
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
        remedy(subject, facts, surface, findings, baseline, settings)
    }
}
