//! `latency`: how long a record is under way from a producer through a program to a consumer.
//!
//! Producer and consumer are threads of this process, so that one clock is read; a value begins with the time at which
//! it was handed to the producer, in microseconds. Records are sent at a steady rate, so many each millisecond, whatever
//! becomes of those before: a program that stands still for a second has a second's worth of late records to show. The
//! line `none` is the way from the producer to the consumer through one topic, with no program between: what the broker
//! and the two clients take by themselves, once, where every other line has it twice.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::{
    kafka::{Kafka, PARTITIONS},
    peer::{Delivery, Job, Peer},
    process::Process,
    summary::{Middle, say},
    workload::{Codec, Shape},
};
use crate::report::Report;

/// Digits of the time that a value begins with.
const DIGITS: usize = 16;

/// Records before the first that counts, in time: clients connect, code is compiled.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long the last record may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The programs; the way without one is always measured
    #[arg(long, value_delimiter = ',', default_values = ["wasmill", "raw", "safe"], value_name = "PEER")]
    peers: Vec<Peer>,

    /// Records per second
    #[arg(long = "rate", value_delimiter = ',', default_values_t = [1000, 50_000], value_name = "N")]
    rates: Vec<u32>,

    /// Wait of the bench's and the program's producers for a fuller batch, in milliseconds; Wasmill's wait for a fuller
    /// batch of input too
    #[arg(long = "linger", value_delimiter = ',', default_values_t = [0, 5], value_name = "MS")]
    lingers: Vec<u32>,

    /// Seconds of each run that count
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,

    /// Runs of each program
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,

    /// Bytes of a value
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    size: u32,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Latency {
    pub(crate) repetitions: u32,
    pub(crate) size: u32,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    /// None: no program.
    pub(crate) peer: Option<Peer>,
    pub(crate) rate: u32,
    pub(crate) linger_ms: u32,
    pub(crate) samples: Vec<Percentiles>,
    pub(crate) failed: Option<String>,
}

/// Of one run, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of microseconds in any order.
    fn of(mut micros: Vec<u64>) -> Option<Self> {
        micros.sort_unstable();
        let last = micros.len().checked_sub(1)?;
        let at = |share: f64| micros[(share * last as f64).ceil() as usize] as f64 / 1000.0;
        Some(Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) })
    }
}

/// Measures.
///
/// # Errors
/// A program is missing, or there is no Kafka.
pub(crate) fn run(args: &Args) -> anyhow::Result<Latency> {
    let root = PathBuf::from(".");
    args.peers.iter().try_for_each(|peer| peer.build(&root))?;
    let folder = tempfile::Builder::new().prefix("wasmill-bench.").tempdir().context("no temporary folder")?;
    let kafka = Kafka::start(&root)?;
    let mut lines = Vec::new();
    for rate in &args.rates {
        for linger in &args.lingers {
            let peers = std::iter::once(None).chain(args.peers.iter().copied().map(Some));
            let line = |peer| Line { peer, rate: *rate, linger_ms: *linger, samples: vec![], failed: None };
            lines.extend(peers.map(line));
        }
    }
    let mut runs = 0;
    for round in 0..=args.repetitions {
        for line in lines.iter_mut().filter(|line| line.failed.is_none()) {
            runs += 1;
            let folder = folder.path().join(runs.to_string());
            std::fs::create_dir_all(&folder)?;
            let measured = one(args, &kafka, &root, &folder, runs, line);
            let name = line.peer.map_or("none", Peer::name);
            let Line { rate, linger_ms, .. } = line;
            match measured {
                Ok(figures) => {
                    say(&format!("{name}, {rate}/s, linger {linger_ms} ms, round {round}: {figures:?}"));
                    // The first round is not counted.
                    if round > 0 {
                        line.samples.push(figures);
                    }
                }
                Err(error) => {
                    say(&format!("{name} failed: {error:#}"));
                    line.failed = Some(format!("{error:#}"));
                }
            }
        }
    }
    Ok(Latency { repetitions: args.repetitions, size: args.size, lines })
}

fn one(
    args: &Args,
    kafka: &Kafka,
    root: &std::path::Path,
    folder: &std::path::Path,
    number: u32,
    line: &Line,
) -> anyhow::Result<Percentiles> {
    let (from, to) = (format!("from-{number}"), format!("to-{number}"));
    let outputs = [to.clone()];
    kafka.create(&[from.clone(), to.clone()])?;
    let mut process = None;
    if let Some(peer) = line.peer {
        let job = Job {
            brokers: &kafka.brokers,
            input: &from,
            outputs: &outputs,
            group: &format!("latency-{number}"),
            shape: Shape::Identity,
            codec: Codec::None,
            delivery: Delivery::AtLeastOnce,
            linger_ms: Some(line.linger_ms),
            folder,
        };
        let command = peer.command(root, &args.guests, &job)?;
        process = Some(Process::start(peer.name(), command, &folder.join("log"))?);
    }
    let read = if process.is_some() { &to } else { &from };
    let measured = flow(args, kafka, line, &from, read);
    if let Some(process) = process {
        process.end()?;
    }
    kafka.delete(&[from, to])?;
    measured
}

