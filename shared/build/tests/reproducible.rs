//! The whole way of a binary, with a workspace that takes seconds to build where Warden's takes minutes.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use warden_build::{Architecture, BuildError, System, link, package_guard, target, workspace};

/// Sources with all that a compiler likes to write places down for: a panic of their own, one of a library's beside
/// them, one of the standard library's, and one in a file that a build script wrote.
const SOURCES: [(&str, &str); 6] = [
    (
        "Cargo.toml",
        r#"
[package]
name = "hello"
version = "0.1.0"
edition = "2024"
[dependencies]
greeting = { path = "greeting" }
[profile.release]
lto = "fat"
opt-level = "s"
codegen-units = 1
strip = true
[workspace]
"#,
    ),
    (
        "Cargo.lock",
        r#"version = 4
[[package]]
name = "greeting"
version = "0.1.0"
[[package]]
name = "hello"
version = "0.1.0"
dependencies = ["greeting"]
"#,
    ),
    (
        "src/main.rs",
        r#"
include!(concat!(env!("OUT_DIR"), "/generated.rs"));
fn main() {
    let count = std::env::args().count();
    assert!(count < 100, "own");
    let words: Vec<String> = greeting::words(count).into_iter().map(generated).collect();
    println!("{}", words.join(" "));
}
"#,
    ),
    (
        "build.rs",
        r#"
fn main() {
    let text = "fn generated(word: String) -> String { assert!(word.len() < 100, \"generated\"); word }";
    std::fs::write(std::env::var("OUT_DIR").unwrap() + "/generated.rs", text).unwrap();
}
"#,
    ),
    (
        "greeting/Cargo.toml",
        r#"
[package]
name = "greeting"
version = "0.1.0"
edition = "2024"
"#,
    ),
    (
        "greeting/src/lib.rs",
        r#"
pub fn words(count: usize) -> Vec<String> {
    let all = ["hello", "world"];
    all[..count + 1].iter().map(|word| word.to_string()).collect()
}
"#,
    ),
];

/// Puts the sources into that folder.
fn lay_out(folder: &Path) {
    for (name, text) in SOURCES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    // Zig is installed once.
    let installed = target(&workspace()).join("sandbox");
    fs::create_dir_all(&installed).expect("made");
    fs::create_dir(folder.join("target")).expect("made");
    symlink(installed, folder.join("target/sandbox")).expect("linked");
}

fn build(folder: &Path) -> Result<PathBuf, BuildError> {
    let built =
        link(folder, &folder.join("target"), &["hello"], System::AmazonLinux2023, Architecture::X86_64, &|_| {});
    built.map(|mut binaries| binaries.remove(0))
}

#[test]
fn the_same_sources_give_the_same_package_in_any_folder_and_what_would_not_start_gives_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let folders = ["here", "some/where else/with-a-longer-name"].map(|name| folder.path().join(name));
    let [here, there] = folders.each_ref().map(|folder| {
        lay_out(folder);
        build(folder).expect("a binary that starts on Lambda")
    });
    if cfg!(target_arch = "x86_64") {
        let said = Command::new(&here).output().expect("it starts").stdout;
        assert_eq!(String::from_utf8_lossy(&said), "hello world\n");
    }
    let bytes = fs::read(&here).expect("a file");
    let name = folder.path().to_str().expect("text").as_bytes();
    assert!(!bytes.windows(name.len()).any(|window| window == name), "the folder's name is in the binary");
    // Not with `assert_eq`: nobody reads them.
    assert!(bytes == fs::read(&there).expect("a file"), "the binaries differ");
    assert!(package_guard(&here).expect("a package") == package_guard(&there).expect("a package"));

    // One that asks for a loader which Lambda does not have.
    let [here, _] = folders;
    let script = fs::read_to_string(here.join("build.rs")).expect("a file");
    let loader = r#"fn main() { println!("cargo::rustc-link-arg-bins=-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1");"#;
    fs::write(here.join("build.rs"), script.replace("fn main() {", loader)).expect("written");
    let refused = build(&here).expect_err("it does not start").to_string();
    assert!(refused.contains("hello must not be deployed: its loader is /lib/ld-musl-x86_64.so.1"), "{refused}");
}
