//! The guards' own log.

use lambda_runtime::tracing::subscriber::{self, filter::LevelFilter};
use std::env;

/// The level that Lambda's logging settings ask for, and never more than `debug`: at `trace` the AWS SDK prints its
/// requests and answers whole, with whatever secret stands in them. `RUST_LOG` is not read, for the same reason.
fn level(asked: Option<&str>) -> LevelFilter {
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG)
}

/// Starts the log, in the format that Lambda's logging settings ask for.
pub(crate) fn start() {
    let setting = |name| env::var(name).ok();
    let log = subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_max_level(level(setting("AWS_LAMBDA_LOG_LEVEL").as_deref()));
    if setting("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        log.json().init();
    } else {
        log.init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_logged_below_debug() {
        for (asked, expected) in [
            (None, LevelFilter::INFO),
            (Some("WARN"), LevelFilter::WARN),
            (Some("DEBUG"), LevelFilter::DEBUG),
            (Some("TRACE"), LevelFilter::DEBUG),
            (Some("loud"), LevelFilter::INFO),
        ] {
            assert_eq!(level(asked), expected, "{asked:?}");
        }
    }
}
