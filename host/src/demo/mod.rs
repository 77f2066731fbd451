//! `wasmill demo`: the whole thing in one process, with nothing to install.
//!
//! ```text
//! generator -> [access-log] -> log-clean@1, then @2 -> [clean] -> checker
//!                                    `-> [dead] -----------^
//! ```
//!
//! The brokers are librdkafka's mock cluster; everything else is the real thing: a controller with a data directory,
//! uploads, a pipeline, a swap while records flow. The checker reads what came out and counts every record, so the
//! summary is a proof and not a claim. The mock cluster keeps 5 MiB of a partition, so the generator never runs further
//! ahead of the checker than fits.

mod check;
mod generate;
mod screen;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::{
    config::NoVariables,
    control::{ControlError, Controller, Options, SwapRequest},
    engine::{CompileLimits, Engine, EngineError, EngineOptions},
    kafka::{KafkaError, mock::MockCluster},
};
use check::Checked;

const PIPELINE: &str = "demo";
const SOURCE: &str = "access-log";
const CLEAN: &str = "clean";
const DEAD: &str = "dead";
const PARTITIONS: i32 = 8;

/// Built from `guest-examples/log-clean`, without and with its feature `v2`: `just guests`.
const MODULE_1: &[u8] = include_bytes!("../../modules/log-clean-1.wasm");
const MODULE_2: &[u8] = include_bytes!("../../modules/log-clean-2.wasm");

/// Before the swap no more than this share of the records is generated, in percent, so that it happens in mid-stream
/// however fast the machine is.
const BEFORE_SWAP_PERCENT: u64 = 75;

/// When to swap where the demo has no end of its own.
const SWAP_AFTER: Duration = Duration::from_secs(5);

/// How long nothing may come out before the demo gives up: something is wrong then.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Error)]
pub enum DemoError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("nothing came out for {0:?}, with {1} of {2} records through")]
    Stuck(Duration, u64, u64),
    #[error("the demo's {0} ended early")]
    Thread(&'static str),
}

/// What the demo proved. The shape is an outside contract.
#[derive(Debug, serde::Serialize)]
pub struct Summary {
    pub r#in: u64,
    pub out: u64,
    pub dropped: u64,
    pub dead_lettered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub swaps: Vec<Swap>,
    /// Records whose release is not the one that their offset says: 0 when the recorded offsets are exact.
    pub misplaced: u64,
    pub records_per_second: u64,
}

