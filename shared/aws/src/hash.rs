//! The key for hashes of environment values. KMS holds the key that it is made from, so that nobody but the guard of
//! secrets and the operator can try out guesses against the hashes in the ledger.

use crate::{Aws, key::DerivedKey, secrets_manager::no_name};
use hmac::Mac;
use warden_engine::{
    call_error::CallError,
    name::lambda::FunctionArn,
    secret::environment::KeyedHash,
    secret_ref::{SECRETS, SecretName},
};

/// What KMS is asked to authenticate. One call serves all environments that a process sees, and no value leaves it.
const MESSAGE: &[u8] = b"lambda-warden: key for the hashes of environment values, 1";

/// How many secrets a function can have. Each takes the values of some 17 remediations.
const MOST_SECRETS: u32 = 16;

/// The key.
#[derive(Debug)]
pub struct HashKey(DerivedKey);

impl HashKey {
    fn mac(&self, what: &[u8], text: &str) -> [u8; 16] {
        let mut half = [0; 16];
        let mac = self.0.mac(&[what, text.as_bytes()]).finalize().into_bytes();
        half.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        half
    }

    /// The hash of a value.
    pub fn hash(&self, value: &str) -> KeyedHash {
        KeyedHash(self.mac(b"value:", value))
    }

    /// What the whole account knows a value by. It stands beside no name but the one that the value was taken out of,
    /// so that nobody finds the one of a value that was never taken out in the ledger: see
    /// [`warden_engine::secret::known_secret`].
    pub fn known(&self, value: &str) -> KeyedHash {
        KeyedHash(self.mac(b"known:", value))
    }

    /// The names of the secrets that hold what is taken out of a function's environment, in the order in which they are
    /// filled. They end in letters that nobody can guess: a secret of such a name cannot have been laid there by
    /// somebody who waits for its values.
    ///
    /// # Errors
    /// Never for a function's name.
    pub fn secrets(&self, function: &FunctionArn) -> Result<Vec<SecretName>, CallError> {
        let name = |number: u32| {
            let whose = if number == 1 { function.to_string() } else { format!("{function}#{number}") };
            let tail: String = self.mac(b"secret:", &whose).iter().take(6).map(|b| format!("{b:02x}")).collect();
            format!("{SECRETS}{}/{tail}", function.name()).parse().map_err(|_| no_name(function))
        };
        (1..=MOST_SECRETS).map(name).collect()
    }
}

impl Aws {
    /// The key for hashes, made once for a process.
    ///
    /// # Errors
    /// What KMS answered.
    pub async fn hash_key(&self) -> Result<&HashKey, CallError> {
        self.hashes.get_or_try_init(async || self.derive_key(&self.hash_key, MESSAGE).await.map(HashKey)).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A key for tests.
    pub(crate) fn key() -> HashKey {
        HashKey(DerivedKey::of(7))
    }

    /// The first half of what OpenSSL gives: `printf value:hunter2 | openssl dgst -sha256 -mac HMAC -macopt
    /// hexkey:0707...`.
    #[test]
    fn the_hash_is_hmac_sha_256() {
        assert_eq!(key().hash("hunter2").to_string(), "hmac:517867f3b22f4f30efc5186beb7f8cd9");
    }

    #[test]
    fn the_same_value_has_the_same_hash_and_another_key_another_one() {
        assert_eq!(key().hash("hunter2"), key().hash("hunter2"));
        assert_ne!(key().hash("hunter2"), key().hash("hunter3"));
        assert_ne!(key().hash("hunter2"), HashKey(DerivedKey::of(8)).hash("hunter2"));
        // What stands in digests is no help to whoever wants to make a value known.
        assert_ne!(key().hash("hunter2"), key().known("hunter2"));
    }

    #[test]
    fn a_secret_is_named_after_its_function_and_cannot_be_guessed() {
        let function: FunctionArn = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let other: FunctionArn = "arn:aws:lambda:eu-west-1:111122223333:function:pay".parse().unwrap();
        let names = key().secrets(&function).unwrap();
        for name in &names {
            assert!(name.as_str().starts_with("warden/pay/"), "{name}");
            assert_eq!(name.as_str().len(), "warden/pay/".len() + 12);
        }
        let all: BTreeSet<_> = names.iter().collect();
        assert_eq!(all.len(), 16);
        assert!(key().secrets(&other).unwrap().iter().all(|name| !all.contains(name)));
        assert!(HashKey(DerivedKey::of(8)).secrets(&function).unwrap().iter().all(|name| !all.contains(name)));
    }

    #[test]
    fn the_key_does_not_print() {
        assert_eq!(format!("{:?}", key()), "HashKey(DerivedKey([redacted]))");
    }
}
