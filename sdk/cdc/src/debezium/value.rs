//! What a value means by the name of its schema: decimals, dates, bits, sets and JSON, as Debezium's documentation
//! lists them under "Data type mappings".

use super::FORMAT;
use crate::{Error, Row, decimal, row, time};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The schema part of a value: of a struct with its fields, or of a column.
#[derive(Deserialize)]
pub(super) struct Schema {
    /// The field's name within a struct.
    field: Option<String>,
    /// What the value means.
    name: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    fields: Vec<Schema>,
}

impl Schema {
    pub(super) fn field(&self, name: &str) -> Option<&Schema> {
        self.fields.iter().find(|field| field.field.as_deref() == Some(name))
    }
}

pub(super) fn typed(row: Row, schema: Option<&Schema>) -> Result<Row, Error> {
    let Some(schema) = schema else { return Ok(row) };
    let by_name: BTreeMap<&str, &Schema> =
        schema.fields.iter().filter_map(|field| Some((field.field.as_deref()?, field))).collect();
    let column = |(name, value): (String, Box<RawValue>)| {
        let value = match by_name.get(name.as_str()) {
            Some(schema) if value.get() != "null" => convert(&name, value, schema)?,
            _ => value,
        };
        Ok((name, value))
    };
    row.into_columns().into_iter().map(column).collect()
}

fn convert(column: &str, value: Box<RawValue>, schema: &Schema) -> Result<Box<RawValue>, Error> {
    let Some(name) = schema.name.as_deref() else { return Ok(value) };
    let raw = value.get();
    let (expected, converted) = match name {
        "org.apache.kafka.connect.data.Decimal" => {
            let scale = schema.parameters.get("scale").and_then(|scale| scale.parse().ok()).unwrap_or(0);
            ("base64 of an unscaled decimal", decimal_of(raw, scale))
        }
        "io.debezium.data.VariableScaleDecimal" => {
            #[derive(Deserialize)]
            struct Scaled<'a> {
                scale: i64,
                #[serde(borrow)]
                value: &'a RawValue,
            }
            let scaled = serde_json::from_str::<Scaled<'_>>(raw).ok();
            let number = scaled.and_then(|scaled| decimal_of(scaled.value.get(), scaled.scale));
            ("a scale and base64 of an unscaled decimal", number)
        }
        "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => {
            ("days since 1970", whole(raw).and_then(time::date).and_then(|text| row::string(&text)))
        }
        "io.debezium.time.Time" | "org.apache.kafka.connect.data.Time" => ("milliseconds", clock(raw, 1000)),
        "io.debezium.time.MicroTime" => ("microseconds", clock(raw, 1_000_000)),
        "io.debezium.time.NanoTime" => ("nanoseconds", clock(raw, 1_000_000_000)),
        "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => {
            ("milliseconds since 1970", moment(raw, 1000))
        }
        "io.debezium.time.MicroTimestamp" => ("microseconds since 1970", moment(raw, 1_000_000)),
        "io.debezium.time.NanoTimestamp" => ("nanoseconds since 1970", moment(raw, 1_000_000_000)),
        "io.debezium.data.Json" => ("a text with a JSON document", text(raw).and_then(|text| row::json(&text))),
        "io.debezium.data.EnumSet" => {
            let members = |text: String| {
                let members: Vec<&str> = text.split(',').filter(|member| !member.is_empty()).collect();
                serde_json::value::to_raw_value(&members).ok()
            };
            ("a text with commas", text(raw).and_then(members))
        }
        "io.debezium.data.Bits" => ("base64 of up to 64 bits", bits(raw)),
        // Texts already: ZonedTimestamp, ZonedTime, Enum, Xml, Uuid. Numbers: Year. Bytes stay in base64.
        _ => return Ok(value),
    };
    converted.ok_or_else(|| Error::field(FORMAT, column, raw, expected))
}

fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn whole(raw: &str) -> Option<i64> {
    raw.parse().ok()
}

fn clock(raw: &str, per: i64) -> Option<Box<RawValue>> {
    row::string(&time::time(whole(raw)?, per))
}

fn moment(raw: &str, per: i64) -> Option<Box<RawValue>> {
    row::string(&time::datetime(whole(raw)?, per)?)
}

/// Connect's converter can also be told to write decimals as numbers: those stay.
fn decimal_of(raw: &str, scale: i64) -> Option<Box<RawValue>> {
    if !raw.starts_with('"') {
        return row::json(raw);
    }
    row::json(&decimal::text(&STANDARD.decode(text(raw)?).ok()?, scale)?)
}

/// Little-endian.
fn bits(raw: &str) -> Option<Box<RawValue>> {
    let bytes = STANDARD.decode(text(raw)?).ok()?;
    let mut number = [0; 8];
    number.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    row::json(&u64::from_le_bytes(number).to_string())
}
