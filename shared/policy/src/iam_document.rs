//! Policies as IAM sends them: URL-encoded.

use crate::DocumentError;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The JSON text of a document as IAM sends it: GetRolePolicy, GetPolicyVersion and the trust policy in GetRole come
/// URL-encoded after RFC 3986
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>), Lambda's GetPolicy does not.
/// Text that already is JSON comes back as it is: there a `%2F` is part of a value.
///
/// # Errors
///
/// [`DocumentError`] when the decoded bytes are not UTF-8.
pub fn decode(text: &str) -> Result<Cow<'_, str>, DocumentError> {
    if text.trim_start().starts_with('{') {
        return Ok(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| DocumentError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_document_is_decoded_once_and_a_plain_one_never() {
        assert_eq!(decode("%7B%22Id%22%3A%22a%252Fb%22%7D").unwrap(), r#"{"Id":"a%2Fb"}"#);
        assert_eq!(decode(r#" {"Id":"a%2Fb"}"#).unwrap(), r#" {"Id":"a%2Fb"}"#);
        // RFC 3986, not a form: a plus sign is a plus sign.
        assert_eq!(decode("%7B%22Id%22%3A%22a+b%22%7D").unwrap(), r#"{"Id":"a+b"}"#);
        assert!(decode("%FF%FE").is_err());
    }
}
