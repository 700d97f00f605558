//! What is to be known of a function beside what its surfaces hold.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{guard::ReconcileRequest, model::surface::Surface};

/// Beside the surfaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Context {
    /// Whether the function's Region has no function URLs, so that no statement opens one.
    pub no_urls: bool,
    /// The URLs that the guard may not look at, with what AWS answered; the function's own stands for all where all
    /// were asked for at once.
    pub unread: BTreeMap<Surface, String>,
    /// The statements that the event says it has just added, by their Sids.
    pub added: BTreeSet<(Surface, String)>,
}

/// Adds what the event says.
pub(crate) fn add_event(request: &ReconcileRequest, context: &mut Context) {
    let named =
        request.introduced.iter().filter_map(|introduced| introduced.surface.clone().zip(introduced.sid.clone()));
    context.added = named.collect();
}
