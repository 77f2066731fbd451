//! Sends every record on as it is. With `copy: true` every value crosses into the module and back, which is what a
//! module that changes every value cannot avoid: the two ends of what crossing costs.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct Identity {
    copy: bool,
}

impl Module for Identity {
    fn describe() -> Describe {
        Describe::new("identity", env!("CARGO_PKG_VERSION")).summary("Sends every record on as it is.").default(
            "copy",
            "whether every value is copied through the module",
            "false",
        )
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let copy = config.parse("copy", false)?;
        let reads = if copy { Reads::VALUES } else { Reads::NONE };
        Ok((Self { copy }, Plan::route("out").reads(reads)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        if !self.copy {
            out.keep_all(batch);
            return Ok(());
        }
        for row in batch.rows() {
            match row.value() {
                Some(value) => out.keep(row).value(value),
                None => out.keep(row).no_value(),
            };
        }
        Ok(())
    }
}

wasmill_sdk::export!(Identity);
