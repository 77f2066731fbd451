//! What the end-to-end tests stand on: real servers, started once for a run; the real program; topics of a test's own.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod database;
mod elasticsearch;
mod example;
mod host;
mod kafka;
mod proxy;
mod redis;
mod services;

pub use database::Database;
pub use elasticsearch::Index;
pub use example::Example;
pub use host::{Answer, Host, guest, with_peak_memory};
pub use kafka::{Read, Topic, timestamp};
pub use proxy::{Network, Proxy};
pub use redis::Keys;
pub use services::{OwnKafka, OwnRedis, SASL_USER, Services, beside, other_kafka, root, services, use_services};

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

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

/// A name that no other test of this or another run has.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed))
}
