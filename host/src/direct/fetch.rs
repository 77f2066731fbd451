//! Fetching: record batches of the partitions in a lane's hands, ahead of it, within a bound.
//!
//! One task for a lane. A broker has one request under way at a time, for all partitions that it leads; its answer is
//! cut into chunks (rows of one partition, in the memory of the answer) that the lane takes from a queue. Nothing more is
//! asked for while `queued.max.messages.kbytes` of chunks wait or are on their way, or while fetched memory of
//! [`HELD_MAX`] is held by what is in flight: a row holds the memory of those fetched with it. Nor is a broker asked at
//! once that had little ([`Pace`]). The group's protocol is not spoken here: assignments come as [`Fetcher::add`] and
//! [`Fetcher::remove`], each under the epoch of its assignment.

mod pace;
mod task;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use crossbeam_utils::sync::{Parker, Unparker};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

pub use pace::Pace;

use super::{
    choice::Ground,
    options::{FetchOptions, Unsupported},
    records::Row,
};
use crate::kafka::{Partition, Settings};

/// Commands on their way to the task, which takes each as it comes: there is one for a rebalance.
const COMMANDS: usize = 64;

/// Bytes of fetched memory in use. Twice what the lane has in flight at most (`pipeline/flight.rs`): reached where a few
/// rows that are not delivered hold much.
const HELD_MAX: usize = 128 << 20;

/// What is less than this part of its answer is copied, so as not to hold all of it.
const SMALL_PART: usize = 8;

/// So many bytes of chunks are worth waking a lane for before all of an answer is read.
const WAKE_FOR: usize = 64 << 10;

/// Rows of one partition in offset order, in fetched memory.
#[derive(Debug)]
pub struct Chunk {
    pub epoch: u64,
    /// Since when a row of it may have waited for others.
    pub since: Instant,
    pub(super) rows: Vec<Row>,
    pub(super) data: Bytes,
    /// Given back when the lane has no more of it to take.
    queued: Queued,
}

/// Bytes that count as queued.
#[derive(Debug)]
struct Queued {
    bytes: usize,
    shared: Arc<Shared>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.shared.queued.fetch_sub(self.bytes, SeqCst);
        self.shared.room.notify_one();
    }
}

/// Fetched memory, counted until nobody holds it.
struct Held {
    bytes: Bytes,
    shared: Arc<Shared>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes.len(), SeqCst);
        self.shared.room.notify_one();
    }
}

/// What task and lane both see.
#[derive(Debug, Default)]
struct Shared {
    queued: AtomicUsize,
    held: AtomicUsize,
    /// Told when one of these shrinks.
    room: Notify,
    /// By epoch: the offset behind the last record that can be read.
    ends: Mutex<HashMap<u64, i64>>,
    /// The lane is to wait no more, once.
    woken: AtomicBool,
    pace: Mutex<Pace>,
}

impl Shared {
    fn queue(self: &Arc<Self>, bytes: usize) -> Queued {
        self.queued.fetch_add(bytes, SeqCst);
        Queued { bytes, shared: Arc::clone(self) }
    }

    /// The same memory, counted.
    fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.held.fetch_add(bytes.len(), SeqCst);
        Bytes::from_owner(Held { bytes, shared: Arc::clone(self) })
    }

    /// What was fetched with it and is no longer needed need not be held.
    fn hold_part(self: &Arc<Self>, part: Bytes, whole: usize) -> Bytes {
        let is_small = !part.is_empty() && part.len() < whole / SMALL_PART;
        if is_small { self.hold(Bytes::copy_from_slice(&part)) } else { part }
    }
}

/// A partition to be read.
#[derive(Clone, Debug)]
struct Begin {
    epoch: u64,
    partition: Partition,
    offset: i64,
}

#[derive(Debug)]
enum Command {
    Add(Vec<Begin>),
    Remove(Vec<u64>),
}

/// What the task has for its lane.
#[derive(Debug)]
enum News {
    Chunk(Chunk),
    /// A partition cannot be read on; nothing comes behind it.
    Failed(String),
}

/// Where the task's news go, and who is woken by them.
struct Post {
    news: Sender<News>,
    // Behind the sender: that this is gone is news as well.
    lane: Wake,
    /// Bytes of chunks for which it was not woken yet.
    unsaid: usize,
}

