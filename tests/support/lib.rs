//! What the end-to-end tests stand on: real servers, started once for a run; the real program; topics of a test's own.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod host;
mod kafka;
mod services;

pub use host::{Answer, Host, guest};
pub use kafka::{Read, Topic};
pub use services::services;

use std::time::{Duration, Instant};

/// Longest wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `done` says so, looking every few milliseconds.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
