//! The proving machine: the real program between real servers, faults that strike at random, and a checker that reads
//! afterwards what is there.
//!
//! ```text
//! load -> three brokers -> hosts -> three brokers, Elasticsearch, Redis -> check
//!               ^  faults by a plan made of the seed  ^
//! ```
//!
//! Two pipelines read the same topic: `alo`, at-least-once, into Kafka, Elasticsearch and Redis; `eo`, exactly-once, into
//! Kafka. Hosts reach every server through a proxy; writer and checker go the straight way.
//!
//! Ends with 0 when nothing was lost, doubled, misplaced or wrong, and with 1 otherwise.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a test with a command line"
)]

mod check;
mod findings;
mod hang;
mod load;
mod plan;
mod read;
mod record;
mod report;
mod run;
mod strike;
mod truth;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

/// Hosts that are always there.
pub(crate) const HOSTS: usize = 2;
/// Brokers of the cluster.
pub(crate) const BROKERS: usize = 3;

/// Faults strike a running Wasmill; afterwards every record is looked for.
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Args {
    /// Which faults strike when, and what the records are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults. The first 24 are one of each kind.
    #[arg(long, default_value_t = plan::ONE_OF_EACH)]
    faults: usize,
    /// Strike at least this long, whatever the number of faults.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Records per second, on average.
    #[arg(long, default_value_t = 1500)]
    rate: u64,
    /// Longest pause between the begins of two faults, in milliseconds.
    #[arg(long, default_value_t = 6000)]
    pause: u64,
    /// In place of faults: stop Elasticsearch for so many seconds, and look at the pipelines of one host.
    #[arg(long)]
    hang: Option<u64>,
    /// Write the report here, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

impl Args {
    fn pause(&self) -> Duration {
        Duration::from_millis(self.pause)
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seconds) = args.hang {
        let seen = hang::run(Duration::from_secs(seconds));
        let json = serde_json::to_string_pretty(&seen).expect("JSON");
        println!("{json}");
        if let Some(file) = &args.report {
            std::fs::write(file, json + "\n").expect("written");
        }
        return if seen.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let report = run::run(&args);
    println!("{}", report.table());
    if let Some(file) = &args.report {
        std::fs::write(file, report.json() + "\n").expect("written");
    }
    if report.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
