//! The world `transform-records`: the same batches as plain records. Dearer by design; here the columns are taken apart
//! and put together again, so that the rest of the host knows one shape.

use wasmtime::Store;

use super::{
    bindings::{
        columns::wasmill::transform::types,
        records::{
            TransformRecords,
            exports::wasmill::transform::{meta, records as wit},
        },
    },
    instance::Call,
    module::{Description, Plan, Setting},
    state::State,
};
use crate::{
    batch::{Columns, Reads},
    columns::{BytesColumn, HeaderColumn},
    output::{EditedColumn, Op, Output, Reject},
};

pub(super) fn description(said: meta::Description) -> Description {
    let setting = |setting: meta::Setting| Setting {
        name: setting.name,
        summary: setting.summary,
        default: setting.default,
        required: setting.required,
    };
    let settings = said.settings.into_iter().map(setting).collect();
    Description { name: said.name, version: said.version, summary: said.summary, settings }
}

/// A record is always whole, so every column is read.
pub(super) fn plan(plan: meta::Plan) -> Plan {
    Plan { routes: plan.routes, reads: Reads::ALL }
}

pub(super) fn transform(
    exports: &TransformRecords,
    store: &mut Store<State>,
    call: &Call<'_>,
) -> wasmtime::Result<Result<Output, types::Error>> {
    let columns = call.columns;
    // A header's name is text in this world: one that is not UTF-8 is shown as well as can be.
    let names: Vec<String> = columns
        .headers
        .names
        .iter()
        .map(|name| String::from_utf8_lossy(name.unwrap_or_default()).into_owned())
        .collect();
    let headers: Vec<wit::HeaderParam<'_>> =
        names.iter().zip(columns.headers.values.iter()).map(|(name, value)| wit::HeaderParam { name, value }).collect();
    let mut begin = 0;
    let rows = columns.keys.iter().zip(columns.values.iter()).enumerate();
    let records: Vec<wit::Input<'_>> = rows
        .map(|(row, (key, value))| {
            let end = columns.headers.row_ends.get(row).map_or(begin, |end| *end as usize);
            let own = headers.get(begin..end).unwrap_or_default();
            begin = end;
            wit::Input {
                offset: columns.offsets.get(row).copied().unwrap_or_default(),
                timestamp: columns.timestamps.get(row).copied().unwrap_or_default(),
                key,
                value,
                headers: own,
            }
        })
        .collect();
    let batch = wit::Batch {
        topic: call.topic,
        partition: u32::try_from(call.partition).unwrap_or(0),
        attempt: call.attempt,
        records: &records,
    };
    let answer = exports.wasmill_transform_records().call_transform(store, batch)?;
    Ok(answer.map(|output| collect(output, columns)))
}

/// Puts records together as columns; a column that no record sets stays away.
pub(super) fn collect(answer: wit::Output, own: &Columns) -> Output {
    let mut output = Output { rejects: answer.rejects.into_iter().map(Reject::from).collect(), ..Output::default() };
    let (mut keys, mut values) = (Edit::default(), Edit::default());
    let records = answer.records;
    let any = |test: &dyn Fn(&wit::Out) -> bool| records.iter().any(test);
    let mut headers = any(&|record| record.headers.is_some()).then(HeaderColumn::default);
    let mut targets = any(&|record| record.target.is_some()).then(BytesColumn::default);
    let with_ops = any(&|record| record.op.is_some());
    let with_versions = any(&|record| record.version.is_some());
    let with_timestamps = any(&|record| record.timestamp.is_some());
    let (mut ops, mut versions, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        output.rows.push(record.row);
        output.routes.push(record.route);
        let null = match &record.value {
            wit::Field::Null => true,
            wit::Field::Bytes(_) => false,
            wit::Field::Kept => own.values.get(record.row as usize).is_none(),
        };
        keys.push(record.key);
        values.push(record.value);
        if let Some(column) = &mut headers {
            match record.headers {
                Some(headers) => {
                    headers.iter().for_each(|header| column.push(header.name.as_bytes(), header.value.as_deref()))
                }
                None => own.headers.row(record.row as usize).for_each(|(name, value)| column.push(name, value)),
            }
            column.end_row();
        }
        if let Some(column) = &mut targets {
            column.push(record.target.as_deref());
        }
        ops.push(record.op.map_or(if null { Op::Delete } else { Op::Put }, Op::from));
        versions.push(record.version.unwrap_or(0));
        let own_timestamp = own.timestamps.get(record.row as usize).copied();
        timestamps.push(record.timestamp.or(own_timestamp).unwrap_or(-1));
    }
    output.keys = keys.into_column();
    output.values = values.into_column();
    output.headers = headers;
    output.targets = targets;
    output.ops = with_ops.then_some(ops);
    output.versions = with_versions.then_some(versions);
    output.timestamps = with_timestamps.then_some(timestamps);
    output
}

#[derive(Default)]
struct Edit {
    column: EditedColumn,
    touched: bool,
}

impl Edit {
    fn push(&mut self, field: wit::Field) {
        let EditedColumn { column, kept } = &mut self.column;
        match field {
            wit::Field::Kept => {
                kept.push(column.len() as u32);
                column.push(Some(b""));
            }
            wit::Field::Null => {
                self.touched = true;
                column.push(None);
            }
            wit::Field::Bytes(bytes) => {
                self.touched = true;
                column.push(Some(&bytes));
            }
        }
    }

    fn into_column(self) -> Option<EditedColumn> {
        self.touched.then_some(self.column)
    }
}
