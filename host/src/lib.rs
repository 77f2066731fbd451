//! The Wasmill host: Kafka in, a sandboxed module for each batch, Kafka, Elasticsearch or Redis out.
//!
//! ```text
//! source -> engine -> router -> sinks -> ledger -> commit        the data plane: threads, columns, no locks per record
//!    ^         ^                  |
//!    |         +-- live release --+-- status, counters           the one seam in each direction
//!    +------------- control <- admin <- cli                      the control plane: decides, touches no record
//! ```
//!
//! Modules in the order in which they are best read. Arrows between them point down this list's other way only:
//! `tests/tidy.rs` holds the table. ARCHITECTURE.md tells the whole story.

pub mod columns;

pub mod batch;

pub mod output;

pub mod limits;

pub mod contact;

mod redis_client;

pub mod config;

#[allow(unsafe_code, reason = "librdkafka's batch calls are C functions; see the folder's documentation")]
pub mod kafka;

pub mod direct;

pub mod source;

pub mod engine;

pub mod grants;

pub mod router;

pub mod sink;

pub mod pipeline;

pub mod control;

pub mod admin;

pub mod demo;

pub mod verify;

pub mod cli;
