//! What a role grants on everything piece by piece: every pattern narrow, and all of them together as good as `*`.

use super::{
    grants::{Grants, Span},
    sensitivity::SENSITIVE,
};
use crate::{
    Selection,
    breadth::{FEWEST, Fragment, Outline, Scratch, Share},
    pattern::has_wildcard,
    service_table::{self, Action},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What adds up.
#[derive(Default)]
pub(super) struct Pieces {
    /// By statement, with the resources that are pieces of it.
    granted: BTreeMap<usize, Pieced>,
}

/// What one statement grants together with others.
#[derive(Default)]
struct Pieced {
    /// The actions, with the pattern that grants each.
    actions: BTreeMap<Action, usize>,
    /// Those that are so much even without what conditions scope to named resources.
    unscoped: BTreeSet<Action>,
    resources: BTreeSet<usize>,
}

/// One statement with patterns that may be pieces.
struct Part {
    /// The patterns, as indexes into the distinct ones, with their index in `Resource`.
    fragments: Vec<(usize, usize)>,
}

impl Pieces {
    /// Looks at the serious actions alone: what is harmless on everything is harmless in pieces.
    pub(super) fn of(grants: &Grants<'_>) -> Self {
        let mut pieces = Self::default();
        let patterns = grants.statements.iter().map(|granter| match &granter.statement.resources {
            Some(Selection::Only(resources)) => resources.as_slice().len(),
            Some(Selection::Except(_)) | None => 0,
        });
        if grants.offered.is_empty() || patterns.sum::<usize>() < FEWEST {
            return pieces;
        }
        // By action, the statements that grant it on some patterns, each with the pattern of its `Action`.
        let mut open: BTreeMap<Action, BTreeMap<usize, usize>> = BTreeMap::new();
        let mut statements = BTreeSet::new();
        let serious = &SENSITIVE.serious;
        for span in &grants.offered {
            serious.each_common(serious, span.actions(), |action| {
                if !grants.unscoped.contains(action) {
                    open.entry(action).or_default().entry(span.statement()).or_insert(span.pattern());
                    statements.insert(span.statement());
                }
            });
        }
        // Most roles have no more.
        if most_of_one_service(grants, &statements) < FEWEST {
            return pieces;
        }
        let (mut distinct, parts) = read(grants, &statements);
        let mut by_template: BTreeMap<usize, Vec<Action>> = BTreeMap::new();
        for action in open.keys() {
            for template in service_table::templates(service_table::type_set(*action)) {
                by_template.entry(template).or_default().push(*action);
            }
        }
        let mut scratch = Scratch::default();
        for (template, actions) in by_template {
            let template = service_table::template(template);
            let outline = Outline::of(template);
            let least = outline.least;
            if distinct.iter().filter(|fragment| fragment.may_share(&outline)).take(least).count() < least {
                continue;
            }
            let mut shares: HashMap<usize, Share> = HashMap::new();
            let mut share = |fragment: usize| {
                *shares.entry(fragment).or_insert_with(|| {
                    let fragment = distinct.get_mut(fragment);
                    fragment.map_or_else(Share::default, |it| it.share_of(template, &mut scratch))
                })
            };
            for action in actions {
                if let Some(statements) = open.get(&action) {
                    pieces.add_up(action, statements, &parts, grants, least, &mut share);
                }
            }
        }
        pieces
    }

    /// Adds up the shares that the statements which grant an action have of one of its templates.
    fn add_up(
        &mut self,
        action: Action,
        statements: &BTreeMap<usize, usize>,
        parts: &BTreeMap<usize, Part>,
        grants: &Grants<'_>,
        least: usize,
        share: &mut dyn FnMut(usize) -> Share,
    ) {
        let is_scoped = |at: usize| grants.statements.get(at).is_some_and(|granter| granter.is_scoped_for(action));
        let granting = || statements.iter().filter_map(|(at, pattern)| parts.get(at).map(|part| (*at, *pattern, part)));
        let mut sum = |with_scoped: bool| {
            let parts = granting().filter(|(at, ..)| with_scoped || !is_scoped(*at));
            let fragments = parts.flat_map(|(.., part)| part.fragments.iter().map(|(fragment, _)| *fragment));
            let distinct: BTreeSet<usize> = fragments.collect();
            if distinct.len() < least {
                return Share::default();
            }
            distinct.into_iter().map(&mut *share).fold(Share::default(), Share::and)
        };
        let unscoped = sum(false).is_much();
        if !unscoped && (grants.all.contains(action) || !sum(true).is_much()) {
            return;
        }
        for (at, pattern, part) in granting().filter(|(at, ..)| !(unscoped && is_scoped(*at))) {
            let mine = part.fragments.iter().filter(|(fragment, _)| share(*fragment).is_some());
            let mine: Vec<usize> = mine.map(|(_, nth)| *nth).collect();
            if mine.is_empty() {
                continue;
            }
            let pieced = self.granted.entry(at).or_default();
            pieced.resources.extend(mine);
            pieced.actions.insert(action, pattern);
            if unscoped {
                pieced.unscoped.insert(action);
            }
        }
    }

    /// Counts them among what is granted broadly.
    pub(super) fn add_to(&self, grants: &mut Grants<'_>) {
        if self.granted.is_empty() {
            return;
        }
        let mut spans = Vec::with_capacity(grants.spans.len());
        for (at, granter) in grants.statements.iter_mut().enumerate() {
            let first = spans.len();
            spans.extend_from_slice(grants.spans.get(granter.spans.clone()).unwrap_or_default());
            if let Some(pieced) = self.granted.get(&at) {
                for (action, pattern) in &pieced.actions {
                    spans.push(Span::new(at, *pattern, &(*action..*action + 1)));
                    grants.all.insert_one(*action);
                }
                pieced.unscoped.iter().for_each(|action| grants.unscoped.insert_one(*action));
                grants.pieces.extend(pieced.resources.iter().map(|nth| (at, *nth)));
            }
            granter.spans = first..spans.len();
        }
        grants.spans = spans;
    }
}

/// The distinct patterns of some statements, and which of them each has.
fn read<'g>(grants: &'g Grants<'_>, statements: &BTreeSet<usize>) -> (Vec<Fragment<'g>>, BTreeMap<usize, Part>) {
    let mut distinct: Vec<Fragment<'g>> = Vec::new();
    let mut by_text: HashMap<String, usize> = HashMap::new();
    let mut parts = BTreeMap::new();
    for at in statements {
        let Some(granter) = grants.statements.get(*at) else { continue };
        let Some(Selection::Only(resources)) = &granter.statement.resources else { continue };
        let mut fragments = Vec::new();
        for (nth, resource) in resources.iter().enumerate() {
            let read = Fragment::read(resource, grants.version_of(granter), grants.context());
            let Some(fragment) = read else { continue };
            let number = *by_text.entry(fragment.text().to_owned()).or_insert(distinct.len());
            if number == distinct.len() {
                distinct.push(fragment);
            }
            fragments.push((number, nth));
        }
        parts.insert(*at, Part { fragments });
    }
    (distinct, parts)
}

/// The most patterns that speak of the same service, those included that speak of any.
fn most_of_one_service(grants: &Grants<'_>, statements: &BTreeSet<usize>) -> usize {
    let mut loose = 0;
    let mut by_service: Vec<(&str, usize)> = Vec::new();
    for granter in statements.iter().filter_map(|at| grants.statements.get(*at)) {
        let Some(Selection::Only(resources)) = &granter.statement.resources else { continue };
        for resource in resources.iter().filter(|resource| has_wildcard(resource)) {
            let mut fields = resource.splitn(4, ':');
            match (fields.next(), fields.next(), fields.next()) {
                (Some("arn"), Some(partition), Some(service))
                    if ![partition, service].iter().any(|field| field.contains(['*', '?', '$'])) =>
                {
                    match by_service.iter_mut().find(|(known, _)| *known == service) {
                        Some((_, count)) => *count += 1,
                        None => by_service.push((service, 1)),
                    }
                }
                _ => loose += 1,
            }
        }
    }
    loose + by_service.iter().map(|(_, count)| *count).max().unwrap_or_default()
}
