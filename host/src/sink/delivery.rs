//! One delivery on its way through the workers of a sink: its encoded records, and the account of what became of them.
//!
//! Invariant: a [`Delivery`] settles its ticket exactly once, whatever happens to it, because dropping it is what
//! settles. A delivery dropped with records unaccounted for (its worker ended) settles as unknown.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use super::{Contact, Outcome, Rejected, Settlement, SinkStats, Ticket};
use crate::{batch::Batch, output::Record};

/// One encoded record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// End of its bytes in the payload; they begin where the item before ends.
    end: usize,
    /// Row of the batch that it came from.
    row: u32,
    /// Items with the same number touch the same thing (document, key) and must reach it in order. Others may share a
    /// number by chance: that costs a repetition, never an error.
    order: u64,
    /// What the client needs to know of an item when it reads its answer.
    tag: u8,
}

/// The records of one delivery, encoded, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Payload {
    /// Where encoders append; [`Self::end_item`] closes an item.
    pub(super) data: Vec<u8>,
    items: Vec<Item>,
}

impl Payload {
    /// Makes an item of what was appended since the last one. `thing` names what it touches.
    pub(super) fn end_item(&mut self, row: u32, thing: &[u8], tag: u8) {
        let mut hasher = DefaultHasher::new();
        thing.hash(&mut hasher);
        self.items.push(Item { end: self.data.len(), row, order: hasher.finish(), tag });
    }

    /// Forgets what was appended since the last item.
    pub(super) fn abandon_item(&mut self) {
        self.data.truncate(self.items.last().map_or(0, |item| item.end));
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.items[index - 1].end }
    }

    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        &self.data[self.start(index)..self.items[index].end]
    }

    pub(super) fn size(&self, index: usize) -> usize {
        self.items[index].end - self.start(index)
    }

    pub(super) fn tag(&self, index: usize) -> u8 {
        self.items[index].tag
    }

    pub(super) fn order(&self, index: usize) -> u64 {
        self.items[index].order
    }
}

/// Makes of a record what is sent to its server.
pub(super) trait Encode {
    /// Appends a record to the payload's data and ends the item, or ends none where there is nothing to do. `nth`
    /// counts the records that the same row became before it: 0 but for rows that became several.
    ///
    /// # Errors
    /// Why it cannot be sent, for people: the record is rejected.
    fn encode(&mut self, batch: &Batch, record: &Record<'_>, nth: u32, payload: &mut Payload) -> Result<(), String>;
}

/// Encodes the records of a delivery one by one; those that cannot be encoded are rejected with the reason given.
pub(super) fn encode<'a>(
    desk: &Desk,
    encoder: &mut impl Encode,
    batch: &Batch,
    records: &mut dyn Iterator<Item = Record<'a>>,
) -> (Payload, Vec<Rejected>) {
    let (mut payload, mut rejected) = (Payload::default(), Vec::new());
    let (mut last_row, mut nth) = (None, 0);
    for record in records {
        nth = if last_row == Some(record.row) { nth + 1 } else { 0 };
        last_row = Some(record.row);
        if let Err(reason) = encoder.encode(batch, &record, nth, &mut payload) {
            payload.abandon_item();
            rejected.push(desk.reject(record.row, &reason));
        }
    }
    (payload, rejected)
}

/// Where deliveries are accounted for: shared by a sink and its workers.
#[derive(Debug)]
pub(super) struct Desk {
    /// The sink's, as configured.
    name: String,
    pub(super) stats: Arc<SinkStats>,
    settled: Mutex<Vec<Settlement>>,
    contact: Mutex<Contact>,
    records: AtomicUsize,
    bytes: AtomicUsize,
}

impl Desk {
    pub(super) fn new(name: &str, stats: Arc<SinkStats>) -> Arc<Self> {
        let (records, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let contact = Mutex::new(Contact::Waits(None));
        Arc::new(Self { name: name.into(), stats, settled: Mutex::default(), contact, records, bytes })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Records and bytes of deliveries that are not settled.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.records.load(Relaxed), self.bytes.load(Relaxed))
    }

    pub(super) fn take_settled(&self, settled: &mut Vec<Settlement>) {
        settled.append(&mut self.settled.lock());
    }

    /// As the first worker has found it.
    pub(super) fn contact(&self) -> Contact {
        self.contact.lock().clone()
    }

    pub(super) fn note_contact(&self, contact: Contact) {
        *self.contact.lock() = contact;
    }

    fn reject(&self, row: u32, reason: &str) -> Rejected {
        self.stats.note_error(reason);
        SinkStats::add(&self.stats.rejected, 1);
        Rejected { row, reason: self.say(reason) }
    }

    pub(super) fn say(&self, reason: &str) -> String {
        format!("sink `{}`: {reason}", self.name)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Delivery {
    ticket: Ticket,
    pub(super) payload: Payload,
    /// Items of which the end is not known.
    open: usize,
    rejected: Vec<Rejected>,
    failed: Option<String>,
    desk: Arc<Desk>,
}

impl Delivery {
    /// `rejected`: records that were turned down before they were encoded.
    pub(super) fn new(desk: &Arc<Desk>, ticket: Ticket, payload: Payload, rejected: Vec<Rejected>) -> Self {
        desk.records.fetch_add(payload.len(), Relaxed);
        desk.bytes.fetch_add(payload.data.len(), Relaxed);
        Self { ticket, open: payload.len(), payload, rejected, failed: None, desk: Arc::clone(desk) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// One more item is at the server.
    pub(super) fn delivered(&mut self) {
        self.open -= 1;
        SinkStats::add(&self.desk.stats.delivered, 1);
    }

    /// One more item will never be at the server.
    pub(super) fn reject(&mut self, item: usize, reason: &str) {
        self.open -= 1;
        let rejected = self.desk.reject(self.payload.items[item].row, reason);
        self.rejected.push(rejected);
    }

    /// Settles as failed, whatever is open.
    pub(super) fn fail(mut self, reason: &str) {
        self.failed = Some(self.desk.say(reason));
    }

    fn outcome(&mut self) -> Outcome {
        if let Some(reason) = self.failed.take() {
            return Outcome::Failed(reason);
        }
        if self.open > 0 {
            let of = self.payload.len();
            return Outcome::Unknown(self.desk.say(&format!("gave up with {} of {of} records open", self.open)));
        }
        let mut rejected = mem::take(&mut self.rejected);
        if rejected.is_empty() {
            return Outcome::Delivered;
        }
        // A row that became several records is one dead letter.
        rejected.sort_by_key(|rejected| rejected.row);
        rejected.dedup_by_key(|rejected| rejected.row);
        Outcome::Rejected(rejected)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let settlement = Settlement { ticket: self.ticket, outcome: self.outcome() };
        self.desk.records.fetch_sub(self.payload.len(), Relaxed);
        self.desk.bytes.fetch_sub(self.payload.data.len(), Relaxed);
        self.desk.settled.lock().push(settlement);
    }
}
