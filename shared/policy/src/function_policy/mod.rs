//! Who may invoke a function: its resource policy, or that of one of its versions and aliases.

mod event_source;
mod least_change;

pub use crate::rewrite::{Edit, EditKind, Narrowed, Unfixable};
pub use least_change::narrow;

use crate::{
    Context, Document, Effect, Selection, Statement,
    breadth::is_all_stars,
    conditions::{self, UrlCondition},
    display::quoted,
    effective_principals::{EffectivePrincipals, ExternalRules, own_account},
    pattern,
    principal::{self, Principal},
    service_table,
    together::{Beside, Together},
    violation::{Part, Verdict, Violation},
};
use serde::{Deserialize, Serialize};
use warden_finding::{Finding, FindingId, Severity};

/// The authentication of the function URL on the same qualifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UrlAuth {
    /// There is no URL.
    NoUrl,
    /// `AWS_IAM`: callers sign their requests.
    AwsIam,
    /// `NONE`: the policy alone decides who gets in.
    Open,
    /// Nobody looked, or AWS said something new. Judged as [`UrlAuth::Open`].
    Unknown,
}

impl UrlAuth {
    fn may_be_open(self) -> bool {
        match self {
            UrlAuth::NoUrl | UrlAuth::AwsIam => false,
            UrlAuth::Open | UrlAuth::Unknown => true,
        }
    }
}

/// What is open about a function's resource policy, statement by statement. A Deny is never a finding.
pub fn judge(document: &Document<'_>, context: &Context, url: UrlAuth) -> Vec<Finding> {
    Together::judge(document, context, UNGUESSABLE, |index, statement, beside| {
        violations(index, statement, document, beside, context, url)
    })
}

/// Whether a statement of a function's policy may be about the version or alias `qualifier`, or about the function
/// itself (`None`).
///
/// A policy that was written as a whole may name its resources by patterns over versions and aliases, and IAM's `*`
/// also takes the colon before a qualifier. The function's name is not compared: Lambda takes no policy that is about
/// another function.
pub fn may_cover(statement: &Statement<'_>, qualifier: Option<&str>) -> bool {
    let may_fit = |pattern: &str| match pattern.split_once(":function:") {
        None => pattern.contains('*'),
        Some((_, rest)) => match (rest.split_once(':'), qualifier) {
            (Some((_, pattern)), Some(qualifier)) => pattern::fits(pattern, qualifier),
            (Some(_), None) => false,
            (None, Some(_)) => rest.contains('*'),
            (None, None) => true,
        },
    };
    match &statement.resources {
        Some(Selection::Only(patterns)) => patterns.iter().any(may_fit),
        Some(Selection::Except(_)) | None => true,
    }
}

/// With nothing beside it a statement stands alone, so that one that was changed can be judged again by itself.
fn violations(
    index: usize,
    statement: &Statement<'_>,
    document: &Document<'_>,
    beside: &Beside<'_>,
    context: &Context,
    url: UrlAuth,
) -> Vec<Violation> {
    if statement.effect == Effect::Deny {
        return Vec::new();
    }
    let grant = Grant::read(&statement.actions, conditions::url_condition(&statement.conditions), url);
    if grant.is_nothing() {
        return Vec::new();
    }
    let invokers = Invokers::read(statement, document, beside, context);
    let void = void(statement, &grant);
    let mut violations = Vec::new();
    let mut report = |part, alone, (id, severity, message): Verdict| {
        let verdict = match &void {
            Some(why) => (id, Severity::Info, format!("{why}: the statement lets nobody in")),
            None => (id, severity, message),
        };
        violations.push(Violation::new(index, part, alone, verdict));
    };
    match principal::named(&statement.principals) {
        Some(principals) => {
            let principals = principal::each(principals);
            let alone = principals.len() == 1;
            for (place, text, who) in principals {
                for verdict in invokers.verdicts(who, text, &grant) {
                    report(Part::Principal(place), alone, verdict);
                }
            }
        }
        None => {
            for verdict in invokers.verdicts(Principal::Everybody, "everybody but the NotPrincipal", &grant) {
                report(Part::NotPrincipal, true, verdict);
            }
        }
    }
    match &statement.actions {
        Selection::Only(actions) => {
            let listed = matches!(actions, crate::Values::Many(_));
            let alone = actions.as_slice().len() == 1;
            for (nth, action) in actions.iter().enumerate().filter(|(_, action)| is_every_action(action)) {
                let message = format!(
                    "`{}` lets the principal change and delete the function as well as invoke it",
                    quoted(action)
                );
                let verdict = (FindingId::WildcardInvokeAction, Severity::High, message);
                report(Part::Action(listed.then_some(nth)), alone, verdict);
            }
        }
        Selection::Except(_) => {
            let message = "NotAction grants every action but those named".to_owned();
            report(Part::NotAction, true, (FindingId::WildcardInvokeAction, Severity::High, message));
        }
    }
    violations
}

