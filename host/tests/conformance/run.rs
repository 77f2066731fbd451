//! Runs a case through a guest, and says every difference by row and field.

use std::{
    fmt::Write as _,
    rc::Rc,
    sync::{Arc, Mutex},
};

use wasmill::{
    batch::{Batch, Columns},
    engine::{Call, CallError, GuestOutput, Instance, LogLevel, Module, StartError},
    output::{Op, Output, View},
};

use super::case::{Case, Expect, Headers, Record, Said, Step};

/// Differences of one call that are said in full.
const SHOWN: usize = 5;

/// Hears what a guest says.
#[derive(Default)]
struct Ear(Mutex<Said>);

impl GuestOutput for Ear {
    fn log(&self, level: LogLevel, message: &str) {
        let level = format!("{level:?}").to_lowercase();
        self.0.lock().expect("a lock").lines.push(format!("{level}: {message}"));
    }

    fn count(&self, name: &str, by: u64) {
        *self.0.lock().expect("a lock").counts.entry(name.to_owned()).or_default() += by;
    }

    fn observe(&self, name: &str, value: f64) {
        let mut said = self.0.lock().expect("a lock");
        let observed = said.observed.entry(name.to_owned()).or_default();
        observed.count += 1;
        observed.sum += value;
    }
}

/// Every difference between what must become of a case and what does.
pub fn differences(case: &Case, module: &Module) -> Vec<String> {
    let ear = Arc::new(Ear::default());
    let config: Vec<_> = case.config.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let listener: Arc<dyn GuestOutput> = ear.clone();
    let steps = case.steps();
    let mut instance = match module.instantiate(case.limits(), &config, listener) {
        Ok(instance) => instance,
        Err(error) => return steps.first().map(|step| refused(step, &error)).unwrap_or_default(),
    };
    let mut found = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let place = if steps.len() == 1 { String::new() } else { format!("batch {number}: ") };
        let mut wrong = match call(&mut instance, step) {
            Ok((records, rejects)) => compare_output(step, &records, &rejects),
            Err(error) => compare_error(step, &error),
        };
        let said = std::mem::take(&mut *ear.0.lock().expect("a lock"));
        if let Some(expected) = &step.said {
            wrong.extend(compare_said(expected, &said));
        }
        let more = wrong.len().saturating_sub(SHOWN);
        found.extend(wrong.into_iter().take(SHOWN).map(|wrong| format!("{place}{wrong}")));
        if more > 0 {
            found.push(format!("{place}and {more} more"));
        }
    }
    found
}

fn refused(step: &Step, error: &StartError) -> Vec<String> {
    match (&step.expect, error) {
        (Expect::Refused(words), StartError::Refused(said)) if said.contains(words.as_str()) => vec![],
        (Expect::Refused(words), _) => vec![format!("it does not start: {error}; expected to refuse with {words:?}")],
        _ => vec![format!("it does not start: {error}")],
    }
}

type Rejects = Vec<(u32, String)>;

fn call(instance: &mut Instance, step: &Step) -> Result<(Vec<Record>, Rejects), CallError> {
    let (topic, partition, attempt) = (step.topic.as_str(), step.partition, step.attempt);
    let mut columns = Columns::default();
    columns.pack(&step.rows, 0..step.rows.offsets.len(), instance.plan().reads);
    let output = instance.transform(&Call { topic, partition, attempt, columns: &columns })?;
    let batch = Batch { topic: topic.into(), partition, epoch: 0, bytes: 0, rows: Rc::new(step.rows.clone()) };
    Ok((records(&batch, &output, &instance.plan().routes), rejects(&output)))
}

fn records(batch: &Batch, output: &Output, routes: &[String]) -> Vec<Record> {
    let view = View { batch, base: 0, output };
    let record = |record: wasmill::output::Record<'_>| {
        let mut headers = Headers::new();
        record.headers(&mut |name, value| headers.push((name.to_vec(), value.map(<[u8]>::to_vec))));
        Record {
            row: record.row,
            route: routes[usize::from(record.route)].clone(),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers,
            timestamp: record.timestamp,
            target: record.target.map(<[u8]>::to_vec),
            op: match record.op {
                Op::Put => "put",
                Op::Create => "create",
                Op::Merge => "merge",
                Op::Delete => "delete",
            }
            .to_owned(),
            version: record.version,
        }
    };
    view.records().map(record).collect()
}

