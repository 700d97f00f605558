//! Audit events on Warden's own bus, and the proofs of operators' decisions.

use crate::{Aws, error::classify};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::{DateTime, date_time::Format};
use serde_json::Value;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::{ocsf, record::Record},
    ports::AuditEvents,
};

/// PutEvents takes 256 KB a call (EventBridge quotas); beyond this an event goes out without the contents, which the
/// ledger has.
const LARGEST_DETAIL: usize = 200 * 1024;

fn entry(record: &Record, bus: &str) -> PutEventsRequestEntry {
    let mut document = ocsf::document(record);
    if document.to_string().len() > LARGEST_DETAIL
        && let Some(Value::Object(warden)) = document.pointer_mut("/unmapped/warden")
    {
        warden.remove("diff");
        warden.remove("changes");
        warden.insert("shortened".into(), true.into());
    }
    let mut entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source("warden")
        .detail_type(ocsf::detail_type(record.entry.step))
        .resources(record.resource.to_string())
        .detail(document.to_string());
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
        let mut entries: Vec<_> = records.iter().map(|record| entry(record, &self.bus)).collect();
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
