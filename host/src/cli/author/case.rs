//! A case of `wasmill test`: records in, and the records that must come out, as NDJSON files.
//!
//! ```text
//! tests/NAME.in.ndjson      a record per line; all are one batch, and `{"fire": TIME}` fires the timer behind it
//! tests/NAME.out.ndjson     what must come out, in order; a dropped row has no line
//! tests/NAME.config.json    settings of the module for this case (optional)
//! tests/NAME.keyvalue.json  what its key-value store begins with: keys and values by bucket (optional)
//! ```
//!
//! A value that is JSON may stand as text or as itself: both sides are compared as JSON, so that blanks and the order of
//! members do not matter. Any other value is compared as text.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    super::output::{Failure, Kind},
    shown,
};
use crate::control::{InvokeInput, InvokeResult, InvokedRecord, fire_line};

const INPUT: &str = ".in.ndjson";

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    input: PathBuf,
    pub(super) output: PathBuf,
    config: PathBuf,
    keyvalue: PathBuf,
}

impl Case {
    /// The cases of a folder, by name.
    pub(super) fn all(folder: &Path) -> Result<Vec<Self>, Failure> {
        let usage = |reason: String| Failure::new(Kind::Usage, format!("{}: {reason}", folder.display()));
        let entries = fs::read_dir(folder).map_err(|error| usage(error.to_string()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(INPUT).map(str::to_owned)).collect();
        if names.is_empty() {
            return Err(usage(format!("no case is there: write NAME{INPUT}, a record per line")));
        }
        names.sort();
        let case = |name: String| {
            let file = |end: &str| folder.join(format!("{name}{end}"));
            let (config, keyvalue) = (file(".config.json"), file(".keyvalue.json"));
            Self { input: file(INPUT), output: file(".out.ndjson"), config, keyvalue, name }
        };
        Ok(names.into_iter().map(case).collect())
    }

    /// Its records, and the fire of the timer behind them, where it has one.
    pub(super) fn input(&self) -> Result<InvokeInput, Failure> {
        let text = read(&self.input)?;
        let mut input = InvokeInput { topic: Some("test".into()), ..InvokeInput::default() };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match fire_line(line) {
                Some(at) => input.fire = Some(at),
                None => input.records.push(parse(&self.input, Some(number), line)?),
            }
        }
        Ok(input)
    }

    /// Settings of its own, where it has some.
    pub(super) fn config(&self) -> Result<Option<Vec<(String, String)>>, Failure> {
        if !self.config.exists() {
            return Ok(None);
        }
        let settings: BTreeMap<String, Value> = parse(&self.config, None, &read(&self.config)?)?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Some(settings.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }

    /// What the key-value store begins with, by bucket.
    pub(super) fn keyvalue(&self) -> Result<BTreeMap<String, BTreeMap<String, Value>>, Failure> {
        if !self.keyvalue.exists() {
            return Ok(BTreeMap::new());
        }
        parse(&self.keyvalue, None, &read(&self.keyvalue)?)
    }

    /// What must come out: a record per line, as text to be compared.
    pub(super) fn expected(&self) -> Result<String, Failure> {
        if !self.output.exists() {
            let hint = "nothing says what must come out: `wasmill test --update` writes what comes out now";
            return Err(Failure::new(Kind::Usage, format!("{}: {hint}", shown(&self.output))));
        }
        let lines: Vec<(usize, Value)> = lines(&self.output)?;
        let mut text = String::new();
        for (number, mut line) in lines {
            // Names that are misspelt would be differences that nobody can see.
            let mut checked = line.clone();
            if let Some(value @ (Value::Object(_) | Value::Array(_))) = checked.get_mut("value") {
                *value = Value::String(value.to_string());
            }
            let checked: Result<InvokedRecord, _> = serde_json::from_value(checked);
            checked.map_err(|error| bad(&self.output, Some(number), &error))?;
            unfold(&mut line);
            show(&line, &mut text)?;
        }
        Ok(text)
    }

    pub(super) fn accept(&self, result: &InvokeResult) -> Result<(), Failure> {
        let mut text = String::new();
        for record in &result.records {
            let mut line = serde_json::to_value(record).map_err(Failure::failed)?;
            unfold(&mut line);
            text.push_str(&line.to_string());
            text.push('\n');
        }
        fs::write(&self.output, text).map_err(|error| Failure::failed(format!("{}: {error}", self.output.display())))
    }
}

/// What came out, in the form of [`Case::expected`].
pub(super) fn actual(result: &InvokeResult) -> Result<String, Failure> {
    let mut text = String::new();
    for record in &result.records {
        let mut line = serde_json::to_value(record).map_err(Failure::failed)?;
        unfold(&mut line);
        show(&line, &mut text)?;
    }
    Ok(text)
}

/// A value that is the text of an object or array becomes that.
fn unfold(line: &mut Value) {
    if let Some(value) = line.get_mut("value")
        && let Some(text) = value.as_str()
        && let Ok(parsed @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
    {
        *value = parsed;
    }
}

/// Appends a record as lines in which a difference is easily seen: members sorted, one per line.
fn show(line: &Value, text: &mut String) -> Result<(), Failure> {
    let mut sorted = line.clone();
    sorted.sort_all_objects();
    text.push_str(&serde_json::to_string_pretty(&sorted).map_err(Failure::failed)?);
    text.push('\n');
    Ok(())
}

/// Each line that is not blank, with its number.
fn lines<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Vec<(usize, T)>, Failure> {
    let text = read(file)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| Ok((number + 1, parse(file, Some(number + 1), line)?))).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", shown(file))))
}

fn parse<T: serde::de::DeserializeOwned>(file: &Path, line: Option<usize>, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| bad(file, line, &error))
}

fn bad(file: &Path, line: Option<usize>, error: &serde_json::Error) -> Failure {
    // Serde counts within the text that it was given: one line of the file, or all of it.
    let line = line.unwrap_or(error.line());
    let column = if error.column() > 0 { format!(":{}", error.column()) } else { String::new() };
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    Failure::new(Kind::Usage, format!("{}:{line}{column}: {said}", shown(file)))
}
