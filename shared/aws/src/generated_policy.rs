//! Managed policies of Warden's own: they hold what may stay of another one on a role whose own policies have no room
//! for it.

use crate::{Aws, error::classify, lambda::none_if_gone};
use aws_sdk_iam::operation::{
    create_policy::CreatePolicyError, delete_policy::DeletePolicyError, delete_policy_version::DeletePolicyVersionError,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    name::iam::{CustomerPolicyArn, RoleArn},
    plan::PolicyVersion,
};

impl Aws {
    /// Makes a policy with this document and attaches it to the role. Where the policy is there and says something
    /// else, it gets a new version. Done again after an interruption, nothing is done twice.
    pub(crate) async fn attach_generated_policy(
        &self,
        role: &RoleArn,
        copy: &CustomerPolicyArn,
        document: &str,
    ) -> Result<(), CallError> {
        let arn = copy.to_string();
        let request = self.iam().create_policy().policy_name(copy.policy().name()).path(CustomerPolicyArn::COPIES);
        let request = request.description(format!("Lambda Warden: what role {} may keep.", role.name()));
        match request.policy_document(document).send().await {
            Ok(_) => {}
            Err(error)
                if error.as_service_error().is_some_and(CreatePolicyError::is_entity_already_exists_exception) =>
            {
                self.rewrite_copy(copy, document).await?;
            }
            Err(error) => return Err(classify("CreatePolicy", &arn, error)),
        }
        let attached = self.iam().attach_role_policy().role_name(role.name()).policy_arn(&arn).send().await;
        attached.map(drop).map_err(|error| {
            let error = classify("AttachRolePolicy", &role.to_string(), error);
            ask_again_if(error.kind == ErrorKind::Gone, error)
        })
    }

    /// Makes sure that a policy that is there says this. A run that was cut off may have made it, or somebody else.
    async fn rewrite_copy(&self, copy: &CustomerPolicyArn, document: &str) -> Result<(), CallError> {
        let arn = copy.to_string();
        let Some((managed, present)) = self.default_version(copy.policy()).await? else {
            let message = "a policy on another path has this name: delete that one, or detach the bad policy by hand";
            let (kind, operation) = (ErrorKind::Refused, "CreatePolicy");
            return Err(CallError { kind, operation, target: arn, message: message.into() });
        };
        if (PolicyVersion { id: managed.version, document: present.text().to_owned() }).is_like(document) {
            return Ok(());
        }
        let request = self.iam().create_policy_version().policy_arn(&arn).policy_document(document);
        let answer = request.set_as_default(true).send().await;
        answer.map(drop).map_err(|error| classify("CreatePolicyVersion", &arn, error))
    }

    /// Detaches a policy from the role, and deletes it unless something else has it attached too. Done again after an
    /// interruption, nothing is done twice.
    pub(crate) async fn delete_generated_policy(
        &self,
        role: &RoleArn,
        copy: &CustomerPolicyArn,
    ) -> Result<(), CallError> {
        let arn = copy.to_string();
        let detached = self.iam().detach_role_policy().role_name(role.name()).policy_arn(&arn).send().await;
        let detached = detached.map_err(|error| classify("DetachRolePolicy", &role.to_string(), error));
        detached.map(|_| Some(())).or_else(none_if_gone)?;
        let Some(managed) = self.managed_policy(copy.policy()).await? else { return Ok(()) };
        if managed.attachments > 0 || managed.bounds > 0 {
            return Ok(());
        }
        let versions = self.policy_versions(copy.policy()).await?;
        for version in versions.iter().filter(|version| version.id != managed.version) {
            self.delete_version(copy, &version.id).await?;
        }
        match self.iam().delete_policy().policy_arn(&arn).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let in_the_way = error.as_service_error().is_some_and(DeletePolicyError::is_delete_conflict_exception);
                let error = ask_again_if(in_the_way, classify("DeletePolicy", &arn, error));
                none_if_gone(error).map(|_: Option<()>| ())
            }
        }
    }

    /// Deletes a version of a managed policy, which may be gone already.
    pub(crate) async fn delete_version(&self, policy: &CustomerPolicyArn, version: &str) -> Result<(), CallError> {
        let arn = policy.to_string();
        match self.iam().delete_policy_version().policy_arn(&arn).version_id(version).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let in_the_way =
                    error.as_service_error().is_some_and(DeletePolicyVersionError::is_delete_conflict_exception);
                let error = ask_again_if(in_the_way, classify("DeletePolicyVersion", &arn, error));
                none_if_gone(error).map(|_: Option<()>| ())
            }
        }
    }
}

/// IAM is eventually consistent: what was just made is not known everywhere at once, and what was just taken off is
/// still in the way of a deletion.
fn ask_again_if(too_early: bool, error: CallError) -> CallError {
    if too_early { CallError { kind: ErrorKind::Retry, ..error } } else { error }
}
