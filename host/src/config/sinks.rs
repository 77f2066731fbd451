//! The sinks of a pipeline, as configured.

use std::{path::PathBuf, time::Duration};

use super::{
    pipeline::Client,
    secret::{Properties, Secret},
    template::Template,
};
use crate::output::Op;

/// Longest time to live in milliseconds: a century, more than any record should live, and far from what overflows.
pub const TTL_MAX_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// Where output records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    Kafka(KafkaSink),
    Elasticsearch(ElasticsearchSink),
    Redis(RedisSink),
    /// One JSON object per record on standard output, for trying things out.
    Stdout,
    /// The same, appended to a file.
    File {
        path: PathBuf,
    },
}

/// A topic of a Kafka cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSink {
    /// As `host:port`, at least one.
    pub brokers: Vec<String>,
    /// Where records go for which the module names no target.
    pub topic: String,
    pub partition: Partitioning,
    /// Records say in headers where they were read.
    pub lineage: bool,
    pub client: Client,
    pub properties: Properties,
}

/// Which partition of its topic a record goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioning {
    /// The one that its key leads to; some partition where it has none.
    #[default]
    Key,
    /// The one of the same number as it was read from.
    Keep,
}

/// Documents in Elasticsearch or OpenSearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticsearchSink {
    /// `http` or `https`, at least one; without credentials.
    pub urls: Vec<String>,
    pub index: Template,
    pub auth: Option<ElasticsearchAuth>,
    /// Without it, the sink makes an id of the record's place in Kafka.
    pub id: Option<Template>,
    /// What to do with a record for which the module says nothing. Without it: put, or delete if there is no value.
    pub op: Option<Op>,
    pub versions: Versions,
    pub batch: BulkPolicy,
    /// Requests in flight at a time, 1..=16.
    pub workers: usize,
    /// PEM file of the authorities to trust instead of the built-in ones.
    pub ca: Option<PathBuf>,
    /// Of one request.
    pub timeout: Duration,
}

/// What is taken for a record's version: of two records of the same thing, the one with the higher version stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// What the module says; a record without one is written unconditionally.
    Module,
    /// The record's offset. Records of one thing have to come from one partition.
    Offset,
}

/// Who to be for Elasticsearch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElasticsearchAuth {
    Basic { user: String, password: Secret },
    ApiKey(Secret),
}

/// A bulk request closes as soon as one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkPolicy {
    pub bytes: usize,
    pub records: usize,
}

impl Default for BulkPolicy {
    fn default() -> Self {
        Self { bytes: 8 << 20, records: 5000 }
    }
}

/// Commands to a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSink {
    /// May hold a password.
    pub url: Secret,
    pub command: RedisCommand,
    /// The key, or the channel of `publish`.
    pub key: Template,
    /// Header in which a record may say how long its key lives; without it, the command's `ttl`.
    pub ttl_header: Option<String>,
    /// Without it: versions are not looked at.
    pub versions: Option<Versions>,
    /// Connections, 1..=16.
    pub workers: usize,
    /// Of one pipeline of commands.
    pub timeout: Duration,
}

/// What a record becomes in Redis. `ttl` is set anew with each write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisCommand {
    /// `SET`: the value as it is.
    String { ttl: Option<Duration> },
    /// `HSET`: the value as it is into this field, or without one each member of a JSON object into its own.
    Hash { field: Option<Template>, ttl: Option<Duration> },
    /// `JSON.SET` at a JSONPath.
    Json { path: String, ttl: Option<Duration> },
    /// `RPUSH`, and `LTRIM` to the newest so many.
    List { maxlen: Option<u64>, ttl: Option<Duration> },
    /// `SADD`: the value as it is.
    Set { ttl: Option<Duration> },
    /// `INCRBY` by the value, a whole number; with a field `HINCRBY`.
    Counter { field: Option<Template>, ttl: Option<Duration> },
    /// `XADD` with the value in this field, and `MAXLEN ~`.
    Stream { maxlen: Option<u64>, field: String },
    /// `PUBLISH`.
    Publish,
}
