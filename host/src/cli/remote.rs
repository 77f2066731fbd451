//! The verbs that speak to a host.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    client::Client,
    output::{self, Failure, Kind},
    validate::read,
};
use crate::control::{LogLine, ModuleInfo, SwapRequest};

/// How often `logs --follow` asks for more.
const FOLLOW: Duration = Duration::from_millis(500);

pub(super) fn push(client: &Client, file: &Path, module: &str, json: bool) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Kind::Usage, message);
    let (name, version) = module
        .split_once('@')
        .ok_or_else(|| usage(format!("`{module}` names no module: write NAME@VERSION, log-clean@1.2.0 for one")))?;
    let bytes = std::fs::read(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
    let info: ModuleInfo = client.put(&format!("/v1/modules/{}/{}", escape(name), escape(version)), bytes)?;
    if json {
        return output::json(&info);
    }
    output::line(format_args!("{}@{}  {}", info.name, info.version, info.digest));
    if let Some(ms) = info.compiled_in_ms {
        output::line(format_args!("compiled in {ms} ms"));
    }
    if !info.summary.is_empty() {
        output::line(info.summary);
    }
    Ok(())
}

pub(super) fn deploy(
    client: &Client,
    pipeline: &str,
    module: Option<String>,
    config: &[String],
    json: bool,
) -> Result<(), Failure> {
    let setting = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::new(Kind::Usage, format!("`--config {text}`: write NAME=VALUE"))),
    };
    let config: BTreeMap<String, String> = config.iter().map(setting).collect::<Result<_, _>>()?;
    let request = SwapRequest { module, config: (!config.is_empty()).then_some(config) };
    let status: Value = client.post(&format!("/v1/pipelines/{}/swap", escape(pipeline)), &request)?;
    show(&status, json)
}

pub(super) fn steer(client: &Client, pipeline: &str, verb: &str, json: bool) -> Result<(), Failure> {
    let status: Value = client.post(&format!("/v1/pipelines/{}/{verb}", escape(pipeline)), &json!({}))?;
    show(&status, json)
}

pub(super) fn apply(client: &Client, files: &[PathBuf], json: bool) -> Result<(), Failure> {
    for file in files {
        let (text, _) = read(file)?;
        let name = pipeline_name(&text, file)?;
        let status: Value = client.put(&format!("/v1/pipelines/{}", escape(&name)), text.into_bytes())?;
        show(&status, json)?;
    }
    Ok(())
}

/// The name that a pipeline's text gives itself: the host reads the rest.
fn pipeline_name(text: &str, file: &Path) -> Result<String, Failure> {
    let named = text.lines().find_map(|line| line.strip_prefix("pipeline:"));
    let name = named.map(|name| name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned());
    let in_json = || Some(serde_json::from_str::<Value>(text).ok()?.get("pipeline")?.as_str()?.to_owned());
    name.or_else(in_json)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Failure::new(Kind::Usage, format!("{}: no line `pipeline: NAME`", file.display())))
}

pub(super) fn delete(client: &Client, pipeline: &str, json: bool) -> Result<(), Failure> {
    client.delete(&format!("/v1/pipelines/{}", escape(pipeline)))?;
    if json { output::json(&json!({ "deleted": pipeline })) } else { Ok(()) }
}

pub(super) fn status(client: &Client, pipeline: Option<&str>, json: bool) -> Result<(), Failure> {
    if let Some(pipeline) = pipeline {
        let status: Value = client.get(&format!("/v1/pipelines/{}", escape(pipeline)))?;
        return show(&status, json);
    }
    let statuses: Vec<Value> = client.get("/v1/pipelines")?;
    if json {
        return output::json(&statuses);
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "?".into(),
        other => other.to_string(),
    };
    let row = |status: &Value| {
        let module = format!("{}@{}", text(&status["module"]["name"]), text(&status["module"]["version"]));
        let records = &status["records"];
        vec![
            text(&status["pipeline"]),
            text(&status["state"]),
            text(&status["release"]),
            module,
            text(&records["in"]),
            text(&records["out"]),
            text(&records["dropped"]),
            text(&records["dead_lettered"]),
            text(&status["lag"]),
        ]
    };
    let header = ["PIPELINE", "STATE", "RELEASE", "MODULE", "IN", "OUT", "DROPPED", "DEAD", "LAG"];
    output::table(&header, statuses.iter().map(row).collect());
    for status in &statuses {
        if let Some(reason) = status["reason"].as_str() {
            output::line(format_args!("{}: {reason}", text(&status["pipeline"])));
        }
    }
    Ok(())
}

