//! Measures Wasmill. Each subcommand is one measurement and has a module of its own; what they share:
//!
//! - [`measure`]: rounds that interleave the variants, and what their samples come to,
//! - [`host`]: a host under measurement, by its admin API,
//! - [`machine`]: where and of what a figure was taken,
//! - [`report`]: a table for people, a file for `bench/results`,
//! - [`page`]: docs/performance.md, made of those files,
//! - [`all`]: everything that the page shows, one after the other.
//!
//! A figure is never asserted in a test: it is measured, with its spread, and written down.

mod all;
mod boundary;
mod counts;
mod e2e;
mod ground;
mod host;
mod json;
mod languages;
mod machine;
mod measure;
mod page;
mod report;
mod scale;
mod sinks;
mod start;
mod swap;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Parser, Subcommand};

/// As in `wasmill` itself: what is measured is measured with the allocator that it runs with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Wasmill.
#[derive(Parser)]
#[command(name = "wasmill-bench", version)]
struct Args {
    #[command(flatten)]
    report: report::Options,

    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Every series of docs/performance.md, some hour and a half, and the page
    All(all::Args),
    /// The crossing host -> module -> host, in nanoseconds per record: columns against records
    Boundary(boundary::Args),
    /// Instructions of the hot path, against the baseline: fails where it takes more
    Counts(counts::Args),
    /// Cleansing JSON in a module and natively, in nanoseconds per record
    Json(json::Args),
    /// What a module costs by its language: size, compiling, starting, memory, nanoseconds per record
    Languages(languages::Args),
    /// Kafka -> module -> Kafka against other programs: records per second, CPU-seconds per million records
    E2e(e2e::Args),
    /// Kafka -> module -> Kafka: how long a record is under way
    Latency(e2e::latency::Args),
    /// What a record costs as lanes, pipelines and partitions grow
    Scale(scale::Args),
    /// What a document of Elasticsearch and a command of Redis cost
    Sinks(sinks::Args),
    /// How soon a host is at work, and what it holds while nothing comes
    Start(start::Args),
    /// What swaps cost a pipeline under full load: gap, dip, memory
    Swap(swap::Args),
    /// Write docs/performance.md from the files of results
    Page(page::Args),
    /// What is counted: started under valgrind by `counts`
    #[command(hide = true)]
    RunCases { modules: PathBuf, cache: PathBuf, names: Vec<String> },
    /// Compile a component, with limits: started by the engine itself
    #[command(hide = true)]
    CompileWorker { input: PathBuf, output: PathBuf, memory: u64, cpu_seconds: u64 },
}

fn main() -> anyhow::Result<()> {
    let Args { report, bench } = Args::parse();
    match bench {
        Bench::All(args) => all::run(&args, &report.results),
        Bench::Boundary(args) => report::publish("boundary", &report, || boundary::run(&args)),
        Bench::Counts(args) => {
            let mut verdict = Ok(());
            report::publish("counts", &report, || {
                let counts = counts::run(&args)?;
                verdict = counts.verdict();
                Ok(counts)
            })?;
            verdict
        }
        Bench::RunCases { modules, cache, names } => counts::run_cases(&modules, &cache, &names),
        Bench::Json(args) => report::publish("json", &report, || json::run(&args)),
        Bench::Languages(args) => report::publish("languages", &report, || languages::run(&args)),
        Bench::Latency(args) => report::publish("latency", &report, || e2e::latency::run(&args)),
        Bench::Scale(args) => report::publish("scale", &report, || scale::run(&args)),
        Bench::Sinks(args) => report::publish("sinks", &report, || sinks::run(&args)),
        Bench::Start(args) => report::publish("start", &report, || start::run(&args)),
        Bench::Swap(args) => report::publish("swap", &report, || swap::run(&args)),
        Bench::Page(args) => page::run(&args, &report.results),
        Bench::E2e(args) => report::publish("e2e", &report, || e2e::run(&args)),
        Bench::CompileWorker { input, output, memory, cpu_seconds } => {
            wasmill::engine::compile_worker(&input, &output, memory, cpu_seconds).map_err(|error| anyhow!(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
