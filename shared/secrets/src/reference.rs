//! Layer 0: where a secret is, and secrets that are encrypted, instead of secrets.

use base64::Engine as _;
use warden_reference::Reference;

/// Whether the value says where a secret is to be had.
pub(crate) fn is_reference(value: &str) -> bool {
    const STARTS: &[&str] = &[
        "arn:",
        "{{resolve:",
        "resolve:",
        "op://",
        "vault:",
        "vault://",
        "ref+",
        "/run/secrets/",
        "secretsmanager:",
        "secretsmanager://",
        "ssm:",
        "ssm://",
        "aws-ssm:",
        "aws-sm:",
        "awssm:",
        "asm:",
        "asm://",
        "sm://",
        "gcp-sm:",
        "gcpsm:",
        "gsm:",
        "gcp-secret",
        "secret://",
        "secrets://",
        "env:",
        "env://",
        "env.",
        "file:",
        "file://",
        "keyvault:",
        "akv:",
        "azurekeyvault:",
        "@Microsoft.KeyVault(",
        "@AppSettings",
        "doppler:",
        "doppler://",
        "infisical:",
        "bws:",
        "bitwarden:",
        "keyring:",
        "keychain:",
        "pass:",
        "lastpass:",
        "1password:",
        "hcvault:",
        "hashivault:",
        "consul:",
        "consul://",
        "k8s:",
        "kubernetes:",
        "secret:",
        "secrets:",
        "aws:",
        "ssm-secure:",
        "ps:",
        "parameterstore:",
        "parameter-store:",
        "param:",
        "berglas://",
        "berglas:",
        "chamber:",
        "akeyless:",
        "conjur:",
        "!var",
        "sops:",
        "awskms:",
        "awskms://",
        "gcpkms://",
        "azurekms://",
        "hashivault://",
        "alias/",
        "mrk-",
        "s3://",
        "gs://",
        "azblob://",
        "configmap:",
        "s3:",
        "docker-secret:",
        "swarm:",
        "cmd:",
        "exec:",
        "prompt:",
        "doppler-",
        "ejson:",
        "credstash:",
        "unicreds:",
        "pulumi:",
        "tfc:",
        "spring.",
        "jasypt:",
    ];
    let in_project =
        value.strip_prefix("projects/").is_some_and(|rest| rest.contains("/secrets/") || rest.contains("/cryptoKeys/"));
    let in_azure = value.starts_with("https://")
        && (value.contains(".vault.azure.net/") || value.contains(".managedhsm.azure.net/"));
    let wardens_own = value.parse::<Reference>().is_ok();
    wardens_own
        || in_project
        || in_azure
        || STARTS.iter().any(|start| starts_with(value, start) && !secret_after(value, start))
}

/// `pass:` and the like may also be a user's name before a password; a reference is words and slashes.
fn secret_after(value: &str, start: &str) -> bool {
    if start.ends_with("//") || !start.ends_with(':') || start == "arn:" || start == "{{resolve:" {
        return false;
    }
    let rest = value.get(start.len()..).unwrap_or_default();
    let shape = crate::shape::Shape::of(rest);
    shape.longest_noise >= 20 || (shape.symbols > 0 && !rest.contains(['#', '@', '?', '$', '[', ',']))
}

fn starts_with(value: &str, start: &str) -> bool {
    value.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// Whether the value is ciphertext, by its header: who reads it has nothing yet.
pub(crate) fn is_ciphertext(value: &str) -> bool {
    const STARTS: &[&str] = &[
        "ENC[",
        "ENC(",
        "vault:v",
        "encrypted:",
        "{cipher}",
        "{aes}",
        "$ANSIBLE_VAULT;",
        "-----BEGIN AGE ENCRYPTED FILE-----",
        "-----BEGIN PGP MESSAGE-----",
        "!vault",
        "sops:",
        "enc:",
        "kms:",
        "crypt:v",
        "secure:",
        "{enc}",
        "EJ[1:",
        "age-encryption.org/v1",
        "cipher:",
        "{xor}",
        "CRYPT:",
        "ciphertext:",
        "aws-encryption:",
    ];
    if STARTS.iter().any(|start| starts_with(value, start)) {
        return true;
    }
    // KMS: 01 02 02 00 78 or 01 02 01 00 78; the AWS Encryption SDK: version and type; OpenSSL's `Salted__`; Fernet's version and
    // time; Google Cloud KMS: the field and length of the key's name; Sealed Secrets: the length of a wrapped RSA key.
    const HEADS: &[(&str, usize)] = &[
        ("AQICAH", 100),
        ("AQIBAH", 100),
        ("AQECAH", 100),
        ("AYAD", 100),
        ("AYAB", 100),
        ("AgV4", 100),
        ("AYADe", 60),
        ("U2FsdGVkX1", 20),
        ("gAAAAAB", 80),
        ("CiQA", 60),
        ("CiQB", 60),
        ("AgA", 300),
        ("AgB", 300),
        ("AgC", 300),
        ("hQEMA", 100),
        ("hQIMA", 100),
        ("YWdlLWVuY3J5cHRpb24ub3JnL3Yx", 40),
    ];
    HEADS.iter().any(|(head, least)| value.len() >= *least && value.starts_with(head) && is_base64(value))
        || is_jwe(value)
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
    const STARTS: &[&str] = &[
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
        "MD5:",
        "blake3:",
        "SCRAM-SHA-256$",
        "sha256$",
        "sha256=",
        "W/\"",
    ];
    STARTS.iter().any(|start| value.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

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
