//! What a template says about roles, functions and layers, in the words that both formats share, and what there is to
//! say about it.

use crate::{
    Found, NotJudged, ReadTag, Report, Word, aws_managed,
    concurrency::Concurrency,
    exempt::EXEMPT_TAG,
    node::Node,
    policy::{self, Policy},
    unknown,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};
use warden_finding::{Finding, FindingId, Severity};
use warden_policy::{
    Context, Document, Kind, UrlAuth, function_policy, function_url, layer_policy,
    role_policy::{self, Itself},
    trust_policy,
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
    /// How much of each function may run at once, by what names the function here.
    pub(crate) concurrency: BTreeMap<String, Concurrency>,
    /// What the tags `warden:exempt` say: of roles and managed policies by their place, of functions by what names them
    /// here.
    pub(crate) exempt: BTreeMap<String, String>,
    pub(crate) not_judged: Vec<NotJudged>,
    /// What AWS would not accept.
    pub(crate) errors: Vec<NotJudged>,
}

/// A role, with everything that decides what it may do.
#[derive(Debug, Default)]
pub(crate) struct Role {
    pub(crate) at: String,
    pub(crate) policies: Vec<Policy>,
    pub(crate) trust: Option<Policy>,
    /// The trust policy that SAM makes, which nobody wrote and nobody can change.
    pub(crate) made_trust: Option<Policy>,
    pub(crate) boundary: Option<Policy>,
    /// The ARNs by which a document may name it, its policies and its boundary.
    pub(crate) itself: Itself,
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
    /// What names the function here.
    pub(crate) function: String,
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
    /// An attribute of a resource that is a secret by itself: `Key.SecretAccessKey`.
    Made(String),
    /// A dynamic reference that CloudFormation takes only in other places
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-ssm-secure-strings.html>).
    Refused,
    /// A name says that it is a secret, and this is where its value comes from.
    Elsewhere(String),
}

impl Role {
    /// Whether no function of the template has it and none elsewhere can: nothing that a guard would ever act on.
    fn is_without_function(&self) -> bool {
        self.functions.is_empty()
            && self.trust.as_ref().or(self.made_trust.as_ref()).is_some_and(|trust| !trust.lets_lambda_in())
    }

    /// What decides how it is judged.
    fn content(&self) -> impl Hash {
        let documents = self.policies.iter().map(Some).chain([self.trust.as_ref(), self.boundary.as_ref()]);
        let documents: Vec<_> = documents.map(|policy| policy.map(Policy::content)).collect();
        let Itself { arn, names, policies, boundary, warden } = &self.itself;
        (&self.at, documents, &self.functions, [names, policies, warden], [arn, boundary])
    }

    /// Attaches a managed policy by its ARN, when it is one of AWS. What stands in the template is attached by its
    /// place.
    pub(crate) fn attach_aws(&mut self, at: String, arn: &str, not_judged: &mut Vec<NotJudged>) {
        self.itself.policies.insert(arn.to_owned());
        match aws_managed::policy(&at, arn) {
            Some(policy) => self.attach(policy),
            None => not_judged.push(absent(at, arn)),
        }
    }

