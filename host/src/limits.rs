//! What a module may use: one set per release. Everything that a guest controls is bounded by one of these or by a
//! constant beside its use.

use std::time::Duration;

/// Largest `memory`, in bytes: each place in the pool of instances reserves so much address space for every memory.
pub const MEMORY_MAX: usize = 1 << 30;

/// Limits of one module instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sum of all linear memories and tables of an instance, in bytes.
    pub memory: usize,
    /// Wall time of one call, also of `init`.
    pub time: Duration,
    /// Bytes that one call may answer.
    pub output: usize,
    /// Output records that one call may answer, whatever the batch.
    pub output_records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Memory: StarlingMonkey guests grow past 100 MiB. Output: 64 times the default batch. Records: a batch of
        // 10,000 rows fanned out to 100 each.
        Self { memory: 256 << 20, time: Duration::from_secs(5), output: 64 << 20, output_records: 1_000_000 }
    }
}
