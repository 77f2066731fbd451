//! A module of the world `transform-records-timer`: drops what it is given, and counts it with each fire.

wit_bindgen::generate!({ path: "../../../wit", world: "transform-records-timer" });

use std::cell::Cell;

use exports::wasmill::transform::{
    meta::{self, Description, Plan, Reads},
    records::{self, Batch, Error, Field, Out, Output},
    timer_records,
};

struct Timed;

thread_local! {
    static SEEN: Cell<usize> = const { Cell::new(0) };
}

impl meta::Guest for Timed {
    fn describe() -> Description {
        Description {
            name: "records-timed".into(),
            version: "0.1.0".into(),
            summary: "Counts records, one by one.".into(),
            settings: vec![],
        }
    }

    fn init(_: Vec<(String, String)>) -> Result<Plan, String> {
        Ok(Plan { routes: vec!["out".into()], reads: Reads::all() })
    }
}

impl records::Guest for Timed {
    fn transform(batch: Batch) -> Result<Output, Error> {
        SEEN.set(SEEN.get() + batch.records.len());
        Ok(Output { records: vec![], rejects: vec![] })
    }
}

impl timer_records::Guest for Timed {
    fn fire(_at: i64, _now: i64, _attempt: u32) -> Result<Output, Error> {
        let value = Field::Bytes(SEEN.get().to_string().into_bytes());
        let (key, headers, timestamp, target, op, version) = (Field::Kept, None, None, None, None, None);
        let record = Out { row: 0, route: 0, key, value, headers, timestamp, target, op, version };
        Ok(Output { records: vec![record], rejects: vec![] })
    }
}

export!(Timed);
