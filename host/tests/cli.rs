//! The verbs of people who write modules, as programs: none of them needs a host or Kafka.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/project.rs"]
mod project;

use std::{fs, path::PathBuf};

use project::{author, new_project, ok, refused, root, walk, wasmill};
use serde_json::Value;

const EXAMPLES: [&str; 11] = [
    "identity",
    "filter",
    "log-clean",
    "router",
    "log-es",
    "topic-dump",
    "double-write",
    "binlog-router",
    "binlog-sync",
    "pulse",
    "tracking",
];

fn example(name: &str) -> PathBuf {
    root().join("guest-examples").join(name)
}

fn guest(name: &str) -> PathBuf {
    let file = root().join(format!("target/guests/{name}.wasm"));
    assert!(file.exists(), "{}: run scripts/guests/build.sh", file.display());
    file
}

#[test]
fn every_example_has_a_sound_pipeline_and_passes_its_cases() {
    for name in EXAMPLES {
        let folder = example(name);
        let yaml = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "yaml");
        for file in walk(&folder).iter().filter(|path| yaml(path)) {
            ok(&wasmill(&folder, &["validate", &file.display().to_string()]));
        }
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
fn a_case_that_differs_is_shown_and_can_be_accepted() {
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
    ok(&wasmill(copy.path(), &["test", "--update", "--module", &module]));
    let accepted = fs::read_to_string(&expected).expect("a file");
    assert_eq!(ok(&wasmill(copy.path(), &["test", "--module", &module])), "keeps: ok\n1 passed, 0 failed\n");
    // As it was called before.
    fs::write(&expected, "").expect("written");
    ok(&wasmill(copy.path(), &["test", "--bless", "--module", &module]));
    assert_eq!(fs::read_to_string(&expected).expect("a file"), accepted);
}

#[test]
fn mistakes_in_cases_are_named_with_their_place() {
    let (copy, module) = cases();
    let test = || wasmill(copy.path(), &["test", "--module", &module]);
    let (input, output) = (copy.path().join("tests/keeps.in.ndjson"), copy.path().join("tests/keeps.out.ndjson"));
    fs::write(&output, "\n{\"row\":0,\"valeu\":\"x\"}\n").expect("written");
    refused(&test(), 2, "tests/keeps.out.ndjson:2: unknown field `valeu`, expected one of");
    fs::remove_file(&output).expect("removed");
    refused(&test(), 2, "`wasmill test --update` writes");
    fs::write(&input, "{\"key\":\"a\"}\n\n{\"key\":").expect("written");
    refused(&test(), 2, "tests/keeps.in.ndjson:3:7: EOF");
    fs::remove_file(&input).expect("removed");
    refused(&test(), 2, "no case is there: write NAME.in.ndjson");
    refused(&wasmill(copy.path(), &["test", "--module", "nothing.wasm"]), 2, "no case is there");
    refused(&wasmill(copy.path(), &["build"]), 2, "make one with `wasmill new rust");
}

#[test]
fn a_name_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    ok(&wasmill(folder.path(), &["new", "rust", "my-func"]));
    refused(&wasmill(folder.path(), &["new", "rust", "my-func"]), 2, "is there and not empty");
    refused(&wasmill(folder.path(), &["new", "rust", "My Func"]), 2, "is no name for a module");
    refused(&wasmill(folder.path(), &["new", "cobol", "other"]), 2, "invalid value 'cobol' for '<LANGUAGE>'");
    refused(&wasmill(folder.path(), &["new", "rust", "other", "--template", "x"]), 2, "blank, log-clean, router, cdc");
    refused(&wasmill(folder.path(), &["new", "rust", "other", "--sdk", "."]), 2, "is not there (no Cargo.toml)");
}

/// Makes a project from a template, builds it and runs its cases.
fn builds_and_passes(language: &str, template: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let project = new_project(folder.path(), language, template);
    // Cargo's tests of a project would build its packages anew for the machine: minutes.
    let unit_tests = if matches!(language, "js" | "ts") { "&& npm test >&2" } else { "" };
    let script = format!("\"$wasm\" --json build && \"$wasm\" --json test {unit_tests}");
    let said = ok(&author(language, &project, &script));
    let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let (built, tested) = (lines.next().expect("built"), lines.next().expect("tested"));
    let name = format!("new-{template}");
    assert_eq!((&built["file"], &built["description"]["name"]), (&format!("{name}.wasm").into(), &name.into()));
    assert_eq!((&tested["passed"], &tested["failed"]), (&1.into(), &0.into()), "{tested}");
}

