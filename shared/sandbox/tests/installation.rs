//! What somebody sees whose machine lacks something, tried with a `python3` that plays each part.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};
use warden_sandbox::{build_guards, workspace};

/// The program of `tests/bin` that starts a sandbox.
static KEEPER: LazyLock<PathBuf> =
    LazyLock::new(|| build_guards(&workspace(), &["keeper"], &|_| {}).expect("the keeper").remove(0));

/// A machine with nothing on its PATH but a `python3` of the test's own, which does what the script says.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    fn new(python: Option<&str>) -> Self {
        let machine = Self { directory: tempfile::tempdir().expect("a directory") };
        fs::create_dir(machine.path("bin")).expect("a directory");
        if let Some(script) = python {
            executable(&machine.path("bin/python3"), script);
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A start of the sandbox that installs under this machine's directory.
    fn start(&self) -> Child {
        let mut command = Command::new(&*KEEPER);
        command.arg(self.path("target")).env("PATH", self.path("bin")).env("MACHINE", self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the keeper")
    }

    /// What the start complains of.
    fn complaint(&self) -> String {
        let ended = self.start().wait_with_output().expect("its end");
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).expect("text")
    }
}

fn executable(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[track_caller]
fn check(python: Option<&str>, complaint: &[&str]) {
    let machine = Machine::new(python);
    let seen = machine.complaint();
    assert!(complaint.iter().all(|part| seen.contains(part)), "{seen}");
    // Nothing half-made is left to be found by the next start.
    let left = fs::read_dir(machine.path("target/sandbox")).expect("a directory").filter_map(Result::ok);
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["install.lock"]);
}

#[test]
fn no_python() {
    check(None, &["no `python3` on the PATH", "apt install python3"]);
}

#[test]
fn an_old_python() {
    check(Some("echo 3.8.2; exit 1"), &["Python 3.10 or later", "3.8.2"]);
}

#[test]
fn no_venv() {
    let python = r#"case "$*" in "-m venv"*) echo "ensurepip is not available" >&2; exit 1;; *) echo 3.12.1;; esac"#;
    check(Some(python), &["python3-venv", "ensurepip is not available"]);
}

/// A `python3` whose environments have a `python` that notes each `pip install`, and does what the script says.
fn with_pip(script: &str) -> String {
    format!(
        r#"case "$*" in
"-m venv"*) /bin/mkdir -p "$3/bin"; /bin/cat > "$3/bin/python" <<'END'
#!/bin/sh
case "$*" in "-m pip"*) echo installed >> "$MACHINE/pip.log"; {script};; *) exit 1;; esac
END
/bin/chmod 755 "$3/bin/python";;
*) echo 3.12.1;; esac"#
    )
}

#[test]
fn no_registry() {
    let python = with_pip("echo 'ERROR: No matching distribution found for ministack==1.5.33' >&2; exit 1");
    check(Some(&python), &["could not be installed from PyPI", "No matching distribution found"]);
}

#[test]
fn two_starts_at_once_install_once() {
    let machine = Machine::new(Some(&with_pip("/bin/sleep 0.3; exit 0")));
    let starts = [machine.start(), machine.start()];
    for start in starts {
        // Both find the environment; what is in it cannot run MiniStack.
        let seen = start.wait_with_output().expect("its end");
        let seen = String::from_utf8(seen.stderr).expect("text");
        assert!(seen.contains("the local account did not start"), "{seen}");
    }
    assert_eq!(fs::read_to_string(machine.path("pip.log")).expect("the log"), "installed\n");
}
