//! What becomes of a batch, built straight into the columns that cross to the host. A column that nobody sets stays
//! away, so a filter or a router copies nothing back.

mod columns;

use crate::{Batch, Row, bindings::exports::wasmill::transform::columns as raw};
use columns::{Edited, Headers, Sparse, Writer};

/// What a sink is to do with a record. Kafka knows only put and delete (a tombstone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Write, replacing what is there: Elasticsearch index, Redis SET or HSET.
    Put,
    /// Write only if nothing is there: Elasticsearch create, Redis SET NX.
    Create,
    /// Merge into what is there: Elasticsearch update with doc-as-upsert, Redis HSET of the given fields.
    Merge,
    /// Remove.
    Delete,
}

/// The records that come out of a batch, and the rows that are rejected.
///
/// Rows are kept in the order of the batch. Keeping an earlier row after a later one, or keeping and rejecting a row, is a
/// mistake in the module (rejecting the row that was kept last is none): the call then ends as [`Error::Fatal`](crate::Error::Fatal), with words that name the rows.
#[derive(Default)]
pub struct Output {
    rows: Vec<u32>,
    routes: Sparse<u16>,
    keys: Edited,
    values: Edited,
    headers: Headers,
    timestamps: Sparse<i64>,
    targets: Edited,
    ops: Sparse<raw::Op>,
    versions: Sparse<u64>,
    rejects: Vec<raw::Reject>,
    mistake: Option<String>,
}

impl Output {
    pub(crate) fn new(batch: &Batch) -> Self {
        let rows = batch.len();
        let (keys, values) = (Edited::like(rows, &batch.raw.keys), Edited::like(rows, &batch.raw.values));
        Self { rows: Vec::with_capacity(rows), keys, values, ..Self::default() }
    }

    /// Sends a row on. What is not set on the answer stays the row's own.
    #[inline]
    pub fn keep<'o>(&'o mut self, row: Row<'o>) -> Sent<'o> {
        let index = row.index();
        if let Some(last) = self.rows.last()
            && index < *last
        {
            self.descended(index, *last);
        }
        self.rows.push(index);
        Sent { out: self, row }
    }

    /// Sends every row on as it is: the cheapest there is.
    pub fn keep_all(&mut self, batch: &Batch) {
        if let (Some(last), false) = (self.rows.last(), batch.is_empty())
            && *last > 0
        {
            self.descended(0, *last);
        }
        self.rows.extend(0..batch.raw.rows);
    }

    /// Sends a row to the pipeline's dead letters. Records that this row was kept for are taken back.
    pub fn reject(&mut self, row: Row<'_>, reason: impl Into<String>) {
        let row = row.index();
        while self.rows.last() == Some(&row) {
            self.rows.pop();
        }
        self.truncate(self.rows.len());
        self.rejects.push(raw::Reject { row, reason: reason.into() });
    }

    /// Number of records so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no records so far.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    #[cold]
    fn descended(&mut self, row: u32, last: u32) {
        let what = format!("row {row} was kept after row {last}: keep rows in the order of the batch");
        self.mistake.get_or_insert(what);
    }

    fn truncate(&mut self, records: usize) {
        self.routes.truncate(records);
        self.keys.truncate(records);
        self.values.truncate(records);
        self.headers.truncate(records);
        self.timestamps.truncate(records);
        self.targets.truncate(records);
        self.ops.truncate(records);
        self.versions.truncate(records);
    }

    pub(crate) fn into_raw(mut self, batch: &Batch) -> Result<raw::Output, String> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.rejects.sort_by_key(|reject| reject.row);
        self.rejects.dedup_by_key(|reject| reject.row);
        if let Some(reject) = self.rejects.iter().find(|reject| self.rows.binary_search(&reject.row).is_ok()) {
            return Err(format!("row {} was both kept and rejected: it can only be one of them", reject.row));
        }
        let records = self.rows.len();
        let row = |record: usize| self.rows[record];
        let timestamp = |record: usize| batch.raw.timestamps.get(row(record) as usize).copied().unwrap_or(-1);
        Ok(raw::Output {
            routes: self.routes.finish(records, |_| 0).unwrap_or_default(),
            keys: self.keys.finish(records),
            values: self.values.finish(records),
            headers: self.headers.finish(records, batch, &self.rows),
            timestamps: self.timestamps.finish(records, timestamp),
            targets: self.targets.finish_targets(records),
            ops: self.ops.finish(records, |_| raw::Op::Put),
            versions: self.versions.finish(records, |_| 0),
            rejects: self.rejects,
            rows: self.rows,
        })
    }
}

