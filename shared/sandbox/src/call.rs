use std::time::Duration;

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
pub struct Call {
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
    /// Bytes of the request's body.
    pub request_bytes: usize,
    /// Bytes of the answer's body.
    pub response_bytes: usize,
}

impl Call {
    /// Whether it succeeded, as far as the caller knows.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the caller is a session of that role (its name, without path).
    pub fn by_role(&self, role: &str) -> bool {
        self.principal.as_deref().is_some_and(|arn| arn.contains(&format!(":assumed-role/{role}/")))
    }
}

/// The number of round trips that had to be waited for one after the other: the longest chain of calls in which each
/// started after the one before had ended. Calls made side by side count once.
pub fn round_trips<'a>(calls: impl IntoIterator<Item = &'a Call>) -> usize {
    let mut spans: Vec<(Duration, Duration)> = calls.into_iter().map(|call| (call.ended, call.started)).collect();
    // Taking the earliest end first leaves the most room for what follows: the classic interval scheduling argument.
    spans.sort_unstable();
    let mut chain = 0;
    let mut free_from = Duration::ZERO;
    for (ended, started) in spans {
        if started >= free_from {
            chain += 1;
            free_from = ended;
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spans: &[(u64, u64)], expected: usize) {
        let calls: Vec<Call> = spans
            .iter()
            .map(|(started, ended)| Call {
                sequence: 0,
                started: Duration::from_millis(*started),
                ended: Duration::from_millis(*ended),
                service: String::new(),
                operation: String::new(),
                region: String::new(),
                principal: None,
                access_key: None,
                status: None,
                error: None,
                invocation: None,
                request_bytes: 0,
                response_bytes: 0,
            })
            .collect();
        assert_eq!(round_trips(&calls), expected, "{spans:?}");
    }

    #[test]
    fn longest_chain() {
        check(&[], 0);
        check(&[(0, 5)], 1);
        check(&[(0, 5), (5, 9), (10, 12)], 3);
        check(&[(0, 5), (1, 6), (2, 7)], 1);
        // Two side by side, then one after both, while a long one spans everything.
        check(&[(0, 20), (1, 4), (2, 6), (7, 9)], 2);
        check(&[(7, 9), (0, 3), (3, 5)], 3);
    }
}
