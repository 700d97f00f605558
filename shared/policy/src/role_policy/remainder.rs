//! What is left of an action pattern when some of its actions are taken out.

use super::grants;
use crate::{
    breadth::is_all_stars,
    pattern,
    service_table::{self, Action, ActionSet},
};
use std::ops::Range;

/// More patterns than this in the place of one, and nothing of it is kept: a policy has no room for them.
const MOST: usize = 64;

/// Patterns that take what one pattern takes, but for some actions. Nothing where that cannot be said in a few.
///
/// `svc:*` becomes the shortest beginnings that only harmless names have. They also take what AWS adds to the service
/// later, as the pattern itself did. Where the pattern has more than one star at its end, the names are listed.
pub(super) fn without(text: &str, gone: &ActionSet) -> Vec<String> {
    let Some((prefix, tail)) = text.split_once(':') else { return Vec::new() };
    let Some(service) = service_table::service(prefix) else { return Vec::new() };
    if !pattern::has_wildcard(tail) {
        return Vec::new();
    }
    let literal = tail.split(['*', '?']).next().unwrap_or_default();
    let ends_open = tail.get(literal.len()..).is_some_and(is_all_stars);
    let patterns = if ends_open {
        let mut beginnings = Beginnings { gone, found: Vec::new() };
        beginnings.cover(service_table::starting_with(service, literal), literal.len());
        beginnings.found
    } else {
        let mut all = grants::expanded(text);
        all.subtract(gone);
        all.ranges().flatten().take(MOST + 1).map(name_of).collect()
    };
    if patterns.len() > MOST { Vec::new() } else { patterns }
}

fn name_of(action: Action) -> String {
    let mut name = String::new();
    service_table::push_name(action, &mut name);
    name
}

struct Beginnings<'s> {
    gone: &'s ActionSet,
    found: Vec<String>,
}

impl Beginnings<'_> {
    /// Covers the harmless among the actions of a range, whose names are alike up to this length.
    fn cover(&mut self, range: Range<Action>, alike: usize) {
        let harmful = self.gone.count_common(self.gone, range.clone());
        if harmful == range.len() || self.found.len() > MOST {
            return;
        }
        let first = name_of(range.start);
        // What stands before the colon, and it.
        let service = first.find(':').map_or(0, |colon| colon + 1);
        if harmful == 0 {
            match first.get(..service + alike) {
                Some(beginning) if range.len() > 1 || alike == 0 => self.found.push(format!("{beginning}*")),
                Some(_) | None => self.found.push(first),
            }
            return;
        }
        let mut from = range.start;
        while from < range.end {
            let name = name_of(from);
            let next = name.get(service..service + alike + 1);
            let end = match next {
                // The names with the same next letter are neighbours.
                Some(next) => service_table::starting_with(service_table::service_of(from), next).end.min(range.end),
                None => from + 1,
            };
            match next {
                Some(_) => self.cover(from..end, alike + 1),
                // The whole name is what the others begin with.
                None if !self.gone.contains(from) => self.found.push(name),
                None => {}
            }
            from = end.max(from + 1);
        }
    }
}
