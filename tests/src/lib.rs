//! What the end-to-end tests share: a local account with Warden deployed in it from the real template, and an
//! administrator who changes things there with an ordinary SDK client.

pub mod benchmark;
mod concurrency;
pub mod environment;
pub mod events;
mod iam;
mod leases;
mod operator;
mod patience;
pub mod secure_server;
pub mod template;

pub use iam::tag;
pub use patience::patient_lambda;

use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{FunctionCode, FunctionUrlAuthType, LayerVersionContentInput, Runtime},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};
use warden_aws::{Aws, Deployment};
use warden_engine::{
    Severity,
    ledger::{
        chain::verify,
        record::{Record, Step},
    },
    model::{surface::Resource, tags::GuardKind},
};
use warden_sandbox::{ACCOUNT, Options, Sandbox, SandboxError, Stack, build_guards, workspace};

/// The name of Warden's stack.
pub const STACK: &str = "lambda-warden";

/// A guarded account.
pub struct Account {
    /// The local account that Warden is deployed in.
    pub sandbox: Sandbox,
    /// The administrator's client.
    pub lambda: Client,
    /// The administrator's client of IAM.
    pub iam: aws_sdk_iam::Client,
    /// The ledger, read as the operator: nobody else can check its seals but the guards.
    pub ledger: Aws,
    /// Where the ledger is.
    pub deployment: Deployment,
    /// The administrator's client for secrets.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The stack's outputs.
    pub outputs: HashMap<String, String>,
}

impl Account {
    /// An account with Warden deployed, its layers guarded, with a lease short enough for a test.
    pub async fn guarded() -> Account {
        Account::with(&[]).await
    }

    /// The same with other parameters of the template.
    pub async fn with(parameters: &[(&str, &str)]) -> Account {
        Account::deployed(&["access-guard", "role-guard"], parameters).await
    }

    /// An account in which secret-guard works beside the others.
    pub async fn with_secrets_guarded(parameters: &[(&str, &str)]) -> Account {
        Account::deployed(&["access-guard", "role-guard", "secret-guard"], parameters).await
    }

    /// An account in which concurrency-guard works beside the others.
    pub async fn with_concurrency_guarded(parameters: &[(&str, &str)]) -> Account {
        Account::deployed(&["access-guard", "role-guard", "concurrency-guard"], parameters).await
    }

    async fn deployed(names: &[&str], parameters: &[(&str, &str)]) -> Account {
        let options = Options { retry_delay: Duration::from_millis(50), ..Options::default() };
        let sandbox = Sandbox::start(options).await.expect("a sandbox");
        let outputs = deploy(&sandbox, names, parameters).await.expect("the stack");
        let account = Account::of(sandbox, outputs).await;
        account.role("shop", &[]).await;
        account
    }

    /// An account in which the stack is as its outputs say.
    pub async fn of(sandbox: Sandbox, outputs: HashMap<String, String>) -> Account {
        let deployment = Deployment {
            table: outputs["Table"].clone(),
            bus: "warden".into(),
            key: outputs["ProofKey"].clone(),
            hash_key: outputs["HashKey"].clone(),
            seal_key: outputs["SealKey"].clone(),
            queue: None,
        };
        let session = sandbox.session(&outputs["OperatorRole"], "reader").await.expect("a session");
        let ledger = Aws::new(sandbox.config_as(session, "us-east-1"), deployment.clone());
        let lambda = patient_lambda(&sandbox.config());
        let secrets = aws_sdk_secretsmanager::Client::new(&sandbox.config());
        let iam = aws_sdk_iam::Client::new(&sandbox.config());
        Account { sandbox, lambda, iam, secrets, ledger, deployment, outputs }
    }

