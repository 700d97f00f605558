//! Names of IAM resources: roles, their inline policies, managed policies.

use crate::name::{NameError, as_text, fingerprint::Fingerprint, lambda::Home};
use serde_json::json;
use std::{fmt, str::FromStr};
use warden_policy::{AccountId, Partition};

/// IAM's own alphabet for names (IAM API reference, `[\w+=,.@-]+`).
fn is_iam_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

/// A path and a name behind it, as they stand in an ARN: `service/app/reader`.
fn is_path_and_name(text: &str, longest: usize) -> bool {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    // A path may hold any printable character (IAM API reference, `pathType`).
    path.len() <= 512 && path.bytes().all(|b| (0x21..0x7f).contains(&b)) && is_iam_name(name, longest)
}

/// The ARN of a role, without its path.
///
/// A role's name is unique in the account whatever its path, and it is all that most events and calls carry: the path
/// would make two resources of one role. What needs the whole ARN (a function's configuration, a pattern of what is
/// never touched) keeps it as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn {
    partition: Partition,
    account: AccountId,
    name: String,
}

impl RoleArn {
    /// The role's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account that owns the role.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The role of this name at home.
    ///
    /// # Errors
    /// [`NameError`] where it is no role's name: 1 to 64 of IAM's alphabet.
    pub fn named(name: &str, home: &Home) -> Result<RoleArn, NameError> {
        if !is_iam_name(name, 64) {
            return Err(NameError::new(name, "a role's name"));
        }
        Ok(RoleArn { partition: home.partition.clone(), account: home.account, name: name.to_owned() })
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RoleArn { partition, account, name } = self;
        write!(f, "arn:{}:iam::{account}:role/{name}", partition.as_str())
    }
}

impl FromStr for RoleArn {
    type Err = NameError;

    /// Takes an ARN with or without a path.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a role's ARN");
        match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                let path_and_name = resource.strip_prefix("role/").ok_or_else(bad)?;
                if !is_path_and_name(path_and_name, 64) {
                    return Err(bad());
                }
                let name = path_and_name.rsplit('/').next().unwrap_or(path_and_name);
                Ok(RoleArn {
                    partition: partition.parse().map_err(|_| bad())?,
                    account: account.parse().map_err(|_| bad())?,
                    name: name.to_owned(),
                })
            }
            _ => Err(bad()),
        }
    }
}

/// The name of one of a role's inline policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(String);

impl PolicyName {
    /// The name as IAM writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PolicyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_iam_name(text, 128) {
            Ok(PolicyName(text.to_owned()))
        } else {
            Err(NameError::new(text, "a policy's name"))
        }
    }
}

/// The ARN of a managed policy: AWS's own, or a customer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyArn {
    partition: Partition,
    /// None for AWS's own.
    account: Option<AccountId>,
    path_and_name: String,
}

impl PolicyArn {
    /// The policy's name, without its path.
    pub fn name(&self) -> &str {
        self.path_and_name.rsplit('/').next().unwrap_or(&self.path_and_name)
    }

    /// The account that owns the policy; none for AWS's own.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The name of the inline policy that takes this policy's place on a role where it cannot be edited itself: it
    /// holds what may stay of it. Always the same for one policy, so that a run that was cut off finds it again.
    pub fn stand_in(&self) -> PolicyName {
        let digest = Fingerprint::of(&json!(self.to_string())).to_string();
        let name: String = self.name().chars().take(100).collect();
        PolicyName(format!("warden-{name}-{digest:.8}"))
    }

    /// The managed policy of Warden's own that takes this policy's place on `role` where what may stay of it has no
    /// room among the role's own policies. Always the same for one policy on one role, like [`PolicyArn::stand_in`].
    pub fn copy_for(&self, role: &RoleArn) -> CustomerPolicyArn {
        let digest = Fingerprint::of(&json!([role.to_string(), self.to_string()])).to_string();
        let name: String = self.name().chars().take(40).collect();
        let policy = PolicyArn {
            partition: role.partition.clone(),
            account: Some(role.account),
            // Of the 128 characters that a name may have, a role's takes 64 at most.
            path_and_name: format!(
                "{}{}-{name}-{digest:.8}",
                CustomerPolicyArn::COPIES.trim_start_matches('/'),
                role.name
            ),
        };
        CustomerPolicyArn { account: role.account, policy }
    }
}

