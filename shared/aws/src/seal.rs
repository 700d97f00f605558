//! The seal on each item of the ledger: a MAC that guards and operator alone can make, so that whoever may merely write
//! to the table commands nobody. Why it is so: docs/decisions.

use crate::{Aws, key::DerivedKey};
use hmac::Mac;
use warden_engine::call_error::CallError;

/// What KMS is asked to authenticate.
const MESSAGE: &[u8] = b"lambda-warden: key for the seals of the ledger's items, 1";

/// The length of a seal's text: 32 bytes in base64.
pub(crate) const SEAL_LENGTH: usize = 44;

/// What a seal covers: the whole item, and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    pub(crate) table: &'a str,
    pub(crate) pk: &'a str,
    pub(crate) sk: &'a str,
    /// The name of the attribute that holds the body.
    pub(crate) kind: &'a str,
    pub(crate) version: u64,
    /// The attribute's text.
    pub(crate) body: &'a str,
}

/// The key that seals are made with.
#[derive(Debug)]
pub(crate) struct SealKey(DerivedKey);

impl SealKey {
    /// A key for tests.
    #[cfg(test)]
    pub(crate) fn of(byte: u8) -> SealKey {
        SealKey(DerivedKey::of(byte))
    }

    fn mac(&self, item: Sealed<'_>) -> impl Mac {
        let Sealed { table, pk, sk, kind, version, body } = item;
        let version = version.to_string();
        let lengths: Vec<[u8; 8]> =
            [table, pk, sk, kind, &version, body].iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        // Each part after its length: no two items have the same bytes.
        let parts: Vec<&[u8]> = [table, pk, sk, kind, &version, body]
            .iter()
            .zip(&lengths)
            .flat_map(|(part, length)| [length.as_slice(), part.as_bytes()])
            .collect();
        self.0.mac(&parts)
    }

    /// The seal, as the item shows it.
    pub(crate) fn seal(&self, item: Sealed<'_>) -> String {
        aws_smithy_types::base64::encode(self.mac(item).finalize().into_bytes())
    }

    /// Whether `seal` is the item's.
    pub(crate) fn holds(&self, item: Sealed<'_>, seal: &str) -> bool {
        // In constant time.
        aws_smithy_types::base64::decode(seal).is_ok_and(|seal| self.mac(item).verify_slice(&seal).is_ok())
    }
}

impl Aws {
    /// The key for seals, made once for a process.
    pub(crate) async fn seal_key(&self) -> Result<&SealKey, CallError> {
        self.seals.get_or_try_init(async || self.derive_key(&self.seal_key, MESSAGE).await.map(SealKey)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Sealed<'static> =
        Sealed { table: "w-ledger", pk: "arn:a", sk: "head", kind: "head", version: 7, body: "{\"records\":1}" };

    #[test]
    fn a_seal_holds_for_the_very_item_that_it_was_made_for() {
        let key = SealKey(DerivedKey::of(7));
        let seal = key.seal(ITEM);
        assert!(key.holds(ITEM, &seal));
        assert_eq!(seal.len(), SEAL_LENGTH);
        let others = [
            Sealed { table: "w-ledger2", ..ITEM },
            Sealed { pk: "arn:b", ..ITEM },
            Sealed { sk: "state#trust", ..ITEM },
            Sealed { kind: "state", ..ITEM },
            Sealed { version: 8, ..ITEM },
            Sealed { body: "{\"records\":2}", ..ITEM },
            // The same text, cut elsewhere.
            Sealed { pk: "arn:ah", sk: "ead", ..ITEM },
        ];
        for other in others {
            assert!(!key.holds(other, &seal), "{other:?}");
        }
        assert!(!SealKey(DerivedKey::of(8)).holds(ITEM, &seal));
    }

    #[test]
    fn what_is_no_seal_does_not_hold() {
        let key = SealKey(DerivedKey::of(7));
        let half = key.seal(ITEM).chars().take(20).collect::<String>();
        for seal in ["", "AA==", "not base64", half.as_str()] {
            assert!(!key.holds(ITEM, seal), "{seal}");
        }
    }

    #[test]
    fn the_key_does_not_print() {
        assert_eq!(format!("{:?}", SealKey(DerivedKey::of(7))), "SealKey(DerivedKey([redacted]))");
    }
}
