//! What is never changed, whatever its tags say.

use crate::Facts;
use warden_engine::model::{settings::Settings, surface::Resource};

/// Paths of roles and policies that are AWS's to change, and of Warden's own.
const PATHS: [&str; 3] = ["/aws-service-role/", "/aws-reserved/", "/warden/"];
/// Beginnings of the names of roles that bootstrap tools live by: CDK's, and StackSets' in a member account.
const PREFIXES: [&str; 2] = ["cdk-", "stacksets-exec-"];
/// Control Tower's and Organizations' ways into a member account.
const NAMES: [&str; 2] = ["AWSControlTowerExecution", "OrganizationAccountAccessRole"];

/// Whether the guard keeps away from a resource.
pub(crate) fn never_touch(resource: &Resource, facts: &Facts, settings: &Settings) -> bool {
    let own = match resource {
        Resource::Role(role) => {
            let arn = facts.context.arn.as_deref().unwrap_or_default();
            let path = arn.split_once(":role").map_or("", |(_, path)| path);
            PATHS.iter().any(|kept| path.starts_with(kept))
                || PREFIXES.iter().any(|prefix| role.name().starts_with(prefix))
                || NAMES.contains(&role.name())
                || settings.never_touches(arn)
        }
        Resource::Policy(policy) => {
            let arn = policy.to_string();
            let path = arn.split_once(":policy").map_or("", |(_, path)| path);
            PATHS.iter().any(|kept| path.starts_with(kept))
        }
        Resource::Function(_) | Resource::LayerVersion(_) | Resource::Account(_) => false,
    };
    own || settings.never_touches(&resource.to_string())
}
