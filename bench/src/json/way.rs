//! One way to cleanse lines, and the run that is timed.

use std::{borrow::Cow, fs, mem, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmill::{
    batch::{Columns, MemoryRows, Reads, Rows as _},
    columns::BytesColumn,
    engine::{Call, Engine, Instance, NoOutput},
    limits::Limits,
    output::Output,
};
use wasmill_sdk::json::Editor;

use crate::{
    e2e::workload::{Content, Shape},
    measure::Variant,
};

/// How it is done.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// By an example module.
    Module(&'static str),
    /// By a function over all rows, which appends the values that come out.
    Native(fn(&MemoryRows, &mut BytesColumn) -> anyhow::Result<()>),
}

pub(super) const WAYS: [(&str, Work); 5] = [
    ("module: the SDK's editor", Work::Module("log-clean")),
    ("module: serde_json::Value", Work::Module("json-tree")),
    (super::NATIVE_TREE, Work::Native(tree)),
    ("native: serde, typed", Work::Native(typed)),
    ("native: the SDK's editor", Work::Native(editor)),
];

/// What the modules are told, and the native ways do.
const CONFIG: [(&str, &str); 2] = [("ignore", "name,password"), ("set", "env=prod")];

/// The lines of one batch, which all ways share.
#[derive(Clone)]
pub(super) struct Rows(Arc<MemoryRows>);

impl Rows {
    pub(super) fn new(count: u32) -> Self {
        let mut rows = MemoryRows::default();
        for number in 0..u64::from(count) {
            let record = Content::Log.record(number, 0);
            rows.push(number as i64, record.timestamp, Some(record.key.as_bytes()), Some(&record.value), &[]);
        }
        Self(Arc::new(rows))
    }

    pub(super) fn mean_bytes(&self) -> f64 {
        self.0.values.data.len() as f64 / self.0.len() as f64
    }
}

pub(super) struct Way {
    rows: Rows,
    with: With,
}

enum With {
    Module { instance: Box<Instance>, columns: Box<Columns> },
    Native { work: fn(&MemoryRows, &mut BytesColumn) -> anyhow::Result<()>, out: BytesColumn },
}

impl Way {
    /// # Errors
    /// The module is missing or refused.
    pub(super) fn new(engine: &Engine, guests: &Path, work: Work, rows: &Rows) -> anyhow::Result<Self> {
        let with = match work {
            Work::Native(work) => With::Native { work, out: BytesColumn::default() },
            Work::Module(name) => {
                let path = guests.join(format!("{name}.wasm"));
                let bytes = fs::read(&path)
                    .with_context(|| format!("{}: build the modules with `just guests`", path.display()))?;
                let module = engine.load(&bytes).with_context(|| path.display().to_string())?;
                let config = CONFIG.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let instance = module.instantiate(Limits::default(), &config, Arc::new(NoOutput))?;
                With::Module { instance: Box::new(instance), columns: Box::default() }
            }
        };
        Ok(Self { rows: rows.clone(), with })
    }

    /// Compares what comes out with what must.
    ///
    /// # Errors
    /// It differs.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let rows = &self.rows.0;
        let values = match &mut self.with {
            With::Module { instance, columns } => {
                pack(columns, rows);
                let output = call(instance, columns)?;
                ensure!(output.rows.iter().copied().eq(0..rows.len() as u32), "rows are missing or not in order");
                let values = output.values.context("no values")?;
                ensure!(values.kept.is_empty(), "values were kept");
                values.column
            }
            With::Native { work, out } => {
                out.clear();
                work(rows, out)?;
                out.clone()
            }
        };
        ensure!(values.len() == rows.len(), "{} values", values.len());
        for (row, value) in values.iter().enumerate() {
            let value = value.context("no value")?;
            let expected = Shape::Json.becomes(rows.value(row).unwrap_or_default())?;
            ensure!(Shape::Json.comparable(value)? == expected, "{}", String::from_utf8_lossy(value));
        }
        Ok(())
    }
}

impl Variant<2> for Way {
    fn units(&self) -> usize {
        self.rows.0.len()
    }

    /// Packing, then the call or the function.
    fn run(&mut self) -> anyhow::Result<[Duration; 2]> {
        let rows = &self.rows.0;
        match &mut self.with {
            With::Module { instance, columns } => {
                let begin = cpu_time()?;
                pack(columns, rows);
                let packed = cpu_time()?;
                mem::drop(call(instance, columns)?);
                Ok([packed - begin, cpu_time()? - packed])
            }
            With::Native { work, out } => {
                let begin = cpu_time()?;
                out.clear();
                work(rows, out)?;
                Ok([Duration::ZERO, cpu_time()? - begin])
            }
        }
    }
}

/// Of this thread.
fn cpu_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

fn pack(columns: &mut Columns, rows: &MemoryRows) {
    columns.pack(rows, 0..rows.len(), Reads { values: true, ..Reads::default() });
}

fn call(instance: &mut Instance, columns: &Columns) -> anyhow::Result<Output> {
    Ok(instance.transform(&Call { topic: "access-log", partition: 0, attempt: 0, columns })?)
}

/// As most people write it.
fn tree(rows: &MemoryRows, out: &mut BytesColumn) -> anyhow::Result<()> {
    for line in rows.values.iter().flatten() {
        let mut fields: Map<String, Value> = serde_json::from_slice(line)?;
        fields.remove("name");
        fields.remove("password");
        fields.insert("env".into(), "prod".into());
        serde_json::to_writer(&mut out.data, &fields)?;
        out.ends.push(out.data.len() as u32);
    }
    Ok(())
}

/// All fields are known beforehand; those that are dropped are not there.
#[derive(Deserialize, Serialize)]
struct Line<'a> {
    #[serde(borrow)]
    remote_addr: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    status: u16,
    bytes: u64,
    #[serde(borrow)]
    agent: Cow<'a, str>,
    #[serde(skip_deserializing)]
    env: &'a str,
}

fn typed(rows: &MemoryRows, out: &mut BytesColumn) -> anyhow::Result<()> {
    for line in rows.values.iter().flatten() {
        let fields = Line { env: "prod", ..serde_json::from_slice(line)? };
        serde_json::to_writer(&mut out.data, &fields)?;
        out.ends.push(out.data.len() as u32);
    }
    Ok(())
}

/// The same code as in the module.
fn editor(rows: &MemoryRows, out: &mut BytesColumn) -> anyhow::Result<()> {
    let mut editor = Editor::default();
    for line in rows.values.iter().flatten() {
        let mut fields = editor.object(line)?;
        fields.remove("name");
        fields.remove("password");
        fields.set("env", "prod");
        fields.write(&mut out.data);
        out.ends.push(out.data.len() as u32);
    }
    Ok(())
}
