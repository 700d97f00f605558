//! The least change that puts a role right.

mod managed;
mod permissions;
mod trust;

pub(crate) use trust::strangers;

use self::trust::serves_others;
use crate::{Facts, judge::can_come_back, requests::role_of};
use warden_engine::{
    Finding,
    guard::Remedy,
    model::{
        content::Content,
        managed_instances::{not_in_service, publish_again},
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::{
        fingerprint::Fingerprint,
        iam::RoleArn,
        lambda::{FunctionArn, Qualifier},
    },
    plan::{Call, Plan},
    secret::environment::KEY_RIGHTS,
};

/// Plans how to put `findings` on `surface` right.
pub(crate) fn remedy(
    resource: &Resource,
    facts: &Facts,
    surface: &Surface,
    findings: &[Finding],
    baseline: Option<&Content>,
    settings: &Settings,
) -> Remedy {
    let Some(content) = facts.surfaces.get(surface).map(|snapshot| &snapshot.content) else {
        return Remedy::default();
    };
    let task = Task { facts, surface, content, findings, baseline, settings };
    match (resource, surface) {
        (Resource::Role(role), Surface::Trust) => task.trust(role),
        (Resource::Role(role), _) => match strangers(facts, settings) {
            Some(strangers) => task.nothing_safe(&serves_others(&strangers)),
            None => task.on_role(role),
        },
        (Resource::Policy(policy), Surface::ManagedPolicy(_)) => task.managed_policy(policy),
        (Resource::Function(function), Surface::Role(None)) => task.swap(function),
        (Resource::Function(function), Surface::Role(Some(version))) => task.published(function, version),
        // Other guards' resources and surfaces.
        (Resource::Policy(_) | Resource::Function(_) | Resource::LayerVersion(_) | Resource::Account(_), _) => {
            Remedy::default()
        }
    }
}

/// What is to be put right, and what with.
#[derive(Clone, Copy)]
struct Task<'a> {
    facts: &'a Facts,
    surface: &'a Surface,
    content: &'a Content,
    findings: &'a [Finding],
    baseline: Option<&'a Content>,
    settings: &'a Settings,
}

impl Task<'_> {
    fn nothing_safe(&self, advice: &str) -> Remedy {
        let unfixable = self.findings.iter().map(|finding| (finding.clone(), advice.to_owned()));
        Remedy { unfixable: unfixable.collect(), ..Remedy::default() }
    }

    fn plan(&self) -> Plan {
        Plan::new(self.surface.clone(), self.content.clone())
    }

    /// The surface's document as it was written, where it was read so.
    fn text(&self) -> String {
        let written = self.facts.context.texts.get(self.surface).cloned();
        written.unwrap_or_else(|| self.content.document().map(ToString::to_string).unwrap_or_default())
    }

    fn on_role(&self, role: &RoleArn) -> Remedy {
        if let Surface::Boundary = self.surface {
            self.boundary(role)
        } else if let Surface::InlinePolicy(name) = self.surface {
            self.inline(role, name)
        } else if let Surface::Attachment(policy) = self.surface {
            self.attachment(role, policy)
        } else {
            Remedy::default()
        }
    }

    /// The boundary that was there comes back, if it still says what it said.
    fn boundary(&self, role: &RoleArn) -> Remedy {
        let before = self.baseline.and_then(|baseline| Some((baseline.policy()?, baseline)));
        let Some((policy, before)) = before else {
            return self.nothing_safe("the boundary that was there is not known: set one by hand");
        };
        if !can_come_back(before, self.facts) {
            return self.nothing_safe(&format!(
                "{} does not say any more what it said when it bounded the role: set a boundary by hand",
                policy.name()
            ));
        }
        let undo = match self.content.policy() {
            Some(policy) => Call::PutRolePermissionsBoundary { role: role.clone(), policy },
            None => Call::DeleteRolePermissionsBoundary { role: role.clone() },
        };
        let call = Call::PutRolePermissionsBoundary { role: role.clone(), policy };
        Remedy::from(self.plan().then(call, undo, before.clone()))
    }

    /// Nobody can change a version.
    fn published(&self, function: &FunctionArn, version: &Qualifier) -> Remedy {
        self.nothing_safe(&match version.is_latest_published() {
            true => publish_again(function, "role"),
            false => {
                format!("version {version} keeps this role for ever: delete it once no alias and no caller needs it")
            }
        })
    }

    /// The role that the function had comes back. Whether that one still complies is judged before it does.
    fn swap(&self, function: &FunctionArn) -> Remedy {
        let (Some(present), Some(before)) = (role_of(self.content), self.baseline) else {
            return self.nothing_safe(
                "no role is known that the function had before: give it one that needs no wildcard, or narrow this one",
            );
        };
        let Some(previous) = role_of(before) else { return self.nothing_safe("the function had no role before") };
        let judged = self.facts.context.roles.get(previous);
        // What stood before the opt-in is no reason to leave the function with something worse.
        let stood =
            before.fragment("Role").is_some_and(|role| self.facts.context.standing.contains(&Fingerprint::of(role)));
        let worst = self.findings.iter().map(|finding| finding.severity).max();
        let complies = judged.is_some_and(|judged| {
            let is_left = |finding: &Finding| {
                finding.severity < self.settings.threshold || stood && Some(finding.severity) <= worst
            };
            judged.unclear.is_none() && judged.findings.iter().all(is_left)
        });
        if !complies {
            return self.nothing_safe(&format!(
                "the role that the function had, {previous}, is gone or breaks a rule itself: look at both by hand"
            ));
        }
        // Lambda grants a role the use of the key with the permissions of whoever hands the role over.
        if let Some(key) = &self.facts.context.foreign_key {
            return self.nothing_safe(&format!(
                "the function's environment is encrypted with {key}, which the guard may not use: give the function \
                 its role back yourself, {previous}, or let the guard's role use the key through Lambda \
                 ({KEY_RIGHTS}), in the key's policy"
            ));
        }
        let give = |role: &str| Call::UpdateFunctionRole { function: function.clone(), role: role.to_owned() };
        let plan = self.plan().then(give(previous), give(present), before.clone());
        let note = "published versions keep the role that they were published with: look at those that were published \
                    meanwhile";
        let published = Surface::Role(Some(Qualifier::latest_published()));
        let note = match self.facts.surfaces.contains_key(&published) {
            true => format!("{}\n{note}", not_in_service(function, "role")),
            false => note.to_owned(),
        };
        Remedy::from(plan.noting(note))
    }
}
