//! role-guard on the strict account and ledger in memory that the engine's own tests use.

#[path = "../../../../shared/engine/tests/world/mod.rs"]
mod world;

mod generated_policies;
mod home;
mod properties;
mod remediations;
mod withheld;
