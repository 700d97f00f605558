//! What is to be known of a role, a managed policy or a function beside what its surfaces hold.

use crate::{Facts, requests::Turn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    guard::{Deployment, Judgement, ReconcileRequest, SurfaceSnapshot},
    ledger::state::History,
    model::{
        content::Content,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::{
        fingerprint::Fingerprint,
        iam::{PolicyArn, PolicyName, RoleArn},
        lambda::{FunctionArn, Qualifier},
    },
    plan::PolicyVersion,
};

/// Beside the surfaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Context {
    /// The role's whole ARN, path and all.
    pub arn: Option<String>,
    /// When the role was made, as IAM says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
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
    /// For a function: the fingerprint of all that those roles say, by ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<String, Fingerprint>,
    /// For a function: the roles that it had in force before its last one, the last first; from the ledger.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Content>,
    /// For a function: by version, the aliases that lead to it; read only where a version has a role that breaks a
    /// rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, BTreeSet<String>>,
    /// For a role: the opted-in functions that use it, each with the published versions that do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<FunctionArn, BTreeSet<Qualifier>>,
    /// For a function: the customer's KMS key that its environment is encrypted with, where the guard may not use that.
    pub foreign_key: Option<String>,
    /// For a function: its last update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
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
    /// Whom it bounds; read for the policy itself, and for a role whose boundary was widened by a new version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounded: Option<PolicyUsers>,
    /// Those of the roles that have it which are known to be opted in to `enforce`, and since when where the ledger knows
    /// it; read for the policy itself, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub enforced: BTreeMap<String, Option<Timestamp>>,
}

impl PolicyFacts {
    /// The roles that have it, attached or as their boundary, in the order in which they are looked at: first those that
    /// are opted in to `enforce`, and of these those that have been for longest, so that nobody puts others in front of
    /// them.
    pub(crate) fn roles(&self) -> BTreeMap<Turn, &String> {
        let all: BTreeSet<&String> = self.users.iter().chain(&self.bounded).flat_map(|users| &users.roles).collect();
        let turn = |name: &String| match self.enforced.get(name) {
            Some(since) => Turn { is_late: false, since: since.unwrap_or(Timestamp::MAX), name: name.clone() },
            None => Turn { is_late: true, since: Timestamp::MAX, name: name.clone() },
        };
        all.into_iter().map(|name| (turn(name), name)).collect()
    }

    /// Whether it bounds anybody.
    pub(crate) fn is_boundary(&self) -> bool {
        self.bounds > 0
    }

    /// Whether it goes back to this, which it said before it was widened as a boundary.
    pub(crate) fn goes_back_to(&self, before: &Content) -> bool {
        self.is_boundary() && self.keeps_from_going_back().is_none() && self.version_that_says(before).is_some()
    }

    /// The version that says this.
    pub(crate) fn version_that_says(&self, content: &Content) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.says(content))
    }

    /// Why a policy that is a boundary does not go back to what it said: it and everybody who has it must be opted in
    /// to `enforce`. None where it may.
    pub(crate) fn keeps_from_going_back(&self) -> Option<String> {
        let tags = OptIn::from_tags(&self.tags, GuardKind::Role, jiff::civil::Date::MIN);
        let untagged =
            (tags.mode != Mode::Enforce).then(|| "the policy does not carry the tag with `enforce`".to_owned());
        let strangers = |users: &Option<PolicyUsers>| match users.as_ref().and_then(|users| users.strangers.clone()) {
            None => vec!["some that could not be read".to_owned()],
            Some(strangers) => strangers,
        };
        let mut others = strangers(&self.bounded);
        others.extend(strangers(&self.users));
        others.sort();
        others.dedup();
        let others =
            (!others.is_empty()).then(|| format!("these that have it are not opted in: {}", others.join(", ")));
        let why: Vec<String> = untagged.into_iter().chain(others).collect();
        (!why.is_empty()).then(|| why.join(", and "))
    }
}

/// Who has a managed policy, attached or as a permissions boundary.
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

/// What stands on a role in the place of a managed policy that was attached to it: one of the role's own policies, or a
/// copy of Warden's. `in_force` is what the attachment held.
pub(crate) fn moved(role: &RoleArn, policy: &PolicyArn, in_force: &Content) -> Vec<(Surface, Content)> {
    let own = Some(in_force.stand_in()).filter(|own| !own.is_absent());
    let copy = Some(in_force.copy()).filter(|copy| !copy.is_absent());
    let own = own.map(|own| (Surface::InlinePolicy(policy.stand_in()), own));
    let copy = copy.map(|copy| {
        let arn = policy.copy_for(role);
        let content = Content::of_policy(arn.policy(), &copy);
        (Surface::Attachment(arn.into()), content)
    });
    own.into_iter().chain(copy).collect()
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
    context.earlier = history.surfaces.get(&Surface::Role(None)).map(|state| state.earlier.clone()).unwrap_or_default();
    let Resource::Role(role) = &request.resource else { return };
    if let Some(state) = history.surfaces.get(&Surface::Trust) {
        context.first_trust.clone_from(&state.first);
        let accepted = state.acceptances.iter().flat_map(|acceptance| &acceptance.findings);
        context.standing_trust = accepted.chain(state.pre_existing.keys()).map(|key| key.fragment).collect();
    }
    // What Warden itself has put in the place of a policy is known before it is looked at for the first time.
    let made =
        context.baselines.iter().filter_map(|(surface, baseline)| Some(moved(role, surface.attached()?, baseline)));
    for (surface, content) in made.flatten().collect::<Vec<_>>() {
        if facts.surfaces.get(&surface).is_some_and(|snapshot| snapshot.content == content) {
            context.baselines.insert(surface, content);
        } else {
            context.baselines.entry(surface).or_insert(content);
        }
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
