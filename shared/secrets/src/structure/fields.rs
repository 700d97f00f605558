//! Named fields: connection strings, properties, `.env` files, YAML, cookies, HTTP headers.

use super::{Found, url::percent_decoded};
use crate::{
    classify::{self, Depth},
    format,
    ids::{is_digest, is_id, is_opaque_id},
    name::{Name, Role},
    placeholder::is_placeholder,
    verdict::{Confidence, Kind, Verdict, surest},
};

pub(super) fn examine(name: &Name, value: &str, depth: Depth) -> Found {
    let value = value.strip_prefix("jdbc:").unwrap_or(value);
    // Python's notation, and JavaScript's.
    let value = if value.starts_with(['{', '[']) { value.trim_matches(['{', '}', '[', ']']) } else { value };
    let Some(separator) = separator(value) else { return single(name, value, depth) };
    let mut fields = 0;
    let mut others = 0;
    let mut connection = false;
    let verdicts = value.split(separator).filter_map(|field| {
        let field = field.trim().trim_start_matches("export ").trim_start_matches("- ");
        if field.is_empty() || field.starts_with('#') {
            return None;
        }
        let Some((key, value)) = key_and_value(field) else {
            others += 1;
            return None;
        };
        fields += 1;
        connection |= is_server(key);
        under(Name::read(key).or_of(name), key, value, depth)
    });
    let found = surest(verdicts);
    let found = found.map(|verdict| {
        if connection && verdict.kind == Kind::PASSWORD {
            Verdict { kind: Kind::DATABASE_URL, ..verdict }
        } else {
            verdict
        }
    });
    match found {
        Some(verdict) => Found::Secret(verdict),
        None if fields >= 2 && fields > others => Found::Harmless,
        None => Found::Nothing,
    }
}

/// What stands between the fields.
fn separator(value: &str) -> Option<fn(char) -> bool> {
    let fields = |separator: char| value.contains(separator) && value.contains(['=', ':']);
    if fields('\n') {
        return Some(|letter| letter == '\n');
    }
    if value.contains("\\n") && value.contains(['=', ':']) {
        return Some(|letter| matches!(letter, '\\'));
    }
    if fields(';') {
        return Some(|letter| letter == ';');
    }
    if value.matches('=').count() >= 2 || value.matches(':').count() >= 2 {
        if fields('&') {
            return Some(|letter| letter == '&' || letter == '?');
        }
        // The `=` at the end of base64 is none between a name and a value.
        let is_field = |word: &&str| word.split_once('=').is_some_and(|(_, value)| !value.trim_matches('=').is_empty());
        if fields(' ') && !value.contains(", ") && value.split_whitespace().filter(is_field).count() >= 2 {
            return Some(char::is_whitespace);
        }
        if fields(',') {
            return Some(|letter| letter == ',');
        }
        if fields('|') {
            return Some(|letter| letter == '|');
        }
    }
    None
}

/// What a program puts before an id to make the key of an item or a cache: `session:`, `access_token:`.
fn is_prefix(key: &str) -> bool {
    let role = Name::read(key).role;
    !matches!(role, Role::Password | Role::Passphrase | Role::Pin | Role::Secret | Role::PrivateKey)
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && !matches!(key, "authorization" | "sig" | "signature")
}

/// One field alone: `//registry.npmjs.org/:_authToken=...`, `Authorization: Bearer ...`, `password=...`.
fn single(name: &Name, value: &str, depth: Depth) -> Found {
    let Some((key, text)) = key_and_value(value) else { return Found::Nothing };
    // `session:` and an id is the key of a cache, or its beginning.
    let in_one = value.strip_prefix(key).and_then(|rest| rest.strip_prefix(':')) == Some(text);
    if in_one && !key.contains(['_', ' ', '.']) && Name::read(key).role != Role::Password && is_id(text) {
        return Found::Nothing;
    }
    if in_one && is_prefix(key) && is_opaque_id(text) && format::find_within(value).is_none() {
        let says_nothing = matches!(name.role, Role::Harmless | Role::Neutral | Role::Key);
        return if says_nothing { Found::Harmless } else { Found::Nothing };
    }
    // `ghcr.io/harbour/token:sha-...` is an image and its tag.
    if in_one && key.contains('/') && !key.starts_with('/') && is_digest(text) {
        return Found::Harmless;
    }
    match one(key, text, depth) {
        Some(verdict) => Found::Secret(verdict),
        None => Found::Nothing,
    }
}

