//! Columns: the shape in which records move through the host.
//!
//! A column is a handful of flat vectors whatever the number of rows, so packing a batch costs a copy per value and
//! no allocation once the vectors have grown. The layout is the one of the contract (`wit/transform.wit`, interface
//! `columns`): what is packed here is lowered into a module as it stands.
//!
//! Invariant of every column built through `push`: `ends` ascends, its last entry is `data.len()`, and `nulls`
//! ascends. Columns that come back from a module carry no such promise until [`crate::output::Output::check`] passed.

/// Byte strings, one per row. Value `i` is `data[ends[i - 1]..ends[i]]`, from 0 for `i = 0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BytesColumn {
    pub data: Vec<u8>,
    /// End of each row's value in `data`, in bytes.
    pub ends: Vec<u32>,
    /// Rows that are null rather than empty, ascending.
    pub nulls: Vec<u32>,
}

impl BytesColumn {
    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends a row. The caller keeps a batch below 4 GiB (`batch.bytes` is capped far lower), so `ends` cannot wrap.
    #[inline]
    pub fn push(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => self.data.extend_from_slice(bytes),
            None => self.nulls.push(self.ends.len() as u32),
        }
        self.ends.push(self.data.len() as u32);
    }

    /// The value of a row; `None` where it is null. Costs a binary search over `nulls`: walk with [`Self::iter`] where
    /// all rows are wanted.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let null = self.nulls.binary_search(&(row as u32)).is_ok();
        if null { None } else { self.slice(row) }
    }

    /// The bytes of a row, whether or not it is listed as null.
    #[inline]
    pub fn slice(&self, row: usize) -> Option<&[u8]> {
        let end = *self.ends.get(row)? as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        self.data.get(start..end)
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut nulls = self.nulls.iter().copied().peekable();
        (0..self.ends.len()).map(move |row| {
            let null = nulls.next_if_eq(&(row as u32)).is_some();
            if null { None } else { self.slice(row) }
        })
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
        self.nulls.clear();
    }

    /// Bytes that the column occupies when it crosses into a module.
    pub fn byte_len(&self) -> usize {
        self.data.len() + 4 * (self.ends.len() + self.nulls.len())
    }
}

/// Headers of all rows: row `i` owns `row_ends[i - 1]..row_ends[i]` of both columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderColumn {
    pub row_ends: Vec<u32>,
    /// Header names: UTF-8 by convention of Kafka, not by its protocol.
    pub names: BytesColumn,
    pub values: BytesColumn,
}

impl HeaderColumn {
    /// Appends one header to the row under construction; [`Self::end_row`] closes the row.
    #[inline]
    pub fn push(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.names.push(Some(name));
        self.values.push(value);
    }

    /// Closes a row, also one without headers.
    #[inline]
    pub fn end_row(&mut self) {
        self.row_ends.push(self.names.len() as u32);
    }

    /// Headers of a row, in order; none where the row does not exist.
    #[inline]
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let end = self.row_ends.get(row).map_or(0, |end| *end as usize);
        let start = if row == 0 { 0 } else { self.row_ends.get(row - 1).map_or(0, |start| *start as usize) };
        (start.min(end)..end).filter_map(|index| Some((self.names.slice(index)?, self.values.get(index))))
    }

    pub fn clear(&mut self) {
        self.row_ends.clear();
        self.names.clear();
        self.values.clear();
    }

    pub fn byte_len(&self) -> usize {
        4 * self.row_ends.len() + self.names.byte_len() + self.values.byte_len()
    }
}
