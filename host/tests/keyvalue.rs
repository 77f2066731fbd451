//! Guests and the store that they are granted: what they get, what traps them, and what becomes of a batch when the
//! store is away.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::{net::TcpListener, sync::Arc, time::Duration};

use support::{Host, host, load_config};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    config,
    engine::{Call, CallError, Instance, NoOutput, StartError},
    grants::Granted,
    limits::Limits,
    output::Output,
};

struct World {
    host: Host,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { host: host(), runtime: runtime.expect("a runtime") }
    }

    fn open(&self, keyvalue: &str) -> Granted {
        Granted::open(&grants(keyvalue), self.runtime.handle(), None).expect("granted")
    }

    fn start(&self, granted: &Granted, limits: Limits, config: &[(&str, &str)]) -> Result<Instance, StartError> {
        let config: Vec<_> = config.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        self.host.load("keyvalue").instantiate_with(limits, &config, Arc::new(NoOutput), &granted.for_engine())
    }
}

fn grants(keyvalue: &str) -> config::Grants {
    let yaml = format!(
        "pipeline: test\nsource: {{ kafka: {{ brokers: [\"127.0.0.1:9\"], topics: [in] }} }}\n\
         module: {{ ref: m@1, grants: {{ keyvalue: {keyvalue} }} }}\nroutes: {{ out: [out] }}\n\
         sinks: {{ out: {{ stdout: {{}} }} }}\n"
    );
    load_config(&yaml).module.grants
}

fn call(instance: &mut Instance, lines: &[&str]) -> Result<Output, CallError> {
    let mut rows = MemoryRows::default();
    lines.iter().enumerate().for_each(|(row, line)| rows.push(row as i64, 0, None, Some(line.as_bytes()), &[]));
    let mut columns = Columns::default();
    columns.pack(&rows, 0..lines.len(), Reads::ALL);
    instance.transform(&Call { topic: "t", partition: 0, attempt: 0, columns: &columns })
}

fn answers(instance: &mut Instance, lines: &[&str]) -> Vec<String> {
    let values = call(instance, lines).expect("an output").values.expect("values");
    values.column.iter().map(|value| String::from_utf8_lossy(value.expect("a value")).into_owned()).collect()
}

/// A server that takes connections and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

const BUCKETS: &str = "{ memory: { value: 64KiB, buckets: { default: {}, items: { read_only: true } } } }";

#[test]
fn a_guest_gets_what_it_is_granted_and_nothing_else() {
    let world = World::new();
    let granted = world.open(BUCKETS);
    let mut instance = world.start(&granted, Limits::default(), &[]).expect("starts");
    let said = answers(&mut instance, &["- get a", "- set a 1", "default get a", "- has a", "- add n 5", "- add n 6"]);
    assert_eq!(said, ["nothing", "set", "1", "true", "5", "11"]);
    let said = answers(
        &mut instance,
        &["- many a b n", "- keys", "- delete a b", "- has a", "items get a", "items set a 1", "seen get a"],
    );
    let expected = ["1,nothing,11", "a,n", "deleted", "false", "nothing", "AccessDenied", "NoSuchStore"];
    assert_eq!(said, expected);
    let said = answers(&mut instance, &["- set a many", "- add a 1"]);
    assert!(said[1].starts_with("Other(") && said[1].contains("no whole number"), "{said:?}");
    // Lanes share a store, and so does the next release.
    let mut other = world.start(&granted, Limits::default(), &[]).expect("starts");
    assert_eq!(answers(&mut other, &["- get n"]), ["11"]);
    let next = Granted::open(&grants(BUCKETS), world.runtime.handle(), Some(&granted)).expect("granted");
    let mut other = world.start(&next, Limits::default(), &[]).expect("starts");
    assert_eq!(answers(&mut other, &["- get n", "- fill 2500", "- keys"]), ["11", "filled", "2502"]);
    let changed = grants("{ memory: { value: 32KiB } }");
    let changed = Granted::open(&changed, world.runtime.handle(), Some(&granted)).expect("granted");
    let mut other = world.start(&changed, Limits::default(), &[]).expect("starts");
    assert_eq!(answers(&mut other, &["- get n"]), ["nothing"]);
}

#[test]
fn a_module_on_trial_has_a_store_of_its_own() {
    let world = World::new();
    let (_silent, url) = silent();
    let settings =
        grants(&format!("{{ redis: {{ url: \"{url}\", buckets: {{ items: {{ read_only: true }}, seen: {{}} }} }} }}"));
    let contents = [("items".to_owned(), [("a".to_owned(), b"shoes".to_vec())].into())].into();
    let granted = Granted::on_trial(&settings, &contents).expect("granted");
    let mut instance = world.start(&granted, Limits::default(), &[]).expect("starts");
    let said = answers(&mut instance, &["items get a", "items set a 1", "seen set a 1", "seen get a"]);
    assert_eq!(said, ["shoes", "AccessDenied", "set", "1"]);
    let strange = [("other".to_owned(), Default::default())].into();
    let refused = Granted::on_trial(&settings, &strange).map(drop).expect_err("no such bucket").to_string();
    assert!(refused.contains("bucket `other` is not granted") && refused.contains("`items`, `seen`"), "{refused}");
}

#[test]
fn more_than_is_allowed_traps_with_words() {
    let world = World::new();
    let granted = world.open(BUCKETS);
    for (line, words) in [("- large 65537", "65537 bytes"), ("- fill 10001", "10001 keys"), ("- get ", "1 to 1024")] {
        let mut instance = world.start(&granted, Limits::default(), &[]).expect("starts");
        let error = call(&mut instance, &[line]).expect_err(line);
        assert!(error.may_be_one_row(), "{error}");
        assert!(matches!(&error, CallError::Trap { message, .. } if message.contains(words)), "{error}");
    }
}

#[test]
fn without_its_store_a_module_says_so_and_no_row_is_blamed() {
    let world = World::new();
    let (_silent, url) = silent();
    let limits = Limits { time: Duration::from_millis(600), ..Limits::default() };
    let granted = world.open(&format!("{{ redis: {{ url: \"{url}\", timeout: 50ms }} }}"));
    let end = |on_error: &str| {
        let mut instance = world.start(&granted, limits, &[("on_error", on_error)]).expect("starts");
        let answer = call(&mut instance, &["- get a", "- get b"]);
        (answer, instance)
    };
    let (said, mut instance) = end("say");
    let values = said.expect("an output").values.expect("values");
    let first = String::from_utf8_lossy(values.column.get(0).expect("a value")).into_owned();
    assert!(first.starts_with("Unavailable(") && first.contains("no answer within 50ms"), "{first}");
    assert!(call(&mut instance, &["- get a"]).is_ok(), "the instance goes on");

    let (asked, _) = end("ask");
    assert!(matches!(&asked, Err(CallError::Retry(words)) if words.contains("no answer within 50ms")), "{asked:?}");
    for on_error in ["panic", "insist"] {
        let (failed, mut instance) = end(on_error);
        let error = failed.expect_err(on_error);
        assert!(matches!(&error, CallError::Store(words) if words.contains("no answer within")), "{on_error}: {error}");
        assert!(!error.may_be_one_row() && !error.keeps_instance());
        assert!(call(&mut instance, &["- get a"]).is_err(), "its state is not to be trusted");
    }
    // One that reads while it starts.
    let error = world.start(&granted, limits, &[("open", "")]).map(drop).expect_err("away");
    assert!(matches!(error, StartError::Call(CallError::Store(_))), "{error}");
}
