//! `scale`: what a record costs as lanes, pipelines and partitions grow, at the same total traffic.
//!
//! A host runs some pipelines, each with topics of its own and the module `identity` (values cross in and out). Once all
//! partitions are taken up, records come at a steady rate, round robin over all input topics; the host's CPU time from
//! then on, over the records, is the figure. The cells take turns.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use crate::{
    e2e::{
        kafka::Kafka,
        process::{cpu_seconds, peak_mib},
        summary::{Middle, say},
    },
    ground::Ground,
    host::Host,
    report::Report,
};

/// For all partitions to be taken up, and for the last record to come through.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at the host.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Lanes of the one pipeline, 4 partitions
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_name = "N")]
    lanes: Vec<u32>,

    /// Pipelines, each with 4 partitions and a lane
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100], value_name = "N")]
    pipelines: Vec<u32>,

    /// Partitions of the one pipeline's topic
    #[arg(long, value_delimiter = ',', default_values_t = [4, 64, 512], value_name = "N")]
    partitions: Vec<u32>,

    /// Milliseconds for which fetches of the most pipelines wait for 64 KiB, in cells of their own
    #[arg(long, value_delimiter = ',', default_values_t = [100], value_name = "N")]
    waits: Vec<u32>,

    /// Records per second, in all
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000), value_name = "N")]
    rate: u64,

    /// Seconds of each run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "N")]
    seconds: u64,

    /// Runs of each cell
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,

    /// Bytes of a value
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    size: u32,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Cell {
    pub(crate) lanes: u32,
    pub(crate) pipelines: u32,
    /// Of each pipeline's topic.
    pub(crate) partitions: u32,
    /// For 64 KiB, in a fetch; 0: none waits for more than a record.
    #[serde(default)]
    pub(crate) wait_ms: u32,
}

/// One run.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sample {
    /// CPU-seconds of the host per million records.
    pub(crate) cpu: f64,
    /// Of the broker.
    pub(crate) broker_cpu: f64,
    /// CPU-seconds of the host per second before any record came.
    pub(crate) idle_cpu: f64,
    pub(crate) peak_mib: f64,
    /// From the start of the host until all partitions were taken up.
    pub(crate) joined_seconds: f64,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) samples: Vec<Sample>,
}

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Scale {
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) size: u32,
    pub(crate) repetitions: u32,
    pub(crate) lines: Vec<Line>,
}

/// Measures.
///
/// # Errors
/// There is no Kafka or no program, or a run does not come to its end.
pub(crate) fn run(args: &Args) -> anyhow::Result<Scale> {
    let Ground { kafka, module, folder } = Ground::new(&args.guests, &[])?;
    let mut lines: Vec<Line> = args.cells().into_iter().map(|cell| Line { cell, samples: Vec::new() }).collect();
    let mut runs = 0;
    // The first round is not counted: the broker compiles its code while it runs.
    for round in 0..=args.repetitions {
        for line in &mut lines {
            runs += 1;
            let one = Run { args, kafka: &kafka, module: &module, cell: line.cell, number: runs };
            let sample = one.measure(&folder.path().join(runs.to_string()))?;
            say(&format!("round {round}, {:?}: {sample:?}", line.cell));
            if round > 0 {
                line.samples.push(sample);
            }
        }
    }
    let Args { rate, seconds, size, repetitions, .. } = *args;
    Ok(Scale { rate, seconds, size, repetitions, lines })
}

impl Args {
    fn cells(&self) -> Vec<Cell> {
        let one = Cell { lanes: 1, pipelines: 1, partitions: 4, wait_ms: 0 };
        let lanes = self.lanes.iter().map(|lanes| Cell { lanes: *lanes, ..one });
        let pipelines = self.pipelines.iter().map(|pipelines| Cell { pipelines: *pipelines, ..one });
        let most = self.pipelines.iter().copied().max().unwrap_or(1);
        let waits = self.waits.iter().map(|wait| Cell { pipelines: most, wait_ms: *wait, ..one });
        let partitions = self.partitions.iter().map(|partitions| Cell { partitions: *partitions, ..one });
        let mut cells = Vec::new();
        for cell in lanes.chain(pipelines).chain(waits).chain(partitions) {
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }
}

type Writer = ThreadedProducer<DefaultProducerContext>;

struct Run<'a> {
    args: &'a Args,
    kafka: &'a Kafka,
    module: &'a Path,
    cell: Cell,
    /// Tells the topics and groups of the runs apart.
    number: u32,
}

