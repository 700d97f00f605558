//! role-guard on the strict account and ledger in memory of `warden-testing`.

mod accepting;
mod deployment;
mod generated_policies;
mod home;
mod in_force;
mod properties;
mod remediations;
mod withheld;
