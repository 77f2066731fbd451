//! `boundary`: what it costs that a batch crosses into a module and its answer comes back, per record.
//!
//! Everything goes through the host's own library: [`wasmill::batch::Columns`] packs, [`wasmill::engine::Instance`]
//! calls. No Kafka, no sink: the rows lie in memory. Each run is timed in two parts, packing and call; the call
//! includes the check of the answer and giving its memory back.
//!
//! Before anything is timed, every variant's answer is compared with what it must be.

mod variant;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use wasmill::engine::{CompileLimits, Engine, EngineOptions};

use crate::{
    measure::{Figures, Method, Spread, measure},
    report::Report,
};
use variant::{CASES, Case, Crossing, Shape, World};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Records of a batch
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,

    /// Bytes of a value; may be given several times
    #[arg(long = "value", default_values_t = [100, 1000], value_parser = clap::value_parser!(u32).range(0..=65_536))]
    values: Vec<u32>,

    /// Only the lines whose name contains this
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    only: String,

    #[command(flatten)]
    method: Method,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// Everything that was measured.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Boundary {
    method: Method,
    /// Nanoseconds per record.
    lines: Vec<Line>,
    ratios: Vec<Ratio>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    #[serde(flatten)]
    case: Case,
    #[serde(flatten)]
    shape: Shape,
    pack: Spread,
    call: Spread,
    total: Spread,
}

/// How many times dearer the crossing is as records, for the same columns read and the same answer.
#[derive(serde::Serialize, serde::Deserialize)]
struct Ratio {
    answer: variant::Answer,
    value_bytes: u32,
    /// Of the medians of the call.
    records_over_columns: f64,
}

/// Measures.
///
/// # Errors
/// A module is missing, or answers what it must not.
pub(crate) fn run(args: &Args) -> anyhow::Result<Boundary> {
    let cache = tempfile::tempdir().context("no temporary folder")?;
    let engine = Engine::new(EngineOptions {
        cache: cache.path().join("artifacts"),
        compiler: std::env::current_exe().context("no path of this program")?,
        instances: 64,
        compile: CompileLimits::default(),
    })?;
    let cases: Vec<Case> = CASES.into_iter().filter(|case| case.to_string().contains(&args.only)).collect();
    ensure!(!cases.is_empty(), "no line is called like {:?}", args.only);
    let mut lines = vec![];
    for value_bytes in &args.values {
        let shape = Shape { batch: args.batch, value_bytes: *value_bytes };
        let crossings = cases.iter().map(|case| Crossing::new(&engine, &args.guests, *case, shape));
        let figures = measure(args.method, &mut crossings.collect::<Result<Vec<_>, _>>()?)?;
        lines.extend(cases.iter().zip(figures).map(|(case, figures)| {
            let Figures { parts: [pack, call], total } = figures;
            Line { case: *case, shape, pack, call, total }
        }));
    }
    let ratios = ratios(&lines);
    Ok(Boundary { method: args.method, lines, ratios })
}

fn ratios(lines: &[Line]) -> Vec<Ratio> {
    let records = lines.iter().filter(|line| line.case.world == World::Records);
    let ratio = |records: &Line| {
        let same = |line: &&Line| {
            let Line { case, shape, .. } = line;
            let alike = (case.reads, case.answer, *shape) == (records.case.reads, records.case.answer, records.shape);
            alike && case.world == World::Columns
        };
        lines.iter().find(same).map(|columns| Ratio {
            answer: records.case.answer,
            value_bytes: records.shape.value_bytes,
            records_over_columns: records.call.p50 / columns.call.p50,
        })
    };
    records.filter_map(ratio).collect()
}

impl Report for Boundary {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = ["ns per record", "value", "batch", "pack", "call", "total", "min", "p10", "p90"];
        let figure = |figure: f64| format!("{figure:.1}");
        let row = |line: &Line| {
            let Line { case, shape, pack, call, total } = line;
            let mut row = vec![case.to_string(), format!("{} B", shape.value_bytes), shape.batch.to_string()];
            row.extend([pack.p50, call.p50, total.p50, total.min, total.p10, total.p90].map(figure));
            row
        };
        let head = head.map(str::to_owned).to_vec();
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let Method { rounds, burst, .. } = self.method;
        let method = format!("Medians of {rounds} samples, each the mean of {burst} batches; spread: of the total.");
        let ratio = |ratio: &Ratio| {
            let Ratio { answer, value_bytes, records_over_columns } = ratio;
            format!(
                "Crossing as records over crossing as columns, {value_bytes} B, {answer}: {records_over_columns:.1}"
            )
        };
        std::iter::once(method).chain(self.ratios.iter().map(ratio)).collect()
    }
}
