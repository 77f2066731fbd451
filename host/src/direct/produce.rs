//! Producing: records are encoded into the record batch of their partition as they come, and sent by a task.
//!
//! ```text
//! lane: record -> builder of its partition (its own while a delivery is handed over) -> slot
//! task: slot -> finished batch -> leader -> report
//! ```
//!
//! A builder is in one place at a time: the lane takes it out of its slot with the first record for that partition and
//! puts it back with [`DirectProducer::offer`], so that no lock is taken for a record, and a batch goes on filling until
//! the task takes it: when it is full, has waited for `linger.ms`, and its partition has nothing under way.
//!
//! Idempotent (KIP-98), one batch of a partition under way at a time: order holds over every retry, and a batch is sent
//! until the broker has it or refuses it. A refused batch is halved until the record stands alone that is at fault.
//!
//! In transactions (`produce/transactional.rs`) a batch is sent once its partition is in the open one
//! (`produce/task/adding.rs`), and what would begin another sequence ends the producer.

mod flow;
mod report;
mod task;
mod transactional;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::{Receiver, TryRecvError};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

pub use report::{DirectContact, News, Report};

use super::{
    choice::Ground,
    options::{ProduceOptions, Unsupported},
    partitioner,
    records::Builder,
    transaction::Transactor,
};
use crate::{
    kafka::{self, ExtraHeaders, Failure, ProduceError, Settings},
    output::Record,
};

/// Topics of one producer: a module chooses the names.
const TOPICS_MAX: usize = 10_000;

/// What a record takes beside key, value and headers, at most: lengths, deltas and the batch's header.
const RECORD_OVERHEAD: usize = 100;

/// How long records without a key go to one partition, so that batches fill: librdkafka's `sticky.partitioning.linger.ms`.
const STICKY: Duration = Duration::from_millis(10);

/// A topic of one producer; of no use with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectTopic(u32);

/// A batch that fills, and whose its records are.
#[derive(Debug)]
struct Pending {
    builder: Builder,
    /// By record: the caller's number.
    opaques: Vec<u64>,
    since: Instant,
}

impl Pending {
    fn new(memory: Vec<u8>, now: Instant) -> Self {
        Self { builder: Builder::with(memory), opaques: Vec::new(), since: now }
    }
}

/// One partition's batches on their way from lane to task.
#[derive(Debug, Default)]
struct Slot {
    /// In order, no more to be filled.
    full: VecDeque<Pending>,
    /// Behind those; not there while the lane fills it.
    open: Option<Pending>,
    /// It is among those that the task has to look at.
    told: bool,
}

#[derive(Debug, Default)]
struct SharedTopic {
    name: Arc<str>,
    /// Partitions, once known.
    partitions: Option<usize>,
    /// Why it cannot be written, for good.
    failed: Option<Failure>,
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slots {
    topics: Vec<SharedTopic>,
    /// Topic and partition of slots with something in them.
    told: Vec<(u32, u32)>,
    /// Memory of batches that were sent.
    spare: Vec<Vec<u8>>,
}

/// What lane and task both see.
#[derive(Debug, Default)]
struct Shared {
    slots: Mutex<Slots>,
    wake: Notify,
    /// Counts what the lane has to learn of topics.
    learnt: std::sync::atomic::AtomicU64,
    closed: AtomicBool,
    contact: Mutex<DirectContact>,
    /// Until it is taken.
    news: Mutex<News>,
}

impl Default for DirectContact {
    fn default() -> Self {
        Self::Waits(None)
    }
}

/// A record whose topic is not known yet.
struct Held {
    partition: Option<i32>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    timestamp: i64,
    opaque: u64,
}

/// The lane's side of a topic.
#[derive(Default)]
struct LocalTopic {
    partitions: Option<usize>,
    failed: Option<Failure>,
    /// Batches in the lane's hands, by partition.
    filling: Vec<Option<Pending>>,
    /// Where records without a key go now.
    sticky: Option<(usize, Instant)>,
    held: Vec<Held>,
}

/// See the module's documentation. Belongs to one lane. Dropping it ends the task; what is under way may or may not
/// arrive.
pub struct DirectProducer {
    shared: Arc<Shared>,
    options: ProduceOptions,
    names: HashMap<Box<[u8]>, DirectTopic>,
    topics: Vec<LocalTopic>,
    /// Partitions with a batch in the lane's hands.
    touched: Vec<(u32, u32)>,
    full: Vec<(u32, u32, Pending)>,
    reports: Receiver<Report>,
    runtime: Handle,
    /// For what is produced in transactions.
    transactor: Option<Arc<Transactor>>,
    /// Of `Shared::learnt`.
    learnt: u64,
    /// As of the first record since [`Self::offer`]: what the batches' waiting begins with.
    now: Instant,
    /// The same, for records without a timestamp.
    now_ms: i64,
    /// The clock is to be looked at with the next record.
    offered: bool,
}

impl DirectProducer {
    /// Starts the task. Connecting goes on in the background.
    ///
    /// # Errors
    /// Properties that only librdkafka understands.
    pub fn start(settings: &Settings, ground: &Ground) -> Result<Self, Unsupported> {
        Self::begin(settings, None, ground)
    }

