//! The proxy: what a caller sends is passed on as it is, recorded, and, if so planned, spoilt.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
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
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::{
    SandboxError,
    call::{ApiCall, Invocation},
    caller::Caller,
    event::{self, Event, Exchange, now, uuid},
    fault::Fault,
    lockstep::Lockstep,
    operation::Operation,
    trail::{Bodies, Inner, Trail},
    upstream::element,
};

impl Trail {
    /// Serves callers until the runtime ends.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            let Ok((stream, caller)) = listener.accept().await else {
                // Out of descriptors, say: callers wait until some are free again.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            // An answer must not wait for an acknowledgement. Where this is refused, it is slower and no less right.
            let _ = stream.set_nodelay(true);
            let inner = self.inner();
            tokio::spawn(async move {
                let port = caller.port();
                let service = service_fn(|request| inner.clone().answer(request, port));
                let watched = Watched { stream, port, lockstep: inner.lockstep.clone() };
                // A caller that goes away is its own business.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(watched), service).await;
                inner.lockstep.gone(port);
            });
        }
    }
}

/// A connection that tells the lockstep what goes over it.
struct Watched {
    stream: TcpStream,
    port: u16,
    lockstep: Arc<Lockstep>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.lockstep.arriving(self.port);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.lockstep.flushed(self.port);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The caller is to get no answer: the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

impl Inner {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, port: u16) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let request = body.collect().await.map_err(|_| Cut)?.to_bytes();
        // Done to its end, as by AWS, also where the caller dies meanwhile and the connection with it.
        tokio::spawn(self.carry_out(head, request, port)).await.map_err(|_| Cut)?
    }

    async fn carry_out(
        self: Arc<Self>,
        head: hyper::http::request::Parts,
        request: Bytes,
        port: u16,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let started = self.clock();
        let sequence = self.number();
        let operation = Operation::of(&head, &request);
        let caller = self.caller(operation.access_key.as_deref()).await;
        let principal = caller.as_ref().map(|caller| caller.arn.as_str());
        let invocation = Invocation::of(&head);
        let step = match &invocation {
            Some(invocation) => self.lockstep.hold(invocation, port, (&self.upstream, &self.runtime)).await,
            None => None,
        };

        let (latency, fault) = self.faults.meet(principal, &operation.service, &operation.name);
        tokio::time::sleep(latency).await;
        let answer = match &fault {
            Some(Fault::Throttle) => Some(refused(&operation.service, 429, "TooManyRequestsException", INJECTED)),
            Some(Fault::ServerError) => Some(refused(&operation.service, 500, "InternalFailure", INJECTED)),
            Some(Fault::Answer { status, code }) => Some(refused(&operation.service, *status, code, INJECTED)),
            Some(Fault::NotOffered) => Some(refused(&operation.service, 403, "AccessDeniedException", NOT_OFFERED)),
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
        let answer = match answer {
            // MiniStack has no event, and has seen to it that the caller may ask and asks properly.
            Some((head, _)) if (&*operation.service, &*operation.name) == LOOKUP && head.status.is_success() => {
                Some(self.history.answer(&request, started, &operation.region, |id| self.event(id, &operation.region)))
            }
            answer => answer,
        };
        if let Some((answer, body)) = &answer {
            let error = error_of(answer, body);
            // Announced before the caller hears: whoever waits for the trail to settle after a call must see this.
            let made_up =
                matches!(fault, Some(Fault::Throttle | Fault::ServerError | Fault::Answer { .. } | Fault::NotOffered));
            if let (Some(caller), false) = (&caller, made_up) {
                self.publish_events(&head, &operation, caller, &request, (answer, body), error.as_ref());
            }
        }
        if fault == Some(Fault::KillAfter) {
            self.kill(invocation.as_ref()).await;
        }
        let cut = matches!(fault, Some(Fault::LoseAnswer | Fault::KillBefore | Fault::KillAfter));
        let heard = answer.as_ref().filter(|_| !cut);
        let call = ApiCall {
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
            step,
            request_bytes: request.len(),
            response_bytes: answer.as_ref().map_or(0, |(_, body)| body.len()),
        };
        let said = Bytes::from(format!("{} {:?}", head.uri, head.headers));
        let (heard, body) = match &answer {
            Some((answer, body)) => (Bytes::from(format!("{:?}", answer.headers)), body.clone()),
            None => (Bytes::new(), Bytes::new()),
        };
        let bodies =
            Bodies { call: sequence, operation: operation.name, request: [said, request], response: [heard, body] };
        self.keep_call(call, bodies);
        self.lockstep.answered(port);
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
                let (mut head, _) = refused("", 503, "ServiceUnavailable", INJECTED);
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
            self.keep_event(&event);
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
}

/// What the trail answers itself.
const LOOKUP: (&str, &str) = ("cloudtrail", "LookupEvents");
/// What an error says that the sandbox makes up.
const INJECTED: &str = "injected by the sandbox";
/// What AWS says of an operation that a Region does not have (<https://github.com/zappa/Zappa/issues/1425>).
const NOT_OFFERED: &str = "Unable to determine service/operation name to be authorized";

/// An error answer in the service's own form.
pub(crate) fn refused(service: &str, status: u16, code: &str, message: &str) -> (response::Parts, Bytes) {
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
