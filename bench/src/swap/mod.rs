//! `swap`: what a swap costs a pipeline under full load.
//!
//! A producer writes numbered records as fast as the broker and the host take them, or at a steady rate. Again and again
//! a module that the host has never seen is uploaded (the same code with another note in a custom section, so that it
//! is compiled anew) and swapped in. The host itself tells what a swap takes of a lane and how long the gaps between
//! batches are, with a swap and without (`swap_gaps` of the pipeline's status); the dip is the rate while a module is
//! compiled over the rate in between. Afterwards every record is looked for in the output.

mod load;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{e2e::summary::say, ground::Ground, host::Host, measure::Spread, report::Report};
use load::{Found, Load};

const PIPELINE: &str = "bench";
const MODULE: &str = "identity";

/// For everything that was written to come through.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Swaps that count; a tenth more come before them
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    swaps: u32,

    /// Milliseconds from the end of a swap to the next upload
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u64).range(1..=60_000), value_name = "MS")]
    pause: u64,

    /// Records per second; 0: as fast as they are taken
    #[arg(long, default_value_t = 0, value_name = "N")]
    rate: u64,

    /// Bytes of a value
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=100_000))]
    size: u32,

    /// Folder of the example modules, built by `just guests`
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

/// Quantiles in milliseconds, by the host's own clock.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Quantiles {
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// As the host tells them.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Gaps {
    /// What a swap itself takes of a lane.
    swap: Quantiles,
    /// Between the last batch of a release and the first of the next.
    gap: Quantiles,
    /// Between two batches of one release.
    ordinary: Quantiles,
    /// Of those, the ones that a moment at random belongs to: what swaps that take no time would find.
    by_chance: Quantiles,
}

/// Everything that was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Swap {
    swaps: u32,
    size: u32,
    /// Asked for; 0: as fast as possible.
    rate: u64,
    gaps: Gaps,
    /// Records per second while nothing was uploaded, and while a module was uploaded and compiled.
    rate_between: f64,
    rate_compiling: f64,
    /// From the request to the answer, in milliseconds.
    upload_ms: Spread,
    swap_ms: Spread,
    /// Resident memory of the host in MiB: at the first swap that counts, in the middle, and at the end.
    memory_mib: [f64; 3],
    records: u64,
    found: Found,
}

/// Measures.
///
/// # Errors
/// There is no Kafka or no program, or a swap is refused.
pub(crate) fn run(args: &Args) -> anyhow::Result<Swap> {
    let Ground { kafka, module: file, folder } = Ground::new(&args.guests, &[])?;
    let module = std::fs::read(&file).with_context(|| file.display().to_string())?;
    let (from, to) = ("swap-in".to_owned(), "swap-out".to_owned());
    kafka.create(&[from.clone(), to.clone()])?;
    let yaml = format!(
        "pipeline: {PIPELINE}\n\
         source: {{ kafka: {{ brokers: [\"{}\"], topics: [{from}] }} }}\n\
         module: {{ ref: \"file:{}\", config: {{ copy: true }} }}\n\
         routes: {{ out: [out] }}\nsinks: {{ out: {{ kafka: {{ topic: {to} }} }} }}\n",
        kafka.brokers,
        file.display()
    );
    let mut host = Host::start(&[(PIPELINE.into(), yaml)], folder.path())?;
    let load = Load::new(&kafka, &from, args.size as usize, args.rate)?;
    let mut series = Series::default();
    let (swapped, records) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| load.write());
        let swapped = swap_again_and_again(args, &mut host, &module, &mut series);
        load.stop();
        let written = writer.join().map_err(|_| anyhow::anyhow!("the writer failed")).flatten();
        (swapped, written)
    });
    swapped?;
    let records = records?;
    say(&format!("{records} records written; waiting for them"));
    let deadline = Instant::now() + PATIENCE;
    while host.records()? < records {
        ensure!(Instant::now() < deadline, "{} of {records} records came through", host.records()?);
        std::thread::sleep(Duration::from_millis(50));
    }
    let gaps: Gaps = serde_json::from_value(host.status(PIPELINE)?["swap_gaps"].take())?;
    let found = load::look(&kafka, &to, records)?;
    let middle = series.memory.len() / 2;
    let memory = |at: usize| series.memory.get(at).copied().unwrap_or_default();
    Ok(Swap {
        swaps: args.swaps,
        size: args.size,
        rate: args.rate,
        gaps,
        rate_between: series.between.rate(),
        rate_compiling: series.compiling.rate(),
        upload_ms: Spread::of(series.upload_ms),
        swap_ms: Spread::of(series.swap_ms),
        memory_mib: [memory(0), memory(middle), memory(series.memory.len().saturating_sub(1))],
        records,
        found,
    })
}

