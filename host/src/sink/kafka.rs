//! The Kafka sink: output records go to a producer as they are, copied once, and deliveries are counted per batch. The
//! producer is the direct path's or librdkafka's (`kafka/way.rs`).
//!
//! Each record carries the number of its delivery's tracker and its row; a report counts the tracker down and only a
//! failure looks at the row. Order per partition is the producer's, which is idempotent, and so is retrying: a record is
//! tried until the broker takes or refuses it.
//!
//! An [`Outlet`] is a producer with what is under way. Mostly a sink has its own; where the records of several sinks
//! belong to one transaction, they share one.

mod trackers;
mod way;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use trackers::{Ended, Trackers};
use way::{Topic, Way};

use super::{Contact, Settlement, Sink, SinkError, SinkStats, Ticket};
use crate::{
    batch::Batch,
    config::Partitioning,
    direct::{Choice, News},
    kafka::{
        Consumer, ExtraHeaders, KafkaError, LineageWriter, Origin, Partition, ProduceError, Settings, TransactionError,
        is_lineage,
    },
    output::{Op, Record},
};

/// Bytes of keys and values that may wait for their report; records: [`Way::records_in_flight_max`]. The producer holds a
/// copy of each, the lane the record that it came from.
const BYTES_IN_FLIGHT_MAX: usize = 16 << 20;

/// How long to wait for room when librdkafka's own queue is full, which the bounds above keep from happening.
const FULL_WAIT: Duration = Duration::from_millis(5);

/// See the module's documentation. Clones are the same outlet; all belong to one lane.
#[derive(Clone)]
pub struct Outlet {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    way: Way,
    trackers: Trackers,
    settled: Vec<Settlement>,
}

impl Outlet {
    /// Connects in the background.
    ///
    /// # Errors
    /// A property that is refused.
    pub fn new(settings: &Settings, client: &Choice) -> Result<Self, KafkaError> {
        Ok(Self::of(Way::new(settings, client)?, false))
    }

