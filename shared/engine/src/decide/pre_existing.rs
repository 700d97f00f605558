//! What was there before a resource was opted in to `enforce`.

use super::in_force::Compared;
use crate::{
    guard::{Introduced, ReconcileRequest},
    ledger::state::{Enrolment, SurfaceState, Tampered},
    model::{
        content::{Content, FindingKey},
        settings::PreExistingPolicy,
        surface::Surface,
        tags::Mode,
    },
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use warden_finding::Finding;

/// Stands for when it was written down that a finding was there before, where nothing but the rules or the settings has
/// changed: earlier than any event, so that none which is handed over again tells that it is new.
const BY_A_NEW_RULE: Timestamp = Timestamp::UNIX_EPOCH;

/// So much later than a resource's creation a call may be whose event is read before the creation's.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// What tells a finding that was there before from one that came since.
pub(super) struct PreExisting<'a> {
    /// What the guard knew of the resource.
    pub(super) known: Option<&'a Enrolment>,
    /// Why the resource is looked at.
    pub(super) request: &'a ReconcileRequest,
    /// The mode that the resource has now.
    pub(super) mode: Mode,
    /// What is to become of findings from before.
    pub(super) policy: PreExistingPolicy,
    /// When the event happened.
    pub(super) happened: Timestamp,
    pub(super) now: Timestamp,
    /// Set where the resource's items in the ledger were damaged.
    pub(super) tampered: Option<Tampered>,
    /// Whether the event reports the resource's creation, and AWS itself says that it was made then.
    pub(super) is_created: bool,
}

/// The findings that are left because they were there before.
pub(super) struct Left {
    /// All of them.
    pub(super) all: BTreeSet<FindingKey>,
    /// Those that are new if the event happened, which CloudTrail has not said.
    pub(super) claimed: BTreeSet<FindingKey>,
}

impl PreExisting<'_> {
    /// Which of the findings, each beside how it compares with what was in force, were there before and are therefore
    /// left; brings the state's list of them up to date. `by_content` says that the surface is judged by content alone.
    pub(super) fn among(
        &self,
        surface: &Surface,
        content: &Content,
        findings: &[(Finding, Compared)],
        by_content: bool,
        state: &mut SurfaceState,
    ) -> Left {
        let enforced_since = self.known.filter(|known| known.mode == Mode::Enforce).map(|known| known.since);
        // A surface that was never looked at under `enforce` shows what was there before, unless it was not there at
        // all.
        let surveyed = self.known.is_some_and(|known| known.surveyed);
        let first_look = match self.tampered {
            None => enforced_since.is_none() || state.version == 0 && !surveyed,
            // Never a first look, or whoever erases an item has everything left as it is. But what nothing tells of is
            // left until a person decides.
            Some(Tampered { is_all_known }) => !is_all_known,
        };
        let recorded = state.pre_existing.clone();
        let mut left = Left { all: BTreeSet::new(), claimed: BTreeSet::new() };
        for (finding, compared) in findings {
            let key = content.finding_key(finding);
            let named = self.request.introduces(surface, sid(content, &finding.at));
            // The statement counts, whichever rule it breaks: see `Acceptance::covers`.
            let written =
                recorded.iter().find(|(known, _)| known.fragment == key.fragment).map(|(_, written)| *written);
            let is_tampered_with = self.tampered.is_some() && self.puts_in(surface, content, finding);
            // Whether it would stand without the event, and whether the event ends that.
            let (stands, ends) = match written {
                // It has become worse than it was when it was last let be.
                Some(_) if !first_look && *compared == Compared::Worse => {
                    state.lapsed.insert(key.fragment);
                    continue;
                }
                // An event may be read after the opt-in that it came after: what it names is new if it happened after
                // the opt-in and before the finding was written down as pre-existing.
                // Built anew from the records it may stand no more: what the event itself puts in is new.
                Some(written) if is_tampered_with => (true, written != BY_A_NEW_RULE && self.happened > written),
                Some(written) => {
                    let is_since = enforced_since.is_some_and(|since| since <= self.happened || self.is_with(since));
                    (true, named && is_since && self.happened <= written)
                }
                None if first_look => (true, named),
                // Nothing has changed but the rules or the settings.
                None => {
                    let stood = by_content
                        && self.tampered.is_none()
                        && *compared == Compared::Stood
                        && !state.lapsed.contains(&key.fragment);
                    (stood, false)
                }
            };
            // Whoever may invoke the guard can make an event up, so that the event alone ends nothing.
            let is_claimed = stands && ends && !self.request.cause.verified && !self.is_created;
            let is_pre_existing = stands && (!ends || is_claimed);
            let is_by_rule = written.is_none() && !first_look && is_pre_existing;
            if !is_pre_existing && self.mode == Mode::Enforce {
                state.pre_existing.retain(|known, _| known.fragment != key.fragment);
                state.lapsed.insert(key.fragment);
            } else {
                // CloudTrail's record is from before what is written down here.
                let written = written.filter(|_| !(is_claimed && is_tampered_with));
                state.lapsed.remove(&key.fragment);
                state.pre_existing.insert(key, written.unwrap_or(if is_by_rule { BY_A_NEW_RULE } else { self.now }));
            }
            if is_pre_existing && !self.request.by_operator && self.policy == PreExistingPolicy::Withhold {
                left.all.insert(key);
                left.claimed.extend(is_claimed.then_some(key));
            }
        }
        left
    }
}

impl PreExisting<'_> {
    /// Whether the event reports the resource's creation, and the opt-in is from the same moment: it came with it, though
    /// a later event was delivered first. Nothing stood before.
    fn is_with(&self, since: Timestamp) -> bool {
        self.request.created() && since.duration_since(self.happened) < LATE
    }

    /// Whether the event names the very statement, by its Sid.
    fn puts_in(&self, surface: &Surface, content: &Content, finding: &Finding) -> bool {
        let Some(sid) = sid(content, &finding.at) else { return false };
        let names = |introduced: &Introduced| {
            introduced.surface.as_ref() == Some(surface) && introduced.sid.as_deref() == Some(sid)
        };
        self.request.introduced.iter().any(names)
    }
}

/// The Sid of the statement that a place points into.
fn sid<'a>(content: &'a Content, at: &str) -> Option<&'a str> {
    content.fragment(at)?.get("Sid")?.as_str()
}
