//! Trust in identities from elsewhere: an OpenID provider signs a token, and the conditions say whose tokens count.

use crate::{Document, Statement, conditions, display::quoted, document::Condition, pattern, violation::Verdict};
use std::collections::HashMap;
use warden_finding::{FindingId, Severity};

/// What the conditions of a statement fix about the tokens of each provider, by its host name in lower case.
pub(super) struct Claims(HashMap<String, Fixed>);

#[derive(Clone, Copy, Default)]
struct Fixed {
    /// For whom the token was made.
    audience: bool,
    /// Whose token it is.
    subject: bool,
}

impl Claims {
    /// Reads each condition once: a statement may name thousands of providers.
    pub(super) fn read(statement: &Statement<'_>, document: &Document<'_>) -> Self {
        let mut claims: HashMap<String, Fixed> = HashMap::new();
        for condition in &statement.conditions {
            let Some((host, claim)) = condition.key.rsplit_once(':') else {
                continue;
            };
            let is = |name: &&&str| name.eq_ignore_ascii_case(claim);
            let audience =
                AUDIENCES.iter().any(|name| is(&name)) && conditions::is_fixed_text(condition, document.version);
            let subject = SUBJECTS.iter().find(is).is_some_and(|name| fixes_subject(condition, name, host));
            if audience || subject {
                let fixed = claims.entry(host.to_ascii_lowercase()).or_default();
                fixed.audience |= audience;
                fixed.subject |= subject;
            }
        }
        Self(claims)
    }

    /// What is open about trusting one provider.
    ///
    /// A SAML provider is the account's own and is configured for the account: it is not judged by conditions.
    pub(super) fn verdict(&self, provider: &str) -> Option<Verdict> {
        if provider.contains(":saml-provider/") {
            return None;
        }
        // `arn:aws:iam::111122223333:oidc-provider/HOST/PATH`, or a public provider's host name.
        let host = provider.split_once(":oidc-provider/").map_or(provider, |(_, host)| host);
        let fixed = self.0.get(&host.to_ascii_lowercase()).copied().unwrap_or_default();
        let missing = match (fixed.audience, fixed.subject) {
            (true, true) => return None,
            (false, true) => "its audience is not fixed",
            (true, false) if is_github(host) => "its `sub` does not fix the owner, like `repo:OWNER/REPOSITORY:*` does",
            (true, false) => "its subject is not fixed",
            (false, false) => "neither its audience nor its subject is fixed",
        };
        let host = quoted(host);
        let message = format!("whoever gets a token from {host} may assume the role: {missing}");
        Some((FindingId::TrustOidcOpen, Severity::Critical, message))
    }
}

/// Claims that say for whom the token was made.
const AUDIENCES: [&str; 4] = ["aud", "app_id", "client_id", "azp"];

/// Claims that say whose token it is, under the names that AWS gives them
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>).
/// `amr` is Cognito's: it tells identities that signed in from those that did not.
const SUBJECTS: [&str; 8] =
    ["sub", "amr", "user_id", "id", "repository", "repository_id", "repository_owner", "repository_owner_id"];

fn is_github(host: &str) -> bool {
    host.eq_ignore_ascii_case("token.actions.githubusercontent.com")
        || host.to_ascii_lowercase().starts_with("token.actions.githubusercontent.com/")
}

/// Providers that sign tokens for everybody who opens an account with them, so that the part of the subject that names
/// the customer must be whole. (Bitbucket and CircleCI do as well, from an address of each customer's own.)
fn is_shared(host: &str) -> bool {
    is_github(host)
        || ["gitlab.com", "app.terraform.io", "agent.buildkite.com"]
            .iter()
            .any(|shared| host.to_ascii_lowercase().starts_with(shared))
}

/// What a subject starts with, whoever it is: of a service account in Kubernetes the namespace comes after it.
const KINDS: [&str; 3] = ["system:serviceaccount:", "system:", "org/"];

/// The part of a subject's start that may name somebody: `repo:OWNER/` without `repo:`.
fn after_kind(fixed: &str) -> &str {
    if let Some(rest) = KINDS.iter().find_map(|kind| fixed.strip_prefix(kind)) {
        return rest;
    }
    match fixed.split_once(':') {
        // Only words are kinds: a repository's number is one repository.
        Some((kind, rest)) if kind.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') => rest,
        Some(_) => fixed,
        // The start of a kind, as likely as not.
        None => "",
    }
}

fn fixes_subject(condition: &Condition<'_>, name: &str, host: &str) -> bool {
    if !conditions::is_positive_text(condition) {
        return false;
    }
    let literal = condition.operator.to_ascii_lowercase().contains("equals");
    condition.values.iter().all(|value| {
        if name == "amr" {
            return value.eq_ignore_ascii_case("authenticated") || value.contains('.');
        }
        if value.contains("${") || value.is_empty() {
            return false;
        }
        if literal || !pattern::has_wildcard(value) {
            return true;
        }
        let fixed = value.split(['*', '?']).next().unwrap_or_default();
        let named = if name == "sub" { after_kind(fixed) } else { fixed };
        if is_shared(host) {
            // It is whole once something follows it.
            named.split(['/', ':']).next().is_some_and(|owner| !owner.is_empty() && owner.len() < named.len())
        } else {
            !named.is_empty()
        }
    })
}
