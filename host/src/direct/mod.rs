//! The direct path: Kafka's own protocol, for the two requests that move records and for transactions of what is
//! produced.
//!
//! librdkafka makes an object of each record, twice, and that is nine tenths of what it costs to bring a record from Kafka
//! to Kafka. Records travel in batches: a fetch is answered with record batches, and a producer sends record batches.
//! Here a fetched batch is read where it lies, and outputs are written into the batch in which they are sent; nothing is
//! allocated, locked or queued for a record.
//!
//! The group stays librdkafka's, with its rebalances, offsets and commits: [`Fetcher`] is told what to read, and a
//! transaction who is the member whose offsets are in it. So does what this path does not do: TLS, SASL, brokers before
//! 2.4 (2.5 for transactions), records from before 0.11, and every property that [`Unsupported`] names. Both paths give the same promises; which is taken ([`Choice`]) changes
//! nothing but the cost. Why: docs/adr/0016-direct-path.md.
//!
//! ```text
//! wire -> api -> connection -> cluster -+-> fetch -> rows
//!           records, compression -------+-> produce <- transaction
//! ```

mod api;
mod choice;
mod cluster;
mod compression;
mod connection;
#[cfg(test)]
mod fake;
mod fetch;
mod options;
mod partitioner;
mod produce;
mod records;
mod rows;
mod transaction;
mod wire;

pub use choice::{Choice, Ground, Unfit};
pub use fetch::{Chunk, Fetcher, Pace};
pub use options::Unsupported;
pub use produce::{DirectContact, DirectProducer, DirectTopic, News, Report};
pub use rows::{ChunkRows, Remainder};
