//! The one list of guards. Command line, demo, tests and template take theirs from here.
//!
//! [`AnyGuard`] is a guard whose own types are out of sight, so that one list can hold them all. Everything that it
//! does is written once, for every [`Guard`].

use access_guard::AccessGuard;
use concurrency_guard::ConcurrencyGuard;
use futures::future::{self, LocalBoxFuture};
use role_guard::RoleGuard;
use secret_guard::SecretGuard;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use warden_aws::{Aws, permissions};
use warden_engine::{
    ReconcileError, Report,
    call_error::CallError,
    decide::{Decision, decide, in_force::inherited},
    guard::{Events, Facts, Fetch, Guard, Judgement, ReconcileRequest, SurfaceSnapshot, Survey},
    ledger::state::Acceptance,
    model::{
        cloudtrail::{Cause, CloudTrailEvent},
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::fingerprint::Fingerprint,
    ports::{Clock, Ledger},
    reconcile,
    run::proof::strike_forged,
};

/// Does something with every guard, each by its own type.
pub trait Visitor {
    /// Is given a guard.
    fn visit<G: Guard + Sync>(&mut self, guard: &'static G)
    where
        Aws: Survey<G>;
}

macro_rules! guards {
    ($($guard:ident),*) => {
        /// Every guard that there is, in the order in which they are named to people.
        pub static GUARDS: &[&dyn AnyGuard] = &[$(&$guard),*];

        /// Shows every guard to a visitor, in the same order.
        pub fn each(visitor: &mut impl Visitor) {
            $(visitor.visit(&$guard);)*
        }
    };
}

guards![RoleGuard, AccessGuard, SecretGuard, ConcurrencyGuard];

/// The names of all guards, such as `access-guard`, in the order of the list.
pub fn names() -> Vec<&'static str> {
    GUARDS.iter().map(|guard| guard.kind().name()).collect()
}

/// The guard of a kind; `None` where this release has none.
pub fn guard(kind: GuardKind) -> Option<&'static dyn AnyGuard> {
    GUARDS.iter().copied().find(|guard| guard.kind() == kind)
}

/// What a guard finds on a resource that is to be opted in.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// What it finds, the worst first on each surface.
    pub found: Vec<(Surface, Judgement)>,
    /// What is said where that is nothing.
    pub nothing_found: &'static str,
    /// What whoever opts it in has to know besides.
    pub reservations: Vec<String>,
}

/// What a guard says of one surface.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What the surface holds.
    pub content: Content,
    /// What is wrong with it.
    pub judgement: Judgement,
    /// See [`Guard::behind`].
    pub behind: Option<Fingerprint>,
}

/// What a guard would do now.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What it would write and do.
    pub decision: Decision,
    /// Findings that are let be by an acceptance: the finding's id, where it is, and the acceptance.
    pub accepted: Vec<(String, Surface, Acceptance)>,
}

/// A guard, whichever it is.
pub trait AnyGuard: Sync {
    /// Its kind.
    fn kind(&self) -> GuardKind;

    /// See [`Guard::EVENTS`].
    fn events(&self) -> &'static [Events];

    /// Everything that it calls, as IAM actions in the order of the alphabet: its own [`Guard::CALLS`], and what the
    /// engine calls for every guard.
    fn calls(&self) -> BTreeSet<&'static str>;

    /// See [`Guard::owns`].
    fn owns(&self, surface: &Surface) -> bool;

    /// See [`Guard::requests`].
    fn requests(&self, event: &CloudTrailEvent, settings: &Settings) -> Vec<ReconcileRequest>;

    /// See [`Guard::together`].
    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>>;

    /// Says beforehand what the guard finds on a resource that gets these tags; `None` where it is gone, or where the
    /// guard has nothing to say of such a resource by itself.
    ///
    /// # Errors
    /// The call that failed.
    fn outlook<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a Resource,
        tags: &'a BTreeMap<String, String>,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Outlook>, CallError>>;

    /// Reads and decides as the guard would, and writes nothing; `None` where the resource is gone. What was reported
    /// before is reported again.
    ///
    /// # Errors
    /// The call that failed.
    fn propose<'a>(
        &'a self,
        aws: &'a Aws,
        request: &'a ReconcileRequest,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Proposal>, CallError>>;

    /// What the guard says of one surface: as it is, or as it would be if it held `content`. None where the resource is
    /// gone, or has no such surface. Of what is not opted in nothing is said.
    ///
    /// # Errors
    /// The call that failed.
    fn judged<'a>(
        &'a self,
        aws: &'a Aws,
        at: (&'a Resource, &'a Surface),
        content: Option<&'a Content>,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Seen>, CallError>>;

    /// See [`reconcile`].
    ///
    /// # Errors
    /// As there.
    fn reconcile<'a>(
        &'a self,
        aws: &'a Aws,
        request: &'a ReconcileRequest,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Report, ReconcileError>>;
}

