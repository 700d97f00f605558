//! A local AWS account that runs the real guards.
//!
//! [`Sandbox::start`] installs MiniStack (an emulator from PyPI) beside the build, starts it on 127.0.0.1 and puts the
//! [`Trail`] in front: a proxy that forwards every call unchanged, records it, and brings the CloudTrail event of each
//! change to the deployed EventBridge rules' targets, as AWS does. Everything the account runs calls AWS through it.
//!
//! The account lives as long as the [`Sandbox`]; nothing of it outlives this process, even when that is killed. Two
//! sandboxes know nothing of each other.

mod call;
mod caller;
mod delivery;
mod deploy;
mod error;
mod event;
mod fault;
mod history;
mod lockstep;
mod managed;
mod models;
mod node;
mod operation;
mod proxy;
mod runtime_api;
mod server;
mod target;
mod trail;
mod upstream;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::{SdkConfig, region::Region};
use hyper::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle, Runtime},
};
use warden_build::Environment;

pub use call::{ApiCall, Invocation, round_trips};
pub use delivery::{Delivery, Outcome};
pub use deploy::Stack;
pub use error::SandboxError;
pub use fault::{CallMatch, Fault, Faults, Order};
pub use managed::ManagedFunction;
pub use models::{models, python};
pub use runtime_api::Reply;
pub use trail::{Sighting, Trail};
pub use warden_build::{build_guards, package_layer, package_text, workspace};

pub use server::DROPPED_PROPERTIES;
use server::Server;
use upstream::{Upstream, element};

/// The local account's id, which is the one AWS uses in its examples.
pub const ACCOUNT: &str = "111122223333";

/// The program that plays the account.
const MINISTACK: Environment =
    Environment::new("ministack", "MiniStack", include_str!("../requirements/ministack.txt"));

/// How long MiniStack may take to answer once it listens.
const READY: Duration = Duration::from_secs(30);
/// How long deliveries may take to end. A busy machine takes minutes for what an idle one does in a second; only what
/// hangs takes longer.
const SETTLED: Duration = Duration::from_secs(600);

/// How a sandbox is to be.
#[derive(Clone)]
pub struct Options {
    /// The build's target directory, under which MiniStack is installed.
    pub target: PathBuf,
    /// The account's home Region.
    pub region: String,
    /// How long Lambda and EventBridge wait before they try again; on AWS a minute and more.
    pub retry_delay: Duration,
    /// Whether MiniStack is corrected where it differs from AWS. Off only for the tests that tell which correction it
    /// has come to need no more.
    pub corrections: bool,
    /// Told what is going on during the start, a few words at a time.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("target", &self.target).field("region", &self.region).finish_non_exhaustive()
    }
}

impl Options {
    /// For a checkout: installs under CARGO_TARGET_DIR, or `target` in the workspace.
    pub fn in_workspace(workspace: &Path) -> Self {
        Self {
            target: warden_build::target(workspace),
            region: "us-east-1".to_owned(),
            retry_delay: Duration::from_millis(100),
            corrections: true,
            progress: Arc::new(|_| {}),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::in_workspace(&workspace())
    }
}

/// What a running account can be set to, see [`Sandbox::set`]; what each is at first, and why, stands in
/// `launcher/settings.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// How many environments the account may run at once.
    AccountConcurrency(u32),
    /// How much of the account's concurrency Lambda keeps for functions that reserve none.
    UnreservedFloor(u32),
    /// For how many looks at a function, a read of its configuration or an update that is refused, an update of it is
    /// under way.
    UpdateLooks(u32),
    /// How many reads of a role or of a policy still show what it was before the last change.
    IamLag(u32),
    /// How many more times each message of a queue that starts a function comes.
    QueueCopies(u32),
    /// How many a page of IAM's lists has at most.
    IamPage(u32),
}

/// A running local account. Dropping it ends it.
#[derive(Debug)]
pub struct Sandbox {
    options: Options,
    _runtime: OwnRuntime,
    server: Server,
    trail: Trail,
    upstream: Upstream,
    endpoint: String,
    administrator: Credentials,
}

