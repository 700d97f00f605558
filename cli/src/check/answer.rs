//! Answers of AWS as people pipe them: a document with what AWS says around it. Where one holds what is to be judged,
//! that is taken out; where it does not, the reader is told which command or which expression of jq gives it.
//!
//! Read only where a document is none by itself, so that nothing in a document is taken for what stands around one.
//!
//! Sources: botocore's models of IAM (GetRolePolicy, GetPolicy, GetPolicyVersion, GetRole, ListRoles,
//! ListRolePolicies, ListAttachedRolePolicies, ListPolicies, ListPolicyVersions, GetAccountAuthorizationDetails), Lambda
//! (GetPolicy, GetLayerVersionPolicy, GetFunction, GetFunctionUrlConfig, GetAlias, GetRuntimeManagementConfig,
//! GetFunctionCodeSigningConfig, ListFunctions, ListVersionsByFunction, ListLayers, ListLayerVersions) and CloudFormation
//! (GetTemplate).

use serde::Deserialize;
use serde_json::value::RawValue;
use warden_policy::Kind;

/// A part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// Where it stands: `PolicyVersion.Document`.
    pub(super) path: &'static str,
    /// Its JSON, which may be text that holds a document.
    pub(super) json: &'a str,
}

/// What of AWS's answers is looked at. A key that is there twice makes it none.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Answer<'a> {
    /// Of a policy itself: then nothing stands around it.
    #[serde(borrow)]
    statement: Option<&'a RawValue>,
    /// Of GetRolePolicy, and of each entry of `RolePolicyList`.
    #[serde(borrow)]
    policy_document: Option<&'a RawValue>,
    /// Of GetPolicyVersion.
    #[serde(borrow)]
    policy_version: Option<&'a RawValue>,
    /// Of a version of a managed policy.
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    /// Of Lambda's GetPolicy and GetLayerVersionPolicy, as text; of IAM's GetPolicy an object without the document.
    #[serde(borrow)]
    policy: Option<&'a RawValue>,
    /// Of GetRole.
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    /// Of a role.
    #[serde(borrow)]
    assume_role_policy_document: Option<&'a RawValue>,
    /// Of ListRoles.
    #[serde(borrow)]
    roles: Option<&'a RawValue>,
    /// Of GetAccountAuthorizationDetails.
    #[serde(borrow)]
    role_detail_list: Option<&'a RawValue>,
    /// Of ListRolePolicies.
    #[serde(borrow)]
    policy_names: Option<&'a RawValue>,
    /// Of ListAttachedRolePolicies.
    #[serde(borrow)]
    attached_policies: Option<&'a RawValue>,
    /// Of ListPolicies, and of GetAccountAuthorizationDetails beside the roles.
    #[serde(borrow)]
    policies: Option<&'a RawValue>,
    /// Of ListPolicyVersions; of ListVersionsByFunction, too.
    #[serde(borrow)]
    versions: Option<&'a RawValue>,
    /// Of ListLayers.
    #[serde(borrow)]
    layers: Option<&'a RawValue>,
    /// Of ListLayerVersions.
    #[serde(borrow)]
    layer_versions: Option<&'a RawValue>,
    /// Of GetTemplate: an object, or the text of one that is YAML.
    #[serde(borrow)]
    template_body: Option<&'a RawValue>,
}

impl<'a> Answer<'a> {
    /// Nothing where two parts could be the document: which of them is meant, nobody knows.
    fn read(text: &'a str) -> Option<Self> {
        let answer: Self = serde_json::from_str(text).ok()?;
        let parts = [
            answer.policy_document,
            answer.policy_version,
            answer.document,
            answer.policy,
            answer.role,
            answer.assume_role_policy_document,
            answer.template_body,
        ];
        (answer.statement.is_none() && parts.iter().flatten().count() < 2).then_some(answer)
    }

    fn within(part: Option<&'a RawValue>) -> Option<Self> {
        Self::read(part?.get())
    }
}

/// The policy in an answer; an error where the answer is one without it; nothing where it is no answer.
pub(super) fn policy(text: &str, kind: Kind) -> Option<Result<Part<'_>, String>> {
    let answer = Answer::read(text)?;
    let part = |path, json| Some(Ok(Part { path, json: RawValue::get(json) }));
    if let Some(json) = answer.policy_document {
        return part("PolicyDocument", json);
    }
    if let Some(json) = Answer::within(answer.policy_version).and_then(|version| version.document) {
        return part("PolicyVersion.Document", json);
    }
    if let Some(json) = answer.document {
        return part("Document", json);
    }
    let trusts = [
        ("AssumeRolePolicyDocument", answer.assume_role_policy_document),
        (
            "Role.AssumeRolePolicyDocument",
            Answer::within(answer.role).and_then(|role| role.assume_role_policy_document),
        ),
    ];
    for (path, trust) in trusts {
        match trust {
            Some(json) if kind == Kind::Trust => return part(path, json),
            Some(_) => return Some(Err(ROLE_ALONE.to_owned())),
            None => {}
        }
    }
    if let Some(policy) = answer.policy {
        return match (policy.get().starts_with('"'), kind) {
            (true, Kind::Resource) => part("Policy", policy),
            (true, Kind::Identity | Kind::Trust) => {
                Some(Err("this is the policy of a function or a layer: check it as `function-policy` or \
                          `layer-policy`"
                    .to_owned()))
            }
            (false, _) => Some(Err("the answer of `aws iam get-policy` holds no document: `aws iam \
                                    get-policy-version` does, with the policy's DefaultVersionId"
                .to_owned())),
        };
    }
    lists(&answer, kind == Kind::Trust).map(Err)
}

