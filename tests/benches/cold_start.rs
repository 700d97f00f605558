//! What a guard's cold start costs, on this machine:
//!
//!     cargo bench -p warden-tests --bench cold_start
//!
//! The guard is built as it is deployed, as `cargo run -p warden-build` does it, whatever this program is built as:
//! `cargo bench --profile dev ...` finds what `cargo test` built and saves compiling the AWS SDK once more, at the
//! price of a slower server in the first answer's time. `cargo test -p warden-tests --bench cold_start` makes one start
//! of each kind with guards built for this machine, to try whether all this works.
//!
//! Each run starts the guard's binary as Lambda does, in an empty environment but for Lambda's and the template's
//! variables. A server in this process plays Lambda's Runtime API and AWS: it hands over one event, about a function or
//! role that is not opted in, or that is opted in to `observe` and breaks a rule, which the guard records. AWS is
//! answered at once and without TLS, so what is measured is the guard's own time.

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    fs,
    future::pending,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use warden_build::{Architecture, GlibcVersion, build_guards, check, link_guards, package_guard, target, workspace};
use warden_guards::names;
use warden_sandbox::ACCOUNT;
use warden_tests::{
    benchmark::{is_short, runs},
    events::{assert_complete, event},
};

/// An event that a guard wakes for.
fn waking(guard: &str) -> Result<Value> {
    Ok(match guard {
        "access-guard" => add_permission(),
        "role-guard" => put_role_policy(),
        "secret-guard" => update_function_configuration(),
        "concurrency-guard" => put_function_concurrency(),
        other => bail!("say here which event wakes {other}"),
    })
}

const RUNS: usize = 50;
const REVISION: &str = "8f0c8c1a-0000-4000-8000-000000000009";
/// A guard that has not answered by then does not work.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let say = |text: &str| eprintln!("{text}");
    let names = names();
    let binaries = match is_short() {
        true => build_guards(&workspace(), &names, &say)?,
        false => link_guards(&workspace(), &target(&workspace()), Architecture::X86_64, &say)?,
    };
    for (name, binary) in names.iter().zip(&binaries) {
        let event = waking(name)?;
        assert_complete(&event, name);
        report(name, &event, binary).await?;
    }
    Ok(())
}

/// Measures a guard and prints what it costs.
async fn report(name: &str, event: &Value, path: &Path) -> Result<()> {
    // The first brings the binary into the page cache, and is not counted.
    ColdStart::measure(path, name, event, Shop::NotOptedIn).await?;
    let starts = ColdStart::repeat(path, name, event, Shop::NotOptedIn).await?;
    let records = ColdStart::repeat(path, name, event, Shop::Violating).await?;

    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let cores = thread::available_parallelism()?;
    let build = if is_short() { "built for this machine" } else { "release build" };
    println!("{name}, {build}, {} cold starts; {cores} cores, load {load}\n", runs(RUNS));
    println!("{:<32}{:>10}{:>10}{:>10}", "", "median", "lowest", "budget");
    row("process start to first `next`", milliseconds, starts.iter().map(|start| start.next), "3 ms");
    row("to the answer, not opted in", milliseconds, starts.iter().map(|start| start.answer), "");
    row("to the answer, a finding", milliseconds, records.iter().map(|start| start.answer), "");
    row("peak memory, not opted in", megabytes, starts.iter().map(|start| start.peak), "15 MB");
    row("peak memory, a finding", megabytes, records.iter().map(|start| start.peak), "15 MB");
    if is_short() {
        println!();
        return Ok(());
    }
    let binary = fs::read(path)?;
    let there = GlibcVersion::AMAZON_LINUX_2023;
    let glibc = check(&binary, Architecture::X86_64, there)?.to_string();
    row("binary", megabytes, [binary.len()], "");
    row("zip", megabytes, [package_guard(path)?.len()], "5 MB");
    println!("{:<32}{glibc:>10}{:>10}{there:>10}\n", "glibc needed", "");
    Ok(())
}

/// Prints a line of the table; a single value is its own median.
fn row<T: Ord + Copy>(what: &str, show: fn(T) -> String, values: impl IntoIterator<Item = T>, budget: &str) {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    let lowest = if values.len() > 1 { show(values[0]) } else { String::new() };
    println!("{what:<32}{:>10}{lowest:>10}{budget:>10}", show(values[values.len() / 2]));
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// One start of a guard's process.
struct ColdStart {
    /// From before the process was made to its first request for an event.
    next: Duration,
    /// To its answer to that event.
    answer: Duration,
    /// The most memory it ever held, in bytes, when it answered.
    peak: usize,
}

/// What there is to be found in the account.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shop {
    /// A function and a role without tags, policies, URL and history.
    NotOptedIn,
    /// Both opted in to `observe`, and each guard's rule broken.
    Violating,
}

