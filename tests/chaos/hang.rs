//! `--hang SECONDS`: Elasticsearch is stopped (SIGSTOP) for so long, under load.
//!
//! ```text
//! hung  -> identity -> Elasticsearch (stopped)     \  one host
//! other -> identity -> Kafka, a rate of its own    /
//! ```
//!
//! Looked for: the host's memory, that `other` keeps up all the time, that no partition moves, that nothing is lost.

use std::{
    process::Command,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use e2e::{Host, Index, Topic, guest, services, wait_until};
use rdkafka::producer::{BaseRecord, Producer as _};
use serde::Serialize;

/// Records per second of the pipeline whose sink hangs; each has [`TEXT`] bytes.
const HUNG_RATE: u64 = 4_000;
/// Records per second of the one beside it.
const OTHER_RATE: u64 = 40_000;
const TEXT: usize = 500;
/// What a lane and its sink may hold (64 MiB of batches in flight and as much of encoded requests), and librdkafka's
/// queue: 4 MiB of keys and values, which take up to five times as much.
const GROWTH_MAX: u64 = (64 + 64 + 20) << 20;
/// Before the hang, and after it.
const CALM: Duration = Duration::from_secs(20);
/// How far behind the other pipeline may be, in records of its own rate: status is written four times a second, and
/// offsets are committed twice a second.
const BEHIND_MAX: u64 = 5 * OTHER_RATE;
const LOOK: Duration = Duration::from_millis(500);

/// What was seen.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Seen {
    seconds: u64,
    hung_rate: u64,
    other_rate: u64,
    written_to_hung: u64,
    written_to_other: u64,
    /// Records per second through the other pipeline: before, and while Elasticsearch hung.
    other_before: u64,
    other_during: u64,
    /// Most records that the other pipeline was behind its writer while Elasticsearch hung.
    other_behind_most: u64,
    /// Bytes of resident memory: when the hang began, and the most during it.
    memory_before: u64,
    memory_most: u64,
    stalled_after_seconds: Option<f64>,
    /// What is not as it has to be.
    pub(crate) violations: Vec<String>,
}

struct Writers {
    stop: AtomicBool,
    hung: AtomicU64,
    other: AtomicU64,
}

