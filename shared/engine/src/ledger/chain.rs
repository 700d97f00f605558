//! The hash chain that each resource's records form.

use super::{
    record::{Draft, Record, RecordId},
    state::Head,
};
use crate::{
    model::{cloudtrail::Cause, surface::Resource},
    name::fingerprint::Fingerprint,
    shown::Shown,
};
use jiff::Timestamp;
use std::borrow::Cow;

/// Gives drafts their places at the end of a resource's chain; returns the records and the head that follows.
///
/// # Errors
/// As [`Record::hash`].
pub fn append(
    resource: &Resource,
    cause: &Cause,
    drafts: Vec<Draft>,
    head: &Head,
    now: Timestamp,
    mut entropy: impl FnMut() -> u128,
) -> Result<(Vec<Record>, Head), serde_json::Error> {
    let mut head = head.clone();
    let mut records = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let entry = with_texts_shown(draft);
        let record = Record {
            schema: 1,
            id: RecordId::after(head.last, now, entropy()),
            time: now,
            account: *resource.account(),
            region: resource.region().map(str::to_owned),
            resource: resource.clone(),
            cause: cause.clone(),
            entry,
            previous: head.hash,
        };
        head.hash = Some(record.hash()?);
        head.last = Some(record.id);
        head.records += 1;
        records.push(record);
    }
    Ok((records, head))
}

/// The draft with its sentences as they are shown. What it is undone by, and where a finding stands, keeps the names of
/// variables as they are: the ledger is read by few, and an undo has to find them.
fn with_texts_shown(mut draft: Draft) -> Draft {
    let sentences = draft.findings.iter_mut().map(|finding| &mut finding.message);
    for sentence in sentences.chain(&mut draft.note).chain(&mut draft.owner) {
        if let Cow::Owned(shown) = Shown::new(sentence).text() {
            *sentence = shown;
        }
    }
    draft
}

/// Where a resource's chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// The record's content is not what was hashed when it was written.
    #[error("record {0} was changed after it was written")]
    Changed(RecordId),
    /// The record does not follow the one before it: one in between is missing or was put in.
    #[error("record {0} does not follow the record before it: one is missing, or it was put in later")]
    Unlinked(RecordId),
    /// The end of the chain is missing.
    #[error("the last records are missing: {}, and {}", found_last(*found), expected_last(*expected))]
    Truncated {
        /// The last record found.
        found: Option<RecordId>,
        /// The last record according to the head.
        expected: Option<RecordId>,
    },
}

fn found_last(found: Option<RecordId>) -> String {
    found.map_or_else(|| "there is none".to_owned(), |id| format!("the chain ends at {id}"))
}

fn expected_last(expected: Option<RecordId>) -> String {
    expected.map_or_else(|| "its head knows of none".to_owned(), |id| format!("its head says that {id} is the last"))
}

/// Checks one resource's records, in the order of their ids, each beside the hash stored with it, against its head.
///
/// # Errors
/// The first place that does not fit.
pub fn verify<'a>(
    records: impl IntoIterator<Item = (&'a Record, Fingerprint)>,
    head: &Head,
) -> Result<(), BrokenChain> {
    let mut previous = None;
    let mut last = None;
    for (record, stored) in records {
        match record.hash() {
            Ok(hash) if hash == stored => {}
            Ok(_) | Err(_) => return Err(BrokenChain::Changed(record.id)),
        }
        if record.previous != previous {
            return Err(BrokenChain::Unlinked(record.id));
        }
        previous = Some(stored);
        last = Some(record.id);
    }
    match last {
        _ if (last, previous) == (head.last, head.hash) => Ok(()),
        // With a hash made to fit.
        Some(id) if last == head.last => Err(BrokenChain::Changed(id)),
        Some(_) | None => Err(BrokenChain::Truncated { found: last, expected: head.last }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::Step;

    fn chain(length: usize) -> (Vec<(Record, Fingerprint)>, Head) {
        let resource: Resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let drafts = vec![Draft::new(Step::Observed); length];
        let (records, head) =
            append(&resource, &Cause::by_hand("test"), drafts, &Head::default(), Timestamp::UNIX_EPOCH, || 7).unwrap();
        (records.into_iter().map(|record| (record.clone(), record.hash().unwrap())).collect(), head)
    }

    #[track_caller]
    fn check(records: &[(Record, Fingerprint)], head: &Head, expected: Result<(), BrokenChain>) {
        assert_eq!(verify(records.iter().map(|(record, hash)| (record, *hash)), head), expected);
    }

    #[test]
    fn a_chain_as_it_was_written_holds_and_its_ids_rise() {
        let (records, head) = chain(5);
        check(&records, &head, Ok(()));
        assert!(records.windows(2).all(|pair| pair[0].0.id < pair[1].0.id));
        check(&[], &Head::default(), Ok(()));
    }

    #[test]
    fn a_record_that_was_edited_is_named() {
        let (mut records, head) = chain(5);
        records[2].0.entry.note = Some("nothing happened".into());
        let id = records[2].0.id;
        check(&records, &head, Err(BrokenChain::Changed(id)));
        // With its hash made to fit, the next record gives it away.
        records[2].1 = records[2].0.hash().unwrap();
        let next = records[3].0.id;
        check(&records, &head, Err(BrokenChain::Unlinked(next)));

        // The head gives the last one away.
        let (mut records, head) = chain(5);
        records[4].0.entry.note = Some("nothing happened".into());
        records[4].1 = records[4].0.hash().unwrap();
        let id = records[4].0.id;
        check(&records, &head, Err(BrokenChain::Changed(id)));
    }

    #[test]
    fn a_record_that_was_taken_out_is_missed() {
        let (mut records, head) = chain(5);
        records.remove(1);
        let id = records[1].0.id;
        check(&records, &head, Err(BrokenChain::Unlinked(id)));

        let (mut records, head) = chain(5);
        records.pop();
        let (found, expected) = (Some(records[3].0.id), head.last);
        check(&records, &head, Err(BrokenChain::Truncated { found, expected }));
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        #[track_caller]
        fn check(found: Option<RecordId>, expected: Option<RecordId>, words: &str) {
            assert_eq!(BrokenChain::Truncated { found, expected }.to_string(), words);
        }
        let id: RecordId = "01KAJC2A00000000000000000A".parse().unwrap();
        let next: RecordId = "01KAJC2A00000000000000000B".parse().unwrap();
        check(
            Some(id),
            Some(next),
            "the last records are missing: the chain ends at 01KAJC2A00000000000000000A, and its head says that \
             01KAJC2A00000000000000000B is the last",
        );
        check(
            None,
            Some(id),
            "the last records are missing: there is none, and its head says that 01KAJC2A00000000000000000A is the \
             last",
        );
        check(
            Some(id),
            None,
            "the last records are missing: the chain ends at 01KAJC2A00000000000000000A, and its head knows of none",
        );
    }

    #[test]
    fn a_record_is_read_back_from_json_with_the_same_hash() {
        let (records, _) = chain(1);
        let text = serde_json::to_string(&records[0].0).unwrap();
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back.hash().unwrap(), records[0].1);
    }
}
