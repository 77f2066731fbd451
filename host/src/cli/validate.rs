//! `validate` and `schema`: pure, nothing is connected to.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::output::{self, Failure, Kind};
use crate::config::{self, ConfigError, Environment, Loaded};

/// Reads a pipeline file.
pub(super) fn read(file: &Path) -> Result<(String, PathBuf), Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", file.display())))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base =
        folder.canonicalize().map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", file.display())))?;
    Ok((text, base))
}

pub(super) fn config_failure(error: ConfigError) -> Failure {
    let problems = serde_json::to_value(error.problems()).unwrap_or_default();
    let message = error.to_string();
    let problem = serde_json::json!({ "code": "bad-config", "detail": message, "problems": problems });
    let report = format!("{:?}", miette::Report::new(error));
    Failure { kind: Kind::Refused, message, report: Some(report), problem: Some(problem) }
}

pub(super) fn validate(files: &[PathBuf], json: bool) -> Result<ExitCode, Failure> {
    let mut answers = Vec::new();
    let mut worst = None;
    for file in files {
        let (text, base) = read(file)?;
        let name = file.display().to_string();
        match config::load(&text, &name, &base, &Environment) {
            Ok(Loaded { pipeline, warnings }) => {
                if !json {
                    output::line(format_args!("{name}: pipeline `{}` is sound", pipeline.name));
                    warnings.iter().for_each(|warning| output::line(format_args!("{name}: warning: {warning}")));
                }
                answers.push(serde_json::json!({ "file": name, "pipeline": pipeline.name, "valid": true, "problems": [], "warnings": warnings }));
            }
            Err(error) => {
                answers.push(
                    serde_json::json!({ "file": name, "valid": false, "problems": error.problems(), "warnings": [] }),
                );
                let failure = config_failure(error);
                if !json {
                    output::report(&failure, false);
                }
                worst = Some(failure.kind);
            }
        }
    }
    if json {
        output::json(&answers)?;
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind as u8)))
}

pub(super) fn schema() -> Result<(), Failure> {
    output::line(serde_json::to_string_pretty(&config::schema()).map_err(Failure::failed)?);
    Ok(())
}
