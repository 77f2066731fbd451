//! A pipeline, as people write it and as the host runs it.
//!
//! ```text
//! text --document--> tree with lines --reader--> raw sections --validate--> Pipeline
//! ```
//!
//! The YAML file is the outside contract of Wasmill; a JSON body is YAML too, so one loader serves the command line
//! and the admin API. `raw` is the contract itself: its doc comments are the reference (`docs/pipeline.md`) and the
//! JSON Schema. Everything behind it works with [`Pipeline`], in which every value is in range and every name resolves.
//!
//! Invariants: a file is reported with all of its mistakes, each with its place, before anything starts. Loading does
//! no IO but through [`Resolve`]. No message shows a secret or what a variable held, and no `Debug` shows what stands
//! where secrets stand: credentials, URLs of Redis, settings of the module, properties that came from a variable or
//! sound like a secret. Addresses and names are shown: people look for them in logs.

use std::path::Path;

mod choices;
mod document;
mod module;
mod names;
mod numbers;
mod patch;
mod pipeline;
mod problem;
mod raw;
mod reader;
mod schema;
mod secret;
mod sinks;
mod template;
#[cfg(test)]
mod tests;
mod timer;
mod topics;
mod validate;
mod value;
mod variables;

pub use module::{Bucket, DEFAULT_BUCKET, Grants, KeyValue, KeyValuePlace, ModuleRef, ModuleSpec};
pub use names::{BadName, check_name};
pub use patch::{patch, with_controls_of};
pub use pipeline::{
    Backoff, BatchPolicy, Client, DeadLetter, Delivery, Errors, KafkaSource, Pipeline, Start, default_group,
};
pub use problem::{ConfigError, Problem};
pub use schema::schema;
pub use secret::{Properties, Secret};
pub use sinks::{
    BulkPolicy, ElasticsearchAuth, ElasticsearchSink, KafkaSink, Partitioning, RedisCommand, RedisSink, Sink,
    TTL_MAX_MS, Versions,
};
pub use template::{BadTemplate, Part, Template};
pub use timer::{Cron, Schedule, Timer, TimerScope};
pub use topics::covers;
pub use variables::{Environment, NoVariables, Resolve};

/// A pipeline file that holds.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub pipeline: Pipeline,
    /// What is allowed but probably not meant, such as a sink that no route leads to.
    pub warnings: Vec<Problem>,
}

/// Reads a pipeline from YAML or JSON.
///
/// `origin` names the text in messages, usually its file name. Relative paths inside it start at `base`, the folder of
/// the file. `vars` answers `${VAR}` and `${file:/path}`.
///
/// # Errors
///
/// All mistakes of one stage at once: those of the syntax, then of the shape (unknown keys, a list where a section
/// belongs), then of the values and of what they mean together.
pub fn load(text: &str, origin: &str, base: &Path, vars: &dyn Resolve) -> Result<Loaded, ConfigError> {
    // Offsets in messages count from after the byte order mark, as the parser does.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = match document::parse(text, base, vars) {
        Ok(document) => document,
        Err(problem) => return Err(ConfigError::new(origin, document::mask_lines(text), vec![problem])),
    };
    let result = reader::read(&document).and_then(|raw| validate::validate(&raw, &document, base));
    match result {
        Ok((pipeline, warnings)) => Ok(Loaded { pipeline, warnings }),
        Err(problems) => Err(ConfigError::new(origin, document.mask(text), problems)),
    }
}
