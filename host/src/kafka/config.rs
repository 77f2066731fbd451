//! Client configuration: our defaults, then the user's properties, then what correctness hangs on.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

/// Where a client connects, and with which librdkafka properties.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bootstrap servers, `host:port` each, at least one.
    pub brokers: Vec<String>,
    /// Any librdkafka property but [`OWNED_PROPERTIES`]; wins over our defaults. May hold secrets: never log it.
    pub properties: Vec<(String, String)>,
}

/// Properties that Wasmill sets itself: a pipeline that names one is refused.
pub const OWNED_PROPERTIES: [&str; 11] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "delivery.report.only.error",
    "dr_msg_cb",
    "rebalance_cb",
    "transactional.id",
];

/// Measured on two cores shared with the broker; small queues keep full speed once `fetch.queue.backoff.ms` no longer
/// stops fetching for a second whenever the local queue is full. `queued.max.messages.kbytes` counts keys and values: a
/// record of 100 bytes takes five times as much, so 4 MiB are 20. 16 MiB were no faster and took 90 MiB more; 1 MiB
/// cost the broker a quarter more.
const CONSUMER_DEFAULTS: [(&str, &str); 8] = [
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.message.max.bytes", "4194304"),
    ("queued.max.messages.kbytes", "4096"),
    ("queued.min.messages", "1000000"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "45000"),
    ("statistics.interval.ms", "0"),
];

/// Two logs are read side by side, and what is done with a record takes longer than to fetch it: a short queue is full
/// just the same.
const READER_DEFAULTS: [(&str, &str); 2] =
    [("fetch.message.max.bytes", "1048576"), ("queued.max.messages.kbytes", "1024")];

/// Idempotence keeps the order of a partition over retries (librdkafka, `enable.idempotence`), which our promise hangs
/// on. `message.timeout.ms` 0: a record is tried until it is delivered; back-pressure does the rest. The client's own
/// queue is opened wide because the sink bounds what it hands over. `murmur2_random` puts a key on the partition where
/// Java producers put it.
const PRODUCER_DEFAULTS: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("linger.ms", "5"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "100000"),
    ("queue.buffering.max.messages", "10000000"),
    ("queue.buffering.max.kbytes", "2097151"),
    ("message.timeout.ms", "0"),
    ("partitioner", "murmur2_random"),
    ("statistics.interval.ms", "0"),
];

/// Topics that no pattern stands for.
const INTERNAL_TOPICS: &str = "^__";

/// How often librdkafka looks for topics that are new. Its own default is five minutes: long for a pattern.
const REFRESH: &str = "topic.metadata.refresh.interval.ms";
const PATTERN_REFRESH_MS: &str = "30000";

impl Settings {
    pub(super) fn consumer(&self, group: &str, topics: &[String]) -> ClientConfig {
        let mut config = self.with_defaults(&CONSUMER_DEFAULTS);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false")
            // Where to start is resolved at assignment. This is what happens to an offset that retention has removed:
            // the oldest record there is, so that nothing that is still there is skipped.
            .set("auto.offset.reset", "earliest");
        if topics.iter().any(|topic| topic.starts_with('^')) {
            self.with_patterns(&mut config);
        }
        config
    }

    /// For one who reads topics to their end and commits nothing. librdkafka asks for a group's name all the same.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer("wasmill-reader", &[]);
        config.set("enable.partition.eof", "true");
        for (name, value) in READER_DEFAULTS {
            if self.properties.iter().all(|(theirs, _)| theirs != name) {
                config.set(name, value);
            }
        }
        config
    }

    /// For a subscription by patterns: internal topics are as if they were not there, and new topics are found soon.
    fn with_patterns(&self, config: &mut ClientConfig) {
        let hidden = match config.get("topic.blacklist") {
            Some(theirs) => format!("{theirs},{INTERNAL_TOPICS}"),
            None => INTERNAL_TOPICS.to_owned(),
        };
        config.set("topic.blacklist", hidden);
        if config.get(REFRESH).is_none() {
            config.set(REFRESH, PATTERN_REFRESH_MS);
        }
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.with_defaults(&PRODUCER_DEFAULTS);
        config.set("delivery.report.only.error", "false");
        config
    }

    fn with_defaults(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Who asks for librdkafka's chatter with `debug` wants to read it.
        let asked = self.properties.iter().any(|(name, _)| name == "debug");
        let level = if asked { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info };
        config.set("client.id", "wasmill").set_log_level(level);
        defaults.iter().for_each(|(name, value)| {
            config.set(*name, *value);
        });
        self.properties.iter().for_each(|(name, value)| {
            config.set(name, value);
        });
        config.set("bootstrap.servers", self.brokers.join(","));
        config
    }
}
