//! Values that are one of a few words.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    names::did_you_mean,
    pipeline::{Client, Delivery, Start},
    sinks::{Partitioning, Versions},
    timer::TimerScope,
    value::{Leaf, Wrong},
};
use crate::output::Op;

/// A type with a word for each value.
pub(super) trait Choice: Sized + Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];

    /// How it is written.
    fn word(self) -> &'static str
    where
        Self: PartialEq,
    {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl Choice for Delivery {
    const WORDS: &'static [(&'static str, Self)] =
        &[("at-least-once", Self::AtLeastOnce), ("exactly-once", Self::ExactlyOnce)];
}

impl Choice for Op {
    const WORDS: &'static [(&'static str, Self)] =
        &[("put", Self::Put), ("create", Self::Create), ("merge", Self::Merge), ("delete", Self::Delete)];
}

impl Choice for Versions {
    const WORDS: &'static [(&'static str, Self)] = &[("module", Self::Module), ("offset", Self::Offset)];
}

impl Choice for Client {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("direct", Self::Direct), ("librdkafka", Self::Librdkafka)];
}

impl Choice for Partitioning {
    const WORDS: &'static [(&'static str, Self)] = &[("key", Self::Key), ("keep", Self::Keep)];
}

impl Choice for TimerScope {
    const WORDS: &'static [(&'static str, Self)] = &[("pipeline", Self::Pipeline), ("lane", Self::Lane)];
}

/// The commands of a Redis sink, before their options are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    String,
    Hash,
    Json,
    List,
    Set,
    Counter,
    Stream,
    Publish,
}

impl Choice for Command {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("string", Self::String),
        ("hash", Self::Hash),
        ("json", Self::Json),
        ("list", Self::List),
        ("set", Self::Set),
        ("counter", Self::Counter),
        ("stream", Self::Stream),
        ("publish", Self::Publish),
    ];
}

/// One of the words of `C`.
pub(super) struct OneOf<C>(pub(super) C);

impl<C: Choice> Leaf for OneOf<C> {
    fn expected() -> String {
        let quoted: Vec<_> = words::<C>().map(|word| format!("`{word}`")).collect();
        match quoted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let found = C::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| Self(*value)).ok_or_else(|| Wrong { help: did_you_mean(text, words::<C>()) })
    }
}

fn words<C: Choice>() -> impl Iterator<Item = &'static str> {
    C::WORDS.iter().map(|(word, _)| *word)
}

impl<C: Choice> JsonSchema for OneOf<C> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        words::<C>().collect::<Vec<_>>().join("-").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": format!(r"^({})$|\$\{{", words::<C>().collect::<Vec<_>>().join("|")), "$comment": Self::expected() })
    }
}

impl Leaf for Start {
    fn expected() -> String {
        "`earliest`, `latest` or a time such as `2026-01-31T12:00:00Z`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match text.parse::<Timestamp>() {
                Ok(time) => Ok(Self::At(time.as_millisecond())),
                Err(_) => Err(Wrong { help: did_you_mean(text, ["earliest", "latest"]) }),
            },
        }
    }
}

impl JsonSchema for Start {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Start".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "anyOf": [{ "enum": ["earliest", "latest"] }, { "format": "date-time" }, { "pattern": r"\$\{" }],
        })
    }
}
