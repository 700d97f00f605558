//! What is wrong with a role, a managed policy, or the role that a function was given. The rules for documents are
//! `warden-policy`'s.

use crate::{Facts, PolicyFacts, newcomers::newcomers, requests::role_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    Finding, FindingId, Severity,
    guard::{Judgement, SurfaceSnapshot},
    model::{content::Content, settings::Settings, surface::Surface},
    name::fingerprint::Fingerprint,
};
use warden_policy::{
    Document, EditKind, Effect, Kind,
    role_policy::{self, Itself, RoleFinding, RoleTexts},
    trust_policy,
};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let Some(content) = facts.surfaces.get(surface).map(|snapshot| &snapshot.content) else {
        return Judgement::default();
    };
    if let Surface::Trust = surface {
        trust(content, facts.context.first_trust.as_ref(), settings)
    } else if let Surface::Boundary = surface {
        boundary(content, facts.context.baselines.get(surface), settings)
    } else if let Surface::Attachment(_) | Surface::InlinePolicy(_) = surface {
        Policies::of(facts, settings).judge().remove(surface).unwrap_or_default()
    } else if let Surface::ManagedPolicy(policy) = surface {
        match facts.context.policies.get(policy) {
            Some(known) if known.is_boundary() => bounding(content, facts.context.baselines.get(surface), settings),
            Some(_) | None => alone(content, settings),
        }
    } else if let Surface::Role(_) = surface {
        swap(content, surface, facts)
    } else {
        Judgement::default()
    }
}

/// Judges every surface. The policies, the trust that they are judged by and the boundary are parsed once for all.
pub(crate) fn judge_all(facts: &Facts, settings: &Settings) -> BTreeMap<Surface, Judgement> {
    let mut together = None;
    let judged = facts.surfaces.keys().map(|surface| {
        let judgement = match surface {
            Surface::Attachment(_) | Surface::InlinePolicy(_) => {
                let together = together.get_or_insert_with(|| Policies::of(facts, settings).judge());
                together.remove(surface).unwrap_or_default()
            }
            Surface::Trust
            | Surface::Boundary
            | Surface::ManagedPolicy(_)
            | Surface::Role(_)
            | Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Environment(_)
            | Surface::Secret(_)
            | Surface::Concurrency
            | Surface::ProvisionedConcurrency(_)
            | Surface::Recursion => judge(facts, surface, settings),
        };
        (surface.clone(), judgement)
    });
    judged.collect()
}

fn unclear(why: String) -> Judgement {
    Judgement { findings: Vec::new(), unclear: Some(why) }
}

/// The text of a document; what did not parse strictly when it was read is kept as text itself.
pub(crate) fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

fn trust(content: &Content, first: Option<&Content>, settings: &Settings) -> Judgement {
    let Some(document) = content.document() else { return Judgement::default() };
    match Document::parse(&text_of(document), Kind::Trust) {
        Ok(parsed) => {
            let mut findings = trust_policy::judge(&parsed, &settings.context());
            findings.extend(first.map(|first| let_in_since(document, first)).into_iter().flatten());
            Judgement { findings, unclear: None }
        }
        Err(error) => unclear(format!("the trust policy does not parse: {error}")),
    }
}

/// One finding for each statement that lets somebody in who could not assume the role when it was opted in.
fn let_in_since(document: &Value, first: &Content) -> Vec<Finding> {
    let mut by_statement: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for newcomer in newcomers(document, first.document()) {
        by_statement.entry(newcomer.index).or_default().push(newcomer.name);
    }
    let finding = |(index, names): (usize, Vec<String>)| Finding {
        id: FindingId::TrustNewcomer,
        severity: Severity::High,
        at: format!("Statement[{index}].Principal"),
        message: format!("could not assume the role when it was opted in: {}", names.join(", ")),
    };
    by_statement.into_iter().map(finding).collect()
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
    let finding = |at: &str, severity: Severity, message: String| {
        let finding = Finding { id: FindingId::BoundaryRemoved, severity, at: at.into(), message };
        Judgement { findings: vec![finding], unclear: None }
    };
    if now.is_none() {
        return finding("PolicyArn", Severity::High, format!("the permissions boundary {} was removed", before.name()));
    }
    let Some(news) = wider(judged.findings, &baseline, settings) else { return Judgement::default() };
    // A new version of the policy itself made it wider for everybody whom it bounds.
    let severity = if now.as_ref() == Some(&before) { Severity::Critical } else { Severity::High };
    finding("Document", severity, format!("the permissions boundary is wider than it was: {}", news.message))
}