impl Run<'_> {
    fn measure(&self, folder: &Path) -> anyhow::Result<Sample> {
        std::fs::create_dir_all(folder)?;
        let name = |what: &str| {
            let number = self.number;
            (0..self.cell.pipelines).map(|at| format!("{what}-{number}-{at}")).collect::<Vec<_>>()
        };
        let (inputs, outputs) = (name("from"), name("to"));
        let all = [inputs.clone(), outputs.clone()].concat();
        self.kafka.make(&all, self.cell.partitions as i32)?;
        let pipelines: Vec<_> = (0..).zip(inputs.iter().zip(&outputs)).map(|(at, io)| self.pipeline(at, io)).collect();
        let started = Instant::now();
        let mut host = Host::start(&pipelines, folder)?;
        let of = |what: &str| format!("{what} of {:?}", self.cell);
        host.wait(&of("all partitions"), (LOOK, PATIENCE), |host| Ok(host.partitions()? == self.partitions()))?;
        let joined_seconds = started.elapsed().as_secs_f64();
        let (idle, since) = (cpu_seconds(host.pid())?, Instant::now());
        std::thread::sleep(Duration::from_secs(2));
        let idle_cpu = (cpu_seconds(host.pid())? - idle) / since.elapsed().as_secs_f64();
        // What a first record costs (the writer's leaders, a module's instance) is no part of it.
        let writer = self.writer()?;
        let first = self.write(&writer, &inputs, self.partitions() as u64)?;
        host.wait(&of("first records"), (LOOK, PATIENCE), |host| Ok(host.records()? == first))?;
        let before = (cpu_seconds(host.pid())?, cpu_seconds(self.kafka.pid)?);
        let written = self.write(&writer, &inputs, self.args.rate * self.args.seconds)?;
        host.wait(&of("all records"), (LOOK, PATIENCE), |host| Ok(host.records()? == first + written))?;
        let after = (cpu_seconds(host.pid())?, cpu_seconds(self.kafka.pid)?);
        let millions = written as f64 / 1e6;
        let peak_mib = peak_mib(host.pid())?;
        drop(host);
        self.kafka.delete(&all)?;
        let (cpu, broker_cpu) = ((after.0 - before.0) / millions, (after.1 - before.1) / millions);
        Ok(Sample { cpu, broker_cpu, idle_cpu, peak_mib, joined_seconds })
    }

    fn partitions(&self) -> usize {
        (self.cell.pipelines * self.cell.partitions) as usize
    }

    fn pipeline(&self, at: u32, (from, to): (&String, &String)) -> (String, String) {
        let (name, lanes) = (format!("bench-{at}"), self.cell.lanes);
        let properties = match self.cell.wait_ms {
            0 => String::new(),
            wait => format!(", properties: {{ fetch.min.bytes: 65536, fetch.wait.max.ms: {wait} }}"),
        };
        let yaml = format!(
            "pipeline: {name}\n\
             source: {{ kafka: {{ brokers: [\"{}\"], topics: [{from}], group: bench-{}-{at}, lanes: {lanes}{properties} }} }}\n\
             module: {{ ref: \"file:{}\", config: {{ copy: true }} }}\n\
             routes: {{ out: [out] }}\nsinks: {{ out: {{ kafka: {{ topic: {to} }} }} }}\n",
            self.kafka.brokers,
            self.number,
            self.module.display()
        );
        (name, yaml)
    }

    fn writer(&self) -> anyhow::Result<Writer> {
        let mut config = self.kafka.config();
        config.set("linger.ms", "5").set("queue.buffering.max.messages", "1000000");
        Ok(config.create()?)
    }

    /// Writes so many at the steady rate, round robin over topics and partitions.
    fn write(&self, producer: &Writer, topics: &[String], total: u64) -> anyhow::Result<u64> {
        let value = vec![b'.'; self.args.size as usize];
        let (begin, mut number) = (Instant::now(), 0_u64);
        while number < total {
            let due = (begin.elapsed().as_secs_f64() * self.args.rate as f64) as u64;
            while number < due.min(total) {
                let topic = &topics[(number % topics.len() as u64) as usize];
                let partition = (number / topics.len() as u64) % u64::from(self.cell.partitions);
                let record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition as i32).payload(&value);
                match producer.send(record) {
                    Ok(()) => number += 1,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                    Err((error, _)) => return Err(error.into()),
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        producer.flush(PATIENCE)?;
        Ok(total)
    }
}

impl Report for Scale {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = [
            "lanes",
            "pipelines",
            "partitions each",
            "fetches wait, ms",
            "CPU-s/M (range)",
            "broker",
            "idle CPU %",
            "peak MiB",
            "joined after s",
            "to the first",
        ];
        let median = |line: &Line, figure: fn(&Sample) -> f64| Middle::of(line.samples.iter().map(figure).collect());
        let first = self.lines.first().and_then(|line| median(line, |sample| sample.cpu));
        let row = |line: &Line| {
            let figure = |figure: fn(&Sample) -> f64, digits: usize| {
                median(line, figure).map_or_else(String::new, |middle| format!("{:.digits$}", middle.median))
            };
            let cpu = median(line, |sample| sample.cpu);
            let Cell { lanes, pipelines, partitions, wait_ms } = line.cell;
            let ratio = cpu.zip(first).map(|(cpu, first)| format!("{:.2}", cpu.median / first.median));
            vec![
                lanes.to_string(),
                pipelines.to_string(),
                partitions.to_string(),
                wait_ms.to_string(),
                cpu.map_or_else(String::new, |cpu| format!("{:.2} ({:.2}-{:.2})", cpu.median, cpu.min, cpu.max)),
                figure(|sample| sample.broker_cpu, 2),
                figure(|sample| 100.0 * sample.idle_cpu, 1),
                figure(|sample| sample.peak_mib, 0),
                figure(|sample| sample.joined_seconds, 1),
                ratio.unwrap_or_default(),
            ]
        };
        std::iter::once(head.map(str::to_owned).to_vec()).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let Self { rate, seconds, size, repetitions, .. } = self;
        vec![format!(
            "{rate} records/s of {size} B in all, for {seconds} s, over all partitions in turn; medians of {repetitions} \
             runs, which took turns. Fetches that wait: `fetch.min.bytes: 65536`, `fetch.wait.max.ms`."
        )]
    }
}
