//! What a lane has in flight: batches whose deliveries are not all settled, and the ledger that says what may be
//! committed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    dead_letter::{DEAD_LETTERS, DeadLetter, DeadLetters, STAGE_SINK},
    ledger::{Entry, Ledger},
    release::Release,
    status::Counters,
    tally::{Tally, letters, no_dead_letters, tally},
    timed::{BY_HAND, OF_FIRES},
    transaction::Transactions,
    transform::Transformed,
};
use crate::{
    batch::Batch,
    contact::Contact,
    kafka::Partition,
    output::{Record, View},
    sink::{Outcome, Rejected, Settlement, Sink, Ticket},
    source::{Assignment, Source},
};

/// Rows of batches in flight before the lane reads no more.
const ROWS_MAX: usize = 200_000;

/// Bytes of keys, values and outputs of batches in flight before the lane reads no more.
const BYTES_MAX: usize = 64 << 20;

/// How often offsets are committed while records flow. What is settled and not committed is delivered again after a
/// crash.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// Why a lane cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Start over from what is committed.
    Restart(String),
    /// A person has to look.
    Failed(String),
}

/// A batch with open deliveries. Its rows stay, for dead letters.
struct Open {
    batch: Batch,
    bytes: usize,
    tally: Tally,
}

/// Where the lane is in a partition.
struct Place {
    partition: Partition,
    /// First offset that was given to the module, once there is one.
    first: Option<i64>,
    /// Next offset to be given to it.
    next: Option<i64>,
}

pub(super) struct Flight {
    /// By name, in the order of the release's router.
    sinks: Vec<(String, Box<dyn Sink>)>,
    dead_letters: Option<DeadLetters>,
    /// For exactly-once.
    transactions: Option<Transactions>,
    ledger: Ledger,
    open: HashMap<u64, Open>,
    epochs: HashMap<u64, Place>,
    batches: u64,
    rows: usize,
    bytes: usize,
    settled: Vec<Settlement>,
    /// Deliveries under way, by sink.
    waiting: Vec<usize>,
    /// When a delivery was last settled, or the first was handed over.
    progress_at: Instant,
    committed_at: Instant,
}

impl Flight {
    pub(super) fn new(
        sinks: Vec<(String, Box<dyn Sink>)>,
        dead_letters: Option<DeadLetters>,
        transactions: Option<Transactions>,
    ) -> Self {
        let mut ledger = Ledger::default();
        // Settled as everything else, and never committed: they have no place in a partition.
        [OF_FIRES, BY_HAND].into_iter().for_each(|epoch| ledger.begin(epoch));
        Self {
            waiting: vec![0; sinks.len()],
            sinks,
            dead_letters,
            transactions,
            ledger,
            open: HashMap::new(),
            epochs: HashMap::new(),
            batches: 0,
            rows: 0,
            bytes: 0,
            settled: Vec::new(),
            progress_at: Instant::now(),
            committed_at: Instant::now(),
        }
    }

    pub(super) fn begin(&mut self, assignment: &Assignment) {
        self.ledger.begin(assignment.epoch);
        let place = Place { partition: assignment.partition.clone(), first: None, next: assignment.begins };
        self.epochs.insert(assignment.epoch, place);
    }

