//! The closed list of calls that change something.

use crate::{
    model::content::Content,
    name::{
        fingerprint::Fingerprint,
        iam::{CustomerPolicyArn, PolicyArn, PolicyName, RoleArn},
        lambda::{FunctionArn, LayerVersionArn, Qualifier},
    },
    secret::environment::{EnvironmentUpdate, Rotation},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};
use warden_policy::{Document, Kind};
use warden_secret_ref::SecretName;

/// The optimistic lock that Lambda hands out with a policy or a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionId(pub String);

/// Who may call a function URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UrlAuthType {
    /// Callers sign with IAM credentials.
    #[serde(rename = "AWS_IAM")]
    AwsIam,
    /// Anybody whom the resource policy allows it.
    #[serde(rename = "NONE")]
    None,
}

impl UrlAuthType {
    /// The value as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            UrlAuthType::AwsIam => "AWS_IAM",
            UrlAuthType::None => "NONE",
        }
    }
}

/// What Lambda does about a function that invokes itself, through services that it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecursiveLoop {
    /// It goes on.
    Allow,
    /// After about 16 rounds it is ended ("Use Lambda recursive loop detection" in the Lambda developer guide). What a
    /// function starts with.
    Terminate,
}

impl RecursiveLoop {
    /// The value as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RecursiveLoop::Allow => "Allow",
            RecursiveLoop::Terminate => "Terminate",
        }
    }
}

/// One version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Its id: `v3`. IAM never gives one twice.
    pub id: String,
    /// Its document, word for word.
    pub document: String,
}

impl PolicyVersion {
    /// Whether its document says the same as `content`, however it is written. A document that does not parse strictly
    /// never does.
    pub fn says(&self, content: &Content) -> bool {
        Document::parse(&self.document, Kind::Identity).is_ok()
            && serde_json::from_str(&self.document).is_ok_and(|document| Content::new(document) == *content)
    }

    /// Whether this version's document is `document`, or says the same.
    pub fn is_like(&self, document: &str) -> bool {
        self.document == document || serde_json::from_str(document).is_ok_and(|said| self.says(&Content::new(said)))
    }

    /// The number in its id. IAM counts up, and a version that is deleted leaves a gap.
    pub fn number(&self) -> u64 {
        self.id.trim_start_matches('v').parse().unwrap_or_default()
    }
}

/// What AddPermission can say in a statement, beside its Sid: its parameters, by their names. The statement's resource
/// is the function, version or alias whose policy it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permission {
    /// Who is allowed it: `*`, an account id, an ARN, or a service.
    pub principal: String,
    /// What is allowed: `lambda:InvokeFunction`.
    pub action: String,
    /// The resource that a service acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// The account that a service acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_account: Option<String>,
    /// The organisation whose accounts are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_org_id: Option<String>,
    /// What Alexa has to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source_token: Option<String>,
    /// The authentication of the function URL that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_url_auth_type: Option<UrlAuthType>,
    /// Whether only calls by a function URL are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_via_function_url: Option<bool>,
}

