//! What to do, as the harness says it to every peer: in the environment.

use anyhow::{Context as _, bail};

use crate::work::Work;

/// One run.
pub(crate) struct Job {
    pub(crate) brokers: String,
    pub(crate) input: String,
    /// Topics by route: the first is that of all records unless the work says otherwise.
    pub(crate) outputs: Vec<String>,
    pub(crate) group: String,
    pub(crate) work: Work,
    codec: String,
    linger_ms: String,
    idempotence: String,
}

/// Those of Wasmill's own consumer (host/src/kafka/config.rs).
const CONSUMER: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("auto.offset.reset", "earliest"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.message.max.bytes", "4194304"),
    ("queued.max.messages.kbytes", "4096"),
];

/// Those of Wasmill's own producer.
const PRODUCER: [(&str, &str); 5] = [
    ("batch.size", "1000000"),
    ("batch.num.messages", "100000"),
    ("queue.buffering.max.messages", "10000000"),
    ("queue.buffering.max.kbytes", "2097151"),
    ("partitioner", "murmur2_random"),
];

impl Job {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let get = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        let outputs: Vec<String> = get("BENCH_OUTPUTS")?.split(',').map(str::to_owned).collect();
        let work = Work::named(&get("BENCH_SHAPE")?)?;
        if outputs.len() < work.routes() {
            bail!("BENCH_OUTPUTS names {} topics, {} are needed", outputs.len(), work.routes());
        }
        Ok(Self {
            brokers: get("BENCH_BROKERS")?,
            input: get("BENCH_INPUT")?,
            outputs,
            group: get("BENCH_GROUP")?,
            work,
            codec: get("BENCH_CODEC")?,
            linger_ms: get("BENCH_LINGER_MS")?,
            idempotence: get("BENCH_IDEMPOTENCE")?,
        })
    }

    /// librdkafka's properties of the consumer.
    pub(crate) fn consumer(&self) -> Vec<(&str, &str)> {
        let own = [
            ("bootstrap.servers", self.brokers.as_str()),
            ("group.id", &self.group),
            ("enable.auto.offset.store", "false"),
            ("queued.min.messages", "1000000"),
        ];
        CONSUMER.into_iter().chain(own).collect()
    }

    /// librdkafka's properties of the producer.
    pub(crate) fn producer(&self) -> Vec<(&str, &str)> {
        let own = [
            ("bootstrap.servers", self.brokers.as_str()),
            ("acks", "all"),
            ("enable.idempotence", &self.idempotence),
            ("linger.ms", &self.linger_ms),
            ("compression.type", &self.codec),
        ];
        PRODUCER.into_iter().chain(own).collect()
    }
}
