//! Environments judged a second, on one core.
//!
//! `WARDEN_ENVIRONMENTS=environments.jsonl cargo bench -p warden-secrets` measures on the environments of a file, one
//! JSON object of names and values a line. Without it, on one of our own with twenty variables, of which four hold a
//! secret.

use divan::{Bencher, counter::ItemsCount};
use std::collections::BTreeMap;
use warden_secrets::judge;

fn main() {
    divan::main();
}

/// What stands in the environment of a function that takes orders; what is random is made up by counting, so that no
/// secret stands here.
fn own() -> Vec<(String, String)> {
    let random = |length: usize| -> String {
        const CHARACTERS: &[u8; 62] = b"q7Wz0LmXc9RtYb3KvNp5Hs8DfGj2Qa6UeIo1Pw4TxZyMnVrBhSkJlFgCdEuAiO";
        (0..length).map(|place| char::from(CHARACTERS[(place * place * 7 + place * 13 + length) % 62])).collect()
    };
    let pairs: Vec<(&str, String)> = vec![
        ("TABLE_NAME", "orders-prod-OrdersTable-1H2J3K4L5M6N7".into()),
        ("BUCKET_NAME", "orders-prod-uploadsbucket-1a2b3c4d5e6f".into()),
        ("QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/orders-prod-Queue-1H2J3K4L5M6N7".into()),
        ("STATE_MACHINE_ARN", "arn:aws:states:eu-west-1:111122223333:stateMachine:orders".into()),
        ("USER_POOL_ID", "eu-west-1_AbCdEf123".into()),
        ("LOG_LEVEL", "INFO".into()),
        ("POWERTOOLS_SERVICE_NAME", "orders".into()),
        ("POWERTOOLS_METRICS_NAMESPACE", "Shop".into()),
        ("CORS_ORIGINS", "https://shop.acme.dev,https://admin.acme.dev".into()),
        ("FEATURES", r#"{"newCheckout":true,"tokenRefresh":"v2","limits":{"perMinute":60}}"#.into()),
        ("TOKEN_TTL", "3600".into()),
        ("DB_HOST", "orders.cluster-abc123.eu-west-1.rds.amazonaws.com".into()),
        ("DB_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf".into()),
        ("GIT_SHA", "5e1c0a7d9b3f2846a0c1d2e3f4a5b6c7d8e9f0a1".into()),
        ("NODE_OPTIONS", "--enable-source-maps --max-old-space-size=512".into()),
        ("TZ", "Europe/Helsinki".into()),
        ("DB_PASSWORD", random(20)),
        ("DATABASE_URL", format!("postgres://app:{}@db.internal:5432/orders", random(16))),
        ("PAYMENT_API_KEY", random(32)),
        ("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={}", random(40))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn environments() -> Vec<Vec<(String, String)>> {
    let Some(path) = std::env::var_os("WARDEN_ENVIRONMENTS") else { return vec![own()] };
    let text = std::fs::read_to_string(&path).expect("WARDEN_ENVIRONMENTS names a readable file");
    let read = |line| {
        serde_json::from_str::<BTreeMap<String, String>>(line).expect("each line is an object of names and values")
    };
    text.lines().map(|line| read(line).into_iter().collect()).collect()
}

/// Environments: each variable of each judged.
#[divan::bench]
fn environments_judged(bencher: Bencher<'_, '_>) {
    let environments = environments();
    bencher.counter(ItemsCount::new(environments.len())).bench_local(|| {
        for (name, value) in environments.iter().flatten() {
            divan::black_box(judge(name, value));
        }
    });
}

/// Variables of one environment, by what they are.
#[divan::bench(args = ["LOG_LEVEL", "TABLE_NAME", "QUEUE_URL", "FEATURES", "DB_HOST", "GIT_SHA", "NODE_OPTIONS",
    "DB_PASSWORD", "DATABASE_URL", "PAYMENT_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS"])]
fn variable_judged(bencher: Bencher<'_, '_>, name: &str) {
    let own = own();
    let (_, value) = own.iter().find(|(own, _)| own == name).expect("a variable of the environment");
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| divan::black_box(judge(name, value)));
}
