//! A thin layer over librdkafka: the only folder that names `rdkafka`, and the only one with `unsafe` but for the
//! engine's one call that loads compiled code.
//!
//! The clients of rust-rdkafka hand over one message at a time and cost twice what librdkafka's batch calls cost.
//! Here a [`Consumer`] reads whole arrays of messages from a queue of its own and a [`Producer`] reports deliveries by
//! the array; everything else (configuration, rebalance events, commits, the mock cluster) stays rust-rdkafka's.
//!
//! Invariants
//! - A client belongs to one thread: none is `Sync`, and no callback runs on another thread.
//! - Messages die before the client that they came from: every [`Messages`] holds its client.
//! - The settings that correctness hangs on are set after the user's and cannot be overridden (`config.rs`).

use thiserror::Error;

mod ask;
mod config;
mod consumer;
mod failure;
mod group;
mod lineage;
mod log;
mod membership;
mod messages;
pub mod mock;
mod offsets;
mod producer;
mod reader;

pub use config::{OWNED_PROPERTIES, Settings};
pub use consumer::{Consumer, Event, Partition, StartAt, Trouble};
pub use failure::{Failure, error_text, judge, needs_a_person};
pub use lineage::{LineageReader, LineageWriter, Origin, is_lineage};
pub use membership::Membership;
pub use messages::{Message, Messages};
pub use offsets::{Member, Offsets};
pub use producer::{
    Delivered, ExtraHeaders, ProduceError, Producer, Reach, TopicHandle, TransactionError, check_topic,
};
pub use reader::{ReadError, Reader, Span};

/// What librdkafka answered, in words for people: the call that failed, and its reason.
#[derive(Clone, Debug, Error)]
#[error("{call}: {reason}")]
pub struct KafkaError {
    pub call: &'static str,
    pub reason: String,
}

impl KafkaError {
    pub fn new(call: &'static str, reason: impl ToString) -> Self {
        Self { call, reason: reason.to_string() }
    }
}
