//! Texts that must not be shown.
//!
//! Invariant: `Debug` and `Serialize` of everything here print a mask; the text itself is had by [`Secret::expose`]
//! alone, so that a search for that word finds every use.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Formatter},
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

pub(super) const MASK: &str = "[redacted]";

/// A text that is never printed, and whose memory is overwritten when it goes.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself, for the client that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Whether two releases are the same is asked of whole pipelines; nothing compares a secret with what a stranger sent.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// Settings of librdkafka by name, handed on as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Property>);

/// A value, and whether `Debug` may print it.
#[derive(Clone, PartialEq, Eq)]
struct Property {
    value: Secret,
    hidden: bool,
}

impl Properties {
    /// Adds a setting, replacing one of the same name. It is hidden if its name says that it holds a secret.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Secret>) {
        let name = name.into();
        let hidden = looks_secret(&name);
        self.0.insert(name, Property { value: value.into(), hidden });
    }

    /// Adds a setting that is hidden whatever its name.
    pub(super) fn insert_hidden(&mut self, name: String, value: Secret) {
        self.0.insert(name, Property { value, hidden: true });
    }

    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name).map(|property| &property.value)
    }

    /// All settings, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, property)| (name.as_str(), &property.value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over those of `others` whose name passes and which are not set here.
    pub(super) fn inherit(&mut self, others: &Self, passes: impl Fn(&str) -> bool) {
        for (name, property) in others.0.iter().filter(|(name, _)| passes(name)) {
            self.0.entry(name.clone()).or_insert_with(|| property.clone());
        }
    }
}

impl Debug for Properties {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = |property: &Property| if property.hidden { MASK } else { property.value.expose() }.to_owned();
        f.debug_map().entries(self.0.iter().map(|(name, property)| (name, shown(property)))).finish()
    }
}

/// Whether a setting of this name is likely to hold a secret. Errs towards hiding; the bare word `key` is a record's.
pub(super) fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "private",
        "jaas",
        "authorization",
        "bearer",
    ];
    let name = name.to_ascii_lowercase();
    // `ssl.key.pem`, `api_key` and `apikey`, but not `keyvalue`.
    let is_key = name != "key" && name.split(['.', '_', '-']).any(|part| part.ends_with("key"));
    is_key || WORDS.iter().any(|word| name.contains(word))
}
