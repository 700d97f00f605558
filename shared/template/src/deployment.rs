//! What a template says about roles, functions and layers, in the words that both formats share, and what there is to
//! say about it.

use crate::{
    NotJudged, Report, TemplateError, aws_managed, aws_managed::AwsManaged, node::Node, policy::Policy, unknown,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warden_finding::{Finding, FindingId, Severity};
use warden_policy::{
    Context, Document, Kind, UrlAuth, function_policy, function_url, layer_policy, role_policy, trust_policy,
};
use warden_secrets::Verdict;

/// All that a guard would look at.
#[derive(Default)]
pub(crate) struct Deployment {
    pub(crate) roles: Vec<Role>,
    /// Roles that stand elsewhere, as they are named here, and at which place each function names one.
    pub(crate) roles_elsewhere: BTreeMap<String, Vec<String>>,
    /// Managed policies that no role of the template has.
    pub(crate) policies: Vec<Policy>,
    /// Who may invoke, by function and qualifier.
    pub(crate) doors: BTreeMap<(String, String), Door>,
    /// Permissions of layer versions.
    pub(crate) layers: Vec<Policy>,
    /// Values in environments that end up readable.
    pub(crate) environments: Vec<Environment>,
    pub(crate) not_judged: Vec<NotJudged>,
}

/// A role, with everything that decides what it may do.
#[derive(Debug, Default)]
pub(crate) struct Role {
    pub(crate) at: String,
    pub(crate) policies: Vec<Policy>,
    pub(crate) trust: Option<Policy>,
    pub(crate) boundary: Option<Policy>,
    /// The functions that have it, by their place.
    pub(crate) functions: Vec<String>,
}

/// The resource policy of a function, version or alias, and its URL.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// Each with its place.
    pub(crate) statements: Vec<(String, Value)>,
    pub(crate) url: Option<Url>,
}

/// A function URL: its place, and the configuration as Lambda's API has it (`AuthType`, `Cors`).
#[derive(Debug)]
pub(crate) struct Url {
    at: String,
    config: Value,
}

impl Url {
    /// A URL with its `AllowOrigins` and whether it allows credentials, where it has settings for CORS.
    pub(crate) fn new(at: String, auth: Option<&str>, cors: Option<(Vec<&str>, bool)>) -> Self {
        let cors = cors.map(|(origins, credentials)| json!({"AllowOrigins": origins, "AllowCredentials": credentials}));
        Self { at, config: json!({"AuthType": auth, "Cors": cors}) }
    }
}

/// A function's environment.
pub(crate) struct Environment {
    pub(crate) at: String,
    pub(crate) variables: Vec<(String, Setting)>,
}

/// Where a variable's value comes from.
pub(crate) enum Setting {
    /// The template itself. What is known only at deployment is shown by its name.
    Plain(String),
    /// A parameter that the template itself calls secret.
    NoEcho(String),
    /// A dynamic reference, which CloudFormation replaces by the secret.
    Resolved,
}

impl Role {
    /// Attaches a managed policy by its ARN, when it is one of AWS. What stands in the template is attached by its
    /// place.
    pub(crate) fn attach_aws(&mut self, at: String, arn: &str, not_judged: &mut Vec<NotJudged>) {
        match aws_managed::policy(arn) {
            Some(AwsManaged::Document(name, document)) => self.policies.push(Policy::of_aws(at, name, document)),
            Some(AwsManaged::Harmless) => {}
            Some(AwsManaged::Unknown(_)) | None => not_judged.push(absent(at, arn)),
        }
    }
}

/// What is said of a policy that the template only names.
pub(crate) fn absent(at: String, arn: &str) -> NotJudged {
    NotJudged { at, why: format!("the document of `{arn}` is not in the template") }
}

/// The statement that AddPermission makes of its parameters
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>).
#[derive(Debug, Default)]
pub(crate) struct Permission<'a> {
    pub(crate) action: &'a str,
    pub(crate) principal: &'a str,
    pub(crate) source_arn: Option<&'a str>,
    pub(crate) source_account: Option<&'a str>,
    pub(crate) organization: Option<&'a str>,
    pub(crate) url_auth: Option<&'a str>,
    pub(crate) event_source_token: Option<&'a str>,
    pub(crate) through_url: bool,
}

impl Permission<'_> {
    pub(crate) fn statement(&self, context: &Context) -> Value {
        let principal = match self.principal {
            "*" => json!("*"),
            service if service.contains(".amazonaws.com") => json!({"Service": service}),
            account => json!({"AWS": account}),
        };
        // A source that is not known yet limits like any.
        let source = match (self.source_arn, context.account) {
            (Some(arn), Some(own)) if unknown::name(arn).is_some() => Some(format!("arn:aws:unknown::{own}:{arn}")),
            (arn, _) => arn.map(str::to_owned),
        };
        let limits = [
            ("ArnLike", "aws:SourceArn", source.as_deref()),
            ("StringEquals", "aws:SourceAccount", self.source_account),
            ("StringEquals", "aws:PrincipalOrgID", self.organization),
            ("StringEquals", "lambda:FunctionUrlAuthType", self.url_auth),
            ("StringEquals", "lambda:EventSourceToken", self.event_source_token),
            ("Bool", "lambda:InvokedViaFunctionUrl", self.through_url.then_some("true")),
        ];
        let mut condition: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (operator, key, value) in limits {
            if let Some(value) = value {
                condition.entry(operator).or_default().insert(key, value);
            }
        }
        json!({"Effect": "Allow", "Principal": principal, "Action": self.action, "Condition": condition})
    }
}

