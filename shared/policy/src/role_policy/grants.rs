//! What a set of policies grants broadly: every action once as a bit, and by whom as spans.

use super::{Itself, condition_scope::ConditionScope, escalation::Route, loosened, pieces::Pieces};
use crate::{
    Context, Document, Effect, Selection, Statement, Version,
    breadth::{self, FEWEST, Reach, Scratch, Share, is_all_stars},
    conditions,
    pattern::{self, has_wildcard},
    service_table::{self, ACTIONS, Action, ActionSet, Service},
};
use std::{collections::BTreeSet, ops::Range};

/// Actions that one element of one statement grants broadly. Small, because there are many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    statement: u32,
    pattern: u32,
    start: u32,
    end: u32,
}

impl Span {
    /// A document is far too short for more than four thousand million of anything.
    pub(super) fn new(statement: usize, pattern: usize, actions: &Range<Action>) -> Self {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            statement: small(statement),
            pattern: small(pattern),
            start: small(actions.start),
            end: small(actions.end),
        }
    }

    /// The statement, as an index into [`Grants::statements`].
    pub(super) fn statement(self) -> usize {
        self.statement as usize
    }

    /// The index of the pattern in `Action`.
    pub(super) fn pattern(self) -> usize {
        self.pattern as usize
    }

    /// The actions in the range.
    pub(super) fn actions(self) -> Range<Action> {
        self.start as usize..self.end as usize
    }
}

/// An Allow statement that grants something broadly.
pub(super) struct Granter<'d> {
    pub(super) policy: usize,
    pub(super) index: usize,
    pub(super) statement: &'d Statement<'d>,
    pub(super) narrowness: ConditionScope<'d>,
    /// The actions that its conditions do not scope after all, since the role lifts that limit itself.
    pub(super) freed: Option<Box<ActionSet>>,
    /// Its spans, as a range of [`Grants::spans`].
    pub(super) spans: Range<usize>,
    /// Whole services granted by one pattern, known or not.
    pub(super) services: Vec<(usize, WholeService)>,
    /// Patterns that fit nothing in the table.
    pub(super) unknown: Vec<usize>,
}

impl Granter<'_> {
    /// Whether the conditions leave nothing broad of an action.
    pub(super) fn is_scoped_for(&self, action: Action) -> bool {
        self.narrowness.scoped && !self.freed.as_ref().is_some_and(|freed| freed.contains(action))
    }
}

/// A service of which one pattern grants every action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WholeService {
    Known(Service),
    Unknown,
}

/// What some policies grant broadly together, their Denies taken off.
pub(super) struct Grants<'d> {
    /// Every action that is granted broadly.
    pub(super) all: ActionSet,
    /// Every action that no condition scopes to named resources.
    pub(super) unscoped: ActionSet,
    pub(super) statements: Vec<Granter<'d>>,
    pub(super) spans: Vec<Span>,
    /// What statements grant on patterns, broad or not.
    pub(super) offered: Vec<Span>,
    /// Resources that are everything only together with others: the statement, and the index in its `Resource`.
    pub(super) pieces: BTreeSet<(usize, usize)>,
    policies: Vec<&'d Document<'d>>,
    context: &'d Context,
}

impl<'d> Grants<'d> {
    /// The version of the policy that a statement stands in.
    pub(super) fn version_of(&self, granter: &Granter<'_>) -> Version {
        self.policies.get(granter.policy).map_or(Version::V2012, |document| document.version)
    }

