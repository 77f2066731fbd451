//! `page`: docs/performance.md and the costs in docs/languages, made of the files of results, so that no figure on them
//! was typed.
//!
//! Of the files with the same name but for date and commit, the youngest is taken. Each series becomes a table, `e2e` and
//! `scale` charts as well; the words around them lie beside this file.

mod chart;
mod cost;
mod goals;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context as _;
use serde::de::DeserializeOwned;

use crate::{
    boundary::Boundary, e2e::latency::Latency, json::Json, report::Report, sinks::Sinks, start::Start, swap::Swap,
};

/// The benches whose series the page shows, or counts among the goals.
pub(crate) const BENCHES: [&str; 9] =
    ["boundary", "e2e", "json", "languages", "latency", "scale", "sinks", "start", "swap"];

const INTRODUCTION: &str = include_str!("introduction.md");

/// What the peers are, and their settings.
const PEERS: &str = include_str!("../../peers/README.md");

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The page; its charts lie in a folder of its name beside it
    #[arg(long, default_value = "docs/performance.md", value_name = "FILE")]
    page: PathBuf,

    /// The pages of languages, which have blocks of costs
    #[arg(long, default_value = "docs/languages", value_name = "FOLDER")]
    languages: PathBuf,
}

/// A file of results, as far as the page shows it.
#[derive(Debug, serde::Deserialize)]
struct Saved<R> {
    date: String,
    machine: Machine,
    build: Build,
    #[serde(flatten)]
    report: R,
}

#[derive(Debug, serde::Deserialize)]
struct Machine {
    cpu: String,
    cores: usize,
    load: f64,
    #[serde(default)]
    sessions_share: bool,
}

#[derive(Debug, serde::Deserialize)]
struct Build {
    commit: String,
    rustc: String,
    wasmtime: String,
}

/// Writes the page.
///
/// # Errors
/// A file of results cannot be read, or the page cannot be written.
pub(crate) fn run(args: &Args, results: &Path) -> anyhow::Result<()> {
    let charts = args.page.with_extension("");
    fs::create_dir_all(&charts).with_context(|| format!("{} cannot be made", charts.display()))?;
    let mut page = INTRODUCTION.trim_end().to_owned();
    write!(page, "\n\n## What we want to reach\n\n{}\n", goals::table(results)?)?;
    let mut writer = Writer { page: &mut page, results, charts: &charts };
    writer.sections("e2e", chart::of)?;
    writer.sections("boundary", |_: &Boundary| vec![])?;
    writer.sections("json", |_: &Json| vec![])?;
    writer.sections("latency", |_: &Latency| vec![])?;
    writer.sections("sinks", |_: &Sinks| vec![])?;
    writer.sections("swap", |_: &Swap| vec![])?;
    writer.sections("start", |_: &Start| vec![])?;
    writer.sections("scale", chart::of_scale)?;
    write!(page, "\n{}", PEERS.replacen("# ", "## ", 1))?;
    fs::write(&args.page, page).with_context(|| format!("{} cannot be written", args.page.display()))?;
    for (path, text) in cost::pages(&args.languages, results)? {
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

struct Writer<'a> {
    page: &'a mut String,
    results: &'a Path,
    /// Folder of the charts.
    charts: &'a Path,
}

impl Writer<'_> {
    /// A section for each series of a bench: where it is from, its table, its remarks, its charts.
    fn sections<R: Report + DeserializeOwned>(
        &mut self,
        bench: &str,
        charts: impl Fn(&R) -> Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        for (series, file) in youngest(self.results, bench)? {
            let saved: Saved<R> = read(&file)?;
            let (origin, table) = (origin(&saved, &file), markdown(&saved.report.rows()));
            write!(self.page, "\n\n## {}\n\n{origin}\n\n{table}\n", title(&series))?;
            for remark in saved.report.remarks() {
                write!(self.page, "\n{remark}\n")?;
            }
            for (name, svg) in charts(&saved.report) {
                let file = format!("{series}-{name}.svg");
                fs::write(self.charts.join(&file), svg)?;
                let folder = self.charts.file_name().unwrap_or_default().to_string_lossy().into_owned();
                write!(self.page, "\n![CPU time: {name}]({folder}/{file})\n")?;
            }
        }
        Ok(())
    }
}

