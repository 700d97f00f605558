//! What a role may do: the union of its policies, cut down by its permissions boundary.

mod condition_scope;
mod dead;
mod escalation;
mod grants;
mod itself;
mod least_change;
mod loosened;
mod pieces;
mod purpose;
mod remainder;
mod reviewed;
mod sensitivity;

pub use itself::Itself;
pub use least_change::{RoleTexts, narrow};
pub use purpose::known_for;

use crate::{
    Context, Document, Kind, Selection, Statement, Values,
    breadth::{self, Scratch, is_all_stars},
    display::quoted,
    document::Effect,
    service_table::{self, ACTIONS, Action, ActionSet},
};
use escalation::{Page, ROUTES, Route};
use grants::{Granter, Grants, Span, WholeService};
use itself::Way;
use sensitivity::{SENSITIVE, Sensitive, Sensitivity};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use strum::VariantArray;
use warden_finding::{Finding, FindingId, Severity};

/// A finding in one of a role's policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoleFinding {
    /// Which policy, as an index into the list that was judged.
    pub policy: usize,
    /// The finding; its place is within that policy.
    pub finding: Finding,
}

/// What is open about one policy by itself.
pub fn judge(document: &Document<'_>, context: &Context) -> Vec<Finding> {
    judge_role(&[document], None, context).into_iter().map(|found| found.finding).collect()
}

/// What is open about a role: all its policies together, inline and attached, within its permissions boundary.
///
/// An escalation that is spread over several statements or policies is reported where the permission stands whose loss
/// closes it, `iam:PassRole` for most.
pub fn judge_role(policies: &[&Document<'_>], boundary: Option<&Document<'_>>, context: &Context) -> Vec<RoleFinding> {
    judge_known_role(policies, boundary, &Itself::default(), context)
}

/// The same of a role of which more is known: what it may do to itself and to its guards by name is seen too.
pub fn judge_known_role(
    policies: &[&Document<'_>],
    boundary: Option<&Document<'_>>,
    itself: &Itself,
    context: &Context,
) -> Vec<RoleFinding> {
    let grants = Grants::within(policies, boundary, itself, context);
    let mut judge = Judge { grants: &grants, context, findings: Vec::new() };
    judge.dead(policies);
    let everything = judge.everything();
    let covered = judge.not_actions(everything);
    judge.one_by_one(&covered);
    judge.whole_services(&covered);
    judge.unknown(&covered, boundary);
    judge.escalations(&covered);
    judge.by_name(itself::ways(policies, boundary, itself, context));
    judge.not_resources(policies);
    let mut findings = judge.findings;
    // By statement, and within it in the order of the rules.
    findings.sort_by_key(|(statement, found)| (found.policy, *statement));
    findings.into_iter().map(|(_, found)| found).collect()
}

/// The statements, by policy and index, that grant something sensitive broadly which the role had not `then`: a Deny held
/// it back, or the boundary. None where a document does not parse.
pub fn grown(now: RoleTexts<'_>, then: RoleTexts<'_>, context: &Context) -> BTreeSet<(usize, usize)> {
    let (Some(now_parsed), Some(then_parsed)) = (Parsed::of(now), Parsed::of(then)) else { return BTreeSet::new() };
    let unknown = Itself::default();
    let itself = now.itself.unwrap_or(&unknown);
    let policies: Vec<&Document<'_>> = now_parsed.policies.iter().collect();
    let before: Vec<&Document<'_>> = then_parsed.policies.iter().collect();
    let grants = Grants::within(&policies, now_parsed.boundary.as_ref(), itself, context);
    let mut more = grants.all.clone();
    more.subtract(&Grants::within(&before, then_parsed.boundary.as_ref(), itself, context).all);
    more.intersect(&SENSITIVE.any);
    let grew = |granter: &&Granter<'_>| {
        grants.spans_of(granter).iter().any(|span| more.count_common(&more, span.actions()) > 0)
    };
    grants.statements.iter().filter(grew).map(|granter| (granter.policy, granter.index)).collect()
}

/// A role's documents.
struct Parsed<'t> {
    policies: Vec<Document<'t>>,
    boundary: Option<Document<'t>>,
}

