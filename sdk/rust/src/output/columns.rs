//! Columns under construction: they appear with the first record that sets them, and are filled up for those that do
//! not.

use std::io;

use crate::{Batch, Row, bindings::exports::wasmill::transform::columns as raw};

/// A column of plain values. It has come to be once a record has one.
pub(super) struct Sparse<T>(Vec<Option<T>>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Sparse<T> {
    #[inline]
    pub(super) fn set(&mut self, index: usize, value: T) {
        if self.0.len() != index {
            self.0.resize_with(index, || None);
        }
        self.0.push(Some(value));
    }

    pub(super) fn truncate(&mut self, records: usize) {
        self.0.truncate(records);
    }

    pub(super) fn finish(mut self, records: usize, mut unset: impl FnMut(usize) -> T) -> Option<Vec<T>> {
        if self.0.iter().all(Option::is_none) {
            return None;
        }
        self.0.resize_with(records, || None);
        let filled = self.0.into_iter().enumerate();
        Some(filled.map(|(record, value)| value.unwrap_or_else(|| unset(record))).collect())
    }
}

/// A column of byte strings of which some records keep their row's own. It has come to be once a record has a value
/// of its own.
#[derive(Default)]
pub(super) struct Edited {
    data: Vec<u8>,
    ends: Vec<u32>,
    nulls: Vec<u32>,
    kept: Vec<u32>,
    /// Records and bytes of the rows: what a column that is edited throughout will need.
    like: (usize, usize),
}

impl Edited {
    /// For as many records and bytes as the rows have. Takes no memory before the first record that sets a value.
    pub(super) fn like(rows: usize, own: &raw::BytesColumn) -> Self {
        Self { like: (rows, own.data.len()), ..Self::default() }
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, value: Option<&[u8]>) {
        self.open(index);
        match value {
            Some(value) => self.data.extend_from_slice(value),
            None => self.nulls.push(index as u32),
        }
        self.ends.push(self.data.len() as u32);
    }

    pub(super) fn write<E>(
        &mut self,
        index: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(index);
        let begin = self.data.len();
        let written = write(&mut Writer { data: &mut self.data });
        if written.is_err() {
            self.data.truncate(begin);
            self.kept.push(index as u32);
        }
        self.ends.push(self.data.len() as u32);
        written
    }

    /// As [`Self::write`], by what does not fail and needs the column itself.
    pub(super) fn append(&mut self, index: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.open(index);
        write(&mut self.data);
        self.ends.push(self.data.len() as u32);
    }

    /// Makes room for record `index`: those before it that were not set keep their own, and what it had is forgotten.
    #[inline]
    fn open(&mut self, index: usize) {
        // The usual case, of which the cost counts: every record is set once, in order.
        if index != self.ends.len() || index == 0 {
            self.open_elsewhere(index);
        }
    }

    #[cold]
    fn open_elsewhere(&mut self, index: usize) {
        if self.ends.capacity() == 0 {
            let (records, bytes) = self.like;
            self.ends.reserve(records);
            self.data.reserve(bytes);
        }
        self.truncate(index);
        self.keep_up_to(index);
    }

    fn keep_up_to(&mut self, records: usize) {
        let end = self.data.len() as u32;
        for record in self.ends.len()..records {
            self.kept.push(record as u32);
            self.ends.push(end);
        }
    }

    pub(super) fn truncate(&mut self, records: usize) {
        if self.ends.len() <= records {
            return;
        }
        self.ends.truncate(records);
        self.data.truncate(self.ends.last().map_or(0, |end| *end as usize));
        let below = |list: &mut Vec<u32>| list.truncate(list.partition_point(|record| (*record as usize) < records));
        below(&mut self.nulls);
        below(&mut self.kept);
    }

    /// No record has a value of its own; one that had may have been taken back.
    fn is_untouched(&self) -> bool {
        self.kept.len() == self.ends.len()
    }

    pub(super) fn finish(mut self, records: usize) -> Option<raw::EditedColumn> {
        if self.is_untouched() {
            return None;
        }
        self.keep_up_to(records);
        Some(raw::EditedColumn { data: self.data, ends: self.ends, nulls: self.nulls, kept: self.kept })
    }

    /// Targets are never kept, and only records without one are null: they go where the sink is configured to.
    pub(super) fn finish_targets(mut self, records: usize) -> Option<raw::BytesColumn> {
        if self.is_untouched() {
            return None;
        }
        self.keep_up_to(records);
        Some(raw::BytesColumn { data: self.data, ends: self.ends, nulls: self.kept })
    }
}

/// Writes a value into its column.
pub struct Writer<'a> {
    data: &'a mut Vec<u8>,
}

