//! The engine against real modules: what it takes, what it refuses, and what becomes of a guest that misbehaves.
//!
//! The modules are those of `guest-examples`, built by `scripts/guests/build.sh`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use support::{Host, guest, host};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, CallError, Fire, GuestOutput, Instance, LoadError, LogLevel, Module, NoOutput, StartError, World},
    limits::Limits,
    output::Output,
};

/// The one artefact in the host's cache.
fn artifact(host: &Host) -> PathBuf {
    let files = std::fs::read_dir(host.cache.path().join("artifacts")).expect("a folder");
    let mut files = files.map(|entry| entry.expect("an entry").path());
    files.find(|path| path.extension().is_some_and(|kind| kind == "artifact")).expect("an artefact")
}

fn start(module: &Module, limits: Limits, config: &[(&str, &str)]) -> Result<Instance, StartError> {
    let config: Vec<_> = config.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    module.instantiate(limits, &config, Arc::new(NoOutput))
}

/// Rows at offsets 100, 101 and so on; every second one has a header.
fn rows(values: &[Option<&str>]) -> MemoryRows {
    let mut rows = MemoryRows::default();
    for (row, value) in values.iter().enumerate() {
        let headers = [(&b"h"[..], Some(&b"x"[..]))];
        rows.push(100 + row as i64, 7, Some(b"key"), value.map(str::as_bytes), &headers[..row % 2]);
    }
    rows
}

fn call(instance: &mut Instance, rows: &MemoryRows, attempt: u32) -> Result<Output, CallError> {
    let mut columns = Columns::default();
    columns.pack(rows, 0..rows.offsets.len(), Reads::ALL);
    instance.transform(&Call { topic: "t", partition: 0, attempt, columns: &columns })
}

/// What an evil guest's call comes to, with these limits, for one good row and one bad one.
fn evil(mode: &str, limits: Limits) -> Result<Output, CallError> {
    let host = host();
    let mut instance = start(&host.load("evil"), limits, &[("mode", mode), ("when", "bad")]).expect("starts");
    call(&mut instance, &rows(&[Some("good"), Some("bad")]), 0)
}

