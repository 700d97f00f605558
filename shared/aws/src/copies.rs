//! Managed policies of Warden's own: they hold what may stay of another one on a role whose own policies have no room for it.

use crate::{Aws, error::classify, lambda::none_if_gone};
use aws_sdk_iam::operation::create_policy::CreatePolicyError;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    iam::{CustomerPolicyArn, RoleArn},
    plan::PolicyVersion,
};

impl Aws {
    /// Makes a copy, or gives one that is there such a version, and attaches it. Nothing of that is done twice.
    pub(crate) async fn attach_copy(
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
        attached.map(drop).map_err(|error| match classify("AttachRolePolicy", &role.to_string(), error) {
            // IAM is eventually consistent: a policy that was just made is not known everywhere at once.
            gone @ CallError { kind: ErrorKind::Gone, .. } => CallError { kind: ErrorKind::Retry, ..gone },
            other => other,
        })
    }

    /// Sees to it that a copy that is there says this: a run that was cut off may have made it, or somebody else.
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

    /// Detaches a copy, and deletes it unless another has it too. Nothing of that is done twice.
    pub(crate) async fn delete_copy(&self, role: &RoleArn, copy: &CustomerPolicyArn) -> Result<(), CallError> {
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
            let request = self.iam().delete_policy_version().policy_arn(&arn).version_id(&version.id);
            let deleted = request.send().await.map_err(|error| classify("DeletePolicyVersion", &arn, error));
            deleted.map(|_| Some(())).or_else(none_if_gone)?;
        }
        let deleted = self.iam().delete_policy().policy_arn(&arn).send().await;
        deleted.map(|_| Some(())).or_else(|error| none_if_gone(classify("DeletePolicy", &arn, error)))?;
        Ok(())
    }
}
