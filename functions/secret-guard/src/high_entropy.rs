//! Values that are secrets wherever they stand. Only these does the whole account know once one of them was taken out
//! of an environment: whoever may set one function's environment must not get at another's by it. What names a thing
//! (an id, a hash, a table), what is short, and what people choose themselves is known in its own function alone,
//! whatever name somebody gave it.

use warden_secrets::{Confidence, judge};

/// As long as 96 random bits are as letters and digits.
const SHORTEST: usize = 16;
/// How long a value is at least that nobody else chose as well.
const SHORTEST_BY_HAND: usize = 10;
/// How many different characters it must have at least.
const DISTINCT: usize = 10;
/// What stands between the parts of a URL, a connection string, JSON or PEM.
const BETWEEN: &[char] =
    &[' ', '\t', '\r', '\n', ':', '/', '@', '?', '&', '=', ';', ',', '"', '\'', '{', '}', '[', ']', '(', ')'];
/// A value that any name makes a secret but one that says it is none: to ask the detector about a name.
const ANY_SECRET: &str = "q7RvX2mKp9LzT4wNc8HbY3sDf6GjA1eU5oZiQxWk";

/// Whether nobody can have this value without having the secret.
pub fn is_high_entropy(value: &str) -> bool {
    let of_parts = value.contains("://") || value.contains([' ', '\n', ';', '{']);
    if of_parts { value.split(BETWEEN).any(is_random) } else { is_random(value) }
}

/// Whether two that have this value have it for no chance: what the detector takes for a password under a name that
/// says so. A setting (`production`, `5432`) is equal to a bad password by chance.
pub fn is_no_chance(value: &str) -> bool {
    is_high_entropy(value) || (value.len() >= SHORTEST_BY_HAND && judge("PASSWORD", value).is_some())
}

/// Whether the name leaves it open that its value is a secret: `SIGNING` does, `CLIENT_ID` does not.
pub(crate) fn may_name_a_secret(name: &str) -> bool {
    judge(name, ANY_SECRET).is_some()
}

/// Small letters, capitals and digits without a word in them. Hashes, UUIDs and most ids that AWS makes have two of
/// these at most.
fn is_random(part: &str) -> bool {
    let mut bytes: Vec<u8> = part.bytes().collect();
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    if bytes.len() < SHORTEST || !mixed {
        return false;
    }
    bytes.sort_unstable();
    bytes.dedup();
    let sure = |name| judge(name, part).is_some_and(|verdict| verdict.confidence == Confidence::High);
    bytes.len() >= DISTINCT && sure("TOKEN") && sure("PASSWORD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: bool) {
        assert_eq!(is_high_entropy(value), expected, "{value}");
    }

    #[test]
    fn what_nobody_could_have_without_the_secret() {
        check("Kx9vQ7mZ2pLtR4wN", true);
        check("wJ8rXUtnFEMI/K7MD3NG/bPxRfiCYZ2Qa1PLxKeY", true);
        check("postgres://shop:Kx9vQ7mZ2pLtR4wN@db.internal:5432/orders", true);
        check("Server=db;User Id=shop;Password=Kx9vQ7mZ2pLtR4wN;", true);
        check(r#"{"user":"shop","password":"Kx9vQ7mZ2pLtR4wN"}"#, true);
    }

    /// Each is a value of somebody else's that whoever sets an environment could write under a name that says password.
    #[test]
    fn what_names_a_thing_or_can_be_guessed_is_no_candidate() {
        for value in [
            "true",
            "production",
            "us-east-1",
            "us-east-1_Ab1Cd2Ef3",
            "7f3k2m9q4w8x1z6v5b0n7c2d1s",
            "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
            "Summer2024!",
            "hunter2hunter2hunter2",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf",
            "https://sqs.us-east-1.amazonaws.com/111122223333/OrdersQueue",
            "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/Prod",
            "shop-prod-OrdersTable-1ABCDEF2GHIJ3",
            "OrdersTableProduction2024",
            "arn:aws:states:us-east-1:111122223333:stateMachine:OrderFlow-8K2jD9",
            "postgres://shop:Summer2024!@db.internal:5432/orders",
            "111122223333",
            "",
        ] {
            check(value, false);
        }
    }

    #[test]
    fn what_is_equal_by_chance_is_what_people_set_and_no_password() {
        for value in [
            "Kx9vQ7mZ2pLtR4wN",
            "9f31c27ab0de55814a6cf7703be2d914",
            "postgres://shop:Kx9vQ7mZ2pLtR4wN@db.internal:5432/orders",
            "Summer2024!",
            "hunter2hunter2hunter2",
        ] {
            assert!(is_no_chance(value), "{value}");
        }
        for value in [
            "",
            "12",
            "true",
            "production",
            "us-east-1",
            "5432",
            "postgres",
            "changeme",
            "password",
            "OrdersTable",
            "shop-prod-OrdersTable-1ABCDEF2GHIJ3",
            "111122223333",
            "https://example.com",
            "db.internal",
            "12345678",
        ] {
            assert!(!is_no_chance(value), "{value}");
        }
    }

    #[test]
    fn a_name_that_says_what_else_it_holds_names_no_secret() {
        for name in ["SIGNING", "LEGACY", "DB_PASSWORD", "A1", "STRIPE"] {
            assert!(may_name_a_secret(name), "{name}");
        }
        for name in ["CLIENT_ID", "TABLE_NAME", "SECRET_ARN", "NEXT_PUBLIC_KEY", "PASSWORD_MIN_LENGTH", "BUILD_VERSION"]
        {
            assert!(!may_name_a_secret(name), "{name}");
        }
    }
}