fn rejects(output: &Output) -> Rejects {
    output.rejects.iter().map(|reject| (reject.row, reject.reason.clone())).collect()
}

fn compare_error(step: &Step, error: &CallError) -> Vec<String> {
    let said = error.to_string();
    let as_expected = match (&step.expect, error) {
        (Expect::Retry(words), CallError::Retry(said)) | (Expect::Fatal(words), CallError::Fatal(said)) => {
            said.contains(words.as_str())
        }
        (Expect::Trap(words), error) if error.may_be_one_row() => {
            words.iter().any(|words| said.contains(words.as_str()))
        }
        _ => false,
    };
    if as_expected { vec![] } else { vec![format!("the guest {said}; expected {}", outcome(&step.expect))] }
}

fn outcome(expect: &Expect) -> String {
    match expect {
        Expect::Output { records, .. } => format!("{} records", records.len()),
        Expect::Retry(words) => format!("a retry with {words:?}"),
        Expect::Fatal(words) => format!("fatal with {words:?}"),
        Expect::Trap(words) => format!("a trap with {}", words.join(" or ")),
        Expect::Refused(words) => format!("that it refuses to start, with {words:?}"),
    }
}

fn compare_output(step: &Step, records: &[Record], rejects: &[(u32, String)]) -> Vec<String> {
    let Expect::Output { records: expected, rejects: expected_rejects } = &step.expect else {
        return vec![format!("the guest answered {} records; expected {}", records.len(), outcome(&step.expect))];
    };
    let mut wrong = Vec::new();
    if records.len() != expected.len() {
        wrong.push(format!("{} records, expected {}", records.len(), expected.len()));
    }
    for (index, (record, expected)) in records.iter().zip(expected).enumerate() {
        let mut field = |name: &str, found: String, expected: String| {
            if found != expected {
                wrong.push(format!("record {index} (row {}): {name} is {found}, expected {expected}", record.row));
            }
        };
        // Shown only where they differ: showing 10 MB takes time.
        let mut bytes = |name: &str, found: &Option<Vec<u8>>, expected: &Option<Vec<u8>>| {
            if found != expected {
                field(name, show(found.as_deref()), show(expected.as_deref()));
            }
        };
        bytes("key", &record.key, &expected.key);
        bytes("value", &record.value, &expected.value);
        bytes("target", &record.target, &expected.target);
        field("row", record.row.to_string(), expected.row.to_string());
        field("route", record.route.clone(), expected.route.clone());
        field("headers", show_headers(&record.headers), show_headers(&expected.headers));
        field("timestamp", record.timestamp.to_string(), expected.timestamp.to_string());
        field("op", record.op.clone(), expected.op.clone());
        field("version", format!("{:?}", record.version), format!("{:?}", expected.version));
    }
    if rejects != expected_rejects.as_slice() {
        let at = rejects.iter().zip(expected_rejects).position(|(found, expected)| found != expected);
        let at = at.unwrap_or(rejects.len().min(expected_rejects.len()));
        let (found, expected) = (rejects.get(at), expected_rejects.get(at));
        wrong.push(format!("reject {at}: {found:?}, expected {expected:?}"));
    }
    wrong
}

fn compare_said(expected: &Said, said: &Said) -> Vec<String> {
    let sorted = |said: &Said| {
        let mut said = said.clone();
        said.lines.sort();
        said
    };
    let (expected, said) = (sorted(expected), sorted(said));
    if said == expected { vec![] } else { vec![format!("it said {said:?}, expected {expected:?}")] }
}

/// Bytes for people: text where it is text, and the length where it is long.
fn show(bytes: Option<&[u8]>) -> String {
    const LONG: usize = 60;
    let Some(bytes) = bytes else { return "null".into() };
    let begin = &bytes[..bytes.len().min(LONG)];
    let mut shown = match std::str::from_utf8(begin) {
        Ok(text) => format!("{text:?}"),
        Err(_) => begin.iter().fold("hex ".to_owned(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("written");
            hex
        }),
    };
    if bytes.len() > LONG {
        write!(shown, "... ({} bytes)", bytes.len()).expect("written");
    }
    shown
}

fn show_headers(headers: &Headers) -> String {
    let header =
        |(name, value): &(Vec<u8>, Option<Vec<u8>>)| format!("{}={}", show(Some(name)), show(value.as_deref()));
    format!("[{}]", headers.iter().map(header).collect::<Vec<_>>().join(", "))
}
