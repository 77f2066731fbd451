//! A pipeline in which everything is in range and every name resolves: what the host runs.
//!
//! Fields are public and the types plain, so that tests build them by hand; only [`load`](super::load) promises that
//! they agree with each other.

use std::{collections::BTreeMap, time::Duration};

use super::{
    module::ModuleSpec,
    secret::Properties,
    sinks::{KafkaSink, Sink},
    timer::Timer,
};

/// A pipeline, ready to become a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub name: String,
    pub source: KafkaSource,
    pub module: ModuleSpec,
    /// Sinks by the module's route, at least one each, none twice; every name is in `sinks`.
    pub routes: BTreeMap<String, Vec<String>>,
    pub sinks: BTreeMap<String, Sink>,
    pub delivery: Delivery,
    pub errors: Errors,
    /// The timed trigger, beside the records.
    pub timer: Option<Timer>,
    /// The switch: a pipeline that is off stays known to the host and reads nothing.
    pub enabled: bool,
}

/// What is promised about each output record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    #[default]
    AtLeastOnce,
    /// All sinks and the dead letters are topics of the source's cluster.
    ExactlyOnce,
}

/// Topics of one Kafka cluster, read by one consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSource {
    /// As `host:port`, at least one.
    pub brokers: Vec<String>,
    /// Names, and patterns that begin with `^`. At least one, none twice.
    pub topics: Vec<String>,
    pub group: String,
    pub start: Start,
    pub batch: BatchPolicy,
    /// Lanes on this host, 1..=64.
    pub lanes: usize,
    pub client: Client,
    pub properties: Properties,
}

/// Who speaks to the brokers where records move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Client {
    /// The direct path where it can, librdkafka otherwise.
    #[default]
    Auto,
    /// The direct path, or an error.
    Direct,
    Librdkafka,
}

/// The group of a pipeline that names none.
pub fn default_group(pipeline: &str) -> String {
    format!("wasmill.{pipeline}")
}

/// Where to begin in a partition in which the group has no offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
    /// The first record that is not older, in milliseconds since the Unix epoch.
    At(i64),
}

/// A batch closes as soon as one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPolicy {
    /// 1..=10,000.
    pub records: usize,
    /// Keys and values together; a single longer record is a batch of its own.
    pub bytes: usize,
    /// Longest wait for more records after the first, at most 10 s.
    pub linger: Duration,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        Self { records: 1000, bytes: 1 << 20, linger: Duration::from_millis(20) }
    }
}

/// What becomes of batches and records that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    /// How often a batch is tried again whose module asks for it, 1..=10,000. Then the pipeline stops.
    pub retries: u32,
    pub backoff: Backoff,
    /// Without it a record that cannot be processed stops the pipeline.
    pub dead_letter: Option<DeadLetter>,
}

impl Default for Errors {
    fn default() -> Self {
        Self { retries: 10_000, backoff: Backoff::default(), dead_letter: None }
    }
}

/// The wait before a retry: doubles from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub from: Duration,
    /// Not below `from`.
    pub to: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { from: Duration::from_millis(100), to: Duration::from_secs(30) }
    }
}

/// Where records go that cannot be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub kafka: KafkaSink,
}
