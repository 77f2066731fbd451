//! From the raw sections to a [`Pipeline`]: ranges, names, and what the parts mean together.
//!
//! Pure. Each function reads all it is given before it gives up, so that a file is reported whole: `None` always
//! means that a problem was reported on the way.

use std::{collections::BTreeSet, path::Path};

use super::{
    document::{Content, Document, NodeId},
    pipeline::{Backoff, BatchPolicy, DeadLetter, Errors, KafkaSource, Pipeline, default_group},
    problem::Problem,
    raw::{RawBackoff, RawBatch, RawErrors, RawKafkaSource, RawPipeline, RawSource},
    topics::{is_internal, is_pattern},
    value::{At, Leaf, Value},
};

mod grants;
mod module;
mod properties;
mod sinks;
mod timer;
mod together;

/// Checks everything behind the shape.
///
/// # Errors
///
/// Every problem with a value, a variable, or with what values mean together.
pub(super) fn validate(
    raw: &At<RawPipeline>,
    document: &Document,
    base: &Path,
) -> Result<(Pipeline, Vec<Problem>), Vec<Problem>> {
    let mut check = Check { document, base, problems: document.bad_variables().collect(), warnings: Vec::new() };
    let pipeline = check.pipeline(raw);
    match pipeline {
        Some(pipeline) if check.problems.is_empty() => {
            check.warnings.sort_by_key(Problem::offset);
            Ok((pipeline, check.warnings))
        }
        _ => Err(check.problems),
    }
}

/// Collects what is wrong while the parts are read.
struct Check<'a> {
    document: &'a Document,
    /// Where relative paths start.
    base: &'a Path,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Check<'_> {
    fn pipeline(&mut self, raw: &At<RawPipeline>) -> Option<Pipeline> {
        let name = self.required(raw.node, "pipeline", &raw.pipeline).map(|name| name.0);
        let source = self.section(raw.node, "source", &raw.source);
        let source = source.and_then(|source| self.source(source, name.as_deref()));
        let module = self.section(raw.node, "module", &raw.module);
        let module = module.and_then(|module| self.module(module, name.as_deref()));
        let sinks = self.sinks(raw, source.as_ref());
        let routes = self.routes(raw);
        let delivery = self.optional(&raw.delivery).map(|delivery| delivery.0).unwrap_or_default();
        let errors =
            raw.errors.as_ref().map_or_else(|| Some(Errors::default()), |errors| self.errors(errors, source.as_ref()));
        let timer = raw.timer.as_ref().and_then(|timer| self.timer(timer, source.as_ref()));
        let enabled = self.optional(&raw.enabled).is_none_or(|enabled| enabled.0);
        let dead_letter = errors.as_ref().and_then(|errors| errors.dead_letter.as_ref());
        self.together(raw, source.as_ref(), &sinks, dead_letter, delivery);
        Some(Pipeline {
            name: name?,
            source: source?,
            module: module?,
            routes,
            sinks,
            delivery,
            errors: errors?,
            timer,
            enabled,
        })
    }

    fn source(&mut self, raw: &At<RawSource>, pipeline: Option<&str>) -> Option<KafkaSource> {
        let raw: &At<RawKafkaSource> = self.section(raw.node, "kafka", &raw.kafka)?;
        let brokers = self.section(raw.node, "brokers", &raw.brokers).and_then(|brokers| self.brokers(brokers));
        let topics = self.section(raw.node, "topics", &raw.topics).and_then(|topics| {
            let read: Vec<_> =
                topics.iter().filter_map(|topic| self.read(topic).map(|name| (topic.node, name.0))).collect();
            self.distinct(&read);
            self.internal_beside_patterns(&read);
            self.not_empty(topics, read.into_iter().map(|(_, name)| name).collect())
        });
        let group = self.optional(&raw.group).map(|group| group.0);
        let start = self.optional(&raw.start).unwrap_or_default();
        let batch = raw.batch.as_ref().map(|batch| self.batch(batch)).unwrap_or_default();
        let lanes = self.optional(&raw.lanes).map_or(1, |lanes| lanes.0 as usize);
        let client = self.optional(&raw.client).map(|client| client.0).unwrap_or_default();
        let properties = self.consumer_properties(raw.properties.as_ref());
        let group = group.or_else(|| pipeline.map(default_group))?;
        Some(KafkaSource { brokers: brokers?, topics: topics?, group, start, batch, lanes, client, properties })
    }

    /// A consumer with patterns does not see internal topics at all (`Consumer::new`).
    fn internal_beside_patterns(&mut self, topics: &[(NodeId, String)]) {
        if !topics.iter().any(|(_, topic)| is_pattern(topic)) {
            return;
        }
        for (node, _) in topics.iter().filter(|(_, topic)| is_internal(topic)) {
            let message = format!("the internal topic {} stands beside a pattern", self.document.shown(*node));
            self.problem(*node, message, Some("read it in a pipeline of its own".to_owned()));
        }
    }

    fn batch(&mut self, raw: &At<RawBatch>) -> BatchPolicy {
        let default = BatchPolicy::default();
        BatchPolicy {
            records: self.optional(&raw.records).map_or(default.records, |records| records.0 as usize),
            bytes: self.optional(&raw.bytes).map_or(default.bytes, |bytes| bytes.0 as usize),
            linger: self.optional(&raw.linger).map_or(default.linger, |linger| linger.0),
        }
    }

    fn errors(&mut self, raw: &At<RawErrors>, source: Option<&KafkaSource>) -> Option<Errors> {
        let default = Errors::default();
        let retries = self.optional(&raw.retries).map_or(default.retries, |retries| retries.0 as u32);
        let backoff = raw.backoff.as_ref().map_or(default.backoff, |backoff| self.backoff(backoff));
        let dead_letter = match &raw.dead_letter {
            None => None,
            Some(dead_letter) => {
                let kafka = self.section(dead_letter.node, "kafka", &dead_letter.kafka)?;
                Some(DeadLetter { kafka: self.kafka_sink(kafka, source)? })
            }
        };
        Some(Errors { retries, backoff, dead_letter })
    }

    fn backoff(&mut self, raw: &At<RawBackoff>) -> Backoff {
        let default = Backoff::default();
        let from = self.optional(&raw.from).map(|from| from.0);
        let to = self.optional(&raw.to).map(|to| to.0);
        let backoff = Backoff { from: from.unwrap_or(default.from), to: to.unwrap_or(default.to) };
        if backoff.from > backoff.to {
            let help = "where they are not written, they are 100ms and 30s".to_owned();
            self.problem(raw.node, "`from` is longer than `to`", Some(help));
        }
        backoff
    }
}

