//! What a role may do: its own policies, and those attached to it.

use super::Task;
use crate::judge::{Policies, alone, text_of};
use serde_json::Value;
use warden_engine::{
    Finding,
    content::Content,
    guard::Remedy,
    iam::{PolicyArn, PolicyName, RoleArn},
    plan::Call,
    surface::Surface,
    tags::{GuardKind, Mode, OptIn},
};
use warden_policy::{
    Edit, EditKind, Narrowed,
    role_policy::{self, RoleTexts},
};

/// All of a role's own policies share so many characters, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const INLINE_CHARACTERS: usize = 10_240;

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
        if let Some(advice) = self.too_long(name, &after) {
            return self.nothing_safe(&advice);
        }
        let put = |document: String| Call::PutRolePolicy { role: role.clone(), name: name.clone(), document };
        let call = match after.document() {
            Some(document) => put(document.to_string()),
            None => Call::DeleteRolePolicy { role: role.clone(), name: name.clone() },
        };
        Remedy { plan: Some(self.plan().then(call, put(self.text()), after)), unfixable: Vec::new() }
    }

    /// A policy that the role did not have goes. Of one that it had, what may stay takes its place as an inline policy: first that is
    /// put there, then the other goes, so that the function never lacks what it may have.
    pub(super) fn attachment(&self, role: &RoleArn, policy: &PolicyArn) -> Remedy {
        if self.is_put_right_at_the_policy(policy) {
            return self.nothing_safe(&format!(
                "{} carries the tag, and all who have it are opted in: it is put right itself",
                policy.name()
            ));
        }
        let stand_in = policy.stand_in();
        let present = self.content.stand_in();
        let detach = Call::DetachRolePolicy { role: role.clone(), policy: policy.clone() };
        let attach = Call::AttachRolePolicy { role: role.clone(), policy: policy.clone() };
        let gone = |left: &Content| Content::ABSENT.with_stand_in(left);
        if self.facts.context.added.contains(self.surface) {
            let plan = self.plan().then(detach, attach, gone(&present));
            return Remedy { plan: Some(plan), unfixable: Vec::new() };
        }
        let baseline = self.baseline.map(Content::policy_document).filter(|baseline| !baseline.is_absent());
        let narrowed = match self.narrowed("Document.", baseline.as_ref()) {
            Ok(narrowed) => narrowed,
            Err(advice) => return self.nothing_safe(&advice),
        };
        if narrowed.edits.is_empty() {
            return Remedy::default();
        }
        let Some(document) = narrowed.document else {
            let plan = self.plan().then(detach, attach, gone(&present));
            return Remedy { plan: Some(plan), unfixable: Vec::new() };
        };
        let left = Content::new(document.clone());
        if let Some(advice) = self.too_long(&stand_in, &left) {
            return self.nothing_safe(&advice);
        }
        let put = |document: String| Call::PutRolePolicy { role: role.clone(), name: stand_in.clone(), document };
        let undo = match present.document() {
            Some(earlier) => put(self.written(&Surface::InlinePolicy(stand_in.clone()), earlier)),
            None => Call::DeleteRolePolicy { role: role.clone(), name: stand_in.clone() },
        };
        let both = self.content.clone().with_stand_in(&left);
        let plan = self.plan().then(put(document.to_string()), undo, both).then(detach, attach, gone(&left));
        let note = format!("what may stay of {} is now the role's own policy {stand_in}", policy.name());
        Remedy { plan: Some(plan.noting(note)), unfixable: Vec::new() }
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
        let texts = RoleTexts { policies: &texts, boundary: boundary.as_deref() };
        let baseline = baseline.and_then(Content::document).map(text_of);
        role_policy::narrow(texts, at, &findings, baseline.as_deref(), &self.settings.context())
            .map_err(|error| format!("the policy does not parse: {error}"))
    }

    /// Why `document` does not fit on the role beside its other own policies.
    fn too_long(&self, name: &PolicyName, document: &Content) -> Option<String> {
        let characters = |content: &Content| {
            content.document().map_or(0, |document| document.to_string().chars().filter(|c| !c.is_whitespace()).count())
        };
        let others = self.facts.surfaces.iter().filter(|(surface, _)| match surface {
            Surface::InlinePolicy(other) => other != name,
            Surface::Trust
            | Surface::Boundary
            | Surface::Attachment(_)
            | Surface::ManagedPolicy(_)
            | Surface::Role
            | Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Environment(_) => false,
        });
        let others: usize = others.map(|(_, sighting)| characters(&sighting.content)).sum();
        let own = characters(document);
        (own > 0 && others + own > INLINE_CHARACTERS).then(|| {
            format!(
                "what may stay has {own} characters, and the role's own policies share {INLINE_CHARACTERS}, of which {others} are \
                 taken: write a managed policy of what the function needs, and attach that"
            )
        })
    }

    /// Whether the findings are the policy's own, and it can be changed for all who have it.
    fn is_put_right_at_the_policy(&self, policy: &PolicyArn) -> bool {
        let Some(known) = self.facts.context.policies.get(policy) else { return false };
        let tags = OptIn::from_tags(&known.tags, GuardKind::Role, jiff::civil::Date::MIN);
        let shared_by_opted_in = known.users.as_ref().is_some_and(crate::PolicyUsers::all_opted_in);
        if policy.account().is_none() || tags.mode != Mode::Enforce || known.bounds > 0 || !shared_by_opted_in {
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
        let texts = RoleTexts { policies: &[&text], boundary: None };
        let narrowed = role_policy::narrow(texts, 0, &own, None, &self.settings.context());
        known.restorable || narrowed.is_ok_and(|narrowed| narrowed.document.is_some())
    }
}
