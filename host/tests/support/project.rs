//! Runs the program as an author does, in a project of theirs.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Variables that the examples' pipeline files ask for and give no default.
const VARIABLES: [(&str, &str); 2] = [("ES_Address", "http://es:9200"), ("ES_Index_KeyWord", "logs")];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project")
}

pub fn wasmill(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wasmill"))
        .args(args)
        .envs(VARIABLES)
        .current_dir(folder)
        .output()
        .expect("it runs")
}

#[track_caller]
pub fn ok(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[track_caller]
pub fn refused(output: &Output, code: i32, words: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    assert!(err.contains(words), "{err} does not say {words:?}");
}

/// Makes a project in a folder; every word of its templates has to be filled in.
pub fn new_project(folder: &Path, language: &str, template: &str) -> PathBuf {
    let name = format!("new-{template}");
    ok(&wasmill(folder, &["new", language, &name, "--template", template]));
    let project = folder.join(&name);
    ok(&wasmill(&project, &["validate", "pipeline.yaml"]));
    for entry in walk(&project) {
        let text = fs::read_to_string(&entry).expect("text");
        let inside = entry.strip_prefix(&project).expect("in the project");
        let kit = inside.iter().any(|part| part.to_string_lossy().starts_with("wasmill-"));
        assert!(kit || !has_word(&text), "{}: a word was not filled in", entry.display());
    }
    project
}

/// As an author does, with what the toolchain of a language needs on this machine: a script with `$wasm` as the
/// program. What is compiled besides the project itself is kept.
pub fn author_command(language: &str, project: &Path, script: &str) -> Command {
    let script = format!("root=$1 && . \"$root/scripts/guests/languages/$2.sh\" && wasm=$3 && {script}");
    let mut command = Command::new("bash");
    command
        .args(["-euc", &script, "-", &root().display().to_string(), language, env!("CARGO_BIN_EXE_wasmill")])
        .current_dir(project)
        .env_remove("CARGO")
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env("CARGO_TARGET_DIR", root().join("target/guests/build"));
    command
}

pub fn author(language: &str, project: &Path, script: &str) -> Output {
    author_command(language, project, script).output().expect("it runs")
}

/// Whether there is a `{{word}}`. C and JavaScript have braces of their own.
fn has_word(text: &str) -> bool {
    text.split("{{").skip(1).any(|rest| {
        let word = rest.split("}}").next().unwrap_or_default();
        rest.contains("}}")
            && !word.is_empty()
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
    })
}

pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
