//! Writing records while faults strike, in order and none twice, at a rate that comes and goes.

use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use e2e::PATIENCE;
use rdkafka::{
    ClientConfig,
    error::RDKafkaErrorCode,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::{
    record::{PARTITIONS, record},
    world::World,
};

/// How often the rate changes.
const TIDE: Duration = Duration::from_secs(7);
/// Records under way at most.
const UNDER_WAY_MAX: i32 = 50_000;

/// Writes until it is stopped; answers how many. `written` says how many so far.
pub(crate) fn load(world: &World, seed: u64, rate: u64, stop: &AtomicBool, written: &AtomicU64) -> u64 {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &world.straight.kafka)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "600000")
        .set("linger.ms", "10");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
    let (topic, begin) = (world.topic("in"), Instant::now());
    let (mut number, mut due) = (0_u64, 0.0);
    let mut last = begin;
    while !stop.load(SeqCst) {
        sleep(Duration::from_millis(10));
        // Half, full, double rate, and a pause.
        let tide = [1.0, 0.5, 2.0, 1.0, 0.0, 1.5][(begin.elapsed().as_secs() / TIDE.as_secs()) as usize % 6];
        due += rate as f64 * tide * last.elapsed().as_secs_f64();
        last = Instant::now();
        while due >= 1.0 && producer.in_flight_count() < UNDER_WAY_MAX {
            let (key, value) = record(seed, number);
            let text = number.to_string();
            let headers = OwnedHeaders::new().insert(Header { key: "n", value: Some(&text) });
            let mut record = BaseRecord::to(&topic)
                .partition((number % PARTITIONS) as i32)
                .key(&key)
                .payload(&value)
                .headers(headers);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
                record = back;
                sleep(Duration::from_millis(5));
            }
            number += 1;
            due -= 1.0;
        }
        written.store(number, Relaxed);
    }
    producer.flush(PATIENCE).expect("written");
    number
}
