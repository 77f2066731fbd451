//! The gate for what a module answers: shapes, orders and ranges, so that nothing behind it can be led astray.

use thiserror::Error;

use super::{EditedColumn, Output};
use crate::columns::{BytesColumn, HeaderColumn};

/// What is wrong with an output: names the column, the position and what the contract asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadOutput {
    #[error("column `{column}` has {len} entries where there are {want} output records")]
    Length { column: &'static str, len: usize, want: usize },
    #[error("`{column}[{index}]` is {value}, but must be below {bound}")]
    Range { column: &'static str, index: usize, value: u64, bound: u64 },
    #[error("`{column}[{index}]` is {value} after {before}: {rule}")]
    Order { column: &'static str, index: usize, before: u64, value: u64, rule: &'static str },
    #[error("`{column}`: the last end is {end}, but `data` has {data} bytes")]
    End { column: &'static str, end: usize, data: usize },
    #[error("`{column}`: record {index} is kept, yet takes {bytes} bytes in `data`")]
    KeptTakesRoom { column: &'static str, index: u32, bytes: usize },
    #[error("{what} (output record {record}, made of row {row})")]
    OfRow { what: Box<BadOutput>, record: u32, row: u32 },
    #[error("row {row} is both in `rows` and in `rejects`")]
    RejectedAndKept { row: u32 },
    #[error("the output has {records} records, above the limit of {max}")]
    TooManyRecords { records: usize, max: usize },
    #[error("the output has {bytes} bytes, above the pipeline's `limits.output` of {max}")]
    TooManyBytes { bytes: usize, max: usize },
}

impl Output {
    /// Checks everything that the rest of the host relies on, for a batch of `rows` rows and a plan of `routes`
    /// routes. `max_records` and `max_bytes` are the pipeline's limits.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self, rows: u32, routes: usize, max_records: usize, max_bytes: usize) -> Result<(), BadOutput> {
        let records = self.rows.len();
        if records > max_records {
            return Err(BadOutput::TooManyRecords { records, max: max_records });
        }
        let bytes = self.byte_len();
        if bytes > max_bytes {
            return Err(BadOutput::TooManyBytes { bytes, max: max_bytes });
        }
        never_descends("rows", &self.rows, |_| None)?;
        below("rows", &self.rows, rows, |_| None)?;
        self.check_records(records, routes).map_err(|Wrong { what, record }| match self.row_of(record) {
            Some((record, row)) => BadOutput::OfRow { what: Box::new(what), record, row },
            None => what,
        })?;
        self.check_rejects(rows)
    }

    /// The output record and the row that it was made of.
    fn row_of(&self, record: Option<usize>) -> Option<(u32, u32)> {
        let record = record?;
        Some((record as u32, *self.rows.get(record)?))
    }

    fn check_records(&self, records: usize, routes: usize) -> Result<(), Wrong> {
        if !self.routes.is_empty() {
            length("routes", self.routes.len(), records)?;
            for (index, route) in self.routes.iter().enumerate() {
                range("routes", index, u64::from(*route), routes as u64)
                    .map_err(|what| Wrong { what, record: Some(index) })?;
            }
        }
        edited(&KEYS, self.keys.as_ref(), records)?;
        edited(&VALUES, self.values.as_ref(), records)?;
        if let Some(headers) = &self.headers {
            header_column(headers, records)?;
        }
        if let Some(timestamps) = &self.timestamps {
            length("timestamps", timestamps.len(), records)?;
        }
        if let Some(targets) = &self.targets {
            bytes_column(&TARGETS, targets, records, Some)?;
        }
        if let Some(ops) = &self.ops {
            length("ops", ops.len(), records)?;
        }
        if let Some(versions) = &self.versions {
            length("versions", versions.len(), records)?;
        }
        Ok(())
    }

    fn check_rejects(&self, rows: u32) -> Result<(), BadOutput> {
        for (index, reject) in self.rejects.iter().enumerate() {
            range("rejects", index, u64::from(reject.row), u64::from(rows))?;
            if self.rows.binary_search(&reject.row).is_ok() {
                return Err(BadOutput::RejectedAndKept { row: reject.row });
            }
        }
        let rejected: Vec<u32> = self.rejects.iter().map(|reject| reject.row).collect();
        ascends("rejects", &rejected, |_| None).map_err(|wrong| wrong.what)
    }
}

/// What is wrong, and with which output record, where it is about one.
struct Wrong {
    what: BadOutput,
    record: Option<usize>,
}

impl From<BadOutput> for Wrong {
    fn from(what: BadOutput) -> Self {
        Self { what, record: None }
    }
}

impl From<Wrong> for BadOutput {
    fn from(wrong: Wrong) -> Self {
        wrong.what
    }
}

/// The names of a column's parts, as the contract has them.
struct Names {
    column: &'static str,
    ends: &'static str,
    nulls: &'static str,
    kept: &'static str,
}

macro_rules! names {
    ($column:literal) => {
        Names {
            column: $column,
            ends: concat!($column, ".ends"),
            nulls: concat!($column, ".nulls"),
            kept: concat!($column, ".kept"),
        }
    };
}

const KEYS: Names = names!("keys");
const VALUES: Names = names!("values");
const TARGETS: Names = names!("targets");
const HEADER_NAMES: Names = names!("headers.names");
const HEADER_VALUES: Names = names!("headers.values");

fn length(column: &'static str, len: usize, want: usize) -> Result<(), BadOutput> {
    if len == want { Ok(()) } else { Err(BadOutput::Length { column, len, want }) }
}

fn range(column: &'static str, index: usize, value: u64, bound: u64) -> Result<(), BadOutput> {
    if value < bound { Ok(()) } else { Err(BadOutput::Range { column, index, value, bound }) }
}

/// `record` tells the output record that a value of the list is about.
fn below(column: &'static str, values: &[u32], bound: u32, record: impl Fn(u32) -> Option<usize>) -> Result<(), Wrong> {
    // The values never descend: the last is the largest.
    match values.last() {
        Some(last) => range(column, values.len() - 1, u64::from(*last), u64::from(bound))
            .map_err(|what| Wrong { what, record: record(*last) }),
        None => Ok(()),
    }
}

/// `record` tells the output record that a place of the list, or the value there, is about.
fn order(
    column: &'static str,
    values: &[u32],
    rule: &'static str,
    holds: impl Fn(u32, u32) -> bool,
    record: impl Fn(usize, u32) -> Option<usize>,
) -> Result<(), Wrong> {
    match values.windows(2).position(|pair| !holds(pair[0], pair[1])) {
        None => Ok(()),
        Some(at) => {
            let (index, before, value) = (at + 1, values[at], values[at + 1]);
            let what = BadOutput::Order { column, index, before: u64::from(before), value: u64::from(value), rule };
            Err(Wrong { what, record: record(index, value) })
        }
    }
}

fn never_descends(column: &'static str, values: &[u32], record: impl Fn(usize) -> Option<usize>) -> Result<(), Wrong> {
    order(column, values, "it must never descend", |before, value| before <= value, |index, _| record(index))
}

fn ascends(column: &'static str, values: &[u32], record: impl Fn(u32) -> Option<usize>) -> Result<(), Wrong> {
    order(column, values, "it must ascend, each once", |before, value| before < value, |_, value| record(value))
}

/// `record` tells the output record that an entry of the column belongs to.
fn bytes_column(
    names: &Names,
    column: &BytesColumn,
    entries: usize,
    record: impl Fn(usize) -> Option<usize>,
) -> Result<(), Wrong> {
    length(names.column, column.ends.len(), entries)?;
    never_descends(names.ends, &column.ends, &record)?;
    let end = column.ends.last().map_or(0, |end| *end as usize);
    if end != column.data.len() {
        return Err(BadOutput::End { column: names.column, end, data: column.data.len() }.into());
    }
    ascends(names.nulls, &column.nulls, |entry| record(entry as usize))?;
    below(names.nulls, &column.nulls, entries as u32, |_| None)
}

fn edited(names: &Names, column: Option<&EditedColumn>, records: usize) -> Result<(), Wrong> {
    let Some(EditedColumn { column, kept }) = column else { return Ok(()) };
    bytes_column(names, column, records, Some)?;
    ascends(names.kept, kept, |record| Some(record as usize))?;
    below(names.kept, kept, records as u32, |_| None)?;
    for index in kept {
        let record = *index as usize;
        let bytes = column.slice(record).map_or(0, <[u8]>::len);
        if bytes > 0 {
            let what = BadOutput::KeptTakesRoom { column: names.column, index: *index, bytes };
            return Err(Wrong { what, record: Some(record) });
        }
    }
    Ok(())
}

fn header_column(headers: &HeaderColumn, records: usize) -> Result<(), Wrong> {
    length("headers.row-ends", headers.row_ends.len(), records)?;
    never_descends("headers.row-ends", &headers.row_ends, Some)?;
    let count = headers.row_ends.last().map_or(0, |end| *end as usize);
    let record = |header: usize| Some(headers.row_ends.partition_point(|end| *end as usize <= header));
    bytes_column(&HEADER_NAMES, &headers.names, count, record)?;
    bytes_column(&HEADER_VALUES, &headers.values, count, record)
}
