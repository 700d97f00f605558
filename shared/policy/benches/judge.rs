//! Policies judged a second, from raw JSON text, parsing included.
//!
//! `WARDEN_POLICIES=policies.jsonl cargo bench -p warden-policy` measures on the documents of a file: one JSON object a
//! line, either a policy document or `{"name": ..., "document": ...}`. Without it, on a few documents of our own.

use divan::{Bencher, counter::ItemsCount};
use warden_policy::{Context, Document, Kind, UrlAuth, function_policy, role_policy};

fn main() {
    divan::main();
}

/// A basic execution role, one with a wildcard, and one that lists what it needs.
const OWN: &[&str] = &[
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","iam:PassRole","lambda:Create*"],"Resource":"*"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::orders/*"}]}"#,
];

fn documents() -> Vec<String> {
    let Some(path) = std::env::var_os("WARDEN_POLICIES") else {
        return OWN.iter().map(|text| (*text).to_owned()).collect();
    };
    let text = std::fs::read_to_string(&path).expect("WARDEN_POLICIES names a readable file");
    text.lines()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).expect("each line is a JSON object");
            json.get("document").unwrap_or(&json).to_string()
        })
        .collect()
}

fn context() -> Context {
    Context::of_account("111122223333".parse().expect("twelve digits"))
}

/// Role policies: parsed and judged.
#[divan::bench]
fn role_policies(bencher: Bencher<'_, '_>) {
    let (documents, context) = (documents(), context());
    bencher.counter(ItemsCount::new(documents.len())).bench_local(|| {
        for text in &documents {
            let document = Document::parse(text, Kind::Identity).expect("a policy");
            divan::black_box(role_policy::judge(&document, &context));
        }
    });
}

/// The parser's share of it.
#[divan::bench]
fn parsing_alone(bencher: Bencher<'_, '_>) {
    let documents = documents();
    bencher.counter(ItemsCount::new(documents.len())).bench_local(|| {
        for text in &documents {
            divan::black_box(Document::parse(text, Kind::Identity).expect("a policy"));
        }
    });
}

/// A function's policy with one statement of each kind.
#[divan::bench]
fn function_policies(bencher: Bencher<'_, '_>) {
    const POLICY: &str = r#"{"Version":"2012-10-17","Id":"default","Statement":[
        {"Sid":"own","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:InvokeFunction","Resource":"f"},
        {"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"f","Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}},
        {"Sid":"public","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"f"}]}"#;
    let context = context();
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        let document = Document::parse(POLICY, Kind::Resource).expect("a policy");
        divan::black_box(function_policy::judge(&document, &context, UrlAuth::Unknown))
    });
}
