//! What stands in an `Authorization` header: `Bearer ...`, `Basic ...`.

use super::Found;
use crate::{
    candidate::Candidate,
    classify::{self, Depth},
    name::Name,
    verdict::{Kind, Verdict},
};

pub(super) fn examine(_: &Name, value: &str, depth: Depth) -> Found {
    let Some((scheme, credentials)) = value.split_once(' ') else { return Found::Nothing };
    let credentials = credentials.trim();
    if credentials.contains(char::is_whitespace) || credentials.len() < 8 {
        return Found::Nothing;
    }
    let scheme = scheme.to_ascii_lowercase();
    match scheme.trim_end_matches(':') {
        "basic" => basic(credentials),
        "bearer" | "token" | "apikey" | "api-key" | "ssws" | "key" | "jwt" | "bot" | "genie" | "genieкey"
        | "geniekey" | "privatekey" | "snowflake" | "splunk" | "pve" | "zoho-oauthtoken" | "oauth" | "accesskey"
        | "apitoken" | "api-token" => bearer(credentials, depth),
        _ => Found::Nothing,
    }
}

fn bearer(credentials: &str, depth: Depth) -> Found {
    let credentials = Candidate::new(credentials);
    if credentials.is_placeholder() {
        return Found::Harmless;
    }
    let found = classify::part(&Name::read("token"), &credentials, depth);
    match found {
        Some(verdict) => Found::Secret(verdict),
        None if credentials.is_elsewhere() || credentials.features().noise() < 40 => Found::Nothing,
        None => Found::Secret(Verdict::medium(Kind::TOKEN)),
    }
}

/// A user and a password, in base64 (RFC 7617).
pub(super) fn basic(credentials: &str) -> Found {
    let Some(text) = super::decoded::text(credentials) else {
        let credentials = Candidate::new(credentials);
        let features = credentials.features();
        let random = features.noise() >= 50 && features.length >= 16 && !credentials.is_placeholder();
        return match (random, features.length) {
            (false, _) => Found::Nothing,
            (true, 24..) => Found::Secret(Verdict::high(Kind::CREDENTIALS)),
            (true, _) => Found::Secret(Verdict::medium(Kind::CREDENTIALS)),
        };
    };
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() || !password.is_empty() => {
            let secret = if password.is_empty() { user } else { password };
            let known = Candidate::new(secret).is_placeholder() || secret.len() < 4;
            if known { Found::Harmless } else { Found::Secret(Verdict::high(Kind::CREDENTIALS)) }
        }
        _ => Found::Nothing,
    }
}
