//! A module of the world `transform-records`: sends records on, and does a little of everything that this world can.

wit_bindgen::generate!({ path: "../../../wit", world: "transform-records" });

use exports::wasmill::transform::{
    meta::{self, Description, Plan, Reads},
    records::{self, Batch, Error, Field, Header, Out, Output, Reject},
};

struct Echo;

impl meta::Guest for Echo {
    fn describe() -> Description {
        Description {
            name: "records-echo".into(),
            version: "0.1.0".into(),
            summary: "Sends records on, one by one.".into(),
            settings: vec![],
        }
    }

    fn init(_: Vec<(String, String)>) -> Result<Plan, String> {
        Ok(Plan { routes: vec!["out".into()], reads: Reads::all() })
    }
}

impl records::Guest for Echo {
    fn transform(batch: Batch) -> Result<Output, Error> {
        let mut output = Output { records: vec![], rejects: vec![] };
        for (row, record) in batch.records.into_iter().enumerate() {
            let row = row as u32;
            let value = match record.value.as_deref() {
                Some(b"reject") => {
                    output.rejects.push(Reject { row, reason: "told to reject".into() });
                    continue;
                }
                Some(b"drop") => continue,
                Some(b"null") => Field::Null,
                Some(b"upper") => Field::Bytes(b"UPPER".to_vec()),
                _ => Field::Kept,
            };
            let headers = (record.headers.len() == 1).then(|| {
                let seen = Header { name: "seen".into(), value: Some(record.offset.to_string().into_bytes()) };
                vec![record.headers[0].clone(), seen]
            });
            let (key, timestamp, target, op, version) = (Field::Kept, None, None, None, None);
            output.records.push(Out { row, route: 0, key, value, headers, timestamp, target, op, version });
        }
        Ok(output)
    }
}

export!(Echo);
