//! What a measurement comes to: a table for people, JSON for machines, a file under `bench/results` for the record.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};

use crate::machine::{self, Build, Machine};

/// Where the figures go.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print JSON in place of the table
    #[arg(long, global = true)]
    json: bool,

    /// Write the figures to a file BENCH-DATE-COMMIT.json of the folder of results as well
    #[arg(long, global = true)]
    save: bool,

    /// A word for the name of that file: BENCH-WORD-DATE-COMMIT.json
    #[arg(long, global = true, value_name = "WORD")]
    word: Option<String>,

    /// The folder of results
    #[arg(long, global = true, default_value = "bench/results", value_name = "FOLDER")]
    pub(crate) results: PathBuf,
}

/// A measurement that can be shown: everything that it serialises goes to the file.
pub(crate) trait Report: serde::Serialize {
    /// Rows for people; the first is the head.
    fn rows(&self) -> Vec<Vec<String>>;

    /// Lines below the table.
    fn remarks(&self) -> Vec<String>;
}

#[derive(serde::Serialize)]
struct File<'a, R> {
    bench: &'a str,
    /// Day of the run, UTC.
    date: String,
    machine: Machine,
    build: Build,
    #[serde(flatten)]
    report: &'a R,
}

/// Measures, prints the figures and saves them, as the options say.
///
/// # Errors
/// The measurement fails, or the file or standard output cannot be written.
pub(crate) fn publish<R: Report>(
    bench: &str,
    options: &Options,
    measure: impl FnOnce() -> anyhow::Result<R>,
) -> anyhow::Result<()> {
    // The load that is told is that of others.
    let machine = Machine::here();
    if machine.sessions_share {
        writeln!(io::stderr().lock(), "{}", machine::SESSIONS_SHARE)?;
    }
    let report = &measure()?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let file = File { bench, date, machine, build: Build::this(), report };
    let json = format!("{}\n", serde_json::to_string_pretty(&file)?);
    let mut out = io::stdout().lock();
    if options.json {
        out.write_all(json.as_bytes())?;
    } else {
        let Machine { cpu, cores, .. } = &file.machine;
        let Build { commit, changed, rustc, wasmtime, .. } = &file.build;
        let changed = if *changed { ", changed" } else { "" };
        writeln!(out, "{cpu}, {cores} cores; commit {commit}{changed}; {rustc}; wasmtime {wasmtime}")?;
        writeln!(out, "{}", table(&report.rows()))?;
        report.remarks().iter().try_for_each(|remark| writeln!(out, "{remark}"))?;
    }
    if options.save {
        let word = options.word.as_ref().map_or_else(String::new, |word| format!("-{word}"));
        let name = format!("{bench}{word}-{}-{}.json", file.date, file.build.commit);
        let path = options.results.join(name);
        fs::write(&path, json).with_context(|| format!("{} cannot be written", path.display()))?;
        writeln!(io::stderr().lock(), "saved {}", path.display())?;
    }
    Ok(())
}

/// Text to the left, figures to the right.
fn table(rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let mut rows = rows.iter();
    if let Some(head) = rows.next() {
        table.set_header(head);
    }
    table.add_rows(rows.clone());
    for (index, column) in table.column_iter_mut().enumerate() {
        let is_figure =
            |row: &Vec<String>| row.get(index).is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit()));
        if rows.clone().any(is_figure) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
