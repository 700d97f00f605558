//! How long a run may sleep. A guard that sleeps is paid for, and takes the account's concurrency from others; what has
//! to wait longer comes back by the delay queue ([`crate::run::delay`]).

use crate::ports::Clock;
use jiff::SignedDuration;
use std::sync::atomic::{AtomicI64, Ordering};

/// What is left of the time that the sleeps of one invocation may last together.
#[derive(Debug)]
pub(crate) struct Patience {
    /// In milliseconds; none where there is no end to it.
    left: Option<AtomicI64>,
}

impl Patience {
    /// That of a command, which has no queue and a person in front of it.
    pub(crate) const ENDLESS: Patience = Patience { left: None };

    /// That of one invocation of a guard.
    pub(crate) fn of(time: SignedDuration) -> Patience {
        let left = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Patience { left: Some(AtomicI64::new(left)) }
    }

    /// Whether there is no end to it.
    pub(crate) fn is_endless(&self) -> bool {
        self.left.is_none()
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_over(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) <= 0)
    }

    /// Sleeps for so long, or for what is left.
    pub(crate) async fn sleep(&self, clock: &impl Clock, wanted: SignedDuration) {
        let time = match &self.left {
            None => wanted,
            Some(left) => {
                let wanted = i64::try_from(wanted.as_millis()).unwrap_or(i64::MAX).max(0);
                let before = left.fetch_sub(wanted, Ordering::Relaxed);
                SignedDuration::from_millis(wanted.min(before.max(0)))
            }
        };
        if time > SignedDuration::ZERO {
            clock.sleep(time).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    struct Slept(RefCell<Vec<i64>>);

    impl Clock for Slept {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }

        fn entropy(&self) -> u128 {
            0
        }

        async fn sleep(&self, duration: SignedDuration) {
            self.0.borrow_mut().push(duration.as_millis() as i64);
        }
    }

    #[tokio::test]
    async fn all_sleeps_together_last_no_longer_than_it_allows() {
        let clock = Slept(RefCell::default());
        let patience = Patience::of(SignedDuration::from_secs(1));
        for wanted in [400, 500, 300, 5000] {
            patience.sleep(&clock, SignedDuration::from_millis(wanted)).await;
        }
        assert_eq!(*clock.0.borrow(), [400, 500, 100]);
        assert!(patience.is_over() && !Patience::ENDLESS.is_over());
    }
}
