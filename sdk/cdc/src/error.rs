//! Why a record is no change: words for whoever finds it among the dead letters.

/// Says what is missing or wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON, or JSON of another shape.
    #[error("{format}: not such a record: {what}")]
    Shape {
        /// Name of the format that was expected.
        format: &'static str,
        /// What the parser says, with its place.
        what: String,
    },
    /// A field that each such record has.
    #[error("{format}: field `{field}` is missing")]
    Missing {
        /// Name of the format.
        format: &'static str,
        /// Path of the field.
        field: &'static str,
    },
    /// A field or column whose value cannot be.
    #[error("{format}: field `{field}` is {found}, expected {expected}")]
    Field {
        /// Name of the format.
        format: &'static str,
        /// Path of the field.
        field: String,
        /// What is there, cut to 100 characters.
        found: String,
        /// What could be there.
        expected: &'static str,
    },
    /// Nothing says which columns are the key.
    #[error("primary key of {database}.{table} is not known: let {writer}, or name its columns in the settings")]
    NoKey {
        /// Database of the row.
        database: String,
        /// Table of the row.
        table: String,
        /// What the writer of the record can do.
        writer: &'static str,
    },
    /// The row lacks a column of its key.
    #[error("row of {database}.{table} has no column `{column}`, which is part of its primary key")]
    KeyColumn {
        /// Database of the row.
        database: String,
        /// Table of the row.
        table: String,
        /// The column.
        column: String,
    },
}

impl Error {
    pub(crate) fn field(format: &'static str, field: impl Into<String>, found: &str, expected: &'static str) -> Self {
        Self::Field { format, field: field.into(), found: found.chars().take(100).collect(), expected }
    }

    pub(crate) fn shape(format: &'static str, error: &serde_json::Error) -> Self {
        Self::Shape { format, what: error.to_string() }
    }
}
