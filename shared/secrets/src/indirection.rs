//! Layer 0: where a secret is, and secrets that are encrypted, instead of secrets.

use crate::{features::Features, words::REFERENCE_SCHEMES};
use base64::Engine as _;
use warden_secret_ref::Reference;

/// Whether the value says where a secret is to be had.
pub(crate) fn is_reference(value: &str) -> bool {
    const STARTS: Starts = Starts::of(&[
        "{{resolve:",
        "ref+",
        "/run/secrets/",
        "gcp-secret",
        "env.",
        "@Microsoft.KeyVault(",
        "@AppSettings",
        "!var",
        "alias/",
        "mrk-",
        "doppler-",
        // Secrets that AWS's services manage have their service's name before an exclamation mark
        // (https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html).
        "rds!",
        "redshift!",
        "events!",
        "ecs-sc!",
        "appflow!",
        "databrew!",
        "datasync!",
        "directconnect!",
        "marketplace-deployment!",
        "opsworks-cm!",
        "sqlworkbench!",
    ]);
    if STARTS.begin(value) {
        return true;
    }
    let in_project = value.starts_with("projects/") && (value.contains("/secrets/") || value.contains("/cryptoKeys/"));
    let in_azure = value.starts_with("https://")
        && (value.contains(".vault.azure.net/") || value.contains(".managedhsm.azure.net/"));
    // The name of a property, not one with its value.
    let of_spring = value.starts_with("spring.") && !value.contains('=');
    let wardens_own = value.parse::<Reference>().is_ok();
    wardens_own || of_spring || in_project || in_azure || has_scheme(value)
}

/// Whether it begins like `ssm:` or `op://`. What follows may be a password all the same, behind a user called `pass`.
fn has_scheme(value: &str) -> bool {
    const LONGEST: usize = 20;
    let Some(at) = value.bytes().take(LONGEST).position(|byte| byte == b':') else { return false };
    let Some((scheme, rest)) = value.split_at_checked(at) else { return false };
    if !REFERENCE_SCHEMES.contains_lowercased(scheme.as_bytes()) {
        return false;
    }
    let rest = rest.trim_start_matches(':');
    if scheme == "arn" || rest.starts_with("//") {
        return true;
    }
    let features = Features::of(rest);
    let of_signs = features.symbols > 0 && !rest.contains(['#', '@', '?', '$', '[', ',']);
    features.longest_noise < 20 && !of_signs
}

/// Beginnings of values, and the bytes that these begin with: most values are no match by their first.
pub(crate) struct Starts {
    firsts: u128,
    starts: &'static [&'static str],
}

impl Starts {
    pub(crate) const fn of(starts: &'static [&'static str]) -> Self {
        let mut firsts = 0;
        let mut rest = starts;
        while let Some((start, after)) = rest.split_first() {
            if let Some(first) = start.as_bytes().first() {
                assert!(first.is_ascii(), "checked when it is compiled");
                firsts |= 1u128 << (*first & 0x7f);
            }
            rest = after;
        }
        Self { firsts, starts }
    }

    /// Whether the value begins with one of them.
    pub(crate) fn begin(&self, value: &str) -> bool {
        self.may_begin(value) && self.starts.iter().any(|start| value.starts_with(start))
    }

    /// The same, in small letters or capitals. The beginnings are in small letters.
    fn begin_in_any_case(&self, value: &str) -> bool {
        let first = value.as_bytes().first().map_or(0, u8::to_ascii_lowercase);
        let head = |start: &str| {
            value.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        };
        self.has(first) && self.starts.iter().any(|start| head(start))
    }

    fn may_begin(&self, value: &str) -> bool {
        value.as_bytes().first().is_some_and(|first| self.has(*first))
    }

    const fn has(&self, first: u8) -> bool {
        first.is_ascii() && self.firsts & (1u128 << (first & 0x7f)) != 0
    }
}

