//! The deliveries of an outlet: what was handed over is counted down by reports, and the last one settles its delivery.

use std::{mem, sync::Arc};

use crate::{
    kafka::Failure,
    sink::{Outcome, Rejected, Settlement, SinkStats, Ticket},
};

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
pub(super) enum Ended {
    Unknown,
    Failed,
}

/// The deliveries on their way, by a number that is used again once its delivery is settled.
#[derive(Debug, Default)]
pub(super) struct Trackers {
    /// A refused record spoils everything: its delivery is settled at once, and whatever is reported later is of no use.
    transactional: bool,
    slots: Vec<Option<Tracker>>,
    free: Vec<u32>,
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Trackers {
    pub(super) fn new(transactional: bool) -> Self {
        Self { transactional, ..Self::default() }
    }

    pub(super) fn opaque(tracker: u32, row: u32) -> u64 {
        (u64::from(tracker) << 32) | u64::from(row)
    }

    pub(super) fn open(
        &mut self,
        ticket: Ticket,
        sink: &Arc<str>,
        stats: &Arc<SinkStats>,
        partition: Option<i32>,
    ) -> u32 {
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

    pub(super) fn sent(&mut self, slot: u32, bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
        if let Some(tracker) = self.slot(slot) {
            tracker.open += 1;
            tracker.bytes += bytes;
        }
    }

    pub(super) fn reject(&mut self, slot: u32, row: u32, reason: &str) {
        if let Some(tracker) = self.slot(slot) {
            let reason = tracker.say(reason);
            tracker.rejected.push(Rejected { row, reason });
        }
    }

    pub(super) fn end(&mut self, slot: u32, how: Ended, reason: &str) {
        if let Some(tracker) = self.slot(slot) {
            let mut reason = tracker.say(reason);
            if let (Ended::Failed, Some(partition)) = (how, tracker.partition) {
                reason += &format!(" (records keep partition {partition}, which their topic has to have)");
            }
            tracker.ended = tracker.ended.take().max(Some((how, reason)));
        }
    }

    /// Records came to this end; those of one delivery mostly stand together.
    pub(super) fn ended(&mut self, opaques: &[u64], outcome: &Result<(), Failure>, settled: &mut Vec<Settlement>) {
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
    pub(super) fn end_all(&mut self, reason: &str, settled: &mut Vec<Settlement>) {
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
    pub(super) fn close(&mut self, slot: u32, things: u32, settled: &mut Vec<Settlement>) {
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
        let mut trackers = Trackers::new(true);
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
