//! What becomes of a batch, built straight into the columns that cross to the host. A column that nobody sets stays
//! away, so a filter or a router copies nothing back.

mod columns;

use crate::{Batch, Row, bindings::exports::wasmill::transform::columns as raw, json};
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
        self.headers.complete(records, batch, &self.rows);
        if self.headers.unread {
            return Err(
                "a record's headers were set, and the headers of others would be lost: the plan does not read \
                        headers. Add Reads::HEADERS to it, or call no_headers on every record"
                    .into(),
            );
        }
        let own = &batch.raw;
        let mut unread = false;
        let timestamps = self.timestamps.finish(records, |record| {
            let own = own.timestamps.get(self.rows[record] as usize);
            unread |= own.is_none();
            own.copied().unwrap_or(-1)
        });
        if unread {
            return Err(
                "some records' timestamps were set, and those of others would be lost: the plan does not read \
                        timestamps. Add Reads::TIMESTAMPS to it, or set the timestamp of every record"
                    .into(),
            );
        }
        let values = self.values.finish(records);
        // What the host does with a record without an op, so that one record's op changes nothing for the others.
        let op = |record: usize| {
            let has = |rows: &[u32], row: u32| rows.binary_search(&row).is_ok();
            let edited = values.as_ref().filter(|column| !has(&column.kept, record as u32));
            let null = edited
                .map_or_else(|| has(&own.values.nulls, self.rows[record]), |column| has(&column.nulls, record as u32));
            if null { raw::Op::Delete } else { raw::Op::Put }
        };
        Ok(raw::Output {
            routes: self.routes.finish(records, |_| 0).unwrap_or_default(),
            keys: self.keys.finish(records),
            headers: self.headers.finish(),
            timestamps,
            targets: self.targets.finish_targets(records),
            ops: self.ops.finish(records, op),
            versions: self.versions.finish(records, |_| 0),
            rejects: self.rejects,
            rows: self.rows,
            values,
        })
    }
}

/// A record on its way out: what is set here replaces what the row has.
///
/// Headers, timestamps and versions are columns that are whole or not there: once one record of a batch sets its own, the
/// others' cross back as well. So a module that sets headers reads headers (or calls [`Self::no_headers`] on every
/// record), one that sets timestamps reads timestamps (or sets every record's), and where one record has a version the
/// others have 0.
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
        self.out.routes.set(index, route);
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

    /// Writes an edited JSON object as the value, in place.
    pub fn json(self, object: &json::Object<'_>) -> Self {
        let index = self.index();
        self.out.values.append(index, |out| object.write(out));
        self
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
        self.out.timestamps.set(index, timestamp);
        self
    }

    /// Says where inside the sink: topic, index or key.
    pub fn target(self, target: &str) -> Self {
        let index = self.index();
        self.out.targets.set(index, Some(target.as_bytes()));
        self
    }

    /// Says what the sink is to do. Unsaid: put, or delete where the value is null.
    pub fn op(self, op: Op) -> Self {
        let index = self.index();
        let op = match op {
            Op::Put => raw::Op::Put,
            Op::Create => raw::Op::Create,
            Op::Merge => raw::Op::Merge,
            Op::Delete => raw::Op::Delete,
        };
        self.out.ops.set(index, op);
        self
    }

    /// For sinks that keep the newest: a number that grows with each change of the same key.
    pub fn version(self, version: u64) -> Self {
        let index = self.index();
        self.out.versions.set(index, version);
        self
    }
}

#[cfg(test)]
mod tests;
