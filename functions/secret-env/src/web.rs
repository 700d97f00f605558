//! The HTTP client: TLS by rustls on ring, Amazon's own roots.

use crate::failure::Failure;
use rustls::crypto::ring;
use std::{env, fs, sync::Arc, time::Duration};
use ureq::{
    Agent,
    tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};

/// Amazon Trust Services' roots, the same that the guards have. Reading the system's store instead costs milliseconds
/// of every start.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../../shared/aws/roots/amazon-trust-services.pem");

/// How long a connection may take: long for a handshake within a Region, short enough to try again.
const CONNECT: Duration = Duration::from_secs(2);

/// A client for AWS: `AWS_CA_BUNDLE` replaces the roots, a proxy is taken from the environment (`HTTPS_PROXY`,
/// `NO_PROXY`).
pub(crate) fn client() -> Result<Agent, Failure> {
    let (path, pem) = match env::var("AWS_CA_BUNDLE") {
        Ok(path) if !path.is_empty() => {
            let pem = fs::read(&path);
            let pem = pem.map_err(|error| Failure::Roots { path: path.clone(), problem: error.to_string() })?;
            (path, pem)
        }
        Ok(_) | Err(_) => ("Amazon's roots".into(), AMAZON_ROOTS.to_vec()),
    };
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(root)) => roots.push(root),
            // A bundle may hold other things.
            Ok(_) => {}
            Err(error) => return Err(Failure::Roots { path, problem: error.to_string() }),
        }
    }
    if roots.is_empty() {
        return Err(Failure::Roots { path, problem: "there is no certificate in it".into() });
    }
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build();
    let config = Agent::config_builder().tls_config(tls).timeout_connect(Some(CONNECT));
    Ok(config.http_status_as_error(false).max_redirects(0).user_agent(USER_AGENT).build().new_agent())
}

/// A client for Lambda's own endpoint on this machine, past any proxy, for a call that takes at most so long.
pub(crate) fn local_client(at_most: Duration) -> Agent {
    let config = Agent::config_builder().proxy(None).timeout_global(Some(at_most));
    config.http_status_as_error(false).max_redirects(0).user_agent(USER_AGENT).build().new_agent()
}

/// Whether a call failed because the other end could not show a certificate under the roots: that will not pass.
pub(crate) fn is_about_the_certificate(error: &ureq::Error) -> bool {
    let cause = if let ureq::Error::Rustls(cause) = error {
        Some(cause)
    } else if let ureq::Error::Io(error) = error {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    } else {
        None
    };
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

const USER_AGENT: &str = concat!("lambda-warden-secret-env/", env!("CARGO_PKG_VERSION"));
