//! The Kafka sink: output records go to a producer as they are, copied once, and deliveries are counted per batch. The
//! producer is the direct path's or librdkafka's (`kafka/way.rs`).
//!
//! Each record carries the number of its delivery's tracker and its row; a report counts the tracker down and only a
//! failure looks at the row. Order per partition is the producer's, which is idempotent, and so is retrying: a record is
//! tried until the broker takes or refuses it.
//!
//! An [`Outlet`] is a producer with what is under way. Mostly a sink has its own; where the records of several sinks
//! belong to one transaction, they share one.

mod way;

use std::{cell::RefCell, mem, rc::Rc, sync::Arc, time::Duration};

use way::{Topic, Way};

use super::{Contact, Outcome, Rejected, Settlement, Sink, SinkError, SinkStats, Ticket};
use crate::{
    batch::Batch,
    config::Partitioning,
    direct::{Choice, News},
    kafka::{ExtraHeaders, Failure, KafkaError, LineageWriter, Origin, ProduceError, Producer, Settings, is_lineage},
    output::{Op, Record},
};

/// Records that may wait for their report before `ready` says no. Smaller: the broker waits for us between two
/// batches. Larger: more memory, and no more speed (measured flat from 50,000 up).
const RECORDS_IN_FLIGHT_MAX: usize = 100_000;

