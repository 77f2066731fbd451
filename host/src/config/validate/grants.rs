//! What the module is granted.

use std::{collections::BTreeMap, time::Duration};

use url::{Origin, Url};

use super::Check;
use crate::config::{
    document::NodeId,
    module::{Bucket, DEFAULT_BUCKET, Grants, KeyValue, KeyValuePlace},
    names::check_name,
    raw::{KIB, MIB, RawBucket, RawGrants, RawKeyValue},
    secret::Secret,
    value::{At, Filled, Value},
};

impl Check<'_> {
    pub(super) fn grants(&mut self, raw: &At<RawGrants>, pipeline: Option<&str>) -> Option<Grants> {
        let origins = raw.http.iter().flat_map(|origins| origins.iter());
        let http = origins.filter_map(|origin| self.origin(origin)).collect();
        let keyvalue = match &raw.keyvalue {
            None => None,
            Some(keyvalue) => Some(self.keyvalue(keyvalue, pipeline)?),
        };
        Some(Grants { http, keyvalue })
    }

    fn origin(&mut self, value: &Value<Filled>) -> Option<String> {
        let text = self.read(value)?.0;
        let url = Url::parse(&text).ok().filter(|url| {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let anonymous = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && bare && anonymous
        });
        match url.map(|url| url.origin()) {
            Some(origin @ Origin::Tuple(..)) => Some(origin.ascii_serialization()),
            _ => {
                let found = self.document.shown(value.node);
                let help = "write protocol and host, such as `https://api.example.com`, and no path".to_owned();
                self.problem(value.node, format!("expected an origin, found {found}"), Some(help));
                None
            }
        }
    }

    fn keyvalue(&mut self, raw: &At<RawKeyValue>, pipeline: Option<&str>) -> Option<KeyValue> {
        let (place, value, buckets) = match (&raw.memory, &raw.redis) {
            (Some(memory), None) => {
                let bytes = self.optional(&memory.bytes).map_or(64 * MIB, |bytes| bytes.0) as usize;
                let entries = self.optional(&memory.entries).map_or(1_000_000, |entries| entries.0) as usize;
                (Some(KeyValuePlace::Memory { bytes, entries }), &memory.value, &memory.buckets)
            }
            (None, Some(redis)) => {
                let url = self.redis_url(redis.node, &redis.url);
                let prefix = self.optional(&redis.prefix).map(|prefix| prefix.0);
                let prefix = prefix.or_else(|| Some(format!("{}:", pipeline?)));
                let timeout = self.optional(&redis.timeout).map_or(Duration::from_secs(1), |timeout| timeout.0);
                let place = url.zip(prefix).map(|(url, prefix)| KeyValuePlace::Redis { url, prefix, timeout });
                (place, &redis.value, &redis.buckets)
            }
            _ => {
                self.key_problem(raw.node, "expected one kind of store: `memory` or `redis`", None);
                return None;
            }
        };
        let value_max = self.optional(value).map_or(64 * KIB, |value| value.0) as usize;
        let buckets = match buckets {
            None => BTreeMap::from([(DEFAULT_BUCKET.to_owned(), Bucket::default())]),
            Some(buckets) => self.buckets(buckets),
        };
        Some(KeyValue { place: place?, value_max, buckets })
    }

    fn buckets(&mut self, raw: &At<BTreeMap<String, At<RawBucket>>>) -> BTreeMap<String, Bucket> {
        if raw.is_empty() {
            self.key_problem(
                raw.node,
                "no bucket is named",
                Some("at least one is needed; leave `buckets` out for `default` alone".to_owned()),
            );
        }
        for (name, bucket) in raw.iter() {
            if let Err(bad) = check_name(name) {
                self.key_problem(bucket.node, format!("a bucket cannot be called `{name}`"), Some(bad.to_string()));
            }
        }
        let read = |check: &mut Self, raw: &At<RawBucket>| Bucket {
            ttl: check.optional(&raw.ttl).map(|ttl| ttl.0),
            read_only: check.optional(&raw.read_only).is_some_and(|read_only| read_only.0),
        };
        raw.iter().map(|(name, bucket)| (name.clone(), read(self, bucket))).collect()
    }

    /// The address of a Redis server. It may hold a password, so no message shows it.
    pub(super) fn redis_url(&mut self, parent: NodeId, value: &Option<Value<Filled>>) -> Option<Secret> {
        let text = self.required(parent, "url", value)?.0;
        let is_redis = Url::parse(&text).is_ok_and(|url| match url.scheme() {
            "redis" | "rediss" => url.has_host(),
            scheme => ["redis+unix", "unix"].contains(&scheme),
        });
        if is_redis {
            return Some(Secret::from(text));
        }
        if let Some(value) = value {
            let help = "write `redis://host:6379`, or `rediss://host:6379` for TLS".to_owned();
            self.problem(value.node, "expected the URL of a Redis server", Some(help));
        }
        None
    }
}
