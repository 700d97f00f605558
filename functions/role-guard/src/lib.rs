//! role-guard: what a function's role may do, who may assume it, and which role the function has.
//!
//! `looks` says which events concern it, `observe` reads, `judge` and `remedy` decide, `context` is what they need to know beside
//! documents. Everything else is the engine's.
//!
//! A role is looked at as a whole, because its policies are judged together. It is changed only with a tag of its own; an opted-in
//! function's role without one is judged and reported.

mod context;
mod judge;
mod looks;
mod observe;
mod protection;
mod remedy;

pub use context::{Context, PolicyFacts, PolicyUsers};

use std::collections::BTreeSet;
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    content::Content,
    guard::{Guard, Judgement, Look, Observe, Remedy},
    iam::RoleArn,
    settings::Settings,
    state::History,
    surface::{Subject, Surface},
    tags::GuardKind,
    trigger::Trigger,
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
        observe::survey(aws, role).await
    }

    /// Whom beside Lambda a role serves, in words: with them it is never changed.
    pub fn strangers(facts: &Facts, settings: &Settings) -> Option<String> {
        remedy::strangers(facts, settings)
    }
}

impl Guard for RoleGuard {
    const KIND: GuardKind = GuardKind::Role;
    type Context = Context;

    fn looks(&self, trigger: &Trigger, _: &Settings) -> Vec<Look> {
        looks::looks(trigger).into_iter().collect()
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

    fn recall(&self, look: &Look, facts: &mut Facts, history: &History) {
        context::recall(look, facts, history);
    }

    /// A role's policies are judged together; a function has one surface here, and so has a managed policy.
    fn together(&self, _: &Surface) -> Option<BTreeSet<Surface>> {
        None
    }

    fn follows(&self, look: &Look, facts: &Facts, settings: &Settings) -> Vec<Look> {
        looks::follows(look, facts, settings)
    }

    fn never_touch(&self, subject: &Subject, facts: &Facts, settings: &Settings) -> bool {
        protection::never_touch(subject, facts, settings)
    }
}

impl Observe<RoleGuard> for Aws {
    async fn observe(&self, _: &RoleGuard, look: &Look, _: &Settings) -> Result<Option<Facts>, CallError> {
        observe::observe(self, look).await
    }

    async fn complete(
        &self,
        _: &RoleGuard,
        look: &Look,
        facts: &mut Facts,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        observe::complete(self, look, facts, history, settings).await
    }
}