    /// Whose account it is judged in.
    pub(super) fn context(&self) -> &'d Context {
        self.context
    }

    /// The spans of one statement.
    pub(super) fn spans_of(&self, granter: &Granter<'_>) -> &[Span] {
        self.spans.get(granter.spans.clone()).unwrap_or_default()
    }

    /// Whether the first action of a path may be used on everything that it takes at once, some of it here and some
    /// there.
    pub(super) fn reach_all(&self, route: &Route) -> bool {
        if route.path.on.is_empty() {
            return true;
        }
        // What is granted by name counts here, and is not among the broad grants.
        let mut granters = Vec::new();
        let is_freed = |policy: usize, index: usize| {
            let granter = self.statements.iter().find(|it| (it.policy, it.index) == (policy, index));
            route.pivot().zip(granter).is_some_and(|(action, granter)| !granter.is_scoped_for(action))
        };
        for (policy, document) in self.policies.iter().enumerate() {
            granters.extend(document.statements.iter().enumerate().filter_map(|(index, statement)| {
                let takes = statement.effect == Effect::Allow
                    && selects(&statement.actions, route.first())
                    && (!ConditionScope::read(statement, document.version, self.context).is_nothing_broad()
                        || is_freed(policy, index));
                statement.resources.as_ref().filter(|_| takes).map(|resources| (resources, document.version))
            }));
        }
        let mut scratch = Scratch::default();
        let reaches = |templates: &[&str], scratch: &mut Scratch| {
            granters
                .iter()
                .any(|(resources, version)| breadth::reaches(resources, *version, self.context, templates, scratch))
        };
        let add_up_to = |templates: &[&str]| {
            let mut scratch = Scratch::default();
            templates.iter().any(|template| {
                let share = granters.iter().map(|(resources, version)| {
                    breadth::share_of(resources, *version, self.context, template, &mut scratch)
                });
                share.fold(Share::default(), Share::and).is_much()
            })
        };
        // What adds up was found among the serious actions: only then is it worth another look.
        let pieces = !self.pieces.is_empty();
        route.path.on.iter().all(|templates| reaches(templates, &mut scratch) || pieces && add_up_to(templates))
    }

    /// What is left of it within a permissions boundary.
    pub(super) fn within(
        policies: &[&'d Document<'d>],
        boundary: Option<&Document<'_>>,
        itself: &Itself,
        context: &'d Context,
    ) -> Self {
        let within =
            boundary.map(|boundary| Grants::counted(&[boundary], None, None, context, &mut Expansion::default()));
        let role = itself.arn.as_deref();
        let allowed = within.as_ref().map(|within| &within.unscoped);
        let mut grants = Self::counted(policies, allowed, role, context, &mut Expansion::default());
        if let Some(within) = &within {
            grants.all.intersect(&within.all);
            grants.unscoped.intersect(&within.unscoped);
        }
        grants
    }

    /// `boundary` is what a boundary leaves open of all actions, and `role` the role's own ARN, where there is one.
    fn counted(
        policies: &[&'d Document<'d>],
        boundary: Option<&ActionSet>,
        role: Option<&str>,
        context: &'d Context,
        expansion: &mut Expansion,
    ) -> Self {
        let mut grants: Self = Self {
            all: ActionSet::new(),
            unscoped: ActionSet::new(),
            statements: Vec::with_capacity(4),
            spans: Vec::with_capacity(64),
            offered: Vec::new(),
            pieces: BTreeSet::new(),
            policies: policies.to_vec(),
            context,
        };
        let mut denied: Denied<'d> = Denied::default();
        for (policy, document) in policies.iter().enumerate() {
            expansion.scratch.begin_policy();
            for (index, statement) in document.statements.iter().enumerate() {
                match statement.effect {
                    Effect::Allow => grants.allow(policy, index, statement, document, context, expansion),
                    Effect::Deny => denied.add(statement, document.version, context, expansion),
                }
            }
        }
        grants.loosen(policies, boundary, role);
        Pieces::of(&grants).add_to(&mut grants);
        if let Some(actions) = &denied.actions {
            expansion.scratch.begin_policy();
            grants.all.subtract(actions);
            grants.unscoped.subtract(actions);
            for granter in &mut grants.statements {
                let Selection::Only(patterns) = &granter.statement.actions else {
                    continue;
                };
                granter.unknown.retain(|nth| {
                    let tired = expansion.scratch.is_exhausted_after(denied.patterns);
                    tired || patterns.as_slice().get(*nth).is_none_or(|action| !denied.covers(action))
                });
            }
        }
        grants
    }

    /// Takes off the limits that the role can lift itself.
    fn loosen(&mut self, policies: &[&'d Document<'d>], boundary: Option<&ActionSet>, role: Option<&str>) {
        for (at, freed) in loosened::freed(self, policies, boundary, role) {
            let Some(granter) = self.statements.get_mut(at) else { continue };
            for span in self.spans.get(granter.spans.clone()).unwrap_or_default() {
                freed.each_common(&freed, span.actions(), |action| self.unscoped.insert_one(action));
            }
            granter.freed = Some(Box::new(freed));
        }
    }

    fn allow(
        &mut self,
        policy: usize,
        index: usize,
        statement: &'d Statement<'d>,
        document: &Document<'_>,
        context: &'d Context,
        expansion: &mut Expansion,
    ) {
        let Some(resources) = &statement.resources else {
            return;
        };
        let reach = Reach::read(resources, document.version, context);
        if let Reach::Named = reach {
            return;
        }
        expansion.scratch.begin_statement();
        let narrowness = ConditionScope::read(statement, document.version, context);
        if narrowness.dead {
            return;
        }
        let scoped = narrowness.scoped;
        // Of several actions some may never be sent with what a condition asks for.
        let sent = if statement.conditions.is_empty() { None } else { conditions::sent_with_all(statement) };
        let is_sent = |action: Action| sent.as_ref().is_none_or(|sent| sent.contains(action));
        let first_span = self.spans.len();
        let (mut services, mut unknown) = (Vec::new(), Vec::new());
        match &statement.actions {
            Selection::Only(patterns) => {
                for (nth, action) in patterns.iter().enumerate() {
                    if expansion.scratch.is_exhausted_after(0) {
                        // Written to be slow: taken to grant everything.
                        self.note(nth, 0..ACTIONS, scoped);
                        break;
                    }
                    let found = expansion.expand(action, Doubt::TakesMore);
                    let before = self.spans.len();
                    if let Found::One(action) = found {
                        if is_sent(action) {
                            self.grant(nth, action..action + 1, scoped, &reach, &mut expansion.scratch);
                        }
                        continue;
                    }
                    let mut ranges = std::mem::take(&mut expansion.ranges);
                    if let Some(sent) = &sent {
                        ranges = ranges.into_iter().flat_map(|actions| sent.within(actions)).collect();
                    }
                    for actions in &ranges {
                        self.grant(nth, actions.clone(), scoped, &reach, &mut expansion.scratch);
                    }
                    expansion.reuse(ranges);
                    match found {
                        Found::Whole(service) if self.spans.len() > before => {
                            services.push((nth, WholeService::Known(service)));
                        }
                        Found::Nothing if reaches_unknown(&reach, action, &mut expansion.scratch) => {
                            if is_whole_service(action) {
                                services.push((nth, WholeService::Unknown));
                            } else {
                                unknown.push(nth);
                            }
                        }
                        Found::Whole(_) | Found::Nothing | Found::One(_) | Found::Some | Found::Void => {}
                    }
                }
            }
            Selection::Except(patterns) => {
                let mut left = expansion.union(patterns.iter(), Doubt::TakesLess).complement();
                if let Some(sent) = &sent {
                    left.intersect(sent);
                }
                for actions in left.ranges() {
                    self.grant(0, actions, scoped, &reach, &mut expansion.scratch);
                }
            }
        }
        self.statements.push(Granter {
            policy,
            index,
            statement,
            narrowness,
            freed: None,
            spans: first_span..self.spans.len(),
            services,
            unknown,
        });
    }

    /// Notes the part of a range for which the resources are broad.
    fn grant(
        &mut self,
        pattern: usize,
        actions: Range<Action>,
        scoped: bool,
        reach: &Reach<'_>,
        scratch: &mut Scratch,
    ) {
        match reach {
            Reach::All => self.note(pattern, actions, scoped),
            Reach::Named => {}
            Reach::Patterns(_) if scratch.is_exhausted_after(actions.len() / 16) => {
                self.note(pattern, actions, scoped);
            }
            Reach::Patterns(patterns) => {
                self.offered.push(Span::new(self.statements.len(), pattern, &actions));
                let mut open: Option<Range<Action>> = None;
                for action in actions {
                    if patterns.are_broad_for(action, scratch) {
                        match &mut open {
                            Some(range) if range.end == action => range.end += 1,
                            Some(_) | None => {
                                if let Some(done) = open.replace(action..action + 1) {
                                    self.note(pattern, done, scoped);
                                }
                            }
                        }
                    }
                }
                if let Some(done) = open {
                    self.note(pattern, done, scoped);
                }
            }
        }
    }

    fn note(&mut self, pattern: usize, actions: Range<Action>, scoped: bool) {
        let insert = |set: &mut ActionSet| match actions.len() {
            1 => set.insert_one(actions.start),
            _ => set.insert(actions.clone()),
        };
        insert(&mut self.all);
        if !scoped {
            insert(&mut self.unscoped);
        }
        self.spans.push(Span::new(self.statements.len(), pattern, &actions));
    }
}

