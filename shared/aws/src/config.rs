//! The SDK's configuration inside a guard: explicit credentials, Region and roots, so that a cold start looks nothing
//! up.

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Builder, Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{HttpConnectorSettings, SharedHttpClient},
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use std::{env, fs, time::Duration};

/// Amazon Trust Services' roots (<https://www.amazontrust.com/repository/>). Reading the system's store instead costs 3
/// ms of start.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon-trust-services.pem");

/// What the Lambda environment must say and does not.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable that Lambda sets is missing.
    #[error("the environment variable {0} is not set: is this running as a Lambda function?")]
    Missing(&'static str),
    /// The roots named by `AWS_CA_BUNDLE` cannot be used.
    #[error("AWS_CA_BUNDLE names `{path}`, which cannot be used: {problem}")]
    Roots {
        /// The path of the file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// The configuration of a guard: the credentials, Region and endpoint (`AWS_ENDPOINT_URL`, for the sandbox) of the
/// environment that Lambda gives it; `AWS_CA_BUNDLE` replaces the roots.
///
/// # Errors
/// See [`ConfigError`].
pub fn lambda() -> Result<SdkConfig, ConfigError> {
    let get = |name: &'static str| env::var(name).map_err(|_| ConfigError::Missing(name));
    let credentials = Credentials::new(
        get("AWS_ACCESS_KEY_ID")?,
        get("AWS_SECRET_ACCESS_KEY")?,
        env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "lambda-environment",
    );
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(get("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client()?)
        .sleep_impl(TokioSleep::new())
        // The SDK's standard mode: exponential back-off with jitter.
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(Duration::from_secs(6))
                .build(),
        );
    let builder = match env::var("AWS_ENDPOINT_URL") {
        Ok(endpoint) if !endpoint.is_empty() => builder.endpoint_url(endpoint),
        Ok(_) | Err(_) => builder,
    };
    Ok(builder.build())
}

fn http_client() -> Result<SharedHttpClient, ConfigError> {
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls()?).build_https())
}

/// The HTTP client for requests that the SDK does not make.
pub(crate) fn connector() -> Result<Connector, ConfigError> {
    let settings =
        HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(2)).read_timeout(Duration::from_secs(6));
    let connector = Connector::builder().sleep_impl(TokioSleep::new()).connector_settings(settings.build());
    Ok(connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls()?).build())
}

fn tls() -> Result<TlsContext, ConfigError> {
    let roots = match env::var("AWS_CA_BUNDLE") {
        Ok(path) if !path.is_empty() => {
            fs::read(&path).map_err(|error| ConfigError::Roots { path, problem: error.to_string() })?
        }
        Ok(_) | Err(_) => AMAZON_ROOTS.to_vec(),
    };
    TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(roots))
        .build()
        .map_err(|error| ConfigError::Roots { path: "the roots".into(), problem: error.to_string() })
}