fn key_and_value(field: &str) -> Option<(&str, &str)> {
    let equals = field.find('=');
    let colon = field.find(':').filter(|at| {
        field.get(at + 1..).is_some_and(|rest| rest.starts_with([' ', '"', '\'']) || !rest.starts_with("//"))
    });
    let npm = field.starts_with("//");
    let at = match (equals, colon) {
        (Some(equals), Some(colon))
            if colon < equals && !npm && field.get(colon + 1..).is_some_and(|rest| rest.starts_with(' ')) =>
        {
            colon
        }
        (Some(equals), _) => equals,
        (None, colon) => colon?,
    };
    let (key, value) = field.split_at_checked(at)?;
    let key = unquoted(key.trim());
    let key = key.trim_start_matches("jdbc:").rsplit(['?', '{']).next().unwrap_or(key).trim_matches(['"', '\'', ' ']);
    let value = value.get(1..)?.trim().trim_end_matches(',');
    let value = if value.contains('{') { value } else { value.trim_end_matches('}') };
    let value = unquoted(value.trim());
    is_key(key).then_some((key, value))
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inside;
        }
    }
    text
}

/// What a field may be called.
pub(crate) fn is_key(key: &str) -> bool {
    (1..=120).contains(&key.len())
        && key.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '/' | '$' | '-'))
        && key.chars().all(|letter| {
            letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ' ' | '/' | ':' | '$' | '@')
        })
        && key.matches(' ').count() <= 3
}

fn is_server(key: &str) -> bool {
    matches!(
        key.to_ascii_lowercase().as_str(),
        "server"
            | "host"
            | "data source"
            | "datasource"
            | "uid"
            | "user id"
            | "userid"
            | "dbname"
            | "database"
            | "initial catalog"
            | "hostname"
            | "driver"
            | "address"
            | "addr"
    )
}

/// The verdict about a field. What a field calls a password is one, weak or not.
pub(super) fn one(key: &str, value: &str, depth: Depth) -> Option<Verdict> {
    under(Name::read(key), key, value, depth)
}

fn under(name: Name, key: &str, value: &str, depth: Depth) -> Option<Verdict> {
    let value = value.strip_prefix('{').and_then(|value| value.strip_suffix('}')).unwrap_or(value);
    if value.len() < 3 || is_placeholder(value) || (value.starts_with('%') && is_placeholder(&percent_decoded(value))) {
        return None;
    }
    let name = match (name.role, key.to_ascii_lowercase().as_str()) {
        (_, "authorization" | "proxy-authorization") => {
            return match super::header::examine(&name, value.replace("%20", " ").as_str(), depth) {
                Found::Secret(verdict) => Some(verdict),
                Found::Nothing | Found::Harmless => classify::part(&Name::read("token"), value, depth),
            };
        }
        // The signature of an Azure SAS, which is of use without its URL too.
        (_, "sig" | "signature") if value.len() >= 40 && value.contains('%') => {
            return Some(Verdict::high(Kind::URL_CREDENTIAL));
        }
        // npm's own tokens of old are UUIDs.
        (_, key) if key.ends_with(":_authtoken") && value.len() >= 20 => return Some(Verdict::high(Kind::TOKEN)),
        (
            Role::Neutral,
            "x-honeycomb-team" | "sid" | "connect.sid" | "session_id" | "sessionid" | "x-api-key" | "api-key",
        ) => Name::read("token"),
        _ => name,
    };
    let verdict = classify::part(&name, value, depth)?;
    let is_password = name.role == Role::Password
        && verdict.kind == Kind::PASSWORD
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && !classify::says_password(value);
    Some(if is_password { Verdict { confidence: Confidence::High, ..verdict } } else { verdict })
}
