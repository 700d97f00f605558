//! What runs: an event's way, the loop, changes one after the other, and what operators do.

pub mod accept;
pub(crate) mod carry_out;
pub(crate) mod commit;
pub mod delay;
pub(crate) mod handler;
pub mod lookup;
pub(crate) mod operation;
pub(crate) mod patience;
pub mod pause;
pub mod proof;
pub(crate) mod reconcile;
pub mod undo;
