//! A set of actions, as bits over the service authorization table.

use super::{ACTIONS, Action};
use std::ops::Range;

const WORDS: usize = ACTIONS.div_ceil(64);

/// A set of actions, one bit each.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ActionSet([u64; WORDS]);

impl Default for ActionSet {
    fn default() -> Self {
        Self::new()
    }
}

impl ActionSet {
    /// A set without an action.
    pub(crate) const fn new() -> Self {
        Self([0; WORDS])
    }

    /// The set whose bits are these bytes.
    pub(super) fn from_bits(bytes: &[u8]) -> Self {
        let mut set = Self::new();
        for (word, bytes) in set.0.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        set
    }

    /// Adds one action.
    pub(crate) fn insert_one(&mut self, action: Action) {
        if let Some(word) = self.0.get_mut(action / 64) {
            *word |= 1 << (action % 64);
        }
    }

    /// Adds a range.
    pub(crate) fn insert(&mut self, range: Range<Action>) {
        if let Some(words) = self.0.get_mut(words(&range)) {
            for (at, word) in (range.start / 64..).zip(words) {
                *word |= mask(at, &range);
            }
        }
    }

    /// Whether the action is in it.
    pub(crate) fn contains(&self, action: Action) -> bool {
        self.0.get(action / 64).is_some_and(|word| word & (1 << (action % 64)) != 0)
    }

    /// Keeps what the other has too.
    pub(crate) fn intersect(&mut self, other: &ActionSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine &= theirs);
    }

    /// Adds what the other has.
    pub(crate) fn unite(&mut self, other: &ActionSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Takes out what the other has.
    pub(crate) fn subtract(&mut self, other: &ActionSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// Every action that is not in it.
    pub(crate) fn complement(&self) -> ActionSet {
        let mut all = ActionSet::new();
        all.insert(0..ACTIONS);
        all.subtract(self);
        all
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| usize::try_from(word.count_ones()).unwrap_or_default()).sum()
    }

    /// Its actions as ranges, in order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<Action>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next(from, 0)?;
            let end = self.next(start, u64::MAX).unwrap_or(ACTIONS).min(ACTIONS);
            from = end;
            Some(start..end)
        })
    }

    /// Those of its actions that are in a range, as ranges.
    pub(crate) fn within(&self, range: Range<Action>) -> Vec<Range<Action>> {
        let mut ranges: Vec<Range<Action>> = Vec::new();
        self.each_common(self, range, |action| match ranges.last_mut() {
            Some(last) if last.end == action => last.end += 1,
            Some(_) | None => ranges.push(action..action + 1),
        });
        ranges
    }

    /// The first action from here on whose bit, after flipping, is set.
    fn next(&self, from: Action, flip: u64) -> Option<Action> {
        let skipped = u64::MAX << (from % 64);
        self.0.iter().enumerate().skip(from / 64).find_map(|(at, word)| {
            let word = (word ^ flip) & if at == from / 64 { skipped } else { u64::MAX };
            (word != 0).then(|| at * 64 + usize::try_from(word.trailing_zeros()).unwrap_or_default())
        })
    }

    /// Calls for each action of a range that is in both, in order.
    pub(crate) fn each_common(&self, other: &ActionSet, range: Range<Action>, mut call: impl FnMut(Action)) {
        let Some((words, others)) = self.0.get(words(&range)).zip(other.0.get(words(&range))) else {
            return;
        };
        for (at, (mine, theirs)) in (range.start / 64..).zip(words.iter().zip(others)) {
            let mut word = mine & theirs & mask(at, &range);
            while word != 0 {
                call(at * 64 + usize::try_from(word.trailing_zeros()).unwrap_or_default());
                word &= word - 1;
            }
        }
    }

    /// How many actions of a range are in both.
    pub(crate) fn count_common(&self, other: &ActionSet, range: Range<Action>) -> usize {
        let Some((words, others)) = self.0.get(words(&range)).zip(other.0.get(words(&range))) else {
            return 0;
        };
        let bits = (range.start / 64..).zip(words.iter().zip(others));
        let counts = bits.map(|(at, (mine, theirs))| (mine & theirs & mask(at, &range)).count_ones());
        usize::try_from(counts.sum::<u32>()).unwrap_or_default()
    }
}

/// The words that hold a range's bits.
fn words(range: &Range<Action>) -> Range<usize> {
    let end = range.end.min(ACTIONS);
    if range.start < end { range.start / 64..end.div_ceil(64) } else { 0..0 }
}

/// The bits of one word that belong to a range.
fn mask(word: usize, range: &Range<Action>) -> u64 {
    let first = range.start.saturating_sub(word * 64).min(63);
    let last = (range.end.min(ACTIONS) - 1 - word * 64).min(63);
    (u64::MAX >> (63 - last)) & (u64::MAX << first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_go_in_and_out(a in 0..ACTIONS, b in 0..ACTIONS + 9, c in 0..ACTIONS, d in 0..ACTIONS,
            probe in 0..ACTIONS) {
            let mut set = ActionSet::new();
            set.insert(a..b);
            let mut taken = ActionSet::new();
            taken.insert(c..d);
            set.subtract(&taken);
            let expected = |at: Action| (a..b).contains(&at) && !(c..d).contains(&at);
            for at in [probe, a, b.saturating_sub(1), b, c, d] {
                prop_assert_eq!(set.contains(at), at < ACTIONS && expected(at));
                prop_assert_eq!(set.complement().contains(at), at < ACTIONS && !expected(at));
            }
            prop_assert_eq!(set.len(), (0..ACTIONS).filter(|at| expected(*at)).count());
            let runs: Vec<Action> = set.ranges().flatten().collect();
            prop_assert!(runs.iter().copied().eq((0..ACTIONS).filter(|at| set.contains(*at))));
            prop_assert!(set.ranges().zip(set.ranges().skip(1)).all(|(one, two)| one.end < two.start));
            let all = ActionSet::new().complement();
            let mut common = Vec::new();
            set.each_common(&all, c..b, |action| common.push(action));
            prop_assert_eq!(set.count_common(&all, c..b), common.len());
            prop_assert!(common.into_iter().eq((c..b).filter(|at| set.contains(*at))));
            prop_assert_eq!(set.len() + set.complement().len(), ACTIONS);
        }
    }
}
