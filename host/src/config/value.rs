//! The two building blocks of the raw sections: a single [`Value`] and a section or list [`At`] its place.
//!
//! Both keep the number of their node, so whoever validates them can say where. A value is not read before it is
//! validated: its type parameter says what it is to become, which is also what the schema shows.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::document::NodeId;

/// Names by which the reader tells these from other types; never seen outside.
pub(super) const NODE: &str = "wasmill.node";
pub(super) const SECTION: &str = "wasmill.section";

/// What a single value may be read as.
pub(super) trait Leaf: Sized {
    /// What is expected, to follow the word "expected".
    fn expected() -> String;

    /// Reads the text of the value.
    ///
    /// # Errors
    ///
    /// What to write, where "expected ..., found ..." does not say enough. Shown only if the text may be.
    fn parse(text: &str) -> Result<Self, Wrong>;
}

/// A text is not what was expected.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn help(help: impl Into<String>) -> Self {
        Self { help: Some(help.into()) }
    }
}

/// The schema of a type that is written as a text.
macro_rules! text_schema {
    ($name:ident, $($schema:tt)+) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", $($schema)+ })
            }
        }
    };
}
pub(super) use text_schema;

/// A text that says something.
pub(super) struct Filled(pub(super) String);

impl Leaf for Filled {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() { Err(Wrong::default()) } else { Ok(Self(text.to_owned())) }
    }
}

text_schema!(Filled, "minLength": 1);

/// Any single value, as it was written; also an empty text.
pub(super) struct Plain(pub(super) String);

impl Leaf for Plain {
    fn expected() -> String {
        "a single value".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(Self(text.to_owned()))
    }
}

impl JsonSchema for Plain {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// One value that stands at a node and is to become a `T`.
pub(super) struct Value<T> {
    pub(super) node: NodeId,
    of: PhantomData<fn() -> T>,
}

impl<T> Value<T> {
    /// The same value, to become something else.
    pub(super) fn as_a<U>(&self) -> Value<U> {
        Value { node: self.node, of: PhantomData }
    }
}

impl<'de, T> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = NodeId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a node")
            }

            fn visit_u32<E>(self, id: u32) -> Result<NodeId, E> {
                Ok(NodeId(id))
            }
        }

        let node = deserializer.deserialize_newtype_struct(NODE, Id)?;
        Ok(Self { node, of: PhantomData })
    }
}

/// What stands at a node that is not a single value.
pub(super) struct At<T> {
    pub(super) node: NodeId,
    it: T,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = At<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node and what stands there")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
                let missing = |part| de::Error::invalid_length(part, &"two parts");
                let node = NodeId(parts.next_element()?.ok_or_else(|| missing(0))?);
                let it = parts.next_element()?.ok_or_else(|| missing(1))?;
                Ok(At { node, it })
            }
        }

        deserializer.deserialize_tuple_struct(SECTION, 2, Parts(PhantomData))
    }
}

/// In the schema both are what they hold.
macro_rules! transparent_schema {
    ($wrapper:ident) => {
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}

transparent_schema!(Value);
transparent_schema!(At);
