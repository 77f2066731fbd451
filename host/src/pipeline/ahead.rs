//! What a lane transforms while its transaction is closed: it belongs to the next one.
//!
//! A closed transaction waits some tens of milliseconds for its last deliveries and its commit. The module need not wait
//! with it. No other release is taken up before all of this is delivered: its routes are those of the release that
//! answered.

use std::collections::VecDeque;

use super::transform::Transformed;
use crate::batch::Batch;

/// Rows that are transformed ahead at most: more than a lane does in the time.
const ROWS_MAX: usize = 50_000;

/// Bytes of keys, values and outputs, beyond which no other batch is begun.
const BYTES_MAX: usize = 8 << 20;

/// Batches with their outputs, in the order in which they were read.
#[derive(Default)]
pub(super) struct Ahead {
    batches: VecDeque<(Batch, Transformed)>,
}

impl Ahead {
    pub(super) fn has_room(&self) -> bool {
        let (rows, bytes) = self.batches.iter().fold((0, 0), |(rows, bytes), (batch, transformed)| {
            (rows + batch.rows.len(), bytes + batch.bytes + transformed.byte_len())
        });
        rows < ROWS_MAX && bytes < BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) fn push(&mut self, batch: Batch, transformed: Transformed) {
        self.batches.push_back((batch, transformed));
    }

    pub(super) fn pop(&mut self) -> Option<(Batch, Transformed)> {
        self.batches.pop_front()
    }

    /// Drops what was read in an epoch that is over: the next owner of its partition reads it again.
    pub(super) fn forget(&mut self, epoch: u64) {
        self.batches.retain(|(batch, _)| batch.epoch != epoch);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::{batch::MemoryRows, output::Output, pipeline::transform::Part};

    fn batch(epoch: u64, rows: usize, bytes: usize) -> Batch {
        let mut memory = MemoryRows::default();
        (0..rows).for_each(|offset| memory.push(offset as i64, 0, None, None, &[]));
        Batch { topic: "t".into(), partition: 1, epoch, bytes, rows: Rc::new(memory) }
    }

    #[test]
    fn it_is_bounded_in_rows_in_bytes_and_in_bytes_of_outputs() {
        let full = |rows, bytes, output: Transformed| {
            let mut ahead = Ahead::default();
            ahead.push(batch(1, rows, bytes), output);
            !ahead.has_room()
        };
        assert!(!full(ROWS_MAX - 1, BYTES_MAX - 1, Transformed::default()));
        assert!(full(ROWS_MAX, 0, Transformed::default()));
        assert!(full(0, BYTES_MAX, Transformed::default()));
        let output = Output { rows: vec![0; BYTES_MAX / 4], ..Output::default() };
        assert!(full(0, 0, Transformed { parts: vec![Part { base: 0, output }], poison: vec![] }));
    }

    #[test]
    fn what_is_not_of_an_epoch_that_is_over_comes_back_in_its_order() {
        let mut ahead = Ahead::default();
        for (epoch, rows) in [(1, 1), (2, 2), (1, 3), (3, 4)] {
            ahead.push(batch(epoch, rows, 0), Transformed::default());
        }
        ahead.forget(1);
        let order: Vec<usize> = std::iter::from_fn(|| ahead.pop()).map(|(batch, _)| batch.rows.len()).collect();
        assert_eq!(order, [2, 4]);
        assert!(ahead.is_empty());
    }
}