#[derive(Default)]
struct Series {
    between: Stretch,
    compiling: Stretch,
    upload_ms: Vec<f64>,
    swap_ms: Vec<f64>,
    memory: Vec<f64>,
}

/// Records and time, added up over many stretches.
#[derive(Default)]
struct Stretch {
    records: u64,
    time: Duration,
}

impl Stretch {
    fn add(&mut self, records: u64, time: Duration) {
        self.records += records;
        self.time += time;
    }

    fn rate(&self) -> f64 {
        self.records as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn swap_again_and_again(args: &Args, host: &mut Host, module: &[u8], series: &mut Series) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while host.records()? == 0 {
        ensure!(Instant::now() < deadline, "no record comes through");
        std::thread::sleep(Duration::from_millis(20));
    }
    let warm_up = (args.swaps / 10).max(1);
    for number in 0..warm_up + args.swaps {
        let counts = number >= warm_up;
        let before = (host.records()?, Instant::now());
        std::thread::sleep(Duration::from_millis(args.pause));
        let begin = (host.records()?, Instant::now());
        let version = format!("1.0.{number}");
        host.upload(MODULE, &version, &noted(module, number))?;
        let compiled = (host.records()?, Instant::now());
        host.swap(PIPELINE, &format!("{MODULE}@{version}"))?;
        let end = Instant::now();
        host.check()?;
        if counts {
            series.between.add(begin.0 - before.0, begin.1 - before.1);
            series.compiling.add(compiled.0 - begin.0, compiled.1 - begin.1);
            series.upload_ms.push((compiled.1 - begin.1).as_secs_f64() * 1e3);
            series.swap_ms.push((end - compiled.1).as_secs_f64() * 1e3);
            series.memory.push(host.memory_mib()?);
        }
        if number % 50 == 49 {
            say(&format!("{} swaps, {:.0} MiB", number + 1, host.memory_mib()?));
        }
    }
    Ok(())
}

/// The same component with another custom section behind it: another digest, the same code.
fn noted(module: &[u8], number: u32) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let note = number.to_le_bytes();
    // Section id, size, length of the name: each below 128, so each a byte.
    let mut noted = module.to_vec();
    noted.extend([0, (1 + NAME.len() + note.len()) as u8, NAME.len() as u8]);
    noted.extend_from_slice(NAME);
    noted.extend_from_slice(&note);
    noted
}

impl Report for Swap {
    fn rows(&self) -> Vec<Vec<String>> {
        let dip = 100.0 * (1.0 - self.rate_compiling / self.rate_between.max(f64::MIN_POSITIVE));
        let Found { lost, doubled, misplaced } = self.found;
        let [first, middle, last] = self.memory_mib;
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let quantiles = |name: &str, Quantiles { p50_ms, p99_ms, max_ms }: &Quantiles| {
            row(&format!("{name}, ms: p50 / p99 / worst"), format!("{p50_ms:.3} / {p99_ms:.3} / {max_ms:.3}"))
        };
        vec![
            row("", "measured".into()),
            row("swaps", self.swaps.to_string()),
            quantiles("the swap itself in a lane", &self.gaps.swap),
            quantiles("gap between the last batch of a release and the first of the next", &self.gaps.gap),
            quantiles("gap between two batches of one release", &self.gaps.ordinary),
            quantiles("the same, as met by a moment at random", &self.gaps.by_chance),
            row("records/s between swaps", format!("{:.0}", self.rate_between)),
            row("records/s while compiling", format!("{:.0} (dip {dip:.1} %)", self.rate_compiling)),
            row("upload, ms, median (p90)", format!("{:.1} ({:.1})", self.upload_ms.p50, self.upload_ms.p90)),
            row("swap, ms, median (p90)", format!("{:.1} ({:.1})", self.swap_ms.p50, self.swap_ms.p90)),
            row("memory, MiB: first, middle, last", format!("{first:.0}, {middle:.0}, {last:.0}")),
            row("records", self.records.to_string()),
            row("lost, doubled, misplaced", format!("{lost}, {doubled}, {misplaced}")),
        ]
    }

    fn remarks(&self) -> Vec<String> {
        vec![
            "Every swap is to a module that was uploaded and compiled for it. Gaps are of all swaps, warm-up included."
                .into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_module_is_another_one_and_still_wasm() {
        // An empty core module: header alone.
        let module = b"\0asm\x01\0\0\0";
        let (one, two) = (noted(module, 1), noted(module, 300));
        assert_ne!(one, two);
        assert_eq!(&one[module.len()..], [&[0, 10, 5], &b"bench"[..], &[1, 0, 0, 0]].concat());
    }
}
