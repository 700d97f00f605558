//! The least change to one of a role's policies that takes the named findings out.

use super::{
    Itself, RoleFinding, can_take,
    escalation::Route,
    grants::Grants,
    itself::{self, Way},
    judge_known_role, open_routes, remainder, rule, rule_of_service,
    sensitivity::SENSITIVE,
};
use crate::{
    Context, Document, DocumentError, Kind, Selection, Values,
    breadth::{Reach, Scratch},
    pattern,
    rewrite::{DenialsBack, Narrowed, Outcome, Restored, Rewriting, Rewritten, rename},
    service_table::{self, ACTIONS, Action, ActionSet},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use warden_finding::{Finding, FindingId, Severity};

/// The texts of a role's policies.
#[derive(Clone, Copy, Debug)]
pub struct RoleTexts<'t> {
    /// All of them, inline and attached.
    pub policies: &'t [&'t str],
    /// The permissions boundary.
    pub boundary: Option<&'t str>,
    /// What else is known of the role.
    pub itself: Option<&'t Itself>,
}

/// Takes the named findings out of one of a role's policies and changes nothing else.
///
/// The actions at fault go; where the statement also names resources, they stay for those. A wildcard that grants
/// others as well becomes the wildcards that grant the others. The rest of the statement stays word for word.
///
/// The baseline is what was in force and may come back. Its Denies that were lost are put back first, where that closes
/// something; where it had another statement in the place of one of which nothing is left, that one comes back; when
/// nothing of the document is left, the whole baseline does.
///
/// The findings are those of [`judge_role`] in that policy. The result is judged again with the rest of the role, and a
/// statement that still breaks a rule that was named goes as a whole.
///
/// # Errors
///
/// [`DocumentError`] when a document does not parse: then nothing may be changed. A policy that is not in the list is
/// left alone.
pub fn narrow(
    role: RoleTexts<'_>,
    policy: usize,
    findings: &[Finding],
    baseline: Option<&str>,
    context: &Context,
) -> Result<Narrowed, DocumentError> {
    let Some(text) = role.policies.get(policy) else {
        return Ok(Narrowed::nothing());
    };
    let judge = |text: &str| judge_one(&with_policy(role.policies, policy, text), role, policy, context);
    let is_same = |named: &Finding, found: &Finding| named.at == found.at && named.id == found.id;
    match DenialsBack::of(text, findings, baseline, Kind::Identity, judge, is_same)? {
        None => narrow_statements(role, policy, findings, baseline, context),
        Some(back) => {
            let policies = with_policy(role.policies, policy, &back.document);
            let narrowed =
                narrow_statements(RoleTexts { policies: &policies, ..role }, policy, &back.left, baseline, context)?;
            back.and(narrowed)
        }
    }
}

/// The texts with another one in the place of a policy.
fn with_policy<'t>(policies: &[&'t str], policy: usize, text: &'t str) -> Vec<&'t str> {
    policies.iter().enumerate().map(|(nth, before)| if nth == policy { text } else { before }).collect()
}

/// What is open about one of a role's policies, judged with the others.
fn judge_one(
    policies: &[&str],
    role: RoleTexts<'_>,
    policy: usize,
    context: &Context,
) -> Result<Vec<Finding>, DocumentError> {
    let documents = policies.iter().map(|text| Document::parse(text, Kind::Identity)).collect::<Result<Vec<_>, _>>()?;
    let boundary = role.boundary.map(|text| Document::parse(text, Kind::Identity)).transpose()?;
    let unknown = Itself::default();
    let all: Vec<&Document<'_>> = documents.iter().collect();
    let found = judge_known_role(&all, boundary.as_ref(), role.itself.unwrap_or(&unknown), context);
    Ok(found.into_iter().filter(|found| found.policy == policy).map(|found| found.finding).collect())
}

