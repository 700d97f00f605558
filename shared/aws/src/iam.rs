//! Reading roles and managed policies.

use crate::{Aws, error::classify, lambda::none_if_gone};
use aws_sdk_iam::types::{EntityType, PolicyUsageType, Tag};
use futures::future;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::SurfaceSnapshot,
    model::{content::Content, surface::Surface, tags::with_folded_keys},
    name::iam::{CustomerPolicyArn, PolicyArn, PolicyName, RoleArn},
    plan::PolicyVersion,
};
use warden_policy::{Document, Kind, decode_iam_document};

/// How many items IAM gives in one answer at most (`MaxItems` in botocore's model of IAM). It may give fewer.
const LONGEST_PAGE: i32 = 1_000;

/// A document as IAM keeps it, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamDocument {
    text: String,
    kind: Kind,
}

impl IamDocument {
    /// IAM sends documents URL-encoded. What is no text after decoding is kept as it came: no judge takes it for a
    /// policy.
    fn decoded(sent: &str, kind: Kind) -> IamDocument {
        let text = decode_iam_document(sent).map_or_else(|_| sent.to_owned(), |text| text.into_owned());
        IamDocument { text, kind }
    }

    /// The text, to be written again as it was.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document as content. What does not parse strictly (a duplicate key, say) is kept as text, which no judge
    /// takes for a policy.
    pub fn content(&self) -> Content {
        let strictly = Document::parse(&self.text, self.kind).is_ok();
        match serde_json::from_str(&self.text) {
            Ok(value) if strictly => Content::new(value),
            Ok(_) | Err(_) => Content::new(Value::String(self.text.clone())),
        }
    }
}

/// A role as IAM shows it.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its whole ARN, path and all.
    pub arn: String,
    /// Its name as IAM writes it.
    pub name: String,
    /// Its tags, Warden's keys in small letters.
    pub tags: BTreeMap<String, String>,
    /// Who may assume it.
    pub trust: IamDocument,
    /// The policy that bounds it.
    pub boundary: Option<PolicyArn>,
    /// When it was made; none where IAM's time is none.
    pub created: Option<Timestamp>,
}

/// A managed policy as IAM shows it.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// The policy's tags.
    pub tags: BTreeMap<String, String>,
    /// How many principals have it attached.
    pub attachments: u32,
    /// How many principals have it as their permissions boundary.
    pub bounds: u32,
    /// The id of its default version.
    pub version: String,
}

/// Who has a managed policy, attached or as a permissions boundary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// The names of the roles that have it.
    pub roles: BTreeSet<String>,
    /// How many users and groups have it.
    pub others: usize,
}

/// A role as the account's list has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedRole {
    /// Its tags, Warden's keys in small letters.
    pub tags: BTreeMap<String, String>,
    /// When it was made; none where IAM does not say.
    pub created: Option<Timestamp>,
}