    fn begin(settings: &Settings, transaction: Option<&str>, ground: &Ground) -> Result<Self, Unsupported> {
        let options = ProduceOptions::of(settings)?;
        #[allow(clippy::disallowed_methods, reason = "a report is of records handed over, which the caller bounds")]
        let (to_lane, reports) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared::default());
        let transactor = transaction.map(|id| Arc::new(Transactor::new(&options, id, ground.unfit.clone())));
        let (to_task, unfit) = (transactor.clone(), ground.unfit.clone());
        let task = task::run(options.clone(), Arc::clone(&shared), to_lane, unfit, to_task);
        ground.runtime.spawn(task);
        Ok(Self {
            shared,
            options,
            names: HashMap::new(),
            topics: Vec::new(),
            touched: Vec::new(),
            full: Vec::new(),
            reports,
            runtime: ground.runtime.clone(),
            transactor,
            learnt: 0,
            now: Instant::now(),
            now_ms: now_ms(),
            offered: true,
        })
    }

    /// Whether the cluster has answered since the first [`Self::topic`] was asked for.
    pub fn contact(&self) -> DirectContact {
        self.shared.contact.lock().clone()
    }

    /// The handle of a topic. Asks no broker: an unknown topic shows when its first record fails.
    ///
    /// # Errors
    /// A name that Kafka does not allow, or one topic too many.
    pub fn topic(&mut self, name: &[u8]) -> Result<DirectTopic, String> {
        if let Some(handle) = self.names.get(name) {
            return Ok(*handle);
        }
        let text = kafka::check_topic(name)?;
        if self.topics.len() >= TOPICS_MAX {
            return Err(format!("topic `{text}` would be one more than {TOPICS_MAX}, the limit of one sink"));
        }
        let handle = DirectTopic(self.topics.len() as u32);
        self.names.insert(name.into(), handle);
        self.topics.push(LocalTopic::default());
        let topic = SharedTopic { name: text.into(), ..SharedTopic::default() };
        self.shared.slots.lock().topics.push(topic);
        self.shared.wake.notify_one();
        Ok(handle)
    }

