//! The ids of findings, and whose tag exempts each.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The stable id of a rule. Other programs rely on the spelling: an id is never renamed or reused.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownFindingId, parse_err_fn = unknown)]
pub enum FindingId {
    /// Effectively every action on a broad resource.
    WildcardAdmin,
    /// Allow with NotAction on a broad resource.
    WildcardNotAction,
    /// Allow with NotResource.
    WildcardNotResource,
    /// A documented escalation path on broad resources.
    PrivilegeEscalation,
    /// `iam:PassRole` on a broad resource.
    WildcardPassRole,
    /// `sts:AssumeRole` on a broad resource.
    WildcardAssumeRole,
    /// Every action of a sensitive service on a broad resource.
    WildcardSensitiveService,
    /// Actions that give data or permissions away, or administer access, on a broad resource.
    WildcardPermissions,
    /// Reading or exporting secrets, parameters, objects or tables on a broad resource.
    WildcardDataRead,
    /// `lambda:InvokeFunction` on a broad resource.
    WildcardInvoke,
    /// Every action of any other service on a broad resource.
    WildcardService,
    /// Any other scopable write on a broad resource.
    WildcardWrite,
    /// One role used by several functions.
    SharedRole,
    /// A function's role swapped for one that breaks a rule.
    RoleBroadened,
    /// A permissions boundary removed or replaced by a wider one.
    BoundaryRemoved,
    /// Anybody may assume the role.
    TrustPublic,
    /// Federation without an audience and a subject condition.
    TrustOidcOpen,
    /// An account outside the trusted list may assume the role.
    TrustExternalAccount,
    /// Somebody may assume the role who could not when it was opted in.
    TrustNewcomer,
    /// An organisation may assume the role.
    TrustOrganization,
    /// A service principal without SourceArn or SourceAccount.
    TrustConfusedDeputy,
    /// Anybody may invoke the function.
    PublicInvoke,
    /// A function URL without authentication that anybody may call.
    PublicUrl,
    /// A service principal not tied to an account: anybody's resource there may invoke.
    OpenServicePrincipal,
    /// A resource policy grants `lambda:*` or `*`.
    WildcardInvokeAction,
    /// An account outside the trusted list may invoke.
    ExternalInvoke,
    /// A whole organisation may invoke.
    OrganizationInvoke,
    /// Anybody may use the layer version.
    PublicLayer,
    /// An account outside the trusted list may use the layer version.
    ExternalLayer,
    /// The function URL answers any web origin.
    CorsAnyOrigin,
    /// A credential in plaintext in an environment variable.
    PlaintextSecret,
    /// A secret that Warden stored earlier is back in plaintext.
    KnownSecret,
    /// A secret that was taken out, and that the function cannot reach at its start.
    SecretOutOfReach,
    /// No reserved concurrency where a cap is set.
    UnboundedConcurrency,
    /// Reserved concurrency above the cap.
    ConcurrencyAboveCap,
    /// Measured load above `warden:runaway-at`.
    RunawayConcurrency,
    /// Recursive loop detection is switched off.
    RecursionAllowed,
    /// Provisioned concurrency above the cap.
    ProvisionedAboveCap,
    /// One of Warden's own rules, targets or functions was disabled or changed.
    GuardTampered,
    /// An opted-in resource lost its tag.
    OptedOut,
}

/// Whose tag `warden:exempt` lets a finding pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExemptedBy {
    /// The function's own tag.
    Function,
    /// The role's, or the customer managed policy's where the finding is on that.
    Role,
}

impl FindingId {
    /// Every id, in the order of the documentation.
    pub const ALL: &[FindingId] = FindingId::VARIANTS;

    /// The id as it stands in records, events, tags and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whose tag `warden:exempt` lets the finding pass; none where no tag does.
    pub const fn exempted_by(self) -> Option<ExemptedBy> {
        match self {
            FindingId::WildcardAdmin
            | FindingId::WildcardNotAction
            | FindingId::WildcardNotResource
            | FindingId::PrivilegeEscalation
            | FindingId::WildcardPassRole
            | FindingId::WildcardAssumeRole
            | FindingId::WildcardSensitiveService
            | FindingId::WildcardPermissions
            | FindingId::WildcardDataRead
            | FindingId::WildcardInvoke
            | FindingId::WildcardService
            | FindingId::WildcardWrite
            | FindingId::BoundaryRemoved
            | FindingId::TrustPublic
            | FindingId::TrustOidcOpen
            | FindingId::TrustExternalAccount
            | FindingId::TrustNewcomer
            | FindingId::TrustOrganization
            | FindingId::TrustConfusedDeputy => Some(ExemptedBy::Role),
            FindingId::RoleBroadened
            | FindingId::PublicInvoke
            | FindingId::PublicUrl
            | FindingId::OpenServicePrincipal
            | FindingId::WildcardInvokeAction
            | FindingId::ExternalInvoke
            | FindingId::OrganizationInvoke
            | FindingId::CorsAnyOrigin
            | FindingId::PlaintextSecret
            | FindingId::KnownSecret
            | FindingId::SecretOutOfReach
            | FindingId::UnboundedConcurrency
            | FindingId::ConcurrencyAboveCap
            | FindingId::RecursionAllowed
            | FindingId::ProvisionedAboveCap => Some(ExemptedBy::Function),
            // A layer has no tags; of a shared role no guard knows; the rest no judge of this release knows.
            FindingId::PublicLayer
            | FindingId::ExternalLayer
            | FindingId::SharedRole
            | FindingId::RunawayConcurrency
            | FindingId::GuardTampered
            | FindingId::OptedOut => None,
        }
    }

