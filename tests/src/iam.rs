//! What an administrator does with roles and managed policies beside the most usual.

use crate::{Account, iam_document, policy};
use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Account {
    /// Attaches a managed policy to a role.
    pub async fn attach(&self, role: &str, policy: &str) {
        self.iam.attach_role_policy().role_name(role).policy_arn(policy).send().await.expect("attached");
    }

    /// Adds a version of such statements to a managed policy.
    pub async fn version(&self, arn: &str, statements: &[Value], default: bool) {
        let create = self.iam.create_policy_version().policy_arn(arn).set_as_default(default);
        create.policy_document(policy(statements).to_string()).send().await.expect("a version");
    }

    /// All of a role's own policies, by name.
    pub async fn own_policies(&self, role: &str) -> BTreeMap<String, Value> {
        let names = self.iam.list_role_policies().role_name(role).send().await.expect("the list");
        let mut own = BTreeMap::new();
        for name in names.policy_names() {
            let answer = self.iam.get_role_policy().role_name(role).policy_name(name).send().await;
            own.insert(name.clone(), iam_document(answer.expect("the policy").policy_document()));
        }
        own
    }

    /// The ARNs of all managed policies that Warden has made.
    pub async fn copies(&self) -> Vec<String> {
        let list = self.iam.list_policies().path_prefix("/warden/copy/").send().await.expect("the list");
        list.policies().iter().filter_map(|policy| policy.arn()).map(str::to_owned).collect()
    }

    /// A role's permissions boundary.
    pub async fn boundary(&self, role: &str) -> Option<String> {
        let answer = self.iam.get_role().role_name(role).send().await.expect("the role");
        Some(answer.role()?.permissions_boundary()?.permissions_boundary_arn()?.to_owned())
    }

    /// The id of a managed policy's default version, and what all of them say, in no order: IAM gives no id twice.
    pub async fn all_versions(&self, arn: &str) -> Value {
        let answer = self.iam.list_policy_versions().policy_arn(arn).send().await.expect("versions");
        let (mut default, mut documents) = (None, Vec::new());
        for version in answer.versions() {
            let id = version.version_id().expect("an id");
            default = default.or(version.is_default_version().then(|| id.to_owned()));
            let answer = self.iam.get_policy_version().policy_arn(arn).version_id(id).send().await.expect("a version");
            let document = answer.policy_version().and_then(|version| version.document()).expect("a document");
            documents.push(iam_document(document).to_string());
        }
        documents.sort();
        json!({"default": default, "documents": documents})
    }
}

/// A tag of a role or a managed policy.
pub fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}
