//! Who may assume a role: its trust policy.

use crate::{
    Context, Document, DocumentError, Effect, Kind, PrincipalType, Selection, Statement, conditions,
    display::quoted,
    effective_principals::{EffectivePrincipals, ExternalRules},
    pattern,
    principal::{self, Principal, PrincipalPlace},
    principal_policy::PrincipalPolicy,
    rewrite::Narrowed,
    together::{Beside, Together},
    violation::{Part, Verdict, Violation},
};
use warden_finding::{Finding, FindingId, Severity};

mod federation;

use federation::Claims;

/// The trust policy that a function's role starts with. What a trust policy becomes of which nothing else is left.
pub const STANDARD_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// What is open about a role's trust policy, statement by statement. A Deny is never a finding.
///
/// `sts:ExternalId` alone limits nothing: it is meant to be known to a third party, and it is no secret
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>).
pub fn judge(document: &Document<'_>, context: &Context) -> Vec<Finding> {
    Together::judge(document, context, UNGUESSABLE, |index, statement, beside| {
        violations(index, statement, document, beside, context)
    })
}

/// An action of STS that nobody could have thought of.
const UNGUESSABLE: &str = "sts:\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}";

/// Takes the named findings out of a role's trust policy and changes nothing else.
///
/// Of a list of principals only the offending ones go, otherwise the statement does. The baseline is what was in force
/// and may come back: its Denies that were lost, first; its statement in the place of one that goes; and as a whole when
/// nothing of the document is left. Without a baseline [`STANDARD_TRUST`] is what to write then. Which services send
/// their source when they assume a role is not known here, so `trust-confused-deputy` cannot be put right.
///
/// # Errors
///
/// [`DocumentError`] when the document or the baseline does not parse: then nothing may be changed.
pub fn narrow(
    document: &str,
    findings: &[Finding],
    baseline: Option<&str>,
    context: &Context,
) -> Result<Narrowed, DocumentError> {
    let violations = |index: usize, statement: &Statement<'_>, document: &Document<'_>, beside: &Beside<'_>| {
        violations(index, statement, document, beside, context)
    };
    let advice = |service: &str| {
        let service = quoted(service);
        Err(format!(
            "add aws:SourceAccount or aws:SourceArn if {service} sends them when it assumes a role: its documentation \
             says so"
        ))
    };
    PrincipalPolicy {
        kind: Kind::Trust,
        judge: &|document| judge(document, context),
        context,
        unguessable: UNGUESSABLE,
        violations: &violations,
        // Whether certain addresses are public hangs on the other statements, which are not asked here.
        is_same: |named, found| {
            let public = FindingId::TrustPublic;
            let is_outside = found.id == FindingId::TrustExternalAccount;
            named.at == found.at && (named.id == found.id || (named.id == public && is_outside))
        },
        bound: FindingId::TrustConfusedDeputy,
        binding: &advice,
    }
    .narrow(document, findings, baseline)
}

fn violations(
    index: usize,
    statement: &Statement<'_>,
    document: &Document<'_>,
    beside: &Beside<'_>,
    context: &Context,
) -> Vec<Violation> {
    if statement.effect == Effect::Deny || !lets_in(statement) {
        return Vec::new();
    }
    let rules = ExternalRules {
        external: FindingId::TrustExternalAccount,
        external_severity: Severity::High,
        organization: FindingId::TrustOrganization,
        deputy: FindingId::TrustConfusedDeputy,
        deputy_severity: Severity::Low,
    };
    let limits = beside.limits(statement, document);
    let principals = EffectivePrincipals::new(context, context.account, limits, rules);
    let void = match conditions::never_sent(statement, Some("sts")) {
        Some(key) => Some(format!("STS never sends `{}`, which the conditions ask for", quoted(key))),
        None => conditions::is_over(statement).then(|| "the conditions ask for a time that has passed".to_owned()),
    };
    let void = |(id, severity, message): Verdict| match &void {
        Some(why) => (id, Severity::Info, format!("{why}: the statement lets nobody in")),
        None => (id, severity, message),
    };
    let Some(named) = principal::named(&statement.principals) else {
        return everybody(&principals)
            .map(|verdict| Violation::new(index, Part::NotPrincipal, true, void(verdict)))
            .into_iter()
            .collect();
    };
    let named = principal::each(named);
    let alone = named.len() == 1;
    let claims = Claims::read(statement, document, beside);
    named
        .into_iter()
        .filter_map(|(place, text, who)| {
            let verdict = void(verdict(place, text, who, &principals, &claims)?);
            Some(Violation::new(index, Part::Principal(place), alone, verdict))
        })
        .collect()
}

