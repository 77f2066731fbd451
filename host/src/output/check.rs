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
        never_descends("rows", &self.rows)?;
        below("rows", &self.rows, rows)?;
        if !self.routes.is_empty() {
            length("routes", self.routes.len(), records)?;
            for (index, route) in self.routes.iter().enumerate() {
                range("routes", index, u64::from(*route), routes as u64)?;
            }
        }
        edited("keys", self.keys.as_ref(), records)?;
        edited("values", self.values.as_ref(), records)?;
        if let Some(headers) = &self.headers {
            header_column(headers, records)?;
        }
        if let Some(timestamps) = &self.timestamps {
            length("timestamps", timestamps.len(), records)?;
        }
        if let Some(targets) = &self.targets {
            bytes_column("targets", targets, records)?;
        }
        if let Some(ops) = &self.ops {
            length("ops", ops.len(), records)?;
        }
        if let Some(versions) = &self.versions {
            length("versions", versions.len(), records)?;
        }
        self.check_rejects(rows)
    }

    fn check_rejects(&self, rows: u32) -> Result<(), BadOutput> {
        for (index, reject) in self.rejects.iter().enumerate() {
            range("rejects", index, u64::from(reject.row), u64::from(rows))?;
            if self.rows.binary_search(&reject.row).is_ok() {
                return Err(BadOutput::RejectedAndKept { row: reject.row });
            }
        }
        let rejected: Vec<u32> = self.rejects.iter().map(|reject| reject.row).collect();
        ascends("rejects", &rejected)
    }
}

fn length(column: &'static str, len: usize, want: usize) -> Result<(), BadOutput> {
    if len == want { Ok(()) } else { Err(BadOutput::Length { column, len, want }) }
}

fn range(column: &'static str, index: usize, value: u64, bound: u64) -> Result<(), BadOutput> {
    if value < bound { Ok(()) } else { Err(BadOutput::Range { column, index, value, bound }) }
}

fn below(column: &'static str, values: &[u32], bound: u32) -> Result<(), BadOutput> {
    // The values never descend: the last is the largest.
    match values.last() {
        Some(last) => range(column, values.len() - 1, u64::from(*last), u64::from(bound)),
        None => Ok(()),
    }
}

fn order(
    column: &'static str,
    values: &[u32],
    rule: &'static str,
    holds: impl Fn(u32, u32) -> bool,
) -> Result<(), BadOutput> {
    match values.windows(2).position(|pair| !holds(pair[0], pair[1])) {
        None => Ok(()),
        Some(at) => Err(BadOutput::Order {
            column,
            index: at + 1,
            before: u64::from(values[at]),
            value: u64::from(values[at + 1]),
            rule,
        }),
    }
}

fn never_descends(column: &'static str, values: &[u32]) -> Result<(), BadOutput> {
    order(column, values, "it must never descend", |before, value| before <= value)
}

fn ascends(column: &'static str, values: &[u32]) -> Result<(), BadOutput> {
    order(column, values, "it must ascend, each once", |before, value| before < value)
}

fn bytes_column(name: &'static str, column: &BytesColumn, records: usize) -> Result<(), BadOutput> {
    length(name, column.ends.len(), records)?;
    never_descends(name, &column.ends)?;
    let end = column.ends.last().map_or(0, |end| *end as usize);
    if end != column.data.len() {
        return Err(BadOutput::End { column: name, end, data: column.data.len() });
    }
    ascends(name, &column.nulls)?;
    below(name, &column.nulls, records as u32)
}

fn edited(name: &'static str, column: Option<&EditedColumn>, records: usize) -> Result<(), BadOutput> {
    let Some(EditedColumn { column, kept }) = column else { return Ok(()) };
    bytes_column(name, column, records)?;
    ascends(name, kept)?;
    below(name, kept, records as u32)?;
    for index in kept {
        let bytes = column.slice(*index as usize).map_or(0, <[u8]>::len);
        if bytes > 0 {
            return Err(BadOutput::KeptTakesRoom { column: name, index: *index, bytes });
        }
    }
    Ok(())
}

fn header_column(headers: &HeaderColumn, records: usize) -> Result<(), BadOutput> {
    length("headers.row-ends", headers.row_ends.len(), records)?;
    never_descends("headers.row-ends", &headers.row_ends)?;
    let count = headers.row_ends.last().map_or(0, |end| *end as usize);
    bytes_column("headers.names", &headers.names, count)?;
    bytes_column("headers.values", &headers.values, count)
}
