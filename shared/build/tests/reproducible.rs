//! The whole way of a binary, with a workspace that takes seconds to build where Warden's takes minutes.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use warden_build::{Architecture, System, link, package_guard, target, workspace};

/// Sources with all that a compiler likes to write places down for: a panic of their own, one of a library's beside them, one of the
/// standard library's, and one in a file that a build script wrote.
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

/// Builds the sources in that folder and returns the binary.
fn build(folder: &Path) -> PathBuf {
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
    let built =
        link(folder, &folder.join("target"), &["hello"], System::AmazonLinux2023, Architecture::X86_64, &|_| {});
    built.expect("a binary that starts on Lambda").remove(0)
}

#[test]
fn the_same_sources_give_the_same_package_in_any_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = build(&folder.path().join("here"));
    let there = build(&folder.path().join("some/where else/with-a-longer-name"));
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
}
