//! Proofs by an HMAC key in KMS: the operator role alone may generate them, the guards may verify them, nobody can read
//! the key.

use crate::{Aws, error::classify};
use aws_sdk_kms::{primitives::Blob, types::MacAlgorithmSpec};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ports::Attestor,
};

/// Text in which a MAC is kept.
fn encode(mac: &[u8]) -> String {
    aws_smithy_types::base64::encode(mac)
}

impl Attestor for Aws {
    async fn sign(&self, message: &[u8]) -> Result<String, CallError> {
        let request = self.kms().generate_mac().key_id(&self.key).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        let answer = request.message(Blob::new(message)).send().await;
        let answer = answer.map_err(|error| classify("GenerateMac", &self.key, error))?;
        answer.mac.map(|mac| encode(mac.as_ref())).ok_or_else(|| CallError {
            kind: ErrorKind::Retry,
            operation: "GenerateMac",
            target: self.key.clone(),
            message: "the answer holds no MAC".into(),
        })
    }

    async fn holds(&self, message: &[u8], proof: &str) -> Result<bool, CallError> {
        let Ok(mac) = aws_smithy_types::base64::decode(proof) else { return Ok(false) };
        // KMS refuses an empty MAC as malformed.
        if mac.is_empty() {
            return Ok(false);
        }
        let request = self.kms().verify_mac().key_id(&self.key).mac_algorithm(MacAlgorithmSpec::HmacSha256);
        match request.message(Blob::new(message)).mac(Blob::new(mac)).send().await {
            Ok(answer) => Ok(answer.mac_valid),
            Err(error) => {
                let invalid = error.as_service_error().is_some_and(|error| error.is_kms_invalid_mac_exception());
                if invalid { Ok(false) } else { Err(classify("VerifyMac", &self.key, error)) }
            }
        }
    }
}
