//! The parts of a subject that can be read, judged, changed and restored by themselves.

use crate::arn::{AccountArn, BadName, FunctionArn, LayerVersionArn, Qualifier, as_text};
use serde::{Deserialize, Serialize, de};
use std::{fmt, str::FromStr};
use warden_policy::AccountId;

/// One AWS resource that a guard reasons about. Its text is its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A function with all its versions and aliases.
    Function(FunctionArn),
    /// One version of a layer.
    LayerVersion(LayerVersionArn),
    /// The account itself: pause and resume are its records.
    Account(AccountArn),
}

impl Subject {
    /// The Region that the subject lives in; an account lives in none.
    pub fn region(&self) -> Option<&str> {
        match self {
            Subject::Function(arn) => Some(arn.region()),
            Subject::LayerVersion(arn) => Some(arn.region()),
            Subject::Account(_) => None,
        }
    }

    /// The account that owns the subject.
    pub fn account(&self) -> &AccountId {
        match self {
            Subject::Function(arn) => arn.account(),
            Subject::LayerVersion(arn) => arn.account(),
            Subject::Account(arn) => arn.account(),
        }
    }

    /// The short name for a person: the function's, or the layer's with its version.
    pub fn name(&self) -> String {
        match self {
            Subject::Function(arn) => arn.name().to_owned(),
            Subject::LayerVersion(arn) => format!("{}:{}", arn.name(), arn.version()),
            Subject::Account(arn) => arn.account().to_string(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Function(arn) => arn.fmt(f),
            Subject::LayerVersion(arn) => arn.fmt(f),
            Subject::Account(arn) => arn.fmt(f),
        }
    }
}

impl FromStr for Subject {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        text.parse()
            .map(Subject::Function)
            .or_else(|_| text.parse().map(Subject::LayerVersion))
            .or_else(|_| text.parse().map(Subject::Account))
            .map_err(|_: BadName| BadName::new(text, "the ARN of a function, a layer version or an account"))
    }
}

/// A part of a subject. Its text (`resource-policy:live`) names it in records and as the key of its state.
///
/// The order is the order of remediation within one subject: a URL is closed before the statements that opened it go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// `function-url[:QUALIFIER]`
    FunctionUrl(Option<Qualifier>),
    /// `resource-policy[:QUALIFIER]`
    ResourcePolicy(Option<Qualifier>),
    /// `layer-policy/VERSION`
    LayerPolicy(u64),
    /// `environment[:VERSION]`
    Environment(Option<Qualifier>),
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Surface::FunctionUrl(None) => f.write_str("function-url"),
            Surface::FunctionUrl(Some(qualifier)) => write!(f, "function-url:{qualifier}"),
            Surface::ResourcePolicy(None) => f.write_str("resource-policy"),
            Surface::ResourcePolicy(Some(qualifier)) => write!(f, "resource-policy:{qualifier}"),
            Surface::LayerPolicy(version) => write!(f, "layer-policy/{version}"),
            Surface::Environment(None) => f.write_str("environment"),
            Surface::Environment(Some(version)) => write!(f, "environment:{version}"),
        }
    }
}

impl FromStr for Surface {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::new(text, "a surface");
        if let Some(version) = text.strip_prefix("layer-policy/") {
            return version.parse().map(Surface::LayerPolicy).map_err(|_| bad());
        }
        let (kind, qualifier) = match text.split_once(':') {
            None => (text, None),
            Some((kind, qualifier)) => (kind, Some(qualifier.parse()?)),
        };
        match kind {
            "function-url" => Ok(Surface::FunctionUrl(qualifier)),
            "resource-policy" => Ok(Surface::ResourcePolicy(qualifier)),
            "environment" => Ok(Surface::Environment(qualifier)),
            _ => Err(bad()),
        }
    }
}

as_text!(Subject, Surface);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_is_read_back_from_its_text() {
        for text in [
            "resource-policy",
            "resource-policy:live",
            "function-url",
            "function-url:3",
            "layer-policy/12",
            "environment",
            "environment:3",
        ] {
            assert_eq!(text.parse::<Surface>().unwrap().to_string(), text);
        }
        for text in ["", "resource-policy:", "resource-policy:a b", "layer-policy/x", "trust me"] {
            assert!(text.parse::<Surface>().is_err(), "{text}");
        }
    }
}
