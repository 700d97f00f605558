//! Who a principal is.

use crate::{
    AccountId,
    document::{PrincipalType, Principals, Selection, Values},
};
use std::fmt;

/// What one principal of a statement stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Principal<'d> {
    /// Anybody, with or without an AWS account.
    Everybody,
    /// Somebody in this account.
    Account(AccountId),
    /// An AWS service, for whichever account it works at the moment.
    Service(&'d str),
    /// A deleted principal shows as the unique id it had, and will never call again
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
    Deleted,
    /// Anything else: an identity provider, a canonical user, a form that is not known here.
    Unknown,
}

impl<'d> Principal<'d> {
    /// Principals take no partial wildcards: `arn:aws:iam::*:root` is not everybody but a form that AWS does not know.
    pub(crate) fn read(kind: PrincipalType, text: &'d str) -> Self {
        if text == "*" {
            return Principal::Everybody;
        }
        match kind {
            PrincipalType::Service => Principal::Service(text),
            PrincipalType::CanonicalUser => Principal::Unknown,
            // A SAML or OIDC provider is an ARN with an account, a public provider is a host name.
            PrincipalType::Aws | PrincipalType::Federated => match account_of(text) {
                Some(account) => Principal::Account(account),
                None if kind == PrincipalType::Aws && is_unique_id(text) => Principal::Deleted,
                None => Principal::Unknown,
            },
        }
    }
}

/// The account of `111122223333`, or of an IAM or STS ARN.
fn account_of(text: &str) -> Option<AccountId> {
    if let Ok(account) = text.parse() {
        return Some(account);
    }
    let mut fields = text.splitn(6, ':');
    let (scheme, _partition, service, region) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let account = fields.next()?.parse().ok()?;
    let resource = fields.next()?;
    (scheme == "arn" && matches!(service, "iam" | "sts") && region.is_empty() && !resource.is_empty())
        .then_some(account)
}

/// `AROA...` for a role, `AIDA...` for a user and their kin: four letters for the kind, then capitals and digits.
fn is_unique_id(text: &str) -> bool {
    ["AROA", "AIDA", "AGPA", "ANPA", "AIPA", "ABIA"].iter().any(|kind| text.starts_with(kind))
        && (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Where one principal stands within its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PrincipalPlace {
    /// The key in the `Principal` object; none for `"Principal": "*"`.
    pub(crate) kind: Option<PrincipalType>,
    /// The index, where the JSON has a list.
    pub(crate) index: Option<usize>,
}

impl fmt::Display for PrincipalPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal")?;
        if let Some(kind) = self.kind {
            write!(f, ".{kind}")?;
        }
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        Ok(())
    }
}

/// A statement's principals with their places and their text.
pub(crate) fn each<'d>(principals: &'d Principals<'_>) -> Vec<(PrincipalPlace, &'d str, Principal<'d>)> {
    fn walk<'d>(
        kind: Option<PrincipalType>,
        values: &'d Values<'_>,
    ) -> impl Iterator<Item = (PrincipalPlace, &'d str, Principal<'d>)> {
        let listed = match values {
            Values::One(_) => false,
            Values::Many(_) => true,
        };
        values.iter().enumerate().map(move |(index, text)| {
            let place = PrincipalPlace { kind, index: listed.then_some(index) };
            (place, text, Principal::read(kind.unwrap_or(PrincipalType::Aws), text))
        })
    }
    match principals {
        Principals::Untyped(values) => walk(None, values).collect(),
        Principals::Typed(by_kind) => by_kind.iter().flat_map(|(kind, values)| walk(Some(*kind), values)).collect(),
    }
}

/// The principals of a `Principal` element; none of a `NotPrincipal`, which names whom it leaves out.
pub(crate) fn named<'s, 'a>(principals: &'s Option<Selection<Principals<'a>>>) -> Option<&'s Principals<'a>> {
    match principals {
        Some(Selection::Only(principals)) => Some(principals),
        Some(Selection::Except(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Principal<'_>) {
        assert_eq!(Principal::read(PrincipalType::Aws, text), expected, "{text}");
    }

    #[test]
    fn forms_of_a_principal() {
        let account = Principal::Account("111122223333".parse().unwrap());
        check("*", Principal::Everybody);
        check("111122223333", account);
        check("arn:aws:iam::111122223333:root", account);
        check("arn:aws-cn:iam::111122223333:role/a/b", account);
        check("arn:aws:iam::111122223333:user/mallory", account);
        check("arn:aws:sts::111122223333:assumed-role/r/s", account);
        check("AROADBQP57FF2AEXAMPLE", Principal::Deleted);
        check("AIDACKCEVSQ6C2EXAMPLE", Principal::Deleted);
        for unknown in [
            "",
            "1111",
            "**",
            "arn:aws:iam::*:root",
            "arn:aws:iam::1231231234:root",
            "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1",
            "arn:aws:s3::111122223333:x",
            "AROA",
        ] {
            check(unknown, Principal::Unknown);
        }
        assert_eq!(Principal::read(PrincipalType::Service, "*"), Principal::Everybody);
        assert_eq!(Principal::read(PrincipalType::Federated, "*"), Principal::Everybody);
        assert_eq!(Principal::read(PrincipalType::Federated, "cognito-identity.amazonaws.com"), Principal::Unknown);
    }
}
