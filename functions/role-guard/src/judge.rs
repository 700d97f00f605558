//! What is wrong with a role, a managed policy, or the role that a function was given. The rules for documents are `warden-policy`'s.

use crate::{Facts, looks::role_of};
use serde_json::Value;
use std::collections::BTreeMap;
use warden_engine::{
    Finding, FindingId, Severity, content::Content, guard::Judgement, settings::Settings, surface::Surface,
};
use warden_policy::{Document, Kind, role_policy, trust_policy};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let Some(content) = facts.surfaces.get(surface).map(|sighting| &sighting.content) else {
        return Judgement::default();
    };
    match surface {
        Surface::Trust => trust(content, settings),
        Surface::Boundary => boundary(content, facts.context.baselines.get(surface), settings),
        Surface::Attachment(_) | Surface::InlinePolicy(_) => {
            Policies::of(facts).judge(settings).remove(surface).unwrap_or_default()
        }
        Surface::ManagedPolicy(_) => alone(content, settings),
        Surface::Role => swap(content, facts),
        // access-guard's.
        Surface::FunctionUrl(_) | Surface::ResourcePolicy(_) | Surface::LayerPolicy(_) | Surface::Environment(_) => {
            Judgement::default()
        }
    }
}

fn unclear(why: String) -> Judgement {
    Judgement { findings: Vec::new(), unclear: Some(why) }
}

/// The text of a document; what did not parse strictly when it was read is kept as text itself.
pub(crate) fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

fn trust(content: &Content, settings: &Settings) -> Judgement {
    let Some(document) = content.document() else { return Judgement::default() };
    match Document::parse(&text_of(document), Kind::Trust) {
        Ok(document) => Judgement { findings: trust_policy::judge(&document, &settings.context()), unclear: None },
        Err(error) => unclear(format!("the trust policy does not parse: {error}")),
    }
}

/// A policy by itself.
pub(crate) fn alone(content: &Content, settings: &Settings) -> Judgement {
    let Some(document) = content.document() else { return Judgement::default() };
    match Document::parse(&text_of(document), Kind::Identity) {
        Ok(document) => Judgement { findings: role_policy::judge(&document, &settings.context()), unclear: None },
        Err(error) => unclear(format!("the policy does not parse: {error}")),
    }
}

/// A boundary is judged against the one that was there.
fn boundary(content: &Content, baseline: Option<&Content>, settings: &Settings) -> Judgement {
    let (now, said) = (content.policy(), content.policy_document());
    let judged = alone(&said, settings);
    if now.is_some() && (said.is_absent() || judged.unclear.is_some()) {
        return unclear(judged.unclear.unwrap_or_else(|| "the boundary's policy is gone".into()));
    }
    let Some((before, baseline)) = baseline.and_then(|baseline| Some((baseline.policy()?, baseline.policy_document())))
    else {
        return Judgement::default();
    };
    let finding = |at: &str, message: String| {
        let finding = Finding { id: FindingId::BoundaryRemoved, severity: Severity::High, at: at.into(), message };
        Judgement { findings: vec![finding], unclear: None }
    };
    if now.is_none() {
        return finding("PolicyArn", format!("the permissions boundary {} was removed", before.name()));
    }
    // Wider: it lets something through, by the rules for policies, that the one before did not.
    let known = alone(&baseline, settings).findings;
    let news = judged.findings.into_iter().find(|new| {
        new.severity > Severity::Low && !known.iter().any(|old| old.id == new.id && old.severity >= new.severity)
    });
    match news {
        None => Judgement::default(),
        Some(news) => finding("Document", format!("the permissions boundary is wider than it was: {}", news.message)),
    }
}

/// A role's policies, which are judged together and within its boundary.
pub(crate) struct Policies {
    /// The surface that each stands on, with how the place of its findings begins, and its text.
    pub(crate) held: Vec<Held>,
    /// The boundary's text, or why there is none to judge by.
    pub(crate) boundary: Result<Option<String>, String>,
    unclear: BTreeMap<Surface, String>,
}

/// One policy of a role.
pub(crate) struct Held {
    pub(crate) surface: Surface,
    /// `Document.` where the document is a part of the surface's content.
    pub(crate) within: &'static str,
    pub(crate) text: String,
}

