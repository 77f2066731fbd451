//! What a batch comes to: what it adds to the counters, and which of its rows are dead letters. Pure.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    controls::rfc3339,
    dead_letter::{DeadLetter, STAGE_TRANSFORM},
    flight::Stuck,
    status::Counters,
    timed::OF_FIRES,
    transform::Transformed,
};
use crate::batch::Batch;

/// What a batch adds to the counters once it is through.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    rows: u64,
    pub(super) out: u64,
    dropped: u64,
    pub(super) dead: u64,
    fires: u64,
}

impl Tally {
    pub(super) fn count(self, counters: &Counters) {
        let add = |counter: &AtomicU64, by| counter.fetch_add(by, Relaxed);
        add(&counters.records_in, self.rows);
        add(&counters.records_out, self.out);
        add(&counters.dropped, self.dropped);
        add(&counters.dead_lettered, self.dead);
        add(&counters.batches, 1 - self.fires);
        add(&counters.fires, self.fires);
    }
}

/// The row of a fire is nobody's: only what came of it counts.
pub(super) fn tally(transformed: &Transformed, batch: &Batch, dead: usize, is_refused: &dyn Fn(u32) -> bool) -> Tally {
    let (mut out, mut kept) = (0, 0);
    for part in &transformed.parts {
        // Rows never descend, so equal ones are neighbours.
        for of_row in part.output.rows.chunk_by(|before, after| before == after) {
            if of_row.first().is_some_and(|row| !is_refused(part.base + row)) {
                out += of_row.len();
                kept += 1;
            }
        }
    }
    let (out, dead_letters) = (out as u64, dead as u64);
    if batch.epoch == OF_FIRES {
        return Tally { out, dead: dead_letters, fires: 1, ..Tally::default() };
    }
    let rows = batch.rows.len();
    Tally { rows: rows as u64, out, dropped: (rows - kept - dead) as u64, dead: dead_letters, fires: 0 }
}

/// What the module rejected and what failed it, in the order of rows.
pub(super) fn letters(transformed: &Transformed) -> Vec<DeadLetter> {
    let rejects = transformed.parts.iter().flat_map(|part| {
        part.output.rejects.iter().map(|reject| DeadLetter {
            row: part.base + reject.row,
            stage: STAGE_TRANSFORM,
            reason: reject.reason.clone(),
            backtrace: vec![],
        })
    });
    let poison = transformed.poison.iter().map(|poison| DeadLetter {
        row: poison.row,
        stage: STAGE_TRANSFORM,
        reason: poison.reason.clone(),
        backtrace: poison.backtrace.clone(),
    });
    let mut letters: Vec<_> = rejects.chain(poison).collect();
    letters.sort_by_key(|letter| letter.row);
    letters
}

pub(super) fn no_dead_letters(batch: &Batch, letter: &DeadLetter) -> Stuck {
    let offset = batch.rows.offset(letter.row as usize);
    let what = match batch.epoch {
        OF_FIRES => format!("the fire of the timer that was planned for {}", rfc3339(offset)),
        _ => format!("the record at {}[{}] offset {offset}", batch.topic, batch.partition),
    };
    Stuck::Failed(format!(
        "{what} cannot be processed ({}), and the pipeline has no dead letters: add \
         `errors: {{ dead_letter: {{ kafka: {{ topic: ... }} }} }}`, or swap to a module that takes it",
        letter.reason
    ))
}
