//! End to end: the real program, real Kafka, Elasticsearch and Redis, real modules.
#![allow(clippy::expect_used, clippy::panic, clippy::string_slice, reason = "a test fails by panicking")]

mod delivery;
mod exactly_once;
mod faults;
mod refusals;
mod scale;
mod sinks;
