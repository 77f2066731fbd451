//! Modules of the Go compiler: what its runtime does in a sandbox, and what holds the SDK and the adapter together. The
//! module is the conformance guest of Go, which does a few things more for this.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{sync::Arc, time::Duration};

use support::{Host, host};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, CallError, Instance, NoOutput},
    limits::Limits,
    output::Output,
};

fn start(host: &Host, limits: Limits, settings: &[(&str, &str)]) -> Instance {
    let config: Vec<_> = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let module = host.load("conformance-go");
    module.instantiate(limits, &config, Arc::new(NoOutput)).expect("starts")
}

fn call(instance: &mut Instance, values: &[Vec<u8>]) -> Result<Output, CallError> {
    let mut rows = MemoryRows::default();
    for (row, value) in values.iter().enumerate() {
        rows.push(row as i64, 7, Some(b"key"), Some(value), &[]);
    }
    let mut columns = Columns::default();
    columns.pack(&rows, 0..values.len(), Reads::ALL);
    instance.transform(&Call { topic: "t", partition: 0, attempt: 0, columns: &columns })
}

/// What the call of a deed comes to.
fn ends(deed: &str, limits: Limits) -> CallError {
    let host = host();
    let mut instance = start(&host, limits, &[("do", deed)]);
    call(&mut instance, &[b"boom".to_vec()]).expect_err("it must not answer")
}

#[test]
fn a_panic_has_its_message_and_the_stack_of_go() {
    let error = ends("throw", Limits::default());
    let CallError::Trap { message, backtrace } = error else { panic!("{error}") };
    assert!(message.starts_with("panic: boom at row 0"), "{message}");
    for part in ["conformance/guest.throw", "guest/guest.go:", "conformance/guest.(*Guest).Transform"] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    // The frames below it have names as well.
    assert!(backtrace.iter().any(|frame| frame.contains("exportTransform")), "{backtrace:?}");
}

#[test]
fn recursion_without_end_is_a_trap_that_names_the_function() {
    let error = ends("recurse", Limits { memory: 64 << 20, ..Limits::default() });
    let CallError::Trap { message, backtrace } = error else { panic!("{error}") };
    assert!(message.contains("call stack exhausted"), "{message}");
    assert!(backtrace.iter().any(|frame| frame.contains("deeper")), "{backtrace:?}");
}

#[test]
fn a_sleep_ends_at_the_deadline() {
    let limit = Duration::from_millis(200);
    assert_eq!(ends("sleep", Limits { time: limit, ..Limits::default() }), CallError::Deadline { limit });
}

#[test]
fn a_deadlock_and_an_exit_say_what_they_are() {
    for (deed, words) in [("deadlock", "all goroutines are asleep - deadlock!"), ("exit", "the module called exit")] {
        let error = ends(deed, Limits::default());
        let CallError::Trap { message, .. } = error else { panic!("{error}") };
        assert!(message.contains(words), "{deed}: {message}");
    }
}

#[test]
fn goroutines_run_while_a_call_runs() {
    let host = host();
    let mut instance = start(&host, Limits::default(), &[("do", "goroutines")]);
    let values: Vec<_> = (0..500).map(|row| format!("row {row}").into_bytes()).collect();
    for _ in 0..20 {
        let output = call(&mut instance, &values).expect("an answer");
        let expected: Vec<_> = values.iter().map(|value| value.to_ascii_uppercase()).collect();
        let column = output.values.expect("values").column;
        assert!(column.iter().flatten().eq(expected.iter().map(Vec::as_slice)));
    }
}

/// Batches of all sizes in turn, with garbage in between, so that collections begin, go on and end at any point of a call,
/// and the memory for what comes in is too small now and then. What comes back is looked at, byte for byte.
#[test]
fn collections_and_batches_of_all_sizes_do_not_disturb_each_other() {
    let host = host();
    let mut seed = 1_u64;
    let mut next = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for deed in ["text", "copy"] {
        let mut instance = start(&host, Limits { time: Duration::from_secs(60), ..Limits::default() }, &[("do", deed)]);
        let mut after = 0;
        for batch in 0..600 {
            // From nothing to some megabytes; the largest come early, so that memory is not asked for later.
            let (rows, size) = match next(8) {
                0 => (next(3), 1 << 20),
                1 => (next(10_000), 10),
                2 => (0, 0),
                3 => (next(50), 100_000),
                _ => (next(1500), 400),
            };
            let value = |row: u64, size: u64| vec![b'a' + ((row + size) % 26) as u8; size as usize];
            let values: Vec<_> = (0..rows).map(|row| value(row, next(size + 1))).collect();
            let output = call(&mut instance, &values).unwrap_or_else(|error| panic!("{deed}, batch {batch}: {error}"));
            let end: &[u8] = if deed == "text" { b"!" } else { b"" };
            let column = output.values.map(|values| values.column).unwrap_or_default();
            assert_eq!(column.len(), values.len());
            for (found, value) in column.iter().zip(&values) {
                let found = found.expect("a value");
                assert!(
                    found.strip_suffix(end) == Some(value.as_slice()),
                    "{deed}, batch {batch}: a value was changed"
                );
            }
            if batch == 300 {
                after = instance.memory_bytes();
            }
        }
        assert!(instance.memory_bytes() <= after + (64 << 20), "{deed}: memory grows from batch to batch");
    }
}
