//! End to end: the real program, real Kafka, Elasticsearch and Redis, real modules.
#![allow(clippy::expect_used, clippy::panic, clippy::string_slice, reason = "a test fails by panicking")]

mod binlog_router;
mod binlog_sync;
mod counters;
mod delivery;
mod direct;
mod exactly_once;
mod faults;
mod log_es;
mod migration;
mod mocked;
mod refusals;
mod scale;
mod seeks;
mod sinks;
mod timers;
mod topic_dump;
mod tracking;
mod triggers;
mod verify;
mod workload;
mod wrong_settings;
