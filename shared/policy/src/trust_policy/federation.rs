//! Trust in identities from elsewhere: an OpenID provider signs a token, and the conditions say whose tokens count.

use crate::{
    Document, Statement, conditions, display::quoted, document::Condition, pattern, together::Beside,
    violation::Verdict,
};
use std::collections::HashMap;
use warden_finding::{FindingId, Severity};

/// What the conditions of a statement fix about the tokens of each provider, by its host name in lower case.
pub(super) struct Claims {
    by_host: HashMap<String, Fixed>,
    /// The hosts whose claims a condition needs, without which it does not hold.
    needed: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Fixed {
    /// For whom the token was made.
    audience: bool,
    /// Whose token it is.
    subject: bool,
    /// It is of somebody who signed in to a pool of Cognito's; to which one, the audience says.
    signed_in: bool,
    /// It is of some service account of a Kubernetes cluster.
    service_account: bool,
    /// It is of a job that runs one workflow of GitHub's, or one of an owner's, in whoever's repository.
    workflow: bool,
}

impl Claims {
    /// Reads each condition once: a statement may name thousands of providers.
    pub(super) fn read(statement: &Statement<'_>, document: &Document<'_>, beside: &Beside<'_>) -> Self {
        let mut by_host: HashMap<String, Fixed> = HashMap::new();
        let mut needed = Vec::new();
        for condition in statement.conditions.iter().chain(beside.conditions()) {
            let Some((host, claim)) = condition.key.rsplit_once(':') else {
                continue;
            };
            // Keys of AWS have no dot before the colon.
            if host.contains('.') && conditions::needs_its_key(condition) {
                needed.push(normal(host));
            }
            let is = |name: &str| name.eq_ignore_ascii_case(claim);
            // These are in every token, so that there is no empty set for `ForAllValues` to hold on.
            let of_any;
            let condition = if ALWAYS_THERE.iter().any(|name| is(name)) {
                of_any = for_any(condition);
                &of_any
            } else {
                condition
            };
            let audience =
                AUDIENCES.iter().any(|name| is(name)) && conditions::is_fixed_text(condition, document.version);
            let name = SUBJECTS.iter().find(|name| is(name));
            let subject = name.is_some_and(|name| fixes_subject(condition, name, host));
            let service_account = name.is_some_and(|name| *name == "sub") && is_of_service_accounts(condition);
            let signed_in = is("amr") && is_of_who_signed_in(condition);
            let workflow = is(CALLED_WORKFLOW) && is_github(host) && fixes_subject(condition, CALLED_WORKFLOW, host);
            if audience || subject || service_account || signed_in || workflow {
                let fixed = by_host.entry(normal(host)).or_default();
                fixed.audience |= audience;
                fixed.subject |= subject;
                fixed.service_account |= service_account;
                fixed.signed_in |= signed_in;
                fixed.workflow |= workflow;
            }
        }
        needed.sort_unstable();
        needed.dedup();
        Self { by_host, needed }
    }

