//! Reading one surface again, and every call that changes something.

use crate::{
    Aws, Role,
    error::classify,
    iam::unreadable,
    lambda::{auth, version, with_key_rights},
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::SurfaceSnapshot,
    model::{
        concurrency,
        content::Content,
        surface::{Resource, Surface},
    },
    name::{
        iam::{CustomerPolicyArn, RoleArn},
        lambda::{FunctionArn, Qualifier},
    },
    plan::{Call, Change, PolicyVersion, RevisionId},
    ports::Account,
};

/// A surface that has no lock, such as any of IAM's.
fn unlocked(content: Content) -> SurfaceSnapshot {
    SurfaceSnapshot { content, revision: None }
}

/// In the place of a lock, where Lambda has none: the content is read once more and has to be what the change expects.
/// What somebody changes between that and the change itself cannot be seen beforehand.
fn unchanged(change: &Change, now: Option<SurfaceSnapshot>) -> Result<Option<RevisionId>, CallError> {
    let error = |kind, message: &str| CallError {
        kind,
        operation: change.call().operation(),
        target: change.call().target(),
        message: message.into(),
    };
    match now {
        None => Err(error(ErrorKind::Gone, "the function is gone")),
        Some(now) if now.content.fingerprint() == change.expects() => Ok(None),
        Some(_) => Err(error(ErrorKind::Stale, "it was changed since it was read")),
    }
}

impl Account for Aws {
    async fn snapshot(&self, resource: &Resource, surface: &Surface) -> Result<Option<SurfaceSnapshot>, CallError> {
        match (resource, surface) {
            (Resource::Function(function), Surface::ResourcePolicy(qualifier)) => {
                self.resource_policy(function, qualifier.as_ref()).await.map(Some)
            }
            (Resource::Function(function), Surface::FunctionUrl(qualifier)) => {
                self.function_url(function, qualifier.as_ref()).await.map(Some)
            }
            (Resource::Function(function), Surface::Role(None)) => {
                Ok(self.function(function).await?.and_then(|function| function.role))
            }
            (Resource::Function(function), Surface::Role(Some(version))) => self.version_role(function, version).await,
            (Resource::LayerVersion(layer), Surface::LayerPolicy(_)) => self.layer_policy(layer).await.map(Some),
            (Resource::Role(role), Surface::Trust) => {
                Ok(self.role(role).await?.map(|role| unlocked(role.trust.content())))
            }
            (Resource::Role(role), Surface::Boundary) => match self.role(role).await? {
                None => Ok(None),
                Some(Role { boundary: None, .. }) => Ok(Some(unlocked(Content::ABSENT))),
                Some(Role { boundary: Some(policy), .. }) => {
                    let said = self.default_version(&policy).await?.map(|(_, document)| document.content());
                    Ok(Some(unlocked(Content::of_policy(&policy, &said.unwrap_or_default()))))
                }
            },
            (Resource::Role(role), Surface::InlinePolicy(name)) => {
                let document = self.inline_policy(role, name).await?;
                Ok(Some(unlocked(document.map(|document| document.content()).unwrap_or_default())))
            }
            (Resource::Role(role), Surface::Attachment(policy)) => self.attachment(role, policy).await.map(Some),
            (Resource::Policy(policy), Surface::ManagedPolicy(_)) => {
                let managed = self.default_version(policy.policy()).await?;
                Ok(managed.map(|(_, document)| unlocked(document.content())))
            }
            (Resource::Function(function), Surface::Environment(version)) => {
                self.environment(function, version.as_ref()).await
            }
            (Resource::Function(function), Surface::Secret(variable)) => self.kept_value(function, variable).await,
            (Resource::Function(function), Surface::Concurrency) => self.reserved_concurrency(function).await,
            (Resource::Function(function), Surface::ProvisionedConcurrency(qualifier)) => {
                let all = self.all_provisioned_concurrency(function).await?;
                Ok(Some(unlocked(concurrency::provisioned(all.get(qualifier).copied()))))
            }
            (Resource::Function(function), Surface::Recursion) => self.recursion(function).await,
            // No resource has another's surfaces.
            (
                Resource::Function(_)
                | Resource::LayerVersion(_)
                | Resource::Role(_)
                | Resource::Policy(_)
                | Resource::Account(_),
                _,
            ) => Ok(None),
        }
    }