/// Sends and receives at the same time.
fn flow(args: &Args, kafka: &Kafka, line: &Line, from: &str, read: &str) -> anyhow::Result<Percentiles> {
    let (clock, rate, linger) = (Instant::now(), line.rate, line.linger_ms.to_string());
    let producer: ThreadedProducer<DefaultProducerContext> =
        kafka.config().set("linger.ms", linger).set("queue.buffering.max.messages", "10000000").create()?;
    let consumer = reader(kafka, read)?;
    // Who has joined the group and answers is ready. Probes bear no time.
    let deadline = Instant::now() + PATIENCE;
    while !matches!(consumer.poll(Duration::from_millis(50)), Some(Ok(_))) {
        ensure!(Instant::now() < deadline, "no output at all");
        producer.send(BaseRecord::<str, str>::to(from).payload("probe")).map_err(|(error, _)| error)?;
    }
    let seconds = WARM_UP + Duration::from_secs(args.seconds.into());
    let total = seconds.as_secs() * u64::from(rate);
    let counted_from = (clock.elapsed() + WARM_UP).as_micros() as u64;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&producer, from, args.size as usize, total, rate, clock));
        let (mut received, mut micros, mut last) = (0, Vec::with_capacity(total as usize), Instant::now());
        while received < total {
            match consumer.poll(Duration::from_millis(100)) {
                Some(message) => {
                    let message = message?;
                    let now = clock.elapsed().as_micros() as u64;
                    last = Instant::now();
                    let digits = message.payload().and_then(|value| std::str::from_utf8(value.get(..DIGITS)?).ok());
                    let Some(began) = digits.and_then(|digits| digits.parse::<u64>().ok()) else { continue };
                    received += 1;
                    if began >= counted_from {
                        micros.push(now.saturating_sub(began));
                    }
                }
                None => ensure!(last.elapsed() < PATIENCE, "{received} of {total} records came"),
            }
        }
        sender.join().map_err(|_| anyhow::anyhow!("the sender failed"))??;
        Percentiles::of(micros).context("no record counted")
    })
}

fn reader(kafka: &Kafka, topic: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = kafka.config();
    config.set("group.id", "bench").set("enable.auto.commit", "false").set("fetch.wait.max.ms", "500");
    let consumer: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Sends at a steady rate.
fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    size: usize,
    total: u64,
    rate: u32,
    clock: Instant,
) -> anyhow::Result<()> {
    let (mut sent, begin, filler) = (0, Instant::now(), ".".repeat(size.saturating_sub(DIGITS)));
    while sent < total {
        let due = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while sent < due.min(total) {
            let value = format!("{:0DIGITS$}{filler}", clock.elapsed().as_micros());
            let record = BaseRecord::<[u8], [u8]>::to(topic).partition((sent % PARTITIONS as u64) as i32);
            producer.send(record.payload(value.as_bytes())).map_err(|(error, _)| error)?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    producer.flush(PATIENCE)?;
    Ok(())
}

impl Report for Latency {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = ["peer", "records/s", "linger ms", "p50 ms", "p99 ms", "p99.9 ms", "worst ms"];
        let row = |line: &Line| {
            let figure = |figure: fn(&Percentiles) -> f64| {
                let middle = Middle::of(line.samples.iter().map(figure).collect());
                middle.map_or_else(|| "failed".into(), |middle| format!("{:.2}", middle.median))
            };
            let mut row = vec![line.peer.map_or("none", Peer::name).to_owned()];
            row.extend([line.rate.to_string(), line.linger_ms.to_string()]);
            row.extend([figure(|run| run.p50), figure(|run| run.p99), figure(|run| run.p999), figure(|run| run.max)]);
            row
        };
        std::iter::once(head.map(str::to_owned).to_vec()).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let Self { repetitions, size, .. } = self;
        vec![format!(
            "Milliseconds from the producer's send to the consumer's poll, {size} B; medians of {repetitions} runs, which \
             took turns. `none`: one topic, no program. The producer waits as long for a fuller batch as the program."
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_records_and_the_worst_is_the_last() {
        let figures = Percentiles::of((0..=1000).rev().map(|micros| micros * 1000).collect());
        assert_eq!(figures, Some(Percentiles { p50: 500.0, p99: 990.0, p999: 999.0, max: 1000.0 }));
        assert_eq!(Percentiles::of(vec![]), None);
    }
}
