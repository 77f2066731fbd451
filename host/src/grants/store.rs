//! A key-value store as its pipeline grants it: which buckets there are and what may be done with them, how much may be
//! asked for, and what is counted. Where the entries are is [`Place`]'s affair.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Instant};

use super::{
    memory::Memory,
    redis::Redis,
    stats::{KeyValueCounts, Operation, Stats},
};
use crate::{
    config::{self, DEFAULT_BUCKET},
    contact::Contact,
    engine::{Asked, KeyValue, Keys, StoreError},
};

/// Bytes of a key.
pub(super) const KEY_MAX: usize = 1 << 10;

/// Keys of one call: a batch has at most as many rows.
pub(super) const KEYS_MAX: usize = 10_000;

/// Bytes of the values that one call is answered.
pub(super) const ANSWER_MAX: usize = 64 << 20;

/// Keys that one `list-keys` is answered, about.
pub(super) const PAGE: usize = 1_000;

/// Where the entries are.
pub(super) enum Place {
    Memory(Memory),
    Redis(Redis),
}

pub(super) struct Store {
    buckets: BTreeMap<String, config::Bucket>,
    value_max: usize,
    place: Place,
    stats: Stats,
}

impl Store {
    pub(super) fn new(settings: &config::KeyValue, place: Place) -> Self {
        let (buckets, value_max) = (settings.buckets.clone(), settings.value_max);
        Self { buckets, value_max, place, stats: Stats::default() }
    }

    pub(super) fn contact(&self) -> Contact {
        match &self.place {
            Place::Memory(_) => Contact::Made,
            Place::Redis(redis) => redis.contact(),
        }
    }

    pub(super) fn counts(&self) -> KeyValueCounts {
        let counts = self.stats.counts();
        match &self.place {
            Place::Memory(memory) => {
                let (entries, bytes) = memory.size();
                KeyValueCounts { entries: Some(entries as u64), bytes: Some(bytes as u64), ..counts }
            }
            Place::Redis(_) => counts,
        }
    }

    fn bucket(&self, name: &str) -> Result<config::Bucket, StoreError> {
        self.buckets.get(canonical(name)).copied().ok_or(StoreError::NoSuchBucket)
    }

    fn writable(&self, name: &str) -> Result<config::Bucket, StoreError> {
        let bucket = self.bucket(name)?;
        if bucket.read_only { Err(StoreError::Denied) } else { Ok(bucket) }
    }

    fn check_value(&self, key: &str, bytes: usize) -> Result<(), StoreError> {
        if bytes <= self.value_max {
            return Ok(());
        }
        let max = self.value_max;
        Err(StoreError::TooMuch(format!(
            "the value of key `{}` has {bytes} bytes, and the pipeline's `grants.keyvalue` allows {max} (`value`)",
            shown(key)
        )))
    }

    fn timed<T>(
        &self,
        operation: Operation,
        keys: usize,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let answer = call();
        self.stats.note(operation, keys, started.elapsed(), answer.is_err());
        answer
    }
}

impl KeyValue for Store {
    fn has(&self, bucket: &str) -> bool {
        self.bucket(bucket).is_ok()
    }

