//! What is counted.

use std::{env, fs, hint, mem, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, CompileLimits, Engine, EngineOptions, Instance, NoOutput},
    limits::Limits,
    pipeline::ledger::{Entry, Ledger},
};

use crate::e2e::workload::Content;

/// Part of the name of the function in which is counted.
pub(super) const COUNTED: &str = "counted_instructions";

/// Runs that are not counted: memories grow to their size.
const WARM_UP: u32 = 3;

/// Runs that are.
const RUNS: u32 = 5;

/// Records of a batch; batches, for the ledger.
const UNITS: u32 = 1000;

/// Bytes of a value where it is no line of a log.
const VALUE_BYTES: usize = 100;

pub(super) struct Case {
    pub(super) name: &'static str,
    start: fn(&Engine, &Path) -> anyhow::Result<Box<dyn Run>>,
}

impl Case {
    pub(super) fn units(&self) -> u32 {
        RUNS * UNITS
    }
}

/// In the order in which they run.
pub(super) const CASES: [Case; 5] = [
    Case { name: "pack: values, 100 B", start: |_, _| Ok(Box::new(Pack::new(Content::Text, VALUES))) },
    Case { name: "pack: everything, 100 B", start: |_, _| Ok(Box::new(Pack::new(Content::Text, Reads::ALL))) },
    Case {
        name: "boundary: written back, 100 B",
        start: |engine, modules| module(engine, modules, Content::Kinds, &[]),
    },
    Case { name: "boundary: JSON cleansed", start: |engine, modules| module(engine, modules, Content::Log, &CLEANSE) },
    Case { name: "ledger: two deliveries of a batch", start: |_, _| Ok(Box::new(Deliveries::default())) },
];

const VALUES: Reads = Reads { keys: false, values: true, headers: false, offsets: false, timestamps: false };

const CLEANSE: [(&str, &str); 2] = [("ignore", "name,password"), ("set", "env=prod")];

trait Run {
    fn run(&mut self) -> anyhow::Result<()>;
}

/// The body of the hidden subcommand `run-cases`.
///
/// # Errors
/// A module cannot be loaded, or a case fails.
pub(crate) fn run(modules: &Path, cache: &Path) -> anyhow::Result<()> {
    let engine = Engine::new(EngineOptions {
        cache: cache.to_owned(),
        compiler: env::current_exe().context("no path of this program")?,
        instances: 1,
        // Under valgrind a compiler is slow, and valgrind's own memory counts as its.
        compile: CompileLimits { time: std::time::Duration::from_secs(600), memory: 1 << 40, threads: 1 },
    })?;
    for case in &CASES {
        let mut run = (case.start)(&engine, modules).context(case.name)?;
        for _ in 0..WARM_UP {
            run.run()?;
        }
        counted_instructions(run.as_mut()).context(case.name)?;
    }
    Ok(())
}

/// Valgrind counts from here to the return. Named by [`COUNTED`].
#[inline(never)]
fn counted_instructions(run: &mut dyn Run) -> anyhow::Result<()> {
    for _ in 0..RUNS {
        run.run()?;
    }
    Ok(())
}

fn rows(content: Content) -> MemoryRows {
    let mut rows = MemoryRows::default();
    for number in 0..u64::from(UNITS) {
        let record = content.record(number, VALUE_BYTES);
        rows.push(number as i64, record.timestamp, Some(record.key.as_bytes()), Some(&record.value), &[]);
    }
    rows
}

struct Pack {
    rows: MemoryRows,
    reads: Reads,
    columns: Columns,
}

impl Pack {
    fn new(content: Content, reads: Reads) -> Self {
        Self { rows: rows(content), reads, columns: Columns::default() }
    }
}

impl Run for Pack {
    fn run(&mut self) -> anyhow::Result<()> {
        self.columns.pack(&self.rows, 0..UNITS as usize, self.reads);
        hint::black_box(&self.columns);
        Ok(())
    }
}

/// Packs, calls, and has the answer checked.
struct Boundary {
    pack: Pack,
    instance: Instance,
}

fn module(engine: &Engine, modules: &Path, content: Content, config: &[(&str, &str)]) -> anyhow::Result<Box<dyn Run>> {
    let path = modules.join("log-clean-1.wasm");
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let config: Vec<_> = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let instance = engine.load(&bytes)?.instantiate(Limits::default(), &config, Arc::new(NoOutput))?;
    Ok(Box::new(Boundary { pack: Pack::new(content, VALUES), instance }))
}

impl Run for Boundary {
    fn run(&mut self) -> anyhow::Result<()> {
        self.pack.run()?;
        let call = Call { topic: "access-log", partition: 0, attempt: 0, columns: &self.pack.columns };
        let output = self.instance.transform(&call)?;
        ensure!(output.rows.len() + output.rejects.len() == UNITS as usize, "rows are missing");
        mem::drop(output);
        Ok(())
    }
}

/// Batches are entered, each is delivered to two sinks in an order of its own, and what may be committed is taken now
/// and then.
#[derive(Default)]
struct Deliveries {
    ledger: Ledger,
    begun: u64,
}

impl Run for Deliveries {
    fn run(&mut self) -> anyhow::Result<()> {
        let begin = self.begun;
        self.begun += u64::from(UNITS);
        self.ledger.begin(1);
        for stretch in (begin..self.begun).step_by(10) {
            let batches = || (stretch..stretch + 10).map(|batch| Entry { epoch: 1, batch });
            batches().for_each(|entry| self.ledger.enter(entry, (entry.batch as i64 + 1) * 1000, 2));
            batches().for_each(|entry| {
                hint::black_box(self.ledger.settle(entry));
            });
            batches().rev().for_each(|entry| {
                hint::black_box(self.ledger.settle(entry));
            });
            let taken = self.ledger.take();
            ensure!(taken == [(1, (stretch as i64 + 10) * 1000)], "{taken:?}");
        }
        Ok(())
    }
}
