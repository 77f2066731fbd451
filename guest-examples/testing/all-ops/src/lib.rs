//! Does to each record what its value, a JSON object, says: `op`, `target`, `version`, `timestamp`, `key`, `headers`,
//! and `value` as the new value (null for a tombstone).

use serde_json::Value;
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Op, Output, Plan};

struct AllOps;

impl Module for AllOps {
    fn describe() -> Describe {
        Describe::new("all-ops", env!("CARGO_PKG_VERSION")).summary("Does what each record says.")
    }

    fn init(_: &Config) -> Result<(Self, Plan), String> {
        Ok((Self, Plan::route("out")))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let Ok(said) = serde_json::from_slice::<Value>(row.value().unwrap_or_default()) else {
                out.reject(row, "not JSON");
                continue;
            };
            let mut sent = out.keep(row);
            sent = sent.op(match said["op"].as_str() {
                Some("create") => Op::Create,
                Some("merge") => Op::Merge,
                Some("delete") => Op::Delete,
                _ => Op::Put,
            });
            if let Some(target) = said["target"].as_str() {
                sent = sent.target(target);
            }
            if let Some(version) = said["version"].as_u64() {
                sent = sent.version(version);
            }
            if let Some(timestamp) = said["timestamp"].as_i64() {
                sent = sent.timestamp(timestamp);
            }
            if let Some(key) = said["key"].as_str() {
                sent = sent.key(key.as_bytes());
            }
            for (name, value) in said["headers"].as_object().into_iter().flatten() {
                sent = sent.header(name, value.as_str().map(str::as_bytes));
            }
            match said.get("value") {
                None => {}
                Some(Value::Null) => {
                    sent.no_value();
                }
                Some(Value::String(text)) => {
                    sent.value(text.as_bytes());
                }
                Some(value) => {
                    sent.value(value.to_string().as_bytes());
                }
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(AllOps);