fn reaches_unknown(reach: &Reach<'_>, action: &str, scratch: &mut Scratch) -> bool {
    match reach {
        Reach::All => true,
        Reach::Named => false,
        Reach::Patterns(patterns) => {
            patterns.are_broad_for_unknown(action.split(':').next().unwrap_or_default(), scratch)
        }
    }
}

/// `SERVICE:*`, of a service that may not be in the table.
fn is_whole_service(action: &str) -> bool {
    action.split_once(':').is_some_and(|(_, tail)| takes_any_name(tail))
}

/// `*`, `?*` and their like: a pattern that takes a name nobody could have guessed.
fn takes_any_name(tail: &str) -> bool {
    tail.contains('*') && pattern::fits(tail, "\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}")
}

/// What a pattern fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing, and never will: it holds whitespace.
    Void,
    /// Nothing that is in the table.
    Nothing,
    /// One action, by its name. It is not put into a list.
    One(Action),
    /// Some actions.
    Some,
    /// Every action of one service.
    Whole(Service),
}

/// What a pattern is taken to fit once too much work has been done. A grant takes more then and a Deny less, so that
/// nobody can hide anything behind slow patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    TakesMore,
    TakesLess,
}

/// The actions of the table that a pattern fits.
pub(super) fn expanded(pattern: &str) -> ActionSet {
    Expansion::default().union(std::iter::once(pattern), Doubt::TakesLess)
}

