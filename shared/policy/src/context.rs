//! What a judge is told beside the document: the own account, the trusted ones, the partition.

use crate::{AccountId, OrganizationId};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

/// Whose account a document is judged in, and whom that account trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The own account. Where it is not known, the account in a resource policy's own `Resource` stands in for it.
    pub account: Option<AccountId>,
    /// The own organisation, where there is one.
    pub organization: Option<OrganizationId>,
    /// Other accounts that may have access. Empty: no list was set, so an outside account is worth less alarm.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// Networks and principals that are the own ones: nothing about them tells whose they are.
    pub trusted_sources: BTreeSet<TrustedSource>,
    /// Of a role that is judged: that only Lambda may assume it, so that nobody brings tags of their own along.
    pub lambda_alone_assumes: bool,
    /// The own partition.
    pub partition: Partition,
}

impl Context {
    /// The addresses among the trusted sources.
    pub(crate) fn trusted_networks(&self) -> impl Iterator<Item = &IpNet> + Clone {
        self.trusted_sources.iter().filter_map(|source| match source {
            TrustedSource::Addresses(network) => Some(network),
            TrustedSource::Network(_) | TrustedSource::Principal(_) => None,
        })
    }

    /// The context of one account, with no organisation and no trusted accounts.
    pub fn of_account(account: AccountId) -> Self {
        Self { account: Some(account), ..Self::default() }
    }
}

/// A network or a principal that the account knows as its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TrustedSource {
    /// Addresses that only the owner calls from, such as those of an office or a NAT gateway: `198.51.100.0/24`.
    Addresses(IpNet),
    /// A VPC or a VPC endpoint, `vpc-...` or `vpce-...`.
    Network(String),
    /// A user or role by its unique id, `AIDA...` or `AROA...`
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
    Principal(String),
}

/// Neither addresses, nor the id of a network, nor that of a principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no source to trust: use a range like 198.51.100.0/24, or an id like vpc-..., vpce-..., AROA... or AIDA..."
)]
pub struct NotATrustedSource(pub String);

impl FromStr for TrustedSource {
    type Err = NotATrustedSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(range) = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            return Ok(Self::Addresses(range.trunc()));
        }
        let of = |starts: [&str; 2], is_in: fn(u8) -> bool| {
            starts.iter().any(|start| text.strip_prefix(start).is_some_and(|id| id.len() >= 8 && id.bytes().all(is_in)))
        };
        if of(["vpc-", "vpce-"], |byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')) {
            Ok(Self::Network(text.to_owned()))
        } else if of(["AROA", "AIDA"], |byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
            Ok(Self::Principal(text.to_owned()))
        } else {
            Err(NotATrustedSource(text.to_owned()))
        }
    }
}

impl TryFrom<String> for TrustedSource {
    type Error = NotATrustedSource;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TrustedSource> for String {
    fn from(source: TrustedSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for TrustedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(range) => write!(f, "{range}"),
            Self::Network(id) | Self::Principal(id) => f.write_str(id),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_range_or_an_id() {
        for (text, shown) in [
            ("198.51.100.0/24", "198.51.100.0/24"),
            ("198.51.100.7/24", "198.51.100.0/24"),
            ("198.51.100.7", "198.51.100.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("vpc-0a1b2c3d", "vpc-0a1b2c3d"),
            ("vpce-0a1b2c3d4e5f60718", "vpce-0a1b2c3d4e5f60718"),
            ("AROAQWERTZUIOPASDFGHJ", "AROAQWERTZUIOPASDFGHJ"),
        ] {
            let source: TrustedSource = text.parse().unwrap();
            assert_eq!(source.to_string(), shown);
            assert_eq!(
                serde_json::from_str::<TrustedSource>(&serde_json::to_string(&source).unwrap()).unwrap(),
                source
            );
        }
        for bad in
            ["", "*", "vpc-*", "vpc-", "AROA*", "AROA", "198.51.100.0/33", "111122223333", "aroaqwertzuiopasdfghj"]
        {
            assert!(bad.parse::<TrustedSource>().is_err(), "{bad}");
        }
    }
}
