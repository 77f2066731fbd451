//! The conformance guest in Rust, in the world `transform`. `tests/conformance/README.md` says what each `do` does.

use wasmill_sdk::{Batch, Config, Describe, Error, Module, Op, Output, Plan, Reads, Row, log, metrics};

struct Conformance {
    what: String,
    settings: Vec<(String, String)>,
    routes: Vec<String>,
    times: usize,
    /// Rows seen by this instance.
    seen: u64,
}

impl Module for Conformance {
    fn describe() -> Describe {
        Describe::new("conformance-rust", "1.0.0")
            .summary("Does what the conformance suite asks for.")
            .required("do", "what to do with each row")
            .default("routes", "the routes, between commas", "out")
            .optional("times", "a number that some need")
            .optional("note", "not used")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let what = config.required("do")?.to_owned();
        let reads = reads(&what).ok_or_else(|| format!("do: unknown: {what}"))?;
        let routes = config.get("routes").unwrap_or("out").split(',').map(str::to_owned).collect::<Vec<_>>();
        let (first, others) = routes.split_first().ok_or("routes: none")?;
        let plan = others.iter().fold(Plan::route(first), |plan, route| plan.and_route(route)).reads(reads);
        let mut settings: Vec<_> = config.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        settings.sort();
        Ok((Self { what, settings, routes, times: config.parse("times", 0)?, seen: 0 }, plan))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        match self.what.as_str() {
            "keep" => out.keep_all(batch),
            "retry" if (batch.attempt() as usize) < self.times => {
                return Err(Error::retry(format!("again {}", batch.attempt())));
            }
            "retry" => out.keep_all(batch),
            "fatal" => {
                let value = batch.rows().next().and_then(|row| row.value()).unwrap_or_default();
                return Err(Error::fatal(format!("stop: {}", String::from_utf8_lossy(value))));
            }
            _ => batch.rows().for_each(|row| self.row(batch, row, out)),
        }
        Ok(())
    }
}

/// The columns that are looked at; `None` where nobody knows what is asked for.
fn reads(what: &str) -> Option<Reads> {
    Some(match what {
        "keep" | "even" | "none" | "tombstone" | "op" | "retry" | "config" | "count" | "spin" | "allocate"
        | "recurse" | "flood" => Reads::NONE,
        "text" | "route" | "reject" | "fatal" | "throw" | "grow" | "log" => Reads::VALUES,
        "thrice" | "target" => Reads::KEYS,
        "swap" | "length" => Reads::KEYS | Reads::VALUES,
        "info" => Reads::OFFSETS | Reads::TIMESTAMPS,
        "version" => Reads::OFFSETS,
        "headers" => Reads::HEADERS,
        "copy" => Reads::ALL,
        _ => return None,
    })
}

impl Conformance {
    fn row(&mut self, batch: &Batch, row: Row<'_>, out: &mut Output) {
        let (index, value) = (row.index(), row.value());
        self.seen += 1;
        match self.what.as_str() {
            "copy" => copy(row, out),
            "even" if index % 2 == 0 => drop(out.keep(row)),
            "thrice" => {
                out.keep(row);
                let sent = out.keep(row);
                match row.key() {
                    Some(key) => sent.value(key),
                    None => sent.no_value(),
                };
                out.keep(row).value(b"");
            }
            "tombstone" => drop(out.keep(row).no_value()),
            "swap" => {
                let sent = out.keep(row);
                let sent = match value {
                    Some(value) => sent.key(value),
                    None => sent.no_key(),
                };
                match row.key() {
                    Some(key) => sent.value(key),
                    None => sent.no_value(),
                };
            }
            "text" => match value.map(std::str::from_utf8) {
                None => drop(out.keep(row)),
                Some(Ok(text)) => drop(out.keep(row).value(format!("{text}!").as_bytes())),
                Some(Err(_)) => out.reject(row, "not UTF-8"),
            },
            "length" => {
                let length =
                    |bytes: Option<&[u8]>| bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.len().to_string());
                out.keep(row).value(format!("{}:{}", length(row.key()), length(value)).as_bytes());
            }
            "info" => {
                let (topic, partition, attempt, rows) =
                    (batch.topic(), batch.partition(), batch.attempt(), batch.len());
                let (offset, timestamp) = (row.offset(), row.timestamp());
                let info = format!("{topic}/{partition}/{offset}/{timestamp}/{attempt}/{rows}");
                out.keep(row).value(info.as_bytes());
            }
            "headers" => {
                let headers: Vec<_> = row.headers().collect();
                let sent = out.keep(row).no_headers();
                let sent = headers
                    .iter()
                    .rev()
                    .fold(sent, |sent, header| sent.header(&String::from_utf8_lossy(header.name), header.value));
                sent.header("added", Some(b"1")).header("none", None);
            }
            "route" => {
                let named = self.routes.iter().position(|route| Some(route.as_bytes()) == value);
                if let Some(route) = named {
                    out.keep(row).route(route as u16);
                }
            }
            "target" => {
                let sent = out.keep(row);
                if let Some(key) = row.key() {
                    sent.target(&String::from_utf8_lossy(key));
                }
            }
            "op" => {
                let op = [Op::Put, Op::Create, Op::Merge, Op::Delete][index as usize % 4];
                out.keep(row).op(op);
            }
            "version" => drop(out.keep(row).version(row.offset() * 10 + 1)),
            "reject" => match value {
                Some(value) if value.starts_with(b"bad") => {
                    out.reject(row, format!("row {index}: {}", String::from_utf8_lossy(value)));
                }
                _ => drop(out.keep(row)),
            },
            "throw" => {
                assert!(value != Some(b"boom"), "boom at row {index}");
                out.keep(row);
            }
            "config" if index == 0 => {
                let settings: Vec<_> = self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
                out.keep(row).value(settings.join(";").as_bytes());
            }
            "count" => drop(out.keep(row).value(self.seen.to_string().as_bytes())),
            "grow" => drop(out.keep(row).value(&value.unwrap_or_default().repeat(self.times))),
            "log" => {
                let value = value.unwrap_or_default();
                log::info(String::from_utf8_lossy(value));
                println!("value");
                metrics::count("seen", 1);
                metrics::observe("bytes", value.len() as f64);
                out.keep(row);
            }
            "spin" => spin(),
            "allocate" => allocate(),
            "recurse" => drop(out.keep(row).value(&[recurse(1) as u8])),
            "flood" => loop {
                println!("and on, and on, and on");
            },
            _ => {}
        }
    }
}

fn copy(row: Row<'_>, out: &mut Output) {
    let headers: Vec<_> = row.headers().collect();
    let sent = out.keep(row).timestamp(row.timestamp()).no_headers();
    let sent = match row.key() {
        Some(key) => sent.key(key),
        None => sent.no_key(),
    };
    let sent = match row.value() {
        Some(value) => sent.value(value),
        None => sent.no_value(),
    };
    headers.iter().fold(sent, |sent, header| sent.header(&String::from_utf8_lossy(header.name), header.value));
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

wasmill_sdk::export!(Conformance);
