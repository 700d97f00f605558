//! What a judge is told beside the document: the own account, the trusted ones, the partition.

use crate::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Whose account a document is judged in, and whom that account trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The own account. Where it is not known, the account in a resource policy's own `Resource` stands in for it.
    pub account: Option<AccountId>,
    /// The own organisation, where there is one.
    pub organization: Option<OrganizationId>,
    /// Other accounts that may have access. Empty: no list was set, so an outside account is worth less alarm.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// The own partition.
    pub partition: Partition,
}

impl Context {
    /// The context of one account, with no organisation and no trusted accounts.
    pub fn of_account(account: AccountId) -> Self {
        Self { account: Some(account), ..Self::default() }
    }
}

/// A partition, the second field of an ARN: `aws`, `aws-cn`, `aws-us-gov`, ...
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition(String);

impl Partition {
    /// The partition as it stands in an ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Partition {
    fn default() -> Self {
        Self("aws".to_owned())
    }
}

/// Not `aws`, `aws-cn`, `aws-us-gov` or a name formed like them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a partition: use aws, aws-cn, aws-us-gov, ...")]
pub struct NotAPartition(pub String);

impl FromStr for Partition {
    type Err = NotAPartition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tail = match text.strip_prefix("aws") {
            Some(tail) => tail,
            None => return Err(NotAPartition(text.to_owned())),
        };
        let well_formed = tail.is_empty()
            || (tail.starts_with('-') && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotAPartition(text.to_owned())) }
    }
}

impl TryFrom<String> for Partition {
    type Error = NotAPartition;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Partition> for String {
    fn from(partition: Partition) -> Self {
        partition.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
