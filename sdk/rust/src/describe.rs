//! Who a module is, what it can be told, and what it asks for.

use std::str::FromStr;

use crate::bindings::exports::wasmill::transform::meta;

/// A module's description of itself.
#[derive(Clone, Debug)]
pub struct Describe {
    pub(crate) raw: meta::Description,
}

impl Describe {
    /// `name` and `version` are what people call the module by.
    pub fn new(name: &str, version: &str) -> Self {
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { raw: meta::Description { name, version, summary: String::new(), settings: Vec::new() } }
    }

    /// What it does, in a sentence.
    pub fn summary(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.raw.summary);
        self
    }

    /// A setting that every pipeline must give.
    pub fn required(self, name: &str, summary: &str) -> Self {
        self.setting(name, summary, None, true)
    }

    /// A setting that may be left out.
    pub fn optional(self, name: &str, summary: &str) -> Self {
        self.setting(name, summary, None, false)
    }

    /// A setting with a default.
    pub fn default(self, name: &str, summary: &str, default: &str) -> Self {
        self.setting(name, summary, Some(default.to_owned()), false)
    }

    fn setting(mut self, name: &str, summary: &str, default: Option<String>, required: bool) -> Self {
        let (name, summary) = (name.to_owned(), summary.to_owned());
        self.raw.settings.push(meta::Setting { name, summary, default, required });
        self
    }
}

/// The settings of a pipeline, as its `module.config` gives them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) settings: Vec<(String, String)>,
}

impl Config {
    /// A setting, where it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A setting that must be given.
    ///
    /// # Errors
    /// Words that name it, to be passed on by `init`.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("setting `{name}` is required"))
    }

    /// A setting as a number, a truth value, or whatever else can be read from text; `default` where it is not given.
    ///
    /// # Errors
    /// Words that name it and what was given.
    pub fn parse<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("setting `{name}`: {text:?} cannot be read")),
        }
    }

    /// A setting as a list: parts between commas, trimmed, without empty ones.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let parts = self.get(name).unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// All settings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Columns that a module reads, to be added up: `Reads::KEYS | Reads::VALUES`. One that is not read is not copied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads(pub(crate) meta::Reads);

impl Reads {
    /// Nothing: the module keeps or drops rows without looking at them.
    pub const NONE: Self = Self(meta::Reads::empty());
    /// [`Row::key`](crate::Row::key).
    pub const KEYS: Self = Self(meta::Reads::KEYS);
    /// [`Row::value`](crate::Row::value).
    pub const VALUES: Self = Self(meta::Reads::VALUES);
    /// [`Row::headers`](crate::Row::headers): the dear ones.
    pub const HEADERS: Self = Self(meta::Reads::HEADERS);
    /// [`Row::offset`](crate::Row::offset).
    pub const OFFSETS: Self = Self(meta::Reads::OFFSETS);
    /// [`Row::timestamp`](crate::Row::timestamp).
    pub const TIMESTAMPS: Self = Self(meta::Reads::TIMESTAMPS);
    /// Everything.
    pub const ALL: Self = Self(meta::Reads::all());
}

impl std::ops::BitOr for Reads {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What an instance will use: its routes, and the columns that it reads.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) routes: Vec<String>,
    pub(crate) reads: Reads,
}

impl Plan {
    /// A plan with a first route: where records go that name none. Reads everything, until told otherwise.
    pub fn route(name: &str) -> Self {
        Self { routes: vec![name.to_owned()], reads: Reads::ALL }
    }

    /// Adds a route. Routes are numbered from 0, in this order.
    pub fn and_route(mut self, name: &str) -> Self {
        self.routes.push(name.to_owned());
        self
    }

    /// Names the columns that the module reads.
    pub fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }
}

#[cfg(test)]
mod tests;
