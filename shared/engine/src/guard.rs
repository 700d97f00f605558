//! What a guard supplies, and what it is given.

use crate::{
    call_error::CallError,
    ledger::state::{History, Share},
    model::{
        cloudtrail::{Cause, CloudTrailEvent},
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode, OptIn},
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    plan::{Plan, RevisionId},
    secret::values::Values,
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};
use warden_finding::Finding;

/// One resource to look at, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconcileRequest {
    /// The resource to look at.
    pub resource: Resource,
    /// Which of its surfaces; none means all of them.
    pub surfaces: Option<BTreeSet<Surface>>,
    /// What the event says it has just changed. It decides whether a finding that may have stood before counts as new:
    /// only once CloudTrail itself says that the event happened ([`crate::run::lookup`]).
    pub introduced: Vec<Introduced>,
    /// Whether an operator asks for it by name (`warden apply`): pre-existing findings, the breaker and the cap do not
    /// hold it back.
    #[serde(skip)]
    pub by_operator: bool,
    /// The function whose look led here, where one did: an opted-in function's role is looked at for its sake.
    pub through: Option<FunctionArn>,
    /// Of what it leads to, everything up to this was looked at already: a resource may lead to more than one invocation
    /// can look at. What it says is the guard's own.
    pub after: Option<String>,
    /// What the event itself has named, where the look at that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether the event gives the resource to something that is guarded, for which it is new whatever it was before: as a
    /// policy is new to the role that it is attached to. CloudTrail is not asked first, since that would leave the role
    /// with it for minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_given: bool,
    /// Whether CloudTrail is asked about the event already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// Why CloudTrail does not bear out what the event says it has changed, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
    /// What the records say of why it was looked at.
    pub cause: Cause,
}

/// What an event has named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The resource.
    pub resource: Resource,
    /// What of it the event says it has just changed.
    pub introduced: Vec<Introduced>,
}

/// What an event says it has just changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduced {
    /// Which surface; none means the whole resource, which was created by it.
    pub surface: Option<Surface>,
    /// Which statement of it; none means all of it.
    pub sid: Option<String>,
}

impl ReconcileRequest {
    /// A look at everything that `resource` has, at which nothing counts as just changed.
    pub fn at(resource: Resource, cause: Cause) -> ReconcileRequest {
        ReconcileRequest {
            resource,
            surfaces: None,
            introduced: Vec::new(),
            by_operator: false,
            through: None,
            after: None,
            origin: None,
            is_given: false,
            asked: false,
            unconfirmed: None,
            cause,
        }
    }

    /// What the event itself has named: this, or what led here.
    pub(crate) fn origin(&self) -> Origin {
        let own = || Origin { resource: self.resource.clone(), introduced: self.introduced.clone() };
        self.origin.clone().unwrap_or_else(own)
    }

    /// Whose shares of the account's cap a change comes out of, and how much they are: the resource's is a quarter of the
    /// cap, and the actor's half.
    pub fn shares(&self, settings: &Settings) -> BTreeMap<Share, u32> {
        BTreeMap::from([
            (Share::of_resource(&self.resource), (settings.cap / 4).max(1)),
            (Share::of_actor(&self.cause), (settings.cap / 2).max(1)),
        ])
    }

    /// Whether the event says that it has created the resource.
    pub fn created(&self) -> bool {
        self.introduced.iter().any(|introduced| introduced.surface.is_none() && introduced.sid.is_none())
    }

    /// Whether the event says that it has just changed what `at` points at in `content`.
    pub fn introduces(&self, surface: &Surface, sid: Option<&str>) -> bool {
        self.introduced.iter().any(|introduced| {
            introduced.surface.as_ref().is_none_or(|named| named == surface)
                && introduced.sid.as_deref().is_none_or(|named| Some(named) == sid)
        })
    }
}

