//! The key-value store that a pipeline grants its module (`module.grants.keyvalue`): feature `keyvalue`.
//!
//! ```
//! use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, kv::Bucket};
//!
//! /// Puts the name of each user behind its id.
//! struct Names {
//!     names: Bucket,
//! }
//!
//! impl Module for Names {
//!     fn describe() -> Describe {
//!         Describe::new("names", "1.0.0")
//!     }
//!
//!     fn init(_: &Config) -> Result<(Self, Plan), String> {
//!         // Opening asks no server: read in `transform`, which can be tried again.
//!         Ok((Self { names: Bucket::open("names")? }, Plan::route("out").reads(Reads::VALUES)))
//!     }
//!
//!     fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
//!         let id = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
//!         let ids: Vec<String> = batch.rows().map(|row| id(row.value())).collect();
//!         // One round trip for the whole batch.
//!         let names = self.names.get_many(&ids)?;
//!         for ((row, id), name) in batch.rows().zip(&ids).zip(names) {
//!             let name = name.unwrap_or_default();
//!             out.keep(row).value(&[id.as_bytes(), b" ", &name].concat());
//!         }
//!         Ok(())
//!     }
//! }
//!
//! use wasmill_sdk::testing::{Record, keyvalue::Store, run};
//! let store = Store::new();
//! store.set("names", "7", "Zoe");
//! let done = run::<Names>(&[], &[Record::value("7")]).unwrap();
//! assert_eq!(done.records[0].value.as_deref(), Some(&b"7 Zoe"[..]));
//! ```
//!
//! # When something goes wrong
//! `?` makes of an [`Error`] what fits: a store that is away asks for the whole batch again, later; anything else stops
//! the pipeline, since a person has to look. What the pipeline's bounds do not allow (a value that is too large) is a
//! trap, as with any other limit: the row that does it becomes a dead letter.
//!
//! # What is promised
//! An instance reads what it wrote, also after a retry. A batch may be given to a module more than once, and every
//! write with it: write what is the same each time (who was first, with its offset), and leave counting to a sink that
//! counts each record once.

use std::fmt;

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The pipeline grants no bucket of this name.
    NoSuchStore,
    /// The pipeline grants no store, or this bucket to be read only.
    AccessDenied,
    /// The store is away: the same may work later.
    Unavailable(String),
    /// It cannot be done with what is there, such as adding to a value that is no number.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => {
                f.write_str("the pipeline grants no such bucket (`module.grants.keyvalue`: `buckets`)")
            }
            Self::AccessDenied => f.write_str("the pipeline does not grant this (`module.grants.keyvalue`)"),
            Self::Unavailable(reason) => write!(f, "the key-value store is away: {reason}"),
            Self::Other(reason) => write!(f, "the key-value store: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// A retry where the store is away; otherwise a full stop.
impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) => Self::retry(error),
            _ => Self::fatal(error),
        }
    }
}

/// For `init`.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

/// A bucket: keys of 1 to 1024 bytes and their values. All lanes of a pipeline see the same.
#[derive(Debug)]
pub struct Bucket(platform::Bucket);

impl Bucket {
    /// Opens a bucket of the pipeline's grant; an empty name stands for `default`. Asks no server.
    ///
    /// # Errors
    /// It is not granted.
    pub fn open(name: &str) -> Result<Self, Error> {
        platform::Bucket::open(name).map(Self)
    }

    /// The value of a key. For more than one see [`Self::get_many`]: each call may be a round trip to a server.
    ///
    /// # Errors
    /// See [`Error`], here and below.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(key)
    }

    /// Sets a value, in place of the one that is there.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.0.set(key, value)
    }

    /// Deletes a key, if it is there.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }

    /// Whether a key is there.
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.0.exists(key)
    }

    /// Adds to a decimal number, 0 where nothing is; answers the sum. A batch that is given again is added again.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
        self.0.increment(key, delta)
    }

    /// The values of at most 10,000 keys, in their order, in one round trip.
    pub fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.0.get_many(keys)
    }

    /// Sets at most 10,000 values, in one round trip. After an error some may be set.
    pub fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        self.0.set_many(entries)
    }

    /// Deletes at most 10,000 keys, in one round trip. After an error some may be deleted.
    pub fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        self.0.delete_many(keys)
    }

    /// Some of the keys, in no particular order, and what to ask for the next ones with; `None` begins and ends. Dear
    /// where there are many.
    pub fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), Error> {
        self.0.list_keys(cursor)
    }
}

/// In a host.
#[cfg(target_family = "wasm")]
mod platform {
    use self::bindings::wasi::keyvalue::{atomics, batch, store};
    use super::Error;

    #[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic, reason = "generated")]
    mod bindings {
        wit_bindgen::generate!({ path: "wit/deps/keyvalue", world: "imports" });
    }

    /// What the host's words begin with where trying again may help.
    const UNAVAILABLE: &str = "unavailable: ";

    fn error(error: store::Error) -> Error {
        match error {
            store::Error::NoSuchStore => Error::NoSuchStore,
            store::Error::AccessDenied => Error::AccessDenied,
            store::Error::Other(words) => match words.strip_prefix(UNAVAILABLE) {
                Some(reason) => Error::Unavailable(reason.to_owned()),
                None => Error::Other(words),
            },
        }
    }

    #[derive(Debug)]
    pub(super) struct Bucket(store::Bucket);

    impl Bucket {
        pub(super) fn open(name: &str) -> Result<Self, Error> {
            store::open(name).map(Self).map_err(error)
        }

        pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
            self.0.get(key).map_err(error)
        }

        pub(super) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
            self.0.set(key, value).map_err(error)
        }

        pub(super) fn delete(&self, key: &str) -> Result<(), Error> {
            self.0.delete(key).map_err(error)
        }

        pub(super) fn exists(&self, key: &str) -> Result<bool, Error> {
            self.0.exists(key).map_err(error)
        }

        pub(super) fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
            atomics::increment(&self.0, key, delta).map_err(error)
        }

        pub(super) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
            let pairs = batch::get_many(&self.0, keys).map_err(error)?;
            Ok(pairs.into_iter().map(|pair| pair.map(|(_, value)| value)).collect())
        }

        pub(super) fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), Error> {
            batch::set_many(&self.0, entries).map_err(error)
        }

        pub(super) fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
            batch::delete_many(&self.0, keys).map_err(error)
        }

        pub(super) fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), Error> {
            self.0.list_keys(cursor).map(|page| (page.keys, page.cursor)).map_err(error)
        }
    }
}

/// In `cargo test`: see [`crate::testing::keyvalue`].
#[cfg(not(target_family = "wasm"))]
use crate::testing::keyvalue as platform;
