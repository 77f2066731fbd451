//! What most Rust programs are: `BaseConsumer::poll`, `BaseProducer::send`, a report per record through the context.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{job::Job, track::Tracker};

/// Records between two looks at the reports.
const BATCH: usize = 1000;

const IN_FLIGHT_MAX: usize = 100_000;

const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// Collects the numbers of the batches whose outputs were delivered.
#[derive(Default)]
struct Reports {
    delivered: Mutex<Vec<usize>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: usize) {
        // One that failed is never counted down: its offset is not committed, and the run does not end.
        if result.is_ok()
            && let Ok(mut delivered) = self.delivered.lock()
        {
            delivered.push(batch);
        }
    }
}

/// # Errors
/// What ends the run.
pub(crate) fn run(job: &Job) -> anyhow::Result<()> {
    let consumer: BaseConsumer = config(&job.consumer()).create()?;
    consumer.subscribe(&[&job.input])?;
    let producer: BaseProducer<Reports> = config(&job.producer()).create_with_context(Reports::default())?;
    let (mut tracker, mut committed_at) = (Tracker::default(), Instant::now());
    loop {
        let batch = tracker.begin();
        for _ in 0..BATCH {
            let Some(message) = consumer.poll(Duration::from_millis(5)) else { break };
            let message = message?;
            tracker.read(batch, message.partition(), message.offset());
            job.work.apply(message.payload().unwrap_or_default(), &mut |route, value| {
                let topic = job.outputs.get(route).map_or("", String::as_str);
                let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, batch).payload(value);
                if let Some(key) = message.key() {
                    record = record.key(key);
                }
                if let Some(timestamp) = message.timestamp().to_millis() {
                    record = record.timestamp(timestamp);
                }
                tracker.sent(batch);
                send(&producer, record)
            })?;
        }
        tracker.end(batch);
        loop {
            producer.poll(Duration::ZERO);
            let delivered = producer.context().delivered.lock().map(|mut delivered| std::mem::take(&mut *delivered));
            for batch in delivered.map_err(|_| anyhow!("a report failed"))? {
                tracker.delivered(batch);
            }
            if tracker.in_flight() < IN_FLIGHT_MAX {
                break;
            }
            producer.poll(Duration::from_millis(1));
        }
        if committed_at.elapsed() >= COMMIT_INTERVAL {
            committed_at = Instant::now();
            let mut offsets = TopicPartitionList::new();
            for (partition, next) in tracker.take() {
                offsets.add_partition_offset(&job.input, partition, Offset::Offset(next))?;
            }
            if offsets.count() > 0 {
                consumer.commit(&offsets, CommitMode::Async)?;
            }
        }
    }
}

fn config(properties: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    properties.iter().for_each(|(name, value)| {
        config.set(*name, *value);
    });
    config
}

fn send(producer: &BaseProducer<Reports>, mut record: BaseRecord<'_, [u8], [u8], usize>) -> anyhow::Result<()> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}