/// Where a resource's mode comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The resource's own tags.
    Tags(BTreeMap<String, String>),
    /// A setting of the account.
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
pub struct SurfaceSnapshot {
    /// The content of the surface.
    pub content: Content,
    /// The lock on the content, where Lambda has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionId>,
}

/// What AWS says about a resource now, and what a guard needs to know beside it (`C`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts<C = ()> {
    /// Where its mode comes from.
    pub scope: Scope,
    /// The surfaces that were looked at.
    pub surfaces: BTreeMap<Surface, SurfaceSnapshot>,
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
    /// What is done instead where AWS does not take the plan: the call is not allowed or not offered, or what it leaves
    /// would let the public in. Any other failure is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
}

impl From<Plan> for Remedy {
    fn from(plan: Plan) -> Self {
        Remedy { plan: Some(plan), ..Remedy::default() }
    }
}

/// What can be done where AWS does not take what a guard would do first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// The changes; none where nothing can be done.
    pub plan: Option<Plan>,
    /// Findings that stay, each with advice for the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfixable: Vec<(Finding, String)>,
}

/// The last update of a function, which may be one of several that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deployment {
    /// When it was made (`LastModified`).
    pub changed: Timestamp,
    /// Whether it is still under way (`LastUpdateStatus`).
    pub is_under_way: bool,
}

/// The events of one service that concern a guard: its rule delivers these, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// The service, as in its event source: `lambda` of `lambda.amazonaws.com`.
    pub service: &'static str,
    /// Names of events, as CloudTrail has them.
    pub names: &'static [EventName],
}

