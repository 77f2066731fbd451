//! librdkafka's log lines as ours.

/// Forwards one line of syslog severity `level` (0 the gravest). librdkafka's notices are news of connections: `info`
/// here; its chatter is `debug`.
pub(super) fn write(level: i32, facility: &str, message: &str) {
    match level {
        ..=3 => tracing::error!(target: "librdkafka", facility, "{message}"),
        4 => tracing::warn!(target: "librdkafka", facility, "{message}"),
        5 => tracing::info!(target: "librdkafka", facility, "{message}"),
        _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}
