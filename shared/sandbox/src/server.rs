//! The MiniStack process of one sandbox.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tempfile::TempDir;

use crate::{ACCOUNT, Options, SandboxError};

/// What the account drops from templates in silence: the type of a resource, and its properties. Whoever deploys one of
/// these must read it from the template itself; a property of another name is refused.
pub const DROPPED_PROPERTIES: &str = include_str!("../launcher/dropped.json");

/// The launcher's modules, written into each sandbox's directory so that the binary needs no source tree.
const LAUNCHER: [(&str, &str); 25] = [
    ("launcher.py", include_str!("../launcher/launcher.py")),
    ("async_failures.py", include_str!("../launcher/async_failures.py")),
    ("concurrency.py", include_str!("../launcher/concurrency.py")),
    ("condition_keys.txt", include_str!("../launcher/condition_keys.txt")),
    ("context_keys.py", include_str!("../launcher/context_keys.py")),
    ("control.py", include_str!("../launcher/control.py")),
    ("corrections.py", include_str!("../launcher/corrections.py")),
    ("downloads.py", include_str!("../launcher/downloads.py")),
    ("dropped.json", DROPPED_PROPERTIES),
    ("dropped_properties.py", include_str!("../launcher/dropped_properties.py")),
    ("environment_keys.py", include_str!("../launcher/environment_keys.py")),
    ("function_updates.py", include_str!("../launcher/function_updates.py")),
    ("iam_lag.py", include_str!("../launcher/iam_lag.py")),
    ("iam_pages.py", include_str!("../launcher/iam_pages.py")),
    ("queues.py", include_str!("../launcher/queues.py")),
    ("principals.py", include_str!("../launcher/principals.py")),
    ("settings.py", include_str!("../launcher/settings.py")),
    ("function_policy.py", include_str!("../launcher/function_policy.py")),
    ("managed_instances.py", include_str!("../launcher/managed_instances.py")),
    ("request_models.py", include_str!("../launcher/request_models.py")),
    ("secret_policies.py", include_str!("../launcher/secret_policies.py")),
    ("secret_versions.py", include_str!("../launcher/secret_versions.py")),
    ("service_principals.py", include_str!("../launcher/service_principals.py")),
    ("stacks.py", include_str!("../launcher/stacks.py")),
    ("tracing.py", include_str!("../launcher/tracing.py")),
];

/// How long the launcher may take to go once it has been told.
const FAREWELL: Duration = Duration::from_secs(3);

/// A running MiniStack. Dropping it ends it, together with the bootstraps it runs, and removes its files.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Open while the server is to live: the launcher kills its process group when it closes, which it does even
    /// when this process is killed.
    lifeline: Option<ChildStdin>,
    directory: TempDir,
    pub(crate) port: u16,
}

#[derive(Deserialize)]
struct Greeting {
    port: u16,
}

impl Server {
    /// Starts MiniStack with `endpoint` as the address that functions call AWS at. Blocks until it listens.
    pub(crate) fn start(python: &Path, endpoint: &str, options: &Options) -> Result<Self, SandboxError> {
        let directory = tempfile::Builder::new()
            .prefix("warden-sandbox-")
            .tempdir()
            .map_err(SandboxError::io("creating a directory in", env::temp_dir()))?;
        let at = |name: &str| directory.path().join(name);
        for name in ["launcher", "tmp", "state"] {
            fs::create_dir(at(name)).map_err(SandboxError::io("creating", at(name)))?;
        }
        for (name, text) in LAUNCHER {
            let path = at("launcher").join(name);
            fs::write(&path, text).map_err(SandboxError::io("writing", path))?;
        }
        let log_path = at("server.log");
        let log = fs::File::create(&log_path).map_err(SandboxError::io("creating", &log_path))?;

        let mut command = Command::new(python);
        command
            .arg(at("launcher").join("launcher.py"))
            .env_clear()
            .envs(["PATH", "LANG", "TZ", "LD_LIBRARY_PATH"].iter().filter_map(|name| Some((name, env::var_os(name)?))))
            .envs([
                ("MINISTACK_ACCOUNT_ID", ACCOUNT),
                ("MINISTACK_REGION", &options.region),
                ("MINISTACK_HOST", "127.0.0.1"),
                ("BIND_HOST", "127.0.0.1"),
                ("AUTH", "true"),
                ("AWS_ENDPOINT_URL", endpoint),
                ("LAMBDA_ACCOUNT_CONCURRENCY", "1000"),
                ("LAMBDA_EXECUTOR", "local"),
                ("SFTP_ENABLED", "0"),
                ("IOT_MTLS_ENABLED", "0"),
                // The key that MiniStack takes for the account's root; it never leaves this machine.
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                // No docker: functions run as processes of this machine.
                ("DOCKER_HOST", "unix:///nonexistent"),
            ])
            .env("HOME", directory.path())
            .env("TMPDIR", at("tmp"))
            .env("STATE_DIR", at("state"))
            .env("S3_DATA_DIR", at("state").join("s3"))
            .env("WARDEN_SANDBOX_DIRECTORY", directory.path())
            .env("WARDEN_SANDBOX_CORRECTIONS", if options.corrections { "on" } else { "off" })
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group of its own: Ctrl-C reaches this process only, and the launcher can take its bootstraps along.
            .process_group(0);
        let mut child = command.spawn().map_err(SandboxError::io("running", python))?;
        let lifeline = child.stdin.take();
        let mut first = String::new();
        if let Some(pipe) = child.stdout.take() {
            // An error leaves the line empty, which is dealt with below.
            let _ = BufReader::new(pipe).read_line(&mut first);
        }
        let mut server = Self { child, lifeline, directory, port: 0 };
        match serde_json::from_str::<Greeting>(&first) {
            Ok(greeting) => server.port = greeting.port,
            Err(_) => return Err(server.failed("the launcher ended before it was ready")),
        }
        Ok(server)
    }

    /// The server's log file.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    /// The sandbox's own directory, removed at its end.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// An error that shows the end of the log.
    pub(crate) fn failed(&self, problem: &str) -> SandboxError {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let log = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
        SandboxError::Start { problem: problem.to_owned(), log }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            // The goodbye: the directory is removed here, not by the launcher. It may be gone already.
            let _ = lifeline.write_all(b"bye");
        }
        let told = Instant::now();
        while told.elapsed() < FAREWELL {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // The launcher is stuck: end it alone. Nothing better can be done with a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
