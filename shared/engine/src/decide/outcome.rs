//! How an intent ended: its records, its state, what is learnt by it.

use super::report::{noted, worst};
use crate::{
    ledger::{
        record::{Draft, Step},
        state::{Acceptance, Intent, Purpose, Refusal, Replaced, SurfaceState},
    },
    model::{content::Diff, surface::Surface},
    name::fingerprint::Fingerprint,
    secret::{
        environment::{KeyedHash, WHEN_IT_STARTS},
        known_secret::{self, Known},
    },
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

/// How many reverts a surface's state keeps: enough for the breaker.
pub(crate) const REVERTS_KEPT: usize = 64;

/// How an intent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All changes were made as planned.
    Done,
    /// Not all changes were made, for the reason given.
    Failed(String),
    /// Not all changes were made, because somebody else changed the content in the meantime.
    Overtaken,
    /// AWS does not take a change from whoever makes it. Where something else may be done instead, that is remembered
    /// and decided on again; otherwise it is a failure like others.
    NotTaken {
        /// The operation's name in the API.
        operation: &'static str,
        /// Whether AWS refuses what the change would leave, and not the operation.
        for_content: bool,
        /// What AWS said.
        why: String,
    },
}

impl Ending {
    /// Why not all changes were made; nothing where they were.
    pub fn why(&self) -> String {
        match self {
            Ending::Done => String::new(),
            Ending::Failed(why) | Ending::NotTaken { why, .. } => why.clone(),
            Ending::Overtaken => "somebody changed the content in the meantime".into(),
        }
    }

    /// Whether the surface is looked at and decided on again at once.
    pub fn is_decided_again(&self, intent: &Intent) -> bool {
        match self {
            Ending::Done | Ending::Failed(_) => false,
            Ending::Overtaken => true,
            Ending::NotTaken { .. } => intent.has_otherwise,
        }
    }

    /// What the surface's state remembers of it.
    fn refusal(&self, intent: &Intent, now: Timestamp) -> Option<Refusal> {
        let Ending::NotTaken { operation, for_content, why } = self else { return None };
        let plan = for_content.then(|| intent.plan.fingerprint());
        intent.has_otherwise.then(|| Refusal { operation: (*operation).to_owned(), plan, at: now, why: why.clone() })
    }
}

/// Ends an intent. Returns the records of its outcome, and the surface's state without it. `clear` says what is let pass
/// in the content that is left, where nothing else is found in it: see [`super::in_force::let_pass`].
pub fn conclude(
    intent: &Intent,
    ending: &Ending,
    state: &SurfaceState,
    clear: Option<BTreeSet<Fingerprint>>,
    template: &Draft,
    now: Timestamp,
) -> (Vec<Draft>, SurfaceState) {
    let mut state = state.clone();
    state.intent = None;
    // One that lies ahead is another run's.
    state.wait = state.wait.filter(|wait| wait.until > now);
    let mut accepted = None;
    let mut draft = Draft {
        surface: Some(intent.plan.surface().clone()),
        findings: intent.findings.clone(),
        severity: worst(&intent.findings),
        remediation: Some(intent.remediation.clone()),
        diff: Some(Diff { before: intent.plan.before().clone(), after: intent.plan.after().clone() }),
        changes: intent.plan.changes().to_vec(),
        ..template.clone()
    };
    match (ending, &intent.purpose) {
        (Ending::Done, Purpose::Rotate) => {
            draft.step = Step::Rotated;
            draft.note = noted(draft.note, intent.plan.note());
        }
        (Ending::Done, Purpose::Remedy) => {
            draft.step = Step::Applied;
            draft.note = noted(draft.note, intent.plan.note());
            state.values.learn(intent.plan.changes());
            state.learn_readers(&intent.plan);
            // What is put away after a resource that is gone was no revert.
            if !intent.findings.is_empty() {
                state.reverts.push(now);
            }
            if intent.plan.surface().is_of_iam() {
                state.replaced = Some(Replaced { content: intent.plan.before().fingerprint(), at: now });
            }
            let surplus = state.reverts.len().saturating_sub(REVERTS_KEPT);
            state.reverts.drain(..surplus);
            state.forget_refusals_of(&intent.plan);
            // What an operator had removed does not stand any more: put back, it is new.
            let left = intent.plan.after().fragments();
            match clear {
                Some(passing) => {
                    state.pre_existing.retain(|key, _| left.contains(&key.fragment));
                    state.go_back_to(intent.plan.after());
                    state.keep(intent.plan.after(), passing);
                }
                None => state.let_lapse(&left),
            }
        }
        (Ending::Done, Purpose::Undo { record }) => {
            draft.step = Step::Undone;
            draft.undoes = Some(*record);
            let known = known_secret::by_undone(intent.plan.changes());
            let names: Vec<&str> = known.values().map(|known| known.variable.as_str()).collect();
            let unlearnt = (!names.is_empty()).then(|| {
                format!(
                    "what {} held is no known secret any more: it may be set in other functions too",
                    names.join(", ")
                )
            });
            let rotated = matches!(intent.plan.surface(), Surface::Secret(_)).then_some(WHEN_IT_STARTS);
            draft.note = noted(noted(unlearnt, rotated), intent.plan.note());
            let keys = intent.restored();
            accepted = state.acceptances.iter().find(|acceptance| acceptance.findings == keys).map(|acceptance| {
                let Acceptance { by, .. } = acceptance;
                let note = Some(format!("left alone {}; decided by {by}", acceptance.how_long()));
                let after = intent.plan.after().clone();
                let (diff, changes) = (Some(Diff { before: after.clone(), after }), Vec::new());
                Draft { step: Step::Accepted, note, diff, changes, ..draft.clone() }
            });
        }
        (Ending::Failed(_) | Ending::Overtaken | Ending::NotTaken { .. }, purpose) => {
            draft.step = Step::Failed;
            let again = *ending == Ending::Overtaken && *purpose == Purpose::Remedy;
            draft.note =
                Some(if again { format!("{}; it was read and decided on again", ending.why()) } else { ending.why() });
            if let Some(refusal) = ending.refusal(intent, now) {
                state.remember_refusal(refusal);
            }
            if let Purpose::Undo { record } = purpose {
                draft.undoes = Some(*record);
                let keys = intent.restored();
                state.acceptances.retain(|acceptance| acceptance.findings != keys);
            }
        }
    }
    (iter::once(draft).chain(accepted).collect(), state)
}

/// What the account learns about values by how an intent ended.
pub fn learnt(intent: &Intent, ending: &Ending) -> BTreeMap<KeyedHash, Known> {
    match (ending, &intent.purpose) {
        (Ending::Done, Purpose::Remedy | Purpose::Rotate) => known_secret::by(intent.plan.changes()),
        // Withdrawn when the undo began.
        (Ending::Failed(_) | Ending::Overtaken | Ending::NotTaken { .. }, Purpose::Undo { .. }) => {
            known_secret::by_undone(intent.plan.changes())
        }
        (Ending::Done, Purpose::Undo { .. })
        | (Ending::Failed(_) | Ending::Overtaken | Ending::NotTaken { .. }, Purpose::Remedy | Purpose::Rotate) => {
            BTreeMap::new()
        }
    }
}
