//! A case as it is written in `tests/conformance/cases`, and what it stands for: rows, and the records that must come
//! of them. `tests/conformance/README.md` is the reference.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde::{Deserialize, Deserializer};
use wasmill::{batch::MemoryRows, engine::World, limits::Limits};

/// Names and values.
pub type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(skip)]
    pub name: String,
    /// What it shows, in one sentence.
    pub about: String,
    pub config: BTreeMap<String, String>,
    /// Guests that cannot answer it, and why: said in the table.
    #[serde(default)]
    pub except: BTreeMap<String, String>,
    #[serde(default)]
    worlds: Vec<WorldName>,
    #[serde(default)]
    limits: LimitsSpec,
    batch: OneOrMany<BatchSpec>,
    expect: OneOrMany<ExpectSpec>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum WorldName {
    Columns,
    Records,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSpec {
    memory: Option<usize>,
    time_ms: Option<u64>,
    output: Option<usize>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn list(&self) -> &[T] {
        match self {
            Self::Many(many) => many,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchSpec {
    #[serde(default = "topic")]
    topic: String,
    #[serde(default)]
    partition: i32,
    #[serde(default)]
    attempt: u32,
    /// The batch is given so many times in turn.
    #[serde(default = "once")]
    repeat: usize,
    rows: Vec<RowSpec>,
}

fn topic() -> String {
    "t".into()
}

fn once() -> usize {
    1
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowSpec {
    offset: Option<i64>,
    #[serde(default)]
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    #[serde(default)]
    headers: Vec<(Bytes, Option<Bytes>)>,
    #[serde(default = "once")]
    times: usize,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Hex(Hex),
    Repeat(Repeat),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    repeat: String,
    times: usize,
}

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Repeat(Repeat { repeat, times }) => repeat.repeat(*times).into_bytes(),
            Self::Hex(Hex { hex }) => {
                let byte = |pair: &[u8]| {
                    let pair = std::str::from_utf8(pair).expect("hex digits");
                    u8::from_str_radix(pair, 16).unwrap_or_else(|error| panic!("{hex:?}: {error}"))
                };
                hex.as_bytes().chunks(2).map(byte).collect()
            }
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectSpec {
    records: Option<RecordsSpec>,
    #[serde(default)]
    rejects: Vec<RejectSpec>,
    retry: Option<String>,
    fatal: Option<String>,
    trap: Option<OneOrMany<String>>,
    refused: Option<String>,
    said: Option<Said>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RecordsSpec {
    List(Vec<RecordSpec>),
    All(All),
    Each(Each),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    all: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    each: Vec<RecordSpec>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordSpec {
    #[serde(default)]
    row: u32,
    /// So many rows from `row` on become the like.
    #[serde(default = "once")]
    times: usize,
    route: Option<String>,
    #[serde(default, deserialize_with = "named")]
    key: Option<Option<Bytes>>,
    #[serde(default, deserialize_with = "named")]
    value: Option<Option<Bytes>>,
    headers: Option<Vec<(Bytes, Option<Bytes>)>>,
    timestamp: Option<i64>,
    target: Option<Bytes>,
    op: Option<String>,
    version: Option<u64>,
}

/// A null that is written differs from nothing being written.
fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Bytes>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RejectSpec {
    row: u32,
    reason: String,
}

/// What the guest said in the course of a batch.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// `LEVEL: TEXT`, in any order: logged and printed lines reach the host by different ways.
    #[serde(default)]
    pub lines: Vec<String>,
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    #[serde(default)]
    pub observed: BTreeMap<String, Observed>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    pub count: u64,
    pub sum: f64,
}

/// One call, and what must become of it.
pub struct Step {
    pub topic: String,
    pub partition: i32,
    pub attempt: u32,
    pub rows: MemoryRows,
    pub expect: Expect,
    pub said: Option<Said>,
}

/// An output record, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub row: u32,
    pub route: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Headers,
    pub timestamp: i64,
    pub target: Option<Vec<u8>>,
    pub op: String,
    pub version: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    Output {
        records: Vec<Record>,
        rejects: Vec<(u32, String)>,
    },
    Retry(String),
    Fatal(String),
    /// Any of these words.
    Trap(Vec<String>),
    Refused(String),
}

impl Case {
    /// The cases of a folder, by name.
    pub fn all(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a case");
        let name = file.file_stem().expect("a name").to_string_lossy();
        Self::parse(&name, &text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    pub fn parse(name: &str, text: &str) -> serde_json::Result<Self> {
        let case: Self = serde_json::from_str(text)?;
        Ok(Self { name: name.into(), ..case })
    }

    pub fn is_for(&self, world: World) -> bool {
        let world = match world {
            World::Columns => WorldName::Columns,
            World::Records => WorldName::Records,
        };
        self.worlds.is_empty() || self.worlds.contains(&world)
    }

    pub fn limits(&self) -> Limits {
        // A slow machine is no difference between languages.
        let time = Duration::from_millis(self.limits.time_ms.unwrap_or(60_000));
        let Limits { memory, output, .. } = Limits::default();
        let (memory, output) = (self.limits.memory.unwrap_or(memory), self.limits.output.unwrap_or(output));
        Limits { memory, output, time, ..Limits::default() }
    }

    /// The calls, in order. `routes`: those of the setting.
    pub fn steps(&self) -> Vec<Step> {
        let (batches, expects) = (self.batch.list(), self.expect.list());
        assert_eq!(batches.len(), expects.len(), "{}: a batch has no `expect`, or the other way round", self.name);
        let first = self.config.get("routes").and_then(|routes| routes.split(',').next()).unwrap_or("out");
        let pairs = batches.iter().zip(expects);
        let pairs = pairs.flat_map(|(batch, expect)| std::iter::repeat_n((batch, expect), batch.repeat));
        pairs
            .map(|(batch, expect)| {
                let rows = rows(batch);
                Step {
                    topic: batch.topic.clone(),
                    partition: batch.partition,
                    attempt: batch.attempt,
                    expect: expect.whole(&rows, first).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name)),
                    rows,
                    said: expect.said.clone(),
                }
            })
            .collect()
    }
}

fn bytes(bytes: Option<&Bytes>) -> Option<Vec<u8>> {
    bytes.map(Bytes::bytes)
}

fn headers(spec: &[(Bytes, Option<Bytes>)]) -> Headers {
    spec.iter().map(|(name, value)| (name.bytes(), bytes(value.as_ref()))).collect()
}

fn rows(batch: &BatchSpec) -> MemoryRows {
    let mut rows = MemoryRows::default();
    for spec in &batch.rows {
        let (key, value, headers) = (bytes(spec.key.as_ref()), bytes(spec.value.as_ref()), headers(&spec.headers));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&name[..], value.as_deref())).collect();
        for time in 0..spec.times {
            let offset = spec.offset.map_or(rows.offsets.len() as i64, |offset| offset + time as i64);
            rows.push(offset, spec.timestamp, key.as_deref(), value.as_deref(), &headers);
        }
    }
    rows
}

impl ExpectSpec {
    /// What is not named is filled in from the rows.
    fn whole(&self, rows: &MemoryRows, first: &str) -> Result<Expect, String> {
        let mut outcomes = Vec::new();
        if let Some(records) = &self.records {
            let count = rows.offsets.len() as u32;
            let records: Vec<Record> = match records {
                RecordsSpec::List(list) => list.iter().flat_map(|spec| spec.whole(rows, first)).collect(),
                RecordsSpec::All(All { all }) => {
                    assert!(all, "`all` can only be true");
                    (0..count)
                        .flat_map(|row| RecordSpec { row, times: 1, ..RecordSpec::default() }.whole(rows, first))
                        .collect()
                }
                RecordsSpec::Each(Each { each }) => (0..count)
                    .flat_map(|row| each.iter().map(move |spec| RecordSpec { row, ..spec.clone() }))
                    .flat_map(|spec| spec.whole(rows, first))
                    .collect(),
            };
            let rejects = self.rejects.iter().map(|reject| (reject.row, reject.reason.clone())).collect();
            outcomes.push(Expect::Output { records, rejects });
        }
        outcomes.extend(self.retry.clone().map(Expect::Retry));
        outcomes.extend(self.fatal.clone().map(Expect::Fatal));
        outcomes.extend(self.trap.as_ref().map(|words| Expect::Trap(words.list().to_vec())));
        outcomes.extend(self.refused.clone().map(Expect::Refused));
        match outcomes.pop() {
            Some(outcome) if outcomes.is_empty() => Ok(outcome),
            _ => Err("`expect` names none or several of records, retry, fatal, trap, refused".into()),
        }
    }
}

impl RecordSpec {
    fn whole(&self, rows: &MemoryRows, first: &str) -> Vec<Record> {
        let record = |row: u32| {
            let at = row as usize;
            let value = match &self.value {
                Some(value) => bytes(value.as_ref()),
                None => rows.values.get(at).map(<[u8]>::to_vec),
            };
            let unnamed = if value.is_none() { "delete" } else { "put" };
            Record {
                row,
                route: self.route.clone().unwrap_or_else(|| first.to_owned()),
                key: match &self.key {
                    Some(key) => bytes(key.as_ref()),
                    None => rows.keys.get(at).map(<[u8]>::to_vec),
                },
                value,
                headers: self.headers.as_ref().map_or_else(
                    || rows.headers.row(at).map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect(),
                    |spec| headers(spec),
                ),
                timestamp: self.timestamp.unwrap_or(rows.timestamps[at]),
                target: bytes(self.target.as_ref()),
                op: self.op.clone().unwrap_or_else(|| unnamed.to_owned()),
                version: self.version,
            }
        };
        (self.row..self.row + self.times as u32).map(record).collect()
    }
}
