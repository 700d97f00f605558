//! concurrency-guard on the strict account and ledger in memory of `warden-testing`.

mod properties;
mod remediations;
mod shop;
