//! Cleanses logs for Elasticsearch: deletes fields, at any depth, and wraps or rejects lines that are no JSON object.
//!
//! The settings have the names of the cloud template that this replaces. The period of the index is a route, so the
//! sink makes the date from the record's own time and the module needs no calendar.

use serde_json::{Map, Value};
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct LogEs {
    index: String,
    ignore: Vec<Vec<String>>,
    route: u16,
    wrap: bool,
}

impl Module for LogEs {
    fn describe() -> Describe {
        Describe::new("log-es", env!("CARGO_PKG_VERSION"))
            .summary("Cleanses logs and sends them to an index per day or hour.")
            .required("ES_Index_KeyWord", "the indices' name, in front of the date")
            .optional(
                "ES_Log_IgnoreWord",
                "fields to delete, between commas; with dots for inner ones: name,user.password",
            )
            .default("ES_Index_TimeFormat", "an index per day or per hour", "day")
            .default(
                "not_json",
                "lines that are no JSON object: wrap puts them into the field `message`, reject makes dead letters",
                "wrap",
            )
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let index = config.required("ES_Index_KeyWord")?.trim().to_owned();
        if index.is_empty() {
            return Err("setting `ES_Index_KeyWord` is empty: it names the index".into());
        }
        // A variable that is not set arrives as an empty text: the default then holds.
        let said = |name| config.get(name).filter(|text| !text.is_empty());
        let route = match said("ES_Index_TimeFormat").unwrap_or("day") {
            "day" => 0,
            "hour" => 1,
            other => return Err(format!("setting `ES_Index_TimeFormat`: `{other}` is neither day nor hour")),
        };
        let wrap = match said("not_json").unwrap_or("wrap") {
            "wrap" => true,
            "reject" => false,
            other => return Err(format!("setting `not_json`: `{other}` is neither wrap nor reject")),
        };
        let path = |path: &str| path.split('.').map(str::to_owned).collect();
        let ignore = config.list("ES_Log_IgnoreWord").into_iter().map(path).collect();
        Ok((Self { index, ignore, route, wrap }, Plan::route("day").and_route("hour").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let line = row.value().unwrap_or_default();
            let mut fields = match serde_json::from_slice::<Map<String, Value>>(line) {
                Ok(fields) => fields,
                Err(_) if self.wrap => {
                    let text = String::from_utf8_lossy(line).into_owned();
                    Map::from_iter([("message".to_owned(), Value::String(text))])
                }
                Err(error) => {
                    out.reject(row, format!("not a JSON object: {error}"));
                    continue;
                }
            };
            for path in &self.ignore {
                delete(&mut fields, path);
            }
            let sent = out.keep(row).route(self.route).target(&self.index);
            if let Err(error) = sent.write_value(|value| serde_json::to_writer(value, &fields)) {
                let reason = format!("cannot be written: {error}");
                out.reject(row, reason);
            }
        }
        Ok(())
    }
}

/// A field whose own name has dots is meant too: logs have both.
fn delete(fields: &mut Map<String, Value>, path: &[String]) {
    fields.shift_remove(&path.join("."));
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        return;
    }
    match fields.get_mut(first) {
        Some(Value::Object(inner)) => delete(inner, rest),
        Some(Value::Array(items)) => {
            items.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| delete(inner, rest));
        }
        _ => {}
    }
}

wasmill_sdk::export!(LogEs);