impl<'t> Parsed<'t> {
    fn of(texts: RoleTexts<'t>) -> Option<Parsed<'t>> {
        let parse = |text: &'t str| Document::parse(text, Kind::Identity).ok();
        let policies = texts.policies.iter().map(|text| parse(text)).collect::<Option<_>>()?;
        let boundary = texts.boundary.map(parse);
        Some(Parsed {
            policies,
            boundary: match boundary {
                None => None,
                Some(boundary) => Some(boundary?),
            },
        })
    }
}

struct Judge<'g, 'd> {
    grants: &'g Grants<'d>,
    context: &'g Context,
    /// With the statement each is about.
    findings: Vec<(usize, RoleFinding)>,
}

impl Judge<'_, '_> {
    fn report(&mut self, policy: usize, statement: usize, id: FindingId, severity: Severity, message: String) {
        let at = format!("Statement[{statement}]");
        let finding = Finding { id, severity, at, message };
        self.findings.push((statement, RoleFinding { policy, finding }));
    }

    fn report_at(&mut self, granter: &Granter<'_>, id: FindingId, severity: Severity, message: String) {
        self.report(granter.policy, granter.index, id, severity, message);
    }

    /// `wildcard-admin`. Says of each granting statement whether nothing more needs to be said about it.
    fn everything(&mut self) -> Vec<bool> {
        let grants = self.grants;
        // Nineteen in twenty: a few names that were left out make no difference to what the role can do.
        let enough = ACTIONS / 20 * 19;
        let mut covered = vec![false; grants.statements.len()];
        if grants.spans.iter().map(|span| span.actions().len()).sum::<usize>() < enough {
            return covered;
        }
        let mut widths = vec![0; grants.statements.len()];
        for span in &grants.spans {
            if let Some(width) = widths.get_mut(span.statement()) {
                *width += span.actions().len();
            }
        }
        if grants.all.len() < enough {
            return covered;
        }
        let message = || {
            "grants effectively every action on every resource: name the actions the function needs and what it needs \
             them on"
                .to_owned()
        };
        let is_only = |granter: &Granter<'_>| matches!(granter.statement.actions, Selection::Only(_));
        for ((granter, width), covered) in grants.statements.iter().zip(&widths).zip(&mut covered) {
            if *width >= enough && is_only(granter) {
                *covered = true;
                self.report_at(granter, FindingId::WildcardAdmin, Severity::Critical, message());
            }
        }
        // No statement by itself: the one that grants the most stands for all.
        let by_itself = |granter: &Granter<'_>, width: &usize| *width >= enough && !is_only(granter);
        if !covered.contains(&true) && !grants.statements.iter().zip(&widths).any(|(g, w)| by_itself(g, w)) {
            let widest = grants.statements.iter().zip(&widths).max_by_key(|(_, width)| **width);
            if let Some((granter, _)) = widest {
                let message = format!("together with other statements, {}", message());
                self.report_at(granter, FindingId::WildcardAdmin, Severity::Critical, message);
            }
        }
        covered
    }

    /// `wildcard-not-action`, for statements whose resources are broad for most of what is left.
    fn not_actions(&mut self, mut covered: Vec<bool>) -> Vec<bool> {
        let grants = self.grants;
        for (at, granter) in grants.statements.iter().enumerate() {
            let Selection::Except(named) = &granter.statement.actions else {
                continue;
            };
            let spans = grants.spans_of(granter).iter();
            let width: usize = spans.map(|span| grants.all.count_common(&grants.all, span.actions())).sum();
            let (severity, message) = if width > ACTIONS / 2 {
                if let Some(covered) = covered.get_mut(at) {
                    *covered = true;
                }
                let named = named.as_slice().len();
                (
                    Severity::Critical,
                    format!("grants every action but {named} on every resource: use Action and name them"),
                )
            } else {
                (Severity::Info, "NotAction grants more with every new service; here the rest bounds it".to_owned())
            };
            self.report_at(granter, FindingId::WildcardNotAction, severity, message);
        }
        covered
    }

