//! What the pipeline file grants to its module.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{GIB, KIB, MIB, MINUTE};
use crate::config::{
    numbers::{Count, Size, Switch, Time},
    sinks::TTL_MAX_MS,
    value::{At, Filled, Plain, Value},
};

/// What the module may reach beyond its records.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grants")]
pub(in crate::config) struct RawGrants {
    /// Origins that its HTTP requests may go to, such as `https://api.example.com`; without a path. Not available in
    /// this version: a pipeline that has it is refused.
    pub(in crate::config) http: Option<At<Vec<Value<Filled>>>>,
    /// A key-value store, of one kind.
    pub(in crate::config) keyvalue: Option<At<RawKeyValue>>,
}

/// A key-value store for the module, of one kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyValue", extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::config) struct RawKeyValue {
    /// In the host's memory, gone when it stops.
    pub(in crate::config) memory: Option<At<RawKeyValueMemory>>,
    /// In a Redis server.
    pub(in crate::config) redis: Option<At<RawKeyValueRedis>>,
}

/// A key-value store in the host's memory, shared by the lanes of the pipeline.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyValueMemory")]
pub(in crate::config) struct RawKeyValueMemory {
    /// Bytes of keys and values together, and 160 for each entry.
    #[schemars(extend("default" = "64MiB"))]
    pub(in crate::config) bytes: Option<Value<Size<KIB, { 16 * GIB }>>>,
    /// Entries.
    #[schemars(extend("default" = 1_000_000))]
    pub(in crate::config) entries: Option<Value<Count<1, 100_000_000>>>,
    /// Bytes of one value.
    #[schemars(extend("default" = "64KiB"))]
    pub(in crate::config) value: Option<Value<Size<1, MIB>>>,
    /// The buckets that the module may open, by name. Without it: `default` alone.
    pub(in crate::config) buckets: Option<At<BTreeMap<String, At<RawBucket>>>>,
}

/// A key-value store in a Redis server. A key there is `prefix`, the bucket, a colon and the module's key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyValueRedis", extend("required" = ["url"]))]
pub(in crate::config) struct RawKeyValueRedis {
    /// The server: `redis://user:password@host:6379/0`, or `rediss://` for TLS.
    pub(in crate::config) url: Option<Value<Filled>>,
    /// Stands before each key. Default: the pipeline's name and a colon.
    pub(in crate::config) prefix: Option<Value<Plain>>,
    /// Longest wait for an answer; a wait ends with the call's `limits.time` in any case.
    #[schemars(extend("default" = "1s"))]
    pub(in crate::config) timeout: Option<Value<Time<10, MINUTE>>>,
    /// Bytes of one value.
    #[schemars(extend("default" = "64KiB"))]
    pub(in crate::config) value: Option<Value<Size<1, MIB>>>,
    /// The buckets that the module may open, by name. Without it: `default` alone.
    pub(in crate::config) buckets: Option<At<BTreeMap<String, At<RawBucket>>>>,
}

/// A bucket of the key-value store.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bucket")]
pub(in crate::config) struct RawBucket {
    /// How long an entry lives after its last write. Without it: for ever.
    pub(in crate::config) ttl: Option<Value<Time<1, TTL_MAX_MS>>>,
    /// Whether the module may only read it.
    #[schemars(extend("default" = false))]
    pub(in crate::config) read_only: Option<Value<Switch>>,
}
