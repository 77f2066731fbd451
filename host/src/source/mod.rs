//! The source of a lane: one Kafka consumer whose messages are gathered into batches of one topic-partition each.
//!
//! A batch is due when its rows or bytes reach the policy, or when its oldest row has waited for `linger`: here,
//! or, on the direct path, already at the broker. What is gathered and not yet due is bounded (`gather.rs`), whatever the
//! number of partitions.
//!
//! Each assignment of a partition is an **epoch**: a number that never comes back. A batch carries the epoch of its
//! partition, and the ledger forgets an epoch when its partition is given up, so that nothing that was in flight then
//! can commit later.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use crate::{
    batch::Batch,
    direct::{Choice, Fetcher, Pace, Remainder},
    kafka::{Consumer, Event, KafkaError, Message, Partition, Settings, StartAt, Trouble},
};

mod gather;
use gather::{Gather, Gathered, Lots};

/// When a batch is due. The first condition that is met counts.
#[derive(Clone, Copy, Debug)]
pub struct BatchPolicy {
    /// 1 to 10,000.
    pub records: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
    /// How long a row may wait for others.
    pub linger: Duration,
}

impl BatchPolicy {
    fn pace(self) -> Pace {
        let Self { records, bytes, linger } = self;
        Pace { records, bytes, linger }
    }
}

/// What the source needs to know.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Who fetches records. The group is librdkafka's either way.
    pub client: Choice,
    pub kafka: Settings,
    pub topics: Vec<String>,
    pub group: String,
    pub start: StartAt,
    pub batch: BatchPolicy,
}

/// A partition in this lane's hands.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub partition: Partition,
    pub epoch: u64,
    /// Where the group stood at assignment, where it stood anywhere.
    pub begins: Option<i64>,
}

/// What the lane has to act on.
#[derive(Debug)]
pub enum SourceEvent {
    /// Already taken up; records may follow.
    Assigned(Vec<Assignment>),
    /// To be answered by [`Source::release`] once what is in flight is settled and committed.
    Revoked { partitions: Vec<Assignment>, lost: bool },
    /// A commit in the background failed; a later one covers it.
    CommitFailed(KafkaError),
    /// Something is wrong; the client goes on trying unless it is fatal.
    Error { error: KafkaError, trouble: Trouble },
}

/// See the module's documentation.
pub struct Source {
    consumer: Rc<Consumer>,
    start: StartAt,
    feed: Feed,
    assigned: HashMap<Partition, Assignment>,
    epochs: u64,
    noted: Vec<Event>,
}

/// Where records come from.
enum Feed {
    /// Messages of the consumer.
    Client(Gather),
    /// The consumer is there for the group alone.
    Direct(Fetcher, Lots<Remainder>),
}

impl Feed {
    fn new(settings: &SourceSettings) -> Result<Self, KafkaError> {
        let fetcher = settings.client.start("fetch records", |ground| Fetcher::start(&settings.kafka, ground))?;
        Ok(match fetcher {
            Some(fetcher) => {
                fetcher.set_pace(settings.batch.pace());
                Self::Direct(fetcher, Lots::new(settings.batch))
            }
            None => Self::Client(Gather::new(settings.batch)),
        })
    }
}

impl Source {
    /// Whether a source may be made of these settings. Connects to nothing.
    ///
    /// # Errors
    /// The direct path is asked for what it does not do.
    pub fn check(settings: &SourceSettings) -> Result<(), KafkaError> {
        settings.client.start("fetch records", |_| Fetcher::check(&settings.kafka)).map(drop)
    }

    /// Connects in the background.
    ///
    /// # Errors
    /// A property that librdkafka does not know, or a value that it refuses.
    pub fn new(settings: &SourceSettings) -> Result<Self, KafkaError> {
        let feed = Feed::new(settings)?;
        let fetches = matches!(feed, Feed::Client(_));
        let consumer = Consumer::new(&settings.kafka, &settings.group, &settings.topics, fetches)?;
        Ok(Self {
            consumer: Rc::new(consumer),
            start: settings.start,
            feed,
            assigned: HashMap::new(),
            epochs: 0,
            noted: Vec::new(),
        })
    }

    /// Changes when a batch is due, and where to start in a partition that is assigned from now on and has no offset.
    pub fn steer(&mut self, batch: BatchPolicy, start: StartAt) {
        match &mut self.feed {
            Feed::Client(gather) => gather.lots().set_policy(batch),
            Feed::Direct(fetcher, lots) => {
                fetcher.set_pace(batch.pace());
                lots.set_policy(batch);
            }
        }
        self.start = start;
    }

