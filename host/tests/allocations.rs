//! The hot path allocates nothing per record: not to receive, pack, transform, route and deliver it, nor to settle its
//! delivery. What a batch allocates is bounded, however many records it has.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use support::{Kafka, host, load_config, start, wait_until};

/// Counts what Rust code allocates, on all threads but those that ask to be left out. librdkafka's own memory is C's.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LEFT_OUT: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if !LEFT_OUT.get() {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

#[allow(unsafe_code, reason = "an allocator is")]
// SAFETY: hands everything on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PARTITIONS: i32 = 4;
const BATCH: usize = 1000;

/// Allocations that one batch may cost, whatever it holds. Some 45 to 120 are what was seen: requests to brokers are
/// among them, which come by time as well.
const PER_BATCH_MAX: u64 = 300;

/// Runs records through a module and to two topics, twice; answers the allocations of the second time, by batch.
fn allocations_per_batch(module: &str, settings: &str, value: impl Fn(usize) -> String) -> u64 {
    LEFT_OUT.set(true);
    let host = host();
    let kafka = Kafka::start(&[("in", PARTITIONS), ("out", PARTITIONS), ("copy", PARTITIONS)]);
    let brokers = kafka.mock.brokers();
    let spec = load_config(&format!(
        "pipeline: test\n\
         source: {{ kafka: {{ brokers: [\"{brokers}\"], topics: [in], batch: {{ records: {BATCH}, linger: 2s }} }} }}\n\
         module: {{ ref: {module}@1, config: {settings} }}\n\
         routes: {{ out: [out, copy], clean: [out, copy] }}\n\
         sinks:\n\
         \x20 out: {{ kafka: {{ brokers: [\"{brokers}\"], topic: out }} }}\n\
         \x20 copy: {{ kafka: {{ brokers: [\"{brokers}\"], topic: copy }} }}\n"
    ));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let release = host.release(1, module, &spec).unwrap_or_else(|error| panic!("{error}"));
    let pipeline = start(spec, release, &runtime, Arc::new(|_| {}));
    let mut through = 0;
    let mut run = |batches: usize| {
        pipeline.pause();
        // Every partition gets whole batches.
        let records = batches * BATCH;
        kafka.write("in", PARTITIONS, (0..records).map(&value));
        let before = ALLOCATIONS.load(Relaxed);
        pipeline.resume();
        through += records as u64;
        wait_until("all records", || pipeline.status().records.r#in == through);
        (ALLOCATIONS.load(Relaxed) - before) / batches as u64
    };
    run(20);
    let second = run(60);
    assert_eq!(pipeline.status().records.out, through, "every record came out");
    second
}

#[test]
fn a_batch_allocates_a_bounded_number_of_times_and_a_record_never() {
    let line = |number: usize| format!(r#"{{"n":{number},"password":"x","text":"as it was"}}"#);
    for (module, settings) in [
        ("identity", "{}"),
        ("identity", "{ copy: \"true\" }"),
        ("log-clean", "{ ignore: password, set: \"env=prod\" }"),
    ] {
        let allocations = allocations_per_batch(module, settings, line);
        let whom = format!("{module} {settings}: {allocations} allocations per batch of {BATCH} records");
        assert!(allocations <= PER_BATCH_MAX, "{whom}, {PER_BATCH_MAX} are allowed: does one go with each record?");
        // Otherwise nothing was counted at all.
        assert!(allocations > 0, "{whom}");
    }
}