#[test]
fn transforms_columns_and_says_what_was_kept() {
    let host = host();
    let module = host.load("log-clean");
    assert_eq!((module.world(), module.description().name.as_str()), (World::Columns, "log-clean"));
    let mut instance = start(&module, Limits::default(), &[("ignore", "password"), ("mark", "v1")]).expect("starts");
    assert_eq!(instance.plan().routes, ["clean"]);
    let rows = rows(&[Some(r#"{"a":1,"password":"x"}"#), Some("no json"), Some(r#"{"b":2}"#)]);
    let output = call(&mut instance, &rows, 0).expect("an output");
    assert_eq!((output.rows, output.keys, output.rejects.len()), (vec![0, 2], None, 1));
    let values = output.values.expect("values");
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.expect("a value")).into_owned();
    let texts: Vec<_> = values.column.iter().map(text).collect();
    assert_eq!(texts, [r#"{"a":1,"mark":"v1"}"#, r#"{"b":2,"mark":"v1"}"#]);
}

#[test]
fn transforms_records_as_columns() {
    let host = host();
    let module = host.load("records-echo");
    assert_eq!(module.world(), World::Records);
    let mut instance = start(&module, Limits::default(), &[]).expect("starts");
    let rows = rows(&[Some("a"), Some("upper"), Some("null"), None, Some("drop"), Some("reject")]);
    let output = call(&mut instance, &rows, 0).expect("an output");
    assert_eq!((output.rows.as_slice(), output.rejects[0].row), (&[0, 1, 2, 3][..], 5));
    let values = output.values.expect("values");
    assert_eq!((values.kept, values.column.nulls.clone()), (vec![0, 3], vec![2]));
    assert_eq!(values.column.get(1), Some(&b"UPPER"[..]));
    let headers = output.headers.expect("headers");
    assert_eq!([0, 1, 2, 3].map(|record| headers.row(record).count()), [0, 2, 0, 2]);
    assert_eq!(headers.row(1).last(), Some((&b"seen"[..], Some(&b"101"[..]))));
}

#[test]
fn an_artefact_is_compiled_once_and_a_damaged_one_again() {
    let host = host();
    assert!(host.load("identity").compiled_in().is_some());
    assert!(host.load("identity").compiled_in().is_none());
    let mut bytes = std::fs::read(artifact(&host)).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(artifact(&host), bytes).expect("written");
    assert!(host.load("identity").compiled_in().is_some(), "a damaged artefact must not be loaded");
}

#[test]
fn refuses_what_is_no_module_and_says_why() {
    let host = host();
    host.load("filter");
    // What wasmtime would call a .cwasm: an artefact of the cache without its seal of 32 bytes.
    let precompiled = std::fs::read(artifact(&host)).expect("bytes")[32..].to_vec();
    let refused = |bytes: &[u8]| host.engine.load(bytes).map(|_| ()).expect_err("must be refused");
    let native = std::fs::read(env!("CARGO_BIN_EXE_wasmill")).expect("this program");
    let cases: [(LoadError, &str, &str); 8] = [
        (refused(b""), "not-wasm", "it is empty"),
        (refused(b"hello there"), "not-wasm", "text that begins with \"hello there\""),
        (refused(&native[..4096]), "not-wasm", "native program"),
        (refused(b"\0asm\x0d\0\x01\0garbage"), "compile-failed", "compiling failed"),
        (refused(&guest("other-world")), "wrong-world", "`wasmill:transform/meta@0.1.0`"),
        (refused(&guest("wants-secrets")), "unknown-import", "`example:secrets/store`"),
        (refused(&vec![0; (64 << 20) + 1]), "module-too-large", "67108865"),
        (refused(&precompiled), "precompiled", "ahead of time"),
    ];
    for (error, code, words) in cases {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error} does not say {words}");
    }
}

#[test]
fn a_module_that_does_not_start_says_why() {
    let host = host();
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let said = |name: &str, config: &[(&str, &str)]| {
        start(&host.load(name), limits, config).map(|_| ()).expect_err("must not start").to_string()
    };
    let cases = [
        (said("evil", &[]), "setting `mode` is required"),
        (said("evil", &[("mode", "init-error")]), "told to refuse"),
        (said("evil", &[("mode", "init-trap")]), "told to panic in init"),
        (said("evil", &[("mode", "init-spin")]), "`limits.time` of 200ms"),
        (said("malformed", &[("mode", "no-routes")]), "names 0 routes"),
        (said("malformed", &[("mode", "twice")]), "names route `a` twice"),
        (said("malformed", &[("mode", "bad-name")]), "\"a b\" is no name"),
    ];
    for (said, words) in cases {
        assert!(said.contains(words), "{said:?} does not say {words:?}");
    }
}

#[test]
fn a_panic_carries_its_words() {
    let error = evil("trap", Limits::default()).expect_err("a trap");
    assert!(error.may_be_one_row() && !error.keeps_instance());
    let CallError::Trap { message, backtrace } = error else { panic!("{error}") };
    assert!(message.contains("told to panic at offset 101"), "{message}");
    assert!(!backtrace.is_empty());
}

#[test]
fn an_endless_loop_meets_its_deadline() {
    let limit = Duration::from_millis(150);
    let error = evil("spin", Limits { time: limit, ..Limits::default() }).expect_err("a deadline");
    assert_eq!(error, CallError::Deadline { limit });
}

#[test]
fn memory_is_bounded() {
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    assert!(evil("drop", limits).is_ok());
    let error = evil("oom", limits).expect_err("too much memory");
    assert!(matches!(error, CallError::Memory { limit, .. } if limit == limits.memory), "{error}");
}

#[test]
fn deep_recursion_is_a_trap() {
    let error = evil("recurse", Limits::default()).expect_err("a trap");
    // Which of its two stacks a guest runs out of first is its compiler's business.
    assert!(matches!(error, CallError::Trap { .. }), "{error}");
}

#[test]
fn output_is_bounded_in_bytes_and_in_records() {
    let limits = Limits { memory: 512 << 20, time: Duration::from_secs(60), output: 1 << 20, ..Limits::default() };
    assert!(evil("fan-out", limits).is_ok());
    let error = evil("flood", limits).expect_err("too much");
    assert_eq!(error, CallError::TooMuchOutput { limit: 1 << 20 });
    let error = evil("fan-out", Limits { output_records: 3, ..limits }).expect_err("too many");
    assert!(error.to_string().contains("4 records, above the limit of 3"), "{error}");
}

#[test]
fn what_the_module_asks_for_is_passed_on_and_keeps_the_instance() {
    let host = host();
    let module = host.load("evil");
    let mut instance = start(&module, Limits::default(), &[("mode", "retry")]).expect("starts");
    let rows = rows(&[Some("bad")]);
    assert_eq!(call(&mut instance, &rows, 0), Err(CallError::Retry("attempt 0".into())));
    assert!(call(&mut instance, &rows, 3).is_ok());
    let mut instance = start(&module, Limits::default(), &[("mode", "fatal")]).expect("starts");
    assert_eq!(call(&mut instance, &rows, 0), Err(CallError::Fatal("told to stop".into())));
}

#[test]
fn a_broken_instance_answers_errors_only() {
    let host = host();
    let mut instance = start(&host.load("evil"), Limits::default(), &[("mode", "trap")]).expect("starts");
    let rows = rows(&[Some("bad")]);
    assert!(matches!(call(&mut instance, &rows, 0), Err(CallError::Trap { .. })));
    assert!(matches!(call(&mut instance, &rows, 0), Err(CallError::Fatal(_))));
}

#[test]
fn a_malformed_answer_is_named() {
    let host = host();
    let module = host.load("malformed");
    let cases = [
        ("descend", "`rows[1]` is 1 after 2"),
        ("row", "`rows[0]` is 3, but must be below 3"),
        ("route", "`routes[0]` is 7"),
        ("ends", "the last end is 4294967295"),
        ("length", "column `timestamps` has 0 entries"),
    ];
    for (mode, words) in cases {
        let mut instance = start(&module, Limits::default(), &[("mode", mode)]).expect("starts");
        let error = call(&mut instance, &rows(&[Some("a"), Some("b"), Some("c")]), 0).expect_err("malformed");
        assert!(error.to_string().contains(words), "{mode}: {error}");
    }
    let mut instance = start(&host.load("evil"), Limits::default(), &[("mode", "descend")]).expect("starts");
    let error = call(&mut instance, &rows(&[Some("a"), Some("b")]), 0).expect_err("a mistake");
    assert!(error.to_string().contains("row 0 was kept after row 1"), "{error}");
}

#[test]
fn what_a_guest_says_is_heard_within_bounds() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);
    impl GuestOutput for Heard {
        fn log(&self, _: LogLevel, message: &str) {
            self.0.lock().expect("a lock").push(message.to_owned());
        }
        fn count(&self, name: &str, _: u64) {
            self.0.lock().expect("a lock").push(format!("count {name}"));
        }
        fn observe(&self, _: &str, _: f64) {}
    }
    let (host, heard) = (host(), Arc::new(Heard::default()));
    let config = [("mode".to_string(), "log-flood".to_string())];
    let listener: Arc<dyn GuestOutput> = heard.clone();
    let mut instance = host.load("evil").instantiate(Limits::default(), &config, listener).expect("starts");
    call(&mut instance, &rows(&[Some("bad")]), 0).expect("an output");
    let heard = heard.0.lock().expect("a lock");
    assert_eq!(heard.first().map(String::as_str), Some("line 0"));
    assert!(heard.len() < 10_000, "{} lines of 100,000", heard.len());
    assert_eq!(heard.iter().filter(|line| line.starts_with("count ")).count(), 64);
}

#[test]
fn settings_and_log_are_there_by_wasis_own_interfaces() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<(LogLevel, String)>>);
    impl GuestOutput for Heard {
        fn log(&self, level: LogLevel, message: &str) {
            self.0.lock().expect("a lock").push((level, message.to_owned()));
        }
        fn count(&self, _: &str, _: u64) {}
        fn observe(&self, _: &str, _: f64) {}
    }
    let (host, heard) = (host(), Arc::new(Heard::default()));
    let config = [("first", "1"), ("second", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let listener: Arc<dyn GuestOutput> = heard.clone();
    let instance = host.load("standard").instantiate(Limits::default(), &config, listener);
    assert_eq!(instance.expect("starts").plan().routes, ["first-1", "second-2"]);
    let heard = heard.0.lock().expect("a lock");
    let expected = [(LogLevel::Error, "init: Some(\"1\") None"), (LogLevel::Debug, "no context")];
    assert_eq!(*heard, expected.map(|(level, line)| (level, line.to_owned())));
}

#[test]
fn nothing_is_left_of_a_thousand_instances() {
    let host = host();
    let module = host.load("identity");
    for _ in 0..1000 {
        let mut instance = start(&module, Limits::default(), &[]).expect("starts");
        call(&mut instance, &rows(&[Some("a")]), 0).expect("an output");
    }
    assert_eq!(host.engine.instances().unwrap_or(0), 0);
}

#[test]
fn a_timer_is_found_by_looking_and_answers_for_a_row_of_nobody() {
    let host = host();
    let at = 1_700_000_000_000;
    let fire = |instance: &mut Instance, attempt| instance.fire(Fire { at, now: at + 5, attempt });
    let values = |output: &Output| {
        let column = &output.values.as_ref().expect("values").column;
        column.iter().map(|value| String::from_utf8_lossy(value.expect("a value")).into_owned()).collect::<Vec<_>>()
    };

    let module = host.load("timed");
    assert_eq!((module.has_timer(), module.timer_export().as_str()), (true, "wasmill:transform/timer@0.1.0"));
    let mut instance = start(&module, Limits::default(), &[]).expect("starts");
    call(&mut instance, &rows(&[Some("a"), Some("b"), None]), 0).expect("an output");
    let output = fire(&mut instance, 4).expect("an output");
    assert_eq!((output.rows.as_slice(), output.routes.as_slice()), (&[0][..], &[1][..]));
    assert_eq!(values(&output), [format!("{at} 4 3")], "what the batch left in the instance is at hand");
    assert_eq!(output.keys.expect("keys").column.get(0), Some(&b"fire"[..]));

    let module = host.load("records-timed");
    assert_eq!((module.has_timer(), module.world()), (true, World::Records));
    let mut instance = start(&module, Limits::default(), &[]).expect("starts");
    call(&mut instance, &rows(&[Some("a"), Some("b")]), 0).expect("an output");
    let output = fire(&mut instance, 0).expect("an output");
    assert_eq!((output.rows.as_slice(), output.keys.as_ref(), values(&output)), (&[0][..], None, vec!["2".to_owned()]));

    let module = host.load("identity");
    assert!(!module.has_timer());
    let mut instance = start(&module, Limits::default(), &[]).expect("starts");
    assert!(matches!(fire(&mut instance, 0), Err(CallError::Fatal(_))));
}

#[test]
fn a_fire_that_misbehaves_ends_its_own_call() {
    let host = host();
    let module = host.load("timed");
    let fired = |mode| {
        let mut instance = start(&module, Limits::default(), &[("fire", mode)]).expect("starts");
        instance.fire(Fire { at: 1, now: 1, attempt: 0 })
    };
    assert!(matches!(fired("retry"), Err(CallError::Retry(reason)) if reason == "attempt 0"));
    assert!(matches!(fired("fatal"), Err(CallError::Fatal(reason)) if reason == "told to stop"));
    let trap = fired("trap").expect_err("a trap");
    assert!(trap.to_string().contains("told to panic in a fire") && !trap.backtrace().is_empty(), "{trap}");
    assert_eq!(fired("reject").expect("an output").rejects[0].row, 0);
    let tombstone = fired("tombstone").expect("an output");
    assert_eq!((tombstone.rows.as_slice(), tombstone.values), (&[0][..], None), "the row's own null is kept");
}

#[test]
#[cfg(target_os = "linux")]
fn the_compiler_gives_way_and_ends_with_its_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("component");
    // It waits there for a component that never comes.
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let script = r#""$0" compile-worker "$1" "$1.code" 1000000000 60 & echo $!; wait"#;
    let mut parent = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_wasmill")])
        .arg(&pipe)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut pid = String::new();
    BufReader::new(parent.stdout.take().expect("a pipe")).read_line(&mut pid).expect("a line");
    let pid = pid.trim();
    // Fields behind the name, which is in brackets (`man proc_pid_stat`): state, parent, group, session; nice.
    let stat = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<String> = text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect();
        (fields[0] != "Z").then(|| (fields[3].clone(), fields[16].clone()))
    };
    let given_way = (pid.to_owned(), "19".to_owned());
    support::wait_until("its session and priority", || stat().expect("it runs") == given_way);
    parent.kill().expect("a child");
    parent.wait().expect("a child");
    support::wait_until("its end", || stat().is_none());
}
