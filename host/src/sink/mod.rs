//! Sinks: where output records go. A sink belongs to one lane, takes the output records of one batch at a time, and
//! settles each such delivery once.
//!
//! ```text
//! lane:  ready? -> deliver(ticket, records) ... poll -> Settlement(ticket, outcome) -> ledger
//! ```
//!
//! The lane is a plain thread that also serves the Kafka consumer, so no method may block: a sink that speaks to a
//! server encodes in `deliver` and leaves waiting and retrying to a worker of its own. A sink retries what is
//! transient by itself, for ever, with a capped back-off; its queue fills up, `ready` says no, and that is how a slow
//! sink slows its own pipeline and nothing else.
//!
//! Order: what one sink is given for one partition reaches the server in that order.

use thiserror::Error;

use crate::{batch::Batch, output::Record};

mod delivery;
mod elasticsearch;
pub mod kafka;
pub mod ndjson;
mod pool;
mod redis;
mod server;
mod stats;
mod template;
mod worker;

pub use self::{elasticsearch::elasticsearch, redis::redis};
pub use stats::{SinkCounts, SinkStats};

/// Names one delivery: the part of one batch that goes to one sink of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Number of the batch within its lane.
    pub batch: u64,
    /// Index of the sink within its lane.
    pub sink: u16,
}

/// The end of one delivery. Each ticket is settled exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub ticket: Ticket,
    pub outcome: Outcome,
}

/// What became of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every record is at the server.
    Delivered,
    /// All but these are at the server, and no retry will help these: they go to the dead letters.
    Rejected(Vec<Rejected>),
    /// The sink gave up without knowing what arrived: the lane starts over from what is committed.
    Unknown(String),
    /// A person has to look (credentials, a missing topic, a wrong address): the pipeline stops with this reason.
    Failed(String),
}

/// One output record that its server will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Row of the batch that the record came from.
    pub row: u32,
    /// For people: the server's own words, and the sink's name.
    pub reason: String,
}

/// A sink cannot be built or reached as configured.
#[derive(Debug, Error)]
#[error("sink `{sink}`: {reason}")]
pub struct SinkError {
    pub sink: String,
    pub reason: String,
}

/// Whether a sink has reached its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Made,
    /// It goes on trying; why the last attempt failed, if there was one.
    Waits(Option<String>),
    /// Not in this way, but another one may do: the lane is to start over.
    Over(String),
    /// A person has to look.
    Failed(String),
}

/// Takes output records and reports what became of them. Owned and called by one lane thread.
pub trait Sink {
    /// Whether the server was reached: asked before anything is consumed, until it was. A sink without a server need
    /// not say anything.
    fn contact(&self) -> Contact {
        Contact::Made
    }

    /// Whether another delivery may be handed over now. The lane asks before each batch, and again some milliseconds
    /// later while the answer is no. Bounded in records and bytes by the sink.
    fn ready(&mut self) -> bool;

    /// Takes the records of one batch that are routed here, at least one. Called only after `ready` said yes; never
    /// blocks. The sink settles `ticket` later through [`Self::poll`], also if it can only say that it failed.
    fn deliver(&mut self, ticket: Ticket, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>);

    /// Appends the deliveries that were settled since the last call. Never blocks; called some hundred times a second.
    fn poll(&mut self, settled: &mut Vec<Settlement>);
}
