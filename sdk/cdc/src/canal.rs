//! canal's flat messages, after `FlatMessage.java` and `MQMessageUtils.java` of its sources: `data` holds several rows,
//! every value is text or null, `mysqlType` says what the text means, and `old` has, row by row, what an update changed.

use crate::{Change, Error, Op, Reader, Record, Row, row, version};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const FORMAT: &str = "canal";
const WRITER: &str = "canal write `pkNames`";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(rename = "type")]
    kind: Option<String>,
    database: Option<String>,
    table: Option<String>,
    pk_names: Option<Vec<String>>,
    #[serde(default)]
    is_ddl: Option<bool>,
    /// When the change was made, in milliseconds.
    es: Option<i64>,
    mysql_type: Option<BTreeMap<String, String>>,
    data: Option<Vec<Row>>,
    old: Option<Vec<Option<Row>>>,
}

pub(crate) fn read(reader: &Reader, record: &Record<'_>, value: &[u8]) -> Result<Vec<Change>, Error> {
    let raw: Raw = serde_json::from_slice(value).map_err(|error| Error::shape(FORMAT, &error))?;
    let missing = |field| Error::Missing { format: FORMAT, field };
    let kind = raw.kind.as_deref().ok_or_else(|| missing("type"))?;
    let op = match kind.to_ascii_uppercase().as_str() {
        "INSERT" => Op::Insert,
        "UPDATE" => Op::Update,
        "DELETE" => Op::Delete,
        "TRUNCATE" => Op::Truncate,
        "CREATE" | "ALTER" | "ERASE" | "RENAME" | "CINDEX" | "DINDEX" | "QUERY" => Op::Schema,
        _ if raw.is_ddl == Some(true) => Op::Schema,
        _ => return Err(Error::field(FORMAT, "type", kind, "INSERT, UPDATE, DELETE or a kind of DDL")),
    };
    let database = raw.database.ok_or_else(|| missing("database"))?;
    let table = raw.table.unwrap_or_default();
    let time = raw.es.ok_or_else(|| missing("es"))?;
    let at = |row| version::of_time(time, record.offset, row);
    if !op.is_row() {
        let (key, row) = (Row::default(), Row::default());
        return Ok(vec![Change { op, database, table, key, row, before: None, version: at(0), time }]);
    }
    let rows = raw.data.ok_or_else(|| missing("data"))?;
    let types = raw.mysql_type.unwrap_or_default();
    let mut old = raw.old.unwrap_or_default().into_iter();
    let mut changes = Vec::with_capacity(rows.len());
    for (index, data) in rows.into_iter().enumerate() {
        let row = typed(data, &types)?;
        let before = match (op, old.next().flatten()) {
            (Op::Update, Some(old)) => Some(row.overlaid(&typed(old, &types)?)),
            (Op::Delete, _) => Some(row.clone()),
            _ => None,
        };
        let key = reader.key((&database, &table), raw.pk_names.clone(), &row, WRITER)?;
        let (database, table) = (database.clone(), table.clone());
        changes.push(Change { op, database, table, key, row, before, version: at(index as u64), time });
    }
    Ok(changes)
}

fn typed(row: Row, types: &BTreeMap<String, String>) -> Result<Row, Error> {
    let column = |(name, value): (String, Box<RawValue>)| {
        let kind = types.get(&name).map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
        let value = convert(&name, value, &kind)?;
        Ok((name, value))
    };
    row.into_columns().into_iter().map(column).collect()
}

/// A text that is not what its type says is kept as the text that it is: canal writes what it was given.
fn convert(name: &str, value: Box<RawValue>, kind: &str) -> Result<Box<RawValue>, Error> {
    if !value.get().starts_with('"') {
        return Ok(value);
    }
    let text: String = serde_json::from_str(value.get()).map_err(|error| Error::shape(FORMAT, &error))?;
    // `bigint(20) unsigned` -> `bigint`.
    let base = kind.split(['(', ' ']).next().unwrap_or_default();
    let converted = match base {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "numeric" | "float"
        | "double" | "real" | "year" | "bit" => number(&text),
        "json" => row::json(&text),
        "set" => {
            let members: Vec<&str> = text.split(',').filter(|member| !member.is_empty()).collect();
            serde_json::value::to_raw_value(&members).ok()
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point" => {
            let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
            let Some(bytes) = bytes else {
                let expected = "bytes as text in ISO 8859-1";
                return Err(Error::field(FORMAT, format!("data.{name}"), &text, expected));
            };
            row::string(&STANDARD.encode(bytes))
        }
        _ => None,
    };
    Ok(converted.unwrap_or(value))
}

/// A text that is a JSON number, as it stands.
fn number(text: &str) -> Option<Box<RawValue>> {
    let first = text.bytes().next()?;
    (first == b'-' || first.is_ascii_digit()).then(|| row::json(text)).flatten()
}