    /// What is open about trusting one provider.
    ///
    /// A SAML provider is the account's own and is configured for the account: it is not judged by conditions.
    pub(super) fn verdict(&self, provider: &str) -> Option<Verdict> {
        if provider.contains(":saml-provider/") {
            return None;
        }
        // `arn:aws:iam::111122223333:oidc-provider/HOST/PATH`, or a public provider's host name.
        let (host, has_audiences) = match provider.split_once(":oidc-provider/") {
            Some((_, host)) => (host, true),
            None => (provider, false),
        };
        let name = normal(host);
        let shown = quoted(host);
        if let Some(other) = self.needed.iter().find(|needed| **needed != name) {
            let other = quoted(other);
            let message = format!(
                "the conditions ask for claims of {other}, which a token from {shown} never has: they let nobody in"
            );
            return Some((FindingId::TrustOidcOpen, Severity::Info, message));
        }
        let fixed = self.by_host.get(&name).copied().unwrap_or_default();
        let is_cluster = || fixed.service_account && !is_shared(host) || is_kubernetes(&name);
        let subject = fixed.subject || fixed.audience && fixed.signed_in;
        let (severity, missing) = match (fixed.audience, subject) {
            (true, true) => return None,
            // Only tokens for an audience on the provider's own list are taken
            // (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html). A public provider
            // has no such list: it signs for every application there is.
            (false, true) if has_audiences => {
                (Severity::Low, "its audience is left to the list of the provider in this account")
            }
            (false, true) => (Severity::Medium, "its audience is not fixed"),
            (_, false) if is_cluster() => {
                (Severity::Medium, "which is every pod of the cluster, in more than one namespace")
            }
            (_, false) if is_of_one_customer(&name) => {
                (Severity::Medium, "its address names a customer of the provider, and its subject is anybody there")
            }
            (_, false) if fixed.workflow => (
                Severity::Medium,
                "its `job_workflow_ref` fixes the workflow, not who calls it, which anybody may if it is public",
            ),
            (true, false) if is_one_of(host, &SHARED_BY_AUDIENCE) && !is_cognito(&name) => {
                (Severity::Medium, "its audience names a customer of the provider, and its subject is anybody there")
            }
            (false, false) if fixed.signed_in => {
                (Severity::Critical, "its audience does not fix the identity pool, and anybody may have one")
            }
            (true, false) if is_github(host) => {
                (Severity::Critical, "its `sub` does not fix the owner, like `repo:OWNER/REPOSITORY:*` does")
            }
            (true, false) => (Severity::Critical, "its subject is not fixed"),
            (false, false) => (Severity::Critical, "neither its audience nor its subject is fixed"),
        };
        let message = format!("whoever gets a token from {shown} may assume the role: {missing}");
        Some((FindingId::TrustOidcOpen, severity, message))
    }
}

/// A host as keys and ARNs write it alike: some write the slash at the end of an issuer, some do not.
fn normal(host: &str) -> String {
    host.trim_end_matches('/').to_ascii_lowercase()
}

/// The same condition for any value in the place of all of them.
fn for_any<'a>(condition: &Condition<'a>) -> Condition<'a> {
    let operator = match condition.operator.split_once(':') {
        Some((set, operator)) if set.eq_ignore_ascii_case("ForAllValues") => operator.to_owned().into(),
        Some(_) | None => condition.operator.clone(),
    };
    Condition { operator, ..condition.clone() }
}

/// Claims without which there is no token (<https://openid.net/specs/openid-connect-core-1_0.html#IDToken>).
const ALWAYS_THERE: [&str; 3] = ["aud", "iss", "sub"];

/// Issuers of which each Kubernetes cluster has one of its own, with a path for the cluster: EKS, GKE, AKS
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>,
/// <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.well-known/getOpenid-configuration>,
/// <https://learn.microsoft.com/azure/aks/use-oidc-issuer>).
fn is_kubernetes(host: &str) -> bool {
    let Some((domain, path)) = host.split_once('/') else { return false };
    let is_eks = domain.strip_prefix("oidc.eks.").is_some_and(|rest| {
        let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"));
        region.is_some_and(|region| !region.is_empty() && !region.contains('.'))
    });
    !path.is_empty()
        && ((is_eks && path.starts_with("id/"))
            || (domain == "container.googleapis.com" && path.contains("/clusters/"))
            || domain.ends_with(".oic.prod-aks.azure.com"))
}

/// Whether every subject that a condition takes is a service account of a cluster. Nobody signs for the clusters of
/// others, so its issuer is that of one cluster.
fn is_of_service_accounts(condition: &Condition<'_>) -> bool {
    conditions::is_positive_text(condition)
        && condition.values.iter().all(|sub| sub.starts_with("system:serviceaccount:"))
}

/// Claims that say for whom the token was made.
const AUDIENCES: [&str; 4] = ["aud", "app_id", "client_id", "azp"];

/// Claims that say whose token it is, under the names that AWS gives them
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>).
const SUBJECTS: [&str; 8] =
    ["sub", "user_id", "id", "repository", "repository_id", "repository_owner", "repository_owner_id", "enterprise_id"];

