//! Programs from PyPI, each set of them in a virtual environment of the project's own.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use crate::BuildError;

/// A virtual environment: what is in it, every file of it by its hash.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// The first part of its directory's name.
    name: &'static str,
    /// What people call it.
    title: &'static str,
    requirements: &'static str,
    /// What is to be done when pip is done.
    finish: Option<Finish>,
}

/// The last step of an installation, in the directory that will be the environment; it tells of its progress.
pub type Finish = fn(&Path, &dyn Fn(&str)) -> Result<(), BuildError>;

/// What links a binary for a C library older than this machine's.
pub(crate) const ZIG: Environment = Environment::new("zig", "Zig", include_str!("../requirements/zig.txt"));

impl Environment {
    /// An environment by the first part of its directory's name, what people call it, and its requirements, with
    /// hashes.
    pub const fn new(name: &'static str, title: &'static str, requirements: &'static str) -> Self {
        Self { name, title, requirements, finish: None }
    }

    /// The same with a last step.
    #[must_use]
    pub const fn finished_by(self, finish: Finish) -> Self {
        Self { finish: Some(finish), ..self }
    }

    /// Finds or makes the environment under `<target>/sandbox` and returns its directory; its Python is `bin/python`
    /// there. Blocks for some seconds the first time.
    ///
    /// The environment is named after the requirements' hash, so that a new version gets a new one, and takes its place
    /// by a rename, so that it is whole or absent. A lock makes a second process wait for the first rather than install
    /// again.
    ///
    /// # Errors
    /// What is missing and how to get it, or what pip said.
    pub fn install(&self, target: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, BuildError> {
        let home = target.join("sandbox");
        fs::create_dir_all(&home).map_err(BuildError::io("creating", &home))?;
        let digest: String =
            Sha256::digest(self.requirements).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let environment = home.join(format!("{}-{digest}", self.name));

        // The link leads to the system's Python: where that has gone, the environment is made again.
        let installed = || environment.join("bin/python").exists();
        if installed() {
            return Ok(environment);
        }
        let lock_path = home.join("install.lock");
        let lock = File::create(&lock_path).map_err(BuildError::io("creating", &lock_path))?;
        lock.lock().map_err(BuildError::io("locking", &lock_path))?;
        if installed() {
            return Ok(environment);
        }
        check_python()?;
        progress("creating a Python environment");
        let draft = tempfile::Builder::new()
            .prefix("draft-")
            .tempdir_in(&home)
            .map_err(BuildError::io("creating a directory in", &home))?;
        create(draft.path())?;
        let requirements = draft.path().join("requirements.txt");
        fs::write(&requirements, self.requirements).map_err(BuildError::io("writing", &requirements))?;
        self.fill(&draft.path().join("bin/python"), &requirements, progress)?;
        if let Some(finish) = self.finish {
            finish(draft.path(), progress)?;
        }

        if environment.exists() {
            fs::remove_dir_all(&environment).map_err(BuildError::io("removing", &environment))?;
        }
        let draft = draft.keep();
        fs::rename(&draft, &environment).map_err(BuildError::io("moving into place", &environment))?;
        Ok(environment)
    }

    fn fill(&self, python: &Path, requirements: &Path, progress: &dyn Fn(&str)) -> Result<(), BuildError> {
        let total = self.requirements.lines().filter(|line| line.contains("==") && !line.starts_with('#')).count();
        let mut pip = Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
                "--require-hashes",
                "--no-deps",
            ])
            .arg("--requirement")
            .arg(requirements)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(BuildError::io("running", python))?;
        // Read beside standard output, so that neither pipe fills up.
        let complaints = pip.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut text = String::new();
                pipe.read_to_string(&mut text).map(|_| text).unwrap_or_default()
            })
        });
        let mut collected = 0;
        for line in pip.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
            if line.starts_with("Collecting ") {
                collected += 1;
                progress(&format!("installing {} ({collected} of {total})", self.title));
            }
        }
        let status = pip.wait().map_err(BuildError::io("waiting for", python))?;
        let complaints = complaints.and_then(|thread| thread.join().ok()).unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        let lines: Vec<&str> = complaints.lines().collect();
        let detail = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n");
        Err(BuildError::Install { what: self.title, detail })
    }
}

fn check_python() -> Result<(), BuildError> {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(sys.version_info < (3, 10))"])
        .output()
        .map_err(|_| BuildError::NoPython)?;
    let found = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    match (asked.status.success(), found.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err(BuildError::NoPython),
        (false, false) => Err(BuildError::OldPython { found }),
    }
}

fn create(environment: &Path) -> Result<(), BuildError> {
    let made = Command::new("python3")
        .args([OsStr::new("-m"), OsStr::new("venv"), environment.as_os_str()])
        .output()
        .map_err(|_| BuildError::NoPython)?;
    if made.status.success() {
        return Ok(());
    }
    let detail = [made.stdout, made.stderr].concat();
    Err(BuildError::NoVenv { detail: String::from_utf8_lossy(&detail).trim().to_owned() })
}
