//! Log lines: shown by `wasmill logs`, with the pipeline and the release. Bounded by the host in number and length.
//!
//! Outside a host (in `cargo test`) they go to standard error.

/// Chatter for whoever writes the module.
pub fn trace(message: impl AsRef<str>) {
    crate::glue::log(Level::Trace, message.as_ref());
}

/// Detail for whoever looks for a fault.
pub fn debug(message: impl AsRef<str>) {
    crate::glue::log(Level::Debug, message.as_ref());
}

/// News.
pub fn info(message: impl AsRef<str>) {
    crate::glue::log(Level::Info, message.as_ref());
}

/// Somebody should know.
pub fn warn(message: impl AsRef<str>) {
    crate::glue::log(Level::Warn, message.as_ref());
}

/// Somebody should act.
pub fn error(message: impl AsRef<str>) {
    crate::glue::log(Level::Error, message.as_ref());
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}
