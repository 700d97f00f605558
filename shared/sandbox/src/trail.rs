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
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONNECTION, TRANSFER_ENCODING},
    http::{request::Parts, response},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Handle, sync::Notify};
use ulid::Ulid;

use crate::{
    SandboxError,
    call::{Call, Invocation},
    caller::Caller,
    delivery::{Delivery, Parcel, parcels},
    event::{self, Event, Exchange, now, uuid},
    fault::{Fault, Faults, Order},
    operation::Operation,
    upstream::{Upstream, element},
};

/// What went through the proxy and what came of it. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Inner>);

/// Where a text was found: see [`Trail::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The [`Call::sequence`] it was in.
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
    account: String,
    began: Instant,
    runtime: Handle,
    sequence: AtomicU64,
    faults: Faults,
    kept: Mutex<Kept>,
    callers: Mutex<HashMap<String, Caller>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    calls: Vec<Call>,
    bodies: Vec<Bodies>,
    deliveries: Vec<Delivery>,
    events: Vec<Value>,
    /// What is being looked up or delivered, by a number of its own.
    under_way: BTreeMap<u64, String>,
    held: Vec<Parcel>,
    /// Events whose rules could not be found, and why: a fault of the sandbox itself, told when somebody settles.
    lost: Vec<(String, String)>,
}

#[derive(Debug)]
struct Bodies {
    call: u64,
    operation: String,
    request: [Bytes; 2],
    response: [Bytes; 2],
}

impl Invocation {
    pub(crate) fn new() -> Self {
        let id = Ulid::new();
        Self(format!("1-{:08x}-{:024x}", id.timestamp_ms() / 1000, u128::from(id) & 0xffff_ffff_ffff_ffff_ffff_ffff))
    }

    /// The invocation a request comes from, by the header that the SDK sets inside a function.
    fn of(head: &Parts) -> Option<Self> {
        let header = head.headers.get("x-amzn-trace-id")?.to_str().ok()?;
        header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).map(|root| Self(root.to_owned()))
    }
}