#[test]
fn a_new_rust_blank_project_builds_and_passes_its_cases() {
    builds_and_passes("rust", "blank");
}

#[test]
fn a_new_rust_log_clean_project_builds_and_passes_its_cases() {
    builds_and_passes("rust", "log-clean");
}

#[test]
fn a_new_rust_router_project_builds_and_passes_its_cases() {
    builds_and_passes("rust", "router");
}

#[test]
fn a_new_rust_cdc_project_builds_and_passes_its_cases() {
    builds_and_passes("rust", "cdc");
}

#[test]
fn a_new_go_blank_project_builds_and_passes_its_cases() {
    builds_and_passes("go", "blank");
}

/// `errors` is a package of Go's own.
#[test]
fn a_project_of_go_may_be_called_as_a_package_of_go() {
    let folder = tempfile::tempdir().expect("a folder");
    ok(&wasmill(folder.path(), &["new", "go", "errors"]));
    let project = folder.path().join("errors");
    ok(&author("go", &project, "\"$wasm\" build && \"$wasm\" test"));
    assert!(project.join("errors.wasm").is_file());
}

#[test]
fn a_new_go_log_clean_project_builds_and_passes_its_cases() {
    builds_and_passes("go", "log-clean");
}

#[test]
fn a_new_go_router_project_builds_and_passes_its_cases() {
    builds_and_passes("go", "router");
}

#[test]
fn a_new_go_cdc_project_builds_and_passes_its_cases() {
    builds_and_passes("go", "cdc");
}

#[test]
fn the_tests_of_new_go_projects_pass_natively() {
    for template in ["blank", "log-clean", "router", "cdc"] {
        let folder = tempfile::tempdir().expect("a folder");
        let project = new_project(folder.path(), "go", template);
        ok(&author("go", &project, "go vet ./... && go test ./..."));
    }
}

#[test]
fn the_sdk_of_go_and_its_examples_pass_their_tests() {
    let sdk = root().join("sdk/go");
    ok(&author("go", &sdk, "go vet ./... && GOOS=wasip1 GOARCH=wasm go vet ./... && go test ./..."));
    for example in ["filter", "log-clean"] {
        let project = sdk.join("examples").join(example);
        ok(&author("go", &project, "go vet ./... && go test ./... && \"$wasm\" test"));
    }
}

#[test]
fn a_project_of_go_that_cannot_be_built_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = new_project(folder.path(), "go", "blank");
    let missing = author("go", &project, "GO=no-such-go \"$wasm\" build");
    refused(&missing, 1, "`no-such-go` is not installed here: install Go 1.24 or newer from https://go.dev/dl");
    fs::write(project.join("main.go"), "package main\n\nfunc main() {}\n").expect("written");
    refused(&author("go", &project, "\"$wasm\" build"), 5, "it does not use the SDK");
}

#[test]
fn a_new_js_blank_project_builds_and_passes_its_cases() {
    builds_and_passes("js", "blank");
}

#[test]
fn a_new_js_log_clean_project_builds_and_passes_its_cases() {
    builds_and_passes("js", "log-clean");
}

#[test]
fn a_new_js_router_project_builds_and_passes_its_cases() {
    builds_and_passes("js", "router");
}

#[test]
fn a_new_js_cdc_project_builds_and_passes_its_cases() {
    builds_and_passes("js", "cdc");
}

#[test]
fn a_new_ts_blank_project_builds_and_passes_its_cases() {
    builds_and_passes("ts", "blank");
}

#[test]
fn a_new_ts_log_clean_project_builds_and_passes_its_cases() {
    builds_and_passes("ts", "log-clean");
}

#[test]
fn a_new_ts_router_project_builds_and_passes_its_cases() {
    builds_and_passes("ts", "router");
}

#[test]
fn a_new_ts_cdc_project_builds_and_passes_its_cases() {
    builds_and_passes("ts", "cdc");
}

#[test]
fn new_c_projects_build_and_pass_their_cases() {
    ["blank", "log-clean", "router", "cdc"].iter().for_each(|template| builds_and_passes("c", template));
}