/// Turns patterns into ranges of actions, counting the work.
#[derive(Default)]
struct Expansion {
    ranges: Vec<Range<Action>>,
    scratch: Scratch,
}

impl Expansion {
    /// Puts the actions that a pattern fits into `ranges`, unless it is one by its name.
    fn expand(&mut self, pattern: &str, doubt: Doubt) -> Found {
        // Most patterns are names.
        if let Some(action) = service_table::action(pattern) {
            return Found::One(action);
        }
        if pattern.contains(|character: char| character.is_ascii_whitespace()) {
            return Found::Void;
        }
        if !pattern::has_wildcard(pattern) {
            return Found::Nothing;
        }
        if is_all_stars(pattern) {
            self.ranges.push(0..ACTIONS);
            return Found::Some;
        }
        if self.scratch.is_exhausted_after(1) {
            if doubt == Doubt::TakesMore {
                self.ranges.push(0..ACTIONS);
            }
            return Found::Some;
        }
        match pattern.split_once(':') {
            Some((prefix, tail)) if !pattern::has_wildcard(prefix) => match service_table::service(prefix) {
                Some(service) => self.within(service, tail, doubt),
                None => Found::Nothing,
            },
            Some((prefix, tail)) if is_all_stars(prefix) => {
                let services = service_table::services();
                self.scratch.is_exhausted_after(4 * services.len());
                let found = services.map(|service| self.within(service, tail, doubt));
                let fits = found.fold(false, |any, found| any | (found != Found::Nothing));
                if fits { Found::Some } else { Found::Nothing }
            }
            Some(_) | None => self.anywhere(pattern, doubt),
        }
    }

    /// Takes a list back whose ranges have been used.
    fn reuse(&mut self, mut ranges: Vec<Range<Action>>) {
        ranges.clear();
        self.ranges = ranges;
    }