impl Sandbox {
    /// Installs MiniStack if need be, and starts an empty account with one user, `administrator`.
    ///
    /// # Errors
    /// What is missing and how to get it, or the end of the server's log.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let runtime = OwnRuntime::start()?;
        let handle = &runtime.handle;
        // Everything from here on runs there: the pooled connections of the client belong to the runtime that made
        // them.
        let started = handle.spawn(Parts::start(options.clone(), handle.clone())).await;
        match started {
            Ok(Ok(parts)) => Ok(Self {
                options,
                _runtime: runtime,
                server: parts.server,
                trail: parts.trail,
                upstream: parts.upstream,
                endpoint: parts.endpoint,
                administrator: parts.administrator,
            }),
            Ok(Err(error)) => Err(error),
            Err(panicked) => Err(SandboxError::Start { problem: panicked.to_string(), log: String::new() }),
        }
    }

    /// Where AWS is: what AWS_ENDPOINT_URL names for functions and for anyone who wants to look.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The account's home Region.
    pub fn region(&self) -> &str {
        &self.options.region
    }

    /// The administrator's access key and secret.
    pub fn administrator(&self) -> &Credentials {
        &self.administrator
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }

    /// The sandbox's own directory, removed at its end.
    pub fn directory(&self) -> &Path {
        self.server.directory()
    }

    /// What went through the proxy.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Settings for SDK clients that act as the administrator, an IAM user with AdministratorAccess.
    pub fn config(&self) -> SdkConfig {
        self.config_as(self.administrator.clone(), self.region())
    }

    /// Settings for SDK clients with other credentials or in another Region.
    pub fn config_as(&self, credentials: Credentials, region: &str) -> SdkConfig {
        let retry = RetryConfig::standard()
            .with_initial_backoff(Duration::from_millis(10))
            .with_max_backoff(Duration::from_millis(100));
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retry)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    /// Credentials of a session of a role, by its ARN, whatever its trust policy says: for trying what a role may do.
    ///
    /// # Errors
    /// When there is no such role.
    pub async fn session(&self, role: &str, session_name: &str) -> Result<Credentials, SandboxError> {
        let found = self.upstream.control("session", &[("role", role), ("name", session_name)]).await?;
        let field = |name: &str| found[name].as_str().map(str::to_owned);
        match (field("accessKeyId"), field("secretAccessKey"), field("sessionToken")) {
            (Some(key), Some(secret), token) => Ok(Credentials::new(key, secret, token, None, "sandbox")),
            _ => {
                Err(SandboxError::Account { what: "a session".to_owned(), detail: format!("there is no role {role}") })
            }
        }
    }

    /// Sets whether Lambda refuses policies of functions that let the public in (`PublicPolicyException`). At first it
    /// does not.
    ///
    /// # Errors
    /// When the account does not answer.
    pub async fn refuse_public_policies(&self, on: bool) -> Result<(), SandboxError> {
        self.upstream.control("refuse_public", &[("on", if on { "true" } else { "false" })]).await.map(drop)
    }

    /// Changes a setting of the account from now on.
    ///
    /// # Errors
    /// When the account does not answer.
    pub async fn set(&self, setting: Setting) -> Result<(), SandboxError> {
        let (name, value) = match setting {
            Setting::AccountConcurrency(value) => ("account_concurrency", value),
            Setting::UnreservedFloor(value) => ("unreserved_floor", value),
            Setting::UpdateLooks(value) => ("update_looks", value),
            Setting::IamLag(value) => ("iam_lag", value),
            Setting::QueueCopies(value) => ("queue_copies", value),
            Setting::IamPage(value) => ("iam_page", value),
        };
        self.upstream.control("set", &[(name, &value.to_string())]).await.map(drop)
    }

    /// Waits until no update of a function of the home Region, its making included, is under way.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn ready(&self, function: &str) -> Result<(), SandboxError> {
        self.ready_in(self.region(), function).await
    }

    /// The same of a function of `region`.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn ready_in(&self, region: &str, function: &str) -> Result<(), SandboxError> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        loop {
            let answer = self.upstream.root(Method::GET, ("lambda", region), &path, &[], "").await?;
            let found: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            match (found["State"].as_str(), found["LastUpdateStatus"].as_str()) {
                (None, _) => {
                    let detail = String::from_utf8_lossy(answer.body()).into_owned();
                    return Err(SandboxError::Account { what: "GetFunctionConfiguration".to_owned(), detail });
                }
                (Some("Pending"), _) | (_, Some("InProgress")) => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => return Ok(()),
            }
        }
    }

    /// Waits until every event is delivered and every function has ended: [`Trail::settle`] with ten minutes.
    ///
    /// # Errors
    /// [`SandboxError::NotSettled`] with what is still under way.
    pub async fn settle(&self) -> Result<(), SandboxError> {
        self.trail.settle(SETTLED).await
    }

    /// The bodies of the messages that wait in an SQS queue of the home Region, at most ten, without taking them away.
    ///
    /// # Errors
    /// When there is no such queue.
    pub async fn messages(&self, queue: &str) -> Result<Vec<String>, SandboxError> {
        let scope = ("sqs", self.region());
        let url = self.upstream.json(scope, "AmazonSQS.GetQueueUrl", &json!({ "QueueName": queue })).await?;
        let input = json!({ "QueueUrl": url["QueueUrl"], "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
        let found = self.upstream.json(scope, "AmazonSQS.ReceiveMessage", &input).await?;
        let messages = found["Messages"].as_array().into_iter().flatten();
        Ok(messages.filter_map(|message| message["Body"].as_str().map(str::to_owned)).collect())
    }

    /// The events in a CloudWatch log group of the home Region, oldest first.
    ///
    /// # Errors
    /// When there is no such group.
    pub async fn log_lines(&self, group: &str) -> Result<Vec<String>, SandboxError> {
        let mut input = json!({ "logGroupName": group, "limit": 10_000 });
        let mut lines = Vec::new();
        loop {
            let found = self.upstream.json(("logs", self.region()), "Logs_20140328.FilterLogEvents", &input).await?;
            let events = found["events"].as_array().into_iter().flatten();
            lines.extend(events.filter_map(|event| event["message"].as_str().map(str::to_owned)));
            let Some(token) = found["nextToken"].as_str() else { return Ok(lines) };
            input["nextToken"] = token.into();
        }
    }

    /// Ends the account and waits until all its processes are gone.
    pub async fn stop(self) {
        // Dropping waits for the processes, which may take a moment. A panic there has nothing left to spoil.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The sandbox's own runtime.
    pub(crate) fn runtime(&self) -> Handle {
        self.upstream.runtime()
    }
}

/// The proxy's own runtime, so that a caller that blocks its thread does not block the account. It may be dropped
/// anywhere, in the midst of a start too: waiting is not allowed there, and what is cut off has nobody to serve any
/// more.
#[derive(Debug)]
struct OwnRuntime {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl OwnRuntime {
    fn start() -> Result<Self, SandboxError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("warden-trail").enable_all().build();
        let runtime = runtime.map_err(SandboxError::io("starting the threads of", "the trail"))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the start makes, on the sandbox's own runtime.
struct Parts {
    server: Server,
    trail: Trail,
    upstream: Upstream,
    endpoint: String,
    administrator: Credentials,
}

impl Parts {
    async fn start(options: Options, runtime: Handle) -> Result<Self, SandboxError> {
        let progress = options.progress.clone();
        let target = options.target.clone();
        let reported = progress.clone();
        let environment = blocking(move || Ok(MINISTACK.install(&target, &*reported)?)).await?;

        progress("starting the account");
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.map_err(SandboxError::io("listening on", "127.0.0.1"))?;
        let address = listener.local_addr().map_err(SandboxError::io("listening on", "127.0.0.1"))?;
        let endpoint = format!("http://{address}");
        let (named, settings) = (endpoint.clone(), options.clone());
        let server = blocking(move || Server::start(&environment.join("bin/python"), &named, &settings)).await?;
        let upstream = Upstream::new(server.port, runtime.clone());
        ready(&upstream, &server).await?;
        let administrator = administrator(&upstream).await?;
        let trail = Trail::new(upstream.clone(), ACCOUNT, options.retry_delay, runtime.clone());
        runtime.spawn(trail.clone().serve(listener));
        Ok(Self { server, trail, upstream, endpoint, administrator })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => Err(SandboxError::Start { problem: panicked.to_string(), log: String::new() }),
    }
}

async fn ready(upstream: &Upstream, server: &Server) -> Result<(), SandboxError> {
    let since = Instant::now();
    while since.elapsed() < READY {
        match upstream.root(Method::GET, ("warden", "us-east-1"), "/_ministack/health", &[], "").await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    Err(server.failed("it did not answer within 30 seconds"))
}

/// Makes the user that people and tests act as: an ordinary IAM user, so that events carry an IAMUser identity.
async fn administrator(upstream: &Upstream) -> Result<Credentials, SandboxError> {
    let iam = ("iam", "us-east-1");
    let user = ("UserName", "administrator");
    upstream.query(iam, "CreateUser", &[user]).await?;
    let policy = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
    upstream.query(iam, "AttachUserPolicy", &[user, policy]).await?;
    let key = upstream.query(iam, "CreateAccessKey", &[user]).await?;
    match (element(&key, "AccessKeyId"), element(&key, "SecretAccessKey")) {
        (Some(id), Some(secret)) => Ok(Credentials::new(id, secret, None, None, "sandbox")),
        _ => {
            Err(SandboxError::Account { what: "CreateAccessKey".to_owned(), detail: "no key in the answer".to_owned() })
        }
    }
}
