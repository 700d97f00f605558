//! Lengths of time and points in time as people write them.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil::Date, tz::TimeZone};

/// A length of time above zero: `7d`, `12h`, `1h 30m`, `2 weeks`. A day has 24 hours.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    let unclear = || "write a length of time such as 30m, 12h, 7d or 2 weeks".to_owned();
    let span: Span = text.trim().parse().map_err(|_| unclear())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| unclear())?;
    if duration.is_positive() { Ok(duration) } else { Err("it must be longer than nothing".to_owned()) }
}

/// Where a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(SignedDuration),
    /// This point in time.
    At(Timestamp),
}

impl Since {
    /// The point in time.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Since::Ago(duration) => now.saturating_sub(duration).unwrap_or(Timestamp::MIN),
            Since::At(time) => time,
        }
    }
}

/// A length of time before now, a day (from its beginning, UTC) or a point in time.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse() {
        return Ok(Since::At(time));
    }
    if let Ok(date) = date(text) {
        let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| "this day is too far away".to_owned())?;
        return Ok(Since::At(midnight.timestamp()));
    }
    let unclear = |_| "write a length of time such as 12h or 7d, or a day such as 2026-11-01".to_owned();
    duration(text).map(Since::Ago).map_err(unclear)
}

/// A day: `2026-11-01`, and no other of the forms that ISO 8601 has.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    plain.then(|| text.parse().ok()).flatten().ok_or_else(|| "write a day as YYYY-MM-DD".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        #[track_caller]
        fn check(text: &str, hours: Option<i64>) {
            assert_eq!(duration(text).ok(), hours.map(SignedDuration::from_hours), "{text}");
        }
        check("12h", Some(12));
        check("7d", Some(168));
        check("2 weeks", Some(336));
        check("1d 6h", Some(30));
        check("P1D", Some(24));
        for text in ["", "7", "0s", "-2h", "1 month", "soon", "9999999999999d"] {
            check(text, None);
        }
    }

    #[test]
    fn a_list_begins_some_time_ago_or_on_a_day() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
            let found = since(text).ok().map(|since| since.before(now).to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        check("12h", Some("2026-11-20T22:00:00Z"));
        check("7d", Some("2026-11-14T10:00:00Z"));
        check("2026-11-01", Some("2026-11-01T00:00:00Z"));
        check("2026-11-01T08:30:00+01:00", Some("2026-11-01T07:30:00Z"));
        check("20261101", None);
        check("2026-13-01", None);
        check("yesterday", None);
    }
}
