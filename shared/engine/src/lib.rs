//! The engine that every guard runs in: resources and surfaces, modes, findings against history, plans with their undo, the ledger's
//! records, the breaker, and the one [`reconcile`] loop.
//!
//! The decision ([`decide`](decide::decide)) is pure: facts in, records and changes out. It knows no AWS SDK and no clock; what it
//! needs from outside stands in [`ports`].

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod arn;
pub mod call_error;
pub mod cloudtrail;
pub mod content;
pub mod decide;
pub mod environment;
pub mod guard;
mod handler;
pub mod iam;
pub mod known;
pub mod managed_instances;
pub mod ocsf;
mod operation;
pub mod pause;
pub mod plan;
pub mod ports;
pub mod proof;
mod reconcile;
pub mod record;
pub mod rotate;
pub mod settings;
pub mod state;
pub mod surface;
pub mod tags;
pub mod undo;
pub mod values;

pub use handler::{Handled, HandlerError, on_event};
pub use reconcile::{ReconcileError, Report, reconcile};
pub use warden_finding::{Finding, FindingId, Severity};
pub use warden_policy::{AccountId, OrganizationId};
pub use warden_secret_ref as secret_ref;
