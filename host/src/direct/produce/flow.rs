//! The batches of one partition on their way to its leader: in order, one under way at a time. No IO, no clock.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use super::Pending;
use crate::direct::{
    compression::{Codec, CodecError},
    records::{self, Builder, RecordsError, Sequence},
};

/// Records of one batch, with the numbers that their producer gave them.
#[derive(Debug)]
pub(super) struct Batch {
    content: Content,
    pub(super) opaques: Vec<u64>,
}

#[derive(Debug)]
enum Content {
    /// Has no place in the sequence yet.
    Filled(Option<Builder>),
    /// Is sent again as it is.
    Finished(Bytes),
}

impl From<Pending> for Batch {
    fn from(pending: Pending) -> Self {
        Self { content: Content::Filled(Some(pending.builder)), opaques: pending.opaques }
    }
}

/// Who the producer is to the brokers. Another generation begins another sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    pub(super) generation: u64,
    /// Its batches are parts of transactions.
    pub(super) transactional: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The first is the one under way, where one is.
    batches: VecDeque<Batch>,
    pub(super) under_way: bool,
    /// Times that a batch was sent: an answer to an earlier time is not about the batch under way.
    pub(super) turn: u64,
    /// Not before: something was wrong.
    pub(super) wait_until: Option<Instant>,
    /// Times in a row that it was.
    pub(super) attempts: u32,
    /// Of the next batch.
    sequence: i32,
    generation: u64,
    /// The brokers have lost the sequence: the first batch is to begin a new one.
    restamp: bool,
}

