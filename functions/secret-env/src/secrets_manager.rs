//! Secrets Manager's GetSecretValue, tried for as long as a start may wait.

use crate::{
    credentials::Source,
    endpoint::{self, Settings},
    failure::Failure,
    web,
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use std::{
    env, thread,
    time::{Duration, Instant, SystemTime},
};
use ureq::{Agent, http::Request};
use warden_secret_ref::SecretName;
use zeroize::Zeroizing;

/// Where values come from.
pub(crate) trait Store {
    /// The text of a secret's current version.
    fn get(&self, secret: &SecretName) -> Result<SecretString, Failure>;
}

/// How long to try where the trouble may pass, for all secrets together. Lambda gives the start of extensions, runtime
/// and function 10 s together (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const PATIENCE: Duration = Duration::from_secs(8);

/// How long to try where AWS has refused: a secret or a permission that is seconds old may not be known everywhere yet.
const SETTLING: Duration = Duration::from_secs(2);

/// How long one call may take.
const CALL: Duration = Duration::from_secs(3);

/// The first pause is at most this, each later one at most twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// And none is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A secret has at most 64 KB, which escaping in JSON may multiply by six, and again by two.
const LARGEST: u64 = 1024 * 1024;

/// The service, as this function may call it.
pub(crate) struct SecretsManager {
    client: Agent,
    url: String,
    region: String,
    credentials: Source,
    begun: Instant,
}

impl SecretsManager {
    pub(crate) fn of_this_function() -> Result<Self, Failure> {
        let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let on = |name: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let settings = Settings {
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")).ok_or(Failure::NoSetting("AWS_REGION"))?,
            service_url: get("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            url: get("AWS_ENDPOINT_URL"),
            ignore_urls: on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
            fips: on("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: on("AWS_USE_DUALSTACK_ENDPOINT"),
        };
        Ok(Self {
            client: web::client()?,
            url: endpoint::url(&settings),
            region: settings.region,
            credentials: Source::of_this_function()?,
            begun: Instant::now(),
        })
    }

    /// What is left of the start's time for one call.
    fn left(&self) -> Duration {
        PATIENCE.saturating_sub(self.begun.elapsed()).min(CALL)
    }

    /// One call.
    fn attempt(&self, secret: &SecretName) -> Result<SecretString, Trouble> {
        let credentials = self.credentials.get(self.left()).map_err(Trouble::passing)?;
        let body = json!({ "SecretId": secret.as_str() }).to_string();
        let mut request = Request::post(format!("{}/", self.url))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.GetSecretValue")
            .body(body)
            .map_err(|error| Trouble::lasting(error.to_string()))?;
        self.sign(&mut request, credentials).map_err(Trouble::lasting)?;
        let request = self.client.configure_request(request).timeout_global(Some(self.left())).build();
        let unreachable = |error: ureq::Error| Trouble {
            kind: if web::is_about_the_certificate(&error) { Kind::Untrusted } else { Kind::Passing },
            problem: format!("{}: {error}", self.url),
        };
        let mut answer = self.client.run(request).map_err(unreachable)?;
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(unreachable)?;
        let body = Zeroizing::new(body);
        if answer.status().is_success() {
            return match serde_json::from_slice(&body) {
                Ok(Value { secret_string: Some(text) }) => Ok(text),
                Ok(Value { secret_string: None }) => Err(Trouble::lasting("it holds bytes, not text")),
                // What is there instead is not shown: it may be a value.
                Err(_) => Err(Trouble::lasting("the answer is not what GetSecretValue answers")),
            };
        }
        Err(Trouble::of(answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn sign(
        &self,
        request: &mut Request<String>,
        credentials: aws_credential_types::Credentials,
    ) -> Result<(), String> {
        let failed = |error: &dyn std::error::Error| format!("the request cannot be signed: {error}");
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("secretsmanager")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = SignableBody::Bytes(request.body().as_bytes());
        let signable = SignableRequest::new("POST", uri, headers, body).map_err(|error| failed(&error))?;
        let (signature, _) = sign(signable, &parameters).map_err(|error| failed(&error))?.into_parts();
        signature.apply_to_request_http1x(request);
        Ok(())
    }
}

impl Store for SecretsManager {
    fn get(&self, secret: &SecretName) -> Result<SecretString, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let trouble = match self.attempt(secret) {
                Ok(text) => return Ok(text),
                Err(trouble) => trouble,
            };
            // Any part of the pause: functions that start together do not all come back together.
            let wait = pause.mul_f64(fastrand::f64());
            if self.begun.elapsed() + wait >= trouble.kind.patience() {
                return Err(trouble.failure(secret));
            }
            thread::sleep(wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[derive(Deserialize)]
struct Value {
    #[serde(rename = "SecretString")]
    secret_string: Option<SecretString>,
}

/// How the service says what is wrong.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(rename = "Message")]
    message: Option<String>,
    /// Some errors have it so.
    #[serde(rename = "message")]
    small: Option<String>,
}

/// A call that failed.
#[derive(Debug)]
struct Trouble {
    kind: Kind,
    problem: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Throttled, unreachable, out of order.
    Passing,
    /// The permission is missing.
    Refused,
    /// The secret is.
    Gone,
    /// The other end is not AWS, or its certificate is not from Amazon.
    Untrusted,
    /// Something else that will be the same in a second.
    Lasting,
}

impl Kind {
    fn patience(self) -> Duration {
        match self {
            Kind::Passing => PATIENCE,
            Kind::Refused | Kind::Gone => SETTLING,
            Kind::Untrusted | Kind::Lasting => Duration::ZERO,
        }
    }
}

impl Trouble {
    fn passing(problem: impl Into<String>) -> Self {
        Trouble { kind: Kind::Passing, problem: problem.into() }
    }

    fn lasting(problem: impl Into<String>) -> Self {
        Trouble { kind: Kind::Lasting, problem: problem.into() }
    }

    /// What an error of the service means (its API reference, GetSecretValue and "Common errors").
    fn of(status: u16, refusal: Refusal) -> Self {
        let code = refusal.code.rsplit('#').next().unwrap_or_default();
        let kind = match code {
            "AccessDeniedException" | "AccessDenied" => Kind::Refused,
            "ResourceNotFoundException" => Kind::Gone,
            // Of this call it says that the secret is marked for deletion.
            "InvalidRequestException" => Kind::Gone,
            _ if code.contains("Throttl") || code == "RequestLimitExceeded" || code == "TooManyRequestsException" => {
                Kind::Passing
            }
            _ if status >= 500 || status == 429 || status == 408 => Kind::Passing,
            _ => Kind::Lasting,
        };
        // One line, and not a long one: the service names the caller, the action and the secret.
        let message = refusal.message.or(refusal.small).unwrap_or_default();
        let message = message.chars().filter(|character| !character.is_control()).take(300);
        let code = if code.is_empty() { format!("status {status}") } else { code.to_owned() };
        let problem: String = code.chars().chain(": ".chars()).chain(message).collect();
        Trouble { kind, problem: problem.trim_end_matches(": ").to_owned() }
    }

    fn failure(self, secret: &SecretName) -> Failure {
        let (secret, problem) = (secret.clone(), self.problem);
        match self.kind {
            Kind::Passing => Failure::Unreachable { secret, problem },
            Kind::Refused => Failure::Refused { secret, problem },
            Kind::Gone => Failure::Gone { secret, problem },
            Kind::Untrusted => Failure::Untrusted { secret, problem },
            Kind::Lasting => Failure::Answer { secret, problem },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, kind: Kind, problem: &str) {
        let trouble = Trouble::of(status, serde_json::from_str(body).unwrap_or_default());
        assert_eq!((trouble.kind, trouble.problem.as_str()), (kind, problem));
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        check(
            400,
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
            Kind::Passing,
            "ThrottlingException: Rate exceeded",
        );
        check(500, r#"{"__type":"InternalServiceError","Message":"x"}"#, Kind::Passing, "InternalServiceError: x");
        check(
            400,
            r#"{"__type":"AccessDeniedException","message":"a","Message":"b"}"#,
            Kind::Refused,
            "AccessDeniedException: b",
        );
        check(503, "<html>", Kind::Passing, "status 503");
        check(
            400,
            r#"{"__type":"com.amazon#AccessDeniedException","Message":"User: a\nb"}"#,
            Kind::Refused,
            "AccessDeniedException: User: ab",
        );
        check(400, r#"{"__type":"ResourceNotFoundException"}"#, Kind::Gone, "ResourceNotFoundException");
        check(
            400,
            r#"{"__type":"InvalidRequestException","Message":"marked for deletion"}"#,
            Kind::Gone,
            "InvalidRequestException: marked for deletion",
        );
        check(400, r#"{"__type":"DecryptionFailure"}"#, Kind::Lasting, "DecryptionFailure");
        check(403, r#"{"__type":"ExpiredTokenException"}"#, Kind::Lasting, "ExpiredTokenException");
    }
}
