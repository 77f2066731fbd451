//! Cleanses JSON logs: drops fields that must not be kept, adds one, and rejects lines that are no JSON object.
//!
//! Feature `v2` makes the second version of the demo, which also masks the last part of `remote_addr`.

use serde_json::{Map, Value};
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct LogClean {
    ignore: Vec<String>,
    set: Option<(String, String)>,
    mark: Option<String>,
}

impl Module for LogClean {
    fn describe() -> Describe {
        Describe::new("log-clean", if cfg!(feature = "v2") { "2.0.0" } else { "1.0.0" })
            .summary("Drops fields of JSON logs, adds one, and rejects lines that are no JSON object.")
            .optional("ignore", "fields to drop, between commas: name,password")
            .optional("set", "a field to add: env=prod")
            .optional("mark", "a value for the field `mark`: tells releases apart")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let set = match config.get("set") {
            None => None,
            Some(text) => {
                let (name, value) = text.split_once('=').ok_or("setting `set` must be FIELD=VALUE")?;
                Some((name.to_owned(), value.to_owned()))
            }
        };
        let ignore = config.list("ignore").into_iter().map(str::to_owned).collect();
        let mark = config.get("mark").map(str::to_owned);
        Ok((Self { ignore, set, mark }, Plan::route("clean").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let line = row.value().unwrap_or_default();
            match serde_json::from_slice::<Map<String, Value>>(line) {
                Err(error) => out.reject(row, format!("not a JSON object: {error}")),
                Ok(mut fields) => {
                    self.clean(&mut fields);
                    let written = out.keep(row).write_value(|value| serde_json::to_writer(value, &fields));
                    if let Err(error) = written {
                        let reason = format!("cannot be written: {error}");
                        out.reject(row, reason);
                    }
                }
            }
        }
        Ok(())
    }
}

impl LogClean {
    fn clean(&self, fields: &mut Map<String, Value>) {
        for name in &self.ignore {
            fields.shift_remove(name);
        }
        if cfg!(feature = "v2")
            && let Some(Value::String(address)) = fields.get_mut("remote_addr")
            && let Some(last) = address.rfind('.')
        {
            address.replace_range(last + 1.., "0");
        }
        if let Some((name, value)) = &self.set {
            fields.insert(name.clone(), Value::String(value.clone()));
        }
        if let Some(mark) = &self.mark {
            fields.insert("mark".into(), Value::String(mark.clone()));
        }
    }
}

wasmill_sdk::export!(LogClean);
