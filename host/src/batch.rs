//! A batch: rows of one topic-partition in offset order, and the columns packed from it for a module.
//!
//! The source keeps the rows in whatever memory they arrived in and hands them over behind [`Rows`]; [`Columns`] is
//! the reused packing buffer of a lane, filled only with what the module reads. A row's own key, value and headers
//! stay reachable through [`Rows`] until its deliveries are settled: what a module keeps is never copied into it and
//! back, and a dead letter carries the original bytes.

use std::{fmt, ops::Range, rc::Rc, sync::Arc};

use crate::columns::{BytesColumn, HeaderColumn};

/// Columns that a module wants filled; one that it does not read costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    pub keys: bool,
    pub values: bool,
    pub headers: bool,
    pub offsets: bool,
    pub timestamps: bool,
}

impl Reads {
    pub const ALL: Self = Self { keys: true, values: true, headers: true, offsets: true, timestamps: true };
}

/// The rows of one batch, where the source holds them. Rows are numbered from 0 to `len() - 1`.
///
/// Callers stay below `len()`; an implementation may panic beyond it, as a slice would. Rows stay on the thread of their
/// lane (librdkafka parses headers into the message when they are first asked for), hence no `Sync`.
pub trait Rows {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn offset(&self, row: usize) -> i64;

    /// Milliseconds since the Unix epoch; -1 where the record carries none.
    fn timestamp(&self, row: usize) -> i64;

    fn key(&self, row: usize) -> Option<&[u8]>;

    /// `None` is Kafka's null: a tombstone.
    fn value(&self, row: usize) -> Option<&[u8]>;

    /// Calls `visit` with each header of the row, in order. Parsing headers is the dear part of a record: ask for
    /// them only where they are wanted.
    fn headers(&self, row: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>));

    /// Appends `range` to `columns`, as [`Columns::pack`] does. A default method, so that the loop over the rows is
    /// compiled for each implementation and a batch costs one virtual call.
    fn pack(&self, range: Range<usize>, reads: Reads, columns: &mut Columns) {
        if reads.offsets {
            columns.offsets.extend(range.clone().map(|row| self.offset(row) as u64));
        }
        if reads.timestamps {
            columns.timestamps.extend(range.clone().map(|row| self.timestamp(row)));
        }
        if reads.keys {
            range.clone().for_each(|row| columns.keys.push(self.key(row)));
        }
        if reads.values {
            range.clone().for_each(|row| columns.values.push(self.value(row)));
        }
        if reads.headers {
            for row in range {
                self.headers(row, &mut |name, value| columns.headers.push(name, value));
                columns.headers.end_row();
            }
        }
    }
}

/// Rows of one topic-partition, in offset order.
#[derive(Clone)]
pub struct Batch {
    pub topic: Arc<str>,
    /// 0 or more.
    pub partition: i32,
    /// One assignment of the partition: an acknowledgement of an older epoch never commits.
    pub epoch: u64,
    /// Bytes of keys and values, for the bounds of what is in flight.
    pub bytes: usize,
    pub rows: Rc<dyn Rows>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} rows of {}[{}], epoch {}", self.rows.len(), self.topic, self.partition, self.epoch)
    }
}

/// Columns of a batch as a module reads them. Reused from batch to batch: `pack` clears, and the memory stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Number of rows, also where no column is filled.
    pub rows: u32,
    pub offsets: Vec<u64>,
    pub timestamps: Vec<i64>,
    pub keys: BytesColumn,
    pub values: BytesColumn,
    pub headers: HeaderColumn,
}

impl Columns {
    /// Replaces the content by the `range` of `rows`, filling what `reads` names.
    pub fn pack(&mut self, rows: &dyn Rows, range: Range<usize>, reads: Reads) {
        self.clear();
        self.rows = range.len() as u32;
        rows.pack(range, reads, self);
    }

    /// The one row of a fire of the timed trigger, which nobody sent: `at` is its timestamp and its offset.
    pub fn of_fire(at: i64) -> Self {
        let mut columns = Self::default();
        columns.pack(&MemoryRows::of_fire(at), 0..1, Reads::ALL);
        columns
    }

    pub fn clear(&mut self) {
        self.rows = 0;
        self.offsets.clear();
        self.timestamps.clear();
        self.keys.clear();
        self.values.clear();
        self.headers.clear();
    }
}

/// Rows held in ordinary memory: for `wasmill test`, `wasmill invoke`, smoke runs and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    pub offsets: Vec<i64>,
    pub timestamps: Vec<i64>,
    pub keys: BytesColumn,
    pub values: BytesColumn,
    pub headers: HeaderColumn,
}

impl MemoryRows {
    /// See [`Columns::of_fire`].
    pub fn of_fire(at: i64) -> Self {
        let mut rows = Self::default();
        rows.push(at, at, None, None, &[]);
        rows
    }

    /// Appends a row; headers in order.
    pub fn push(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        self.offsets.push(offset);
        self.timestamps.push(timestamp);
        self.keys.push(key);
        self.values.push(value);
        headers.iter().for_each(|(name, value)| self.headers.push(name, *value));
        self.headers.end_row();
    }
}

impl Rows for MemoryRows {
    fn len(&self) -> usize {
        self.offsets.len()
    }

    #[inline]
    fn offset(&self, row: usize) -> i64 {
        self.offsets[row]
    }

    #[inline]
    fn timestamp(&self, row: usize) -> i64 {
        self.timestamps[row]
    }

    #[inline]
    fn key(&self, row: usize) -> Option<&[u8]> {
        self.keys.get(row)
    }

    #[inline]
    fn value(&self, row: usize) -> Option<&[u8]> {
        self.values.get(row)
    }

    #[inline]
    fn headers(&self, row: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        self.headers.row(row).for_each(|(name, value)| visit(name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> MemoryRows {
        let mut rows = MemoryRows::default();
        rows.push(5, 10, None, Some(b"a"), &[(b"h", None), (b"h", Some(b"x"))]);
        rows.push(7, 11, Some(b""), None, &[]);
        rows.push(8, 12, Some(b"k"), Some(b""), &[(b"i", Some(b""))]);
        rows
    }

    #[test]
    fn packs_a_range_with_null_apart_from_empty() {
        let mut columns = Columns::default();
        columns.pack(&rows(), 1..3, Reads::ALL);
        assert_eq!(columns.rows, 2);
        assert_eq!(columns.offsets, [7, 8]);
        assert_eq!(columns.keys.iter().collect::<Vec<_>>(), [Some(&b""[..]), Some(b"k")]);
        assert_eq!(columns.values.iter().collect::<Vec<_>>(), [None, Some(&b""[..])]);
        assert_eq!(columns.headers.row(0).count(), 0);
        assert_eq!(columns.headers.row(1).collect::<Vec<_>>(), [(&b"i"[..], Some(&b""[..]))]);
    }

    #[test]
    fn fills_only_what_is_read_and_forgets_the_last_batch() {
        let mut columns = Columns::default();
        columns.pack(&rows(), 0..3, Reads::ALL);
        columns.pack(&rows(), 0..3, Reads { keys: true, ..Reads::default() });
        assert_eq!((columns.rows, columns.keys.len(), columns.values.len()), (3, 3, 0));
        assert!(columns.offsets.is_empty() && columns.headers.row_ends.is_empty());
    }
}
