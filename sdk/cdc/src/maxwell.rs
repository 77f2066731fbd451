//! Maxwell's JSON, as <https://maxwells-daemon.io/dataformat/> tells: one record per row, `old` with the columns that
//! an update changed, so the row before is `data` with `old` laid over it.

use crate::{Change, Error, Op, Reader, Record, Row, version};
use serde::Deserialize;

const FORMAT: &str = "maxwell";
const WRITER: &str = "Maxwell write `output_primary_key_columns` or key its records by primary key";

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: Option<String>,
    database: Option<String>,
    table: Option<String>,
    /// Seconds; milliseconds in DDL.
    ts: Option<i64>,
    position: Option<String>,
    xoffset: Option<u64>,
    #[serde(default)]
    commit: bool,
    primary_key_columns: Option<Vec<String>>,
    data: Option<Row>,
    old: Option<Row>,
}

pub(crate) fn read(reader: &Reader, record: &Record<'_>, value: &[u8]) -> Result<Change, Error> {
    let raw: Raw = serde_json::from_slice(value).map_err(|error| Error::shape(FORMAT, &error))?;
    let missing = |field| Error::Missing { format: FORMAT, field };
    let kind = raw.kind.as_deref().ok_or_else(|| missing("type"))?;
    let op = op(kind)?;
    let database = raw.database.clone().ok_or_else(|| missing("database"))?;
    // Statements about a database have none.
    let table = match raw.table.clone() {
        Some(table) => table,
        None if op == Op::Schema => String::new(),
        None => return Err(missing("table")),
    };
    let version = version_of(&raw, op, record.offset)?;
    let ts = raw.ts.unwrap_or(0);
    let time = if op == Op::Schema { ts } else { ts.saturating_mul(1000) };
    if !op.is_row() {
        return Ok(Change {
            op,
            database,
            table,
            key: Row::default(),
            row: Row::default(),
            before: None,
            version,
            time,
        });
    }
    let row = raw.data.ok_or_else(|| missing("data"))?;
    let before = match op {
        Op::Update => raw.old.map(|old| row.overlaid(&old)),
        Op::Delete => Some(row.clone()),
        _ => None,
    };
    let said = raw.primary_key_columns.or_else(|| columns_of_key(record.key?, &row));
    let key = reader.key((&database, &table), said, &row, WRITER)?;
    Ok(Change { op, database, table, key, row, before, version, time })
}

fn op(kind: &str) -> Result<Op, Error> {
    Ok(match kind {
        "insert" => Op::Insert,
        "update" => Op::Update,
        "delete" => Op::Delete,
        "bootstrap-insert" => Op::Snapshot,
        "bootstrap-start" | "bootstrap-complete" => Op::Marker,
        "table-create" | "table-alter" | "table-drop" | "database-create" | "database-alter" | "database-drop" => {
            Op::Schema
        }
        _ => {
            let expected = "insert, update, delete, bootstrap-insert, bootstrap-start, bootstrap-complete, or table- or \
                            database- with create, alter or drop";
            return Err(Error::field(FORMAT, "type", kind, expected));
        }
    })
}

fn version_of(raw: &Raw, op: Op, offset: u64) -> Result<u64, Error> {
    if op == Op::Snapshot {
        return Ok(0);
    }
    let Some(position) = raw.position.as_deref() else {
        return Ok(version::of_time(raw.ts.unwrap_or(0).saturating_mul(1000), offset, 0));
    };
    let parse = || {
        let (file, at) = position.rsplit_once(':')?;
        let (file, at) = (version::file_number(file)?, at.parse().ok()?);
        match raw.xoffset {
            Some(row) => version::of_binlog(file, at, row),
            None if raw.commit => version::of_last(file, at),
            None => version::of_binlog(file, at, 0),
        }
    };
    parse().ok_or_else(|| {
        let expected =
            "a binlog file and an offset, such as mysql-bin.000006:800911, below file 1048576 and offset 2^32";
        Error::field(FORMAT, "position", position, expected)
    })
}

/// Maxwell keys records `{"database":"d","table":"t","pk.a":1,"pk.b":2}` (hash), or `["d","t",[{"a":1},{"b":2}]]`
/// (array), by its setting `kafka_key_format`. It writes the columns' names in lower case there.
fn columns_of_key(key: &[u8], row: &Row) -> Option<Vec<String>> {
    let columns: Vec<String> = match serde_json::from_slice::<Row>(key) {
        Ok(hash) => hash.columns().filter_map(|(name, _)| name.strip_prefix("pk.").map(str::to_owned)).collect(),
        Err(_) => {
            let (_, _, columns) = serde_json::from_slice::<(String, String, Vec<Row>)>(key).ok()?;
            columns.iter().flat_map(Row::columns).map(|(name, _)| name.to_owned()).collect()
        }
    };
    let own = |lower: String| {
        let found = row.columns().map(|(name, _)| name).find(|name| name.to_lowercase() == lower);
        found.map_or(lower.clone(), str::to_owned)
    };
    Some(columns.into_iter().map(own).collect())
}
