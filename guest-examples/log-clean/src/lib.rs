//! Cleanses JSON logs: drops fields that must not be kept, adds one, and rejects lines that are no JSON object.
//!
//! Feature `v2` makes the second version of the demo, which also masks the last part of `remote_addr`.

use wasmill_sdk::{
    Batch, Config, Describe, Error, Module, Output, Plan, Reads,
    json::{Editor, Object},
};

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
        let mut editor = Editor::default();
        for row in batch.rows() {
            match editor.object(row.value().unwrap_or_default()) {
                Ok(mut fields) => {
                    self.clean(&mut fields);
                    out.keep(row).json(&fields);
                }
                Err(error) => out.reject(row, format!("not a JSON object: {error}")),
            }
        }
        Ok(())
    }
}

impl LogClean {
    fn clean(&self, fields: &mut Object<'_>) {
        for name in &self.ignore {
            fields.remove([name]);
        }
        if cfg!(feature = "v2") {
            let masked = fields.get("remote_addr").and_then(|address| mask(&address.text()?));
            if let Some(masked) = masked {
                fields.set("remote_addr", masked);
            }
        }
        if let Some((name, value)) = &self.set {
            fields.set([name], value);
        }
        if let Some(mark) = &self.mark {
            fields.set("mark", mark);
        }
    }
}

/// `10.1.2.3` as `10.1.2.0`.
fn mask(address: &str) -> Option<String> {
    address.rsplit_once('.').map(|(network, _)| format!("{network}.0"))
}

wasmill_sdk::export!(LogClean);
