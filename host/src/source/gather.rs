//! Sorts what was fetched, which comes mixed, into batches of one partition each. No IO; time is a parameter.
//!
//! What is gathered is a [`Heap`] for each partition: messages of librdkafka, or chunks of the direct path.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::BatchPolicy;
use crate::{
    batch::Rows,
    direct::{Chunk, Remainder},
    kafka::Message,
};

/// Gathered bytes over all partitions above which the fullest partition's batch is due at once, in batches of the
/// policy's size: many slow partitions must not add up to many full batches.
const GATHERED_BATCHES: usize = 8;

/// Rows of one partition that wait to be a batch.
pub(super) trait Heap: Default {
    /// Rows that were taken.
    type Taken;

    fn rows(&self) -> usize;

    /// Of keys and values.
    fn bytes(&self) -> usize;

    /// Takes up to `records` rows with up to `bytes` bytes from the front, but at least one; answers their bytes, too.
    fn take(&mut self, records: usize, bytes: usize) -> (Self::Taken, usize);
}

/// One partition's rows on their way to a batch.
struct Lot<H> {
    topic: Arc<str>,
    partition: i32,
    epoch: u64,
    heap: H,
    since: Instant,
}

/// Rows that are due as one batch.
pub(super) struct Gathered<T> {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) epoch: u64,
    pub(super) rows: T,
    pub(super) bytes: usize,
}

/// The lots of all partitions in the lane's hands.
pub(super) struct Lots<H> {
    policy: BatchPolicy,
    lots: Vec<Lot<H>>,
    rows: usize,
    bytes: usize,
}

impl<H: Heap> Lots<H> {
    pub(super) fn new(policy: BatchPolicy) -> Self {
        Self { policy, lots: Vec::new(), rows: 0, bytes: 0 }
    }

    /// From now on batches are due by this policy, also of what is gathered already.
    pub(super) fn set_policy(&mut self, policy: BatchPolicy) {
        self.policy = policy;
    }

    /// Rows of this partition may come from now on.
    pub(super) fn expect(&mut self, topic: Arc<str>, partition: i32, epoch: u64) {
        self.lots.push(Lot { topic, partition, epoch, heap: H::default(), since: Instant::now() });
    }

    /// Drops what was gathered in these epochs: whoever has the partition next reads it again.
    pub(super) fn forget(&mut self, epochs: impl Iterator<Item = u64>) {
        for epoch in epochs {
            if let Some(index) = self.lots.iter().position(|lot| lot.epoch == epoch) {
                let lot = self.lots.swap_remove(index);
                self.rows -= lot.heap.rows();
                self.bytes -= lot.heap.bytes();
            }
        }
    }

    /// Adds rows to a lot by `add`, which answers how many, and how many bytes.
    #[inline]
    fn add(&mut self, index: usize, since: Instant, add: impl FnOnce(&mut H) -> (usize, usize)) {
        let Some(lot) = self.lots.get_mut(index) else { return };
        if lot.heap.rows() == 0 {
            lot.since = since;
        }
        let (rows, bytes) = add(&mut lot.heap);
        self.rows += rows;
        self.bytes += bytes;
    }

    /// Until the first batch is due; `None` where nothing is gathered.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        let oldest = self.lots.iter().filter(|lot| lot.heap.rows() > 0).map(|lot| lot.since).min()?;
        Some((oldest + self.policy.linger).saturating_duration_since(now))
    }

    /// Takes the batch that is due, the longest waiting first. A lot above the policy is cut into several.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Gathered<H::Taken>> {
        if self.rows == 0 {
            return None;
        }
        let BatchPolicy { records, bytes, linger } = self.policy;
        let due = |lot: &&mut Lot<H>| {
            let waited = now.saturating_duration_since(lot.since) >= linger;
            lot.heap.rows() > 0 && (lot.heap.rows() >= records || lot.heap.bytes() >= bytes || waited)
        };
        let crowded =
            self.bytes > bytes.saturating_mul(GATHERED_BATCHES) || self.rows > records.saturating_mul(GATHERED_BATCHES);
        let lot = match self.lots.iter_mut().filter(due).min_by_key(|lot| lot.since) {
            Some(lot) => lot,
            None if crowded => self.lots.iter_mut().max_by_key(|lot| lot.heap.bytes())?,
            None => return None,
        };
        let before = lot.heap.rows();
        let (rows, taken) = lot.heap.take(records, bytes);
        self.rows -= before - lot.heap.rows();
        self.bytes -= taken;
        let (topic, partition, epoch) = (Arc::clone(&lot.topic), lot.partition, lot.epoch);
        Some(Gathered { topic, partition, epoch, rows, bytes: taken })
    }
}

