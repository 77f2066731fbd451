//! Calls the module: one batch, one release, one instance; and finds the row that a batch fails for.

use std::{ops::Range, sync::Arc};

use super::{controls::rfc3339, handover::Former, isolate, release::Release};
use crate::{
    batch::{Batch, Columns},
    engine::{Call, CallError, Fire, Instance, LogLevel, StartError, stack},
    output::Output,
};

/// Share of the memory limit, in percent, above which an instance is replaced between two batches. Linear memory never
/// shrinks, and some toolchains leak a little with every batch: Python's glue all that a module answers.
const RECYCLE_PERCENT: usize = 75;

/// Whether an instance has grown so much that the next batch should find a fresh one. One that needs much from the start
/// may use half of what is left to it: to replace it after every batch would help nobody.
fn is_swollen(at_start: usize, now: usize, limit: usize) -> bool {
    let halfway = at_start + limit.saturating_sub(at_start) / 2;
    now > halfway.max(limit / 100 * RECYCLE_PERCENT)
}

/// Bytes that are said of a poison row.
const TOLD_MAX: usize = 8 << 10;

/// What the module answered for a stretch of rows, from `base` on.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) base: u32,
    pub(super) output: Output,
}

/// A row that cannot be processed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Poison {
    pub(super) row: u32,
    pub(super) reason: String,
    /// The guest's frames, innermost first, where it trapped.
    pub(super) backtrace: Vec<String>,
}

/// A batch after its module: outputs in the order of rows, and the rows that failed it.
#[derive(Debug, Default)]
pub(super) struct Transformed {
    pub(super) parts: Vec<Part>,
    pub(super) poison: Vec<Poison>,
}

impl Transformed {
    /// Of all outputs.
    pub(super) fn byte_len(&self) -> usize {
        self.parts.iter().map(|part| part.output.byte_len()).sum()
    }
}

/// Why a batch was not transformed at all.
#[derive(Debug)]
pub(super) enum Refused {
    /// The module asks for the same batch again, later.
    Again(String),
    /// A person has to look.
    Stop(String),
}

/// An instance at work.
struct Running {
    instance: Instance,
    /// Its memory when it was taken up, in bytes.
    at_start: usize,
    /// It was called before: what it holds may be of earlier batches.
    used: bool,
}

/// The release that a lane runs, with its instance and the packing buffers.
pub(super) struct Transformer {
    release: Arc<Release>,
    running: Option<Running>,
    columns: Columns,
    /// Of the instance after its last call, in bytes.
    memory: usize,
    recycled: u64,
}

impl Transformer {
    pub(super) fn new(release: Arc<Release>) -> Self {
        Self { release, running: None, columns: Columns::default(), memory: 0, recycled: 0 }
    }

    pub(super) fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// Changes to another release, between two batches. Answers the one before: its code and memory take a while to be
    /// let go of.
    pub(super) fn adopt(&mut self, release: Arc<Release>) -> Former {
        let instance = self.running.take().map(|running| running.instance);
        (std::mem::replace(&mut self.release, release), instance)
    }

    /// Starts the instance ahead of the first batch.
    pub(super) fn warm_up(&mut self) -> Result<(), StartError> {
        self.ready().map(|_| ())
    }

    fn ready(&mut self) -> Result<&mut Running, StartError> {
        let running = match self.running.take() {
            Some(running) => running,
            None => {
                let instance = self.release.instance()?;
                Running { at_start: instance.memory_bytes(), instance, used: false }
            }
        };
        Ok(self.running.insert(running))
    }

