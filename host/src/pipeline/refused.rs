//! Rows that a broker refused within a transaction, which had to be thrown away for it: when they come again they go to
//! the dead letters instead.
//!
//! Shared by the lanes of a pipeline and kept while they start over. Bounded: what does not fit is found again, by one
//! more transaction that fails.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::dead_letter::{DeadLetter, STAGE_SINK};
use crate::{batch::Batch, kafka::Partition, sink::Rejected};

/// Rows remembered at a time.
const ROWS_MAX: usize = 10_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Reasons, by partition and offset.
    rows: Mutex<BTreeMap<(Partition, i64), String>>,
}

fn partition(batch: &Batch) -> Partition {
    Partition { topic: batch.topic.clone(), partition: batch.partition }
}

impl Refused {
    /// Remembers rows of a batch.
    pub(super) fn note(&self, batch: &Batch, rejected: Vec<Rejected>) {
        let mut rows = self.rows.lock();
        for Rejected { row, reason } in rejected {
            if rows.len() < ROWS_MAX {
                rows.insert((partition(batch), batch.rows.offset(row as usize)), reason);
            }
        }
    }

    /// Rows of a batch that were refused before, in order.
    pub(super) fn of(&self, batch: &Batch) -> Vec<DeadLetter> {
        let rows = self.rows.lock();
        let count = batch.rows.len();
        if rows.is_empty() || count == 0 {
            return vec![];
        }
        let (first, last) = (batch.rows.offset(0), batch.rows.offset(count - 1));
        let known = rows.range((partition(batch), first)..=(partition(batch), last));
        let offsets: BTreeMap<i64, &String> = known.map(|((_, offset), reason)| (*offset, reason)).collect();
        let letter = |row: usize| {
            let reason = (*offsets.get(&batch.rows.offset(row))?).clone();
            Some(DeadLetter { row: row as u32, stage: STAGE_SINK, reason, backtrace: vec![] })
        };
        if offsets.is_empty() { vec![] } else { (0..count).filter_map(letter).collect() }
    }

    /// Everything below `next` is committed.
    pub(super) fn forget(&self, committed: &Partition, next: i64) {
        self.rows.lock().retain(|(partition, offset), _| partition != committed || *offset >= next);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::batch::MemoryRows;

    fn batch(offsets: impl Iterator<Item = i64>) -> Batch {
        let mut rows = MemoryRows::default();
        offsets.for_each(|offset| rows.push(offset, 0, None, None, &[]));
        Batch { topic: "t".into(), partition: 1, epoch: 1, bytes: 0, rows: Rc::new(rows) }
    }

    #[test]
    fn a_refused_row_is_known_wherever_it_comes_again_until_it_is_committed() {
        let refused = Refused::default();
        let rejected = [2, 4].map(|row| Rejected { row, reason: format!("row {row}") });
        refused.note(&batch(10..20), rejected.to_vec());
        let rows = |offsets| refused.of(&batch(offsets)).into_iter().map(|letter| letter.row).collect::<Vec<_>>();
        assert_eq!(rows(10..20), [2, 4]);
        assert_eq!(rows(14..18), [0]);
        assert_eq!(rows(15..18), [] as [u32; 0]);
        let other = Batch { partition: 2, ..batch(10..20) };
        assert!(refused.of(&other).is_empty());
        refused.forget(&partition(&other), 100);
        refused.forget(&partition(&batch(0..1)), 13);
        assert_eq!(rows(10..20), [4]);
    }
}
