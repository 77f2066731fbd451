//! The conformance guest in Rust, in the world `transform-records`, without an SDK: what somebody writes who has
//! nothing but the contract. `tests/conformance/README.md` says what each `do` does.

use std::cell::RefCell;

wit_bindgen::generate!({ path: "../../../wit", world: "transform-records" });

use exports::wasmill::transform::{
    meta::{self, Description, Plan, Reads, Setting},
    records::{self, Batch, Error, Field, Header, Input, Out, Output, Reject},
};
use wasmill::transform::{
    log::{Level, write},
    metrics,
    types::Op,
};

#[derive(Default)]
struct Conformance {
    what: String,
    settings: Vec<(String, String)>,
    routes: Vec<String>,
    times: usize,
    /// Rows seen by this instance.
    seen: u64,
}

thread_local! {
    static INSTANCE: RefCell<Conformance> = RefCell::default();
}

const KNOWN: [&str; 27] = [
    "keep",
    "copy",
    "even",
    "none",
    "thrice",
    "tombstone",
    "swap",
    "text",
    "length",
    "info",
    "headers",
    "route",
    "target",
    "op",
    "version",
    "reject",
    "retry",
    "fatal",
    "throw",
    "config",
    "count",
    "grow",
    "log",
    "spin",
    "allocate",
    "recurse",
    "flood",
];

struct Guest;

impl meta::Guest for Guest {
    fn describe() -> Description {
        let setting = |name: &str, summary: &str, default: Option<&str>| Setting {
            name: name.into(),
            summary: summary.into(),
            default: default.map(Into::into),
            required: name == "do",
        };
        Description {
            name: "conformance-rust".into(),
            version: "1.0.0".into(),
            summary: "Does what the conformance suite asks for.".into(),
            settings: vec![
                setting("do", "what to do with each row", None),
                setting("routes", "the routes, between commas", Some("out")),
                setting("times", "a number that some need", None),
                setting("note", "not used", None),
            ],
        }
    }

    fn init(mut settings: Vec<(String, String)>) -> Result<Plan, String> {
        settings.sort();
        let get = |wanted: &str| settings.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let what = get("do").ok_or("setting `do` is required")?;
        if !KNOWN.contains(&what.as_str()) {
            return Err(format!("do: unknown: {what}"));
        }
        let routes: Vec<String> = get("routes").unwrap_or("out".into()).split(',').map(str::to_owned).collect();
        let times = get("times").map_or(Ok(0), |times| times.parse().map_err(|_| "times: not a number".to_owned()))?;
        let plan = Plan { routes: routes.clone(), reads: Reads::all() };
        INSTANCE.replace(Conformance { what, settings, routes, times, seen: 0 });
        Ok(plan)
    }
}

impl records::Guest for Guest {
    fn transform(batch: Batch) -> Result<Output, Error> {
        INSTANCE.with_borrow_mut(|instance| instance.transform(batch))
    }
}

impl Conformance {
    fn transform(&mut self, batch: Batch) -> Result<Output, Error> {
        let attempt = batch.attempt;
        match self.what.as_str() {
            "retry" if (attempt as usize) < self.times => return Err(Error::Retry(format!("again {attempt}"))),
            "fatal" => {
                let value = batch.records.first().and_then(|first| first.value.as_deref()).unwrap_or_default();
                return Err(Error::Fatal(format!("stop: {}", String::from_utf8_lossy(value))));
            }
            _ => {}
        }
        let mut output = Output { records: vec![], rejects: vec![] };
        for (row, input) in batch.records.iter().enumerate() {
            self.row(row as u32, input, &batch, &mut output);
        }
        Ok(output)
    }

    fn row(&mut self, row: u32, input: &Input, batch: &Batch, output: &mut Output) {
        self.seen += 1;
        let mut out = keep(row);
        let value = input.value.as_deref();
        match self.what.as_str() {
            "copy" => {
                out.key = field(input.key.as_deref());
                out.value = field(value);
                out.headers = Some(input.headers.clone());
                out.timestamp = Some(input.timestamp);
            }
            "even" if row % 2 == 1 => return,
            "none" => return,
            "thrice" => {
                output.records.extend([keep(row), Out { value: field(input.key.as_deref()), ..keep(row) }]);
                out.value = Field::Bytes(vec![]);
            }
            "tombstone" => out.value = Field::Null,
            "swap" => (out.key, out.value) = (field(value), field(input.key.as_deref())),
            "text" => match value.map(|value| String::from_utf8(value.to_vec())) {
                None => {}
                Some(Ok(text)) => out.value = text_field(format!("{text}!")),
                Some(Err(_)) => {
                    output.rejects.push(Reject { row, reason: "not UTF-8".into() });
                    return;
                }
            },
            "length" => {
                let length = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |bytes| bytes.len().to_string());
                out.value = text_field(format!("{}:{}", length(input.key.as_deref()), length(value)));
            }
            "info" => {
                let Batch { topic, partition, attempt, records } = batch;
                let (offset, timestamp, rows) = (input.offset, input.timestamp, records.len());
                out.value = text_field(format!("{topic}/{partition}/{offset}/{timestamp}/{attempt}/{rows}"));
            }
            "headers" => {
                let mut headers: Vec<Header> = input.headers.iter().rev().cloned().collect();
                headers.push(Header { name: "added".into(), value: Some(b"1".to_vec()) });
                headers.push(Header { name: "none".into(), value: None });
                out.headers = Some(headers);
            }
            "route" => match self.routes.iter().position(|route| Some(route.as_bytes()) == value) {
                Some(route) => out.route = route as u16,
                None => return,
            },
            "target" => out.target = input.key.clone(),
            "op" => out.op = Some([Op::Put, Op::Create, Op::Merge, Op::Delete][row as usize % 4]),
            "version" => out.version = Some(input.offset * 10 + 1),
            "reject" if value.is_some_and(|value| value.starts_with(b"bad")) => {
                let reason = format!("row {row}: {}", String::from_utf8_lossy(value.unwrap_or_default()));
                output.rejects.push(Reject { row, reason });
                return;
            }
            "throw" => assert!(value != Some(b"boom"), "boom at row {row}"),
            "config" if row > 0 => return,
            "config" => {
                let settings: Vec<_> = self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
                out.value = text_field(settings.join(";"));
            }
            "count" => out.value = text_field(self.seen.to_string()),
            "grow" => out.value = Field::Bytes(value.unwrap_or_default().repeat(self.times)),
            "log" => {
                let value = value.unwrap_or_default();
                write(Level::Info, &String::from_utf8_lossy(value));
                println!("value");
                metrics::count("seen", 1);
                metrics::observe("bytes", value.len() as f64);
            }
            "spin" => spin(),
            "allocate" => allocate(),
            "recurse" => out.value = Field::Bytes(vec![recurse(1) as u8]),
            "flood" => loop {
                println!("and on, and on, and on");
            },
            _ => {}
        }
        output.records.push(out);
    }
}

fn keep(row: u32) -> Out {
    let (key, value) = (Field::Kept, Field::Kept);
    Out { row, route: 0, key, value, headers: None, timestamp: None, target: None, op: None, version: None }
}

fn field(bytes: Option<&[u8]>) -> Field {
    bytes.map_or(Field::Null, |bytes| Field::Bytes(bytes.to_vec()))
}

fn text_field(text: String) -> Field {
    Field::Bytes(text.into_bytes())
}

fn spin() {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns).wrapping_add(1);
    }
}

fn allocate() {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&all);
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[63] }
}

export!(Guest);
