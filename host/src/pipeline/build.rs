//! From a pipeline's configuration to the parts of a lane. Nothing is spawned and no record is read by `check`.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::{
    Deps, controls::Controls, dead_letter::DeadLetters, flight::Flight, refused::Refused, shared::Shared,
    transaction::Transactions,
};
use crate::{
    config,
    direct::{Choice, Ground, Unfit},
    kafka::{KafkaError, Settings},
    sink::{
        self, Sink, SinkError, SinkStats,
        kafka::{KafkaSink, Outlet},
        ndjson::NdjsonSink,
    },
    source::{Source, SourceSettings},
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
    #[error(
        "sink `{sink}` has other properties than the ones before: under `delivery: exactly-once` all share one producer"
    )]
    ExactlyOnce { sink: String },
    #[error("sink `{sink}`: {error}")]
    Producer { sink: String, error: KafkaError },
}

/// Builds everything once and throws it away, so that a wrong property or address is said at once.
pub(super) fn check(spec: &config::Pipeline, deps: &Deps) -> Result<(), BuildError> {
    let unfit = Unfit::default();
    let source = source_settings(&spec.source, &Controls::of(spec), 0, deps, &unfit);
    Source::check(&source).map_err(BuildError::Source)?;
    flight(spec, &stats(spec), &Arc::default(), "0", deps, &unfit)?;
    Ok(())
}

/// Sinks of their own for one batch by hand: nothing of them is shared with the lanes.
pub(super) fn by_hand(spec: &config::Pipeline, deps: &Deps, unfit: &Unfit) -> Result<Flight, BuildError> {
    // A transactional id that no other has: it is used once.
    let name = format!("hand-{:016x}", rand::random::<u64>());
    flight(spec, &stats(spec), &Arc::default(), &name, deps, unfit)
}

/// The sinks of a lane, which begin to look for their servers.
pub(super) fn sinks(shared: &Shared, index: usize, deps: &Deps) -> Result<Flight, BuildError> {
    flight(&shared.spec, &shared.sinks, &shared.refused, &index.to_string(), deps, &shared.unfit)
}

/// The source of a lane, which joins the group.
pub(super) fn source(shared: &Shared, controls: &Controls, index: usize, deps: &Deps) -> Result<Source, BuildError> {
    let settings = source_settings(&shared.spec.source, controls, index, deps, &shared.unfit);
    Source::new(&settings).map_err(BuildError::Source)
}

type Stats = BTreeMap<String, Arc<SinkStats>>;

fn flight(
    spec: &config::Pipeline,
    stats: &Stats,
    refused: &Arc<Refused>,
    lane: &str,
    deps: &Deps,
    unfit: &Unfit,
) -> Result<Flight, BuildError> {
    let shared = match spec.delivery {
        config::Delivery::AtLeastOnce => None,
        config::Delivery::ExactlyOnce => shared_outlet(spec, lane, deps, unfit)?,
    };
    let outlet = |name: &str, kafka: &config::KafkaSink| match &shared {
        Some(outlet) => Ok(outlet.clone()),
        None => Outlet::new(&settings(&kafka.brokers, &kafka.properties), &choice(kafka.client, deps, unfit))
            .map_err(|error| BuildError::Producer { sink: name.into(), error }),
    };
    let mut sinks: Vec<(String, Box<dyn Sink>)> = Vec::new();
    for (name, sink) in &spec.sinks {
        let stats = stats.get(name).cloned().unwrap_or_default();
        sinks.push((name.clone(), one_sink(name, sink, stats, &outlet, deps)?));
    }
    let dead_letters = match &spec.errors.dead_letter {
        None => None,
        Some(config::DeadLetter { kafka }) => Some(DeadLetters::new(kafka, outlet("dead_letter", kafka)?)?),
    };
    Ok(Flight::new(sinks, dead_letters, shared.map(|outlet| Transactions::new(outlet, Arc::clone(refused)))))
}

