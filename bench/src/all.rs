//! `all`: measures every series of docs/performance.md, one after the other, and writes the page.
//!
//! Each series is a run of this program with `--save`, as one would start it by hand. Its file takes the place of the one
//! before, so that there is one of each. A series that fails leaves the old file, and the others are measured still.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

use crate::{e2e::summary::say, page};

/// A file of results, by its name up to the date.
struct Series {
    /// `BENCH[-WORD]`
    name: &'static str,
    /// What to add to `BENCH --save --word WORD`, by spaces.
    options: &'static str,
    /// What it takes on two cores, about.
    minutes: u32,
}

const SERIES: [Series; 14] = [
    Series {
        name: "e2e-peers",
        options: "--shape identity --size 100 --codec none --repetitions 7 \
                  --peers wasmill,wasmill-librdkafka,raw,safe,java,streams,franz,mm2,flink,spark,quix",
        minutes: 12,
    },
    Series {
        name: "e2e-delivery",
        options: "--shape identity --size 100 --codec none --peers wasmill --delivery at-least-once,exactly-once \
                  --records 8000000 --repetitions 5",
        minutes: 4,
    },
    Series {
        name: "e2e-sizes",
        options: "--shape identity --size 100,1000,10000 --codec none,lz4,zstd --repetitions 3",
        minutes: 12,
    },
    Series {
        name: "e2e-shapes",
        options: "--shape filter,router,json,fanout --size 100 --codec none --peers wasmill,raw,safe,java,streams --repetitions 3",
        minutes: 10,
    },
    Series { name: "boundary", options: "", minutes: 1 },
    Series { name: "json", options: "", minutes: 1 },
    Series { name: "languages", options: "--rounds 40 --burst 3 --warm-up 5", minutes: 15 },
    Series { name: "latency", options: "--peers wasmill,raw --rate 1000 --linger 0,5 --repetitions 3", minutes: 5 },
    Series {
        name: "latency-load",
        options: "--peers wasmill,raw --rate 200000 --linger 5 --repetitions 3",
        minutes: 3,
    },
    Series { name: "sinks", options: "", minutes: 3 },
    Series { name: "start", options: "", minutes: 2 },
    Series { name: "swap", options: "--swaps 200", minutes: 8 },
    Series { name: "swap-steady", options: "--swaps 1000 --rate 20000", minutes: 8 },
    Series { name: "scale", options: "--repetitions 3", minutes: 15 },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// These series, by the names of their files, in place of all
    #[arg(long, value_delimiter = ',', value_parser = SERIES.map(|series| series.name), value_name = "SERIES")]
    only: Vec<String>,

    #[command(flatten)]
    page: page::Args,
}

/// Measures, and writes the page.
///
/// # Errors
/// A series fails (told behind all others), or a file cannot be written.
pub(crate) fn run(args: &Args, results: &Path) -> anyhow::Result<()> {
    let wanted = |series: &&Series| args.only.is_empty() || args.only.iter().any(|name| name == series.name);
    let all: Vec<&Series> = SERIES.iter().filter(wanted).collect();
    let mut failed = Vec::new();
    for (at, series) in all.iter().enumerate() {
        let minutes: u32 = all[at..].iter().map(|series| series.minutes).sum();
        say(&format!("{} ({} of {}, some {minutes} minutes to go)", series.name, at + 1, all.len()));
        if let Err(error) = series.measure(results) {
            say(&format!("{}: {error:#}", series.name));
            failed.push(series.name);
        }
    }
    page::run(&args.page, results)?;
    ensure!(failed.is_empty(), "the page has old figures, or none, of what failed: {}", failed.join(", "));
    Ok(())
}

impl Series {
    /// The arguments of this program.
    fn arguments(&self) -> Vec<&'static str> {
        let (bench, word) = self.name.split_once('-').map_or((self.name, None), |(bench, word)| (bench, Some(word)));
        let word = word.into_iter().flat_map(|word| ["--word", word]);
        [bench, "--save"].into_iter().chain(word).chain(self.options.split_whitespace()).collect()
    }

    fn measure(&self, results: &Path) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("this program's file is not known")?;
        let mut run = Command::new(program);
        let status = run.args(self.arguments()).arg("--results").arg(results).status().context("does not start")?;
        ensure!(status.success(), "failed: {status}");
        forget_older(results, self.name)
    }
}

/// Removes all files of a series but the one that was written last.
fn forget_older(results: &Path, name: &str) -> anyhow::Result<()> {
    let mut files = page::files(results, name)?;
    files.sort();
    files.pop();
    for (_, old) in files {
        fs::remove_file(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn each_series_is_a_command_line_of_this_program() {
        for series in &SERIES {
            let arguments = std::iter::once("wasmill-bench").chain(series.arguments());
            crate::Args::try_parse_from(arguments).unwrap_or_else(|error| panic!("{}: {error}", series.name));
        }
    }

    #[test]
    fn the_page_shows_nothing_that_all_does_not_measure() {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        for bench in page::BENCHES {
            for series in page::youngest(&results, bench).expect("the folder of results").into_keys() {
                assert!(SERIES.iter().any(|one| one.name == series), "{series}");
            }
        }
    }

    #[test]
    fn one_file_of_a_series_is_left_and_others_are_let_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let age = |name: &str, seconds: u64| {
            let file = fs::File::create(folder.path().join(name)).expect("a file");
            let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(at).expect("a time");
        };
        age("swap-2026-11-27-bbbb.json", 2);
        age("swap-2026-11-27-aaaa.json", 3);
        age("swap-2026-11-26-cccc.json", 1);
        age("swap-steady-2026-11-25-aaaa.json", 0);
        forget_older(folder.path(), "swap").expect("files are removed");
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        left.sort();
        assert_eq!(left, ["swap-2026-11-27-aaaa.json", "swap-steady-2026-11-25-aaaa.json"]);
    }
}
