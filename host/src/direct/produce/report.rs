//! What became of records, and of the way to the brokers.

use crate::kafka::Failure;

/// The end of some records, of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The numbers given to [`super::DirectProducer::produce`], in order.
    pub opaques: Vec<u64>,
    pub outcome: Result<(), Failure>,
}

/// What happened since it was asked for last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// What went wrong last, and is tried again.
    pub trouble: Option<String>,
    /// Produce requests.
    pub requests: usize,
    /// Bytes of the record batches in them, compressed where they are.
    pub bytes: usize,
    /// Records of batches in them that were sent before.
    pub again: usize,
}

impl News {
    pub(super) fn sent(&mut self, bytes: usize, again: usize) {
        self.requests += 1;
        self.bytes += bytes;
        self.again += again;
    }
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
