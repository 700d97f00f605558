//! Audit events on Warden's own bus, and the proofs of operators' decisions.

use crate::{Aws, error::classify, seal::Sealed};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::{DateTime, date_time::Format};
use serde_json::Value;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::{
        ocsf,
        record::{Record, RecordId},
    },
    model::surface::Resource,
    name::fingerprint::Fingerprint,
    ports::AuditEvents,
};

/// PutEvents takes 256 KB a call, all of an entry counted (EventBridge quotas). What is longer goes out shortened: the
/// ledger has all of it.
const LARGEST_DETAIL: usize = 200 * 1024;
/// How many findings a shortened event keeps, and how many characters of a text.
const FINDINGS_KEPT: usize = 20;
const TEXT_KEPT: usize = 2000;

/// What an audit event says of the record that it is a copy of, if Warden wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The record's resource.
    pub resource: Resource,
    /// The record's id.
    pub id: RecordId,
    /// The record's hash, which is in the ledger beside it.
    pub hash: Fingerprint,
}

/// The kind of a seal on an audit event: over the record's place and hash, so that it holds for a shortened event too.
const KIND: &str = "audit-event";

fn seal_of<'a>(table: &'a str, place: &'a (String, String), hash: &'a str) -> Sealed<'a> {
    Sealed { table, pk: &place.0, sk: &place.1, kind: KIND, version: 0, body: hash }
}

/// The keys of a record.
fn place(resource: &Resource, id: RecordId) -> (String, String) {
    (resource.to_string(), format!("rec#{id}"))
}

/// The record's hash and seal, as its event shows them.
#[derive(Clone, Debug)]
struct Mark {
    hash: String,
    seal: String,
}

/// The record's document, as short as it has to be: without the contents, then with the first findings alone and with
/// texts cut short.
fn detail(record: &Record, mark: &Mark) -> String {
    let document = document(record, mark).to_string();
    if document.len() <= LARGEST_DETAIL {
        return document;
    }
    let mut record = record.clone();
    let left_out = record.entry.findings.len().saturating_sub(FINDINGS_KEPT);
    record.entry.diff = None;
    record.entry.changes.clear();
    let without_contents = shortened(&record, mark, 0);
    if without_contents.len() <= LARGEST_DETAIL {
        return without_contents;
    }
    record.entry.findings.truncate(FINDINGS_KEPT);
    let texts = record.entry.findings.iter_mut().map(|finding| &mut finding.message);
    texts.chain(&mut record.entry.note).chain(&mut record.entry.owner).for_each(cut);
    shortened(&record, mark, left_out)
}

fn document(record: &Record, Mark { hash, seal }: &Mark) -> Value {
    let mut document = ocsf::document(record);
    if let Some(Value::Object(unmapped)) = document.get_mut("unmapped") {
        unmapped.extend([("hash".into(), hash.as_str().into()), ("seal".into(), seal.as_str().into())]);
    }
    document
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_KEPT) {
        text.truncate(end);
        text.push('…');
    }
}

fn shortened(record: &Record, mark: &Mark, findings_left_out: usize) -> String {
    let mut document = document(record, mark);
    if let Some(Value::Object(warden)) = document.pointer_mut("/unmapped/warden") {
        warden.insert("shortened".into(), true.into());
        if findings_left_out > 0 {
            warden.insert("findings_left_out".into(), findings_left_out.into());
        }
    }
    document.to_string()
}

fn entry(record: &Record, mark: &Mark, bus: &str) -> PutEventsRequestEntry {
    let mut entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source("warden")
        .detail_type(ocsf::detail_type(record.entry.step))
        .resources(record.resource.to_string())
        .detail(detail(record, mark));
    if let Ok(time) = DateTime::from_str(&record.time.to_string(), Format::DateTime) {
        entry = entry.time(time);
    }
    entry.build()
}

