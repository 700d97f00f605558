//! What stands in an `Authorization` header: `Bearer ...`, `Basic ...`.

use super::Found;
use crate::{
    judgement::{self, Looking},
    name::Name,
    placeholder::is_placeholder,
    shape::Shape,
    verdict::{Kind, Verdict},
};

pub(super) fn examine(_: &Name, value: &str, looking: Looking) -> Found {
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
        | "apitoken" | "api-token" => bearer(credentials, looking),
        _ => Found::Nothing,
    }
}

fn bearer(credentials: &str, looking: Looking) -> Found {
    if is_placeholder(credentials) {
        return Found::Harmless;
    }
    let found = judgement::part(&Name::read("token"), credentials, looking);
    match found {
        Some(verdict) => Found::Secret(verdict),
        None if judgement::is_elsewhere(credentials) || Shape::of(credentials).noise() < 40 => Found::Nothing,
        None => Found::Secret(Verdict::medium(Kind::TOKEN)),
    }
}

/// A user and a password, in base64 (RFC 7617).
pub(super) fn basic(credentials: &str) -> Found {
    let Some(text) = super::decoded::text(credentials) else {
        let shape = Shape::of(credentials);
        let random = shape.noise() >= 50 && shape.length >= 16 && !is_placeholder(credentials);
        return match (random, shape.length) {
            (false, _) => Found::Nothing,
            (true, 24..) => Found::Secret(Verdict::high(Kind::CREDENTIALS)),
            (true, _) => Found::Secret(Verdict::medium(Kind::CREDENTIALS)),
        };
    };
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() || !password.is_empty() => {
            let secret = if password.is_empty() { user } else { password };
            let known = is_placeholder(secret) || secret.len() < 4;
            if known { Found::Harmless } else { Found::Secret(Verdict::high(Kind::CREDENTIALS)) }
        }
        _ => Found::Nothing,
    }
}
