//! Finding a record by its id, or by as much of it as is unique.

use super::{days, shown};
use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use std::{fmt::Write, str::FromStr};
use warden_aws::{Aws, StoredRecord};
use warden_engine::ledger::record::RecordId;

/// Letters in an id.
const WHOLE: usize = 26;
/// Fewer letters would fit the records of years: an id begins with its time.
const SHORTEST: usize = 6;
/// How far back the beginning of an id is looked for.
const BACK: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A record's id, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdPrefix(String);

impl FromStr for IdPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_uppercase();
        if !(SHORTEST..=WHOLE).contains(&text.len()) {
            return Err(format!("an id has {WHOLE} letters and digits; its first {SHORTEST} or more will do"));
        }
        match format!("{text:0<WHOLE$}").parse::<RecordId>() {
            Ok(_) => Ok(IdPrefix(text)),
            Err(_) => Err("not an id: it has digits and letters except I, L, O and U".to_owned()),
        }
    }
}

impl IdPrefix {
    /// The times that an id which begins like this can hold.
    fn times(&self) -> (Timestamp, Timestamp) {
        let filled = |text: String| text.parse().map_or(Timestamp::MAX, RecordId::time);
        (filled(format!("{:0<WHOLE$}", self.0)), filled(format!("{:Z<WHOLE$}", self.0)))
    }

    /// The one record that is meant.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub(crate) async fn find(&self, aws: &Aws) -> anyhow::Result<StoredRecord> {
        if self.0.len() == WHOLE
            && let Ok(id) = self.0.parse()
        {
            return match aws.record(id).await? {
                Some(stored) => Ok(stored),
                None => bail!("the ledger has no record {id}"),
            };
        }
        let (first, last) = self.times();
        let now = Timestamp::now();
        // An id made after a faster clock's may be ahead of its record's time: a day on either side is looked at as
        // well.
        let day = SignedDuration::from_hours(24);
        let from = first.saturating_sub(day)?.max(now.saturating_sub(BACK)?);
        let to = last.saturating_add(day)?.min(now.saturating_add(day)?);
        let found = days::records(aws, from, to).await?;
        let mut fitting: Vec<_> =
            found.records.into_iter().filter(|stored| stored.record.id.to_string().starts_with(&self.0)).collect();
        match (fitting.pop(), fitting.as_slice(), found.damaged.first()) {
            (Some(only), [], _) => Ok(only),
            (None, _, None) => bail!("no record of the last 90 days has an id that begins with {}", self.0),
            (None, _, Some(damaged)) => {
                bail!("no record has an id that begins with {}, but not everything could be read: {damaged}", self.0)
            }
            (Some(oldest), others, _) => {
                let mut list = String::new();
                for stored in others.iter().chain([&oldest]) {
                    let record = &stored.record;
                    let (time, step, name) = (shown(record.time), record.entry.step, record.resource.name());
                    let _ = write!(list, "\n  {}  {time}  {step}  {name}", record.id);
                }
                bail!("several records have an id that begins with {}:{list}", self.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_says_when_its_record_was_written() {
        let id: IdPrefix = "01kajc".parse().unwrap();
        let (first, last) = id.times();
        let length = last.duration_since(first);
        assert!(length > SignedDuration::from_mins(17) && length < SignedDuration::from_mins(18), "{length}");
        let whole: IdPrefix = "01KAJC2A00000000000000000A".parse().unwrap();
        assert_eq!(whole.times().0, whole.times().1);
        assert!(first <= whole.times().0 && whole.times().0 <= last);
    }

    #[test]
    fn what_cannot_be_an_id_is_refused() {
        for text in ["", "01KAJ", "01KAJU", "01KAJC2A00000000000000000A7", "../../../x", "01KÄJC"] {
            assert!(text.parse::<IdPrefix>().is_err(), "{text}");
        }
    }
}