/// How an event's name is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName {
    /// By the whole name.
    Exact(&'static str),
    /// By its beginning: CloudTrail appends the API's date to most names of Lambda (`AddPermission20150331v2`).
    Prefix(&'static str),
}

impl EventName {
    /// Whether an event of this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            EventName::Exact(exact) => name == *exact,
            EventName::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// What a guard decides: which events concern it, what is wrong, and what it would do about it. It is pure, and cannot
/// call AWS: [`Fetch`] reads what it needs, and the engine does everything else (modes, records, breaker, caps,
/// applying, undoing).
pub trait Guard {
    /// Which guard this is.
    const KIND: GuardKind;

    /// The events that its rule delivers. [`Guard::requests`] says what each of them asks for.
    const EVENTS: &'static [Events];

    /// The calls that it makes itself, as IAM actions in the order of the alphabet. Its role allows these, what the
    /// engine calls for every guard (`warden_aws::permissions::EVERY_GUARD`), and no others.
    const CALLS: &'static [&'static str];

    /// What is said of a resource on which it finds nothing, such as "nothing is wrong with who may invoke it".
    const NOTHING_FOUND: &'static str;

    /// What it needs to know of a resource beside what the surfaces hold; `()` where that is nothing.
    type Context: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned;

    /// Whether a surface is one that it judges and changes. No surface has two guards.
    fn owns(surface: &Surface) -> bool;

    /// The resources that an event concerns; none where it is not this guard's.
    fn requests(&self, event: &CloudTrailEvent, settings: &Settings) -> Vec<ReconcileRequest>;

    /// Judges one surface.
    fn judge(&self, facts: &Facts<Self::Context>, surface: &Surface, settings: &Settings) -> Judgement;

    /// Judges every surface, each as [`Guard::judge`] does. A guard whose surfaces are judged together does once what
    /// serves them all.
    fn judge_all(&self, facts: &Facts<Self::Context>, settings: &Settings) -> BTreeMap<Surface, Judgement> {
        facts.surfaces.keys().map(|surface| (surface.clone(), self.judge(facts, surface, settings))).collect()
    }

    /// Whether what is found on a surface hangs on what the facts' surfaces hold and on the settings alone. On content that
    /// has not changed, a new finding is a new rule's then, and nobody's doing.
    fn is_judged_by_content(&self, facts: &Facts<Self::Context>, surface: &Surface) -> bool {
        let _ = (facts, surface);
        true
    }

    /// Where parts of what a surface had last in force stand, because the guard has put them there: each with the surface
    /// that holds it. What was let be on the one is let be on the other.
    fn moved(&self, resource: &Resource, surface: &Surface, in_force: &Content) -> Vec<(Surface, Content)> {
        let _ = (resource, surface, in_force);
        Vec::new()
    }

    /// Brings what facts know beside their surfaces in line with these, where some hold something else than was read.
    fn complete(&self, facts: &mut Facts<Self::Context>) {
        let _ = facts;
    }

    /// Whether what a finding points at grants more now than it did `then`, though its rule and its severity are the same.
    fn grants_more(
        &self,
        now: &Facts<Self::Context>,
        then: &Facts<Self::Context>,
        surface: &Surface,
        finding: &Finding,
        settings: &Settings,
    ) -> bool {
        let _ = (now, then, surface, finding, settings);
        false
    }

    /// Plans the least change that puts `findings` on `surface` right: what is there now is narrowed; the baseline, which
    /// is what was in force and may come back, is restored where that is impossible, or where nothing else is lost by it.
    fn remedy(
        &self,
        resource: &Resource,
        facts: &Facts<Self::Context>,
        surface: &Surface,
        findings: &[Finding],
        baseline: Option<&Content>,
        settings: &Settings,
    ) -> Remedy;

    /// Adds what is known of the past to what was observed, where judging needs it.
    fn add_history(&self, request: &ReconcileRequest, facts: &mut Facts<Self::Context>, history: &History) {
        let _ = (request, facts, history);
    }

    /// Whether it is kept for good what a surface held when its resource was opted in to `enforce`.
    fn keeps_first(&self, surface: &Surface) -> bool {
        let _ = surface;
        false
    }

    /// Whether the baselines that a surface had before its last one are kept as well, because what was clean when it
    /// came may be at fault later.
    fn keeps_earlier(&self, surface: &Surface) -> bool {
        let _ = surface;
        false
    }

    /// The opted-in functions that use a resource, as far as they are known: kept with the resource, so that what
    /// happens to it leads to them.
    fn functions(&self, facts: &Facts<Self::Context>) -> BTreeSet<FunctionArn> {
        match &facts.scope {
            Scope::Through(functions) => functions.clone(),
            Scope::Tags(_) | Scope::Setting(_) => BTreeSet::new(),
        }
    }

    /// What is to be said in the ledger of content that is kept so; none where there is nothing in it that anybody would
    /// miss.
    fn first_note(&self, content: &Content, settings: &Settings) -> Option<String> {
        let _ = (content, settings);
        None
    }

    /// The fingerprint of what stands behind a surface's content that only names it, as the role behind a function's.
    /// None where the content says it all.
    fn behind(&self, facts: &Facts<Self::Context>, surface: &Surface) -> Option<Fingerprint> {
        let _ = (facts, surface);
        None
    }

    /// Adds to what is known of a surface's values what was seen of them now.
    fn remember(&self, facts: &Facts<Self::Context>, surface: &Surface, values: &mut Values) {
        let _ = (facts, surface, values);
    }

    /// Adds to what is known of a function's readers, and of what their trust policies said, what was seen now.
    fn remember_readers(
        &self,
        facts: &Facts<Self::Context>,
        surface: &Surface,
        readers: &mut BTreeMap<String, Fingerprint>,
    ) {
        let _ = (facts, surface, readers);
    }

    /// The surfaces that could not be read, with what AWS answered. What they hold is not known, so they are none of
    /// the facts' surfaces; it is reported, and the others are judged all the same.
    fn unread(&self, facts: &Facts<Self::Context>) -> BTreeMap<Surface, String> {
        let _ = facts;
        BTreeMap::new()
    }

    /// The surfaces that have to be looked at to judge one of them; none means the whole resource.
    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Some(BTreeSet::from([surface.clone()]))
    }

    /// When the function's code or configuration was last changed, where the guard's own update could get in the way of a
    /// deployment that goes on.
    fn deployment(&self, facts: &Facts<Self::Context>) -> Option<Deployment> {
        let _ = facts;
        None
    }

    /// What else is to be looked at, now that this resource was. Those looks lead on once more, and no further.
    fn follows(
        &self,
        request: &ReconcileRequest,
        facts: &Facts<Self::Context>,
        settings: &Settings,
    ) -> Vec<ReconcileRequest> {
        let _ = (request, facts, settings);
        Vec::new()
    }

    /// The surface of a resource on which Warden keeps something for it that outlives it; its content, once the
    /// resource is gone, says what.
    fn retains(&self, resource: &Resource) -> Option<Surface> {
        let _ = resource;
        None
    }

    /// What is to be done about what [`Guard::retains`] says, once the resource is gone: the change that removes it, or
    /// why it has to stay. None where nothing is to be done.
    fn cleanup(&self, resource: &Resource, surface: &Surface, kept: &Content) -> Option<Result<Plan, String>> {
        let _ = (resource, surface, kept);
        None
    }

    /// What whoever opts a resource in has to know beside the findings, one sentence each.
    fn reservations(&self, resource: &Resource, facts: &Facts<Self::Context>, settings: &Settings) -> Vec<String> {
        let never = self.never_touch(resource, facts, settings);
        let unread = self.unread(facts).into_iter().map(|(surface, why)| format!("{surface} could not be read: {why}"));
        unread.chain(never.then(|| "it is one that no guard ever changes".to_owned())).collect()
    }

    /// When the resource was made, where AWS itself says so, or when it was last changed, which may be the same: an event
    /// of its creation at that time needs no other witness.
    fn created(&self, facts: &Facts<Self::Context>) -> Option<Timestamp> {
        let _ = facts;
        None
    }

    /// Whether the resource is one that is never changed, whatever its tags say: by the account's settings at least.
    fn never_touch(&self, resource: &Resource, facts: &Facts<Self::Context>, settings: &Settings) -> bool {
        let _ = facts;
        settings.never_touches(&resource.to_string())
    }
}

