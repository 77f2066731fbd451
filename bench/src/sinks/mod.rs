//! `sinks`: what a document of Elasticsearch and a command of Redis cost a host.
//!
//! A real server on the same machine, a topic of JSON lines, a host with the module `identity` (values cross in and out)
//! and one sink. The host has taken up all partitions before the first record is written; its CPU time from then until
//! the last record is at the server, over the records, is the figure. The server is the limit, and its share is told.
//! After each run the server is asked how many there are. The sinks take turns.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    e2e::{
        kafka::{Kafka, PARTITIONS},
        process::{cpu_seconds, peak_mib},
        summary::{Middle, say},
        workload::{Codec, Content},
    },
    ground::Ground,
    host::Host,
    report::Report,
};

/// For the partitions to be taken up, and for the last record to be delivered.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at the host.
const LOOK: Duration = Duration::from_millis(100);

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    /// A document for each record, by `_bulk`
    Elasticsearch,
    /// A SET for each record
    Redis,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The servers
    #[arg(long = "sink", value_delimiter = ',', default_values = ["elasticsearch", "redis"], value_name = "SINK")]
    sinks: Vec<Server>,

    /// Records of a run, JSON lines of some 200 bytes
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000), value_name = "N")]
    records: u64,

    /// Runs of each sink
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// One run.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sample {
    /// CPU-seconds of the host per million records, which is microseconds per record.
    cpu: f64,
    /// Of the server.
    server_cpu: f64,
    /// From the first record written to the last one delivered.
    records_per_second: f64,
    peak_mib: f64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    sink: Server,
    samples: Vec<Sample>,
}

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sinks {
    records: u64,
    repetitions: u32,
    lines: Vec<Line>,
}

/// Measures.
///
/// # Errors
/// A server or a program is missing, or a run does not come to its end with every record at its place.
pub(crate) fn run(args: &Args) -> anyhow::Result<Sinks> {
    let Ground { kafka, module, folder } = Ground::new(&args.guests, &["elasticsearch", "redis"])?;
    let mut lines: Vec<Line> = args.sinks.iter().map(|sink| Line { sink: *sink, samples: Vec::new() }).collect();
    let mut number = 0;
    // The first round is not counted: the servers warm up.
    for round in 0..=args.repetitions {
        for line in &mut lines {
            number += 1;
            let one = Run { kafka: &kafka, module: &module, server: line.sink, records: args.records, number };
            let sample = one.measure(&folder.path().join(number.to_string()))?;
            say(&format!("round {round}, {:?}: {sample:?}", line.sink));
            if round > 0 {
                line.samples.push(sample);
            }
        }
    }
    Ok(Sinks { records: args.records, repetitions: args.repetitions, lines })
}

struct Run<'a> {
    kafka: &'a Kafka,
    module: &'a Path,
    server: Server,
    records: u64,
    /// Tells topics, groups, indices and keys of the runs apart.
    number: u32,
}