fn narrow_statements(
    role: RoleTexts<'_>,
    policy: usize,
    findings: &[Finding],
    baseline: Option<&str>,
    context: &Context,
) -> Result<Narrowed, DocumentError> {
    let documents =
        role.policies.iter().map(|text| Document::parse(text, Kind::Identity)).collect::<Result<Vec<_>, _>>()?;
    let boundary = role.boundary.map(|text| Document::parse(text, Kind::Identity)).transpose()?;
    let unknown = Itself::default();
    let itself = role.itself.unwrap_or(&unknown);
    let narrowing = Narrowing { documents: &documents, boundary: boundary.as_ref(), itself, policy, findings, context };
    let Some(text) = role.policies.get(policy) else {
        return Ok(Narrowed::nothing());
    };
    let narrowed = narrowing.apply(text, baseline, false)?;
    let restored = match baseline {
        Some(baseline) => {
            let found = judge_one(&with_policy(role.policies, policy, baseline), role, policy, context)?;
            Restored::read(text, baseline, found)?
        }
        None => Restored::default(),
    };
    if narrowing.is_clean(&narrowed, &restored) { Ok(narrowed) } else { narrowing.apply(text, baseline, true) }
}

struct Narrowing<'r> {
    documents: &'r [Document<'r>],
    boundary: Option<&'r Document<'r>>,
    itself: &'r Itself,
    policy: usize,
    findings: &'r [Finding],
    context: &'r Context,
}

