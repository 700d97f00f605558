//! Who may assume a role.

use super::Task;
use crate::{
    Facts,
    judge::text_of,
    newcomers::{Newcomer, newcomers, without},
};
use serde_json::Value;
use std::collections::BTreeSet;
use warden_engine::{
    Finding, FindingId, Severity,
    guard::Remedy,
    model::{content::Content, settings::Settings, surface::Surface},
    name::{fingerprint::Fingerprint, iam::RoleArn},
    plan::Call,
};
use warden_policy::{
    Document, Effect, Kind, PrincipalType, Principals, Selection,
    trust_policy::{self, STANDARD_TRUST},
};

impl Task<'_> {
    /// Newcomers go whoever else the role serves, since whoever was known at the opt-in stays. What is wrong beyond them
    /// is put right where the role serves nobody else.
    pub(super) fn trust(&self, role: &RoleArn) -> Remedy {
        let Some(document) = self.content.document() else { return Remedy::default() };
        let came = newcomers(document, self.facts.context.first_trust.as_ref().and_then(Content::document));
        let (of_newcomers, others): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|finding| finding.id == FindingId::TrustNewcomer);
        let out = came
            .iter()
            .filter(|newcomer| of_newcomers.iter().any(|finding| finding.statement() == Some(newcomer.index)));
        let out: BTreeSet<&Newcomer> = out.collect();
        let left = if out.is_empty() { Some(document.clone()) } else { without(document, &out) };
        let standard = || serde_json::from_str(STANDARD_TRUST).unwrap_or_default();
        let Some(left) = left else { return self.put_trust(role, standard(), Vec::new()) };

        let context = self.settings.context();
        let baseline = self.baseline.and_then(Content::document).map(text_of);
        let text = text_of(&left);
        // Statements may have moved: what is wrong is found once more in what is left.
        let still: Vec<Finding> = match Document::parse(&text, Kind::Trust) {
            Ok(_) if out.is_empty() => others.into_iter().cloned().collect(),
            Ok(parsed) => {
                let judged = trust_policy::judge(&parsed, &context).into_iter();
                judged.filter(|finding| others.iter().any(|other| other.id == finding.id)).collect()
            }
            Err(error) => return self.nothing_safe(&format!("the trust policy does not parse: {error}")),
        };
        if let Some(strangers) = strangers(self.facts, self.settings) {
            let advice = serves_others(&strangers);
            let unfixable = still.into_iter().map(|finding| (finding, advice.clone())).collect();
            return if out.is_empty() { self.nothing_safe(&advice) } else { self.put_trust(role, left, unfixable) };
        }
        let narrowed = match trust_policy::narrow(&text, &still, baseline.as_deref(), &context) {
            Ok(narrowed) => narrowed,
            Err(error) => return self.nothing_safe(&format!("the trust policy does not parse: {error}")),
        };
        let unfixable =
            narrowed.unfixable.iter().map(|unfixable| (unfixable.finding.clone(), unfixable.advice.clone())).collect();
        match (narrowed.edits.is_empty(), out.is_empty()) {
            (true, true) => Remedy { unfixable, ..Remedy::default() },
            (true, false) => self.put_trust(role, left, unfixable),
            (false, _) => self.put_trust(role, narrowed.document.unwrap_or_else(standard), unfixable),
        }
    }

    fn put_trust(&self, role: &RoleArn, after: Value, unfixable: Vec<(Finding, String)>) -> Remedy {
        let put = |document: String| Call::UpdateAssumeRolePolicy { role: role.clone(), document };
        let plan = self.plan().then(put(after.to_string()), put(self.text()), Content::new(after));
        let note = "sessions that were begun meanwhile live on: revoke the role's sessions (IAM console, or a policy \
                    that denies what has an older aws:TokenIssueTime); Warden does not do that by itself";
        Remedy { plan: Some(plan.noting(note)), unfixable, ..Remedy::default() }
    }
}

/// What is said of what is not changed on a role that serves others.
pub(super) fn serves_others(strangers: &str) -> String {
    format!(
        "the role serves others than Lambda ({strangers}): what they need is not known here; give the function a role \
         of its own, or change this one by hand"
    )
}

/// Whom beside Lambda a role serves, in words: both by its present trust policy, less what is wrong with that and less
/// newcomers, and by the one that was last seen to comply. Somebody who was let in a moment ago holds nothing up, and
/// neither does one who is out again.
pub(crate) fn strangers(facts: &Facts, settings: &Settings) -> Option<String> {
    let present = facts.surfaces.get(&Surface::Trust).and_then(|snapshot| snapshot.content.document());
    let present = match present {
        Some(document) => strangers_of(&text_of(&without_newcomers(document, facts)?), settings)?,
        None => "its trust policy is not known".to_owned(),
    };
    match facts.context.baselines.get(&Surface::Trust).and_then(Content::document) {
        Some(baseline) => strangers_of(&text_of(baseline), settings).map(|_| present),
        None => Some(present),
    }
}

/// The trust policy without whoever came since the opt-in and is not let be; none where nobody is left.
fn without_newcomers(document: &Value, facts: &Facts) -> Option<Value> {
    let Some(first) = &facts.context.first_trust else { return Some(document.clone()) };
    let came = newcomers(document, first.document());
    let content = Content::new(document.clone());
    let is_let_be = |newcomer: &&Newcomer| {
        let statement = content.fragment(&format!("Statement[{}]", newcomer.index));
        statement.is_some_and(|statement| facts.context.standing_trust.contains(&Fingerprint::of(statement)))
    };
    let goes: BTreeSet<&Newcomer> = came.iter().filter(|newcomer| !is_let_be(newcomer)).collect();
    if goes.is_empty() { Some(document.clone()) } else { without(document, &goes) }
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
