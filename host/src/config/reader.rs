//! Fills the raw sections from the tree, and reports everything whose shape does not fit.
//!
//! serde's derived code stops at the first error. This deserializer never gives it one: what does not fit is reported
//! and read as absent, so one pass finds every unknown key and every misplaced list. Single values are not looked at
//! here; a [`Value`](super::value::Value) remembers its node, and `validate` reads it where it knows the range.

use std::{cell::RefCell, fmt::Display, vec};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use thiserror::Error;

use super::{
    document::{Content, Document, NodeId},
    names::did_you_mean,
    problem::Problem,
    raw::RawPipeline,
    value::{At, NODE, SECTION},
};

/// Reads the whole document.
///
/// # Errors
///
/// Every mistake of shape.
pub(super) fn read(document: &Document) -> Result<At<RawPipeline>, Vec<Problem>> {
    let problems = RefCell::new(Vec::new());
    let read = At::deserialize(Reader { document, problems: &problems, node: Document::ROOT });
    let mut problems = problems.into_inner();
    match read {
        Ok(raw) if problems.is_empty() => Ok(raw),
        Ok(_) => Err(problems),
        Err(NotRead(message)) => {
            problems.push(document.problem(Document::ROOT, message, None));
            Err(problems)
        }
    }
}

/// A shape that this deserializer does not know: a mistake in `raw`, not in a file.
#[derive(Debug, Error)]
#[error("{0}")]
struct NotRead(String);

impl de::Error for NotRead {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    document: &'a Document,
    problems: &'a RefCell<Vec<Problem>>,
    node: NodeId,
}

impl<'a> Reader<'a> {
    fn at(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    fn report(self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The entries of a section. Nothing at all stands for a section without keys.
    fn entries(self) -> &'a [(String, NodeId)] {
        match self.document.content(self.node) {
            Content::Map(entries) => entries,
            Content::Null => &[],
            Content::Scalar(_) | Content::List(_) => {
                let message = format!("expected a section of keys, found {}", self.document.shown(self.node));
                self.report(self.document.problem(self.node, message, None));
                &[]
            }
        }
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = NotRead;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NotRead> {
        Err(de::Error::custom("a raw section holds something that is neither a value, a list nor a section"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        match self.document.content(self.node) {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, NotRead> {
        if name == NODE { visitor.visit_u32(self.node.0) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, NotRead> {
        if name == SECTION {
            visitor.visit_seq(SectionParts { reader: self, part: 0 })
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        let items = match self.document.content(self.node) {
            Content::List(items) => items.clone(),
            Content::Null => Vec::new(),
            found => {
                let shown = self.document.shown(self.node);
                let help = match found {
                    Content::Scalar(_) if self.document.may_show(self.node) => {
                        Some(format!("put it in brackets: [{}]", shown.trim_matches('`')))
                    }
                    Content::Scalar(_) => Some("put it in brackets".to_owned()),
                    _ => None,
                };
                self.report(self.document.problem(self.node, format!("expected a list, found {shown}"), help));
                Vec::new()
            }
        };
        visitor.visit_seq(Items { reader: self, items: items.into_iter() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        let entries = self.entries().to_vec();
        visitor.visit_map(Entries { reader: self, entries: entries.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotRead> {
        let mut known = Vec::new();
        for (key, node) in self.entries() {
            if fields.contains(&key.as_str()) {
                known.push((key.clone(), *node));
                continue;
            }
            let help = did_you_mean(key, fields.iter().copied()).unwrap_or_else(|| list(fields));
            self.report(self.document.key_problem(*node, format!("unknown key `{key}`"), Some(help)));
        }
        visitor.visit_map(Entries { reader: self, entries: known.into_iter(), value: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct tuple enum identifier ignored_any
    }
}

fn list(keys: &[&str]) -> String {
    if keys.is_empty() {
        return "there are no keys here".to_owned();
    }
    format!("the keys here are {}", keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
}

/// Gives an [`At`] its two parts: the number of the node, then what stands there.
struct SectionParts<'a> {
    reader: Reader<'a>,
    part: u8,
}

impl<'de> SeqAccess<'de> for SectionParts<'_> {
    type Error = NotRead;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NotRead> {
        self.part += 1;
        match self.part {
            1 => seed.deserialize(self.reader.node.0.into_deserializer()).map(Some),
            2 => seed.deserialize(self.reader).map(Some),
            _ => Ok(None),
        }
    }
}

struct Items<'a> {
    reader: Reader<'a>,
    items: vec::IntoIter<NodeId>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = NotRead;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NotRead> {
        self.items.next().map(|item| seed.deserialize(self.reader.at(item))).transpose()
    }
}

struct Entries<'a> {
    reader: Reader<'a>,
    entries: vec::IntoIter<(String, NodeId)>,
    value: Option<NodeId>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = NotRead;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NotRead> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NotRead> {
        let value = self.value.take().ok_or_else(|| NotRead("a value before its key".to_owned()))?;
        seed.deserialize(self.reader.at(value))
    }
}
