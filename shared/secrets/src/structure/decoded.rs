//! What is encoded: base64 of any other structure, and JSON Web Tokens.

use super::{Found, key};
use crate::{
    classify::Depth,
    features::Features,
    name::{Name, Role},
    placeholder::is_placeholder,
    verdict::{Kind, Verdict},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

/// Padding or not, and bits left over or not: what programs write differs.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn examine(name: &Name, value: &str, depth: Depth) -> Found {
    if let found @ (Found::Secret(_) | Found::Harmless) = web_token(name, value) {
        return found;
    }
    let Some(deeper) = depth.deeper() else { return Found::Nothing };
    let value = ["base64:", "b64:", "BASE64:"].iter().find_map(|prefix| value.strip_prefix(prefix)).unwrap_or(value);
    let value = value.strip_prefix("data:").and_then(|rest| Some(rest.split_once(";base64,")?.1)).unwrap_or(value);
    let Some(bytes) = bytes(value) else { return Found::Nothing };
    if let Some(found) = key::key_in_der(&bytes) {
        return match found {
            key::Key::Private => Found::Secret(Verdict::high(Kind::PRIVATE_KEY)),
            key::Key::Locked => Found::Secret(Verdict::medium(Kind::PRIVATE_KEY)),
            key::Key::Public => Found::Harmless,
        };
    }
    // A key of 32 or 64 bytes begins like a file by chance.
    const LONGEST_KEY: usize = 64;
    if is_file(&bytes) && !(wants_secret(name) && bytes.len() <= LONGEST_KEY) {
        return Found::Harmless;
    }
    let Some(text) = printable(bytes) else { return Found::Nothing };
    let text = text.trim();
    // What Laravel and others encrypt: an initialisation vector, the text, a tag.
    let encrypted = text.starts_with('{')
        && text.contains("\"iv\"")
        && ["\"mac\"", "\"tag\"", "\"ciphertext\""].iter().any(|key| text.contains(key));
    if encrypted {
        return Found::Harmless;
    }
    if let Some(crate::format::Recognised::Secret(verdict)) = crate::format::recognise(Some(name), text) {
        return if is_placeholder(text) { Found::Harmless } else { Found::Secret(verdict) };
    }
    match super::examine(name, text, deeper) {
        found @ Found::Secret(_) => return found,
        Found::Harmless if !wants_secret(name) || is_settings(text) => return Found::Harmless,
        Found::Harmless | Found::Nothing => {}
    }
    if let Some((first, second)) = text.split_once(':') {
        let pair = !first.is_empty()
            && second.len() >= 6
            && !first.contains(char::is_whitespace)
            && !second.contains(char::is_whitespace)
            && !second.starts_with("//");
        let features = Features::of(second);
        let beyond_doubt = features.noise() >= 50 && (10..=80).contains(&second.len()) && first.bytes().all(is_of_user);
        if pair && (wants_secret(name) || beyond_doubt) && !is_placeholder(second) {
            return Found::Secret(Verdict::high(Kind::CREDENTIALS));
        }
    }
    if is_placeholder(text) {
        return Found::Harmless;
    }
    // Readable text in base64 under a name that says nothing is configuration.
    let features = Features::of(text);
    if text.len() >= 12 && features.noise() < 40 && features.words >= 2 && !wants_secret(name) {
        Found::Harmless
    } else {
        Found::Nothing
    }
}

