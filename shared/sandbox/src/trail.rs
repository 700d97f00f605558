//! The trail: sees every call, tells EventBridge what CloudTrail would, and can make things go wrong.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    SandboxError,
    call::{ApiCall, Invocation},
    caller::Caller,
    delivery::{Delivery, Parcel, parcels},
    event::Event,
    fault::{Faults, Order},
    history::History,
    lockstep::Lockstep,
    upstream::Upstream,
};

/// Within how many seconds a message has to start a function to be waited for.
const WITHIN: &str = "60";

/// What went through the proxy and what came of it. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Inner>);

/// Where a text was found: see [`Trail::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The [`ApiCall::sequence`] it was in.
    pub call: u64,
    /// The call's operation.
    pub operation: String,
    /// Whether it was in what the caller sent (otherwise in the answer).
    pub in_request: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) upstream: Upstream,
    pub(crate) retry_delay: Duration,
    pub(crate) account: String,
    pub(crate) faults: Faults,
    pub(crate) lockstep: Arc<Lockstep>,
    pub(crate) history: History,
    pub(crate) runtime: Handle,
    began: Instant,
    sequence: AtomicU64,
    kept: Mutex<Kept>,
    callers: Mutex<HashMap<String, Caller>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    calls: Vec<ApiCall>,
    bodies: Vec<Bodies>,
    deliveries: Vec<Delivery>,
    events: Vec<Value>,
    /// What is being looked up or delivered, by a number of its own.
    under_way: BTreeMap<u64, String>,
    held: Vec<Parcel>,
    /// Events whose rules could not be found, and why: a fault of the sandbox itself, told when somebody settles.
    lost: Vec<(String, String)>,
}

/// What the caller of a call and its answer said, head and body, for [`Trail::find`].
#[derive(Debug)]
pub(crate) struct Bodies {
    pub(crate) call: u64,
    pub(crate) operation: String,
    pub(crate) request: [Bytes; 2],
    pub(crate) response: [Bytes; 2],
}

impl Trail {
    pub(crate) fn inner(&self) -> Arc<Inner> {
        self.0.clone()
    }