/// A record on its way out: what is set here replaces what the row has.
///
/// `op` and `version` are columns: once one record has one, the others have [`Op::Put`] and 0. Set them on every record
/// of a batch, or on none. The same goes for `timestamp` in a module that does not read timestamps.
pub struct Sent<'o> {
    out: &'o mut Output,
    row: Row<'o>,
}

impl Sent<'_> {
    #[inline]
    fn index(&self) -> usize {
        self.out.rows.len() - 1
    }

    /// Sends it to another route than the first, by its number in the [`Plan`](crate::Plan).
    #[inline]
    pub fn route(self, route: u16) -> Self {
        let index = self.index();
        self.out.routes.set(index, route, |_| 0);
        self
    }

    /// Sets the key.
    #[inline]
    pub fn key(self, key: &[u8]) -> Self {
        let index = self.index();
        self.out.keys.set(index, Some(key));
        self
    }

    /// Takes the key away.
    #[inline]
    pub fn no_key(self) -> Self {
        let index = self.index();
        self.out.keys.set(index, None);
        self
    }

    /// Sets the value.
    #[inline]
    pub fn value(self, value: &[u8]) -> Self {
        let index = self.index();
        self.out.values.set(index, Some(value));
        self
    }

    /// Makes it a tombstone. A sink removes what the key names.
    #[inline]
    pub fn no_value(self) -> Self {
        let index = self.index();
        self.out.values.set(index, None);
        self
    }

    /// Writes the value in place, without a buffer of one's own: `serde_json::to_writer` fits.
    ///
    /// # Errors
    /// What `write` answers. The record is then still kept, with the row's own value: reject the row to take it back.
    pub fn write_value<E>(self, write: impl FnOnce(&mut Writer<'_>) -> Result<(), E>) -> Result<Self, E> {
        let index = self.index();
        self.out.values.write(index, write)?;
        Ok(self)
    }

    /// Adds a header after those that it has.
    pub fn header(self, name: &str, value: Option<&[u8]>) -> Self {
        let index = self.index();
        self.out.headers.add(index, self.row, &self.out.rows, name, value);
        self
    }

    /// Takes all headers away; [`Self::header`] may add new ones.
    pub fn no_headers(self) -> Self {
        let index = self.index();
        self.out.headers.clear(index, self.row, &self.out.rows);
        self
    }

    /// Sets the timestamp, in milliseconds since the Unix epoch.
    pub fn timestamp(self, timestamp: i64) -> Self {
        let index = self.index();
        let batch = self.row.batch();
        let rows = &self.out.rows;
        self.out
            .timestamps
            .set(index, timestamp, |record| batch.raw.timestamps.get(rows[record] as usize).copied().unwrap_or(-1));
        self
    }

    /// Says where inside the sink: topic, index or key.
    pub fn target(self, target: &str) -> Self {
        let index = self.index();
        self.out.targets.set(index, Some(target.as_bytes()));
        self
    }

    /// Says what the sink is to do.
    pub fn op(self, op: Op) -> Self {
        let index = self.index();
        let op = match op {
            Op::Put => raw::Op::Put,
            Op::Create => raw::Op::Create,
            Op::Merge => raw::Op::Merge,
            Op::Delete => raw::Op::Delete,
        };
        self.out.ops.set(index, op, |_| raw::Op::Put);
        self
    }

    /// For sinks that keep the newest: a number that grows with each change of the same key.
    pub fn version(self, version: u64) -> Self {
        let index = self.index();
        self.out.versions.set(index, version, |_| 0);
        self
    }
}