impl io::Write for Writer<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.data.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The headers of all records: the contract knows no kept ones, so the first record that sets any copies those before.
#[derive(Default)]
pub(super) struct Headers {
    touched: bool,
    /// A row's own headers were wanted, and the plan does not read them.
    pub(super) unread: bool,
    row_ends: Vec<u32>,
    names: Bytes,
    values: Bytes,
}

#[derive(Default)]
struct Bytes {
    data: Vec<u8>,
    ends: Vec<u32>,
    nulls: Vec<u32>,
}

impl Bytes {
    fn push(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.data.extend_from_slice(value),
            None => self.nulls.push(self.ends.len() as u32),
        }
        self.ends.push(self.data.len() as u32);
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.data.truncate(self.ends.last().map_or(0, |end| *end as usize));
        self.nulls.truncate(self.nulls.partition_point(|index| (*index as usize) < len));
    }

    fn finish(self) -> raw::BytesColumn {
        raw::BytesColumn { data: self.data, ends: self.ends, nulls: self.nulls }
    }
}

impl Headers {
    pub(super) fn add(&mut self, index: usize, row: Row<'_>, rows: &[u32], name: &str, value: Option<&[u8]>) {
        self.open(index, row.batch(), rows);
        self.push(name.as_bytes(), value);
    }

    pub(super) fn clear(&mut self, index: usize, row: Row<'_>, rows: &[u32]) {
        self.touched = true;
        self.truncate(index);
        self.fill(index, row.batch(), rows);
        self.row_ends.push(self.names.ends.len() as u32);
    }

    /// Makes record `index` the last one, with its row's own headers unless it has some already.
    fn open(&mut self, index: usize, batch: &Batch, rows: &[u32]) {
        self.touched = true;
        self.fill(index + 1, batch, rows);
    }

    /// Gives the records up to `records` that have no headers yet those of their rows.
    fn fill(&mut self, records: usize, batch: &Batch, rows: &[u32]) {
        let begin = self.row_ends.len().min(records);
        for row in &rows[begin..records] {
            self.copy(batch, *row);
        }
    }

    fn push(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.names.push(Some(name));
        self.values.push(value);
        if let Some(end) = self.row_ends.last_mut() {
            *end += 1;
        }
    }

    fn copy(&mut self, batch: &Batch, row: u32) {
        self.unread |= batch.raw.headers.row_ends.is_empty();
        self.row_ends.push(self.names.ends.len() as u32);
        for header in batch.row(row).headers() {
            self.push(header.name, header.value);
        }
    }

    pub(super) fn truncate(&mut self, records: usize) {
        if self.row_ends.len() > records {
            self.row_ends.truncate(records);
            let left = self.row_ends.last().map_or(0, |end| *end as usize);
            self.names.truncate(left);
            self.values.truncate(left);
        }
    }

    /// Gives all records headers, where any record has set some.
    pub(super) fn complete(&mut self, records: usize, batch: &Batch, rows: &[u32]) {
        if self.touched {
            self.fill(records, batch, rows);
        }
    }

    pub(super) fn finish(self) -> Option<raw::HeaderColumn> {
        let Self { touched, row_ends, names, values, .. } = self;
        touched.then(|| raw::HeaderColumn { row_ends, names: names.finish(), values: values.finish() })
    }
}
