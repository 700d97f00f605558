//! The least change that puts a role right.

mod managed;
mod permissions;
mod trust;

pub(crate) use trust::strangers;

use self::trust::serves_others;
use crate::{Facts, PolicyFacts, judge::says_still, requests::role_of};
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
        iam::{PolicyArn, RoleArn},
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

/// What becomes of a boundary whose policy was widened by a new version.
fn widened(policy: &PolicyArn, known: &PolicyFacts, before: &Content) -> String {
    let name = policy.name();
    match known.keeps_from_going_back() {
        None if known.version_that_says(before).is_some() => {
            format!("{name} carries the tag, and all who have it are opted in: it is put right itself")
        }
        None => format!("no version of {name} says any more what it said: write one by hand"),
        Some(why) => format!(
            "{name} goes back to what it said only where it and everybody who has it are opted in to `enforce`, and {why}: \
             make its earlier version the default one by hand, or set another boundary"
        ),
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
        let known = self.facts.context.policies.get(&policy);
        if !known.is_some_and(|known| says_still(before, known)) {
            return self.nothing_safe(&match known.filter(|_| self.content.policy().as_ref() == Some(&policy)) {
                Some(known) => widened(&policy, known, &before.policy_document()),
                None => format!(
                    "{} does not say any more what it said when it bounded the role: set a boundary by hand",
                    policy.name()
                ),
            });
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
        if version.is_latest_published() {
            return self.nothing_safe(&publish_again(function, "role"));
        }
        let aliases = self.facts.context.aliases.get(version.as_str());
        let aliases = aliases.map(|aliases| aliases.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        let aliases = match aliases {
            None => "no alias leads to it".to_owned(),
            Some(aliases) => format!("these aliases lead to it: {aliases}; point them elsewhere"),
        };
        self.nothing_safe(&format!(
            "version {version} keeps this role for ever, and {aliases}; delete the version once no caller needs it"
        ))
    }

    /// The role that the function had comes back. Whether that one still complies is judged before it does.
    fn swap(&self, function: &FunctionArn) -> Remedy {
        let before = self.baseline.filter(|before| *before != self.content);
        let mut before = before.into_iter().chain(&self.facts.context.earlier).peekable();
        let (Some(present), Some(last)) = (role_of(self.content), before.peek().copied()) else {
            return self.nothing_safe(
                "no role is known that the function had before: give it one that needs no wildcard, or narrow this one",
            );
        };
        // What stood before the opt-in is no reason to leave the function with something worse.
        let worst = self.findings.iter().map(|finding| finding.severity).max();
        let complies = |before: &&Content| {
            let stood = before
                .fragment("Role")
                .is_some_and(|role| self.facts.context.standing.contains(&Fingerprint::of(role)));
            let is_left = |finding: &Finding| {
                finding.severity < self.settings.threshold || stood && Some(finding.severity) <= worst
            };
            let judged = role_of(before).and_then(|role| self.facts.context.roles.get(role));
            judged.is_some_and(|judged| judged.unclear.is_none() && judged.findings.iter().all(is_left))
        };
        let found = before.find(complies);
        let Some((before, previous)) = found.and_then(|before| Some((before, role_of(before)?))) else {
            return self.nothing_safe(&format!(
                "the role that the function had, {}, is gone or breaks a rule itself: look at both by hand",
                role_of(last).unwrap_or("none")
            ));
        };
        // Lambda grants a role the use of the key with the permissions of whoever hands the role over.
        if let Some(key) = &self.facts.context.foreign_key {
            return self.nothing_safe(&format!(
                "the function's environment is encrypted with {key}, which the guard may not use: give the function \
                 its role back yourself, {previous}, or let the guard's role use the key through Lambda \
                 ({KEY_RIGHTS}), in the key's policy"
            ));
        }
        let give = |role: &str| Call::UpdateFunctionRole {
            function: function.clone(),
            role: role.to_owned(),
            said: self.facts.context.said.get(role).copied(),
        };
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
