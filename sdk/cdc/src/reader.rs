//! Which format, which keys: what the caller knows and a record may not say.

use crate::{Change, Error, Row, canal, debezium, maxwell};
use std::collections::BTreeMap;

/// Who wrote the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Maxwell's JSON.
    Maxwell,
    /// canal's flat messages.
    Canal,
    /// Debezium's envelopes as JSON, with or without the schema part.
    Debezium,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "maxwell" => Ok(Self::Maxwell),
            "canal" => Ok(Self::Canal),
            "debezium" => Ok(Self::Debezium),
            _ => Err(format!("`{name}` is no format: expected maxwell, canal or debezium")),
        }
    }
}

/// A record of Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its key: Maxwell and Debezium name the primary key in it.
    pub key: Option<&'a [u8]>,
    /// Its value. `None` is a tombstone, which is no change.
    pub value: Option<&'a [u8]>,
    /// Its offset, which decides between changes of the same second where a format has no better position.
    pub offset: u64,
}

/// Reads changes out of records.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Format,
    keys: BTreeMap<String, Vec<String>>,
}

impl Reader {
    /// A reader that knows no keys but those that the records name.
    pub fn new(format: Format) -> Self {
        Self { format, keys: BTreeMap::new() }
    }

    /// Names the primary key of a table, written `database.table`, where records do not.
    #[must_use]
    pub fn with_key<S: Into<String>>(mut self, table: &str, columns: impl IntoIterator<Item = S>) -> Self {
        self.keys.insert(table.to_owned(), columns.into_iter().map(Into::into).collect());
        self
    }

    /// The changes of a record, in order: none of a tombstone or a heartbeat, several of a canal message.
    ///
    /// # Errors
    /// The record is not of the format, or lacks what a change needs. The words suit a dead letter.
    pub fn read(&self, record: &Record<'_>) -> Result<Vec<Change>, Error> {
        let Some(value) = record.value else { return Ok(Vec::new()) };
        match self.format {
            Format::Maxwell => Ok(vec![maxwell::read(self, record, value)?]),
            Format::Canal => canal::read(self, record, value),
            Format::Debezium => Ok(debezium::read(self, record, value)?.into_iter().collect()),
        }
    }

    /// The columns of a key: what the record says wins over what the caller knows.
    pub(crate) fn key(
        &self,
        (database, table): (&str, &str),
        said: Option<Vec<String>>,
        row: &Row,
        writer: &'static str,
    ) -> Result<Row, Error> {
        let said = said.filter(|columns| !columns.is_empty());
        let known = || self.keys.get(&format!("{database}.{table}")).cloned();
        let name = || (database.to_owned(), table.to_owned());
        let columns = said.or_else(known).ok_or_else(|| {
            let (database, table) = name();
            Error::NoKey { database, table, writer }
        })?;
        let take = |column: &String| {
            let (database, table) = name();
            row.take(column).ok_or(Error::KeyColumn { database, table, column: column.clone() })
        };
        columns.iter().map(take).collect()
    }
}
