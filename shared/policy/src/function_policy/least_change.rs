//! The least change to a function's resource policy that closes what the judge found.

use super::{
    UNGUESSABLE, UrlAuth,
    event_source::{self, Sent},
    judge, violations,
};
use crate::{
    AccountId, Context, Document, DocumentError, Kind, Statement,
    principal_policy::{Binding, PrincipalPolicy},
    rewrite::Narrowed,
    together::Beside,
};
use std::collections::BTreeSet;
use warden_finding::{Finding, FindingId};

/// Takes the named findings out of a function's resource policy and changes nothing else.
///
/// Of a list of principals only the offending ones go; `lambda:*` becomes `lambda:InvokeFunction`, or goes when other
/// actions remain; an open service principal gets `aws:SourceAccount` or an `aws:SourceArn` of the own and the trusted
/// accounts where the service is documented to send it. Otherwise the statement goes.
///
/// The baseline is what was in force and may come back. Its Denies that were lost are put back first, where that closes
/// something; where it had another statement in the place of one that goes, that one comes back; when nothing of the
/// document is left, the whole baseline does.
///
/// Findings that are not those of [`super::judge`] on this document are left out of account.
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
        violations(index, statement, document, beside, context, UrlAuth::Unknown)
    };
    PrincipalPolicy {
        kind: Kind::Resource,
        judge: &|document| judge(document, context, UrlAuth::Unknown),
        context,
        unguessable: UNGUESSABLE,
        violations: &violations,
        is_same,
        bound: FindingId::OpenServicePrincipal,
        binding: &|service| binding(service, context),
    }
    .narrow(document, findings, baseline)
}

/// The same place and rule. Whether a public grant is called `public-url` hangs on the URL, and whether one to certain
/// addresses is public on the other statements, of which neither is asked here.
fn is_same(named: &Finding, found: &Finding) -> bool {
    let public = |id| matches!(id, FindingId::PublicUrl | FindingId::PublicInvoke);
    let outside = |id| public(id) || id == FindingId::ExternalInvoke;
    named.at == found.at && (named.id == found.id || (public(named.id) && outside(found.id)))
}

/// The condition that ties a service to the own and the trusted accounts.
fn binding(service: &str, context: &Context) -> Result<Binding, String> {
    let own = context.account.ok_or("the own account is not known: say which it is")?;
    let accounts: BTreeSet<AccountId> = [own].into_iter().chain(context.trusted_accounts.iter().copied()).collect();
    let partition = &context.partition;
    match event_source::sent_by(service) {
        Some(Sent::Account) => Ok(Binding {
            key: "aws:SourceAccount",
            operators: ["StringEquals", "StringLike"],
            values: accounts.iter().map(ToString::to_string).collect(),
        }),
        Some(Sent::Arn { service }) => Ok(Binding {
            key: "aws:SourceArn",
            operators: ["ArnLike", "ArnEquals"],
            values: accounts.iter().map(|account| format!("arn:{partition}:{service}:*:{account}:*")).collect(),
        }),
        Some(Sent::Token) => {
            Err(format!("{service} sends no source: add the statement again with the skill's id as EventSourceToken"))
        }
        None if service == "*" => Err("add aws:SourceAccount with the account of the bucket".to_owned()),
        None => Err(format!(
            "it is not known which source {service} sends: add the statement again with the SourceArn of its resource, \
             or remove it"
        )),
    }
}
