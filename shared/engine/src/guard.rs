//! What a guard supplies, and what it is given.

use crate::{
    arn::FunctionArn,
    call_error::CallError,
    content::Content,
    plan::{Plan, RevisionId},
    settings::Settings,
    state::History,
    surface::{Subject, Surface},
    tags::{GuardKind, Mode, OptIn},
    trigger::{Cause, Trigger},
    values::Values,
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
    /// The function whose look led here, where one did: an opted-in function's role is looked at for its sake.
    pub through: Option<FunctionArn>,
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
    /// A look at everything that `subject` has, at which nothing counts as just changed.
    pub fn at(subject: Subject, cause: Cause) -> Look {
        Look { subject, surfaces: None, introduced: Vec::new(), by_operator: false, through: None, cause }
    }

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
    /// No tag of its own, but these opted-in functions use it: it is judged and never changed.
    Through(BTreeSet<FunctionArn>),
}

impl Scope {
    /// Reads the opt-in for `guard` on the day `today` (UTC).
    pub fn opt_in(&self, guard: GuardKind, today: Date) -> OptIn {
        match self {
            Scope::Tags(tags) => OptIn::from_tags(tags, guard, today),
            Scope::Setting(mode) => OptIn::by_setting(*mode),
            Scope::Through(functions) if functions.is_empty() => OptIn::by_setting(Mode::Off),
            Scope::Through(_) => OptIn::by_setting(Mode::Observe),
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
    /// What is done instead where AWS refuses the plan, because what it leaves would let the public in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
}

impl From<Plan> for Remedy {
    fn from(plan: Plan) -> Self {
        Remedy { plan: Some(plan), ..Remedy::default() }
    }
}

/// What can be done where AWS takes no whole policy that lets the public in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// The changes; none where nothing can be done.
    pub plan: Option<Plan>,
    /// Findings that stay, each with advice for the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfixable: Vec<(Finding, String)>,
}

/// What a guard thinks: which events concern it, what is wrong, what it would do. Pure: it has no account to look at. What it reads
/// is [`Observe`]'s, everything else (modes, records, breaker, caps, applying, undoing) the engine's.
pub trait Guard {
    /// Which one.
    const KIND: GuardKind;

    /// What it needs to know of a subject beside what the surfaces hold; `()` where that is nothing.
    type Context: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned;

    /// The subjects that a trigger concerns; none where it is not this guard's.
    fn looks(&self, trigger: &Trigger, settings: &Settings) -> Vec<Look>;

    /// Judges one surface.
    fn judge(&self, facts: &Facts<Self::Context>, surface: &Surface, settings: &Settings) -> Judgement;

    /// Plans the least change that puts `findings` on `surface` right.
    fn remedy(
        &self,
        subject: &Subject,
        facts: &Facts<Self::Context>,
        surface: &Surface,
        findings: &[Finding],
        baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy;

    /// Adds what is known of the past to what was observed, where judging needs it.
    fn recall(&self, look: &Look, facts: &mut Facts<Self::Context>, history: &History) {
        let _ = (look, facts, history);
    }

    /// Adds to what is known of a surface's values what was seen of them now.
    fn remember(&self, facts: &Facts<Self::Context>, surface: &Surface, values: &mut Values) {
        let _ = (facts, surface, values);
    }

    /// The surfaces that have to be looked at to judge one of them; none means the whole subject.
    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Some(BTreeSet::from([surface.clone()]))
    }

    /// What else is to be looked at, now that this subject was; those looks lead to no others.
    fn follows(&self, look: &Look, facts: &Facts<Self::Context>, settings: &Settings) -> Vec<Look> {
        let _ = (look, facts, settings);
        Vec::new()
    }

    /// The surface of a subject on which Warden keeps something for it that outlives it; its content, once the subject is gone, says what.
    fn keeps(&self, subject: &Subject) -> Option<Surface> {
        let _ = subject;
        None
    }

    /// What becomes of that: the change that puts it away, or why it has to stay; none where nothing is to be done.
    fn put_away(&self, subject: &Subject, surface: &Surface, kept: &Content) -> Option<Result<Plan, String>> {
        let _ = (subject, surface, kept);
        None
    }

    /// Whether the subject is one that is never changed, whatever its tags say: by the account's settings at least.
    fn never_touch(&self, subject: &Subject, facts: &Facts<Self::Context>, settings: &Settings) -> bool {
        let _ = facts;
        settings.never_touches(&subject.to_string())
    }
}

/// What a guard reads.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Observe<G: Guard> {
    /// Reads a subject afresh; `None` where it is gone.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn observe(
        &self,
        guard: &G,
        look: &Look,
        settings: &Settings,
    ) -> Result<Option<Facts<G::Context>>, CallError>;

    /// Reads what turns out to be needed once the first facts and the past are known; before [`Guard::recall`]. For most subjects
    /// that is nothing.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn complete(
        &self,
        guard: &G,
        look: &Look,
        facts: &mut Facts<G::Context>,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        let _ = (guard, look, facts, history, settings);
        Ok(())
    }
}
