//! Functions on managed runtimes, started as AWS starts them: code and layers unpacked, the wrapper in front, and AWS's
//! own runtime client inside. MiniStack runs such functions in a way of its own, without wrappers.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Cursor},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use hyper::{Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use warden_build::Environment;
use zip::ZipArchive;

use crate::{
    Sandbox, SandboxError, blocking, node,
    runtime_api::{CREDENTIALS, Progress, Reply, RuntimeApi},
};

/// What AWS's managed Python runtimes run a function with.
const PYTHON_RUNTIME: Environment = Environment::new(
    "python-runtime",
    "AWS's Python runtime client",
    include_str!("../requirements/python-runtime.txt"),
);

/// The same for Node.js.
const NODE_RUNTIME: Environment =
    Environment::new("node-runtime", "Node.js", include_str!("../requirements/node-runtime.txt"))
        .finished_by(node::finish);

/// How long a start may take: Lambda's initialisation phase.
const START: Duration = Duration::from_secs(10);

/// How often the process is looked at while something else is awaited.
const LOOK: Duration = Duration::from_millis(10);

/// A function of the account on its managed runtime: one execution environment. Dropping it ends it.
#[derive(Debug)]
pub struct ManagedFunction {
    name: String,
    timeout: Duration,
    api: RuntimeApi,
    process: Child,
    directory: TempDir,
}

impl Sandbox {
    /// Starts a function of the account, or one version of it, with the environment, code, layers and role that the
    /// account holds, and waits until it asks for its first event. Python and Node.js functions; the first start of
    /// each installs AWS's runtime client for it, which for Node.js takes a C++ compiler, make and a minute or two.
    ///
    /// Layers are unpacked into a directory that stands for `/opt`: a program that AWS_LAMBDA_EXEC_WRAPPER names under
    /// `/opt` is run from there, and the variable keeps its value.
    ///
    /// # Errors
    /// [`SandboxError::FunctionStart`] with the function's log when it does not start.
    pub async fn start_function(&self, name: &str, qualifier: Option<&str>) -> Result<ManagedFunction, SandboxError> {
        let found = self.read_function(name, qualifier).await?;
        let configuration = &found["Configuration"];
        let text = |field: &str| configuration[field].as_str().unwrap_or_default().to_owned();
        let directory = tempfile::Builder::new().prefix(name).tempdir_in(self.directory());
        let directory = directory.map_err(SandboxError::io("creating a directory in", self.directory()))?;
        let (task, opt) = (directory.path().join("task"), directory.path().join("opt"));
        for made in [&task, &opt] {
            fs::create_dir(made).map_err(SandboxError::io("creating", made))?;
        }
        unpack(&self.fetch(&found["Code"]["Location"]).await?, &task)?;
        for layer in configuration["Layers"].as_array().into_iter().flatten() {
            let arn = utf8_percent_encode(layer["Arn"].as_str().unwrap_or_default(), NON_ALPHANUMERIC);
            let layer = self.read(&format!("/2018-10-31/layers?find=LayerVersion&Arn={arn}")).await?;
            unpack(&self.fetch(&layer["Content"]["Location"]).await?, &opt)?;
        }

        let credentials = self.session(&text("Role"), name).await?;
        let api = RuntimeApi::start(&text("FunctionArn"), &credentials, &self.runtime()).await?;
        let mut runtime_command = self.runtime_command(&text("Runtime"), &text("Handler")).await?;
        let mut environment = variables(configuration);
        if let Some(wrapper) = environment.get("AWS_LAMBDA_EXEC_WRAPPER") {
            let program = match wrapper.strip_prefix("/opt/") {
                Some(inside) => opt.join(inside),
                None => PathBuf::from(wrapper),
            };
            runtime_command.insert(0, program);
        }
        let mut set = |name: &str, value: String| {
            environment.insert(name.to_owned(), value);
        };
        // What Lambda sets, whatever the function says
        // (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
        set("_HANDLER", text("Handler"));
        set("AWS_REGION", self.region().to_owned());
        set("AWS_DEFAULT_REGION", self.region().to_owned());
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", text("Runtime")));
        set("AWS_LAMBDA_FUNCTION_NAME", name.to_owned());
        set("AWS_LAMBDA_FUNCTION_VERSION", text("Version"));
        set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration["MemorySize"].to_string());
        set("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"));
        set("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]sandbox".to_owned());
        set("AWS_LAMBDA_RUNTIME_API", api.address.to_string());
        set("LAMBDA_TASK_ROOT", task.display().to_string());
        set("AWS_ENDPOINT_URL", self.endpoint().to_owned());
        // Where the runtimes find what layers bring; on AWS under /opt.
        set("PYTHONPATH", opt.join("python").display().to_string());
        set("NODE_PATH", opt.join("nodejs/node_modules").display().to_string());
        if configuration["SnapStart"]["OptimizationStatus"] == "On" {
            set("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start".to_owned());
            set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}{CREDENTIALS}", api.address));
            set("AWS_CONTAINER_AUTHORIZATION_TOKEN", api.token().to_owned());
        } else {
            set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned());
            set("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned());
            set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key().to_owned());
            set("AWS_SESSION_TOKEN", credentials.session_token().unwrap_or_default().to_owned());
        }

        let process = spawn(&runtime_command, &environment, &task, directory.path());
        let process = process.map_err(|error| SandboxError::FunctionStart {
            function: name.to_owned(),
            problem: format!("{}: {error}", runtime_command[0].display()),
            log: String::new(),
        })?;
        let timeout = Duration::from_secs(configuration["Timeout"].as_u64().unwrap_or(3));
        let mut function = ManagedFunction { name: name.to_owned(), timeout, api, process, directory };
        function.ready().await?;
        Ok(function)
    }

    async fn read_function(&self, name: &str, qualifier: Option<&str>) -> Result<Value, SandboxError> {
        let qualifier = qualifier.map(|qualifier| format!("?Qualifier={qualifier}")).unwrap_or_default();
        self.read(&format!("/2015-03-31/functions/{name}{qualifier}")).await
    }

    async fn read(&self, path: &str) -> Result<Value, SandboxError> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body)
            .map_err(|error| SandboxError::Account { what: path.to_owned(), detail: error.to_string() })
    }

    /// What a presigned URL leads to.
    async fn fetch(&self, location: &Value) -> Result<Vec<u8>, SandboxError> {
        let location: Uri = location.as_str().unwrap_or_default().parse().map_err(|_| SandboxError::Account {
            what: "the code of a function or a layer".to_owned(),
            detail: "there is no URL for it".to_owned(),
        })?;
        self.get(location.path_and_query().map_or("/", |path| path.as_str())).await
    }

    /// A GET past the proxy: unpacking a function is no call of anybody's.
    async fn get(&self, path: &str) -> Result<Vec<u8>, SandboxError> {
        let answer = self.upstream().root(Method::GET, ("lambda", self.region()), path, &[], "").await?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into());
        }
        let detail = format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body()));
        Err(SandboxError::Account { what: path.to_owned(), detail })
    }

    /// The command line of a managed runtime.
    async fn runtime_command(&self, runtime: &str, handler: &str) -> Result<Vec<PathBuf>, SandboxError> {
        let options = self.options.clone();
        if runtime.starts_with("python") {
            let environment =
                blocking(move || Ok(PYTHON_RUNTIME.install(&options.target, &*options.progress)?)).await?;
            return Ok([environment.join("bin/python"), "-m".into(), "awslambdaric".into(), handler.into()].into());
        }
        if runtime.starts_with("nodejs") {
            let environment = blocking(move || Ok(NODE_RUNTIME.install(&options.target, &*options.progress)?)).await?;
            let client = environment.join("node_modules/aws-lambda-ric/index.mjs");
            return Ok([environment.join("bin/node"), client, handler.into()].into());
        }
        Err(SandboxError::Account {
            what: "starting a function".to_owned(),
            detail: format!("the sandbox has no managed runtime {runtime}"),
        })
    }
}

