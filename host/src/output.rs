//! What a module answers for a batch, checked, and read as records together with the rows it came from.
//!
//! An output names rows, never repeats them: a column that is absent keeps every row's own value, and a row listed in
//! `kept` keeps its own. [`Output::check`] is the gate: everything that a module can say is untrusted until it passed,
//! and nothing behind it (router, sinks) looks at an unchecked output.

use crate::{
    batch::{Batch, Rows},
    columns::{BytesColumn, HeaderColumn},
};

mod check;
pub use check::BadOutput;

/// What a sink is to do with an output record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Write, replacing what is there.
    Put,
    /// Write only if nothing is there.
    Create,
    /// Merge into what is there.
    Merge,
    /// Remove.
    Delete,
}

/// A row that the module could not process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub row: u32,
    pub reason: String,
}

/// As [`BytesColumn`], for output records; those listed in `kept` keep the value of the row they came from and take no
/// room in `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditedColumn {
    pub column: BytesColumn,
    /// Output records that keep their row's own, ascending.
    pub kept: Vec<u32>,
}

/// What becomes of a batch. Rows that appear neither in `rows` nor in `rejects` are dropped on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// For each output record the row it came from, never descending.
    pub rows: Vec<u32>,
    /// Per output record, an index into the plan's routes; empty: all to the first.
    pub routes: Vec<u16>,
    pub keys: Option<EditedColumn>,
    pub values: Option<EditedColumn>,
    pub headers: Option<HeaderColumn>,
    pub timestamps: Option<Vec<i64>>,
    pub targets: Option<BytesColumn>,
    pub ops: Option<Vec<Op>>,
    pub versions: Option<Vec<u64>>,
    pub rejects: Vec<Reject>,
}

impl Output {
    /// Bytes that the module handed back, for the pipeline's output limit and what is in flight.
    pub fn byte_len(&self) -> usize {
        let edited = |column: &Option<EditedColumn>| {
            column.as_ref().map_or(0, |column| column.column.byte_len() + 4 * column.kept.len())
        };
        4 * self.rows.len()
            + 2 * self.routes.len()
            + edited(&self.keys)
            + edited(&self.values)
            + self.headers.as_ref().map_or(0, HeaderColumn::byte_len)
            + self.timestamps.as_ref().map_or(0, |column| 8 * column.len())
            + self.targets.as_ref().map_or(0, BytesColumn::byte_len)
            + self.ops.as_ref().map_or(0, Vec::len)
            + self.versions.as_ref().map_or(0, |column| 8 * column.len())
            + self.rejects.iter().map(|reject| 4 + reject.reason.len()).sum::<usize>()
    }

    /// Rows that were dropped on purpose: in neither `rows` nor `rejects`.
    pub fn dropped(&self, rows: u32) -> u32 {
        let mut kept: Vec<u32> =
            self.rows.iter().copied().chain(self.rejects.iter().map(|reject| reject.row)).collect();
        kept.sort_unstable();
        kept.dedup();
        rows - kept.len() as u32
    }
}

/// One output record, borrowed from the output and from the batch that it came from.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Index among the output records.
    pub index: u32,
    /// The row of the batch that it came from.
    pub row: u32,
    /// Index into the plan's routes.
    pub route: u16,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the Unix epoch; -1 where there is none.
    pub timestamp: i64,
    /// Where inside the sink: topic, index or key. `None`: as the sink is configured.
    pub target: Option<&'a [u8]>,
    /// Resolved: `Put`, or `Delete` where the value is null and the module named no op.
    pub op: Op,
    pub version: Option<u64>,
    source: Source<'a>,
}

#[derive(Clone, Copy)]
struct Source<'a> {
    rows: &'a dyn Rows,
    headers: Option<&'a HeaderColumn>,
}

impl Record<'_> {
    /// The record with a null value written as it is: a tombstone on its way to the dead letters stays one.
    pub fn unchanged(mut self) -> Self {
        self.op = Op::Put;
        self
    }

    /// Offset of the row that it came from.
    pub fn offset(&self) -> i64 {
        self.source.rows.offset(self.row as usize)
    }

    /// Calls `visit` with each header, in order.
    pub fn headers(&self, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        match self.source.headers {
            Some(headers) => headers.row(self.index as usize).for_each(|(name, value)| visit(name, value)),
            None => self.source.rows.headers(self.row as usize, visit),
        }
    }
}

/// A checked output together with its batch. `base` is the row of the batch that the output calls row 0: not 0 only
/// where a part of a batch was transformed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub batch: &'a Batch,
    pub base: u32,
    pub output: &'a Output,
}

impl<'a> View<'a> {
    /// The output records in order, kept values resolved.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let Self { batch, base, output } = *self;
        let rows: &'a dyn Rows = batch.rows.as_ref();
        let mut keys = Resolved::new(output.keys.as_ref());
        let mut values = Resolved::new(output.values.as_ref());
        let mut targets = output.targets.as_ref().map(BytesColumn::iter);
        output.rows.iter().enumerate().map(move |(index, row)| {
            let row = base + *row;
            let key = keys.next(index).unwrap_or_else(|| rows.key(row as usize));
            let value = values.next(index).unwrap_or_else(|| rows.value(row as usize));
            let unnamed = if value.is_none() { Op::Delete } else { Op::Put };
            Record {
                index: index as u32,
                row,
                route: output.routes.get(index).copied().unwrap_or(0),
                key,
                value,
                timestamp: output
                    .timestamps
                    .as_ref()
                    .map_or_else(|| rows.timestamp(row as usize), |timestamps| timestamps[index]),
                target: targets.as_mut().and_then(|targets| targets.next().flatten()),
                op: output.ops.as_ref().map_or(unnamed, |ops| ops[index]),
                version: output.versions.as_ref().map(|versions| versions[index]),
                source: Source { rows, headers: output.headers.as_ref() },
            }
        })
    }
}

/// Walks an edited column in step with the output records.
struct Resolved<'a> {
    column: Option<&'a EditedColumn>,
    kept: usize,
    nulls: usize,
}

impl<'a> Resolved<'a> {
    fn new(column: Option<&'a EditedColumn>) -> Self {
        Self { column, kept: 0, nulls: 0 }
    }

    /// `None`: the row keeps its own. To be called with 0, 1, 2 and so on.
    #[inline]
    fn next(&mut self, index: usize) -> Option<Option<&'a [u8]>> {
        let EditedColumn { column, kept } = self.column?;
        if kept.get(self.kept) == Some(&(index as u32)) {
            self.kept += 1;
            return None;
        }
        if column.nulls.get(self.nulls) == Some(&(index as u32)) {
            self.nulls += 1;
            return Some(None);
        }
        Some(column.slice(index))
    }
}

#[cfg(test)]
mod tests;