    /// Everything that some patterns fit.
    fn union<'p>(&mut self, patterns: impl Iterator<Item = &'p str>, doubt: Doubt) -> ActionSet {
        let mut all = ActionSet::new();
        for pattern in patterns {
            if let Found::One(action) = self.expand(pattern, doubt) {
                all.insert(action..action + 1);
            }
            self.ranges.drain(..).for_each(|actions| all.insert(actions));
        }
        all
    }

    /// The actions of one service that fit the rest of a pattern.
    fn within(&mut self, service: Service, tail: &str, doubt: Doubt) -> Found {
        if takes_any_name(tail) {
            self.ranges.push(service_table::actions_of(service));
            return Found::Whole(service);
        }
        let literal = tail.split(['*', '?']).next().unwrap_or_default();
        let candidates = service_table::starting_with(service, literal);
        if tail.get(literal.len()..).is_some_and(is_all_stars) {
            let found = if candidates.is_empty() { Found::Nothing } else { Found::Some };
            self.ranges.push(candidates);
            return found;
        }
        let before = self.ranges.len();
        self.filter(candidates, doubt, |action| service_table::fits_name(tail, action));
        if self.ranges.len() > before { Found::Some } else { Found::Nothing }
    }

    /// The actions of all services that fit a pattern with a wildcard before its colon.
    fn anywhere(&mut self, pattern: &str, doubt: Doubt) -> Found {
        let before = self.ranges.len();
        let mut full = String::new();
        for service in service_table::services() {
            let prefix = service_table::service_name(service);
            if self.scratch.is_exhausted_after(1) {
                if doubt == Doubt::TakesMore {
                    self.ranges.push(0..ACTIONS);
                }
                break;
            }
            if !pattern::may_start_with(pattern, prefix) {
                continue;
            }
            full.clear();
            full.push_str(prefix);
            full.push_str(":\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}");
            let actions = service_table::actions_of(service);
            if pattern::fits_ignoring_case(pattern, &full) {
                self.ranges.push(actions);
            } else {
                self.scratch.is_exhausted_after(2 * actions.len());
                self.filter(actions, doubt, |action| {
                    full.clear();
                    service_table::push_name(action, &mut full);
                    pattern::fits_ignoring_case(pattern, &full)
                });
            }
        }
        if self.ranges.len() > before { Found::Some } else { Found::Nothing }
    }

    fn filter(&mut self, candidates: Range<Action>, doubt: Doubt, mut fits: impl FnMut(Action) -> bool) {
        if self.scratch.is_exhausted_after(candidates.len()) {
            if doubt == Doubt::TakesMore {
                self.ranges.push(candidates);
            }
            return;
        }
        let mut open: Option<Range<Action>> = None;
        for action in candidates.filter(|action| fits(*action)) {
            match &mut open {
                Some(range) if range.end == action => range.end += 1,
                Some(_) | None => self.ranges.extend(open.replace(action..action + 1)),
            }
        }
        self.ranges.extend(open);
    }
}

/// What Denies take away. Only one without conditions and on every resource does: a narrower one leaves enough.
#[derive(Default)]
struct Denied<'d> {
    actions: Option<ActionSet>,
    selections: Vec<&'d Selection<crate::Values<'d>>>,
    /// How many patterns those have.
    patterns: usize,
}

impl<'d> Denied<'d> {
    /// A Deny takes a broad grant away where it is about every resource, and where what it spares is nothing broad: of
    /// `NotResource` that names one bucket, an Allow on everything leaves that bucket.
    fn add(&mut self, statement: &'d Statement<'d>, version: Version, context: &'d Context, expansion: &mut Expansion) {
        if !statement.conditions.is_empty() {
            return;
        }
        let spared = match &statement.resources {
            Some(Selection::Only(resources)) if resources.iter().any(is_all_stars) => Reach::Named,
            // More patterns may add up to everything.
            Some(Selection::Except(spared)) if spared.iter().filter(|it| has_wildcard(it)).count() < FEWEST => {
                Reach::of(spared, version, context)
            }
            Some(Selection::Only(_) | Selection::Except(_)) | None => return,
        };
        let mut denied = match &statement.actions {
            Selection::Only(patterns) => expansion.union(patterns.iter(), Doubt::TakesLess),
            Selection::Except(patterns) => expansion.union(patterns.iter(), Doubt::TakesMore).complement(),
        };
        match spared {
            Reach::All => return,
            Reach::Named => self.selections.push(&statement.actions),
            Reach::Patterns(patterns) => {
                expansion.scratch.begin_statement();
                let mut broad = ActionSet::new();
                for action in denied.ranges().flatten() {
                    if patterns.are_broad_for(action, &mut expansion.scratch) {
                        broad.insert_one(action);
                    }
                }
                denied.subtract(&broad);
            }
        }
        self.patterns += statement.actions.named().as_slice().len();
        self.actions.get_or_insert_with(ActionSet::new).unite(&denied);
    }

    /// Whether they take away an action that is not in the table.
    fn covers(&self, action: &str) -> bool {
        self.selections.iter().any(|selection| selects(selection, action))
    }
}

