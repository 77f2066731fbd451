//! Calls the module: one batch, one release, one instance; and finds the row that a batch fails for.

use std::{ops::Range, sync::Arc};

use super::{isolate, release::Release};
use crate::{
    batch::{Batch, Columns},
    engine::{Call, CallError, Instance, StartError},
    output::Output,
};

/// Share of the memory limit, in percent, above which an instance is replaced after a call. Linear memory never
/// shrinks, and some toolchains leak a little with every batch.
const RECYCLE_PERCENT: usize = 75;

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

/// Why a batch was not transformed at all.
#[derive(Debug)]
pub(super) enum Refused {
    /// The module asks for the same batch again, later.
    Again(String),
    /// A person has to look.
    Stop(String),
}

/// The release that a lane runs, with its instance and the packing buffers.
pub(super) struct Transformer {
    release: Arc<Release>,
    instance: Option<Instance>,
    columns: Columns,
}

impl Transformer {
    pub(super) fn new(release: Arc<Release>) -> Self {
        Self { release, instance: None, columns: Columns::default() }
    }

    pub(super) fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// Changes to another release, between two batches. True: it did change.
    pub(super) fn adopt(&mut self, release: &Arc<Release>) -> bool {
        if Arc::ptr_eq(&self.release, release) {
            return false;
        }
        self.instance = None;
        self.release = Arc::clone(release);
        true
    }

    /// Starts the instance ahead of the first batch.
    pub(super) fn warm_up(&mut self) -> Result<(), StartError> {
        if self.instance.is_none() {
            self.instance = Some(self.release.instance()?);
        }
        Ok(())
    }

    /// Linear memory and tables of the instance, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
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
        isolate::isolate(0..rows, &mut |range| {
            let result = self.call(batch, range, attempt);
            if result.is_err() {
                meanwhile();
            }
            result
        })
    }

    fn call(&mut self, batch: &Batch, range: Range<u32>, attempt: u32) -> Result<Output, CallError> {
        self.warm_up().map_err(|error| match error {
            StartError::Call(error @ CallError::Store(_)) => error,
            error => CallError::Fatal(error.to_string()),
        })?;
        let Some(instance) = self.instance.as_mut() else { return Err(CallError::Fatal("no instance".into())) };
        self.columns.pack(batch.rows.as_ref(), range.start as usize..range.end as usize, self.release.reads);
        let partition = batch.partition;
        let result = instance.transform(&Call { topic: &batch.topic, partition, attempt, columns: &self.columns });
        let usable = result.as_ref().err().is_none_or(CallError::keeps_instance);
        let swollen = instance.memory_bytes() > self.release.limits.memory / 100 * RECYCLE_PERCENT;
        if !usable || swollen {
            self.instance = None;
        }
        result
    }
}