/// How single parts are read.
impl Check<'_> {
    fn read<T: Leaf>(&mut self, value: &Value<T>) -> Option<T> {
        if self.document.is_incomplete(value.node) {
            // Its variable was reported.
            return None;
        }
        let wrong = match self.document.content(value.node) {
            Content::Scalar(scalar) => match T::parse(&scalar.text) {
                Ok(read) => return Some(read),
                Err(wrong) => wrong,
            },
            _ => Default::default(),
        };
        let message = format!("expected {}, found {}", T::expected(), self.document.shown(value.node));
        let help = wrong.help.filter(|_| self.document.may_show(value.node));
        self.problem(value.node, message, help);
        None
    }

    fn optional<T: Leaf>(&mut self, value: &Option<Value<T>>) -> Option<T> {
        value.as_ref().and_then(|value| self.read(value))
    }

    fn required<T: Leaf>(&mut self, parent: NodeId, key: &str, value: &Option<Value<T>>) -> Option<T> {
        match value {
            Some(value) => self.read(value),
            None => {
                self.missing(parent, key, Some(format!("expected {}", T::expected())));
                None
            }
        }
    }

    fn section<'r, T>(&mut self, parent: NodeId, key: &str, section: &'r Option<At<T>>) -> Option<&'r At<T>> {
        if section.is_none() {
            self.missing(parent, key, None);
        }
        section.as_ref()
    }

    fn missing(&mut self, parent: NodeId, key: &str, help: Option<String>) {
        self.problems.push(self.document.key_problem(parent, format!("`{key}` is missing"), help));
    }

    fn problem(&mut self, node: NodeId, message: impl Into<String>, help: Option<String>) {
        self.problems.push(self.document.problem(node, message, help));
    }

    fn key_problem(&mut self, node: NodeId, message: impl Into<String>, help: Option<String>) {
        self.problems.push(self.document.key_problem(node, message, help));
    }

    /// What was read from a list, unless the list itself was empty.
    fn not_empty<L, T>(&mut self, list: &At<Vec<L>>, read: Vec<T>) -> Option<Vec<T>> {
        if list.is_empty() {
            self.problem(list.node, "the list is empty", Some("at least one is needed".to_owned()));
        }
        (!read.is_empty()).then_some(read)
    }

    fn distinct(&mut self, names: &[(NodeId, String)]) {
        let mut seen = BTreeSet::new();
        for (node, name) in names {
            if !seen.insert(name) {
                let message = format!("{} stands here twice", self.document.shown(*node));
                self.problem(*node, message, None);
            }
        }
    }
}