/// A policy that bounds somebody grants nothing: it is judged against what it said.
fn bounding(content: &Content, baseline: Option<&Content>, settings: &Settings) -> Judgement {
    let judged = alone(content, settings);
    let news = baseline.and_then(|baseline| wider(judged.findings, baseline, settings));
    let finding = |news: Finding| Finding {
        id: FindingId::BoundaryRemoved,
        severity: Severity::Critical,
        at: news.at,
        message: format!("it is a permissions boundary, and wider than it was: {}", news.message),
    };
    Judgement { findings: news.map(finding).into_iter().collect(), unclear: judged.unclear }
}

/// What a boundary lets through, by the rules for policies, that the one before did not.
fn wider(found: Vec<Finding>, before: &Content, settings: &Settings) -> Option<Finding> {
    let known = alone(before, settings).findings;
    found.into_iter().find(|new| {
        new.severity > Severity::Low && !known.iter().any(|old| old.id == new.id && old.severity >= new.severity)
    })
}

/// A role's policies, which are judged together and within its boundary.
pub(crate) struct Policies {
    /// In the order of the surfaces that they stand on.
    pub(crate) held: Vec<Held>,
    /// The boundary's text, or why there is none to judge by.
    pub(crate) boundary: Result<Option<String>, String>,
    /// Whose they are, and who assumes the role.
    pub(crate) context: warden_policy::Context,
    /// What else is known of the role.
    pub(crate) itself: Itself,
    unclear: BTreeMap<Surface, String>,
}

/// One policy of a role.
#[derive(Clone)]
pub(crate) struct Held {
    /// Where it stands.
    pub(crate) surface: Surface,
    /// How the place of its findings begins: `Document.` where the document is a part of the surface's content.
    pub(crate) within: &'static str,
    /// Its text.
    pub(crate) text: String,
    /// Whether it says what was last in force.
    is_unchanged: bool,
    /// What it said when it was last in force.
    baseline: Option<String>,
}

impl Policies {
    pub(crate) fn of(facts: &Facts, settings: &Settings) -> Policies {
        let boundary = boundary_to_judge_by(facts, settings);
        let boundary = match boundary.document() {
            None => Ok(None),
            Some(document) => {
                let text = text_of(document);
                match Document::parse(&text, Kind::Identity) {
                    Ok(_) => Ok(Some(text)),
                    Err(error) => Err(format!("the permissions boundary does not parse: {error}")),
                }
            }
        };
        let trust = facts.surfaces.get(&Surface::Trust).and_then(|trust| trust.content.document()).map(text_of);
        let trust = trust.as_deref().and_then(|text| Document::parse(text, Kind::Trust).ok());
        let context = warden_policy::Context {
            lambda_alone_assumes: trust.as_ref().is_some_and(trust_policy::lets_in_lambda_alone),
            ..settings.context()
        };
        let itself = Itself {
            arn: facts.context.arn.clone(),
            policies: facts.context.attached.iter().map(ToString::to_string).collect(),
            boundary: facts.context.boundary.as_ref().map(ToString::to_string),
            names: BTreeSet::new(),
            warden: settings.own.clone(),
        };
        let mut policies = Policies { held: Vec::new(), boundary, itself, context, unclear: BTreeMap::new() };
        for (surface, snapshot) in &facts.surfaces {
            let baseline = facts.context.baselines.get(surface);
            if let Surface::InlinePolicy(_) = surface {
                policies.add(surface, "", &snapshot.content, baseline.cloned());
                policies.add_lost(surface, &snapshot.content, baseline);
            } else if let Some(policy) = surface.attached() {
                let said = snapshot.content.policy_document();
                policies.add(surface, "Document.", &said, baseline.map(Content::policy_document));
                // Judged where it stands; here only as long as it is no more than planned.
                let own = facts.surfaces.get(&Surface::InlinePolicy(policy.stand_in()));
                let stand_in = snapshot.content.stand_in();
                if own.is_none_or(|own| own.content != stand_in) {
                    policies.add(surface, "StandIn.", &stand_in, None);
                }
                let copy = snapshot.content.copy();
                let is_it = |(other, seen): (&Surface, &SurfaceSnapshot)| {
                    other.attached().is_some() && seen.content.policy_document() == copy
                };
                if !facts.surfaces.iter().any(is_it) {
                    policies.add(surface, "Copy.", &copy, None);
                }
            }
        }
        policies
    }

