//! What a key-value store has done, for metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What modules ask of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    Delete,
    Exists,
    Increment,
    List,
}

/// Written by lanes. All only grow.
#[derive(Debug, Default)]
pub(super) struct Stats {
    operations: [AtomicU64; 6],
    pub(super) keys: AtomicU64,
    pub(super) misses: AtomicU64,
    errors: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Calls of modules, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Operations {
    pub get: u64,
    pub set: u64,
    pub delete: u64,
    pub exists: u64,
    pub increment: u64,
    pub list: u64,
}

/// What a key-value store has done since it was opened in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct KeyValueCounts {
    pub operations: Operations,
    /// Keys that the operations named.
    pub keys: u64,
    /// Keys that were looked for and not there.
    pub misses: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Time that modules waited for them.
    pub nanoseconds: u64,
    /// Entries, of a store in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Bytes of keys, values and overhead, of a store in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Stats {
    pub(super) fn note(&self, operation: Operation, keys: usize, took: Duration, failed: bool) {
        let add = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Relaxed);
        if let Some(operations) = self.operations.get(operation as usize) {
            add(operations, 1);
        }
        add(&self.keys, keys as u64);
        add(&self.errors, u64::from(failed));
        add(&self.nanoseconds, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn counts(&self) -> KeyValueCounts {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let [get, set, delete, exists, increment, list] = self.operations.each_ref().map(of);
        KeyValueCounts {
            operations: Operations { get, set, delete, exists, increment, list },
            keys: of(&self.keys),
            misses: of(&self.misses),
            errors: of(&self.errors),
            nanoseconds: of(&self.nanoseconds),
            entries: None,
            bytes: None,
        }
    }
}
