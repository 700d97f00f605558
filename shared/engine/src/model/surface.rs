//! The parts of a resource that can be read, judged, changed and restored by themselves.

use crate::{
    name::{
        NameError, as_text,
        iam::{CustomerPolicyArn, PolicyArn, PolicyName, RoleArn},
        lambda::{AccountArn, FunctionArn, LayerVersionArn, Qualifier},
    },
    secret::environment::VariableName,
};
use std::{fmt, str::FromStr};
use warden_policy::AccountId;

/// One AWS resource that a guard reasons about. Its text is its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A function with all its versions and aliases.
    Function(FunctionArn),
    /// One version of a layer.
    LayerVersion(LayerVersionArn),
    /// A role, named without its path.
    Role(RoleArn),
    /// A customer managed policy.
    Policy(CustomerPolicyArn),
    /// The account itself, whose records are those of `warden pause` and `warden resume`.
    Account(AccountArn),
}

impl Resource {
    /// The Region that the resource lives in; IAM's resources and an account live in none.
    pub fn region(&self) -> Option<&str> {
        match self {
            Resource::Function(arn) => Some(arn.region()),
            Resource::LayerVersion(arn) => Some(arn.region()),
            Resource::Role(_) | Resource::Policy(_) | Resource::Account(_) => None,
        }
    }

    /// The account that owns the resource.
    pub fn account(&self) -> &AccountId {
        match self {
            Resource::Function(arn) => arn.account(),
            Resource::LayerVersion(arn) => arn.account(),
            Resource::Role(arn) => arn.account(),
            Resource::Policy(arn) => arn.account(),
            Resource::Account(arn) => arn.account(),
        }
    }

    /// The short name for a person: the function's, the role's, the policy's, or the layer's with its version.
    pub fn name(&self) -> String {
        match self {
            Resource::Function(arn) => arn.name().to_owned(),
            Resource::LayerVersion(arn) => format!("{}:{}", arn.name(), arn.version()),
            Resource::Role(arn) => arn.name().to_owned(),
            Resource::Policy(arn) => arn.policy().name().to_owned(),
            Resource::Account(arn) => arn.account().to_string(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Function(arn) => arn.fmt(f),
            Resource::LayerVersion(arn) => arn.fmt(f),
            Resource::Role(arn) => arn.fmt(f),
            Resource::Policy(arn) => arn.fmt(f),
            Resource::Account(arn) => arn.fmt(f),
        }
    }
}

impl FromStr for Resource {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse()
            .map(Resource::Function)
            .or_else(|_| text.parse().map(Resource::LayerVersion))
            .or_else(|_| text.parse().map(Resource::Role))
            .or_else(|_| text.parse().map(Resource::Policy))
            .or_else(|_| text.parse().map(Resource::Account))
            .map_err(|_: NameError| {
                NameError::new(
                    text,
                    "the ARN of a function, a layer version, a role, a customer managed policy or an account",
                )
            })
    }
}

/// A part of a resource. Its text (`resource-policy:live`) names it in records and as the key of its state.
///
/// The order of the variants is the order of remediation within one resource. A URL is closed before the statements
/// that opened it go, and a role's trust policy and boundary are put right before its policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// `function-url[:QUALIFIER]`: a function URL, of the function or of one of its aliases.
    FunctionUrl(Option<Qualifier>),
    /// `resource-policy[:QUALIFIER]`: a resource policy, of the function or of one of its versions or aliases.
    ResourcePolicy(Option<Qualifier>),
    /// `layer-policy/VERSION`: the policy of a layer version.
    LayerPolicy(u64),
    /// `trust`: a role's trust policy.
    Trust,
    /// `boundary`: a role's permissions boundary.
    Boundary,
    /// `attachment/ARN`: a managed policy on a role, together with the inline policy that stands in for it.
    Attachment(PolicyArn),
    /// `inline-policy/NAME`: one of a role's own policies.
    InlinePolicy(PolicyName),
    /// `managed-policy/ARN`: what a customer managed policy says by default.
    ManagedPolicy(PolicyArn),
    /// `role[:VERSION]`: which role a function has.
    Role(Option<Qualifier>),
    /// `environment[:VERSION]`: the environment variables, of the function or of a published version.
    Environment(Option<Qualifier>),
    /// `secret/VARIABLE`: the value that Warden keeps for one variable.
    Secret(VariableName),
    /// `concurrency`: a function's reserved concurrency.
    Concurrency,
    /// `provisioned-concurrency:QUALIFIER`: the provisioned concurrency of one of a function's versions or aliases.
    ProvisionedConcurrency(Qualifier),
    /// `recursion`: whether Lambda ends recursive loops of a function.
    Recursion,
}

impl Surface {
    /// The managed policy, where the surface is one on a role.
    pub fn attached(&self) -> Option<&PolicyArn> {
        match self {
            Surface::Attachment(policy) => Some(policy),
            Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Trust
            | Surface::Boundary
            | Surface::InlinePolicy(_)
            | Surface::ManagedPolicy(_)
            | Surface::Role(_)
            | Surface::Environment(_)
            | Surface::Secret(_)
            | Surface::Concurrency
            | Surface::ProvisionedConcurrency(_)
            | Surface::Recursion => None,
        }
    }

