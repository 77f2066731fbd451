//! `wasi:keyvalue@0.2.0-draft`, between a guest and the store that its pipeline grants.
//!
//! The engine knows no store: whoever starts an instance hands one in ([`KeyValue`]). A guest waits for it on its lane's
//! thread, at most until its own call has to end. What a guest may not do with a store (a value that is too large) traps
//! it, as any limit does. That a store is away is told to the guest, in words that begin with `unavailable: `; and if
//! it cannot go on then, by trapping or by running out of time, no row is to blame: the batch comes again, later.

use std::{sync::Arc, time::Instant};

use thiserror::Error;
use wasmtime::component::{Resource, ResourceTableError};

use super::{
    bindings::keyvalue::wasi::keyvalue::{atomics, batch, store},
    state::State,
};

/// What the words of an error begin with that trying again may help.
const UNAVAILABLE: &str = "unavailable: ";

/// What is asked of a store.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub bucket: &'a str,
    /// When the answer is of no use any more.
    pub until: Instant,
}

/// Keys, and where the next ones begin.
pub type Keys = (Vec<String>, Option<u64>);

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("access is denied")]
    Denied,
    /// It cannot be done with what is there; the guest is told.
    #[error("{0}")]
    Refused(String),
    /// More than a guest may ask for: it traps.
    #[error("{0}")]
    TooMuch(String),
    /// The same may work later; the guest is told.
    #[error("{0}")]
    Away(String),
    /// A person has to look; the guest is told.
    #[error("{0}")]
    Broken(String),
}

/// A key-value store. Called from lane threads, in the middle of a batch: it may block, but not beyond `until`.
/// Whoever implements it bounds what it takes and what it answers.
pub trait KeyValue: Send + Sync {
    /// Whether this bucket may be opened. An empty name stands for the default one. Asks nobody.
    fn has(&self, bucket: &str) -> bool;

    /// The values of keys, in their order.
    ///
    /// # Errors
    /// See [`StoreError`], here and below.
    fn get(&self, asked: Asked<'_>, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Sets values. After an error some may be set.
    fn set(&self, asked: Asked<'_>, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError>;

    /// Deletes keys that may be there. After an error some may be deleted.
    fn delete(&self, asked: Asked<'_>, keys: &[String]) -> Result<(), StoreError>;

    fn exists(&self, asked: Asked<'_>, key: &str) -> Result<bool, StoreError>;

    /// Adds to a decimal number, 0 where nothing is; answers the sum.
    fn increment(&self, asked: Asked<'_>, key: &str, delta: u64) -> Result<u64, StoreError>;

    /// Some of the keys; a cursor is what an earlier call answered.
    fn keys(&self, asked: Asked<'_>, cursor: Option<u64>) -> Result<Keys, StoreError>;
}

/// A bucket that a guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Bucket {
    name: String,
}

/// What a store was during the guest's call under way.
pub(super) enum Trouble {
    Away(String),
    Broken(String),
}

/// One instance's store, if it has one.
pub(super) struct Granted {
    store: Option<Arc<dyn KeyValue>>,
    /// When the guest's call has to end.
    pub(super) until: Instant,
    pub(super) trouble: Option<Trouble>,
}

impl Granted {
    pub(super) fn new(store: Option<Arc<dyn KeyValue>>) -> Self {
        Self { store, until: Instant::now(), trouble: None }
    }
}

impl State {
    fn ask<T>(
        &self,
        bucket: &Resource<Bucket>,
        ask: impl FnOnce(&dyn KeyValue, Asked<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let bucket = &self.table.get(bucket)?.name;
        let store = self.keyvalue.store.as_deref().ok_or(StoreError::Denied)?;
        ask(store, Asked { bucket, until: self.keyvalue.until })
    }
}

impl From<ResourceTableError> for StoreError {
    fn from(error: ResourceTableError) -> Self {
        Self::TooMuch(format!("a bucket cannot be opened or used: {error}"))
    }
}

impl store::Host for State {
    fn open(&mut self, name: String) -> Result<Resource<Bucket>, StoreError> {
        let store = self.keyvalue.store.as_ref().ok_or(StoreError::Denied)?;
        if !store.has(&name) {
            return Err(StoreError::NoSuchBucket);
        }
        Ok(self.table.push(Bucket { name })?)
    }

    fn convert_error(&mut self, error: StoreError) -> wasmtime::Result<store::Error> {
        Ok(match error {
            StoreError::NoSuchBucket => store::Error::NoSuchStore,
            StoreError::Denied => store::Error::AccessDenied,
            StoreError::Refused(words) => store::Error::Other(words),
            StoreError::TooMuch(words) => return Err(wasmtime::Error::msg(words)),
            StoreError::Away(words) => {
                let said = format!("{UNAVAILABLE}{words}");
                self.keyvalue.trouble.get_or_insert(Trouble::Away(words));
                store::Error::Other(said)
            }
            StoreError::Broken(words) => {
                self.keyvalue.trouble = Some(Trouble::Broken(words.clone()));
                store::Error::Other(words)
            }
        })
    }
}

impl store::HostBucket for State {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask(&bucket, |store, asked| Ok(store.get(asked, &[key])?.pop().flatten()))
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.ask(&bucket, |store, asked| store.set(asked, vec![(key, value)]))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), StoreError> {
        self.ask(&bucket, |store, asked| store.delete(asked, &[key]))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, StoreError> {
        self.ask(&bucket, |store, asked| store.exists(asked, &key))
    }

    fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Result<store::KeyResponse, StoreError> {
        let (keys, cursor) = self.ask(&bucket, |store, asked| store.keys(asked, cursor))?;
        Ok(store::KeyResponse { keys, cursor })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<u64, StoreError> {
        self.ask(&bucket, |store, asked| store.increment(asked, &key, delta))
    }
}

impl batch::Host for State {
    fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, StoreError> {
        let values = self.ask(&bucket, |store, asked| store.get(asked, &keys))?;
        Ok(keys.into_iter().zip(values).map(|(key, value)| Some((key, value?))).collect())
    }

    fn set_many(&mut self, bucket: Resource<Bucket>, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.ask(&bucket, |store, asked| store.set(asked, entries))
    }

    fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), StoreError> {
        self.ask(&bucket, |store, asked| store.delete(asked, &keys))
    }
}