    /// Makes a role that Lambda alone may assume, with these tags.
    pub async fn role(&self, name: &str, tags: &[(&str, &str)]) {
        let create = self.iam.create_role().role_name(name).assume_role_policy_document(lambda_trust().to_string());
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().expect("a tag"));
        create.set_tags(Some(tags.collect())).send().await.expect("the role");
    }

    /// Writes one of a role's own policies.
    pub async fn put_role_policy(&self, role: &str, name: &str, document: &Value) {
        let put = self.iam.put_role_policy().role_name(role).policy_name(name);
        put.policy_document(document.to_string()).send().await.expect("the policy");
    }

    /// One of a role's own policies as it is now.
    pub async fn role_policy(&self, role: &str, name: &str) -> Option<Value> {
        let answer = self.iam.get_role_policy().role_name(role).policy_name(name).send().await.ok()?;
        Some(iam_document(answer.policy_document()))
    }

    /// Who may assume a role, as it is now.
    pub async fn trust(&self, role: &str) -> Value {
        let answer = self.iam.get_role().role_name(role).send().await.expect("the role");
        iam_document(answer.role().and_then(|role| role.assume_role_policy_document()).unwrap_or_default())
    }

    /// The managed policies attached to a role, by ARN.
    pub async fn attached(&self, role: &str) -> Vec<String> {
        let answer = self.iam.list_attached_role_policies().role_name(role).send().await.expect("the list");
        let policies = answer.attached_policies().iter().filter_map(|policy| policy.policy_arn());
        policies.map(str::to_owned).collect()
    }

    /// Makes a customer managed policy with these tags; says its ARN.
    pub async fn managed_policy(&self, name: &str, document: &Value, tags: &[(&str, &str)]) -> String {
        let create = self.iam.create_policy().policy_name(name).policy_document(document.to_string());
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().expect("a tag"));
        let answer = create.set_tags(Some(tags.collect())).send().await.expect("the policy");
        answer.policy().and_then(|policy| policy.arn()).expect("its ARN").to_owned()
    }

    /// A managed policy's default version and what it says.
    pub async fn default_version(&self, policy: &str) -> (String, Value) {
        let answer = self.iam.get_policy().policy_arn(policy).send().await.expect("the policy");
        let version = answer.policy().and_then(|policy| policy.default_version_id()).expect("a version").to_owned();
        let answer = self.iam.get_policy_version().policy_arn(policy).version_id(&version).send().await;
        let answer = answer.expect("the version");
        let document = answer.policy_version().and_then(|version| version.document()).unwrap_or_default();
        (version, iam_document(document))
    }

    /// Makes a function with these tags.
    pub async fn function(&self, name: &str, tags: &[(&str, &str)]) {
        self.function_with_role(name, "shop", tags).await;
    }

    /// Makes a function that a statement `old` lets everybody call, and opts it in afterwards.
    pub async fn open_before_the_opt_in(&self, name: &str) {
        self.function(name, &[]).await;
        self.grant(name, None, "old", "*").await;
        self.settle().await;
        self.tag(name, &[("warden", "enforce")]).await;
        self.settle().await;
    }

    /// Makes a function with that role and these tags, and waits until Lambda is done with it.
    pub async fn function_with_role(&self, name: &str, role: &str, tags: &[(&str, &str)]) {
        // The end-of-directory record alone: the smallest zip there is.
        let mut zip = b"PK\x05\x06".to_vec();
        zip.resize(22, 0);
        let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
        let create = self.lambda.create_function().function_name(name).runtime(Runtime::Providedal2023);
        let create = create.handler("bootstrap").code(code).role(role_arn(role));
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        create.set_tags(Some(tags)).send().await.expect("the function");
        self.ready(name).await;
    }

    /// Makes a function that is opted in to `mode`, and waits until Warden knows of it.
    pub async fn opted_in(&self, name: &str, mode: &str) {
        self.function(name, &[("warden", mode)]).await;
        self.settle().await;
    }

    /// Sets tags on a function.
    pub async fn tag(&self, name: &str, tags: &[(&str, &str)]) {
        let mut request = self.lambda.tag_resource().resource(arn(name));
        for (key, value) in tags {
            request = request.tags(*key, *value);
        }
        request.send().await.expect("tagged");
    }

    /// Grants `principal` the invocation of a function or of one of its aliases, by AddPermission.
    pub async fn grant(&self, name: &str, qualifier: Option<&str>, sid: &str, principal: &str) {
        let add = self.lambda.add_permission().function_name(name).statement_id(sid).principal(principal);
        let add = add.action("lambda:InvokeFunction").set_qualifier(qualifier.map(str::to_owned));
        add.send().await.expect("a statement");
    }

    /// Grants S3 the invocation from one bucket of the own account: what nobody minds.
    pub async fn grant_properly(&self, name: &str, sid: &str) {
        let add = self.lambda.add_permission().function_name(name).statement_id(sid).principal("s3.amazonaws.com");
        let add = add.action("lambda:InvokeFunction").source_arn("arn:aws:s3:::orders").source_account(ACCOUNT);
        add.send().await.expect("a statement");
    }

    /// Gives a function a URL that asks for no credentials, and lets everybody call it, as the console does.
    pub async fn publish_url(&self, name: &str, qualifier: Option<&str>) {
        let url = self.lambda.create_function_url_config().function_name(name).auth_type(FunctionUrlAuthType::None);
        url.set_qualifier(qualifier.map(str::to_owned)).send().await.expect("a URL");
        for (sid, action) in [
            ("FunctionURLAllowPublicAccess", "lambda:InvokeFunctionUrl"),
            ("FunctionURLInvokeAllowPublicAccess", "lambda:InvokeFunction"),
        ] {
            let add = self.lambda.add_permission().function_name(name).statement_id(sid).principal("*").action(action);
            let add = add.set_qualifier(qualifier.map(str::to_owned));
            let add = match sid {
                "FunctionURLAllowPublicAccess" => add.function_url_auth_type(FunctionUrlAuthType::None),
                _ => add.invoked_via_function_url(true),
            };
            // The guard may be quicker than the second call.
            add.send().await.expect("a statement");
        }
    }

    /// Publishes a layer version and says its number.
    pub async fn layer(&self, name: &str) -> i64 {
        let mut zip = b"PK\x05\x06".to_vec();
        zip.resize(22, 0);
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip)).build();
        self.lambda.publish_layer_version().layer_name(name).content(content).send().await.expect("a layer").version()
    }

    /// A function's policy as it is now.
    pub async fn policy(&self, name: &str, qualifier: Option<&str>) -> Option<Value> {
        let request = self.lambda.get_policy().function_name(name).set_qualifier(qualifier.map(str::to_owned));
        match request.send().await {
            Ok(answer) => answer.policy().map(|policy| serde_json::from_str(policy).expect("a policy is JSON")),
            Err(error) => {
                assert!(error.into_service_error().is_resource_not_found_exception());
                None
            }
        }
    }

    /// The Sids of a function's policy.
    pub async fn sids(&self, name: &str, qualifier: Option<&str>) -> Vec<String> {
        let policy = self.policy(name, qualifier).await.unwrap_or_default();
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        statements.iter().filter_map(|statement| statement["Sid"].as_str()).map(str::to_owned).collect()
    }

    /// Replaces a function's whole policy.
    pub async fn put_policy(&self, name: &str, statements: Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let put = self.lambda.put_resource_policy().resource_arn(arn(name)).policy(policy.to_string());
        put.send().await.expect("the policy");
    }

    /// Who may call a function's URL.
    pub async fn url_auth(&self, name: &str, qualifier: Option<&str>) -> Option<String> {
        let request = self.lambda.get_function_url_config().function_name(name);
        let answer = request.set_qualifier(qualifier.map(str::to_owned)).send().await.ok()?;
        Some(answer.auth_type().as_str().to_owned())
    }

    /// Waits until every event was delivered and every guard is done.
    pub async fn settle(&self) {
        self.sandbox.settle().await.expect("settled");
        for event in self.sandbox.trail().events() {
            events::assert_complete(&event, "an event of the sandbox");
        }
    }

    /// What is in the queue of what guards failed on: each event, and the error.
    pub async fn failures(&self) -> Vec<(Value, String)> {
        let messages = self.sandbox.messages("warden-failures").await.expect("the queue");
        let read = |message: &String| {
            let record: Value = serde_json::from_str(message).expect("JSON");
            let error = record["responsePayload"]["errorMessage"].as_str().unwrap_or_default().to_owned();
            (record["requestPayload"].clone(), error)
        };
        messages.iter().map(read).collect()
    }

    /// A resource's records in the order of the chain, which holds.
    pub async fn records(&self, resource: &str) -> Vec<Record> {
        let resource: Resource = resource.parse().expect("a resource");
        let (stored, head) = self.ledger.chain(&resource).await.expect("the chain");
        verify(stored.iter().map(|stored| (&stored.record, stored.hash)), &head).expect("the chain holds");
        stored.into_iter().map(|stored| stored.record).collect()
    }

    /// access-guard's records of a function in few words: the step, the surface, the findings, the reason.
    pub async fn story(&self, name: &str) -> Vec<String> {
        self.story_by(GuardKind::Access, &arn(name)).await
    }

    /// One guard's records of anything by its ARN.
    pub async fn story_by(&self, guard: GuardKind, resource: &str) -> Vec<String> {
        let records = self.records(resource).await;
        records.iter().filter(|record| record.entry.guard == Some(guard)).map(line).collect()
    }

    /// The same for anything by its ARN.
    pub async fn story_of(&self, resource: &str) -> Vec<String> {
        self.records(resource).await.iter().map(line).collect()
    }

    /// The function's records of one step.
    pub async fn steps(&self, name: &str, step: Step) -> Vec<Record> {
        self.records(&arn(name)).await.into_iter().filter(|record| record.entry.step == step).collect()
    }
}