/// One API call that changes something. Only calls in this list can be made by a guard or an undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "api")]
pub enum Call {
    /// Takes one statement out of a function's policy; locked by RevisionId.
    RemovePermission {
        /// The function whose policy is changed.
        function: FunctionArn,
        /// The version or alias whose policy that is; none for the function's own.
        qualifier: Option<Qualifier>,
        /// The statement's Sid.
        sid: String,
    },
    /// Puts one statement into a function's policy, at its end; locked by RevisionId where there is a policy. No guard
    /// does this, but an undo may.
    AddPermission {
        /// The function whose policy is changed.
        function: FunctionArn,
        /// The version or alias whose policy that is; none for the function's own.
        qualifier: Option<Qualifier>,
        /// The statement's Sid.
        sid: String,
        /// What else it says.
        permission: Box<Permission>,
    },
    /// Replaces a function's whole policy in one step; locked by RevisionId.
    PutResourcePolicy {
        /// The function whose policy is changed.
        function: FunctionArn,
        /// The version or alias whose policy that is; none for the function's own.
        qualifier: Option<Qualifier>,
        /// The new document.
        policy: Value,
    },
    /// Deletes a function's whole policy; locked by RevisionId.
    DeleteResourcePolicy {
        /// The function whose policy is changed.
        function: FunctionArn,
        /// The version or alias whose policy that is; none for the function's own.
        qualifier: Option<Qualifier>,
    },
    /// Sets who may call a function URL; nothing else of the URL. Lambda offers no lock here.
    UpdateFunctionUrlConfig {
        /// The function that the URL belongs to.
        function: FunctionArn,
        /// The alias that the URL belongs to; none for the function's own.
        qualifier: Option<Qualifier>,
        /// The new setting.
        auth_type: UrlAuthType,
    },
    /// Takes one statement out of a layer version's policy; locked by RevisionId.
    RemoveLayerVersionPermission {
        /// The layer version whose policy is changed.
        layer: LayerVersionArn,
        /// The statement's Sid.
        sid: String,
    },
    /// Puts one statement into a layer version's policy.
    AddLayerVersionPermission {
        /// The layer version whose policy is changed.
        layer: LayerVersionArn,
        /// The statement's Sid.
        sid: String,
        /// Who is allowed it: an account id, or `*`.
        principal: String,
        /// The action that is allowed: `lambda:GetLayerVersion`.
        action: String,
        /// Where the principal is `*`: the organisation whose accounts are meant.
        organization: Option<String>,
    },
    /// Replaces who may assume a role. IAM offers no lock, here and below.
    UpdateAssumeRolePolicy {
        /// The role whose trust policy is replaced.
        role: RoleArn,
        /// The new document, word for word.
        document: String,
    },
    /// Bounds what a role's policies can grant.
    PutRolePermissionsBoundary {
        /// The role that the boundary is for.
        role: RoleArn,
        /// The policy that is the boundary.
        policy: PolicyArn,
    },
    /// Takes a role's boundary away. No guard does this, but an undo may.
    DeleteRolePermissionsBoundary {
        /// The role that the boundary is for.
        role: RoleArn,
    },
    /// Writes one of a role's own policies.
    PutRolePolicy {
        /// The role that the policy belongs to.
        role: RoleArn,
        /// The name of the policy.
        name: PolicyName,
        /// The new document, word for word.
        document: String,
    },
    /// Deletes one of a role's own policies.
    DeleteRolePolicy {
        /// The role that the policy belongs to.
        role: RoleArn,
        /// The name of the policy.
        name: PolicyName,
    },
    /// Attaches a managed policy.
    AttachRolePolicy {
        /// The role that the policy is attached to.
        role: RoleArn,
        /// The managed policy.
        policy: PolicyArn,
    },
    /// Detaches a managed policy.
    DetachRolePolicy {
        /// The role that the policy is detached from.
        role: RoleArn,
        /// The managed policy.
        policy: PolicyArn,
    },
    /// Attaches a managed policy of Warden's own with this document. The policy is made first; where it is there and
    /// says something else, it gets a new version. These are up to four requests, which count as one change, because
    /// the content shows when the last is done.
    AttachGeneratedPolicy {
        /// The role that the policy is attached to.
        role: RoleArn,
        /// The managed policy.
        policy: CustomerPolicyArn,
        /// The policy's document, word for word.
        document: String,
    },
    /// Detaches a managed policy of Warden's own, and deletes it unless something else has it attached. These are
    /// several requests, which count as one change.
    DeleteGeneratedPolicy {
        /// The role that the policy is detached from.
        role: RoleArn,
        /// The managed policy.
        policy: CustomerPolicyArn,
    },
    /// Writes a new version of a managed policy and makes it the default.
    CreatePolicyVersion {
        /// The managed policy.
        policy: CustomerPolicyArn,
        /// The new document, word for word.
        document: String,
        /// The version that is deleted first, where there are five already; its document is kept here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_place_of: Option<PolicyVersion>,
    },
    /// Makes another of a managed policy's versions the default.
    SetDefaultPolicyVersion {
        /// The managed policy.
        policy: CustomerPolicyArn,
        /// The version's id.
        version: String,
    },
    /// Takes a `CreatePolicyVersion` back. The version before becomes the default again, and the one that was written
    /// is deleted. A version that was deleted to make room is made again, under a new id. These are up to three
    /// requests, which count as one change.
    TakeVersionBack {
        /// The managed policy.
        policy: CustomerPolicyArn,
        /// The id of the version that becomes the default again.
        version: String,
        /// The document that was written, word for word.
        written: String,
        /// The number of the newest version before that was written.
        newest: u64,
        /// The version that was deleted to make room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_room: Option<PolicyVersion>,
    },
    /// Gives a function another role; locked by RevisionId.
    UpdateFunctionRole {
        /// The function that gets another role.
        function: FunctionArn,
        /// The role's whole ARN, path and all.
        role: String,
        /// The fingerprint of all that the role's policies and trust said when this was planned
        /// ([`Content::of_role`]), so that an undo tells whether it is still the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Fingerprint>,
    },
    /// Changes variables and layers of a function, locked by RevisionId. Before that, the values that are removed are
    /// stored in Secrets Manager and read back. These are several requests, which count as one change, because the
    /// environment alone tells how far it came. Made again after an interruption, none of them does anything twice.
    UpdateEnvironment(Box<EnvironmentUpdate>),
    /// Reserves concurrency for a function, and no more than that much for it. Lambda offers no lock here and below, and
    /// changes the function's RevisionId.
    PutFunctionConcurrency {
        /// The function that the concurrency is for.
        function: FunctionArn,
        /// How much; 0 stops the function, which no guard does, but an undo may.
        reserved: u32,
    },
    /// Takes a function's reserved concurrency away. No guard does this, but an undo may.
    DeleteFunctionConcurrency {
        /// The function whose concurrency is reserved no more.
        function: FunctionArn,
    },
    /// Sets whether Lambda ends recursive loops of a function.
    PutFunctionRecursionConfig {
        /// The function that may or may not invoke itself.
        function: FunctionArn,
        /// The new setting.
        recursive_loop: RecursiveLoop,
    },
    /// Gives one variable another value, in the secret that its reference names. The call does not hold the value. So
    /// only the command that was given the value can make it, or an undo, which finds the value in an earlier version.
    RotateSecret(Box<Rotation>),
    /// Schedules the secrets of a function that is gone for deletion, which AWS's recovery window of 30 days puts off.
    /// Where the function turns out to be there again, they are kept.
    DeleteSecrets {
        /// The function that the secrets were kept for.
        function: FunctionArn,
        /// The secrets.
        secrets: BTreeSet<SecretName>,
    },
    /// Restores secrets that are scheduled for deletion.
    RestoreSecrets {
        /// The function that the secrets were kept for.
        function: FunctionArn,
        /// The secrets.
        secrets: BTreeSet<SecretName>,
    },
}

