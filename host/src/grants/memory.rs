//! Entries in the host's memory: bounded, and gone with the host.
//!
//! A bucket with a time to live is a window: when the store is full, its oldest entries go first. Where there are none,
//! a write is refused rather than something forgotten that the module relies on.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::store::{ANSWER_MAX, PAGE, no_number, too_large_an_answer};
use crate::engine::{Keys, StoreError};

/// What an entry takes beside its key and its value, about.
pub(super) const OVERHEAD: usize = 160;

pub(super) struct Memory {
    bytes_max: usize,
    entries_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    buckets: HashMap<String, Entries>,
    bytes: usize,
    entries: usize,
    /// Counts writes.
    writes: u64,
}

#[derive(Default)]
struct Entries {
    entries: HashMap<Arc<str>, Entry>,
    /// By the number of their last write. All of a bucket live equally long, so that is also the order in which they
    /// expire.
    order: BTreeMap<u64, Arc<str>>,
}

struct Entry {
    value: Box<[u8]>,
    write: u64,
    expires: Option<Instant>,
}

impl Entry {
    fn lives(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

fn size(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}

impl Memory {
    pub(super) fn new(bytes_max: usize, entries_max: usize) -> Self {
        Self { bytes_max, entries_max, inner: Mutex::default() }
    }

    /// Entries and bytes, also of what has expired and was not swept yet.
    pub(super) fn size(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.entries, inner.bytes)
    }

    pub(super) fn get(&self, bucket: &str, keys: &[String], now: Instant) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let inner = self.inner.lock();
        let mut room = ANSWER_MAX;
        let value = |key: &String| {
            let Some(value) = inner.value(bucket, key, now) else { return Ok(None) };
            room = room.checked_sub(value.len()).ok_or_else(too_large_an_answer)?;
            Ok(Some(value.to_vec()))
        };
        keys.iter().map(value).collect()
    }

    pub(super) fn exists(&self, bucket: &str, key: &str, now: Instant) -> bool {
        self.inner.lock().value(bucket, key, now).is_some()
    }

    pub(super) fn set(
        &self,
        bucket: &str,
        entries: Vec<(String, Vec<u8>)>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        entries.into_iter().try_for_each(|(key, value)| self.put(&mut inner, bucket, &key, value, ttl, now))
    }

    pub(super) fn delete(&self, bucket: &str, keys: &[String]) {
        let mut inner = self.inner.lock();
        keys.iter().for_each(|key| inner.remove(bucket, key));
    }

