//! What the modules of a pipeline said last: a ring that forgets the oldest.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::engine::{GuestOutput, LogLevel};

/// Lines kept of a pipeline.
const LINES_MAX: usize = 2000;

/// Bytes kept of a pipeline's lines.
const BYTES_MAX: usize = 1 << 20;

/// One line of a module.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// Counts up: ask for what is after it.
    pub seq: u64,
    /// RFC 3339.
    pub time: String,
    #[schema(value_type = String)]
    pub level: LogLevel,
    pub pipeline: String,
    pub release: u64,
    pub message: String,
}

pub(super) struct Logs {
    pipeline: String,
    ring: Mutex<Ring>,
    metrics: Mutex<BTreeMap<String, GuestMetric>>,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
    last: u64,
}

/// A metric of a module's own: a counter, or the sum and number of what it observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GuestMetric {
    Count(u64),
    Observed { sum: f64, count: u64 },
}

impl Logs {
    pub(super) fn new(pipeline: &str) -> Self {
        Self { pipeline: pipeline.to_owned(), ring: Mutex::default(), metrics: Mutex::default() }
    }

    /// Lines after `seq`, oldest first, at most `max`.
    pub(super) fn after(&self, seq: u64, max: usize) -> Vec<LogLine> {
        self.ring.lock().lines.iter().filter(|line| line.seq > seq).take(max).cloned().collect()
    }

    pub(super) fn metrics(&self) -> BTreeMap<String, GuestMetric> {
        self.metrics.lock().clone()
    }

    /// Where the modules of one release are heard.
    pub(super) fn of_release(self: &Arc<Self>, release: u64) -> Arc<dyn GuestOutput> {
        Arc::new(OfRelease { logs: Arc::clone(self), release })
    }

    pub(super) fn push(&self, release: u64, level: LogLevel, message: &str) {
        let mut ring = self.ring.lock();
        ring.last += 1;
        let (seq, time) = (ring.last, jiff::Timestamp::now().to_string());
        ring.bytes += message.len();
        let (pipeline, message) = (self.pipeline.clone(), message.to_owned());
        ring.lines.push_back(LogLine { seq, time, level, pipeline, release, message });
        while ring.lines.len() > LINES_MAX || ring.bytes > BYTES_MAX {
            let Some(oldest) = ring.lines.pop_front() else { return };
            ring.bytes -= oldest.message.len();
        }
    }
}

struct OfRelease {
    logs: Arc<Logs>,
    release: u64,
}

impl GuestOutput for OfRelease {
    fn log(&self, level: LogLevel, message: &str) {
        self.logs.push(self.release, level, message);
    }

    fn count(&self, name: &str, by: u64) {
        let mut metrics = self.logs.metrics.lock();
        match metrics.entry(name.to_owned()).or_insert(GuestMetric::Count(0)) {
            GuestMetric::Count(count) => *count = count.saturating_add(by),
            GuestMetric::Observed { .. } => {}
        }
    }

    fn observe(&self, name: &str, value: f64) {
        let mut metrics = self.logs.metrics.lock();
        match metrics.entry(name.to_owned()).or_insert(GuestMetric::Observed { sum: 0.0, count: 0 }) {
            GuestMetric::Observed { sum, count } => {
                *sum += value;
                *count += 1;
            }
            GuestMetric::Count(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_forgotten_and_numbers_go_on() {
        let logs = Arc::new(Logs::new("orders"));
        let release = logs.of_release(3);
        (0..LINES_MAX + 10).for_each(|number| release.log(LogLevel::Info, &number.to_string()));
        let lines = logs.after(0, usize::MAX);
        assert_eq!((lines.len(), lines[0].seq, lines[0].release), (LINES_MAX, 11, 3));
        assert_eq!(lines[0].pipeline, "orders");
        let last = lines[LINES_MAX - 1].seq;
        assert_eq!(logs.after(last - 1, usize::MAX).len(), 1);
        release.log(LogLevel::Info, &"x".repeat(BYTES_MAX));
        assert_eq!(logs.after(0, usize::MAX).len(), 1);
    }
}
