//! What the statements of a policy with principals make of each other: Denies take back what Allows give, and address
//! ranges of several Allows add up.

use crate::{
    AccountId, Context, Document, Effect, Selection, Statement,
    addresses::Addresses,
    breadth::{Scratch, is_all_stars},
    conditions::{self, Limit, Side},
    document::Condition,
    effective_principals::own_account,
    pattern,
    principal::{self, Principal},
    violation::Violation,
};
use warden_finding::Finding;

/// The statements of a document, as far as they bear on each other.
pub(crate) struct Together<'d> {
    /// The Denies that hold for everybody and in every circumstance.
    denials: Vec<&'d Statement<'d>>,
    /// Those that hold for everybody unless something limits who it is.
    bounds: Vec<Bound<'d>>,
    /// An action of the service that nobody could have thought of: what takes it takes all of them.
    unguessable: &'static str,
    /// The addresses that everybody is let in from are so many that they limit nobody, be it over several statements.
    addresses_are_everybody: bool,
}

/// What a statement has to be judged by beside itself. By default it stands alone.
#[derive(Default)]
pub(crate) struct Beside<'t> {
    /// The Denies that leave only some of those whom the statement lets in.
    bounds: Vec<&'t Bound<'t>>,
    addresses_are_everybody: bool,
}

/// A Deny of everybody but some: `StringNotEquals` of an organisation, `NotPrincipal`. Whoever meets one of what it
/// names is left.
struct Bound<'d> {
    deny: &'d Statement<'d>,
    /// The opposites of its conditions. A Deny holds where all of its conditions do.
    conditions: Vec<Condition<'d>>,
    /// The accounts of its `NotPrincipal`.
    accounts: Vec<AccountId>,
    /// Services that call for themselves are left.
    services: bool,
}

impl<'d> Bound<'d> {
    /// None of a Deny that leaves whom one cannot tell.
    fn read(deny: &'d Statement<'d>) -> Option<Self> {
        let accounts = match &deny.principals {
            Some(Selection::Only(_)) if names_everybody(deny) => Vec::new(),
            Some(Selection::Except(principals)) => principal::each(principals)
                .into_iter()
                .map(|(_, _, who)| match who {
                    Principal::Account(account) => Some(account),
                    Principal::Everybody | Principal::Service(_) | Principal::Deleted | Principal::Unknown => None,
                })
                .collect::<Option<_>>()?,
            Some(Selection::Only(_)) | None => return None,
        };
        let mut bound = Self { deny, conditions: Vec::new(), accounts, services: false };
        for condition in &deny.conditions {
            match conditions::opposite(condition) {
                Some(opposite) => bound.conditions.push(opposite),
                None if conditions::spares_services(condition) => bound.services = true,
                None => return None,
            }
        }
        Some(bound)
    }

    fn limit(&self, document: &Document<'_>) -> Option<Limit<'_>> {
        let accounts =
            (!self.accounts.is_empty()).then(|| Some(Limit::Accounts { ids: self.accounts.clone(), of: Side::Caller }));
        let services = self.services.then_some(Some(Limit::Services));
        let conditions = self.conditions.iter().map(|condition| conditions::limit(condition, document.version));
        let mut all = conditions.chain(accounts).chain(services).collect::<Option<Vec<_>>>()?;
        match all.len() {
            1 => all.pop(),
            _ => Some(Limit::OneOf(all)),
        }
    }

    /// How much work it is to apply, in comparisons.
    fn work(&self) -> usize {
        const AT_LEAST: usize = 32;
        let values: usize = self.conditions.iter().map(|condition| condition.values.as_slice().len()).sum();
        AT_LEAST + values + self.accounts.len()
    }

    /// Whether no service is left that calls for itself: it has none of what the Deny spares.
    fn bars_services(&self) -> bool {
        !self.services
            && self
                .conditions
                .iter()
                .all(|condition| conditions::never_sent_by_services(std::slice::from_ref(condition)).is_some())
    }
}

impl<'t> Beside<'t> {
    /// The limits of a statement, its own and those that Denies leave.
    pub(crate) fn limits<'s>(&'s self, statement: &'s Statement<'_>, document: &Document<'_>) -> Vec<Limit<'s>> {
        let mut limits = conditions::limits(&statement.conditions, document.version);
        limits.extend(self.bounds.iter().filter_map(|bound| bound.limit(document)));
        if self.addresses_are_everybody {
            limits.retain(|limit| !matches!(limit, Limit::Addresses(_)));
        }
        limits
    }

