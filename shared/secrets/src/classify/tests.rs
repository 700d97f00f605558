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
    check("DB_PASSWORD", "Sunfl0wer!77", "medium password");
    check("DB_URL", "postgres://app:sunflower77@db.internal/app", "high database-url");
}

/// What examples and developers' machines have is no secret that would be acted on, wherever it stands.
#[test]
fn everybodys_password_is_reported() {
    for value in ["P@ssw0rd", "Pass@word", "StrongPassword123!", "Admin@123", "Chang3d!", "MyS3cr37P450r.*-"] {
        check("DB_PASSWORD", value, "medium password");
    }
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
    for value in [
        "Winter2026!",
        "Harbour07!",
        "Harbour!26",
        "changeme789",
        "ChangeMe789!",
        "Harbor@7193",
        "Harbour#Kettle#12",
        "copper_kettle_50!",
        "L4nt3rn2024",
    ] {
        check("DB_PASSWORD", value, "medium password");
    }
    for value in ["Winter2026!", "L@ntern77", "C4ndl3-k3ttl3", "Harbour#Kettle#12"] {
        check("JWT_SECRET", value, "medium secret");
        check("LEDGER_SECRET", value, "medium secret");
    }
    check("DB_PASSWORD", "wqXdzr2026!kp", "high password");
    check("JWT_SECRET", "acme-session-secret-2024", "medium secret");
    check("COOKIE_SECRET", "th3b4k3rsc00k13s", "medium secret");
    // What such a name could hold the name of is none.
    check("LEDGER_SECRET", "ledger-db-secret-2024", "nothing");
    check("JWT_SECRET", "ledger/jwt/2024", "nothing");
}