    /// `wildcard-not-resource`, which is as serious as what the statement grants.
    fn not_resources(&mut self, policies: &[&Document<'_>]) {
        let concerns = |statement: &Statement<'_>| {
            matches!(statement.resources, Some(Selection::Except(_)))
                || matches!(statement.actions, Selection::Except(_))
        };
        if !policies.iter().flat_map(|document| &document.statements).any(concerns) {
            return;
        }
        let mut told: BTreeMap<(usize, usize), Severity> = BTreeMap::new();
        for (at, found) in &self.findings {
            let worst = told.entry((found.policy, *at)).or_insert(found.finding.severity);
            *worst = (*worst).max(found.finding.severity);
        }
        for (policy, document) in policies.iter().enumerate() {
            for (index, statement) in document.statements.iter().enumerate() {
                match (&statement.effect, &statement.resources) {
                    (Effect::Allow, Some(Selection::Except(resources))) if !resources.iter().any(is_all_stars) => {
                        let all =
                            matches!(&statement.actions, Selection::Only(actions) if actions.iter().any(is_all_stars));
                        let worst = told.get(&(policy, index)).copied().unwrap_or(Severity::Info);
                        let severity = if all { Severity::Critical } else { worst.min(Severity::High) };
                        let message = "NotResource grants the actions on everything but what is named, in other \
                                       accounts too: use Resource";
                        self.report(policy, index, FindingId::WildcardNotResource, severity, message.to_owned());
                    }
                    (Effect::Allow, Some(Selection::Except(_)) | Some(Selection::Only(_)) | None)
                    | (Effect::Deny, _) => {
                        // A NotAction whose resources are named grants nothing broad, and is still worth a word.
                        let bounded = statement.effect == Effect::Allow
                            && matches!(statement.actions, Selection::Except(_))
                            && !told.contains_key(&(policy, index));
                        if bounded {
                            let message = "NotAction grants more with every new service; here the resource bounds it";
                            self.report(
                                policy,
                                index,
                                FindingId::WildcardNotAction,
                                Severity::Info,
                                message.to_owned(),
                            );
                        }
                    }
                }
            }
        }
    }

    /// The rules that look at one action at a time.
    fn one_by_one(&mut self, covered: &[bool]) {
        let grants = self.grants;
        for (granter, _) in grants.statements.iter().zip(covered).filter(|(_, covered)| !**covered) {
            self.actions_of(granter, grants.spans_of(granter));
        }
    }