/// Deploys Warden's stack with these guards, or deploys it again, its layers guarded and its lease short enough for a
/// test unless the parameters say otherwise. Says its outputs.
///
/// # Errors
/// Why CloudFormation did not.
pub async fn deploy(
    sandbox: &Sandbox,
    names: &[&str],
    parameters: &[(&str, &str)],
) -> Result<HashMap<String, String>, SandboxError> {
    let all: Vec<&str> = names.iter().copied().chain(["secret-env"]).collect();
    let built = build_guards(&workspace(), &all, &|_| {})?;
    let template = workspace().join("infra/warden.yaml");
    let mut all_parameters = vec![
        ("LayerMode", "enforce"),
        ("LayerNames", "shop-*"),
        ("LeaseSeconds", "5"),
        ("BreakerPauseSeconds", "1"),
        ("SettleSeconds", "0"),
        ("GuardConcurrency", if names.contains(&"concurrency-guard") { "on" } else { "off" }),
        ("GuardSecrets", if names.contains(&"secret-guard") { "on" } else { "off" }),
    ];
    all_parameters.retain(|(name, _)| !parameters.iter().any(|(given, _)| given == name));
    all_parameters.extend(parameters);
    let (layer, guards) = built.split_last().expect("the layer is the last");
    let guards: Vec<(&str, &Path)> = names.iter().copied().zip(guards.iter().map(PathBuf::as_path)).collect();
    let stack =
        Stack { name: STACK, template: &template, parameters: &all_parameters, guards: &guards, layer: Some(layer) };
    Ok(sandbox.deploy(&stack).await?.into_iter().collect())
}

fn line(record: &Record) -> String {
    let entry = &record.entry;
    let mut words = vec![entry.step.to_string()];
    words.extend(entry.surface.as_ref().map(ToString::to_string));
    let mut ids: Vec<&str> = entry.findings.iter().map(|finding| finding.id.as_str()).collect();
    ids.dedup();
    words.extend(ids.into_iter().map(str::to_owned));
    words.extend(entry.reason.as_ref().map(|reason| format!("({})", reason.code())));
    if entry.severity == Some(Severity::Critical) && entry.reason.is_some() {
        words.push("alert".into());
    }
    words.join(" ")
}

/// A function's ARN.
pub fn arn(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")
}

/// A role's ARN.
pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The trust policy that a function's role starts with.
pub fn lambda_trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]})
}

/// A policy of such statements.
pub fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// A document as IAM sends it.
fn iam_document(sent: &str) -> Value {
    let text = warden_policy::decode_iam_document(sent).expect("text");
    serde_json::from_str(&text).expect("JSON")
}
