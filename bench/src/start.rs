//! `start`: how soon a host is at work, and what it holds while nothing comes.
//!
//! A topic has records before the host is started. Each run is a new process and a new group, over the same data
//! directory: the module is compiled by the first, which is not counted. The time from the start of the process until the
//! first record is delivered, less the time from the host's joining the group until it has its partitions (both by its
//! log), is the figure: the group's protocol is the broker's. What is resident is read some seconds after the last
//! record, and again where there was never one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::{
    e2e::{
        kafka::{Kafka, PARTITIONS},
        summary::{Middle, say},
    },
    ground::Ground,
    host::Host,
    report::Report,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the host.
const LOOK: Duration = Duration::from_millis(2);
/// Before memory is read: allocators give back with delay.
const REST: Duration = Duration::from_secs(5);
const RECORDS: u64 = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Starts
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// One start.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sample {
    /// From the start of the process until the first record was delivered.
    pub(crate) first_ms: f64,
    /// From joining the group until the partitions were there.
    pub(crate) join_ms: f64,
    /// Resident after the records.
    pub(crate) rested_mib: f64,
    /// Resident where no record ever came.
    pub(crate) idle_mib: f64,
}

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Start {
    pub(crate) samples: Vec<Sample>,
}

/// Measures.
///
/// # Errors
/// There is no Kafka or no program, or a run does not come to its end.
pub(crate) fn run(args: &Args) -> anyhow::Result<Start> {
    let Ground { kafka, module, folder } = Ground::new(&args.guests, &[])?;
    kafka.make(&["full", "empty", "to"].map(str::to_owned), PARTITIONS)?;
    fill(&kafka)?;
    let pipeline = |from: &str, number: u32| {
        let (name, brokers, module) = ("bench", &kafka.brokers, module.display());
        let yaml = format!(
            "pipeline: {name}\nsource: {{ kafka: {{ brokers: [\"{brokers}\"], topics: [{from}], group: {from}-{number} }} \
             }}\nmodule: {{ ref: \"file:{module}\", config: {{ copy: true }} }}\nroutes: {{ out: [out] }}\nsinks: {{ out: \
             {{ kafka: {{ topic: to }} }} }}\n"
        );
        vec![(name.to_owned(), yaml)]
    };
    let mut samples = Vec::new();
    for number in 0..=args.repetitions {
        let (first_ms, rested_mib) = with_records(&pipeline("full", number), folder.path())?;
        let join_ms = join_ms(&fs::read_to_string(folder.path().join("log"))?)?;
        let mut host = Host::start(&pipeline("empty", number), folder.path())?;
        host.wait("the partitions", (LOOK, PATIENCE), |host| Ok(host.partitions()? == PARTITIONS as usize))?;
        std::thread::sleep(REST);
        let sample = Sample { first_ms, join_ms, rested_mib, idle_mib: host.memory_mib()? };
        say(&format!("start {number}: {sample:?}"));
        if number > 0 {
            samples.push(sample);
        }
    }
    Ok(Start { samples })
}

fn with_records(pipelines: &[(String, String)], folder: &Path) -> anyhow::Result<(f64, f64)> {
    let started = Instant::now();
    let mut host = Host::start(pipelines, folder)?;
    host.wait("the first record", (LOOK, PATIENCE), |host| Ok(host.records()? > 0))?;
    let first = started.elapsed().as_secs_f64() * 1e3;
    host.wait("all records", (LOOK, PATIENCE), |host| Ok(host.records()? == RECORDS))?;
    std::thread::sleep(REST);
    Ok((first, host.memory_mib()?))
}

fn fill(kafka: &Kafka) -> anyhow::Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = kafka.config().create()?;
    for number in 0..RECORDS {
        let record = BaseRecord::<[u8], [u8]>::to("full").partition(number as i32 % PARTITIONS).payload(&[b'.'; 100]);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

/// Between the line of the log behind which lanes join, and that of the first assignment.
fn join_ms(log: &str) -> anyhow::Result<f64> {
    let at = |what: &str| {
        let line = log.lines().find(|line| line.contains(what)).with_context(|| format!("no `{what}` in the log"))?;
        time_of_day(line).with_context(|| format!("no time in `{line}`"))
    };
    // Midnight may lie between.
    Ok((at(" assigned ")? - at(" admin API ")?).rem_euclid(86_400.0) * 1e3)
}

/// In seconds, of a line that begins with a time of RFC 3339 in UTC.
fn time_of_day(line: &str) -> Option<f64> {
    let (_, time) = line.split_whitespace().next()?.strip_suffix('Z')?.split_once('T')?;
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

impl Report for Start {
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |what: &str, digits: usize, figure: fn(&Sample) -> f64| {
            let middle = Middle::of(self.samples.iter().map(figure).collect());
            let cell =
                |of: fn(&Middle) -> f64| middle.as_ref().map_or_else(String::new, |it| format!("{:.digits$}", of(it)));
            vec![what.to_owned(), cell(|it| it.median), cell(|it| it.min), cell(|it| it.max)]
        };
        vec![
            ["", "median", "min", "max"].map(str::to_owned).to_vec(),
            row("start to the first record delivered, beyond the group join, ms", 0, |one| one.first_ms - one.join_ms),
            row("start to the first record delivered, ms", 0, |one| one.first_ms),
            row("of which the group join, ms", 0, |one| one.join_ms),
            row("resident, idle from the start, MiB", 1, |one| one.idle_mib),
            row("resident, idle after records, MiB", 1, |one| one.rested_mib),
        ]
    }

    fn remarks(&self) -> Vec<String> {
        let count = self.samples.len();
        vec![format!(
            "{count} starts, the module compiled before; one pipeline, four partitions, the module `identity`."
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_join_is_read_from_the_log_also_over_midnight() {
        let log = |from: &str, to: &str| {
            format!(
                "2026-11-27T{from}Z  INFO x: admin API address=a\n2026-11-28T{to}Z  INFO y: assigned pipeline=\"p\"\n"
            )
        };
        let ms = |from, to| join_ms(&log(from, to)).expect("both lines").round();
        assert_eq!(ms("10:55:00.697232", "10:55:00.791349"), 94.0);
        assert_eq!(ms("23:59:59.900000", "00:00:00.100000"), 200.0);
        assert!(join_ms("2026-11-27T00:00:00.1Z  INFO x: admin API address=a").is_err());
    }
}
