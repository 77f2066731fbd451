//! `test`: a project's cases through its module, as a host would run them, and the differences.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use similar::TextDiff;

use super::{
    super::{
        output::{self, Failure, Kind},
        validate::{config_failure, read},
    },
    build::{self, Built, refused},
    case::{self, Case},
    engine, shown,
};
use crate::{
    config::{self, Environment, Grants},
    control::{InvokeInput, invoke},
    engine::{Engine, GuestOutput, LogLevel, Module},
    limits::Limits,
};

/// What `test` is asked for.
pub(in crate::cli) struct Test {
    pub(in crate::cli) folder: PathBuf,
    /// Instead of the project's own, built anew.
    pub(in crate::cli) module: Option<PathBuf>,
    /// Write what comes out as what must come out.
    pub(in crate::cli) update: bool,
    pub(in crate::cli) json: bool,
}

/// What became of a case.
#[derive(serde::Serialize)]
pub(super) struct Verdict {
    pub(super) case: String,
    pub(super) passed: bool,
    /// A unified diff, or why the module did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) difference: Option<String>,
}

/// A module and what became of the project's cases.
pub(super) struct Tried {
    pub(super) module: Module,
    pub(super) verdicts: Vec<Verdict>,
    /// Its compiled code goes with it.
    pub(super) _engine: (Engine, tempfile::TempDir),
}

/// Says on standard error what modules say.
struct Aloud;

impl GuestOutput for Aloud {
    fn log(&self, level: LogLevel, message: &str) {
        output::note(format_args!("  {}: {message}", format!("{level:?}").to_lowercase()));
    }

    fn count(&self, _name: &str, _by: u64) {}

    fn observe(&self, _name: &str, _value: f64) {}
}

pub(in crate::cli) fn test(asked: &Test) -> Result<ExitCode, Failure> {
    // Before a build that may take a while.
    Case::all(&asked.folder.join("tests"))?;
    let built = match &asked.module {
        Some(file) => {
            let bytes = std::fs::read(file)
                .map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", file.display())))?;
            Built { file: file.clone(), bytes }
        }
        None => build::project(&asked.folder)?,
    };
    let Tried { verdicts, .. } = try_cases(&asked.folder, &built, asked.update)?;
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let passed = verdicts.len() - failed;
    if asked.json {
        let module = shown(&built.file);
        let answer = serde_json::json!({ "module": module, "cases": verdicts, "passed": passed, "failed": failed });
        output::json(&answer)?;
    } else {
        for verdict in &verdicts {
            output::line(format_args!("{}: {}", verdict.case, if verdict.passed { "ok" } else { "DIFFERS" }));
            verdict.difference.iter().for_each(|difference| output::line(difference.trim_end()));
        }
        output::line(format_args!("{passed} passed, {failed} failed"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed as u8) })
}

/// Runs the project's cases through a module. `update` writes what comes out as what must come out.
pub(super) fn try_cases(folder: &Path, built: &Built, update: bool) -> Result<Tried, Failure> {
    let cases = Case::all(&folder.join("tests"))?;
    let (engine, cache) = engine()?;
    let module = engine.load(&built.bytes).map_err(|error| refused(&built.file, &error))?;
    let surroundings = pipeline(folder)?;
    let mut verdicts = Vec::new();
    for case in &cases {
        verdicts.push(judge(case, &module, &surroundings, update)?);
    }
    Ok(Tried { module, verdicts, _engine: (engine, cache) })
}

/// What the project's pipeline gives to its module, where it has one.
#[derive(Default)]
struct Surroundings {
    settings: Vec<(String, String)>,
    limits: Limits,
    grants: Grants,
}

fn pipeline(folder: &Path) -> Result<Surroundings, Failure> {
    let file = folder.join("pipeline.yaml");
    if !file.exists() {
        return Ok(Surroundings::default());
    }
    let (text, base) = read(&file)?;
    let loaded = config::load(&text, &shown(&file), &base, &Environment).map_err(config_failure)?;
    let config::ModuleSpec { config: settings, limits, grants, .. } = loaded.pipeline.module;
    Ok(Surroundings { settings, limits, grants })
}

fn judge(case: &Case, module: &Module, surroundings: &Surroundings, update: bool) -> Result<Verdict, Failure> {
    let verdict =
        |difference: Option<String>| Verdict { case: case.name.clone(), passed: difference.is_none(), difference };
    let config = case.config()?.unwrap_or_else(|| surroundings.settings.clone());
    let input = InvokeInput { keyvalue: case.keyvalue()?, ..case.input()? };
    let Surroundings { limits, grants, .. } = surroundings;
    let result = match invoke(module, &config, *limits, grants, Arc::new(Aloud), &input) {
        Ok(result) => result,
        Err(error) => return Ok(verdict(Some(error.to_string()))),
    };
    if update {
        case.accept(&result)?;
        return Ok(verdict(None));
    }
    let (expected, actual) = (case.expected()?, case::actual(&result)?);
    if expected == actual {
        return Ok(verdict(None));
    }
    let diff = TextDiff::from_lines(&expected, &actual);
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(4).header(&shown(&case.output), "what came out");
    Ok(verdict(Some(unified.to_string())))
}