/// Whether it is JSON or lines of names and values with nothing random in them, whatever the name says: settings, or the
/// place where a list goes on.
fn is_settings(text: &str) -> bool {
    const DEEPEST: usize = 16;
    const FEWEST_LINES: usize = 2;
    fn is_plain(json: &Value, levels: usize) -> bool {
        let Some(levels) = levels.checked_sub(1) else { return false };
        match json {
            Value::Object(map) => map.values().all(|value| is_plain(value, levels)),
            Value::Array(list) => list.iter().all(|value| is_plain(value, levels)),
            Value::String(text) => is_calm(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    let is_line = |line: &str| {
        let field = line.split_once([':', '=']);
        line.trim().is_empty()
            || field.is_some_and(|(key, value)| super::fields::is_key(key.trim()) && is_calm(value.trim()))
    };
    if text.starts_with('{') {
        return serde_json::from_str(text).is_ok_and(|json: Value| is_plain(&json, DEEPEST));
    }
    text.lines().count() >= FEWEST_LINES && text.lines().all(is_line)
}

/// Whether nothing in it is random.
fn is_calm(text: &str) -> bool {
    const LEAST_RANDOM: usize = 12;
    text.len() < LEAST_RANDOM || Features::of(text).noise() < 50
}

/// What a user's name consists of.
fn is_of_user(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@')
}

fn wants_secret(name: &Name) -> bool {
    match name.role {
        Role::Password
        | Role::Passphrase
        | Role::Pin
        | Role::Secret
        | Role::Token
        | Role::ApiKey
        | Role::PrivateKey
        | Role::Credential => true,
        Role::Harmless | Role::Neutral | Role::Key => false,
    }
}

/// The bytes behind base64, standard or for URLs, on one line or several.
fn bytes(value: &str) -> Option<Vec<u8>> {
    if value.len() < 12 {
        return None;
    }
    let mut url_safe = false;
    let mut lines = false;
    for byte in value.bytes() {
        match byte {
            b'-' | b'_' => url_safe = true,
            b'\n' | b'\r' => lines = true,
            b'+' | b'/' | b'=' => {}
            byte if byte.is_ascii_alphanumeric() => {}
            _ => return None,
        }
    }
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    if lines {
        let joined: String = value.lines().map(str::trim).collect();
        return engine.decode(joined).ok();
    }
    engine.decode(value).ok()
}

/// The readable text behind base64.
pub(super) fn text(value: &str) -> Option<String> {
    printable(bytes(value)?)
}

fn printable(bytes: Vec<u8>) -> Option<String> {
    let readable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0x80..));
    if !readable { None } else { String::from_utf8(bytes).ok() }
}

/// The beginnings of files that stand in environments: images, archives, fonts, WebAssembly.
fn is_file(bytes: &[u8]) -> bool {
    const MAGIC: &[&[u8]] = &[
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"\x00asm",
        b"%PDF",
        b"wOF",
        b"RIFF",
        b"\x00\x00\x01\x00",
        b"BZh",
        b"\x28\xb5\x2f\xfd",
        b"\x7fELF",
        b"x\x9c",
        b"x\xda",
        b"\xca\xfe\xba\xbe",
        b"Obj\x01",
        b"PAR1",
    ];
    MAGIC.iter().any(|magic| bytes.starts_with(magic)) && bytes.len() >= 20
}

/// A JSON Web Token (RFC 7519): its claims say whether it is meant for browsers. Its signature is not looked at.
fn web_token(name: &Name, value: &str) -> Found {
    if !value.starts_with("eyJ") || value.contains(char::is_whitespace) {
        return Found::Nothing;
    }
    let mut parts = value.split('.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Found::Nothing;
    };
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE.decode(part).ok()?).ok() };
    let Some(header) = read(header) else { return Found::Nothing };
    if header.get("alg").is_none() && header.get("typ").is_none() {
        return Found::Nothing;
    }
    let claims = read(claims).unwrap_or_default();
    let claim = |key: &str| claims.get(key).and_then(Value::as_str).unwrap_or_default();
    // The token that RFCs and jwt.io show.
    let shown = claim("name") == "John Doe" || claim("sub") == "1234567890";
    let unsigned = signature.len() < 16 || header.get("alg").and_then(Value::as_str) == Some("none");
    // Tutorials and development kits come with tokens of their own.
    let shown = shown || ["demo", "example"].iter().any(|word| claim("iss").contains(word));
    let for_browsers = claim("role") == "anon" || name.public;
    if for_browsers || shown || unsigned || is_placeholder(signature) {
        return Found::Harmless;
    }
    let kind = if claim("role") == "service_role" { Kind("supabase-key") } else { Kind::JWT };
    Found::Secret(Verdict::high(kind))
}
