//! Saved batches: the manual trigger's, kept with their pipeline.

use super::{
    ControlError,
    controller::Inner,
    invoke::{InvokeInput, rows},
    releases::now,
    store::BatchRow,
};
use crate::config::check_name;

/// Bytes of one saved batch, as JSON.
const BYTES_MAX: usize = 4 << 20;

/// A saved batch as people see it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct BatchInfo {
    pub batch: String,
    pub records: usize,
    /// RFC 3339.
    pub saved_at: String,
}

impl BatchInfo {
    fn of(row: BatchRow) -> Self {
        Self { batch: row.name, records: row.records, saved_at: row.saved_at }
    }
}

impl Inner {
    pub(super) fn put_batch(&self, name: &str, batch: &str, input: &InvokeInput) -> Result<BatchInfo, ControlError> {
        self.slot(name)?;
        check_name(batch).map_err(|error| ControlError::BadName(format!("batch name `{batch}`: {error}")))?;
        // What cannot be given to a module is not kept.
        rows(input)?;
        let text = serde_json::to_string(input).map_err(|error| ControlError::Internal(error.to_string()))?;
        if text.len() > BYTES_MAX {
            let bytes = text.len();
            return Err(ControlError::BadRequest(format!(
                "{bytes} bytes are more than a saved batch has ({BYTES_MAX})"
            )));
        }
        let row = BatchRow { name: batch.into(), input: text, records: input.records.len(), saved_at: now() };
        if !self.store.lock().put_batch(name, &row)? {
            return Err(ControlError::BadRequest(format!(
                "pipeline `{name}` has as many saved batches as may be: delete one first"
            )));
        }
        Ok(BatchInfo::of(row))
    }

    pub(super) fn batch(&self, name: &str, batch: &str) -> Result<InvokeInput, ControlError> {
        self.slot(name)?;
        // A statement of its own: the lock is let go of before the other batches are looked at.
        let row = self.store.lock().batch(name, batch)?;
        let row = row.ok_or_else(|| self.no_batch(name, batch))?;
        serde_json::from_str(&row.input).map_err(|error| ControlError::Internal(error.to_string()))
    }

    pub(super) fn batches(&self, name: &str) -> Result<Vec<BatchInfo>, ControlError> {
        self.slot(name)?;
        Ok(self.store.lock().batches(name)?.into_iter().map(BatchInfo::of).collect())
    }

    pub(super) fn delete_batch(&self, name: &str, batch: &str) -> Result<(), ControlError> {
        self.slot(name)?;
        let gone = self.store.lock().delete_batch(name, batch)?;
        if gone { Ok(()) } else { Err(self.no_batch(name, batch)) }
    }

    fn no_batch(&self, name: &str, batch: &str) -> ControlError {
        let known = self.store.lock().batches(name).unwrap_or_default();
        let known: Vec<String> = known.into_iter().map(|row| format!("`{}`", row.name)).collect();
        let hint = if known.is_empty() {
            format!(": pipeline `{name}` has none")
        } else {
            format!(": pipeline `{name}` has {}", known.join(", "))
        };
        ControlError::NotFound { what: "saved batch", name: batch.to_owned(), hint }
    }
}
