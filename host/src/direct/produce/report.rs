//! What became of records.

use crate::kafka::Failure;

/// The end of some records, of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The numbers given to [`super::DirectProducer::produce`], in order.
    pub opaques: Vec<u64>,
    pub outcome: Result<(), Failure>,
}