    pub(crate) fn new(upstream: Upstream, account: &str, retry_delay: Duration, runtime: Handle) -> Self {
        Self(Arc::new(Inner {
            upstream,
            retry_delay,
            account: account.to_owned(),
            began: Instant::now(),
            runtime,
            sequence: AtomicU64::new(1),
            faults: Faults::default(),
            lockstep: Arc::default(),
            history: History::default(),
            kept: Mutex::default(),
            callers: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Every call so far, in the order in which they ended.
    pub fn calls(&self) -> Vec<ApiCall> {
        self.0.kept().calls.clone()
    }

    /// The calls that an invocation made, in the order in which they ended.
    pub fn calls_of(&self, invocation: &Invocation) -> Vec<ApiCall> {
        let kept = self.0.kept();
        kept.calls.iter().filter(|call| call.invocation.as_ref() == Some(invocation)).cloned().collect()
    }

    /// Every attempt to deliver an event, in the order in which they ended.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.0.kept().deliveries.clone()
    }

    /// Every CloudTrail event so far, each in its EventBridge envelope, whether or not a rule took it.
    pub fn events(&self) -> Vec<Value> {
        self.0.kept().events.clone()
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Lets CloudTrail's event history show no event from now on, or show each once it was asked for before: CloudTrail
    /// takes minutes, and nobody is to rely on its being quick.
    pub fn hide_events(&self, on: bool) {
        self.0.history.hide(on);
    }

    /// Holds the calls of every function from now on, or of none, and lets those go together that the function waits
    /// for together: each such step is a round trip, which [`ApiCall::step`] numbers and
    /// [`round_trips`](crate::round_trips) counts, however busy the machine is.
    pub fn in_lockstep(&self, on: bool) {
        self.0.lockstep.set(on);
    }

    /// A mark in time: calls and deliveries from here on have a later `started`.
    pub fn now(&self) -> Duration {
        self.0.clock()
    }

    /// Searches the requests (path, headers, body) and answers of all calls for a text, also in its percent-encoded
    /// form. For showing that a secret crosses nowhere, or only where it must.
    pub fn find(&self, text: &str) -> Vec<Sighting> {
        self.find_in(text, |_| true)
    }

    /// The same in some of the calls alone, by their numbers: all that crossed is hundreds of megabytes once packages
    /// were uploaded, and takes minutes.
    pub fn find_in(&self, text: &str, calls: impl Fn(u64) -> bool) -> Vec<Sighting> {
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let escaped = json!(text).to_string();
        let needles = [text, encoded.as_str(), escaped.trim_matches('"')];
        let holds =
            |parts: &[Bytes]| parts.iter().any(|part| needles.iter().any(|needle| contains(part, needle.as_bytes())));
        let kept = self.0.kept();
        let sighting = |bodies: &Bodies, in_request| Sighting {
            call: bodies.call,
            operation: bodies.operation.clone(),
            in_request,
        };
        kept.bodies
            .iter()
            .filter(|bodies| calls(bodies.call))
            .flat_map(|bodies| {
                let request = holds(&bodies.request).then(|| sighting(bodies, true));
                let response = holds(&bodies.response).then(|| sighting(bodies, false));
                request.into_iter().chain(response)
            })
            .collect()
    }

    /// Puts an event on the default bus of a Region as if AWS had: for what no call causes, such as alarms. The
    /// envelope must be whole.
    pub fn emit(&self, envelope: Value) {
        let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
        let name = envelope["detail"]["eventName"].as_str().map_or_else(|| text("detail-type"), str::to_owned);
        let event = Event { id: text("id"), name, region: text("region"), body: envelope };
        self.0.clone().announce("default", event);
    }

    /// Lets go what [`Faults::hold_deliveries`] kept back, and holds no more.
    pub fn release(&self, order: Order) {
        self.0.faults.stop_holding();
        let mut held = std::mem::take(&mut self.0.kept().held);
        if order == Order::Reversed {
            held.reverse();
        }
        // One after the other: the order is what the caller asked for.
        let inner = self.0.clone();
        let under_way = inner.begin("held deliveries".to_owned());
        self.0.runtime.spawn(async move {
            for parcel in held {
                inner.deliver(parcel).await;
            }
            inner.end(under_way);
        });
    }

    /// Waits until no event is being looked up or delivered, no message starts a function within a minute, and no
    /// function runs. Held deliveries do not count.
    ///
    /// # Errors
    /// [`SandboxError::NotSettled`] after `timeout`, with what is still under way; [`SandboxError::Account`] when an
    /// event was lost because the account did not answer.
    pub async fn settle(&self, timeout: Duration) -> Result<(), SandboxError> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let changed = self.0.changed.notified();
            if let Some((event, detail)) = self.0.kept().lost.pop() {
                return Err(SandboxError::Account { what: format!("to tell the rules for {event}"), detail });
            }
            let mut under_way: Vec<String> = self.0.kept().under_way.values().cloned().collect();
            if under_way.is_empty() {
                // Functions that MiniStack started by itself: schedules, queues, asynchronous Invoke.
                let count = async |question: &str, input: &[(&str, &str)]| {
                    Ok::<_, SandboxError>(self.0.upstream.control(question, input).await?.as_u64().unwrap_or_default())
                };
                let waiting = count("waiting", &[("within", WITHIN)]).await?;
                let busy = count("busy", &[]).await?;
                if waiting == 0 && busy == 0 && self.0.kept().under_way.is_empty() {
                    return Ok(());
                }
                under_way.push(format!("{busy} running functions, {waiting} messages that start functions"));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(SandboxError::NotSettled { after: timeout, under_way });
            }
            // A function that MiniStack runs by itself tells nobody when it ends, hence the look every now and then.
            let next_look = (tokio::time::Instant::now() + Duration::from_millis(20)).min(deadline);
            let _ = tokio::time::timeout_at(next_look, changed).await;
        }
    }
}

impl Inner {
    pub(crate) fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn keep_delivery(&self, delivery: Delivery) {
        self.kept().deliveries.push(delivery);
    }

    pub(crate) fn keep_call(&self, call: ApiCall, bodies: Bodies) {
        let mut kept = self.kept();
        kept.calls.push(call);
        kept.bodies.push(bodies);
    }

    pub(crate) fn keep_event(&self, event: &Event) {
        self.kept().events.push(event.body.clone());
    }

    /// The event with this id, if it was made in that Region.
    pub(crate) fn event(&self, id: &str, region: &str) -> Option<Value> {
        let kept = self.kept();
        let is_it = |event: &&Value| event["detail"]["eventID"] == id && event["region"] == region;
        kept.events.iter().find(is_it).cloned()
    }

    /// The next number of those that calls and deliveries are told apart by.
    pub(crate) fn number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, what: String) -> u64 {
        let number = self.number();
        self.kept().under_way.insert(number, what);
        number
    }

    fn end(&self, number: u64) {
        self.kept().under_way.remove(&number);
        self.changed.notify_waiters();
    }

    pub(crate) async fn caller(&self, access_key: Option<&str>) -> Option<Caller> {
        let key = access_key?;
        if let Some(known) = self.callers.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Some(known.clone());
        }
        let found = self.upstream.control("caller", &[("key", key)]).await.ok()?;
        let caller: Caller = serde_json::from_value(found).ok()?;
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), caller.clone());
        Some(caller)
    }

    /// Finds the targets of an event and sends it on its way, beside whatever else is going on.
    pub(crate) fn announce(self: Arc<Self>, bus: &str, event: Event) {
        let under_way = self.begin(format!("rules for {}", event.name));
        let bus = bus.to_owned();
        self.runtime.clone().spawn(async move {
            match parcels(&self.upstream, &bus, &event).await {
                Ok(parcels) => {
                    for parcel in parcels {
                        self.clone().post(parcel);
                    }
                }
                Err(error) => self.kept().lost.push((event.name, error.to_string())),
            }
            self.end(under_way);
        });
    }

    fn post(self: Arc<Self>, parcel: Parcel) {
        let copies = self.faults.copies() + 1;
        for _ in 0..copies {
            if self.faults.holding() {
                self.kept().held.push(parcel.clone());
                continue;
            }
            let under_way = self.begin(parcel.label());
            let (inner, parcel) = (self.clone(), parcel.clone());
            self.runtime.spawn(async move {
                inner.deliver(parcel).await;
                inner.end(under_way);
            });
        }
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && text.windows(needle.len()).any(|window| window == needle)
}
