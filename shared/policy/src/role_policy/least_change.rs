//! The least change to one of a role's policies that takes the named findings out.

use super::{RoleFinding, can_take, grants::Grants, judge, judge_role, open_routes, rule, sensitivity::SENSITIVE};
use crate::{
    Context, Document, DocumentError, Kind, Selection, Values,
    breadth::{Reach, Scratch},
    rewrite::{Narrowed, Outcome, Rewriting, Rewritten, rename},
    service_table::{ACTIONS, Action},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warden_finding::{Finding, FindingId, Severity};

/// The texts of a role's policies.
#[derive(Clone, Copy, Debug)]
pub struct RoleTexts<'t> {
    /// All of them, inline and attached.
    pub policies: &'t [&'t str],
    /// The permissions boundary.
    pub boundary: Option<&'t str>,
}

/// Takes the named findings out of one of a role's policies and changes nothing else.
///
/// The actions at fault go; where the statement also names resources, they stay for those. The rest of the statement
/// stays word for word. Where the baseline had a compliant statement in its place, that one comes back when nothing is
/// left; when nothing of the document is left, the whole baseline does.
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
    let documents =
        role.policies.iter().map(|text| Document::parse(text, Kind::Identity)).collect::<Result<Vec<_>, _>>()?;
    let boundary = role.boundary.map(|text| Document::parse(text, Kind::Identity)).transpose()?;
    let narrowing = Narrowing { documents: &documents, boundary: boundary.as_ref(), policy, findings, context };
    let Some(text) = role.policies.get(policy) else {
        return Ok(Narrowed::nothing());
    };
    let narrowed = narrowing.apply(text, baseline, false)?;
    if narrowing.is_clean(&narrowed) { Ok(narrowed) } else { narrowing.apply(text, baseline, true) }
}

struct Narrowing<'r> {
    documents: &'r [Document<'r>],
    boundary: Option<&'r Document<'r>>,
    policy: usize,
    findings: &'r [Finding],
    context: &'r Context,
}

