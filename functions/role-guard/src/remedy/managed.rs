//! What a customer managed policy says by default.

use super::{
    Task,
    permissions::{lost, no_room_in_a_managed_policy, statements, without},
    widened,
};
use crate::judge::text_of;
use warden_engine::{
    guard::Remedy,
    model::content::Content,
    name::iam::CustomerPolicyArn,
    plan::{Call, PolicyVersion},
};
use warden_policy::role_policy::{self, RoleTexts};

/// IAM keeps so many versions of a managed policy (IAM quotas).
const VERSIONS: usize = 5;

impl Task<'_> {
    /// What may stay becomes a new version; where that is what was last in force, its version comes back, by its content.
    pub(super) fn managed_policy(&self, policy: &CustomerPolicyArn) -> Remedy {
        let Some(known) = self.facts.context.policies.get(policy.policy()) else { return Remedy::default() };
        let set = |version: &str| Call::SetDefaultPolicyVersion { policy: policy.clone(), version: version.to_owned() };
        if known.is_boundary() {
            // As a boundary it keeps others within it: what is narrow enough for those is not known here, but that they
            // lived with what it said before.
            let before = self.baseline.and_then(|before| Some((known.version_that_says(before)?, before)));
            return match before.filter(|_| known.keeps_from_going_back().is_none()) {
                Some((version, before)) => {
                    self.plan().then(set(&version.id), set(&known.version), before.clone()).into()
                }
                None => self.nothing_safe(&widened(policy.policy(), known, self.baseline.unwrap_or(&Content::ABSENT))),
            };
        }
        let strangers = known.users.as_ref().and_then(|users| users.strangers.as_deref());
        match strangers {
            None => return self.nothing_safe("who else has the policy could not be read"),
            Some([]) => {}
            Some(strangers) => {
                return self.nothing_safe(&format!(
                    "others have the policy as well ({}): on each opted-in role it is put right there alone",
                    strangers.join(", ")
                ));
            }
        }
        let Some(document) = self.content.document() else { return Remedy::default() };
        let text = text_of(document);
        let baseline = self.baseline.and_then(Content::document).map(text_of);
        let texts = RoleTexts { policies: &[&text], boundary: None, itself: None };
        let narrowed = match role_policy::narrow(texts, 0, self.findings, baseline.as_deref(), &self.settings.context())
        {
            Ok(narrowed) => narrowed,
            Err(error) => return self.nothing_safe(&format!("the policy does not parse: {error}")),
        };
        if narrowed.edits.is_empty() {
            return Remedy::default();
        }
        let left = narrowed.document.map(Content::new);
        // The whole difference is at fault, or nothing may stay. Only content that was seen in force: somebody may have
        // planted a version that merely complies.
        if let Some(before) = self.baseline.filter(|before| left.as_ref().is_none_or(|left| left == *before))
            && let Some(version) = known.version_that_says(before)
        {
            let plan = self.plan().then(set(&version.id), set(&known.version), before.clone());
            return plan.into();
        }
        let Some(left) = left else {
            return self.nothing_safe(
                "nothing of it may stay, and a managed policy cannot be empty: from each opted-in role it is detached",
            );
        };
        let (left, lost) = match no_room_in_a_managed_policy(&left) {
            None => (left, None),
            Some(why) => match self.goes_without_room() {
                None => return self.nothing_safe(&format!("{why}: divide it among several policies")),
                Some((at_fault, _)) => {
                    let rest = without(Some(document), &at_fault);
                    if rest.is_absent() {
                        return self.nothing_safe(&format!("{why}: from each opted-in role it is detached"));
                    }
                    let lost = lost(left.document(), &statements(rest.document()));
                    (rest, Some(format!("{why}, so it went with what had to go: {lost}")))
                }
            },
        };
        let oldest = match known.versions.len() {
            0..VERSIONS => None,
            _ => known.versions.iter().rfind(|version| version.id != known.version).cloned(),
        };
        let note = match &oldest {
            None => "undone, the earlier version is the default again, and this one is deleted".to_owned(),
            Some(PolicyVersion { id, .. }) => format!(
                "there were five versions: {id} made room, and its document stands in this record; undone, the earlier \
                 version is the default again, this one is deleted, and what {id} said is a version again, under a new \
                 id, because IAM never gives one twice"
            ),
        };
        let note = lost.into_iter().chain([note]).collect::<Vec<_>>().join("\n");
        let document = left.text();
        let undo = Call::TakeVersionBack {
            policy: policy.clone(),
            version: known.version.clone(),
            written: document.clone(),
            newest: known.versions.iter().map(PolicyVersion::number).max().unwrap_or_default(),
            made_room: oldest.clone(),
        };
        let call = Call::CreatePolicyVersion { policy: policy.clone(), document, in_place_of: oldest };
        let plan = self.plan().then(call, undo, left).noting(note);
        plan.into()
    }
}
