//! Keys in PEM, in DER, as PuTTY writes them, and certificates.

use super::Found;
use crate::{
    classify::Depth,
    name::Name,
    verdict::{Kind, Verdict},
};

/// What sort of key a piece of text or a few bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Private,
    /// Private, but encrypted with a passphrase.
    Locked,
    Public,
}

pub(super) fn examine(_: &Name, value: &str, _: Depth) -> Found {
    match key_in(value) {
        Some(Key::Private) => Found::Secret(Verdict::high(Kind::PRIVATE_KEY)),
        Some(Key::Locked) => Found::Secret(Verdict::medium(Kind::PRIVATE_KEY)),
        Some(Key::Public) => Found::Harmless,
        None => Found::Nothing,
    }
}

/// The key in a text: PEM (RFC 7468), also with its line ends escaped or lost; PuTTY. A private one counts before a
/// public one.
pub(crate) fn key_in(text: &str) -> Option<Key> {
    const BEGIN: &str = "-----BEGIN ";
    if !text.contains("-----BEGIN") {
        return text.starts_with("PuTTY-User-Key-File-").then_some(Key::Private);
    }
    let mut best = None;
    for block in text.split(BEGIN).skip(1) {
        let Some((label, body)) = block.split_once("-----") else { continue };
        let body = body.split("-----END").next().unwrap_or_default();
        let characters = body.bytes().filter(u8::is_ascii_alphanumeric).count();
        let key = if (label.contains("PRIVATE KEY") || label.contains("OpenVPN Static key"))
            && !crate::placeholder::is_template(body)
            && characters >= 40
        {
            let locked = label.contains("ENCRYPTED") || body.contains("ENCRYPTED");
            if locked { Key::Locked } else { Key::Private }
        } else {
            Key::Public
        };
        best = Some(match (best, key) {
            (Some(Key::Private), _) | (_, Key::Private) => Key::Private,
            (Some(Key::Locked), _) | (_, Key::Locked) => Key::Locked,
            (_, Key::Public) => Key::Public,
        });
    }
    best
}

/// The key in DER (X.690): PKCS#8, PKCS#1, SEC 1 and PKCS#12 hold private keys; a certificate or a SubjectPublicKeyInfo
/// a public one.
pub(super) fn key_in_der(bytes: &[u8]) -> Option<Key> {
    let content = sequence(bytes)?;
    match content {
        // A version, then an algorithm (PKCS#8) or a modulus of some length (PKCS#1).
        [0x02, 0x01, 0x00, 0x30, ..] | [0x02, 0x01, 0x00, 0x02, ..] | [0x02, 0x01, 0x01, 0x30, ..] => {
            Some(Key::Private)
        }
        // Version 1, then the key as octets (SEC 1).
        [0x02, 0x01, 0x01, 0x04, ..] => Some(Key::Private),
        // Version 3, then the contents (PKCS#12).
        [0x02, 0x01, 0x03, 0x30, ..] => Some(Key::Private),
        // An algorithm, then a bit string; or a certificate, which begins with a sequence of its own.
        [0x30, ..] => {
            Some(if sequence(content)?.starts_with(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05]) {
                Key::Locked
            } else {
                Key::Public
            })
        }
        _ => None,
    }
}

/// What is in a SEQUENCE, if the bytes are one and its length fits.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match bytes {
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    (content.len() >= length && length >= 16).then_some(content)
}
