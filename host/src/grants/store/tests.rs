use std::{collections::BTreeMap, time::Duration};

use super::*;

fn store(buckets: &[(&str, config::Bucket)]) -> Store {
    let settings = config::KeyValue {
        place: config::KeyValuePlace::Memory { bytes: 256 << 20, entries: 1000 },
        value_max: 1 << 20,
        buckets: buckets.iter().map(|(name, bucket)| ((*name).to_owned(), *bucket)).collect::<BTreeMap<_, _>>(),
    };
    Store::new(&settings, Place::Memory(Memory::new(256 << 20, 1000)))
}

fn of(bucket: &str) -> Asked<'_> {
    Asked { bucket, until: Instant::now() + Duration::from_secs(1) }
}

fn one(key: &str, bytes: usize) -> Vec<(String, Vec<u8>)> {
    vec![(key.to_owned(), vec![0; bytes])]
}

const READ_ONLY: config::Bucket = config::Bucket { ttl: None, read_only: true };

#[test]
fn only_the_buckets_that_are_granted_are_there() {
    let store = store(&[("default", config::Bucket::default()), ("items", READ_ONLY)]);
    assert!(store.has("") && store.has("default") && store.has("items"));
    assert!(!store.has("other"));
    assert_eq!(store.get(of("other"), &[]), Err(StoreError::NoSuchBucket));
    store.set(of(""), one("a", 1)).expect("set");
    assert_eq!(store.exists(of("default"), "a"), Ok(true), "the one without a name is the default one");
    assert_eq!(store.exists(of("items"), "a"), Ok(false));
}

#[test]
fn a_bucket_to_be_read_is_not_written() {
    let store = store(&[("items", READ_ONLY)]);
    assert_eq!(store.set(of("items"), one("a", 1)), Err(StoreError::Denied));
    assert_eq!(store.delete(of("items"), &["a".to_owned()]), Err(StoreError::Denied));
    assert_eq!(store.increment(of("items"), "a", 1), Err(StoreError::Denied));
    assert_eq!(store.get(of("items"), &["a".to_owned()]), Ok(vec![None]));
}

#[test]
fn what_a_guest_asks_for_is_bounded() {
    let store = store(&[("default", config::Bucket::default())]);
    let too_much = |answer: Result<(), StoreError>, words: &str| match answer {
        Err(StoreError::TooMuch(said)) => assert!(said.contains(words), "{said}"),
        other => panic!("{other:?}"),
    };
    too_much(store.set(of(""), one("a", (1 << 20) + 1)), "has 1048577 bytes");
    too_much(store.set(of(""), one("", 1)), "a key has 1 to 1024");
    too_much(store.set(of(""), one(&"ä".repeat(513), 1)), "ä…` has 1026 bytes");
    too_much(store.delete(of(""), &vec!["a".to_owned(); KEYS_MAX + 1]), "10001 keys");
    // Small keys can name large values as often as they like.
    store.set(of(""), one("large", 1 << 20)).expect("set");
    assert_eq!(store.get(of(""), &vec!["large".to_owned(); 64]).map(|values| values.len()), Ok(64));
    too_much(store.get(of(""), &vec!["large".to_owned(); 65]).map(drop), "more than 64 MiB");
}

#[test]
fn operations_keys_misses_and_errors_are_counted() {
    let store = store(&[("default", config::Bucket::default()), ("items", READ_ONLY)]);
    store.set(of(""), [one("a", 1), one("b", 1)].concat()).expect("set");
    store.get(of(""), &["a", "b", "c"].map(str::to_owned)).expect("values");
    store.exists(of(""), "c").expect("an answer");
    store.increment(of(""), "n", 5).expect("a sum");
    store.keys(of(""), None).expect("keys");
    store.delete(of(""), &["a".to_owned()]).expect("deleted");
    store.set(of("items"), one("a", 1)).expect_err("denied");
    let counts = store.counts();
    let operations = super::super::Operations { get: 1, set: 2, delete: 1, exists: 1, increment: 1, list: 1 };
    assert_eq!(counts.operations, operations);
    assert_eq!((counts.keys, counts.misses, counts.errors, counts.entries), (9, 2, 1, Some(2)));
    assert!(counts.nanoseconds > 0 && counts.bytes > Some(0));
}