pub(super) fn show(status: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(status);
    }
    let module = &status["module"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    output::line(format_args!(
        "{}: {}, release {}, {}@{}",
        text(&status["pipeline"]),
        text(&status["state"]),
        status["release"],
        text(&module["name"]),
        text(&module["version"]),
    ));
    if let Some(reason) = status["reason"].as_str() {
        output::line(format_args!("  {reason}"));
    }
    let records = &status["records"];
    output::line(format_args!(
        "  in {}, out {}, dropped {}, dead-lettered {}, retried {}, lag {}",
        records["in"], records["out"], records["dropped"], records["dead_lettered"], records["retried"], status["lag"]
    ));
    for (sink, counts) in status["sinks"].as_object().into_iter().flatten() {
        let (delivered, rejected, retried) = (&counts["delivered"], &counts["rejected"], &counts["retried"]);
        output::line(format_args!("  sink {sink}: delivered {delivered}, rejected {rejected}, retried {retried}"));
        if let Some(error) = counts["last_error"].as_str() {
            output::line(format_args!("    last error: {error}"));
        }
    }
    trigger(&status["trigger"], &status["fires"]);
    let began = places(&status["began"]);
    if !began.is_empty() {
        output::line(format_args!("  release {} began at {began}", status["release"]));
    }
    for warning in status["warnings"].as_array().into_iter().flatten() {
        output::line(format_args!("  warning: {}", text(&warning["message"])));
    }
    Ok(())
}

/// The controls of the trigger, on a line; and those of its timer.
fn trigger(trigger: &Value, fires: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (batch, backoff, timer) = (&trigger["batch"], &trigger["backoff"], &trigger["timer"]);
    if batch.is_object() {
        output::line(format_args!(
            "  start {}, batches of {} records or {} bytes or {}, {} retries after {} to {}",
            text(&trigger["start"]),
            batch["records"],
            batch["bytes"],
            text(&batch["linger"]),
            trigger["retries"],
            text(&backoff["from"]),
            text(&backoff["to"]),
        ));
    }
    if timer.is_object() {
        let when = match timer["every"].as_str() {
            Some(every) => format!("every {every}"),
            None => format!("cron {} {}", text(&timer["cron"]), text(&timer["timezone"])),
        };
        let next = timer["next"].as_str().unwrap_or("none");
        output::line(format_args!("  timer {when}, next {next}, {fires} fires"));
    }
}

/// Offsets by topic and partition, for people.
fn places(began: &Value) -> String {
    let topics = began.as_object().into_iter().flatten();
    let places = topics.flat_map(|(topic, partitions)| {
        let partitions = partitions.as_object().into_iter().flatten();
        partitions.map(move |(partition, offset)| format!("{topic}[{partition}]@{offset}"))
    });
    places.collect::<Vec<_>>().join(" ")
}

pub(super) fn releases(client: &Client, pipeline: &str, json: bool) -> Result<(), Failure> {
    let releases: Vec<Value> = client.get(&format!("/v1/pipelines/{}/releases", escape(pipeline)))?;
    if json {
        return output::json(&releases);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |release: &Value| {
        let module = &release["module"];
        vec![
            release["release"].to_string(),
            text(&release["state"]),
            format!("{}@{}", text(&module["name"]), text(&module["version"])),
            text(&release["created_at"]),
            release["reason"].as_str().map_or_else(|| places(&release["began"]), str::to_owned),
        ]
    };
    output::table(&["RELEASE", "STATE", "MODULE", "CREATED", "BEGAN"], releases.iter().map(row).collect());
    Ok(())
}

pub(super) fn logs(client: &Client, pipeline: &str, follow: bool, json: bool) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let lines: Vec<LogLine> = client.get(&format!("/v1/pipelines/{}/logs?after={after}", escape(pipeline)))?;
        for line in &lines {
            after = line.seq;
            if json {
                output::json(line)?;
            } else {
                let level = format!("{:?}", line.level).to_uppercase();
                let LogLine { time, pipeline, release, message, .. } = line;
                output::line(format_args!("{time} {level:5} {pipeline} release {release}: {message}"));
            }
        }
        if lines.is_empty() {
            if !follow {
                return Ok(());
            }
            std::thread::sleep(FOLLOW);
        }
    }
}

/// A name as a part of a path. Names that need more than this are refused by the host anyway.
pub(super) fn escape(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_says_its_name_in_a_line_or_in_json() {
        let name = |text: &str| pipeline_name(text, Path::new("a.yaml")).ok();
        for text in ["version: 1\npipeline: \"orders\" # ours\n", "{\"version\": 1, \"pipeline\": \"orders\"}"] {
            assert_eq!(name(text).as_deref(), Some("orders"), "{text}");
        }
        assert_eq!(name("version: 1\n"), None);
    }
}