impl<G: Guard + Sync> AnyGuard for G
where
    Aws: Survey<G>,
{
    fn kind(&self) -> GuardKind {
        G::KIND
    }

    fn events(&self) -> &'static [Events] {
        G::EVENTS
    }

    fn calls(&self) -> BTreeSet<&'static str> {
        G::CALLS.iter().chain(permissions::EVERY_GUARD).copied().collect()
    }

    fn owns(&self, surface: &Surface) -> bool {
        G::owns(surface)
    }

    fn requests(&self, event: &CloudTrailEvent, settings: &Settings) -> Vec<ReconcileRequest> {
        Guard::requests(self, event, settings)
    }

    fn together(&self, surface: &Surface) -> Option<BTreeSet<Surface>> {
        Guard::together(self, surface)
    }

    fn outlook<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a Resource,
        tags: &'a BTreeMap<String, String>,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Outlook>, CallError>> {
        Box::pin(async move {
            let Some(facts) = aws.survey(self, resource, tags, settings).await? else { return Ok(None) };
            let mut judged = self.judge_all(&facts, settings);
            judged.retain(|_, judgement| !judgement.findings.is_empty() || judgement.unclear.is_some());
            for judgement in judged.values_mut() {
                judgement.findings.sort_by_key(|finding| Reverse(finding.severity));
            }
            let found = judged.into_iter().collect();
            let reservations = self.reservations(resource, &facts, settings);
            Ok(Some(Outlook { found, nothing_found: G::NOTHING_FOUND, reservations }))
        })
    }

    fn propose<'a>(
        &'a self,
        aws: &'a Aws,
        request: &'a ReconcileRequest,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Proposal>, CallError>> {
        Box::pin(async move {
            let now = aws.now();
            let Some(mut facts) = aws.fetch(self, request, settings).await? else { return Ok(None) };
            let mut history = aws.history(&request.resource, now).await?;
            history.forget_past_refusals(now);
            if request.by_operator {
                history.forget_refusals(now);
            }
            strike_forged(aws, &request.resource, &mut history, now).await?;
            aws.fetch_more(self, request, &mut facts, &history, settings).await?;
            self.add_history(request, &mut facts, &history);
            history.surfaces.values_mut().for_each(|state| state.reported.clear());
            let decision = decide(self, request, &facts, &history, settings, now);
            let mut accepted = Vec::new();
            let history = inherited(self, &request.resource, &facts, &history);
            let mut judged = self.judge_all(&facts, settings);
            for (surface, snapshot) in &facts.surfaces {
                let state = history.surfaces.get(surface);
                let behind = self.behind(&facts, surface);
                for finding in judged.remove(surface).unwrap_or_default().findings {
                    let key = snapshot.content.finding_key(&finding);
                    let by = state.and_then(|state| state.acceptance(&finding, &key, behind));
                    accepted.extend(by.map(|by| (finding.id.to_string(), surface.clone(), by.clone())));
                }
            }
            Ok(Some(Proposal { decision, accepted }))
        })
    }

    fn judged<'a>(
        &'a self,
        aws: &'a Aws,
        (resource, surface): (&'a Resource, &'a Surface),
        content: Option<&'a Content>,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Option<Seen>, CallError>> {
        Box::pin(async move {
            let mut request = ReconcileRequest::at(resource.clone(), Cause::by_hand("look"));
            request.surfaces = Guard::together(self, surface);
            let (facts, history) =
                future::try_join(aws.fetch(self, &request, settings), aws.history(resource, aws.now())).await?;
            let Some(mut facts) = facts else { return Ok(None) };
            let put = |facts: &mut Facts<G::Context>| {
                let held = content.map(|content| SurfaceSnapshot { content: content.clone(), revision: None });
                facts.surfaces.extend(held.map(|held| (surface.clone(), held)));
            };
            // Before, so that what judging it needs is read; after, because it may be read once more.
            put(&mut facts);
            aws.fetch_more(self, &request, &mut facts, &history, settings).await?;
            self.add_history(&request, &mut facts, &history);
            put(&mut facts);
            let judgement = self.judge(&facts, surface, settings);
            let behind = self.behind(&facts, surface);
            Ok(facts.surfaces.remove(surface).map(|held| Seen { content: held.content, judgement, behind }))
        })
    }

    fn reconcile<'a>(
        &'a self,
        aws: &'a Aws,
        request: &'a ReconcileRequest,
        settings: &'a Settings,
    ) -> LocalBoxFuture<'a, Result<Report, ReconcileError>> {
        Box::pin(reconcile(self, aws, settings, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_surface_has_two_guards_and_none_has_no_guard() {
        let function = Resource::Function("arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap());
        for surface in [
            "resource-policy",
            "function-url",
            "layer-policy/1",
            "trust",
            "boundary",
            "inline-policy/a",
            "role",
            "environment",
            "secret/DB_PASSWORD",
            "concurrency",
            "provisioned-concurrency:live",
            "recursion",
            "attachment/arn:aws:iam::aws:policy/A",
            "managed-policy/arn:aws:iam::111122223333:policy/a",
        ] {
            let surface: Surface = surface.parse().unwrap_or_else(|_| panic!("{surface} of {function}"));
            assert_eq!(GUARDS.iter().filter(|guard| guard.owns(&surface)).count(), 1, "{surface}");
        }
    }

    /// A guard names what it calls itself, once and in order; what is called for every guard stands with the ports.
    #[test]
    fn no_guard_names_what_is_called_for_every_guard() {
        struct Own;
        impl Visitor for Own {
            fn visit<G: Guard + Sync>(&mut self, _: &'static G)
            where
                Aws: Survey<G>,
            {
                assert!(G::CALLS.is_sorted(), "{}", G::KIND);
                let twice: Vec<_> = G::CALLS.iter().filter(|call| permissions::EVERY_GUARD.contains(call)).collect();
                assert!(twice.is_empty(), "{}: {twice:?}", G::KIND);
            }
        }
        each(&mut Own);
    }

    #[test]
    fn no_kind_has_two_guards() {
        let kinds: BTreeSet<GuardKind> = GUARDS.iter().map(|guard| guard.kind()).collect();
        assert_eq!(kinds.len(), GUARDS.len());
    }
}
