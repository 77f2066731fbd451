//! What can be written on the command line. Nothing is interpreted here.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

use super::author::{TEMPLATES, languages};

/// A WebAssembly-sandboxed transform host for Kafka.
#[derive(Debug, Parser)]
#[command(name = "wasmill", version, propagate_version = true, arg_required_else_help = true)]
pub(super) struct Args {
    /// Answer in JSON, for machines
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Address of the host that verbs speak to
    #[arg(long, global = true, env = "WASMILL_HOST", default_value = "http://127.0.0.1:8460", value_name = "URL")]
    pub(super) host: String,

    /// File with the bearer token: asked for by `run`, sent by the other verbs
    #[arg(long, global = true, env = "WASMILL_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// See it all work, with nothing to install: an embedded Kafka, a module, and a swap while records flow
    Demo {
        /// End after so many records
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        records: Option<u64>,
    },
    /// Run a host: its pipelines and its admin API
    Run(Run),
    /// Check pipeline files; touches nothing
    Validate {
        /// Pipeline files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of pipeline files
    Schema,
    /// Make a project for a module of your own
    New {
        /// What the module is written in
        #[arg(value_parser = languages())]
        language: String,
        /// Of the folder, the module and its pipeline: a-z, 0-9 and `-`, a letter first
        name: String,
        /// What it does at first
        #[arg(long, value_parser = TEMPLATES, default_value = "blank")]
        template: String,
        /// The SDK of a checkout to depend on (sdk/LANGUAGE), instead of a copy beside the module
        #[arg(long, value_name = "FOLDER")]
        sdk: Option<PathBuf>,
    },
    /// Build the module of a project, and check it as a host would
    Build {
        /// The project
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Run a project's cases, tests/NAME.in.ndjson against tests/NAME.out.ndjson; no Kafka needed
    Test {
        /// The project
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// A module that is built already
        #[arg(long, value_name = "FILE")]
        module: Option<PathBuf>,
        /// Write what comes out as what must come out
        #[arg(long, alias = "bless")]
        update: bool,
    },
    /// Build a project and run its cases at every change; make live what passes
    Dev {
        /// The project
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// A running pipeline (of the host that `--host` names) that every build which passes is swapped into
        #[arg(long, value_name = "NAME")]
        pipeline: Option<String>,
        /// One round, without watching
        #[arg(long)]
        once: bool,
    },
    /// Show what a module is, what it asks for, and what a host would grant and refuse
    Inspect {
        /// A component, or a core module built against the contract
        file: PathBuf,
    },
    /// Create or change pipelines of a host
    Apply {
        /// Pipeline files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Upload a module
    Push {
        /// A component, or a core module built against the contract
        file: PathBuf,
        /// NAME@VERSION
        module: String,
    },
    /// Make a module live: a swap at the next batch boundary
    Deploy {
        pipeline: String,
        /// NAME@VERSION or NAME@sha256:DIGEST; the live one where it is left out
        module: Option<String>,
        /// A setting of the module; where any is given, these are all
        #[arg(long, value_name = "NAME=VALUE")]
        config: Vec<String>,
    },
    /// Bring back the release that was live before
    Rollback { pipeline: String },
    /// Read no more until resumed
    Pause { pipeline: String },
    /// Go on reading
    Resume { pipeline: String },
    /// Show pipelines, or one in full
    Status { pipeline: Option<String> },
    /// Show the releases of a pipeline and where each began
    Releases { pipeline: String },
    /// Show what the modules of a pipeline said
    Logs {
        pipeline: String,
        /// Go on until interrupted
        #[arg(long, short)]
        follow: bool,
    },
    /// Change keys of a pipeline while it runs
    Set {
        pipeline: String,
        /// As in the pipeline file, or from the section on: batch.records=500 linger=50ms retries=10 enabled=false; nothing
        /// behind `=` is the default
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
    },
    /// Go on from another place: moves the position of the pipeline's group, all partitions or none
    Seek {
        pipeline: String,
        /// earliest, latest, a time (2026-01-31T12:00:00Z), release:N (where it began), or TOPIC:PARTITION=OFFSET,...
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// Say what it would do, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Give one batch to the live module by hand; nothing reaches a sink unless --deliver says so
    Invoke(Invoke),
    /// Stop a pipeline and forget it
    Delete { pipeline: String },
    /// Compare the topics of two clusters, which have to hold the same records
    Verify(Verify),
    /// Compile a component, with limits: started by the host itself
    #[command(hide = true)]
    CompileWorker { input: PathBuf, output: PathBuf, memory: u64, cpu_seconds: u64 },
}

#[derive(Debug, clap::Args)]
pub(super) struct Invoke {
    pub(super) pipeline: String,

    /// NDJSON, a record per line, and `{"fire": MILLISECONDS}` to fire the timer behind them; standard input where
    /// nothing else is named
    #[arg(long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,

    /// A saved batch
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    pub(super) batch: Option<String>,

    /// Save the batch under a name, and do not give it to the module
    #[arg(long, value_name = "NAME", conflicts_with_all = ["batch", "deliver", "timer"])]
    pub(super) save: Option<String>,

    /// List the saved batches
    #[arg(long, conflicts_with_all = ["input", "batch", "save", "deliver", "timer", "delete"])]
    pub(super) list: bool,

    /// Forget a saved batch
    #[arg(long, value_name = "NAME", conflicts_with_all = ["input", "batch", "save", "deliver", "timer"])]
    pub(super) delete: Option<String>,

    /// Fire the timer, behind the batch or alone; with --deliver and no batch the one of the running lanes
    #[arg(long)]
    pub(super) timer: bool,

    /// Send what comes out to the sinks
    #[arg(long)]
    pub(super) deliver: bool,

    /// Topic that the module is told
    #[arg(long, value_name = "NAME")]
    pub(super) topic: Option<String>,

    /// Partition that the module is told
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    pub(super) partition: Option<i32>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Pipeline files, created or changed at the start; without any, the pipelines that the host knows
    pub(super) pipelines: Vec<PathBuf>,

    /// Where modules, releases and compiled code are kept; one host at a time
    #[arg(long, env = "WASMILL_DATA_DIR", default_value = "./wasmill-data", value_name = "FOLDER")]
    pub(super) data_dir: PathBuf,

    /// Where the admin API listens
    #[arg(long, env = "WASMILL_ADMIN", default_value = "127.0.0.1:8460", value_name = "ADDRESS")]
    pub(super) admin: SocketAddr,

    /// Seconds that pipelines may take to deliver what is in flight when the host is told to stop
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub(super) drain: u64,

    /// Module instances alive at a time, over all pipelines
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(4..=1000), value_name = "N")]
    pub(super) instances: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The log that is right: brokers=HOST:PORT[,HOST:PORT...],topic=NAME[,properties=FILE][,PROPERTY=VALUE...]
    #[arg(long, value_name = "SIDE")]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the brackets are those of a command line")]
    pub(super) from: String,

    /// The log that has to hold the same, written likewise
    #[arg(long, value_name = "SIDE")]
    pub(super) to: String,

    /// What makes two records the same one: where they came from, or their keys and contents
    #[arg(long, value_enum, default_value_t = By::Lineage)]
    pub(super) by: By,

    /// Compare only what both sides have reached and still have; for pipelines that run
    #[arg(long)]
    pub(super) overlap: bool,

    /// Leave out records without lineage headers
    #[arg(long)]
    pub(super) skip_unmarked: bool,

    /// A record has to be in the partition of the same number on both sides
    #[arg(long)]
    pub(super) same_partitions: bool,

    /// Duplicates are differences, too
    #[arg(long)]
    pub(super) strict: bool,

    /// Do not compare headers
    #[arg(long)]
    pub(super) ignore_headers: bool,

    /// Do not compare the headers of this name; can be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "ignore_headers")]
    pub(super) ignore_header: Vec<String>,

    /// Do not compare timestamps
    #[arg(long)]
    pub(super) ignore_timestamps: bool,

    /// Differences to name
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub(super) show: u32,

    /// Memory for digests of records, 48 bytes each, in MiB; what has no room goes to the disk
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536), value_name = "MIB")]
    pub(super) memory: u32,

    /// Where digests go that have no room in memory
    #[arg(long, value_name = "FOLDER")]
    pub(super) temp_dir: Option<PathBuf>,
}

/// What makes two records the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    Lineage,
    Key,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