/// Why an Allow gives nobody anything, if that is sure.
fn void(statement: &Statement<'_>, grant: &Grant) -> Option<String> {
    if grant.of_nothing {
        return Some(format!("there is no such action as {}", grant.shown));
    }
    if matches!(&statement.resources, Some(Selection::Except(spared)) if spared.iter().any(is_all_stars)) {
        return Some("NotResource leaves no resource".to_owned());
    }
    if conditions::is_over(statement) {
        return Some("the conditions ask for a time that has passed".to_owned());
    }
    let key = conditions::never_sent(statement, Some("lambda"))?;
    Some(format!("Lambda never sends `{}`, which the conditions ask for", quoted(key)))
}

/// An action of Lambda that nobody could have thought of.
pub(crate) const UNGUESSABLE: &str =
    "lambda:\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}";

/// `lambda:*`, `*` and what amounts to them.
fn is_every_action(action: &str) -> bool {
    pattern::fits_ignoring_case(action, UNGUESSABLE)
}

/// Whether an action exists, or a pattern fits one that does. Whitespace in an action matches nothing.
fn exists(action: &str) -> bool {
    if action.contains(char::is_whitespace) {
        return false;
    }
    if !pattern::has_wildcard(action) {
        return service_table::action(action).is_some();
    }
    match action.split_once(':') {
        Some((prefix, tail)) if !pattern::has_wildcard(prefix) => {
            service_table::service(prefix).is_some_and(|service| {
                !prefix.eq_ignore_ascii_case("lambda")
                    || service_table::actions_of(service).any(|action| service_table::fits_name(tail, action))
            })
        }
        Some(_) | None => true,
    }
}

/// What a statement lets its principals do, as far as the findings tell it apart.
struct Grant {
    /// Calls through a function URL without authentication.
    open_url: bool,
    /// Anything else.
    other: bool,
    /// There are actions, and none of them exists.
    of_nothing: bool,
    /// The actions, for the message.
    shown: String,
}

impl Grant {
    fn read(actions: &Selection<crate::Values<'_>>, condition: UrlCondition, url: UrlAuth) -> Self {
        const URL_ACTION: &str = "lambda:InvokeFunctionUrl";
        let mut of_nothing = false;
        let (url_action, other_action, shown) = match actions {
            Selection::Only(actions) => (
                actions.iter().any(|action| pattern::fits_ignoring_case(action, URL_ACTION)),
                // A pattern that a plain `InvokeFunction` cannot match and that starts like the URL's action is that
                // action.
                {
                    let mut existing = actions.iter().filter(|action| exists(action)).peekable();
                    of_nothing = existing.peek().is_none() && !actions.as_slice().is_empty();
                    of_nothing
                        || existing.any(|action| {
                            !(pattern::fits_ignoring_case(action, URL_ACTION)
                                && action
                                    .get(..22)
                                    .is_some_and(|head| head.eq_ignore_ascii_case("lambda:InvokeFunctionU")))
                        })
                },
                match actions.as_slice() {
                    [] => String::new(),
                    [action] => format!("`{}`", quoted(action)),
                    [action, rest @ ..] => format!("`{}` and {} more", quoted(action), rest.len()),
                },
            ),
            Selection::Except(actions) => (
                !actions.iter().any(|action| pattern::fits_ignoring_case(action, URL_ACTION)),
                true,
                "all but the NotAction".to_owned(),
            ),
        };
        let open = url.may_be_open();
        match condition {
            UrlCondition::Any => {
                Self { open_url: url_action && open, other: other_action || (url_action && !open), of_nothing, shown }
            }
            UrlCondition::ThroughUrl => {
                let any = url_action || other_action;
                Self { open_url: any && open, other: any && !open, of_nothing, shown }
            }
            // Signed, but by anybody's key.
            UrlCondition::ThroughAuthenticatedUrl => {
                Self { open_url: false, other: url_action || other_action, of_nothing, shown }
            }
        }
    }

