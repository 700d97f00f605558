//! Any text as a document of each kind: nothing panics, nothing takes long, and what is narrowed is narrow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use warden_finding::Severity;
use warden_policy::{
    Context, Document, Kind, UrlAuth, decode_iam_document, function_policy, layer_policy, role_policy, trust_policy,
};

#[path = "../../hostile/documents.rs"]
mod documents;

/// Twenty times what the benchmark allows a document of 100 KB: the fuzzer's own counting slows everything down
/// tenfold.
const LONGEST: Duration = Duration::from_secs(1);

fuzz_target!(
    init: {
        if let Ok(folder) = std::env::var("WARDEN_FUZZ_SEEDS") {
            for bytes in [100, 2_000] {
                for hostile in documents::documents(bytes) {
                    let file = format!("{folder}/{}-{bytes}.json", hostile.name);
                    std::fs::write(&file, hostile.text).unwrap_or_else(|error| panic!("{file}: {error}"));
                }
            }
        }
    },
    |text: &str| {
        for kind in [Kind::Identity, Kind::Trust, Kind::Resource] {
            let before = on_processor();
            judged(text, kind);
            let spent = on_processor() - before;
            assert!(spent < LONGEST, "judged in {spent:?}");
        }
        together(text);
        // Narrowing judges again and again, so only what is as long as AWS allows is narrowed.
        if text.len() <= 10_240 {
            narrowed(text);
        }
    }
);

/// How long this thread has run, whatever else the machine does (Linux).
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    Duration::from_nanos(text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).expect("a number"))
}

fn context() -> Context {
    Context {
        trusted_accounts: ["444455556666".parse().unwrap()].into(),
        organization: Some("o-exampleorgid".parse().unwrap()),
        ..Context::of_account("111122223333".parse().unwrap())
    }
}

fn judged(text: &str, kind: Kind) {
    let context = context();
    let Ok(document) = Document::parse(text, kind) else {
        return;
    };
    match kind {
        Kind::Identity => drop(role_policy::judge(&document, &context)),
        Kind::Trust => drop(trust_policy::judge(&document, &context)),
        Kind::Resource => {
            function_policy::judge(&document, &context, UrlAuth::Unknown);
            layer_policy::judge(&document, &context);
        }
    }
}

/// A policy twice, and within itself.
fn together(text: &str) {
    let _ = decode_iam_document(text);
    if let Ok(document) = Document::parse(text, Kind::Identity) {
        let found = role_policy::judge_role(&[&document, &document], Some(&document), &context());
        assert!(found.iter().all(|found| found.policy < 2));
    }
}

fn narrowed(text: &str) {
    let context = context();
    if let Ok(document) = Document::parse(text, Kind::Identity) {
        let mut findings = role_policy::judge(&document, &context);
        findings.retain(|finding| finding.severity >= Severity::High);
        let role = role_policy::RoleTexts { policies: &[text], boundary: None, itself: None };
        let narrowed = role_policy::narrow(role, 0, &findings, None, &context).expect("it parsed before");
        if let Some(left) = narrowed.document {
            let left = left.to_string();
            let document = Document::parse(&left, Kind::Identity).expect("what is left is a policy");
            let left = role_policy::judge(&document, &context);
            assert!(left.iter().all(|finding| finding.severity < Severity::High), "{left:?}");
        }
    }
    if let Ok(document) = Document::parse(text, Kind::Trust) {
        let findings = trust_policy::judge(&document, &context);
        trust_policy::narrow(text, &findings, Some(text), &context).expect("it parsed before");
    }
    if let Ok(document) = Document::parse(text, Kind::Resource) {
        let findings = function_policy::judge(&document, &context, UrlAuth::Unknown);
        function_policy::narrow(text, &findings, Some(text), &context).expect("it parsed before");
        layer_policy::narrow(text, &layer_policy::judge(&document, &context), &context).expect("it parsed before");
    }
}