impl ManagedFunction {
    /// Has the function handle an event, as Invoke does for a caller that waits.
    ///
    /// # Errors
    /// [`SandboxError::FunctionStart`] with the function's log when it ends, or takes longer than its timeout.
    pub async fn invoke(&mut self, event: &Value) -> Result<Reply, SandboxError> {
        let reply = self.api.hand_over(event, self.timeout);
        let timeout = self.timeout;
        let problem = tokio::select! {
            Ok(reply) = reply => return Ok(reply),
            problem = self.ended() => problem,
            () = tokio::time::sleep(timeout) => {
                // As Lambda does: an environment whose function hangs is not used again. It may have ended just now.
                let _ = self.process.kill();
                format!("no answer within {timeout:?}")
            }
        };
        Err(self.failed(problem))
    }

    /// What the function has written to its log: standard output and standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(log(self.directory.path())).unwrap_or_default()
    }

    async fn ready(&mut self) -> Result<(), SandboxError> {
        let mut progress = self.api.progress();
        let problem = tokio::select! {
            Ok(progress) = progress.wait_for(|progress| *progress != Progress::Starting) => match &*progress {
                Progress::Failed(error) => error.to_string(),
                Progress::Starting | Progress::Ready => return Ok(()),
            },
            problem = self.ended() => problem,
            () = tokio::time::sleep(START) => format!("it did not ask for an event within {START:?}"),
        };
        Err(self.failed(problem))
    }

    /// Returns when the process has ended.
    async fn ended(&mut self) -> String {
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return ended(status),
                Ok(None) => tokio::time::sleep(LOOK).await,
                Err(error) => return error.to_string(),
            }
        }
    }

    fn failed(&self, problem: String) -> SandboxError {
        SandboxError::FunctionStart { function: self.name.clone(), problem, log: self.log() }
    }
}

impl Drop for ManagedFunction {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ended(status: ExitStatus) -> String {
    format!("the runtime ended: {status}")
}

/// The variables that the function's configuration holds.
fn variables(configuration: &Value) -> BTreeMap<String, String> {
    let lent = ["PATH", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?)));
    let defaults = [("LANG", "en_US.UTF-8"), ("TZ", ":UTC")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = configuration["Environment"]["Variables"].as_object().into_iter().flatten();
    let own = own.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    lent.chain(defaults).chain(own).collect()
}

fn unpack(zip: &[u8], into: &Path) -> Result<(), SandboxError> {
    // MiniStack holds nothing for a function that was made with an empty archive.
    if zip.is_empty() {
        return Ok(());
    }
    let unpacked = ZipArchive::new(Cursor::new(zip)).and_then(|mut archive| archive.extract(into));
    unpacked.map_err(io::Error::from).map_err(SandboxError::io("unpacking into", into))
}

fn log(directory: &Path) -> PathBuf {
    directory.join("log")
}

fn spawn(
    command: &[PathBuf],
    environment: &BTreeMap<String, String>,
    task: &Path,
    directory: &Path,
) -> io::Result<Child> {
    let log = fs::File::create(log(directory))?;
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir(task)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C reaches this process only; the function ends with its value, or when the Runtime API has gone.
        .process_group(0)
        .spawn()
}