/// The same in bytes of keys and values. The producer holds a copy of each, the lane the record that it came from.
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
    pub fn transactional(settings: &Settings, id: &str) -> Result<Self, KafkaError> {
        Ok(Self::of(Way::Client(Producer::transactional(settings, id)?), true))
    }

    fn of(way: Way, transactional: bool) -> Self {
        let trackers = Trackers { transactional, ..Trackers::default() };
        let inner = Inner { way, trackers, settled: Vec::new() };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// Calls with librdkafka's producer, which a transactional outlet has; `None` without.
    pub fn with<T>(&self, call: impl FnOnce(&Producer) -> T) -> Option<T> {
        match &self.inner.borrow().way {
            Way::Client(producer) => Some(call(producer)),
            Way::Direct(_) => None,
        }
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
        let Trackers { records, bytes, .. } = self.outlet.inner.borrow().trackers;
        records < RECORDS_IN_FLIGHT_MAX && bytes < BYTES_IN_FLIGHT_MAX
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

/// One delivery on its way: counted down by reports.
#[derive(Debug)]
struct Tracker {
    ticket: Ticket,
    /// The sink's name, as configured.
    sink: Arc<str>,
    stats: Arc<SinkStats>,
    /// The partition that its records keep.
    partition: Option<i32>,
    /// Records that the broker has taken.
    delivered: usize,
    /// Records without a report, and one more while the delivery is being handed over.
    open: u32,
    bytes: usize,
    rejected: Vec<Rejected>,
    /// The gravest thing that was said.
    ended: Option<(Ended, String)>,
}

/// From bad to worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Unknown,
    Failed,
}

/// The deliveries on their way, by a number that is used again once its delivery is settled.
#[derive(Debug, Default)]
struct Trackers {
    /// A refused record spoils everything: its delivery is settled at once, and whatever is reported later is of no use.
    transactional: bool,
    slots: Vec<Option<Tracker>>,
    free: Vec<u32>,
    records: usize,
    bytes: usize,
}

impl Trackers {
    fn opaque(tracker: u32, row: u32) -> u64 {
        (u64::from(tracker) << 32) | u64::from(row)
    }

    fn open(&mut self, ticket: Ticket, sink: &Arc<str>, stats: &Arc<SinkStats>, partition: Option<i32>) -> u32 {
        let (sink, stats) = (Arc::clone(sink), Arc::clone(stats));
        let tracker = Tracker {
            ticket,
            sink,
            stats,
            partition,
            delivered: 0,
            open: 1,
            bytes: 0,
            rejected: Vec::new(),
            ended: None,
        };
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(tracker);
                slot
            }
            None => {
                self.slots.push(Some(tracker));
                self.slots.len() as u32 - 1
            }
        }
    }

    fn slot(&mut self, slot: u32) -> Option<&mut Tracker> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn sent(&mut self, slot: u32, bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
        if let Some(tracker) = self.slot(slot) {
            tracker.open += 1;
            tracker.bytes += bytes;
        }
    }

    fn reject(&mut self, slot: u32, row: u32, reason: &str) {
        if let Some(tracker) = self.slot(slot) {
            let reason = tracker.say(reason);
            tracker.rejected.push(Rejected { row, reason });
        }
    }

    fn end(&mut self, slot: u32, how: Ended, reason: &str) {
        if let Some(tracker) = self.slot(slot) {
            let mut reason = tracker.say(reason);
            if let (Ended::Failed, Some(partition)) = (how, tracker.partition) {
                reason += &format!(" (records keep partition {partition}, which their topic has to have)");
            }
            tracker.ended = tracker.ended.take().max(Some((how, reason)));
        }
    }

    /// Records came to this end; those of one delivery mostly stand together.
    fn ended(&mut self, opaques: &[u64], outcome: &Result<(), Failure>, settled: &mut Vec<Settlement>) {
        for run in opaques.chunk_by(|one, next| one >> 32 == next >> 32) {
            let slot = (run[0] >> 32) as u32;
            self.records = self.records.saturating_sub(run.len());
            match outcome {
                Ok(()) => {
                    if let Some(tracker) = self.slot(slot) {
                        tracker.delivered += run.len();
                    }
                }
                Err(Failure::Record(reason)) => {
                    run.iter().for_each(|opaque| self.reject(slot, *opaque as u32, reason));
                    if self.transactional {
                        self.spoil(slot, settled);
                        continue;
                    }
                }
                Err(Failure::Configuration(reason)) => self.end(slot, Ended::Failed, reason),
                Err(Failure::Transient(reason)) => self.end(slot, Ended::Unknown, reason),
            }
            self.close(slot, run.len() as u32, settled);
        }
    }

    /// Nothing more will be reported of what is on its way.
    fn end_all(&mut self, reason: &str, settled: &mut Vec<Settlement>) {
        (self.records, self.bytes) = (0, 0);
        for tracker in self.slots.drain(..).flatten() {
            let outcome = Outcome::Unknown(tracker.say(reason));
            settled.push(Settlement { ticket: tracker.ticket, outcome });
        }
        self.free.clear();
    }

    /// Settles a delivery with what is known of it. Its slot is not used again: reports for it are still to come.
    fn spoil(&mut self, slot: u32, settled: &mut Vec<Settlement>) {
        if let Some(mut tracker) = self.slots.get_mut(slot as usize).and_then(Option::take) {
            self.bytes -= tracker.bytes;
            tracker.ended = None;
            settled.push(tracker.settle());
        }
    }

    /// So many things less to wait for; the last one settles the delivery.
    fn close(&mut self, slot: u32, things: u32, settled: &mut Vec<Settlement>) {
        let Some(place) = self.slots.get_mut(slot as usize) else { return };
        let Some(tracker) = place.as_mut() else { return };
        tracker.open = tracker.open.saturating_sub(things);
        if tracker.open > 0 {
            return;
        }
        if let Some(tracker) = place.take() {
            self.bytes -= tracker.bytes;
            self.free.push(slot);
            settled.push(tracker.settle());
        }
    }
}

impl Tracker {
    fn say(&self, reason: &str) -> String {
        format!("sink `{}`: {reason}", self.sink)
    }

