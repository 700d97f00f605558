//! What is to be known of a role, a managed policy or a function beside what its surfaces hold.

use crate::Facts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    guard::{Judgement, ReconcileRequest, SurfaceSnapshot},
    ledger::state::History,
    model::{
        content::Content,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::{
        fingerprint::Fingerprint,
        iam::{PolicyArn, PolicyName},
    },
    plan::PolicyVersion,
};

/// Beside the surfaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Context {
    /// The role's whole ARN, path and all.
    pub arn: Option<String>,
    /// Documents word for word, where they may have to be written again.
    pub texts: BTreeMap<Surface, String>,
    /// The role's own policies, by name.
    pub inline: BTreeSet<PolicyName>,
    /// The managed policies attached to the role.
    pub attached: BTreeSet<PolicyArn>,
    /// The role's permissions boundary.
    pub boundary: Option<PolicyArn>,
    /// What is known of managed policies.
    pub policies: BTreeMap<PolicyArn, PolicyFacts>,
    /// For a function: whether it runs on Lambda Managed Instances, where what is changed does not run until it is
    /// published again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_managed_instances: bool,
    /// For a function: what is wrong with its role, and with the one it had, by ARN.
    pub roles: BTreeMap<String, Judgement>,
    /// For a function: the customer's KMS key that its environment is encrypted with, where the guard may not use that.
    pub foreign_key: Option<String>,
    /// From the ledger: what was last in force on each surface.
    pub baselines: BTreeMap<Surface, Content>,
    /// From the ledger: the trust policy that the role had when it was opted in.
    pub first_trust: Option<Content>,
    /// From the ledger: statements of the trust policy whose newcomers are let be, because they were accepted or stood
    /// before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub standing_trust: BTreeSet<Fingerprint>,
    /// From the ledger, for a function: the roles that stood before its opt-in.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub standing: BTreeSet<Fingerprint>,
    /// From the ledger: surfaces that were not there when the whole resource was looked at, and are now.
    pub added: BTreeSet<Surface>,
}

/// A managed policy, as far as it decides what is done about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicyFacts {
    /// What its default version says.
    pub document: Content,
    /// The id of its default version.
    pub version: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How many principals have it as their permissions boundary.
    pub bounds: u32,
    /// All its versions, newest first; read only where the policy breaks a rule.
    pub versions: Vec<PolicyVersion>,
    /// Whether the ledger knows what it said when it was last in force.
    pub restorable: bool,
    /// Who has it attached; read for the policy itself, and where one that carries the tag breaks a rule.
    pub users: Option<PolicyUsers>,
}

/// Who has a managed policy attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicyUsers {
    /// The names of the roles.
    pub roles: BTreeSet<String>,
    /// Those for whom a change of the policy would not be right, in words; read only where the policy breaks a rule.
    pub strangers: Option<Vec<String>>,
}

impl PolicyUsers {
    /// Whether everybody who has the policy is opted in to `enforce`.
    pub fn all_opted_in(&self) -> bool {
        self.strangers.as_ref().is_some_and(Vec::is_empty)
    }
}

/// Brings what is known of a role's policies in line with its surfaces.
pub(crate) fn complete(facts: &mut Facts) {
    if !facts.surfaces.contains_key(&Surface::Boundary) {
        return;
    }
    let attached = facts.surfaces.iter().filter(|(surface, _)| matches!(surface, Surface::Attachment(_)));
    facts.context.attached = attached.filter_map(|(_, snapshot)| snapshot.content.policy()).collect();
    facts.context.boundary = facts.surfaces.get(&Surface::Boundary).and_then(|snapshot| snapshot.content.policy());
}

/// Adds what the ledger knows.
pub(crate) fn add_history(request: &ReconcileRequest, facts: &mut Facts, history: &History) {
    let context = &mut facts.context;
    let baseline = |(surface, state): (&Surface, &warden_engine::ledger::state::SurfaceState)| {
        Some((surface.clone(), state.baseline.clone()?))
    };
    context.baselines = history.surfaces.iter().filter_map(baseline).collect();
    let roles = history.surfaces.iter().filter(|(surface, _)| matches!(surface, Surface::Role(_)));
    context.standing = roles.flat_map(|(_, state)| state.pre_existing.keys()).map(|key| key.fragment).collect();
    let Resource::Role(role) = &request.resource else { return };
    if let Some(state) = history.surfaces.get(&Surface::Trust) {
        context.first_trust.clone_from(&state.first);
        let accepted = state.acceptances.iter().flat_map(|acceptance| &acceptance.findings);
        context.standing_trust = accepted.chain(state.pre_existing.keys()).map(|key| key.fragment).collect();
    }
    // What Warden's own copies say is known before they are looked at for the first time.
    let made = context.baselines.iter().filter_map(|(surface, baseline)| {
        let copy = surface.attached().filter(|_| !baseline.copy().is_absent())?.copy_for(role);
        let content = Content::of_policy(copy.policy(), &baseline.copy());
        Some((Surface::Attachment(copy.into()), content))
    });
    for (surface, content) in made.collect::<Vec<_>>() {
        context.baselines.entry(surface).or_insert(content);
    }
    let surveyed =
        history.head.guards.get(&GuardKind::Role).is_some_and(|known| known.surveyed && known.mode != Mode::Off);
    let was_absent = |surface: &Surface| match (context.baselines.get(surface), history.surfaces.get(surface)) {
        (Some(baseline), _) => baseline.policy().is_none(),
        (None, Some(_)) => false,
        (None, None) => surveyed,
    };
    let attached = facts
        .surfaces
        .iter()
        .filter(|(surface, snapshot)| matches!(surface, Surface::Attachment(_)) && snapshot.content.policy().is_some());
    context.added = attached.map(|(surface, _)| surface).filter(|surface| was_absent(surface)).cloned().collect();
    // The lists are complete: what is not in them is not there, and somebody may have begun something on it.
    if facts.surfaces.is_empty() {
        return;
    }
    for surface in history.surfaces.keys() {
        let content = if let Some(policy) = surface.attached() {
            let stand_in = facts.surfaces.get(&Surface::InlinePolicy(policy.stand_in()));
            let stand_in = stand_in.map(|snapshot| snapshot.content.clone()).unwrap_or_default();
            let copy = Surface::Attachment(policy.copy_for(role).into());
            let copied = facts.surfaces.get(&copy).map(|snapshot| snapshot.content.policy_document());
            Content::ABSENT.with_stand_in(&stand_in).with_copy(&copied.unwrap_or_default())
        } else if let Surface::InlinePolicy(_) = surface {
            Content::ABSENT
        } else {
            // Always there, or none of a role's.
            continue;
        };
        facts.surfaces.entry(surface.clone()).or_insert(SurfaceSnapshot { content, revision: None });
    }
}
