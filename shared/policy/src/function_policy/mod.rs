//! Who may invoke a function: its resource policy, or that of one of its versions and aliases.

mod event_source;
mod least_change;

pub use crate::rewrite::{Edit, EditKind, Narrowed, Unfixable};
pub use least_change::narrow;

use crate::{
    AccountId, Context, Document, Effect, Selection, Statement,
    conditions::{self, UrlCondition},
    display::quoted,
    effective_principals::{EffectivePrincipals, ExternalRules},
    pattern,
    principal::{self, Principal},
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
    document
        .statements
        .iter()
        .enumerate()
        .flat_map(|(index, statement)| violations(index, statement, document, context, url))
        .map(|violation| violation.finding)
        .collect()
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

/// Each statement stands alone, so one that was changed can be judged again by itself.
fn violations(
    index: usize,
    statement: &Statement<'_>,
    document: &Document<'_>,
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
    let invokers = Invokers::read(statement, document, context);
    let mut violations = Vec::new();
    let mut report = |part, alone, verdict| violations.push(Violation::new(index, part, alone, verdict));
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

/// `lambda:*`, `*` and what amounts to them: a pattern that also takes a name nobody could have thought of.
fn is_every_action(action: &str) -> bool {
    const UNGUESSABLE: &str = "lambda:\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}";
    pattern::fits_ignoring_case(action, UNGUESSABLE)
}

/// The account that a resource policy's own `Resource` names.
fn account_of_resources(statement: &Statement<'_>) -> Option<AccountId> {
    match statement.resources.as_ref()? {
        Selection::Only(resources) => resources.iter().find_map(|arn| arn.split(':').nth(4)?.parse().ok()),
        Selection::Except(_) => None,
    }
}

/// What a statement lets its principals do, as far as the findings tell it apart.
struct Grant {
    /// Calls through a function URL without authentication.
    open_url: bool,
    /// Anything else.
    other: bool,
    /// The actions, for the message.
    shown: String,
}

impl Grant {
    fn read(actions: &Selection<crate::Values<'_>>, condition: UrlCondition, url: UrlAuth) -> Self {
        const URL_ACTION: &str = "lambda:InvokeFunctionUrl";
        // Whitespace in an action matches nothing.
        let matches_something = |action: &&str| !action.contains(char::is_whitespace);
        let (url_action, other_action, shown) = match actions {
            Selection::Only(actions) => (
                actions.iter().any(|action| pattern::fits_ignoring_case(action, URL_ACTION)),
                // A pattern that a plain `InvokeFunction` cannot match and that starts like the URL's action is that
                // action.
                actions.iter().filter(matches_something).any(|action| {
                    !(pattern::fits_ignoring_case(action, URL_ACTION)
                        && action.get(..22).is_some_and(|head| head.eq_ignore_ascii_case("lambda:InvokeFunctionU")))
                }),
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
                Self { open_url: url_action && open, other: other_action || (url_action && !open), shown }
            }
            UrlCondition::ThroughUrl => {
                let any = url_action || other_action;
                Self { open_url: any && open, other: any && !open, shown }
            }
            // Signed, but by anybody's key.
            UrlCondition::ThroughAuthenticatedUrl => Self { open_url: false, other: url_action || other_action, shown },
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
    bucket_named: bool,
    token: bool,
}

impl<'d> Invokers<'d> {
    fn read(statement: &'d Statement<'_>, document: &Document<'_>, context: &'d Context) -> Self {
        let listed = !context.trusted_accounts.is_empty();
        let rules = ExternalRules {
            external: FindingId::ExternalInvoke,
            // Where a list of trusted accounts is set, one that is not on it is the textbook backdoor.
            external_severity: if listed { Severity::High } else { Severity::Medium },
            organization: FindingId::OrganizationInvoke,
        };
        let own = context.account.or_else(|| account_of_resources(statement));
        let limits = conditions::limits(&statement.conditions, document.version);
        let principals = EffectivePrincipals::new(context, own, limits, rules);
        Self {
            principals,
            bucket_named: conditions::names_a_bucket(&statement.conditions, document.version),
            token: conditions::has_event_source_token(&statement.conditions, document.version),
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
            Principal::Service(_) if self.token => Vec::new(),
            Principal::Service(service) => match principals.service() {
                Some(bounded) => bounded.into_iter().collect(),
                None => vec![self.open_service(service)],
            },
        }
    }

    fn open_service(&self, service: &str) -> Verdict {
        let of_a_bucket = event_source::is_s3(service) && self.bucket_named;
        let service = quoted(service);
        let (severity, message) = if of_a_bucket {
            let message = format!(
                "{service} may invoke for a bucket without a fixed aws:SourceAccount: once the bucket is deleted, anybody may own that name"
            );
            (Severity::Low, message)
        } else {
            let message = format!(
                "{service} may invoke for a resource in anybody's account: neither aws:SourceAccount nor the account in aws:SourceArn is fixed"
            );
            (Severity::High, message)
        };
        (FindingId::OpenServicePrincipal, severity, message)
    }
}

#[cfg(test)]
mod tests;
