//! The store of modules in `cargo test`: in memory, of the thread that the test runs on.
//!
//! ```
//! use wasmill_sdk::{kv::{Bucket, Error}, testing::keyvalue::Store};
//!
//! let store = Store::new();
//! store.set("items", "7", "shoes");
//! let items = Bucket::open("items").unwrap();
//! assert_eq!(items.get("7").unwrap().as_deref(), Some(&b"shoes"[..]));
//! items.increment("hits", 2).unwrap();
//! assert_eq!(store.get("items", "hits").as_deref(), Some(&b"2"[..]));
//! store.set_away(true);
//! assert!(matches!(items.get("7"), Err(Error::Unavailable(_))));
//! ```

use std::{cell::RefCell, collections::BTreeMap};

use crate::kv::Error;

type Entries = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, Entries>,
    away: bool,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// What the modules of this thread are granted: every bucket that they open.
#[derive(Debug)]
pub struct Store(());

impl Store {
    /// An empty one, in place of what this thread had.
    #[allow(clippy::new_without_default, reason = "it changes what the thread has")]
    pub fn new() -> Self {
        STATE.with_borrow_mut(|state| *state = State::default());
        Self(())
    }

    /// Sets a value.
    pub fn set(&self, bucket: &str, key: &str, value: impl AsRef<[u8]>) {
        STATE.with_borrow_mut(|state| {
            let entries = state.buckets.entry(canonical(bucket).to_owned()).or_default();
            entries.insert(key.to_owned(), value.as_ref().to_vec())
        });
    }

    /// The value of a key.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        STATE.with_borrow(|state| state.buckets.get(canonical(bucket))?.get(key).cloned())
    }

    /// The keys of a bucket, in their order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        STATE.with_borrow(|state| {
            state.buckets.get(canonical(bucket)).map(|entries| entries.keys().cloned().collect()).unwrap_or_default()
        })
    }

    /// Whether the store is away from now on: operations answer [`Error::Unavailable`] then.
    pub fn set_away(&self, away: bool) {
        STATE.with_borrow_mut(|state| state.away = away);
    }
}

fn canonical(bucket: &str) -> &str {
    if bucket.is_empty() { "default" } else { bucket }
}

/// What [`crate::kv::Bucket`] stands on outside a host.
#[derive(Debug)]
pub(crate) struct Bucket(String);

impl Bucket {
    pub(crate) fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(canonical(name).to_owned()))
    }

    fn with<T>(&self, call: impl FnOnce(&mut Entries) -> Result<T, Error>) -> Result<T, Error> {
        STATE.with_borrow_mut(|state| {
            if state.away {
                return Err(Error::Unavailable("the test says so".into()));
            }
            call(state.buckets.entry(self.0.clone()).or_default())
        })
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.with(|entries| Ok(entries.get(key).cloned()))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.with(|entries| {
            entries.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        self.with(|entries| {
            entries.remove(key);
            Ok(())
        })
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, Error> {
        self.with(|entries| Ok(entries.contains_key(key)))
    }

    pub(crate) fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
        self.with(|entries| {
            let number = match entries.get(key) {
                None => Some(0),
                Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok()),
            };
            let no_number =
                || Error::Other(format!("the value of key `{key}` is no whole number that can be added to"));
            let sum = number.and_then(|number| number.checked_add(delta)).ok_or_else(no_number)?;
            entries.insert(key.to_owned(), sum.to_string().into_bytes());
            Ok(sum)
        })
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.with(|entries| Ok(keys.iter().map(|key| entries.get(key).cloned()).collect()))
    }

    pub(crate) fn set_many(&self, new: &[(String, Vec<u8>)]) -> Result<(), Error> {
        self.with(|entries| {
            entries.extend(new.iter().cloned());
            Ok(())
        })
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
        self.with(|entries| {
            keys.iter().for_each(|key| drop(entries.remove(key)));
            Ok(())
        })
    }

    /// Pages of ten, so that a module that forgets the cursor is found out.
    pub(crate) fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), Error> {
        const PAGE: usize = 10;
        self.with(|entries| {
            let begin = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
            let page: Vec<String> = entries.iter().skip(begin).take(PAGE).map(|(key, _)| key.clone()).collect();
            let end = begin.saturating_add(page.len());
            Ok((page, (end < entries.len()).then_some(end as u64)))
        })
    }
}
