//! What a role may do: its own policies, and those attached to it.

use super::Task;
use crate::{
    judge::{Policies, alone, text_of},
    protection::never_touch,
};
use serde_json::Value;
use std::collections::BTreeSet;
use warden_engine::{
    Finding, Severity,
    guard::{Remedy, SurfaceSnapshot},
    model::{
        content::Content,
        settings::WithoutRoom,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::iam::{CustomerPolicyArn, PolicyArn, PolicyName, RoleArn},
    plan::{Call, Plan},
};
use warden_policy::{
    Edit, EditKind, Kind, Narrowed,
    role_policy::{self, RoleTexts},
    with_lost_denials,
};

/// All of a role's own policies share so many characters, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const INLINE_CHARACTERS: usize = 10_240;
/// A managed policy has so many at most (same page).
const MANAGED_CHARACTERS: usize = 6_144;
/// So many managed policies can be attached to a role (same page). The quota can be raised; where it was, Warden uses
/// no more of it.
const ATTACHED: usize = 10;

/// How many actions of a statement a note names.
const NAMED: usize = 12;

/// One statement may stand without a list.
pub(super) fn statements(document: Option<&Value>) -> Vec<Value> {
    match document.and_then(|document| document.get("Statement")) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
}

/// A policy without some of its statements.
pub(super) fn without(document: Option<&Value>, gone: &BTreeSet<usize>) -> Content {
    let left = statements(document).into_iter().enumerate().filter(|(index, _)| !gone.contains(index));
    let left: Vec<Value> = left.map(|(_, statement)| statement).collect();
    let Some(mut document) = document.filter(|_| !left.is_empty()).cloned() else { return Content::ABSENT };
    if let Some(slot) = document.get_mut("Statement") {
        *slot = left.into();
    }
    Content::new(document)
}

/// What is granted by a document that had no room, and is not `kept`, for the owner: by Sid, or by place where there is
/// none, with its actions.
pub(super) fn lost(document: Option<&Value>, kept: &[Value]) -> String {
    let lost = statements(document).into_iter().enumerate().filter(|(_, statement)| !kept.contains(statement));
    let lost = lost.map(|(index, statement)| {
        let name = match statement.get("Sid").and_then(Value::as_str) {
            Some(sid) => format!("`{sid}`"),
            None => format!("Statement[{index}]"),
        };
        let (word, actions) = match (statement.get("Action"), statement.get("NotAction")) {
            (Some(actions), _) => ("", Some(actions)),
            (None, actions) => ("everything but ", actions),
        };
        let actions: Vec<&str> = match actions {
            Some(Value::Array(actions)) => actions.iter().filter_map(Value::as_str).collect(),
            actions => actions.and_then(Value::as_str).into_iter().collect(),
        };
        let more = actions.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<&str> = actions.into_iter().take(NAMED).collect();
        format!("{name} ({word}{}{more})", named.join(", "))
    });
    let lost: Vec<String> = lost.collect();
    format!("{}; this record's undo brings all of it back", lost.join("; "))
}

/// As IAM counts them: without white space.
fn characters(document: &Content) -> usize {
    document.document().map_or(0, |document| document.to_string().chars().filter(|c| !c.is_whitespace()).count())
}

/// Why a managed policy cannot say this.
pub(super) fn no_room_in_a_managed_policy(document: &Content) -> Option<String> {
    let own = characters(document);
    (own > MANAGED_CHARACTERS)
        .then(|| format!("what may stay has {own} characters, and a managed policy has {MANAGED_CHARACTERS} at most"))
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
        let Some(why) = self.too_long(name, &after) else { return Remedy::from(self.put(role, name, after)) };
        let advice = format!("{why}: write a managed policy of what the function needs, and attach that");
        let Some((at_fault, left_alone)) = self.goes_without_room() else { return self.nothing_safe(&advice) };
        let rest = without(self.content.document(), &at_fault);
        let is_left = |finding: &&Finding| !left_alone.contains(finding);
        let going: Vec<Finding> = self.findings.iter().filter(is_left).cloned().collect();
        let alone = Task { findings: &going, ..*self }.narrowed("", baseline).ok().and_then(|alone| alone.document);
        let lost = lost(alone.as_ref(), &statements(rest.document()));
        let plan = self.put(role, name, rest).noting(format!("{why}, so it went with what had to go: {lost}"));
        let unfixable = left_alone.into_iter().map(|finding| (finding, advice.clone())).collect();
        Remedy { plan: Some(plan), unfixable, ..Remedy::default() }
    }

    /// The policy says something else, or goes.
    fn put(&self, role: &RoleArn, name: &PolicyName, after: Content) -> Plan {
        let put = |document: String| Call::PutRolePolicy { role: role.clone(), name: name.clone(), document };
        let delete = || Call::DeleteRolePolicy { role: role.clone(), name: name.clone() };
        let call = after.document().map_or_else(delete, |document| put(document.to_string()));
        let undo = if self.content.is_absent() { delete() } else { put(self.text()) };
        self.plan().then(call, undo, after)
    }

    /// The statements that go although there is no room for what may stay of them, and the findings that are left alone
    /// all the same. None where nothing goes.
    pub(super) fn goes_without_room(&self) -> Option<(BTreeSet<usize>, Vec<Finding>)> {
        if self.settings.without_room == WithoutRoom::Withhold {
            return None;
        }
        let (critical, others): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|finding| finding.severity == Severity::Critical);
        let at_fault: BTreeSet<usize> = critical.into_iter().filter_map(Finding::statement).collect();
        let is_left = |finding: &&Finding| finding.statement().is_none_or(|index| !at_fault.contains(&index));
        let left: Vec<Finding> = others.into_iter().filter(is_left).cloned().collect();
        (!at_fault.is_empty()).then_some((at_fault, left))
    }

    /// What may stay of a policy takes its place: first that is put there, then the other goes, so that the function
    /// never lacks what it may have. Where there is no room for it, a policy that the role did not have goes all the
    /// same, and so does one with a critical finding.
    pub(super) fn attachment(&self, role: &RoleArn, policy: &PolicyArn) -> Remedy {
        if self.is_put_right_at_the_policy(policy) {
            return self.nothing_safe(&format!(
                "{} carries the tag, and all who have it are opted in: it is put right itself",
                policy.name()
            ));
        }
        let is_new = self.facts.context.added.contains(self.surface);
        let baseline = self.baseline.or_else(|| self.facts.context.baselines.get(self.surface));
        let baseline = baseline.map(Content::policy_document).filter(|baseline| !baseline.is_absent());
        let narrowed = match self.narrowed("Document.", baseline.as_ref()) {
            Ok(narrowed) => narrowed,
            Err(advice) if !is_new => return self.nothing_safe(&advice),
            Err(_) => return Remedy::from(self.detached(self.plan(), role, policy)),
        };
        if narrowed.edits.is_empty() && !is_new {
            return Remedy::default();
        }
        let Some(left) = narrowed.document.map(Content::new).filter(|_| !narrowed.edits.is_empty()) else {
            return Remedy::from(self.detached(self.plan(), role, policy));
        };
        let Some(no_room) = self.too_long(&policy.stand_in(), &left) else {
            return Remedy::from(self.detached(self.stood_in_for(role, policy, &left), role, policy));
        };
        let Some(why) = self.no_room_for_a_copy(&policy.copy_for(role), &left) else {
            return Remedy::from(self.detached(self.copied(role, policy, &left), role, policy));
        };
        let critical = self.findings.iter().any(|finding| finding.severity == Severity::Critical);
        if is_new || critical && self.settings.without_room == WithoutRoom::Remove {
            let lost = lost(left.document(), &[]);
            let note = format!("{no_room}, and {why}, so it went with what had to go: {lost}");
            return Remedy::from(self.detached(self.plan(), role, policy).noting(note));
        }
        self.nothing_safe(&format!(
            "{no_room}, and {why}: put together what the function needs in fewer policies, then detach {}",
            policy.name()
        ))
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
        no_room_in_a_managed_policy(document).map(|_| format!("a managed policy has {MANAGED_CHARACTERS} at most"))
    }

    /// How a document on another surface was written.
    fn written(&self, surface: &Surface, document: &Value) -> String {
        self.facts.context.texts.get(surface).cloned().unwrap_or_else(|| document.to_string())
    }

    /// Takes the findings out of the surface's document, judged with the rest of the role.
    fn narrowed(&self, within: &str, baseline: Option<&Content>) -> Result<Narrowed, String> {
        if self.findings.iter().any(|finding| !finding.at.contains('[')) {
            // The change as a whole is at fault, by what stands elsewhere.
            let document = match self.denials_back(within, baseline)? {
                Some(denials) => Some(denials),
                None => baseline.and_then(Content::document).cloned(),
            };
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

    /// The document with the Denies that it lost, or these alone where it is gone: where that takes away what is found, it
    /// is the least change.
    fn denials_back(&self, within: &str, baseline: Option<&Content>) -> Result<Option<Value>, String> {
        let Some(before) = baseline.and_then(Content::document) else { return Ok(None) };
        let present = match within {
            "" => self.content.clone(),
            _ => self.content.policy_document(),
        };
        let document = match present.document() {
            Some(document) => {
                let back = with_lost_denials(&text_of(document), &text_of(before), Kind::Identity)
                    .map_err(|error| format!("the policy does not parse: {error}"))?;
                let Some(back) = back else { return Ok(None) };
                serde_json::from_str(&back).unwrap_or_default()
            }
            None => {
                let is_allow = |statement: &Value| statement.get("Effect").and_then(Value::as_str) != Some("Deny");
                let all = statements(Some(before));
                let allows = all.iter().enumerate().filter(|(_, statement)| is_allow(statement));
                let allows: BTreeSet<usize> = allows.map(|(index, _)| index).collect();
                let denials = without(Some(before), &allows);
                let Some(denials) = denials.document().filter(|_| !allows.is_empty()).cloned() else {
                    return Ok(None);
                };
                denials
            }
        };
        if within.is_empty() {
            let mut facts = self.facts.clone();
            let content = Content::new(document.clone());
            facts.surfaces.insert(self.surface.clone(), SurfaceSnapshot { content, revision: None });
            let judged = Policies::of(&facts, self.settings).judge().remove(self.surface).unwrap_or_default();
            let is_left = |finding: &Finding| judged.findings.iter().any(|left| left.at == finding.at);
            return Ok(Some(document).filter(|_| !self.findings.iter().any(is_left)));
        }
        Ok(None)
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
