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
mod remedy;
mod unmistakable;

pub use context::{Boundary, Context, KnownValue, Package, StoredNow, Suspect};
pub use observe::suspect;

use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    content::Content,
    guard::{Guard, Judgement, Look, Observe, Remedy},
    settings::Settings,
    state::History,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
};

/// What the guard sees of a function.
pub type Facts = warden_engine::guard::Facts<Option<Context>>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct SecretGuard;

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
    async fn observe(&self, _: &SecretGuard, look: &Look, _: &Settings) -> Result<Option<Facts>, CallError> {
        observe::observe(self, look).await
    }
}
