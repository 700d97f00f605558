//! What a function should reserve: decided here, and nowhere else.

use std::num::NonZeroU32;

/// How much concurrency a function should reserve: the least of its `cap`, of the `clamp` while one is held, and of what
/// it reserved `earlier`. None where none of the three is there: it need not reserve any.
///
/// It is never 0, which would stop the function: who has stopped one by hand gets the 0 back by an undo alone.
pub fn desired(cap: Option<NonZeroU32>, clamp: Option<NonZeroU32>, earlier: Option<u32>) -> Option<NonZeroU32> {
    [cap, clamp, earlier.and_then(NonZeroU32::new)].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_least_of_the_cap_the_clamp_and_what_was_before_and_never_0() {
        #[track_caller]
        fn check(cap: u32, clamp: u32, earlier: Option<u32>, expected: u32) {
            let some = NonZeroU32::new;
            assert_eq!(desired(some(cap), some(clamp), earlier), some(expected));
        }
        check(10, 0, None, 10);
        check(10, 0, Some(5), 5);
        check(10, 0, Some(20), 10);
        check(10, 3, Some(5), 3);
        check(10, 3, Some(2), 2);
        check(0, 3, None, 3);
        check(0, 0, Some(5), 5);
        check(0, 0, None, 0);
        check(10, 0, Some(0), 10);
        check(0, 0, Some(0), 0);
    }
}
