//! The module's section.

use url::{Origin, Url};

use super::Check;
use crate::{
    config::{
        document::NodeId,
        module::{Grants, KeyValue, ModuleRef, ModuleSpec},
        raw::{MIB, RawGrants, RawKeyValue, RawLimits, RawModule},
        secret::Secret,
        value::{At, Filled, Value},
    },
    limits::Limits,
};

impl Check<'_> {
    pub(super) fn module(&mut self, raw: &At<RawModule>, pipeline: Option<&str>) -> Option<ModuleSpec> {
        let reference = self.required(raw.node, "ref", &raw.reference).map(|reference| match reference {
            ModuleRef::File(path) => ModuleRef::File(self.base.join(path)),
            pushed => pushed,
        });
        let config = raw.config.iter().flat_map(|config| config.iter());
        let config = config.filter_map(|(name, value)| Some((name.clone(), self.read(value)?.0))).collect();
        let limits = raw.limits.as_ref().map(|limits| self.limits(limits)).unwrap_or_default();
        let grants =
            raw.grants.as_ref().map_or_else(|| Some(Grants::default()), |grants| self.grants(grants, pipeline));
        Some(ModuleSpec { reference: reference?, config, limits, grants: grants? })
    }

    fn limits(&mut self, raw: &At<RawLimits>) -> Limits {
        let default = Limits::default();
        Limits {
            memory: self.optional(&raw.memory).map_or(default.memory, |memory| memory.0 as usize),
            time: self.optional(&raw.time).map_or(default.time, |time| time.0),
            output: self.optional(&raw.output).map_or(default.output, |output| output.0 as usize),
            output_records: self.optional(&raw.output_records).map_or(default.output_records, |count| count.0 as usize),
        }
    }

    fn grants(&mut self, raw: &At<RawGrants>, pipeline: Option<&str>) -> Option<Grants> {
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
        match (&raw.memory, &raw.redis) {
            (Some(memory), None) => {
                let bytes = self.optional(&memory.bytes).map_or(64 * MIB, |bytes| bytes.0);
                Some(KeyValue::Memory { bytes: bytes as usize })
            }
            (None, Some(redis)) => {
                let url = self.redis_url(redis.node, &redis.url);
                let prefix =
                    self.optional(&redis.prefix).map(|prefix| prefix.0).or_else(|| Some(format!("{}:", pipeline?)))?;
                Some(KeyValue::Redis { url: url?, prefix })
            }
            _ => {
                self.key_problem(raw.node, "expected one kind of store: `memory` or `redis`", None);
                None
            }
        }
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
