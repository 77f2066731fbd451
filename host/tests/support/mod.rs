//! What the host's tests share: an engine, the example modules, and a mock cluster with records in and out.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use wasmill::{
    config,
    engine::{CompileLimits, Engine, EngineOptions, Module, NoOutput},
    grants::Granted,
    kafka::mock::MockCluster,
    pipeline::{Deps, ModuleId, OnBegan, Pipeline, PrepareError, Release},
};

/// Longest wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Host {
    pub engine: Engine,
    pub cache: tempfile::TempDir,
}

pub fn host() -> Host {
    let cache = tempfile::tempdir().expect("a folder");
    let engine = Engine::new(EngineOptions {
        cache: cache.path().join("artifacts"),
        compiler: env!("CARGO_BIN_EXE_wasmill").into(),
        instances: 16,
        compile: CompileLimits::default(),
    });
    Host { engine: engine.expect("an engine"), cache }
}

impl Host {
    pub fn load(&self, name: &str) -> Module {
        self.engine.load(&guest(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A release of an example module.
    pub fn release(&self, id: u64, name: &str, spec: &config::Pipeline) -> Result<Arc<Release>, PrepareError> {
        self.release_with(id, name, spec, Granted::default())
    }

    /// The same, with what is granted to it.
    pub fn release_with(
        &self,
        id: u64,
        name: &str,
        spec: &config::Pipeline,
        granted: Granted,
    ) -> Result<Arc<Release>, PrepareError> {
        let module = self.load(name);
        let id_of = ModuleId { name: name.into(), version: id.to_string(), digest: module.digest().to_string() };
        Release::prepare(id, &module, id_of, spec, granted, Arc::new(NoOutput))
    }
}

pub fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var("WASMILL_GUESTS")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests")), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run scripts/guests/build.sh", path.display()))
}

pub fn load_config(yaml: &str) -> config::Pipeline {
    let loaded = config::load(yaml, "test.yaml", Path::new("."), &config::NoVariables);
    loaded.unwrap_or_else(|error| panic!("{}", error.report())).pipeline
}

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

pub struct Kafka {
    pub mock: MockCluster,
}

impl Kafka {
    pub fn start(topics: &[(&str, i32)]) -> Self {
        let mock = MockCluster::start().expect("a mock cluster");
        topics.iter().for_each(|(topic, partitions)| mock.create_topic(topic, *partitions).expect("a topic"));
        Self { mock }
    }

    pub fn producer(&self, codec: &str) -> ThreadedProducer<DefaultProducerContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.mock.brokers()).set("linger.ms", "0").set("compression.type", codec);
        config.create().expect("a producer")
    }

    /// Writes records round robin over the partitions, with header `n` = their number; answers how many. At most a
    /// thousand are under way at a time.
    pub fn write(&self, topic: &str, partitions: i32, values: impl Iterator<Item = String>) -> usize {
        let producer = self.producer("none");
        let mut written = 0;
        for (number, value) in values.enumerate() {
            let (key, text) = (format!("k{number}"), number.to_string());
            let headers = OwnedHeaders::new().insert(Header { key: "n", value: Some(&text) });
            let partition = number as i32 % partitions;
            let record = BaseRecord::to(topic).partition(partition).key(&key).payload(&value).headers(headers);
            producer
                .send(record.timestamp(1_700_000_000_000 + number as i64))
                .map_err(|(error, _)| error)
                .expect("sent");
            written += 1;
            if written % 1000 == 0 {
                producer.flush(PATIENCE).expect("written");
            }
        }
        producer.flush(PATIENCE).expect("written");
        written
    }

    /// Reads a topic from its begin until `count` records are there.
    pub fn read(&self, topic: &str, partitions: i32, count: usize) -> Vec<Read> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.mock.brokers()).set("group.id", "tests").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        (0..partitions).for_each(|partition| {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
        });
        consumer.assign(&list).expect("assigned");
        let (mut read, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while read.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} records of {topic}", read.len());
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
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
}

/// Starts a pipeline; what it says of where releases began goes to `began`.
pub fn start(
    spec: config::Pipeline,
    release: Arc<Release>,
    runtime: &tokio::runtime::Runtime,
    began: OnBegan,
) -> Pipeline {
    let deps = Deps { runtime: runtime.handle().clone(), began, instance: "tests".into() };
    Pipeline::start(Arc::new(spec), release, deps, false).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until `done` says so, looking every few milliseconds.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(5));
    }
}
