//! Who can be behind a statement's principals, given what its conditions fix.

use crate::{
    AccountId, Context, Selection, Statement, TrustedSource,
    conditions::{Limit, Side},
    display::quoted,
    violation::Verdict,
};
use warden_finding::{FindingId, Severity};

/// The rules about accounts outside, which differ between invoking a function and assuming a role.
#[derive(Clone, Copy)]
pub(crate) struct ExternalRules {
    /// An account that is not trusted.
    pub(crate) external: FindingId,
    pub(crate) external_severity: Severity,
    /// A whole organisation.
    pub(crate) organization: FindingId,
    /// A service that somebody else may have called.
    pub(crate) deputy: FindingId,
    /// Any service, whomever it calls for.
    pub(crate) deputy_severity: Severity,
}

/// The own account; where nobody said which, the one that a resource policy's own `Resource` names.
pub(crate) fn own_account(statement: &Statement<'_>, context: &Context) -> Option<AccountId> {
    let named = || match statement.resources.as_ref()? {
        Selection::Only(resources) => resources.iter().find_map(|arn| arn.split(':').nth(4)?.parse().ok()),
        Selection::Except(_) => None,
    };
    context.account.or_else(named)
}

/// The principals that a statement's conditions let through.
pub(crate) struct EffectivePrincipals<'d> {
    context: &'d Context,
    own: Option<AccountId>,
    /// Each with the verdict if it were the only one: a statement may have thousands of principals and of accounts.
    limits: Vec<(Limit<'d>, Option<Verdict>)>,
    rules: ExternalRules,
}

impl<'d> EffectivePrincipals<'d> {
    pub(crate) fn new(
        context: &'d Context,
        own: Option<AccountId>,
        limits: Vec<Limit<'d>>,
        rules: ExternalRules,
    ) -> Self {
        let mut principals = Self { context, own, limits: Vec::with_capacity(limits.len()), rules };
        for limit in limits {
            let verdict = principals.bounded(&limit);
            principals.limits.push((limit, verdict));
        }
        principals
    }

    /// Whether the conditions name nobody in particular.
    pub(crate) fn are_unlimited(&self) -> bool {
        self.limits.is_empty()
    }

    /// Whether the account is the own one or on the list.
    pub(crate) fn trusts(&self, account: AccountId) -> bool {
        self.own == Some(account) || self.context.trusted_accounts.contains(&account)
    }

    /// Whether the account is known to be another one, and is not on the list.
    pub(crate) fn are_foreign_to(&self, account: AccountId) -> bool {
        self.own.is_some() && !self.trusts(account)
    }

    /// A verdict about somebody from an account that is not trusted.
    pub(crate) fn external(&self, message: String) -> Verdict {
        (self.rules.external, self.rules.external_severity, message)
    }

    /// Everybody, when there is at least one limit.
    pub(crate) fn everybody_limited(&self) -> Option<Verdict> {
        self.least(None, |_| true)
    }

    /// Somebody who is named, and of whom the conditions may ask more. An address makes a stranger no less of a
    /// stranger.
    pub(crate) fn somebody(&self, verdict: Verdict) -> Option<Verdict> {
        fn tells_accounts(limit: &Limit<'_>) -> bool {
            match limit {
                Limit::Accounts { .. } | Limit::Sources { .. } | Limit::Organizations { .. } => true,
                Limit::Addresses(_) | Limit::Networks(_) | Limit::Identities(_) | Limit::Services => false,
                Limit::OneOf(limits) => limits.iter().all(tells_accounts),
            }
        }
        self.least(Some(verdict), tells_accounts)
    }

