//! What stands in a function's environment in the place of a secret, and how the start-up layer is called: the contract
//! between the secret-guard, which writes it, the detector, which must not take it for a secret, and the layer
//! `secret-env`, which resolves it.
//!
//! A stripped variable keeps its name and holds `warden-secret:NAME`, NAME being that of a secret in Secrets Manager,
//! in the function's own account and Region. The secret's current version is a JSON object of strings; the variable's
//! own name is the key in it. So a function has one secret however many variables were stripped (a further one only
//! where that has no room for another version), the layer reads it in one call, and a reference costs the 4 KB that
//! Lambda allows an environment only the secret's name:
//!
//! | variable | before | after |
//! |---|---|---|
//! | `DB_PASSWORD` | the password | `warden-secret:warden/pay/1f2e3d4c5b6a` |
//! | `STRIPE_KEY` | the key | `warden-secret:warden/pay/1f2e3d4c5b6a` |
//! | `STAGE` | `prod` | `prod` |
//! | `AWS_LAMBDA_EXEC_WRAPPER` | absent | `/opt/warden/secret-env` |
//!
//! The secret is named without its ARN, which ends in letters that nobody knows before the secret is made, while the
//! plan is written down before that. The version is the current one (`AWSCURRENT`), so that a value rotated in Secrets
//! Manager reaches the function at its next start; the labels that Warden puts on versions are for undo. A published
//! version of the function holds the same references, so a key must stay in the current version for as long as any
//! version of the function refers to it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// The variable by which a managed runtime starts a script in front of itself
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html>).
pub const WRAPPER_VARIABLE: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// The value of that variable: where a function finds the layer's executable. Lambda unpacks layers under `/opt`.
pub const WRAPPER: &str = "/opt/warden/secret-env";

/// What is read of a function's environment before the layer has put any value back, by the layer itself or by the
/// loader that starts it: the way to Secrets Manager, and what runs on it. A reference in one of these cuts the layer
/// off from its value. (What the runtimes read, NODE_OPTIONS say, they read afterwards. Lambda's own AWS_REGION and
/// credentials nobody can set.)
pub const READ_BEFORE: &[&str] = &[
    // The HTTP client's proxy, in both spellings.
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "AWS_CA_BUNDLE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    // The dynamic loader (ld.so(8)).
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    // Lambda, which starts the layer by it.
    WRAPPER_VARIABLE,
];

/// What the names of all of Warden's secrets begin with; permissions end there.
pub const SECRETS: &str = "warden/";

/// What a reference begins with.
const SCHEME: &str = "warden-secret:";

/// The longest name that Secrets Manager takes
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>).
const LONGEST: usize = 512;

/// A text that is not of Warden's making. It may be a secret, so it is not part of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefError {
    /// It is no secret's name.
    #[error("the text (not shown) is not the name of a secret of Warden's")]
    SecretName,
    /// It is no reference.
    #[error("the text (not shown) is not a reference of Warden's")]
    Reference,
}

/// The name of a secret that Warden stores: `warden/` and then letters, digits and `/_+=.@-`, at most 512 characters in
/// all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// The secret's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        match text.strip_prefix(SECRETS) {
            Some(rest) if !rest.is_empty() && text.len() <= LONGEST && rest.bytes().all(allowed) => {
                Ok(SecretName(text.to_owned()))
            }
            Some(_) | None => Err(SecretRefError::SecretName),
        }
    }
}

impl SecretName {
    /// The function whose secret it is, where the name says so: `warden/FUNCTION/...`.
    pub fn function(&self) -> Option<&str> {
        self.0.strip_prefix(SECRETS)?.split('/').next()
    }
}

/// The text of a secret as the one value that somebody has put there in the place of the JSON object, in a console say:
/// for the one variable that refers to it. None where it looks like JSON: a broken object is no value, and holds other
/// variables' too. One line end at its end, which
/// `echo` leaves there, is no part of it.
pub fn plain(text: &str) -> Option<&str> {
    let value = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    let is_json = text.trim_start().starts_with(['{', '[', '"']);
    (!is_json && !value.is_empty()).then_some(value)
}

/// What a stripped variable holds: the whole of its value is `warden-secret:` and the secret's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub SecretName);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

impl FromStr for Reference {
    type Err = SecretRefError;

    fn from_str(text: &str) -> Result<Self, SecretRefError> {
        let name = text.strip_prefix(SCHEME).ok_or(SecretRefError::Reference)?;
        name.parse().map(Reference).map_err(|_| SecretRefError::Reference)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(SecretName, Reference);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_reference: bool) {
        match text.parse::<Reference>() {
            Ok(reference) => {
                assert!(is_reference, "{text}");
                assert_eq!(reference.to_string(), text);
            }
            Err(error) => {
                assert!(!is_reference, "{text}");
                assert_eq!(error.to_string(), "the text (not shown) is not a reference of Warden's");
            }
        }
    }

    #[test]
    fn a_reference_is_read_back_and_nothing_else_is_one() {
        check("warden-secret:warden/pay/1f2e3d4c5b6a", true);
        check("warden-secret:warden/a+b=c_d.e@f-g", true);
        for other in [
            "",
            "warden-secret:",
            "warden-secret:warden/",
            "warden-secret:shop/pay",
            "warden-secret:warden/a b",
            "warden-secret:warden/pay\n",
            " warden-secret:warden/pay",
            "Warden-Secret:warden/pay",
            "warden/pay",
            "postgres://app:warden-secret:warden/pay@db",
        ] {
            check(other, false);
        }
    }

    #[test]
    fn a_secret_says_whose_it_is() {
        let name: SecretName = "warden/pay/1f2e3d4c5b6a".parse().unwrap();
        assert_eq!(name.function(), Some("pay"));
    }

    #[test]
    fn a_plain_text_is_a_value_and_what_looks_like_json_is_none() {
        for (text, value) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("two\nlines\n\n", "two\nlines\n"),
            ("12345", "12345"),
            ("null", "null"),
            (" ", " "),
        ] {
            assert_eq!(plain(text), Some(value));
        }
        for text in ["", "\n", "{}", "{\"A\": \"1\"", " {broken", "[1]", "\"quoted\"", "\n{\"A\": 7}"] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_as_long_as_secrets_manager_allows() {
        let longest = format!("{SECRETS}{}", "x".repeat(LONGEST - SECRETS.len()));
        check(&format!("{SCHEME}{longest}"), true);
        check(&format!("{SCHEME}{longest}x"), false);
    }
}