impl ColdStart {
    async fn repeat(binary: &Path, name: &str, event: &Value, shop: Shop) -> Result<Vec<ColdStart>> {
        let mut starts = Vec::new();
        for _ in 0..runs(RUNS) {
            starts.push(ColdStart::measure(binary, name, event, shop).await?);
        }
        Ok(starts)
    }

    async fn measure(binary: &Path, name: &str, event: &Value, shop: Shop) -> Result<ColdStart> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (seen, mut sights) = unbounded_channel();
        let server = tokio::spawn(serve(listener, Arc::new(Lambda::new(name, event, shop, seen))));

        let began = Instant::now();
        let mut guard = Running(command(binary, name, address).spawn().context("starting the guard")?);
        let next = match guard.sight(&mut sights).await? {
            (at, Sight::Next) => at - began,
            (_, other) => bail!("the guard began with {other:?}"),
        };
        let answer = match guard.sight(&mut sights).await? {
            (at, Sight::Answer(answer)) if (answer == "[]") == (shop == Shop::NotOptedIn) => at - began,
            (_, other) => bail!(
                "a finding is to be recorded, of what is not opted in nothing, `[]`; with {shop:?} the guard said \
                 {other:?}"
            ),
        };
        let peak = guard.peak_memory()?;
        server.abort();
        Ok(ColdStart { next, answer, peak })
    }
}

/// The guard as Lambda starts it.
fn command(binary: &Path, name: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .envs([("AWS_LAMBDA_RUNTIME_API", address.to_string()), ("AWS_ENDPOINT_URL", format!("http://{address}"))]);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_NAME", format!("warden-{name}")),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/warden-{name}")),
    ]);
    command.envs([
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_SESSION_TOKEN", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]1"),
        ("WARDEN_TABLE", "warden-ledger"),
        ("WARDEN_BUS", "warden"),
        ("WARDEN_KEY", "arn:aws:kms:us-east-1:111122223333:key/1b7c0f6e-0000-4000-8000-000000000001"),
        ("WARDEN_HASH_KEY", "arn:aws:kms:us-east-1:111122223333:key/1b7c0f6e-0000-4000-8000-000000000002"),
        ("WARDEN_SEAL_KEY", "arn:aws:kms:us-east-1:111122223333:key/1b7c0f6e-0000-4000-8000-000000000003"),
        ("WARDEN_SECRET_LAYERS", "x86_64=arn:aws:lambda:us-east-1:111122223333:layer:warden-secret-env:1"),
    ]);
    command
}

/// A guard's process, ended with this value.
struct Running(Child);

impl Running {
    /// What the guard does next.
    async fn sight(&mut self, sights: &mut UnboundedReceiver<(Instant, Sight)>) -> Result<(Instant, Sight)> {
        match timeout(PATIENCE, sights.recv()).await {
            Ok(None) => bail!("the server ended"),
            Ok(Some((_, Sight::Failure(what)))) => bail!(what),
            Ok(Some(sight)) => Ok(sight),
            Err(_) => match self.0.try_wait()? {
                Some(status) => Err(anyhow!("the guard ended: {status}")),
                None => Err(anyhow!("the guard did nothing for {} s", PATIENCE.as_secs())),
            },
        }
    }

    /// The peak of its resident memory so far, in bytes (proc_pid_status(5): `VmHWM`).
    fn peak_memory(&self) -> Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kilobytes: usize = peak.context("the kernel does not say VmHWM")?.parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the server sees the guard do.
#[derive(Debug)]
enum Sight {
    /// It asks for an event.
    Next,
    /// It has dealt with the event.
    Answer(Bytes),
    /// It did something else, and the run is void.
    Failure(String),
}

/// Lambda's Runtime API with one event to hand over, and AWS around a function and its role.
struct Lambda {
    shop: Shop,
    seen: UnboundedSender<(Instant, Sight)>,
    handed_over: AtomicBool,
    /// The guard's own function.
    function: String,
    event: String,
}

async fn serve(listener: TcpListener, lambda: Arc<Lambda>) -> Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let lambda = Arc::clone(&lambda);
        let service = service_fn(move |request| {
            let lambda = Arc::clone(&lambda);
            async move { lambda.answer(request).await }
        });
        // A connection ends with the guard, which is no news here.
        tokio::spawn(async { http1::Builder::new().serve_connection(TokioIo::new(connection), service).await.ok() });
    }
}

