//! Saved batches: what is given to a module by hand, again and again.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};

/// Batches that are kept of one pipeline.
pub(in crate::control) const BATCHES_MAX: i64 = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct BatchRow {
    pub(in crate::control) name: String,
    /// JSON.
    pub(in crate::control) input: String,
    pub(in crate::control) records: usize,
    /// RFC 3339.
    pub(in crate::control) saved_at: String,
}

impl Store {
    /// Keeps a batch, or replaces the one of its name. False: there are as many as may be.
    pub(in crate::control) fn put_batch(&mut self, pipeline: &str, batch: &BatchRow) -> Result<bool, StoreError> {
        let db = self.db.transaction()?;
        let others: i64 = db.query_row(
            "SELECT count(*) FROM batches WHERE pipeline = ?1 AND name <> ?2",
            params![pipeline, batch.name],
            |row| row.get(0),
        )?;
        if others >= BATCHES_MAX {
            return Ok(false);
        }
        db.execute(
            "INSERT OR REPLACE INTO batches (pipeline, name, input, records, saved_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![pipeline, batch.name, batch.input, batch.records as i64, batch.saved_at],
        )?;
        db.commit()?;
        Ok(true)
    }

    pub(in crate::control) fn batch(&self, pipeline: &str, name: &str) -> Result<Option<BatchRow>, StoreError> {
        let query = "SELECT name, input, records, saved_at FROM batches WHERE pipeline = ?1 AND name = ?2";
        Ok(self.db.query_row(query, params![pipeline, name], row).optional()?)
    }

    /// By name.
    pub(in crate::control) fn batches(&self, pipeline: &str) -> Result<Vec<BatchRow>, StoreError> {
        let query = "SELECT name, input, records, saved_at FROM batches WHERE pipeline = ?1 ORDER BY name";
        let mut statement = self.db.prepare_cached(query)?;
        let rows = statement.query_map(params![pipeline], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether there was one.
    pub(in crate::control) fn delete_batch(&self, pipeline: &str, name: &str) -> Result<bool, StoreError> {
        let gone = self.db.execute("DELETE FROM batches WHERE pipeline = ?1 AND name = ?2", params![pipeline, name])?;
        Ok(gone > 0)
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<BatchRow> {
    Ok(BatchRow {
        name: row.get(0)?,
        input: row.get(1)?,
        records: row.get::<_, i64>(2)? as usize,
        saved_at: row.get(3)?,
    })
}
