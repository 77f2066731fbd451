//! The programs that are measured, and how each is told what to do.
//!
//! Wasmill gets a pipeline file, every other peer the same in its environment (`BENCH_*`): `bench/peers/NAME/run.sh`
//! starts it, after `bench/peers/NAME/build.sh` built it. A peer runs until it is killed.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::workload::{Codec, Shape, WORD};

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// Wasmill, with a Rust module
    Wasmill,
    /// The same with `client: librdkafka`
    WasmillLibrdkafka,
    /// Native loop on librdkafka's C interface, with the settings and the promises of Wasmill
    Raw,
    /// The same without idempotence: a retry may change the order
    RawLoose,
    /// Native loop on rust-rdkafka's BaseConsumer and BaseProducer
    Safe,
    /// Go loop on franz-go
    Franz,
    /// Java loop on Kafka's own clients, tuned
    Java,
    /// Kafka Streams, tuned
    Streams,
    /// MirrorMaker 2 in standalone Connect
    Mm2,
    /// Flink, one slot
    Flink,
    /// Spark Structured Streaming, one slot; gives records the time of their writing
    Spark,
    /// Python, quixstreams
    Quix,
}

/// What is promised about each output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Delivery {
    AtLeastOnce,
    ExactlyOnce,
}

/// Everything that a peer has to know of one run.
pub(crate) struct Job<'a> {
    pub(crate) brokers: &'a str,
    pub(crate) input: &'a str,
    pub(crate) outputs: &'a [String],
    pub(crate) group: &'a str,
    pub(crate) shape: Shape,
    pub(crate) codec: Codec,
    pub(crate) delivery: Delivery,
    /// Wait of the producer for a fuller batch; none: as fast as the peer is tuned to be.
    pub(crate) linger_ms: Option<u32>,
    /// For files of this run.
    pub(crate) folder: &'a Path,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wasmill => "wasmill",
            Self::WasmillLibrdkafka => "wasmill-librdkafka",
            Self::Raw => "raw",
            Self::RawLoose => "raw-loose",
            Self::Safe => "safe",
            Self::Franz => "franz",
            Self::Java => "java",
            Self::Streams => "streams",
            Self::Mm2 => "mm2",
            Self::Flink => "flink",
            Self::Spark => "spark",
            Self::Quix => "quix",
        }
    }

    fn is_wasmill(self) -> bool {
        matches!(self, Self::Wasmill | Self::WasmillLibrdkafka)
    }

    /// Whether it has the work in it, and the promise.
    pub(crate) fn does(self, shape: Shape, delivery: Delivery) -> bool {
        let shape = match self {
            Self::Mm2 => shape == Shape::Identity,
            Self::Flink | Self::Spark | Self::Quix => matches!(shape, Shape::Identity | Shape::Filter | Shape::Json),
            _ => true,
        };
        shape && (self.is_wasmill() || delivery == Delivery::AtLeastOnce)
    }

    /// Whether its outputs have the timestamps of its input. Spark's sink for Kafka has no way to set them.
    pub(crate) fn keeps_time(self) -> bool {
        self != Self::Spark
    }

    /// Its share of the records: one that is much slower would take all the time.
    pub(crate) fn share(self) -> u64 {
        match self {
            Self::Wasmill | Self::WasmillLibrdkafka => 1,
            Self::Raw | Self::RawLoose | Self::Safe | Self::Franz | Self::Java => 1,
            Self::Streams | Self::Flink | Self::Spark => 2,
            Self::Mm2 => 4,
            Self::Quix => 16,
        }
    }

    /// Builds it, unless that was done.
    ///
    /// # Errors
    /// It does not build.
    pub(crate) fn build(self, root: &Path) -> anyhow::Result<()> {
        if self.is_wasmill() || matches!(self, Self::Raw | Self::RawLoose | Self::Safe) {
            let program = self.program()?;
            ensure!(program.exists(), "{} is not there: `just bench` builds it", program.display());
            return Ok(());
        }
        let script = root.join("bench/peers").join(self.name()).join("build.sh");
        let done = Command::new(&script).arg(built(root, self)).output();
        let done = done.with_context(|| format!("{} cannot be run", script.display()))?;
        ensure!(done.status.success(), "{} does not build: {}", self.name(), String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Programs of this workspace lie beside this one.
    fn program(self) -> anyhow::Result<PathBuf> {
        let name = if self.is_wasmill() { "wasmill" } else { "bench-native" };
        Ok(std::env::current_exe()?.with_file_name(name))
    }

    /// How to start it.
    ///
    /// # Errors
    /// Its files cannot be written.
    pub(crate) fn command(self, root: &Path, guests: &Path, job: &Job<'_>) -> anyhow::Result<Command> {
        let mut command = match self {
            Self::Wasmill => return wasmill(&self.program()?, guests, job, "auto"),
            Self::WasmillLibrdkafka => return wasmill(&self.program()?, guests, job, "librdkafka"),
            Self::Raw | Self::RawLoose => with_args(self.program()?, &["raw"]),
            Self::Safe => with_args(self.program()?, &["safe"]),
            _ => Command::new(root.join("bench/peers").join(self.name()).join("run.sh")),
        };
        let linger = job.linger_ms.map_or_else(|| "5".into(), |linger| linger.to_string());
        command
            .env("BENCH_BUILT", built(root, self))
            .env("BENCH_BROKERS", job.brokers)
            .env("BENCH_INPUT", job.input)
            .env("BENCH_OUTPUTS", job.outputs.join(","))
            .env("BENCH_GROUP", job.group)
            .env("BENCH_SHAPE", shape_name(job.shape))
            .env("BENCH_CODEC", job.codec.name())
            .env("BENCH_LINGER_MS", linger)
            .env("BENCH_IDEMPOTENCE", (self != Self::RawLoose).to_string())
            .env("BENCH_FOLDER", job.folder);
        Ok(command)
    }
}

fn built(root: &Path, peer: Peer) -> PathBuf {
    root.join("target/peers").join(peer.name())
}

fn with_args(program: PathBuf, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// As the peers know it.
pub(crate) fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Identity => "identity",
        Shape::Filter => "filter",
        Shape::Router => "router",
        Shape::Json => "json",
        Shape::Fanout => "fanout",
    }
}