    fn to_everybody(&self) -> Vec<Verdict> {
        let url = self.open_url.then(|| {
            let message = "anybody on the internet may call the function's URL without authentication".to_owned();
            (FindingId::PublicUrl, Severity::Critical, message)
        });
        let invoke = self.other.then(|| {
            let message = format!("anybody with an AWS account has {} on the function", self.shown);
            (FindingId::PublicInvoke, Severity::Critical, message)
        });
        url.into_iter().chain(invoke).collect()
    }

    fn is_nothing(&self) -> bool {
        !self.open_url && !self.other
    }
}

/// Who can be behind a statement's principals.
struct Invokers<'d> {
    principals: EffectivePrincipals<'d>,
    token: bool,
    /// A Deny takes back what a service was given.
    are_services_barred: bool,
    /// A key that a service never sends, where the conditions ask for one.
    never_sent_by_services: Option<&'d str>,
}

impl<'d> Invokers<'d> {
    fn read(
        statement: &'d Statement<'_>,
        document: &Document<'_>,
        beside: &'d Beside<'_>,
        context: &'d Context,
    ) -> Self {
        let listed = !context.trusted_accounts.is_empty();
        let rules = ExternalRules {
            external: FindingId::ExternalInvoke,
            // Where a list of trusted accounts is set, one that is not on it is the textbook backdoor.
            external_severity: if listed { Severity::High } else { Severity::Medium },
            organization: FindingId::OrganizationInvoke,
            deputy: FindingId::OpenServicePrincipal,
            deputy_severity: Severity::High,
        };
        let limits = beside.limits(statement, document);
        let principals = EffectivePrincipals::new(context, own_account(statement, context), limits, rules);
        Self {
            principals,
            are_services_barred: beside.bars_services(),
            token: conditions::has_event_source_token(&statement.conditions, document.version),
            never_sent_by_services: conditions::never_sent_by_services(&statement.conditions),
        }
    }

    fn verdicts(&self, who: Principal<'_>, text: &str, grant: &Grant) -> Vec<Verdict> {
        let principals = &self.principals;
        let stranger = |whom: String| {
            let message = format!("{whom} has {} on the function", grant.shown);
            principals.somebody(principals.external(message)).into_iter().collect()
        };
        match who {
            Principal::Everybody if principals.are_unlimited() => grant.to_everybody(),
            Principal::Everybody => principals.everybody_limited().into_iter().collect(),
            Principal::Account(account) if principals.trusts(account) => Vec::new(),
            Principal::Account(account) => stranger(format!("account {account}, which is not trusted,")),
            Principal::Unknown => stranger(format!("`{}`, which is no account that is trusted,", quoted(text))),
            Principal::Deleted => {
                let message =
                    format!("`{}` is a principal that was deleted; the statement lets nobody in", quoted(text));
                vec![(FindingId::ExternalInvoke, Severity::Info, message)]
            }
            Principal::Service(_) if self.token || self.are_services_barred => Vec::new(),
            Principal::Service(service) => match principals.service(event_source::is_s3(service)) {
                Some(bounded) => bounded.into_iter().collect(),
                None => vec![self.open_service(service)],
            },
        }
    }

    fn open_service(&self, service: &str) -> Verdict {
        let service = quoted(service);
        let (severity, message) = match self.never_sent_by_services {
            Some(key) => (
                Severity::Info,
                format!("{service} never sends `{}`, which the conditions ask for: they do not let it in", quoted(key)),
            ),
            None => (
                Severity::High,
                format!(
                    "{service} may invoke for a resource in anybody's account: neither aws:SourceAccount nor the \
                     account in aws:SourceArn is fixed"
                ),
            ),
        };
        (FindingId::OpenServicePrincipal, severity, message)
    }
}

#[cfg(test)]
mod tests;
