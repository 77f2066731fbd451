//! The Kafka sink: output records go to librdkafka as they are, copied once, and deliveries are counted per batch.
//!
//! Each record carries the number of its delivery's tracker and its row; a report counts the tracker down and only a
//! failure looks at the row. Order per partition is librdkafka's (an idempotent producer), so is retrying: a record is
//! tried until the broker takes or refuses it.

use std::{mem, sync::Arc, time::Duration};

use super::{Outcome, Rejected, Settlement, Sink, SinkError, SinkStats, Ticket};
use crate::{
    batch::Batch,
    kafka::{Delivered, Failure, KafkaError, ProduceError, Producer, Settings},
    output::{Op, Record},
};

/// Records that may wait for their report before `ready` says no. Smaller: the broker waits for us between two
/// batches. Larger: more memory, and no more speed (measured flat from 50,000 up).
const RECORDS_IN_FLIGHT_MAX: usize = 100_000;

/// The same in bytes of keys and values. librdkafka holds a copy of each.
const BYTES_IN_FLIGHT_MAX: usize = 32 << 20;

/// How long to wait for room when librdkafka's own queue is full, which the bounds above keep from happening.
const FULL_WAIT: Duration = Duration::from_millis(5);

/// What a Kafka sink needs to know.
#[derive(Clone, Debug)]
pub struct KafkaSinkSettings {
    pub kafka: Settings,
    /// Where records go that name no target.
    pub topic: String,
}

/// See the module's documentation.
pub struct KafkaSink {
    name: String,
    topic: Vec<u8>,
    producer: Producer,
    trackers: Trackers,
    settled: Vec<Settlement>,
    stats: Arc<SinkStats>,
}

impl KafkaSink {
    /// Connects in the background.
    ///
    /// # Errors
    /// A property that librdkafka refuses, or a bad topic name.
    pub fn new(name: &str, settings: &KafkaSinkSettings, stats: Arc<SinkStats>) -> Result<Self, SinkError> {
        let failed = |reason: String| SinkError { sink: name.into(), reason };
        let mut producer = Producer::new(&settings.kafka).map_err(|error: KafkaError| failed(error.to_string()))?;
        producer.topic(settings.topic.as_bytes()).map_err(failed)?;
        Ok(Self {
            name: name.into(),
            topic: settings.topic.clone().into_bytes(),
            producer,
            trackers: Trackers::default(),
            settled: Vec::new(),
            stats,
        })
    }

    /// As [`Sink::deliver`], with headers added to each record: dead letters say where they came from.
    pub fn deliver_with(
        &mut self,
        ticket: Ticket,
        records: &mut dyn Iterator<Item = Record<'_>>,
        extra: &mut dyn FnMut(&Record<'_>) -> Vec<(&'static str, Vec<u8>)>,
    ) {
        let tracker = self.trackers.open(ticket);
        for record in records {
            let headers = extra(&record);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            self.produce(tracker, record, &headers);
        }
        self.trackers.close(tracker, &mut self.settled);
    }

    fn produce(&mut self, tracker: u32, mut record: Record<'_>, extra: &[(&str, &[u8])]) {
        if record.op == Op::Delete {
            // In Kafka a deletion is a tombstone, whatever value came along.
            record.value = None;
        }
        let topic = match self.producer.topic(record.target.unwrap_or(&self.topic)) {
            Ok(topic) => topic,
            Err(reason) => return self.trackers.reject(tracker, record.row, self.say(&reason)),
        };
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let opaque = Trackers::opaque(tracker, record.row);
        loop {
            match self.producer.produce(topic, None, &record, extra, opaque) {
                Ok(()) => return self.trackers.sent(tracker, bytes),
                Err(ProduceError::Full) => self.serve(FULL_WAIT),
                Err(ProduceError::Rejected(reason)) => {
                    return self.trackers.reject(tracker, record.row, self.say(&reason));
                }
                Err(ProduceError::Failed(reason)) => {
                    return self.trackers.end(tracker, Ended::Failed(self.say(&reason)));
                }
            }
        }
    }

    fn serve(&mut self, wait: Duration) {
        let Self { name, producer, trackers, settled, .. } = self;
        producer.poll(wait, &mut |delivered| trackers.delivered(delivered, name, settled));
    }

    fn say(&self, reason: &str) -> String {
        format!("sink `{}`: {reason}", self.name)
    }
}

impl Sink for KafkaSink {
    fn ready(&mut self) -> bool {
        self.trackers.records < RECORDS_IN_FLIGHT_MAX && self.trackers.bytes < BYTES_IN_FLIGHT_MAX
    }

    fn deliver(&mut self, ticket: Ticket, _batch: &Batch, records: &mut dyn Iterator<Item = Record<'_>>) {
        let tracker = self.trackers.open(ticket);
        for record in records {
            self.produce(tracker, record, &[]);
        }
        self.trackers.close(tracker, &mut self.settled);
    }

    fn poll(&mut self, settled: &mut Vec<Settlement>) {
        self.serve(Duration::ZERO);
        let Trackers { delivered, rejected, .. } = &mut self.trackers;
        SinkStats::add(&self.stats.delivered, mem::take(delivered));
        SinkStats::add(&self.stats.rejected, mem::take(rejected));
        settled.append(&mut self.settled);
    }
}

