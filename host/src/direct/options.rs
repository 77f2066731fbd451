//! What the direct path makes of librdkafka's properties, and what it leaves to librdkafka.
//!
//! A pipeline is written for one set of properties, so the direct path reads the same names with the same meaning. What
//! it does not do is not ignored: [`Unsupported`] says it, and the caller takes librdkafka.

use std::time::Duration;

use thiserror::Error;

use super::{
    api::Needs,
    compression::Codec,
    connection::{Address, Caller},
    partitioner::Partitioner,
};
use crate::kafka::Settings;

/// Why a client has to be librdkafka's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsupported {
    #[error("`{name}: {value}` is librdkafka's alone")]
    Value { name: String, value: String },
    #[error("`{name}` is librdkafka's alone")]
    Property { name: String },
    #[error("bootstrap server `{0}` is not `host:port`")]
    Server(String),
}

/// Properties that change nothing here: they are the group's, which stays librdkafka's, or mean nothing without it.
const GROUP: [&str; 18] = [
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "partition.assignment.strategy",
    "coordinator.query.interval.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.blacklist",
    "statistics.interval.ms",
    "log_level",
    "log.connection.close",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "fetch.queue.backoff.ms",
    "queued.min.messages",
    "allow.auto.create.topics",
];

/// The same for a producer.
const CLIENT: [&str; 6] = [
    "statistics.interval.ms",
    "log_level",
    "log.connection.close",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "topic.metadata.refresh.interval.ms",
];

/// What both sides have.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) bootstrap: Vec<Address>,
    pub(super) client: String,
    pub(super) backoff: Duration,
    pub(super) backoff_max: Duration,
}

impl Common {
    pub(super) fn caller(&self, needs: &'static Needs) -> Caller {
        Caller { name: self.client.clone(), needs }
    }

    /// Pause after so many attempts in a row that failed.
    pub(super) fn pause(&self, attempts: u32) -> Duration {
        self.backoff.saturating_mul(1 << attempts.min(10)).min(self.backoff_max)
    }
}

/// What is newly assigned is asked for behind a fetch that waits: a short wait while a group forms, Kafka's own 500 ms
/// where nothing comes.
const WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