impl Call {
    /// Whether it updates a function's configuration, so that the function's next update is refused while it lasts
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>).
    pub fn updates_function(&self) -> bool {
        matches!(self, Call::UpdateFunctionRole { .. } | Call::UpdateEnvironment(_))
    }

    /// The operation's name in the API.
    pub const fn operation(&self) -> &'static str {
        match self {
            Call::RemovePermission { .. } => "RemovePermission",
            Call::AddPermission { .. } => "AddPermission",
            Call::PutResourcePolicy { .. } => "PutResourcePolicy",
            Call::DeleteResourcePolicy { .. } => "DeleteResourcePolicy",
            Call::UpdateFunctionUrlConfig { .. } => "UpdateFunctionUrlConfig",
            Call::RemoveLayerVersionPermission { .. } => "RemoveLayerVersionPermission",
            Call::AddLayerVersionPermission { .. } => "AddLayerVersionPermission",
            Call::UpdateAssumeRolePolicy { .. } => "UpdateAssumeRolePolicy",
            Call::PutRolePermissionsBoundary { .. } => "PutRolePermissionsBoundary",
            Call::DeleteRolePermissionsBoundary { .. } => "DeleteRolePermissionsBoundary",
            Call::PutRolePolicy { .. } => "PutRolePolicy",
            Call::DeleteRolePolicy { .. } => "DeleteRolePolicy",
            Call::AttachRolePolicy { .. } => "AttachRolePolicy",
            Call::DetachRolePolicy { .. } => "DetachRolePolicy",
            Call::AttachGeneratedPolicy { .. } => "AttachRolePolicy",
            Call::DeleteGeneratedPolicy { .. } => "DetachRolePolicy",
            Call::CreatePolicyVersion { .. } => "CreatePolicyVersion",
            Call::SetDefaultPolicyVersion { .. } => "SetDefaultPolicyVersion",
            Call::TakeVersionBack { .. } => "SetDefaultPolicyVersion",
            Call::UpdateFunctionRole { .. } => "UpdateFunctionConfiguration",
            Call::UpdateEnvironment(_) => "UpdateFunctionConfiguration",
            Call::PutFunctionConcurrency { .. } => "PutFunctionConcurrency",
            Call::DeleteFunctionConcurrency { .. } => "DeleteFunctionConcurrency",
            Call::PutFunctionRecursionConfig { .. } => "PutFunctionRecursionConfig",
            Call::RotateSecret(_) => "PutSecretValue",
            Call::DeleteSecrets { .. } => "DeleteSecret",
            Call::RestoreSecrets { .. } => "RestoreSecret",
        }
    }
}