    /// An outlet whose records belong to transactions, which its owner begins and commits.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn transactional(settings: &Settings, id: &str, client: &Choice) -> Result<Self, KafkaError> {
        Ok(Self::of(Way::transactional(settings, id, client)?, true))
    }

    fn of(way: Way, transactional: bool) -> Self {
        let inner = Inner { way, trackers: Trackers::new(transactional), settled: Vec::new() };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// Ends what a producer of the same transactional id has left open. Once, before anything is delivered.
    ///
    /// # Errors
    /// See [`TransactionError`], here and below.
    pub fn take_over(&self, timeout: Duration) -> Result<(), TransactionError> {
        self.inner.borrow().way.take_over(timeout)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The producer is at its end.
    pub fn begin(&self) -> Result<(), TransactionError> {
        self.inner.borrow().way.begin()
    }

    /// Nothing more is delivered before the commit.
    pub fn hasten(&self) {
        self.inner.borrow().way.hasten();
    }

    /// Commits the open transaction, of which everything is delivered, with the next offsets of a consumer's group.
    ///
    /// # Errors
    /// It was not committed, or that is not known.
    pub fn commit(
        &self,
        offsets: Option<(&Consumer, &[(Partition, i64)])>,
        timeout: Duration,
    ) -> Result<(), TransactionError> {
        self.inner.borrow().way.commit(offsets, timeout)
    }
}

/// See the module's documentation.
pub struct KafkaSink {
    name: Arc<str>,
    /// Where records go that name no target; of the outlet's producer.
    topic: Topic,
    /// Records stay in the partition that they were read from.
    keeps_partitions: bool,
    /// Records say in headers where they were read, where they are to.
    lineage: Option<LineageWriter>,
    outlet: Outlet,
    stats: Arc<SinkStats>,
}

impl KafkaSink {
    /// A sink whose records go to `topic` unless they name a target.
    ///
    /// # Errors
    /// A bad topic name.
    pub fn new(name: &str, topic: &str, outlet: Outlet, stats: Arc<SinkStats>) -> Result<Self, SinkError> {
        let failed = |reason: String| SinkError { sink: name.into(), reason };
        let topic = outlet.inner.borrow_mut().way.topic(topic.as_bytes()).map_err(failed)?;
        Ok(Self { name: name.into(), topic, keeps_partitions: false, lineage: None, outlet, stats })
    }

    /// Leaves each record in the partition of the number that it was read from, or puts it where its key leads.
    #[must_use]
    pub fn partitioned(mut self, by: Partitioning) -> Self {
        self.keeps_partitions = by == Partitioning::Keep;
        self
    }

    /// Has each record say in headers where it was read, in place of what it says of an earlier hop.
    #[must_use]
    pub fn with_lineage(mut self, on: bool) -> Self {
        self.lineage = on.then(LineageWriter::default);
        self
    }

    /// As [`Sink::deliver`], with headers added to each record: dead letters say where they came from.
    pub fn deliver_with(
        &mut self,
        ticket: Ticket,
        batch: &Batch,
        records: &mut dyn Iterator<Item = Record<'_>>,
        extra: &mut dyn FnMut(&Record<'_>) -> Vec<(&'static str, Vec<u8>)>,
    ) {
        self.hand_over(ticket, batch, records, &mut |inner, tracker, place, record| {
            let headers = extra(&record);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            let extra = ExtraHeaders { headers: &headers, ..ExtraHeaders::NONE };
            inner.produce(tracker, place, record, extra);
        });
    }

    fn hand_over(
        &mut self,
        ticket: Ticket,
        batch: &Batch,
        records: &mut dyn Iterator<Item = Record<'_>>,
        produce: &mut dyn FnMut(&mut Inner, u32, Place, Record<'_>),
    ) {
        let inner = &mut *self.outlet.inner.borrow_mut();
        let partition = self.keeps_partitions.then_some(batch.partition);
        let tracker = inner.trackers.open(ticket, &self.name, &self.stats, partition);
        for record in records {
            produce(inner, tracker, Place { topic: self.topic, partition }, record);
        }
        inner.way.offer();
        inner.trackers.close(tracker, 1, &mut inner.settled);
    }
}

/// Where a record goes that names no target, and the partition that it keeps there or anywhere.
#[derive(Clone, Copy)]
struct Place {
    topic: Topic,
    partition: Option<i32>,
}

impl Inner {
    fn produce(&mut self, tracker: u32, place: Place, mut record: Record<'_>, extra: ExtraHeaders<'_>) {
        if record.op == Op::Delete {
            // In Kafka a deletion is a tombstone, whatever value came along.
            record.value = None;
        }
        // Most records name no target: the sink's own topic is not looked up again for each.
        let topic = match record.target.map(|name| self.way.topic(name)) {
            None => place.topic,
            Some(Ok(topic)) => topic,
            Some(Err(reason)) => return self.trackers.reject(tracker, record.row, &reason),
        };
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let opaque = Trackers::opaque(tracker, record.row);
        loop {
            match self.way.produce(topic, place.partition, &record, extra, opaque) {
                Ok(()) => return self.trackers.sent(tracker, bytes),
                Err(ProduceError::Full) => self.serve(FULL_WAIT),
                Err(ProduceError::Rejected(reason)) => return self.trackers.reject(tracker, record.row, &reason),
                Err(ProduceError::Failed(reason)) => return self.trackers.end(tracker, Ended::Failed, &reason),
            }
        }
    }

    fn serve(&mut self, wait: Duration) {
        let Self { way, trackers, settled } = self;
        if let Err(reason) = way.poll(wait, &mut |opaques, outcome| trackers.ended(opaques, &outcome, settled)) {
            trackers.end_all(&reason, settled);
        }
    }
}

impl Sink for KafkaSink {
    fn contact(&self) -> Contact {
        let inner = &mut *self.outlet.inner.borrow_mut();
        inner.serve(Duration::ZERO);
        let say = |reason: String| format!("sink `{}`: {reason}", self.name);
        match inner.way.contact() {
            Contact::Made => Contact::Made,
            Contact::Waits(reason) => Contact::Waits(reason.map(say)),
            Contact::Over(reason) => Contact::Over(say(reason)),
            Contact::Failed(reason) => Contact::Failed(say(reason)),
        }
    }

    fn ready(&mut self) -> bool {
        let inner = self.outlet.inner.borrow();
        let Trackers { records, bytes, .. } = inner.trackers;
        records < inner.way.records_in_flight_max() && bytes < BYTES_IN_FLIGHT_MAX
    }

    fn deliver(&mut self, ticket: Ticket, batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) {
        let Some(mut writer) = self.lineage.take() else {
            return self.hand_over(ticket, batch, records, &mut |inner, tracker, place, record| {
                inner.produce(tracker, place, record, ExtraHeaders::NONE);
            });
        };
        let (mut last_row, mut nth) = (None, 0);
        self.hand_over(ticket, batch, records, &mut |inner, tracker, place, record| {
            nth = if last_row == Some(record.row) { nth + 1 } else { 0 };
            last_row = Some(record.row);
            let (topic, partition, offset) = (batch.topic.as_bytes(), batch.partition, record.offset());
            writer.with(Origin { topic, partition, offset, nth }, |headers| {
                inner.produce(tracker, place, record, ExtraHeaders { headers, replace: is_lineage });
            });
        });
        self.lineage = Some(writer);
    }

    /// Of a shared outlet, also what was settled of the other sinks'.
    fn poll(&mut self, settled: &mut Vec<Settlement>) {
        let inner = &mut *self.outlet.inner.borrow_mut();
        inner.serve(Duration::ZERO);
        settled.append(&mut inner.settled);
        let News { trouble, requests, bytes, again } = inner.way.news();
        trouble.iter().for_each(|reason| self.stats.note_error(reason));
        let SinkStats { requests: all, bytes: sent, retried, .. } = &*self.stats;
        for (counter, by) in [(all, requests), (sent, bytes), (retried, again)] {
            SinkStats::add(counter, by);
        }
    }
}
