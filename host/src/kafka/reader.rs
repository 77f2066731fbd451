//! Reads a topic from its begin to where it ends when the reading begins, so that it comes to an end on a topic that is
//! written to. A member of no group; commits nothing. Records of aborted transactions are left out, as readers see it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{TopicPartitionList, consumer::Consumer as _, types::RDKafkaErrorCode};
use thiserror::Error;

use super::{
    KafkaError, Settings, ask,
    consumer::{Consumer, Event, Partition, Trouble},
};
use crate::batch::Rows;

/// Of one question to the brokers; between two of them it is looked what went wrong.
const QUESTION: Duration = Duration::from_secs(1);

/// A client that is not connected answers at once.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);

/// A partition of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub partition: i32,
    /// First offset that is still there.
    pub begin: i64,
    /// Offset of the next record to come, when the reading began; under open transactions the first of theirs.
    pub end: i64,
    /// Whether there is more to read.
    open: bool,
}

/// A topic cannot be read.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    #[error("it does not answer: {0}")]
    Unreachable(String),
    #[error("it refuses: {0}")]
    Refused(String),
    #[error("it cannot be spoken to as asked: {0}")]
    Settings(KafkaError),
    #[error("it has no topic `{0}`")]
    NoTopic(String),
    #[error(transparent)]
    Failed(#[from] KafkaError),
}

/// See the module's documentation. Lives on the thread that opened it.
pub struct Reader {
    consumer: Consumer,
    topic: Arc<str>,
    spans: Vec<Span>,
    events: Vec<Event>,
    trouble: Option<String>,
    refused: bool,
}

impl Reader {
    /// Asks where the topic begins and ends, for at most `patience`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open(settings: &Settings, topic: &str, patience: Duration) -> Result<Self, ReadError> {
        let consumer = Consumer::without_group(&settings.reader(), false).map_err(ReadError::Settings)?;
        let mut reader = Self {
            consumer,
            topic: topic.into(),
            spans: Vec::new(),
            events: Vec::new(),
            trouble: None,
            refused: false,
        };
        let deadline = Instant::now() + patience;
        let partitions = reader.ask(deadline, Self::partitions)?;
        if partitions.is_empty() {
            return Err(ReadError::NoTopic(topic.into()));
        }
        let names: Vec<Partition> = partitions.iter().map(|partition| reader.name(*partition)).collect();
        let ends = reader.ask(deadline, |reader| ask::ends(reader.consumer.client(), &names, QUESTION).map(Some))?;
        let spans = partitions.into_iter().zip(ends);
        reader.spans =
            spans.map(|(partition, (begin, end))| Span { partition, begin, end, open: begin < end }).collect();
        let places: Vec<_> = reader
            .spans
            .iter()
            .filter(|span| span.open)
            .map(|span| (reader.name(span.partition), span.begin))
            .collect();
        reader.consumer.read_from(&places)?;
        Ok(reader)
    }

    /// The partitions of the topic, each with what there is to read.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether all was read.
    pub fn is_done(&self) -> bool {
        self.spans.iter().all(|span| !span.open)
    }

    /// What librdkafka said last of a cluster that it cannot reach.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Takes up to `max` records, waiting up to `timeout` for the first, and calls `into` with the partition, and the
    /// row among these rows. Records of a partition come in order. Answers whether anything came, an end too.
    ///
    /// # Errors
    /// A partition cannot be read on.
    pub fn receive(
        &mut self,
        max: usize,
        timeout: Duration,
        into: &mut dyn FnMut(i32, &dyn Rows, usize),
    ) -> Result<bool, KafkaError> {
        let (mut messages, mut partitions) = (Vec::new(), Vec::new());
        let (mut failed, mut ended, mut came) = (None, Vec::new(), false);
        let spans = &mut self.spans;
        self.consumer.receive(max, timeout, &mut |message| {
            came = true;
            let (number, offset) = (message.partition(), message.offset());
            let Some(span) = spans.iter_mut().find(|span| span.partition == number && span.open) else { return };
            let next = match message.error() {
                None if offset < span.end => {
                    messages.push(message);
                    partitions.push(number);
                    offset + 1
                }
                None => offset,
                Some(_) if message.is_end() => offset,
                Some(error) => {
                    failed = Some(error);
                    return;
                }
            };
            if next >= span.end {
                span.open = false;
                ended.push(number);
            }
        });
        let rows = self.consumer.rows(messages);
        partitions.iter().enumerate().for_each(|(row, partition)| into(*partition, &rows, row));
        self.listen();
        // What is written from now on need not come here.
        let ended: Vec<_> = ended.into_iter().map(|partition| self.name(partition)).collect();
        self.pause(&ended)?;
        failed.map_or(Ok(came), Err)
    }

    fn pause(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for Partition { topic, partition } in partitions {
            list.add_partition(topic, *partition);
        }
        self.consumer.client().pause(&list).map_err(|error| KafkaError::new("pause", error))
    }

    /// The partitions' numbers; none where the brokers do not know yet.
    fn partitions(&mut self) -> Result<Option<Vec<i32>>, KafkaError> {
        let failed = |error: &dyn ToString| KafkaError::new("ask for the topic", error.to_string());
        let metadata =
            self.consumer.client().fetch_metadata(Some(&self.topic), QUESTION).map_err(|error| failed(&error))?;
        let Some(topic) = metadata.topics().first() else { return Ok(None) };
        match topic.error().map(RDKafkaErrorCode::from) {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(Some(Vec::new())),
            Some(error) => Err(failed(&error)),
            None => Ok(Some(topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect())),
        }
    }

    /// Asks again and again, until the deadline.
    fn ask<T>(
        &mut self,
        deadline: Instant,
        question: impl Fn(&mut Self) -> Result<Option<T>, KafkaError>,
    ) -> Result<T, ReadError> {
        loop {
            let asked = question(self);
            self.listen();
            let reason = match asked {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => None,
                Err(error) => Some(error.to_string()),
            };
            let over = Instant::now() >= deadline;
            if self.refused || over {
                let reason = self.trouble.take().or(reason).unwrap_or_else(|| "no answer".into());
                return Err(if self.refused { ReadError::Refused(reason) } else { ReadError::Unreachable(reason) });
            }
            std::thread::sleep(BETWEEN_QUESTIONS);
        }
    }

    /// Notes what is wrong.
    fn listen(&mut self) {
        self.consumer.poll(&mut self.events);
        for event in self.events.drain(..) {
            if let Event::Error { error, trouble } = event
                && (self.trouble.is_none() || trouble != Trouble::Unreached)
            {
                self.trouble = Some(error.reason);
                self.refused |= trouble == Trouble::Refused;
            }
        }
    }

    fn name(&self, partition: i32) -> Partition {
        Partition { topic: Arc::clone(&self.topic), partition }
    }
}