/// Reads from AWS what a guard needs.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Fetch<G: Guard> {
    /// Reads a resource afresh; `None` where it is gone.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn fetch(
        &self,
        guard: &G,
        request: &ReconcileRequest,
        settings: &Settings,
    ) -> Result<Option<Facts<G::Context>>, CallError>;

    /// Reads what turns out to be needed once the first facts and the past are known; before [`Guard::add_history`].
    /// For most resources that is nothing.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn fetch_more(
        &self,
        guard: &G,
        request: &ReconcileRequest,
        facts: &mut Facts<G::Context>,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        let _ = (guard, request, facts, history, settings);
        Ok(())
    }

    /// The looks at everything that `event` may have changed, where it does not say what it was
    /// ([`CloudTrailEvent::says_where`]); `None` where nobody can list that.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn anywhere(
        &self,
        guard: &G,
        event: &CloudTrailEvent,
        settings: &Settings,
    ) -> Result<Option<Vec<ReconcileRequest>>, CallError> {
        let _ = (guard, event, settings);
        Ok(None)
    }
}

/// How a guard looks at a resource before it is opted in.
#[allow(async_fn_in_trait, reason = "used with concrete types only, whose futures are Send")]
pub trait Survey<G: Guard>: Fetch<G> {
    /// Reads everything that the guard watches on a resource as it would be with these tags, also where it is not opted
    /// in. `None` where it is gone, or where the guard has nothing to say of such a resource by itself.
    ///
    /// # Errors
    /// The AWS call that failed.
    async fn survey(
        &self,
        guard: &G,
        resource: &Resource,
        tags: &BTreeMap<String, String>,
        settings: &Settings,
    ) -> Result<Option<Facts<G::Context>>, CallError>;
}
