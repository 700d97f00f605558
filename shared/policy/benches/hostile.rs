//! How long one document of 100 KB takes that was written to be slow: parsed and judged, at most 50 ms each.

use divan::Bencher;
use warden_policy::{Context, Document, Kind, UrlAuth, function_policy, role_policy, trust_policy};

#[path = "../hostile/documents.rs"]
mod documents;

fn main() {
    divan::main();
}

fn names() -> Vec<&'static str> {
    documents::documents(100).iter().map(|hostile| hostile.name).collect()
}

#[divan::bench(args = names(), sample_count = 10)]
fn judged(bencher: Bencher<'_, '_>, name: &str) {
    let all = documents::documents(100_000);
    let hostile = all.iter().find(|hostile| hostile.name == name).expect("a name from the list");
    let context = Context::of_account("111122223333".parse().expect("twelve digits"));
    bencher.bench_local(|| {
        Document::parse(&hostile.text, hostile.kind).map(|document| match hostile.kind {
            Kind::Identity => role_policy::judge(&document, &context),
            Kind::Trust => trust_policy::judge(&document, &context),
            Kind::Resource => function_policy::judge(&document, &context, UrlAuth::Unknown),
        })
    });
}
