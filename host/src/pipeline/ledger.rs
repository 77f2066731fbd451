//! What has been delivered, and therefore what may be committed.
//!
//! Per partition the ledger keeps the batches in the order in which they were read, each with the number of deliveries
//! that are still open. An offset may be committed when every batch below it has none: the commit is the end of the
//! settled prefix, never beyond a hole. Offsets may have gaps (compaction, transaction markers), so the end of a batch
//! is its last row's offset plus one, never a count.
//!
//! A partition is known by its epoch (one assignment). Forgetting an epoch is what makes a late settlement harmless:
//! it finds nothing to settle. No IO, no clock. Public for `bench/`, which counts its instructions.

use std::collections::{BTreeMap, VecDeque};

/// Names a batch in the ledger: the epoch of its partition, and its number within the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub epoch: u64,
    /// Ascends within an epoch.
    pub batch: u64,
}

#[derive(Debug)]
struct Open {
    batch: u64,
    /// Offset of its last row plus one.
    next: i64,
    deliveries: u32,
}

#[derive(Debug, Default)]
struct Track {
    /// In the order of reading; `batch` and `next` ascend.
    open: VecDeque<Open>,
    /// End of the settled prefix, once there is one.
    settled: Option<i64>,
    /// What was last handed out to be committed.
    taken: Option<i64>,
}

/// See the module's documentation. Bounded by what is in flight, which the lane bounds.
#[derive(Debug, Default)]
pub struct Ledger {
    tracks: BTreeMap<u64, Track>,
}

impl Ledger {
    /// Begins to keep the partition of this epoch.
    pub fn begin(&mut self, epoch: u64) {
        self.tracks.entry(epoch).or_default();
    }

    /// Forgets an epoch: nothing of it will be committed any more.
    pub fn forget(&mut self, epoch: u64) {
        self.tracks.remove(&epoch);
    }

    /// Enters a batch, in the order of reading, before any of its deliveries is settled. `next` is the offset of its
    /// last row plus one; `deliveries` may be 0, for a batch that was dropped on purpose.
    pub fn enter(&mut self, entry: Entry, next: i64, deliveries: u32) {
        if let Some(track) = self.tracks.get_mut(&entry.epoch) {
            track.open.push_back(Open { batch: entry.batch, next, deliveries });
            track.advance();
        }
    }

    /// Settles one delivery of a batch. True: it was the last one that the batch waited for.
    pub fn settle(&mut self, entry: Entry) -> bool {
        let Some(track) = self.tracks.get_mut(&entry.epoch) else { return false };
        let Ok(index) = track.open.binary_search_by_key(&entry.batch, |open| open.batch) else { return false };
        let open = &mut track.open[index];
        if open.deliveries == 0 {
            return false;
        }
        open.deliveries -= 1;
        let last = open.deliveries == 0;
        track.advance();
        last
    }

    /// Whether everything that was entered for this epoch is settled.
    pub fn is_settled(&self, epoch: u64) -> bool {
        self.tracks.get(&epoch).is_none_or(|track| track.open.is_empty())
    }

    /// Offsets that may be committed and were not handed out before: epoch and next offset. Each only grows.
    pub fn take(&mut self) -> Vec<(u64, i64)> {
        let news = self.tracks.iter_mut().filter_map(|(epoch, track)| {
            let settled = track.settled.filter(|settled| Some(*settled) != track.taken)?;
            track.taken = Some(settled);
            Some((*epoch, settled))
        });
        news.collect()
    }

    /// Hands out again what may not have arrived: the commit of [`Self::take`] failed.
    pub fn retake(&mut self) {
        self.tracks.values_mut().for_each(|track| track.taken = None);
    }

    /// End of the settled prefix of an epoch.
    pub fn settled(&self, epoch: u64) -> Option<i64> {
        self.tracks.get(&epoch)?.settled
    }
}

impl Track {
    fn advance(&mut self) {
        while let Some(open) = self.open.front() {
            if open.deliveries > 0 {
                return;
            }
            self.settled = Some(open.next);
            self.open.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: u64 = 3;

    fn entry(batch: u64) -> Entry {
        Entry { epoch: EPOCH, batch }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.begin(EPOCH);
        ledger
    }

    #[test]
    fn commits_no_further_than_the_first_open_batch() {
        let mut ledger = ledger();
        ledger.enter(entry(1), 10, 1);
        ledger.enter(entry(2), 25, 2);
        ledger.enter(entry(3), 26, 0);
        assert!(!ledger.settle(entry(2)));
        assert!(ledger.settle(entry(2)));
        assert_eq!(ledger.take(), []);
        assert!(ledger.settle(entry(1)));
        assert_eq!(ledger.take(), [(EPOCH, 26)]);
        assert_eq!(ledger.take(), []);
    }

    #[test]
    fn a_settlement_of_a_forgotten_epoch_commits_nothing() {
        let mut ledger = ledger();
        ledger.enter(entry(1), 10, 1);
        ledger.forget(EPOCH);
        assert!(!ledger.settle(entry(1)));
        assert_eq!(ledger.take(), []);
        assert!(ledger.is_settled(EPOCH));
    }

    #[test]
    fn a_failed_commit_is_handed_out_again() {
        let mut ledger = ledger();
        ledger.enter(entry(1), 10, 0);
        assert_eq!(ledger.take(), [(EPOCH, 10)]);
        ledger.retake();
        assert_eq!(ledger.take(), [(EPOCH, 10)]);
    }

    proptest! {
        /// Against the naive model: a set of open deliveries, and the lowest open batch bounds the commit.
        #[test]
        fn agrees_with_the_naive_model(
            batches in prop::collection::vec((1_i64..50, 0_u32..4), 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..160),
        ) {
            let mut ledger = ledger();
            let mut model: Vec<(i64, u32)> = Vec::new();
            let mut offset = 0;
            for (number, (gap, deliveries)) in batches.iter().enumerate() {
                offset += gap;
                ledger.enter(entry(number as u64), offset, *deliveries);
                model.push((offset, *deliveries));
            }
            let mut committed = None;
            for index in order {
                let number = index.index(model.len());
                let last = ledger.settle(entry(number as u64));
                let left = &mut model[number].1;
                prop_assert_eq!(last, *left == 1);
                *left = left.saturating_sub(1);
                let prefix = model.iter().take_while(|(_, left)| *left == 0).last().map(|(next, _)| *next);
                prop_assert_eq!(ledger.settled(EPOCH), prefix);
                for (_, taken) in ledger.take() {
                    prop_assert!(committed.is_none_or(|before| before < taken));
                    committed = Some(taken);
                }
                prop_assert_eq!(committed, prefix);
            }
        }
    }
}
