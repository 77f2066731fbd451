//! A record as lines of a bulk request: an action, and for all but a deletion a document.
//!
//! One bad record must not cost its neighbours, and some mistakes make Elasticsearch refuse a whole request: they are
//! caught here (no id, an id that is too long, a version out of range, a document that is no object, malformed JSON
//! where the document is wrapped). Any other mistake in a document is answered for that record alone.
//!
//! | op | action | version |
//! |---|---|---|
//! | put | `index` | external: an older or equal one changes nothing |
//! | create | `create`: changes nothing where the id exists | not looked at: Elasticsearch has none here |
//! | merge | `update` with `doc_as_upsert` | not looked at, likewise |
//! | delete | `delete` | external |
//!
//! With `versions: offset` a record without a version of its own has its offset, and only an older one changes nothing:
//! the records of one row have the same.
//!
//! Without an id of its own a record has `topic-partition-offset`, with `-n` for the n-th record after the first that
//! the module made of the same row: delivered again, it replaces itself.

use std::{borrow::Cow, io::Write, str};

use serde::de::IgnoredAny;

use super::index::IndexNames;
use crate::{
    batch::Batch,
    config::{self, Versions},
    output::{Op, Record},
    sink::{
        delivery::{Encode, Payload},
        template::Renderer,
    },
};

/// Longest id of a document, in bytes.
const ID_BYTES_MAX: usize = 512;

/// How often Elasticsearch itself tries an update again that met another.
const UPDATE_RETRIES: u32 = 3;

/// What was asked for, to judge the answer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) op: Op,
    /// With an external version.
    pub(super) versioned: bool,
}

const VERSIONED: u8 = 4;

impl Asked {
    fn tag(self) -> u8 {
        let op = match self.op {
            Op::Put => 0,
            Op::Create => 1,
            Op::Merge => 2,
            Op::Delete => 3,
        };
        op | if self.versioned { VERSIONED } else { 0 }
    }

    pub(super) fn of(tag: u8) -> Self {
        let op = match tag & (VERSIONED - 1) {
            0 => Op::Put,
            1 => Op::Create,
            2 => Op::Merge,
            _ => Op::Delete,
        };
        Self { op, versioned: tag & VERSIONED != 0 }
    }
}

/// Encodes the records of one lane.
#[derive(Debug)]
pub(super) struct Encoder {
    index: IndexNames,
    id: Option<Renderer>,
    /// What a put becomes.
    put: Op,
    versions: Versions,
    id_text: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(sink: &config::ElasticsearchSink) -> Self {
        Self {
            index: IndexNames::new(&sink.index),
            id: sink.id.as_ref().map(|id| Renderer::new("id", id)),
            put: sink.op.unwrap_or(Op::Put),
            versions: sink.versions,
            id_text: Vec::new(),
        }
    }

    fn fill_id(&mut self, batch: &Batch, record: &Record<'_>, nth: u32) -> Result<(), String> {
        let id = &mut self.id_text;
        id.clear();
        match &mut self.id {
            Some(template) => template.render(batch, record, id).map_err(|missing| missing.to_string())?,
            None => {
                append(id, format_args!("{}-{}-{}", batch.topic, batch.partition, record.offset()));
                if nth > 0 {
                    append(id, format_args!("-{nth}"));
                }
            }
        }
        match id.len() {
            0 => Err("the id of the document is empty".into()),
            1..=ID_BYTES_MAX => Ok(()),
            bytes => Err(format!("the id of the document has {bytes} bytes, {ID_BYTES_MAX} are allowed")),
        }
    }
}

impl Encode for Encoder {
    fn encode(&mut self, batch: &Batch, record: &Record<'_>, nth: u32, payload: &mut Payload) -> Result<(), String> {
        let op = if record.op == Op::Put { self.put } else { record.op };
        self.fill_id(batch, record, nth)?;
        let id = str::from_utf8(&self.id_text).map_err(|_| "the id of the document is not UTF-8")?;
        let version = match op {
            Op::Create | Op::Merge => None,
            Op::Put | Op::Delete => match (record.version, self.versions) {
                (Some(version), _) => Some((version, "external")),
                // Records of one row have the same: the last of them is to stay.
                (None, Versions::Offset) => u64::try_from(record.offset()).ok().map(|offset| (offset, "external_gte")),
                (None, Versions::Module) => None,
            },
        };
        let out = &mut payload.data;
        let action = match op {
            Op::Put => "index",
            Op::Create => "create",
            Op::Merge => "update",
            Op::Delete => "delete",
        };
        let index = self.index.name(batch, record)?;
        for text in ["{\"", action, "\":{\"_index\":\"", index, "\",\"_id\":\""] {
            out.extend_from_slice(text.as_bytes());
        }
        escape(id, out);
        out.push(b'"');
        if let Some((version, kind)) = version {
            let version = i64::try_from(version).map_err(|_| format!("version {version} is above {}", i64::MAX))?;
            append(out, format_args!(",\"version\":{version},\"version_type\":\"{kind}\""));
        }
        if op == Op::Merge {
            append(out, format_args!(",\"retry_on_conflict\":{UPDATE_RETRIES}"));
        }
        out.extend_from_slice(b"}}\n");
        if op != Op::Delete {
            let value = record.value.ok_or("the record has no value to make a document of")?;
            let document = document(value, op == Op::Merge)?;
            if op == Op::Merge {
                out.extend_from_slice(b"{\"doc\":");
                out.extend_from_slice(&document);
                out.extend_from_slice(b",\"doc_as_upsert\":true}\n");
            } else {
                out.extend_from_slice(&document);
                out.push(b'\n');
            }
        }
        payload.end_item(record.row, &self.id_text, Asked { op, versioned: version.is_some() }.tag());
        Ok(())
    }
}

/// A value as one line that is an object as far as can be seen cheaply; `wrapped` ones are looked at closely.
fn document(value: &[u8], wrapped: bool) -> Result<Cow<'_, [u8]>, String> {
    if value.trim_ascii_start().first() != Some(&b'{') {
        return Err("the value is no JSON object, which a document has to be".into());
    }
    let has_newline = memchr::memchr(b'\n', value).is_some();
    if has_newline || wrapped {
        // What is ignored is not looked at as UTF-8.
        let text = str::from_utf8(value).map_err(|error| format!("the value is no valid JSON: {error}"))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("the value is no valid JSON: {error}"))?;
    }
    if !has_newline {
        return Ok(Cow::Borrowed(value));
    }
    // In valid JSON a line end stands between tokens, never within one.
    Ok(Cow::Owned(value.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect()))
}

/// Appends what stands between the quotes of a JSON string.
fn escape(text: &str, out: &mut Vec<u8>) {
    let needs = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    if !text.as_bytes().iter().any(needs) {
        return out.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => append(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    drop(out.write_fmt(text));
}

#[cfg(test)]
mod tests;
