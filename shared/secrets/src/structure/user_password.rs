//! A user and a password with a colon between them, and pgpass lines, where the name says that it is a login.

use super::Found;
use crate::{
    benign,
    candidate::Candidate,
    classify::{Depth, is_labelled_on_both_sides},
    features::is_uuid,
    ids::{is_id, is_ulid},
    name::{Name, Role},
    verdict::{Kind, Verdict},
};
use std::net::IpAddr;

pub(super) fn examine(name: &Name, value: &str, _: Depth) -> Found {
    if value.contains(char::is_whitespace) || value.contains("://") || value.len() > 1024 {
        return Found::Nothing;
    }
    // host:port:database:user:password
    let parts: Vec<&str> = value.splitn(5, ':').collect();
    if let [host, port, _, user, password] = parts.as_slice() {
        let is_port = *port == "*" || (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        if is_port
            && !user.is_empty()
            && (*host == "*" || benign::is_host(host) || host.parse::<IpAddr>().is_ok())
            && password.len() >= 4
        {
            let known = Candidate::new(password).is_placeholder() || password == user;
            return if known { Found::Harmless } else { Found::Secret(Verdict::high(Kind::CREDENTIALS)) };
        }
    }
    let says_login =
        name.words().any(|word| matches!(word, "auth" | "login" | "credential" | "credentials" | "creds" | "basic"));
    if name.role != Role::Credential && !(says_login && name.role == Role::Harmless && value.matches(':').count() == 1)
    {
        return Found::Nothing;
    }
    // `eu-west-1:` and the rest of an identity pool's id.
    if benign::is_cloudformation(value) {
        return Found::Nothing;
    }
    let Some((user, password)) = value.split_once([':', '%']) else { return Found::Nothing };
    // `auth:` and an id under AUTH_CACHE_KEY.
    if name.role == Role::Harmless && is_id(password) {
        return Found::Nothing;
    }
    // `basket:{` and an id: an entry of a cache, whose place in a cluster the braces tell
    // (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags); so is one with a label
    // behind its id.
    let tag = password.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    if tag.is_some_and(|(id, _)| is_id(id)) || (is_labelled_on_both_sides(value) && is_id(password)) {
        return Found::Nothing;
    }
    let is_user = (1..=80).contains(&user.len())
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+\\".contains(&byte));
    let password = Candidate::new(password);
    let nothing = password.len() < 5
        || password.is_placeholder()
        || password.is_elsewhere()
        || password.is_benign()
        || password.eq_ignore_ascii_case(user);
    if is_user && password.is_elsewhere() {
        return Found::Harmless;
    }
    if !is_user || nothing {
        return Found::Nothing;
    }
    let features = password.features();
    let random = features.noise() >= 50 || (features.symbols > 0 && features.digits > 0);
    // `ledger:` and a UUID are a user and a password, or the key of a cache or of a tenant: that takes a look.
    if is_uuid(&password) || is_ulid(&password) || (password.contains(':') && is_id(&password)) {
        return Found::Secret(Verdict::medium(Kind::CREDENTIALS));
    }
    match (random, features.digits > 0 || features.symbols > 0) {
        (true, _) => Found::Secret(Verdict::high(Kind::CREDENTIALS)),
        (false, true) => Found::Secret(Verdict::medium(Kind::CREDENTIALS)),
        (false, false) => Found::Nothing,
    }
}
