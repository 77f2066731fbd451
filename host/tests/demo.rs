//! `wasmill demo` as a user runs it, and the modules inside the binary against the sources that they come from.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{collections::BTreeMap, process::Command, sync::Arc};

use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, NoOutput},
    limits::Limits,
    output::Output,
};

#[test]
fn the_demo_proves_that_nothing_is_lost_or_doubled_over_a_swap() {
    let wasmill = env!("CARGO_BIN_EXE_wasmill");
    let done = Command::new(wasmill).args(["demo", "--records", "50000", "--json"]).output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("text");
    let last = text.lines().last().expect("a line");
    let summary: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let number = |name: &str| summary[name].as_u64().expect("a number");
    assert_eq!(number("in"), 50_000);
    assert_eq!(number("in"), number("out") + number("dropped") + number("dead_lettered"));
    assert_eq!((number("lost"), number("duplicated"), number("misplaced")), (0, 0, 0));
    assert!(number("dead_lettered") > 0 && number("records_per_second") > 0);
    let swap = &summary["swaps"][0];
    assert_eq!((swap["from"].as_str(), swap["to"].as_str()), (Some("log-clean@1"), Some("log-clean@2")));
    let began: BTreeMap<String, u64> = serde_json::from_value(swap["began"]["access-log"].clone()).expect("offsets");
    assert_eq!(began.len(), 8);
    assert!(began.values().all(|offset| (1..50_000 / 8).contains(offset)), "not in mid-stream: {began:?}");
}

#[test]
fn the_modules_inside_do_what_their_sources_do() {
    let host = support::host();
    let inside = |name: &str| {
        let path = format!("{}/modules/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
        host.engine.load(&std::fs::read(path).expect("bytes")).expect("a module")
    };
    let mut rows = MemoryRows::default();
    for value in [r#"{"remote_addr":"10.1.2.3","password":"x","a":[1]}"#, "no json", "{}"] {
        rows.push(0, 0, None, Some(value.as_bytes()), &[]);
    }
    let answer = |module: &wasmill::engine::Module| -> Output {
        let config = [("ignore".to_string(), "password".to_string()), ("set".to_string(), "env=prod".to_string())];
        let mut instance = module.instantiate(Limits::default(), &config, Arc::new(NoOutput)).expect("starts");
        let mut columns = Columns::default();
        columns.pack(&rows, 0..3, Reads::ALL);
        instance.transform(&Call { topic: "t", partition: 0, attempt: 0, columns: &columns }).expect("an output")
    };
    for (name, source) in [("log-clean-1", "log-clean"), ("log-clean-2", "log-clean-2")] {
        let (inside, built) = (inside(name), host.load(source));
        assert_eq!(answer(&inside), answer(&built), "{name} is stale: run `just guests`");
        assert_eq!(inside.description(), built.description(), "{name} is stale: run `just guests`");
    }
    let values = answer(&inside("log-clean-2")).values.expect("values");
    assert_eq!(values.column.get(0), Some(&br#"{"remote_addr":"10.1.2.0","a":[1],"env":"prod"}"#[..]));
}