    /// What a Deny asks of everybody.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &'t Condition<'t>> {
        self.bounds.iter().filter_map(|bound| match bound.conditions.as_slice() {
            [only] if bound.accounts.is_empty() && !bound.services => Some(only),
            _ => None,
        })
    }

    /// Whether a Deny leaves no service that calls for itself.
    pub(crate) fn bars_services(&self) -> bool {
        self.bounds.iter().any(|bound| bound.bars_services())
    }
}

impl<'d> Together<'d> {
    /// Reads a document about something of the service of `unguessable`.
    fn read(document: &'d Document<'d>, context: &Context, unguessable: &'static str) -> Self {
        let addresses_are_everybody = add_up(document, context);
        Self { addresses_are_everybody, ..Self::read_denies(document, context, unguessable) }
    }

    /// Reads the Denies alone.
    pub(crate) fn read_denies(document: &'d Document<'d>, context: &Context, unguessable: &'static str) -> Self {
        let (mut denials, mut bounds) = (Vec::new(), Vec::new());
        let own = || document.statements.iter().find_map(|statement| own_account(statement, context));
        for deny in document.statements.iter().filter(|statement| statement.effect == Effect::Deny) {
            if deny.conditions.is_empty() && is_about_everybody(deny, context, own()) {
                denials.push(deny);
            } else {
                bounds.extend(Bound::read(deny));
            }
        }
        Self { denials, bounds, unguessable, addresses_are_everybody: false }
    }

    /// What is open about a document, statement by statement.
    pub(crate) fn judge(
        document: &'d Document<'d>,
        context: &Context,
        unguessable: &'static str,
        violations: impl Fn(usize, &Statement<'_>, &Beside<'_>) -> Vec<Violation>,
    ) -> Vec<Finding> {
        let together = Self::read(document, context, unguessable);
        let mut scratch = Scratch::default();
        let mut findings = Vec::new();
        for (index, statement) in document.statements.iter().enumerate() {
            if !together.takes_back(statement, &mut scratch) {
                let beside = together.beside(statement, &mut scratch);
                findings.extend(violations(index, statement, &beside).into_iter().map(|violation| violation.finding));
            }
        }
        findings
    }

