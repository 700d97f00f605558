//! Intents: a plan that is in the ledger before its first call is made, and the taking over of one that was left.

use crate::{
    ledger::state::{Intent, Purpose, SurfaceState},
    model::{
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::fingerprint::Fingerprint,
    plan::{Change, Plan, RevisionId},
};
use jiff::Timestamp;
use serde_json::json;
use warden_finding::Finding;

/// One surface to put right.
#[derive(Clone, Debug, PartialEq)]
pub struct Remediation {
    /// The surface that is put right.
    pub surface: Surface,
    /// The intent as it stands in the ledger.
    pub intent: Intent,
    /// The changes that are left.
    pub changes: Vec<Change>,
    /// The lock on the content as it was read.
    pub revision: Option<RevisionId>,
    /// Whether another run began it.
    pub resumed: bool,
}

/// Takes over an intent that another run left open, for the changes that are left: writes its new lease into the
/// surface's state.
pub(super) fn resume(
    surface: &Surface,
    intent: &Intent,
    changes: &[Change],
    revision: Option<RevisionId>,
    state: &mut SurfaceState,
    settings: &Settings,
    now: Timestamp,
) -> Remediation {
    let lease = now.saturating_add(settings.lease).unwrap_or(Timestamp::MAX);
    let intent = Intent { lease, ..intent.clone() };
    state.intent = Some(intent.clone());
    Remediation { surface: surface.clone(), intent, changes: changes.to_vec(), revision, resumed: true }
}

/// Writes the intent to carry out `plan` into the surface's state; `has_otherwise` says whether something else may be
/// done where AWS does not take it.
pub(crate) fn intend(
    resource: &Resource,
    (plan, has_otherwise): (Plan, bool),
    findings: Vec<Finding>,
    state: &mut SurfaceState,
    settings: &Settings,
    now: Timestamp,
) -> Intent {
    state.occurrences += 1;
    let key = json!([resource, plan.surface(), plan.before().fingerprint(), state.occurrences]);
    let intent = Intent {
        purpose: Purpose::Remedy,
        remediation: format!("{:.16}-{}", Fingerprint::of(&key).to_string(), state.occurrences),
        findings,
        plan,
        has_otherwise,
        lease: now.saturating_add(settings.lease).unwrap_or(Timestamp::MAX),
    };
    state.intent = Some(intent.clone());
    intent
}
