//! What the start-up layer costs a function's start, on this machine:
//!
//!     cargo bench -p warden-tests --bench layer_start
//!
//! `cargo test -p warden-tests --bench layer_start` makes one start of each kind with a layer built for this machine,
//! to try whether all this works.
//!
//! The layer is built as it is deployed, whatever this program is built as. Each run starts `/bin/true` as Lambda
//! starts a runtime: alone, behind the layer without a reference, and behind the layer with references to a secret that
//! a server in this process hands out over TLS at once. The last includes both ends of the handshake, and everything of
//! the one call but the network.

use serde_json::json;
use std::{
    error::Error,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use warden_build::{Architecture, GlibcVersion, build_guards, check, link_layer, package_layer, target, workspace};
use warden_tests::{
    benchmark::{is_short, runs},
    secure_server::SecureServer,
};

const RUNS: usize = 100;
const REFERENCE: &str = "warden-secret:warden/pay/1f2e3d4c5b6a";

fn main() -> Result<(), Box<dyn Error>> {
    let say = |text: &str| eprintln!("{text}");
    let layer = match is_short() {
        true => build_guards(&workspace(), &["secret-env"], &say)?.swap_remove(0),
        false => link_layer(&workspace(), &target(&workspace()), Architecture::X86_64, &say)?,
    };
    let runs = runs(RUNS);
    // The first of each brings the binaries into the page cache, and is not counted.
    let alone = times(Command::new("/bin/true").env_clear())?;
    let idle = times(behind(&layer).env("STAGE", "prod"))?;

    let values = json!({"DB_PASSWORD": "correct horse", "STRIPE_KEY": "battery staple"}).to_string();
    let server = SecureServer::start(runs + 1, &json!({"Name": "warden/pay/1f2e3d4c5b6a", "SecretString": values}));
    let bundle = tempfile::NamedTempFile::new()?;
    fs::write(bundle.path(), &server.certificate)?;
    let resolving = times(
        behind(&layer)
            .env("DB_PASSWORD", REFERENCE)
            .env("STRIPE_KEY", REFERENCE)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_SESSION_TOKEN", "test")
            .env("AWS_ENDPOINT_URL", &server.url)
            .env("AWS_CA_BUNDLE", bundle.path()),
    )?;
    assert_eq!(server.requests().len(), runs + 1);

    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    println!("secret-env, {runs} starts each; {} cores, load {load}\n", thread::available_parallelism()?);
    println!("{:<44}{:>10}{:>10}{:>10}", "", "median", "lowest", "budget");
    row("/bin/true alone", &alone, Duration::ZERO, "");
    row("what the layer adds without a reference", &idle, median(&alone), "");
    row("what it adds with its call, but the network", &resolving, median(&alone), "10 ms");
    if is_short() {
        return Ok(());
    }
    let binary = fs::read(&layer)?;
    let zip = package_layer(&layer)?;
    let megabytes = |bytes: usize| format!("{:.2} MB", bytes as f64 / 1e6);
    println!("{:<44}{:>10}{:>20}", "binary and zip", megabytes(binary.len() + zip.len()), "3 MB");
    println!("{:<44}{:>10}", "zip", megabytes(zip.len()));
    let there = GlibcVersion::AMAZON_LINUX_2;
    let glibc = check(&binary, Architecture::X86_64, there)?.to_string();
    println!("{:<44}{glibc:>10}{there:>20}", "glibc needed");
    Ok(())
}

fn behind(layer: &Path) -> Command {
    let mut command = Command::new(layer);
    command.arg("/bin/true").env_clear();
    command
}

/// How long each start took, the quickest first.
fn times(command: &mut Command) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::new();
    for run in 0..=runs(RUNS) {
        let began = Instant::now();
        let ended = command.status()?;
        let time = began.elapsed();
        if !ended.success() {
            return Err(format!("{command:?}: {ended}").into());
        }
        if run > 0 {
            times.push(time);
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

/// Prints a line of the table, less what it takes anyway.
fn row(what: &str, times: &[Duration], anyway: Duration, budget: &str) {
    let show = |time: Duration| format!("{:.2} ms", time.saturating_sub(anyway).as_secs_f64() * 1e3);
    println!("{what:<44}{:>10}{:>10}{budget:>10}", show(median(times)), show(times[0]));
}