impl Trail {
    pub(crate) fn new(upstream: Upstream, account: &str, retry_delay: Duration, runtime: Handle) -> Self {
        Self(Arc::new(Inner {
            upstream,
            retry_delay,
            account: account.to_owned(),
            began: Instant::now(),
            runtime,
            sequence: AtomicU64::new(1),
            faults: Faults::default(),
            kept: Mutex::default(),
            callers: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Every call so far, in the order in which they ended.
    pub fn calls(&self) -> Vec<Call> {
        self.0.kept().calls.clone()
    }

    /// The calls that an invocation made, in the order in which they ended.
    pub fn calls_of(&self, invocation: &Invocation) -> Vec<Call> {
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

    /// A mark in time: calls and deliveries from here on have a later `started`.
    pub fn now(&self) -> Duration {
        self.0.clock()
    }

    /// Searches the requests (path, headers, body) and answers of all calls for a text, also in its percent-encoded
    /// form. For showing that a secret crosses nowhere, or only where it must.
    pub fn find(&self, text: &str) -> Vec<Sighting> {
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

    /// Waits until no event is being looked up or delivered and no function runs. Held deliveries do not count.
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
                let busy = self.0.upstream.control("busy", &[]).await?.as_u64().unwrap_or_default();
                if busy == 0 && self.0.kept().under_way.is_empty() {
                    return Ok(());
                }
                under_way.push(format!("{busy} running functions"));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(SandboxError::NotSettled { after: timeout, under_way });
            }
            // A function that MiniStack runs by itself tells nobody when it ends, hence the look every now and then.
            let next_look = (tokio::time::Instant::now() + Duration::from_millis(20)).min(deadline);
            let _ = tokio::time::timeout_at(next_look, changed).await;
        }
    }

    /// Serves callers until the runtime ends.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, say: callers wait until some are free again.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            // An answer must not wait for an acknowledgement. Where this is refused, it is slower and no less right.
            let _ = stream.set_nodelay(true);
            let inner = self.0.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| inner.clone().answer(request));
                // A caller that goes away is its own business.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// The caller is to get no answer: the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

impl Inner {
    pub(crate) fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn keep_delivery(&self, delivery: Delivery) {
        self.kept().deliveries.push(delivery);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, what: String) -> u64 {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.kept().under_way.insert(number, what);
        number
    }

    fn end(&self, number: u64) {
        self.kept().under_way.remove(&number);
        self.changed.notify_waiters();
    }

    async fn caller(&self, access_key: Option<&str>) -> Option<Caller> {
        let key = access_key?;
        if let Some(known) = self.callers.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Some(known.clone());
        }
        let found = self.upstream.control("caller", &[("key", key)]).await.ok()?;
        let caller: Caller = serde_json::from_value(found).ok()?;
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), caller.clone());
        Some(caller)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let request = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let started = self.clock();
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let operation = Operation::of(&head, &request);
        let caller = self.caller(operation.access_key.as_deref()).await;
        let principal = caller.as_ref().map(|caller| caller.arn.as_str());
        let invocation = Invocation::of(&head);

        let (latency, fault) = self.faults.meet(principal, &operation.service, &operation.name);
        tokio::time::sleep(latency).await;
        let answer = match &fault {
            Some(Fault::Throttle) => Some(refused(&operation.service, 429, "TooManyRequestsException")),
            Some(Fault::ServerError) => Some(refused(&operation.service, 500, "InternalFailure")),
            Some(Fault::Answer { status, code }) => Some(refused(&operation.service, *status, code)),
            Some(Fault::KillBefore) => {
                self.kill(invocation.as_ref()).await;
                None
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(*delay).await;
                Some(self.forward(&head, request.clone()).await)
            }
            Some(Fault::LoseAnswer | Fault::KillAfter) | None => Some(self.forward(&head, request.clone()).await),
        };
        if let Some((answer, body)) = &answer {
            let error = error_of(answer, body);
            // Announced before the caller hears: whoever waits for the trail to settle after a call must see this.
            let made_up = matches!(fault, Some(Fault::Throttle | Fault::ServerError | Fault::Answer { .. }));
            if let (Some(caller), false) = (&caller, made_up) {
                self.publish_events(&head, &operation, caller, &request, (answer, body), error.as_ref());
            }
        }
        if fault == Some(Fault::KillAfter) {
            self.kill(invocation.as_ref()).await;
        }
        let cut = matches!(fault, Some(Fault::LoseAnswer | Fault::KillBefore | Fault::KillAfter));
        let heard = answer.as_ref().filter(|_| !cut);
        let call = Call {
            sequence,
            started,
            ended: self.clock(),
            service: operation.service.clone(),
            operation: operation.name.clone(),
            region: operation.region.clone(),
            principal: principal.map(str::to_owned),
            access_key: operation.access_key.clone(),
            status: heard.map(|(answer, _)| answer.status.as_u16()),
            error: heard.and_then(|(answer, body)| error_of(answer, body)).map(|(code, _)| code),
            invocation,
            request_bytes: request.len(),
            response_bytes: answer.as_ref().map_or(0, |(_, body)| body.len()),
        };
        let said = Bytes::from(format!("{} {:?}", head.uri, head.headers));
        let (heard, body) = match &answer {
            Some((answer, body)) => (Bytes::from(format!("{:?}", answer.headers)), body.clone()),
            None => (Bytes::new(), Bytes::new()),
        };
        {
            let mut kept = self.kept();
            kept.bodies.push(Bodies {
                call: sequence,
                operation: operation.name,
                request: [said, request],
                response: [heard, body],
            });
            kept.calls.push(call);
        }
        match answer {
            Some((head, body)) if !cut => Ok(Response::from_parts(head, Full::new(body))),
            _ => Err(Cut),
        }
    }

    /// Sends the request on, its head and body as they came: the signature covers them.
    async fn forward(&self, head: &Parts, body: Bytes) -> (response::Parts, Bytes) {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(head.method.clone()).uri(self.upstream.uri(path));
        for (name, value) in &head.headers {
            // These are about one connection, not about the request.
            if name != CONNECTION && name != TRANSFER_ENCODING {
                request = request.header(name, value);
            }
        }
        let sent = match request.body(Full::new(body)) {
            Ok(request) => self.upstream.send(request).await,
            Err(error) => Err(SandboxError::Account { what: path.to_owned(), detail: error.to_string() }),
        };
        match sent {
            Ok(answer) => {
                let (mut head, body) = answer.into_parts();
                head.headers.remove(CONNECTION);
                head.headers.remove(TRANSFER_ENCODING);
                (head, body)
            }
            Err(error) => {
                let (mut head, _) = refused("", 503, "ServiceUnavailable");
                head.headers.remove("content-length");
                (head, Bytes::from(json!({ "__type": "ServiceUnavailable", "message": error.to_string() }).to_string()))
            }
        }
    }

    async fn kill(&self, invocation: Option<&Invocation>) {
        if let Some(Invocation(root)) = invocation {
            // A bootstrap that has ended by itself is as dead as it was meant to be.
            let _ = self.upstream.control("kill", &[("trace", root)]).await;
        }
    }

