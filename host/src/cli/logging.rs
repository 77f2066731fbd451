//! The log on stderr: what `RUST_LOG` says, or a default.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// A consumer that we have closed is closed once more by its wrapper, which calls it an error that it is.
const CLOSED_TWICE: &str = "rdkafka::consumer::base_consumer=off";

/// `default`: directives as in `RUST_LOG`, for when that is not set.
pub(super) fn start(default: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{default},{CLOSED_TWICE}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
