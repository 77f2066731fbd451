//! Debezium's envelopes as Kafka Connect's JSON converter writes them: `{"schema":…,"payload":…}` or the payload
//! alone. With the schema part, values become what their type means; without it they stay as they are.

mod value;

use crate::{Change, Error, Op, Reader, Record, Row, version};
use serde::Deserialize;
use value::Schema;

const FORMAT: &str = "debezium";
const WRITER: &str = "Debezium key its records (the table has a primary key, or set message.key.columns)";

#[derive(Deserialize)]
struct Wrapped<T> {
    schema: Option<Schema>,
    payload: Option<T>,
}

#[derive(Deserialize)]
struct Envelope {
    op: Option<String>,
    before: Option<Row>,
    after: Option<Row>,
    source: Option<Source>,
    ts_ms: Option<i64>,
    ddl: Option<String>,
    #[serde(rename = "databaseName")]
    database: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    db: Option<String>,
    schema: Option<String>,
    table: Option<String>,
    collection: Option<String>,
    ts_ms: Option<i64>,
    file: Option<String>,
    pos: Option<u64>,
    row: Option<u64>,
    lsn: Option<u64>,
}

pub(crate) fn read(reader: &Reader, record: &Record<'_>, value: &[u8]) -> Result<Option<Change>, Error> {
    let shape = |error| Error::shape(FORMAT, &error);
    let missing = |field| Error::Missing { format: FORMAT, field };
    let wrapped: Wrapped<Envelope> = serde_json::from_slice(value).map_err(shape)?;
    let (schema, envelope) = match wrapped.payload {
        Some(envelope) => (wrapped.schema, envelope),
        None => (None, serde_json::from_slice::<Envelope>(value).map_err(shape)?),
    };
    let source = envelope.source;
    // Heartbeats have neither; they say nothing about rows.
    let Some(source) = source else {
        return if envelope.op.is_some() { Err(missing("source")) } else { Ok(None) };
    };
    let op = match envelope.op.as_deref() {
        Some("c") => Op::Insert,
        Some("u") => Op::Update,
        Some("d") => Op::Delete,
        Some("r") => Op::Snapshot,
        Some("t") => Op::Truncate,
        Some("m") => return Ok(None),
        Some(other) => return Err(Error::field(FORMAT, "op", other, "c, u, d, r, t or m")),
        None if envelope.ddl.is_some() => Op::Schema,
        None => return Err(missing("op")),
    };
    let time = source.ts_ms.or(envelope.ts_ms).unwrap_or(0);
    let version = version_of(&source, time, record.offset)?;
    let database = source.schema.or(source.db).or(envelope.database).ok_or_else(|| missing("source.db"))?;
    let table = match source.table.or(source.collection) {
        Some(table) => table,
        None if op == Op::Schema => String::new(),
        None => return Err(missing("source.table")),
    };
    if !op.is_row() {
        let (key, row) = (Row::default(), Row::default());
        return Ok(Some(Change { op, database, table, key, row, before: None, version, time }));
    }
    let of = |field: &str| schema.as_ref().and_then(|schema| schema.field(field));
    let typed = |row: Option<Row>, field: &str| row.map(|row| value::typed(row, of(field))).transpose();
    let before = typed(envelope.before, "before")?;
    let row = match op {
        Op::Delete => before.clone().ok_or_else(|| missing("before"))?,
        _ => typed(envelope.after, "after")?.ok_or_else(|| missing("after"))?,
    };
    let key = reader.key((&database, &table), record.key.and_then(columns_of_key), &row, WRITER)?;
    Ok(Some(Change { op, database, table, key, row, before, version, time }))
}

fn version_of(source: &Source, time: i64, offset: u64) -> Result<u64, Error> {
    match source {
        Source { file: Some(file), pos: Some(pos), row, .. } if !file.is_empty() => {
            let number = version::file_number(file);
            let version = number.and_then(|number| version::of_binlog(number, *pos, row.unwrap_or(0)));
            let expected = "a binlog file such as mysql-bin.000006, below 1048576, and a `pos` below 2^32";
            version.ok_or_else(|| Error::field(FORMAT, "source.file", file, expected))
        }
        // PostgreSQL: the position in the log, in bytes; half of the 64 bits would last for ages.
        Source { lsn: Some(lsn), .. } => {
            Ok(lsn.checked_mul(2).filter(|version| *version < 1 << 63).unwrap_or((1 << 63) - 2))
        }
        _ => Ok(version::of_time(time, offset, 0)),
    }
}

fn columns_of_key(key: &[u8]) -> Option<Vec<String>> {
    let wrapped: Wrapped<Row> = serde_json::from_slice(key).ok()?;
    let row = match (wrapped.schema, wrapped.payload) {
        (Some(_), Some(payload)) => payload,
        _ => serde_json::from_slice(key).ok()?,
    };
    Some(row.columns().map(|(name, _)| name.to_owned()).collect())
}
