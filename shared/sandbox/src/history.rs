//! CloudTrail's event history: what LookupEvents answers, from the events that the trail has delivered.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::{Response, http::response::Parts};
use serde_json::{Value, json};

use crate::{event::in_history, proxy::refused};

/// "The rate of lookup requests is limited to two per second, per account, per Region. If this limit is exceeded, a
/// throttling error occurs." (LookupEvents, CloudTrail API reference)
const A_SECOND: usize = 2;

/// What was asked for so far, and when.
#[derive(Debug, Default)]
pub(crate) struct History {
    hides: AtomicBool,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// The ids that were asked for before: by now CloudTrail has these events.
    ids: BTreeSet<String>,
    /// The lookups of the last second in each Region.
    lately: BTreeMap<String, Vec<Duration>>,
}

impl History {
    pub(crate) fn hide(&self, on: bool) {
        self.hides.store(on, Ordering::Relaxed);
    }

    /// The answer to a lookup at the time `now` by the trail's clock. `find` finds an event of the Region by its id.
    pub(crate) fn answer(
        &self,
        request: &[u8],
        now: Duration,
        region: &str,
        find: impl Fn(&str) -> Option<Value>,
    ) -> (Parts, Bytes) {
        let request: Value = serde_json::from_slice(request).unwrap_or_default();
        let wanted = request["LookupAttributes"].as_array().map(Vec::as_slice).unwrap_or_default();
        // "Currently the list can contain only one item." By anything but an event's id nobody asks here.
        let [attribute] = wanted else { return refused_attributes() };
        let (Some("EventId"), Some(id)) = (attribute["AttributeKey"].as_str(), attribute["AttributeValue"].as_str())
        else {
            return refused_attributes();
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = asked.lately.entry(region.to_owned()).or_default();
        lately.retain(|time| now.saturating_sub(*time) < Duration::from_secs(1));
        if lately.len() >= A_SECOND {
            return refused("cloudtrail", 400, "ThrottlingException", "Rate exceeded");
        }
        lately.push(now);
        let is_late = !asked.ids.insert(id.to_owned()) && !self.hides.load(Ordering::Relaxed);
        let found: Vec<Value> = find(id).filter(|_| is_late).iter().map(in_history).collect();
        let (mut head, body) = Response::new(Bytes::from(json!({ "Events": found }).to_string())).into_parts();
        head.headers.insert("content-type", hyper::header::HeaderValue::from_static("application/x-amz-json-1.1"));
        (head, body)
    }
}

fn refused_attributes() -> (Parts, Bytes) {
    refused("cloudtrail", 400, "InvalidLookupAttributesException", "one attribute is taken, and EventId alone")
}