    fn add(&mut self, surface: &Surface, within: &'static str, content: &Content, baseline: Option<Content>) {
        let Some(document) = content.document() else { return };
        let text = text_of(document);
        match Document::parse(&text, Kind::Identity) {
            Ok(_) => self.held.push(Held {
                surface: surface.clone(),
                within,
                text,
                is_unchanged: baseline.as_ref() == Some(content),
                baseline: baseline.as_ref().and_then(Content::document).map(text_of),
            }),
            Err(error) => drop(self.unclear.insert(surface.clone(), format!("the policy does not parse: {error}"))),
        }
    }

    /// A policy of the role's own that is gone, with the Denies that it had: what they held back may be its doing.
    fn add_lost(&mut self, surface: &Surface, content: &Content, baseline: Option<&Content>) {
        let Some(before) = baseline.and_then(Content::document).filter(|_| content.is_absent()) else { return };
        let before = text_of(before);
        let denies =
            |document: Document<'_>| document.statements.iter().any(|statement| statement.effect == Effect::Deny);
        if Document::parse(&before, Kind::Identity).is_ok_and(denies) {
            self.held.push(Held {
                surface: surface.clone(),
                within: "",
                text: NOTHING.to_owned(),
                is_unchanged: false,
                baseline: Some(before),
            });
        }
    }

    /// What is wrong with each surface that has something wrong.
    pub(crate) fn judge(&self) -> BTreeMap<Surface, Judgement> {
        let mut judged: BTreeMap<Surface, Judgement> =
            self.unclear.iter().map(|(surface, why)| (surface.clone(), unclear(why.clone()))).collect();
        let boundary = match &self.boundary {
            Ok(boundary) => boundary.as_deref(),
            Err(why) => {
                judged.extend(self.held.iter().map(|held| (held.surface.clone(), unclear(why.clone()))));
                return judged;
            }
        };
        let texts: Vec<Option<&str>> = self.held.iter().map(|held| Some(held.text.as_str())).collect();
        for found in judge_together(&texts, boundary, &self.itself, &self.context) {
            let Some(held) = self.held.get(found.policy) else { continue };
            let introduced = if held.is_unchanged { self.introduced_by(&found, boundary) } else { Vec::new() };
            let let_loose = match introduced.is_empty() && held.is_unchanged {
                true => self.let_loose_by(&found, boundary),
                false => None,
            };
            if introduced.is_empty() {
                let at = format!("{}{}", held.within, found.finding.at);
                judged.entry(held.surface.clone()).or_default().findings.push(Finding { at, ..found.finding.clone() });
            }
            for by in introduced.into_iter().chain(let_loose) {
                let finding = Finding {
                    at: if by.within.is_empty() { "Statement".into() } else { "Document".into() },
                    message: format!("together with {}, {}", held.surface, found.finding.message),
                    ..found.finding.clone()
                };
                judged.entry(by.surface.clone()).or_default().findings.push(finding);
            }
        }
        judged
    }

    /// What acting on the policies as they stand would take away, statement by statement, and what each is known for.
    pub(crate) fn would_go(&self, settings: &Settings) -> Vec<String> {
        let Ok(boundary) = &self.boundary else { return Vec::new() };
        let texts: Vec<&str> = self.held.iter().map(|held| held.text.as_str()).collect();
        let held: Vec<Option<&str>> = texts.iter().copied().map(Some).collect();
        let found = judge_together(&held, boundary.as_deref(), &self.itself, &self.context);
        let mut lost = Vec::new();
        for (at, held) in self.held.iter().enumerate() {
            let serious = found.iter().filter(|it| it.policy == at && it.finding.severity >= settings.threshold);
            let serious: Vec<Finding> = serious.map(|it| it.finding.clone()).collect();
            let role = RoleTexts { policies: &texts, boundary: boundary.as_deref(), itself: Some(&self.itself) };
            let Ok(document) = Document::parse(&held.text, Kind::Identity) else { continue };
            let Ok(narrowed) = role_policy::narrow(role, at, &serious, None, &self.context) else { continue };
            for edit in narrowed.edits {
                let name = edit.sid.map_or_else(|| format!("Statement[{}]", edit.index), |sid| format!("`{sid}`"));
                let what = match edit.kind {
                    EditKind::Removed | EditKind::Restored => "would go",
                    EditKind::Replaced => "would lose what is wrong with it",
                };
                let known = document.statements.get(edit.index).and_then(role_policy::known_for);
                let known = known.map(|known| format!("; it is as of {known}, which would stop"));
                lost.push(format!("{name} of {} {what}{}", held.surface, known.unwrap_or_default()));
            }
        }
        lost
    }