/// A host with one pipeline.
fn wasmill(program: &Path, guests: &Path, job: &Job<'_>, client: &str) -> anyhow::Result<Command> {
    let (module, config, routes): (&str, String, &[&str]) = match job.shape {
        Shape::Identity => ("identity", "copy: true".into(), &["out"]),
        Shape::Filter => ("filter", format!("contains: {WORD}"), &["kept"]),
        Shape::Router => ("router", "field: kind, routes: \"order,refund\"".into(), &["other", "order", "refund"]),
        Shape::Json => ("log-clean", "ignore: \"name,password\", set: env=prod".into(), &["clean"]),
        Shape::Fanout => ("fan-out", "routes: \"a,b,c\"".into(), &["a", "b", "c"]),
    };
    let guest = guests.join(format!("{module}.wasm")).canonicalize();
    let guest = guest.with_context(|| format!("there is no {module}.wasm in {}: `just guests`", guests.display()))?;
    let codec = job.codec.name();
    let (linger, batch) = match job.linger_ms {
        None => (String::new(), String::new()),
        Some(ms) => (format!(", linger.ms: {ms}"), format!(", batch: {{ linger: {ms}ms }}")),
    };
    let (mut sinks, mut by_route) = (String::new(), String::new());
    for (index, (route, topic)) in routes.iter().zip(job.outputs).enumerate() {
        by_route += &format!("  {route}: [s{index}]\n");
        sinks += &format!(
            "  s{index}: {{ kafka: {{ topic: {topic}, client: {client}, properties: {{ compression.type: {codec}{linger} }} }} }}\n"
        );
    }
    let delivery = match job.delivery {
        Delivery::AtLeastOnce => "at-least-once",
        Delivery::ExactlyOnce => "exactly-once",
    };
    let Job { brokers, input, group, folder, .. } = job;
    let yaml = format!(
        "pipeline: bench\n\
         source: {{ kafka: {{ brokers: [\"{brokers}\"], topics: [{input}], group: {group}, client: {client}{batch} }} }}\n\
         module: {{ ref: \"file:{}\", config: {{ {config} }} }}\n\
         routes:\n{by_route}sinks:\n{sinks}delivery: {delivery}\n",
        guest.display()
    );
    let file = folder.join("pipeline.yaml");
    fs::write(&file, yaml).with_context(|| format!("{} cannot be written", file.display()))?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = with_args(program.to_owned(), &["run", "--admin", &port.to_string(), "--data-dir"]);
    command.arg(folder.join("data")).arg(file);
    Ok(command)
}
