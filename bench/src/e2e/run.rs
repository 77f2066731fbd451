//! One run of one peer: from the start of its process to the last of its outputs.
//!
//! How far it is, the broker says: the ends of the output topics (or, under exactly-once, where markers of transactions
//! lie between the records, the offsets that the group has committed). Figures are taken between two looks: the first
//! that sees an output and the first that sees the last one. What lies before, starting and joining the group, is told
//! apart as `first_output`.

use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    check::{self, Sum},
    kafka::{self, Kafka},
    peer::{Delivery, Job, Peer, shape_name},
    process::{Process, cpu_seconds, peak_mib},
    workload::{Codec, Shape},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// How long a peer may make no headway.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is done, apart from who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    /// Bytes of a value.
    pub(crate) size: usize,
    pub(crate) codec: Codec,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, {} B, {}", shape_name(self.shape), self.size, self.codec.name())
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Run {
    /// Records of the input.
    pub(crate) records: u64,
    /// Records of the input per second, between the first output and the last.
    pub(crate) records_per_second: f64,
    /// CPU-seconds of the process per million records of the input, in the same time.
    pub(crate) cpu: f64,
    /// The same of the broker.
    pub(crate) broker_cpu: f64,
    /// Most resident memory, in MiB.
    pub(crate) peak_mib: f64,
    /// Seconds from the start of the process to the first output.
    pub(crate) first_output: f64,
    /// CPU-seconds of the process from its start to the last output.
    pub(crate) cpu_in_all: f64,
}

/// What all runs have in common.
pub(crate) struct Ground<'a> {
    pub(crate) root: &'a Path,
    pub(crate) guests: &'a Path,
    pub(crate) folder: &'a Path,
    /// Tells the topics and groups of the runs apart.
    pub(crate) runs: u32,
}

/// A look at a run.
struct Look {
    at: Instant,
    done: u64,
    cpu: f64,
    broker: f64,
}

impl Ground<'_> {
    /// Measures one run, and checks what came out.
    ///
    /// # Errors
    /// The peer fails, stops making headway, or does not do its work.
    pub(crate) fn run(
        &mut self,
        kafka: &mut Kafka,
        cell: Cell,
        (peer, delivery): (Peer, Delivery),
        records: u64,
        expected: &[Sum],
    ) -> anyhow::Result<Run> {
        self.runs += 1;
        let Cell { shape, size, codec } = cell;
        let input = kafka.input(shape.content(), size, codec, records)?;
        let outputs: Vec<String> = (0..shape.routes()).map(|route| format!("out-{}-{route}", self.runs)).collect();
        kafka.create(&outputs)?;
        let folder = self.folder.join(self.runs.to_string());
        std::fs::create_dir_all(&folder)?;
        let group = format!("bench-{}", self.runs);
        let brokers = kafka.brokers.clone();
        let job = Job {
            brokers: &brokers,
            input: &input,
            outputs: &outputs,
            group: &group,
            shape,
            codec,
            delivery,
            linger_ms: None,
            folder: &folder,
        };
        let by_offsets = delivery == Delivery::ExactlyOnce;
        let total = if by_offsets { records } else { expected.iter().map(|sum| sum.count).sum() };
        let asking = kafka.asking(&group)?;
        let progress = || if by_offsets { kafka::committed(&asking, &input) } else { kafka::ends(&asking, &outputs) };

        let command = peer.command(self.root, self.guests, &job)?;
        let log = folder.join("log");
        let started = Instant::now();
        let mut process = Process::start(peer.name(), command, &log)?;
        let run = (|| {
            let first = watch(&mut process, kafka.pid, &progress, 1)?;
            let last = watch(&mut process, kafka.pid, &progress, total)?;
            ensure!(last.done == total, "{} outputs where {total} must be", last.done);
            let share = (last.done - first.done) as f64 / total as f64;
            ensure!(share > 0.2, "too few records: {} of {total} outputs were seen at the first look", first.done);
            let millions = share * records as f64 / 1e6;
            Ok(Run {
                records,
                records_per_second: millions * 1e6 / (last.at - first.at).as_secs_f64(),
                cpu: (last.cpu - first.cpu) / millions,
                broker_cpu: (last.broker - first.broker) / millions,
                peak_mib: peak_mib(process.pid())?,
                first_output: (first.at - started).as_secs_f64(),
                cpu_in_all: last.cpu,
            })
        })();
        process.end()?;
        let checked =
            run.and_then(|run| check::check(kafka, shape, &outputs, expected, peer.keeps_time()).map(|()| run));
        kafka.delete(&outputs)?;
        checked.with_context(|| format!("{} at {cell}; its log is {}", peer.name(), log.display()))
    }
}

/// Looks until so much is done.
fn watch(
    process: &mut Process,
    broker: u32,
    progress: &dyn Fn() -> anyhow::Result<u64>,
    until: u64,
) -> anyhow::Result<Look> {
    let (mut most, mut since) = (0, Instant::now());
    loop {
        let done = progress()?;
        if done >= until {
            let cpu = cpu_seconds(process.pid())?;
            return Ok(Look { at: Instant::now(), done, cpu, broker: cpu_seconds(broker)? });
        }
        process.check()?;
        if done > most {
            (most, since) = (done, Instant::now());
        }
        ensure!(since.elapsed() < PATIENCE, "no headway after {done} of {until}");
        std::thread::sleep(LOOK);
    }
}
