//! `languages`: what a module costs by the language that it is written in: its size, how long it takes to compile and
//! to start, its memory, and nanoseconds per record.
//!
//! The modules are the guests of the conformance suite, and the project that `wasmill new LANG --template log-clean`
//! makes: JSON as people of that language read and write it. `scripts/guests/languages.sh` builds both; a language
//! whose guests are not there is left out. What each answers is looked at before it is timed.

use std::{
    collections::BTreeMap,
    fs, mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use wasmill::{
    batch::{Columns, MemoryRows},
    engine::{Call, CompileLimits, Engine, EngineOptions, Instance, Module, NoOutput},
    limits::Limits,
    output::Output,
};

use crate::{
    measure::{Figures, Method, Spread, Variant, measure},
    report::Report,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Records of a batch
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,

    /// Only these languages, as in `wasmill new`; all that are built where none is named
    #[arg(long = "language", value_name = "LANG")]
    languages: Vec<String>,

    #[command(flatten)]
    method: Method,

    /// Folder of the modules
    #[arg(long, env = "WASMILL_GUESTS", default_value = "target/guests", value_name = "FOLDER")]
    guests: PathBuf,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Languages {
    method: Method,
    batch: u32,
    /// Bytes of a record's value.
    value_bytes: usize,
    /// Nanoseconds per record of the job `JSON`, natively with `serde_json::Value`: what the others are compared with.
    native_json: Spread,
    lines: Vec<Line>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    language: String,
    /// Of the file.
    component_bytes: usize,
    code_bytes: usize,
    compile_ms: f64,
    /// Microseconds to an instance that has been through `init`; the first of a module may map its memory.
    first_instance_us: f64,
    instance_us: Spread,
    memory_at_start: usize,
    /// When everything was measured.
    memory_at_end: usize,
    /// Nanoseconds per record, by what is done with it.
    ns: BTreeMap<String, Spread>,
}

/// What is done with a record: its name, the end of the module's file name, and its settings.
const JOBS: [(&str, Kind); 3] =
    [("kept", Kind::Conformance("keep")), ("copied", Kind::Conformance("copy")), ("JSON", Kind::Json)];

#[derive(Clone, Copy)]
enum Kind {
    Conformance(&'static str),
    Json,
}

/// Instances whose start is timed.
const STARTS: usize = 50;

/// A line of an access log.
const VALUE: &str = r#"{"time":"2026-11-26T09:15:27.123Z","level":"info","remote_addr":"203.0.113.77","method":"GET","path":"/shop/cart?item=4711","status":200,"bytes":5316,"user":"ada","password":"s3cret","took_ms":12.5}"#;

/// The same, cleansed.
const CLEAN: &str = r#"{"time":"2026-11-26T09:15:27.123Z","level":"info","remote_addr":"203.0.113.77","method":"GET","path":"/shop/cart?item=4711","status":200,"bytes":5316,"user":"ada","took_ms":12.5}"#;

/// Measures.
///
/// # Errors
/// No language is there, or a module answers what it must not.
pub(crate) fn run(args: &Args) -> anyhow::Result<Languages> {
    let cache = tempfile::tempdir().context("no temporary folder")?;
    let engine = Engine::new(EngineOptions {
        cache: cache.path().join("artifacts"),
        compiler: std::env::current_exe().context("no path of this program")?,
        instances: 64,
        compile: CompileLimits::default(),
    })?;
    let mut languages = built(&args.guests)?;
    languages.retain(|language| args.languages.is_empty() || args.languages.contains(language));
    ensure!(!languages.is_empty(), "no language is there: scripts/guests/build.sh, scripts/guests/languages.sh");
    let (mut lines, mut jobs, mut places) = (vec![], vec![], vec![]);
    for language in &languages {
        lines.push(Line::start(&engine, &args.guests, language)?);
        for (job, kind) in JOBS {
            let path = kind.path(&args.guests, language);
            if !path.exists() {
                continue;
            }
            jobs.push(Job::new(load(&engine, &path)?.0, kind, args.batch).with_context(|| path.display().to_string())?);
            places.push((lines.len() - 1, job));
        }
    }
    let figures = measure(args.method, &mut jobs)?;
    for ((line, name), (job, Figures { total, .. })) in places.into_iter().zip(jobs.iter().zip(figures)) {
        lines[line].ns.insert(name.to_owned(), total);
        lines[line].memory_at_end = lines[line].memory_at_end.max(job.memory);
    }
    let native = measure(args.method, &mut [Native { batch: args.batch as usize }])?;
    let native_json = native.into_iter().next().context("nothing was measured")?.total;
    Ok(Languages { method: args.method, batch: args.batch, value_bytes: VALUE.len(), native_json, lines })
}

/// The languages whose conformance guest is there: Rust's has no name of its own.
fn built(guests: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(guests).with_context(|| guests.display().to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let language = |name: String| match name.strip_suffix(".wasm")?.strip_prefix("conformance")? {
        "" => Some("rust".to_owned()),
        rest if rest.ends_with("records") => None,
        rest => rest.strip_prefix('-').map(str::to_owned),
    };
    let mut languages: Vec<String> = names.filter_map(language).collect();
    languages.sort_by_key(|language| (language != "rust", language.clone()));
    Ok(languages)
}

impl Kind {
    fn path(self, guests: &Path, language: &str) -> PathBuf {
        guests.join(match self {
            Self::Conformance(_) if language == "rust" => "conformance.wasm".to_owned(),
            Self::Conformance(_) => format!("conformance-{language}.wasm"),
            Self::Json => format!("log-clean-{language}.wasm"),
        })
    }

    fn config(self) -> Vec<(String, String)> {
        match self {
            Self::Conformance(job) => vec![("do".into(), job.into())],
            Self::Json => vec![("remove".into(), "password".into())],
        }
    }
}

fn load(engine: &Engine, path: &Path) -> anyhow::Result<(Module, usize)> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok((engine.load(&bytes).with_context(|| path.display().to_string())?, bytes.len()))
}

fn start(module: &Module, kind: Kind) -> anyhow::Result<Instance> {
    Ok(module.instantiate(Limits::default(), &kind.config(), Arc::new(NoOutput))?)
}

impl Line {
    /// What is known before a record flows.
    fn start(engine: &Engine, guests: &Path, language: &str) -> anyhow::Result<Self> {
        let kind = Kind::Conformance("keep");
        let (module, component_bytes) = load(engine, &kind.path(guests, language))?;
        let compiled = module.compiled_in().context("the module had been compiled before")?;
        let (mut starts, mut memory_at_start) = (vec![], 0);
        for _ in 0..STARTS {
            let begin = Instant::now();
            let instance = start(&module, kind)?;
            starts.push(begin.elapsed().as_nanos() as f64 / 1e3);
            memory_at_start = instance.memory_bytes();
        }
        Ok(Self {
            language: language.to_owned(),
            component_bytes,
            code_bytes: module.code_bytes(),
            compile_ms: compiled.as_secs_f64() * 1e3,
            first_instance_us: starts.remove(0),
            instance_us: Spread::of(starts),
            memory_at_start,
            memory_at_end: memory_at_start,
            ns: BTreeMap::new(),
        })
    }
}

/// The job `JSON` as a program in Rust would do it without a host: a tree of each value, a member taken out, written.
struct Native {
    batch: usize,
}

impl Variant<1> for Native {
    fn units(&self) -> usize {
        self.batch
    }

    fn run(&mut self) -> anyhow::Result<[Duration; 1]> {
        let begin = Instant::now();
        let mut written = Vec::with_capacity(self.batch * VALUE.len());
        for _ in 0..self.batch {
            let mut value: serde_json::Value = serde_json::from_slice(std::hint::black_box(VALUE.as_bytes()))?;
            value.as_object_mut().context("no object")?.remove("password");
            serde_json::to_writer(&mut written, &value)?;
        }
        std::hint::black_box(written);
        Ok([begin.elapsed()])
    }
}

/// A module that is called over and over with the same rows.
struct Job {
    module: Module,
    kind: Kind,
    instance: Instance,
    rows: MemoryRows,
    columns: Columns,
    /// The most that an instance had, in bytes.
    memory: usize,
}

impl Job {
    fn new(module: Module, kind: Kind, batch: u32) -> anyhow::Result<Self> {
        let mut rows = MemoryRows::default();
        for row in 0..batch {
            let key = format!("{row:08}");
            rows.push(i64::from(row), 1_700_000_000_000, Some(key.as_bytes()), Some(VALUE.as_bytes()), &[]);
        }
        let instance = start(&module, kind)?;
        let mut job = Self { module, kind, instance, rows, columns: Columns::default(), memory: 0 };
        let output = job.call()?;
        job.check(&output)?;
        Ok(job)
    }

    fn call(&mut self) -> anyhow::Result<Output> {
        self.columns.pack(&self.rows, 0..self.rows.offsets.len(), self.instance.plan().reads);
        let call = Call { topic: "access-log", partition: 0, attempt: 0, columns: &self.columns };
        Ok(self.instance.transform(&call)?)
    }

    fn check(&self, output: &Output) -> anyhow::Result<()> {
        ensure!(output.rows.iter().copied().eq(0..self.rows.offsets.len() as u32), "rows are missing or not in order");
        let expected = match self.kind {
            Kind::Conformance("keep") => {
                ensure!(output.values.is_none(), "values were written");
                return Ok(());
            }
            Kind::Conformance(_) => VALUE,
            Kind::Json => CLEAN,
        };
        let values = output.values.as_ref().context("no values were written")?;
        // A language may put blanks between what it writes.
        let plain = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes);
        let expected = plain(expected.as_bytes())?;
        for value in values.column.iter() {
            ensure!(
                plain(value.context("a null")?)? == expected,
                "{:?}",
                String::from_utf8_lossy(value.unwrap_or_default())
            );
        }
        Ok(())
    }
}

impl Variant<1> for Job {
    fn units(&self) -> usize {
        self.rows.offsets.len()
    }

    fn run(&mut self) -> anyhow::Result<[Duration; 1]> {
        // As a lane does, between two batches.
        if self.instance.memory_bytes() > Limits::default().memory / 4 * 3 {
            self.instance = start(&self.module, self.kind)?;
        }
        let begin = Instant::now();
        let output = self.call()?;
        mem::drop(output);
        let took = begin.elapsed();
        self.memory = self.memory.max(self.instance.memory_bytes());
        Ok([took])
    }
}

impl Languages {
    /// The same with these languages alone.
    pub(crate) fn only(mut self, languages: &[&str]) -> Self {
        self.lines.retain(|line| languages.contains(&line.language.as_str()));
        self
    }
}

impl Report for Languages {
    fn rows(&self) -> Vec<Vec<String>> {
        let mut head: Vec<String> =
            ["language", "component", "code", "compile", "instance", "memory", "after"].map(str::to_owned).to_vec();
        head.extend(JOBS.map(|(job, _)| format!("{job}, ns")));
        let size = |bytes: usize| match bytes {
            0..10_485_760 => format!("{} KiB", bytes.div_ceil(1024)),
            _ => format!("{} MiB", bytes >> 20),
        };
        let row = |line: &Line| {
            let mut row = vec![
                line.language.clone(),
                size(line.component_bytes),
                size(line.code_bytes),
                format!("{:.0} ms", line.compile_ms),
                format!("{:.0} us", line.instance_us.p50),
                size(line.memory_at_start),
                size(line.memory_at_end),
            ];
            let figure = |spread: &Spread| format!("{:.*}", usize::from(spread.p50 < 100.0), spread.p50);
            row.extend(JOBS.map(|(job, _)| line.ns.get(job).map_or_else(|| "-".to_owned(), figure)));
            row
        };
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let (Method { rounds, burst, .. }, Self { batch, value_bytes, .. }) = (self.method, self);
        vec![
            format!("Batches of {batch} records with a value of {value_bytes} bytes; medians of {rounds} samples, each the mean of {burst} batches."),
            "`kept`: nothing is read or written. `copied`: everything is. `JSON`: a field is taken out of the value, as the template log-clean does.".into(),
            format!("`JSON` natively, with serde_json::Value: {:.0} ns.", self.native_json.p50),
        ]
    }
}
