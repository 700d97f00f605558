//! The engine that every guard runs in: resources and surfaces, modes, findings against history, plans with their undo,
//! the ledger's records, the breaker, and the one [`reconcile`] loop.
//!
//! The decision ([`decide`](decide::decide)) is pure: facts in, records and changes out. It knows no AWS SDK and no
//! clock; what it needs from outside stands in [`ports`].

pub mod call_error;
pub mod decide;
pub mod guard;
pub mod ledger;
pub mod model;
pub mod name;
pub mod plan;
pub mod ports;
pub mod run;
pub mod secret;
pub mod shown;

pub use run::{
    commit::Unwritable,
    delay::on_message,
    handler::{Handled, HandlerError, on_event},
    reconcile::{ReconcileError, Report, reconcile},
};
pub use warden_finding::{Finding, FindingId, Severity};
pub use warden_policy::{AccountId, OrganizationId};
pub use warden_secret_ref as secret_ref;
