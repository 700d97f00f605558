//! secret-guard: plaintext secrets in environment variables.
//!
//! `looks` says which events concern it, `observe` reads, `judge` and `remedy` decide. Values are seen by `observe` alone, which hands
//! them to the detector and to nobody else; what leaves it is a portrait. Everything else is the engine's.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod boundary;
mod context;
mod extension;
mod judge;
mod looks;
mod observe;
mod obstacle;
mod recall;
mod remains;
mod remedy;
mod unmistakable;

pub use context::{Boundary, Context, KnownValue, Package, Published, StoredNow, Suspect};
pub use observe::suspect;
pub use unmistakable::is_unmistakable;

use std::collections::BTreeMap;
use warden_aws::Aws;
use warden_engine::{
    Finding,
    arn::FunctionArn,
    call_error::CallError,
    content::Content,
    guard::{Guard, Judgement, Look, Observe, Remedy},
    plan::Plan,
    settings::Settings,
    state::History,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
    values::Values,
};

/// What the guard sees of a function.
pub type Facts = warden_engine::guard::Facts<Option<Context>>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct SecretGuard;

impl SecretGuard {
    /// What the guard would see of a function that had these tags; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn survey(
        aws: &Aws,
        function: &FunctionArn,
        tags: &BTreeMap<String, String>,
        settings: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        observe::survey(aws, function, tags, settings).await
    }
}

impl Guard for SecretGuard {
    const KIND: GuardKind = GuardKind::Secrets;
    type Context = Option<Context>;

    fn looks(&self, trigger: &Trigger, _: &Settings) -> Vec<Look> {
        looks::looks(trigger).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    fn recall(&self, _: &Look, facts: &mut Facts, history: &History) {
        recall::recall(facts, history);
    }

    fn remember(&self, facts: &Facts, surface: &Surface, values: &mut Values) {
        recall::remember(facts, surface, values);
    }

    fn keeps(&self, subject: &Subject) -> Option<Surface> {
        matches!(subject, Subject::Function(_)).then_some(Surface::Environment(None))
    }

    fn put_away(&self, subject: &Subject, surface: &Surface, kept: &Content) -> Option<Result<Plan, String>> {
        remains::put_away(subject, surface, kept)
    }

    fn remedy(
        &self,
        subject: &Subject,
        facts: &Facts,
        surface: &Surface,
        findings: &[Finding],
        _: Option<&Content>,
        settings: &Settings,
    ) -> Remedy {
        remedy::remedy(subject, facts, surface, findings, settings)
    }
}

impl Observe<SecretGuard> for Aws {
    async fn observe(&self, _: &SecretGuard, look: &Look, settings: &Settings) -> Result<Option<Facts>, CallError> {
        observe::observe(self, look, settings).await
    }

    async fn complete(
        &self,
        _: &SecretGuard,
        look: &Look,
        facts: &mut Facts,
        history: &History,
        _: &Settings,
    ) -> Result<(), CallError> {
        observe::complete(self, look, facts, history).await
    }
}
