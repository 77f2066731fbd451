//! One batch by hand: records through a module, and a fire of its timed trigger behind them, in an instance of its own;
//! what it answers is shown, and delivered where that is asked for.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{ControlError, controller::Inner};
use crate::{
    batch::{Batch, Columns, MemoryRows},
    config::Grants,
    engine::{Call, CallError, Fire, GuestOutput, Instance, Module},
    grants::{Contents, Granted},
    limits::Limits,
    output::{Op, Output, View},
    pipeline::Delivered,
};

/// Records that one invocation may have.
const RECORDS_MAX: usize = 10_000;

/// What is in a key-value store, by bucket and key.
type Buckets = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

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
    pub keyvalue: Buckets,
    #[serde(default)]
    pub records: Vec<InvokeRecord>,
    /// Then the timed trigger is fired, with this planned time in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fire: Option<i64>,
}

/// What is to be given to a module by hand: records, a saved batch, or a fire alone.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeRequest {
    /// Of the records, as the module is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// What the key-value store begins with: [`InvokeInput::keyvalue`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub keyvalue: Option<Buckets>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<InvokeRecord>>,
    /// Name of a saved batch, in place of `records`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Then the timed trigger is fired, with this planned time in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fire: Option<i64>,
    /// Sends what comes out to the sinks, and rejects to the dead letters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deliver: bool,
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

impl InvokeRequest {
    fn check(&self) -> Result<(), ControlError> {
        let mistake = match (&self.records, &self.batch, self.fire) {
            (Some(_), Some(_), _) => "give `records` or a saved `batch`, not both",
            (None, None, None) => "give `records`, a saved `batch`, or `fire`",
            _ => return Ok(()),
        };
        Err(ControlError::BadRequest(mistake.into()))
    }
}

/// What a module answered.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct InvokeResult {
    /// What came out, in order.
    pub records: Vec<InvokedRecord>,
    /// Rows that it dropped on purpose.
    pub dropped: u32,
    /// What was delivered, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
}

/// A record that came out, or a row that was rejected.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokedRecord {
    /// Index of the record that it came from.
    pub row: u32,
    /// It came from the fire of the timed trigger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fire: bool,
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

/// The planned time in a line `{"fire": TIME}` among lines of records.
pub fn fire_line(line: &str) -> Option<i64> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        fire: i64,
    }
    serde_json::from_str(line).ok().map(|Line { fire }| fire)
}

impl Inner {
    /// Gives a batch to the live module of a pipeline, in an instance of its own. Nothing that it is granted is touched,
    /// unless what comes out is to be delivered.
    pub(super) fn invoke(&self, name: &str, request: InvokeRequest) -> Result<InvokeResult, ControlError> {
        request.check()?;
        let slot = self.slot(name)?;
        let deliver = request.deliver;
        let input = self.input(name, request)?;
        if deliver && !input.keyvalue.is_empty() {
            let mistake = "`keyvalue` is for a trial: what is delivered is made with the pipeline's own store";
            return Err(ControlError::BadRequest(mistake.into()));
        }
        let release = slot.with(|pipeline| pipeline.release());
        let release = release.ok_or_else(|| ControlError::BadRequest(format!("pipeline `{name}` does not run")))?;
        if input.fire.is_some() {
            release.check_timer().map_err(|error| ControlError::Fire(error.into()))?;
        }
        let instance = if deliver { release.afresh() } else { release.on_trial(&contents(&input)) };
        let mut instance = instance.map_err(|error| ControlError::BadRequest(error.to_string()))?;
        let Ran { mut result, answers } = run(&mut instance, &input, name)?;
        if deliver {
            let (pipeline, live) = self.live(name)?;
            let spec = self.spec_of(&pipeline, &live)?;
            let mut all = Delivered::default();
            for (batch, output) in answers {
                let delivered = release.deliver_by_hand(&spec, &self.deps(), batch, output)?;
                all.records += delivered.records;
                all.dead_lettered += delivered.dead_lettered;
            }
            result.delivered = Some(all);
        }
        Ok(result)
    }

    fn input(&self, name: &str, request: InvokeRequest) -> Result<InvokeInput, ControlError> {
        let InvokeRequest { topic, partition, keyvalue, records, batch, fire, deliver: _ } = request;
        let mut input = match batch {
            Some(batch) => self.batch(name, &batch)?,
            None => InvokeInput { records: records.unwrap_or_default(), ..InvokeInput::default() },
        };
        input.topic = topic.or(input.topic);
        input.partition = partition.unwrap_or(input.partition);
        input.keyvalue = keyvalue.unwrap_or(input.keyvalue);
        input.fire = fire.or(input.fire);
        Ok(input)
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
    Ok(run(&mut instance, input, "invoke")?.result)
}

/// What a module answered, and what is needed to deliver it.
struct Ran {
    result: InvokeResult,
    answers: Vec<(Batch, Output)>,
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

fn run(instance: &mut Instance, input: &InvokeInput, pipeline: &str) -> Result<Ran, ControlError> {
    let failed = |error: CallError| ControlError::BadRequest(format!("the module {}", error.explained()));
    let mut ran = Ran { result: InvokeResult::default(), answers: Vec::new() };
    let rows = rows(input)?;
    if !rows.offsets.is_empty() || input.fire.is_none() {
        let topic = input.topic.as_deref().unwrap_or("invoke");
        let partition = input.partition.max(0);
        let mut columns = Columns::default();
        columns.pack(&rows, 0..rows.offsets.len(), instance.plan().reads);
        let call = Call { topic, partition, attempt: 0, columns: &columns };
        let output = instance.transform(&call).map_err(failed)?;
        let batch = Batch { topic: topic.into(), partition, epoch: 0, bytes: 0, rows: Rc::new(rows) };
        ran.take(batch, output, instance, false);
    }
    if let Some(at) = input.fire {
        let output = instance.fire(Fire { at, now: at, attempt: 0 }).map_err(failed)?;
        let topic = format!("wasmill.timer.{pipeline}").into();
        let batch = Batch { topic, partition: 0, epoch: 0, bytes: 0, rows: Rc::new(MemoryRows::of_fire(at)) };
        ran.take(batch, output, instance, true);
    }
    Ok(ran)
}

impl Ran {
    fn take(&mut self, batch: Batch, output: Output, instance: &Instance, fire: bool) {
        let view = View { batch: &batch, base: 0, output: &output };
        let routes = &instance.plan().routes;
        let shown = view.records().map(|record| InvokedRecord { fire, ..shown(&record, routes) });
        let rejects = output.rejects.iter().map(|reject| InvokedRecord {
            row: reject.row,
            fire,
            rejected: Some(reject.reason.clone()),
            ..InvokedRecord::default()
        });
        let mut records: Vec<InvokedRecord> = shown.chain(rejects).collect();
        records.sort_by_key(|record| record.row);
        self.result.records.extend(records);
        if !fire {
            self.result.dropped += output.dropped(batch.rows.len() as u32);
        }
        if !batch.rows.is_empty() {
            self.answers.push((batch, output));
        }
    }
}

pub(super) fn rows(input: &InvokeInput) -> Result<MemoryRows, ControlError> {
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
        fire: false,
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