    pub(super) fn forget(&mut self, epoch: u64) {
        self.ledger.forget(epoch);
        self.epochs.remove(&epoch);
        let gone: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.batch.epoch == epoch).map(|(batch, _)| *batch).collect();
        gone.into_iter().for_each(|batch| self.land(batch));
    }

    /// Next offset to be given to the module, by partition.
    pub(super) fn positions(&self) -> impl Iterator<Item = (u64, &Partition, Option<i64>)> {
        self.epochs.iter().map(|(epoch, place)| (*epoch, &place.partition, place.next))
    }

    /// End of what is settled of an epoch.
    pub(super) fn settled(&self, epoch: u64) -> Option<i64> {
        self.ledger.settled(epoch)
    }

    /// First offset of an epoch that was given to the module.
    pub(super) fn first(&self, epoch: u64) -> Option<i64> {
        self.epochs.get(&epoch)?.first
    }

    /// Whether all sinks have reached their servers: the gravest of what they say.
    pub(super) fn contact(&self) -> Contact {
        self.sinks.iter().map(|(_, sink)| sink.contact()).fold(Contact::Made, Contact::and)
    }

    /// Before anything is consumed.
    ///
    /// # Errors
    /// What a producer before has left open cannot be ended.
    pub(super) fn take_over(&self) -> Result<(), Stuck> {
        self.transactions.as_ref().map_or(Ok(()), Transactions::take_over)
    }

    /// Whether another release may be taken up: not within a transaction, which then takes no more.
    pub(super) fn may_swap(&mut self) -> bool {
        let open = self.transactions.as_mut().filter(|transactions| transactions.is_open());
        open.map(Transactions::close).is_none()
    }

    /// Whether every sink takes another batch, and what is in flight is within its bounds.
    pub(super) fn has_room(&mut self) -> bool {
        self.rows < ROWS_MAX
            && !self.is_closing()
            && self.bytes < BYTES_MAX
            && self.dead_letters.as_mut().is_none_or(DeadLetters::ready)
            && self.sinks.iter_mut().all(|(_, sink)| sink.ready())
    }

    /// Hands the outputs of a batch to their sinks and its rejects to the dead letters.
    ///
    /// # Errors
    /// Rejects without a place for them: nothing of the batch was handed over then.
    pub(super) fn deliver(
        &mut self,
        batch: Batch,
        transformed: &Transformed,
        release: &Release,
        counters: &Counters,
    ) -> Result<(), Stuck> {
        let mut letters = letters(transformed);
        let refused = self.transactions.as_ref().map_or_else(Vec::new, |open| open.refused.of(&batch));
        let is_refused = |row: u32| refused.binary_search_by_key(&row, |letter| letter.row).is_ok();
        letters.retain(|letter| !is_refused(letter.row));
        letters.extend_from_slice(&refused);
        letters.sort_by_key(|letter| letter.row);
        if let (Some(letter), None) = (letters.first(), &self.dead_letters) {
            return Err(no_dead_letters(&batch, letter));
        }
        self.batches += 1;
        let number = self.batches;
        let Transformed { parts, .. } = transformed;
        let takes = |sink: usize| {
            parts.iter().any(|part| !part.output.rows.is_empty() && release.router.takes_any(sink, &part.output.routes))
        };
        let takers: Vec<usize> = (0..self.sinks.len()).filter(|sink| takes(*sink)).collect();
        let deliveries = takers.len() as u32 + u32::from(!letters.is_empty());
        if let Some(transactions) = &mut self.transactions
            && deliveries > 0
        {
            transactions.begin()?;
        }

        let rows = batch.rows.len();
        let next = batch.rows.offset(rows - 1) + 1;
        if let Some(place) = self.epochs.get_mut(&batch.epoch) {
            place.first = place.first.or(Some(batch.rows.offset(0)));
            place.next = Some(next);
        }
        let entry = Entry { epoch: batch.epoch, batch: number };
        self.ledger.enter(entry, next, deliveries);
        let tally = tally(transformed, &batch, letters.len(), &is_refused);
        if deliveries == 0 {
            tally.count(counters);
            return Ok(());
        }
        if self.open.is_empty() {
            self.progress_at = Instant::now();
        }
        for sink in takers {
            self.waiting[sink] += 1;
            let mut records = parts.iter().flat_map(|part| {
                let view = View { batch: &batch, base: part.base, output: &part.output };
                view.records().filter(|record: &Record<'_>| {
                    release.router.takes(sink, record) && (refused.is_empty() || !is_refused(record.row))
                })
            });
            self.sinks[sink].1.deliver(Ticket { batch: number, sink: sink as u16 }, &batch, &mut records);
        }
        if !letters.is_empty()
            && let Some(dead_letters) = &mut self.dead_letters
        {
            dead_letters.deliver(number, &batch, &letters, &release.module, release.id);
        }
        let bytes = batch.bytes + transformed.byte_len();
        self.rows += rows;
        self.bytes += bytes;
        self.open.insert(number, Open { batch, bytes, tally });
        Ok(())
    }

    /// Takes in what the sinks settled.
    ///
    /// # Errors
    /// A sink that cannot go on, or poison records without a place for them.
    pub(super) fn settle(&mut self, release: &Release, counters: &Counters) -> Result<(), Stuck> {
        let mut settled = std::mem::take(&mut self.settled);
        self.sinks.iter_mut().for_each(|(_, sink)| sink.poll(&mut settled));
        if let Some(dead_letters) = &mut self.dead_letters {
            dead_letters.poll(&mut settled);
        }
        if !settled.is_empty() {
            self.progress_at = Instant::now();
        }
        for Settlement { ticket, outcome } in settled.drain(..) {
            if let Some(waiting) = self.waiting.get_mut(usize::from(ticket.sink)) {
                *waiting = waiting.saturating_sub(1);
            }
            match outcome {
                Outcome::Delivered => self.count_down(ticket.batch, counters),
                Outcome::Rejected(rejected) if ticket.sink == DEAD_LETTERS => {
                    let reason = rejected.first().map_or("", |rejected| &rejected.reason);
                    return Err(Stuck::Failed(format!("the dead letter topic takes no dead letter: {reason}")));
                }
                Outcome::Rejected(rejected) if self.in_transaction() => return Err(self.refuse(ticket.batch, rejected)),
                Outcome::Rejected(rejected) => {
                    let letters: Vec<_> = rejected
                        .into_iter()
                        .map(|rejected| DeadLetter {
                            row: rejected.row,
                            stage: STAGE_SINK,
                            reason: rejected.reason,
                            backtrace: vec![],
                        })
                        .collect();
                    self.bury(ticket.batch, &letters, release)?;
                }
                Outcome::Unknown(reason) => return Err(Stuck::Restart(reason)),
                Outcome::Failed(reason) => return Err(Stuck::Failed(reason)),
            }
        }
        self.settled = settled;
        Ok(())
    }

    /// Gives the transaction up for rows that the broker refused: what it holds is not all that belongs to it.
    fn refuse(&self, batch: u64, rejected: Vec<Rejected>) -> Stuck {
        let reason = rejected.first().map_or_else(String::new, |rejected| rejected.reason.clone());
        if let (Some(transactions), Some(open)) = (&self.transactions, self.open.get(&batch)) {
            if let (None, Some(first)) = (&self.dead_letters, rejected.first()) {
                let letter = DeadLetter { row: first.row, stage: STAGE_SINK, reason, backtrace: vec![] };
                return no_dead_letters(&open.batch, &letter);
            }
            // A fire does not come again.
            if open.batch.epoch != OF_FIRES {
                transactions.refused.note(&open.batch, rejected);
            }
        }
        Stuck::Restart(format!("a record was refused within a transaction: {reason}"))
    }

    /// Sends rows that a sink refused to the dead letters; the open delivery is theirs from now on.
    fn bury(&mut self, batch: u64, letters: &[DeadLetter], release: &Release) -> Result<(), Stuck> {
        let Some(open) = self.open.get_mut(&batch) else { return Ok(()) };
        let Some(dead_letters) = &mut self.dead_letters else {
            return Err(match letters.first() {
                Some(letter) => no_dead_letters(&open.batch, letter),
                None => Stuck::Failed("a sink refused a record".into()),
            });
        };
        let dead = letters.len() as u64;
        open.tally.dead += dead;
        open.tally.out = open.tally.out.saturating_sub(dead);
        dead_letters.deliver(batch, &open.batch, letters, &release.module, release.id);
        Ok(())
    }

    fn count_down(&mut self, batch: u64, counters: &Counters) {
        let Some(open) = self.open.get(&batch) else { return };
        if self.ledger.settle(Entry { epoch: open.batch.epoch, batch }) {
            open.tally.count(counters);
            self.land(batch);
        }
    }

    fn land(&mut self, batch: u64) {
        if let Some(open) = self.open.remove(&batch) {
            self.rows -= open.batch.rows.len();
            self.bytes -= open.bytes;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Batches in flight.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How long nothing was settled although deliveries are under way.
    pub(super) fn stuck_for(&self) -> Option<Duration> {
        (!self.open.is_empty()).then(|| self.progress_at.elapsed())
    }

    /// Sinks with deliveries under way.
    pub(super) fn waiting_sinks(&self) -> impl Iterator<Item = &str> {
        self.sinks.iter().zip(&self.waiting).filter(|(_, waiting)| **waiting > 0).map(|((name, _), _)| name.as_str())
    }

    /// Whether all that was read of these epochs can be committed: it is settled, and with it everything that is in
    /// the same transaction.
    pub(super) fn is_settled(&self, mut epochs: impl Iterator<Item = u64>) -> bool {
        if self.in_transaction() { self.open.is_empty() } else { epochs.all(|epoch| self.ledger.is_settled(epoch)) }
    }

    /// Whether a transaction is open.
    pub(super) fn in_transaction(&self) -> bool {
        self.transactions.as_ref().is_some_and(Transactions::is_open)
    }

    /// Whether a transaction is open that takes no more.
    pub(super) fn is_closing(&self) -> bool {
        self.transactions.as_ref().is_some_and(Transactions::is_closing)
    }

    /// Commits what may be committed: in the background when it is time, or now and waiting for the answer. An open
    /// transaction is committed as a whole, once everything in it is delivered.
    ///
    /// # Errors
    /// With `now` or of a transaction, that the brokers refused.
    pub(super) fn commit(&mut self, source: &Source, now: bool) -> Result<(), Stuck> {
        if let Some(transactions) = &mut self.transactions
            && transactions.is_open()
        {
            let closes = now || transactions.is_closing();
            if !self.open.is_empty() || !closes {
                if closes {
                    transactions.hasten();
                }
                return Ok(());
            }
            let offsets = named(&self.epochs, self.ledger.take());
            return transactions.commit(source, offsets);
        }
        if !now && self.committed_at.elapsed() < COMMIT_INTERVAL {
            return Ok(());
        }
        self.committed_at = Instant::now();
        let offsets = named(&self.epochs, self.ledger.take());
        source.commit(offsets.into_iter(), now).map_err(|error| Stuck::Restart(error.to_string()))
    }

    /// Commits the open transaction, of which everything is delivered and nothing came from a partition.
    ///
    /// # Errors
    /// It was not committed, or that is not known.
    pub(super) fn commit_alone(&mut self) -> Result<(), Stuck> {
        match self.transactions.as_mut().filter(|transactions| transactions.is_open()) {
            Some(transactions) => transactions.commit_alone(),
            None => Ok(()),
        }
    }

    /// A commit in the background failed: the next one says it again.
    pub(super) fn recommit(&mut self) {
        self.ledger.retake();
    }
}

/// Next offsets by partition.
fn named(epochs: &HashMap<u64, Place>, taken: Vec<(u64, i64)>) -> Vec<(Partition, i64)> {
    taken.into_iter().filter_map(|(epoch, next)| Some((epochs.get(&epoch)?.partition.clone(), next))).collect()
}
