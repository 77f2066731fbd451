//! The sinks of the pipeline file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{KIB, MIB, MINUTE, SECOND};
use crate::{
    config::{
        choices::{Command, OneOf},
        names::{Addresses, Topic},
        numbers::{Count, Size, Switch, Time},
        pipeline::Client,
        sinks::{Partitioning, TTL_MAX_MS, Versions},
        template::Template,
        value::{At, Filled, Plain, Value},
    },
    output::Op,
};

/// Where output records go, of one kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sink", extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::config) struct RawSink {
    /// A topic of a Kafka cluster.
    pub(in crate::config) kafka: Option<At<RawKafkaSink>>,
    /// Documents in Elasticsearch or OpenSearch.
    pub(in crate::config) elasticsearch: Option<At<RawElasticsearch>>,
    /// Commands to a Redis server.
    pub(in crate::config) redis: Option<At<RawRedis>>,
    /// One JSON object per record on standard output, for trying things out: `stdout: {}`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::config) stdout: Option<At<RawStdout>>,
    /// The same, appended to a file.
    pub(in crate::config) file: Option<At<RawFile>>,
}

/// `stdout:` with nothing behind it is as good as `stdout: {}`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<At<RawStdout>>, D::Error> {
    At::deserialize(deserializer).map(Some)
}

/// A topic of a Kafka cluster.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KafkaSink", extend("required" = ["topic"]))]
pub(in crate::config) struct RawKafkaSink {
    /// Brokers to begin with, each as `host:port`. Default: the source's, and then also its properties
    /// `security.*`, `sasl.*`, `ssl.*`, `enable.sasl.*` and `enable.ssl.*`.
    #[schemars(length(min = 1))]
    pub(in crate::config) brokers: Option<At<Vec<Value<Addresses>>>>,
    /// The topic for records for which the module names no other.
    pub(in crate::config) topic: Option<Value<Topic>>,
    /// Which partition a record goes to: `key` (the one that its key leads to, as Java's producers choose it) or `keep`
    /// (the one of the same number as it was read from: the topic has to have as many).
    #[schemars(extend("default" = "key"))]
    pub(in crate::config) partition: Option<Value<OneOf<Partitioning>>>,
    /// Whether each record says in headers where it was read: `wasmill-topic`, `wasmill-partition`, `wasmill-offset`,
    /// which `wasmill verify` compares by. Dead letters say it by headers of their own.
    #[schemars(extend("default" = false))]
    pub(in crate::config) lineage: Option<Value<Switch>>,
    /// Who sends the records: `direct` (Kafka's protocol without librdkafka, at a fraction of the CPU), `librdkafka`, or
    /// `auto`: `direct` where it does all that `properties` ask for, and the brokers are no older than it knows; under `delivery: exactly-once` sinks that name one name the same.
    #[schemars(extend("default" = "auto"))]
    pub(in crate::config) client: Option<Value<OneOf<Client>>>,
    /// Any property of librdkafka's producer by name, but those that other keys set or that delivery hangs on.
    pub(in crate::config) properties: Option<At<BTreeMap<String, Value<Plain>>>>,
}

/// Documents in Elasticsearch or OpenSearch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Elasticsearch", extend("required" = ["urls", "index"]))]
pub(in crate::config) struct RawElasticsearch {
    /// Nodes, such as `https://es-1:9200`; without credentials.
    #[schemars(length(min = 1))]
    pub(in crate::config) urls: Option<At<Vec<Value<Filled>>>>,
    /// The index, a template.
    pub(in crate::config) index: Option<Value<Template>>,
    /// User for basic authentication, with `password`. This, `password`, `api_key` and the `ca` of `tls` are as good as
    /// absent where they are a variable that holds nothing.
    pub(in crate::config) user: Option<Value<Filled>>,
    /// Password of `user`.
    pub(in crate::config) password: Option<Value<Filled>>,
    /// API key in its encoded form, instead of `user` and `password`.
    pub(in crate::config) api_key: Option<Value<Filled>>,
    /// The id of a document, a template. Without it the id is made of the record's topic, partition and offset, so a
    /// record that is delivered again replaces its own document.
    pub(in crate::config) id: Option<Value<Template>>,
    /// What to do with a record for which the module says nothing: `put`, `create`, `merge` or `delete`. Without it:
    /// put, or delete if the record has no value.
    pub(in crate::config) op: Option<Value<OneOf<Op>>>,
    /// What is taken for a record's version, so that an older one changes nothing: `module` (what the module says) or
    /// `offset` (the record's; documents of one id have to come from one partition).
    #[schemars(extend("default" = "module"))]
    pub(in crate::config) versions: Option<Value<OneOf<Versions>>>,
    /// When a bulk request is sent: as soon as one of these is reached.
    pub(in crate::config) batch: Option<At<RawBulk>>,
    /// Requests in flight at a time.
    #[schemars(extend("default" = 4))]
    pub(in crate::config) workers: Option<Value<Count<1, 16>>>,
    /// TLS for `https` nodes.
    pub(in crate::config) tls: Option<At<RawTls>>,
    /// Time for one request.
    #[schemars(extend("default" = "30s"))]
    pub(in crate::config) timeout: Option<Value<Time<100, { 10 * MINUTE }>>>,
}

