//! One batch by hand: records through a module, and what it answers, without a source and without a sink.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{ControlError, controller::Inner};
use crate::{
    batch::{Batch, Columns, MemoryRows},
    config::Grants,
    engine::{Call, GuestOutput, Instance, Module},
    grants::{Contents, Granted},
    limits::Limits,
    output::{Op, View},
};

/// Records that one invocation may have.
const RECORDS_MAX: usize = 10_000;

/// One batch for a module.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeInput {
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub partition: i32,
    /// What the key-value store begins with, by bucket and key: texts, or JSON that stands for its compact text. It is
    /// in memory and of this call alone, whatever the pipeline grants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub keyvalue: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    pub records: Vec<InvokeRecord>,
}

/// A record of it. What is not text comes as base64.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeRecord {
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    /// Text; or a JSON object or array, which stands for its compact text.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    #[serde(default)]
    pub headers: Vec<(String, Option<String>)>,
    #[serde(default)]
    pub timestamp: i64,
    /// Its place in the batch where it is left out.
    #[serde(default)]
    pub offset: Option<i64>,
}

/// What a module answered.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct InvokeResult {
    /// What came out, in order.
    pub records: Vec<InvokedRecord>,
    /// Rows that it dropped on purpose.
    pub dropped: u32,
}

/// A record that came out, or a row that was rejected.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokedRecord {
    /// Index of the record that it came from.
    pub row: u32,
    /// Why the row was rejected; everything else is left out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Option<String>)>,
    /// Left out where it is `put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

impl Inner {
    /// Gives a batch to the live module of a pipeline, in an instance of its own: nothing that it is granted is touched.
    pub(super) fn invoke(&self, name: &str, input: &InvokeInput) -> Result<InvokeResult, ControlError> {
        let slot = self.slot(name)?;
        let release = slot.with(|pipeline| pipeline.release());
        let release = release.ok_or_else(|| ControlError::BadRequest(format!("pipeline `{name}` does not run")))?;
        let instance = release.on_trial(&contents(input));
        let mut instance = instance.map_err(|error| ControlError::BadRequest(error.to_string()))?;
        run(&mut instance, input)
    }
}

/// Gives a batch to a module that need not belong to a pipeline. What it is granted is in memory, for this call.
///
/// # Errors
/// The module does not start, or its call fails.
pub fn invoke(
    module: &Module,
    config: &[(String, String)],
    limits: Limits,
    grants: &Grants,
    guest: Arc<dyn GuestOutput>,
    input: &InvokeInput,
) -> Result<InvokeResult, ControlError> {
    let granted = Granted::on_trial(grants, &contents(input));
    let granted = granted.map_err(|error| ControlError::BadRequest(error.to_string()))?;
    let mut instance = module
        .instantiate_with(limits, config, guest, &granted.for_engine())
        .map_err(|error| ControlError::BadRequest(format!("the module does not start: {error}")))?;
    run(&mut instance, input)
}

fn contents(input: &InvokeInput) -> Contents {
    let bytes = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let bucket = |entries: &BTreeMap<String, serde_json::Value>| {
        entries.iter().map(|(key, value)| (key.clone(), bytes(value))).collect()
    };
    input.keyvalue.iter().map(|(name, entries)| (name.clone(), bucket(entries))).collect()
}

fn run(instance: &mut Instance, input: &InvokeInput) -> Result<InvokeResult, ControlError> {
    let rows = rows(input)?;
    let topic = input.topic.as_deref().unwrap_or("invoke");
    let mut columns = Columns::default();
    columns.pack(&rows, 0..rows.offsets.len(), instance.plan().reads);
    let output = instance
        .transform(&Call { topic, partition: input.partition.max(0), attempt: 0, columns: &columns })
        .map_err(|error| ControlError::BadRequest(format!("the module {}", error.explained())))?;
    let count = rows.offsets.len() as u32;
    let batch = Batch { topic: topic.into(), partition: input.partition, epoch: 0, bytes: 0, rows: Rc::new(rows) };
    let view = View { batch: &batch, base: 0, output: &output };
    let routes = &instance.plan().routes;
    let mut records: Vec<InvokedRecord> = view.records().map(|record| shown(&record, routes)).collect();
    let rejects = output.rejects.iter().map(|reject| InvokedRecord {
        row: reject.row,
        rejected: Some(reject.reason.clone()),
        ..InvokedRecord::default()
    });
    records.extend(rejects);
    records.sort_by_key(|record| record.row);
    Ok(InvokeResult { records, dropped: output.dropped(count) })
}

fn rows(input: &InvokeInput) -> Result<MemoryRows, ControlError> {
    if input.records.len() > RECORDS_MAX {
        let count = input.records.len();
        return Err(ControlError::BadRequest(format!("{count} records are more than a batch has ({RECORDS_MAX})")));
    }
    let mut rows = MemoryRows::default();
    for (row, record) in input.records.iter().enumerate() {
        let decode = |field: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => BASE64
                .decode(text)
                .map(Some)
                .map_err(|error| ControlError::BadRequest(format!("record {row}: `{field}_base64`: {error}"))),
        };
        let key = decode("key", &record.key_base64)?.or_else(|| record.key.clone().map(String::into_bytes));
        let value = decode("value", &record.value_base64)?.or_else(|| match &record.value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone().into_bytes()),
            other => Some(other.to_string().into_bytes()),
        });
        let headers: Vec<_> =
            record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref().map(str::as_bytes))).collect();
        let offset = record.offset.unwrap_or(row as i64);
        rows.push(offset, record.timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    Ok(rows)
}

fn shown(record: &crate::output::Record<'_>, routes: &[String]) -> InvokedRecord {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
    let split = |bytes: Option<&[u8]>| match bytes.map(text) {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(error)) => (None, Some(BASE64.encode(error.into_bytes()))),
    };
    let ((key, key_base64), (value, value_base64)) = (split(record.key), split(record.value));
    let mut headers = Vec::new();
    record.headers(&mut |name, value| {
        let value = value.map(|value| String::from_utf8_lossy(value).into_owned());
        headers.push((String::from_utf8_lossy(name).into_owned(), value));
    });
    let op = match record.op {
        Op::Put => None,
        Op::Create => Some("create".to_owned()),
        Op::Merge => Some("merge".to_owned()),
        Op::Delete => Some("delete".to_owned()),
    };
    InvokedRecord {
        row: record.row,
        rejected: None,
        route: routes.get(usize::from(record.route)).cloned(),
        key,
        key_base64,
        value,
        value_base64,
        headers,
        op,
        target: record.target.map(|target| String::from_utf8_lossy(target).into_owned()),
        version: record.version,
    }
}
