//! The audit log group's copy of the ledger: what it has that the ledger has no more.

use super::days::Progress;
use crate::account::said;
use aws_sdk_cloudwatchlogs::Client;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::{Aws, Copied, StoredRecord};
use warden_engine::{ledger::record::RecordId, model::surface::Resource, name::fingerprint::Fingerprint};

/// How many records are named; the rest is counted.
const NAMED: usize = 5;

/// The records of one resource, by id, each with the hashes that events of it showed.
pub(super) type Records = BTreeMap<RecordId, BTreeSet<Fingerprint>>;

/// What a log group says of the ledger.
#[derive(Debug, Default)]
pub(super) struct Copy {
    /// What Warden wrote, by resource.
    pub(super) records: BTreeMap<Resource, Records>,
    /// How many events there are that Warden did not write.
    pub(super) foreign: usize,
}

impl Copy {
    /// Reads the log group from `since` on. It is read before the ledger: a record is in the ledger before its event is
    /// sent, so that whatever the log group has the ledger must have.
    ///
    /// # Errors
    /// What AWS answered.
    pub(super) async fn read(logs: &Client, group: &str, since: Option<Timestamp>, aws: &Aws) -> anyhow::Result<Copy> {
        let request = logs.filter_log_events().log_group_name(group);
        let mut pages = request.set_start_time(since.map(Timestamp::as_millisecond)).into_paginator().send();
        let mut copy = Copy::default();
        let progress = Progress::unknown("reading the audit log group");
        // A page may be empty and another one follow all the same (CloudWatch Logs API reference, FilterLogEvents).
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| anyhow::anyhow!("{}", said(&error)))?;
            for event in page.events() {
                progress.step();
                match aws.copied(event.message().unwrap_or_default()).await? {
                    Some(copied) => copy.add(copied),
                    None => copy.foreign += 1,
                }
            }
        }
        Ok(copy)
    }

    fn add(&mut self, Copied { resource, id, hash }: Copied) {
        self.records.entry(resource).or_default().entry(id).or_default().insert(hash);
    }
}

/// What the copy shows of a resource's records that the ledger does not.
pub(super) fn compared(ledger: &[StoredRecord], copy: &Records) -> Option<String> {
    let held: BTreeMap<RecordId, Fingerprint> = ledger.iter().map(|stored| (stored.record.id, stored.hash)).collect();
    let missing: Vec<RecordId> = copy.keys().filter(|id| !held.contains_key(id)).copied().collect();
    let other = copy.iter().filter(|(id, hashes)| held.get(id).is_some_and(|hash| **hashes != BTreeSet::from([*hash])));
    let other: Vec<RecordId> = other.map(|(id, _)| *id).collect();
    let gone = said_of(&missing, "that the audit log group has are gone from the ledger");
    let rewritten = said_of(&other, "say something else than the audit log group's copy of them");
    let said: Vec<String> = [gone, rewritten].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn said_of(ids: &[RecordId], what: &str) -> Option<String> {
    let [_, ..] = ids else { return None };
    let mut named: Vec<String> =
        ids.iter().take(NAMED).map(|id| format!("{id} of {}", super::shown(id.time()))).collect();
    if ids.len() > NAMED {
        named.push(format!("and {} more", ids.len() - NAMED));
    }
    Some(format!("{} records {what}: {}", ids.len(), named.join(", ")))
}

/// How many of the ledger's records have no copy, though their events had the time to arrive.
pub(super) fn without_copy(ledger: &[StoredRecord], copy: Option<&Records>, from: Timestamp, to: Timestamp) -> usize {
    let has = |id: &RecordId| copy.is_some_and(|copy| copy.contains_key(id));
    let due = ledger.iter().filter(|stored| (from..=to).contains(&stored.record.time));
    due.filter(|stored| !has(&stored.record.id)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use warden_engine::{
        ledger::{
            chain::append,
            record::{Draft, Step},
            state::Head,
        },
        model::cloudtrail::Cause,
    };

    fn chain(length: usize) -> Vec<StoredRecord> {
        let resource: Resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let drafts = vec![Draft::new(Step::Observed); length];
        let (records, _) =
            append(&resource, &Cause::by_hand("test"), drafts, &Head::default(), Timestamp::UNIX_EPOCH, || 7).unwrap();
        let stored = |record: warden_engine::ledger::record::Record| {
            let hash = record.hash().unwrap();
            StoredRecord { record, hash }
        };
        records.into_iter().map(stored).collect()
    }

    fn copy_of(ledger: &[StoredRecord]) -> Records {
        ledger.iter().map(|stored| (stored.record.id, BTreeSet::from([stored.hash]))).collect()
    }

    #[test]
    fn a_chain_that_was_cut_short_or_rewritten_is_found_against_the_copy() {
        let ledger = chain(9);
        let copy = copy_of(&ledger);
        assert_eq!(compared(&ledger, &copy), None);
        // An event that was lost is no fault of the ledger's.
        assert_eq!(compared(&ledger, &copy_of(&ledger[..3])), None);
        let cut = compared(&ledger[..7], &copy).unwrap();
        assert!(cut.starts_with("2 records that the audit log group has are gone from the ledger: "), "{cut}");
        let erased = compared(&[], &copy).unwrap();
        assert!(erased.starts_with("9 records ") && erased.ends_with(", and 4 more"), "{erased}");

        let mut rewritten = chain(9);
        rewritten[4].record.entry.note = Some("nothing happened".into());
        rewritten[4].hash = rewritten[4].record.hash().unwrap();
        let said = compared(&rewritten, &copy).unwrap();
        assert_eq!(
            said,
            format!(
                "1 records say something else than the audit log group's copy of them: {} of 1970-01-01 00:00:00",
                rewritten[4].record.id
            )
        );
    }

    #[test]
    fn records_without_a_copy_are_counted_once_their_events_are_due() {
        let ledger = chain(4);
        let copy = copy_of(&ledger[..1]);
        let (epoch, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        assert_eq!(without_copy(&ledger, Some(&copy), epoch, later), 3);
        assert_eq!(without_copy(&ledger, None, epoch, later), 4);
        assert_eq!(without_copy(&ledger, None, later, later), 0);
    }
}