/// The workflow that a job of GitHub's comes from: `OWNER/REPOSITORY/.github/workflows/FILE@REF`. Of a reusable one that
/// is not the repository that it runs in and that calls it with inputs of its own. One in a public repository may be
/// called from anybody's
/// (<https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-with-reusable-workflows>,
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/reusing-workflow-configurations>).
const CALLED_WORKFLOW: &str = "job_workflow_ref";

/// Whether a condition on Cognito's `amr` takes nobody but those who signed in
/// (<https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html>).
fn is_of_who_signed_in(condition: &Condition<'_>) -> bool {
    conditions::is_positive_text(condition)
        && condition.values.iter().all(|value| value.eq_ignore_ascii_case("authenticated") || value.contains('.'))
}

fn is_github(host: &str) -> bool {
    host.eq_ignore_ascii_case("token.actions.githubusercontent.com")
        || host.to_ascii_lowercase().starts_with("token.actions.githubusercontent.com/")
}

/// Providers that sign tokens for everybody who opens an account with them, so that the part of the subject that names
/// the customer must be whole
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html>). (Bitbucket and
/// CircleCI do as well, from an address of each customer's own.)
const SHARED: [&str; 11] = [
    "agent.buildkite.com",
    "app.terraform.io",
    "gitlab.com",
    "oidc-configuration.audit-log.githubusercontent.com",
    "oidc.codefresh.io",
    "proidc.upbound.io",
    "scalr.io",
    "studio.datachain.ai/api",
    "token.actions.githubusercontent.com",
    "tokens.cloud.shisho.dev",
    "vstoken.actions.githubusercontent.com",
];

/// The same where the audience names the customer too.
const SHARED_BY_AUDIENCE: [&str; 4] =
    ["api.pulumi.com/oidc", "cognito-identity.amazonaws.com", "oidc.vercel.com", "sandboxes.cloud"];

/// Providers that do so from an address of each customer's own, which comes after this: Bitbucket, CircleCI, Fly, Vercel
/// (<https://support.atlassian.com/bitbucket-cloud/docs/deploy-on-aws-using-bitbucket-pipelines-openid-connect/>,
/// <https://circleci.com/docs/openid-connect-tokens/>, <https://fly.io/docs/security/openid-connect/>,
/// <https://vercel.com/docs/oidc/reference>).
const BY_ADDRESS: [&str; 4] =
    ["api.bitbucket.org/2.0/workspaces/", "oidc.circleci.com/org/", "oidc.fly.io/", "oidc.vercel.com/"];

fn is_of_one_customer(host: &str) -> bool {
    BY_ADDRESS.iter().any(|start| {
        host.strip_prefix(start).is_some_and(|customer| !customer.starts_with(['/', '*']) && !customer.is_empty())
    })
}

fn is_shared(host: &str) -> bool {
    is_one_of(host, &SHARED) || is_one_of(host, &SHARED_BY_AUDIENCE)
}

/// Whether a host is one of these, or something at one of them.
fn is_one_of(host: &str, names: &[&str]) -> bool {
    let host = normal(host);
    let is_at = |name: &&str| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    names.iter().any(is_at)
}

fn is_cognito(host: &str) -> bool {
    host == "cognito-identity.amazonaws.com"
}

/// What a subject starts with, whoever it is: of a service account in Kubernetes the namespace comes after it.
const KINDS: [&str; 5] =
    ["system:serviceaccount:", "system:", "org/", "pulumi:deploy:org:", "pulumi:environments:org:"];

/// The part of a subject's start that may name somebody: `repo:OWNER/` without `repo:`.
fn after_kind(fixed: &str) -> &str {
    if let Some(rest) = KINDS.iter().find_map(|kind| fixed.strip_prefix(kind)) {
        return rest;
    }
    match fixed.split_once(':') {
        // What comes after it is another kind.
        Some(("pulumi", _)) => "",
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
