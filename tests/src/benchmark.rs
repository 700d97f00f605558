//! The short form of this package's benchmarks.

use std::env;

/// How often to measure: `runs` times for `cargo bench`, and once for `cargo test --bench NAME`, which tries whether
/// the benchmark works and says nothing about time. Cargo tells a benchmark which of both it is run by, by an argument;
/// divan reads it too.
pub fn runs(runs: usize) -> usize {
    if is_short() { 1 } else { runs }
}

/// Whether the benchmark is only tried: see [`runs`]. It then takes what `cargo test` built, and not what is deployed.
pub fn is_short() -> bool {
    !env::args().any(|argument| argument == "--bench")
}
