//! `e2e`: what it costs to bring records from Kafka through a module to Kafka, against programs that do the same.
//!
//! A real broker on this machine; the input is written once; each run is a process of its own with a new consumer group
//! and new output topics, whose content is checked after it: a peer that does not do the work does not count. The peers
//! take turns, so that what disturbs the machine disturbs all of them alike, and ratios are taken between runs of the
//! same round.

mod check;
pub(crate) mod kafka;
pub(crate) mod latency;
mod peer;
pub(crate) mod process;
mod run;
pub(crate) mod summary;
pub(crate) mod workload;

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
};

use anyhow::{Context as _, ensure};

use kafka::Kafka;
use peer::{Delivery, Peer};
use run::{Cell, Ground};
pub(crate) use summary::E2e;
use summary::{Line, Sample, say};
use workload::{Codec, Shape};

/// Runs that warm the broker, at most.
const WARM_RUNS_MAX: usize = 12;

/// The broker is warm once it takes more than this share of its least so far, twice.
const WARM: f64 = 0.95;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The work
    #[arg(long = "shape", value_delimiter = ',', default_values = ["identity", "filter"], value_name = "SHAPE")]
    shapes: Vec<Shape>,

    /// Bytes of a value (`json` has lines of some 200 bytes, whatever stands here)
    #[arg(long = "size", value_delimiter = ',', default_values_t = [100, 1000], value_name = "BYTES")]
    sizes: Vec<u32>,

    /// Compression, of the input and of the output
    #[arg(long = "codec", value_delimiter = ',', default_value = "none", value_name = "CODEC")]
    codecs: Vec<Codec>,

    /// What is promised. Exactly-once has one peer, Wasmill
    #[arg(long, value_delimiter = ',', default_value = "at-least-once", value_name = "DELIVERY")]
    delivery: Vec<Delivery>,

    /// The programs; ratios are to `raw`, or to the first
    #[arg(long, value_delimiter = ',', default_values = ["wasmill", "raw", "safe"], value_name = "PEER")]
    peers: Vec<Peer>,

    /// Runs of each program
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,

    /// Records of a run; by default some 1 GB, two millions at most. Slow peers take a fraction
    ///
    /// Shorter runs favour programs that read far ahead.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1000..=100_000_000))]
    records: Option<u64>,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// Measures.
///
/// # Errors
/// A program is missing, or no run of any peer succeeds.
pub(crate) fn run(args: &Args) -> anyhow::Result<E2e> {
    let root = PathBuf::from(".");
    ensure!(root.join("bench/peers").exists(), "to be started in the project's folder");
    for peer in &args.peers {
        peer.build(&root)?;
    }
    let folder = tempfile::Builder::new().prefix("wasmill-bench.").tempdir().context("no temporary folder")?;
    let mut kafka = Kafka::start(&root)?;
    let mut ground = Ground { root: &root, guests: &args.guests, folder: folder.path(), runs: 0 };
    let mut lines = Vec::new();
    let cells = args.cells();
    if let Some(cell) = cells.first() {
        warm(args, &mut ground, &mut kafka, *cell)?;
    }
    for cell in cells {
        lines.extend(measure(args, &mut ground, &mut kafka, cell)?);
    }
    Ok(E2e { repetitions: args.repetitions, lines })
}

impl Args {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for shape in &self.shapes {
            for size in &self.sizes {
                // The lines of the log have a size of their own.
                let size = if *shape == Shape::Json { 206 } else { *size as usize };
                for codec in &self.codecs {
                    let cell = Cell { shape: *shape, size, codec: *codec };
                    if !cells.contains(&cell) {
                        cells.push(cell);
                    }
                }
            }
        }
        cells
    }

    fn records(&self, cell: Cell, peer: Peer) -> u64 {
        let all = self.records.unwrap_or_else(|| (1_000_000_000 / cell.size as u64).min(2_000_000));
        all / peer.share()
    }
}

/// Runs the first peer until the broker's own work per record does not get less any more: its code is compiled while it
/// runs, and whoever comes first would pay with CPU that the compiler takes.
fn warm(args: &Args, ground: &mut Ground<'_>, kafka: &mut Kafka, cell: Cell) -> anyhow::Result<()> {
    let Some(peer) = args.peers.first() else { return Ok(()) };
    let records = args.records(cell, *peer);
    let expected = check::expected(cell.shape, cell.shape.content(), cell.size, records)?;
    let (mut least, mut stale) = (f64::MAX, 0);
    for _ in 0..WARM_RUNS_MAX {
        let broker = ground.run(kafka, cell, (*peer, Delivery::AtLeastOnce), records, &expected)?.broker_cpu;
        say(&format!("warming: the broker takes {broker:.3} CPU-s/M"));
        stale = if broker > least * WARM { stale + 1 } else { 0 };
        if stale == 2 {
            break;
        }
        least = least.min(broker);
    }
    Ok(())
}

/// All repetitions of one cell. A peer that fails is told and left out of what follows.
fn measure(args: &Args, ground: &mut Ground<'_>, kafka: &mut Kafka, cell: Cell) -> anyhow::Result<Vec<Line>> {
    let mut variants = Vec::new();
    for delivery in &args.delivery {
        let able = args.peers.iter().filter(|peer| peer.does(cell.shape, *delivery));
        variants.extend(able.map(|peer| (*peer, *delivery)));
    }
    let mut expected = HashMap::new();
    for (peer, _) in &variants {
        let records = args.records(cell, *peer);
        if let Entry::Vacant(unknown) = expected.entry(records) {
            unknown.insert(check::expected(cell.shape, cell.shape.content(), cell.size, records)?);
        }
    }
    let mut lines: Vec<Line> = variants.iter().map(|(peer, delivery)| Line::new(cell, *peer, *delivery)).collect();
    // The first round is not counted: files are mapped, a shape's own code in the broker is compiled.
    for round in 0..=args.repetitions {
        for turn in 0..variants.len() {
            // Another one begins each round: none always follows the same one.
            let index = (turn + round as usize) % variants.len();
            let records = args.records(cell, variants[index].0);
            let line = &mut lines[index];
            if line.failed.is_some() {
                continue;
            }
            match ground.run(kafka, cell, variants[index], records, &expected[&records]) {
                Ok(run) => {
                    line.say(round, &run);
                    if round > 0 {
                        line.samples.push(Sample { round, run });
                    }
                }
                Err(error) => {
                    line.failed = Some(format!("{error:#}"));
                    line.say_failed();
                }
            }
        }
    }
    Ok(lines)
}