    fn actions_of(&mut self, granter: &Granter<'_>, spans: &[Span]) {
        let mut hits = [Hit::default(); Sensitivity::VARIANTS.len()];
        let mut freed_hits = hits;
        let sensitive: &Sensitive = &SENSITIVE;
        // What comes with a whole service is told of there.
        let is_whole = |span: &Span| {
            let found = granter.services.binary_search_by_key(&span.pattern(), |(nth, _)| *nth).ok();
            found.and_then(|at| granter.services.get(at)).is_some_and(|(_, service)| self.is_mostly_granted(*service))
        };
        let mut look_at = |actions: Range<Action>, whole: bool| {
            self.grants.all.each_common(&sensitive.any, actions, |action| {
                let Some(sensitivity) = sensitive.of(action) else {
                    return;
                };
                let is_freed = granter.freed.as_ref().is_some_and(|freed| freed.contains(action));
                let hits = if is_freed { &mut freed_hits } else { &mut hits };
                let hit = Sensitivity::VARIANTS.iter().zip(hits).find(|(kind, _)| **kind == sensitivity);
                // Its namespace is what names what it writes to
                // (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html).
                let is_named = granter.narrowness.within_namespace && Some(action) == sensitive.put_metric_data;
                let is_told = is_named || whole && sensitivity.comes_with_the_service();
                if let (Some((_, hit)), false) = (hit, is_told) {
                    hit.add(action);
                }
            });
        };
        if spans.len() <= MANY_SPANS {
            spans.iter().for_each(|span| look_at(span.actions(), is_whole(span)));
        } else {
            // Patterns without number that say the same over and over are looked at once.
            for whole in [true, false] {
                let mut actions = ActionSet::new();
                spans.iter().filter(|span| is_whole(span) == whole).for_each(|span| actions.insert(span.actions()));
                actions.ranges().for_each(|actions| look_at(actions, whole));
            }
        }
        for (sensitivity, (hit, freed)) in Sensitivity::VARIANTS.iter().copied().zip(hits.into_iter().zip(freed_hits)) {
            // What the conditions do not hold back is worse, and the one finding tells of it.
            let is_freed = freed.count > 0;
            let hit = if is_freed { freed } else { hit };
            if let Some(example) = hit.examples.iter().flatten().next() {
                let (id, severity) = rule(sensitivity, granter, is_freed);
                let mut message = hit.shown();
                message.push_str(" on every resource");
                let without = message.len();
                message.push_str("; ");
                match hit.on_one_kind.then(|| breadth::push_example(*example, self.context, &mut message)).flatten() {
                    Some(()) => message.push_str(" would be narrow enough"),
                    None => message.truncate(without),
                }
                self.report_at(granter, id, severity, message);
            }
        }
    }

    /// Whether most of a service is granted, and not taken away by a Deny, by the boundary, or by resources that are
    /// broad for few of its actions. Of the rest each action is looked at by itself.
    fn is_mostly_granted(&self, service: WholeService) -> bool {
        let all = &self.grants.all;
        match service {
            WholeService::Known(service) => {
                let actions = service_table::actions_of(service);
                all.count_common(all, actions.clone()) * 2 >= actions.len()
            }
            WholeService::Unknown => true,
        }
    }

    /// `wildcard-sensitive-service` and `wildcard-service`.
    fn whole_services(&mut self, covered: &[bool]) {
        let grants = self.grants;
        for (granter, _) in grants.statements.iter().zip(covered).filter(|(_, covered)| !**covered) {
            let mut told: Vec<((FindingId, Severity), Vec<&str>)> = Vec::new();
            for (nth, service) in &granter.services {
                if !self.is_mostly_granted(*service) {
                    continue;
                }
                let (rule, text) = (rule_of_service(*service, granter), pattern_text(granter, *nth));
                match told.iter_mut().find(|(known, _)| *known == rule) {
                    Some((_, texts)) => texts.push(text),
                    None => told.push((rule, vec![text])),
                }
            }
            told.sort_by_key(|((id, severity), _)| (*id, std::cmp::Reverse(*severity)));
            for ((id, severity), texts) in told {
                let message = if severity < Severity::Medium {
                    format!("{}: {NOT_KNOWN}", listed(&texts))
                } else {
                    format!("{} on every resource: name the actions the function needs", listed(&texts))
                };
                self.report_at(granter, id, severity, message);
            }
        }
    }

    /// What the table does not know grants nothing, unless AWS has added it since: a note.
    fn unknown(&mut self, covered: &[bool], boundary: Option<&Document<'_>>) {
        let grants = self.grants;
        let allows: Vec<_> = boundary
            .iter()
            .flat_map(|document| &document.statements)
            .filter(|statement| statement.effect == Effect::Allow)
            .map(|statement| &statement.actions)
            .collect();
        let patterns = allows.iter().map(|actions| actions.named().as_slice().len()).sum();
        let mut scratch = Scratch::default();
        let mut is_within = |text: &str| {
            boundary.is_none()
                || scratch.is_exhausted_after(patterns)
                || allows.iter().any(|actions| grants::selects(actions, text))
        };
        let open = grants.statements.iter().zip(covered).filter(|(_, covered)| !**covered);
        for (granter, _) in open {
            let texts = granter.unknown.iter().map(|nth| pattern_text(granter, *nth));
            let granted: Vec<&str> = texts.filter(|text| is_within(text)).collect();
            if !granted.is_empty() {
                let message = format!("{}: {NOT_KNOWN}", listed(&granted));
                self.report_at(granter, FindingId::WildcardPermissions, Severity::Info, message);
            }
        }
    }

