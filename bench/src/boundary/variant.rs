//! One way to cross: which world, which columns, which answer; and the run that is timed.

use std::{
    fmt, fs, mem,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, Engine, Instance, NoOutput},
    limits::Limits,
    output::Output,
};

use crate::measure::Variant;

/// World of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum World {
    Columns,
    Records,
}

/// Which columns are packed and cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fill {
    Nothing,
    Values,
    Everything,
}

/// What the module does with values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// Every row keeps its own: nothing is copied back.
    Kept,
    /// Every value comes back as a new one.
    Written,
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Case {
    pub(super) world: World,
    pub(super) reads: Fill,
    pub(super) answer: Answer,
    #[serde(skip)]
    module: &'static str,
    #[serde(skip)]
    config: &'static [(&'static str, &'static str)],
}

/// Rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Shape {
    pub(super) batch: u32,
    pub(super) value_bytes: u32,
}

const COPY: &[(&str, &str)] = &[("copy", "true")];

/// All that is measured. Records are always read whole, so they have their like among the columns in `Everything`.
pub(super) const CASES: [Case; 7] = [
    case(World::Columns, Fill::Nothing, Answer::Kept, "identity", &[]),
    case(World::Columns, Fill::Values, Answer::Kept, "identity", &[]),
    case(World::Columns, Fill::Values, Answer::Written, "identity", COPY),
    case(World::Columns, Fill::Everything, Answer::Kept, "identity", &[]),
    case(World::Columns, Fill::Everything, Answer::Written, "identity", COPY),
    case(World::Records, Fill::Everything, Answer::Kept, "records-echo", &[]),
    case(World::Records, Fill::Everything, Answer::Written, "rewrite", &[]),
];

const fn case(
    world: World,
    reads: Fill,
    answer: Answer,
    module: &'static str,
    config: &'static [(&'static str, &'static str)],
) -> Case {
    Case { world, reads, answer, module, config }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "values kept",
            Self::Written => "values written back",
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = match self.world {
            World::Columns => "columns",
            World::Records => "records",
        };
        let reads = match self.reads {
            Fill::Nothing => "nothing in",
            Fill::Values => "values in",
            Fill::Everything => "everything in",
        };
        write!(f, "{world}: {reads}, {}", self.answer)
    }
}

impl Fill {
    fn reads(self) -> Reads {
        match self {
            Self::Nothing => Reads::default(),
            Self::Values => Reads { values: true, ..Reads::default() },
            Self::Everything => Reads::ALL,
        }
    }
}

/// An instance that is called over and over with the same rows, as a lane calls it.
pub(super) struct Crossing {
    case: Case,
    rows: MemoryRows,
    columns: Columns,
    instance: Instance,
}

impl Crossing {
    /// Starts the case's module and looks once at what it answers.
    ///
    /// # Errors
    /// The module is missing or refused, or its answer is not that of the case.
    pub(super) fn new(engine: &Engine, guests: &Path, case: Case, shape: Shape) -> anyhow::Result<Self> {
        let path = guests.join(format!("{}.wasm", case.module));
        let bytes =
            fs::read(&path).with_context(|| format!("{}: build the modules with `just guests`", path.display()))?;
        let module = engine.load(&bytes).with_context(|| path.display().to_string())?;
        let config: Vec<_> = case.config.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let instance = module.instantiate(Limits::default(), &config, Arc::new(NoOutput))?;
        let mut crossing = Self { case, rows: rows(shape), columns: Columns::default(), instance };
        crossing.pack();
        let output = crossing.call()?;
        crossing.check(&output).with_context(|| case.to_string())?;
        Ok(crossing)
    }

    fn pack(&mut self) {
        self.columns.pack(&self.rows, 0..self.rows.offsets.len(), self.case.reads.reads());
    }

    fn call(&mut self) -> anyhow::Result<Output> {
        let call = Call { topic: "access-log", partition: 0, attempt: 0, columns: &self.columns };
        Ok(self.instance.transform(&call)?)
    }

    /// Every row comes out once, in order; values are kept, or all of them are there again.
    fn check(&self, output: &Output) -> anyhow::Result<()> {
        let rows = self.rows.offsets.len() as u32;
        ensure!(output.rows.iter().copied().eq(0..rows), "rows are missing or not in order");
        ensure!(output.rejects.is_empty() && output.keys.is_none() && output.headers.is_none(), "more than values");
        match (self.case.answer, &output.values) {
            (Answer::Kept, None) => {}
            (Answer::Written, Some(values)) => {
                ensure!(values.kept.is_empty(), "values were kept");
                ensure!(values.column == self.rows.values, "values changed on their way");
            }
            (answer, _) => anyhow::bail!("the answer is not: {answer}"),
        }
        Ok(())
    }
}

impl Variant<2> for Crossing {
    fn units(&self) -> usize {
        self.rows.offsets.len()
    }

    /// Packing, then the call.
    fn run(&mut self) -> anyhow::Result<[Duration; 2]> {
        let begin = Instant::now();
        self.pack();
        let packed = Instant::now();
        let output = self.call()?;
        mem::drop(output);
        Ok([packed - begin, packed.elapsed()])
    }
}

/// Rows as of an access log: a key of eight bytes, a value, no headers. Every value is another one.
fn rows(shape: Shape) -> MemoryRows {
    let mut rows = MemoryRows::default();
    let mut value = vec![b'x'; shape.value_bytes as usize];
    for row in 0..shape.batch {
        let digits = row.to_string();
        value.iter_mut().zip(digits.bytes()).for_each(|(byte, digit)| *byte = digit);
        let key = format!("{row:08}");
        rows.push(i64::from(row), 1_700_000_000_000 + i64::from(row), Some(key.as_bytes()), Some(&value), &[]);
    }
    rows
}
