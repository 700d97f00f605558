//! What was last in force on a resource's surfaces, and what today's rules say of it: a finding is worse than what stood
//! where they say more of what is there now. So a new rule, or a new list of trusted accounts, opens nothing.

use crate::{
    guard::{Facts, Guard, Judgement, SurfaceSnapshot},
    ledger::state::{History, Purpose, SurfaceState},
    model::{
        content::{Content, FindingKey},
        settings::Settings,
        surface::{Resource, Surface},
        tags::OptIn,
    },
    name::fingerprint::Fingerprint,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use warden_finding::{Finding, FindingId};

/// How a finding compares with what was last in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// What was in force is not known.
    Unknown,
    /// Today's rules say no less of what was in force.
    Stood,
    /// They say less of it, or nothing.
    Worse,
}

/// The parts of a content whose findings are let pass for a time, by an acceptance or an exemption; none where something
/// is found in it that has to go: such content is no baseline. Neither is what is let pass where it is judged by more than
/// its content, by what was there before for one: it would be in order for ever.
pub(crate) fn let_pass<G: Guard>(
    guard: &G,
    facts: &Facts<G::Context>,
    surface: &Surface,
    judgement: &Judgement,
    state: &SurfaceState,
    opt_in: &OptIn,
    settings: &Settings,
) -> Option<BTreeSet<Fingerprint>> {
    let mut passing = BTreeSet::new();
    let content = content(facts, surface)?;
    if judgement.unclear.is_some() || !super::fits(content) {
        return None;
    }
    let behind = guard.behind(facts, surface);
    for finding in judgement.findings.iter().filter(|finding| finding.severity >= settings.threshold) {
        let key = content.finding_key(finding);
        if is_let_pass(finding, &key, behind, state, opt_in) {
            passing.insert(key.fragment);
        } else if !stands(&key, state) {
            return None;
        }
    }
    (passing.is_empty() || guard.is_judged_by_content(facts, surface)).then_some(passing)
}

/// The history, in which what a guard has moved from one surface to another is let be there as it was.
pub fn inherited<'h, G: Guard>(
    guard: &G,
    resource: &Resource,
    facts: &Facts<G::Context>,
    history: &'h History,
) -> Cow<'h, History> {
    let mut with_moved = Cow::Borrowed(history);
    for (from, state) in &history.surfaces {
        let begun = state.intent.as_ref().filter(|intent| intent.purpose == Purpose::Remedy);
        for in_force in state.baseline.iter().chain(begun.map(|intent| intent.plan.after())) {
            for (surface, part) in guard.moved(resource, from, in_force) {
                if content(facts, &surface) == Some(&part) {
                    with_moved.to_mut().surfaces.entry(surface).or_default().inherit(state, &part);
                }
            }
        }
    }
    with_moved
}

/// Whether a finding is accepted, with the same `behind` it, or exempt.
pub(super) fn is_let_pass(
    finding: &Finding,
    key: &FindingKey,
    behind: Option<Fingerprint>,
    state: &SurfaceState,
    opt_in: &OptIn,
) -> bool {
    opt_in.exemptions.iter().any(|exemption| exemption.finding == finding.id)
        || state.acceptance(finding, key, behind).is_some()
}

/// Whether a finding stood before the opt-in, as far as is known, and has not become worse.
fn stands(key: &FindingKey, state: &SurfaceState) -> bool {
    !state.lapsed.contains(&key.fragment)
        && !state.questioned.contains_key(&key.fragment)
        && state.pre_existing.keys().any(|known| known.fragment == key.fragment)
}

/// What was last in force on the surfaces of a resource.
pub(super) struct InForce<C> {
    /// The facts with what was last in force on every surface of which that is known.
    pub(super) facts: Facts<C>,
    /// What today's rules say of that.
    pub(super) judged: BTreeMap<Surface, Judgement>,
    /// The surfaces of which it is known.
    known: BTreeSet<Surface>,
    /// Those that hold something else now.
    pub(super) changed: BTreeSet<Surface>,
}