impl Narrowing<'_> {
    fn apply(&self, text: &str, baseline: Option<&str>, whole_statements: bool) -> Result<Narrowed, DocumentError> {
        let all: Vec<&Document<'_>> = self.documents.iter().collect();
        let grants = Grants::within(&all, self.boundary, self.itself, self.context);
        let rewrite = |index: usize, statement: &crate::Statement<'_>, text: &Value, parsed: &Document<'_>| {
            let at = format!("Statement[{index}]");
            let mut named = Named::new();
            for finding in self.findings.iter().filter(|finding| finding.at == at) {
                let least = named.entry(finding.id).or_insert(finding.severity);
                *least = (*least).min(finding.severity);
            }
            if named.is_empty() {
                return Rewritten::kept();
            }
            let outcome = if whole_statements || named.contains_key(&FindingId::WildcardNotAction) {
                Outcome::Removed
            } else {
                self.narrowed(index, statement, text, parsed, &named, &grants)
            };
            Rewritten { outcome, unfixable: Vec::new() }
        };
        Rewriting { kind: Kind::Identity, rewrite: &rewrite }.apply(text, baseline)
    }

    fn narrowed(
        &self,
        index: usize,
        statement: &crate::Statement<'_>,
        text: &Value,
        parsed: &Document<'_>,
        named: &Named,
        grants: &Grants<'_>,
    ) -> Outcome {
        let Selection::Only(patterns) = &statement.actions else { return Outcome::Removed };
        let at = grants.statements.iter().position(|it| (it.policy, it.index) == (self.policy, index));
        let mut faults = at.map_or_else(Faults::default, |at| faults(at, named, grants));
        if named.contains_key(&FindingId::PrivilegeEscalation) {
            let all: Vec<&Document<'_>> = self.documents.iter().collect();
            for way in itself::ways(&all, self.boundary, self.itself, self.context) {
                if (way.policy, way.index) == (self.policy, index) {
                    faults.add(way, patterns);
                }
            }
        }
        if faults.are_none() {
            return Outcome::Removed;
        }
        let mut now = Vec::new();
        if let Some(rest) = rest(patterns, text, &faults) {
            now.push(with(text, "Action", rest));
        }
        // For what is named, the actions stay; NotResource names nothing that they could stay for.
        if let Some(Selection::Only(resources)) = &statement.resources {
            let examples: Vec<Action> =
                faults.whole.values().flatten().copied().chain(faults.actions.ranges().flatten()).collect();
            let broad: Vec<bool> = resources
                .iter()
                .enumerate()
                .map(|(nth, resource)| {
                    let is_piece = at.is_some_and(|at| grants.pieces.contains(&(at, nth)));
                    is_piece || faults.resources.contains(&nth) || self.is_broad(resource, &examples, parsed)
                })
                .collect();
            let named = kept(text, "Resource", &|nth| !broad.get(nth).copied().unwrap_or(true));
            if let (Some(named), Some(faulty)) = (named, kept(text, "Action", &|nth| faults.touch(nth))) {
                let mut statement = with(&with(text, "Resource", named), "Action", faulty);
                if !now.is_empty() {
                    rename(&mut statement, parsed, &now, "Named");
                }
                now.push(statement);
            }
        }
        if now.is_empty() { Outcome::Removed } else { Outcome::Narrowed(now) }
    }

    /// Whether one resource alone would be broad for one of the actions at fault.
    fn is_broad(&self, resource: &str, examples: &[Action], parsed: &Document<'_>) -> bool {
        let alone = Selection::Only(Values::One(resource.into()));
        let mut scratch = Scratch::default();
        match Reach::read(&alone, parsed.version, self.context) {
            Reach::All => true,
            Reach::Named => false,
            Reach::Patterns(patterns) => {
                examples.is_empty() || examples.iter().any(|action| patterns.are_broad_for(*action, &mut scratch))
            }
        }
    }

    /// Judges the whole role again: of each rule, nothing more may be left than what was not named. `wildcard-admin`
    /// says nothing of what else a statement breaks, so there may be more now than before; and what came back from the
    /// baseline may break what it broke there.
    fn is_clean(&self, narrowed: &Narrowed, restored: &Restored) -> bool {
        let text = match &narrowed.document {
            Some(document) => document.to_string(),
            None => return true,
        };
        let Ok(document) = Document::parse(&text, Kind::Identity) else {
            return false;
        };
        let swapped: Vec<&Document<'_>> = self
            .documents
            .iter()
            .enumerate()
            .map(|(nth, before)| if nth == self.policy { &document } else { before })
            .collect();
        let before: Vec<&Document<'_>> = self.documents.iter().collect();
        let open = |documents: &[&Document<'_>]| -> Vec<RoleFinding> {
            let mut found = judge_known_role(documents, self.boundary, self.itself, self.context);
            found.retain(|found| found.policy == self.policy);
            found
        };
        let (before, mut after) = (open(&before), open(&swapped));
        let is_restored = |found: &RoleFinding| {
            narrowed.document.as_ref().is_some_and(|document| restored.explains(document, &found.finding))
        };
        after.retain(|found| !is_restored(found));
        let is_no_more = |id: FindingId, severity: Severity| {
            let alike = |found: &&RoleFinding| found.finding.id == id && found.finding.severity >= severity;
            let unnamed = before.iter().filter(alike).filter(|found| !self.findings.contains(&found.finding)).count();
            after.iter().filter(alike).count() <= unnamed
        };
        let serious = after.iter().filter(|found| found.finding.severity >= Severity::High);
        self.findings.iter().all(|named| is_no_more(named.id, named.severity))
            && serious.into_iter().all(|found| is_no_more(found.finding.id, Severity::High))
    }
}

/// What is at fault in one statement.
#[derive(Default)]
struct Faults {
    /// Patterns of which nothing may stay, with one of the actions that each grants.
    whole: BTreeMap<usize, Option<Action>>,
    /// Patterns that grant some actions which may not stay.
    some: BTreeSet<usize>,
    /// Those actions.
    actions: ActionSet,
    /// Resources that they may not stay for, though they are narrow.
    resources: BTreeSet<usize>,
}

impl Faults {
    fn are_none(&self) -> bool {
        self.whole.is_empty() && self.some.is_empty()
    }

    /// What the statement grants by name.
    fn add(&mut self, way: Way, patterns: &Values<'_>) {
        for action in way.actions {
            self.actions.insert_one(action);
            let mut name = String::new();
            service_table::push_name(action, &mut name);
            let fits = |(_, pattern): &(usize, &str)| pattern::fits_ignoring_case(pattern, &name);
            self.some.extend(patterns.iter().enumerate().filter(fits).map(|(nth, _)| nth));
        }
        self.resources.extend(way.resources);
    }

