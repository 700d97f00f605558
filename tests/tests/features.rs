//! What a package asks of the crates that the AWS SDK is built on is what the whole workspace asks: else `cargo test
//! -p` compiles all of the SDK once more.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};
use warden_sandbox::workspace;

const PACKAGES: [&str; 8] = [
    "access-guard",
    "concurrency-guard",
    "role-guard",
    "secret-guard",
    "warden-aws",
    "warden-sandbox",
    "warden-tests",
    "warden",
];

/// By crate and version, the sets of features that it is built with.
fn features(of: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{f}"]).args(of);
    let output = tree.current_dir(workspace()).output().expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // Empty lines and headings stand between the packages of a workspace.
        let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') else { continue };
        found.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    found
}

/// What is deployed holds nothing that only tests and builds need.
#[test]
fn no_guard_and_no_layer_carries_the_sandbox() {
    let of_tests = ["warden-sandbox", "warden-build", "warden-tests", "warden-testing"];
    for deployed in ["access-guard", "concurrency-guard", "role-guard", "secret-guard", "secret-env"] {
        let packages = features(&["--package", deployed, "--edges", "normal"]);
        let names = packages.keys().filter_map(|package| package.split(' ').next());
        let carried: Vec<&str> = names.filter(|name| of_tests.contains(name)).collect();
        assert!(carried.is_empty(), "{deployed}: {carried:?}");
    }
}

/// What `.cargo/config.toml` says after `test` for an alias.
fn alias(name: &str) -> Vec<String> {
    let config = std::fs::read_to_string(workspace().join(".cargo/config.toml")).expect("cargo's configuration");
    let text = config.split_once(&format!("{name} = \"\"\"")).and_then(|(_, rest)| rest.split_once("\"\"\""));
    let words = text.expect("an alias").0.split_whitespace().map(str::to_owned);
    words.skip_while(|word| word != "test").skip(1).collect()
}

#[test]
fn the_two_groups_of_tests_are_all_of_the_packages() {
    let value = |words: Vec<String>, option: &str| -> BTreeSet<String> {
        words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].clone()).collect()
    };
    let left_out = value(alias("quick"), "--exclude");
    assert!(left_out.contains("warden-sandbox"), "{left_out:?}");
    assert_eq!(left_out, value(alias("end-to-end"), "--package"));
}

#[test]
fn every_package_is_built_on_the_same_sdk() {
    let below: BTreeSet<String> = features(&["--package", "aws-sdk-lambda", "--edges", "normal"]).into_keys().collect();
    assert!(below.len() > 50, "{below:?}");
    let whole = features(&["--workspace", "--edges", "normal"]);
    let mut compiled_again = BTreeSet::new();
    let mut check = |of: &[&str]| {
        for (package, sets) in features(of).into_iter().filter(|(package, _)| below.contains(package)) {
            let other = |set: &String| !whole.get(&package).is_some_and(|known| known.contains(set));
            compiled_again
                .extend(sets.iter().filter(|set| other(set)).map(|set| format!("{package} with {set}: {of:?}")));
        }
    };
    check(&["--workspace", "--edges", "normal,dev"]);
    let quick = alias("quick");
    let quick: Vec<&str> = quick.iter().map(String::as_str).chain(["--edges", "normal,dev"]).collect();
    check(&quick);
    for package in PACKAGES {
        check(&["--package", package, "--edges", "normal,dev"]);
    }
    // Those that are built by themselves, too.
    for package in ["access-guard", "concurrency-guard", "role-guard", "secret-guard", "warden"] {
        check(&["--package", package, "--edges", "normal"]);
    }
    check(&["--package", "warden", "--no-default-features", "--edges", "normal"]);
    assert!(compiled_again.is_empty(), "add to shared/unify/Cargo.toml: {compiled_again:#?}");
}

/// What is released has no demo, and so no local account in it.
#[test]
fn a_release_carries_no_sandbox() {
    let released = features(&["--package", "warden", "--no-default-features", "--edges", "normal"]);
    assert!(released.keys().any(|package| package.starts_with("warden-engine ")));
    assert!(!released.keys().any(|package| package.starts_with("warden-sandbox ")), "{:?}", released.keys());
}