impl Call {
    /// The ARN of what is changed.
    pub fn target(&self) -> String {
        match self {
            Call::RemovePermission { function, qualifier, .. }
            | Call::AddPermission { function, qualifier, .. }
            | Call::PutResourcePolicy { function, qualifier, .. }
            | Call::DeleteResourcePolicy { function, qualifier }
            | Call::UpdateFunctionUrlConfig { function, qualifier, .. } => function.qualified(qualifier.as_ref()),
            Call::RemoveLayerVersionPermission { layer, .. } | Call::AddLayerVersionPermission { layer, .. } => {
                layer.to_string()
            }
            Call::UpdateAssumeRolePolicy { role, .. }
            | Call::PutRolePermissionsBoundary { role, .. }
            | Call::DeleteRolePermissionsBoundary { role }
            | Call::PutRolePolicy { role, .. }
            | Call::DeleteRolePolicy { role, .. }
            | Call::AttachRolePolicy { role, .. }
            | Call::DetachRolePolicy { role, .. }
            | Call::AttachGeneratedPolicy { role, .. }
            | Call::DeleteGeneratedPolicy { role, .. } => role.to_string(),
            Call::CreatePolicyVersion { policy, .. }
            | Call::SetDefaultPolicyVersion { policy, .. }
            | Call::TakeVersionBack { policy, .. } => policy.to_string(),
            Call::UpdateFunctionRole { function, .. }
            | Call::PutFunctionConcurrency { function, .. }
            | Call::DeleteFunctionConcurrency { function }
            | Call::PutFunctionRecursionConfig { function, .. }
            | Call::DeleteSecrets { function, .. }
            | Call::RestoreSecrets { function, .. } => function.to_string(),
            Call::UpdateEnvironment(update) => update.function.to_string(),
            Call::RotateSecret(rotation) => rotation.function.to_string(),
        }
    }

    /// Whether the call replaces or deletes a function's policy as a whole: by an API with a lock of its own, for which
    /// taking out single statements can stand in.
    pub const fn is_of_a_whole_policy(&self) -> bool {
        matches!(self, Call::PutResourcePolicy { .. } | Call::DeleteResourcePolicy { .. })
    }

    /// Whether the call has more to do once its surface holds what it leaves, so that the content does not tell when it
    /// is done. Such a call is the last of its plan. Made again after an interruption, none of its requests does
    /// anything twice.
    pub const fn goes_on_unseen(&self) -> bool {
        matches!(self, Call::TakeVersionBack { .. } | Call::DeleteGeneratedPolicy { .. })
    }
}

