//! Sends records of intake topics to the topics that they are for, `orders.in` to `orders`, as they are. To how many
//! clusters, the pipeline file says.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct DoubleWrite {
    suffix: String,
}

impl Module for DoubleWrite {
    fn describe() -> Describe {
        Describe::new("double-write", env!("CARGO_PKG_VERSION"))
            .summary("Sends records of intake topics to the topics that they are for.")
            .default("suffix", "what an intake's name has behind that of the topic; empty: they are the same", ".in")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let suffix = config.get("suffix").unwrap_or(".in").to_owned();
        Ok((Self { suffix }, Plan::route("both").reads(Reads::NONE)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        // The call with which a host tries a release comes from no topic.
        if batch.is_empty() {
            return Ok(());
        }
        let (topic, suffix) = (batch.topic(), &self.suffix);
        let target = topic.strip_suffix(suffix.as_str()).filter(|name| !name.is_empty());
        // Going on under the same name would write to what is read, where one of the clusters is the intake's.
        let target = target.ok_or_else(|| {
            Error::fatal(format!("topic `{topic}` is no intake: its name does not end with `{suffix}`"))
        })?;
        for row in batch.rows() {
            out.keep(row).target(target);
        }
        Ok(())
    }
}

wasmill_sdk::export!(DoubleWrite);
