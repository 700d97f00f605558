//! Snapshot.
mod account;
mod context;
pub use account::*;
pub use context::*;