    /// What the rule fires on, in one sentence.
    pub const fn title(self) -> &'static str {
        match self {
            FindingId::WildcardAdmin => "Effectively every action on a broad resource.",
            FindingId::WildcardNotAction => "Allow with NotAction on a broad resource.",
            FindingId::WildcardNotResource => "Allow with NotResource.",
            FindingId::PrivilegeEscalation => "A documented escalation path on broad resources.",
            FindingId::WildcardPassRole => "`iam:PassRole` on a broad resource.",
            FindingId::WildcardAssumeRole => "`sts:AssumeRole` on a broad resource.",
            FindingId::WildcardSensitiveService => "Every action of a sensitive service on a broad resource.",
            FindingId::WildcardPermissions => {
                "Actions that give data or permissions away, or administer access, on a broad resource."
            }
            FindingId::WildcardDataRead => {
                "Reading or exporting secrets, parameters, objects or tables on a broad resource."
            }
            FindingId::WildcardInvoke => "`lambda:InvokeFunction` on a broad resource.",
            FindingId::WildcardService => "Every action of any other service on a broad resource.",
            FindingId::WildcardWrite => "Any other scopable write on a broad resource.",
            FindingId::SharedRole => "One role used by several functions.",
            FindingId::RoleBroadened => "A function's role swapped for one that breaks a rule.",
            FindingId::BoundaryRemoved => "A permissions boundary removed or replaced by a wider one.",
            FindingId::TrustPublic => "Anybody may assume the role.",
            FindingId::TrustOidcOpen => "Federation without an audience and a subject condition.",
            FindingId::TrustExternalAccount => "An account outside the trusted list may assume the role.",
            FindingId::TrustNewcomer => "Somebody may assume the role who could not when it was opted in.",
            FindingId::TrustOrganization => "An organisation may assume the role.",
            FindingId::TrustConfusedDeputy => "A service principal without SourceArn or SourceAccount.",
            FindingId::PublicInvoke => "Anybody may invoke the function.",
            FindingId::PublicUrl => "A function URL without authentication that anybody may call.",
            FindingId::OpenServicePrincipal => {
                "A service principal not tied to an account: anybody's resource there may invoke."
            }
            FindingId::WildcardInvokeAction => "A resource policy grants `lambda:*` or `*`.",
            FindingId::ExternalInvoke => "An account outside the trusted list may invoke.",
            FindingId::OrganizationInvoke => "A whole organisation may invoke.",
            FindingId::PublicLayer => "Anybody may use the layer version.",
            FindingId::ExternalLayer => "An account outside the trusted list may use the layer version.",
            FindingId::CorsAnyOrigin => "The function URL answers any web origin.",
            FindingId::PlaintextSecret => "A credential in plaintext in an environment variable.",
            FindingId::KnownSecret => "A secret that Warden stored earlier is back in plaintext.",
            FindingId::SecretOutOfReach => {
                "A secret that was taken out, and that the function cannot reach at its start."
            }
            FindingId::UnboundedConcurrency => "No reserved concurrency where a cap is set.",
            FindingId::ConcurrencyAboveCap => "Reserved concurrency above the cap.",
            FindingId::RunawayConcurrency => "Measured load above `warden:runaway-at`.",
            FindingId::RecursionAllowed => "Recursive loop detection is switched off.",
            FindingId::ProvisionedAboveCap => "Provisioned concurrency above the cap.",
            FindingId::GuardTampered => "One of Warden's own rules, targets or functions was disabled or changed.",
            FindingId::OptedOut => "An opted-in resource lost its tag.",
        }
    }
}

/// A word that is no finding id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a finding id")]
pub struct UnknownFindingId(pub String);

fn unknown(word: &str) -> UnknownFindingId {
    UnknownFindingId(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are made from the names of the variants. So that none is renamed with its variant, they stand here once
    /// more.
    #[test]
    fn no_id_is_ever_renamed() {
        let ids = [
            "wildcard-admin",
            "wildcard-not-action",
            "wildcard-not-resource",
            "privilege-escalation",
            "wildcard-pass-role",
            "wildcard-assume-role",
            "wildcard-sensitive-service",
            "wildcard-permissions",
            "wildcard-data-read",
            "wildcard-invoke",
            "wildcard-service",
            "wildcard-write",
            "shared-role",
            "role-broadened",
            "boundary-removed",
            "trust-public",
            "trust-oidc-open",
            "trust-external-account",
            "trust-newcomer",
            "trust-organization",
            "trust-confused-deputy",
            "public-invoke",
            "public-url",
            "open-service-principal",
            "wildcard-invoke-action",
            "external-invoke",
            "organization-invoke",
            "public-layer",
            "external-layer",
            "cors-any-origin",
            "plaintext-secret",
            "known-secret",
            "secret-out-of-reach",
            "unbounded-concurrency",
            "concurrency-above-cap",
            "runaway-concurrency",
            "recursion-allowed",
            "provisioned-above-cap",
            "guard-tampered",
            "opted-out",
        ];
        let spelled: Vec<&str> = FindingId::ALL.iter().map(|id| id.as_str()).collect();
        assert_eq!(spelled, ids);
        for id in FindingId::ALL {
            assert_eq!(serde_json::to_value(id).unwrap(), id.as_str());
            assert_eq!(id.to_string().parse(), Ok(*id));
        }
        assert_eq!("public".parse::<FindingId>(), Err(UnknownFindingId("public".into())));
    }
}
