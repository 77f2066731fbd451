//! Which offsets may be committed: those below which everything was delivered.
//!
//! Records are numbered by batch; reports count a batch down, and the batches at the front whose count is zero set the
//! offsets. Invariant: an offset leaves [`Tracker::take`] only after the last report of every batch up to it.

use std::collections::{BTreeMap, VecDeque};

struct Batch {
    /// Outputs without a report, and one more while the batch is being handed over.
    open: usize,
    /// Next offset by partition of the input.
    next: Vec<(i32, i64)>,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Tracker {
    batches: VecDeque<Batch>,
    /// Number of the first of `batches`.
    first: usize,
    done: BTreeMap<i32, i64>,
    in_flight: usize,
}

impl Tracker {
    /// Begins a batch; answers its number, to be the opaque of its outputs.
    pub(crate) fn begin(&mut self) -> usize {
        self.batches.push_back(Batch { open: 1, next: Vec::new() });
        self.first + self.batches.len() - 1
    }

    /// Notes that a record of the input was taken up.
    #[inline]
    pub(crate) fn read(&mut self, batch: usize, partition: i32, offset: i64) {
        if let Some(batch) = self.batches.get_mut(batch - self.first) {
            match batch.next.iter_mut().find(|(known, _)| *known == partition) {
                Some((_, next)) => *next = offset + 1,
                None => batch.next.push((partition, offset + 1)),
            }
        }
    }

    /// Notes that an output was handed over.
    #[inline]
    pub(crate) fn sent(&mut self, batch: usize) {
        self.in_flight += 1;
        if let Some(batch) = self.batches.get_mut(batch - self.first) {
            batch.open += 1;
        }
    }

    /// Notes that an output was delivered.
    #[inline]
    pub(crate) fn delivered(&mut self, batch: usize) {
        self.in_flight -= 1;
        self.count_down(batch);
    }

    /// Nothing more is handed over of this batch.
    pub(crate) fn end(&mut self, batch: usize) {
        self.count_down(batch);
    }

    /// Outputs without a report.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    #[inline]
    fn count_down(&mut self, batch: usize) {
        if let Some(batch) = self.batches.get_mut(batch - self.first) {
            batch.open -= 1;
        }
        while let Some(front) = self.batches.pop_front_if(|front| front.open == 0) {
            self.first += 1;
            self.done.extend(front.next);
        }
    }

    /// Next offsets to commit, by partition, that were not taken before.
    pub(crate) fn take(&mut self) -> BTreeMap<i32, i64> {
        std::mem::take(&mut self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_waits_for_every_batch_before_it() {
        let mut tracker = Tracker::default();
        let (one, two) = (tracker.begin(), tracker.begin());
        tracker.read(one, 0, 7);
        tracker.sent(one);
        tracker.end(one);
        tracker.read(two, 0, 8);
        tracker.sent(two);
        tracker.end(two);
        tracker.delivered(two);
        assert!(tracker.take().is_empty());
        tracker.delivered(one);
        assert_eq!((tracker.take(), tracker.in_flight()), (BTreeMap::from([(0, 9)]), 0));
    }
}
