//! One change of one row, or news about a table.

use crate::Row;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A row is new.
    Insert,
    /// A row is another now. Its key may be another too: see [`Change::key_before`].
    Update,
    /// A row is gone.
    Delete,
    /// A row as it was found when its table was read from the start: Maxwell's bootstrap, Debezium's snapshot.
    Snapshot,
    /// All rows of a table are gone.
    Truncate,
    /// A table or database was made, altered or dropped.
    Schema,
    /// A snapshot of the table begins or ends.
    Marker,
}

impl Op {
    /// Its name in settings and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Snapshot => "snapshot",
            Self::Truncate => "truncate",
            Self::Schema => "schema",
            Self::Marker => "marker",
        }
    }

    /// Whether it concerns one row, which has a key.
    pub fn is_row(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Delete | Self::Snapshot)
    }
}

/// A change. Names are as the database writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub op: Op,
    /// Database; for databases with schemas, the schema.
    pub database: String,
    /// Table; empty where the change concerns a database.
    pub table: String,
    /// Columns of the primary key in order, as they are now. Empty where [`Op::is_row`] is false.
    pub key: Row,
    /// The row as it is now; of a deletion, as it was. Empty where [`Op::is_row`] is false.
    pub row: Row,
    /// The row before an update or deletion, whole, where the format tells it.
    pub before: Option<Row>,
    /// Grows with each change of one key: see [`crate::version`].
    pub version: u64,
    /// When, in milliseconds since the Unix epoch; 0 where the format does not tell.
    pub time: i64,
}

impl Change {
    /// The key before an update, where the update changed it: what stands under it has to go.
    pub fn key_before(&self) -> Option<Row> {
        if self.op != Op::Update {
            return None;
        }
        let before = self.before.as_ref()?;
        let key = self.key.columns().map(|(name, _)| before.take(name)).collect::<Option<Row>>()?;
        (key != self.key).then_some(key)
    }
}
