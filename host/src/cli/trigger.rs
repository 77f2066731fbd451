//! The verbs of the trigger: `set`, `seek` and `invoke`.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use super::{
    args::Invoke,
    client::Client,
    output::{self, Failure, Kind},
    remote::{escape, show},
};
use crate::control::{BatchInfo, InvokeInput, InvokeRequest, InvokeResult, SeekRequest, SeekTarget, fire_line};

/// Keys that may be written from their section on.
const SECTIONS: [(&[&str], &[&str]); 3] = [
    (&["brokers", "topics", "group", "start", "batch", "lanes", "client", "properties"], &["source", "kafka"]),
    (&["ref", "config", "limits", "grants"], &["module"]),
    (&["retries", "backoff", "dead_letter"], &["errors"]),
];

/// Keys of a batch that nothing else is called like.
const OF_BATCH: [&str; 1] = ["linger"];

fn path(pipeline: &str) -> String {
    format!("/v1/pipelines/{}", escape(pipeline))
}

fn usage(message: String) -> Failure {
    Failure::new(Kind::Usage, message)
}

pub(super) fn set(client: &Client, pipeline: &str, changes: &[String], json: bool) -> Result<(), Failure> {
    let mut patch = Map::new();
    for change in changes {
        let (key, value) = change
            .split_once('=')
            .ok_or_else(|| usage(format!("`{change}`: write KEY=VALUE, batch.records=500 for one")))?;
        put(&mut patch, &keys(key), value_of(value)).map_err(|()| usage(format!("`{change}`: contradicts another")))?;
    }
    let status: Value = client.patch(&path(pipeline), &patch)?;
    show(&status, json)?;
    if !json {
        output::line(match status["effect"].as_str() {
            Some("live") => "  taken up at the next batch",
            Some("swap") => "  a new release takes over at the next batch",
            Some("restart") => "  started anew, from what is committed",
            Some("started") => "  switched on",
            Some("stopped") => "  switched off: it has left its group",
            _ => "  nothing that runs is touched",
        });
    }
    Ok(())
}

/// From the top of the pipeline file.
fn keys(key: &str) -> Vec<&str> {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let section = SECTIONS.iter().find(|(keys, _)| keys.contains(&first)).map_or(&[][..], |(_, section)| *section);
    let batch: &[&str] = if OF_BATCH.contains(&key) { &["source", "kafka", "batch"] } else { &[] };
    // The name of a setting may have dots.
    let rest: Vec<&str> = match first {
        "config" | "properties" if !rest.is_empty() => vec![rest],
        _ => rest.split('.').filter(|part| !part.is_empty()).collect(),
    };
    [section, batch, &[first], rest.as_slice()].concat()
}

/// Nothing is null, which takes the key away; lists and sections are JSON.
fn value_of(text: &str) -> Value {
    match text {
        "" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => {
            let structured = text.starts_with(['[', '{']).then(|| serde_json::from_str(text).ok()).flatten();
            structured.or_else(|| text.parse().ok().map(i64::into)).unwrap_or_else(|| text.into())
        }
    }
}

fn put(into: &mut Map<String, Value>, keys: &[&str], value: Value) -> Result<(), ()> {
    match keys {
        [] => Err(()),
        [last] => match into.insert((*last).to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(()),
        },
        [first, rest @ ..] => {
            let section = into.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            section.as_object_mut().ok_or(()).and_then(|section| put(section, rest, value))
        }
    }
}

pub(super) fn seek(client: &Client, pipeline: &str, to: &str, dry_run: bool, json: bool) -> Result<(), Failure> {
    let request = SeekRequest { to: target(to)?, dry_run };
    let sought: Value = client.post(&format!("{}/seek", path(pipeline)), &request)?;
    if json {
        return output::json(&sought);
    }
    let number = |value: &Value| if value.is_null() { "none".into() } else { value.to_string() };
    let mut rows = Vec::new();
    for (topic, partitions) in sought["partitions"].as_object().into_iter().flatten() {
        for (partition, one) in partitions.as_object().into_iter().flatten() {
            let columns = ["from", "to", "again", "skipped"].map(|column| number(&one[column]));
            rows.push([vec![topic.clone(), partition.clone()], columns.to_vec()].concat());
        }
    }
    output::table(&["TOPIC", "PARTITION", "FROM", "TO", "AGAIN", "SKIPPED"], rows);
    if let Some(left) = sought["left"].as_u64().filter(|left| *left > 0) {
        output::line(format_args!("{left} batches behind FROM were in flight, and may have been delivered"));
    }
    if dry_run {
        output::line("nothing was moved");
    }
    Ok(())
}

/// Words as they are; offsets from `topic:partition=offset,...`.
fn target(to: &str) -> Result<SeekTarget, Failure> {
    if !to.contains('=') {
        return Ok(SeekTarget::Word(to.to_owned()));
    }
    let mut offsets = BTreeMap::<String, BTreeMap<String, i64>>::new();
    for one in to.split(',') {
        let place = || {
            let (place, offset) = one.trim().split_once('=')?;
            let (topic, partition) = place.rsplit_once(':')?;
            Some((topic, partition.parse::<i32>().ok()?, offset.parse().ok()?))
        };
        let (topic, partition, offset) =
            place().ok_or_else(|| usage(format!("`--to`: `{one}` is no place: write TOPIC:PARTITION=OFFSET")))?;
        offsets.entry(topic.into()).or_default().insert(partition.to_string(), offset);
    }
    Ok(SeekTarget::Offsets(offsets))
}

