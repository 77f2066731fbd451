//! Topics of a test's own, written and read.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::RDKafkaErrorCode,
    message::Headers,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

use crate::{PATIENCE, services, unique};

/// A record as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: BTreeMap<String, String>,
}

/// Time of record `number`, in milliseconds: 200,000 records begin on 2023-11-14 and end on the day after.
pub fn timestamp(number: u64) -> i64 {
    1_700_000_000_000 + number as i64 * 37
}

/// A topic that no other test knows.
pub struct Topic {
    pub name: String,
    pub partitions: i32,
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &services().kafka);
    config
}

impl Topic {
    /// Made by the broker at the first write: it has four partitions then.
    pub fn new(name: &str) -> Self {
        Self::named(&unique(name))
    }

    /// The same, with exactly this name.
    pub fn named(name: &str) -> Self {
        Self::named_in(&services().kafka, name)
    }

    /// The same in another cluster.
    pub fn named_in(brokers: &str, name: &str) -> Self {
        let topic = Self { name: name.into(), partitions: 4 };
        topic.create(brokers);
        topic
    }

    /// With properties of its own.
    pub fn with(name: &str, properties: &[(&str, &str)]) -> Self {
        let topic = Self::made(&services().kafka, &unique(name), 4, 1, properties);
        topic.create(&services().kafka);
        topic
    }

    /// Makes one in some cluster.
    pub(crate) fn made(brokers: &str, name: &str, partitions: i32, replicas: i32, properties: &[(&str, &str)]) -> Self {
        let topic = Self { name: name.into(), partitions };
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client");
        let one = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(replicas));
        let one = properties.iter().fold(one, |one, (name, value)| one.set(name, value));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let made = runtime.block_on(admin.create_topics([&one], &AdminOptions::new())).expect("an answer");
        made.into_iter().for_each(|topic| drop(topic.expect("a topic")));
        topic
    }

    /// Asks for the topic until the broker has made it.
    fn create(&self, brokers: &str) {
        let mut config = config();
        config.set("bootstrap.servers", brokers).set("allow.auto.create.topics", "true").set("group.id", "tests");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        crate::wait_until("a topic", || {
            let metadata = consumer.fetch_metadata(Some(&self.name), Duration::from_secs(10));
            let partitions = metadata.ok().and_then(|metadata| Some(metadata.topics().first()?.partitions().len()));
            partitions == Some(self.partitions as usize)
        });
    }

    pub fn producer() -> ThreadedProducer<DefaultProducerContext> {
        let mut config = config();
        config.set("linger.ms", "5").set("acks", "all").set("enable.idempotence", "true");
        config.create().expect("a producer")
    }

    /// Writes records from number `first` on, round robin: number n is offset n / 4 of partition n % 4, where only one
    /// writes. At most 20,000 are under way.
    pub fn write(&self, first: u64, values: impl Iterator<Item = String>) -> u64 {
        self.write_keyed(first, values.enumerate().map(|(at, value)| ((first + at as u64).to_string(), Some(value))))
    }

    /// Writes records with one key to one partition, in order.
    pub fn write_in(&self, partition: i32, values: impl Iterator<Item = String>) {
        let producer = Self::producer();
        for value in values {
            let record = BaseRecord::to(&self.name).partition(partition).key("one").payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("room for it");
        }
        producer.flush(PATIENCE).expect("written");
    }

    /// As [`Self::write`], with keys of the test's own, and tombstones.
    pub fn write_keyed(&self, first: u64, records: impl Iterator<Item = (String, Option<String>)>) -> u64 {
        let producer = Self::producer();
        let mut number = first;
        for (key, value) in records {
            let partition = (number % self.partitions as u64) as i32;
            let mut record = BaseRecord::to(&self.name).partition(partition).key(&key).timestamp(timestamp(number));
            if let Some(value) = &value {
                record = record.payload(value);
            }
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
                record = back;
                producer.poll(Duration::from_millis(5));
            }
            number += 1;
            if number.is_multiple_of(20_000) {
                producer.flush(PATIENCE).expect("written");
            }
        }
        producer.flush(PATIENCE).expect("written");
        number - first
    }

    /// Reads from the begin until `done` says so of what was read.
    pub fn read_until(&self, done: impl FnMut(&[Read]) -> bool) -> Vec<Read> {
        self.read_of(&services().kafka, done)
    }

    /// The same of the topic of this name in another cluster.
    pub fn read_of(&self, brokers: &str, mut done: impl FnMut(&[Read]) -> bool) -> Vec<Read> {
        let mut config = config();
        config.set("bootstrap.servers", brokers);
        config.set("group.id", "tests").set("fetch.wait.max.ms", "20").set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(&self.name, partition, Offset::Beginning).expect("a partition");
        }
        consumer.assign(&list).expect("assigned");
        let (mut read, mut last) = (Vec::new(), Instant::now());
        while !done(&read) {
            assert!(last.elapsed() < PATIENCE, "{} records of {}", read.len(), self.name);
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            last = Instant::now();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = message.headers().into_iter().flat_map(Headers::iter);
            read.push(Read {
                partition: message.partition(),
                offset: message.offset(),
                timestamp: message.timestamp().to_millis().unwrap_or(-1),
                key: message.key().map(text),
                value: message.payload().map(text),
                headers: headers.map(|header| (header.key.into(), text(header.value.unwrap_or_default()))).collect(),
            });
        }
        read
    }

    /// Members of a group, as its coordinator knows them.
    pub fn members(&self, group: &str) -> usize {
        let consumer: BaseConsumer = config().set("group.id", "tests").create().expect("a client");
        let groups = consumer.fetch_group_list(Some(group), PATIENCE).expect("an answer");
        groups.groups().iter().map(|group| group.members().len()).sum()
    }

    /// Next offsets of a group by partition, as its coordinator knows them: 0 where it has none.
    pub fn committed(&self, group: &str) -> Vec<i64> {
        self.committed_of(&services().kafka, group)
    }

    /// The same in another cluster.
    pub fn committed_of(&self, brokers: &str, group: &str) -> Vec<i64> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, self.partitions - 1);
        let offsets = consumer.committed_offsets(list, PATIENCE).expect("an answer");
        let next = |partition| match offsets.find_partition(&self.name, partition).map(|found| found.offset()) {
            Some(Offset::Offset(next)) => next,
            _ => 0,
        };
        (0..self.partitions).map(next).collect()
    }

    /// Reads all that is committed: up to a last record, which is written to each partition now. Those of earlier
    /// calls end nothing, and are no records.
    pub fn read_all(&self) -> Vec<Read> {
        const LAST: &str = "the last one";
        let (producer, mine) = (Self::producer(), unique(LAST));
        for partition in 0..self.partitions {
            let record = BaseRecord::<str, str>::to(&self.name).partition(partition).key(&mine);
            producer.send(record).expect("room for it");
        }
        producer.flush(PATIENCE).expect("written");
        let is_mine = |record: &Read| record.key.as_ref() == Some(&mine);
        let (mut checked, mut ended) = (0, 0);
        let mut read = self.read_until(|read| {
            ended += read[checked..].iter().filter(|record| is_mine(record)).count();
            checked = read.len();
            ended == self.partitions as usize
        });
        read.retain(|record| !record.key.as_ref().is_some_and(|key| key.starts_with(LAST)));
        read
    }

    /// Reads `count` records.
    pub fn read(&self, count: usize) -> Vec<Read> {
        self.read_until(|read| read.len() >= count)
    }
}