/// Judges all of it.
pub(crate) fn judge(deployment: &Deployment, context: &Context) -> Result<Report, TemplateError> {
    let mut verdict = Judged(Report { findings: Vec::new(), not_judged: deployment.not_judged.clone() });
    for role in &deployment.roles {
        verdict.role(role, context)?;
    }
    for (named, functions) in &deployment.roles_elsewhere {
        verdict.shared(named, functions);
    }
    for policy in &deployment.policies {
        let found = role_policy::judge(&policy.parse(Kind::Identity)?, context);
        verdict.add(policy, found);
    }
    for door in deployment.doors.values() {
        verdict.door(door, context)?;
    }
    for policy in &deployment.layers {
        let found = layer_policy::judge(&policy.parse(Kind::Resource)?, context);
        verdict.add(policy, found);
    }
    for environment in &deployment.environments {
        verdict.environment(environment);
    }
    Ok(verdict.0)
}

struct Judged(Report);

impl Judged {
    fn role(&mut self, role: &Role, context: &Context) -> Result<(), TemplateError> {
        let parsed = role.policies.iter().map(|policy| policy.parse(Kind::Identity));
        let documents: Vec<Document<'_>> = parsed.collect::<Result<_, _>>()?;
        let boundary = role.boundary.as_ref().map(|policy| policy.parse(Kind::Identity)).transpose()?;
        let together: Vec<&Document<'_>> = documents.iter().collect();
        let trust = role.trust.as_ref().map(|policy| policy.parse(Kind::Trust)).transpose()?;
        let lambda_alone_assumes = trust.as_ref().is_some_and(trust_policy::lets_in_lambda_alone);
        let of_role = Context { lambda_alone_assumes, ..context.clone() };
        for found in role_policy::judge_role(&together, boundary.as_ref(), &of_role) {
            if let Some(policy) = role.policies.get(found.policy) {
                self.add(policy, vec![found.finding]);
            }
        }
        if let (Some(policy), Some(trust)) = (&role.trust, &trust) {
            self.add(policy, trust_policy::judge(trust, context));
        }
        self.shared(&role.at, &role.functions);
        Ok(())
    }

    /// One role of several functions is worth a word.
    fn shared(&mut self, at: &str, functions: &[String]) {
        if functions.len() > 1 {
            self.push(Finding {
                id: FindingId::SharedRole,
                severity: Severity::Low,
                at: at.to_owned(),
                message: format!("one role for {}: each of them may do what any of them needs", functions.join(", ")),
            });
        }
    }

    fn door(&mut self, door: &Door, context: &Context) -> Result<(), TemplateError> {
        let auth = door.url.as_ref().map_or(UrlAuth::Unknown, |url| function_url::auth(&url.config));
        let statements: Vec<&Value> = door.statements.iter().map(|(_, statement)| statement).collect();
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let at = door.statements.first().map_or("", |(at, _)| at);
        let document =
            Document::parse(&text, Kind::Resource).map_err(|error| TemplateError::policy(at, &error, false))?;
        let found = function_policy::judge(&document, context, auth);
        let placed = |finding: Finding| {
            let index = finding.at.strip_prefix("Statement[")?.split(']').next()?.parse::<usize>().ok()?;
            door.statements.get(index).map(|(at, _)| Finding { at: at.clone(), ..finding })
        };
        let found: Vec<Finding> = found.into_iter().filter_map(placed).collect();
        if let Some(url) = &door.url {
            let is_public = |finding: &&Finding| finding.id == FindingId::PublicUrl;
            let open: Vec<&str> = found.iter().filter(is_public).map(|finding| finding.at.as_str()).collect();
            for finding in function_url::judge(&url.config, &open) {
                self.push(Finding { at: format!("{}.{}", url.at, finding.at), ..finding });
            }
        }
        found.into_iter().for_each(|finding| self.push(finding));
        Ok(())
    }

    fn environment(&mut self, environment: &Environment) {
        for (name, setting) in &environment.variables {
            let (severity, message) = match setting {
                Setting::Plain(value) => match warden_secrets::judge(name, value) {
                    Some(Verdict { kind, confidence }) => {
                        (confidence.severity(), format!("a plaintext secret: {kind}, {confidence} confidence"))
                    }
                    None => continue,
                },
                Setting::NoEcho(parameter) => (
                    Severity::High,
                    format!("the value of the NoEcho parameter `{parameter}` ends up in plaintext in the function's configuration"),
                ),
                Setting::Resolved => (
                    Severity::High,
                    "CloudFormation replaces the dynamic reference by the secret itself, in plaintext in the function's configuration"
                        .to_owned(),
                ),
            };
            self.push(Finding {
                id: FindingId::PlaintextSecret,
                severity,
                at: format!("{}.{name}", environment.at),
                message,
            });
        }
    }

    fn add(&mut self, policy: &Policy, findings: Vec<Finding>) {
        findings.into_iter().for_each(|finding| self.push(policy.placed(finding)));
    }

    /// Whether somebody who is named only at deployment is a stranger cannot be said.
    fn push(&mut self, finding: Finding) {
        let about_strangers = matches!(
            finding.id,
            FindingId::ExternalInvoke
                | FindingId::ExternalLayer
                | FindingId::OrganizationInvoke
                | FindingId::TrustExternalAccount
                | FindingId::TrustOidcOpen
                | FindingId::TrustOrganization
        );
        if about_strangers && unknown::is_in(&finding.message) {
            let why = "whom it lets in is known only at deployment".to_owned();
            self.0.not_judged.push(NotJudged { at: finding.at, why });
        } else {
            self.0.findings.push(finding);
        }
    }
}

/// The text of a value, if it is one.
pub(crate) fn text(node: Option<&Node>) -> Option<&str> {
    node.and_then(Node::text)
}
