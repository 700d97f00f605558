//! secret-guard: plaintext secrets in environment variables.
//!
//! `requests` says which events concern it, `fetch` reads, `judge` and `remedy` decide. Values are seen by `fetch`
//! alone, which hands them to the detector and to nobody else; what leaves it is a digest. Everything else is the
//! engine's.

mod aws_layers;
mod boundary;
mod cleanup;
mod context;
mod extension_variables;
mod fetch;
mod high_entropy;
mod history;
mod judge;
mod preflight;
mod remedy;
mod requests;

pub use context::{Boundary, CodeSigning, Context, KnownValue, Package, Published, Random, StoredNow, Suspect, Trust};
pub use fetch::suspect;
pub use high_entropy::{is_high_entropy, is_no_chance};

use jiff::Timestamp;
use std::collections::BTreeMap;
use warden_aws::Aws;
use warden_engine::{
    Finding,
    call_error::CallError,
    guard::{
        Deployment,
        EventName::{Exact, Prefix},
        Events, Fetch, Guard, Judgement, ReconcileRequest, Remedy, Survey,
    },
    ledger::state::History,
    model::{
        cloudtrail::CloudTrailEvent,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::fingerprint::Fingerprint,
    plan::Plan,
    secret::values::Values,
};

/// What the guard sees of a function.
pub type Facts = warden_engine::guard::Facts<Option<Context>>;

/// The guard.
#[derive(Clone, Copy, Debug)]
pub struct SecretGuard;

impl Guard for SecretGuard {
    const KIND: GuardKind = GuardKind::Secrets;
    type Context = Option<Context>;

    const EVENTS: &'static [Events] = &[Events {
        service: "lambda",
        names: &[
            Exact("CreateFunction"),
            Exact("DeleteFunction"),
            Prefix("CreateFunction20"),
            Prefix("DeleteFunction20"),
            Prefix("DeleteFunctionCodeSigningConfig"),
            Prefix("PublishVersion"),
            Prefix("TagResource"),
            Prefix("UntagResource"),
            Prefix("UpdateFunctionCode"),
            Prefix("UpdateFunctionConfiguration"),
            Prefix("UploadFunction"),
        ],
    }];

    /// GetLayerVersion is also what Lambda asks of whoever sets layers, TagResource what Secrets Manager asks of
    /// whoever creates a secret with tags, ListTags what Lambda asks of whoever wants GetFunction to name the tags.
    const CALLS: &'static [&'static str] = &[
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "lambda:GetFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetLayerVersion",
        "lambda:ListFunctions",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
        "lambda:UpdateFunctionConfiguration",
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutResourcePolicy",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UpdateSecretVersionStage",
    ];

    const NOTHING_FOUND: &'static str = "no secret is seen in its environment";

    fn owns(surface: &Surface) -> bool {
        matches!(surface, Surface::Environment(_) | Surface::Secret(_))
    }

    fn requests(&self, event: &CloudTrailEvent, _: &Settings) -> Vec<ReconcileRequest> {
        requests::requests(event).into_iter().collect()
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        judge::judge(facts, surface, settings)
    }

    /// What is known of values, secrets and layers counts as well.
    fn is_judged_by_content(&self, _: &Facts, _: &Surface) -> bool {
        false
    }

    fn add_history(&self, _: &ReconcileRequest, facts: &mut Facts, history: &History) {
        history::add_history(facts, history);
    }

    fn remember(&self, facts: &Facts, surface: &Surface, values: &mut Values) {
        history::remember(facts, surface, values);
    }

    fn created(&self, facts: &Facts) -> Option<Timestamp> {
        // A function that was changed since it was made has a later time, so that its creation is no recent one.
        Some(facts.context.as_ref()?.deployment?.changed)
    }

    fn deployment(&self, facts: &Facts) -> Option<Deployment> {
        facts.context.as_ref()?.deployment
    }

    fn remember_readers(&self, facts: &Facts, surface: &Surface, readers: &mut BTreeMap<String, Fingerprint>) {
        history::remember_readers(facts, surface, readers);
    }

    fn retains(&self, resource: &Resource) -> Option<Surface> {
        matches!(resource, Resource::Function(_)).then_some(Surface::Environment(None))
    }

    fn cleanup(&self, resource: &Resource, surface: &Surface, kept: &Content) -> Option<Result<Plan, String>> {
        cleanup::cleanup(resource, surface, kept)
    }

    fn remedy(
        &self,
        resource: &Resource,
        facts: &Facts,
        surface: &Surface,
        findings: &[Finding],
        _: Option<&Content>,
        settings: &Settings,
    ) -> Remedy {
        remedy::remedy(resource, facts, surface, findings, settings)
    }
}

impl Fetch<SecretGuard> for Aws {
    async fn fetch(
        &self,
        _: &SecretGuard,
        request: &ReconcileRequest,
        settings: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        fetch::fetch(self, request, settings).await
    }

    async fn fetch_more(
        &self,
        _: &SecretGuard,
        request: &ReconcileRequest,
        facts: &mut Facts,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        fetch::fetch_more(self, request, facts, history, settings).await
    }
}

impl Survey<SecretGuard> for Aws {
    async fn survey(
        &self,
        _: &SecretGuard,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
        settings: &Settings,
    ) -> Result<Option<Facts>, CallError> {
        let Resource::Function(function) = resource else { return Ok(None) };
        fetch::survey(self, function, tags, settings).await
    }
}
