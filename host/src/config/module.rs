//! The module of a pipeline: which one, its settings, its limits and what it may reach.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display, Formatter},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use thiserror::Error;

use super::{
    names::check_name,
    secret::{MASK, Secret},
    value::{Leaf, Wrong, text_schema},
};
use crate::limits::Limits;

/// The module of a pipeline, as configured.
#[derive(Clone, PartialEq, Eq)]
pub struct ModuleSpec {
    pub reference: ModuleRef,
    /// Settings for `init`, by name.
    pub config: Vec<(String, String)>,
    pub limits: Limits,
    pub grants: Grants,
}

/// Settings of a module are its own affair and often hold credentials: only their names are printed.
impl Debug for ModuleSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let config: Vec<_> = self.config.iter().map(|(name, _)| (name, MASK)).collect();
        f.debug_struct("ModuleSpec")
            .field("reference", &self.reference)
            .field("config", &config)
            .field("limits", &self.limits)
            .field("grants", &self.grants)
            .finish()
    }
}

/// Names a module: `name@version`, `name@sha256:<64 hex digits>` or `file:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleRef {
    /// A version that was pushed to the host.
    Version { name: String, version: String },
    /// The very bytes: lower-case hex of their SHA-256, without its prefix.
    Digest { name: String, digest: String },
    /// A component on disk. In a loaded pipeline the path is relative to the pipeline file's folder no longer.
    File(PathBuf),
}

/// Why a text names no module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadModuleRef {
    #[error("write `name@version`, `name@sha256:<digest>` or `file:./module.wasm`")]
    Shape,
    #[error("{0}")]
    Name(super::BadName),
    #[error("a version has 1 to 63 of a-z, A-Z, 0-9, `.`, `_`, `+` and `-`")]
    Version,
    #[error("a digest is `sha256:` and 64 digits of 0-9 and a-f")]
    Digest,
}

impl FromStr for ModuleRef {
    type Err = BadModuleRef;

    fn from_str(text: &str) -> Result<Self, BadModuleRef> {
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() { Err(BadModuleRef::Shape) } else { Ok(Self::File(PathBuf::from(path))) };
        }
        let (name, version) = text.split_once('@').ok_or(BadModuleRef::Shape)?;
        check_name(name).map_err(BadModuleRef::Name)?;
        let name = name.to_owned();
        if let Some(digest) = version.strip_prefix("sha256:") {
            let hex = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            return if hex { Ok(Self::Digest { name, digest: digest.to_owned() }) } else { Err(BadModuleRef::Digest) };
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        if !(1..=63).contains(&version.len()) || !version.bytes().all(fits) {
            return Err(BadModuleRef::Version);
        }
        Ok(Self::Version { name, version: version.to_owned() })
    }
}

impl Display for ModuleRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { name, version } => write!(f, "{name}@{version}"),
            Self::Digest { name, digest } => write!(f, "{name}@sha256:{digest}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Leaf for ModuleRef {
    fn expected() -> String {
        "`name@version`, `name@sha256:<digest>` or `file:./module.wasm`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|bad| match bad {
            // Just what was expected.
            BadModuleRef::Shape => Wrong::default(),
            _ => Wrong::help(bad.to_string()),
        })
    }
}

text_schema!(ModuleRef, "examples": ["log-clean@1.2.0", "file:./log-clean.wasm"]);

/// What a module may reach beyond its records. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Origins that outgoing HTTP requests may go to, as `https://api.example.com:8443`, without a path.
    pub http: Vec<String>,
    /// The store behind `wasi:keyvalue`.
    pub keyvalue: Option<KeyValue>,
}

/// A store for `wasi:keyvalue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub place: KeyValuePlace,
    /// Largest value, in bytes.
    pub value_max: usize,
    /// The buckets that may be opened, by name.
    pub buckets: BTreeMap<String, Bucket>,
}

/// Where a key-value store keeps its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValuePlace {
    /// In the host's memory, gone with it; at most so many bytes of keys, values and overhead, and so many entries.
    Memory { bytes: usize, entries: usize },
    /// In Redis, each key behind this prefix.
    Redis { url: Secret, prefix: String, timeout: Duration },
}

/// A bucket of a key-value store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// How long an entry lives after its last write; none: for ever.
    pub ttl: Option<Duration>,
    pub read_only: bool,
}

/// The bucket of a module that names none.
pub const DEFAULT_BUCKET: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_printed_as_they_are_written() {
        let digest = format!("log-clean@sha256:{}", "0a".repeat(32));
        for text in ["log-clean@1.2.0", "a@1+build.5", "file:./log-clean.wasm", "file:/abs.wasm", &digest] {
            let reference: ModuleRef = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn mistakes_say_which_part_is_wrong() {
        let short = format!("a@sha256:{}", "0".repeat(63));
        let upper = format!("a@sha256:{}", "A".repeat(64));
        let table = [
            ("log-clean", BadModuleRef::Shape),
            ("", BadModuleRef::Shape),
            ("file:", BadModuleRef::Shape),
            ("Log@1", BadModuleRef::Name(super::super::BadName)),
            ("@1", BadModuleRef::Name(super::super::BadName)),
            ("a@", BadModuleRef::Version),
            ("a@1/2", BadModuleRef::Version),
            ("a@latest@2", BadModuleRef::Version),
            (&short, BadModuleRef::Digest),
            (&upper, BadModuleRef::Digest),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<ModuleRef>(), Err(expected), "{text}");
        }
    }
}
