//! AWS account and organisation ids.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An AWS account: twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// How many digits one has.
    pub(crate) const LENGTH: usize = 12;

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        // INVARIANT: only ASCII digits get in, so the text is always valid UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Not twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an account id: use twelve digits, without dashes")]
pub struct NotAnAccountId(pub String);

impl FromStr for AccountId {
    type Err = NotAnAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            Ok(_) | Err(_) => Err(NotAnAccountId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = NotAnAccountId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An AWS organisation: `o-` and 10 to 32 lower-case letters or digits
/// (<https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationId(String);

impl OrganizationId {
    /// The id, with its `o-`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not of the form `o-exampleorgid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an organisation id: use `o-` and 10 to 32 lower-case letters or digits")]
pub struct NotAnOrganizationId(pub String);

impl FromStr for OrganizationId {
    type Err = NotAnOrganizationId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("o-") {
            Some(tail)
                if (10..=32).contains(&tail.len())
                    && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) =>
            {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(NotAnOrganizationId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for OrganizationId {
    type Error = NotAnOrganizationId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OrganizationId> for String {
    fn from(id: OrganizationId) -> Self {
        id.0
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits_and_nothing_else() {
        assert_eq!("111122223333".parse::<AccountId>().unwrap().to_string(), "111122223333");
        for bad in ["", "11112222333", "1111222233334", "1111-2222-33", "11112222333x", "１１１１"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_organisation_starts_with_o() {
        assert_eq!("o-exampleorgid".parse::<OrganizationId>().unwrap().as_str(), "o-exampleorgid");
        for bad in ["", "o-", "o-short", "o-UPPERCASE1", "o-exampleorg*", "r-exampleorgid"] {
            assert!(bad.parse::<OrganizationId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn both_are_plain_text_in_json() {
        let account: AccountId = serde_json::from_str("\"111122223333\"").unwrap();
        assert_eq!(serde_json::to_string(&account).unwrap(), "\"111122223333\"");
        assert!(serde_json::from_str::<OrganizationId>("\"everyone\"").is_err());
    }
}
