//! What is done with a value: the work of the example modules, natively.

use std::sync::LazyLock;

use anyhow::bail;
use memchr::memmem::Finder;
use serde_json::{Map, Value};

/// What the filter looks for; every second record has it.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"keep"));

/// One of the measured shapes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Identity,
    Filter,
    Router,
    Json,
    Fanout,
}

impl Work {
    pub(crate) fn named(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "identity" => Self::Identity,
            "filter" => Self::Filter,
            "router" => Self::Router,
            "json" => Self::Json,
            "fanout" => Self::Fanout,
            _ => bail!("BENCH_SHAPE is {name:?}"),
        })
    }

    /// Topics that the outputs go to.
    pub(crate) fn routes(self) -> usize {
        match self {
            Self::Identity | Self::Filter | Self::Json => 1,
            Self::Router | Self::Fanout => 3,
        }
    }

    /// Hands each output to `emit`: the index of its topic, and its value.
    ///
    /// # Errors
    /// A value that is no JSON object where one is needed, or what `emit` says.
    #[inline]
    pub(crate) fn apply(
        self,
        value: &[u8],
        emit: &mut impl FnMut(usize, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Identity => emit(0, value),
            Self::Filter if FINDER.find(value).is_some() => emit(0, value),
            Self::Filter => Ok(()),
            Self::Router => {
                let fields: Map<String, Value> = serde_json::from_slice(value)?;
                let route = match fields.get("kind").and_then(Value::as_str) {
                    Some("order") => 1,
                    Some("refund") => 2,
                    _ => 0,
                };
                emit(route, value)
            }
            Self::Json => {
                let mut fields: Map<String, Value> = serde_json::from_slice(value)?;
                fields.remove("name");
                fields.remove("password");
                fields.insert("env".into(), "prod".into());
                emit(0, &serde_json::to_vec(&fields)?)
            }
            Self::Fanout => (0..3).try_for_each(|route| emit(route, value)),
        }
    }
}
