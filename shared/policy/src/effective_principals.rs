//! Who can be behind a statement's principals, given what its conditions fix.

use crate::{
    AccountId, Context,
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
        self.least(Some(verdict), |limit| match limit {
            Limit::Accounts { .. } | Limit::Organizations { .. } => true,
            Limit::Network | Limit::Identity => false,
        })
    }

    /// A service. Only the source tells for whom it works; none when no source is fixed.
    pub(crate) fn service(&self) -> Option<Option<Verdict>> {
        let is_source = |limit: &Limit<'_>| match limit {
            Limit::Accounts { of, .. } | Limit::Organizations { of, .. } => *of == Side::Source,
            Limit::Network | Limit::Identity => false,
        };
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
            Limit::Accounts { ids, .. } => {
                let outside = ids.iter().find(|id| !self.trusts(**id))?;
                Some(self.external(format!("the conditions let account {outside} in, which is not trusted")))
            }
            Limit::Organizations { ids, .. } => {
                let own = self.context.organization.as_ref().map(|own| own.as_str());
                let (severity, whose) = match ids.iter().find(|id| Some(**id) != own) {
                    None => (Severity::Low, "the own organisation".to_owned()),
                    Some(other) => (Severity::Medium, format!("organisation `{}`", quoted(other))),
                };
                Some((self.rules.organization, severity, format!("everybody in {whose} is let in")))
            }
            Limit::Network | Limit::Identity => None,
        }
    }
}
