//! `json`: what it costs to cleanse a line of a log, two fields dropped and one added, per record: in a module with the
//! SDK's editor, against the same natively and by other means.
//!
//! A module's figure is the whole of what it costs: packing, the call, checking the answer. A native way reads the same
//! rows and writes into one vector that is used again, as a tuned program would. Time is the CPU time of the thread, so
//! neighbours that take the processor away are not counted.
//!
//! Before anything is timed, every way's answer is compared with what it must be, whatever the order of its members.

mod way;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use wasmill::engine::{CompileLimits, Engine, EngineOptions};

use crate::{
    measure::{Figures, Method, Spread, measure},
    report::Report,
};
use way::{Rows, WAYS, Way};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Records of a batch
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,

    /// Only the ways whose name contains this
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
pub(crate) struct Json {
    method: Method,
    batch: u32,
    /// Mean length of a line.
    bytes: f64,
    /// Nanoseconds per record.
    lines: Vec<Line>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    way: String,
    pack: Spread,
    call: Spread,
    total: Spread,
    /// Of the medians of the total, to the native tree of values.
    to_native_tree: Option<f64>,
}

/// What all are compared with.
const NATIVE_TREE: &str = "native: serde_json::Value";

/// Measures.
///
/// # Errors
/// A module is missing, or a way answers what it must not.
pub(crate) fn run(args: &Args) -> anyhow::Result<Json> {
    let cache = tempfile::tempdir().context("no temporary folder")?;
    let engine = Engine::new(EngineOptions {
        cache: cache.path().join("artifacts"),
        compiler: std::env::current_exe().context("no path of this program")?,
        instances: 64,
        compile: CompileLimits::default(),
    })?;
    let rows = Rows::new(args.batch);
    let ways = WAYS.iter().filter(|(name, _)| name.contains(&args.only));
    let (names, ways): (Vec<_>, Vec<_>) = ways.map(|(name, work)| (*name, (name, work))).unzip();
    ensure!(!names.is_empty(), "no way is called like {:?}", args.only);
    let ways = ways.into_iter().map(|(name, work)| {
        let mut way = Way::new(&engine, &args.guests, *work, &rows)?;
        way.check().with_context(|| (*name).to_owned())?;
        anyhow::Ok(way)
    });
    let figures = measure(args.method, &mut ways.collect::<Result<Vec<_>, _>>()?)?;
    let tree = names.iter().position(|name| *name == NATIVE_TREE).and_then(|index| figures.get(index));
    let tree = tree.map(|figures| figures.total.p50);
    let line = |(way, figures): (&&str, &Figures<2>)| {
        let [pack, call] = figures.parts;
        let to_native_tree = tree.map(|tree| figures.total.p50 / tree);
        Line { way: (*way).to_owned(), pack, call, total: figures.total, to_native_tree }
    };
    let lines = names.iter().zip(&figures).map(line).collect();
    Ok(Json { method: args.method, batch: args.batch, bytes: rows.mean_bytes(), lines })
}

impl Report for Json {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = ["ns per record", "pack", "call", "total", "min", "p10", "p90", "to native tree"];
        let row = |line: &Line| {
            let Line { way, pack, call, total, to_native_tree } = line;
            let mut row = vec![way.clone()];
            row.extend([pack.p50, call.p50, total.p50, total.min, total.p10, total.p90].map(|ns| format!("{ns:.1}")));
            row.push(to_native_tree.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
            row
        };
        std::iter::once(head.map(str::to_owned).to_vec()).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let Self { method: Method { rounds, burst, .. }, batch, bytes, .. } = self;
        vec![format!(
            "Lines of {bytes:.0} bytes, batches of {batch}. Medians of {rounds} samples of CPU time, each the mean of \
             {burst} batches; spread and ratio: of the total."
        )]
    }
}
