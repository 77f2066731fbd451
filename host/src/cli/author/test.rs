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
    build::{self, refused},
    case::{self, Case},
    engine, shown,
};
use crate::{
    config::{self, Environment, Grants},
    control::{InvokeInput, invoke},
    engine::{GuestOutput, LogLevel, Module},
    limits::Limits,
};

/// What `test` is asked for.
pub(in crate::cli) struct Test {
    pub(in crate::cli) folder: PathBuf,
    /// Instead of the project's own, built anew.
    pub(in crate::cli) module: Option<PathBuf>,
    /// Write what comes out as what must come out.
    pub(in crate::cli) bless: bool,
    pub(in crate::cli) json: bool,
}

/// What became of a case.
#[derive(serde::Serialize)]
struct Verdict {
    case: String,
    passed: bool,
    /// A unified diff, or why the module did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
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
    let cases = Case::all(&asked.folder.join("tests"))?;
    let (file, bytes) = match &asked.module {
        Some(file) => {
            let bytes = std::fs::read(file)
                .map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", file.display())))?;
            (file.clone(), bytes)
        }
        None => {
            let built = build::project(&asked.folder)?;
            (built.file, built.bytes)
        }
    };
    let (engine, _cache) = engine()?;
    let module = engine.load(&bytes).map_err(|error| refused(&file, &error))?;
    let surroundings = pipeline(&asked.folder)?;
    let mut verdicts = Vec::new();
    for case in &cases {
        let verdict = judge(case, &module, &surroundings, asked.bless)?;
        if !asked.json {
            let word = if verdict.passed { "ok" } else { "DIFFERS" };
            output::line(format_args!("{}: {word}", verdict.case));
            verdict.difference.iter().for_each(|difference| output::line(difference.trim_end()));
        }
        verdicts.push(verdict);
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let passed = verdicts.len() - failed;
    if asked.json {
        let module = shown(&file);
        let answer = serde_json::json!({ "module": module, "cases": verdicts, "passed": passed, "failed": failed });
        output::json(&answer)?;
    } else {
        output::line(format_args!("{passed} passed, {failed} failed"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed as u8) })
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

fn judge(case: &Case, module: &Module, surroundings: &Surroundings, bless: bool) -> Result<Verdict, Failure> {
    let verdict =
        |difference: Option<String>| Verdict { case: case.name.clone(), passed: difference.is_none(), difference };
    let config = case.config()?.unwrap_or_else(|| surroundings.settings.clone());
    let (records, keyvalue) = (case.records()?, case.keyvalue()?);
    let input = InvokeInput { topic: Some("test".into()), partition: 0, keyvalue, records };
    let Surroundings { limits, grants, .. } = surroundings;
    let result = match invoke(module, &config, *limits, grants, Arc::new(Aloud), &input) {
        Ok(result) => result,
        Err(error) => return Ok(verdict(Some(error.to_string()))),
    };
    if bless {
        case.bless(&result)?;
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
