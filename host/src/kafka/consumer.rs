//! A group consumer that reads arrays of messages.
//!
//! Two queues: the consumer's own carries events (rebalance, commit, error) and is served by [`Consumer::poll`]; every
//! assigned partition is forwarded to a private data queue that [`Consumer::receive`] drains. The batch call must not
//! touch the first: rust-rdkafka registers no rebalance callback, and librdkafka answers a rebalance that it meets
//! inside a batch call by unassigning everything (rdkafka.c, "Forcing unassign"). Not draining the data queue is the
//! back-pressure: polling goes on, so the group sees no rebalance.
//!
//! A rebalance is only noted by the callback and carried out by the owner of the consumer, who first settles what is
//! in flight: [`Consumer::assign`] and [`Consumer::unassign`] must follow each event.

use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::CString,
    ptr::{self, NonNull},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError as RdError, KafkaResult, RDKafkaErrorCode},
};
use rdkafka_sys as sys;

use super::{
    KafkaError, Settings, ask,
    group::{self, Context},
    messages::{Message, Messages},
};

/// How long a question to the brokers may take at assignment, when nothing else can go on anyway.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long leaving a group may take: librdkafka waits for requests under way, among them a join that may take as long
/// as the whole group does.
const CLOSING: Duration = Duration::from_secs(10);

/// Messages that one poll of a consumer that does not fetch throws away.
const STRAYS: usize = 1000;

pub(super) type Client = BaseConsumer<Context>;

/// A topic-partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    pub topic: Arc<str>,
    pub partition: i32,
}

/// Where to start where the group has no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    Earliest,
    Latest,
    /// The first record at or after this time, in milliseconds since the Unix epoch.
    Time(i64),
}

/// What happened to the consumer since the last [`Consumer::poll`].
#[derive(Clone, Debug)]
pub enum Event {
    /// To be answered by [`Consumer::assign`].
    Assigned(Vec<Partition>),
    /// To be answered by [`Consumer::unassign`], with nothing of these partitions committed afterwards. `lost`: they
    /// already belong to somebody else, and no commit will be accepted.
    Revoked { partitions: Vec<Partition>, lost: bool },
    /// A commit that was asked for in the background failed.
    CommitFailed(KafkaError),
    /// Something is wrong.
    Error { error: KafkaError, trouble: Trouble },
}

/// What an error means for the client. librdkafka goes on trying unless it is fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It may pass; most often it is one broker's.
    Passing,
    /// A broker cannot be reached, or none can: why, other errors say, before it or soon after.
    Unreached,
    /// The cluster does not accept who we are.
    Refused,
    Fatal,
}

/// See the module's documentation. Lives on the thread of its lane.
pub struct Consumer {
    client: Rc<Client>,
    /// Records are read by this consumer. Otherwise it is there for the group alone, and its partitions are paused.
    fetches: bool,
    data: DataQueue,
    buffer: RefCell<Vec<*mut sys::rd_kafka_message_t>>,
}

impl Consumer {
    /// Connects in the background: an unreachable broker shows as [`Event::Error`]. A topic that begins with `^` is a
    /// pattern, which librdkafka matches.
    ///
    /// # Errors
    /// A property that librdkafka does not know, or a value that it refuses.
    pub fn new(settings: &Settings, group: &str, topics: &[String], fetches: bool) -> Result<Self, KafkaError> {
        let config = settings.consumer(group, topics);
        let is = |name: &str, word: &str| config.get(name).is_some_and(|value| value.contains(word));
        let cooperative = is("partition.assignment.strategy", "cooperative") || is("group.protocol", "consumer");
        let mut consumer = Self::without_group(&config, cooperative)?;
        consumer.fetches = fetches;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.client.subscribe(&topics).map_err(|error| KafkaError::new("subscribe", error))?;
        Ok(consumer)
    }

    /// One that has joined nothing.
    pub(super) fn without_group(config: &ClientConfig, cooperative: bool) -> Result<Self, KafkaError> {
        let client: Client = config
            .create_with_context(Context::new(cooperative))
            .map_err(|error| KafkaError::new("create a consumer", error))?;
        // SAFETY: the client is alive; the queue is destroyed before it (field order of `DataQueue`'s owner below).
        let queue = unsafe { sys::rd_kafka_queue_new(client.client().native_ptr()) };
        let queue = NonNull::new(queue).ok_or_else(|| KafkaError::new("create a queue", "out of memory"))?;
        let client = Rc::new(client);
        let data = DataQueue { queue, client: Rc::clone(&client) };
        Ok(Self { client, fetches: true, data, buffer: RefCell::default() })
    }

