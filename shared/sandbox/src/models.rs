//! AWS's own definitions of its APIs, from botocore, which is installed with MiniStack by the same pinned list.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{MINISTACK, SandboxError};

/// Prints every version of a service's model. botocore's own data alone, whatever else lies in the user's
/// `~/.aws/models`.
const SCRIPT: &str = "
import json, sys
from botocore.loaders import Loader
loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
versions = loader.list_api_versions(sys.argv[1], 'service-2')
print(json.dumps([loader.load_service_model(sys.argv[1], 'service-2', version) for version in versions]))
";

/// The models of every version of a service's API (`lambda` has two), the oldest first, in botocore's form:
/// `operations`, `shapes`. Installs botocore under `<target>/sandbox` if need be; blocks.
///
/// # Errors
/// What is missing and how to get it, or that botocore has no such service.
pub fn models(target: &Path, service: &str) -> Result<Vec<Value>, SandboxError> {
    let python = python(target)?;
    let failed = SandboxError::io("reading botocore's models with", &python);
    let mut command = Command::new(&python);
    let asked = command.args(["-I", "-c", SCRIPT, service]).stdin(Stdio::null()).output();
    let printed = asked.and_then(|asked| match asked.status.success() {
        true => serde_json::from_slice(&asked.stdout).map_err(io::Error::other),
        false => Err(io::Error::other(String::from_utf8_lossy(&asked.stderr).trim().to_owned())),
    });
    printed.map_err(failed)
}

/// The Python that has MiniStack and botocore, installed under `<target>/sandbox` if need be; blocks.
///
/// # Errors
/// What is missing and how to get it.
pub fn python(target: &Path) -> Result<PathBuf, SandboxError> {
    Ok(MINISTACK.install(target, &|_| {})?.join("bin/python"))
}
