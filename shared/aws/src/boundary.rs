//! A role's permissions boundary.

use crate::{Aws, error::classify};
use warden_engine::call_error::CallError;

impl Aws {
    /// The document of a role's permissions boundary; `None` where the role has none.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn boundary(&self, role: &str) -> Result<Option<String>, CallError> {
        let name = role.rsplit('/').next().unwrap_or(role);
        let found = self.iam().get_role().role_name(name).send().await;
        let found = found.map_err(|error| classify("GetRole", role, error))?.role;
        let boundary = found.and_then(|role| role.permissions_boundary).and_then(|it| it.permissions_boundary_arn);
        let Some(arn) = boundary else { return Ok(None) };
        let policy = self.iam().get_policy().policy_arn(&arn).send().await;
        let policy = policy.map_err(|error| classify("GetPolicy", &arn, error))?.policy;
        let version = policy.and_then(|policy| policy.default_version_id).unwrap_or_default();
        let request = self.iam().get_policy_version().policy_arn(&arn).version_id(version);
        let document = request.send().await.map_err(|error| classify("GetPolicyVersion", &arn, error))?.policy_version;
        let document = document.and_then(|version| version.document).unwrap_or_default();
        Ok(Some(document))
    }
}
