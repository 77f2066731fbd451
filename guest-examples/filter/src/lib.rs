//! Keeps the records whose value contains a word, or drops them.

use memchr::memmem::Finder;
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct Filter {
    word: Finder<'static>,
    drop: bool,
}

impl Module for Filter {
    fn describe() -> Describe {
        Describe::new("filter", env!("CARGO_PKG_VERSION"))
            .summary("Keeps the records whose value contains a word.")
            .required("contains", "the word to look for")
            .default("drop", "whether such records are dropped instead", "false")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let word = config.required("contains")?.as_bytes();
        if word.is_empty() {
            return Err("setting `contains` is empty: every record contains nothing".into());
        }
        let word = Finder::new(word).into_owned();
        let drop = config.parse("drop", false)?;
        Ok((Self { word, drop }, Plan::route("kept").reads(Reads::VALUES)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let found = self.word.find(row.value().unwrap_or_default()).is_some();
            if found != self.drop {
                out.keep(row);
            }
        }
        Ok(())
    }
}

wasmill_sdk::export!(Filter);