    /// `privilege-escalation` over the role itself or over Warden, which a statement names.
    fn by_name(&mut self, ways: Vec<Way>) {
        for way in ways {
            let mut hit = Hit::default();
            way.actions.iter().for_each(|action| hit.add(*action));
            let message = format!("leads to more permissions: {} by name: {}", hit.shown(), way.what);
            let known = |(_, found): &(usize, RoleFinding)| {
                let finding = &found.finding;
                (found.policy, finding.id) == (way.policy, FindingId::PrivilegeEscalation)
                    && finding.at == format!("Statement[{}]", way.index)
            };
            // Once is enough.
            if !self.findings.iter().any(known) {
                let (id, severity) = (FindingId::PrivilegeEscalation, Severity::Critical);
                self.report(way.policy, way.index, id, severity, message);
            }
        }
    }

    /// `privilege-escalation`.
    fn escalations(&mut self, covered: &[bool]) {
        let grants = self.grants;
        let mut by_statement: BTreeMap<usize, Vec<&Route>> = BTreeMap::new();
        for route in open_routes(grants) {
            let pivot = route.pivot();
            let holders =
                grants.spans.iter().filter(|span| pivot.is_some_and(|action| span.actions().contains(&action)));
            for span in holders {
                let usable = grants.statements.get(span.statement()).is_some_and(|granter| can_take(granter, route));
                let known = by_statement.entry(span.statement()).or_default();
                if usable && !known.last().is_some_and(|last| std::ptr::eq(*last, route)) {
                    known.push(route);
                }
            }
        }
        for (at, routes) in by_statement {
            let is_covered = covered.get(at).copied().unwrap_or_default();
            // The best known: one that attackers' guides describe, before one that only the service's pages imply.
            let first = routes.iter().min_by_key(|route| matches!(route.path.page, Page::Aws(_)));
            if let (Some(granter), Some(first), false) = (grants.statements.get(at), first, is_covered) {
                let more = match routes.len() - 1 {
                    0 => String::new(),
                    1 => " and 1 more way".to_owned(),
                    more => format!(" and {more} more ways"),
                };
                let message =
                    format!("leads to more permissions: {}{more}, see {}", first.shown(), first.path.page.url());
                self.report_at(granter, FindingId::PrivilegeEscalation, Severity::Critical, message);
            }
        }
    }
}

/// What is said of what the table does not have.
const NOT_KNOWN: &str = "not in AWS's service authorization reference, so it grants nothing unless AWS has added it \
                         since: look for a typing error";

/// More than most statements have.
const MANY_SPANS: usize = 256;

/// The paths whose every permission is granted broadly.
fn open_routes<'g>(grants: &'g Grants<'_>) -> impl Iterator<Item = &'static Route> + 'g {
    ROUTES
        .iter()
        .filter(|route| route.needs.iter().all(|action| grants.unscoped.contains(*action)))
        .filter(|route| grants.reach_all(route))
}

/// Whether a statement's conditions leave the first step of a path open.
fn can_take(granter: &Granter<'_>, route: &Route) -> bool {
    let narrowness = &granter.narrowness;
    let scoped = route.pivot().is_none_or(|action| granter.is_scoped_for(action));
    !scoped && route.path.passes_to.is_none_or(|service| narrowness.may_pass_to(service))
}

