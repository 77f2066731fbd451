//! Metrics of a module's own: shown by the host with its names in front, `[a-z0-9_]{1,64}`, at most 64 of an instance.
//! Outside a host they go nowhere.

/// Adds to a counter.
pub fn count(name: &str, by: u64) {
    crate::glue::count(name, by);
}

/// Notes a value of which the distribution matters.
pub fn observe(name: &str, value: f64) {
    crate::glue::observe(name, value);
}
