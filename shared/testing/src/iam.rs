//! What IAM makes of a call: roles, their policies, and the versions of managed policies. Documents are kept word for
//! word.

use crate::{FakeResource, target};
use serde_json::Value;
use std::collections::BTreeMap;
use warden_engine::{
    call_error::ErrorKind,
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
    name::iam::{CustomerPolicyArn, PolicyArn},
    plan::{Call, PolicyVersion},
};

/// A managed policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Managed {
    /// Its versions, the oldest first.
    pub versions: Vec<PolicyVersion>,
    /// The id of the default version.
    pub default: String,
    /// How many versions there ever were.
    made: usize,
}

impl Managed {
    /// Adds a version, as CreatePolicyVersion does.
    ///
    /// # Errors
    /// Refused where there are five versions, or the document is too long.
    pub fn add(&mut self, document: &str, as_default: bool) -> Result<String, ErrorKind> {
        if self.versions.len() == 5 || parsed(document).text().len() > 6_144 {
            return Err(ErrorKind::Refused);
        }
        self.made += 1;
        let id = format!("v{}", self.made);
        self.versions.push(PolicyVersion { id: id.clone(), document: document.to_owned() });
        if as_default || self.versions.len() == 1 {
            self.default = id.clone();
        }
        Ok(id)
    }

    /// Deletes these versions, none of which may be the default one.
    fn delete(&mut self, these: impl Fn(&PolicyVersion) -> bool) {
        let default = self.default.clone();
        self.versions.retain(|version| {
            assert!(!these(version) || version.id != default, "the default version cannot be deleted");
            !these(version)
        });
    }

    /// Makes a version the default one, as SetDefaultPolicyVersion does.
    ///
    /// # Errors
    /// Gone where there is no such version.
    pub fn set_default(&mut self, id: &str) -> Result<(), ErrorKind> {
        self.versions.iter().find(|version| version.id == id).ok_or(ErrorKind::Gone)?;
        self.default = id.to_owned();
        Ok(())
    }

    /// The id of the default version, and what they all say. The others' ids are nobody's business: IAM gives none
    /// twice.
    pub fn all_versions(&self) -> String {
        let mut documents: Vec<&str> = self.versions.iter().map(|version| version.document.as_str()).collect();
        documents.sort_unstable();
        format!("{}: {documents:?}", self.default)
    }

    /// What its default version says.
    pub fn content(&self) -> Content {
        let default = self.versions.iter().find(|version| version.id == self.default);
        default.map(|version| parsed(&version.document)).unwrap_or_default()
    }
}

/// What a document says.
pub fn parsed(document: &str) -> Content {
    Content::new(serde_json::from_str(document).unwrap_or_else(|_| Value::String(document.to_owned())))
}

/// What a surface of a role or a managed policy holds.
pub(crate) fn snapshot(
    fake: &FakeResource,
    resource: &Resource,
    surface: &Surface,
    library: &BTreeMap<PolicyArn, Managed>,
) -> Content {
    let stored = fake.surfaces.get(surface).cloned().unwrap_or_default();
    let said = |policy: &PolicyArn| library.get(policy).map(Managed::content).unwrap_or_default();
    match surface {
        Surface::Boundary => match stored.policy() {
            Some(policy) => Content::of_policy(&policy, &said(&policy)),
            None => Content::ABSENT,
        },
        Surface::Attachment(policy) => {
            let attached = if stored.is_absent() { stored } else { Content::of_policy(policy, &said(policy)) };
            let stand_in = fake.surfaces.get(&Surface::InlinePolicy(policy.stand_in())).cloned();
            let Resource::Role(role) = resource else { panic!("{resource} has managed policies attached") };
            let copy = policy.copy_for(role).policy().clone();
            let is_attached = fake.surfaces.contains_key(&Surface::Attachment(copy.clone()));
            let copied = if is_attached { said(&copy) } else { Content::ABSENT };
            attached.with_stand_in(&stand_in.unwrap_or_default()).with_copy(&copied)
        }
        Surface::ManagedPolicy(policy) => said(policy),
        Surface::Trust
        | Surface::InlinePolicy(_)
        | Surface::Role(_)
        | Surface::FunctionUrl(_)
        | Surface::ResourcePolicy(_)
        | Surface::LayerPolicy(_)
        | Surface::Environment(_)
        | Surface::Secret(_)
        | Surface::Concurrency
        | Surface::ProvisionedConcurrency(_)
        | Surface::Recursion => stored,
    }
}

/// At most ten managed policies are attached to a role (IAM quotas).
fn has_room(fake: &FakeResource, surface: &Surface) -> Result<(), ErrorKind> {
    let is_other = |other: &&Surface| matches!(other, Surface::Attachment(_)) && *other != surface;
    let others = fake.surfaces.keys().filter(is_other).count();
    if matches!(surface, Surface::Attachment(_)) && others >= 10 { Err(ErrorKind::Refused) } else { Ok(()) }
}