#[derive(Clone, Debug)]
pub(super) struct FetchOptions {
    pub(super) common: Common,
    /// For records: how long a broker may take that just had some, and one that had none for long.
    pub(super) wait: (Duration, Duration),
    pub(super) min_bytes: i32,
    pub(super) partition_max_bytes: i32,
    /// Bytes that are fetched ahead of the lane.
    pub(super) queued_max: usize,
    /// For an answer, beyond what the broker was told to wait.
    pub(super) patience: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct ProduceOptions {
    pub(super) common: Common,
    pub(super) linger: Duration,
    pub(super) batch_bytes: usize,
    pub(super) record_max: usize,
    pub(super) codec: Codec,
    pub(super) partitioner: Partitioner,
    pub(super) patience: Duration,
    /// How long a topic may be unknown.
    pub(super) unknown_max: Duration,
    /// How long a transaction may be open before its coordinator aborts it.
    pub(super) transaction_max: Duration,
}

/// Reads the properties that both sides have; `each` is given the others.
fn read(
    settings: &Settings,
    each: &mut dyn FnMut(&str, &str) -> Result<bool, Unsupported>,
) -> Result<Common, Unsupported> {
    let mut common = Common {
        bootstrap: Vec::new(),
        client: "wasmill".into(),
        backoff: Duration::from_millis(100),
        backoff_max: Duration::from_secs(1),
    };
    for server in settings.brokers.iter().flat_map(|servers| servers.split(',')) {
        let bad = || Unsupported::Server(server.to_owned());
        let server = server.trim();
        let (host, port) = server.rsplit_once(':').unwrap_or((server, "9092"));
        let host = host.strip_prefix("PLAINTEXT://").unwrap_or(host);
        if host.is_empty() || host.contains("://") {
            return Err(bad());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        common.bootstrap.push((host.to_owned(), port.parse().map_err(|_| bad())?));
    }
    // The first reason of a cluster that asks who we are, and the one that says most.
    let is_secured =
        |(name, value): &&(String, String)| name == "security.protocol" && !value.eq_ignore_ascii_case("plaintext");
    if let Some((name, value)) = settings.properties.iter().find(is_secured) {
        return Err(Unsupported::Value { name: name.clone(), value: value.clone() });
    }
    for (name, value) in &settings.properties {
        let refused = || Unsupported::Value { name: name.clone(), value: value.clone() };
        match name.as_str() {
            // A request has two bytes for its length.
            "client.id" if value.len() < 1 << 15 => common.client = value.clone(),
            "retry.backoff.ms" => common.backoff = millis(value).ok_or_else(refused)?,
            "retry.backoff.max.ms" => common.backoff_max = millis(value).ok_or_else(refused)?,
            "security.protocol" => {}
            name if each(name, value)? => {}
            // Not shown: it may hold a secret.
            name => return Err(Unsupported::Property { name: name.to_owned() }),
        }
    }
    Ok(common)
}

fn millis(value: &str) -> Option<Duration> {
    let ms: f64 = value.parse().ok()?;
    Duration::try_from_secs_f64(ms / 1e3).ok()
}

impl FetchOptions {
    /// # Errors
    /// Something that only librdkafka does.
    pub(super) fn of(settings: &Settings) -> Result<Self, Unsupported> {
        let (mut wait, mut min_bytes, mut partition_max_bytes) = (WAIT, 1, 1 << 20);
        let (mut queued_max, mut patience) = (4 << 20, Duration::from_secs(30));
        let common = read(settings, &mut |name, value| {
            let refused = || Unsupported::Value { name: name.into(), value: value.into() };
            match name {
                "fetch.wait.max.ms" => wait = millis(value).map(|wait| (wait, wait)).ok_or_else(refused)?,
                "fetch.min.bytes" => min_bytes = value.parse().map_err(|_| refused())?,
                "fetch.message.max.bytes" | "max.partition.fetch.bytes" => {
                    partition_max_bytes = value.parse().map_err(|_| refused())?;
                }
                "queued.max.messages.kbytes" => {
                    let kib: usize = value.parse().map_err(|_| refused())?;
                    queued_max = kib.saturating_mul(1024);
                }
                "socket.timeout.ms" => patience = millis(value).ok_or_else(refused)?,
                // Always checked.
                "check.crcs" => {}
                name => return Ok(GROUP.contains(&name)),
            }
            Ok(true)
        })?;
        Ok(Self { common, wait, min_bytes, partition_max_bytes, queued_max, patience })
    }

    /// How long a broker may wait for records that answered without any so many times in a row.
    pub(super) fn wait_after(&self, empty: u32) -> Duration {
        let (first, last) = self.wait;
        first.saturating_mul(1 << empty.min(10)).min(last)
    }
}

impl ProduceOptions {
    /// # Errors
    /// Something that only librdkafka does.
    pub(super) fn of(settings: &Settings) -> Result<Self, Unsupported> {
        let (mut linger, mut batch_bytes, mut record_max) = (Duration::from_millis(5), 1_000_000, 1_000_000);
        let (mut codec, mut partitioner) = (Codec::None, Partitioner::Murmur2Random);
        let (mut patience, mut unknown_max) = (Duration::from_secs(30), Duration::from_secs(30));
        // As `kafka::Producer::transactional` has it.
        let mut transaction_max = Duration::from_secs(30);
        let common = read(settings, &mut |name, value| {
            let refused = || Unsupported::Value { name: name.into(), value: value.into() };
            match name {
                "linger.ms" | "queue.buffering.max.ms" => linger = millis(value).ok_or_else(refused)?,
                "batch.size" => batch_bytes = value.parse().map_err(|_| refused())?,
                "message.max.bytes" => {
                    record_max = value.parse().ok().filter(|max| *max > 0).ok_or_else(refused)?;
                }
                "compression.type" | "compression.codec" => codec = Codec::named(value).ok_or_else(refused)?,
                "partitioner" => partitioner = Partitioner::named(value).ok_or_else(refused)?,
                "request.timeout.ms" => patience = millis(value).ok_or_else(refused)?,
                "topic.metadata.propagation.max.ms" => unknown_max = millis(value).ok_or_else(refused)?,
                "transaction.timeout.ms" => transaction_max = millis(value).ok_or_else(refused)?,
                "enable.idempotence" if value == "true" => {}
                "acks" | "request.required.acks" if value == "all" || value == "-1" => {}
                "message.timeout.ms" | "delivery.timeout.ms" if value == "0" => {}
                "enable.idempotence" | "acks" | "request.required.acks" => return Err(refused()),
                "message.timeout.ms" | "delivery.timeout.ms" => return Err(refused()),
                name => return Ok(CLIENT.contains(&name)),
            }
            Ok(true)
        })?;
        Ok(Self {
            common,
            linger,
            batch_bytes: batch_bytes.clamp(1, record_max),
            record_max,
            codec,
            partitioner,
            patience,
            unknown_max,
            transaction_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(properties: &[(&str, &str)]) -> Settings {
        let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings { brokers: vec!["a:1,b:2".into(), "[::1]:3".into(), "c".into()], properties }
    }

    #[test]
    fn servers_are_read_as_librdkafka_reads_them() {
        let options = FetchOptions::of(&settings(&[])).expect("options");
        let expected = [("a", 1), ("b", 2), ("::1", 3), ("c", 9092)].map(|(host, port)| (host.to_owned(), port));
        assert_eq!(options.common.bootstrap, expected);
    }

    #[test]
    fn what_is_not_done_here_is_said_and_secrets_are_not() {
        let said =
            |properties: &[(&str, &str)]| ProduceOptions::of(&settings(properties)).expect_err("refused").to_string();
        assert_eq!(said(&[("security.protocol", "SASL_SSL")]), "`security.protocol: SASL_SSL` is librdkafka's alone");
        assert_eq!(said(&[("sasl.password", "hunter2")]), "`sasl.password` is librdkafka's alone");
        assert_eq!(said(&[("acks", "1")]), "`acks: 1` is librdkafka's alone");
        assert_eq!(said(&[("message.max.bytes", "0")]), "`message.max.bytes: 0` is librdkafka's alone");
        assert!(FetchOptions::of(&settings(&[("ssl.ca.location", "x")])).is_err());
    }

    #[test]
    fn properties_mean_what_they_mean_to_librdkafka() {
        let fetch = settings(&[("fetch.wait.max.ms", "7"), ("session.timeout.ms", "1")]);
        let fetch = FetchOptions::of(&fetch).expect("options");
        let waits = |fetch: &FetchOptions| [0, 1, 3, 4, u32::MAX].map(|empty| fetch.wait_after(empty).as_millis());
        assert_eq!(waits(&fetch), [7; 5]);
        assert_eq!(waits(&FetchOptions::of(&settings(&[])).expect("options")), [50, 100, 400, 500, 500]);
        let produce = settings(&[("linger.ms", "0.5"), ("compression.type", "zstd"), ("batch.size", "5000000")]);
        let produce = ProduceOptions::of(&produce).expect("options");
        assert_eq!(
            (produce.linger, produce.codec, produce.batch_bytes),
            (Duration::from_micros(500), Codec::Zstd, 1_000_000)
        );
    }
}
