//! The broker of a measurement: started for it, filled, asked how far it is, read.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::workload::{Codec, Content};

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 4;

const PATIENCE: Duration = Duration::from_secs(60);

/// For one question to the broker.
const QUESTION: Duration = Duration::from_secs(5);

/// Bytes of a batch of an input topic: neither what a careful producer sends (1 MB) nor the 16 KB of Java's default.
const INPUT_BATCH: &str = "131072";

/// See the module's documentation. The broker ends with this process.
pub(crate) struct Kafka {
    pub(crate) brokers: String,
    /// The broker's process.
    pub(crate) pid: u32,
    folder: PathBuf,
    /// What the services' script said.
    said: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    filled: HashMap<String, ()>,
}

impl Kafka {
    /// Starts a broker by the services' script.
    ///
    /// # Errors
    /// It does not come up.
    pub(crate) fn start(root: &Path) -> anyhow::Result<Self> {
        Self::start_with(root, &[])
    }

    /// Starts a broker, and other services with it.
    ///
    /// # Errors
    /// One of them does not come up.
    pub(crate) fn start_with(root: &Path, services: &[&str]) -> anyhow::Result<Self> {
        let up = Command::new(root.join("scripts/services/up.sh"))
            .args(["--watch-pid", &std::process::id().to_string(), "kafka"])
            .args(services)
            .output()
            .context("scripts/services/up.sh cannot be run")?;
        let said = String::from_utf8_lossy(&up.stdout).into_owned();
        ensure!(up.status.success(), "no Kafka: {}", String::from_utf8_lossy(&up.stderr));
        let folder = PathBuf::from(value(&said, "WASMILL_SERVICES_DIR")?);
        let brokers = value(&said, "WASMILL_TEST_KAFKA")?;
        let pid = noted_pid(&folder, "kafka")?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers);
        let admin = config.create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { brokers, pid, folder, said, admin, runtime, filled: HashMap::new() })
    }

    /// What the services' script said of itself: an address, by its name.
    ///
    /// # Errors
    /// The service was not asked for.
    pub(crate) fn said(&self, name: &str) -> anyhow::Result<String> {
        value(&self.said, name)
    }

    /// The process of a service that was started along.
    ///
    /// # Errors
    /// It was not.
    pub(crate) fn pid_of(&self, service: &str) -> anyhow::Result<u32> {
        noted_pid(&self.folder, service)
    }

    /// For a client of this broker.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Makes topics of [`PARTITIONS`], and waits until they can be written.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn create(&self, topics: &[String]) -> anyhow::Result<()> {
        self.make(topics, PARTITIONS)?;
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.asking("bench").and_then(|asking| ends(&asking, topics)) {
            ensure!(Instant::now() < deadline, "{topics:?} do not come up: {error:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Makes topics of so many partitions.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn make(&self, topics: &[String], partitions: i32) -> anyhow::Result<()> {
        // Space is given back soon: what is measured writes much.
        let new =
            |name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("file.delete.delay.ms", "1000");
        let new: Vec<_> = topics.iter().map(|name| new(name.as_str())).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let done = self.runtime.block_on(self.admin.create_topics(&new, &options))?;
        for topic in done {
            topic.map_err(|(topic, code)| anyhow::anyhow!("{topic} cannot be made: {code}"))?;
        }
        Ok(())
    }

    /// Removes topics.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn delete(&self, topics: &[String]) -> anyhow::Result<()> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.runtime.block_on(self.admin.delete_topics(&names, &AdminOptions::new()))?;
        Ok(())
    }

    /// The input topic with this content; filled when it is asked for the first time.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn input(
        &mut self,
        content: Content,
        size: usize,
        codec: Codec,
        records: u64,
    ) -> anyhow::Result<String> {
        let name = format!("in-{}-{size}-{}-{records}", content.name(), codec.name());
        if self.filled.insert(name.clone(), ()).is_none() {
            self.create(std::slice::from_ref(&name))?;
            self.fill(&name, content, size, codec, records)?;
        }
        Ok(name)
    }

    /// Writes the content into a topic, in turns over its partitions.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn fill(
        &self,
        topic: &str,
        content: Content,
        size: usize,
        codec: Codec,
        records: u64,
    ) -> anyhow::Result<()> {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("linger.ms", "20").set("batch.size", INPUT_BATCH);
        config.set("compression.type", codec.name());
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        for number in 0..records {
            let made = content.record(number, size);
            let partition = (number % PARTITIONS as u64) as i32;
            let record = BaseRecord::<str, [u8]>::to(topic).partition(partition).key(&made.key).payload(&made.value);
            let mut record = record.timestamp(made.timestamp);
            while let Err((error, back)) = producer.send(record) {
                ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "{error}");
                std::thread::sleep(Duration::from_millis(2));
                record = back;
            }
        }
        producer.flush(PATIENCE)?;
        let end = ends(&self.asking("bench")?, &[topic.to_owned()])?;
        ensure!(end == records, "{topic} holds {end} records where {records} were written");
        Ok(())
    }

    /// A consumer that asks for offsets in the name of a group, and never joins it. One for each run: the client asks
    /// for news of every topic that it ever heard of.
    ///
    /// # Errors
    /// None that the broker can cause.
    pub(crate) fn asking(&self, group: &str) -> anyhow::Result<BaseConsumer> {
        // What is committed within an open transaction is not waited for.
        Ok(self.config().set("group.id", group).set("isolation.level", "read_uncommitted").create()?)
    }

    /// Reads what is committed of a topic: `count` records, and whether there are more.
    ///
    /// # Errors
    /// There are fewer, or `visit` refuses one.
    pub(crate) fn read(
        &self,
        topic: &str,
        count: u64,
        visit: &mut dyn FnMut(&[u8], &[u8], i64) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut config = self.config();
        config.set("group.id", "bench").set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true").set("fetch.queue.backoff.ms", "5");
        let consumer: BaseConsumer = config.create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        let (mut left, mut last) = (PARTITIONS, Instant::now());
        let mut read = 0;
        while left > 0 {
            ensure!(last.elapsed() < PATIENCE, "{topic}: {read} of {count} records can be read");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    (read, last) = (read + 1, Instant::now());
                    let timestamp = message.timestamp().to_millis().unwrap_or(-1);
                    visit(message.key().unwrap_or_default(), message.payload().unwrap_or_default(), timestamp)?;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
                Some(Err(error)) => bail!("{topic} cannot be read: {error}"),
                None => {}
            }
        }
        Ok(())
    }
}