impl fmt::Display for PolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyArn { partition, account, path_and_name } = self;
        let account = account.as_ref().map_or("aws", AccountId::as_str);
        write!(f, "arn:{}:iam::{account}:policy/{path_and_name}", partition.as_str())
    }
}

impl FromStr for PolicyArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a managed policy's ARN");
        match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                let path_and_name = resource.strip_prefix("policy/").ok_or_else(bad)?;
                if !is_path_and_name(path_and_name, 128) {
                    return Err(bad());
                }
                Ok(PolicyArn {
                    partition: partition.parse().map_err(|_| bad())?,
                    account: match *account {
                        "aws" => None,
                        account => Some(account.parse().map_err(|_| bad())?),
                    },
                    path_and_name: path_and_name.to_owned(),
                })
            }
            _ => Err(bad()),
        }
    }
}

/// The ARN of a customer managed policy: one that can be edited, and tagged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerPolicyArn {
    policy: PolicyArn,
    account: AccountId,
}

impl CustomerPolicyArn {
    /// The path of the policies that Warden makes: see [`PolicyArn::copy_for`].
    pub const COPIES: &'static str = "/warden/copy/";

    /// The ARN, as that of any managed policy.
    pub fn policy(&self) -> &PolicyArn {
        &self.policy
    }

    /// The account that owns the policy.
    pub fn account(&self) -> &AccountId {
        &self.account
    }
}

impl From<CustomerPolicyArn> for PolicyArn {
    fn from(arn: CustomerPolicyArn) -> Self {
        arn.policy
    }
}

impl TryFrom<PolicyArn> for CustomerPolicyArn {
    type Error = NameError;

    fn try_from(policy: PolicyArn) -> Result<Self, NameError> {
        match policy.account {
            Some(account) => Ok(CustomerPolicyArn { policy, account }),
            None => Err(NameError::new(&policy.to_string(), "the ARN of a customer managed policy")),
        }
    }
}

impl fmt::Display for CustomerPolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)
    }
}

impl FromStr for CustomerPolicyArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse::<PolicyArn>()?.try_into()
    }
}

as_text!(RoleArn, PolicyName, PolicyArn, CustomerPolicyArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_same_with_and_without_its_path() {
        let plain: RoleArn = "arn:aws:iam::111122223333:role/pay".parse().unwrap();
        let deep: RoleArn = "arn:aws:iam::111122223333:role/service-role/shop/pay".parse().unwrap();
        assert_eq!((&plain, plain.name()), (&deep, "pay"));
        assert_eq!(deep.to_string(), "arn:aws:iam::111122223333:role/pay");
    }

    #[test]
    fn what_is_no_iam_name_is_refused() {
        for text in
            ["", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role/a b", "arn:aws:iam::1:role/a"]
        {
            assert!(text.parse::<RoleArn>().is_err(), "{text}");
        }
        for text in ["", "a/b", "a b", &"a".repeat(129)] {
            assert!(text.parse::<PolicyName>().is_err(), "{text}");
        }
        for text in ["arn:aws:iam::aws:policy", "arn:aws:iam::aws:policy/", "arn:aws:iam:us-east-1:aws:policy/a"] {
            assert!(text.parse::<PolicyArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_managed_policy_is_aws_s_own_or_a_customers() {
        let own: PolicyArn = "arn:aws:iam::aws:policy/service-role/AWSLambdaRole".parse().unwrap();
        assert_eq!((own.name(), own.account()), ("AWSLambdaRole", None));
        assert!(CustomerPolicyArn::try_from(own).is_err());
        let text = "arn:aws-cn:iam::111122223333:policy/app/pay";
        let customer: CustomerPolicyArn = text.parse().unwrap();
        assert_eq!((customer.to_string().as_str(), customer.policy().name()), (text, "pay"));
    }

    #[test]
    fn a_stand_in_is_named_after_its_policy_and_differs_from_that_of_a_namesake() {
        let stand_in = |text: &str| text.parse::<PolicyArn>().unwrap().stand_in();
        let aws = stand_in("arn:aws:iam::aws:policy/PowerUserAccess");
        let own = stand_in("arn:aws:iam::111122223333:policy/PowerUserAccess");
        assert!(aws.as_str().starts_with("warden-PowerUserAccess-") && aws != own);
        let longest = stand_in(&format!("arn:aws:iam::aws:policy/{}", "a".repeat(128)));
        assert!(longest.as_str().parse::<PolicyName>().is_ok());
    }
}
