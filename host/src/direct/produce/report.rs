//! What became of records, and of the way to the brokers.

use crate::kafka::Failure;

/// The end of some records, of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The numbers given to [`super::DirectProducer::produce`], in order.
    pub opaques: Vec<u64>,
    pub outcome: Result<(), Failure>,
}

/// Whether a producer has spoken to its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectContact {
    Made,
    /// It goes on trying; why the last attempt failed, if there was one.
    Waits(Option<String>),
    /// The brokers are older than what is spoken here; librdkafka can.
    Unfit(String),
}