impl AuditEvents for Aws {
    async fn announce(&self, records: &[Record]) -> Result<(), CallError> {
        let failed = |message: String| CallError {
            kind: ErrorKind::Retry,
            operation: "PutEvents",
            target: self.bus.clone(),
            message,
        };
        let key = self.seal_key().await?;
        let entries = records.iter().map(|record| {
            let hash = record.hash().map_err(|error| failed(error.to_string()))?.to_string();
            let seal = key.seal(seal_of(&self.table, &place(&record.resource, record.id), &hash));
            Ok(entry(record, &Mark { hash, seal }, &self.bus))
        });
        let mut entries = entries.collect::<Result<Vec<_>, CallError>>()?;
        while !entries.is_empty() {
            // At most 10 entries and 256 KB a call.
            let mut batch = Vec::new();
            let mut size = 0;
            while let Some(next) = entries.first() {
                let length = next.detail().map_or(0, str::len);
                if batch.len() == 10 || !batch.is_empty() && size + length > LARGEST_DETAIL {
                    break;
                }
                size += length;
                batch.push(entries.remove(0));
            }
            let answer = self.events().put_events().set_entries(Some(batch)).send().await;
            let answer = answer.map_err(|error| classify("PutEvents", &self.bus, error))?;
            if answer.failed_entry_count() > 0 {
                let codes = answer.entries().iter().filter_map(|entry| entry.error_code()).collect::<Vec<_>>();
                return Err(failed(format!(
                    "{} events were refused: {}",
                    answer.failed_entry_count(),
                    codes.join(", ")
                )));
            }
        }
        Ok(())
    }
}

impl Aws {
    /// Reads an event as the audit log group keeps it; `None` where its seal does not hold, so that Warden did not write
    /// it.
    ///
    /// # Errors
    /// KMS did not give the key of the seals.
    pub async fn copied(&self, event: &str) -> Result<Option<Copied>, CallError> {
        let key = self.seal_key().await?;
        Ok(read(event).filter(|(copied, seal)| {
            let (place, hash) = (place(&copied.resource, copied.id), copied.hash.to_string());
            key.holds(seal_of(&self.table, &place, &hash), seal)
        }))
        .map(|found| found.map(|(copied, _)| copied))
    }
}

/// What an event says, and its seal.
fn read(event: &str) -> Option<(Copied, String)> {
    let event: Value = serde_json::from_str(event).ok()?;
    let unmapped = event.pointer("/detail/unmapped")?;
    let text = |at: &str| unmapped.pointer(at).and_then(Value::as_str);
    let copied = Copied {
        resource: text("/warden/resource")?.parse().ok()?,
        id: text("/warden/id")?.parse().ok()?,
        hash: text("/hash")?.parse().ok()?,
    };
    Some((copied, text("/seal")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;
    use warden_engine::{
        Finding, FindingId, Severity,
        ledger::{
            chain::append,
            record::{Draft, Step},
            state::Head,
        },
        model::{
            cloudtrail::Cause,
            content::{Content, Diff},
        },
    };

    fn record(findings: usize, message: usize, content: usize, note: usize) -> Record {
        let resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let finding = |number| Finding {
            id: FindingId::PublicInvoke,
            severity: Severity::Critical,
            at: format!("Statement[{number}]"),
            message: "é".repeat(message),
        };
        let content = Content::new(json!({"Statement": ["x".repeat(content)]}));
        let draft = Draft {
            findings: (0..findings).map(finding).collect(),
            note: Some("n".repeat(note)),
            diff: Some(Diff { before: content.clone(), after: content }),
            ..Draft::new(Step::Applied)
        };
        let (records, _) =
            append(&resource, &Cause::by_hand("test"), vec![draft], &Head::default(), Timestamp::UNIX_EPOCH, || 7)
                .unwrap();
        records.into_iter().next().unwrap()
    }

    #[test]
    fn an_event_is_shortened_as_far_as_its_size_asks_and_never_refused() {
        for (record, shortened, left_out) in [
            (record(2, 80, 1000, 100), false, None),
            (record(2, 80, 150_000, 100), true, None),
            (record(900, 200, 1000, 100), true, Some(880)),
            (record(15, 9000, 1000, 90_000), true, None),
        ] {
            let mark = Mark { hash: record.hash().unwrap().to_string(), seal: "s".repeat(44) };
            let detail = detail(&record, &mark);
            assert!(detail.len() <= LARGEST_DETAIL, "{}", detail.len());
            let warden = serde_json::from_str::<Value>(&detail).unwrap()["unmapped"]["warden"].clone();
            assert_eq!(warden.get("shortened").is_some(), shortened);
            assert_eq!(warden.get("findings_left_out").and_then(Value::as_u64), left_out);
            // Who it is about and what was done stay.
            assert_eq!(warden["id"], record.id.to_string());
            // And what it is compared with the ledger by.
            let (copied, seal) = read(&format!("{{\"detail\": {detail}}}")).unwrap();
            assert_eq!((copied.resource, copied.id), (record.resource.clone(), record.id));
            assert_eq!((copied.hash, seal), (record.hash().unwrap(), mark.seal));
        }
    }
}
