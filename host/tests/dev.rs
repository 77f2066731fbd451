//! `wasmill dev` as a program: what it builds, tests and makes live, and that a mistake reaches no pipeline.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/project.rs"]
mod project;
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crossbeam_channel::{Receiver, bounded};
use project::{author, author_command, new_project, ok, wasmill};
use serde_json::Value;
use support::{Kafka, wait_until};

/// Longest wait for a step: a build among others.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Says its steps one after another.
struct Steps {
    program: Running,
    lines: Receiver<Value>,
}

impl Steps {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        // A reader that nobody follows waits, and the program with it.
        let (to, lines) = bounded(1024);
        let out = child.stdout.take().expect("its output");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                to.send(serde_json::from_str(&line).expect("JSON")).ok();
            }
        });
        Self { program: Running(child), lines }
    }

    /// The next steps up to the one that waits, and whether each went well.
    fn round(&self) -> Vec<(String, bool, String)> {
        let mut steps = Vec::new();
        loop {
            let step = self.lines.recv_timeout(PATIENCE).expect("a step");
            let text = |field: &str| step[field].as_str().expect("text").to_owned();
            if step["step"] == "waiting" {
                return steps;
            }
            steps.push((text("step"), step["ok"] == true, text("says")));
        }
    }
}

fn names(steps: &[(String, bool, String)]) -> Vec<(&str, bool)> {
    steps.iter().map(|(step, ok, _)| (step.as_str(), *ok)).collect()
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).expect("written");
}

#[test]
fn every_change_that_passes_goes_live_and_no_other() {
    let kafka = Kafka::start(&[("new-blank-in", 1), ("new-blank-out", 1), ("new-blank.dead", 1)]);
    let folder = tempfile::tempdir().expect("a folder");
    let project = new_project(folder.path(), "rust", "blank");
    let source = project.join("src/lib.rs");
    change(&project.join("pipeline.yaml"), "127.0.0.1:9092", kafka.mock.brokers());

    // A case that differs is no success, and says why.
    let expected = project.join("tests/first.out.ndjson");
    change(&expected, "hello", "goodbye");
    let once = author("rust", &project, "\"$wasm\" dev --once");
    assert_eq!(once.status.code(), Some(1));
    let said = String::from_utf8_lossy(&once.stdout);
    for words in ["build    new-blank.wasm, ", "test     FAILED: 0 passed, 1 failed", "+  \"value\": \"hello\""] {
        assert!(said.contains(words), "{said} does not say {words:?}");
    }
    change(&expected, "goodbye", "hello");
    let said = ok(&author("rust", &project, "\"$wasm\" dev --once"));
    assert!(said.contains("test     1 passed, 0 failed"), "{said}");

    // A host with the pipeline, and the project watched.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let (address, host) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let run = Command::new(env!("CARGO_BIN_EXE_wasmill"))
        .args(["run", "pipeline.yaml", "--admin", &address, "--data-dir", "../data"])
        .current_dir(&project)
        .stderr(Stdio::null())
        .spawn();
    let _run = Running(run.expect("a host"));
    let status = || wasmill(&project, &["--json", "--host", &host, "status", "new-blank"]);
    wait_until("the host", || status().status.success());
    let release = || serde_json::from_str::<Value>(&ok(&status())).expect("JSON")["release"].clone();
    let script = format!("exec \"$wasm\" --json --host {host} dev --pipeline new-blank");
    let mut dev = Steps::of(author_command("rust", &project, &script));

    // The pipeline has these bytes already.
    let steps = dev.round();
    assert_eq!(names(&steps), [("build", true), ("test", true), ("swap", true)], "{steps:?}");
    assert!(steps[2].2.contains("release 1 has this module already"), "{steps:?}");

    // A mistake stays here.
    change(&source, "row.value().is_some()", "row.value().is_none()");
    let steps = dev.round();
    assert_eq!(names(&steps), [("changed", true), ("build", true), ("test", false)], "{steps:?}");
    assert!(steps[0].2.contains("src/lib.rs") && steps[2].2.contains("0 passed, 1 failed"), "{steps:?}");
    change(&source, "fn transform", "fn transfrom");
    let steps = dev.round();
    assert_eq!(names(&steps), [("changed", true), ("build", false)], "{steps:?}");
    assert_eq!(release(), 1);

    // And what passes goes live.
    let text = fs::read_to_string(&source).expect("a file").replace("fn transfrom", "fn transform");
    let passes = "row.value().is_some() || row.key().is_some_and(|key| key == b\"z\")";
    fs::write(&source, text.replace("row.value().is_none()", passes)).expect("written");
    let steps = dev.round();
    assert_eq!(names(&steps), [("changed", true), ("build", true), ("test", true), ("swap", true)], "{steps:?}");
    assert!(steps[3].2.contains("new-blank: release 2, new-blank@0.1.0-dev.1"), "{steps:?}");
    assert_eq!(release(), 2);

    let pid = dev.program.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("it runs").success());
    assert_eq!(dev.program.0.wait().expect("it ends").code(), Some(0));
}