    /// Hands over a record, copied. Its end comes back from [`Self::poll`] with `opaque`. What was handed over is not sent
    /// before [`Self::offer`].
    ///
    /// # Errors
    /// The record is at fault, or its topic cannot be written.
    #[inline]
    pub fn produce(
        &mut self,
        topic: DirectTopic,
        partition: Option<i32>,
        record: &Record<'_>,
        extra: ExtraHeaders<'_>,
        opaque: u64,
    ) -> Result<(), ProduceError> {
        if std::mem::take(&mut self.offered) {
            (self.now, self.now_ms) = (Instant::now(), now_ms());
        }
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if bytes + RECORD_OVERHEAD > self.options.record_max {
            return Err(self.too_large());
        }
        let headers = |visit: &mut dyn FnMut(&[u8], Option<&[u8]>)| {
            record.headers(&mut |name, value| {
                if !(extra.replace)(name) {
                    visit(name, value);
                }
            });
            extra.headers.iter().for_each(|(name, value)| visit(name.as_bytes(), Some(value)));
        };
        let timestamp = if record.timestamp > 0 { record.timestamp } else { self.now_ms };
        let local = &mut self.topics[topic.0 as usize];
        let again = match &local.failed {
            Some(Failure::Transient(_)) => true,
            Some(failed) => return Err(ProduceError::Failed(failed.reason().to_owned())),
            None => false,
        };
        let Some(count) = local.partitions.filter(|_| !again) else {
            if again {
                // Its end is reported by the next poll.
                self.learnt = u64::MAX;
            }
            let mut held = Held {
                partition,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: Vec::new(),
                timestamp,
                opaque,
            };
            headers(&mut |name, value| held.headers.push((name.to_vec(), value.map(<[u8]>::to_vec))));
            local.held.push(held);
            return Ok(());
        };
        let place = self.place(topic, partition, record.key, count)?;
        let taken = self.put(topic.0, place, timestamp, (record.key, record.value), headers, opaque);
        if taken { Ok(()) } else { Err(self.too_large()) }
    }

    fn too_large(&self) -> ProduceError {
        ProduceError::Rejected(format!("message size too large: `message.max.bytes` is {}", self.options.record_max))
    }

    #[inline]
    fn place(
        &mut self,
        topic: DirectTopic,
        partition: Option<i32>,
        key: Option<&[u8]>,
        count: usize,
    ) -> Result<usize, ProduceError> {
        if let Some(partition) = partition {
            let known = usize::try_from(partition).ok().filter(|partition| *partition < count);
            return known.ok_or_else(|| {
                ProduceError::Failed(format!("partition {partition} does not exist: its topic has {count}"))
            });
        }
        Ok(self.options.partitioner.partition(key, count).unwrap_or_else(|| {
            let sticky = &mut self.topics[topic.0 as usize].sticky;
            sticky.get_or_insert_with(|| (partitioner::any(count), self.now)).0
        }))
    }

    #[inline]
    fn put(
        &mut self,
        topic: u32,
        place: usize,
        timestamp: i64,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        headers: impl FnOnce(&mut dyn FnMut(&[u8], Option<&[u8]>)),
        opaque: u64,
    ) -> bool {
        let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + RECORD_OVERHEAD / 2;
        let full = |pending: &Pending, options: &ProduceOptions| {
            pending.builder.count() > 0 && pending.builder.len() + size > options.batch_bytes
        };
        let local = &mut self.topics[topic as usize];
        match &mut local.filling[place] {
            Some(pending) if !full(pending, &self.options) => {}
            Some(pending) => {
                let next = Pending::new(self.shared.slots.lock().spare.pop().unwrap_or_default(), self.now);
                self.full.push((topic, place as u32, std::mem::replace(pending, next)));
                // Records without a key go on elsewhere.
                local.sticky = None;
            }
            empty @ None => {
                let slots = &mut *self.shared.slots.lock();
                let open = slots.topics[topic as usize].slots[place].open.take();
                let mut fresh = || Pending::new(slots.spare.pop().unwrap_or_default(), self.now);
                let pending = match open {
                    Some(open) if full(&open, &self.options) => {
                        self.full.push((topic, place as u32, open));
                        fresh()
                    }
                    Some(open) => open,
                    None => fresh(),
                };
                *empty = Some(pending);
                self.touched.push((topic, place as u32));
            }
        }
        let Some(pending) = &mut self.topics[topic as usize].filling[place] else { return false };
        let taken = pending.builder.push(timestamp, key, value, headers, self.options.record_max);
        if taken {
            pending.opaques.push(opaque);
        }
        taken
    }

