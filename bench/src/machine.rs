//! Where and of what a figure was taken: without it, it is worth nothing.

use std::{fs, process::Command};

/// Cargo's lock file: which wasmtime this program has inside.
const LOCK: &str = include_str!("../../Cargo.lock");

/// Where the kernel says whether sessions have shares, and where that is switched.
const SHARES: &str = "/proc/sys/kernel/sched_autogroup_enabled";

/// What that does to figures, and what to do about it.
pub(crate) const SESSIONS_SHARE: &str = "each session has a share of the processors (kernel.sched_autogroup_enabled=1): \
    a broker takes its share from the host's whatever it has to do; to measure as in a container: \
    `sysctl kernel.sched_autogroup_enabled=0`, and 1 afterwards";

/// The machine, as far as it bears on speed. No name of it: files of results are public.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    memory_mib: u64,
    kernel: String,
    /// Whether the kernel says that it runs under a hypervisor.
    virtual_machine: bool,
    /// Whether each session has a share of the processors of its own (`man sched`): a low priority holds within it only.
    pub(crate) sessions_share: bool,
    /// Load average of the last minute, before the measurement: above 1 it was not alone.
    load: f64,
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Build {
    /// Of the working copy; empty outside of one.
    pub(crate) commit: String,
    /// The working copy differs from the commit.
    pub(crate) changed: bool,
    pub(crate) rustc: &'static str,
    pub(crate) wasmtime: String,
    wasmill: &'static str,
}

impl Machine {
    /// Reads what Linux tells; what it does not tell stays empty.
    pub(crate) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let memory = field(&memory, "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
        Self {
            cpu: field(&cpu, "model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory.unwrap_or_default() >> 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            virtual_machine: field(&cpu, "flags").split(' ').any(|flag| flag == "hypervisor"),
            sessions_share: read(SHARES).trim() == "1",
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
        }
    }
}

/// What runs make: results, and the pages that are written of them.
const MADE: [&str; 3] =
    [":(exclude,top)bench/results", ":(exclude,top)docs/performance*", ":(exclude,top)docs/languages/*.md"];

impl Build {
    pub(crate) fn this() -> Self {
        Self {
            commit: git(&["rev-parse", "--short=10", "HEAD"]),
            changed: !git(&[&["status", "--porcelain", "--", ":/"][..], &MADE].concat()).is_empty(),
            rustc: env!("BENCH_RUSTC"),
            wasmtime: locked("wasmtime").to_owned(),
            wasmill: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// First value of `name : value` in a file of `/proc`.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
}

/// Version of a package of the lock file.
fn locked(package: &str) -> &'static str {
    let (_, rest) = LOCK.split_once(&format!("name = \"{package}\"\nversion = \"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

fn git(args: &[&str]) -> String {
    let said = Command::new("git").args(args).output();
    said.ok()
        .filter(|said| said.status.success())
        .map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nprocessor\t: 1\n";
        assert_eq!((field(text, "model name"), field(text, "model"), field(text, "flags")), ("AMD EPYC", "17", ""));
    }

    #[test]
    fn the_lock_file_tells_the_engines_version() {
        let version = locked("wasmtime");
        assert!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3, "{version:?}");
        assert_eq!(locked("no-such-package"), "");
    }
}
