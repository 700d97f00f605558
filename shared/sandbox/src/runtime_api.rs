//! Lambda's Runtime API for one execution environment, as AWS's own runtime clients speak it
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::{
    collections::HashMap,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{Mutex as AsyncMutex, mpsc, oneshot, watch},
    task::AbortHandle,
};

use crate::{SandboxError, event::uuid};

/// What a function answers to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What its handler returned.
    Returned(Value),
    /// The error that it reported: `errorMessage`, `errorType`, `stackTrace`.
    Failed(Value),
}

/// How far the runtime has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has not asked for an event yet.
    Starting,
    /// It has asked for an event.
    Ready,
    /// It could not start, and said so.
    Failed(Value),
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    state: Arc<State>,
    server: AbortHandle,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: Bytes,
    deadline: SystemTime,
}

#[derive(Debug)]
struct State {
    function_arn: String,
    events: AsyncMutex<mpsc::UnboundedReceiver<Event>>,
    awaited: Mutex<HashMap<String, oneshot::Sender<Reply>>>,
    progress: watch::Sender<Progress>,
    credentials: Credentials,
    token: String,
}

/// Where a function that starts from a snapshot finds its credentials. On AWS this is another port of the same machine.
pub(crate) const CREDENTIALS: &str = "/2021-04-23/credentials";

impl RuntimeApi {
    pub(crate) async fn start(
        function_arn: &str,
        credentials: &Credentials,
        runtime: &Handle,
    ) -> Result<Self, SandboxError> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listening = |error| SandboxError::io("listening on", "127.0.0.1")(error);
        // On the sandbox's own runtime, which no caller blocks.
        let bound = runtime.spawn(TcpListener::bind(address)).await.map_err(|error| listening(error.into()))?;
        let listener = bound.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            function_arn: function_arn.to_owned(),
            events: AsyncMutex::new(receiver),
            awaited: Mutex::default(),
            progress: watch::Sender::new(Progress::Starting),
            credentials: credentials.clone(),
            token: uuid(),
        });
        let server = runtime.spawn(serve(listener, state.clone())).abort_handle();
        Ok(Self { address, events, state, server })
    }

    /// What a caller of [`CREDENTIALS`] must show.
    pub(crate) fn token(&self) -> &str {
        &self.state.token
    }

    /// Follows how far the runtime has come.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.state.progress.subscribe()
    }

    /// Hands an event over; the reply comes when it comes.
    pub(crate) fn hand_over(&self, event: &Value, timeout: Duration) -> oneshot::Receiver<Reply> {
        let (sender, reply) = oneshot::channel();
        let id = uuid();
        self.state.awaited().insert(id.clone(), sender);
        let event = Event { id, body: event.to_string().into(), deadline: SystemTime::now() + timeout };
        // The receiver lives as long as this.
        let _ = self.events.send(event);
        reply
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| state.clone().answer(request));
            // The runtime may go whenever it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path().trim_start_matches("/2018-06-01/runtime");
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        Ok(match (&head.method, parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => {
                self.reply(id, Reply::Returned(serde_json::from_slice(&body).unwrap_or(Value::Null)))
            }
            (&Method::POST, ["invocation", id, "error"]) => self.reply(id, Reply::Failed(error(&body))),
            (&Method::POST, ["init", "error"]) => {
                self.progress.send_replace(Progress::Failed(error(&body)));
                said(StatusCode::ACCEPTED, &json!({"status": "OK"}))
            }
            // What follows a snapshot: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
            (&Method::GET, ["restore", "next"]) => said(StatusCode::OK, &json!({})),
            (&Method::GET, _) if path == CREDENTIALS => {
                let shown = head.headers.get(header::AUTHORIZATION);
                if shown.is_none_or(|shown| shown.as_bytes() != self.token.as_bytes()) {
                    return Ok(said(StatusCode::FORBIDDEN, &json!({})));
                }
                said(
                    StatusCode::OK,
                    &json!({
                        "AccessKeyId": self.credentials.access_key_id(),
                        "SecretAccessKey": self.credentials.secret_access_key(),
                        "Token": self.credentials.session_token(),
                        "Expiration": (Timestamp::now() + SignedDuration::from_hours(6)).to_string(),
                    }),
                )
            }
            _ => said(StatusCode::NOT_FOUND, &json!({"errorMessage": format!("no such path: {path}")})),
        })
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.progress.send_replace(Progress::Ready);
        let Some(event) = self.events.lock().await.recv().await else { return pending().await };
        let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        let response = Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .header("lambda-runtime-aws-request-id", event.id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", &self.function_arn)
            .body(Full::new(event.body));
        response.unwrap_or_else(|_| said(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null))
    }

    fn reply(&self, id: &str, reply: Reply) -> Response<Full<Bytes>> {
        match self.awaited().remove(id) {
            // Nobody may be waiting any more.
            Some(waiting) => drop(waiting.send(reply)),
            None => return said(StatusCode::BAD_REQUEST, &json!({"errorType": "InvalidRequestID"})),
        }
        said(StatusCode::ACCEPTED, &json!({"status": "OK"}))
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Reply>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!({"errorMessage": String::from_utf8_lossy(body)}))
}

fn said(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
}
