//! What `log-clean` does, by a tree of values: what the SDK's editor is measured against (`just bench json`).

use serde_json::{Map, Value};
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct JsonTree {
    ignore: Vec<String>,
    set: (String, String),
}

impl Module for JsonTree {
    fn describe() -> Describe {
        Describe::new("json-tree", env!("CARGO_PKG_VERSION"))
            .summary("Drops fields of JSON logs and adds one, by a tree of values.")
            .required("ignore", "fields to drop, between commas: name,password")
            .required("set", "a field to add: env=prod")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let (name, value) = config.required("set")?.split_once('=').ok_or("setting `set` must be FIELD=VALUE")?;
        let ignore = config.list("ignore").into_iter().map(str::to_owned).collect();
        Ok((Self { ignore, set: (name.to_owned(), value.to_owned()) }, Plan::route("clean").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        let (name, value) = &self.set;
        for row in batch.rows() {
            let mut fields: Map<String, Value> = match serde_json::from_slice(row.value().unwrap_or_default()) {
                Ok(fields) => fields,
                Err(error) => {
                    out.reject(row, format!("not a JSON object: {error}"));
                    continue;
                }
            };
            for name in &self.ignore {
                fields.remove(name);
            }
            fields.insert(name.clone(), Value::String(value.clone()));
            let written = out.keep(row).write_value(|value| serde_json::to_writer(value, &fields));
            written.map(drop).map_err(Error::fatal)?;
        }
        Ok(())
    }
}

wasmill_sdk::export!(JsonTree);