/// Whether nobody but Lambda may assume the role, whatever the conditions.
pub fn lets_in_lambda_alone(document: &Document<'_>) -> bool {
    document.statements.iter().filter(|statement| statement.effect == Effect::Allow).all(|statement| {
        principal::named(&statement.principals).is_some_and(|named| {
            principal::each(named).iter().all(|(_, _, who)| *who == Principal::Service("lambda.amazonaws.com"))
        })
    })
}

/// Whether the statement grants any way of assuming the role. `sts:TagSession` and `sts:SetSourceIdentity` alone do
/// not.
fn lets_in(statement: &Statement<'_>) -> bool {
    const WAYS: [&str; 4] =
        ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoot"];
    WAYS.iter().any(|way| match &statement.actions {
        Selection::Only(actions) => actions.iter().any(|action| pattern::fits_ignoring_case(action, way)),
        Selection::Except(actions) => !actions.iter().any(|action| pattern::fits_ignoring_case(action, way)),
    })
}

fn everybody(principals: &EffectivePrincipals<'_>) -> Option<Verdict> {
    if principals.are_unlimited() {
        let message = "anybody with an AWS account may assume the role".to_owned();
        Some((FindingId::TrustPublic, Severity::Critical, message))
    } else {
        principals.everybody_limited()
    }
}

fn verdict(
    place: PrincipalPlace,
    text: &str,
    who: Principal<'_>,
    principals: &EffectivePrincipals<'_>,
    claims: &Claims,
) -> Option<Verdict> {
    if place.kind == Some(PrincipalType::Federated) && who != Principal::Everybody {
        // Who rules the account rules its providers, and they sign what they like.
        if let Principal::Account(account) = who
            && principals.are_foreign_to(account)
        {
            let message = format!(
                "whoever a provider of account {account} vouches for may assume the role: the account is not trusted"
            );
            return Some(principals.external(message));
        }
        return claims.verdict(text);
    }
    match who {
        Principal::Everybody => everybody(principals),
        Principal::Account(account) if principals.trusts(account) => None,
        Principal::Account(account) => {
            let message = format!("account {account}, which is not trusted, may assume the role");
            principals.somebody(principals.external(message))
        }
        Principal::Unknown => {
            let text = quoted(text);
            let message = format!("`{text}`, which is no account that is trusted, may assume the role");
            principals.somebody(principals.external(message))
        }
        Principal::Deleted => {
            let text = quoted(text);
            let message = format!("`{text}` is a principal that was deleted; the statement lets nobody in");
            Some((FindingId::TrustExternalAccount, Severity::Info, message))
        }
        Principal::Service(service) => match principals.service(true) {
            Some(bounded) => {
                bounded.filter(|(id, ..)| *id != FindingId::TrustConfusedDeputy || may_be_confused(service))
            }
            None if may_be_confused(service) => {
                let service = quoted(service);
                let message = format!(
                    "{service} may assume the role for anybody who can name it there: no aws:SourceAccount or \
                     aws:SourceArn is fixed"
                );
                Some((FindingId::TrustConfusedDeputy, Severity::Low, message))
            }
            None => None,
        },
    }
}

/// Whether a service may be made to assume a role by somebody outside the role's account.
///
/// A service of AWS gets a role from whoever may pass it, which works within one account alone
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>). With IAM Roles Anywhere it is the
/// certificate that chooses the role, of any trust anchor in the account whose profile has it
/// (<https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>).
fn may_be_confused(service: &str) -> bool {
    let name = service.strip_suffix(".cn").unwrap_or(service);
    let is_of_aws = [".amazonaws.com", ".amazon.com", ".aws.internal"].iter().any(|domain| name.ends_with(domain));
    !is_of_aws || name == "rolesanywhere.amazonaws.com"
}

#[cfg(test)]
mod tests;