impl Narrowing<'_> {
    fn apply(&self, text: &str, baseline: Option<&str>, whole_statements: bool) -> Result<Narrowed, DocumentError> {
        let all: Vec<&Document<'_>> = self.documents.iter().collect();
        let grants = Grants::within(&all, self.boundary, self.context);
        let compliant = |parsed: &Document<'_>| {
            let open: Vec<Finding> = judge(parsed, self.context);
            let is_open = |index: usize| {
                let at = format!("Statement[{index}]");
                open.iter().any(|finding| finding.at == at && finding.severity >= Severity::Medium)
            };
            (0..parsed.statements.len()).map(|index| !is_open(index)).collect()
        };
        let rewrite = |index: usize, statement: &crate::Statement<'_>, text: &Value, parsed: &Document<'_>| {
            let at = format!("Statement[{index}]");
            let ids: BTreeSet<FindingId> =
                self.findings.iter().filter(|finding| finding.at == at).map(|finding| finding.id).collect();
            if ids.is_empty() {
                return Rewritten::kept();
            }
            let never_narrow =
                ids.contains(&FindingId::WildcardNotAction) || ids.contains(&FindingId::WildcardNotResource);
            let outcome = if whole_statements || never_narrow {
                Outcome::Removed
            } else {
                self.narrowed(index, statement, text, parsed, &ids, &grants)
            };
            Rewritten { outcome, unfixable: Vec::new() }
        };
        Rewriting { kind: Kind::Identity, compliant: &compliant, rewrite: &rewrite }.apply(text, baseline)
    }

    fn narrowed(
        &self,
        index: usize,
        statement: &crate::Statement<'_>,
        text: &Value,
        parsed: &Document<'_>,
        ids: &BTreeSet<FindingId>,
        grants: &Grants<'_>,
    ) -> Outcome {
        let Some(at) =
            grants.statements.iter().position(|granter| (granter.policy, granter.index) == (self.policy, index))
        else {
            return Outcome::Removed;
        };
        let faults = faults(at, ids, grants);
        let (Selection::Only(_), Some(Selection::Only(resources))) = (&statement.actions, &statement.resources) else {
            return Outcome::Removed;
        };
        if faults.is_empty() {
            return Outcome::Removed;
        }
        let offends = |nth: usize| faults.iter().any(|fault| fault.pattern == nth);
        let examples: Vec<Action> = faults.iter().filter_map(|fault| fault.action).collect();
        let is_broad = |resource: &str| self.is_broad(resource, &examples, parsed);
        let broad: Vec<bool> = resources.iter().map(is_broad).collect();

        let mut now = Vec::new();
        let kept = |element: &str, stays: &dyn Fn(usize) -> bool| -> Option<Value> {
            match text.get(element) {
                Some(Value::Array(values)) => {
                    let values: Vec<&Value> =
                        values.iter().enumerate().filter(|(nth, _)| stays(*nth)).map(|(_, value)| value).collect();
                    (!values.is_empty()).then(|| json!(values))
                }
                Some(value) if stays(0) => Some(value.clone()),
                Some(_) | None => None,
            }
        };
        if let Some(rest) = kept("Action", &|nth| !offends(nth)) {
            now.push(with(text, "Action", rest));
        }
        let named = kept("Resource", &|nth| !broad.get(nth).copied().unwrap_or(true));
        if let (Some(named), Some(faulty)) = (named, kept("Action", &offends)) {
            let mut statement = with(&with(text, "Resource", named), "Action", faulty);
            if !now.is_empty() {
                rename(&mut statement, parsed, &now, "Named");
            }
            now.push(statement);
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
    /// says nothing of what else a statement breaks, so there may be more now than before.
    fn is_clean(&self, narrowed: &Narrowed) -> bool {
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
            let mut found = judge_role(documents, self.boundary, self.context);
            found.retain(|found| found.policy == self.policy);
            found
        };
        let (before, after) = (open(&before), open(&swapped));
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

/// A pattern of a statement's actions that breaks a rule.
struct Fault {
    pattern: usize,
    /// One of the actions it grants, unless the table knows none.
    action: Option<Action>,
}

/// The patterns of one statement that break the named rules.
fn faults(at: usize, ids: &BTreeSet<FindingId>, grants: &Grants<'_>) -> Vec<Fault> {
    let Some(granter) = grants.statements.get(at) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    // It says nothing of the other rules that the statement breaks.
    let all_serious = ids.contains(&FindingId::WildcardAdmin);
    let spans = || grants.spans.iter().filter(|span| span.statement() == at);
    if ids.contains(&FindingId::WildcardAdmin) {
        // The patterns that make up most of it; where no single one does, all with a wildcard of some width.
        let widest = spans().map(|span| span.actions().len()).max().unwrap_or_default();
        let least = if widest > ACTIONS / 20 { ACTIONS / 20 } else { 2 };
        let wide = spans().filter(|span| span.actions().len() >= least);
        faults.extend(wide.map(|span| Fault { pattern: span.pattern(), action: Some(span.actions().start) }));
    }
    for span in spans() {
        let breaks = |action: &Action| {
            let sensitivity = SENSITIVE.of(*action);
            sensitivity
                .map(|sensitivity| rule(sensitivity, granter))
                .is_some_and(|(id, severity)| ids.contains(&id) || all_serious && severity >= Severity::High)
        };
        let sensitive = span.actions().find(|action| grants.all.contains(*action) && breaks(action));
        faults.extend(sensitive.map(|action| Fault { pattern: span.pattern(), action: Some(action) }));
    }
    let service_rules = [FindingId::WildcardSensitiveService, FindingId::WildcardService];
    if all_serious || service_rules.iter().any(|id| ids.contains(id)) {
        faults.extend(granter.services.iter().map(|(pattern, _)| {
            let first = spans().find(|span| span.pattern() == *pattern).map(|span| span.actions().start);
            Fault { pattern: *pattern, action: first }
        }));
    }
    if ids.contains(&FindingId::WildcardPermissions) {
        faults.extend(granter.unknown.iter().map(|pattern| Fault { pattern: *pattern, action: None }));
    }
    if all_serious || ids.contains(&FindingId::PrivilegeEscalation) {
        let pivots: BTreeSet<Action> =
            open_routes(grants).filter(|route| can_take(granter, route)).filter_map(|route| route.pivot()).collect();
        for span in spans() {
            let pivot = pivots.iter().copied().find(|action| span.actions().contains(action));
            faults.extend(pivot.map(|action| Fault { pattern: span.pattern(), action: Some(action) }));
        }
    }
    faults
}

fn with(statement: &Value, element: &str, value: Value) -> Value {
    let mut statement = statement.clone();
    if let Some(slot) = statement.get_mut(element) {
        *slot = value;
    }
    statement
}
