//! The log on stderr: what `RUST_LOG` says, or a default.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The wrapper of librdkafka closes a consumer that we have closed once more, and calls that an error. librdkafka's own
/// lines are ours by then, and its errors are answers.
const OTHERS: &str = "rdkafka=off";

/// `default`: directives as in `RUST_LOG`, for when that is not set.
pub(super) fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{OTHERS}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
