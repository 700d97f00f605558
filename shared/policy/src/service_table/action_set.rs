use super::{ACTIONS, Action};
use std::ops::Range;

const WORDS: usize = ACTIONS.div_ceil(64);

/// A set of actions, one bit each.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ActionSet([u64; WORDS]);

impl ActionSet {
    /// No action.
    pub(crate) const fn new() -> Self {
        Self([0; WORDS])
    }

    /// The set whose bits are these bytes.
    pub(super) fn from_bits(bytes: &[u8]) -> Self {
        let mut set = Self::new();
        for (word, bytes) in set.0.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = bytes
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        set
    }

    /// Adds a range.
    pub(crate) fn insert(&mut self, range: Range<Action>) {
        let end = range.end.min(ACTIONS);
        if range.start >= end {
            return;
        }
        let (first, last) = (range.start / 64, (end - 1) / 64);
        for (at, word) in self.0.iter_mut().enumerate().take(last + 1).skip(first) {
            let from = if at == first { range.start % 64 } else { 0 };
            let to = if at == last { (end - 1) % 64 } else { 63 };
            *word |= (u64::MAX >> (63 - to)) & (u64::MAX << from);
        }
    }

    /// Whether the action is in it.
    pub(crate) fn contains(&self, action: Action) -> bool {
        self.0
            .get(action / 64)
            .is_some_and(|word| word & (1 << (action % 64)) != 0)
    }

    /// Keeps what the other has too.
    pub(crate) fn intersect(&mut self, other: &ActionSet) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(mine, theirs)| *mine &= theirs);
    }

    /// Adds what the other has.
    pub(crate) fn unite(&mut self, other: &ActionSet) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Takes out what the other has.
    pub(crate) fn subtract(&mut self, other: &ActionSet) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(mine, theirs)| *mine &= !theirs);
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
        self.0
            .iter()
            .map(|word| usize::try_from(word.count_ones()).unwrap_or_default())
            .sum()
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

    /// The first action from here on whose bit, after flipping, is set.
    fn next(&self, from: Action, flip: u64) -> Option<Action> {
        let skipped = u64::MAX << (from % 64);
        self.0
            .iter()
            .enumerate()
            .skip(from / 64)
            .find_map(|(at, word)| {
                let word = (word ^ flip) & if at == from / 64 { skipped } else { u64::MAX };
                (word != 0)
                    .then(|| at * 64 + usize::try_from(word.trailing_zeros()).unwrap_or_default())
            })
    }

    /// The actions of a range that are in both, in order.
    pub(crate) fn common<'s>(
        &'s self,
        other: &'s ActionSet,
        range: Range<Action>,
    ) -> impl Iterator<Item = Action> + 's {
        let words = range.start / 64..range.end.div_ceil(64);
        let both = self
            .0
            .iter()
            .zip(&other.0)
            .enumerate()
            .take(words.end)
            .skip(words.start);
        both.flat_map(|(at, (mine, theirs))| {
            let mut word = mine & theirs;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * 64 + usize::try_from(bit).unwrap_or_default())
            })
        })
        .filter(move |action| range.contains(action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_go_in_and_out(a in 0..ACTIONS, b in 0..ACTIONS + 9, c in 0..ACTIONS, d in 0..ACTIONS, probe in 0..ACTIONS) {
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
            prop_assert!(set.common(&all, c..b).eq((c..b).filter(|at| set.contains(*at))));
            prop_assert_eq!(set.len() + set.complement().len(), ACTIONS);
        }
    }
}