    fn settle(mut self) -> Settlement {
        SinkStats::add(&self.stats.delivered, self.delivered);
        SinkStats::add(&self.stats.rejected, self.rejected.len());
        // A row that went to several records is one dead letter.
        self.rejected.sort_by_key(|rejected| rejected.row);
        self.rejected.dedup_by_key(|rejected| rejected.row);
        let outcome = match self.ended {
            Some((Ended::Failed, reason)) => Outcome::Failed(reason),
            Some((Ended::Unknown, reason)) => Outcome::Unknown(reason),
            None if self.rejected.is_empty() => Outcome::Delivered,
            None => Outcome::Rejected(mem::take(&mut self.rejected)),
        };
        Settlement { ticket: self.ticket, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket { batch: 7, sink: 0 };

    fn report(
        trackers: &mut Trackers,
        slot: u32,
        row: u32,
        outcome: Result<(), Failure>,
        settled: &mut Vec<Settlement>,
    ) {
        trackers.ended(&[Trackers::opaque(slot, row)], &outcome, settled);
    }

    fn open(trackers: &mut Trackers, ticket: Ticket, stats: &Arc<SinkStats>) -> u32 {
        trackers.open(ticket, &Arc::from("s"), stats, None)
    }

    #[test]
    fn a_delivery_is_settled_once_with_its_last_report() {
        let (mut trackers, mut settled, stats) = (Trackers::default(), vec![], Arc::default());
        let slot = open(&mut trackers, TICKET, &stats);
        (0..3).for_each(|_| trackers.sent(slot, 10));
        report(&mut trackers, slot, 0, Ok(()), &mut settled);
        report(&mut trackers, slot, 1, Err(Failure::Record("too large".into())), &mut settled);
        trackers.close(slot, 1, &mut settled);
        assert_eq!(settled, []);
        report(&mut trackers, slot, 1, Err(Failure::Record("too large".into())), &mut settled);
        let rejected = vec![Rejected { row: 1, reason: "sink `s`: too large".into() }];
        assert_eq!(settled, [Settlement { ticket: TICKET, outcome: Outcome::Rejected(rejected) }]);
        assert_eq!((trackers.records, trackers.bytes), (0, 0));
        let counts = stats.counts();
        assert_eq!((counts.delivered, counts.rejected), (1, 2));
    }

    #[test]
    fn in_a_transaction_a_refused_record_settles_its_delivery_at_once() {
        let (mut settled, stats) = (vec![], Arc::default());
        let mut trackers = Trackers { transactional: true, ..Trackers::default() };
        let slot = open(&mut trackers, TICKET, &stats);
        (0..3).for_each(|_| trackers.sent(slot, 10));
        trackers.close(slot, 1, &mut settled);
        report(&mut trackers, slot, 1, Err(Failure::Record("too large".into())), &mut settled);
        let rejected = vec![Rejected { row: 1, reason: "sink `s`: too large".into() }];
        assert_eq!(settled, [Settlement { ticket: TICKET, outcome: Outcome::Rejected(rejected) }]);
        assert_ne!(open(&mut trackers, Ticket { batch: 8, sink: 0 }, &stats), slot);
        report(&mut trackers, slot, 0, Err(Failure::Transient("purged".into())), &mut settled);
        assert_eq!(settled.len(), 1);
    }

    #[test]
    fn a_partition_that_cannot_be_kept_is_said() {
        let (mut trackers, mut settled, stats) = (Trackers::default(), vec![], Arc::default());
        let slot = trackers.open(TICKET, &Arc::from("s"), &stats, Some(7));
        trackers.sent(slot, 1);
        trackers.close(slot, 1, &mut settled);
        report(&mut trackers, slot, 0, Err(Failure::Configuration("unknown".into())), &mut settled);
        let reason = "sink `s`: unknown (records keep partition 7, which their topic has to have)";
        assert_eq!(settled[0].outcome, Outcome::Failed(reason.into()));
    }

    #[test]
    fn a_failure_outweighs_what_was_delivered_and_the_slot_is_used_again() {
        let (mut trackers, mut settled, stats) = (Trackers::default(), vec![], Arc::default());
        let slot = open(&mut trackers, TICKET, &stats);
        trackers.sent(slot, 1);
        trackers.close(slot, 1, &mut settled);
        report(&mut trackers, slot, 0, Err(Failure::Configuration("no topic".into())), &mut settled);
        assert_eq!(settled[0].outcome, Outcome::Failed("sink `s`: no topic".into()));
        assert_eq!(open(&mut trackers, Ticket { batch: 8, sink: 0 }, &stats), slot);
    }
}