    /// Serves events. Never blocks; to be called at least once in `max.poll.interval.ms`.
    pub fn poll(&self, events: &mut Vec<Event>) {
        if !self.fetches {
            // librdkafka may have fetched something between an assignment and the pause that follows.
            self.receive(STRAYS, Duration::ZERO, &mut drop);
        }
        loop {
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    // Partitions are forwarded before they are assigned, so no message can come this way. Should one
                    // ever do, going on would skip it.
                    let reason =
                        format!("a message of {}[{}] outside the data queue", message.topic(), message.partition());
                    events.push(Event::Error { error: KafkaError::new("poll", reason), trouble: Trouble::Fatal });
                }
                Some(Err(error)) => events.push(group::error_event(&error)),
                None => {
                    let before = events.len();
                    self.client.context().take(events);
                    if events.len() == before {
                        return;
                    }
                }
            }
        }
    }

    /// Takes up partitions, at the group's offset or at `start` where it has none. A start that had to be looked up
    /// is committed at once, so that a restart begins at the same record. Returns where each begins, where known: of a
    /// consumer that does not fetch, always.
    ///
    /// # Errors
    /// The brokers did not answer; the caller gives the consumer up and tries again.
    pub fn assign(&self, partitions: &[Partition], start: StartAt) -> Result<HashMap<Partition, i64>, KafkaError> {
        let mut list = to_list(partitions.iter().map(|partition| (partition, Offset::Stored)))?;
        let mut begins = HashMap::new();
        if !partitions.is_empty() {
            let committed = ask::committed(&self.client, partitions, QUESTION_TIMEOUT)?;
            let mut without = Vec::new();
            for (partition, offset) in partitions.iter().zip(committed) {
                match offset {
                    Some(offset) => drop(begins.insert(partition.clone(), offset)),
                    None => without.push(partition.clone()),
                }
            }
            let resolved = self.resolve(without, start)?;
            for (partition, offset) in &resolved {
                begins.insert(partition.clone(), *offset);
                list.set_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))
                    .map_err(|error| KafkaError::new("set a start offset", error))?;
            }
            // Forwarded first: a message can then never reach the consumer's own queue.
            for partition in partitions {
                self.forward(partition)?;
            }
            self.take_up(&list)?;
            if !self.fetches {
                self.client.pause(&list).map_err(|error| KafkaError::new("pause", error))?;
            }
            if !resolved.is_empty() && start != StartAt::Earliest {
                self.commit(resolved.into_iter(), false)?;
            }
        } else {
            self.take_up(&list)?;
        }
        Ok(begins)
    }

    /// Gives up partitions after [`Event::Revoked`].
    ///
    /// # Errors
    /// librdkafka refuses, for instance because the consumer is fenced.
    pub fn unassign(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let list = to_list(partitions.iter().map(|partition| (partition, Offset::Invalid)))?;
        self.client.context().answer();
        let given_up = match self.client.context().cooperative {
            true => self.client.incremental_unassign(&list),
            false => self.client.unassign(),
        };
        given_up.map_err(|error| KafkaError::new("unassign", error))
    }

    /// Waits up to `timeout` for a first message, then takes what is there, at most `max` messages. Messages of
    /// several partitions come mixed, those of one in offset order.
    pub fn receive(&self, max: usize, timeout: Duration, into: &mut dyn FnMut(Message)) {
        let mut buffer = self.buffer.borrow_mut();
        buffer.resize(max.max(1), ptr::null_mut());
        // The call returns when the array is full or the time is over, so waiting is done for one message only.
        let mut count = self.take(&mut buffer[..1], timeout);
        if count == 1 && max > 1 {
            count += self.take(&mut buffer[1..], Duration::ZERO);
        }
        for raw in buffer.iter().take(count).filter_map(|raw| NonNull::new(*raw)) {
            // SAFETY: librdkafka filled the first `count` entries and handed them over.
            into(unsafe { Message::from_raw(raw) });
        }
    }

    fn take(&self, buffer: &mut [*mut sys::rd_kafka_message_t], timeout: Duration) -> usize {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive and read by this thread alone; the array has `len` places.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.data.queue.as_ptr(), timeout, buffer.as_mut_ptr(), buffer.len())
        };
        usize::try_from(count).unwrap_or(0)
    }

    /// A batch's rows: they keep the client alive.
    pub fn rows(&self, messages: Vec<Message>) -> Messages {
        Messages::new(messages, Rc::clone(&self.client))
    }

    /// Commits next offsets (last processed + 1). In the background unless `wait`: a refusal is an event then.
    ///
    /// # Errors
    /// With `wait`, that the group refused; without, that there is no group any more.
    pub fn commit(&self, offsets: impl Iterator<Item = (Partition, i64)>, wait: bool) -> Result<(), KafkaError> {
        let offsets: Vec<_> = offsets.collect();
        if offsets.is_empty() {
            return Ok(());
        }
        let list = to_list(offsets.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))))?;
        let committed =
            if wait { self.client.commit(&list, CommitMode::Sync) } else { self.commit_in_background(&list) };
        committed.map_err(|error| KafkaError::new("commit offsets", error))
    }

    /// Has the answer put into the queue that [`Self::poll`] reads. rust-rdkafka's own commit in the background names
    /// none (its issue 856): librdkafka logs that it failed, and tells nobody.
    fn commit_in_background(&self, list: &TopicPartitionList) -> KafkaResult<()> {
        // SAFETY: client and list are alive, the list is copied; the queue is ours to let go of, and counted by who is to
        // answer.
        let error = unsafe {
            let queue = sys::rd_kafka_queue_get_consumer(self.native());
            if queue.is_null() {
                return Err(RdError::ConsumerCommit(RDKafkaErrorCode::UnknownGroup));
            }
            let error = sys::rd_kafka_commit_queue(self.native(), list.ptr(), queue, None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(queue);
            error
        };
        match error {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => Err(RdError::ConsumerCommit(error.into())),
        }
    }

    /// End of a partition as of the last fetch, without asking the broker: the offset of the next record to come.
    pub fn end(&self, partition: &Partition) -> Option<i64> {
        let topic = CString::new(&*partition.topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the client is alive, the name null-terminated, the two places outlive the call.
        let error = unsafe {
            let rk = self.client.client().native_ptr();
            sys::rd_kafka_get_watermark_offsets(rk, topic.as_ptr(), partition.partition, &mut low, &mut high)
        };
        (error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }

    /// Reads these partitions from these offsets on, without a group.
    pub(super) fn read_from(&self, places: &[(Partition, i64)]) -> Result<(), KafkaError> {
        for (partition, _) in places {
            self.forward(partition)?;
        }
        self.take_up(&to_list(places.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))))?)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn native(&self) -> *mut sys::rd_kafka_t {
        self.client.client().native_ptr()
    }

    /// Next offsets in librdkafka's form.
    pub(super) fn offsets(
        &self,
        offsets: impl Iterator<Item = (Partition, i64)>,
    ) -> Result<TopicPartitionList, KafkaError> {
        let offsets: Vec<_> = offsets.collect();
        to_list(offsets.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))))
    }

    fn forward(&self, partition: &Partition) -> Result<(), KafkaError> {
        let topic = CString::new(&*partition.topic).map_err(|error| KafkaError::new("forward a partition", error))?;
        // SAFETY: client and queue are alive. The reference to the partition's queue is given back at once; the
        // forward itself stays until the queue is destroyed (librdkafka, RD_KAFKA_Q_F_FWD_APP).
        unsafe {
            let rk = self.client.client().native_ptr();
            let queue = sys::rd_kafka_queue_get_partition(rk, topic.as_ptr(), partition.partition);
            if queue.is_null() {
                return Err(KafkaError::new("forward a partition", format!("{partition:?} has no queue")));
            }
            sys::rd_kafka_queue_forward(queue, self.data.queue.as_ptr());
            sys::rd_kafka_queue_destroy(queue);
        }
        Ok(())
    }

    /// The offsets that `start` means for partitions without one; none of what is left to `auto.offset.reset`.
    fn resolve(&self, partitions: Vec<Partition>, start: StartAt) -> Result<Vec<(Partition, i64)>, KafkaError> {
        if start == StartAt::Earliest && self.fetches {
            // librdkafka asks when it fetches.
            return Ok(Vec::new());
        }
        let begins = ask::offsets(&self.client, &partitions, start, QUESTION_TIMEOUT)?;
        Ok(partitions.into_iter().zip(begins).collect())
    }

    fn take_up(&self, list: &TopicPartitionList) -> Result<(), KafkaError> {
        self.client.context().answer();
        let taken = match self.client.context().cooperative {
            true => self.client.incremental_assign(list),
            false => self.client.assign(list),
        };
        taken.map_err(|error| KafkaError::new("assign", error))
    }
}

