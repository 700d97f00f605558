//! What a role may do: its own policies, and those attached to it.

use super::Task;
use crate::{
    judge::{Policies, alone, text_of},
    protection::never_touch,
};
use serde_json::Value;
use warden_engine::{
    Finding,
    guard::Remedy,
    model::{
        content::Content,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::iam::{CustomerPolicyArn, PolicyArn, PolicyName, RoleArn},
    plan::{Call, Plan},
};
use warden_policy::{
    Edit, EditKind, Narrowed,
    role_policy::{self, RoleTexts},
};

/// All of a role's own policies share so many characters, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const INLINE_CHARACTERS: usize = 10_240;
/// A managed policy has so many at most (same page).
const MANAGED_CHARACTERS: usize = 6_144;
/// So many managed policies can be attached to a role (same page). The quota can be raised; where it was, Warden uses
/// no more of it.
const ATTACHED: usize = 10;

/// As IAM counts them: without white space.
fn characters(document: &Content) -> usize {
    document.document().map_or(0, |document| document.to_string().chars().filter(|c| !c.is_whitespace()).count())
}

impl Task<'_> {
    pub(super) fn inline(&self, role: &RoleArn, name: &PolicyName) -> Remedy {
        let baseline = self.baseline.filter(|baseline| !baseline.is_absent());
        let narrowed = match self.narrowed("", baseline) {
            Ok(narrowed) => narrowed,
            Err(advice) => return self.nothing_safe(&advice),
        };
        if narrowed.edits.is_empty() {
            return Remedy::default();
        }
        let after = narrowed.document.map_or(Content::ABSENT, Content::new);
        if let Some(why) = self.too_long(name, &after) {
            return self
                .nothing_safe(&format!("{why}: write a managed policy of what the function needs, and attach that"));
        }
        let put = |document: String| Call::PutRolePolicy { role: role.clone(), name: name.clone(), document };
        let call = match after.document() {
            Some(document) => put(document.to_string()),
            None => Call::DeleteRolePolicy { role: role.clone(), name: name.clone() },
        };
        Remedy::from(self.plan().then(call, put(self.text()), after))
    }

    /// A policy that the role did not have goes. Of one that it had, what may stay takes its place: first that is put
    /// there, then the other goes, so that the function never lacks what it may have.
    pub(super) fn attachment(&self, role: &RoleArn, policy: &PolicyArn) -> Remedy {
        if self.is_put_right_at_the_policy(policy) {
            return self.nothing_safe(&format!(
                "{} carries the tag, and all who have it are opted in: it is put right itself",
                policy.name()
            ));
        }
        if self.facts.context.added.contains(self.surface) {
            let plan = self.detached(self.plan(), role, policy);
            return plan.into();
        }
        let baseline = self.baseline.or_else(|| self.facts.context.baselines.get(self.surface));
        let baseline = baseline.map(Content::policy_document).filter(|baseline| !baseline.is_absent());
        let narrowed = match self.narrowed("Document.", baseline.as_ref()) {
            Ok(narrowed) => narrowed,
            Err(advice) => return self.nothing_safe(&advice),
        };
        if narrowed.edits.is_empty() {
            return Remedy::default();
        }
        let plan = match narrowed.document.map(Content::new) {
            None => self.plan(),
            Some(left) => match self.too_long(&policy.stand_in(), &left) {
                None => self.stood_in_for(role, policy, &left),
                Some(no_room) => match self.no_room_for_a_copy(&policy.copy_for(role), &left) {
                    None => self.copied(role, policy, &left),
                    Some(why) => {
                        return self.nothing_safe(&format!(
                            "{no_room}, and {why}: put together what the function needs in fewer policies, then detach \
                             {}",
                            policy.name()
                        ));
                    }
                },
            },
        };
        Remedy::from(self.detached(plan, role, policy))
    }

    /// What may stay becomes one of the role's own policies.
    fn stood_in_for(&self, role: &RoleArn, policy: &PolicyArn, left: &Content) -> Plan {
        let name = policy.stand_in();
        let put = |document: String| Call::PutRolePolicy { role: role.clone(), name: name.clone(), document };
        let present = self.content.stand_in();
        let undo = match present.document() {
            Some(earlier) => put(self.written(&Surface::InlinePolicy(name.clone()), earlier)),
            None => Call::DeleteRolePolicy { role: role.clone(), name: name.clone() },
        };
        let note = format!("what may stay of {} is now the role's own policy {name}", policy.name());
        self.plan().then(put(left.text()), undo, self.content.clone().with_stand_in(left)).noting(note)
    }

    /// What may stay becomes a managed policy of Warden's own.
    fn copied(&self, role: &RoleArn, policy: &PolicyArn, left: &Content) -> Plan {
        let copy = policy.copy_for(role);
        let attach = |document| Call::AttachGeneratedPolicy { role: role.clone(), policy: copy.clone(), document };
        let present = self.content.copy();
        let undo = match present.is_absent() {
            false => attach(present.text()),
            true => Call::DeleteGeneratedPolicy { role: role.clone(), policy: copy.clone() },
        };
        let note = format!(
            "what may stay of {} is now the managed policy {copy}, because the role's own policies have no room for \
             it: delete it together with the role",
            policy.name()
        );
        self.plan().then(attach(left.text()), undo, self.content.clone().with_copy(left)).noting(note)
    }

    /// The managed policy goes; what stands in for it stays.
    fn detached(&self, plan: Plan, role: &RoleArn, policy: &PolicyArn) -> Plan {
        let detach = Call::DetachRolePolicy { role: role.clone(), policy: policy.clone() };
        let attach = Call::AttachRolePolicy { role: role.clone(), policy: policy.clone() };
        let left = Content::ABSENT.with_stand_in(&plan.after().stand_in()).with_copy(&plan.after().copy());
        plan.then(detach, attach, left)
    }

    /// Why a managed policy that says this cannot be attached beside the others.
    fn no_room_for_a_copy(&self, copy: &CustomerPolicyArn, document: &Content) -> Option<String> {
        let others = self.facts.surfaces.iter().filter(|(surface, snapshot)| {
            let is_other = surface.attached().is_some_and(|policy| policy != copy.policy());
            is_other && snapshot.content.policy().is_some()
        });
        let others = others.count();
        if others >= ATTACHED {
            return Some(format!("{others} managed policies are attached already"));
        }
        let characters = characters(document);
        (characters > MANAGED_CHARACTERS).then(|| format!("a managed policy has {MANAGED_CHARACTERS} at most"))
    }

    /// How a document on another surface was written.
    fn written(&self, surface: &Surface, document: &Value) -> String {
        self.facts.context.texts.get(surface).cloned().unwrap_or_else(|| document.to_string())
    }

    /// Takes the findings out of the surface's document, judged with the rest of the role.
    fn narrowed(&self, within: &str, baseline: Option<&Content>) -> Result<Narrowed, String> {
        if self.findings.iter().any(|finding| !finding.at.contains('[')) {
            // The change as a whole is at fault, by what stands elsewhere.
            let document = baseline.and_then(Content::document).cloned();
            let edits = vec![Edit { index: 0, sid: None, kind: EditKind::Restored }];
            return Ok(Narrowed { document, edits, baseline_restored: true, unfixable: Vec::new() });
        }
        let policies = Policies::of(self.facts, self.settings);
        let at = policies.held.iter().position(|held| held.surface == *self.surface && held.within == within);
        let Some(at) = at else { return Err("the policy does not parse".into()) };
        let texts: Vec<&str> = policies.held.iter().map(|held| held.text.as_str()).collect();
        let boundary = policies.boundary.as_ref().map_err(Clone::clone)?;
        let findings: Vec<Finding> = self
            .findings
            .iter()
            .map(|finding| {
                let at = finding.at.strip_prefix(within).unwrap_or(&finding.at).to_owned();
                Finding { at, ..finding.clone() }
            })
            .collect();
        let texts = RoleTexts { policies: &texts, boundary: boundary.as_deref(), itself: Some(&policies.itself) };
        let baseline = baseline.and_then(Content::document).map(text_of);
        role_policy::narrow(texts, at, &findings, baseline.as_deref(), &policies.context)
            .map_err(|error| format!("the policy does not parse: {error}"))
    }

    /// Why `document` does not fit on the role beside its other own policies.
    fn too_long(&self, name: &PolicyName, document: &Content) -> Option<String> {
        let is_other = |surface: &Surface| matches!(surface, Surface::InlinePolicy(other) if other != name);
        let others = self.facts.surfaces.iter().filter(|(surface, _)| is_other(surface));
        let others: usize = others.map(|(_, snapshot)| characters(&snapshot.content)).sum();
        let own = characters(document);
        (own > 0 && others + own > INLINE_CHARACTERS).then(|| {
            format!(
                "what may stay has {own} characters, and the role's own policies share {INLINE_CHARACTERS}, of which \
                 {others} are taken"
            )
        })
    }

    /// Whether the findings are the policy's own, and it can be changed for all who have it.
    fn is_put_right_at_the_policy(&self, policy: &PolicyArn) -> bool {
        let Some(known) = self.facts.context.policies.get(policy) else { return false };
        let tags = OptIn::from_tags(&known.tags, GuardKind::Role, jiff::civil::Date::MIN);
        let shared_by_opted_in = known.users.as_ref().is_some_and(crate::PolicyUsers::all_opted_in);
        let Ok(resource) = policy.clone().try_into().map(Resource::Policy) else { return false };
        // As somebody's boundary it is not narrowed.
        if tags.mode != Mode::Enforce
            || !shared_by_opted_in
            || known.is_boundary()
            || never_touch(&resource, self.facts, self.settings)
        {
            return false;
        }
        let document = self.content.policy_document();
        let own = alone(&document, self.settings).findings;
        let is_own = |finding: &Finding| {
            own.iter().any(|own| own.id == finding.id && finding.at == format!("Document.{}", own.at))
        };
        if !self.findings.iter().all(is_own) {
            return false;
        }
        // Something must be left of it: a managed policy cannot be empty.
        let text = document.document().map(text_of).unwrap_or_default();
        let texts = RoleTexts { policies: &[&text], boundary: None, itself: None };
        let narrowed = role_policy::narrow(texts, 0, &own, None, &self.settings.context());
        known.restorable || narrowed.is_ok_and(|narrowed| narrowed.document.is_some())
    }
}