    async fn behind(&self, call: &Call) -> Result<Option<Content>, CallError> {
        if let Call::AttachRolePolicy { policy, .. } | Call::PutRolePermissionsBoundary { policy, .. } = call {
            let found = self.default_version(policy).await?;
            Ok(Some(found.map(|(_, document)| document.content()).unwrap_or_default()))
        } else if let Call::UpdateFunctionRole { role, .. } = call {
            let role: RoleArn = role.parse().map_err(|error| unreadable(call.operation(), role, error))?;
            let surfaces = self.whole_role(&role).await?;
            Ok(Some(surfaces.map(|surfaces| Content::of_role(&surfaces)).unwrap_or_default()))
        } else {
            Ok(None)
        }
    }

    async fn lock(&self, change: &Change, judged: Option<&RevisionId>) -> Result<Option<RevisionId>, CallError> {
        match change.call() {
            Call::PutResourcePolicy { function, qualifier, .. }
            | Call::DeleteResourcePolicy { function, qualifier } => {
                self.whole_policy_lock(function, qualifier.as_ref(), judged, change).await
            }
            Call::PutFunctionConcurrency { function, .. } | Call::DeleteFunctionConcurrency { function } => {
                unchanged(change, self.reserved_concurrency(function).await?)
            }
            Call::PutFunctionRecursionConfig { function, .. } => unchanged(change, self.recursion(function).await?),
            Call::RemovePermission { .. }
            | Call::AddPermission { .. }
            | Call::UpdateFunctionUrlConfig { .. }
            | Call::RemoveLayerVersionPermission { .. }
            | Call::AddLayerVersionPermission { .. }
            | Call::UpdateAssumeRolePolicy { .. }
            | Call::PutRolePermissionsBoundary { .. }
            | Call::DeleteRolePermissionsBoundary { .. }
            | Call::PutRolePolicy { .. }
            | Call::DeleteRolePolicy { .. }
            | Call::AttachRolePolicy { .. }
            | Call::DetachRolePolicy { .. }
            | Call::AttachGeneratedPolicy { .. }
            | Call::DeleteGeneratedPolicy { .. }
            | Call::CreatePolicyVersion { .. }
            | Call::SetDefaultPolicyVersion { .. }
            | Call::TakeVersionBack { .. }
            | Call::UpdateFunctionRole { .. }
            | Call::UpdateEnvironment(_)
            | Call::RotateSecret(_)
            | Call::DeleteSecrets { .. }
            | Call::RestoreSecrets { .. } => Ok(judged.cloned()),
        }
    }