/// One delivery on its way: counted down by reports.
#[derive(Debug)]
struct Tracker {
    ticket: Ticket,
    /// Records without a report, and one more while the delivery is being handed over.
    open: u32,
    bytes: usize,
    rejected: Vec<Rejected>,
    /// The gravest thing that was said.
    ended: Option<Ended>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Unknown(String),
    Failed(String),
}

/// The deliveries on their way, by a number that is used again once its delivery is settled.
#[derive(Debug, Default)]
struct Trackers {
    slots: Vec<Option<Tracker>>,
    free: Vec<u32>,
    records: usize,
    bytes: usize,
    /// Counted since they were last taken.
    delivered: usize,
    rejected: usize,
}

impl Trackers {
    fn opaque(tracker: u32, row: u32) -> usize {
        ((u64::from(tracker) << 32) | u64::from(row)) as usize
    }

    fn open(&mut self, ticket: Ticket) -> u32 {
        let tracker = Tracker { ticket, open: 1, bytes: 0, rejected: Vec::new(), ended: None };
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

    fn reject(&mut self, slot: u32, row: u32, reason: String) {
        self.rejected += 1;
        if let Some(tracker) = self.slot(slot) {
            tracker.rejected.push(Rejected { row, reason });
        }
    }

    fn end(&mut self, slot: u32, ended: Ended) {
        if let Some(tracker) = self.slot(slot) {
            tracker.ended = tracker.ended.take().max(Some(ended));
        }
    }

    fn delivered(&mut self, delivered: Delivered, sink: &str, settled: &mut Vec<Settlement>) {
        let (slot, row) = ((delivered.opaque as u64 >> 32) as u32, delivered.opaque as u32);
        self.records = self.records.saturating_sub(1);
        match delivered.outcome {
            Ok(()) => self.delivered += 1,
            Err(Failure::Record(reason)) => self.reject(slot, row, format!("sink `{sink}`: {reason}")),
            Err(Failure::Configuration(reason)) => self.end(slot, Ended::Failed(format!("sink `{sink}`: {reason}"))),
            Err(Failure::Transient(reason)) => self.end(slot, Ended::Unknown(format!("sink `{sink}`: {reason}"))),
        }
        self.close(slot, settled);
    }

    /// One thing less to wait for; the last one settles the delivery.
    fn close(&mut self, slot: u32, settled: &mut Vec<Settlement>) {
        let Some(place) = self.slots.get_mut(slot as usize) else { return };
        let Some(tracker) = place.as_mut() else { return };
        tracker.open -= 1;
        if tracker.open > 0 {
            return;
        }
        if let Some(mut tracker) = place.take() {
            self.bytes -= tracker.bytes;
            self.free.push(slot);
            // A row that went to several records is one dead letter.
            tracker.rejected.sort_by_key(|rejected| rejected.row);
            tracker.rejected.dedup_by_key(|rejected| rejected.row);
            let outcome = match (tracker.ended, tracker.rejected) {
                (Some(Ended::Failed(reason)), _) => Outcome::Failed(reason),
                (Some(Ended::Unknown(reason)), _) => Outcome::Unknown(reason),
                (None, rejected) if rejected.is_empty() => Outcome::Delivered,
                (None, rejected) => Outcome::Rejected(rejected),
            };
            settled.push(Settlement { ticket: tracker.ticket, outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket { batch: 7, sink: 0 };

    fn report(slot: u32, row: u32, outcome: Result<(), Failure>) -> Delivered {
        Delivered { opaque: Trackers::opaque(slot, row), outcome }
    }

    #[test]
    fn a_delivery_is_settled_once_with_its_last_report() {
        let (mut trackers, mut settled) = (Trackers::default(), vec![]);
        let slot = trackers.open(TICKET);
        (0..3).for_each(|_| trackers.sent(slot, 10));
        trackers.delivered(report(slot, 0, Ok(())), "s", &mut settled);
        trackers.delivered(report(slot, 1, Err(Failure::Record("too large".into()))), "s", &mut settled);
        trackers.close(slot, &mut settled);
        assert_eq!(settled, []);
        trackers.delivered(report(slot, 1, Err(Failure::Record("too large".into()))), "s", &mut settled);
        let rejected = vec![Rejected { row: 1, reason: "sink `s`: too large".into() }];
        assert_eq!(settled, [Settlement { ticket: TICKET, outcome: Outcome::Rejected(rejected) }]);
        assert_eq!((trackers.records, trackers.bytes), (0, 0));
        assert_eq!((trackers.delivered, trackers.rejected), (1, 2));
    }

    #[test]
    fn a_failure_outweighs_what_was_delivered_and_the_slot_is_used_again() {
        let (mut trackers, mut settled) = (Trackers::default(), vec![]);
        let slot = trackers.open(TICKET);
        trackers.sent(slot, 1);
        trackers.close(slot, &mut settled);
        trackers.delivered(report(slot, 0, Err(Failure::Configuration("no topic".into()))), "s", &mut settled);
        assert_eq!(settled[0].outcome, Outcome::Failed("sink `s`: no topic".into()));
        assert_eq!(trackers.open(Ticket { batch: 8, sink: 0 }), slot);
    }
}