impl Drop for Consumer {
    /// Leaves the group. What is in flight should be settled and committed before. A client that does not close in time
    /// is left behind: rust-rdkafka would wait for it for ever.
    fn drop(&mut self) {
        let context = self.client.context();
        context.close(&self.client);
        if let Err(error) = self.client.close_queue() {
            tracing::debug!(%error, "close a consumer");
        }
        let deadline = Instant::now() + CLOSING;
        while !self.client.closed() && Instant::now() < deadline {
            drop(self.client.poll(Duration::from_millis(50)));
        }
        if !self.client.closed() || !context.answered(Duration::from_secs(1)) {
            tracing::warn!("a consumer does not close, and is left behind");
            std::mem::forget(Rc::clone(&self.client));
        }
    }
}

/// The queue that all assigned partitions are forwarded to.
struct DataQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    client: Rc<Client>,
}

impl Drop for DataQueue {
    fn drop(&mut self) {
        // Closed before the queue goes: a partition must not be forwarded to a queue that is no more.
        let _alive = &self.client;
        // SAFETY: created in `Consumer::new`, destroyed once, while its client is alive.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

pub(super) fn to_list<'a>(
    offsets: impl Iterator<Item = (&'a Partition, Offset)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(&partition.topic, partition.partition, offset)
            .map_err(|error| KafkaError::new("name partitions", error))?;
    }
    Ok(list)
}
