//! What holds of every pair, hostile ones too.

use proptest::{prelude::*, string::string_regex};
use warden_secrets::{Verdict, judge};

/// Names as people and machines write them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        string_regex("[A-Za-z_][A-Za-z0-9_]{0,40}").unwrap(),
        prop_oneof![
            Just("DB_PASSWORD"),
            Just("API_KEY"),
            Just("AUTH_TOKEN"),
            Just("CLIENT_SECRET"),
            Just("PRIVATE_KEY"),
            Just("CREDENTIALS"),
            Just("ADMIN_PIN"),
            Just("CACHE_KEY"),
            Just("VALUE"),
        ]
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

/// Pieces that the layers look for, in any order, with anything between them.
fn value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop_oneof![
            Just("://"),
            Just("@"),
            Just(":"),
            Just("="),
            Just(";"),
            Just("&"),
            Just("?"),
            Just("\n"),
            Just(" "),
            Just("\""),
            Just("'"),
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just("${"),
            Just("{{"),
            Just("<"),
            Just(">"),
            Just("%"),
            Just("%4"),
            Just("-----BEGIN PRIVATE KEY-----"),
            Just("-----END"),
            Just("eyJ"),
            Just("eyJhbGciOiJIUzI1NiJ9"),
            Just("."),
            Just("sk_live_"),
            Just("ghp_"),
            Just("AKIA"),
            Just("glpat-"),
            Just("ATATT3"),
            Just("password="),
            Just("--password"),
            Just("-p"),
            Just("curl -u"),
            Just("Bearer "),
            Just("Basic "),
            Just("arn:"),
            Just("jdbc:"),
            Just("postgres"),
            Just("0x"),
            Just("é"),
            Just("\u{0}"),
            Just("\u{202e}"),
            Just("\\n"),
            Just("base64:"),
            Just("$"),
        ]
        .prop_map(str::to_owned),
        string_regex("[A-Za-z0-9+/=_-]{0,60}").unwrap(),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn environment() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((name(), value()), 1..8)
}

fn verdicts(environment: &[(String, String)]) -> Vec<Option<Verdict>> {
    environment.iter().map(|(name, value)| judge(name, value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_pair_makes_it_panic(name in name(), value in value()) {
        judge(&name, &value);
    }

    /// Neither what stands in other variables nor their order matters, nor how often one was asked before.
    #[test]
    fn a_neighbour_changes_no_verdict(environment in environment(), neighbour in (name(), value()),
        place in any::<prop::sample::Index>()) {
        let alone = verdicts(&environment);
        let mut with = environment.clone();
        with.insert(place.index(environment.len() + 1), neighbour);
        let (name, value) = &with[place.index(environment.len() + 1)];
        judge(name, value);
        with.remove(place.index(environment.len() + 1));
        prop_assert_eq!(&verdicts(&with), &alone);
        let mut turned = environment.clone();
        turned.reverse();
        let mut answers = verdicts(&turned);
        answers.reverse();
        prop_assert_eq!(answers, alone);
    }

    /// Space around a value and quotes that a shell or an `.env` file left on it are no part of it.
    #[test]
    fn quotes_and_space_around_it_change_nothing(value in string_regex("[A-Za-z0-9!*/+-]{4,50}").unwrap(),
        name in name()) {
        let bare = judge(&name, &value);
        prop_assert_eq!(judge(&name, &format!("\"{value}\"")), bare);
        prop_assert_eq!(judge(&name, &format!(" {value}\n")), bare);
    }
}

/// Base64 in base64 in base64 and so on: it is taken apart three times and not a fourth.
#[test]
fn decoding_has_a_budget() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secret = format!("{{\"password\":\"{}\"}}", ["kT9v!X2m", "Q7zLpR4w"].concat());
    let mut value = secret;
    let mut found = Vec::new();
    for _ in 0..6 {
        value = STANDARD.encode(&value);
        found.push(judge("BLOB", &value).is_some_and(|verdict| verdict.kind.as_str() == "password"));
    }
    assert!(found[0], "once is looked into");
    assert!(!found[4] && !found[5], "five times is not");
}

/// Structures in structures come to an end as well.
#[test]
fn nesting_has_an_end() {
    let deep = "[".repeat(200_000);
    judge("A", &deep);
    judge("A", &format!("{}{}", "{\"a\":".repeat(100), "}".repeat(100)));
    judge("A", &"a=".repeat(100_000));
    judge("A", &"Bearer ".repeat(50_000));
    judge("A", &"https://".repeat(50_000));
    let mut nested = "x".to_owned();
    for _ in 0..12 {
        nested = serde_json::json!({ "a": nested }).to_string();
    }
    judge("A", &nested);
}

/// What each layer likes best to look at, over and over. Were something quadratic, a mebibyte of it would take hours.
#[test]
fn a_long_value_comes_to_an_end() {
    const MEBIBYTE: usize = 1 << 20;
    let patterns = [
        "a",
        "=",
        "=a",
        "a=b;",
        "a=b&",
        "a: b\n",
        "@",
        ":",
        "://",
        "a://b@c,",
        "https://a:b@c;",
        "ghp_",
        "glpat-",
        "sk_live_",
        "eyJ",
        "eyJ.",
        "AAAA",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "${",
        "{{",
        "<a>",
        "$(",
        "%(",
        "\"",
        "'",
        " -p",
        "--password ",
        "curl -u a:b ",
        "-Da=b ",
        "\\n",
        "{\"a\":1},",
        "[",
        "{",
        "%41",
        "xoxb-",
        "-",
        "_",
        ".",
        "|",
        "a|",
        "/",
        "a/b",
        "é",
        "\u{202e}",
        "ATATT3",
        "M",
        "AKIA",
    ];
    for pattern in patterns {
        let value = pattern.repeat((MEBIBYTE >> 5) / pattern.len());
        for name in ["A", "DB_PASSWORD", "API_KEY", "CREDENTIALS"] {
            judge(name, &value);
        }
    }
    for pattern in ["a", "a=b;", "a://b@c,", "glpat-", "curl -u a:b ", "<a>"] {
        judge("API_KEY", &pattern.repeat(MEBIBYTE / pattern.len()));
    }
}

/// A very long name is one too.
#[test]
fn a_long_name_is_read_at_its_end() {
    let value = ["kT9v", "X2mQ", "7zLp", "R4wB", "8nYc"].concat();
    assert!(judge(&format!("{}_DB_PASSWORD", "A".repeat(100_000)), &value).is_some());
    judge(&"_".repeat(1 << 20), &value);
    judge(&"é".repeat(1 << 18), &value);
}