    /// Serves the group: never blocks, but at an assignment, when offsets are asked for.
    ///
    /// # Errors
    /// The brokers did not answer at an assignment: the lane starts over.
    pub fn poll(&mut self, events: &mut Vec<SourceEvent>) -> Result<(), KafkaError> {
        self.consumer.poll(&mut self.noted);
        for event in std::mem::take(&mut self.noted) {
            events.push(match event {
                Event::Assigned(partitions) => SourceEvent::Assigned(self.take_up(&partitions)?),
                Event::Revoked { partitions, lost } => {
                    let partitions: Vec<_> =
                        partitions.iter().filter_map(|partition| self.assigned.remove(partition)).collect();
                    let epochs = partitions.iter().map(|assignment| assignment.epoch);
                    match &mut self.feed {
                        Feed::Client(gather) => gather.change().forget(epochs),
                        Feed::Direct(fetcher, lots) => {
                            fetcher.remove(epochs.clone());
                            lots.forget(epochs);
                        }
                    }
                    SourceEvent::Revoked { partitions, lost }
                }
                Event::CommitFailed(error) => SourceEvent::CommitFailed(error),
                Event::Error { error, trouble } => SourceEvent::Error { error, trouble },
            });
        }
        Ok(())
    }

    /// Who has something else for the lane to do ends its wait in [`Self::receive`] with this. None: librdkafka waits.
    pub fn waker(&self) -> Option<Waker> {
        match &self.feed {
            Feed::Client(_) => None,
            Feed::Direct(fetcher, _) => Some(fetcher.waker()),
        }
    }

    /// Gives revoked partitions back to the group.
    ///
    /// # Errors
    /// librdkafka refuses, for instance because the consumer is fenced: the lane starts over.
    pub fn release(&self, partitions: &[Assignment]) -> Result<(), KafkaError> {
        let partitions: Vec<_> = partitions.iter().map(|assignment| assignment.partition.clone()).collect();
        self.consumer.unassign(&partitions)
    }

    /// Takes what was fetched, waiting up to `wait` for a first message, or less where a batch is due
    /// earlier.
    ///
    /// # Errors
    /// A partition cannot be read on: the lane starts over.
    pub fn receive(&mut self, wait: Duration) -> Result<(), KafkaError> {
        let now = Instant::now();
        match &mut self.feed {
            Feed::Client(gather) => {
                let wait = gather.lots().due_in(now).map_or(wait, |due| wait.min(due));
                let mut failed = None;
                self.consumer.receive(gather.room(), wait, &mut |message: Message| match message.error() {
                    None => gather.push(message, now),
                    Some(error) => failed = Some(error),
                });
                failed.map_or(Ok(()), Err)
            }
            Feed::Direct(fetcher, lots) => {
                let wait = lots.due_in(now).map_or(wait, |due| wait.min(due));
                let received = fetcher.receive(wait, &mut |chunk| lots.push(chunk));
                received.map_err(|reason| KafkaError::new("fetch", reason))
            }
        }
    }

    /// The next batch that is due, the longest waiting first.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let now = Instant::now();
        match &mut self.feed {
            Feed::Client(gather) => {
                let Gathered { topic, partition, epoch, rows, bytes } = gather.lots().next_due(now)?;
                Some(Batch { topic, partition, epoch, bytes, rows: Rc::new(self.consumer.rows(rows)) })
            }
            Feed::Direct(_, lots) => {
                let Gathered { topic, partition, epoch, rows, bytes } = lots.next_due(now)?;
                Some(Batch { topic, partition, epoch, bytes, rows })
            }
        }
    }

    /// Commits next offsets: in the background, or waiting for the answer.
    ///
    /// # Errors
    /// With `wait`, that the group refused.
    pub fn commit(&self, offsets: impl Iterator<Item = (Partition, i64)>, wait: bool) -> Result<(), KafkaError> {
        self.consumer.commit(offsets, wait)
    }

    /// Who is the member of the group, for a transaction with its offsets.
    pub fn member(&self) -> &Consumer {
        &self.consumer
    }

    /// The partitions in this lane's hands.
    pub fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.assigned.values()
    }

    /// Where the group stood when the partition was assigned.
    pub fn begins(&self, partition: &Partition) -> Option<i64> {
        self.assigned.get(partition)?.begins
    }

    /// The offset of the next record to come, as of the last fetch.
    pub fn end(&self, partition: &Partition) -> Option<i64> {
        match &self.feed {
            Feed::Client(_) => self.consumer.end(partition),
            Feed::Direct(fetcher, _) => fetcher.end(self.assigned.get(partition)?.epoch),
        }
    }

    fn take_up(&mut self, partitions: &[Partition]) -> Result<Vec<Assignment>, KafkaError> {
        let begins = self.consumer.assign(partitions, self.start)?;
        let assignments: Vec<_> = partitions
            .iter()
            .map(|partition| {
                self.epochs += 1;
                let begins = begins.get(partition).copied();
                Assignment { partition: partition.clone(), epoch: self.epochs, begins }
            })
            .collect();
        for assignment in &assignments {
            let Partition { topic, partition } = &assignment.partition;
            let (topic, epoch) = (Arc::clone(topic), assignment.epoch);
            match &mut self.feed {
                Feed::Client(gather) => gather.change().expect(topic, *partition, epoch),
                Feed::Direct(_, lots) => lots.expect(topic, *partition, epoch),
            }
            self.assigned.insert(assignment.partition.clone(), assignment.clone());
        }
        if let Feed::Direct(fetcher, _) = &self.feed {
            // Every begin is known: see `Consumer::assign`.
            let begins = assignments.iter().filter_map(|it| Some((it.epoch, it.partition.clone(), it.begins?)));
            fetcher.add(begins);
        }
        Ok(assignments)
    }
}
