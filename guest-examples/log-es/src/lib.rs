//! Cleanses logs for Elasticsearch: deletes fields, at any depth, and wraps or rejects lines that are no JSON object.
//!
//! The settings have the names of the cloud template that this replaces. The period of the index is a route, so the
//! sink makes the date from the record's own time and the module needs no calendar.

use wasmill_sdk::{
    Batch, Config, Describe, Error, Module, Output, Plan, Reads,
    json::{Editor, Object},
};

struct LogEs {
    index: String,
    ignore: Vec<String>,
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
        let ignore = config.list("ES_Log_IgnoreWord").into_iter().map(str::to_owned).collect();
        Ok((Self { index, ignore, route, wrap }, Plan::route("day").and_route("hour").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        let mut editor = Editor::default();
        for row in batch.rows() {
            let line = row.value().unwrap_or_default();
            let mut fields = match editor.object(line) {
                Ok(fields) => fields,
                Err(_) if self.wrap => {
                    let mut fields = editor.empty();
                    fields.set("message", String::from_utf8_lossy(line));
                    fields
                }
                Err(error) => {
                    out.reject(row, format!("not a JSON object: {error}"));
                    continue;
                }
            };
            for path in &self.ignore {
                delete(&mut fields, path);
            }
            out.keep(row).route(self.route).target(&self.index).json(&fields);
        }
        Ok(())
    }
}

/// A field whose own name has dots is meant too: logs have both.
fn delete(fields: &mut Object<'_>, path: &str) {
    fields.remove([path]);
    if let Some((first, rest)) = path.split_once('.') {
        fields.within([first], |inner| delete(inner, rest));
    }
}

wasmill_sdk::export!(LogEs);