/// When a bulk request is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bulk")]
pub(in crate::config) struct RawBulk {
    /// Bytes of the request. Servers take 100 MiB unless told otherwise.
    #[schemars(extend("default" = "8MiB"))]
    pub(in crate::config) bytes: Option<Value<Size<{ 64 * KIB }, { 100 * MIB }>>>,
    /// Records.
    #[schemars(extend("default" = 5000))]
    pub(in crate::config) records: Option<Value<Count<1, 100_000>>>,
}

/// TLS of a client.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(in crate::config) struct RawTls {
    /// PEM file of the authorities to trust instead of the built-in ones. The path starts at the folder of this file.
    pub(in crate::config) ca: Option<Value<Filled>>,
}

/// Commands to a Redis server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Redis", extend("required" = ["url", "command", "key"]))]
pub(in crate::config) struct RawRedis {
    /// The server: `redis://user:password@host:6379/0`, or `rediss://` for TLS.
    pub(in crate::config) url: Option<Value<Filled>>,
    /// What a record becomes: `string` (SET), `hash` (HSET), `json` (JSON.SET), `list` (RPUSH), `set` (SADD), `counter`
    /// (INCRBY, or HINCRBY with `field`), `stream` (XADD) or `publish` (PUBLISH). The last, `list` and `stream` repeat a
    /// record that is delivered again.
    pub(in crate::config) command: Option<Value<OneOf<Command>>>,
    /// The key, or the channel of `publish`: a template.
    pub(in crate::config) key: Option<Value<Template>>,
    /// Of `hash`: the field, a template, that takes the value as it is; without it the value is a JSON object and each
    /// member becomes a field. Of `counter`: the field that is counted in, a template; without it the key itself is the
    /// counter. Of `stream`: the field that takes the value, by default `value`.
    pub(in crate::config) field: Option<Value<Filled>>,
    /// Of `json`: where in the document, by default `$`.
    pub(in crate::config) path: Option<Value<Filled>>,
    /// Of `list` and `stream`: how many entries to keep, the newest. Without it: all.
    pub(in crate::config) maxlen: Option<Value<Count<1, 1_000_000_000_000>>>,
    /// Of all but `stream` and `publish`: how long the key lives after its last write. Without it: for ever.
    pub(in crate::config) ttl: Option<Value<Time<1, TTL_MAX_MS>>>,
    /// Of the same: the header in which a record may say how long its key lives, as a duration such as `90s`. A record
    /// without that header has `ttl`.
    pub(in crate::config) ttl_header: Option<Value<Filled>>,
    /// Compare versions, so that a record that is older than the last one of its key, or the same, changes nothing:
    /// those of the `module`, or by `offset` (records of one key have to come from one partition). Needs a hash
    /// `KEY:versions` beside each key. Without it versions are not looked at, but for `counter`, which counts nothing
    /// twice: there it is `offset`.
    pub(in crate::config) versions: Option<Value<OneOf<Versions>>>,
    /// Connections. Records of one partition always take the same.
    #[schemars(extend("default" = 2))]
    pub(in crate::config) workers: Option<Value<Count<1, 16>>>,
    /// Time for one round of commands.
    #[schemars(extend("default" = "5s"))]
    pub(in crate::config) timeout: Option<Value<Time<100, { 10 * 60 * SECOND }>>>,
}

/// Standard output. It has no keys.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stdout")]
pub(in crate::config) struct RawStdout {}

/// A file to append to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File", extend("required" = ["path"]))]
pub(in crate::config) struct RawFile {
    /// The file. A relative path starts at the folder of the pipeline file.
    pub(in crate::config) path: Option<Value<Filled>>,
}