#[test]
fn a_new_python_blank_project_builds_and_passes_its_cases() {
    builds_and_passes("python", "blank");
}

#[test]
fn a_new_python_router_project_builds_and_passes_its_cases() {
    builds_and_passes("python", "router");
}

#[test]
fn a_new_python_cdc_project_builds_and_passes_its_cases() {
    builds_and_passes("python", "cdc");
}

/// `scripts/guests/languages.sh` built them as `wasmill new` makes them.
#[test]
fn new_log_clean_projects_pass_their_cases() {
    for language in ["c", "python"] {
        let folder = tempfile::tempdir().expect("a folder");
        let project = new_project(folder.path(), language, "log-clean");
        let module = guest(&format!("log-clean-{language}")).display().to_string();
        let said = ok(&wasmill(&project, &["test", "--module", &module]));
        assert_eq!(said, "first: ok\n1 passed, 0 failed\n");
    }
}

#[test]
fn a_toolchain_that_is_missing_is_named_with_the_command_that_installs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for (language, command) in
        [("c", "`pip install ziglang==0.17.1`"), ("python", "`pip install componentize-py==0.25.1`")]
    {
        let name = format!("my-{language}");
        ok(&wasmill(folder.path(), &["new", language, &name]));
        let mut build = std::process::Command::new(env!("CARGO_BIN_EXE_wasmill"));
        build
            .arg("build")
            .current_dir(folder.path().join(&name))
            .env("PATH", folder.path())
            .env_remove("WASI_SDK_PATH");
        refused(&build.output().expect("it runs"), 1, command);
    }
}

#[test]
fn what_a_compiler_refuses_is_said_in_its_own_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = new_project(folder.path(), "c", "blank");
    fs::write(project.join("src/more.c"), "int more(void) { return nothing; }\n").expect("written");
    let output = author("c", &project, "\"$wasm\" build");
    refused(&output, 1, "src/more.c:1:");
    refused(&output, 1, "the C compiler did not build the module");
    let project = new_project(folder.path(), "python", "router");
    fs::write(project.join("main.py"), "import nothing_of_this_name\n").expect("written");
    refused(&author("python", &project, "\"$wasm\" build"), 1, "nothing_of_this_name");
}

#[test]
fn inspect_says_what_is_granted() {
    let file = guest("filter").display().to_string();
    let said = ok(&wasmill(&root(), &["inspect", &file]));
    for words in [
        "filter 0.1.0: ",
        "  contains: ",
        "world: columns",
        "exports: wasmill:transform/",
        "  granted  wasmill:transform/types@0.1.0: types alone",
        "a host would take it",
    ] {
        assert!(said.contains(words), "{said} does not say {words:?}");
    }
    let said: Value = serde_json::from_str(&ok(&wasmill(&root(), &["inspect", "--json", &file]))).expect("JSON");
    assert_eq!((&said["world"], &said["description"]["name"]), (&"columns".into(), &"filter".into()));
    assert_eq!(said["refused"], Value::Null);
    assert_eq!(said["bytes"], fs::metadata(&file).expect("a file").len());
    let imports = said["imports"].as_array().expect("imports");
    assert!(!imports.is_empty() && imports.iter().all(|import| import["granted"] == true), "{said}");
}

#[test]
fn inspect_says_what_a_host_would_refuse() {
    let file = guest("wants-secrets").display().to_string();
    let output = wasmill(&root(), &["inspect", &file]);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stdout);
    for words in
        ["  REFUSED  example:secrets/store", "a host would refuse it: the component imports `example:secrets/store`"]
    {
        assert!(said.contains(words), "{said} does not say {words:?}");
    }
    let file = guest("other-world").display().to_string();
    let said = wasmill(&root(), &["inspect", "--json", &file]).stdout;
    let said: Value = serde_json::from_slice(&said).expect("JSON");
    assert_eq!((&said["refused"]["code"], &said["world"]), (&"wrong-world".into(), &Value::Null), "{said}");
    refused(&wasmill(&root(), &["inspect", "README.md"]), 5, "not a WebAssembly module: it is text");
    refused(&wasmill(&root(), &["inspect", "nothing.wasm"]), 2, "nothing.wasm: ");
}