impl Policies {
    pub(crate) fn of(facts: &Facts) -> Policies {
        let boundary = facts.surfaces.get(&Surface::Boundary).map(|sighting| &sighting.content);
        let boundary = match boundary.filter(|content| content.policy().is_some()) {
            None => Ok(None),
            Some(content) => {
                let document = content.policy_document();
                let text = document.document().map(text_of).unwrap_or_default();
                match Document::parse(&text, Kind::Identity) {
                    Ok(_) => Ok(Some(text)),
                    Err(error) => Err(format!("the permissions boundary does not parse: {error}")),
                }
            }
        };
        let mut policies = Policies { held: Vec::new(), boundary, unclear: BTreeMap::new() };
        for (surface, sighting) in &facts.surfaces {
            match surface {
                Surface::InlinePolicy(_) => policies.add(surface, "", &sighting.content),
                Surface::Attachment(policy) => {
                    policies.add(surface, "Document.", &sighting.content.policy_document());
                    // Judged where it stands; here only as long as it is no more than planned.
                    let own = facts.surfaces.get(&Surface::InlinePolicy(policy.stand_in()));
                    if own.is_none_or(|own| own.content != sighting.content.stand_in()) {
                        policies.add(surface, "StandIn.", &sighting.content.stand_in());
                    }
                }
                Surface::Trust
                | Surface::Boundary
                | Surface::ManagedPolicy(_)
                | Surface::Role
                | Surface::FunctionUrl(_)
                | Surface::ResourcePolicy(_)
                | Surface::LayerPolicy(_)
                | Surface::Environment(_) => {}
            }
        }
        policies
    }

    fn add(&mut self, surface: &Surface, within: &'static str, content: &Content) {
        let Some(document) = content.document() else { return };
        let text = text_of(document);
        match Document::parse(&text, Kind::Identity) {
            Ok(_) => self.held.push(Held { surface: surface.clone(), within, text }),
            Err(error) => drop(self.unclear.insert(surface.clone(), format!("the policy does not parse: {error}"))),
        }
    }

    /// What is wrong with each surface that has something wrong.
    pub(crate) fn judge(&self, settings: &Settings) -> BTreeMap<Surface, Judgement> {
        let mut judged: BTreeMap<Surface, Judgement> =
            self.unclear.iter().map(|(surface, why)| (surface.clone(), unclear(why.clone()))).collect();
        let boundary = match &self.boundary {
            Ok(boundary) => boundary.as_deref().and_then(|text| Document::parse(text, Kind::Identity).ok()),
            Err(why) => {
                judged.extend(self.held.iter().map(|held| (held.surface.clone(), unclear(why.clone()))));
                return judged;
            }
        };
        // They parsed before.
        let documents: Vec<Document<'_>> =
            self.held.iter().filter_map(|held| Document::parse(&held.text, Kind::Identity).ok()).collect();
        let all: Vec<&Document<'_>> = documents.iter().collect();
        for found in role_policy::judge_role(&all, boundary.as_ref(), &settings.context()) {
            let Some(held) = self.held.get(found.policy) else { continue };
            let finding = Finding { at: format!("{}{}", held.within, found.finding.at), ..found.finding };
            judged.entry(held.surface.clone()).or_default().findings.push(finding);
        }
        judged
    }
}

/// Everything that is wrong with a role: its policies and who may assume it.
pub(crate) fn whole_role(facts: &Facts, settings: &Settings) -> Judgement {
    let mut whole = Judgement::default();
    for surface in facts.surfaces.keys() {
        let judged = judge(facts, surface, settings);
        whole.findings.extend(judged.findings);
        whole.unclear = whole.unclear.or(judged.unclear.map(|why| format!("{surface}: {why}")));
    }
    whole
}

/// A function's role is judged when it is not the one that the function had.
fn swap(content: &Content, facts: &Facts) -> Judgement {
    if facts.context.baselines.get(&Surface::Role) == Some(content) {
        return Judgement::default();
    }
    let Some(role) = role_of(content) else { return unclear("the function has no role".into()) };
    let Some(judged) = facts.context.roles.get(role) else {
        return unclear(format!("the role {role} could not be read"));
    };
    let worst = judged.findings.iter().max_by_key(|finding| finding.severity);
    let findings = worst.filter(|worst| worst.severity >= Severity::Medium).map(|worst| Finding {
        id: FindingId::RoleBroadened,
        severity: worst.severity,
        at: "Role".into(),
        message: format!("the function was given {role}, which breaks {}: {}", worst.id, worst.message),
    });
    Judgement { findings: findings.into_iter().collect(), unclear: judged.unclear.clone() }
}
