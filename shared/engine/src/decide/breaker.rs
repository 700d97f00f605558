//! The breaker, which ends a fight over one surface: pure arithmetic over the times at which it was reverted.

use crate::model::settings::Breaker as Limits;
use jiff::Timestamp;

/// How often a surface was reverted within the breaker's window, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breaker {
    /// How often.
    pub(super) reverts: u32,
    /// Whether only critical findings are still put right.
    pub(super) is_open: bool,
    /// When a critical finding may be put right again; none is at once.
    pub(super) until: Option<Timestamp>,
}

impl Breaker {
    /// Reads it from the reverts within the window.
    pub(super) fn read(reverts: &[Timestamp], limits: &Limits) -> Breaker {
        let count = u32::try_from(reverts.len()).unwrap_or(u32::MAX);
        // The same pause each time: one that grows would keep open, longer and longer, what is opened again at once.
        let next = reverts.iter().max().map(|last| last.saturating_add(limits.pause).unwrap_or(Timestamp::MAX));
        Breaker { reverts: count, is_open: count >= limits.reverts, until: next.filter(|_| count >= limits.critical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn the_pause_is_the_same_each_time_beyond_the_rate() {
        let limits = Limits {
            reverts: 3,
            critical: 5,
            window: SignedDuration::from_mins(10),
            pause: SignedDuration::from_secs(7),
        };
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let read = |count: i64| Breaker::read(&(1..=count).map(at).collect::<Vec<_>>(), &limits);
        assert_eq!([2, 3, 4, 5, 6, 64].map(|count| read(count).is_open), [false, true, true, true, true, true]);
        let pause = |count: i64| read(count).until.map(|until| until.as_second() - count);
        assert_eq!([2, 3, 4, 5, 6, 64].map(pause), [None, None, None, Some(7), Some(7), Some(7)]);
    }
}
