//! Try a module with plain `cargo test`, without a host: records in, records out.
//!
//! ```
//! # use wasmill_sdk::{testing::{Record, run}, *};
//! # struct Upper;
//! # impl Module for Upper {
//! #     fn describe() -> Describe { Describe::new("upper", "1") }
//! #     fn init(_: &Config) -> Result<(Self, Plan), String> { Ok((Self, Plan::route("out"))) }
//! #     fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
//! #         for row in batch.rows() {
//! #             out.keep(row).value(&row.value().unwrap_or_default().to_ascii_uppercase());
//! #         }
//! #         Ok(())
//! #     }
//! # }
//! let done = run::<Upper>(&[], &[Record::value("a").with_key("k")]).unwrap();
//! assert_eq!(done.records[0].value.as_deref(), Some(&b"A"[..]));
//! assert_eq!(done.records[0].key.as_deref(), Some(&b"k"[..]));
//! assert_eq!(done.records[0].route, "out");
//! ```

use crate::{
    Batch, Config, Error, Module, Output, Plan, Reads, Tick, Timer,
    bindings::exports::wasmill::transform::columns as raw,
};

#[cfg(all(feature = "keyvalue", not(target_family = "wasm")))]
pub mod keyvalue;

/// Header names and values.
pub type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A record to be given to a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `None` is Kafka's null.
    pub key: Option<Vec<u8>>,
    /// `None` is Kafka's null.
    pub value: Option<Vec<u8>>,
    /// In order.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
}

impl Record {
    /// A record with a value alone.
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self { value: Some(value.as_ref().to_vec()), ..Self::default() }
    }

    /// A tombstone.
    pub fn null() -> Self {
        Self::default()
    }

    /// With a key.
    pub fn with_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// With one more header.
    pub fn with_header(mut self, name: impl AsRef<[u8]>, value: Option<&[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.map(<[u8]>::to_vec)));
        self
    }

    /// With a timestamp.
    pub fn with_timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }
}

/// A record that came out, with what it kept of its row filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Index of the record that it came from.
    pub row: u32,
    /// Name of its route.
    pub route: String,
    /// `None` is Kafka's null.
    pub key: Option<Vec<u8>>,
    /// `None` is Kafka's null.
    pub value: Option<Vec<u8>>,
    /// In order.
    pub headers: Headers,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// Where inside the sink, where it says so.
    pub target: Option<String>,
    /// What the sink is to do, where any record of the batch says so.
    pub op: Option<crate::Op>,
    /// Where any record of the batch has one.
    pub version: Option<u64>,
}

/// What a module answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// In order.
    pub records: Vec<Sent>,
    /// Rows and reasons, in order of rows.
    pub rejects: Vec<(u32, String)>,
    /// The columns that crossed back, for those who count copies: `rows` is always there.
    pub columns: Vec<&'static str>,
}

/// Starts a module with settings and gives it one batch, offsets from 0. Columns that its plan does not read are empty,
/// as they are in the host.
///
/// # Errors
/// What the module answers: the refusal of `init` comes as [`Error::Fatal`].
pub fn run<M: Module>(settings: &[(&str, &str)], records: &[Record]) -> Result<Done, Error> {
    start::<M>(settings)?.batch(records)
}

/// Starts a module with settings, for more calls than one.
///
/// # Errors
/// The refusal of `init`, as [`Error::Fatal`].
pub fn start<M: Module>(settings: &[(&str, &str)]) -> Result<Started<M>, Error> {
    let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let (module, plan) = M::init(&Config { settings }).map_err(Error::Fatal)?;
    Ok(Started { module, plan })
}

/// A module that was started.
pub struct Started<M> {
    module: M,
    plan: Plan,
}

impl<M: Module> Started<M> {
    /// Gives it a batch, offsets from 0. Columns that its plan does not read are empty, as they are in the host.
    ///
    /// # Errors
    /// What the module answers.
    pub fn batch(&mut self, records: &[Record]) -> Result<Done, Error> {
        let batch = only(batch(records), self.plan.reads);
        let mut out = Output::new(&batch);
        self.module.transform(&batch, &mut out)?;
        let output = out.into_raw(&batch).map_err(Error::Fatal)?;
        Ok(read(output, &self.plan.routes, records))
    }
}

impl<M: Timer> Started<M> {
    /// Fires its timer, punctually; `at` in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// What the module answers.
    pub fn fire(&mut self, at: i64) -> Result<Done, Error> {
        let tick = Tick::new(at, at, 0);
        let output = tick.give(&mut self.module)?;
        Ok(read(output, &self.plan.routes, &[Record::null().with_timestamp(at)]))
    }
}

