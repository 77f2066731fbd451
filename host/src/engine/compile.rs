//! Compiling in a child process: this program again, with limits on its memory and its time, at low priority.
//!
//! A compiler that panics, runs out of memory or never ends on a hostile module hurts nobody then. The child limits
//! itself before it reads the module; the parent bounds its wall time. Module and artefact travel as files of a
//! temporary folder, so that no pipe can fill up.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::{error::LoadError, runtime::config};

/// How often the parent looks whether the child is through.
const LOOK: Duration = Duration::from_millis(2);

/// Bytes of the child's standard error that are kept for the message.
const WORDS_MAX: usize = 4 << 10;

/// What one compilation may use.
#[derive(Clone, Copy, Debug)]
pub struct CompileLimits {
    /// Wall time; CPU time is bounded by as much for each thread.
    pub time: Duration,
    /// Address space, in bytes.
    pub memory: u64,
    /// Threads of the compiler: a swap must not starve the lanes.
    pub threads: u32,
}

impl Default for CompileLimits {
    fn default() -> Self {
        // Python's component takes some 7 s of two cores and 1.5 GiB.
        Self { time: Duration::from_secs(120), memory: 8 << 30, threads: 2 }
    }
}

pub(super) struct Compiler {
    pub(super) program: PathBuf,
    pub(super) limits: CompileLimits,
}

impl Compiler {
    /// Compiles a component; answers the code.
    pub(super) fn compile(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let cannot = |what: &str, error: std::io::Error| LoadError::Compile(format!("{what}: {error}"));
        let folder = tempfile::tempdir().map_err(|error| cannot("no temporary folder", error))?;
        let (input, output) = (folder.path().join("component"), folder.path().join("code"));
        fs::write(&input, component).map_err(|error| cannot("the component cannot be written", error))?;
        let words = folder.path().join("words");
        let stderr = fs::File::create(&words).map_err(|error| cannot("no file for messages", error))?;
        let CompileLimits { time, memory, threads } = self.limits;
        let mut child = Command::new(&self.program)
            .arg("compile-worker")
            .args([&input, &output])
            .args([memory.to_string(), (time.as_secs().max(1) * u64::from(threads.max(1))).to_string()])
            .env("RAYON_NUM_THREADS", threads.max(1).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|error| cannot(&format!("the compiler {} cannot be started", self.program.display()), error))?;
        let started = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|error| cannot("the compiler is lost", error))? {
                Some(status) => break status,
                None if started.elapsed() > time => {
                    child
                        .kill()
                        .and_then(|()| child.wait())
                        .map_err(|error| cannot("the compiler cannot be ended", error))?;
                    return Err(LoadError::CompileTimeout(time));
                }
                None => std::thread::sleep(LOOK),
            }
        };
        if !status.success() {
            return Err(LoadError::Compile(explain(status, &words, memory)));
        }
        fs::read(&output).map_err(|error| cannot("the compiler left no code", error))
    }
}

fn explain(status: ExitStatus, words: &Path, memory: u64) -> String {
    let mut text = String::new();
    let read = fs::File::open(words).and_then(|file| file.take(WORDS_MAX as u64).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), words) if !words.is_empty() => words.to_owned(),
        _ => format!("the compiler ended with {status}; it may use {} MiB of memory", memory >> 20),
    }
}

/// The body of the hidden subcommand `compile-worker`: limits itself, compiles `input` to `output`.
///
/// # Errors
/// What is wrong with the component, for the parent to pass on.
pub fn compile_worker(input: &Path, output: &Path, memory: u64, cpu_seconds: u64) -> Result<(), String> {
    let limit = |what, value| setrlimit(what, Rlimit { current: Some(value), maximum: Some(value) });
    end_with_parent().map_err(|error| format!("cannot be ended with its host: {error}"))?;
    limit(Resource::As, memory).map_err(|error| format!("cannot limit memory: {error}"))?;
    limit(Resource::Cpu, cpu_seconds).map_err(|error| format!("cannot limit CPU time: {error}"))?;
    limit(Resource::Core, 0).map_err(|error| format!("cannot limit core dumps: {error}"))?;
    give_way().map_err(|error| format!("cannot lower the priority: {error}"))?;
    let component = fs::read(input).map_err(|error| format!("cannot read the component: {error}"))?;
    let mut config = config();
    // Only the compiler is used: a reservation for guests would not fit into the limit.
    config.memory_reservation(1 << 32);
    let engine = wasmtime::Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    fs::write(output, code).map_err(|error| format!("cannot write the code: {error}"))
}

/// Leaves the processor to everybody else. Where each session has a share of its own, a priority holds within it only: the
/// compiler gets a session, and a small share (`man sched`, autogroup).
fn give_way() -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::process::setsid().is_ok() {
        // There is no such file where sessions have no shares.
        fs::write("/proc/self/autogroup", "19").ok();
    }
    nice(19).map(drop)
}

/// Nobody wants the code of a host that was killed.
fn end_with_parent() -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}
