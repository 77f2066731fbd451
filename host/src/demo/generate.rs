//! The generator: access logs of a small shop, as a web server writes them, a few of them broken.

use std::{
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::JoinHandle,
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::{BEFORE_SWAP_PERCENT, DemoError, PARTITIONS, Progress, SOURCE, STOPPED, generated};
use crate::{
    batch::{Batch, MemoryRows},
    kafka::{ExtraHeaders, KafkaError, ProduceError, Producer, Settings},
    output::{Output, Record, View},
};

/// Records written between two looks at how far the checker is.
const CHUNK: u64 = 500;

/// Records that may be under way: some 2 MiB of each partition, of the 5 MiB that the mock cluster keeps.
const AHEAD_MAX: u64 = 60_000;

/// One record in so many is a line that is no JSON.
const BROKEN_EVERY: u64 = 997;

/// The same records in every run.
const SEED: u64 = 20_260_101;

pub(super) fn spawn(
    brokers: &str,
    records: Option<u64>,
    progress: Arc<Progress>,
) -> Result<JoinHandle<Result<(), DemoError>>, DemoError> {
    let settings = Settings { brokers: vec![brokers.to_owned()], properties: vec![] };
    let generate = move || generate(&settings, records.unwrap_or(u64::MAX), &progress);
    Ok(std::thread::Builder::new().name("generator".into()).spawn(generate)?)
}

fn generate(settings: &Settings, records: u64, progress: &Progress) -> Result<(), DemoError> {
    let mut producer = Producer::new(settings)?;
    let refused = |reason: String| KafkaError { call: "generate", reason };
    let topic = producer.topic(SOURCE.as_bytes()).map_err(refused)?;
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut next = 0;
    while next < records && !progress.stop.load(Relaxed) && progress.generated.load(Relaxed) & STOPPED == 0 {
        let early = next / BEFORE_SWAP_PERCENT >= records.div_ceil(100) && !progress.swapped.load(Relaxed);
        if early || next.saturating_sub(progress.checked.load(Relaxed)) >= AHEAD_MAX {
            producer.poll(Duration::from_millis(1), &mut |_| {});
            continue;
        }
        let count = CHUNK.min(records - next);
        let batch = chunk(next, count, &mut random);
        let output = Output { rows: (0..count as u32).collect(), ..Output::default() };
        // Counted first: the checker must never have seen more than there are.
        if progress.generated.fetch_add(count, Relaxed) & STOPPED != 0 {
            progress.generated.fetch_sub(count, Relaxed);
            return Ok(());
        }
        for record in (View { batch: &batch, base: 0, output: &output }).records() {
            while let Err(error) = producer.produce(topic, Some(partition(&record)), &record, ExtraHeaders::NONE, 0) {
                match error {
                    ProduceError::Full => producer.poll(Duration::from_millis(1), &mut |_| {}),
                    ProduceError::Rejected(reason) | ProduceError::Failed(reason) => return Err(refused(reason).into()),
                }
            }
        }
        producer.poll(Duration::ZERO, &mut |_| {});
        next += count;
    }
    while producer.in_flight() > 0 && progress.checked.load(Relaxed) < generated(progress) {
        producer.poll(Duration::from_millis(5), &mut |_| {});
    }
    Ok(())
}

/// Records go round: number n is offset n / 8 of partition n % 8, which is how the checker knows where each came from.
fn partition(record: &Record<'_>) -> i32 {
    (record.offset() % i64::from(PARTITIONS)) as i32
}

/// Records from number `first` on; the key is the number, which is how the checker knows them.
fn chunk(first: u64, count: u64, random: &mut SmallRng) -> Batch {
    let mut rows = MemoryRows::default();
    let now = jiff::Timestamp::now();
    for number in first..first + count {
        let line = if number % BROKEN_EVERY == BROKEN_EVERY - 1 {
            format!("{now} worker {number} restarted")
        } else {
            line(number, random)
        };
        rows.push(number as i64, now.as_millisecond(), Some(number.to_string().as_bytes()), Some(line.as_bytes()), &[]);
    }
    Batch { topic: SOURCE.into(), partition: 0, epoch: 0, bytes: 0, rows: Rc::new(rows) }
}

fn line(number: u64, random: &mut SmallRng) -> String {
    const PATHS: [&str; 6] = ["/", "/item", "/cart", "/search", "/api/v1/order", "/login"];
    const AGENTS: [&str; 3] =
        ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)", "okhttp/5.1.0"];
    let status = match random.random_range(0..100) {
        0..90 => 200,
        90..96 => 302,
        96..99 => 404,
        _ => 500,
    };
    format!(
        r#"{{"seq":{number},"remote_addr":"10.{}.{}.{}","method":"GET","path":"{}/{}","status":{status},"bytes":{},"ms":{},"name":"user{}","password":"s3cr3t","agent":"{}"}}"#,
        random.random_range(0..4),
        random.random_range(0..256),
        random.random_range(1..255),
        PATHS[random.random_range(0..PATHS.len())],
        random.random_range(0..100_000),
        random.random_range(200..50_000),
        random.random_range(1..400),
        random.random_range(0..10_000),
        AGENTS[random.random_range(0..AGENTS.len())],
    )
}