    fn publish_events(
        self: &Arc<Self>,
        head: &Parts,
        operation: &Operation,
        caller: &Caller,
        request: &[u8],
        (answer, response): (&response::Parts, &Bytes),
        error: Option<&(String, String)>,
    ) {
        if operation.name == "PutEvents" && error.is_none() {
            self.announce_put_events(operation, request, response);
            return;
        }
        let request_id = answer.headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok());
        let event = event::of(&Exchange {
            account: &self.account,
            operation,
            caller,
            head,
            request,
            response,
            error: error.cloned(),
            request_id: request_id.map(str::to_owned),
        });
        if let Some(event) = event {
            self.kept().events.push(event.body.clone());
            self.clone().announce("default", event);
        }
    }

    /// What PutEvents brought to buses. MiniStack takes the entries; bringing them to targets is left to the trail.
    fn announce_put_events(self: &Arc<Self>, operation: &Operation, request: &[u8], response: &[u8]) {
        let request: Value = serde_json::from_slice(request).unwrap_or_default();
        let response: Value = serde_json::from_slice(response).unwrap_or_default();
        let accepted = response["Entries"].as_array().into_iter().flatten();
        for (entry, accepted) in request["Entries"].as_array().into_iter().flatten().zip(accepted) {
            let Some(id) = accepted["EventId"].as_str() else {
                continue;
            };
            let detail: Value =
                entry["Detail"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let bus = entry["EventBusName"].as_str().unwrap_or("default");
            let bus = bus.rsplit('/').next().unwrap_or(bus).to_owned();
            let name = entry["DetailType"].as_str().unwrap_or_default().to_owned();
            let resources = if entry["Resources"].is_array() { entry["Resources"].clone() } else { json!([]) };
            let body = json!({
                "version": "0",
                "id": id,
                "detail-type": name,
                "source": entry["Source"],
                "account": self.account,
                "time": now(),
                "region": operation.region,
                "resources": resources,
                "detail": detail,
            });
            self.clone().announce(&bus, Event { id: id.to_owned(), name, region: operation.region.clone(), body });
        }
    }

    /// Finds the targets of an event and sends it on its way, beside whatever else is going on.
    fn announce(self: Arc<Self>, bus: &str, event: Event) {
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

/// An error answer in the service's own form.
fn refused(service: &str, status: u16, code: &str) -> (response::Parts, Bytes) {
    let message = "injected by the sandbox";
    // The services that speak JSON answer a throttle with 400, and name it otherwise.
    let (status, code) = match (service, status, code) {
        ("lambda", ..) => (status, code),
        ("dynamodb", 429, _) => (400, "ThrottlingException"),
        (_, 429, "TooManyRequestsException") => (400, "Throttling"),
        _ => (status, code),
    };
    let (kind, body) = if matches!(service, "iam" | "sts" | "sns" | "cloudformation") {
        let fault = if status < 500 { "Sender" } else { "Receiver" };
        let error = format!("<Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message>");
        ("text/xml", format!("<ErrorResponse><Error>{error}</Error><RequestId>{}</RequestId></ErrorResponse>", uuid()))
    } else {
        ("application/json", json!({ "__type": code, "message": message, "Message": message }).to_string())
    };
    let (mut head, body) = Response::new(Bytes::from(body)).into_parts();
    head.status = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in [("content-type", kind), ("x-amzn-errortype", code)] {
        if let Ok(value) = value.parse() {
            head.headers.insert(name, value);
        }
    }
    (head, body)
}

/// Code and message of an error answer.
fn error_of(head: &response::Parts, body: &[u8]) -> Option<(String, String)> {
    if head.status.is_success() || head.status.is_redirection() || head.status.is_informational() {
        return None;
    }
    let header = head.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let text = String::from_utf8_lossy(body);
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |names: [&str; 3]| names.iter().find_map(|name| json[*name].as_str());
    let code = header
        .or_else(|| field(["__type", "code", "Code"]))
        .or_else(|| element(&text, "Code"))
        .unwrap_or(head.status.as_str());
    // `namespace#Code:http://…` is how some services spell it.
    let code = code.rsplit('#').next().unwrap_or(code).split(':').next().unwrap_or(code);
    let message =
        field(["message", "Message", "errorMessage"]).or_else(|| element(&text, "Message")).unwrap_or_default();
    Some((code.to_owned(), message.to_owned()))
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && text.windows(needle.len()).any(|window| window == needle)
}