    /// Linear memory and tables of the instance after its last call, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory
    }

    /// Instances that were replaced for their memory since this was asked last.
    pub(super) fn take_recycled(&mut self) -> u64 {
        std::mem::take(&mut self.recycled)
    }

    /// Transforms a batch. Where the whole fails for what may be one row (a trap, a deadline, a limit, a malformed
    /// answer), the batch is halved with a fresh instance for each try until such rows stand alone.
    /// `meanwhile` is called between two tries: they may take long, and the group has to be served.
    pub(super) fn transform(
        &mut self,
        batch: &Batch,
        attempt: u32,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Transformed, Refused> {
        let rows = batch.rows.len() as u32;
        let transformed = isolate::isolate(0..rows, &mut |range| {
            let result = self.call(batch, range, attempt);
            if result.is_err() {
                meanwhile();
            }
            result
        })?;
        for poison in &transformed.poison {
            let Batch { topic, partition, rows, .. } = batch;
            let record = format!("{topic}[{partition}]@{}", rows.offset(poison.row as usize));
            self.release.say(LogLevel::Error, &told(&record, poison));
        }
        Ok(transformed)
    }

    /// Calls the timed trigger. A call that fails is a row of its own that cannot be processed.
    pub(super) fn fire(&mut self, fire: Fire) -> Result<Transformed, Refused> {
        match self.with_instance(|instance, _| instance.fire(fire)) {
            Ok(output) => Ok(Transformed { parts: vec![Part { base: 0, output }], poison: vec![] }),
            Err(CallError::Retry(reason)) => Err(Refused::Again(reason)),
            Err(error @ CallError::Store(_)) => Err(Refused::Again(error.to_string())),
            Err(error) if !error.may_be_one_row() => Err(Refused::Stop(error.to_string())),
            Err(error) => {
                let poison = Poison { row: 0, reason: error.to_string(), backtrace: error.backtrace().to_vec() };
                self.release.say(LogLevel::Error, &told(&format!("the fire of {}", rfc3339(fire.at)), &poison));
                Ok(Transformed { parts: vec![], poison: vec![poison] })
            }
        }
    }

    fn call(&mut self, batch: &Batch, range: Range<u32>, attempt: u32) -> Result<Output, CallError> {
        self.columns.pack(batch.rows.as_ref(), range.start as usize..range.end as usize, self.release.reads);
        let was_used = self.running.as_ref().is_some_and(|running| running.used);
        let result = self.once(batch, attempt);
        // What an instance gathered over earlier batches is no fault of these rows: they get a fresh one.
        if was_used && matches!(result, Err(CallError::Memory { .. })) {
            self.recycled += 1;
            return self.once(batch, attempt);
        }
        result
    }

    fn once(&mut self, batch: &Batch, attempt: u32) -> Result<Output, CallError> {
        self.with_instance(|instance, columns| {
            instance.transform(&Call { topic: &batch.topic, partition: batch.partition, attempt, columns })
        })
    }

    /// Calls the instance, and lets go of it where it cannot be called again or has grown too large.
    fn with_instance(
        &mut self,
        call: impl FnOnce(&mut Instance, &Columns) -> Result<Output, CallError>,
    ) -> Result<Output, CallError> {
        self.ready().map_err(|error| match error {
            StartError::Call(error @ CallError::Store(_)) => error,
            error => CallError::Fatal(error.to_string()),
        })?;
        let Some(running) = self.running.as_mut() else { return Err(CallError::Fatal("no instance".into())) };
        let result = call(&mut running.instance, &self.columns);
        running.used = true;
        self.memory = running.instance.memory_bytes();
        let usable = result.as_ref().err().is_none_or(CallError::keeps_instance);
        let swollen = is_swollen(running.at_start, self.memory, self.release.limits.memory);
        if usable && swollen {
            self.recycled += 1;
        }
        if !usable || swollen {
            self.running = None;
        }
        result
    }
}

/// A poison row, for whoever wrote the module: which record it was, and what the module came to.
fn told(record: &str, poison: &Poison) -> String {
    let mut text = format!("{record}: the module {}{}", poison.reason, stack(&poison.backtrace));
    text.truncate(text.floor_char_boundary(TOLD_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_replaced_at_three_quarters_of_its_limit_or_halfway_there() {
        const MIB: usize = 1 << 20;
        let limit = 256 * MIB;
        assert!(!is_swollen(MIB, 191 * MIB, limit) && is_swollen(MIB, 193 * MIB, limit));
        // It needs 240 MiB from the start: 8 of the 16 that are left.
        assert!(!is_swollen(240 * MIB, 247 * MIB, limit) && is_swollen(240 * MIB, 249 * MIB, limit));
        assert!(!is_swollen(limit, limit, limit));
    }
}