impl Post {
    /// To be followed by [`Self::wake`] when all of an answer is read.
    fn chunk(&mut self, chunk: Chunk) {
        self.unsaid += chunk.queued.bytes;
        // A lane that is gone has no use for it.
        self.news.send(News::Chunk(chunk)).ok();
        if self.unsaid >= WAKE_FOR {
            self.wake();
        }
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.unsaid) > 0 {
            self.lane.0.unpark();
        }
    }

    fn failed(&mut self, reason: String) {
        self.news.send(News::Failed(reason)).ok();
        self.lane.0.unpark();
    }
}

struct Wake(Unparker);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Ends a lane's wait for chunks.
struct EndOfWait {
    shared: Arc<Shared>,
    lane: Unparker,
}

impl std::task::Wake for EndOfWait {
    fn wake(self: Arc<Self>) {
        self.shared.woken.store(true, SeqCst);
        self.lane.unpark();
    }
}

/// See the module's documentation. Dropping it ends the task.
pub struct Fetcher {
    commands: mpsc::Sender<Command>,
    news: Receiver<News>,
    /// The lane sleeps here, not in the channel, which has it look around first: that it yields its processor a few
    /// times costs more than what it does with a few records, where there are a hundred lanes.
    sleep: Parker,
    shared: Arc<Shared>,
}

impl Fetcher {
    /// Starts the task. Connecting goes on in the background.
    ///
    /// # Errors
    /// Properties that only librdkafka understands.
    pub fn start(settings: &Settings, ground: &Ground) -> Result<Self, Unsupported> {
        let options = FetchOptions::of(settings)?;
        let (commands, orders) = mpsc::channel(COMMANDS);
        #[allow(clippy::disallowed_methods, reason = "bounded in bytes, by what `Shared::queued` counts")]
        let (to_lane, news) = crossbeam_channel::unbounded();
        let sleep = Parker::new();
        let post = Post { news: to_lane, lane: Wake(sleep.unparker().clone()), unsaid: 0 };
        let shared = Arc::new(Shared::default());
        ground.runtime.spawn(task::run(options, orders, post, Arc::clone(&shared), ground.unfit.clone()));
        Ok(Self { commands, news, sleep, shared })
    }

    /// Whether one may be started. Connects to nothing.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn check(settings: &Settings) -> Result<(), Unsupported> {
        FetchOptions::of(settings).map(drop)
    }

    /// Until this is called brokers are asked again at once. A pause that has begun, which is short, goes on.
    pub fn set_pace(&self, pace: Pace) {
        *self.shared.pace.lock() = pace;
    }

    /// Reads a partition from an offset on. Not to be called from an async task.
    pub fn add(&self, partitions: impl Iterator<Item = (u64, Partition, i64)>) {
        let begins = partitions.map(|(epoch, partition, offset)| Begin { epoch, partition, offset });
        // Without a task the next `receive` says so.
        self.commands.blocking_send(Command::Add(begins.collect())).ok();
    }

    /// Reads partitions no more. Chunks of theirs may still come. Not to be called from an async task.
    pub fn remove(&self, epochs: impl Iterator<Item = u64>) {
        let epochs: Vec<u64> = epochs.collect();
        let mut ends = self.shared.ends.lock();
        epochs.iter().for_each(|epoch| {
            ends.remove(epoch);
        });
        drop(ends);
        self.commands.blocking_send(Command::Remove(epochs)).ok();
    }

    /// For who has something else for the lane to do: ends its wait, or the next one where it does not wait.
    pub fn waker(&self) -> Waker {
        Arc::new(EndOfWait { shared: Arc::clone(&self.shared), lane: self.sleep.unparker().clone() }).into()
    }

    /// The offset of the next record to come, as of the last fetch.
    pub fn end(&self, epoch: u64) -> Option<i64> {
        self.shared.ends.lock().get(&epoch).copied()
    }

    /// Waits for a first chunk, up to `wait` or until a waker ends it, and takes what is there.
    ///
    /// # Errors
    /// A partition cannot be read on, in words.
    pub fn receive(&self, wait: Duration, into: &mut dyn FnMut(Chunk)) -> Result<(), String> {
        let until = Instant::now() + wait;
        let mut next = self.news.try_recv();
        let is_woken = || self.shared.woken.swap(false, SeqCst);
        while matches!(next, Err(TryRecvError::Empty)) && !is_woken() && Instant::now() < until {
            self.sleep.park_deadline(until);
            next = self.news.try_recv();
        }
        loop {
            match next {
                Ok(News::Chunk(chunk)) => into(chunk),
                Ok(News::Failed(reason)) => return Err(reason),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err("the fetching task ended".into()),
            }
            next = self.news.try_recv();
        }
    }
}

#[cfg(test)]
mod tests;