    pub(super) fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: u64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let mut inner = self.inner.lock();
        let number = match inner.value(bucket, key, now) {
            None => Some(0),
            Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok()),
        };
        let sum = number.and_then(|number| number.checked_add(delta)).ok_or_else(|| no_number(key))?;
        self.put(&mut inner, bucket, key, sum.to_string().into_bytes(), ttl, now)?;
        Ok(sum)
    }

    /// A page of keys, in the order of their last writes; the cursor is the number of the last one's. A key that is
    /// written meanwhile moves to the end, so none is missed.
    pub(super) fn keys(&self, bucket: &str, cursor: Option<u64>, now: Instant) -> Keys {
        let inner = self.inner.lock();
        let Some(Entries { entries, order }) = inner.buckets.get(bucket) else { return (Vec::new(), None) };
        let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = order.range((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(PAGE).collect();
        let cursor = page.last().map(|(write, _)| **write).filter(|_| rest.next().is_some());
        let lives = |key: &&Arc<str>| entries.get(*key).is_some_and(|entry| entry.lives(now));
        (page.into_iter().map(|(_, key)| key).filter(lives).map(|key| key.to_string()).collect(), cursor)
    }

    fn put(
        &self,
        inner: &mut Inner,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let bytes = size(key, &value);
        if !self.make_room(inner, bucket, key, bytes, now) {
            let (bytes, entries) = (self.bytes_max, self.entries_max);
            return Err(StoreError::Refused(format!(
                "the store is full: the pipeline's `grants.keyvalue.memory` allows {bytes} bytes and {entries} entries; \
                 raise them, or give buckets a `ttl`"
            )));
        }
        inner.remove(bucket, key);
        inner.writes += 1;
        let (write, key): (u64, Arc<str>) = (inner.writes, key.into());
        let expires = ttl.and_then(|ttl| now.checked_add(ttl));
        let place = match inner.buckets.get_mut(bucket) {
            Some(place) => place,
            None => inner.buckets.entry(bucket.to_owned()).or_default(),
        };
        place.order.insert(write, Arc::clone(&key));
        place.entries.insert(key, Entry { value: value.into_boxed_slice(), write, expires });
        inner.bytes += bytes;
        inner.entries += 1;
        Ok(())
    }

    /// Forgets what has expired, and then what would expire first, until an entry of so many bytes fits in place of
    /// what its key has now.
    fn make_room(&self, inner: &mut Inner, bucket: &str, key: &str, bytes: usize, now: Instant) -> bool {
        if bytes > self.bytes_max {
            return false;
        }
        loop {
            let replaced = inner.size_of(bucket, key);
            let (entries, kept) =
                (inner.entries - usize::from(replaced.is_some()), inner.bytes - replaced.unwrap_or(0));
            let full = entries >= self.entries_max || kept + bytes > self.bytes_max;
            let Some((expires, of, first)) = inner.first_to_expire() else { return !full };
            if !full && expires > now {
                return true;
            }
            let (of, first) = (of.to_owned(), Arc::clone(first));
            inner.remove(&of, &first);
        }
    }
}

impl Inner {
    fn value(&self, bucket: &str, key: &str, now: Instant) -> Option<&[u8]> {
        let entry = self.buckets.get(bucket)?.entries.get(key)?;
        entry.lives(now).then_some(&*entry.value)
    }

    fn size_of(&self, bucket: &str, key: &str) -> Option<usize> {
        Some(size(key, &self.buckets.get(bucket)?.entries.get(key)?.value))
    }

    fn remove(&mut self, bucket: &str, key: &str) {
        let Some(place) = self.buckets.get_mut(bucket) else { return };
        if let Some(entry) = place.entries.remove(key) {
            place.order.remove(&entry.write);
            self.bytes -= size(key, &entry.value);
            self.entries -= 1;
        }
    }

    /// Of the buckets whose entries expire, the entry that does so first. There are few buckets.
    fn first_to_expire(&self) -> Option<(Instant, &str, &Arc<str>)> {
        let first = self.buckets.iter().filter_map(|(bucket, Entries { entries, order })| {
            let (_, key) = order.first_key_value()?;
            Some((entries.get(key)?.expires?, bucket.as_str(), key))
        });
        first.min_by_key(|(expires, ..)| *expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    fn one(key: &str, value: &str) -> Vec<(String, Vec<u8>)> {
        vec![(key.to_owned(), value.as_bytes().to_vec())]
    }

    fn text(memory: &Memory, bucket: &str, key: &str, now: Instant) -> Option<String> {
        let mut values = memory.get(bucket, &[key.to_owned()], now).expect("values");
        values.pop().flatten().map(|value| String::from_utf8(value).expect("text"))
    }

    #[test]
    fn a_window_forgets_its_oldest_entries_and_no_other_bucket_does() {
        let (memory, now) = (Memory::new(1 << 20, 10), Instant::now());
        memory.set("items", one("a", "1"), None, now).expect("room");
        for number in 0..100 {
            memory.set("seen", one(&number.to_string(), "x"), HOUR, now).expect("room");
        }
        assert_eq!(memory.size().0, 10);
        assert_eq!(text(&memory, "items", "a", now).as_deref(), Some("1"));
        assert_eq!(text(&memory, "seen", "90", now), None);
        assert_eq!(text(&memory, "seen", "91", now).as_deref(), Some("x"));
        // Written again it is the youngest.
        memory.set("seen", one("91", "y"), HOUR, now).expect("room");
        memory.set("seen", one("100", "x"), HOUR, now).expect("room");
        assert_eq!((text(&memory, "seen", "91", now), text(&memory, "seen", "92", now)), (Some("y".into()), None));
    }

    #[test]
    fn without_a_window_a_full_store_refuses() {
        let (memory, now) = (Memory::new(2 * (OVERHEAD + 2), 1_000), Instant::now());
        memory.set("items", [one("a", "1"), one("b", "2")].concat(), None, now).expect("room");
        let refused = memory.set("items", one("c", "3"), None, now).expect_err("no room");
        assert!(matches!(&refused, StoreError::Refused(words) if words.contains("the store is full")), "{refused}");
        memory.set("items", one("b", "4"), None, now).expect("in its own place");
        memory.set("items", one("b", "too long"), None, now).expect_err("no room");
        assert_eq!(text(&memory, "items", "b", now).as_deref(), Some("4"), "what was refused changes nothing");
        memory.delete("items", &["a".to_owned(), "nothing".to_owned()]);
        memory.set("items", one("c", "3"), None, now).expect("room");
        assert_eq!(memory.size(), (2, 2 * (OVERHEAD + 2)));
        assert!(memory.set("items", one("d", &"x".repeat(1000)), HOUR, now).is_err(), "it would never fit");
        assert_eq!(memory.size().0, 2, "and nothing is forgotten for it");
    }

    #[test]
    fn entries_expire_and_what_expired_makes_room() {
        let (memory, now) = (Memory::new(1 << 20, 2), Instant::now());
        let later = now + Duration::from_secs(3600);
        memory.set("seen", one("a", "1"), HOUR, now).expect("room");
        assert!(memory.exists("seen", "a", later - Duration::from_millis(1)));
        assert!(!memory.exists("seen", "a", later));
        assert_eq!(memory.keys("seen", None, later).0, Vec::<String>::new());
        memory.set("other", [one("b", "2"), one("c", "3")].concat(), None, later).expect("room");
        assert_eq!(memory.size().0, 2);
        assert!(memory.set("other", one("d", "4"), None, later).is_err());
    }

    #[test]
    fn numbers_are_counted_up_and_nothing_else_is() {
        let (memory, now) = (Memory::new(1 << 20, 10), Instant::now());
        assert_eq!(memory.increment("n", "a", 2, None, now), Ok(2));
        assert_eq!(memory.increment("n", "a", u64::MAX - 2, None, now), Ok(u64::MAX));
        assert!(matches!(memory.increment("n", "a", 1, None, now), Err(StoreError::Refused(_))));
        assert_eq!(text(&memory, "n", "a", now), Some(u64::MAX.to_string()));
        memory.set("n", one("b", "many"), None, now).expect("room");
        assert!(memory.increment("n", "b", 1, None, now).is_err());
        assert_eq!(memory.increment("n", "c", 1, HOUR, now), Ok(1));
        assert!(!memory.exists("n", "c", now + Duration::from_secs(3600)));
    }

    #[test]
    fn pages_of_keys_miss_none_that_is_there_all_the_time() {
        let (memory, now) = (Memory::new(64 << 20, 10_000), Instant::now());
        let entries = |keys: std::ops::Range<usize>| keys.map(|key| (key.to_string(), vec![])).collect();
        memory.set("b", entries(0..2500), None, now).expect("room");
        let (mut seen, mut cursor) = (std::collections::HashSet::new(), None);
        loop {
            let (keys, next) = memory.keys("b", cursor, now);
            assert!(keys.len() <= PAGE);
            seen.extend(keys);
            // Between two pages some are deleted and some are written again.
            memory.delete("b", &["2400".to_owned()]);
            memory.set("b", entries(0..10), None, now).expect("room");
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert!((0..2500).filter(|key| *key != 2400).all(|key| seen.contains(&key.to_string())));
        assert_eq!(memory.keys("b", Some(u64::MAX), now), (vec![], None));
    }
}
