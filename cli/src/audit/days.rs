//! Reading the ledger day by day, which is how its index keeps the account's records.

use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use std::time::{Duration, Instant};
use warden_aws::{Aws, StoredRecord};
use warden_engine::call_error::CallError;

/// Days that are asked for at once.
const AT_ONCE: usize = 8;

/// What the ledger holds of a stretch of time.
pub(crate) struct Found {
    /// The records, newest first.
    pub(crate) records: Vec<StoredRecord>,
    /// What cannot be read: somebody has been at the table.
    pub(crate) damaged: Vec<CallError>,
}

/// The records written from `from` to `to`.
///
/// # Errors
/// The call that failed.
pub(crate) async fn records(aws: &Aws, from: Timestamp, to: Timestamp) -> Result<Found, CallError> {
    let days = days(day(from), day(to));
    let progress = Progress::of(days.len(), "reading the ledger");
    let answers = stream::iter(days).map(|day| aws.day(day)).buffered(AT_ONCE).inspect_ok(|_| progress.step());
    let answers: Vec<_> = answers.try_collect().await?;
    drop(progress);
    let mut found = Found { records: Vec::new(), damaged: Vec::new() };
    for item in answers.into_iter().flatten() {
        match item {
            Ok(stored) if (from..=to).contains(&stored.record.time) => found.records.push(stored),
            Ok(_) => {}
            Err(damage) => found.damaged.push(damage),
        }
    }
    found.records.sort_by_key(|stored| std::cmp::Reverse((stored.record.time, stored.record.id)));
    Ok(found)
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// Every day from the first to the last.
fn days(first: Date, last: Date) -> Vec<Date> {
    first.series(1.day()).take_while(|day| *day <= last).collect()
}

/// A bar on the standard error, on a terminal only, and only for what takes longer than a second.
pub(crate) struct Progress {
    bar: ProgressBar,
    since: Instant,
}

impl Progress {
    /// Of so many steps.
    pub(crate) fn of(steps: usize, what: &'static str) -> Progress {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        Progress::shown(Some(steps), what, "{msg} {bar:30} {pos}/{len}")
    }

    /// Of nobody knows how many.
    pub(crate) fn unknown(what: &'static str) -> Progress {
        Progress::shown(None, what, "{msg} {pos}")
    }

    fn shown(steps: Option<u64>, what: &'static str, how: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::hidden()).with_message(what);
        let bar = match ProgressStyle::with_template(how) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Progress { bar, since: Instant::now() }
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        if self.bar.is_hidden() && self.since.elapsed() > Duration::from_secs(1) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_a_stretch_of_days() {
        let days = |first: &str, last: &str| days(first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(days("2026-11-21", "2026-11-21").len(), 1);
        assert_eq!(days("2026-10-30", "2026-11-02").len(), 4);
        assert!(days("2026-11-02", "2026-11-01").is_empty());
    }
}