/// Words without a year are a password too, where the name says so, unless they name a secret or a part of a system.
#[test]
fn words_under_a_name_that_says_password_are_reported() {
    for value in [
        "harbour-kettle49",
        "copper-lantern",
        "copper.lantern",
        "CopperLantern",
        "copperlanternotter",
        "lantern_otter_1873",
        "company kettle 7",
        "my otter likes lanterns",
        "ledger-webhook",
    ] {
        check("DB_PASSWORD", value, "medium password");
    }
    for value in [
        "ledger-db-password",
        "harbour-credentials",
        "oauth2-proxy",
        "ledger-service",
        "see the parameter store",
        "lantern",
        "keycloak",
        "AWS_IAM",
        "otter-prod",
    ] {
        check("DB_PASSWORD", value, "nothing");
    }
    check("PASSWORD_LABELS", "copper-lantern", "nothing");
    check("CONFIG", r#"{"password":"copper-lantern"}"#, "nothing");
}

#[test]
fn words_under_a_name_for_signing_are_reported_where_they_name_no_secret() {
    for value in [
        "supersecretharbour",
        "topsecret8812",
        "copperkettle",
        "copper kettle",
        "copper-kettle!",
        "this is our otter key",
    ] {
        check("JWT_SECRET", value, "medium secret");
    }
    for value in [
        "copper-kettle",
        "harbour/jwt",
        "HarbourJwt",
        "secretsmanager",
        "eu-west-1",
        "kept in the vault",
        "supersecret",
        "harbourtoken",
    ] {
        check("JWT_SECRET", value, "nothing");
    }
    for value in ["copperkettle", "copper kettle"] {
        check("LEDGER_SECRET", value, "nothing");
    }
}

/// What Terraform, CloudFormation and the CDK name is the name of a key or a secret, not one.
#[test]
fn names_that_programs_make_are_no_secrets() {
    for value in [
        "terraform-20260307142536789100000004",
        "harbour-20260307142536789100000004",
        "HarbourStack-LedgerFn8C4B5E-1XKDJ9M2PQ7R",
        "harbour-live-eu-west-1-M3qFT7",
        "eusc-de-east-1",
    ] {
        for name in ["SIGNING_KEY", "AUTH_TOKEN_KEY", "LEDGER_SECRET", "DB_PASSWORD"] {
            check(name, value, "nothing");
        }
    }
    let commit = "4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a";
    for (name, expected) in [
        ("SIGNING_KEY", "medium api-key"),
        ("AUTH_TOKEN_KEY", "medium api-key"),
        ("LEDGER_SECRET", "medium secret"),
        ("LEDGER_API_KEY", "high api-key"),
    ] {
        check(name, &format!("harbour-{commit}"), expected);
        check(name, &format!("tax-{commit}"), expected);
    }
    check("LEDGER_SECRET", "harbour-01K3ZQ8V7MXB2N4RT6WY9CDEFG", "nothing");
    check("PRODUCT_KEY", "prod_QbT7mZ2xVw9LkR", "nothing");
    check("TOKEN_IMAGE", &format!("ghcr.io/harbour/ledger-token:sha-{commit}"), "nothing");
}

/// It is a user and a password, or the key of a tenant or a cache: that is not for a program to decide.
#[test]
fn a_word_and_a_uuid_are_reported_under_credentials() {
    check("LEDGER_CREDENTIALS", "ledger:6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f", "medium credentials");
    check("LEDGER_CREDENTIALS", "ledger:kT9vX2mQ7zLpR4wB8nYc", "high credentials");
}

/// Settings in base64 are no token; a token's own claims are random somewhere.
#[test]
fn settings_in_base64_are_no_secret() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    check(
        "TOKEN_CONFIG",
        &STANDARD.encode(r#"{"ttl":3600,"issuer":"https://login.harbour.dev","audience":"ledger"}"#),
        "nothing",
    );
    check("AUTH_TOKEN", &STANDARD.encode(r#"{"id":7,"k":"kT9vX2mQ7zLpR4wB8nYcD3fG"}"#), "medium token");
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

/// An id that looks like noise is told from a secret by what stands around it.
#[test]
fn a_path_with_an_id_that_looks_like_noise_is_no_secret() {
    for id in [
        "w4Qz_T9mXk-2LbRv7NcYd",
        "k7Rw2TzLq9XmV4bNcYs8DfGhJ1pM",
        "auth0|6b2f9c1e4a7d4c3b8e5f0a1b",
        "001kT9vX2mQ7zLpR4w",
    ] {
        for (name, value) in [
            ("S3_KEY", format!("ledgers/{id}")),
            ("DATA_KEY", format!("ledgers/{id}/harbour")),
            ("HARBOUR_SECRET", format!("tenants/{id}/db")),
            ("HARBOUR_CREDENTIALS", format!("live/{id}")),
            ("CACHE_TOKEN_KEY", format!("user:{id}:token")),
        ] {
            check(name, &value, "nothing");
        }
    }
    check("API_TOKEN", "kT9v/X2mQ7zLpR4wB8nYcD3f", "high token");
    check("HARBOUR_SECRET", "kq/X2mQ7zLpR4wB8nYcD3f", "high secret");
    check("SESSION_KEY", "session:k7Rw2TzLq9XmV4bNcYs8DfGhJ1pM", "nothing");
}

/// A prefix and one id are the key of an entry; a password's field is one.
#[test]
fn a_prefix_and_an_id_are_no_secret_where_the_name_says_nothing() {
    for id in ["w4Qz_T9mXk-2LbRv7NcYd", "k7Rw2TzLq9XmV4bNcYs8DfGhJ1pM", "6b2f9c1e4a7d4c3b8e5f0a1b0b7c6d5e"] {
        for prefix in ["session", "token", "key", "access_token", "refresh_token", "api_key"] {
            check("REDIS_PREFIX", &format!("{prefix}:{id}"), "nothing");
            check("CONFIG", &format!(r#"{{"prefix":"{prefix}:{id}"}}"#), "nothing");
        }
    }
    check("STATE", "password:kT9vX2mQ7zLpR4wB8nYc", "high password");
    check("STATE", "client_secret:kT9vX2mQ7zLpR4wB8nYc", "high secret");
    check("STATE", "api_key: kT9vX2mQ7zLpR4wB8nYc", "high api-key");
    check("STATE", "token:kT9vX2mQ7zLpR4wB8nYcD3fG6hJk1sWa", "high token");
}

/// CloudFormation's stacks and the CDK's ids are names, be their words short or in whatever language.
#[test]
fn a_logical_id_is_no_secret_behind_its_stack_or_alone() {
    for value in ["roster-dev-Web3F2A91BC", "Roster-Db7A4B31C0", "harbour-live-TzqaSecret90217736", "Rds3F2A91BC"] {
        for name in ["DB_SECRET", "ROSTER_SECRET", "ROSTER_CREDENTIALS"] {
            check(name, value, "nothing");
        }
    }
    check("DB_SECRET", "TzqaApiJob0b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3eServiceRole7E41D0B2", "nothing");
    check("DB_SECRET", "kT9vX2mQ-Web3F2A91BC", "high secret");
}

/// Random secrets have spaces, end like files, and are as short as a dozen characters.
#[test]
fn what_a_generator_made_is_found_whatever_else_it_looks_like() {
    for name in ["API_TOKEN", "CLIENT_SECRET", "API_KEY", "JWT_SECRET"] {
        for (value, confidence) in [
            ("kT9vX2mQ 7zLpR4wB8nYc", Confidence::High),
            ("fodwyn-7ibqaz-Mupkes", Confidence::High),
            ("qwdxzr-pkvmTs-hj4bcw", Confidence::Medium),
            ("kT9vX2mQ7zLpR4wB8nYc.pem", Confidence::Medium),
            ("kT9vX2mQ7zLpR4wB8nYc.json", Confidence::Medium),
        ] {
            let found = judge(name, value).map(|verdict| verdict.confidence);
            assert!(found >= Some(confidence), "{name}={value}: {found:?}");
        }
        for value in ["ledger-market-aB3xyz", "harbour.key", "certs/harbour.pem", "AuthKey_K7RW2TZLQ9.p8"] {
            check(name, value, "nothing");
        }
    }
    check("DB_PASSWORD", "kT9vX2mQ7zLpR4wB8nYc.key", "medium password");
}

/// What a person called his secret, under a name that takes nothing else.
#[test]
fn a_persons_own_secret_is_reported() {
    for value in ["kettle42", "Lantern7", "mySuperHarbourKey", "my_jwt_secret", "mySuperSecretKey"] {
        check("JWT_SECRET", value, "medium secret");
    }
    check("DB_PASSWORD", "mysecretharbour", "medium password");
    for value in ["eu1", "HS256", "service2", "my-secret", "mysecretkey", "sha256", "argon2"] {
        check("JWT_SECRET", value, "nothing");
    }
    check("LEDGER_SECRET", "my_jwt_secret", "nothing");
}

/// A last word that makes a name harmless does not make a random value so.
#[test]
fn a_name_about_a_secret_holds_one_where_the_value_is_random() {
    let value = "kT9vX2mQ7zLpR4wB8nYcD3fG";
    for name in ["PASSWORD_USER", "PASSWORD_HOST", "PASSWORD_PATH", "PASSWORD_PREFIX", "TOKEN_NAME", "SECRET_FILE"] {
        check(name, value, "medium random-value");
        check(name, "2kT9vX2mQ7zLpR4wB8nYcD3fGq1", "nothing");
        check(name, "4f3a2b1c0d9e8f7a6b5c4d3e", "nothing");
        check(name, "HarbourLedgerTokenWorkers24", "nothing");
    }
    check("KEY_ID", value, "nothing");
    check("TOKEN_HASH", value, "nothing");
}

#[test]
fn a_stem_in_small_letters_and_a_suffix_is_no_resource_under_a_name_that_leaves_no_doubt() {
    for (value, expected) in [
        ("live-tR4mXq9LwB2z", "medium"),
        ("basket-live-Qh7pWn3xKc5vTz8r", "medium"),
        ("JrqxgQpwzt-tR4mXq9LwB2z", "medium"),
        // What CloudFormation and Secrets Manager make.
        ("harbour-live-LedgerSecret-tR4mXq9LwB2z", "nothing"),
        ("ledger-db-secret-4pQz7X", "nothing"),
        ("LedgerSecret8C4B5E1F-tR4mXq9LwB2z-4pQz7X", "nothing"),
    ] {
        let kind = if expected == "medium" { "medium secret" } else { "nothing" };
        check("JWT_SECRET", value, kind);
    }
    check("DB_PASSWORD", "prod-tR4mXq9LwB2z", "medium password");
    check("DB_SECRET", "basket-live-TR4MXQ9LWB2Z", "nothing");
}

#[test]
fn letters_that_are_digits_are_reported_wherever_they_stand() {
    for value in ["c0b4l7-0773r", "m4gn37-v10l37-26", "5up3r5ecr37!", "0773rc0b4lt", "M4gn3t-0773r"] {
        check("DB_PASSWORD", value, "medium password");
        check("SESSION_SECRET", value, "medium secret");
    }
    // A suffix of Kubernetes's or of CloudFormation's that reads so by chance.
    check("AUTH_SECRET", "ledger-token-7gn57", "nothing");
    check("AUTH_SECRET", "LedgerSecret-b0wp5ho5o317", "nothing");
}

#[test]
fn what_somebody_calls_his_own_is_reported() {
    for value in ["my_walnut_secret", "ourWalnutKey", "superpassword", "mysecurepassword", "mypassword42"] {
        check("DB_PASSWORD", value, "medium password");
    }
    for value in ["my-walnut-secret", "super-secret-jwt-key", "this-is-my-secret", "verysecretkey"] {
        check("JWT_SECRET", value, "medium secret");
    }
    // The words of every example, and the name of a secret.
    for value in ["mypassword", "my-app-secret", "my-secret-key", "supersecretkey"] {
        check("JWT_SECRET", value, "nothing");
    }
    check("LEDGER_SECRET", "my_walnut_secret", "nothing");
}

#[test]
fn an_entry_of_a_cache_is_no_login() {
    for value in [
        "basket:{6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f}",
        "basket:{4f3a2b1c0d9e8f7a6b5c4d3e}:lines",
        "basket:4f3a2b1c0d9e8f7a6b5c4d3e:token",
    ] {
        check("REDIS_CREDENTIALS", value, "nothing");
        check("LEDGER_SECRET", value, "nothing");
    }
    check("REDIS_CREDENTIALS", "basket:tR4mXq9LwB2zQh7p", "high credentials");
}