impl Flow {
    pub(super) fn push(&mut self, pending: Pending) {
        self.batches.push_back(pending.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The next batch as it is to be sent, and whether memory of its records is left over.
    pub(super) fn start(
        &mut self,
        identity: Identity,
        codec: Codec,
    ) -> Result<Option<(Bytes, Option<Vec<u8>>)>, CodecError> {
        let Some(batch) = self.batches.front_mut() else { return Ok(None) };
        if self.generation != identity.generation && (self.restamp || matches!(batch.content, Content::Filled(_))) {
            (self.generation, self.sequence) = (identity.generation, 0);
        }
        let Identity { producer, epoch, transactional, .. } = identity;
        let sequence = Sequence { producer, epoch, first: self.sequence, transactional };
        let mut spare = None;
        let bytes = match &mut batch.content {
            Content::Finished(bytes) if self.restamp => records::restamp(bytes, sequence),
            Content::Finished(bytes) => bytes.clone(),
            Content::Filled(builder) => {
                let Some(builder) = builder.take() else { return Ok(None) };
                let (bytes, left) = builder.finish(codec, sequence)?;
                spare = left;
                bytes.into()
            }
        };
        batch.content = Content::Finished(bytes.clone());
        (self.restamp, self.under_way) = (false, true);
        self.turn += 1;
        Ok(Some((bytes, spare)))
    }

    /// Compresses the batch behind the one under way, which is not to wait for it then. Where there was something to do,
    /// the memory that is left over.
    pub(super) fn pack_ahead(&mut self, codec: Codec) -> Option<Vec<u8>> {
        let next = self.batches.get_mut(usize::from(self.under_way))?;
        let Content::Filled(Some(builder)) = &mut next.content else { return None };
        // What fails does so again when it is to be sent, which says it.
        builder.pack(codec).ok().flatten()
    }

    /// The batch under way is at the broker: its numbers, and its memory.
    pub(super) fn arrived(&mut self) -> Option<(Vec<u64>, Option<Vec<u8>>)> {
        let batch = self.settle()?;
        // Goes round at 2^31, as Java's (DefaultRecordBatch.incrementSequence).
        let count = i32::try_from(batch.opaques.len()).unwrap_or(0);
        self.sequence = self.sequence.wrapping_add(count) & i32::MAX;
        let memory = match batch.content {
            Content::Finished(bytes) => bytes.try_into_mut().ok().map(|bytes| Vec::from(bytes.freeze())),
            Content::Filled(_) => None,
        };
        Some((batch.opaques, memory))
    }

    /// The batch under way was refused for good: its numbers.
    pub(super) fn refused(&mut self) -> Option<Vec<u64>> {
        Some(self.settle()?.opaques)
    }

    fn settle(&mut self) -> Option<Batch> {
        (self.under_way, self.attempts, self.wait_until) = (false, 0, None);
        self.batches.pop_front()
    }

    /// Everything was refused for good: all numbers. A batch that was under way may have arrived all the same, so its
    /// place in the sequence cannot be given to another one, which the broker would take for the same: the next batch
    /// needs another identity, which is for the caller to see to.
    #[must_use]
    pub(super) fn give_up(&mut self) -> Vec<u64> {
        (self.under_way, self.wait_until, self.restamp) = (false, None, false);
        self.batches.drain(..).flat_map(|batch| batch.opaques).collect()
    }

    /// The batch under way is to be sent again, not before `until`.
    pub(super) fn again(&mut self, until: Instant) {
        (self.under_way, self.wait_until) = (false, Some(until));
        self.attempts += 1;
    }

    /// The brokers have lost the sequence: the batch is to be under the next generation when it is sent again.
    pub(super) fn lost_sequence(&mut self) {
        self.restamp = true;
    }

    /// Records of the batch under way.
    pub(super) fn records(&self) -> usize {
        self.batches.front().map_or(0, |batch| batch.opaques.len())
    }

    /// Puts two halves in the place of the batch under way, which was refused and took no place in the sequence.
    pub(super) fn halve(&mut self) -> Result<(), RecordsError> {
        let at = self.records() / 2;
        let Some(Batch { content: Content::Finished(bytes), .. }) = self.batches.front() else { return Ok(()) };
        let (first, second) = records::split(bytes, at)?;
        let Some(Batch { mut opaques, .. }) = self.settle() else { return Ok(()) };
        let behind = opaques.split_off(at);
        for (builder, opaques) in [(second, behind), (first, opaques)] {
            self.batches.push_front(Batch { content: Content::Filled(Some(builder)), opaques });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Identity = Identity { producer: 1, epoch: 0, generation: 1, transactional: false };
    const TWO: Identity = Identity { producer: 2, epoch: 0, generation: 2, transactional: false };

    fn pending(numbers: std::ops::Range<u64>) -> Pending {
        let mut pending = Pending::new(Vec::new(), std::time::Instant::now());
        for number in numbers {
            pending.builder.push(number as i64, None, Some(&number.to_be_bytes()), |_| {}, usize::MAX);
            pending.opaques.push(number);
        }
        pending
    }

    /// Producer, first in the sequence, and the records' times.
    fn sent(flow: &mut Flow, identity: Identity) -> (i64, i32, Vec<i64>) {
        let (bytes, _) = flow.start(identity, Codec::None).expect("encoded").expect("a batch");
        let first = i32::from_be_bytes(bytes[53..57].try_into().expect("a number"));
        let batch = &records::batches(&bytes).expect("a sound batch")[0];
        let mut rows = Vec::new();
        batch.rows(0, &mut rows).expect("records");
        (batch.producer, first, rows.iter().map(|row| row.timestamp).collect())
    }

    #[test]
    fn a_batch_that_is_sent_again_is_the_same_one_and_the_next_follows_it() {
        let mut flow = Flow::default();
        flow.push(pending(1..4));
        flow.push(pending(4..6));
        let first = sent(&mut flow, ONE);
        assert_eq!(first, (1, 0, vec![1, 2, 3]));
        flow.again(Instant::now());
        assert_eq!(sent(&mut flow, ONE), first);
        // Another identity changes nothing about a batch that may have arrived.
        flow.again(Instant::now());
        assert_eq!(sent(&mut flow, TWO), first);
        assert_eq!(flow.arrived().expect("a batch").0, [1, 2, 3]);
        assert_eq!(sent(&mut flow, ONE), (1, 3, vec![4, 5]));
    }

    #[test]
    fn a_batch_is_compressed_behind_another_one_once_and_is_the_same_that_way() {
        const CODEC: Codec = Codec::Lz4;
        let start = |flow: &mut Flow| flow.start(ONE, CODEC).expect("encoded").expect("a batch");
        let flow = |ahead: bool| {
            let mut flow = Flow::default();
            flow.push(pending(1..4));
            flow.push(pending(4..6));
            flow.push(pending(6..7));
            start(&mut flow);
            if ahead {
                assert!(flow.pack_ahead(CODEC).is_some_and(|left| !left.is_empty()));
                assert!(flow.pack_ahead(CODEC).is_none(), "there is no other one next to it");
            }
            assert_eq!(flow.arrived().expect("a batch").0, [1, 2, 3]);
            flow
        };
        let (ahead, in_time) = (start(&mut flow(true)), start(&mut flow(false)));
        assert_eq!(ahead.0, in_time.0);
        assert_eq!((ahead.1, in_time.1.is_some()), (None, true));
        let mut rows = Vec::new();
        records::batches(&ahead.0).expect("a sound batch")[0].rows(0, &mut rows).expect("records");
        assert_eq!(rows.iter().map(|row| row.timestamp).collect::<Vec<_>>(), [4, 5]);
        assert!(flow(false).pack_ahead(Codec::None).is_none());
    }

    #[test]
    fn a_lost_sequence_begins_anew_with_the_batch_that_found_out() {
        let mut flow = Flow::default();
        flow.push(pending(1..4));
        flow.push(pending(4..6));
        sent(&mut flow, ONE);
        flow.arrived().expect("a batch");
        sent(&mut flow, ONE);
        flow.lost_sequence();
        flow.again(Instant::now());
        assert_eq!(sent(&mut flow, TWO), (2, 0, vec![4, 5]));
        flow.arrived().expect("a batch");
        flow.push(pending(6..7));
        assert_eq!(sent(&mut flow, TWO), (2, 2, vec![6]));
    }

    #[test]
    fn halves_stand_in_the_place_of_a_refused_batch_and_a_single_record_stands_alone() {
        let mut flow = Flow::default();
        flow.push(pending(1..4));
        flow.push(pending(4..5));
        sent(&mut flow, ONE);
        flow.halve().expect("halves");
        assert_eq!((sent(&mut flow, ONE), flow.records()), ((1, 0, vec![1]), 1));
        assert_eq!(flow.refused(), Some(vec![1]));
        assert_eq!(sent(&mut flow, ONE), (1, 0, vec![2, 3]), "the refused one took no place");
        assert_eq!(flow.arrived().expect("a batch").0, [2, 3]);
        assert_eq!(sent(&mut flow, ONE), (1, 2, vec![4]));
        assert_eq!(flow.give_up(), [4]);
        assert!(flow.is_empty());
    }
}
