//! secret-guard: plaintext secrets in environment variables.
//!
//! `looks` says which events concern it, `observe` reads, `judge` and `remedy` decide. Values are seen by `observe` alone, which hands
//! them to the detector and to nobody else; what leaves it is a portrait. Everything else is the engine's.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod boundary;
mod extension;
mod judge;
mod looks;
mod observe;
mod obstacle;
mod remedy;

/// The guard's pure parts: what it thinks, without an AWS account.
pub use crate::{boundary::boundary, judge::judge, looks::looks, observe::suspect, remedy::remedy};

use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    content::Content,
    environment::FunctionFacts,
    guard::{Facts, Guard, Judgement, Look, Remedy},
    settings::Settings,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
};

/// The guard, on an AWS account.
#[derive(Debug)]
pub struct SecretGuard<'a> {
    aws: &'a Aws,
}

impl<'a> SecretGuard<'a> {
    /// A guard that reads through `aws`.
    pub fn new(aws: &'a Aws) -> Self {
        SecretGuard { aws }
    }
}

impl Guard for SecretGuard<'_> {
    const KIND: GuardKind = GuardKind::Secrets;
    type Context = Option<FunctionFacts>;

    fn looks(&self, trigger: &Trigger) -> Vec<Look> {
        looks(trigger).into_iter().collect()
    }

    async fn observe(&self, look: &Look) -> Result<Option<Facts<Option<FunctionFacts>>>, CallError> {
        observe::observe(self.aws, look).await
    }

    fn judge(&self, facts: &Facts<Option<FunctionFacts>>, surface: &Surface, settings: &Settings) -> Judgement {
        judge(facts, surface, settings)
    }

    fn remedy(
        &self,
        subject: &Subject,
        facts: &Facts<Option<FunctionFacts>>,
        surface: &Surface,
        findings: &[Finding],
        _baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy {
        remedy(subject, facts, surface, findings, settings)
    }
}