    fn get(&self, asked: Asked<'_>, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.timed(Operation::Get, keys.len(), || {
            self.bucket(asked.bucket)?;
            check_keys(keys)?;
            let bucket = canonical(asked.bucket);
            let values = match &self.place {
                Place::Memory(memory) => memory.get(bucket, keys, Instant::now()),
                Place::Redis(redis) => redis.get(bucket, keys, self.value_max, asked.until),
            }?;
            let misses = values.iter().filter(|value| value.is_none()).count();
            self.stats.misses.fetch_add(misses as u64, Relaxed);
            Ok(values)
        })
    }

    fn set(&self, asked: Asked<'_>, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        self.timed(Operation::Set, entries.len(), || {
            let ttl = self.writable(asked.bucket)?.ttl;
            check_count(entries.len())?;
            for (key, value) in &entries {
                check_key(key)?;
                self.check_value(key, value.len())?;
            }
            let bucket = canonical(asked.bucket);
            match &self.place {
                Place::Memory(memory) => memory.set(bucket, entries, ttl, Instant::now()),
                Place::Redis(redis) => redis.set(bucket, &entries, ttl, asked.until),
            }
        })
    }

    fn delete(&self, asked: Asked<'_>, keys: &[String]) -> Result<(), StoreError> {
        self.timed(Operation::Delete, keys.len(), || {
            self.writable(asked.bucket)?;
            check_keys(keys)?;
            let bucket = canonical(asked.bucket);
            match &self.place {
                Place::Memory(memory) => memory.delete(bucket, keys),
                Place::Redis(redis) => redis.delete(bucket, keys, asked.until)?,
            }
            Ok(())
        })
    }

    fn exists(&self, asked: Asked<'_>, key: &str) -> Result<bool, StoreError> {
        self.timed(Operation::Exists, 1, || {
            self.bucket(asked.bucket)?;
            check_key(key)?;
            let bucket = canonical(asked.bucket);
            let exists = match &self.place {
                Place::Memory(memory) => memory.exists(bucket, key, Instant::now()),
                Place::Redis(redis) => redis.exists(bucket, key, asked.until)?,
            };
            self.stats.misses.fetch_add(u64::from(!exists), Relaxed);
            Ok(exists)
        })
    }

    fn increment(&self, asked: Asked<'_>, key: &str, delta: u64) -> Result<u64, StoreError> {
        self.timed(Operation::Increment, 1, || {
            let ttl = self.writable(asked.bucket)?.ttl;
            check_key(key)?;
            let bucket = canonical(asked.bucket);
            match &self.place {
                Place::Memory(memory) => memory.increment(bucket, key, delta, ttl, Instant::now()),
                Place::Redis(redis) => redis.increment(bucket, key, delta, ttl, asked.until),
            }
        })
    }

    fn keys(&self, asked: Asked<'_>, cursor: Option<u64>) -> Result<Keys, StoreError> {
        self.timed(Operation::List, 0, || {
            self.bucket(asked.bucket)?;
            let bucket = canonical(asked.bucket);
            match &self.place {
                Place::Memory(memory) => Ok(memory.keys(bucket, cursor, Instant::now())),
                Place::Redis(redis) => redis.keys(bucket, cursor, asked.until),
            }
        })
    }
}

fn canonical(bucket: &str) -> &str {
    if bucket.is_empty() { DEFAULT_BUCKET } else { bucket }
}

fn check_keys(keys: &[String]) -> Result<(), StoreError> {
    check_count(keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))
}

fn check_count(count: usize) -> Result<(), StoreError> {
    if count <= KEYS_MAX {
        return Ok(());
    }
    Err(StoreError::TooMuch(format!("{count} keys were asked for at once; {KEYS_MAX} are allowed")))
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if (1..=KEY_MAX).contains(&key.len()) {
        return Ok(());
    }
    let (bytes, key) = (key.len(), shown(key));
    Err(StoreError::TooMuch(format!("key `{key}` has {bytes} bytes; a key has 1 to {KEY_MAX}")))
}

/// A key in a message: its begin, where it is long.
pub(super) fn shown(key: &str) -> String {
    const SHOWN_MAX: usize = 64;
    match key.get(..key.floor_char_boundary(SHOWN_MAX)) {
        Some(begin) if begin.len() < key.len() => format!("{}…", begin.escape_debug()),
        _ => key.escape_debug().to_string(),
    }
}

pub(super) fn too_large_an_answer() -> StoreError {
    let max = ANSWER_MAX >> 20;
    StoreError::TooMuch(format!("the values asked for have more than {max} MiB together: ask for fewer at once"))
}

pub(super) fn no_number(key: &str) -> StoreError {
    StoreError::Refused(format!("the value of key `{}` is no whole number that can be added to", shown(key)))
}

#[cfg(test)]
mod tests;