impl Run<'_> {
    fn measure(&self, folder: &Path) -> anyhow::Result<Sample> {
        std::fs::create_dir_all(folder)?;
        let topic = format!("from-{}", self.number);
        self.kafka.create(std::slice::from_ref(&topic))?;
        let there = self.there()?;
        let mut host = Host::start(&[("bench".to_owned(), self.pipeline(&topic)?)], folder)?;
        let of = |what: &str| format!("{what} of {:?}", self.server);
        host.wait(&of("all partitions"), (LOOK, PATIENCE), |host| Ok(host.partitions()? == PARTITIONS as usize))?;
        let server = self.kafka.pid_of(self.service())?;
        let (before, begin) = ((cpu_seconds(host.pid())?, cpu_seconds(server)?), Instant::now());
        self.kafka.fill(&topic, Content::Log, 0, Codec::None, self.records)?;
        host.wait(&of("all records"), (LOOK, PATIENCE), |host| {
            Ok(host.status("bench")?["sinks"]["out"]["delivered"] == self.records)
        })?;
        let took = begin.elapsed().as_secs_f64();
        let after = (cpu_seconds(host.pid())?, cpu_seconds(server)?);
        let peak_mib = peak_mib(host.pid())?;
        drop(host);
        let arrived = self.there()? - there;
        ensure!(arrived == self.records, "{:?} has {arrived} of {} records", self.server, self.records);
        self.kafka.delete(&[topic])?;
        let millions = self.records as f64 / 1e6;
        let (cpu, server_cpu) = ((after.0 - before.0) / millions, (after.1 - before.1) / millions);
        Ok(Sample { cpu, server_cpu, records_per_second: self.records as f64 / took, peak_mib })
    }

    /// As scripts/services calls it.
    fn service(&self) -> &'static str {
        match self.server {
            Server::Elasticsearch => "elasticsearch",
            Server::Redis => "redis",
        }
    }

    fn address(&self) -> anyhow::Result<String> {
        self.kafka.said(match self.server {
            Server::Elasticsearch => "WASMILL_TEST_ELASTICSEARCH",
            Server::Redis => "WASMILL_TEST_REDIS",
        })
    }

    fn pipeline(&self, topic: &str) -> anyhow::Result<String> {
        let Self { kafka, module, number, .. } = self;
        let address = self.address()?;
        let sink = match self.server {
            Server::Elasticsearch => format!("elasticsearch: {{ urls: [\"{address}\"], index: bench }}"),
            Server::Redis => {
                format!("redis: {{ url: \"{address}\", command: string, key: \"{{topic}}:{{partition}}:{{offset}}\" }}")
            }
        };
        Ok(format!(
            "pipeline: bench\n\
             source: {{ kafka: {{ brokers: [\"{}\"], topics: [{topic}], group: bench-{number} }} }}\n\
             module: {{ ref: \"file:{}\", config: {{ copy: true }} }}\n\
             routes: {{ out: [out] }}\nsinks: {{ out: {{ {sink} }} }}\n",
            kafka.brokers,
            module.display()
        ))
    }

    /// Documents or keys at the server.
    fn there(&self) -> anyhow::Result<u64> {
        let address = self.address()?;
        match self.server {
            Server::Elasticsearch => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let client = reqwest::Client::new();
                    client.post(format!("{address}/bench/_refresh?ignore_unavailable=true")).send().await?;
                    let url = format!("{address}/bench/_count?ignore_unavailable=true");
                    let count: Value = serde_json::from_str(&client.get(url).send().await?.text().await?)?;
                    count["count"].as_u64().with_context(|| format!("Elasticsearch counts nothing: {count}"))
                })
            }
            Server::Redis => {
                let stream = TcpStream::connect(address.trim_start_matches("redis://")).context("no Redis")?;
                (&stream).write_all(b"DBSIZE\r\n")?;
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line)?;
                line.trim().strip_prefix(':').and_then(|count| count.parse().ok()).context("Redis counts nothing")
            }
        }
    }
}

impl Report for Sinks {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = ["sink", "records/s", "CPU-s/M (range)", "server", "peak MiB"].map(str::to_owned).to_vec();
        let row = |line: &Line| {
            let median = |figure: fn(&Sample) -> f64| Middle::of(line.samples.iter().map(figure).collect());
            let figure = |figure: fn(&Sample) -> f64, digits: usize| {
                median(figure).map_or_else(String::new, |middle| format!("{:.digits$}", middle.median))
            };
            let cpu = median(|sample| sample.cpu);
            vec![
                format!("{:?}", line.sink),
                figure(|sample| sample.records_per_second, 0),
                cpu.map_or_else(String::new, |cpu| format!("{:.2} ({:.2}-{:.2})", cpu.median, cpu.min, cpu.max)),
                figure(|sample| sample.server_cpu, 2),
                figure(|sample| sample.peak_mib, 0),
            ]
        };
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        vec![format!(
            "{} JSON lines of some 200 B, one document or SET each, through the module `identity`; the server is on the \
             same machine. Medians of {} runs, which took turns.",
            self.records, self.repetitions
        )]
    }
}
