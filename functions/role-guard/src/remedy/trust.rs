//! Who may assume a role.

use super::Task;
use crate::{Facts, judge::text_of};
use std::collections::BTreeSet;
use warden_engine::{
    Severity,
    guard::Remedy,
    model::{content::Content, settings::Settings, surface::Surface},
    name::iam::RoleArn,
    plan::Call,
};
use warden_policy::{
    Document, Effect, Kind, PrincipalType, Principals, Selection,
    trust_policy::{self, STANDARD_TRUST},
};

impl Task<'_> {
    pub(super) fn trust(&self, role: &RoleArn) -> Remedy {
        let Some(document) = self.content.document() else { return Remedy::default() };
        let baseline = self.baseline.and_then(Content::document).map(text_of);
        let context = self.settings.context();
        let narrowed = match trust_policy::narrow(&text_of(document), self.findings, baseline.as_deref(), &context) {
            Ok(narrowed) => narrowed,
            Err(error) => return self.nothing_safe(&format!("the trust policy does not parse: {error}")),
        };
        let unfixable =
            narrowed.unfixable.iter().map(|unfixable| (unfixable.finding.clone(), unfixable.advice.clone())).collect();
        if narrowed.edits.is_empty() {
            return Remedy { unfixable, ..Remedy::default() };
        }
        let after = narrowed.document.or_else(|| serde_json::from_str(STANDARD_TRUST).ok()).unwrap_or_default();
        let put = |document: String| Call::UpdateAssumeRolePolicy { role: role.clone(), document };
        let plan = self.plan().then(put(after.to_string()), put(self.text()), Content::new(after));
        let note = "sessions that were begun meanwhile live on: revoke the role's sessions (IAM console, or a policy \
                    that denies what has an older aws:TokenIssueTime); Warden does not do that by itself";
        Remedy { plan: Some(plan.noting(note)), unfixable, ..Remedy::default() }
    }
}

/// Whom beside Lambda a role serves, in words: both by its present trust policy, less what is wrong with that, and by
/// the one that was last seen to comply. Somebody who was let in a moment ago holds nothing up, and neither does one
/// who is out again.
pub(crate) fn strangers(facts: &Facts, settings: &Settings) -> Option<String> {
    let present = facts.surfaces.get(&Surface::Trust).and_then(|snapshot| snapshot.content.document());
    let present = match present {
        Some(document) => strangers_of(&text_of(document), settings)?,
        None => "its trust policy is not known".to_owned(),
    };
    match facts.context.baselines.get(&Surface::Trust).and_then(Content::document) {
        Some(baseline) => strangers_of(&text_of(baseline), settings).map(|_| present),
        None => Some(present),
    }
}

fn strangers_of(text: &str, settings: &Settings) -> Option<String> {
    let unreadable = || Some("its trust policy does not parse".to_owned());
    let context = settings.context();
    let Ok(document) = Document::parse(text, Kind::Trust) else { return unreadable() };
    let mut wrong = trust_policy::judge(&document, &context);
    wrong.retain(|finding| finding.severity >= Severity::Medium);
    let text = match trust_policy::narrow(text, &wrong, None, &context) {
        Ok(narrowed) if !narrowed.edits.is_empty() => narrowed.document?.to_string(),
        Ok(_) | Err(_) => text.to_owned(),
    };
    let Ok(document) = Document::parse(&text, Kind::Trust) else { return unreadable() };
    let mut strangers = BTreeSet::new();
    for statement in document.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
        match &statement.principals {
            Some(Selection::Only(Principals::Typed(types))) => {
                for (kind, values) in types {
                    let lambda = |name: &&str| *kind == PrincipalType::Service && *name == "lambda.amazonaws.com";
                    strangers.extend(values.iter().filter(|name| !lambda(name)).map(str::to_owned));
                }
            }
            Some(Selection::Only(Principals::Untyped(values))) => strangers.extend(values.iter().map(str::to_owned)),
            Some(Selection::Except(_)) | None => drop(strangers.insert("everybody but some".into())),
        }
    }
    (!strangers.is_empty()).then(|| strangers.into_iter().collect::<Vec<_>>().join(", "))
}
