//! Keys in memory that are derived from HMAC keys in KMS: one call for a process, and whatever is authenticated with
//! them costs no call at all.

use crate::{Aws, error::classify_redacted};
use aws_sdk_kms::{primitives::Blob, types::MacAlgorithmSpec};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use warden_engine::call_error::{CallError, ErrorKind};
use zeroize::Zeroizing;

/// A key; in memory only, and overwritten at the end.
pub(crate) struct DerivedKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey([redacted])")
    }
}

impl DerivedKey {
    /// A key for tests.
    #[cfg(test)]
    pub(crate) fn of(byte: u8) -> DerivedKey {
        DerivedKey(Zeroizing::new([byte; 32]))
    }

    /// HMAC-SHA-256 of `parts`, one after the other.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // A key that fills a block of SHA-256 is taken as it is, and a shorter one filled up with zeros (RFC 2104):
        // given as a block, it cannot be refused.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(self.0.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl Aws {
    /// Has KMS authenticate `message` with the key `id`: the answer is the derived key (HMAC as a key derivation
    /// function, NIST SP 800-108).
    pub(crate) async fn derive_key(&self, id: &str, message: &[u8]) -> Result<DerivedKey, CallError> {
        let request = self.kms().generate_mac().key_id(id).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        let answer = request.message(Blob::new(message)).send().await;
        let answer = answer.map_err(|error| classify_redacted("GenerateMac", id, error))?;
        let key = answer.mac.map(|mac| Zeroizing::new(mac.into_inner()));
        let key = key.and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok()).ok_or_else(|| CallError {
            kind: ErrorKind::Retry,
            operation: "GenerateMac",
            target: id.to_owned(),
            message: "the answer holds no MAC".into(),
        })?;
        Ok(DerivedKey(Zeroizing::new(key)))
    }
}