    /// A service. Only the source tells for whom it works, and a bucket only for whom S3 does; none when no source is
    /// fixed.
    pub(crate) fn service(&self, is_s3: bool) -> Option<Option<Verdict>> {
        fn is_of_source(limit: &Limit<'_>, is_s3: bool) -> bool {
            match limit {
                Limit::Accounts { of, .. } | Limit::Organizations { of, .. } => *of == Side::Source,
                Limit::Sources { bucket, .. } => is_s3 || !bucket,
                Limit::Addresses(_) | Limit::Networks(_) | Limit::Identities(_) | Limit::Services => false,
                // A service is in no organisation itself.
                Limit::OneOf(limits) => limits.iter().all(|limit| {
                    is_of_source(limit, is_s3) || matches!(limit, Limit::Organizations { of: Side::Caller, .. })
                }),
            }
        }
        let is_source = |limit: &Limit<'_>| is_of_source(limit, is_s3);
        self.limits.iter().any(|(limit, _)| is_source(limit)).then(|| self.least(None, is_source))
    }

    /// All limits hold at once, so what gets through is at most what the strictest lets through.
    fn least(&self, unlimited: Option<Verdict>, counts: impl Fn(&Limit<'_>) -> bool) -> Option<Verdict> {
        let limited = self.limits.iter().filter(|(limit, _)| counts(limit)).map(|(_, verdict)| verdict);
        limited
            .chain(unlimited.is_some().then_some(&unlimited))
            .min_by_key(|verdict| verdict.as_ref().map(|(_, severity, _)| *severity))
            .cloned()
            .flatten()
    }

    /// The verdict if this limit were the only one.
    fn bounded(&self, limit: &Limit<'_>) -> Option<Verdict> {
        match limit {
            Limit::Accounts { ids, .. } => self.outside(ids),
            Limit::Sources { ids, bucket } => self.outside(ids).or_else(|| {
                let message = "S3 is let in for a bucket without a fixed aws:SourceAccount: once the bucket is \
                               deleted, anybody may own that name";
                bucket.then(|| (self.rules.deputy, Severity::Low, message.to_owned()))
            }),
            Limit::Organizations { ids, .. } => {
                let own = self.context.organization.as_ref().map(|own| own.as_str());
                let Some(other) = ids.iter().find(|id| Some(**id) != own) else {
                    let message = "everybody in the own organisation is let in".to_owned();
                    return Some((self.rules.organization, Severity::Low, message));
                };
                let message = format!("everybody in organisation `{}` is let in", quoted(other));
                // Where nobody has said yet who belongs here, it may be the own one.
                let anybody_known = own.is_some() || !self.context.trusted_accounts.is_empty();
                Some(if anybody_known {
                    (self.rules.external, Severity::High, message)
                } else {
                    (self.rules.organization, Severity::Medium, message)
                })
            }
            Limit::Addresses(addresses) => {
                let example = addresses.example().filter(|_| !addresses.are_within(self.context.trusted_networks()))?;
                Some(self.external(format!("everybody who calls from {example} is let in, which is not trusted")))
            }
            Limit::Networks(ids) => {
                let trusts = |id: &str| self.context.trusted_sources.contains(&TrustedSource::Network(id.to_owned()));
                let other = quoted(ids.iter().find(|id| !trusts(id))?);
                Some(self.external(format!("everybody who calls through {other} is let in, which is not trusted")))
            }
            Limit::Identities(ids) => {
                let accounts: Vec<AccountId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
                let trusts = |id: &str| self.context.trusted_sources.contains(&TrustedSource::Principal(id.to_owned()));
                self.outside(&accounts).or_else(|| {
                    let other = ids.iter().find(|id| id.parse::<AccountId>().is_err() && !trusts(id))?;
                    let message = format!("`{}` is let in, and its account cannot be read from it", quoted(other));
                    Some((self.rules.external, Severity::Medium, message))
                })
            }
            Limit::Services => {
                let message = "any service of AWS is let in, for whomever it calls: neither aws:SourceAccount nor the \
                               account in aws:SourceArn is fixed";
                Some((self.rules.deputy, self.rules.deputy_severity, message.to_owned()))
            }
            // Whichever of them is the worst is enough.
            Limit::OneOf(limits) => {
                limits.iter().filter_map(|limit| self.bounded(limit)).max_by_key(|(_, severity, _)| *severity)
            }
        }
    }

    fn outside(&self, ids: &[AccountId]) -> Option<Verdict> {
        let outside = ids.iter().find(|id| !self.trusts(**id))?;
        Some(self.external(format!("the conditions let account {outside} in, which is not trusted")))
    }
}
