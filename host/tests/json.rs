//! The SDK's JSON editor where it is built for a module, and looks at long strings sixteen bytes at a time: against
//! `serde_json`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use serde_json::{Map, Value};
use wasmill::{
    batch::{Columns, MemoryRows, Reads},
    engine::{Call, NoOutput},
    limits::Limits,
};

/// What ends a plain stretch of a string, or looks as if it did.
const PIECES: [&[u8]; 10] =
    [b"\\\"", b"\\u00fc", "ü".as_bytes(), "😀".as_bytes(), b"\x7f", b"!", b"\\x", b"\x1f", b"\xff", b"\""];

/// Lines with one piece at every place of strings that are short, or long enough for every way of looking at them.
fn lines() -> Vec<Vec<u8>> {
    let plain = b"abcdefghijklmnopqrstuvwxyz0123456789".repeat(2);
    let mut lines = Vec::new();
    for piece in PIECES {
        for len in (0..=18).chain(62..=66) {
            for at in 0..=len {
                let text = [&plain[..at], piece, &vec![b'z'; len - at]].concat();
                lines.push([b"{\"password\":\"", &text[..], b"\",\"kept\":[\"", &text[..], b"\",1.50]}"].concat());
            }
        }
    }
    lines
}

#[test]
fn a_module_takes_and_edits_what_serde_json_takes() {
    let host = support::host();
    let config = [("ignore".to_string(), "password".to_string()), ("set".to_string(), "env=prod".to_string())];
    let module = host.load("log-clean");
    let mut instance = module.instantiate(Limits::default(), &config, Arc::new(NoOutput)).expect("starts");
    let lines = lines();
    assert!(lines.len() > 5000);
    let mut rows = MemoryRows::default();
    lines.iter().for_each(|line| rows.push(0, 0, None, Some(line), &[]));
    let mut columns = Columns::default();
    columns.pack(&rows, 0..lines.len(), Reads { values: true, ..Reads::default() });
    let output = instance.transform(&Call { topic: "t", partition: 0, attempt: 0, columns: &columns });
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    let values = output.values.expect("values");

    let mut record = 0;
    for (row, line) in lines.iter().enumerate() {
        let shown = String::from_utf8_lossy(line);
        match serde_json::from_slice::<Map<String, Value>>(line) {
            Err(_) => assert!(output.rejects.iter().any(|reject| reject.row == row as u32), "taken: {shown}"),
            Ok(mut fields) => {
                fields.remove("password");
                fields.insert("env".into(), "prod".into());
                assert_eq!(output.rows.get(record), Some(&(row as u32)), "refused: {shown}");
                let value = values.column.get(record).expect("a value");
                let value: Map<String, Value> = serde_json::from_slice(value).expect("JSON");
                assert_eq!(value, fields, "{shown}");
                record += 1;
            }
        }
    }
    assert_eq!(record, output.rows.len());
    assert!(record > lines.len() / 2 && record < lines.len());
}