pub(crate) fn run(hang: Duration) -> Seen {
    let (slow, quick, to, host) = (Topic::new("slow"), Topic::new("quick"), Topic::new("out"), Host::start());
    let index = Index::new("hang");
    host.cli(&["push", &guest("identity"), "identity@1"]).ok();
    let es = format!("elasticsearch: {{ urls: [\"{}\"], index: {} }}", services().elasticsearch, index.name);
    host.apply("hung", &pipeline("hung", &slow, &es)).ok();
    host.apply("other", &pipeline("other", &quick, &format!("kafka: {{ topic: {} }}", to.name))).ok();
    let writers = Writers { stop: AtomicBool::new(false), hung: AtomicU64::new(0), other: AtomicU64::new(0) };
    let text = "x".repeat(TEXT);
    let mut seen = Seen { seconds: hang.as_secs(), hung_rate: HUNG_RATE, other_rate: OTHER_RATE, ..Seen::default() };
    thread::scope(|scope| {
        scope.spawn(|| {
            write(&slow, HUNG_RATE, &writers, &writers.hung, |number| format!(r#"{{"n":{number},"text":"{text}"}}"#));
        });
        scope.spawn(|| write(&quick, OTHER_RATE, &writers, &writers.other, |number| number.to_string()));
        wait_until("the first of both", || host.through("hung") > 0 && host.through("other") > 0);
        seen.other_before = watch(&host, &writers, CALM, |_, _| {});
        seen.memory_before = host.memory();
        signal("elasticsearch", "STOP");
        let since = Instant::now();
        seen.other_during = watch(&host, &writers, hang, |behind, state| {
            seen.other_behind_most = seen.other_behind_most.max(behind);
            seen.memory_most = seen.memory_most.max(host.memory());
            if state == "stalled" && seen.stalled_after_seconds.is_none() {
                seen.stalled_after_seconds = Some(since.elapsed().as_secs_f64());
            }
        });
        signal("elasticsearch", "CONT");
        watch(&host, &writers, CALM, |_, _| {});
        writers.stop.store(true, SeqCst);
    });
    (seen.written_to_hung, seen.written_to_other) = (writers.hung.load(Relaxed), writers.other.load(Relaxed));
    wait_until("the documents", || host.through("hung") == seen.written_to_hung && host.status("hung")["lag"] == 0);
    wait_until("the records", || host.through("other") == seen.written_to_other && host.status("other")["lag"] == 0);
    judge(&mut seen, &host, &index, &to);
    seen
}

fn judge(seen: &mut Seen, host: &Host, index: &Index, to: &Topic) {
    let mut check = |good: bool, what: String| {
        if !good {
            seen.violations.push(what);
        }
    };
    let (documents, copies) = (index.count() as u64, to.read_all().len() as u64);
    check(documents == seen.written_to_hung, format!("{documents} documents of {}", seen.written_to_hung));
    check(copies == seen.written_to_other, format!("{copies} copies of {}", seen.written_to_other));
    for pipeline in ["hung", "other"] {
        let status = host.status(pipeline);
        check(status["rebalances"] == 1 && status["state"] == "running", format!("{pipeline}: {status}"));
    }
    let grown = seen.memory_most.saturating_sub(seen.memory_before);
    check(grown < GROWTH_MAX, format!("memory grew by {} MiB, {} are the bound", grown >> 20, GROWTH_MAX >> 20));
    check(seen.stalled_after_seconds.is_some(), "the pipeline never showed as stalled".into());
    let behind = seen.other_behind_most;
    check(behind <= BEHIND_MAX, format!("the other pipeline was {behind} records behind"));
}

fn pipeline(name: &str, from: &Topic, sink: &str) -> String {
    format!(
        "pipeline: {name}\nsource: {{ kafka: {{ brokers: [\"{}\"], topics: [{}] }} }}\nmodule: {{ ref: identity@1 }}\n\
         routes: {{ out: [out] }}\nsinks: {{ out: {{ {sink} }} }}\n\
         errors: {{ dead_letter: {{ kafka: {{ topic: {}.dead }} }} }}\n",
        services().kafka,
        from.name,
        from.name
    )
}

/// Writes at a rate until it is told to stop; `written` says how many so far.
fn write(topic: &Topic, rate: u64, writers: &Writers, written: &AtomicU64, value: impl Fn(u64) -> String) {
    let producer = Topic::producer();
    let (begin, mut number) = (Instant::now(), 0);
    while !writers.stop.load(SeqCst) {
        sleep(Duration::from_millis(5));
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        while number < due {
            let (key, value) = (number.to_string(), value(number));
            let partition = (number % topic.partitions as u64) as i32;
            let record = BaseRecord::to(&topic.name).partition(partition).key(&key).payload(&value);
            if producer.send(record).is_err() {
                break;
            }
            number += 1;
        }
        written.store(number, Relaxed);
    }
    producer.flush(e2e::PATIENCE).expect("written");
}

/// Looks at both pipelines for a while; answers the records per second that went through the other one.
fn watch(host: &Host, writers: &Writers, time: Duration, mut look: impl FnMut(u64, &str)) -> u64 {
    let (begin, first) = (Instant::now(), host.through("other"));
    loop {
        sleep(LOOK);
        let (written, through) = (writers.other.load(Relaxed), host.through("other"));
        let hung = host.status("hung");
        look(written.saturating_sub(through), hung["state"].as_str().unwrap_or_default());
        if begin.elapsed() >= time {
            return ((through - first) as f64 / begin.elapsed().as_secs_f64()) as u64;
        }
    }
}

fn signal(service: &str, signal: &str) {
    let folder = services().folder.as_ref().expect("services of this run");
    let text = std::fs::read_to_string(format!("{folder}/{service}.pid")).expect("a running service");
    let pid = text.split(' ').next().expect("a pid");
    let sent = Command::new("kill").args([&format!("-{signal}"), pid]).status().expect("kill runs");
    assert!(sent.success(), "{signal} to {service}");
}
