//! What a template says of secrets without their values.

use warden_secrets::{Confidence, judge};

/// A random password as generators make them: whether it is a secret is decided by the name alone.
const RANDOM: &str = "wX4nRz9KqT7mVb2LcH8sYd5J";

/// Fields of a secret that are no secret: RDS and the rotation functions of AWS write these beside the password
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>).
const HARMLESS_FIELDS: [&str; 13] = [
    "database",
    "dbclusteridentifier",
    "dbinstanceidentifier",
    "dbname",
    "endpoint",
    "engine",
    "host",
    "hostname",
    "masterarn",
    "port",
    "region",
    "user",
    "username",
];

/// Whether a variable or parameter of that name holds a secret, whatever its value is.
pub(crate) fn is_name_of_one(name: &str) -> bool {
    judge(name, RANDOM).is_some_and(|verdict| verdict.confidence == Confidence::High)
}

/// Whether the value itself is one.
pub(crate) fn is_found(name: &str, value: &str) -> bool {
    judge(name, value).is_some()
}

/// Whether a dynamic reference in the text is to a secret of Secrets Manager, or to a field of one that may be secret
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html>).
pub(crate) fn in_references(text: &str) -> bool {
    let references = text.split("{{resolve:secretsmanager:").skip(1);
    references.map(|rest| rest.split_once("}}").map_or(rest, |(reference, _)| reference)).any(|reference| {
        let field = reference.split_once(":SecretString:").and_then(|(_, rest)| rest.split(':').next());
        field.is_none_or(|field| !HARMLESS_FIELDS.contains(&field.to_ascii_lowercase().as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_no_secret_is_none() {
        for secret in
            ["pay", "pay:SecretString", "pay:SecretString:", "pay:SecretString:password", "pay:SecretString:url"]
        {
            assert!(in_references(&format!("{{{{resolve:secretsmanager:{secret}}}}}")), "{secret}");
        }
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:pay-a1B2c3";
        for harmless in ["pay:SecretString:username", "pay:SecretString:host::", "pay:SecretString:dbname:AWSCURRENT"] {
            assert!(!in_references(&format!("x{{{{resolve:secretsmanager:{harmless}}}}}y")), "{harmless}");
        }
        assert!(!in_references(&format!("{{{{resolve:secretsmanager:{arn}:SecretString:port}}}}")));
        assert!(in_references(&format!("{{{{resolve:secretsmanager:{arn}}}}}")));
        let both =
            "{{resolve:secretsmanager:pay:SecretString:username}}:{{resolve:secretsmanager:pay:SecretString:password}}";
        assert!(in_references(both));
        assert!(!in_references("{{resolve:ssm:/pay/stage}}"));
    }
}
