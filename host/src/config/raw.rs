//! The pipeline file, key by key: the outside contract.
//!
//! The doc comments here are the reference (`docs/pipeline.md`) and the descriptions of the JSON Schema, so they speak
//! to the people who write the file. Every key is optional to serde; `required` names those that `validate` insists
//! on, and `default` says what it puts in (a test holds the two together).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    choices::OneOf,
    module::ModuleRef,
    names::{Addresses, Name},
    numbers::{Count, Size, Switch, Time},
    pipeline::{Client, Delivery, Start},
    timer::{Cron, TimerScope, Zone},
    topics::SourceTopic,
    value::{At, Filled, Plain, Value},
};
use crate::limits::MEMORY_MAX;

mod grants;
mod sinks;
pub(super) use grants::{RawBucket, RawGrants, RawKeyValue};
pub(super) use sinks::{RawElasticsearch, RawKafkaSink, RawRedis, RawSink};

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;
pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;

/// A pipeline: records of Kafka topics, through a module, to sinks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pipeline", extend("required" = ["pipeline", "source", "module", "routes", "sinks"]))]
pub(super) struct RawPipeline {
    /// Its name: 1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, a letter or digit first.
    pub(super) pipeline: Option<Value<Name>>,
    /// Where the records come from.
    pub(super) source: Option<At<RawSource>>,
    /// What transforms them.
    pub(super) module: Option<At<RawModule>>,
    /// For each route that the module sends records to, the sinks that get them. Several sinks get every record each.
    pub(super) routes: Option<At<BTreeMap<String, At<Vec<Value<Filled>>>>>>,
    /// The sinks by name, of one kind each.
    pub(super) sinks: Option<At<BTreeMap<String, At<RawSink>>>>,
    /// What is promised about each output record: `at-least-once` or `exactly-once`. The latter needs all sinks and
    /// the dead letters to be topics of the source's cluster.
    #[schemars(extend("default" = "at-least-once"))]
    pub(super) delivery: Option<Value<OneOf<Delivery>>>,
    /// What becomes of batches and records that fail.
    pub(super) errors: Option<At<RawErrors>>,
    /// The timed trigger, beside the records: calls a module that has a timer at planned times.
    pub(super) timer: Option<At<RawTimer>>,
    /// The switch: `false` keeps the pipeline known to the host without running it.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<Value<Switch>>,
}

/// Where the records come from, of one kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Source", extend("minProperties" = 1, "maxProperties" = 1, "required" = ["kafka"]))]
pub(super) struct RawSource {
    /// Topics of a Kafka cluster.
    pub(super) kafka: Option<At<RawKafkaSource>>,
}

/// Topics of one Kafka cluster, read by one consumer group.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KafkaSource", extend("required" = ["brokers", "topics"]))]
pub(super) struct RawKafkaSource {
    /// Brokers to begin with, each as `host:port`. One entry may hold several with commas, as variables often do.
    #[schemars(length(min = 1))]
    pub(super) brokers: Option<At<Vec<Value<Addresses>>>>,
    /// The topics, by name, or as patterns that begin with `^`, such as `^orders\..*`. Patterns are tried on new topics
    /// too, and never stand for internal ones (`__...`).
    #[schemars(length(min = 1))]
    pub(super) topics: Option<At<Vec<Value<SourceTopic>>>>,
    /// The consumer group, which keeps the offsets. Default: `wasmill.` and the pipeline's name.
    pub(super) group: Option<Value<Filled>>,
    /// Where to begin in a partition for which the group has no offset: `earliest`, `latest` or a time such as
    /// `2026-01-31T12:00:00Z`. The default skips nothing.
    #[schemars(extend("default" = "earliest"))]
    pub(super) start: Option<Value<Start>>,
    /// When a batch is handed to the module: as soon as one of these is reached.
    pub(super) batch: Option<At<RawBatch>>,
    /// Lanes: consumers with a module instance each, on threads of their own. No more than the topics have partitions
    /// are of use.
    #[schemars(extend("default" = 1))]
    pub(super) lanes: Option<Value<Count<1, 64>>>,
    /// Who fetches the records: `direct` (Kafka's protocol without librdkafka, at a fraction of the CPU), `librdkafka`, or
    /// `auto`: `direct` where it does all that `properties` ask for, and the brokers and their records are no older than it knows. Promises are the same.
    #[schemars(extend("default" = "auto"))]
    pub(super) client: Option<Value<OneOf<Client>>>,
    /// Any property of librdkafka's consumer by name, but those that other keys set or that delivery hangs on. With
    /// `group.instance.id` (static membership, KIP-345), a name for each host, a restart within `session.timeout.ms`
    /// moves no partition; of several lanes each adds `-` and its number.
    pub(super) properties: Option<At<BTreeMap<String, Value<Plain>>>>,
}