/// A swap that took place.
#[derive(Debug, serde::Serialize)]
pub struct Swap {
    pub from: String,
    pub to: String,
    /// The first record of the new release: topic, partition, offset.
    pub began: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// What the threads of the demo tell each other.
#[derive(Default)]
struct Progress {
    generated: AtomicU64,
    checked: AtomicU64,
    swapped: AtomicBool,
    stop: AtomicBool,
}

/// Runs the demo: `records` of them, or until `interrupted` says so. `live` draws to the terminal.
///
/// # Errors
/// See [`DemoError`].
pub fn run(records: Option<u64>, live: bool, interrupted: &AtomicBool) -> Result<Summary, DemoError> {
    let folder = tempfile::tempdir()?;
    let cluster = MockCluster::start()?;
    for (topic, partitions) in [(SOURCE, PARTITIONS), (CLEAN, PARTITIONS), (DEAD, 1)] {
        cluster.create_topic(topic, partitions)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let engine = Engine::new(EngineOptions {
        cache: folder.path().join("artifacts"),
        compiler: std::env::current_exe()?,
        instances: 8,
        compile: CompileLimits::default(),
    })?;
    let data = folder.path().join("data");
    let options = Options { data, engine, runtime: runtime.handle().clone(), vars: Arc::new(NoVariables) };
    let controller = Controller::open(options)?;
    controller.upload("log-clean", "1", MODULE_1)?;
    controller.put_pipeline(PIPELINE, &pipeline(cluster.brokers()), folder.path())?;

    let progress = Arc::new(Progress::default());
    let checker = check::spawn(cluster.brokers(), Arc::clone(&progress))?;
    let generator = generate::spawn(cluster.brokers(), records, Arc::clone(&progress))?;
    let watched = watch(&controller, &progress, records, live, interrupted);
    progress.stop.store(true, Relaxed);
    let checked = checker.join().map_err(|_| DemoError::Thread("checker"))??;
    generator.join().map_err(|_| DemoError::Thread("generator"))??;
    let (swaps, elapsed) = watched?;
    controller.shutdown(Duration::from_secs(10));
    Ok(summarise(&progress, checked, swaps, elapsed))
}

/// Follows the records and swaps half-way; answers the swaps and how long the records took.
fn watch(
    controller: &Controller,
    progress: &Progress,
    records: Option<u64>,
    live: bool,
    interrupted: &AtomicBool,
) -> Result<(Vec<Swap>, Duration), DemoError> {
    let mut screen = screen::Screen::new(live, records);
    let (mut first, mut last) = (None, (0, Instant::now()));
    let mut swaps = Vec::new();
    loop {
        let checked = progress.checked.load(Relaxed);
        let now = Instant::now();
        if checked > 0 && first.is_none() {
            first = Some(now);
        }
        if checked != last.0 {
            last = (checked, now);
        } else if last.1.elapsed() > PATIENCE {
            return Err(DemoError::Stuck(PATIENCE, checked, progress.generated.load(Relaxed)));
        }
        let half = match records {
            Some(records) => checked >= records / 3,
            None => first.is_some_and(|first| first.elapsed() > SWAP_AFTER),
        };
        if half && swaps.is_empty() {
            swaps.push(swap(controller)?);
            progress.swapped.store(true, Relaxed);
        }
        screen.draw(controller, checked);
        let all = records.is_some_and(|records| checked >= records);
        if all || interrupted.load(Relaxed) {
            if interrupted.load(Relaxed) {
                drain(progress, interrupted);
            }
            screen.finish();
            let began = began(controller)?;
            swaps.iter_mut().for_each(|swap| swap.began.clone_from(&began));
            return Ok((swaps, first.map_or(Duration::ZERO, |first| first.elapsed())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets what was generated come out, once no more is generated.
fn drain(progress: &Progress, interrupted: &AtomicBool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    interrupted.store(true, Relaxed);
    progress.generated.fetch_or(STOPPED, Relaxed);
    while progress.checked.load(Relaxed) < generated(progress) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Set in `generated` once no more is to be generated.
const STOPPED: u64 = 1 << 63;

fn generated(progress: &Progress) -> u64 {
    progress.generated.load(Relaxed) & !STOPPED
}

/// Uploads the second version and makes it live.
fn swap(controller: &Controller) -> Result<Swap, DemoError> {
    controller.upload("log-clean", "2", MODULE_2)?;
    let request = SwapRequest { module: Some("log-clean@2".into()), config: None };
    controller.swap(PIPELINE, request)?;
    Ok(Swap { from: "log-clean@1".into(), to: "log-clean@2".into(), began: BTreeMap::new() })
}

fn began(controller: &Controller) -> Result<BTreeMap<String, BTreeMap<i32, i64>>, DemoError> {
    let releases = controller.releases(PIPELINE)?;
    Ok(releases.into_iter().find(|release| release.release == 2).map(|release| release.began).unwrap_or_default())
}

fn summarise(progress: &Progress, checked: Checked, swaps: Vec<Swap>, elapsed: Duration) -> Summary {
    let generated = generated(progress);
    let began = swaps.first().and_then(|swap| swap.began.get(SOURCE)).cloned().unwrap_or_default();
    let seen = checked.clean + checked.dead;
    Summary {
        r#in: generated,
        out: checked.clean,
        dropped: 0,
        dead_lettered: checked.dead,
        lost: generated.saturating_sub(seen - checked.duplicated),
        duplicated: checked.duplicated,
        misplaced: checked.misplaced(&began),
        swaps,
        records_per_second: (seen as f64 / elapsed.as_secs_f64().max(0.001)) as u64,
    }
}

fn pipeline(brokers: &str) -> String {
    format!(
        "pipeline: {PIPELINE}\n\
         source:\n  kafka:\n    brokers: [\"{brokers}\"]\n    topics: [{SOURCE}]\n    batch: {{ linger: 5ms }}\n    \
         properties: {{ fetch.wait.max.ms: 10 }}\n\
         module:\n  ref: log-clean@1\n  config: {{ ignore: \"name,password\", set: env=prod }}\n\
         routes:\n  clean: [clean]\n\
         sinks:\n  clean: {{ kafka: {{ topic: {CLEAN} }} }}\n\
         errors:\n  dead_letter: {{ kafka: {{ topic: {DEAD} }} }}\n"
    )
}