/// Whether an `Action` or `NotAction` element takes an action, by its text alone.
pub(super) fn selects(selection: &Selection<crate::Values<'_>>, action: &str) -> bool {
    let fits =
        |patterns: &crate::Values<'_>| patterns.iter().any(|pattern| pattern::fits_ignoring_case(pattern, action));
    match selection {
        Selection::Only(patterns) => fits(patterns),
        Selection::Except(patterns) => !fits(patterns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use serde_json::{Value, json};

    /// By itself or together, no policy is so much work that it is taken to grant everything.
    #[track_caller]
    fn check(texts: &[String]) {
        let documents: Vec<_> = texts.iter().map(|text| Document::parse(text, Kind::Identity).unwrap()).collect();
        let context = Context::of_account("111122223333".parse().unwrap());
        let check_together = |documents: &[&Document<'_>]| {
            let mut expansion = Expansion::default();
            Grants::counted(documents, None, None, &context, &mut expansion);
            assert!(!expansion.scratch.is_exhausted_after(0), "{}", &texts[0][..200]);
        };
        check_together(&documents.iter().collect::<Vec<_>>());
        documents.iter().for_each(|document| check_together(&[document]));
    }

    /// As many as fit into what IAM takes, whitespace left out: 6,144 characters for a managed policy, 10,240 for all
    /// inline policies of a role
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    fn filled(characters: usize, statement: &dyn Fn(usize) -> Value) -> String {
        let mut statements = vec![statement(0)];
        let text = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        loop {
            let next = [&statements[..], &[statement(statements.len())]].concat();
            if text(&next).len() > characters {
                return text(&statements);
            }
            statements = next;
        }
    }

    #[test]
    fn no_reasonable_policy_is_too_much_work() {
        let some = |prefix: &str, many: usize, suffix: &str| -> Vec<String> {
            (0..many).map(|nth| format!("{prefix}{nth}{suffix}")).collect()
        };
        let verbs =
            ["Get", "List", "Describe", "BatchGet", "Create", "Update", "Put", "Delete", "Tag", "Untag", "*Tag", "*s"];
        let services =
            ["ec2", "s3", "iam", "rds", "lambda", "glue", "sagemaker", "iot", "ssm", "quicksight", "connect"];
        let wildcards = |nth: usize| -> Vec<String> {
            let service = services[nth % services.len()];
            verbs.iter().map(|verb| format!("{service}:{verb}*")).collect()
        };
        let kinds = ["function:", "table/", "role/", "stack/", "log-group:/aws/", "secret:", "queue-", "project/", ""];
        let allow =
            |actions: Value, resources: Value| json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        let shapes: [&dyn Fn(usize) -> Value; 7] = [
            // Everything about one service on everything, one statement each.
            &|nth| allow(json!(wildcards(nth)), json!("*")),
            // The same on what has an application's name, in every service.
            &|nth| {
                allow(
                    json!(wildcards(nth)),
                    json!(format!("arn:aws:*:*:111122223333:{}shop-*", kinds[nth % kinds.len()])),
                )
            },
            &|nth| {
                allow(
                    json!(wildcards(nth)),
                    json!([format!("arn:aws:{}:*:*:*", services[nth % services.len()]), "arn:aws:s3:::shop-*"]),
                )
            },
            &|_| allow(json!(wildcards(0)), json!(some("arn:aws:ec2:*:111122223333:instance/i-", 40, "*"))),
            // Every action there is, on buckets without number and on what has a certain name.
            &|_| allow(json!("*"), json!(some("arn:aws:s3:::shop-", 200, "-*"))),
            &|nth| allow(json!("*"), json!(format!("arn:aws:{}:*:*:shop{nth}*", services[nth % services.len()]))),
            // Every action there is, on what has one of ten names in any service.
            &|nth| match nth {
                0 => allow(json!("*"), json!(some("arn:aws:*:*:*:shop-", 10, "-*"))),
                _ => allow(json!(wildcards(nth)), json!("arn:aws:s3:::shop-*")),
            },
        ];
        for statement in shapes {
            check(&[filled(6_144, statement), filled(10_240, statement)]);
        }
        // Twenty managed policies are the most that IAM attaches to a role.
        check(&vec![filled(6_144, shapes[0]); 20]);
        let except = |nth| match nth % 8 {
            0 => json!({"Effect": "Allow", "NotAction": ["iam:*", "*:Delete*"], "Resource": "*"}),
            _ => json!({"Effect": "Deny", "Action": wildcards(nth), "Resource": "*"}),
        };
        check(&[filled(10_240, &except)]);
    }
}
