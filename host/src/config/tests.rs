//! The loader at its boundary: files in, pipelines or reports out.
//!
//! `tests/fixtures/config/valid/*.yaml` must load; a `.txt` beside one holds its warnings. `invalid/*.yaml` must not;
//! the `.txt` beside it is the report, word for word. `UPDATE_GOLDEN=1` writes the texts anew, for review in the diff.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{ConfigError, Loaded, Problem, Resolve, load};

mod fixtures;
mod meaning;
mod reference;
mod secrecy;

/// The password of these tests: wherever it shows up, something leaked.
const PASSWORD: &str = "hunter2";

const BASE: &str = "/etc/wasmill";

/// Variables and files of the tests.
struct Vars(BTreeMap<&'static str, &'static str>);

impl Vars {
    fn new() -> Self {
        let vars = [("KAFKA", "k1:9092, k2:9092"), ("GROUP", "group"), ("PASSWORD", PASSWORD), ("EMPTY", "")];
        Self(BTreeMap::from(vars))
    }
}

impl Resolve for Vars {
    fn variable(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.0.get(name).map(|value| (*value).to_owned()))
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let known = path == Path::new(BASE).join("secrets/password");
        if known { Ok(format!("{PASSWORD}\r\n")) } else { Err("no such file".to_owned()) }
    }
}

fn load_text(text: &str) -> Result<Loaded, ConfigError> {
    load(text, "pipeline.yaml", Path::new(BASE), &Vars::new())
}

fn load_valid(name: &str) -> Loaded {
    let text = fs::read_to_string(fixtures("valid").join(name)).unwrap();
    load_text(&text).unwrap_or_else(|error| panic!("{name} does not load:\n{}", error.report()))
}

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(kind)
}

/// All YAML files of a folder, in order.
fn yaml_files(kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures(kind)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Compares with what the file holds, or writes it.
fn golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (UPDATE_GOLDEN=1 writes it anew):\n{}",
        path.display(),
        similar::TextDiff::from_lines(&expected, actual).unified_diff()
    );
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}:{}: {problem}\n", problem.line, problem.column)).collect()
}