/// The call as a person writes it: `RemovePermission(pay:live, Sid open)`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |function: &FunctionArn, qualifier: &Option<Qualifier>| match qualifier {
            None => function.name().to_owned(),
            Some(qualifier) => format!("{}:{qualifier}", function.name()),
        };
        let operation = self.operation();
        match self {
            Call::RemovePermission { function, qualifier, sid }
            | Call::AddPermission { function, qualifier, sid, .. } => {
                write!(f, "{operation}({}, Sid {sid})", named(function, qualifier))
            }
            Call::PutResourcePolicy { function, qualifier, .. }
            | Call::DeleteResourcePolicy { function, qualifier } => {
                write!(f, "{operation}({})", named(function, qualifier))
            }
            Call::UpdateFunctionUrlConfig { function, qualifier, auth_type } => {
                write!(f, "{operation}({}, AuthType {})", named(function, qualifier), auth_type.as_str())
            }
            Call::RemoveLayerVersionPermission { layer, sid } | Call::AddLayerVersionPermission { layer, sid, .. } => {
                write!(f, "{operation}({}:{}, Sid {sid})", layer.name(), layer.version())
            }
            Call::UpdateAssumeRolePolicy { role, .. } | Call::DeleteRolePermissionsBoundary { role } => {
                write!(f, "{operation}({})", role.name())
            }
            Call::PutRolePolicy { role, name, .. } | Call::DeleteRolePolicy { role, name } => {
                write!(f, "{operation}({}, {name})", role.name())
            }
            Call::PutRolePermissionsBoundary { role, policy }
            | Call::AttachRolePolicy { role, policy }
            | Call::DetachRolePolicy { role, policy } => write!(f, "{operation}({}, {})", role.name(), policy.name()),
            Call::AttachGeneratedPolicy { role, policy, .. } => {
                let name = policy.policy().name();
                write!(f, "CreatePolicy({name}), {operation}({}, {name})", role.name())
            }
            Call::DeleteGeneratedPolicy { role, policy } => {
                let name = policy.policy().name();
                write!(f, "{operation}({}, {name}), DeletePolicy({name})", role.name())
            }
            Call::CreatePolicyVersion { policy, in_place_of, .. } => {
                write!(f, "{operation}({}", policy.policy().name())?;
                match in_place_of {
                    Some(oldest) => write!(f, ", in place of {})", oldest.id),
                    None => f.write_str(")"),
                }
            }
            Call::SetDefaultPolicyVersion { policy, version } => {
                write!(f, "{operation}({}, {version})", policy.policy().name())
            }
            Call::TakeVersionBack { policy, version, made_room, .. } => {
                let name = policy.policy().name();
                write!(f, "{operation}({name}, {version}), DeletePolicyVersion({name}, the one that was written)")?;
                match made_room {
                    Some(gone) => write!(f, ", CreatePolicyVersion({name}, what {} said, under a new id)", gone.id),
                    None => Ok(()),
                }
            }
            Call::UpdateFunctionRole { function, role, said: _ } => {
                write!(f, "{operation}({}, Role {})", function.name(), role.rsplit('/').next().unwrap_or(role))
            }
            Call::UpdateEnvironment(update) => update_environment(f, update),
            Call::PutFunctionConcurrency { function, reserved } => {
                write!(f, "{operation}({}, {reserved})", function.name())
            }
            Call::DeleteFunctionConcurrency { function } => write!(f, "{operation}({})", function.name()),
            Call::PutFunctionRecursionConfig { function, recursive_loop } => {
                write!(f, "{operation}({}, {})", function.name(), recursive_loop.as_str())
            }
            Call::RotateSecret(rotation) => {
                let Rotation { secret, variable, from, value, .. } = &**rotation;
                write!(f, "{operation}({secret}: {variable}")?;
                match (value, from) {
                    (None, _) => f.write_str(", as it was before)"),
                    (Some(_), Some(version)) => write!(f, ", the value in version {version:.8})"),
                    (Some(_), None) => f.write_str(", the value that is given)"),
                }
            }
            Call::DeleteSecrets { secrets, .. } | Call::RestoreSecrets { secrets, .. } => {
                write!(f, "{operation}({})", listed(secrets))
            }
        }
    }
}

fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// `PutSecretValue(warden/pay/1f2e: DB_PASSWORD), UpdateFunctionConfiguration(pay, Environment, Layers)`
fn update_environment(f: &mut fmt::Formatter<'_>, update: &EnvironmentUpdate) -> fmt::Result {
    if !update.revive.is_empty() {
        write!(f, "RestoreSecret({}), ", listed(&update.revive))?;
    }
    if let Some(stored) = &update.store {
        write!(f, "PutSecretValue({}: {}), ", stored.secret, listed(stored.values.keys()))?;
    }
    if let Some(stored) = &update.aside {
        write!(f, "PutSecretValue({}, kept for the undo alone: {}), ", stored.secret, listed(stored.values.keys()))?;
    }
    if let Some(grant) = &update.grant {
        let readers = grant.readers.iter().map(|arn| arn.rsplit('/').next().unwrap_or_default());
        let existing = if grant.readers.len() > 1 { ", as far as they exist" } else { "" };
        write!(f, "PutResourcePolicy({}: read by {}{existing})", listed(&grant.secrets), listed(readers))?;
        f.write_str(if update.changes_configuration() { ", " } else { "" })?;
    }
    for stored in &update.restore {
        let version =
            if stored.label.is_empty() { format!("version {:.8}", stored.version) } else { stored.label.clone() };
        write!(f, "GetSecretValue({}, {version}: {}), ", stored.secret, listed(stored.values.keys()))?;
    }
    if update.changes_configuration() {
        let environment = !update.restore.is_empty() || !update.set.is_empty() || !update.remove.is_empty();
        write!(f, "UpdateFunctionConfiguration({}", update.function.name())?;
        f.write_str(if environment { ", Environment" } else { "" })?;
        f.write_str(if update.layers.is_some() { ", Layers)" } else { ")" })?;
    }
    Ok(())
}