fn tags(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// The error where IAM names something that does not have the form of a name. Nothing may be decided on it.
pub(crate) fn unreadable(operation: &'static str, target: &str, error: impl ToString) -> CallError {
    CallError { kind: ErrorKind::Bug, operation, target: target.to_owned(), message: error.to_string() }
}

impl Aws {
    /// A role: tags, trust and boundary in one call; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn role(&self, role: &RoleArn) -> Result<Option<Role>, CallError> {
        let target = role.to_string();
        let answer = match self.iam().get_role().role_name(role.name()).send().await {
            Ok(answer) => answer.role,
            Err(error) => return none_if_gone(classify("GetRole", &target, error)),
        };
        let Some(found) = answer else { return Ok(None) };
        let boundary = found.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
        Ok(Some(Role {
            arn: found.arn,
            name: found.role_name,
            tags: with_folded_keys(tags(found.tags)),
            trust: IamDocument::decoded(&found.assume_role_policy_document.unwrap_or_default(), Kind::Trust),
            boundary: boundary
                .map(|policy| policy.parse().map_err(|error| unreadable("GetRole", &target, error)))
                .transpose()?,
            created: Timestamp::from_second(found.create_date.secs()).ok(),
        }))
    }

    /// The names of a role's own policies; none where the role is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn inline_policies(&self, role: &RoleArn) -> Result<BTreeSet<PolicyName>, CallError> {
        let target = role.to_string();
        let mut pages = self.iam().list_role_policies().role_name(role.name()).into_paginator().items().send();
        let mut names = BTreeSet::new();
        while let Some(name) = pages.next().await {
            match name.map_err(|error| classify("ListRolePolicies", &target, error)) {
                Ok(name) => names.insert(name.parse().map_err(|error| unreadable("ListRolePolicies", &target, error))?),
                Err(error) => return none_if_gone(error).map(Option::unwrap_or_default),
            };
        }
        Ok(names)
    }

    /// The managed policies attached to a role; none where the role is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn attached_policies(&self, role: &RoleArn) -> Result<BTreeSet<PolicyArn>, CallError> {
        let target = role.to_string();
        let list = self.iam().list_attached_role_policies().role_name(role.name());
        let mut pages = list.into_paginator().items().send();
        let mut policies = BTreeSet::new();
        while let Some(policy) = pages.next().await {
            match policy.map_err(|error| classify("ListAttachedRolePolicies", &target, error)) {
                Ok(policy) => {
                    let arn = policy.policy_arn.unwrap_or_default();
                    let arn = arn.parse().map_err(|error| unreadable("ListAttachedRolePolicies", &target, error))?;
                    policies.insert(arn);
                }
                Err(error) => return none_if_gone(error).map(Option::unwrap_or_default),
            }
        }
        Ok(policies)
    }

    /// One of a role's own policies; `None` where it, or the role, is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn inline_policy(&self, role: &RoleArn, name: &PolicyName) -> Result<Option<IamDocument>, CallError> {
        let request = self.iam().get_role_policy().role_name(role.name()).policy_name(name.as_str());
        match request.send().await {
            Ok(answer) => Ok(Some(IamDocument::decoded(&answer.policy_document, Kind::Identity))),
            Err(error) => none_if_gone(classify("GetRolePolicy", &format!("{role} {name}"), error)),
        }
    }

    /// A managed policy; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn managed_policy(&self, policy: &PolicyArn) -> Result<Option<ManagedPolicy>, CallError> {
        let target = policy.to_string();
        let answer = match self.iam().get_policy().policy_arn(&target).send().await {
            Ok(answer) => answer.policy,
            Err(error) => return none_if_gone(classify("GetPolicy", &target, error)),
        };
        let count = |principals: Option<i32>| principals.unwrap_or_default().try_into().unwrap_or(u32::MAX);
        Ok(answer.map(|found| ManagedPolicy {
            tags: tags(found.tags),
            attachments: count(found.attachment_count),
            bounds: count(found.permissions_boundary_usage_count),
            version: found.default_version_id.unwrap_or_default(),
        }))
    }

    /// A managed policy with what its default version says: two calls, one after the other; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn default_version(&self, policy: &PolicyArn) -> Result<Option<(ManagedPolicy, IamDocument)>, CallError> {
        let Some(managed) = self.managed_policy(policy).await? else { return Ok(None) };
        let document = self.policy_version(policy, &managed.version).await?;
        Ok(document.map(|document| (managed, document)))
    }

    /// One version of a managed policy; `None` where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn policy_version(&self, policy: &PolicyArn, version: &str) -> Result<Option<IamDocument>, CallError> {
        let target = policy.to_string();
        match self.iam().get_policy_version().policy_arn(&target).version_id(version).send().await {
            Ok(answer) => {
                let document = answer.policy_version.and_then(|version| version.document).unwrap_or_default();
                Ok(Some(IamDocument::decoded(&document, Kind::Identity)))
            }
            Err(error) => none_if_gone(classify("GetPolicyVersion", &format!("{target} {version}"), error)),
        }
    }

    /// All versions of a managed policy with their documents, newest first: at most five.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn policy_versions(&self, policy: &PolicyArn) -> Result<Vec<PolicyVersion>, CallError> {
        let target = policy.to_string();
        let mut pages = self.iam().list_policy_versions().policy_arn(&target).into_paginator().items().send();
        let mut ids = Vec::new();
        while let Some(version) = pages.next().await {
            ids.extend(version.map_err(|error| classify("ListPolicyVersions", &target, error))?.version_id);
        }
        let documents = future::try_join_all(ids.iter().map(|id| self.policy_version(policy, id))).await?;
        let versions = ids.into_iter().zip(documents);
        let versions = versions.filter_map(|(id, document)| Some(PolicyVersion { id, document: document?.text }));
        let mut versions: Vec<PolicyVersion> = versions.collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number()));
        Ok(versions)
    }

    /// Who has a customer managed policy attached; nobody where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn policy_users(&self, policy: &CustomerPolicyArn) -> Result<Users, CallError> {
        self.entities(policy, PolicyUsageType::PermissionsPolicy).await
    }

    /// Who has a customer managed policy as their permissions boundary; nobody where it is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn policy_bounds(&self, policy: &CustomerPolicyArn) -> Result<Users, CallError> {
        self.entities(policy, PolicyUsageType::PermissionsBoundary).await
    }

    async fn entities(&self, policy: &CustomerPolicyArn, usage: PolicyUsageType) -> Result<Users, CallError> {
        let target = policy.to_string();
        // The paginator gives whole pages here: one answer has three lists.
        let list = self.iam().list_entities_for_policy().policy_arn(&target).max_items(LONGEST_PAGE);
        let mut pages = list.policy_usage_filter(usage).into_paginator().send();
        let mut users = Users::default();
        while let Some(page) = pages.next().await {
            match page.map_err(|error| classify("ListEntitiesForPolicy", &target, error)) {
                Ok(page) => {
                    users.others += page.policy_users().len() + page.policy_groups().len();
                    users.roles.extend(page.policy_roles().iter().filter_map(|role| role.role_name.clone()));
                }
                Err(error) => return none_if_gone(error).map(Option::unwrap_or_default),
            }
        }
        Ok(users)
    }

    /// All that a role says: its trust policy, its boundary and its policies; `None` where it is gone.
    pub(crate) async fn whole_role(&self, role: &RoleArn) -> Result<Option<BTreeMap<Surface, Content>>, CallError> {
        let (found, inline, attached) =
            future::try_join3(self.role(role), self.inline_policies(role), self.attached_policies(role)).await?;
        let Some(found) = found else { return Ok(None) };
        let inline = inline.into_iter().map(async |name| {
            let document = self.inline_policy(role, &name).await?;
            Ok::<_, CallError>((Surface::InlinePolicy(name), document.map(|document| document.content())))
        });
        let bound = found.boundary.into_iter().map(|policy| (Surface::Boundary, policy));
        let managed = attached.into_iter().map(|policy| (Surface::Attachment(policy.clone()), policy)).chain(bound);
        let managed = managed.map(async |(surface, policy)| {
            let document = self.default_version(&policy).await?.map(|(_, document)| document.content());
            Ok::<_, CallError>((surface, document.map(|document| Content::of_policy(&policy, &document))))
        });
        let (inline, managed) = future::try_join(future::try_join_all(inline), future::try_join_all(managed)).await?;
        let trust = (Surface::Trust, Some(found.trust.content()));
        let all = inline.into_iter().chain(managed).chain([trust]);
        Ok(Some(all.filter_map(|(surface, content)| Some((surface, content?))).collect()))
    }

    /// All roles of the account by their names: a call for each thousand roles, where GetRole takes one for each.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn all_roles(&self) -> Result<BTreeMap<String, ListedRole>, CallError> {
        let list = self.iam().get_account_authorization_details().filter(EntityType::Role).max_items(LONGEST_PAGE);
        let mut pages = list.into_paginator().send();
        let mut roles = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| classify("GetAccountAuthorizationDetails", "the account's roles", error))?;
            let named = page.role_detail_list.unwrap_or_default().into_iter();
            roles.extend(named.filter_map(|role| {
                let created = role.create_date.and_then(|date| Timestamp::from_second(date.secs()).ok());
                Some((role.role_name?, ListedRole { tags: with_folded_keys(tags(role.tags)), created }))
            }));
        }
        Ok(roles)
    }

    /// A managed policy on a role, with the policy of Warden's own that stands in for it.
    pub(crate) async fn attachment(&self, role: &RoleArn, policy: &PolicyArn) -> Result<SurfaceSnapshot, CallError> {
        let (stand_in, copy) = (policy.stand_in(), policy.copy_for(role));
        let (attached, managed, stand_in, copied) = future::try_join4(
            self.attached_policies(role),
            self.default_version(policy),
            self.inline_policy(role, &stand_in),
            self.default_version(copy.policy()),
        )
        .await?;
        let content = match (attached.contains(policy), managed) {
            (true, Some((_, document))) => Content::of_policy(policy, &document.content()),
            (true | false, _) => Content::ABSENT,
        };
        let stand_in = stand_in.map(|document| document.content()).unwrap_or_default();
        let copied = copied.filter(|_| attached.contains(copy.policy()));
        let copied = copied.map(|(_, document)| document.content()).unwrap_or_default();
        Ok(SurfaceSnapshot { content: content.with_stand_in(&stand_in).with_copy(&copied), revision: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(sent: &str, kind: Kind, expected: Value) {
        assert_eq!(IamDocument::decoded(sent, kind).content(), Content::new(expected));
    }

    #[test]
    fn a_document_is_decoded_and_what_is_no_policy_stays_text() {
        let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"});
        check(
            "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aa%2F%2A%22%7D%7D",
            Kind::Identity,
            json!({"Statement": statement}),
        );
        let twice = r#"{"Statement":[],"Statement":[]}"#;
        check(twice, Kind::Identity, json!(twice));
        // A trust policy is none for permissions.
        let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        check(trust, Kind::Identity, json!(trust));
        assert!(!IamDocument::decoded(trust, Kind::Trust).content().document().unwrap().is_string());
        check("%FF", Kind::Identity, json!("%FF"));
    }
}