    /// Whether IAM keeps it, whose reads may be behind its writes.
    pub(crate) fn is_of_iam(&self) -> bool {
        match self {
            Surface::Trust
            | Surface::Boundary
            | Surface::Attachment(_)
            | Surface::InlinePolicy(_)
            | Surface::ManagedPolicy(_) => true,
            Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Role(_)
            | Surface::Environment(_)
            | Surface::Secret(_)
            | Surface::Concurrency
            | Surface::ProvisionedConcurrency(_)
            | Surface::Recursion => false,
        }
    }

    /// Whether a change of it changes the function's secrets, which are changed one at a time.
    pub(crate) fn is_about_secrets(&self) -> bool {
        match self {
            Surface::Environment(None) | Surface::Secret(_) => true,
            Surface::FunctionUrl(_)
            | Surface::ResourcePolicy(_)
            | Surface::LayerPolicy(_)
            | Surface::Trust
            | Surface::Boundary
            | Surface::Attachment(_)
            | Surface::InlinePolicy(_)
            | Surface::ManagedPolicy(_)
            | Surface::Role(_)
            | Surface::Environment(Some(_))
            | Surface::Concurrency
            | Surface::ProvisionedConcurrency(_)
            | Surface::Recursion => false,
        }
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Surface::FunctionUrl(None) => f.write_str("function-url"),
            Surface::FunctionUrl(Some(qualifier)) => write!(f, "function-url:{qualifier}"),
            Surface::ResourcePolicy(None) => f.write_str("resource-policy"),
            Surface::ResourcePolicy(Some(qualifier)) => write!(f, "resource-policy:{qualifier}"),
            Surface::LayerPolicy(version) => write!(f, "layer-policy/{version}"),
            Surface::Trust => f.write_str("trust"),
            Surface::Boundary => f.write_str("boundary"),
            Surface::Attachment(policy) => write!(f, "attachment/{policy}"),
            Surface::InlinePolicy(name) => write!(f, "inline-policy/{name}"),
            Surface::ManagedPolicy(policy) => write!(f, "managed-policy/{policy}"),
            Surface::Role(None) => f.write_str("role"),
            Surface::Role(Some(version)) => write!(f, "role:{version}"),
            Surface::Environment(None) => f.write_str("environment"),
            Surface::Environment(Some(version)) => write!(f, "environment:{version}"),
            Surface::Secret(variable) => write!(f, "secret/{variable}"),
            Surface::Concurrency => f.write_str("concurrency"),
            Surface::ProvisionedConcurrency(qualifier) => write!(f, "provisioned-concurrency:{qualifier}"),
            Surface::Recursion => f.write_str("recursion"),
        }
    }
}

impl FromStr for Surface {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a surface");
        if let Some((kind, name)) = text.split_once('/') {
            return match kind {
                "layer-policy" => name.parse().map(Surface::LayerPolicy).map_err(|_| bad()),
                "attachment" => name.parse().map(Surface::Attachment),
                "inline-policy" => name.parse().map(Surface::InlinePolicy),
                "managed-policy" => name.parse().map(Surface::ManagedPolicy),
                "secret" => name.parse().map(Surface::Secret),
                _ => Err(bad()),
            };
        }
        let (kind, qualifier) = match text.split_once(':') {
            None => (text, None),
            Some((kind, qualifier)) => (kind, Some(qualifier.parse()?)),
        };
        match (kind, qualifier) {
            ("function-url", qualifier) => Ok(Surface::FunctionUrl(qualifier)),
            ("resource-policy", qualifier) => Ok(Surface::ResourcePolicy(qualifier)),
            ("environment", qualifier) => Ok(Surface::Environment(qualifier)),
            ("trust", None) => Ok(Surface::Trust),
            ("boundary", None) => Ok(Surface::Boundary),
            ("role", qualifier) => Ok(Surface::Role(qualifier)),
            ("concurrency", None) => Ok(Surface::Concurrency),
            ("provisioned-concurrency", Some(qualifier)) => Ok(Surface::ProvisionedConcurrency(qualifier)),
            ("recursion", None) => Ok(Surface::Recursion),
            _ => Err(bad()),
        }
    }
}

as_text!(Resource, Surface);

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
            "trust",
            "boundary",
            "attachment/arn:aws:iam::aws:policy/job-function/Billing",
            "inline-policy/read+write=all,of.it@home-1",
            "managed-policy/arn:aws:iam::111122223333:policy/pay",
            "role",
            "role:$LATEST.PUBLISHED",
            "environment",
            "environment:3",
            "resource-policy:$LATEST.PUBLISHED",
            "secret/DB_PASSWORD",
            "concurrency",
            "provisioned-concurrency:live",
            "recursion",
        ] {
            assert_eq!(text.parse::<Surface>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "resource-policy:",
            "resource-policy:a b",
            "layer-policy/x",
            "trust me",
            "trust:live",
            "attachment/Billing",
            "inline-policy/a/b",
            "secret/",
            "secret/a-b",
            "concurrency:live",
            "provisioned-concurrency",
            "recursion:3",
        ] {
            assert!(text.parse::<Surface>().is_err(), "{text}");
        }
    }
}