fn value(said: &str, name: &str) -> anyhow::Result<String> {
    let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.map(str::to_owned).with_context(|| format!("up.sh said no {name}"))
}

fn noted_pid(folder: &Path, service: &str) -> anyhow::Result<u32> {
    let noted =
        std::fs::read_to_string(folder.join(format!("{service}.pid"))).with_context(|| format!("no {service}"))?;
    noted.split(' ').next().and_then(|pid| pid.parse().ok()).with_context(|| format!("no process id of {service}"))
}

/// Offsets that the topics have reached, all together: one request.
///
/// # Errors
/// The broker does not answer, or does not know a topic.
pub(crate) fn ends(asking: &BaseConsumer, topics: &[String]) -> anyhow::Result<u64> {
    let mut list = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::End)?;
        }
    }
    sum(&asking.offsets_for_times(list, QUESTION)?)
}

/// Offsets that the group has committed of a topic, all together; partitions without one count as nothing.
///
/// # Errors
/// The broker does not answer.
pub(crate) fn committed(asking: &BaseConsumer, topic: &str) -> anyhow::Result<u64> {
    let mut list = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|partition| {
        list.add_partition(topic, partition);
    });
    sum(&asking.committed_offsets(list, QUESTION)?)
}

fn sum(list: &TopicPartitionList) -> anyhow::Result<u64> {
    let mut sum = 0;
    for element in list.elements() {
        element.error()?;
        sum += match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).unwrap_or_default(),
            _ => 0,
        };
    }
    Ok(sum)
}