    /// The policy whose change lets a statement of another, which is as bad as it was, grant more: a Deny was taken away.
    fn let_loose_by(&self, found: &RoleFinding, boundary: Option<&str>) -> Option<&Held> {
        let statement = (found.policy, found.finding.statement()?);
        self.held.iter().filter(|held| !held.is_unchanged && held.baseline.is_some()).find(|by| {
            let before = self.held.iter().map(|held| match (std::ptr::eq(held, *by), &held.baseline) {
                (true, Some(baseline)) => baseline.as_str(),
                (true | false, _) => held.text.as_str(),
            });
            let before: Vec<&str> = before.collect();
            self.grown(&before, boundary).contains(&statement)
        })
    }

    /// The statements that grant more than they would beside policies of these texts.
    fn grown(&self, before: &[&str], boundary: Option<&str>) -> BTreeSet<(usize, usize)> {
        let now: Vec<&str> = self.held.iter().map(|held| held.text.as_str()).collect();
        let own = self.boundary.as_ref().ok().and_then(Option::as_deref);
        let texts = RoleTexts { policies: &now, boundary: own, itself: Some(&self.itself) };
        let then = RoleTexts { policies: before, boundary, itself: None };
        role_policy::grown(texts, then, &self.context)
    }

    /// Whether what a finding points at grants more than it did among the policies of `then`.
    pub(crate) fn grants_more(&self, then: &Policies, surface: &Surface, finding: &Finding) -> bool {
        let (own, Ok(boundary)) = (self.held.iter().enumerate(), &then.boundary) else { return false };
        let places = own.filter(|(_, held)| held.surface == *surface).filter_map(|(nth, held)| {
            let at = finding.at.strip_prefix(held.within)?.to_owned();
            Some((nth, Finding { at, ..finding.clone() }.statement()?))
        });
        let before: Vec<&str> = then.held.iter().map(|held| held.text.as_str()).collect();
        let grown = self.grown(&before, boundary.as_deref());
        places.into_iter().any(|place| grown.contains(&place))
    }

    /// The policies whose change brought a finding about in another that did not change: the other half of an
    /// escalation, a Deny that was taken away. None where the finding does not hang on any.
    fn introduced_by(&self, found: &RoleFinding, boundary: Option<&str>) -> Vec<&Held> {
        let holds_without = |taken_back: &dyn Fn(&Held) -> bool| {
            let text = |held: &'_ Held| -> Option<String> {
                if taken_back(held) { held.baseline.clone() } else { Some(held.text.clone()) }
            };
            let texts: Vec<Option<String>> = self.held.iter().map(text).collect();
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            judge_together(&texts, boundary, &self.itself, &self.context).iter().any(|other| {
                let (one, other) = (&found.finding, (other.policy, &other.finding));
                other.0 == found.policy
                    && (other.1.id, &other.1.at) == (one.id, &one.at)
                    && other.1.severity >= one.severity
            })
        };
        if holds_without(&|held| !held.is_unchanged) {
            return Vec::new();
        }
        let changed = || self.held.iter().filter(|held| !held.is_unchanged);
        // One alone, if one alone is to blame.
        let alone = changed().find(|by| !holds_without(&|held| std::ptr::eq(held, *by)));
        alone.map_or_else(|| changed().collect(), |by| vec![by])
    }
}

/// A policy that grants nothing, where one is not there, so that indexes stay.
const NOTHING: &str = r#"{"Statement":{"Effect":"Deny","Action":"sts:GetCallerIdentity","Resource":"*"}}"#;

/// What is wrong with policies, by their index; one that is not there grants nothing.
fn judge_together(
    texts: &[Option<&str>],
    boundary: Option<&str>,
    itself: &Itself,
    context: &warden_policy::Context,
) -> Vec<RoleFinding> {
    // They parsed before.
    let texts = texts.iter().map(|text| text.unwrap_or(NOTHING));
    let documents: Vec<Document<'_>> = texts.filter_map(|text| Document::parse(text, Kind::Identity).ok()).collect();
    let all: Vec<&Document<'_>> = documents.iter().collect();
    let boundary = boundary.and_then(|text| Document::parse(text, Kind::Identity).ok());
    role_policy::judge_known_role(&all, boundary.as_ref(), itself, context)
}

/// What the boundary says, or, where it was removed or widened and can be put back, what it said: the policies within
/// it are not at fault then.
fn boundary_to_judge_by(facts: &Facts, settings: &Settings) -> Content {
    let Some(present) = facts.surfaces.get(&Surface::Boundary) else { return Content::ABSENT };
    match facts.context.baselines.get(&Surface::Boundary) {
        Some(baseline)
            if !judge(facts, &Surface::Boundary, settings).findings.is_empty() && can_come_back(baseline, facts) =>
        {
            baseline.policy_document()
        }
        Some(_) | None => present.content.policy_document(),
    }
}

