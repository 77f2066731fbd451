//! Exactly-once from Kafka to Kafka: what a lane delivers and the offsets that it commits are one transaction.
//!
//! One producer for each lane (KIP-447), shared by its sinks and its dead letters. A transaction begins with the first
//! delivery, closes after [`INTERVAL`], and is committed when everything in it is delivered: until then the lane
//! delivers no more. Records that a broker refuses spoil the transaction; their rows are noted, and become dead letters
//! of the next one ([`Refused`]). Whatever goes wrong, the lane starts over: its next producer has the same transactional
//! id, which ends what was left open, and the consumer begins at what was committed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{flight::Stuck, refused::Refused};
use crate::{
    kafka::{Partition, TransactionError},
    sink::kafka::Outlet,
    source::Source,
};

/// How long records are gathered into one transaction. Readers of committed records see them so much later; each
/// commit costs some tens of milliseconds, in which the lane only works ahead.
const INTERVAL: Duration = Duration::from_millis(200);

/// Longest wait for the brokers in one call.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) struct Transactions {
    outlet: Outlet,
    /// When the open one is to be closed.
    due: Option<Instant>,
    pub(super) refused: Arc<Refused>,
}

impl Transactions {
    pub(super) fn new(outlet: Outlet, refused: Arc<Refused>) -> Self {
        Self { outlet, due: None, refused }
    }

    /// Ends what a producer before has left open. To be called before anything is consumed, since committed offsets
    /// may be among it.
    ///
    /// # Errors
    /// The brokers do not answer, or not to us.
    pub(super) fn take_over(&self) -> Result<(), Stuck> {
        self.outlet.take_over(TIMEOUT).map_err(stuck)
    }

    /// Before anything is delivered.
    ///
    /// # Errors
    /// The producer is at its end.
    pub(super) fn begin(&mut self) -> Result<(), Stuck> {
        if self.due.is_none() {
            self.outlet.begin().map_err(stuck)?;
            self.due = Some(Instant::now() + INTERVAL);
        }
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.due.is_some()
    }

    /// Whether nothing more may be put into the open one.
    pub(super) fn is_closing(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Puts nothing more into the open one.
    pub(super) fn close(&mut self) {
        self.due = self.due.map(|due| due.min(Instant::now()));
    }

    /// Lets what is in the closed one be delivered without waiting for more.
    pub(super) fn hasten(&self) {
        self.outlet.hasten();
    }

    /// Commits the open one, of which everything is delivered, with these next offsets.
    ///
    /// # Errors
    /// It was not committed, or that is not known.
    pub(super) fn commit(&mut self, source: &Source, offsets: Vec<(Partition, i64)>) -> Result<(), Stuck> {
        self.outlet.commit(Some((source.member(), &offsets)), TIMEOUT).map_err(stuck)?;
        self.due = None;
        offsets.iter().for_each(|(partition, next)| self.refused.forget(partition, *next));
        Ok(())
    }

    /// Commits without offsets: what is in it came from no partition.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(super) fn commit_alone(&mut self) -> Result<(), Stuck> {
        self.outlet.commit(None, TIMEOUT).map_err(stuck)?;
        self.due = None;
        Ok(())
    }
}

fn stuck(error: TransactionError) -> Stuck {
    if error.is_configuration { Stuck::Failed(error.to_string()) } else { Stuck::Restart(error.to_string()) }
}
