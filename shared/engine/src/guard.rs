//! What a guard supplies, and what it is given.

use crate::{
    call_error::CallError,
    content::Content,
    plan::{Plan, RevisionId},
    settings::Settings,
    surface::{Subject, Surface},
    tags::{GuardKind, Mode, OptIn},
    trigger::{Cause, Trigger},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};
use warden_finding::Finding;

/// One subject to look at, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// What to look at.
    pub subject: Subject,
    /// Which of its surfaces; none means all of them.
    pub surfaces: Option<BTreeSet<Surface>>,
    /// What the trigger says it has just changed. A hint: it decides only whether a finding on a subject that was never looked at
    /// counts as new or as standing.
    pub introduced: Vec<Introduced>,
    /// Whether an operator asks for it by name (`warden apply`): standing findings, the breaker and the cap do not hold it back.
    pub by_operator: bool,
    /// What stands in the records.
    pub cause: Cause,
}

/// What a trigger says it has just changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// Which surface; none means the whole subject, which was created by it.
    pub surface: Option<Surface>,
    /// Which statement of it; none means all of it.
    pub sid: Option<String>,
}

impl Look {
    /// Whether the trigger says that it has created the subject.
    pub fn created(&self) -> bool {
        self.introduced.iter().any(|introduced| introduced.surface.is_none() && introduced.sid.is_none())
    }

    /// Whether the trigger says that it has just changed what `at` points at in `content`.
    pub fn introduces(&self, surface: &Surface, sid: Option<&str>) -> bool {
        self.introduced.iter().any(|introduced| {
            introduced.surface.as_ref().is_none_or(|named| named == surface)
                && introduced.sid.as_deref().is_none_or(|named| Some(named) == sid)
        })
    }
}

/// Where a subject's mode comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The resource's own tags.
    Tags(BTreeMap<String, String>),
    /// An account setting.
    Setting(Mode),
}

impl Scope {
    /// Reads the opt-in for `guard` on the day `today` (UTC).
    pub fn opt_in(&self, guard: GuardKind, today: Date) -> OptIn {
        match self {
            Scope::Tags(tags) => OptIn::from_tags(tags, guard, today),
            Scope::Setting(mode) => OptIn::by_setting(*mode),
        }
    }
}

/// One surface as AWS shows it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What it holds.
    pub content: Content,
    /// The lock on it, where Lambda has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
}

/// What AWS says about a subject now, and what a guard needs to know beside it (`C`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts<C = ()> {
    /// Where its mode comes from.
    pub scope: Scope,
    /// The surfaces that were looked at.
    pub surfaces: BTreeMap<Surface, Sighting>,
    /// What is no surface's content and counts all the same when it is judged or changed.
    #[serde(default)]
    pub context: C,
}

/// What is wrong with one surface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The rules that it breaks.
    pub findings: Vec<Finding>,
    /// Why it cannot be judged, or not wholly: it is reported and not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<String>,
}

/// What can be done about findings on one surface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// The changes; none where nothing can be done.
    pub plan: Option<Plan>,
    /// Findings for which no change is safe, each with advice for the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfixable: Vec<(Finding, String)>,
}

/// A guard: which events concern it, what it reads, what it thinks of it, what it would do. Everything else (modes, records,
/// breaker, caps, applying, undoing) is the engine's.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Guard {
    /// Which one.
    const KIND: GuardKind;

    /// What it needs to know of a subject beside what the surfaces hold; `()` where that is nothing.
    type Context: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned;

    /// The subjects that a trigger concerns; none where it is not this guard's.
    fn looks(&self, trigger: &Trigger) -> Vec<Look>;

    /// Reads a subject afresh; `None` where it is gone.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn observe(&self, look: &Look) -> Result<Option<Facts<Self::Context>>, CallError>;

    /// Judges one surface. Pure.
    fn judge(&self, facts: &Facts<Self::Context>, surface: &Surface, settings: &Settings) -> Judgement;

    /// Plans the least change that puts `findings` on `surface` right. Pure.
    fn remedy(
        &self,
        subject: &Subject,
        facts: &Facts<Self::Context>,
        surface: &Surface,
        findings: &[Finding],
        baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy;
}
