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
        Rows { batch: self, next: 0, keys: Cursor::new(&self.raw.keys), values: Cursor::new(&self.raw.values) }
    }
}

/// Iterator over the rows of a [`Batch`].
#[derive(Clone)]
pub struct Rows<'a> {
    batch: &'a Batch,
    next: u32,
    keys: Cursor<'a>,
    values: Cursor<'a>,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        let index = self.next;
        if index >= self.batch.raw.rows {
            return None;
        }
        self.next += 1;
        let (key, value) = (self.keys.next(index), self.values.next(index));
        Some(Row { batch: self.batch, index, key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.batch.raw.rows - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

/// Walks a column in step with the rows: where the next value begins, and which row is null next.
#[derive(Clone)]
struct Cursor<'a> {
    column: &'a BytesColumn,
    begin: usize,
    /// Nulls that lie behind, and the row of the one ahead.
    nulls: usize,
    null: u32,
}

/// No row has this number.
const NO_ROW: u32 = u32::MAX;

impl<'a> Cursor<'a> {
    fn new(column: &'a BytesColumn) -> Self {
        Self { column, begin: 0, nulls: 0, null: column.nulls.first().copied().unwrap_or(NO_ROW) }
    }

    /// To be called with 0, 1, 2 and so on.
    #[inline]
    fn next(&mut self, index: u32) -> Option<&'a [u8]> {
        let end = *self.column.ends.get(index as usize)? as usize;
        let begin = std::mem::replace(&mut self.begin, end);
        if index == self.null {
            self.nulls += 1;
            self.null = self.column.nulls.get(self.nulls).copied().unwrap_or(NO_ROW);
            return None;
        }
        self.column.data.get(begin..end)
    }
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

#[cfg(test)]
mod tests;