impl Lambda {
    fn new(name: &str, event: &Value, shop: Shop, seen: UnboundedSender<(Instant, Sight)>) -> Self {
        let function = arn(&format!("warden-{name}"));
        Self { shop, seen, handed_over: AtomicBool::new(false), function, event: event.to_string() }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let at = Instant::now();
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        // The first two: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
        match (&parts.method, path.rsplit('/').next().unwrap_or_default(), target) {
            (&Method::GET, "next", None) if self.handed_over.swap(true, Ordering::Relaxed) => pending().await,
            (&Method::GET, "next", None) => {
                self.see(at, Sight::Next);
                Ok(Response::builder()
                    .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                    .header("lambda-runtime-deadline-ms", "32472144000000")
                    .header("lambda-runtime-invoked-function-arn", &self.function)
                    .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
                    .body(self.event.clone().into())?)
            }
            (&Method::POST, "response", None) => {
                self.see(at, Sight::Answer(body.collect().await?.to_bytes()));
                json_answer(StatusCode::ACCEPTED, &json!({"status": "OK"}))
            }
            (&Method::POST, "error", None) => {
                let error = body.collect().await?.to_bytes();
                self.see(at, Sight::Failure(format!("the guard failed: {}", String::from_utf8_lossy(&error))));
                json_answer(StatusCode::ACCEPTED, &json!({"status": "OK"}))
            }
            (&Method::GET, "policy", None) if self.shop == Shop::Violating => {
                json_answer(StatusCode::OK, &json!({"Policy": public_policy(), "RevisionId": REVISION}))
            }
            (&Method::GET, "policy" | "url", None) => json_answer(
                StatusCode::NOT_FOUND,
                &json!({"__type": "ResourceNotFoundException", "Type": "User", "Message": "The resource you requested \
                                                                                           does not exist."}),
            ),
            (&Method::GET, "code-signing-config", None) => {
                json_answer(StatusCode::OK, &json!({"FunctionName": "shop", "CodeSigningConfigArn": ""}))
            }
            (&Method::GET, "concurrency", None) if self.shop == Shop::Violating => {
                json_answer(StatusCode::OK, &json!({"ReservedConcurrentExecutions": 50}))
            }
            (&Method::GET, "concurrency", None) => json_answer(StatusCode::OK, &json!({})),
            (&Method::GET, "provisioned-concurrency", None) => {
                json_answer(StatusCode::OK, &json!({"ProvisionedConcurrencyConfigs": []}))
            }
            (&Method::GET, "account-settings", None) => {
                let limit = json!({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 950});
                json_answer(StatusCode::OK, &json!({"AccountLimit": limit}))
            }
            (&Method::GET, "versions", None) => json_answer(StatusCode::OK, &json!({"Versions": []})),
            (&Method::GET, _, None) if path.starts_with("/2015-03-31/functions/") => {
                json_answer(StatusCode::OK, &self.function())
            }
            (&Method::POST, _, Some("DynamoDB_20120810.Query")) => {
                json_answer(StatusCode::OK, &json!({"Items": [], "Count": 0, "ScannedCount": 0}))
            }
            (&Method::POST, _, Some("DynamoDB_20120810.BatchGetItem")) => {
                json_answer(StatusCode::OK, &json!({"Responses": {"warden-ledger": []}, "UnprocessedKeys": {}}))
            }
            (&Method::POST, _, Some("DynamoDB_20120810.TransactWriteItems")) => json_answer(StatusCode::OK, &json!({})),
            (&Method::POST, _, Some("AWSEvents.PutEvents")) => {
                json_answer(StatusCode::OK, &json!({"FailedEntryCount": 0, "Entries": [{"EventId": REVISION}]}))
            }
            (&Method::POST, _, Some("TrentService.GenerateMac")) => json_answer(
                StatusCode::OK,
                &json!({"Mac": "c2VjcmV0LWd1YXJkJ3Mga2V5LCBhcyBzb21lIDMyIGI=", "MacAlgorithm": "HMAC_SHA_256"}),
            ),
            (
                &Method::POST,
                _,
                Some(
                    "secretsmanager.GetSecretValue"
                    | "secretsmanager.GetResourcePolicy"
                    | "secretsmanager.DescribeSecret",
                ),
            ) => json_answer(
                StatusCode::BAD_REQUEST,
                &json!({"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find the specified \
                                                                           secret."}),
            ),
            (&Method::POST, "", None) => {
                let form = body.collect().await?.to_bytes();
                let form = String::from_utf8_lossy(&form).into_owned();
                let action = form.strip_prefix("Action=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
                match self.iam(action) {
                    Some(result) => {
                        let answer = format!(
                            "<{action}Response \
                             xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>7a62c49f-0000-4000-8000-000000000004</RequestId></ResponseMetadata></{action}Response>"
                        );
                        Ok(Response::builder().header("content-type", "text/xml").body(answer.into())?)
                    }
                    None => {
                        self.see(at, Sight::Failure(format!("the guard was not expected to call IAM: {form}")));
                        json_answer(StatusCode::BAD_REQUEST, &json!({"__type": "ValidationException"}))
                    }
                }
            }
            (method, _, target) => {
                let call = format!("{method} {path} {}", target.unwrap_or_default());
                self.see(at, Sight::Failure(format!("the guard was not expected to call {call}")));
                json_answer(StatusCode::BAD_REQUEST, &json!({"__type": "ValidationException"}))
            }
        }
    }

    /// What Lambda says of the function `shop`.
    fn function(&self) -> Value {
        let mut configuration = json!({"FunctionName": "shop", "FunctionArn": arn("shop"), "RevisionId": REVISION});
        let mut answer = json!({"Code": {"RepositoryType": "S3"}});
        if self.shop == Shop::Violating {
            configuration["Environment"] = json!({"Variables": {"STAGE": "prod", "DB_PASSWORD": "6DhBO1u#Kv0iuchB"}});
            answer["Tags"] = json!({"warden": "observe", "warden:max-concurrency": "10"});
        }
        answer["Configuration"] = configuration;
        answer
    }

    /// What IAM says of the role `shop`.
    fn iam(&self, action: &str) -> Option<String> {
        let violating = self.shop == Shop::Violating;
        let tags = if violating { "<Tags><member><Key>warden</Key><Value>observe</Value></member></Tags>" } else { "" };
        Some(match action {
            "GetRole" => format!(
                "<Role><Path>/</Path><RoleName>shop</RoleName><RoleId>AROADBQP57FF2AEXAMPLE</RoleId><Arn>arn:aws:iam::{ACCOUNT}:role/shop</Arn><CreateDate>2026-11-21T10:00:00Z</CreateDate><AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D</AssumeRolePolicyDocument>{tags}</Role>"
            ),
            "ListAttachedRolePolicies" => "<AttachedPolicies/><IsTruncated>false</IsTruncated>".into(),
            "ListRolePolicies" if violating => "<PolicyNames><member>own</member></PolicyNames><IsTruncated>false</IsTruncated>".into(),
            "ListRolePolicies" => "<PolicyNames/><IsTruncated>false</IsTruncated>".into(),
            "GetRolePolicy" if violating => "<RoleName>shop</RoleName><PolicyName>own</PolicyName><PolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%5B%22iam%3A%2A%22%2C%22s3%3A%2A%22%5D%2C%22Resource%22%3A%22%2A%22%7D%7D</PolicyDocument>"
                .into(),
            _ => return None,
        })
    }

    fn see(&self, at: Instant, sight: Sight) {
        // Nobody looks any more once the run is over.
        let _ = self.seen.send((at, sight));
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Result<Response<Full<Bytes>>> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    // Lambda names the error in a header, DynamoDB in the body.
    let answer = match body["__type"].as_str() {
        Some(error) => answer.header("x-amzn-errortype", error),
        None => answer,
    };
    Ok(answer.body(body.to_string().into())?)
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}")
}

/// A resource policy that lets anybody call the function `shop`.
fn public_policy() -> String {
    json!({"Version": "2012-10-17", "Id": "default", "Statement": [{
        "Sid": "orders", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": arn("shop")
    }]})
    .to_string()
}

/// A bucket was allowed to call a function.
fn add_permission() -> Value {
    let parameters = json!({
        "functionName": "shop",
        "statementId": "orders",
        "action": "lambda:InvokeFunction",
        "principal": "s3.amazonaws.com",
        "sourceArn": "arn:aws:s3:::orders"
    });
    event("lambda", "AddPermission20150331v2", &parameters, &Value::Null)
}

/// A role was given a policy.
fn put_role_policy() -> Value {
    let parameters = json!({"roleName": "shop", "policyName": "own", "policyDocument": "{}"});
    event("iam", "PutRolePolicy", &parameters, &Value::Null)
}

/// A function was given another environment.
fn update_function_configuration() -> Value {
    let parameters = json!({"functionName": "shop", "environment": {}});
    event("lambda", "UpdateFunctionConfiguration20150331v2", &parameters, &Value::Null)
}

/// Concurrency was reserved for a function.
fn put_function_concurrency() -> Value {
    let parameters = json!({"functionName": "shop", "reservedConcurrentExecutions": 50});
    event("lambda", "PutFunctionConcurrency20171031", &parameters, &Value::Null)
}
