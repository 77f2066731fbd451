//! The verbs of people who write modules, as programs: none of them needs a host or Kafka.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

const EXAMPLES: [&str; 9] =
    ["identity", "filter", "log-clean", "router", "log-es", "topic-dump", "binlog-router", "binlog-sync", "tracking"];

/// Variables that a pipeline file asks for and gives no default.
const VARIABLES: [(&str, &str); 2] = [("ES_Address", "http://es:9200"), ("ES_Index_KeyWord", "logs")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project")
}

fn example(name: &str) -> PathBuf {
    root().join("guest-examples").join(name)
}

fn guest(name: &str) -> PathBuf {
    let file = root().join(format!("target/guests/{name}.wasm"));
    assert!(file.exists(), "{}: run scripts/guests/build.sh", file.display());
    file
}

fn wasmill(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wasmill"))
        .args(args)
        .envs(VARIABLES)
        .current_dir(folder)
        .output()
        .expect("it runs")
}

#[track_caller]
fn ok(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[track_caller]
fn refused(output: &Output, code: i32, words: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    assert!(err.contains(words), "{err} does not say {words:?}");
}

#[test]
fn every_example_has_a_sound_pipeline_and_passes_its_cases() {
    for name in EXAMPLES {
        let folder = example(name);
        ok(&wasmill(&folder, &["validate", "pipeline.yaml"]));
        let module = guest(name).display().to_string();
        let answer = ok(&wasmill(&folder, &["test", "--json", "--module", &module]));
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(answer["passed"].as_u64() > Some(0) && answer["failed"] == 0, "{name}: {answer}");
        assert!(folder.join("README.md").exists(), "{name} says nothing of itself");
    }
}

/// A copy of the filter's cases, to be spoilt.
fn cases() -> (tempfile::TempDir, String) {
    let copy = tempfile::tempdir().expect("a folder");
    fs::create_dir(copy.path().join("tests")).expect("a folder");
    for file in ["pipeline.yaml", "tests/keeps.in.ndjson", "tests/keeps.out.ndjson"] {
        fs::copy(example("filter").join(file), copy.path().join(file)).expect("a file");
    }
    (copy, guest("filter").display().to_string())
}

#[test]
fn a_case_that_differs_is_shown_and_can_be_blessed() {
    let (copy, module) = cases();
    let expected = copy.path().join("tests/keeps.out.ndjson");
    let before = fs::read_to_string(&expected).expect("a file");
    fs::write(&expected, before.replace("disk full", "disk empty")).expect("written");
    let output = wasmill(copy.path(), &["test", "--module", &module]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    for line in [
        "keeps: DIFFERS",
        "-  \"value\": \"2023-11-14 ERROR disk empty\"",
        "+  \"value\": \"2023-11-14 ERROR disk full\"",
    ] {
        assert!(said.contains(line), "{said}");
    }
    ok(&wasmill(copy.path(), &["test", "--bless", "--module", &module]));
    assert_eq!(ok(&wasmill(copy.path(), &["test", "--module", &module])), "keeps: ok\n1 passed, 0 failed\n");
}

#[test]
fn mistakes_in_cases_are_named_with_their_place() {
    let (copy, module) = cases();
    let test = || wasmill(copy.path(), &["test", "--module", &module]);
    let (input, output) = (copy.path().join("tests/keeps.in.ndjson"), copy.path().join("tests/keeps.out.ndjson"));
    fs::write(&output, "\n{\"row\":0,\"valeu\":\"x\"}\n").expect("written");
    refused(&test(), 2, "tests/keeps.out.ndjson:2: unknown field `valeu`, expected one of");
    fs::remove_file(&output).expect("removed");
    refused(&test(), 2, "`wasmill test --bless` writes");
    fs::write(&input, "{\"key\":\"a\"}\n\n{\"key\":").expect("written");
    refused(&test(), 2, "tests/keeps.in.ndjson:3:7: EOF");
    fs::remove_file(&input).expect("removed");
    refused(&test(), 2, "no case is there: write NAME.in.ndjson");
    refused(&wasmill(copy.path(), &["test", "--module", "nothing.wasm"]), 2, "no case is there");
    refused(&wasmill(copy.path(), &["build"]), 2, "make one with `wasmill new rust NAME`");
}

#[test]
fn a_new_project_builds_passes_its_cases_and_is_a_module() {
    let toolchain = root().join("target/guests/build/toolchain.env");
    assert!(toolchain.exists(), "{}: run scripts/guests/build.sh", toolchain.display());
    let folder = tempfile::tempdir().expect("a folder");
    ok(&wasmill(folder.path(), &["new", "rust", "my-func"]));
    refused(&wasmill(folder.path(), &["new", "rust", "my-func"]), 2, "is there and not empty");
    refused(&wasmill(folder.path(), &["new", "rust", "My Func"]), 2, "is no name for a module");
    let project = folder.path().join("my-func");
    ok(&wasmill(&project, &["validate", "pipeline.yaml"]));
    for entry in walk(&project) {
        let text = fs::read_to_string(&entry).expect("text");
        assert!(!text.contains("{{"), "{}: a word was not filled in", entry.display());
    }

    // As an author does, with the variables that a machine without rustup's target needs. What is compiled besides the
    // project itself is kept.
    let script = ". \"$1\" && wasm=\"$2\" && \"$wasm\" --json build && \"$wasm\" --json test";
    let output = Command::new("bash")
        .args(["-euc", script, "-", &toolchain.display().to_string(), env!("CARGO_BIN_EXE_wasmill")])
        .current_dir(&project)
        .env_remove("CARGO")
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env("CARGO_TARGET_DIR", root().join("target/guests/build"))
        .output()
        .expect("it runs");
    let said = ok(&output);
    let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let (built, tested) = (lines.next().expect("built"), lines.next().expect("tested"));
    assert_eq!((&built["file"], &built["description"]["name"]), (&"my-func.wasm".into(), &"my-func".into()));
    assert_eq!((&tested["passed"], &tested["failed"]), (&1.into(), &0.into()), "{tested}");
    assert!(project.join("my-func.wasm").exists());
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