pub(super) fn invoke(client: &Client, asked: Invoke, json: bool) -> Result<(), Failure> {
    let Invoke { pipeline, input, batch, save, list, delete, timer, deliver, topic, partition } = asked;
    let batches = format!("{}/batches", path(&pipeline));
    if list {
        return list_batches(client, &batches, json);
    }
    if let Some(name) = delete {
        client.delete(&format!("{batches}/{}", escape(&name)))?;
        return if json { output::json(&json!({ "deleted": name })) } else { Ok(()) };
    }
    if timer && deliver && input.is_none() && batch.is_none() {
        let fired: Value = client.post(&format!("{}/fire", path(&pipeline)), &json!({}))?;
        return answer(json, &fired, &format_args!("{} fires", fired["fires"]));
    }
    let read = if batch.is_some() || timer && input.is_none() { None } else { Some(read_input(input.as_deref())?) };
    if let Some(name) = save {
        let input = InvokeInput { topic, partition: partition.unwrap_or(0), ..read.unwrap_or_default() };
        let body = serde_json::to_vec(&input).map_err(Failure::failed)?;
        let info: BatchInfo = client.put(&format!("{batches}/{}", escape(&name)), body)?;
        return answer(json, &info, &format_args!("{}: {} records saved", info.batch, info.records));
    }
    let (records, fire) = read.map_or((None, None), |input| (Some(input.records), input.fire));
    let fire = fire.or_else(|| timer.then(now));
    let request = InvokeRequest { topic, partition, keyvalue: None, records, batch, fire, deliver };
    let result: InvokeResult = client.post(&format!("{}/invoke", path(&pipeline)), &request)?;
    if json {
        return output::json(&result);
    }
    result.records.iter().try_for_each(output::json)?;
    output::line(format_args!("{} records, {} dropped", result.records.len(), result.dropped));
    if let Some(delivered) = result.delivered {
        output::line(format_args!("delivered {}, dead-lettered {}", delivered.records, delivered.dead_lettered));
    }
    Ok(())
}

fn answer(json: bool, answer: &impl serde::Serialize, words: &dyn std::fmt::Display) -> Result<(), Failure> {
    if json {
        return output::json(answer);
    }
    output::line(words);
    Ok(())
}

fn list_batches(client: &Client, path: &str, json: bool) -> Result<(), Failure> {
    let batches: Vec<BatchInfo> = client.get(path)?;
    if json {
        return output::json(&batches);
    }
    let row = |batch: BatchInfo| vec![batch.batch, batch.records.to_string(), batch.saved_at];
    output::table(&["BATCH", "RECORDS", "SAVED"], batches.into_iter().map(row).collect());
    Ok(())
}

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A batch in an NDJSON file, or in standard input.
fn read_input(input: Option<&Path>) -> Result<InvokeInput, Failure> {
    let name = input.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let usage = |message: String| usage(format!("{name}: {message}"));
    let mut text = String::new();
    match input {
        Some(file) => text = std::fs::read_to_string(file).map_err(|error| usage(error.to_string()))?,
        None => drop(std::io::stdin().read_to_string(&mut text).map_err(|error| usage(error.to_string()))?),
    }
    let mut read = InvokeInput::default();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match fire_line(line) {
            Some(at) => read.fire = Some(at),
            None => {
                let record = serde_json::from_str(line).map_err(|error| usage(format!("line {number}: {error}")))?;
                read.records.push(record);
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_be_written_from_their_section_on() {
        let mut patch = Map::new();
        let changes = [
            "batch.records=500",
            "linger=50ms",
            "retries=10",
            "enabled=false",
            "timer.every=1m",
            "config.a.b=07x",
            "limits.memory=",
            "source.kafka.topics=[\"a\",\"b\"]",
            "start=2026-01-31T12:00:00Z",
            "properties.fetch.wait.max.ms=5",
            "client=librdkafka",
        ];
        for change in changes {
            let (key, value) = change.split_once('=').expect("a change");
            put(&mut patch, &keys(key), value_of(value)).expect("no contradiction");
        }
        let expected = json!({
            "source": { "kafka": {
                "batch": { "records": 500, "linger": "50ms" }, "topics": ["a", "b"], "start": "2026-01-31T12:00:00Z",
                "properties": { "fetch.wait.max.ms": 5 }, "client": "librdkafka",
            } },
            "errors": { "retries": 10 },
            "enabled": false,
            "timer": { "every": "1m" },
            "module": { "config": { "a.b": "07x" }, "limits": { "memory": null } },
        });
        assert_eq!(Value::Object(patch), expected);
        let mut twice = Map::new();
        put(&mut twice, &keys("retries"), 1.into()).expect("the first");
        put(&mut twice, &keys("retries"), 2.into()).expect_err("the second");
        put(&mut twice, &keys("retries.x"), 2.into()).expect_err("below a value");
    }

    #[test]
    fn places_are_read_from_their_short_form() {
        let SeekTarget::Offsets(offsets) = target("a.b:0=15, a.b:12=7,c:1=0").expect("read") else { panic!("offsets") };
        assert_eq!(json!(offsets), json!({ "a.b": { "0": 15, "12": 7 }, "c": { "1": 0 } }));
        for bad in ["a=1", "a:x=1", "a:1=x", "a:1=1,,b:1=2"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