    fn touch(&self, pattern: usize) -> bool {
        self.whole.contains_key(&pattern) || self.some.contains(&pattern)
    }
}

/// The rules that a statement is to lose, with the least severity that was named of each.
type Named = BTreeMap<FindingId, Severity>;

/// What breaks the named rules in one statement.
fn faults(at: usize, named: &Named, grants: &Grants<'_>) -> Faults {
    let Some(granter) = grants.statements.get(at) else {
        return Faults::default();
    };
    let mut faults = Faults::default();
    // These say nothing of the other rules that the statement breaks.
    let of_everything = named.contains_key(&FindingId::WildcardAdmin);
    let all_serious = of_everything || named.contains_key(&FindingId::WildcardNotResource);
    let spans = || grants.spans.iter().filter(|span| span.statement() == at);
    if of_everything {
        // The patterns that make up most of it; where no single one does, all with a wildcard of some width.
        let widest = spans().map(|span| span.actions().len()).max().unwrap_or_default();
        let least = if widest > ACTIONS / 20 { ACTIONS / 20 } else { 2 };
        let wide = spans().filter(|span| span.actions().len() >= least);
        faults.whole.extend(wide.map(|span| (span.pattern(), Some(span.actions().start))));
    }
    let is_named = |(id, severity): (FindingId, Severity)| {
        named.get(&id).is_some_and(|least| severity >= *least) || all_serious && severity >= Severity::High
    };
    let breaks = |action: Action| {
        let freed = granter.freed.as_ref().is_some_and(|freed| freed.contains(action));
        SENSITIVE.of(action).is_some_and(|sensitivity| is_named(rule(sensitivity, granter, freed)))
    };
    let mut pivots = ActionSet::new();
    if all_serious || named.contains_key(&FindingId::PrivilegeEscalation) {
        let open = open_routes(grants).filter(|route| can_take(granter, route));
        open.filter_map(Route::pivot).for_each(|action| pivots.insert_one(action));
    }
    for span in spans() {
        for action in span.actions() {
            if pivots.contains(action) || grants.all.contains(action) && breaks(action) {
                faults.actions.insert_one(action);
                faults.some.insert(span.pattern());
            }
        }
    }
    for (pattern, service) in &granter.services {
        if is_named(rule_of_service(*service, granter)) {
            let first = spans().find(|span| span.pattern() == *pattern).map(|span| span.actions().start);
            faults.whole.insert(*pattern, first);
        }
    }
    if is_named((FindingId::WildcardPermissions, Severity::Info)) {
        faults.whole.extend(granter.unknown.iter().map(|pattern| (*pattern, None)));
    }
    faults
}

/// What may stay of a statement's actions on all of its resources, in the form in which they were written.
fn rest(patterns: &Values<'_>, text: &Value, faults: &Faults) -> Option<Value> {
    if !text.get("Action").is_some_and(Value::is_array) && !faults.touch(0) {
        return text.get("Action").cloned();
    }
    let mut left: Vec<String> = Vec::new();
    for (nth, pattern) in patterns.iter().enumerate() {
        if !faults.touch(nth) {
            left.push(pattern.to_owned());
        } else if !faults.whole.contains_key(&nth) {
            left.extend(remainder::without(pattern, &faults.actions));
        }
    }
    (!left.is_empty()).then(|| json!(left))
}

/// Those values of an element that stay, in the form in which they were written.
fn kept(text: &Value, element: &str, stays: &dyn Fn(usize) -> bool) -> Option<Value> {
    match text.get(element) {
        Some(Value::Array(values)) => {
            let values = values.iter().enumerate().filter(|(nth, _)| stays(*nth));
            let values: Vec<&Value> = values.map(|(_, value)| value).collect();
            (!values.is_empty()).then(|| json!(values))
        }
        Some(value) if stays(0) => Some(value.clone()),
        Some(_) | None => None,
    }
}

fn with(statement: &Value, element: &str, value: Value) -> Value {
    let mut statement = statement.clone();
    if let Some(slot) = statement.get_mut(element) {
        *slot = value;
    }
    statement
}