    /// Gives it a policy, if it does not have it yet.
    pub(crate) fn attach(&mut self, policy: Policy) {
        if !self.policies.iter().any(|known| known.is_same(&policy)) {
            self.policies.push(policy);
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
            // Some services have other domains than most: `alexa-appkit.amazon.com`.
            name if !name.starts_with("arn:") && unknown::name(name).is_none() && name.contains('.') => {
                json!({"Service": name})
            }
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

/// What was judged already, by its content: shapes of one template have most of it in common.
#[derive(Default)]
pub(crate) struct Judged(HashSet<u64>);

impl Judged {
    /// Whether it is new.
    fn add(&mut self, content: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        self.0.insert(hasher.finish())
    }
}

/// Judges all of it but what was judged before.
pub(crate) fn judge(deployment: &Deployment, context: &Context, read_tag: &ReadTag<'_>, judged: &mut Judged) -> Report {
    let report =
        Report { findings: Vec::new(), not_judged: deployment.not_judged.clone(), errors: deployment.errors.clone() };
    let mut judge = Judge { report, begins: 0, context, exempt: Vec::new() };
    let exempt = |subject: &str| deployment.exempt.get(subject).map(|tag| read_tag(tag)).unwrap_or_default();
    for role in &deployment.roles {
        judge.exempt = exempt(&role.at);
        if judged.add((role.content(), &judge.exempt)) {
            judge.role(role);
        }
    }
    judge.exempt.clear();
    for (named, functions) in &deployment.roles_elsewhere {
        judge.shared(named, functions);
    }
    for policy in &deployment.policies {
        if judged.add(policy.content())
            && let Some((policy, document)) = judge.read(policy, Kind::Identity)
        {
            judge.begins = judge.report.findings.len();
            judge.exempt = exempt(&policy.at);
            judge.add(policy, role_policy::judge(&document, context), false);
        }
    }
    for ((function, _), door) in &deployment.doors {
        judge.exempt = exempt(function);
        judge.door(door);
    }
    judge.exempt.clear();
    for policy in &deployment.layers {
        if let Some((policy, document)) = judge.read(policy, Kind::Resource) {
            judge.add(policy, layer_policy::judge(&document, context), false);
        }
    }
    for environment in &deployment.environments {
        judge.exempt = exempt(&environment.function);
        judge.environment(environment);
    }
    for (named, function) in &deployment.concurrency {
        judge.exempt = exempt(named);
        let (findings, not_judged) = function.judge();
        findings.into_iter().for_each(|finding| judge.push(finding, false));
        judge.report.not_judged.extend(not_judged);
    }
    judge.report
}

struct Judge<'c> {
    report: Report,
    /// Where the findings of the role or policy begin that is being judged.
    begins: usize,
    context: &'c Context,
    /// What the tag says of what is being judged.
    exempt: Vec<Word>,
}

impl Judge<'_> {
    /// A policy with its document. Where AWS would not accept it, that is said, and its other statements are judged.
    fn read<'p>(&mut self, policy: &'p Policy, kind: Kind) -> Option<(&'p Policy, Document<'p>)> {
        match policy.parse(kind) {
            Ok(document) => Some((policy, document)),
            Err(error) => {
                self.report.errors.push(error);
                let accepted = policy.accepted(kind)?;
                Some((accepted, accepted.parse(kind).ok()?))
            }
        }
    }

