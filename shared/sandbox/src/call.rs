//! One API call that went through the proxy.

use std::{collections::HashSet, time::Duration};

use hyper::http::request::Parts;
use serde::Serialize;
use ulid::Ulid;

/// One invocation of a function by the trail: the root of the trace id that its calls carry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Invocation(pub(crate) String);

impl Invocation {
    pub(crate) fn new() -> Self {
        let id = Ulid::new();
        Self(format!("1-{:08x}-{:024x}", id.timestamp_ms() / 1000, u128::from(id) & 0xffff_ffff_ffff_ffff_ffff_ffff))
    }

    /// The invocation a request comes from, by the header that the SDK sets inside a function.
    pub(crate) fn of(head: &Parts) -> Option<Self> {
        let header = head.headers.get("x-amzn-trace-id")?.to_str().ok()?;
        header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).map(|root| Self(root.to_owned()))
    }
}

/// One AWS call that went through the proxy. Times are measured from the sandbox's start, as the caller saw them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiCall {
    /// Its number, from 1, in the order of arrival.
    pub sequence: u64,
    /// When the whole request had arrived.
    pub started: Duration,
    /// When the answer was handed back.
    pub ended: Duration,
    /// The service as in the signature's scope: `lambda`, `dynamodb`, `events`.
    pub service: String,
    /// The operation as the API names it; empty where it could not be told.
    pub operation: String,
    /// The Region it was signed for.
    pub region: String,
    /// The ARN of who signed it; a role's session is `arn:aws:sts::…:assumed-role/…`.
    pub principal: Option<String>,
    /// The access key that signed it.
    pub access_key: Option<String>,
    /// The HTTP status; none where the caller got no answer.
    pub status: Option<u16>,
    /// The error's code, such as `AccessDeniedException`.
    pub error: Option<String>,
    /// The invocation it was made from: none for calls from outside a function.
    pub invocation: Option<Invocation>,
    /// In lockstep, which of the invocation's round trips it belongs to, counted from 1.
    pub step: Option<u32>,
    /// Bytes of the request's body.
    pub request_bytes: usize,
    /// Bytes of the answer's body.
    pub response_bytes: usize,
}

impl ApiCall {
    /// Whether it succeeded, as far as the caller knows.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the caller is a session of that role (its name, without path).
    pub fn by_role(&self, role: &str) -> bool {
        self.principal.as_deref().is_some_and(|arn| arn.contains(&format!(":assumed-role/{role}/")))
    }
}

/// The number of round trips that had to be waited for one after the other, of calls that one invocation made in
/// lockstep ([`Trail::in_lockstep`](crate::Trail::in_lockstep)). Calls that were waited for together count once.
pub fn round_trips<'a>(calls: impl IntoIterator<Item = &'a ApiCall>) -> usize {
    calls.into_iter().filter_map(|call| call.step).collect::<HashSet<u32>>().len()
}
