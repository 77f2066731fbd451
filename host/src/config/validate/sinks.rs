//! The sinks' sections: those that are one kind or another, and Kafka's.

use std::collections::BTreeMap;

use super::{Check, properties::is_of_connection};
use crate::config::{
    names::{Addresses, check_name},
    pipeline::KafkaSource,
    raw::{RawKafkaSink, RawPipeline, RawSink},
    sinks::{KafkaSink, Sink},
    value::{At, Value},
};

mod elasticsearch;
mod redis;

/// More than anyone routes to from one pipeline; a delivery names its sink by a 16-bit index.
const SINKS_MAX: usize = 256;

impl Check<'_> {
    /// The sinks that are sound; the others are reported.
    pub(super) fn sinks(&mut self, raw: &At<RawPipeline>, source: Option<&KafkaSource>) -> BTreeMap<String, Sink> {
        let Some(raw) = self.section(raw.node, "sinks", &raw.sinks) else { return BTreeMap::new() };
        if !(1..=SINKS_MAX).contains(&raw.len()) {
            self.key_problem(raw.node, format!("expected 1 to {SINKS_MAX} sinks, found {}", raw.len()), None);
        }
        let mut sinks = BTreeMap::new();
        for (name, raw) in raw.iter() {
            if let Err(bad) = check_name(name) {
                self.key_problem(raw.node, format!("a sink cannot be called `{name}`"), Some(bad.to_string()));
            }
            if let Some(sink) = self.sink(raw, source) {
                sinks.insert(name.clone(), sink);
            }
        }
        sinks
    }

    fn sink(&mut self, raw: &At<RawSink>, source: Option<&KafkaSource>) -> Option<Sink> {
        let RawSink { kafka, elasticsearch, redis, stdout, file } = &**raw;
        let kinds = [kafka.is_some(), elasticsearch.is_some(), redis.is_some(), stdout.is_some(), file.is_some()];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            let message = "expected one kind of sink: `kafka`, `elasticsearch`, `redis`, `stdout` or `file`";
            self.key_problem(raw.node, message, None);
            return None;
        }
        if let Some(raw) = kafka {
            self.kafka_sink(raw, source).map(Sink::Kafka)
        } else if let Some(raw) = elasticsearch {
            self.elasticsearch(raw).map(Sink::Elasticsearch)
        } else if let Some(raw) = redis {
            self.redis(raw).map(Sink::Redis)
        } else if let Some(raw) = file {
            let path = self.required(raw.node, "path", &raw.path)?;
            Some(Sink::File { path: self.base.join(path.0) })
        } else {
            Some(Sink::Stdout)
        }
    }

    /// A topic, by default in the source's cluster. `None` without a problem of its own if it needs a source that has
    /// problems.
    pub(super) fn kafka_sink(&mut self, raw: &At<RawKafkaSink>, source: Option<&KafkaSource>) -> Option<KafkaSink> {
        let topic = self.required(raw.node, "topic", &raw.topic).map(|topic| topic.0);
        let partition = self.optional(&raw.partition).map(|partition| partition.0).unwrap_or_default();
        let lineage = self.optional(&raw.lineage).is_some_and(|lineage| lineage.0);
        let client = self.optional(&raw.client).map(|client| client.0).unwrap_or_default();
        let mut properties = self.producer_properties(raw.properties.as_ref());
        let brokers = match &raw.brokers {
            Some(brokers) => self.brokers(brokers),
            None => source.map(|source| {
                properties.inherit(&source.properties, is_of_connection);
                source.brokers.clone()
            }),
        };
        Some(KafkaSink { brokers: brokers?, topic: topic?, partition, lineage, client, properties })
    }

    pub(super) fn brokers(&mut self, raw: &At<Vec<Value<Addresses>>>) -> Option<Vec<String>> {
        let read = raw.iter().filter_map(|entry| self.read(entry)).flat_map(|addresses| addresses.0).collect();
        self.not_empty(raw, read)
    }
}
