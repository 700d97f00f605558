//! The breaker, which ends a fight over one surface: pure arithmetic over the times at which it was reverted.

use crate::model::settings::Breaker as Limits;
use jiff::{SignedDuration, Timestamp};

/// The longest pause before a critical finding is reverted again. It must fit into a guard's time limit.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// Whether a surface was reverted too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaker {
    /// It was not. What is found is put right.
    Closed,
    /// It was. Only critical findings are still put right, each after a pause that grows.
    Open {
        /// How often it was reverted within the window.
        reverts: u32,
        /// The end of the pause.
        until: Timestamp,
    },
}

impl Breaker {
    /// Reads it from the reverts within the window.
    pub(super) fn read(reverts: &[Timestamp], limits: &Limits) -> Breaker {
        let count = u32::try_from(reverts.len()).unwrap_or(u32::MAX);
        if count < limits.reverts {
            return Breaker::Closed;
        }
        let beyond = count.saturating_sub(limits.reverts).min(16);
        let pause = limits.pause.saturating_mul(1 << beyond).min(LONGEST_PAUSE);
        let last = reverts.iter().max().copied().unwrap_or(Timestamp::MIN);
        Breaker::Open { reverts: count, until: last.saturating_add(pause).unwrap_or(Timestamp::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_each_revert_beyond_the_limit_and_has_an_end() {
        let limits = Limits { reverts: 3, window: SignedDuration::from_mins(10), pause: SignedDuration::from_secs(5) };
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let until = |count: i64| match Breaker::read(&(1..=count).map(at).collect::<Vec<_>>(), &limits) {
            Breaker::Closed => None,
            Breaker::Open { until, .. } => Some(until.as_second() - count),
        };
        assert_eq!([2, 3, 4, 5, 9, 64].map(until), [None, Some(5), Some(10), Some(20), Some(60), Some(60)]);
    }
}
