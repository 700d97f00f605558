//! The sandbox's own requests to MiniStack, past the proxy: as the account's root, seen by nobody.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::SandboxError;

/// A client of one MiniStack.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    port: u16,
    /// The sandbox's own runtime. The client's connections are kept and used again, so each must be driven by a runtime
    /// that is never blocked, as a test's is while it waits for a process.
    runtime: Handle,
}

/// An answer, read to its end.
pub(crate) type Answer = Response<Bytes>;

impl Upstream {
    pub(crate) fn new(port: u16, runtime: Handle) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), port, runtime }
    }

    /// The sandbox's own runtime.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    /// Where a path of this server is.
    pub(crate) fn uri(&self, path_and_query: &str) -> String {
        format!("http://127.0.0.1:{}{path_and_query}", self.port)
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, SandboxError> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let (head, body) = client.request(request).await.map_err(|error| error.to_string())?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Response::from_parts(head, body))
        });
        let answer = sent.await.unwrap_or_else(|error| Err(error.to_string()));
        answer.map_err(|detail| SandboxError::Account { what, detail })
    }

    /// Sends a request as root. MiniStack does not check root's signature, so there is none.
    pub(crate) async fn root(
        &self,
        method: Method,
        (service, region): (&str, &str),
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, SandboxError> {
        let credential = format!("Credential=test/20260101/{region}/{service}/aws4_request");
        let mut request = Request::builder()
            .method(method)
            .uri(self.uri(path))
            .header(header::AUTHORIZATION, format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .map_err(|error| SandboxError::Account { what: path.to_owned(), detail: error.to_string() })?;
        self.send(request).await
    }

    /// Calls an operation of a service that speaks JSON, `target` as in `X-Amz-Target`.
    pub(crate) async fn json(&self, scope: (&str, &str), target: &str, input: &Value) -> Result<Value, SandboxError> {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.root(Method::POST, scope, "/", &headers, input.to_string()).await?;
        accepted(target, answer).and_then(|body| parsed(target, &body))
    }

    /// Calls an operation of a service that speaks the query protocol; the answer is XML.
    pub(crate) async fn query(
        &self,
        scope: (&str, &str),
        action: &str,
        input: &[(&str, &str)],
    ) -> Result<String, SandboxError> {
        let mut form = format!("Action={action}");
        for (name, value) in input {
            form.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.root(Method::POST, scope, "/", &headers, form).await?;
        Ok(String::from_utf8_lossy(&accepted(action, answer)?).into_owned())
    }

    /// Asks the launcher: see `launcher/control.py`.
    pub(crate) async fn control(&self, question: &str, input: &[(&str, &str)]) -> Result<Value, SandboxError> {
        let query: Vec<String> = input
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let path = format!("/_warden/{question}?{}", query.join("&"));
        let answer = self.root(Method::GET, ("warden", "us-east-1"), &path, &[], "").await?;
        accepted(question, answer).and_then(|body| parsed(question, &body))
    }

    /// The same with what is too long for a query.
    pub(crate) async fn tell(&self, question: &str, input: &Value) -> Result<Value, SandboxError> {
        let path = format!("/_warden/{question}");
        let answer = self.root(Method::POST, ("warden", "us-east-1"), &path, &[], input.to_string()).await?;
        accepted(question, answer).and_then(|body| parsed(question, &body))
    }
}

fn accepted(what: &str, answer: Answer) -> Result<Bytes, SandboxError> {
    let (head, body) = answer.into_parts();
    if head.status == StatusCode::OK || head.status == StatusCode::NO_CONTENT {
        return Ok(body);
    }
    let detail = format!("{} {}", head.status, String::from_utf8_lossy(&body));
    Err(SandboxError::Account { what: what.to_owned(), detail })
}

fn parsed(what: &str, body: &[u8]) -> Result<Value, SandboxError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|error| SandboxError::Account { what: what.to_owned(), detail: error.to_string() })
}

/// The text of the first element of that name. Enough for the few answers the sandbox reads, which have no attributes.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
