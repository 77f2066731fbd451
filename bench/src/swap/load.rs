//! Numbered records: written, and looked for.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use crate::e2e::kafka::{Kafka, PARTITIONS};

/// Digits of the number that a value begins with.
const DIGITS: usize = 16;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes until it is stopped: record n to partition n modulo [`PARTITIONS`].
pub(super) struct Load {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
    filler: String,
    /// Records per second; 0: as fast as they are taken.
    rate: u64,
    stop: AtomicBool,
}

/// What the output is short of.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Found {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// Behind a later one of the same partition.
    pub(super) misplaced: u64,
}

impl Load {
    /// # Errors
    /// None that the broker can cause.
    pub(super) fn new(kafka: &Kafka, topic: &str, size: usize, rate: u64) -> anyhow::Result<Self> {
        let mut config = kafka.config();
        // Little is on its way, so that a writer that is told to stop has soon written what it said.
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("queue.buffering.max.messages", "100000");
        let filler = ".".repeat(size.saturating_sub(DIGITS));
        Ok(Self { producer: config.create()?, topic: topic.into(), filler, rate, stop: AtomicBool::new(false) })
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    /// Answers how many records were written.
    ///
    /// # Errors
    /// The broker does not take them.
    pub(super) fn write(&self) -> anyhow::Result<u64> {
        let (mut number, begin) = (0, Instant::now());
        while !self.stop.load(SeqCst) {
            if self.rate > 0 && number as f64 >= begin.elapsed().as_secs_f64() * self.rate as f64 {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            let value = format!("{number:0DIGITS$}{}", self.filler);
            let partition = (number % PARTITIONS as u64) as i32;
            // One key for each input partition: all its records go to one output partition.
            let key = partition.to_le_bytes();
            let record = BaseRecord::to(&self.topic).partition(partition).key(&key).payload(&value);
            match self.producer.send(record) {
                Ok(()) => number += 1,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.producer.flush(PATIENCE)?;
        Ok(number)
    }
}

/// Looks for records 0 to `count` in a topic.
///
/// # Errors
/// The topic cannot be read, or holds what was never written.
pub(super) fn look(kafka: &Kafka, topic: &str, count: u64) -> anyhow::Result<Found> {
    let mut seen = vec![false; count as usize];
    let mut last = vec![None; PARTITIONS as usize];
    let mut found = Found::default();
    kafka.read(topic, count, &mut |_, value, _| {
        let digits = value.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
        let number: u64 = digits.and_then(|digits| digits.parse().ok()).context("a value without a number")?;
        ensure!(number < count, "record {number} was never written");
        found.doubled += u64::from(std::mem::replace(&mut seen[number as usize], true));
        let before = last[(number % PARTITIONS as u64) as usize].replace(number);
        found.misplaced += u64::from(before > Some(number));
        Ok(())
    })?;
    found.lost = seen.iter().filter(|seen| !**seen).count() as u64;
    Ok(found)
}
