//! From a pipeline's configuration to the parts of a lane. Nothing is spawned and no record is read by `check`.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::{Deps, dead_letter::DeadLetters, flight::Flight, shared::Shared};
use crate::{
    config,
    kafka::{KafkaError, Settings, StartAt},
    sink::{
        ElasticsearchSink, RedisSink, Sink, SinkError, SinkStats,
        kafka::{KafkaSink, KafkaSinkSettings},
        ndjson::NdjsonSink,
    },
    source::{BatchPolicy, Source, SourceSettings},
};

/// What a pipeline asks for cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("source: {0}")]
    Source(KafkaError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("`delivery: exactly-once` is not available in this version: use `at-least-once`")]
    ExactlyOnce,
    #[error(
        "`module.grants` is not available in this version: a module reaches nothing beyond its records; leave it out"
    )]
    Grants,
}

/// Builds everything once and throws it away, so that a wrong property or address is said at once.
pub(super) fn check(spec: &config::Pipeline, deps: &Deps) -> Result<(), BuildError> {
    if spec.delivery == config::Delivery::ExactlyOnce {
        return Err(BuildError::ExactlyOnce);
    }
    if spec.module.grants != config::Grants::default() {
        return Err(BuildError::Grants);
    }
    sinks(spec, &stats(spec), deps)?;
    dead_letters(spec)?;
    Ok(())
}

pub(super) fn lane(shared: &Shared, _index: usize, deps: &Deps) -> Result<(Source, Flight), BuildError> {
    let spec = &shared.spec;
    let flight = Flight::new(sinks(spec, &shared.sinks, deps)?, dead_letters(spec)?);
    let source = Source::new(&source_settings(&spec.source)).map_err(BuildError::Source)?;
    Ok((source, flight))
}

type Sinks = Vec<(String, Box<dyn Sink>)>;

/// Counters for each sink of a pipeline, by its name.
pub(super) fn stats(spec: &config::Pipeline) -> BTreeMap<String, Arc<SinkStats>> {
    spec.sinks.keys().map(|name| (name.clone(), Arc::default())).collect()
}

fn sinks(spec: &config::Pipeline, stats: &BTreeMap<String, Arc<SinkStats>>, deps: &Deps) -> Result<Sinks, BuildError> {
    let build = |(name, sink): (&String, _)| {
        let stats = stats.get(name).cloned().unwrap_or_default();
        Ok((name.clone(), one_sink(name, sink, stats, deps)?))
    };
    spec.sinks.iter().map(build).collect()
}

fn one_sink(name: &str, sink: &config::Sink, stats: Arc<SinkStats>, deps: &Deps) -> Result<Box<dyn Sink>, BuildError> {
    Ok(match sink {
        config::Sink::Kafka(kafka) => Box::new(KafkaSink::new(name, &kafka_settings(kafka), stats)?),
        config::Sink::Stdout => Box::new(NdjsonSink::stdout(name, stats)),
        config::Sink::File { path } => Box::new(NdjsonSink::file(name, path, stats)?),
        config::Sink::Elasticsearch(sink) => Box::new(ElasticsearchSink::spawn(name, sink, &deps.runtime, stats)?),
        config::Sink::Redis(sink) => Box::new(RedisSink::spawn(name, sink, &deps.runtime, stats)?),
    })
}

fn dead_letters(spec: &config::Pipeline) -> Result<Option<DeadLetters>, BuildError> {
    let Some(dead_letter) = &spec.errors.dead_letter else { return Ok(None) };
    Ok(Some(DeadLetters::new(&kafka_settings(&dead_letter.kafka))?))
}

fn kafka_settings(sink: &config::KafkaSink) -> KafkaSinkSettings {
    KafkaSinkSettings { kafka: settings(&sink.brokers, &sink.properties), topic: sink.topic.clone() }
}

fn settings(brokers: &[String], properties: &config::Properties) -> Settings {
    let properties = properties.iter().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect();
    Settings { brokers: brokers.to_vec(), properties }
}

fn source_settings(source: &config::KafkaSource) -> SourceSettings {
    SourceSettings {
        kafka: settings(&source.brokers, &source.properties),
        topics: source.topics.clone(),
        group: source.group.clone(),
        start: match source.start {
            config::Start::Earliest => StartAt::Earliest,
            config::Start::Latest => StartAt::Latest,
            config::Start::At(time) => StartAt::Time(time),
        },
        batch: BatchPolicy { records: source.batch.records, bytes: source.batch.bytes, linger: source.batch.linger },
    }
}