    fn role(&mut self, role: &Role) {
        self.begins = self.report.findings.len();
        let without_function = role.is_without_function();
        let read: Vec<(&Policy, Document<'_>)> =
            role.policies.iter().filter_map(|policy| self.read(policy, Kind::Identity)).collect();
        // Part of a boundary would allow less than the whole, and hide what it allows.
        let boundary = role
            .boundary
            .as_ref()
            .and_then(|policy| policy.parse(Kind::Identity).map_err(|error| self.report.errors.push(error)).ok());
        let together: Vec<&Document<'_>> = read.iter().map(|(_, document)| document).collect();
        let trust = role.trust.as_ref().and_then(|trust| self.read(trust, Kind::Trust));
        let lambda_alone_assumes = trust.as_ref().is_some_and(|(_, trust)| trust_policy::lets_in_lambda_alone(trust));
        let of_role = Context { lambda_alone_assumes, ..self.context.clone() };
        for found in role_policy::judge_known_role(&together, boundary.as_ref(), &role.itself, &of_role) {
            if let Some((policy, _)) = read.get(found.policy) {
                self.add(policy, vec![found.finding], without_function);
            }
        }
        if let Some((trust, document)) = trust {
            self.add(trust, trust_policy::judge(&document, self.context), without_function);
        }
        self.shared(&role.at, &role.functions);
    }

    /// One role of several functions is worth a word.
    fn shared(&mut self, at: &str, functions: &[String]) {
        if functions.len() > 1 {
            self.push(
                Finding {
                    id: FindingId::SharedRole,
                    severity: Severity::Low,
                    at: at.to_owned(),
                    message: format!(
                        "one role for {}: each of them may do what any of them needs",
                        functions.join(", ")
                    ),
                },
                false,
            );
        }
    }

    fn door(&mut self, door: &Door) {
        let auth = door.url.as_ref().map_or(UrlAuth::Unknown, |url| function_url::auth(&url.config));
        let policy_of = |statements: &[&(String, Value)]| {
            let statements: Vec<&Value> = statements.iter().map(|(_, statement)| statement).collect();
            json!({"Version": "2012-10-17", "Statement": statements}).to_string()
        };
        let mut statements: Vec<&(String, Value)> = door.statements.iter().collect();
        let mut text = policy_of(&statements);
        if Document::parse(&text, Kind::Resource).is_err() {
            statements.retain(|statement| {
                let refused = Document::parse(&policy_of(&[statement]), Kind::Resource).err();
                self.report.errors.extend(refused.iter().map(|error| policy::refused(&statement.0, error, false)));
                refused.is_none()
            });
            text = policy_of(&statements);
        }
        let found = match Document::parse(&text, Kind::Resource) {
            Ok(document) => function_policy::judge(&document, self.context, auth),
            Err(error) => {
                let at = statements.first().map_or("", |(at, _)| at);
                self.report.errors.push(policy::refused(at, &error, false));
                Vec::new()
            }
        };
        let placed = |finding: Finding| {
            let index = finding.at.strip_prefix("Statement[")?.split(']').next()?.parse::<usize>().ok()?;
            statements.get(index).map(|(at, _)| Finding { at: at.clone(), ..finding })
        };
        let found: Vec<Finding> = found.into_iter().filter_map(placed).collect();
        if let Some(url) = &door.url {
            let is_public = |finding: &&Finding| finding.id == FindingId::PublicUrl;
            let open: Vec<&str> = found.iter().filter(is_public).map(|finding| finding.at.as_str()).collect();
            for finding in function_url::judge(&url.config, &open) {
                self.push(Finding { at: format!("{}.{}", url.at, finding.at), ..finding }, false);
            }
        }
        found.into_iter().for_each(|finding| self.push(finding, false));
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
                    format!(
                        "the value of the NoEcho parameter `{parameter}` ends up in plaintext in the function's \
                             configuration"
                    ),
                ),
                Setting::Resolved => (
                    Severity::High,
                    "CloudFormation replaces the dynamic reference by the secret itself, in plaintext in the \
                     function's configuration"
                        .to_owned(),
                ),
                Setting::Made(attribute) => (
                    Severity::High,
                    format!("`{attribute}` is a secret, and ends up in plaintext in the function's configuration"),
                ),
                Setting::Refused => {
                    let why = "CloudFormation refuses `ssm-secure` references in the environment of a function";
                    let at = format!("{}.{name}", environment.at);
                    self.report.not_judged.push(NotJudged { at, why: why.to_owned() });
                    continue;
                }
                Setting::Elsewhere(source) => (
                    Severity::Medium,
                    format!(
                        "a secret by its name, which comes from {source} and ends up in plaintext in the \
                             function's configuration"
                    ),
                ),
            };
            let at = format!("{}.{name}", environment.at);
            self.push(Finding { id: FindingId::PlaintextSecret, severity, at, message }, false);
        }
    }

    fn add(&mut self, policy: &Policy, findings: Vec<Finding>, without_function: bool) {
        for finding in findings {
            // What is low in a policy of AWS, nobody can write more narrowly.
            if policy.is_of_aws() && finding.severity < Severity::Medium {
                continue;
            }
            let finding = policy.placed(finding);
            // Statements that do not stand in the template all have one place.
            let is_known = |known: &Found| {
                !policy.stands_here() && (known.finding.id, &known.finding.at) == (finding.id, &finding.at)
            };
            match self.report.findings.iter_mut().skip(self.begins).find(|known| is_known(known)) {
                Some(known) if known.finding.severity >= finding.severity => {}
                Some(known) => known.finding = finding,
                None => self.push(finding, without_function),
            }
        }
    }

    /// The finding with what the tag says of it. Nobody's tag lets a shared role or a layer pass.
    fn exempted(&self, mut found: Found) -> Found {
        let id = found.finding.id;
        let mut words = self.exempt.iter().filter(|(of, _)| *of == id && id.exempted_by().is_some());
        let valid = words.clone().find_map(|(_, until)| until.as_ref().ok());
        match (valid, words.next()) {
            (Some(until), _) => found.exempt_until = Some(until.clone()),
            (None, Some((_, Err(why)))) => {
                found.finding.message.push_str(&format!("; the tag `{EXEMPT_TAG}` does not let it pass: {why}"));
            }
            (None, Some((_, Ok(_))) | None) => {}
        }
        found
    }

    /// Whether somebody who is named only at deployment is a stranger cannot be said.
    fn push(&mut self, finding: Finding, without_function: bool) {
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
            self.report.not_judged.push(NotJudged { at: finding.at, why });
        } else {
            let found = self.exempted(Found { without_function, ..finding.into() });
            self.report.findings.push(found);
        }
    }
}

/// The text of a value, if it is one.
pub(crate) fn text(node: Option<&Node>) -> Option<&str> {
    node.and_then(Node::text)
}
