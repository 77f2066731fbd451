//! A module of the world `transform-records` that hands every value back as a new one: the dearest way to cross, for
//! the measurements in `bench/`.

wit_bindgen::generate!({ path: "../../../wit", world: "transform-records" });

use exports::wasmill::transform::{
    meta::{self, Description, Plan, Reads},
    records::{self, Batch, Error, Field, Out, Output},
};

struct Rewrite;

impl meta::Guest for Rewrite {
    fn describe() -> Description {
        Description {
            name: "rewrite".into(),
            version: "0.1.0".into(),
            summary: "Hands every value back as a new one.".into(),
            settings: vec![],
        }
    }

    fn init(_: Vec<(String, String)>) -> Result<Plan, String> {
        Ok(Plan { routes: vec!["out".into()], reads: Reads::all() })
    }
}

impl records::Guest for Rewrite {
    fn transform(batch: Batch) -> Result<Output, Error> {
        let rewrite = |(row, record): (usize, records::Input)| Out {
            row: row as u32,
            route: 0,
            key: Field::Kept,
            value: record.value.map_or(Field::Null, Field::Bytes),
            headers: None,
            timestamp: None,
            target: None,
            op: None,
            version: None,
        };
        Ok(Output { records: batch.records.into_iter().enumerate().map(rewrite).collect(), rejects: vec![] })
    }
}

export!(Rewrite);
