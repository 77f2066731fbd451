//! `counts`: how many instructions the hot path takes, compared with what it took when the baseline was written.
//!
//! Time on a shared machine says little about a change of a few percent; the number of instructions does not depend on
//! the load at all. So this is the part of the measurements that a test can hold on to: a case that takes more than
//! the baseline allows fails.
//!
//! Valgrind runs this program again and counts, in one function alone (`case::counted_instructions`). It also gives the program a
//! processor of its own making, which is the same on every x86-64 machine with AVX2: libc, memchr and wasmtime choose
//! the same code everywhere. Modules are those inside the host (`host/modules`), whatever toolchain is installed.
//! Another compiler or libc makes other code, so the baseline names them; elsewhere it is shown and holds nobody up.

mod callgrind;
mod case;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::report::Report;
pub(crate) use case::run as run_cases;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the counts as the new baseline
    #[arg(long)]
    accept: bool,

    /// How many percent more than the baseline a case may take
    #[arg(long, default_value_t = 3.0, value_name = "PERCENT")]
    tolerance: f64,

    /// The baseline
    #[arg(long, default_value = "bench/baselines/counts.json", value_name = "FILE")]
    baseline: PathBuf,

    /// Folder of the modules that are called
    #[arg(long, default_value = "host/modules", value_name = "FOLDER")]
    modules: PathBuf,
}

/// What was counted.
#[derive(serde::Serialize)]
pub(crate) struct Counts {
    tolerance: f64,
    lines: Vec<Line>,
    /// Why nothing is compared, or nothing was counted.
    incomparable: Option<String>,
}

#[derive(serde::Serialize)]
struct Line {
    case: String,
    /// Per record, or per batch of the ledger.
    instructions: f64,
    baseline: Option<f64>,
}

impl Line {
    /// In percent, above the baseline.
    fn change(&self) -> Option<f64> {
        self.baseline.map(|baseline| (self.instructions / baseline - 1.0) * 100.0)
    }
}

/// What the cases may take.
#[derive(serde::Serialize, serde::Deserialize)]
struct Baseline {
    /// What made the code, and who counted.
    tools: String,
    /// Instructions per record, or per batch of the ledger.
    counts: BTreeMap<String, f64>,
}

/// Counts, and writes the baseline where that is asked for.
///
/// # Errors
/// Valgrind is missing or fails, or the baseline cannot be read or written. That a case takes too much is said by
/// [`Counts::verdict`].
pub(crate) fn run(args: &Args) -> anyhow::Result<Counts> {
    let tolerance = args.tolerance;
    if let Some(reason) = callgrind::unfit() {
        return Ok(Counts { tolerance, lines: vec![], incomparable: Some(reason) });
    }
    let counted = Baseline { tools: callgrind::tools()?, counts: callgrind::count(&args.modules)? };
    let file = || args.baseline.display().to_string();
    if args.accept {
        fs::create_dir_all(args.baseline.parent().unwrap_or(Path::new("."))).with_context(file)?;
        fs::write(&args.baseline, format!("{}\n", serde_json::to_string_pretty(&counted)?)).with_context(file)?;
    }
    let text = fs::read_to_string(&args.baseline).with_context(file)?;
    let Baseline { tools, counts } = serde_json::from_str(&text).with_context(file)?;
    let incomparable =
        (tools != counted.tools).then(|| format!("the baseline is of {tools}; here there are {}", counted.tools));
    let line = |(case, instructions)| Line { baseline: counts.get(&case).copied(), case, instructions };
    Ok(Counts { tolerance, lines: counted.counts.into_iter().map(line).collect(), incomparable })
}

impl Counts {
    /// # Errors
    /// A case takes more than its baseline allows, or has none.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        let accept = "`just bench counts --accept` writes the new counts down, if that is what they have to be";
        for line in self.lines.iter().filter(|_| self.incomparable.is_none()) {
            let Line { case, instructions, .. } = line;
            let change = line.change().with_context(|| format!("{case:?} has no baseline: {accept}"))?;
            ensure!(
                change <= self.tolerance,
                "{case:?} takes {change:.1} % more instructions than its baseline, {instructions:.1} in all, and {} % \
                 are allowed: {accept}",
                self.tolerance
            );
        }
        Ok(())
    }
}

impl Report for Counts {
    fn rows(&self) -> Vec<Vec<String>> {
        let head = ["instructions", "counted", "baseline", "change"].map(str::to_owned).to_vec();
        let row = |line: &Line| {
            let baseline = line.baseline.map_or_else(String::new, |baseline| format!("{baseline:.1}"));
            let change = line.change().map_or_else(String::new, |change| format!("{change:+.2} %"));
            vec![line.case.clone(), format!("{:.1}", line.instructions), baseline, change]
        };
        std::iter::once(head).chain(self.lines.iter().map(row)).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let incomparable = self.incomparable.as_ref();
        incomparable.map(|reason| format!("Nothing is held to the baseline: {reason}.")).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: f64, baseline: Option<f64>) -> Counts {
        let line = Line { case: "pack".into(), instructions, baseline };
        Counts { tolerance: 3.0, lines: vec![line], incomparable: None }
    }

    #[test]
    fn only_what_takes_more_than_is_allowed_fails() {
        assert!(counts(102.9, Some(100.0)).verdict().is_ok());
        assert!(counts(60.0, Some(100.0)).verdict().is_ok());
        let error = counts(103.1, Some(100.0)).verdict().expect_err("too much").to_string();
        assert!(error.contains("\"pack\" takes 3.1 % more") && error.contains("--accept"), "{error}");
        assert!(counts(1.0, None).verdict().is_err());
        let elsewhere = Counts { incomparable: Some("another compiler".into()), ..counts(200.0, Some(100.0)) };
        assert!(elsewhere.verdict().is_ok() && elsewhere.remarks().len() == 1);
    }
}
