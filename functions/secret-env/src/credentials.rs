//! The credentials of the function's role.

use crate::{failure::Failure, web};
use aws_credential_types::Credentials;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{env, time::Duration};
use zeroize::Zeroizing;

/// How the function gets its credentials: in its environment, or, where it starts from a snapshot (SnapStart), from a
/// local endpoint (<https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html>).
pub(crate) enum Source {
    Environment(Credentials),
    Endpoint { url: String, token: Option<SecretString> },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: SecretString,
    token: Option<SecretString>,
}

/// More than any answer of the endpoint has.
const LARGEST: u64 = 64 * 1024;

impl Source {
    pub(crate) fn of_this_function() -> Result<Source, Failure> {
        let get = |name| env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(id), Some(secret)) = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            let token = get("AWS_SESSION_TOKEN");
            return Ok(Source::Environment(Credentials::new(id, secret, token, None, "lambda-environment")));
        }
        let url = get("AWS_CONTAINER_CREDENTIALS_FULL_URI").ok_or(Failure::NoSetting("AWS_ACCESS_KEY_ID"))?;
        Ok(Source::Endpoint { url, token: get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(SecretString::from) })
    }

    /// The credentials, or what is wrong for now with the endpoint, which has at most so long to answer.
    pub(crate) fn get(&self, at_most: Duration) -> Result<Credentials, String> {
        let (url, token) = match self {
            Source::Environment(credentials) => return Ok(credentials.clone()),
            Source::Endpoint { url, token } => (url, token),
        };
        let mut request = web::local_client(at_most).get(url);
        if let Some(token) = token {
            request = request.header("Authorization", token.expose_secret());
        }
        let failed = |problem: String| format!("the credentials endpoint of Lambda failed: {problem}");
        let mut answer = request.call().map_err(|error| failed(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(failed(format!("status {}", answer.status().as_u16())));
        }
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = Zeroizing::new(body.map_err(|error| failed(error.to_string()))?);
        // What is there instead is not shown: it may be a key.
        let found: Answer = serde_json::from_slice(&body).map_err(|_| failed("no credentials in its answer".into()))?;
        let secret = found.secret_access_key.expose_secret();
        let token = found.token.as_ref().map(|token| token.expose_secret().to_owned());
        Ok(Credentials::new(found.access_key_id, secret, token, None, "lambda-credentials-endpoint"))
    }
}