/// When a batch is handed to the module.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Batch")]
pub(super) struct RawBatch {
    /// Records.
    #[schemars(extend("default" = 1000))]
    pub(super) records: Option<Value<Count<1, 10_000>>>,
    /// Bytes of keys and values. A single longer record is a batch of its own.
    #[schemars(extend("default" = "1MiB"))]
    pub(super) bytes: Option<Value<Size<KIB, { 256 * MIB }>>>,
    /// Longest wait for more records after the first.
    #[schemars(extend("default" = "20ms"))]
    pub(super) linger: Option<Value<Time<0, { 10 * SECOND }>>>,
}

/// What transforms the records.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Module", extend("required" = ["ref"]))]
pub(super) struct RawModule {
    /// The module: `name@version` or `name@sha256:<digest>` of one that was pushed to the host, or `file:` and a path
    /// that starts at the folder of this file.
    #[serde(rename = "ref")]
    pub(super) reference: Option<Value<ModuleRef>>,
    /// Settings for the module by name; numbers and booleans become texts.
    pub(super) config: Option<At<BTreeMap<String, Value<Plain>>>>,
    /// What one instance may use.
    pub(super) limits: Option<At<RawLimits>>,
    /// What the module may reach beyond its records. Nothing, unless it stands here.
    pub(super) grants: Option<At<RawGrants>>,
}

/// What one instance of the module may use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(super) struct RawLimits {
    /// Memory: all linear memories and tables together. An instance above three quarters of it is replaced by a fresh
    /// one before the next batch, since memory of WebAssembly never shrinks.
    #[schemars(extend("default" = "256MiB"))]
    pub(super) memory: Option<Value<Size<MIB, { MEMORY_MAX as u64 }>>>,
    /// Time of one call, also of `init`.
    #[schemars(extend("default" = "5s"))]
    pub(super) time: Option<Value<Time<1, { 5 * MINUTE }>>>,
    /// Bytes that one call may answer.
    #[schemars(extend("default" = "64MiB"))]
    pub(super) output: Option<Value<Size<KIB, GIB>>>,
    /// Records that one call may answer.
    #[schemars(extend("default" = 1_000_000))]
    pub(super) output_records: Option<Value<Count<1, 10_000_000>>>,
}

/// What becomes of batches and records that fail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Errors")]
pub(super) struct RawErrors {
    /// How often a batch is tried again whose module asks for it. Then the pipeline stops.
    #[schemars(extend("default" = 10_000))]
    pub(super) retries: Option<Value<Count<1, 10_000>>>,
    /// The wait before a retry.
    pub(super) backoff: Option<At<RawBackoff>>,
    /// Where records go that cannot be processed. Without it such a record stops the pipeline.
    pub(super) dead_letter: Option<At<RawDeadLetter>>,
}

/// The wait before a retry: doubles from the first to the longest.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Backoff")]
pub(super) struct RawBackoff {
    /// The first wait.
    #[schemars(extend("default" = "100ms"))]
    pub(super) from: Option<Value<Time<1, { 60 * MINUTE }>>>,
    /// The longest wait.
    #[schemars(extend("default" = "30s"))]
    pub(super) to: Option<Value<Time<1, { 60 * MINUTE }>>>,
}

/// Where records go that cannot be processed, of one kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeadLetter", extend("minProperties" = 1, "maxProperties" = 1, "required" = ["kafka"]))]
pub(super) struct RawDeadLetter {
    /// A topic of a Kafka cluster.
    pub(super) kafka: Option<At<RawKafkaSink>>,
}

/// The timed trigger: the module is called at planned times, between two batches. A time that passes while the pipeline
/// does not run is not made up for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timer")]
pub(super) struct RawTimer {
    /// Fires at every multiple of this duration since the Unix epoch: `1m` at each full minute. This or `cron`.
    pub(super) every: Option<Value<Time<100, { 24 * 60 * MINUTE }>>>,
    /// Fires when a cron expression says: minute, hour, day of the month, month and day of the week, with the second
    /// before them where there are six fields. This or `every`.
    pub(super) cron: Option<Value<Cron>>,
    /// The time zone of `cron`, by its IANA name, such as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    pub(super) timezone: Option<Value<Zone>>,
    /// Who fires: `pipeline`, one lane among all hosts of the group, that which has partition 0 of the first topic; or
    /// `lane`, each lane that has a partition, for modules that gather what their own lane gave them.
    #[schemars(extend("default" = "pipeline"))]
    pub(super) scope: Option<Value<OneOf<TimerScope>>>,
}