const ROLE_ALONE: &str = "this is a role without its policies: `warden check trust-policy` judges whom it trusts, and \
                          `warden check role-policy` the answers of `aws iam get-role-policy` and `aws iam \
                          get-policy-version`; a whole role is `{\"policies\":[...],\"trust\":{...}}`";

/// Why an answer of AWS is no whole role, if it is one of AWS's answers.
pub(super) fn no_whole_role(text: &str) -> Option<String> {
    let answer = Answer::read(text)?;
    if answer.role.or(answer.assume_role_policy_document).is_some() {
        return Some(ROLE_ALONE.to_owned());
    }
    let is_policy = answer.policy_document.or(answer.policy_version).or(answer.document).is_some();
    is_policy
        .then(|| {
            "this is one policy: check it as `role-policy`, or put all of a role into one object, \
             `{\"policies\":[...],\"trust\":{...}}`"
                .to_owned()
        })
        .or_else(|| lists(&answer, false))
}

/// What to do with an answer that lists roles, policies or layers.
fn lists(answer: &Answer<'_>, is_trust: bool) -> Option<String> {
    let list = match (answer.roles, answer.role_detail_list) {
        (Some(_), _) => "Roles",
        (None, Some(_)) => "RoleDetailList",
        (None, None) => return without_documents(answer).map(str::to_owned),
    };
    Some(if is_trust {
        format!("these are many roles: `jq -c '.{list}[]' | warden check trust-policy --jsonl` takes each by itself")
    } else {
        "these are many roles: docs/check.md (\"All roles of an account\") has the expression of jq that makes a line \
         of each one of `aws iam get-account-authorization-details`, for `warden check role --jsonl`"
            .to_owned()
    })
}

/// What has the documents of what an answer only names.
fn without_documents(answer: &Answer<'_>) -> Option<&'static str> {
    let is_list = |part: Option<&RawValue>| part.is_some_and(|list| list.get().starts_with('['));
    if is_list(answer.policy_names) {
        Some(
            "these are the names of a role's policies: `aws iam get-role-policy --role-name ROLE --policy-name NAME | \
             warden check role-policy` judges one of them",
        )
    } else if is_list(answer.attached_policies) || is_list(answer.policies) {
        Some(
            "these are managed policies without their documents: `aws iam get-policy --policy-arn ARN` tells the \
             DefaultVersionId of one, and `aws iam get-policy-version --policy-arn ARN --version-id ID | warden check \
             role-policy` judges it",
        )
    } else if is_list(answer.versions) && answer.versions.is_some_and(|list| list.get().contains("\"VersionId\"")) {
        Some(
            "these are the versions of a policy without their documents: `aws iam get-policy-version --policy-arn ARN \
             --version-id ID | warden check role-policy` judges one; the one with IsDefaultVersion counts",
        )
    } else if is_list(answer.layers) || is_list(answer.layer_versions) {
        Some(
            "these are layers without their policies: `aws lambda get-layer-version-policy --layer-name NAME \
             --version-number NUMBER | warden check layer-policy` judges the one of a version",
        )
    } else {
        None
    }
}

/// A line of what `terraform plan -json` writes while it plans
/// (<https://developer.hashicorp.com/terraform/internals/machine-readable-ui>).
#[derive(Deserialize)]
struct LogLine<'a> {
    #[serde(borrow, rename = "@level")]
    _level: &'a RawValue,
    #[serde(borrow, rename = "@message")]
    _message: &'a RawValue,
}

/// The template in the answer of `aws cloudformation get-template`; an error where this is Terraform's log.
pub(super) fn template(text: &str) -> Option<Result<Part<'_>, String>> {
    let first_line = text.trim_start().lines().next()?;
    if serde_json::from_str::<LogLine<'_>>(first_line).is_ok() {
        return Some(Err(
            "this is the log of `terraform plan -json`, which holds no plan: `terraform plan -out plan`, \
                         then `terraform show -json plan | warden check template`"
                .to_owned(),
        ));
    }
    let json = Answer::read(text)?.template_body?.get();
    Some(Ok(Part { path: "TemplateBody", json }))
}