/// Messages of one partition.
#[derive(Default)]
pub(super) struct Messages {
    messages: Vec<Message>,
    bytes: usize,
}

impl Heap for Messages {
    type Taken = Vec<Message>;

    fn rows(&self) -> usize {
        self.messages.len()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, records: usize, bytes: usize) -> (Vec<Message>, usize) {
        let rest = self.messages.split_off(cut(&self.messages, records, bytes));
        let messages = std::mem::replace(&mut self.messages, rest);
        let taken = messages.iter().map(Message::bytes).sum::<usize>();
        self.bytes -= taken;
        (messages, taken)
    }
}

/// Rows of the next batch: up to `records`, and up to `bytes` but for a first row that is larger by itself.
fn cut(messages: &[Message], records: usize, bytes: usize) -> usize {
    let mut sum = 0;
    let fitting = messages.iter().take(records).take_while(|message| {
        sum += message.bytes();
        sum <= bytes
    });
    fitting.count().max(1)
}

/// Lots of messages, each of which says where it belongs.
pub(super) struct Gather {
    lots: Lots<Messages>,
    /// Topic identity and partition of a message -> its lot. Emptied whenever the assignment changes.
    known: HashMap<(usize, i32), usize>,
    /// The last lookup: messages come in runs of one partition.
    last: Option<((usize, i32), usize)>,
}

impl Gather {
    pub(super) fn new(policy: BatchPolicy) -> Self {
        Self { lots: Lots::new(policy), known: HashMap::new(), last: None }
    }

    /// The lots, whose places may change.
    pub(super) fn change(&mut self) -> &mut Lots<Messages> {
        self.known.clear();
        self.last = None;
        &mut self.lots
    }

    pub(super) fn lots(&mut self) -> &mut Lots<Messages> {
        &mut self.lots
    }

    /// Messages that may be taken now.
    pub(super) fn room(&self) -> usize {
        self.lots.policy.records
    }

    /// Adds a message; one of a partition that is not expected is an old one of a partition given up, and dropped.
    pub(super) fn push(&mut self, message: Message, now: Instant) {
        let identity = (message.topic_id(), message.partition());
        let index = match self.last {
            Some((last, index)) if last == identity => index,
            _ => {
                let Some(index) = self.find(&message, identity) else { return };
                self.last = Some((identity, index));
                index
            }
        };
        self.lots.add(index, now, |heap| {
            let bytes = message.bytes();
            heap.bytes += bytes;
            heap.messages.push(message);
            (1, bytes)
        });
    }

    fn find(&mut self, message: &Message, identity: (usize, i32)) -> Option<usize> {
        if let Some(index) = self.known.get(&identity) {
            return Some(*index);
        }
        let (topic, partition) = (message.topic(), message.partition());
        let index = self.lots.lots.iter().position(|lot| lot.partition == partition && &*lot.topic == topic)?;
        self.known.insert(identity, index);
        Some(index)
    }
}

impl Heap for Remainder {
    type Taken = Rc<dyn Rows>;

    fn rows(&self) -> usize {
        self.rows()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn take(&mut self, records: usize, bytes: usize) -> (Rc<dyn Rows>, usize) {
        let (rows, bytes) = self.take(records, bytes);
        (Rc::new(rows), bytes)
    }
}

impl Lots<Remainder> {
    /// Adds a chunk; one of a partition that was given up is dropped.
    pub(super) fn push(&mut self, chunk: Chunk) {
        let Some(index) = self.lots.iter().position(|lot| lot.epoch == chunk.epoch) else { return };
        self.add(index, chunk.since, |heap| {
            let before = (heap.rows(), heap.bytes());
            heap.push(chunk);
            (heap.rows() - before.0, heap.bytes() - before.1)
        });
    }
}
