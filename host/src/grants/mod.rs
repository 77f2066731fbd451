//! What a pipeline's module may reach beyond its records, as its file grants it: a key-value store (docs/grants.md).
//!
//! ```text
//! guest -> engine (wasi:keyvalue) -> Store: buckets, bounds, counters -> Memory | Redis
//! ```
//!
//! A store belongs to a pipeline: its lanes share it, and a release that grants the same as the one before goes on with
//! the same store. Modules that are tried by hand get one of their own, in memory, whatever is granted.

mod memory;
mod redis;
mod stats;
mod store;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use thiserror::Error;
use tokio::runtime::Handle;

use self::{memory::Memory, redis::Redis};
pub use stats::{KeyValueCounts, Operations};
use store::{Place, Store};

use crate::{
    config::{self, KeyValuePlace},
    contact::Contact,
    engine,
};

/// Bounds of a store in memory where its pipeline has none.
const TRIAL: (usize, usize) = (64 << 20, 1_000_000);

/// What is granted cannot be had.
#[derive(Debug, Error)]
pub enum GrantError {
    #[error("`module.grants.http` is not available in this version: a module makes no HTTP requests; leave it out")]
    Http,
    /// Not the URL itself: it may hold a password.
    #[error("`module.grants.keyvalue.redis.url` cannot be used: {0}")]
    Url(String),
    #[error("bucket `{bucket}` is not granted: `module.grants.keyvalue` has {known}")]
    NoSuchBucket { bucket: String, known: String },
    #[error("what the store is to begin with does not fit: {0}")]
    Contents(String),
}

/// Entries of buckets, to begin with.
pub type Contents = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// What is granted, opened. Cheap to clone.
#[derive(Clone, Default)]
pub struct Granted {
    settings: config::Grants,
    keyvalue: Option<Arc<Store>>,
}

impl Granted {
    /// Opens what the file grants, or takes it over from a release before that was granted the same. Connects to
    /// nothing yet.
    ///
    /// # Errors
    /// It is not available, or an address cannot be used.
    pub fn open(settings: &config::Grants, runtime: &Handle, before: Option<&Self>) -> Result<Self, GrantError> {
        if let Some(before) = before.filter(|before| before.settings == *settings) {
            return Ok(before.clone());
        }
        if !settings.http.is_empty() {
            return Err(GrantError::Http);
        }
        let open = |keyvalue: &config::KeyValue| -> Result<Arc<Store>, GrantError> {
            let place = match &keyvalue.place {
                KeyValuePlace::Memory { bytes, entries } => Place::Memory(Memory::new(*bytes, *entries)),
                KeyValuePlace::Redis { url, prefix, timeout } => {
                    let redis = Redis::new(url.expose(), prefix, *timeout, runtime);
                    Place::Redis(redis.map_err(|error| GrantError::Url(error.to_string()))?)
                }
            };
            Ok(Arc::new(Store::new(keyvalue, place)))
        };
        Ok(Self { settings: settings.clone(), keyvalue: settings.keyvalue.as_ref().map(open).transpose()? })
    }

    /// The same for a module that is tried by hand: its store is in memory, and nobody else's.
    ///
    /// # Errors
    /// `contents` does not fit.
    pub fn on_trial(settings: &config::Grants, contents: &Contents) -> Result<Self, GrantError> {
        let buckets = settings.keyvalue.as_ref().map(|keyvalue| &keyvalue.buckets);
        let strange = contents.keys().find(|bucket| !buckets.is_some_and(|known| known.contains_key(*bucket)));
        if let Some(bucket) = strange {
            let known: Vec<String> =
                buckets.into_iter().flat_map(BTreeMap::keys).map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(GrantError::NoSuchBucket { bucket: bucket.clone(), known });
        }
        let Some(keyvalue) = &settings.keyvalue else { return Ok(Self::default()) };
        let (bytes, entries) = match keyvalue.place {
            KeyValuePlace::Memory { bytes, entries } => (bytes, entries),
            KeyValuePlace::Redis { .. } => TRIAL,
        };
        let memory = Memory::new(bytes, entries);
        for (bucket, entries) in contents {
            let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            let filled = memory.set(bucket, entries, None, Instant::now());
            filled.map_err(|error| GrantError::Contents(error.to_string()))?;
        }
        let store = Arc::new(Store::new(keyvalue, Place::Memory(memory)));
        Ok(Self { settings: settings.clone(), keyvalue: Some(store) })
    }

    /// For an instance.
    pub fn for_engine(&self) -> engine::Grants {
        engine::Grants { keyvalue: self.keyvalue.clone().map(|store| store as Arc<dyn engine::KeyValue>) }
    }

    pub fn settings(&self) -> &config::Grants {
        &self.settings
    }

    /// Whether all servers were reached. Asks them by itself until they were.
    pub fn contact(&self) -> Contact {
        let contact = self.keyvalue.as_ref().map_or(Contact::Made, |store| store.contact());
        contact.said_by("grant `keyvalue`")
    }

    /// What the key-value store has done, where there is one.
    pub fn keyvalue_counts(&self) -> Option<KeyValueCounts> {
        self.keyvalue.as_ref().map(|store| store.counts())
    }
}
