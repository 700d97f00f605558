//! Time that passes only while everybody waits for it.

use jiff::SignedDuration;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::poll_fn,
    task::Poll,
};

/// A clock that stands still while anything works, and jumps to the next deadline once all sleep. All of its sleepers
/// are in one task.
#[derive(Default)]
pub struct SimulatedTime {
    passed: Cell<SignedDuration>,
    /// Who sleeps, and until when.
    sleepers: RefCell<BTreeSet<(SignedDuration, u64)>>,
    /// How many have ever gone to sleep.
    slept: Cell<u64>,
}

/// Somebody who sleeps, or was woken, or went away.
struct Sleeper<'a> {
    time: &'a SimulatedTime,
    until: (SignedDuration, u64),
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.time.sleepers.borrow_mut().remove(&self.until);
    }
}

impl SimulatedTime {
    /// How much time has passed.
    pub fn passed(&self) -> SignedDuration {
        self.passed.get()
    }

    /// Waits until so much more time has passed.
    pub async fn sleep(&self, duration: SignedDuration) {
        let number = self.slept.get();
        self.slept.set(number + 1);
        let until = (self.passed.get() + duration, number);
        self.sleepers.borrow_mut().insert(until);
        let sleeper = Sleeper { time: self, until };
        let mut seen = None;
        while self.passed.get() < until.0 {
            // Everybody else in the task has a turn; if nobody has gone to sleep anew until this one's next, all of
            // them sleep.
            let slept = self.slept.get();
            if seen == Some(slept) && self.sleepers.borrow().first() == Some(&until) {
                self.passed.set(until.0);
                break;
            }
            seen = Some(slept);
            let mut yielded = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        drop(sleeper);
    }
}