    async fn call(&self, call: &Call, revision: Option<&RevisionId>) -> Result<(), CallError> {
        let operation = call.operation();
        if let Call::UpdateEnvironment(update) = call {
            return self.update_environment(update, revision).await;
        }
        if let Call::RotateSecret(rotation) = call {
            return self.rotate(rotation).await;
        }
        if let Call::DeleteSecrets { function, secrets } = call {
            return self.delete_retained_secrets(function, secrets).await;
        }
        if let Call::RestoreSecrets { function, secrets } = call {
            return self.restore_secrets(function, secrets).await;
        }
        let revision = revision.map(|revision| revision.0.clone());
        match call {
            // Made already.
            Call::UpdateEnvironment(_)
            | Call::RotateSecret(_)
            | Call::DeleteSecrets { .. }
            | Call::RestoreSecrets { .. } => Ok(()),
            Call::RemovePermission { function, qualifier, sid } => {
                let request = self.lambda(function.region()).remove_permission().function_name(function.to_string());
                let request = request.statement_id(sid).set_qualifier(qualifier.as_ref().map(ToString::to_string));
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::AddPermission { function, qualifier, sid, permission } => {
                let request = self.lambda(function.region()).add_permission().function_name(function.to_string());
                let request = request.statement_id(sid).set_qualifier(qualifier.as_ref().map(ToString::to_string));
                let request = request.principal(&permission.principal).action(&permission.action);
                let request = request.set_source_arn(permission.source_arn.clone());
                let request = request.set_source_account(permission.source_account.clone());
                let request = request.set_principal_org_id(permission.principal_org_id.clone());
                let request = request.set_event_source_token(permission.event_source_token.clone());
                let request = request.set_function_url_auth_type(permission.function_url_auth_type.map(auth));
                let request = request.set_invoked_via_function_url(permission.invoked_via_function_url);
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::PutResourcePolicy { function, qualifier, policy } => {
                let request = self.lambda(function.region()).put_resource_policy();
                let request = request.resource_arn(function.qualified(qualifier.as_ref())).policy(policy.to_string());
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::DeleteResourcePolicy { function, qualifier } => {
                let request = self.lambda(function.region()).delete_resource_policy();
                let request = request.resource_arn(function.qualified(qualifier.as_ref()));
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::UpdateFunctionUrlConfig { function, qualifier, auth_type } => {
                let request = self.lambda(function.region()).update_function_url_config();
                let request = request.function_name(function.to_string());
                let request = request.set_qualifier(qualifier.as_ref().map(ToString::to_string));
                let answer = request.auth_type(auth(*auth_type)).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::RemoveLayerVersionPermission { layer, sid } => {
                let request = self.lambda(layer.region()).remove_layer_version_permission();
                let request = request.layer_name(layer.name()).version_number(version(layer)).statement_id(sid);
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::AddLayerVersionPermission { layer, sid, principal, action, organization } => {
                let request = self.lambda(layer.region()).add_layer_version_permission();
                let request = request.layer_name(layer.name()).version_number(version(layer)).statement_id(sid);
                let request = request.principal(principal).action(action);
                let request = request.set_organization_id(organization.clone());
                let answer = request.set_revision_id(revision).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::UpdateFunctionRole { function, role, said: _ } => {
                let request = self.lambda(function.region()).update_function_configuration();
                let request = request.function_name(function.to_string()).role(role).set_revision_id(revision);
                let answer = request.send().await;
                answer.map(drop).map_err(|error| {
                    let error = classify(operation, &call.target(), error);
                    if error.message.contains("KMS") { with_key_rights(error) } else { error }
                })
            }
            Call::PutFunctionConcurrency { function, reserved } => {
                let request = self.lambda(function.region()).put_function_concurrency();
                let request = request.function_name(function.to_string());
                let reserved = i32::try_from(*reserved).unwrap_or(i32::MAX);
                let answer = request.reserved_concurrent_executions(reserved).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::DeleteFunctionConcurrency { function } => {
                let request = self.lambda(function.region()).delete_function_concurrency();
                let answer = request.function_name(function.to_string()).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::PutFunctionRecursionConfig { function, recursive_loop } => {
                let request = self.lambda(function.region()).put_function_recursion_config();
                let request = request.function_name(function.to_string());
                let answer = request.recursive_loop(recursive_loop.as_str().into()).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::UpdateAssumeRolePolicy { role, document } => {
                let request = self.iam().update_assume_role_policy().role_name(role.name()).policy_document(document);
                let answer = request.send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::PutRolePermissionsBoundary { role, policy } => {
                let request = self.iam().put_role_permissions_boundary().role_name(role.name());
                let answer = request.permissions_boundary(policy.to_string()).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::DeleteRolePermissionsBoundary { role } => {
                let answer = self.iam().delete_role_permissions_boundary().role_name(role.name()).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::PutRolePolicy { role, name, document } => {
                let request = self.iam().put_role_policy().role_name(role.name()).policy_name(name.as_str());
                let answer = request.policy_document(document).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::DeleteRolePolicy { role, name } => {
                let request = self.iam().delete_role_policy().role_name(role.name()).policy_name(name.as_str());
                let answer = request.send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::AttachRolePolicy { role, policy } => {
                let request = self.iam().attach_role_policy().role_name(role.name()).policy_arn(policy.to_string());
                let answer = request.send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::DetachRolePolicy { role, policy } => {
                let request = self.iam().detach_role_policy().role_name(role.name()).policy_arn(policy.to_string());
                let answer = request.send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::AttachGeneratedPolicy { role, policy, document } => {
                self.attach_generated_policy(role, policy, document).await
            }
            Call::DeleteGeneratedPolicy { role, policy } => self.delete_generated_policy(role, policy).await,
            Call::CreatePolicyVersion { policy, document, in_place_of } => {
                let arn = policy.to_string();
                if let Some(oldest) = in_place_of {
                    // A run that was cut off has deleted it already.
                    self.delete_version(policy, &oldest.id).await?;
                }
                let request = self.iam().create_policy_version().policy_arn(&arn).policy_document(document);
                let answer = request.set_as_default(true).send().await;
                answer.map(drop).map_err(|error| classify(operation, &arn, error))
            }
            Call::SetDefaultPolicyVersion { policy, version } => {
                let request = self.iam().set_default_policy_version().policy_arn(policy.to_string());
                let answer = request.version_id(version).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))
            }
            Call::TakeVersionBack { policy, version, written, newest, made_room } => {
                let request = self.iam().set_default_policy_version().policy_arn(policy.to_string());
                let answer = request.version_id(version).send().await;
                answer.map(drop).map_err(|error| classify(operation, &call.target(), error))?;
                self.give_room_back(policy, written, *newest, made_room.as_ref()).await
            }
        }
    }
}

impl Aws {
    /// The lock of the API that replaces whole policies, once its policy is sure to be what `change` expects, which
    /// GetPolicy showed with the revision `judged`.
    ///
    /// PutResourcePolicy and DeleteResourcePolicy take the revision that GetResourcePolicy gives, RemovePermission the
    /// one that GetPolicy gives (Lambda API reference). Whether the two are the same is said nowhere
    /// (? policy-revisions), so neither is taken for the other; nor whether both write a policy in the same way
    /// (? policy-text), so where the texts differ, an unchanged revision of GetPolicy's has the word.
    ///
    /// A policy is never written over without a lock. Where this API shows none for a policy that GetPolicy shows, the
    /// Region does not really have it, and whoever asks has to do with single statements. Only where GetPolicy shows no
    /// policy either is there nothing to lock.
    async fn whole_policy_lock(
        &self,
        function: &FunctionArn,
        qualifier: Option<&Qualifier>,
        judged: Option<&RevisionId>,
        change: &Change,
    ) -> Result<Option<RevisionId>, CallError> {
        let error = |kind, message: &str| CallError {
            kind,
            operation: change.call().operation(),
            target: change.call().target(),
            message: message.into(),
        };
        let found = self.whole_policy(function, qualifier).await?;
        if found.revision.is_some() && found.content.fingerprint() == change.expects() {
            return Ok(found.revision);
        }
        let known = self.resource_policy(function, qualifier).await?;
        if known.content.fingerprint() != change.expects() && (judged.is_none() || known.revision.as_ref() != judged) {
            return Err(error(ErrorKind::Stale, "the policy was changed since it was read"));
        }
        if found.revision.is_none() && !known.content.is_absent() {
            let message = "GetResourcePolicy shows no policy where GetPolicy shows one, so there is no lock for it";
            return Err(error(ErrorKind::NotOffered, message));
        }
        Ok(found.revision)
    }

    /// Deletes the version that was `written` after the `newest`, and makes the version again that was deleted to make
    /// room, unless it is there already. Both are recognised by their documents, so that neither is done twice.
    async fn give_room_back(
        &self,
        policy: &CustomerPolicyArn,
        written: &str,
        newest: u64,
        made_room: Option<&PolicyVersion>,
    ) -> Result<(), CallError> {
        let arn = policy.to_string();
        let mut since = self.policy_versions(policy.policy()).await?;
        since.retain(|version| version.number() > newest);
        let (written, others): (Vec<_>, Vec<_>) = since.into_iter().partition(|since| since.is_like(written));
        for version in written {
            self.delete_version(policy, &version.id).await?;
        }
        let Some(gone) = made_room else { return Ok(()) };
        if others.iter().any(|version| version.is_like(&gone.document)) {
            return Ok(());
        }
        let request = self.iam().create_policy_version().policy_arn(&arn).policy_document(&gone.document);
        let answer = request.set_as_default(false).send().await;
        answer.map(drop).map_err(|error| classify("CreatePolicyVersion", &arn, error))
    }
}