/// `iam:*`, `s3:*` and 4 more, each in backticks.
fn listed(texts: &[&str]) -> String {
    let (shown, rest) = texts.split_at(texts.len().min(3));
    let shown: Vec<String> = shown.iter().map(|text| format!("`{}`", quoted(text))).collect();
    match rest.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn pattern_text<'d>(granter: &Granter<'d>, nth: usize) -> &'d str {
    let values: &'d Values<'d> = granter.statement.actions.named();
    values.as_slice().get(nth).map_or("", |text| text.as_ref())
}

/// The rule for a whole service, and its severity.
fn rule_of_service(service: WholeService, granter: &Granter<'_>) -> (FindingId, Severity) {
    match service {
        WholeService::Known(service) if sensitivity::is_sensitive(service) => {
            let freed = granter
                .freed
                .as_ref()
                .is_some_and(|freed| freed.count_common(freed, service_table::actions_of(service)) > 0);
            (FindingId::WildcardSensitiveService, lowered(granter, false, freed))
        }
        WholeService::Known(_) => (FindingId::WildcardService, Severity::Medium),
        WholeService::Unknown => (FindingId::WildcardService, Severity::Low),
    }
}

/// The rule for a kind of action, and its severity after what the conditions take away.
///
/// `freed` says that the conditions which scope it are none in the hands of the role.
fn rule(sensitivity: Sensitivity, granter: &Granter<'_>, freed: bool) -> (FindingId, Severity) {
    let narrowness = &granter.narrowness;
    match sensitivity {
        Sensitivity::PassRole => (FindingId::WildcardPassRole, lowered(granter, narrowness.passed_to.is_some(), freed)),
        Sensitivity::AssumeRole => {
            (FindingId::WildcardAssumeRole, lowered(granter, narrowness.within_organization, freed))
        }
        Sensitivity::Permissions => (FindingId::WildcardPermissions, lowered(granter, false, freed)),
        Sensitivity::DataRead => (FindingId::WildcardDataRead, lowered(granter, false, freed)),
        Sensitivity::Administration => (FindingId::WildcardPermissions, Severity::Medium),
        Sensitivity::Copy => (FindingId::WildcardDataRead, Severity::Medium),
        Sensitivity::Invoke => (FindingId::WildcardInvoke, Severity::Medium),
        Sensitivity::Write => (FindingId::WildcardWrite, Severity::Low),
        Sensitivity::BaselineWrite => (FindingId::WildcardWrite, Severity::Info),
    }
}

/// High, or medium when something truly limits the grant.
fn lowered(granter: &Granter<'_>, by_its_own_key: bool, freed: bool) -> Severity {
    let narrowness = &granter.narrowness;
    if by_its_own_key || narrowness.scoped && !freed || narrowness.limited { Severity::Medium } else { Severity::High }
}

/// The actions of one kind in one statement.
#[derive(Clone, Copy)]
struct Hit {
    count: usize,
    /// The first few.
    examples: [Option<Action>; 3],
    /// All of them act on the same types of resource, and require all of those.
    on_one_kind: bool,
}

impl Default for Hit {
    fn default() -> Self {
        Self { count: 0, examples: [None; 3], on_one_kind: true }
    }
}

impl Hit {
    fn add(&mut self, action: Action) {
        if self.examples.contains(&Some(action)) {
            return;
        }
        self.count += 1;
        self.on_one_kind &= service_table::is_settled(action)
            && self.examples[0].is_none_or(|first| service_table::type_set(first) == service_table::type_set(action));
        if let Some(free) = self.examples.iter_mut().find(|example| example.is_none()) {
            *free = Some(action);
        }
    }

    /// `s3:GetObject`, `kms:Decrypt` and 4 more.
    fn shown(&self) -> String {
        let mut text = String::with_capacity(224);
        for (nth, action) in self.examples.iter().flatten().enumerate() {
            text.push_str(if nth == 0 { "`" } else { ", `" });
            service_table::push_name(*action, &mut text);
            text.push('`');
        }
        match self.count.checked_sub(self.examples.len()) {
            None | Some(0) => text,
            Some(more) => format!("{text} and {more} more"),
        }
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
