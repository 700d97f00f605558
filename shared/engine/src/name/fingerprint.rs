//! Hashes of canonical JSON, by which content is told apart.

use super::{NameError, as_text};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The SHA-256 of a JSON value in its canonical form (RFC 8785), so that neither white space nor the order of keys
/// counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of any JSON value.
    pub fn of(value: &Value) -> Fingerprint {
        Fingerprint(Sha256::digest(canonical(value).as_bytes()).into())
    }
}

/// A JSON value as canonical text (RFC 8785).
pub fn canonical(value: &Value) -> String {
    // A `Value` holds no NaN and only string keys, which is all that canonicalisation can refuse.
    serde_json_canonicalizer::to_string(value).unwrap_or_else(|_| value.to_string())
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NameError::new(text, "a SHA-256 in hexadecimal"))?;
        Ok(Fingerprint(bytes))
    }
}

as_text!(Fingerprint);