/// Empties the columns that are not read.
fn only(batch: Batch, reads: Reads) -> Batch {
    let Batch { mut raw } = batch;
    let unread = |column: Reads| !reads.0.contains(column.0);
    if unread(Reads::KEYS) {
        raw.keys = empty();
    }
    if unread(Reads::VALUES) {
        raw.values = empty();
    }
    if unread(Reads::HEADERS) {
        raw.headers = raw::HeaderColumn { row_ends: vec![], names: empty(), values: empty() };
    }
    if unread(Reads::OFFSETS) {
        raw.offsets.clear();
    }
    if unread(Reads::TIMESTAMPS) {
        raw.timestamps.clear();
    }
    Batch::new(raw)
}

fn empty() -> raw::BytesColumn {
    raw::BytesColumn { data: vec![], ends: vec![], nulls: vec![] }
}

/// A batch of these records, of topic `test`, partition 0; every column is filled.
pub fn batch(records: &[Record]) -> Batch {
    let push = |column: &mut raw::BytesColumn, value: Option<&[u8]>| {
        match value {
            Some(value) => column.data.extend_from_slice(value),
            None => column.nulls.push(column.ends.len() as u32),
        }
        column.ends.push(column.data.len() as u32);
    };
    let (mut keys, mut values) = (empty(), empty());
    let mut headers = raw::HeaderColumn { row_ends: vec![], names: empty(), values: empty() };
    for record in records {
        push(&mut keys, record.key.as_deref());
        push(&mut values, record.value.as_deref());
        for (name, value) in &record.headers {
            push(&mut headers.names, Some(name));
            push(&mut headers.values, value.as_deref());
        }
        headers.row_ends.push(headers.names.ends.len() as u32);
    }
    Batch::new(raw::Batch {
        topic: "test".into(),
        partition: 0,
        rows: records.len() as u32,
        attempt: 0,
        offsets: (0..records.len() as u64).collect(),
        timestamps: records.iter().map(|record| record.timestamp).collect(),
        keys,
        values,
        headers,
    })
}

pub(crate) fn read(output: raw::Output, routes: &[String], records: &[Record]) -> Done {
    let edited = |column: &Option<raw::EditedColumn>, index: usize, own: &Option<Vec<u8>>| match column {
        Some(column) if column.kept.contains(&(index as u32)) => own.clone(),
        Some(column) if column.nulls.contains(&(index as u32)) => None,
        Some(column) => Some(slice(&column.data, &column.ends, index)),
        None => own.clone(),
    };
    let sent = |(index, row): (usize, &u32)| {
        let own = &records[*row as usize];
        let target = output.targets.as_ref().filter(|column| !column.nulls.contains(&(index as u32)));
        Sent {
            row: *row,
            route: routes[usize::from(output.routes.get(index).copied().unwrap_or(0))].clone(),
            key: edited(&output.keys, index, &own.key),
            value: edited(&output.values, index, &own.value),
            headers: output.headers.as_ref().map_or_else(|| own.headers.clone(), |column| headers(column, index)),
            timestamp: output.timestamps.as_ref().map_or(own.timestamp, |column| column[index]),
            target: target
                .map(|column| String::from_utf8_lossy(&slice(&column.data, &column.ends, index)).into_owned()),
            op: output.ops.as_ref().map(|column| match column[index] {
                raw::Op::Put => crate::Op::Put,
                raw::Op::Create => crate::Op::Create,
                raw::Op::Merge => crate::Op::Merge,
                raw::Op::Delete => crate::Op::Delete,
            }),
            version: output.versions.as_ref().map(|column| column[index]),
        }
    };
    let present = [
        ("routes", !output.routes.is_empty()),
        ("keys", output.keys.is_some()),
        ("values", output.values.is_some()),
        ("headers", output.headers.is_some()),
        ("timestamps", output.timestamps.is_some()),
        ("targets", output.targets.is_some()),
        ("ops", output.ops.is_some()),
        ("versions", output.versions.is_some()),
    ];
    Done {
        records: output.rows.iter().enumerate().map(sent).collect(),
        rejects: output.rejects.iter().map(|reject| (reject.row, reject.reason.clone())).collect(),
        columns: present.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect(),
    }
}

fn slice(data: &[u8], ends: &[u32], index: usize) -> Vec<u8> {
    let begin = if index == 0 { 0 } else { ends[index - 1] as usize };
    data[begin..ends[index] as usize].to_vec()
}

fn headers(column: &raw::HeaderColumn, index: usize) -> Headers {
    let begin = if index == 0 { 0 } else { column.row_ends[index - 1] as usize };
    (begin..column.row_ends[index] as usize)
        .map(|header| {
            let null = column.values.nulls.contains(&(header as u32));
            let value = (!null).then(|| slice(&column.values.data, &column.values.ends, header));
            (slice(&column.names.data, &column.names.ends, header), value)
        })
        .collect()
}