    /// What bears on a statement. A Deny that is one too many, where there was made much to do, does not.
    pub(crate) fn beside(&self, statement: &Statement<'_>, scratch: &mut Scratch) -> Beside<'_> {
        let mut bounds = Vec::new();
        if statement.effect == Effect::Allow {
            bounds.extend(self.bounds.iter().filter(|bound| {
                !scratch.is_exhausted_after(bound.work()) && self.covers(bound.deny, statement, scratch)
            }));
        }
        Beside { bounds, addresses_are_everybody: self.addresses_are_everybody }
    }

    /// Whether a Deny takes back everything that an Allow gives.
    fn takes_back(&self, allow: &Statement<'_>, scratch: &mut Scratch) -> bool {
        self.denials.iter().any(|deny| self.covers(deny, allow, scratch))
    }

    /// Whether a Deny is of everything that an Allow is of. Where that was made slow to say, it is not.
    fn covers(&self, deny: &Statement<'_>, allow: &Statement<'_>, scratch: &mut Scratch) -> bool {
        self.covers_actions(&deny.actions, &allow.actions, scratch)
            && covers_resources(deny.resources.as_ref(), allow.resources.as_ref(), scratch)
    }

    fn covers_actions(
        &self,
        deny: &Selection<crate::Values<'_>>,
        allow: &Selection<crate::Values<'_>>,
        scratch: &mut Scratch,
    ) -> bool {
        let count = deny.named().as_slice().len();
        match (deny, allow) {
            (Selection::Only(denied), _) if denied.iter().any(|pattern| self.is_everything(pattern)) => true,
            (Selection::Only(denied), Selection::Only(allowed)) => allowed.iter().all(|action| {
                !scratch.is_exhausted_after(count)
                    && denied.iter().any(|pattern| covers(pattern, action, pattern::fits_ignoring_case))
            }),
            (Selection::Except(spared), Selection::Only(allowed)) => allowed.iter().all(|action| {
                !scratch.is_exhausted_after(count)
                    && !pattern::has_wildcard(action)
                    && !spared.iter().any(|pattern| pattern::fits_ignoring_case(pattern, action))
            }),
            (_, Selection::Except(_)) => false,
        }
    }

    fn is_everything(&self, action: &str) -> bool {
        pattern::fits_ignoring_case(action, self.unguessable)
    }
}

/// Whether the addresses that a document lets everybody in from, if they need no more than that, are everybody's.
fn add_up(document: &Document<'_>, context: &Context) -> bool {
    let mut of_all = Addresses::default();
    for statement in &document.statements {
        let asks_for_one =
            statement.conditions.iter().any(|condition| condition.key.eq_ignore_ascii_case("aws:SourceIp"));
        if statement.effect == Effect::Allow && asks_for_one && names_everybody(statement) {
            let limits = conditions::limits(&statement.conditions, document.version);
            // Of several ranges that hold at once, each is more than what gets through.
            if limits.iter().all(|limit| matches!(limit, Limit::Addresses(_)))
                && let Some(Limit::Addresses(addresses)) = limits.first()
                && !addresses.are_within(context.trusted_networks())
            {
                of_all.add(addresses);
            }
        }
    }
    of_all.are_everybody()
}

fn names_everybody(statement: &Statement<'_>) -> bool {
    match principal::named(&statement.principals) {
        Some(principals) => principal::each(principals).iter().any(|(_, _, who)| *who == Principal::Everybody),
        None => true,
    }
}

/// Everybody, or everybody but those who are trusted anyway.
fn is_about_everybody(statement: &Statement<'_>, context: &Context, own: Option<AccountId>) -> bool {
    let is_own = |who: Principal<'_>| match who {
        Principal::Account(account) => own == Some(account) || context.trusted_accounts.contains(&account),
        Principal::Everybody | Principal::Service(_) | Principal::Deleted | Principal::Unknown => false,
    };
    match &statement.principals {
        Some(Selection::Only(_)) => names_everybody(statement),
        Some(Selection::Except(principals)) => principal::each(principals).iter().all(|(_, _, who)| is_own(*who)),
        None => false,
    }
}

fn covers_resources(
    deny: Option<&Selection<crate::Values<'_>>>,
    allow: Option<&Selection<crate::Values<'_>>>,
    scratch: &mut Scratch,
) -> bool {
    match (deny, allow) {
        (None, _) => true,
        (Some(Selection::Only(denied)), _) if denied.iter().any(is_all_stars) => true,
        (Some(Selection::Only(denied)), Some(Selection::Only(allowed))) => allowed.iter().all(|resource| {
            !scratch.is_exhausted_after(denied.as_slice().len())
                && denied.iter().any(|pattern| covers(pattern, resource, pattern::fits))
        }),
        (Some(Selection::Only(_) | Selection::Except(_)), _) => false,
    }
}

/// Whether a pattern fits everything that another fits. A star takes a star like any other text; a question mark would
/// take it for one character.
fn covers(pattern: &str, other: &str, fits: impl Fn(&str, &str) -> bool) -> bool {
    (!pattern.contains('?') || !other.contains('*')) && fits(pattern, other)
}