/// The environment in what Lambda answers about one function.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Environment<'a> {
    /// The object of names and values.
    Variables(&'a str),
    /// The function has none.
    None,
    /// Why there is none in it.
    Missing(&'static str),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Function<'a> {
    /// Of GetFunction.
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
    #[serde(borrow)]
    environment: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    /// Of an environment that Lambda could not decrypt.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// Of ListFunctions.
    #[serde(borrow)]
    functions: Option<&'a RawValue>,
    /// Of ListVersionsByFunction.
    #[serde(borrow)]
    versions: Option<&'a RawValue>,
    /// Of GetPolicy and GetLayerVersionPolicy, beside `RevisionId`.
    policy: Option<String>,
    revision_id: Option<String>,
    /// Of GetFunctionUrlConfig, beside `FunctionArn`.
    function_url: Option<String>,
    /// Of GetRuntimeManagementConfig, beside `FunctionArn`.
    update_runtime_on: Option<String>,
    /// Of GetAlias, beside `FunctionVersion`.
    alias_arn: Option<String>,
    function_version: Option<String>,
    /// Of GetFunctionCodeSigningConfig, beside `FunctionName`.
    code_signing_config_arn: Option<String>,
    function_name: Option<String>,
    // Every configuration has these.
    function_arn: Option<String>,
    code_size: Option<u64>,
    code_sha256: Option<String>,
}

impl Function<'_> {
    /// Why an answer about something else than a function's configuration has no environment.
    fn without_environment(&self) -> Option<&'static str> {
        let is_policy = |policy: &String| policy.trim_start().starts_with('{');
        let is_arn = |arn: &Option<String>| arn.as_deref().is_some_and(|arn| arn.starts_with("arn:"));
        if self.policy.as_ref().is_some_and(is_policy) && self.revision_id.is_some() {
            return Some(
                "this is the policy of a function or a layer: check it as `function-policy` or `layer-policy`; `aws \
                 lambda get-function-configuration` has the environment",
            );
        }
        let is_of_function = is_arn(&self.function_arn)
            && (self.function_url.is_some() || self.update_runtime_on.is_some())
            || is_arn(&self.alias_arn) && self.function_version.is_some()
            || is_arn(&self.code_signing_config_arn) && self.function_name.is_some();
        is_of_function.then_some(
            "this answer of Lambda has no environment: `aws lambda get-function-configuration` has the function's",
        )
    }
}

/// Keys of which each answer that is made of texts alone has one, and so could be an environment.
pub(super) const KEYS_OF_ANSWERS: [&str; 4] = ["RevisionId", "FunctionArn", "AliasArn", "CodeSigningConfigArn"];

/// Why an object of names and values is none but an answer of Lambda, if it is one.
pub(super) fn no_environment(text: &str) -> Option<&'static str> {
    serde_json::from_str::<Function<'_>>(text).ok()?.without_environment()
}

/// The environment in an answer of GetFunctionConfiguration, GetFunction and the like; nothing where it is none.
pub(super) fn environment(text: &str) -> Option<Environment<'_>> {
    const MANY: &str =
        "these are many functions: `jq -c '.Functions[]' | warden check environment --jsonl` takes each by itself";
    const VERSIONS: &str =
        "these are many versions: `jq -c '.Versions[]' | warden check environment --jsonl` takes each by itself";
    const UNREADABLE: &str =
        "Lambda did not show the variables, and says why under `Error`: often whoever asked may not use the KMS key";
    let is_object = |part: &&RawValue| part.get().starts_with('{');
    let read = |text| serde_json::from_str::<Function<'_>>(text).ok();
    let answer = read(text)?;
    if answer.functions.is_some_and(|list| list.get().starts_with('[')) {
        return Some(Environment::Missing(MANY));
    }
    let of_functions = |list: &str| list.starts_with('[') && list.contains("\"FunctionArn\"");
    if answer.versions.is_some_and(|list| of_functions(list.get())) {
        return Some(Environment::Missing(VERSIONS));
    }
    if let Some(why) = answer.without_environment() {
        return Some(Environment::Missing(why));
    }
    let function = match answer.configuration.filter(is_object) {
        Some(configuration) => read(configuration.get())?,
        None => answer,
    };
    let environment = match function.environment.filter(is_object) {
        Some(environment) => read(environment.get())?,
        None if function.function_arn.is_some() && function.code_size.is_some() && function.code_sha256.is_some() => {
            return Some(Environment::None);
        }
        None if function.error.is_some_and(|error| error.get().contains("\"ErrorCode\"")) => function,
        None => return None,
    };
    match (environment.variables.filter(is_object), environment.error) {
        (Some(variables), _) => Some(Environment::Variables(variables.get())),
        (None, Some(_)) => Some(Environment::Missing(UNREADABLE)),
        (None, None) => None,
    }
}