impl<C: Clone> InForce<C> {
    /// Reads it from the ledger. `judged` is what is found now; `was_looked_at` says that what the ledger has no state of
    /// was not there.
    pub(super) fn read<G: Guard<Context = C>>(
        guard: &G,
        facts: &Facts<C>,
        judged: &BTreeMap<Surface, Judgement>,
        history: &History,
        was_looked_at: bool,
        settings: &Settings,
    ) -> InForce<C> {
        let absent = Content::ABSENT;
        let mut then = facts.clone();
        let (mut known, mut changed) = (BTreeSet::new(), BTreeSet::new());
        for (surface, snapshot) in &mut then.surfaces {
            let before = match history.surfaces.get(surface) {
                Some(state) => state.baseline.as_ref().or(state.told.as_ref()),
                None => Some(&absent).filter(|_| was_looked_at),
            };
            let Some(before) = before else { continue };
            known.insert(surface.clone());
            if *before != snapshot.content {
                changed.insert(surface.clone());
                *snapshot = SurfaceSnapshot { content: before.clone(), revision: None };
            }
        }
        if changed.is_empty() {
            return InForce { facts: then, judged: judged.clone(), known, changed };
        }
        guard.complete(&mut then);
        let judged = guard.judge_all(&then, settings);
        InForce { facts: then, judged, known, changed }
    }

    /// Compares what is found on a surface of `now`.
    pub(super) fn compare<G: Guard<Context = C>>(
        &self,
        guard: &G,
        now: &Facts<C>,
        judged: &BTreeMap<Surface, Judgement>,
        surface: &Surface,
        settings: &Settings,
    ) -> Vec<Compared> {
        let found = findings(judged, surface);
        if !self.known.contains(surface) {
            return vec![Compared::Unknown; found.len()];
        }
        let worse = self.worse(guard, now, judged, surface, settings);
        if worse.is_empty() || self.changed.contains(surface) {
            return found.iter().map(|finding| self.verdict(&worse, finding)).collect();
        }
        // Nothing changed here: another surface is at fault. Where that one is put right for what is found there, nothing
        // has to be done here.
        let mut others = now.clone();
        let mut at_fault = false;
        for other in &self.changed {
            let serious = |worse: &[&Finding]| worse.iter().any(|finding| finding.severity >= settings.threshold);
            if serious(&self.worse(guard, now, judged, other, settings))
                && let Some(before) = self.facts.surfaces.get(other)
            {
                others.surfaces.insert(other.clone(), before.clone());
                at_fault = true;
            }
        }
        if !at_fault {
            return found.iter().map(|finding| self.verdict(&worse, finding)).collect();
        }
        guard.complete(&mut others);
        let judged_without = guard.judge_all(&others, settings);
        let without = self.worse(guard, &others, &judged_without, surface, settings);
        let is_left = |finding: &&&Finding| without.iter().any(|left| left.id == finding.id && left.at == finding.at);
        let left: Vec<&Finding> = worse.iter().filter(is_left).copied().collect();
        found.iter().map(|finding| self.verdict(&left, finding)).collect()
    }

    fn verdict(&self, worse: &[&Finding], finding: &Finding) -> Compared {
        if worse.contains(&finding) { Compared::Worse } else { Compared::Stood }
    }

    /// What is found on a surface and was not in force, or less.
    pub(super) fn worse<'j, G: Guard<Context = C>>(
        &self,
        guard: &G,
        now: &Facts<C>,
        judged: &'j BTreeMap<Surface, Judgement>,
        surface: &Surface,
        settings: &Settings,
    ) -> Vec<&'j Finding> {
        let found = findings(judged, surface);
        if self.changed.is_empty() {
            return Vec::new();
        }
        let (Some(content), Some(before)) = (content(now, surface), content(&self.facts, surface)) else {
            return found.iter().collect();
        };
        let before_found = findings(&self.judged, surface);
        let as_bad = |content: &Content, among: &[Finding], finding: &Finding, fragment: Fingerprint| {
            let alike = among.iter().filter(|other| {
                is_same_rule(other.id, finding.id)
                    && other.severity >= finding.severity
                    && content.finding_key(other).fragment == fragment
            });
            alike.count()
        };
        let is_worse = |finding: &&Finding| {
            let fragment = content.finding_key(finding).fragment;
            as_bad(before, before_found, finding, fragment) < as_bad(content, found, finding, fragment)
                || guard.grants_more(now, &self.facts, surface, finding, settings)
        };
        found.iter().filter(is_worse).collect()
    }
}

fn findings<'j>(judged: &'j BTreeMap<Surface, Judgement>, surface: &Surface) -> &'j [Finding] {
    judged.get(surface).map(|judgement| judgement.findings.as_slice()).unwrap_or_default()
}

fn content<'f, C>(facts: &'f Facts<C>, surface: &Surface) -> Option<&'f Content> {
    facts.surfaces.get(surface).map(|snapshot| &snapshot.content)
}

/// Which of the two a public statement breaks hangs on a URL, which its owner may have deleted.
fn is_same_rule(one: FindingId, other: FindingId) -> bool {
    let is_public = |id| matches!(id, FindingId::PublicUrl | FindingId::PublicInvoke);
    one == other || is_public(one) && is_public(other)
}
