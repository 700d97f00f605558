//! A guard's own delay queue on SQS. A message is sealed as the ledger's items are, so that whoever may merely write to the
//! queue commands nobody.

use crate::{
    Aws,
    error::classify,
    seal::{SealKey, Sealed},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    model::tags::GuardKind,
    ports::DelayQueue,
    run::delay::DelayedLook,
};

/// The longest time that a message is held back: 15 minutes (`DelaySeconds` of SendMessage, SQS API reference).
const LONGEST_DELAY: i32 = 900;
/// Where a seal says that a message belongs: no item of the table has such a key.
const PLACE: &str = "delay-queue";

/// A message's body.
#[derive(Serialize, Deserialize)]
struct Message {
    /// The look, as JSON.
    look: String,
    /// The seal on it.
    seal: String,
}

/// Whole seconds, rounded up: a message never comes too early.
fn seconds(delay: SignedDuration) -> i32 {
    let seconds = delay.as_millis().max(0).saturating_add(999) / 1000;
    i32::try_from(seconds).unwrap_or(i32::MAX).min(LONGEST_DELAY)
}

fn sealed<'a>(table: &'a str, guard: GuardKind, look: &'a str) -> Sealed<'a> {
    Sealed { table, pk: PLACE, sk: guard.name(), kind: "look", version: 0, body: look }
}

/// The message's text.
fn message(key: &SealKey, table: &str, look: &DelayedLook) -> serde_json::Result<String> {
    let body = serde_json::to_string(look)?;
    let seal = key.seal(sealed(table, look.guard, &body));
    serde_json::to_string(&Message { look: body, seal })
}

/// What a message says, if this guard has sealed it. What somebody else wrote is not even read.
fn opened(key: &SealKey, table: &str, guard: GuardKind, message: &str) -> Option<DelayedLook> {
    let Message { look, seal } = serde_json::from_str(message).ok()?;
    if !key.holds(sealed(table, guard, &look), &seal) {
        return None;
    }
    serde_json::from_str(&look).ok()
}

impl DelayQueue for Aws {
    async fn look_later(&self, look: &DelayedLook, delay: SignedDuration) -> Result<(), CallError> {
        let bug = |message: String| CallError {
            kind: ErrorKind::Bug,
            operation: "SendMessage",
            target: self.queue.clone().unwrap_or_else(|| "the delay queue".to_owned()),
            message,
        };
        let queue = self.queue.as_ref().ok_or_else(|| bug("WARDEN_QUEUE names no queue".to_owned()))?;
        let key = self.seal_key().await?;
        let body = message(key, &self.table, look).map_err(|error| bug(error.to_string()))?;
        let sent = self.sqs().send_message().queue_url(queue).message_body(body).delay_seconds(seconds(delay));
        sent.send().await.map(drop).map_err(|error| classify("SendMessage", queue, error))
    }

    async fn opened(&self, guard: GuardKind, message: &str) -> Result<Option<DelayedLook>, CallError> {
        Ok(opened(self.seal_key().await?, &self.table, guard, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use warden_engine::{guard::ReconcileRequest, model::cloudtrail::Cause};

    fn look() -> DelayedLook {
        let pay = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        DelayedLook {
            guard: GuardKind::Access,
            request: ReconcileRequest::at(pay, Cause::by_hand("test")),
            surface: Some("resource-policy".parse().unwrap()),
            until: Timestamp::UNIX_EPOCH,
            attempt: 0,
            asking: None,
        }
    }

    #[test]
    fn a_message_is_read_by_the_guard_that_sealed_it_alone() {
        let key = SealKey::of(7);
        let sent = message(&key, "w-ledger", &look()).unwrap();
        let read = |key: &SealKey, table, guard, text: &str| opened(key, table, guard, text);
        assert_eq!(read(&key, "w-ledger", GuardKind::Access, &sent), Some(look()));
        assert_eq!(read(&key, "w-ledger", GuardKind::Role, &sent), None);
        assert_eq!(read(&key, "w-other", GuardKind::Access, &sent), None);
        assert_eq!(read(&SealKey::of(8), "w-ledger", GuardKind::Access, &sent), None);
        let forged = sent.replace("function:pay", "function:pax");
        assert_ne!(forged, sent);
        for text in [forged.as_str(), "", "{}", "pay", "[]", r#"{"look": 1, "seal": ""}"#] {
            assert_eq!(read(&key, "w-ledger", GuardKind::Access, text), None, "{text}");
        }
    }

    #[test]
    fn a_delay_is_rounded_up_to_seconds_and_no_longer_than_the_queue_takes() {
        let millis = [-5, 0, 1, 999, 1000, 1001, 899_001, 900_000, 3_600_000];
        let expected = [0, 0, 1, 1, 1, 2, 900, 900, 900];
        assert_eq!(millis.map(|millis| seconds(SignedDuration::from_millis(millis))), expected);
    }

    #[test]
    fn no_command_of_an_operator_comes_back_by_the_queue() {
        let by_operator = DelayedLook { request: ReconcileRequest { by_operator: true, ..look().request }, ..look() };
        let key = SealKey::of(7);
        let sent = message(&key, "w-ledger", &by_operator).unwrap();
        let read = opened(&key, "w-ledger", GuardKind::Access, &sent).unwrap();
        assert!(!read.request.by_operator);
    }
}
