//! A pulse: counts records, and says with every fire of the timer how many came since the last one. A stream that has
//! gone silent is a record with 0, not a missing one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, Tick, Timer, export};

/// Values that are counted apart between two fires; the others are `other`.
const VALUES_MAX: usize = 1000;

/// What stands for records without the field.
const NONE: &str = "none";

struct Pulse {
    name: String,
    /// The field of JSON records that they are counted by.
    field: Option<String>,
    records: u64,
    by: BTreeMap<String, u64>,
}

impl Module for Pulse {
    fn describe() -> Describe {
        Describe::new("pulse", "1.0.0")
            .summary("Says at each fire of the timer how many records came since the last one.")
            .default("name", "key of the records that it sends", "pulse")
            .optional("field", "a field of JSON records to count them by")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let field = config.get("field").map(str::to_owned);
        let reads = if field.is_some() { Reads::VALUES } else { Reads::NONE };
        let name = config.get("name").unwrap_or("pulse").to_owned();
        Ok((Self { name, field, records: 0, by: BTreeMap::new() }, Plan::route("pulse").reads(reads)))
    }

    fn transform(&mut self, batch: &Batch, _: &mut Output) -> Result<(), Error> {
        self.records += batch.len() as u64;
        if self.field.is_some() {
            batch.rows().for_each(|row| self.count(row.value()));
        }
        Ok(())
    }
}

impl Pulse {
    fn count(&mut self, value: Option<&[u8]>) {
        let Some(field) = &self.field else { return };
        let record: Option<Map<String, Value>> = value.and_then(|value| serde_json::from_slice(value).ok());
        let found = record.as_ref().and_then(|record| record.get(field));
        let name = match found {
            None | Some(Value::Null) => NONE.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let full = self.by.len() >= VALUES_MAX && !self.by.contains_key(&name);
        *self.by.entry(if full { "other".to_owned() } else { name }).or_default() += 1;
    }
}

impl Timer for Pulse {
    fn fire(&mut self, tick: &Tick, out: &mut Output) -> Result<(), Error> {
        let mut pulse = json!({ "at": tick.at(), "records": self.records });
        if self.field.is_some() {
            pulse["by"] = json!(self.by);
        }
        let value = pulse.to_string();
        out.keep(tick.row()).key(self.name.as_bytes()).value(value.as_bytes());
        self.records = 0;
        self.by.clear();
        Ok(())
    }
}

export!(Pulse, timer);
