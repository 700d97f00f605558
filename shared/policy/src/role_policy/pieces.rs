//! What a role grants on everything piece by piece: every pattern narrow, and all of them together as good as `*`.

use super::{
    grants::{Expansion, Granter, Grants, Span, selects},
    sensitivity::SENSITIVE,
};
use crate::{
    Selection,
    breadth::{Fragment, Scratch, Share},
    pattern::has_wildcard,
    service_table::{self, Action, ActionSet},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So few patterns are never a quarter of all names: one that leaves out a single character is a part in 37, one of a
/// single length a part in 32.
const TOO_FEW: usize = 8;

/// What adds up.
#[derive(Default)]
pub(super) struct Pieces {
    /// By statement, with the resources that are pieces of it.
    granted: BTreeMap<usize, Pieced>,
}

/// What one statement grants together with others.
#[derive(Default)]
struct Pieced {
    actions: BTreeSet<Action>,
    /// Those that are so much even without what conditions scope to named resources.
    unscoped: BTreeSet<Action>,
    resources: BTreeSet<usize>,
}

/// One statement with patterns that may be pieces.
struct Part {
    /// As an index into [`Grants::statements`].
    statement: usize,
    scoped: bool,
    actions: ActionSet,
    /// The patterns, as indexes into the distinct ones, with their index in `Resource`.
    fragments: Vec<(usize, usize)>,
}

impl Pieces {
    /// Looks at the serious actions alone: what is harmless on everything is harmless in pieces.
    pub(super) fn of(grants: &Grants<'_>, expansion: &mut Expansion) -> Self {
        let mut pieces = Self::default();
        let patterns = |granter: &Granter<'_>| match &granter.statement.resources {
            Some(Selection::Only(resources)) => resources.iter().filter(|resource| has_wildcard(resource)).count(),
            Some(Selection::Except(_)) | None => 0,
        };
        // Most roles have no more.
        if grants.statements.iter().map(patterns).sum::<usize>() < TOO_FEW {
            return pieces;
        }
        expansion.scratch.begin_policy();
        let mut distinct: Vec<Fragment<'_>> = Vec::new();
        let mut by_text: HashMap<String, usize> = HashMap::new();
        let mut parts = Vec::new();
        for (at, granter) in grants.statements.iter().enumerate() {
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
            if !fragments.is_empty() {
                parts.push(Part {
                    statement: at,
                    scoped: granter.narrowness.scoped,
                    actions: ActionSet::new(),
                    fragments,
                });
            }
        }
        if distinct.len() < TOO_FEW {
            return pieces;
        }
        let mut open = ActionSet::new();
        for part in &mut parts {
            if let Some(granter) = grants.statements.get(part.statement) {
                part.actions = expansion.selected(&granter.statement.actions);
                part.actions.intersect(&SENSITIVE.serious);
                part.actions.subtract(&grants.unscoped);
                open.unite(&part.actions);
            }
        }
        let mut scratch = Scratch::default();
        let mut shares: HashMap<(usize, usize), Share> = HashMap::new();
        for action in open.ranges().flatten() {
            for template in service_table::templates(service_table::type_set(action)) {
                let mut share = |fragment: usize| {
                    *shares.entry((fragment, template)).or_insert_with(|| {
                        distinct.get_mut(fragment).map_or_else(Share::default, |fragment| {
                            fragment.share_of(service_table::template(template), &mut scratch)
                        })
                    })
                };
                pieces.add_up(action, &parts, grants, &mut share);
            }
        }
        pieces
    }

    /// Adds up the shares that the statements have of one template of one action.
    fn add_up(&mut self, action: Action, parts: &[Part], grants: &Grants<'_>, share: &mut dyn FnMut(usize) -> Share) {
        let mut sum = |with_scoped: bool| {
            let parts = parts.iter().filter(|part| part.actions.contains(action) && (with_scoped || !part.scoped));
            let distinct: BTreeSet<usize> =
                parts.flat_map(|part| part.fragments.iter().map(|(fragment, _)| *fragment)).collect();
            distinct.into_iter().map(&mut *share).fold(Share::default(), Share::and)
        };
        let unscoped = sum(false).is_much();
        if !unscoped && (grants.all.contains(action) || !sum(true).is_much()) {
            return;
        }
        for part in parts.iter().filter(|part| part.actions.contains(action) && !(unscoped && part.scoped)) {
            let mine = part.fragments.iter().filter(|(fragment, _)| share(*fragment).is_some());
            let mine: Vec<usize> = mine.map(|(_, nth)| *nth).collect();
            if mine.is_empty() {
                continue;
            }
            let pieced = self.granted.entry(part.statement).or_default();
            pieced.resources.extend(mine);
            pieced.actions.insert(action);
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
                for action in &pieced.actions {
                    let pattern = pattern_of(granter, *action);
                    spans.push(Span::new(at, pattern, &(*action..*action + 1)));
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

/// The first pattern of a statement that grants an action.
fn pattern_of(granter: &Granter<'_>, action: Action) -> usize {
    let mut name = String::new();
    service_table::push_name(action, &mut name);
    match &granter.statement.actions {
        Selection::Only(patterns) => patterns
            .iter()
            .position(|pattern| selects(&Selection::Only(crate::Values::One(pattern.into())), &name))
            .unwrap_or_default(),
        Selection::Except(_) => 0,
    }
}
