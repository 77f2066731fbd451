pub mod admin;
pub mod batch;
pub mod cli;
pub mod columns;
pub mod config;
pub mod control;
pub mod demo;
pub mod engine;
#[allow(unsafe_code, reason = "librdkafka's batch calls are C functions; see the folder's documentation")]
pub mod kafka;
pub mod limits;
pub mod output;
pub mod pipeline;
pub mod router;
pub mod sink;
pub mod source;
