//! What a sink has done, for metrics: written by its workers, read by whoever exports them.
//!
//! `retried`, `requests` and `bytes` of a Kafka sink are those of the direct path; librdkafka does not say.
//!
//! All counters only grow; they are read one by one, so they agree with each other only once the sink is at rest.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Longest text kept of an error, in bytes: a server may answer with a page.
const ERROR_BYTES_MAX: usize = 1000;

/// Counters of one sink. Shared by the sink's lanes if it is built with the same one.
#[derive(Debug, Default)]
pub struct SinkStats {
    /// Records that are at the server.
    pub delivered: AtomicU64,
    /// Records that the server, or the sink on its behalf, will never take.
    pub rejected: AtomicU64,
    /// Times that a record was sent again.
    pub retried: AtomicU64,
    /// Delivered records that changed nothing, because the same or something newer was there. A few after a restart
    /// are deliveries repeated; many while nothing restarted are versions or ids that clash.
    pub ignored: AtomicU64,
    /// Requests sent.
    pub requests: AtomicU64,
    /// Bytes of encoded records sent, again or not.
    pub bytes: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// As [`SinkStats`], at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct SinkCounts {
    pub delivered: u64,
    pub rejected: u64,
    pub retried: u64,
    pub ignored: u64,
    pub requests: u64,
    pub bytes: u64,
    pub last_error: Option<String>,
}

impl SinkStats {
    pub fn counts(&self) -> SinkCounts {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        SinkCounts {
            delivered: of(&self.delivered),
            rejected: of(&self.rejected),
            retried: of(&self.retried),
            ignored: of(&self.ignored),
            requests: of(&self.requests),
            bytes: of(&self.bytes),
            last_error: self.last_error(),
        }
    }

    /// The last thing that went wrong, for people. It stays when all is well again.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    pub(super) fn note_error(&self, reason: &str) {
        let end = reason.floor_char_boundary(ERROR_BYTES_MAX);
        *self.last_error.lock() = reason.get(..end).map(str::to_owned);
    }

    pub(super) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Relaxed);
    }
}
