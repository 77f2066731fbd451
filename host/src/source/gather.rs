//! Sorts messages, which come mixed, into batches of one partition each. No IO; time is a parameter.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::BatchPolicy;
use crate::kafka::Message;

/// Gathered bytes over all partitions above which the fullest partition's batch is due at once, in batches of the
/// policy's size: many slow partitions must not add up to many full batches.
const GATHERED_BATCHES: usize = 8;

/// One partition's rows on their way to a batch.
struct Lot {
    topic: Arc<str>,
    partition: i32,
    epoch: u64,
    messages: Vec<Message>,
    bytes: usize,
    since: Instant,
}

/// Messages that are due as one batch.
pub(super) struct Gathered {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) epoch: u64,
    pub(super) messages: Vec<Message>,
    pub(super) bytes: usize,
}

pub(super) struct Gather {
    policy: BatchPolicy,
    lots: Vec<Lot>,
    /// Topic identity and partition of a message -> its lot. Emptied whenever the assignment changes.
    known: HashMap<(usize, i32), usize>,
    /// The last lookup: messages come in runs of one partition.
    last: Option<((usize, i32), usize)>,
    rows: usize,
    bytes: usize,
}

impl Gather {
    pub(super) fn new(policy: BatchPolicy) -> Self {
        Self { policy, lots: Vec::new(), known: HashMap::new(), last: None, rows: 0, bytes: 0 }
    }

    /// From now on batches are due by this policy, also of what is gathered already.
    pub(super) fn set_policy(&mut self, policy: BatchPolicy) {
        self.policy = policy;
    }

    /// Messages of this partition may come from now on.
    pub(super) fn expect(&mut self, topic: Arc<str>, partition: i32, epoch: u64) {
        self.changed();
        let lot = Lot { topic, partition, epoch, messages: Vec::new(), bytes: 0, since: Instant::now() };
        self.lots.push(lot);
    }

    /// Drops what was gathered in these epochs: whoever has the partition next reads it again.
    pub(super) fn forget(&mut self, epochs: impl Iterator<Item = u64>) {
        self.changed();
        for epoch in epochs {
            if let Some(index) = self.lots.iter().position(|lot| lot.epoch == epoch) {
                let lot = self.lots.swap_remove(index);
                self.rows -= lot.messages.len();
                self.bytes -= lot.bytes;
            }
        }
    }

    fn changed(&mut self) {
        self.known.clear();
        self.last = None;
    }

    /// Messages that may be taken now.
    pub(super) fn room(&self) -> usize {
        self.policy.records
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
        let Some(lot) = self.lots.get_mut(index) else { return };
        if lot.messages.is_empty() {
            lot.since = now;
        }
        let bytes = message.bytes();
        lot.bytes += bytes;
        lot.messages.push(message);
        self.rows += 1;
        self.bytes += bytes;
    }

    fn find(&mut self, message: &Message, identity: (usize, i32)) -> Option<usize> {
        if let Some(index) = self.known.get(&identity) {
            return Some(*index);
        }
        let (topic, partition) = (message.topic(), message.partition());
        let index = self.lots.iter().position(|lot| lot.partition == partition && &*lot.topic == topic)?;
        self.known.insert(identity, index);
        Some(index)
    }

    /// Until the first batch is due; `None` where nothing is gathered.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        let oldest = self.lots.iter().filter(|lot| !lot.messages.is_empty()).map(|lot| lot.since).min()?;
        Some((oldest + self.policy.linger).saturating_duration_since(now))
    }

    /// Takes the batch that is due, the longest waiting first. A lot above the policy is cut into several.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Gathered> {
        if self.rows == 0 {
            return None;
        }
        let BatchPolicy { records, bytes, linger } = self.policy;
        let due = |lot: &&mut Lot| {
            let waited = now.saturating_duration_since(lot.since) >= linger;
            !lot.messages.is_empty() && (lot.messages.len() >= records || lot.bytes >= bytes || waited)
        };
        let crowded =
            self.bytes > bytes.saturating_mul(GATHERED_BATCHES) || self.rows > records.saturating_mul(GATHERED_BATCHES);
        let lot = match self.lots.iter_mut().filter(due).min_by_key(|lot| lot.since) {
            Some(lot) => lot,
            None if crowded => self.lots.iter_mut().max_by_key(|lot| lot.bytes)?,
            None => return None,
        };
        let rest = lot.messages.split_off(cut(&lot.messages, records, bytes));
        let messages = std::mem::replace(&mut lot.messages, rest);
        let taken = messages.iter().map(Message::bytes).sum::<usize>();
        lot.bytes -= taken;
        self.rows -= messages.len();
        self.bytes -= taken;
        Some(Gathered {
            topic: Arc::clone(&lot.topic),
            partition: lot.partition,
            epoch: lot.epoch,
            messages,
            bytes: taken,
        })
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