/// Of how many requests a call consists: it can be cut off between them.
pub(crate) fn requests(call: &Call) -> usize {
    let two = matches!(call, Call::CreatePolicyVersion { in_place_of: Some(_), .. })
        || matches!(call, Call::AttachGeneratedPolicy { .. } | Call::DeleteGeneratedPolicy { .. });
    if two { 2 } else { 1 + 2 * usize::from(matches!(call, Call::TakeVersionBack { .. })) }
}

/// Makes one request of a call of IAM's.
pub(crate) fn apply(
    fakes: &mut BTreeMap<Resource, FakeResource>,
    library: &mut BTreeMap<PolicyArn, Managed>,
    call: &Call,
    request: usize,
) -> Result<(), ErrorKind> {
    let (resource, surface) = target(call);
    let fake = fakes.get_mut(&resource).ok_or(ErrorKind::Gone)?;
    let mut managed = |policy: &CustomerPolicyArn| library.get_mut(policy.policy()).cloned().ok_or(ErrorKind::Gone);
    match call {
        Call::UpdateAssumeRolePolicy { document, .. } | Call::PutRolePolicy { document, .. } => {
            fake.put(&surface, parsed(document));
            fake.texts.insert(surface.clone(), document.clone());
            // White space does not count (IAM quotas).
            let lengths = fake.surfaces.iter().filter(|(surface, _)| matches!(surface, Surface::InlinePolicy(_)));
            let length = |content: &Content| content.document().map_or(0, |document| document.to_string().len());
            if lengths.map(|(_, content)| length(content)).sum::<usize>() > 10_240 {
                return Err(ErrorKind::Refused);
            }
        }
        Call::DeleteRolePolicy { .. } => {
            fake.texts.remove(&surface);
            fake.surfaces.remove(&surface).filter(|was| !was.is_absent()).ok_or(ErrorKind::Gone)?;
        }
        Call::PutRolePermissionsBoundary { policy, .. } | Call::AttachRolePolicy { policy, .. } => {
            library.get(policy).ok_or(ErrorKind::Gone)?;
            has_room(fake, &surface)?;
            fake.put(&surface, Content::of_policy(policy, &Content::ABSENT));
        }
        Call::DeleteRolePermissionsBoundary { .. } | Call::DetachRolePolicy { .. } => {
            fake.surfaces.remove(&surface).filter(|was| !was.is_absent()).ok_or(ErrorKind::Gone)?;
        }
        Call::AttachGeneratedPolicy { policy, document, .. } if request == 0 => {
            let copy = library.entry(policy.policy().clone()).or_default();
            if copy.content() != parsed(document) {
                copy.add(document, true)?;
            }
        }
        Call::AttachGeneratedPolicy { policy, .. } => {
            has_room(fake, &surface)?;
            fake.put(&surface, Content::of_policy(policy.policy(), &Content::ABSENT));
        }
        Call::DeleteGeneratedPolicy { .. } if request == 0 => drop(fake.surfaces.remove(&surface)),
        Call::DeleteGeneratedPolicy { policy, .. } => {
            let attached = |fake: &FakeResource| fake.surfaces.contains_key(&surface);
            if !fakes.values().any(attached) {
                library.remove(policy.policy());
            }
        }
        Call::CreatePolicyVersion { policy, document, in_place_of } => {
            let mut changed = managed(policy)?;
            match in_place_of {
                Some(oldest) if request == 0 => changed.delete(|version| version.id == oldest.id),
                Some(_) | None => drop(changed.add(document, true)?),
            }
            library.insert(policy.policy().clone(), changed);
        }
        Call::SetDefaultPolicyVersion { policy, version } => {
            let mut changed = managed(policy)?;
            changed.set_default(version)?;
            library.insert(policy.policy().clone(), changed);
        }
        Call::TakeVersionBack { policy, version, written, newest, made_room } => {
            let mut changed = managed(policy)?;
            let is_since = |version: &PolicyVersion| version.number() > *newest;
            match (request, made_room) {
                (0, _) => changed.set_default(version)?,
                (1, _) => changed.delete(|version| is_since(version) && version.is_like(written)),
                (_, None) => {}
                (_, Some(gone)) => {
                    let is_back = |version: &PolicyVersion| is_since(version) && version.is_like(&gone.document);
                    if !changed.versions.iter().any(is_back) {
                        changed.add(&gone.document, false)?;
                    }
                }
            }
            library.insert(policy.policy().clone(), changed);
        }
        Call::RemovePermission { .. }
        | Call::AddPermission { .. }
        | Call::PutResourcePolicy { .. }
        | Call::DeleteResourcePolicy { .. }
        | Call::UpdateFunctionUrlConfig { .. }
        | Call::RemoveLayerVersionPermission { .. }
        | Call::AddLayerVersionPermission { .. }
        | Call::UpdateFunctionRole { .. }
        | Call::UpdateEnvironment(_)
        | Call::PutFunctionConcurrency { .. }
        | Call::DeleteFunctionConcurrency { .. }
        | Call::PutFunctionRecursionConfig { .. }
        | Call::RotateSecret(_)
        | Call::DeleteSecrets { .. }
        | Call::RestoreSecrets { .. } => return Err(ErrorKind::Bug),
    }
    Ok(())
}
