//! The start-up layer as it is deployed.

use std::{
    fs,
    io::Cursor,
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};
use warden_sandbox::{Architecture, Options, build_layer, package_layer, workspace};
use warden_tests::glibc::{GlibcVersion, glibc_needed};
use zip::ZipArchive;

/// The budget: a function has 250 MB for its code and all its layers.
const LARGEST: usize = 3 * 1024 * 1024;

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    build_layer(&workspace(), &Options::default().target, Architecture::X86_64, &|_| {}).expect("the layer's binary")
});

#[test]
fn it_runs_on_the_oldest_managed_runtimes() {
    let needed = glibc_needed(&fs::read(&*BINARY).unwrap()).unwrap().expect("it uses glibc");
    assert!(needed <= GlibcVersion::AMAZON_LINUX_2, "it needs glibc {needed}");
}

#[test]
fn it_is_small_and_executable_where_functions_look_for_it() {
    let zip = package_layer(&BINARY).unwrap();
    assert_eq!(zip, package_layer(&BINARY).unwrap(), "the same binary gives the same bytes");
    let mut archive = ZipArchive::new(Cursor::new(&zip)).unwrap();
    assert_eq!(archive.len(), 1);
    let entry = archive.by_index(0).unwrap();
    assert_eq!((entry.name(), entry.unix_mode()), ("warden/secret-env", Some(0o100_755)));
    let unpacked = usize::try_from(entry.size()).unwrap();
    assert!(zip.len() + unpacked <= LARGEST, "{} and {unpacked} bytes", zip.len());
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let environment = environment.iter().copied();
    Command::new(&*BINARY).args(arguments).env_clear().envs(environment).output().expect("it runs")
}

#[test]
fn it_becomes_what_follows_it_with_every_argument_as_it_was() {
    let output =
        run(&["/bin/sh", "-c", "printf '%s|' \"$@\" \"$STAGE\"; exit 7", "sh", "a b", "", "$c"], &[("STAGE", "prod ")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b||$c|prod |");
    assert_eq!(output.status.code(), Some(7));
}

#[track_caller]
fn check(arguments: &[&str], environment: &[(&str, &str)], line: &str) {
    let output = run(arguments, environment);
    let seen = String::from_utf8_lossy(&output.stderr);
    assert!(seen.starts_with("warden secret-env: ") && seen.contains(line) && seen.lines().count() == 1, "{seen}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}

#[test]
fn it_says_what_is_missing() {
    let reference = ("KEY", "warden-secret:warden/pay/1");
    let region = ("AWS_REGION", "us-east-1");
    check(&[], &[], "no runtime to start");
    check(&["/nowhere/python"], &[], "\"/nowhere/python\" cannot be started");
    check(&["/bin/true"], &[reference], "AWS_REGION is not set");
    check(&["/bin/true"], &[reference, region], "AWS_ACCESS_KEY_ID is not set");
    check(&["/bin/true"], &[reference, region, ("AWS_CA_BUNDLE", "/nowhere.pem")], "/nowhere.pem");
    check(&["/bin/true"], &[reference, region, ("AWS_CA_BUNDLE", "/dev/null")], "no certificate in it");
}
