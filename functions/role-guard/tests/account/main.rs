//! role-guard on the strict account and ledger in memory that the engine's own tests use.

#[path = "../../../../shared/engine/tests/world/mod.rs"]
mod world;

mod copies;
mod home;
mod laws;
mod remediations;
mod withheld;
