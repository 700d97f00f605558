//! What the statements of a policy with principals make of each other: Denies take back what Allows give, and address
//! ranges of several Allows add up.

use crate::{
    Context, Document, Effect, Selection, Statement,
    addresses::Addresses,
    breadth::{Scratch, is_all_stars},
    conditions::{self, Limit},
    pattern,
    principal::{self, Principal},
    violation::Violation,
};
use warden_finding::Finding;

/// What a statement has to be judged by beside itself.
#[derive(Default)]
pub(crate) struct Together<'d> {
    /// The Denies that hold for everybody and in every circumstance. A narrower one leaves enough.
    denials: Vec<&'d Statement<'d>>,
    /// An action of the service that nobody could have thought of: what takes it takes all of them.
    unguessable: &'static str,
    /// The addresses that everybody is let in from are so many that they limit nobody, be it over several statements.
    addresses_are_everybody: bool,
}

impl<'d> Together<'d> {
    /// Reads a document about something of the service of `unguessable`.
    fn read(document: &'d Document<'d>, context: &Context, unguessable: &'static str) -> Self {
        let statements = &document.statements;
        let denies_always = |statement: &&Statement<'_>| {
            statement.effect == Effect::Deny
                && statement.conditions.is_empty()
                && is_about_everybody(statement, context)
        };
        Self {
            denials: statements.iter().filter(denies_always).collect(),
            unguessable,
            addresses_are_everybody: add_up(document, context),
        }
    }

    /// The limits of a statement.
    pub(crate) fn limits<'s>(&self, statement: &'s Statement<'_>, document: &Document<'_>) -> Vec<Limit<'s>> {
        let mut limits = conditions::limits(&statement.conditions, document.version);
        if self.addresses_are_everybody {
            limits.retain(|limit| !matches!(limit, Limit::Addresses(_)));
        }
        limits
    }

    /// What is open about a document, statement by statement.
    pub(crate) fn judge(
        document: &'d Document<'d>,
        context: &Context,
        unguessable: &'static str,
        violations: impl Fn(usize, &Statement<'_>, &Self) -> Vec<Violation>,
    ) -> Vec<Finding> {
        let together = Self::read(document, context, unguessable);
        let mut scratch = Scratch::default();
        let statements = document.statements.iter().enumerate();
        let left = statements.filter(|(_, statement)| !together.takes_back(statement, &mut scratch));
        left.flat_map(|(index, statement)| violations(index, statement, &together))
            .map(|violation| violation.finding)
            .collect()
    }

    /// Whether a Deny takes back everything that an Allow gives. Where that was made slow to say, it does not.
    fn takes_back(&self, allow: &Statement<'_>, scratch: &mut Scratch) -> bool {
        self.denials.iter().any(|deny| {
            self.covers_actions(&deny.actions, &allow.actions, scratch)
                && covers_resources(deny.resources.as_ref(), allow.resources.as_ref(), scratch)
        })
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
fn is_about_everybody(statement: &Statement<'_>, context: &Context) -> bool {
    let is_own = |who: Principal<'_>| match who {
        Principal::Account(account) => context.account == Some(account) || context.trusted_accounts.contains(&account),
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
