//! The ledger: records, their chain, the states beside them, and the form in which others are told.

pub mod chain;
pub mod ocsf;
pub mod rebuild;
pub mod record;
pub mod state;