/// Whether a boundary's policy still says what it said, or goes back to it.
fn can_come_back(boundary: &Content, facts: &Facts) -> bool {
    let policy = boundary.policy();
    let known = policy.as_ref().and_then(|policy| facts.context.policies.get(policy));
    known.is_some_and(|known| says_still(boundary, known) || known.goes_back_to(&boundary.policy_document()))
}

/// Whether a boundary's policy still says what it said.
pub(crate) fn says_still(boundary: &Content, known: &PolicyFacts) -> bool {
    known.document == boundary.policy_document()
}

/// Everything that is wrong with a role: its policies and who may assume it.
pub(crate) fn whole_role(facts: &Facts, settings: &Settings) -> Judgement {
    let mut whole = Judgement::default();
    for (surface, judged) in judge_all(facts, settings) {
        whole.findings.extend(judged.findings);
        whole.unclear = whole.unclear.or(judged.unclear.map(|why| format!("{surface}: {why}")));
    }
    whole
}

/// The fingerprint of all that a role says.
pub(crate) fn said(facts: &Facts) -> Fingerprint {
    let surfaces = facts.surfaces.iter().map(|(surface, snapshot)| (surface, &snapshot.content));
    Content::of_role(surfaces).fingerprint()
}

/// A function's role is judged when it is not the one that the function always had: what was clean when the function was
/// given it may be widened later.
fn swap(content: &Content, surface: &Surface, facts: &Facts) -> Judgement {
    let Some(role) = role_of(content) else { return unclear("the function has no role".into()) };
    let is_known = |had: &Surface| facts.context.baselines.get(had) == Some(content);
    let judged = match facts.context.roles.get(role) {
        // What is published is good where it is what the function itself had.
        _ if is_known(&Surface::Role(None)) && facts.context.earlier.is_empty() => return Judgement::default(),
        None if is_known(surface) || is_known(&Surface::Role(None)) => return Judgement::default(),
        None => return unclear(format!("the role {role} could not be read")),
        Some(judged) => judged,
    };
    let finding = |worst: &Finding| {
        let (who, severity) = if let Surface::Role(Some(version)) = surface {
            // Nobody can take it from a version.
            (format!("version {version}"), Severity::Critical)
        } else {
            ("the function".to_owned(), worst.severity)
        };
        let message = format!("{who} was given {role}, which breaks {}: {}", worst.id, worst.message);
        Finding { id: FindingId::RoleBroadened, severity, at: "Role".into(), message }
    };
    let findings = is_at_fault(judged).then(|| judged.findings.iter().max_by_key(|finding| finding.severity));
    let findings = findings.flatten().map(finding).into_iter().collect();
    Judgement { findings, unclear: judged.unclear.clone() }
}

/// Whether a role is one that a function must not be given.
pub(crate) fn is_at_fault(judged: &Judgement) -> bool {
    judged.findings.iter().any(|finding| finding.severity >= Severity::Medium)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;
    use serde_json::json;
    use warden_engine::{guard::Scope, name::lambda::Home};

    /// Half of an escalation in each of two policies, a trust policy that counts for both, and one that does not parse.
    #[test]
    fn all_surfaces_at_once_are_judged_as_one_by_one() {
        let account = "111122223333".parse().unwrap();
        let home = Home { partition: "aws".parse().unwrap(), region: "us-east-1".into(), account };
        let settings = Settings::read(home, |_| None).unwrap();
        let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
        let allow = |action: &str| policy(json!({"Effect": "Allow", "Action": action, "Resource": "*"}));
        let trust = policy(json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole"}));
        let surfaces = [
            ("trust", trust),
            ("boundary", Value::Null),
            ("inline-policy/pass", allow("iam:PassRole")),
            ("inline-policy/create", allow("lambda:CreateFunction")),
            ("inline-policy/all", allow("*")),
            ("inline-policy/text", json!("{")),
        ];
        let surfaces = surfaces.map(|(surface, document)| {
            (surface.parse().unwrap(), SurfaceSnapshot { content: Content::new(document), revision: None })
        });
        let facts =
            Facts { scope: Scope::Tags(BTreeMap::new()), surfaces: surfaces.into(), context: Context::default() };
        let all = judge_all(&facts, &settings);
        let each = facts.surfaces.keys().map(|surface| (surface.clone(), judge(&facts, surface, &settings)));
        assert_eq!(all, each.collect());
        let at_fault = all.values().filter(|judged| !judged.findings.is_empty()).count();
        assert!(at_fault >= 2 && all.values().any(|judged| judged.unclear.is_some()), "{all:?}");
    }
}
