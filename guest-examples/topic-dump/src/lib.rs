//! Copies topics to another cluster as they are, renamed if wished: nothing but the topic's name crosses.

use std::collections::BTreeMap;
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads};

struct TopicDump {
    rename: BTreeMap<String, String>,
    prefix: String,
    suffix: String,
}

impl Module for TopicDump {
    fn describe() -> Describe {
        Describe::new("topic-dump", env!("CARGO_PKG_VERSION"))
            .summary("Copies topics as they are, renamed if wished.")
            .optional("rename", "topics with another name: orders=orders-v2,users=people")
            .optional("prefix", "put in front of the names of all others")
            .optional("suffix", "put behind the names of all others")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let pair = |entry: &str| match entry.split_once('=') {
            Some((from, to)) if !to.trim().is_empty() => Ok((from.trim().to_owned(), to.trim().to_owned())),
            _ => Err(format!("setting `rename`: `{entry}` is not TOPIC=TOPIC")),
        };
        let rename = config.list("rename").into_iter().map(pair).collect::<Result<_, _>>()?;
        let text = |name| config.get(name).unwrap_or_default().to_owned();
        Ok((Self { rename, prefix: text("prefix"), suffix: text("suffix") }, Plan::route("copy").reads(Reads::NONE)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        let topic = batch.topic();
        // Offsets of groups and states of transactions mean nothing, or worse, in another cluster.
        if topic.starts_with("__") {
            return Err(Error::fatal(format!("topic `{topic}` is internal to its cluster: take it out of the source")));
        }
        let target = match self.rename.get(topic) {
            Some(name) => name.clone(),
            None => format!("{}{topic}{}", self.prefix, self.suffix),
        };
        for row in batch.rows() {
            out.keep(row).target(&target);
        }
        Ok(())
    }
}

wasmill_sdk::export!(TopicDump);
