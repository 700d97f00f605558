//! What a role may do to itself and to its guards, by name: few words that are worth as much as `*`.

use super::{condition_scope::ConditionScope, grants::selects};
use crate::{
    Context, Document, Effect, Selection, Statement, Values,
    breadth::{Reach, Scratch},
    pattern,
    service_table::{self, Action},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is known of a role beside what its policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Itself {
    /// Its ARN, path and all.
    pub arn: Option<String>,
    /// Further ARNs by which a document may name it, where its own is not known before it exists.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
    /// The ARNs of the managed policies that are attached to it.
    pub policies: BTreeSet<String>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// The ARNs of Warden's own: its table, keys, secrets and guards. A star at the end stands for any name.
    pub warden: BTreeSet<String>,
}

/// With these a role gives itself permissions
/// (<https://pathfinding.cloud/paths/iam-005>, <https://pathfinding.cloud/paths/iam-009>).
const ON_ROLE: &[&str] = &["iam:AttachRolePolicy", "iam:PutRolePolicy"];
/// With these it leaves its boundary
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>).
const ON_BOUNDED_ROLE: &[&str] = &["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"];
/// With these it rewrites a policy that it has (<https://pathfinding.cloud/paths/iam-001>).
const ON_POLICY: &[&str] = &["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"];
/// With these it forges what only Warden may say, or takes the key away.
const ON_KEY: &[&str] = &[
    "kms:CreateGrant",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:GenerateMac",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:ScheduleKeyDeletion",
    "kms:UpdatePrimaryRegion",
];

/// A way that one statement opens.
pub(super) struct Way {
    pub(super) policy: usize,
    pub(super) index: usize,
    /// The actions with which it is taken.
    pub(super) actions: Vec<Action>,
    /// The resources that name what it leads to, by their index.
    pub(super) resources: BTreeSet<usize>,
    /// What the role could do.
    pub(super) what: &'static str,
}

/// Something that a role must not have in its hands, and the actions with which it would.
struct Target<'i> {
    arn: &'i str,
    actions: Vec<Action>,
    what: &'static str,
}

impl Itself {
    fn targets(&self) -> Vec<Target<'_>> {
        let named = |names: &[&[&str]]| -> Vec<Action> {
            names.iter().copied().flatten().filter_map(|name| service_table::action(name)).collect()
        };
        let mut targets = Vec::new();
        for arn in self.arn.iter().chain(&self.names) {
            let bounded: &[&str] = if self.boundary.is_some() { ON_BOUNDED_ROLE } else { &[] };
            targets.push(Target { arn, actions: named(&[ON_ROLE, bounded]), what: "it may write its own policies" });
        }
        // Nobody writes a policy of AWS.
        let own = |arn: &&String| !arn.contains(":iam::aws:");
        for arn in self.policies.iter().chain(&self.boundary).filter(own) {
            targets.push(Target { arn, actions: named(&[ON_POLICY]), what: "it may rewrite a policy that it has" });
        }
        for arn in &self.warden {
            let service = arn.split(':').nth(2).and_then(service_table::service);
            let writes = || {
                let all = service.map(service_table::actions_of).unwrap_or_default();
                all.filter(|action| service_table::is_write(*action) && service_table::is_scopable(*action)).collect()
            };
            let (actions, what) = match arn.split(':').nth(2) {
                Some("kms") => (named(&[ON_KEY]), "it may speak for Warden, or take its key away"),
                Some("lambda") => (writes(), "it may start or change a guard"),
                Some("secretsmanager") => (writes(), "it may change the secrets that Warden keeps"),
                Some(_) | None => (writes(), "it may change what Warden remembers"),
            };
            targets.push(Target { arn, actions, what });
        }
        targets
    }
}

/// Every way that a role's statements open by name. What is granted broadly is told of by other rules, or is no more
/// than everybody may do who may do it to everything.
pub(super) fn ways(
    policies: &[&Document<'_>],
    boundary: Option<&Document<'_>>,
    itself: &Itself,
    context: &Context,
) -> Vec<Way> {
    let targets = itself.targets();
    let mut ways: Vec<Way> = Vec::new();
    let mut scratch = Scratch::default();
    for (policy, document) in policies.iter().enumerate().filter(|_| !targets.is_empty()) {
        for (index, statement) in document.statements.iter().enumerate() {
            let Some(Selection::Only(resources)) = &statement.resources else { continue };
            let scope = ConditionScope::read(statement, document.version, context);
            if statement.effect != Effect::Allow || scope.is_nothing_broad() {
                continue;
            }
            for target in &targets {
                let named = resources.iter().enumerate().filter(|(_, resource)| touches(resource, target.arn));
                let named: Vec<(usize, &str)> = named.collect();
                if named.is_empty() {
                    continue;
                }
                let grants = |action: &Action| {
                    let mut name = String::new();
                    service_table::push_name(*action, &mut name);
                    selects(&statement.actions, &name)
                        && !denied(policies, &name, target.arn)
                        && boundary.is_none_or(|boundary| leaves(boundary, &name, target.arn))
                };
                let mut way = Way {
                    policy,
                    index,
                    actions: target.actions.iter().copied().filter(grants).collect(),
                    resources: BTreeSet::new(),
                    what: target.what,
                };
                let Some(example) = way.actions.first() else { continue };
                for (nth, resource) in named {
                    let alone = Selection::Only(Values::One(resource.into()));
                    let broad = match Reach::read(&alone, document.version, context) {
                        Reach::All => true,
                        Reach::Named => false,
                        Reach::Patterns(patterns) => {
                            scratch.begin_statement();
                            patterns.are_broad_for(*example, &mut scratch)
                        }
                    };
                    if !broad {
                        way.resources.insert(nth);
                    }
                }
                if !way.resources.is_empty() {
                    ways.push(way);
                }
            }
        }
    }
    ways
}

/// Whether a resource of a policy fits something, or, where that ends in a star, one of those.
fn touches(resource: &str, arn: &str) -> bool {
    match arn.strip_suffix('*') {
        None => pattern::fits(resource, arn),
        Some(start) => {
            let region = |field: &str| start.replacen(":*:", field, 1);
            pattern::fits(arn, resource) || pattern::fits(resource, &format!("{}\u{5}", region(":\u{5}:")))
        }
    }
}

/// Whether a statement without conditions forbids it.
fn denied(policies: &[&Document<'_>], action: &str, arn: &str) -> bool {
    let forbids = |statement: &Statement<'_>| {
        statement.effect == Effect::Deny
            && statement.conditions.is_empty()
            && selects(&statement.actions, action)
            && match &statement.resources {
                Some(Selection::Only(all)) => all.iter().any(|one| pattern::fits(one, arn)),
                Some(Selection::Except(spared)) => !spared.iter().any(|one| one.contains('$') || touches(one, arn)),
                None => false,
            }
    };
    policies.iter().flat_map(|document| &document.statements).any(forbids)
}

/// Whether a boundary lets it through.
fn leaves(boundary: &Document<'_>, action: &str, arn: &str) -> bool {
    let allows = |statement: &Statement<'_>| {
        let reaches = match &statement.resources {
            Some(Selection::Only(all)) => all.iter().any(|one| touches(one, arn)),
            Some(Selection::Except(_)) | None => true,
        };
        statement.effect == Effect::Allow && selects(&statement.actions, action) && reaches
    };
    boundary.statements.iter().any(allows) && !denied(&[boundary], action, arn)
}