/// Whether the value is ciphertext, by its header: who reads it has nothing yet.
pub(crate) fn is_ciphertext(value: &str) -> bool {
    const STARTS: Starts = Starts::of(&[
        "enc[",
        "enc(",
        "vault:v",
        "encrypted:",
        "{cipher}",
        "{aes}",
        "$ansible_vault;",
        "-----begin age encrypted file-----",
        "-----begin pgp message-----",
        "!vault",
        "sops:",
        "enc:",
        "kms:",
        "crypt:v",
        "secure:",
        "{enc}",
        "ej[1:",
        "age-encryption.org/v1",
        "cipher:",
        "{xor}",
        "crypt:",
        "ciphertext:",
        "aws-encryption:",
    ]);
    if STARTS.begin_in_any_case(value) {
        return true;
    }
    // KMS: 01 02 02 00 78, 01 02 01 00 78 or, of a data key, 01 02 03 00 78; the AWS Encryption SDK: version and type;
    // OpenSSL's `Salted__`; Fernet's version and time; Google Cloud KMS: the field and length of the key's name; Sealed
    // Secrets: the length of a wrapped RSA key.
    const HEADS: &[(&str, usize)] = &[
        ("AQICAH", 100),
        ("AQIBAH", 100),
        ("AQIDAH", 100),
        ("AQECAH", 100),
        ("AYAD", 100),
        ("AYAB", 100),
        ("AgV4", 100),
        ("AYADe", 60),
        ("U2FsdGVkX1", 20),
        ("gAAAAAB", 80),
        ("CiQA", 60),
        ("CiQB", 60),
        ("AgA", 120),
        ("AgB", 120),
        ("AgC", 120),
        ("hQEMA", 100),
        ("hQIMA", 100),
        ("YWdlLWVuY3J5cHRpb24ub3JnL3Yx", 40),
    ];
    HEADS.iter().any(|(head, least)| value.len() >= *least && value.starts_with(head) && is_base64(value))
        || is_jwe(value)
        || is_rails_credential(value)
}

/// What Rails encrypts: text, initialisation vector and tag in base64, with `--` between them.
fn is_rails_credential(value: &str) -> bool {
    let parts = || value.split("--");
    value.contains("--")
        && parts().count() == 3
        && parts().all(|part| part.len() >= 12 && is_base64(part))
        && value.ends_with("==")
}

fn is_base64(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\n' | b'\r'))
}

/// Five parts, the first of which names the encryption (RFC 7516).
fn is_jwe(value: &str) -> bool {
    if !value.starts_with("eyJ") || value.bytes().filter(|byte| *byte == b'.').count() != 4 {
        return false;
    }
    let Some((header, _)) = value.split_once('.') else { return false };
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .is_ok_and(|header| header.windows(5).any(|part| part == b"\"enc\""))
}

/// What is left of a password when it is stored, and what is public by its nature: it opens nothing.
pub(crate) fn is_hash(value: &str) -> bool {
    const STARTS: Starts = Starts::of(&[
        "$2a$",
        "$2b$",
        "$2y$",
        "$2x$",
        "$1$",
        "$5$",
        "$6$",
        "$y$",
        "$apr1$",
        "$argon2",
        "$scrypt$",
        "$pbkdf2",
        "pbkdf2_sha",
        "pbkdf2:",
        "scrypt:",
        "argon2$",
        "bcrypt$",
        "{SSHA}",
        "{SHA}",
        "{bcrypt}",
        "sha256:",
        "sha512:",
        "sha1:",
        "md5:",
        "sha384:",
        "sha256-",
        "sha384-",
        "sha512-",
        "sha1-",
        "SHA256:",
        "h1:",
        "MD5:",
        "blake3:",
        "SCRAM-SHA-256$",
        "sha256$",
        "sha256=",
        "W/\"",
    ]);
    // A line of `htpasswd`: a user, and what is left of the password.
    let of_user = || {
        let (user, rest) = value.split_once(':')?;
        (rest.starts_with(['$', '{'])
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte)))
        .then_some(rest)
    };
    STARTS.begin(value) || of_user().is_some_and(|hash| STARTS.begin(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        assert!(is_hash("ledger:$apr1$x") && is_hash("ledger:{SHA}x") && is_hash("$2b$12$x"));
        assert!(!is_hash("ledger:$x9Kq") && !is_hash("led ger:$apr1$x"));
    }

    #[test]
    fn references() {
        for value in [
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf",
            "{{resolve:ssm:/db/pw}}",
            "op://vault/item/field",
            "ssm:/prod/db",
            "secretsmanager:prod/db#password",
            "projects/1/secrets/db/versions/1",
            "/run/secrets/db",
            "env://TOKEN",
            "https://acme.vault.azure.net/secrets/db",
        ] {
            assert!(is_reference(value), "{value}");
        }
        for value in ["pass:Xk29!fkW", "environment", "secret:gPq93jvZ0sKd83bXn2LqRt"] {
            assert!(!is_reference(value), "{value}");
        }
    }
}