/// The one transactional producer of a lane; none where nothing is delivered to Kafka.
fn shared_outlet(
    spec: &config::Pipeline,
    lane: &str,
    deps: &Deps,
    unfit: &Unfit,
) -> Result<Option<Outlet>, BuildError> {
    let sinks = spec.sinks.iter().filter_map(|(name, sink)| match sink {
        config::Sink::Kafka(kafka) => Some((name.as_str(), kafka)),
        _ => None,
    });
    let dead_letters = spec.errors.dead_letter.iter().map(|dead_letter| ("dead_letter", &dead_letter.kafka));
    let mut all = sinks.chain(dead_letters);
    let Some((first, kafka)) = all.next() else { return Ok(None) };
    let mut client = kafka.client;
    for (sink, other) in all {
        if other.properties != kafka.properties {
            return Err(BuildError::ExactlyOnce { sink: sink.into() });
        }
        // Who names one decides for all.
        client = if client == config::Client::Auto { other.client } else { client };
    }
    let id = format!("wasmill-{}-{}-{lane}", spec.name, deps.instance);
    let choice = choice(client, deps, unfit);
    let outlet = Outlet::transactional(&settings(&kafka.brokers, &kafka.properties), &id, &choice);
    outlet.map(Some).map_err(|error| BuildError::Producer { sink: first.into(), error })
}

/// Counters for each sink of a pipeline, by its name.
pub(super) fn stats(spec: &config::Pipeline) -> Stats {
    spec.sinks.keys().map(|name| (name.clone(), Arc::default())).collect()
}

fn one_sink(
    name: &str,
    configured: &config::Sink,
    stats: Arc<SinkStats>,
    outlet: &dyn Fn(&str, &config::KafkaSink) -> Result<Outlet, BuildError>,
    deps: &Deps,
) -> Result<Box<dyn Sink>, BuildError> {
    Ok(match configured {
        config::Sink::Kafka(kafka) => {
            let sink = KafkaSink::new(name, &kafka.topic, outlet(name, kafka)?, stats)?;
            Box::new(sink.partitioned(kafka.partition).with_lineage(kafka.lineage))
        }
        config::Sink::Stdout => Box::new(NdjsonSink::stdout(name, stats)),
        config::Sink::File { path } => Box::new(NdjsonSink::file(name, path, stats)?),
        config::Sink::Elasticsearch(settings) => Box::new(sink::elasticsearch(name, settings, &deps.runtime, stats)?),
        config::Sink::Redis(settings) => Box::new(sink::redis(name, settings, &deps.runtime, stats)?),
    })
}

fn choice(client: config::Client, deps: &Deps, unfit: &Unfit) -> Choice {
    let ground = Ground { runtime: deps.runtime.clone(), unfit: unfit.clone() };
    match client {
        config::Client::Auto => Choice::Auto(ground),
        config::Client::Direct => Choice::Direct(ground),
        config::Client::Librdkafka => Choice::Librdkafka,
    }
}

pub(super) fn settings(brokers: &[String], properties: &config::Properties) -> Settings {
    let properties = properties.iter().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect();
    Settings { brokers: brokers.to_vec(), properties }
}

/// `lane` counts from 0.
fn source_settings(
    source: &config::KafkaSource,
    controls: &Controls,
    lane: usize,
    deps: &Deps,
    unfit: &Unfit,
) -> SourceSettings {
    let mut kafka = settings(&source.brokers, &source.properties);
    if source.lanes > 1 {
        // Each consumer of a group is a member of its own (KIP-345).
        let member = kafka.properties.iter_mut().find(|(name, _)| name == "group.instance.id");
        member.into_iter().for_each(|(_, id)| *id += &format!("-{lane}"));
    }
    SourceSettings {
        client: choice(source.client, deps, unfit),
        kafka,
        topics: source.topics.clone(),
        group: source.group.clone(),
        start: controls.start(),
        batch: controls.batch(),
    }
}