    /// Lets the task have what was handed over. To be called at the end of each delivery.
    pub fn offer(&mut self) {
        self.offered = true;
        if self.touched.is_empty() {
            return;
        }
        let slots = &mut *self.shared.slots.lock();
        let Slots { topics, told, .. } = slots;
        let mut tell = |topic: u32, place: u32, slot: &mut Slot| {
            if !std::mem::replace(&mut slot.told, true) {
                told.push((topic, place));
            }
        };
        // In order: full ones were begun before the one that is open.
        for (topic, place, pending) in self.full.drain(..) {
            let slot = &mut topics[topic as usize].slots[place as usize];
            slot.full.push_back(pending);
            tell(topic, place, slot);
        }
        for (topic, place) in self.touched.drain(..) {
            let slot = &mut topics[topic as usize].slots[place as usize];
            let local = &mut self.topics[topic as usize];
            local.sticky = local.sticky.filter(|(_, since)| self.now - *since < STICKY);
            // Where its only record was refused there is nothing in it.
            slot.open = local.filling[place as usize].take().filter(|pending| pending.builder.count() > 0);
            tell(topic, place, slot);
        }
        self.shared.wake.notify_one();
    }

    /// What happened since this was asked last.
    pub fn news(&self) -> News {
        std::mem::take(&mut *self.shared.news.lock())
    }

    /// Serves reports, waiting up to `timeout` for the first, and learns of topics.
    ///
    /// # Errors
    /// The task ended: nothing will be reported any more.
    pub fn poll(&mut self, timeout: Duration, report: &mut dyn FnMut(Report)) -> Result<(), String> {
        self.learn(report);
        let mut next = if timeout.is_zero() { None } else { self.reports.recv_timeout(timeout).ok() };
        loop {
            match next.take().map_or_else(|| self.reports.try_recv(), Ok) {
                Ok(one) => report(one),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err("the producing task ended".into()),
            }
        }
    }

    /// Takes in what the task learnt of topics, and lets records go that waited for it.
    fn learn(&mut self, report: &mut dyn FnMut(Report)) {
        let learnt = self.shared.learnt.load(SeqCst);
        if learnt == self.learnt {
            return;
        }
        self.learnt = learnt;
        let news: Vec<_> = {
            let slots = self.shared.slots.lock();
            slots.topics.iter().map(|topic| (topic.partitions, topic.failed.clone())).collect()
        };
        for (index, (partitions, failed)) in news.into_iter().enumerate() {
            let local = &mut self.topics[index];
            if partitions != local.partitions {
                local.filling.resize_with(partitions.unwrap_or(0), || None);
                (local.partitions, local.sticky) = (partitions, None);
            }
            local.failed = failed;
            if local.held.is_empty() || (local.partitions.is_none() && local.failed.is_none()) {
                continue;
            }
            let (held, topic) = (std::mem::take(&mut local.held), DirectTopic(index as u32));
            held.into_iter().for_each(|held| self.release(topic, held, report));
        }
        self.offer();
    }

    fn release(&mut self, topic: DirectTopic, held: Held, report: &mut dyn FnMut(Report)) {
        let local = &self.topics[topic.0 as usize];
        let place = match (&local.failed, local.partitions) {
            (Some(failed), _) => Err(failed.clone()),
            (None, count) => {
                let place = self.place(topic, held.partition, held.key.as_deref(), count.unwrap_or(0));
                place.map_err(|error| Failure::Configuration(error.to_string()))
            }
        };
        match place {
            Err(failure) => report(Report { opaques: vec![held.opaque], outcome: Err(failure) }),
            Ok(place) => {
                let visit = |visit: &mut dyn FnMut(&[u8], Option<&[u8]>)| {
                    held.headers.iter().for_each(|(name, value)| visit(name, value.as_deref()));
                };
                let both = (held.key.as_deref(), held.value.as_deref());
                if !self.put(topic.0, place, held.timestamp, both, visit, held.opaque) {
                    let reason = self.too_large().to_string();
                    report(Report { opaques: vec![held.opaque], outcome: Err(Failure::Record(reason)) });
                }
            }
        }
    }
}

impl Drop for DirectProducer {
    fn drop(&mut self) {
        self.shared.closed.store(true, SeqCst);
        self.transactor.iter().for_each(|transactor| transactor.closed.store(true, SeqCst));
        self.shared.wake.notify_one();
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

#[cfg(test)]
mod tests;
