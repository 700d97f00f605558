//! The order of the layers: which of them decides.

use super::*;

#[track_caller]
fn check(name: &str, value: &str, expected: &str) {
    let found =
        judge(name, value).map_or("nothing".to_owned(), |verdict| format!("{} {}", verdict.confidence, verdict.kind));
    assert_eq!(found, expected, "{name}={value}");
}

#[test]
fn a_reference_is_no_secret_whatever_its_name() {
    for value in [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf",
        "{{resolve:secretsmanager:prod/db:SecretString:password}}",
        "/prod/db/password",
        "op://vault/db/password",
        "${DB_PASSWORD}",
        "<your-password>",
        "changeme",
    ] {
        check("DB_PASSWORD", value, "nothing");
    }
}

/// Or the guard would strip its own replacement; but nobody hides a secret behind words that look like it.
#[test]
fn wardens_own_reference_is_no_secret_and_nothing_like_it_is_one() {
    check("DB_PASSWORD", "warden-secret:warden/pay/1f2e3d4c5b6a", "nothing");
    check("DB_PASSWORD", "warden-secret:kT9vX2mQ7zLpR4wB8nYc!", "high secret");
    check("DB_PASSWORD", "warden:kT9vX2mQ7zLpR4wB8nYc", "high password");
}

#[test]
fn a_name_about_a_secret_is_not_that_of_one() {
    let value = "kT9vX2mQ7zLpR4wB8nYc";
    check("DB_PASSWORD", value, "high password");
    for name in [
        "DB_PASSWORD_ARN",
        "PASSWORD_MIN_LENGTH",
        "TOKEN_URL",
        "SECRET_NAME",
        "CACHE_KEY",
        "PARTITION_KEY",
        "API_KEY_ID",
    ] {
        check(name, value, "nothing");
    }
}

#[test]
fn names_in_every_style() {
    let value = "kT9vX2mQ7zLpR4wB8nYc";
    for name in
        ["dbPassword", "db-password", "DB_PASSWORD_PROD", "DbPassword2", "dbpassword", "db.password", "DBPassword"]
    {
        check(name, value, "high password");
    }
    for name in ["apiKey", "API_KEY", "x-api-key", "ESApiKey", "ES_APIKEY"] {
        check(name, value, "high api-key");
    }
}

#[test]
fn a_weak_password_is_reported() {
    check("DB_PASSWORD", "sunflower77", "medium password");
    check("DB_PASSWORD", "Sunfl0wer!77", "high password");
    check("DB_URL", "postgres://app:sunflower77@db.internal/app", "high database-url");
}

/// What examples and developers' machines have is no secret that would be acted on, wherever it stands.
#[test]
fn everybodys_password_is_reported() {
    for value in ["P@ssw0rd", "Pass@word", "StrongPassword123!", "Admin@123", "Chang3d!", "MyS3cr37P450r.*-"] {
        check("DB_PASSWORD", value, "medium password");
    }
    check("DB_PASSWORD", "Harbor@7193", "high password");
    check("DB_URL", "postgres://app:Admin@123@db.internal/app", "medium database-url");
    check("CONN", "Server=db;Uid=sa;Password=Pass@word1", "medium database-url");
}

#[test]
fn common_passwords_are_reported() {
    check("ADMIN_PASSWORD", "Letmein", "medium password");
    check("ADMIN_PASSWORD", "cognito", "nothing");
}

#[test]
fn a_pin_is_digits() {
    check("ADMIN_PIN", "739214", "high password");
    check("ADMIN_PINBOARD", "739214", "nothing");
}

/// A person's own rule for passwords is guessed; a generator's is not.
#[test]
fn what_a_person_thought_up_is_reported() {
    for value in ["Winter2026!", "Harbour07!", "Harbour!26", "changeme789", "ChangeMe789!"] {
        check("DB_PASSWORD", value, "medium password");
    }
    check("DB_PASSWORD", "Harbor@7193", "high password");
    check("DB_PASSWORD", "wqXdzr2026!kp", "high password");
    check("JWT_SECRET", "acme-session-secret-2024", "medium secret");
    check("COOKIE_SECRET", "th3b4k3rsc00k13s", "medium secret");
    // What such a name could hold the name of is none.
    check("LEDGER_SECRET", "ledger-db-secret-2024", "nothing");
    check("JWT_SECRET", "ledger/jwt/2024", "nothing");
}

/// The last word says where or what kind; what the rest says counts, and then the value.
#[test]
fn the_last_word_hides_nothing() {
    let value = "kT9vX2mQ7zLpR4wB8nYc";
    for name in ["PASSWORD_DB", "PASS_DB", "PASSWORD_LEDGER_DB", "DB_PASSWORD_TEXT", "PASSWORD_SERVICE"] {
        check(name, value, "high password");
    }
    check("SECRET_TEXT", value, "high secret");
    check("PRIVATE_KEY_TEXT", value, "high private-key");
    check("EVENTHUB_PRIMARY_KEY", value, "high api-key");
    check("FUNCTIONS_HOST_KEY", value, "high api-key");
    check("VAULT_SECRET_ID", "6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f", "medium secret");
    check("CONSUMER_KEY", value, "medium api-key");
    for name in ["LEDGER_DB", "TOKEN_ID", "KEY_ID", "LEDGER_TEXT"] {
        check(name, value, "nothing");
    }
}

/// A key of a provider's stands alone or behind a separator, and behind an ordinary word only where a name says so.
#[test]
fn a_format_within_a_name_is_no_key() {
    let uuid = "6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f";
    for value in [format!("harbour-api-{uuid}"), format!("api-{uuid}"), format!("/aws/lambda/sdk-{uuid}")] {
        check("FUNCTION_NAME", &value, "nothing");
        check("TARGET", &value, "nothing");
    }
    check("SDK_KEY", &format!("sdk-{uuid}"), "high launchdarkly-key");
    check("LAUNCH_DARKLY", &format!("sdk-{uuid}"), "high launchdarkly-key");
    let token = ["xoxb-", "482917365028-4829173650281-kT9vX2mQ7zLpR4wB8nYcD3fG"].concat();
    check("NOTE", &format!("use {token} for now"), "high slack-token");
    check("NOTE", &format!("token={token}"), "high slack-token");
}
