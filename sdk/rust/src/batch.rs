//! The rows of a batch, read where they lie: nothing is copied or allocated per row.

use crate::bindings::exports::wasmill::transform::columns::{Batch as RawBatch, BytesColumn, HeaderColumn};

/// Rows of one topic-partition, in offset order.
pub struct Batch {
    pub(crate) raw: RawBatch,
}

impl Batch {
    pub(crate) fn new(raw: RawBatch) -> Self {
        Self { raw }
    }

    /// The topic that the rows come from.
    pub fn topic(&self) -> &str {
        &self.raw.topic
    }

    /// The partition that the rows come from.
    pub fn partition(&self) -> u32 {
        self.raw.partition
    }

    /// 0 at the first try, then one more for each retry of this batch.
    pub fn attempt(&self) -> u32 {
        self.raw.attempt
    }

    /// Number of rows: 0 to 10,000.
    pub fn len(&self) -> usize {
        self.raw.rows as usize
    }

    /// Whether there are no rows: so it is in the call that tries a module out.
    pub fn is_empty(&self) -> bool {
        self.raw.rows == 0
    }

    pub(crate) fn row(&self, index: u32) -> Row<'_> {
        let get = |column: &'_ BytesColumn| column.nulls.binary_search(&index).is_err();
        let key = get(&self.raw.keys).then(|| slice(&self.raw.keys, index as usize)).flatten();
        let value = get(&self.raw.values).then(|| slice(&self.raw.values, index as usize)).flatten();
        Row { batch: self, index, key, value }
    }

    /// The rows, in offset order.
    pub fn rows(&self) -> Rows<'_> {
        Rows { batch: self, next: 0, null_keys: 0, null_values: 0 }
    }
}

/// Iterator over the rows of a [`Batch`].
#[derive(Clone)]
pub struct Rows<'a> {
    batch: &'a Batch,
    next: u32,
    null_keys: usize,
    null_values: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        let raw = &self.batch.raw;
        if self.next >= raw.rows {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let key = value(&raw.keys, index, &mut self.null_keys);
        let value = value(&raw.values, index, &mut self.null_values);
        Some(Row { batch: self.batch, index, key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.batch.raw.rows - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

/// Walks the nulls in step with the rows: `passed` of them lie behind.
#[inline]
fn value<'a>(column: &'a BytesColumn, index: u32, passed: &mut usize) -> Option<&'a [u8]> {
    if column.nulls.get(*passed) == Some(&index) {
        *passed += 1;
        return None;
    }
    slice(column, index as usize)
}

#[inline]
fn slice(column: &BytesColumn, index: usize) -> Option<&[u8]> {
    let end = *column.ends.get(index)? as usize;
    let begin = if index == 0 { 0 } else { column.ends[index - 1] as usize };
    column.data.get(begin..end)
}

/// One record. A column that the [`Plan`](crate::Plan) does not read is empty: key and value are then `None`, offset
/// and timestamp 0, and there are no headers.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    batch: &'a Batch,
    index: u32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    pub(crate) fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// Its number in the batch, from 0.
    #[inline]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// `None` is Kafka's null, which is not the same as empty.
    #[inline]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// `None` is Kafka's null: a tombstone.
    #[inline]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// Offset in the partition.
    pub fn offset(&self) -> u64 {
        self.batch.raw.offsets.get(self.index as usize).copied().unwrap_or(0)
    }

    /// Milliseconds since the Unix epoch.
    pub fn timestamp(&self) -> i64 {
        self.batch.raw.timestamps.get(self.index as usize).copied().unwrap_or(0)
    }

    /// The headers, in order; a name may come more than once.
    pub fn headers(&self) -> Headers<'a> {
        let column = &self.batch.raw.headers;
        let end = column.row_ends.get(self.index as usize).copied().unwrap_or(0);
        let begin =
            if self.index == 0 { 0 } else { column.row_ends.get(self.index as usize - 1).copied().unwrap_or(0) };
        Headers { column, next: begin, end }
    }

    /// Value of the last header of that name, as Kafka's own clients look it up.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().filter(|header| header.name == name.as_bytes()).last()?.value
    }
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by convention, not by Kafka's protocol.
    pub name: &'a [u8],
    /// `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
}

/// Iterator over the headers of a [`Row`].
#[derive(Clone)]
pub struct Headers<'a> {
    column: &'a HeaderColumn,
    next: u32,
    end: u32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.next >= self.end {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let null = self.column.values.nulls.binary_search(&index).is_ok();
        let value = if null { None } else { slice(&self.column.values, index as usize) };
        Some(Header { name: slice(&self.column.names, index as usize).unwrap_or_default(), value })
    }
}