fn read<R: DeserializeOwned>(file: &Path) -> anyhow::Result<Saved<R>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no results of this kind", file.display()))
}

/// The youngest file of each series of a bench, by the series' name.
pub(crate) fn youngest(results: &Path, bench: &str) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found: BTreeMap<String, (SystemTime, PathBuf)> = BTreeMap::new();
    for entry in fs::read_dir(results).with_context(|| format!("{} cannot be read", results.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((series, day)) = series(&name, bench) else { continue };
        // Of one day: the one that was written last.
        let written = entry.metadata()?.modified()?;
        let older = |(at, path): &(SystemTime, PathBuf)| {
            let before = path.file_name().and_then(|name| self::series(name.to_str()?, bench)).map(|(_, day)| day);
            (before, *at) < (Some(day.clone()), written)
        };
        if found.get(&series).is_none_or(older) {
            found.insert(series, (written, entry.path()));
        }
    }
    Ok(found.into_iter().map(|(series, (_, path))| (series, path)).collect())
}

/// The files of one series, and when each was written.
pub(crate) fn files(results: &Path, name: &str) -> anyhow::Result<Vec<(SystemTime, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(results).with_context(|| format!("{} cannot be read", results.display()))? {
        let entry = entry?;
        if series(&entry.file_name().to_string_lossy(), name).is_some_and(|(series, _)| series == name) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    Ok(found)
}

/// `BENCH[-WORD]` and the day of a file `BENCH[-WORD]-YYYY-MM-DD-COMMIT.json`.
fn series(name: &str, bench: &str) -> Option<(String, String)> {
    let (rest, _commit) = name.strip_suffix(".json")?.rsplit_once('-')?;
    let (series, day) = rest.split_at_checked(rest.len().checked_sub(11)?)?;
    let word = series.strip_prefix(bench)?;
    (word.is_empty() || word.starts_with('-')).then(|| (series.to_owned(), day.trim_start_matches('-').to_owned()))
}

/// `e2e-exactly-once` -> `End to end: exactly once`.
fn title(series: &str) -> String {
    let (bench, word) = series.split_once('-').unwrap_or((series, ""));
    let bench = match bench {
        "e2e" => "End to end",
        "boundary" => "The crossing into a module and back",
        "json" => "Cleansing a line of JSON",
        "latency" => "Latency",
        "swap" => "Swaps under load",
        "scale" => "Scale",
        "start" => "Start and rest",
        "sinks" => "Elasticsearch and Redis",
        other => other,
    };
    if word.is_empty() { bench.to_owned() } else { format!("{bench}: {}", word.replace('-', " ")) }
}

fn origin<R>(saved: &Saved<R>, file: &Path) -> String {
    let Saved { date, machine, build: Build { commit, rustc, wasmtime }, .. } = saved;
    let Machine { cpu, cores, load, sessions_share } = machine;
    let shares = if *sessions_share { ", each session with a share of its own" } else { "" };
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{date}, commit {commit}, {cpu} with {cores} cores, load {load} from others before the run{shares}; {rustc}; wasmtime \
         {wasmtime}. Every run: `bench/results/{file}`."
    )
}

fn markdown(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| format!("| {} |", row.join(" | "));
    let mut rows = rows.iter();
    let Some(head) = rows.next() else { return String::new() };
    let rule = format!("|{}", "---|".repeat(head.len()));
    [line(head), rule].into_iter().chain(rows.map(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_its_series_and_its_day() {
        let found = series("e2e-exactly-once-2026-11-24-0123456789.json", "e2e");
        assert_eq!(found, Some(("e2e-exactly-once".to_owned(), "2026-11-24".to_owned())));
        assert_eq!(series("e2e-2026-11-24-0123456789.json", "e2e"), Some(("e2e".into(), "2026-11-24".into())));
        assert_eq!(series("boundary-2026-11-24-0123456789.json", "e2e"), None);
        assert_eq!(series("README.md", "e2e"), None);
    }
}
